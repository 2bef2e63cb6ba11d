"""Closing a run: its outcome, its report, its end state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packline.drift import WINDOW, Watch, drift_sentence, watch
from packline.errors import GiveUp
from packline.ledger.duties import WAITS
from packline.line.line import Line
from packline.records import RunRecord, ShotRecord, ShotState
from packline.report import figures, write_report

COMPLETED, WITH_FLAGS, FAILED, CANCELLED = "completed", "completed with flags", "failed", "cancelled"

MOST_ROWS = 1000
"""Shots and flags in a table for people; the ledger has them all."""
MOST_IN_FULL = 200
"""Shots that the report shows with all their pictures."""


@dataclass(frozen=True)
class Closing:
    """How a run ended.

    Parameters
    ----------
    state
        "completed" where every shot that was asked for is published, else "completed with flags".
    states
        How many of those that were asked for stand where.
    candidates
        Of the shots that the run worked on.
    drift
        What changed in the pass rates, in one sentence; empty where nothing did.
    waiting
        Shots that were left to the next run because this one's budget was spent.
    """

    run: str
    state: str
    states: Mapping[ShotState, int]
    candidates: int
    report: Path
    drift: str = ""
    waiting: int = 0

    @property
    def summary(self) -> dict[str, Any]:
        """As plain data, for the ledger."""
        count = {state: self.states.get(state, 0) for state in ShotState}
        return {
            "shots": sum(count.values()),
            "published": count[ShotState.PUBLISHED],
            "flagged": count[ShotState.FLAGGED],
            "unfinished": count[ShotState.TODO] + count[ShotState.SELECTED],
            "candidates": self.candidates,
            "waiting": self.waiting,
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
        if self.waiting:
            words += f" ({self.waiting} because the run's budget is spent; the next run goes on with them)"
        return f"{words}."


def close_run(line: Line, run: str) -> Closing:
    """End a run with the state that is true."""
    closing = closing_of(line, run, drift=drift_sentence(watched(line)))
    line.ledger.end_run(run, closing.state, closing.summary)
    return closing


def closing_of(line: Line, run: str, *, drift: str) -> Closing:
    """A run's outcome as the ledger has it; changes nothing."""
    tallies, name, only = line.ledger.tallies, line.catalog.name, line.order.only
    states = tallies.states(name, only)
    total = sum(states.values())
    complete = total == states.get(ShotState.PUBLISHED, 0)
    return Closing(
        run=run,
        state=COMPLETED if complete else WITH_FLAGS,
        states=states,
        candidates=tallies.made(name, run).candidates,
        report=report_file(line),
        drift=drift,
        waiting=line.ledger.waves.waiting(run, WAITS),
    )


def some_shots(line: Line, closing: Closing) -> list[ShotRecord]:
    """The first shots that were asked for as they stand; of a large catalog those that the run worked on."""
    run = closing.run if closing.summary["shots"] > MOST_ROWS else ""
    return line.ledger.tallies.shots(line.catalog.name, MOST_ROWS, run=run, only=line.order.only)


def some_flags(line: Line) -> list[ShotRecord]:
    """The first of what waits for a person, of the SKUs that were asked for."""
    found = line.ledger.tallies
    return found.shots(line.catalog.name, MOST_ROWS, state=ShotState.FLAGGED, only=line.order.only)


def watched(line: Line) -> list[Watch]:
    """The catalog's pass rates over its runs."""
    return watch(line.ledger.judgements(line.catalog.name, WINDOW))


def report_file(line: Line) -> Path:
    """Where the catalog's report lies."""
    return line.work / "report.html"


def report(line: Line, run: str) -> Path:
    """Write the report of a run: what it worked on and what is flagged, `MOST_IN_FULL` shots at most.

    Raises
    ------
    FixSettings
        Where its file cannot be written.
    """
    ledger, name = line.ledger, line.catalog.name
    this = ledger.run(run)
    shots, whole = extract(line, this)
    photos = {}
    for scene in {shot.scene for shot in shots if shot.scene}:
        try:
            photos[scene] = line.scene(scene).image
        except GiveUp:
            # the shot's own row says what is wrong with its scene
            continue
    return write_report(
        this,
        shots,
        photos,
        report_file(line),
        errors=ledger.tallies.row_errors(name, MOST_ROWS),
        previous=ledger.run_before(this),
        watches=watched(line),
        whole=whole,
    )


def extract(line: Line, run: RunRecord) -> tuple[list[ShotRecord], figures.Whole | None]:
    """The shots that a report shows in full, and the figures of all where it does not show all."""
    tallies, name = line.ledger.tallies, line.catalog.name
    states = tallies.states(name)
    if sum(states.values()) <= MOST_IN_FULL:
        return tallies.shots(name, MOST_IN_FULL), None
    flagged = tallies.shots(name, MOST_IN_FULL, run=run.id, state=ShotState.FLAGGED)
    found = {shot.key: shot for shot in flagged}
    wanted: tuple[dict[str, Any], ...] = ({"run": run.id}, {"state": ShotState.FLAGGED})
    for which in wanted:
        if len(found) < MOST_IN_FULL:
            for shot in tallies.shots(name, MOST_IN_FULL, **which):
                if len(found) < MOST_IN_FULL:
                    found.setdefault(shot.key, shot)
    made = tallies.made(name, run.id)
    outcome = figures.Outcome(
        shots=sum(states.values()),
        published=states.get(ShotState.PUBLISHED, 0),
        selected=states.get(ShotState.SELECTED, 0),
        flagged=states.get(ShotState.FLAGGED, 0),
        waiting=states.get(ShotState.TODO, 0),
        candidates=made.candidates,
        scored=made.scored,
        passed=made.passed,
        seconds=run.seconds,
        cost=made.cost,
    )
    cards = figures.tally_cards(tallies.verdicts(name, run.id))
    return sorted(found.values(), key=lambda shot: (shot.row, shot.key)), figures.Whole(outcome, cards)
