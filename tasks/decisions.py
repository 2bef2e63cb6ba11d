"""What people decided at the review desk, as work for a run."""

from __future__ import annotations

from prefect import task

from packline.line import Order
from tasks.opening import open_line
from tasks.retrying import OPTIONS


@task(name="decisions", task_run_name="read decisions", tags=["cpu"], timeout_seconds=600, **OPTIONS)
def read_decisions(order: Order) -> list[str]:
    """SKUs of the products that people's decisions left something to do for."""
    line = open_line(order)
    return line.ledger.review.skus_to_carry_out(line.settings.run.name)
