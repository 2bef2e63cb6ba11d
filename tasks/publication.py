"""Station: publish selects."""

from __future__ import annotations

from prefect import task

from packline import progress
from packline.line import Order
from packline.line.chunks import work_carefully
from packline.line.publication import publish
from tasks.opening import line_of
from tasks.retrying import OPTIONS, last_try, timed

STATION = "publication"


@task(name="publish", tags=["bucket"], timeout_seconds=7200, **OPTIONS)
def publish_selects(order: Order, run: str, keys: list[str]) -> None:
    """Put a chunk's selects into the bucket."""
    line, tally = line_of(order), progress.Tally(STATION)
    noted = set[str]()
    shots = line.ledger.publishable(run, keys)
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
