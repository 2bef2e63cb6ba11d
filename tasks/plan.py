"""Station: read the catalogue, plan the run."""

from __future__ import annotations

import logging
from collections import Counter

from prefect import task

from packline.line import Order
from packline.line.plan import Plan, foresee
from packline.records import Work
from tasks.opening import open_line, take_plan
from tasks.retrying import OPTIONS

logger = logging.getLogger(__name__)


@task(name="plan", task_run_name="read and plan", tags=["plan"], timeout_seconds=1800, **OPTIONS)
def plan_run(order: Order) -> Plan:
    """Read the catalogue, open a run in the ledger and say what each shot needs."""
    plan = take_plan(order)
    reasons = ", ".join(f"{count} {why}" for why, count in plan.why.items()) or "nothing to do"
    logger.info("Run %s: %d shots; %s.", plan.run, plan.shots, reasons)
    for sentence in plan.row_errors:
        logger.warning("%s", sentence)
    return plan


@task(name="foresee", task_run_name="say what there is to do", tags=["plan"], timeout_seconds=1800, **OPTIONS)
def foresee_run(order: Order) -> str:
    """Say what a run would do, with nothing written."""
    line = open_line(order)
    planned = foresee(line)
    for one in planned:
        logger.info("%s: %s, %s", one.shot.key, one.work, one.why)
    for error in line.catalog.errors:
        logger.warning("%s", error.sentence)
    why = Counter(one.why for one in planned if one.work != Work.NOTHING)
    reasons = "; ".join(f"{count} {words}" for words, count in why.items()) or "nothing to do"
    return f"{len(planned)} shots: {reasons}."
