"""Station: read the catalogue, plan the run."""

from __future__ import annotations

import logging

from prefect import task

from packline.line import Order
from packline.line.plan import Plan
from tasks.opening import take_plan
from tasks.retrying import OPTIONS

logger = logging.getLogger(__name__)


@task(name="plan", tags=["plan"], timeout_seconds=1800, **OPTIONS)
def plan_run(order: Order) -> Plan:
    """Read the catalogue, open a run in the ledger and say what each shot needs."""
    plan = take_plan(order)
    reasons = ", ".join(f"{count} {why}" for why, count in plan.why.items()) or "nothing to do"
    logger.info("Run %s: %d shots; %s.", plan.run, plan.shots, reasons)
    for sentence in plan.row_errors:
        logger.warning("%s", sentence)
    return plan
