"""Station: report, end state, and what the Prefect UI shows of the outcome."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from packline.line import Order
from packline.line.closing import Closing, close_run, report, some_flags, some_shots
from packline.records import ShotRecord
from tasks.opening import line_of
from tasks.retrying import OPTIONS, timed


@task(name="report", task_run_name="report", tags=["cpu"], timeout_seconds=3600, **OPTIONS)
def write_report(order: Order, run: str) -> str:
    """Write the HTML report."""
    line = line_of(order)
    with timed(line, run, "report", 1):
        return str(report(line, run))


@task(name="close", task_run_name="close the run", tags=["cpu"], timeout_seconds=600, **OPTIONS)
def close(order: Order, run: str) -> Closing:
    """End the run in the ledger and show its outcome in the UI."""
    line = line_of(order)
    closing = close_run(line, run)
    key = re.sub(r"[^a-z0-9]+", "-", line.catalog.name.lower()).strip("-") or "catalog"
    create_table_artifact(
        table=[_row(shot) for shot in some_shots(line, closing)],
        key=f"{key}-outcome",
        description=f"Run {run} of {line.catalog.name}: {closing.sentence}",
    )
    create_markdown_artifact(
        markdown=words(closing, some_flags(line)),
        key=f"{key}-flags",
        description=f"Run {run}: flags in words, and the report",
    )
    return closing


def words(closing: Closing, flags: Sequence[ShotRecord]) -> str:
    """The outcome as Markdown: the sum, each flag with its sentence, where the report lies."""
    lines = [f"## {closing.sentence}", ""]
    if closing.drift:
        lines += [f"**{closing.drift}**", ""]
    if flags:
        lines += ["| shot | reason | what is wrong |", "| --- | --- | --- |"]
        for shot in flags:
            lines.append(f"| {_cell(shot.key)} | {_cell(shot.reason)} | {_cell(shot.sentence)} |")
        lines.append("")
    # browsers open no file:// link from a page of a server, so the path is written out to be copied
    lines.append(f"Report: `{closing.report}`")
    return "\n".join(lines)


def _row(shot: ShotRecord) -> dict[str, Any]:
    cards = [record.scorecard for record in shot.candidates if record.scorecard is not None]
    return {
        "shot": shot.key,
        "state": str(shot.state),
        "candidates": len(shot.candidates),
        "passed": sum(card.passed for card in cards),
        "best score": round(max((card.score for card in cards), default=0.0), 2),
        "flag": shot.reason,
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
