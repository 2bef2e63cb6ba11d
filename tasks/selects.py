"""Station: size a wave, and decide on its shots after it."""

from __future__ import annotations

import logging

from prefect import task

from packline.line import Order, waves
from packline.line.plan import Try
from packline.line.selects import flag, select_or_flag
from packline.line.waves import Opening
from packline.records import Wave
from tasks.opening import line_of
from tasks.retrying import OPTIONS

logger = logging.getLogger(__name__)


@task(name="open", tags=["cpu"], timeout_seconds=3600, **OPTIONS)
def open_wave(order: Order, run: str, wave: int) -> Opening:
    """Say how many candidates each shot of a wave gets, as far as the run's budget goes."""
    opening = waves.open_wave(line_of(order), run, wave)
    if opening.waiting:
        logger.warning("The run's budget is spent: %d shots wait for the next run.", opening.waiting)
    return opening


@task(name="decide", tags=["cpu"], timeout_seconds=600, **OPTIONS)
def decide(order: Order, run: str, tries: list[Try], last: bool) -> dict[str, Wave]:
    """Select what passed, flag what ran out of tries.

    What comes back got another wave, by key.
    """
    return select_or_flag(line_of(order), run, tries, last=last)


@task(name="flag", tags=["cpu"], timeout_seconds=600, **OPTIONS)
def flag_chunk(order: Order, run: str, keys: list[str], sentence: str) -> None:
    """Flag the shots of a chunk whose task was lost."""
    line = line_of(order)
    for key in keys:
        flag(line, run, key, "error", sentence)
