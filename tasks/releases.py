"""Station: release what is published; and what people do with releases: promote and roll back."""

from __future__ import annotations

import logging

from prefect import task

from packline.line import Order
from packline.line.publication import release
from tasks.opening import line_of
from tasks.retrying import OPTIONS, timed

logger = logging.getLogger(__name__)


@task(name="release", task_run_name="release", tags=["bucket"], timeout_seconds=7200, **OPTIONS)
def release_published(order: Order, run: str) -> str:
    """Write the manifest and let the environment point at it; returns the release's id."""
    line = line_of(order)
    with timed(line, run, "release", 1):
        made = release(line, run)
    if made is None:
        return ""
    logger.log(logging.WARNING if made.held else logging.INFO, "%s", made.sentence)
    return made.release.id
