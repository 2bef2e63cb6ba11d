"""Station: decide on shots after a wave."""

from __future__ import annotations

from prefect import task

from packline.line import Order
from packline.line.selects import flag, select_or_flag
from tasks.opening import line_of
from tasks.retrying import OPTIONS


@task(name="decide", tags=["cpu"], timeout_seconds=600, **OPTIONS)
def decide(order: Order, run: str, keys: list[str], last: bool) -> dict[str, int]:
    """Select what passed, flag what ran out of tries.

    What comes back needs another wave: by key, how many candidates its last one had.
    """
    return select_or_flag(line_of(order), run, keys, last=last)


@task(name="flag", tags=["cpu"], timeout_seconds=600, **OPTIONS)
def flag_chunk(order: Order, run: str, keys: list[str], sentence: str) -> None:
    """Flag the shots of a chunk whose task was lost."""
    line = line_of(order)
    for key in keys:
        flag(line, run, key, "error", sentence)
