"""Station: render the references."""

from __future__ import annotations

from prefect import task

from packline import progress
from packline.line import Order
from packline.line.chunks import work_carefully
from packline.line.plan import Try
from packline.line.references import render
from tasks.opening import line_of
from tasks.retrying import OPTIONS, last_try, timed

STATION = "references"


@task(name="render", tags=["cpu"], timeout_seconds=7200, **OPTIONS)
def render_references(order: Order, run: str, tries: list[Try]) -> list[Try]:
    """Render what a chunk's candidates are asked to show, and what they are checked against."""
    line, tally = line_of(order), progress.Tally(STATION)
    with timed(line, run, STATION, len(tries)):
        return work_carefully(
            line,
            run,
            tries,
            lambda one: one.key,
            lambda some: render(line, some, tally),
            reason="model",
            last_try=last_try(),
        )
