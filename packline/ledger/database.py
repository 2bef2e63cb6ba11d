"""Opening the ledger's database: schema, write-ahead log, and what to say where it cannot be opened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, inspect, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from packline.errors import FixSettings, TryAgain
from packline.ledger.schema import HISTORY, SCHEMA_VERSION, metadata, notes, products, schema_version

_PATIENCE = 30  # seconds that a writer waits for another


def open_database(url: str) -> tuple[Engine, Engine]:
    """Connect, and lay the tables where there are none.

    Parameters
    ----------
    url
        A SQLAlchemy URL.

    Returns
    -------
    reader, writer : Engine
        Two views of one pool; on SQLite the writer takes the write lock when its transaction begins, so that
        two writers wait for each other instead of failing half way.

    Raises
    ------
    FixSettings
        Where the URL is malformed, the place is unwritable, or the ledger was written by a newer Packline.
    TryAgain
        Where another process holds the ledger for long.
    """
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise FixSettings(f"Settings: ledger.url {url!r} cannot be used ({error}); name a file.") from error
    except OSError as error:
        raise FixSettings(_unwritable(url, error)) from error
    if is_sqlite:
        _prepare_sqlite(engine)
    writer = engine.execution_options(packline_write=True)
    try:
        _lay(writer, url)
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise TryAgain(f"Ledger {url} is held by another process; try again.", 10) from error
        raise FixSettings(_unwritable(url, error.orig)) from error
    except DatabaseError as error:
        raise FixSettings(f"Ledger {url} is not a database ({error.orig}); name another file.") from error
    return engine, writer


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


def _unwritable(url: str, error: object) -> str:
    return f"Ledger {url} cannot be written ({error}); name a writable place in ledger.url."


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: object) -> None:
        # Python's own transactions begin too late for BEGIN IMMEDIATE; SQLAlchemy begins them instead
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000}")
        cursor.execute("PRAGMA foreign_keys = ON")
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _to_wal(cursor)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("packline_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


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


def _from_version_1(connection: Connection) -> None:
    """Version 2 added a table, and two columns to one."""
    notes.create(connection, checkfirst=True)
    present = {column["name"] for column in inspect(connection).get_columns(products.name)}
    for column in (products.c.variant, products.c.truth):
        if column.name not in present:
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(
                f"ALTER TABLE {products.name} ADD COLUMN {column.name} {kind} NOT NULL DEFAULT ''"
            )
    connection.execute(update(schema_version).values(version=SCHEMA_VERSION))


def _lay(writer: Engine, url: str) -> None:
    with writer.begin() as connection:
        if connection.dialect.has_table(connection, schema_version.name):
            found = connection.scalar(select(schema_version.c.version))
            if found == 1:
                _from_version_1(connection)
                return
            if found != SCHEMA_VERSION:
                raise FixSettings(
                    f"Ledger {url} was written by another Packline (its schema is {found}, this one knows "
                    f"{SCHEMA_VERSION}); update Packline, or name another file in ledger.url."
                )
            return
        metadata.create_all(connection)
        if connection.dialect.name == "sqlite":
            for table in HISTORY:
                for verb in ("UPDATE", "DELETE"):
                    connection.exec_driver_sql(
                        f"CREATE TRIGGER {table.name}_no_{verb.lower()} BEFORE {verb} ON {table.name} BEGIN "
                        f"SELECT RAISE(ABORT, '{table.name} is history: append, never change'); END"
                    )
        connection.execute(insert(schema_version), [{"version": SCHEMA_VERSION}])
