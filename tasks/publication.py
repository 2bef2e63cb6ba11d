"""Station: publish selects, then release them."""

from __future__ import annotations

import logging

from prefect import task

from packline import progress
from packline.line import Order
from packline.line.chunks import work_carefully
from packline.line.publication import publish, release
from tasks.opening import line_of
from tasks.retrying import OPTIONS, last_try, timed

logger = logging.getLogger(__name__)

STATION = "publication"


@task(name="publish", tags=["bucket"], timeout_seconds=7200, **OPTIONS)
def publish_selects(order: Order, run: str, keys: list[str]) -> None:
    """Put a chunk's selects into the bucket."""
    line, tally = line_of(order), progress.Tally(STATION)
    wanted, noted = set(keys), set[str]()
    shots = [shot for shot in line.ledger.publishable(run) if shot.key in wanted]
    with timed(line, run, STATION, len(shots)):
        for shot in work_carefully(
            line,
            run,
            shots,
            lambda shot: shot.key,
            lambda some: publish(line, run, some, noted),
            reason="publication",
            last_try=last_try(),
        ):
            tally(shot.key)


@task(name="release", task_run_name="release", tags=["bucket"], timeout_seconds=1800, **OPTIONS)
def release_published(order: Order, run: str) -> str:
    """Write the manifest and let the environment point at it; returns the manifest's key."""
    line = line_of(order)
    with timed(line, run, "release", 1):
        record = release(line, run)
    if record is None:
        return ""
    moved = "now shows" if record.changed else "still shows"
    logger.info(
        "Environment %s %s %d pictures (%s).", record.environment, moved, len(record.items), record.key
    )
    return record.key
