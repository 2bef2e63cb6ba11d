"""`packline run`: plan first; start Prefect in this process only when there is work."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from packline import progress
from packline.cli import prefect_settings
from packline.cli.bars import Bars
from packline.cli.closing_table import closing_tables
from packline.cli.table import console
from packline.errors import FixSettings, Occupied, PacklineError
from packline.line.closing import (
    CANCELLED,
    COMPLETED,
    WITH_FLAGS,
    Closing,
    close_run,
    closing_of,
    extract,
    report,
    some_flags,
)
from packline.line.line import Line
from packline.line.order import Order


def run_catalog(order: Order) -> str:
    """Run a catalogue and show it.

    Returns
    -------
    str
        The run's end state: "completed" or "completed with flags".

    Raises
    ------
    FixSettings
        With the sentence for whoever mends the settings.
    Occupied
        Where another run is at work on the catalogue.
    """
    out = console()
    with out.status("reading the catalogue"):
        # pandas, scoring and the stage's settings: seconds that `packline --help` must not pay
        from tasks.opening import line_of, plan_ahead

        plan = plan_ahead(order)
    line = line_of(order)
    out.print(f"[bold]{line.catalog.name}[/]: {_plural(plan.shots, 'shot')}, run {plan.run}", highlight=False)
    if (killed := line.ledger.lost_before(plan.run)) is not None:
        out.print(f"  Run {killed.id} was killed; this one takes up where it stood.", highlight=False)
    for sentence in plan.row_errors:
        out.print(f"  {sentence}", markup=False, highlight=False)
    if plan.wrong_rows > len(plan.row_errors):
        words = f"  {plan.wrong_rows:,} rows cannot be used; packline flags lists them all."
        out.print(words, highlight=False)
    if plan.nothing:
        closing = close_run(line, plan.run)
        if not closing.report.is_file():
            report(line, plan.run)
        out.print(f"Nothing to do: no shot has changed. {closing.sentence}", markup=False, highlight=False)
        _say_where(out, line, closing)
        return closing.state
    for why, count in plan.why.items():
        out.print(f"  {_plural(count, 'shot')}: {why}", markup=False, highlight=False)

    log = line.work / "logs" / f"{plan.run}.log"
    with _stopped_in_order(), _logging_to(log), Bars(out) as bars, progress.watched_by(bars):
        try:
            state = _flow(order, line.work / "prefect")
        except BaseException:
            # stopped before the flow began, which would have noted it
            if line.ledger.run(plan.run).state == "running":
                line.ledger.end_run(plan.run, CANCELLED, {})
            raise
    record = line.ledger.run(plan.run)
    drift = str(record.summary.get("drift", ""))
    closing = closing_of(line, plan.run, drift=drift)
    for table in closing_tables(record, closing, some_flags(line), *extract(line, record)):
        out.print(table)
        out.print()
    out.print(closing.sentence, style="bold", highlight=False)
    if closing.drift:
        out.print(closing.drift, style="yellow", highlight=False, markup=False)
    _say_where(out, line, closing)
    out.print(f"Pictures: {line.bucket.address(line.settings.run.tenant)}", highlight=False, markup=False)
    out.print(f"Log: {log}", highlight=False, markup=False)
    return state


def _flow(order: Order, home: Path) -> str:
    """Run the flow in this process; Prefect brings a server that lives as long as the run."""
    # a person's own Prefect settings would lead to another server
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ.update(prefect_settings.for_one_run(home))
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.catalog_run import catalog_run

    # nobody watches this run's heartbeat, and its thread takes a second to stop
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        state = catalog_run(
            catalog=str(order.catalog),
            settings=str(order.settings or ""),
            environment=order.environment,
            only=list(order.only),
            again=order.again,
            return_state=True,
        )
    if state.is_completed():
        return WITH_FLAGS if state.name == "Completed with flags" else COMPLETED
    if state.name == "Occupied":
        raise Occupied(state.message or "Another run is at work on the catalogue.")
    if state.name == "Fix settings":
        raise FixSettings(state.message or "The settings must be mended.")
    raise PacklineError(f"The run ended unexpectedly: {state.message}")


def _say_where(out: Console, line: Line, closing: Closing) -> None:
    standing = line.ledger.moves.standing(line.catalog.name, line.settings.run.environment)
    if standing.held:
        out.print(standing.sentence, style="yellow", highlight=False, markup=False)
    out.print(f"Report: {closing.report}", highlight=False, markup=False)
    if closing.summary["flagged"]:
        desk = f"packline review {line.order.catalog}"
        out.print(f"Settle what is flagged: {desk}", highlight=False, markup=False)


@contextmanager
def _stopped_in_order() -> Iterator[None]:
    """Let SIGTERM stop a run as Ctrl-C does: Python's own way out also stops Prefect's temporary server."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """Send log lines and warnings to a file, away from the progress bars."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.captureWarnings(True)
    loggers = [logging.getLogger(name) for name in _LOGGED]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        # not to the root's handlers as well: one of them is Prefect's, on the terminal
        logger.propagate = False
        if logger.name in _OURS:
            logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
        logging.captureWarnings(False)
        handler.close()


_OURS = ("packline", "tasks", "flows", "scoring")
_LOGGED = (*_OURS, "py.warnings", "diffusers", "transformers", "torch", "peft")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
