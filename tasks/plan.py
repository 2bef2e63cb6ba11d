"""Station: read the catalogue, plan the run."""

from __future__ import annotations

import logging

from prefect import task

from packline.line import Order
from packline.line.plan import Forecast, Plan
from packline.records import Work
from tasks.opening import open_line, take_plan
from tasks.retrying import OPTIONS

logger = logging.getLogger(__name__)

_MOST_LINES = 1000


@task(name="plan", task_run_name="read and plan", tags=["plan"], timeout_seconds=1800, **OPTIONS)
def plan_run(order: Order) -> Plan:
    """Read the catalogue, open a run in the ledger and say what each shot needs."""
    plan = take_plan(order)
    reasons = ", ".join(f"{count} {why}" for why, count in plan.why.items()) or "nothing to do"
    logger.info("Run %s: %d shots; %s.", plan.run, plan.shots, reasons)
    for sentence in plan.row_errors:
        logger.warning("%s", sentence)
    if plan.wrong_rows > len(plan.row_errors):
        logger.warning("%d rows cannot be used; packline flags lists them all.", plan.wrong_rows)
    return plan


@task(name="foresee", task_run_name="say what there is to do", tags=["plan"], timeout_seconds=1800, **OPTIONS)
def foresee_run(order: Order) -> str:
    """Say what a run would do, with nothing written."""
    line = open_line(order)
    forecast = Forecast(line)
    for number, one in enumerate(forecast):
        # the UI's log is a page; packline plan lists every shot
        if number < _MOST_LINES:
            logger.info("%s: %s, %s", one.key, one.duty.work, one.duty.why)
    for sentence in forecast.reading.errors:
        logger.warning("%s", sentence)
    why = {words: count for (work, words), count in forecast.reasons.items() if work != Work.NOTHING}
    reasons = "; ".join(f"{count} {words}" for words, count in why.items()) or "nothing to do"
    return f"{forecast.reasons.total()} shots: {reasons}."
