"""What a database's error means to whoever uses the ledger: a sentence, typed by what to do next."""

from __future__ import annotations

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, ExceptionContext

from packline.errors import FixSettings, PacklineError, TryAgain

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING = {
    "40001": "two writers met",  # serialization_failure
    "40P01": "two writers met",  # deadlock_detected
    "55P03": "another process holds it",  # lock_not_available
    "57014": "a statement took too long",  # query_canceled
    "53300": "its server has no connection left",  # too_many_connections
    "57P01": "its server is being shut down",  # admin_shutdown
    "57P02": "its server crashed",  # crash_shutdown
    "57P03": "its server is starting",  # cannot_connect_now
}
# https://www.sqlite.org/rescode.html
_UNWRITABLE = ("unable to open", "readonly", "full", "I/O error", "authorization denied")
_REFUSED = ("authentication failed", "no password supplied", "role ", "pg_hba.conf")
_FULL = ("53100", "53200", "53400")  # disk_full, out_of_memory, configuration_limit_exceeded


def shown(url: URL) -> str:
    """A ledger's URL as a person may see it: without its password."""
    return url.render_as_string(hide_password=True)


def speak_in_sentences(engine: Engine) -> None:
    """Raise Packline's own errors where the database fails; a broken constraint stays SQLAlchemy's."""

    @event.listens_for(engine, "handle_error")
    def _on_error(context: ExceptionContext) -> None:
        if context.is_pre_ping:  # a connection that was cut is replaced, and nobody need know
            return
        known = sentence_for(engine.url, context.original_exception, context.is_disconnect)
        if known is not None:
            raise known from context.original_exception


def sentence_for(url: URL, error: BaseException, is_disconnect: bool = False) -> PacklineError | None:
    """What an error of the driver's means.

    Returns
    -------
    PacklineError or None
        `TryAgain` for what passes, `FixSettings` for what a person must mend; None for what is neither, such
        as a broken constraint.
    """
    if url.get_backend_name() == "sqlite":
        return _of_sqlite(shown(url), error)
    return _of_postgresql(shown(url), error, is_disconnect)


def _of_sqlite(ledger: str, error: BaseException) -> PacklineError | None:
    import sqlite3

    if isinstance(error, sqlite3.OperationalError):
        if "locked" in str(error) or "busy" in str(error):
            return TryAgain(f"Ledger {ledger} is held by another process; try again.", 10)
        if any(words in str(error) for words in _UNWRITABLE):
            return FixSettings(
                f"Ledger {ledger} cannot be written ({error}); name a writable place in ledger.url."
            )
    if type(error) is sqlite3.DatabaseError:
        return FixSettings(f"Ledger {ledger} is not a database ({error}); name another file.")
    return None


def _of_postgresql(ledger: str, error: BaseException, is_disconnect: bool) -> PacklineError | None:
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    # libpq says the same once for each address that it tried
    said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    said = said.rpartition("FATAL: ")[2].strip()
    state = error.sqlstate or ""
    if state in _PASSING:
        return TryAgain(f"Ledger {ledger} cannot be used just now ({_PASSING[state]}); try again.", 5)
    if state in _FULL:
        return FixSettings(f"Ledger {ledger} cannot be written ({said}); free space on its server.")
    # while it connects, libpq tells no state
    refused = not state and any(words in said for words in _REFUSED)
    if state in ("28000", "28P01") or refused:
        return FixSettings(f"Ledger {ledger} refuses these credentials ({said}); correct ledger.url.")
    if state == "3D000" or (not state and "does not exist" in said):
        return FixSettings(f"Ledger {ledger} does not exist ({said}); create it or correct ledger.url.")
    if state == "42501":
        return FixSettings(
            f"Ledger {ledger} may not be changed by this role ({said}); let one that may bring it up to date "
            "with `packline ledger upgrade --url`, or grant this one the right."
        )
    if state in ("25006",):
        return FixSettings(f"Ledger {ledger} can only be read ({said}); name its primary in ledger.url.")
    if is_disconnect or state.startswith("08") or (not state and isinstance(error, psycopg.OperationalError)):
        return TryAgain(f"Ledger {ledger} cannot be reached ({said}); try again, or correct ledger.url.", 5)
    return None
