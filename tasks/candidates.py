"""Station: make candidates."""

from __future__ import annotations

import logging

from prefect import task

from packline import progress
from packline.errors import TryAgain
from packline.line import Order
from packline.line.candidates import make_candidates
from packline.line.chunks import work_carefully
from packline.line.plan import Try
from tasks.opening import line_of
from tasks.retrying import OPTIONS, last_try, timed

logger = logging.getLogger(__name__)

STATION = "candidates"


@task(name="warm up", tags=["gpu"], timeout_seconds=3600, **OPTIONS)
def warm_up(order: Order) -> None:
    """Load the engine's weights, so that damaged ones stop a run before its references are rendered."""
    try:
        line_of(order).warm_up()
    except TryAgain as error:
        if not last_try():
            raise
        # the card may be free by the time of the first edit; else another engine takes its place there
        logger.warning("%s", error)


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
