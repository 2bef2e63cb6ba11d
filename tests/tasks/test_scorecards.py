"""Scorecards are noted under the digest of the settings they were made with, whatever files say later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from packline.errors import FixSettings
from packline.fingerprint import digest
from packline.line import Line, Order
from packline.line.plan import begin_run
from packline.scorecard import Scorecard
from scoring import registry, thresholds
from scoring.settings import ScoringSettings
from tasks import opening, scorecards
from tests.line.shop import Weights
from tests.parts import make_candidate, make_folder, scorecard

KEY = "A1/table/hero"


class Begun(NamedTuple):
    """A run with a candidate that waits for its scorecard."""

    order: Order
    line: Line
    run: str
    thresholds: Path

    def records(self) -> list[str]:
        """Under which digests scorecards are noted."""
        found = self.line.ledger.candidates(KEY, self.line.shots[KEY].fingerprint)
        return [record.checks for record in found if record.scorecard is not None]


def calibrated(file: Path, threshold: float) -> None:
    """Write a file of thresholds, as ``packline calibrate --catalog`` does."""
    data = json.loads(thresholds.SHIPPED.read_text())
    version = registry.checks()["artifacts"].version
    data["checks"]["artifacts"].update(threshold=threshold, sure=threshold, version=version)
    file.write_text(json.dumps(data))


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Begun]:
    make_folder(tmp_path)
    file = tmp_path / "thresholds.json"
    calibrated(file, 0.9)
    settings = tmp_path / "demo.toml"
    settings.write_text(f'{settings.read_text()}\n[checks]\nthresholds = "{file.name}"\n')
    order = Order(tmp_path / "demo.csv")
    line = opening.open_line(order)
    line.__dict__["engine"] = Weights()
    plan = begin_run(line)
    made = make_candidate(tmp_path / "work", KEY, line.shots[KEY].fingerprint)
    line.ledger.record_candidate(plan.run, made)
    yield Begun(order, line, plan.run, file)
    opening._open.clear()
    line.ledger.end_run(plan.run, "cancelled", {})


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[ScoringSettings]:
    """What candidates are scored with."""
    found: list[ScoringSettings] = []

    def score(inputs: Sequence[Any], settings: ScoringSettings) -> list[Scorecard]:
        found.append(settings)
        return [scorecard() for _ in inputs]

    monkeypatch.setattr(scorecards, "score", score)
    monkeypatch.setattr(scorecards, "check_input", lambda line, planned, record: None)
    return found


def test_thresholds_that_change_during_a_run_are_the_next_runs(
    begun: Begun, used: list[ScoringSettings]
) -> None:
    calibrated(begun.thresholds, 0.05)
    assert scorecards.score_candidates.fn(begun.order, begun.run, [KEY]) == [KEY]
    (own,) = (own.threshold for check, own in used[0].checks if check.name == "artifacts")
    assert own == 0.9
    assert begun.records() == [begun.line.checks] == [digest(used[0].to_dict())]


def test_a_process_that_opens_the_line_after_the_change_scores_nothing(
    begun: Begun, used: list[ScoringSettings]
) -> None:
    calibrated(begun.thresholds, 0.05)
    opening._open.clear()
    with pytest.raises(FixSettings, match="have changed since this run was planned"):
        scorecards.score_candidates.fn(begun.order, begun.run, [KEY])
    assert used == [] and begun.records() == []


def test_a_process_that_opens_the_line_later_scores_as_planned(
    begun: Begun, used: list[ScoringSettings]
) -> None:
    opening._open.clear()
    assert scorecards.score_candidates.fn(begun.order, begun.run, [KEY]) == [KEY]
    assert begun.records() == [begun.line.checks] == [digest(used[0].to_dict())]
