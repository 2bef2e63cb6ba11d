"""The line that this process works with, opened once for an order: models stay warm between chunks."""

from __future__ import annotations

import time
from typing import NamedTuple

from packline.fingerprint import digest
from packline.line import Line, Order
from packline.line.plan import Plan, begin_run
from scoring.settings import ScoringSettings, read_settings


class Opened(NamedTuple):
    """A line and what it scores with.

    Parameters
    ----------
    scoring
        What the line's `checks` is the digest of: files may change while a run is at work.
    """

    line: Line
    scoring: ScoringSettings


_open: dict[Order, Opened] = {}
_ahead: dict[Order, Plan] = {}


def open_line(order: Order) -> Line:
    """Open the line anew: files and settings are read again.

    Raises
    ------
    FixSettings
        Where the settings cannot be read.
    """
    return _anew(order).line


def line_of(order: Order) -> Line:
    """The line that `open_line` opened for this order in this process, or a new one."""
    return opened(order).line


def opened(order: Order) -> Opened:
    """`line_of` with the settings that it scores with."""
    return _open.get(order) or _anew(order)


def _anew(order: Order) -> Opened:
    settings = order.read_settings()
    scoring = read_settings(settings.checks, settings.rules)
    _open.clear()
    _open[order] = new = Opened(Line(order, digest(scoring.to_dict())), scoring)
    return new


def plan_ahead(order: Order) -> Plan:
    """Begin a run before its flow starts, so that a run with nothing to do needs no Prefect.

    Raises
    ------
    FixSettings
        As `packline.line.plan.begin_run`.
    """
    plan = _begin(order)
    if not plan.nothing:
        _ahead[order] = plan
    return plan


def take_plan(order: Order) -> Plan:
    """The plan that was made ahead for this order, or a new one."""
    return _ahead.pop(order, None) or _begin(order)


def _begin(order: Order) -> Plan:
    start = time.perf_counter()
    line = open_line(order)
    plan = begin_run(line)
    line.ledger.record_station(plan.run, "plan", plan.shots, time.perf_counter() - start)
    return plan
