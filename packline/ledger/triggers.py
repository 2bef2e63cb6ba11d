"""The database itself refuses to change history."""

from __future__ import annotations

from sqlalchemy import Connection, inspect

from packline.ledger.schema import HISTORY

_VERBS = ("UPDATE", "DELETE", "TRUNCATE")
_FUNCTION = """
CREATE OR REPLACE FUNCTION packline_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = TG_TABLE_NAME || ' is history: append, never change', ERRCODE = 'restrict_violation';
END $$
"""


def drop_triggers(connection: Connection) -> None:
    """Let history be changed, for an upgrade: a revision may have to fill a new column of it."""
    for name in _tables(connection):
        for verb in _VERBS:
            on = f' ON "{name}"' if connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {_trigger(name, verb)}{on}")


def lay_triggers(connection: Connection) -> None:
    """Keep anybody from changing or deleting what is in the tables of history."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_FUNCTION)
    for name in _tables(connection):
        for verb in _VERBS:
            if connection.dialect.name == "postgresql":
                each = "STATEMENT" if verb == "TRUNCATE" else "ROW"
                connection.exec_driver_sql(
                    f'CREATE TRIGGER {_trigger(name, verb)} BEFORE {verb} ON "{name}" '
                    f"FOR EACH {each} EXECUTE FUNCTION packline_history()"
                )
            elif verb != "TRUNCATE":  # SQLite has none
                connection.exec_driver_sql(
                    f'CREATE TRIGGER {_trigger(name, verb)} BEFORE {verb} ON "{name}" BEGIN '
                    f"SELECT RAISE(ABORT, '{name} is history: append, never change'); END"
                )


def _trigger(table: str, verb: str) -> str:
    return f"{table}_no_{verb.lower()}"


def _tables(connection: Connection) -> list[str]:
    # an upgrade that stops half way on purpose, in a test, has not got them all yet
    there = set(inspect(connection).get_table_names())
    return [table.name for table in HISTORY if table.name in there]
