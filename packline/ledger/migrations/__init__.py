"""Bringing a ledger to the present schema: Alembic's revisions, under a lock, when it is opened.

Revisions are one line of files in ``versions/``; a revision's identity is its file's name. Whoever opens a
ledger brings it up to date. Where it is so already, that costs one query and Alembic is not even imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, column, inspect, select, table

from packline.errors import FixSettings
from packline.ledger.triggers import drop_triggers, lay_triggers

if TYPE_CHECKING:
    from alembic.config import Config

_HERE = Path(__file__).parent
_VERSION = table("alembic_version", column("version_num"))
_OLD_VERSION = table("schema_version", column("version"))
BASELINE = "0001_baseline"
# any number will do, as long as nobody else who shares the database takes it
_ADVISORY_LOCK = 0x5061636B6C696E65


@cache
def revisions() -> tuple[str, ...]:
    """All revisions that this Packline knows, the first first."""
    return tuple(sorted(file.stem for file in (_HERE / "versions").glob("[0-9]*.py")))


def revision_of(connection: Connection) -> str:
    """The revision that a ledger is at; empty where Alembic has not seen it."""
    if not connection.dialect.has_table(connection, _VERSION.name):
        return ""
    return connection.scalar(select(_VERSION.c.version_num)) or ""


def is_present(connection: Connection, shown: str) -> bool:
    """Whether a ledger has the present schema.

    Parameters
    ----------
    shown
        The ledger's URL as a person may see it.

    Raises
    ------
    FixSettings
        Where a newer Packline wrote it.
    """
    found = revision_of(connection)
    if found and found not in revisions():
        raise FixSettings(_newer(shown, found))
    return found == revisions()[-1]


def bring_up_to_date(writer: Engine, shown: str) -> None:
    """Take a ledger of any age to the present schema; what it holds stays. Again changes nothing.

    One process does it, the others wait. It happens whole or not at all.

    Raises
    ------
    FixSettings
        Where a newer Packline wrote it.
    """
    with _alone(writer) as connection:
        if is_present(connection, shown):
            return
        if not revision_of(connection):
            _adopt(connection, shown)
        drop_triggers(connection)
        _upgrade(connection)
        lay_triggers(connection)


@contextmanager
def _alone(writer: Engine) -> Iterator[Connection]:
    """A transaction that no other upgrade runs beside."""
    with writer.connect() as connection:
        if connection.dialect.name != "sqlite":
            with connection.begin():
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
                yield connection
            return
        # a table that is rebuilt is dropped first, which its children must bear; inside a transaction SQLite
        # ignores this switch
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                assert not orphans, f"the upgrade left rows without their parents: {orphans[:3]}"
        finally:
            raw.execute("PRAGMA foreign_keys = ON")


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(_config(connection), "head")


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    # the settings' parser takes % for the beginning of a name
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _adopt(connection: Connection, shown: str) -> None:
    """Take a ledger from before Alembic to the baseline and say so in it."""
    if not connection.dialect.has_table(connection, _OLD_VERSION.name):
        return
    found = connection.scalar(select(_OLD_VERSION.c.version))
    if found not in (1, 2):
        raise FixSettings(_newer(shown, f"number {found}"))
    if found == 1:
        _from_first(connection)
    from alembic import command

    command.stamp(_config(connection), BASELINE)


def _from_first(connection: Connection) -> None:
    """Schema 2 added a table, and two columns to one."""
    when = "TIMESTAMP WITH TIME ZONE" if connection.dialect.name == "postgresql" else "DATETIME"
    connection.exec_driver_sql(
        "CREATE TABLE IF NOT EXISTS notes (shot VARCHAR(400) NOT NULL, fingerprint VARCHAR(64) NOT NULL, "
        f"position INTEGER NOT NULL, sentence TEXT NOT NULL, recorded {when} NOT NULL, "
        "PRIMARY KEY (shot, fingerprint, position))"
    )
    there = {one["name"] for one in inspect(connection).get_columns("products")}
    for name, kind in (("variant", "VARCHAR(200)"), ("truth", "TEXT")):
        if name not in there:
            connection.exec_driver_sql(f"ALTER TABLE products ADD COLUMN {name} {kind} NOT NULL DEFAULT ''")


def _newer(shown: str, found: str) -> str:
    return (
        f"Ledger {shown} was written by another Packline (its schema is {found}, this one knows "
        f"{revisions()[-1]}); update Packline, or name another file in ledger.url."
    )
