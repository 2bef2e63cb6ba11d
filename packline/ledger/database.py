"""Opening the ledger's database: connections, write-ahead log, the present schema."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from packline.errors import FixSettings
from packline.ledger.faults import shown, speak_in_sentences
from packline.ledger.migrations import bring_up_to_date, is_present

_PATIENCE = 30.0  # seconds that a writer waits for another


def open_database(url: str) -> tuple[Engine, Engine]:
    """Connect, and bring the tables to the present schema, from nothing or from any earlier one.

    Parameters
    ----------
    url
        A SQLAlchemy URL: ``sqlite:////folder/ledger.db`` or ``postgresql://user:password@host/name``.

    Returns
    -------
    reader, writer : Engine
        Two views of one pool. A reader's transaction sees one state of the database throughout. On SQLite the
        writer takes the write lock when its transaction begins, so that two writers wait for each other
        instead of failing half way.

    Raises
    ------
    FixSettings
        Where the URL is malformed, the place is unwritable, or the ledger was written by a newer Packline.
    TryAgain
        Where another process holds the ledger for long, or its server cannot be reached.
    """
    reader, writer = connect(url)
    try:
        with reader.connect() as connection:
            present = is_present(connection, shown(reader.url))
        if not present:
            bring_up_to_date(writer, shown(reader.url))
    except BaseException:
        reader.dispose()
        raise
    return reader, writer


def connect(url: str) -> tuple[Engine, Engine]:
    """The same two engines with nothing connected yet.

    Raises
    ------
    FixSettings
        Where the URL is malformed.
    """
    try:
        parsed = _with_driver(make_url(url))
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        return _postgresql(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise FixSettings(f"Settings: ledger.url {url!r} cannot be used ({error}); name a file.") from error


def _with_driver(url: URL) -> URL:
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ArgumentError("it is neither SQLite nor PostgreSQL")
    return url


def insert_once(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, leaving alone those whose key is there already."""
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]], change: tuple[str, ...]) -> None:
    """Insert rows; where the primary key is there already, set the columns in `change`."""
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table)
        keys = [column.name for column in table.primary_key]
        update = {name: statement.excluded[name] for name in change}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=update), rows)


def _postgresql(url: URL) -> tuple[Engine, Engine]:
    engine = create_engine(
        url,
        # a run may leave its connections alone for hours, and what lies between cuts idle ones
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 10,
            "application_name": "packline",
            "options": f"-c lock_timeout={_PATIENCE * 1000:.0f}",
        },
    )
    speak_in_sentences(engine)
    # the few queries of one answer see one state; SQLite's readers do so by themselves
    return engine.execution_options(isolation_level="REPEATABLE READ"), engine


def _sqlite(url: URL) -> tuple[Engine, Engine]:
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FixSettings(
                f"Ledger {shown(url)} cannot be written ({error}); name a writable place in ledger.url."
            ) from error
    engine = create_engine(url)
    speak_in_sentences(engine)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: object) -> None:
        # Python's own transactions begin too late for BEGIN IMMEDIATE; SQLAlchemy begins them instead
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")
        cursor.execute("PRAGMA foreign_keys = ON")
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _to_wal(cursor)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("packline_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine, engine.execution_options(packline_write=True)


def _to_wal(cursor: Any) -> None:
    # the switch needs the file alone and SQLite does not wait for that by itself
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
