"""Station: make candidates."""

from __future__ import annotations

from prefect import task

from packline import progress
from packline.line import Order
from packline.line.candidates import make_candidates
from packline.line.chunks import work_carefully
from packline.line.plan import Try
from tasks.opening import line_of
from tasks.retrying import OPTIONS, last_try, timed

STATION = "candidates"


@task(name="edit", tags=["gpu"], timeout_seconds=7200, **OPTIONS)
def edit_candidates(order: Order, run: str, tries: list[Try]) -> list[Try]:
    """Let the engine make a wave of candidates for a chunk of shots."""
    line, tally = line_of(order), progress.Tally(STATION)
    with timed(line, run, STATION, tally):
        return work_carefully(
            line,
            run,
            tries,
            lambda one: one.key,
            lambda some: make_candidates(line, run, some, tally, last_try=last_try()),
            reason="engine",
            last_try=last_try(),
        )
