"""What a ledger is, as ops asks: its schema, its size, its runs, who is at work. Asking changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select

from packline.errors import FixSettings
from packline.ledger import schema as t
from packline.ledger.database import connect
from packline.ledger.faults import shown
from packline.ledger.leases import Lease, leases
from packline.ledger.migrations import bring_up_to_date, is_present, revision_of, revisions


@dataclass(frozen=True)
class CatalogRuns:
    """A catalog's runs.

    Parameters
    ----------
    runs
        How many there were.
    latest, state, started
        The last one; UTC.
    """

    catalog: str
    runs: int
    latest: str
    state: str
    started: datetime


@dataclass(frozen=True)
class Status:
    """A ledger from outside.

    Parameters
    ----------
    url
        Without its password.
    database
        "SQLite 3.40.1".
    schema
        Its revision; empty where it has none yet.
    newest
        The revision that this Packline knows.
    size
        Bytes.
    catalogs, leases
        Empty where the schema is not the newest.
    """

    url: str
    database: str
    schema: str
    newest: str
    size: int
    catalogs: tuple[CatalogRuns, ...]
    leases: tuple[Lease, ...]


def ledger_status(url: str) -> Status:
    """Look at a ledger without bringing it up to date.

    Raises
    ------
    FixSettings
        Where there is none, or a newer Packline wrote it.
    TryAgain
        Where its server cannot be reached.
    """
    reader, _ = connect(url)
    file = reader.url.database if reader.dialect.name == "sqlite" else None
    if file is not None and not Path(file).is_file():
        raise FixSettings(f"Ledger {shown(reader.url)} does not exist yet; its first run lays it.")
    try:
        with reader.connect() as connection:
            present = is_present(connection, shown(reader.url))
            return Status(
                url=shown(reader.url),
                database=_database(connection),
                schema=revision_of(connection),
                newest=revisions()[-1],
                size=_size(connection),
                catalogs=tuple(_catalogs(connection)) if present else (),
                leases=tuple(leases(connection)) if present else (),
            )
    finally:
        reader.dispose()


def upgrade(url: str) -> tuple[str, str]:
    """Bring a ledger to the present schema, as opening it does, in the name of whoever may.

    Returns
    -------
    before, after : str
        Revisions; the first is empty where there was none.
    """
    reader, writer = connect(url)
    try:
        before = _revision(reader)
        bring_up_to_date(writer, shown(reader.url))
        return before, _revision(reader)
    finally:
        reader.dispose()


def _revision(reader: Engine) -> str:
    with reader.connect() as connection:
        return revision_of(connection)


def _database(connection: Connection) -> str:
    name = "PostgreSQL" if connection.dialect.name == "postgresql" else "SQLite"
    version = connection.dialect.server_version_info or ()
    return f"{name} {'.'.join(str(part) for part in version)}".strip()


def _size(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)
    file = Path(str(connection.engine.url.database))
    # what was written last is in the log beside it
    return sum(one.stat().st_size for one in (file, file.with_name(f"{file.name}-wal")) if one.exists())


def _catalogs(connection: Connection) -> list[CatalogRuns]:
    c = t.runs.c
    newest = func.row_number().over(partition_by=c.catalog, order_by=(c.started.desc(), c.id.desc()))
    count = func.count().over(partition_by=c.catalog)
    ranked = select(
        c.catalog, c.id, c.state, c.started, newest.label("newest"), count.label("runs")
    ).subquery()
    found = connection.execute(select(ranked).where(ranked.c.newest == 1).order_by(ranked.c.catalog))
    return [CatalogRuns(row.catalog, row.runs, row.id, row.state, row.started) for row in found]
