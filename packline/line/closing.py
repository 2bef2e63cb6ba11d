"""Closing a run: its outcome, its report, its end state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packline.drift import WINDOW, Watch, drift_sentence, watch
from packline.errors import GiveUp
from packline.line.line import Line
from packline.records import ShotRecord, ShotState
from packline.report import write_report

COMPLETED, WITH_FLAGS, FAILED, CANCELLED = "completed", "completed with flags", "failed", "cancelled"


@dataclass(frozen=True)
class Closing:
    """How a run ended.

    Parameters
    ----------
    state
        "completed" where every shot that was asked for is published, else "completed with flags".
    shots
        Those that were asked for, as they stand now.
    drift
        What changed in the pass rates, in one sentence; empty where nothing did.
    """

    run: str
    state: str
    shots: tuple[ShotRecord, ...]
    report: Path
    drift: str = ""

    @property
    def flags(self) -> tuple[ShotRecord, ...]:
        """What waits for a person."""
        return tuple(shot for shot in self.shots if shot.state == ShotState.FLAGGED)

    @property
    def summary(self) -> dict[str, Any]:
        """As plain data, for the ledger."""
        states = Counter(shot.state for shot in self.shots)
        return {
            "shots": len(self.shots),
            "published": states[ShotState.PUBLISHED],
            "flagged": states[ShotState.FLAGGED],
            "unfinished": states[ShotState.TODO] + states[ShotState.SELECTED],
            "candidates": sum(len(shot.candidates) for shot in self.shots),
            "report": str(self.report),
            "drift": self.drift,
        }

    @property
    def sentence(self) -> str:
        """One line for a person."""
        found = self.summary
        words = f"{found['published']} of {found['shots']} shots published"
        if found["flagged"]:
            words += f", {found['flagged']} flagged"
        if found["unfinished"]:
            words += f", {found['unfinished']} unfinished"
        return f"{words}."


def close_run(line: Line, run: str) -> Closing:
    """End a run with the state that is true."""
    asked = asked_shots(line)
    complete = all(shot.state == ShotState.PUBLISHED for shot in asked)
    state = COMPLETED if complete else WITH_FLAGS
    closing = Closing(run, state, asked, report_file(line), drift_sentence(watched(line)))
    line.ledger.end_run(run, closing.state, closing.summary)
    return closing


def watched(line: Line) -> list[Watch]:
    """The catalog's pass rates over its runs."""
    return watch(line.ledger.judgements(line.catalog.name, WINDOW))


def asked_shots(line: Line) -> tuple[ShotRecord, ...]:
    """The catalog's shots as they stand, those of other SKUs left out where the order names some."""
    shots = line.ledger.shots(line.catalog.name)
    return tuple(shot for shot in shots if not line.order.only or shot.sku in line.order.only)


def report_file(line: Line) -> Path:
    """Where the catalog's report lies."""
    return line.work / "report.html"


def report(line: Line, run: str) -> Path:
    """Write the report of a run.

    Raises
    ------
    FixSettings
        Where its file cannot be written.
    """
    ledger, name = line.ledger, line.catalog.name
    shots = ledger.shots(name)
    photos = {}
    for scene in {shot.scene for shot in shots if shot.scene}:
        try:
            photos[scene] = line.scene(scene).image
        except GiveUp:
            # the shot's own row says what is wrong with its scene
            continue
    this = ledger.run(run)
    before = ledger.run_before(this)
    return write_report(
        this,
        shots,
        photos,
        report_file(line),
        errors=line.catalog.errors,
        previous=before,
        watches=watched(line),
    )
