"""Station: release what is published; and what people do with releases: promote and roll back."""

from __future__ import annotations

import logging
import re
import tempfile
from pathlib import Path

from prefect import task
from prefect.artifacts import create_table_artifact

from packline.line import Order
from packline.line.order import ENVIRONMENTS
from packline.line.publication import release
from packline.releases.diff import Kind, compare, find_side
from packline.releases.moving import Outcome, choose_rollback, promote, rollback
from packline.releases.site import open_site
from tasks.opening import line_of
from tasks.retrying import OPTIONS, timed

logger = logging.getLogger(__name__)

# an artifact is a page, not a database: `packline release diff` has every difference
_MOST_ROWS = 1000


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


@task(name="promote", task_run_name="promote", tags=["bucket"], timeout_seconds=7200, **OPTIONS)
def promote_release(
    order: Order, source: str, environment: str, name: str, by: str, why: str
) -> tuple[bool, str]:
    """Let an environment show a release; whether it moved, and the sentence."""
    site = open_site(order.read_settings())
    return _told(promote(site, source, environment, name, by=by, why=why))


@task(name="choose", task_run_name="look back", tags=["bucket"], timeout_seconds=600, **OPTIONS)
def choose_release(order: Order, environment: str, to: str) -> str:
    """Id of the release that a rollback leads to; empty where one that was cut short has led there already.

    A task of its own, so that a second try of the next one goes no further back.
    """
    _, target = choose_rollback(open_site(order.read_settings()), environment, to)
    return target.id if target else ""


@task(name="roll back", task_run_name="roll back", tags=["bucket"], timeout_seconds=7200, **OPTIONS)
def roll_back(order: Order, environment: str, name: str, by: str, why: str) -> tuple[bool, str]:
    """Let an environment show an earlier release; whether it moved, and the sentence."""
    site = open_site(order.read_settings())
    return _told(rollback(site, environment, name, by=by, why=why))


def _told(outcome: Outcome) -> tuple[bool, str]:
    logger.info("%s", outcome.sentence)
    return outcome.changed, outcome.sentence


@task(name="differences", task_run_name="say what changed", tags=["bucket"], timeout_seconds=7200, **OPTIONS)
def show_differences(order: Order, environment: str) -> None:
    """Show in the UI what readers of an environment see otherwise since its last move."""
    site = open_site(order.read_settings())
    last = site.ledger.moves.standing(site.catalog, environment).last
    if last is None or not last.before:
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="packline-") as folder:
        before, after = (
            find_side(site, name, ENVIRONMENTS, Path(folder)) for name in (last.before, last.after)
        )
        for one in compare(before.images(), after.images()):
            if one.kind != Kind.UNCHANGED:
                rows.append(one.to_dict())
            if len(rows) == _MOST_ROWS:
                break
    key = re.sub(r"[^a-z0-9]+", "-", f"{site.catalog}-{environment}".lower()).strip("-")
    create_table_artifact(
        table=rows,
        key=f"{key}-differences",
        description=f"{environment}, {last.kind} by {last.by}: {last.before} to {last.after}",
    )
