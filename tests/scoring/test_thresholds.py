"""Thresholds from files: which one counts, and what a damaged file says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packline.errors import FixSettings
from scoring import registry, thresholds
from scoring.settings import ScoringSettings, read_settings
from scoring.thresholds import (
    Bench,
    Decisions,
    Evidence,
    Rates,
    Threshold,
    Thresholds,
    read_thresholds,
)

RATE = Evidence(400, 0, 0.0, 0.0075)
RATES = Rates(RATE, RATE, RATE, RATE)
BENCH = Bench("calibration", 3, 60, 512, 60, 900, 900)


def file_of(folder: Path, version: str = "", threshold: float = 0.731) -> Path:
    """A file with a threshold for artifacts, for its present version unless another is named."""
    version = version or registry.checks()["artifacts"].version
    evidence = Evidence(400, 2, 0.005, 0.0157)
    one = Threshold(
        version, threshold, True, RATE, evidence, RATE, max(threshold, 0.8), RATE, {"noise": (40, 0)}
    )
    found = {"artifacts": one}
    made = Thresholds(
        0.01, 0.95, 0.03, 0.08, "abc", "2026-11-21", BENCH, found, RATES, RATES, True, ("So.",), Decisions(3)
    )
    made.write(folder / "thresholds.json")
    return folder / "thresholds.json"


def threshold_of(settings: ScoringSettings, name: str = "artifacts") -> float:
    return next(own.threshold for check, own in settings.checks if check.name == name)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(thresholds, "SHIPPED", tmp_path / "thresholds.json")
    thresholds.shipped_thresholds.cache_clear()
    yield tmp_path
    thresholds.shipped_thresholds.cache_clear()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    read = read_thresholds(file)
    assert read.checks["artifacts"].kinds == {"noise": (40, 0)}
    assert (read.alpha, read.confidence, read.scores, read.decisions.taken) == (0.01, 0.95, "abc", 3)
    assert (read.bench, read.held_out, read.sentences) == (BENCH, RATES, ("So.",))
    read.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == file.read_text()


def test_without_a_file_each_check_has_its_own_default(shipped: Path) -> None:
    for name, check in registry.checks().items():
        assert threshold_of(read_settings({}), name) == check.defaults["threshold"]


def test_the_shipped_threshold_counts_for_the_version_it_was_found_for(shipped: Path) -> None:
    file_of(shipped)
    assert threshold_of(read_settings({})) == 0.731
    assert threshold_of(read_settings({"artifacts": {"unverifiable": "pass"}})) == 0.731
    thresholds.shipped_thresholds.cache_clear()
    file_of(shipped, version="another")
    assert threshold_of(read_settings({})) == registry.checks()["artifacts"].defaults["threshold"]


def test_the_settings_file_counts_before_the_shipped_one_and_a_stated_threshold_before_both(
    shipped: Path, tmp_path: Path
) -> None:
    file_of(shipped)
    own = str(file_of(tmp_path / "own", threshold=0.4))
    assert threshold_of(read_settings({"thresholds": own})) == 0.4
    assert threshold_of(read_settings({"thresholds": own, "artifacts": {"threshold": 0.9}})) == 0.9


def test_a_changed_threshold_changes_the_checks_plain_data(shipped: Path, tmp_path: Path) -> None:
    one, other = (str(file_of(tmp_path / str(value), threshold=value)) for value in (0.4, 0.5))
    first, second = (read_settings({"thresholds": file}).to_dict() for file in (one, other))
    assert first["artifacts"] != second["artifacts"]


def test_what_is_shipped_can_be_read_and_names_checks_that_there_are() -> None:
    if not thresholds.SHIPPED.is_file():
        pytest.skip("nothing was calibrated yet")
    read = read_thresholds(thresholds.SHIPPED)
    assert set(read.checks) <= set(registry.checks())


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("alpha"),
        lambda data: data["checks"]["artifacts"].update(threshold=1.5),
        lambda data: data["checks"]["artifacts"].update(threshold="high"),
        lambda data: data["checks"]["artifacts"].pop("escapes"),
        lambda data: data["checks"].update(artifacts=[]),
        lambda data: data.update(found={"of": 1}),
        lambda data: data["held_out"].pop("products"),
        lambda data: data["bench"].pop("split"),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, damage: Any) -> None:
    file = file_of(tmp_path)
    data = json.loads(file.read_text())
    damage(data)
    file.write_text(json.dumps(data))
    with pytest.raises(FixSettings, match=r"Thresholds .* cannot be read"):
        read_thresholds(file)


def test_a_file_of_another_version_or_none_at_all_is_a_sentence(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    newest = file.read_text()
    for other in (1, 9):
        file.write_text(newest.replace('"version": 3,', f'"version": {other},', 1))
        with pytest.raises(
            FixSettings, match=f"are of version {other} of such files, and .* reads version 3"
        ):
            read_thresholds(file)
    for text in ("", "[]", "not json"):
        file.write_text(text)
        with pytest.raises(FixSettings, match="cannot be read"):
            read_thresholds(file)


def test_the_sure_score_goes_with_the_calibrated_threshold_and_not_with_a_laxer_one(shipped: Path) -> None:
    def sure(tables: dict[str, Any]) -> float | None:
        return next(own.sure for check, own in read_settings(tables).checks if check.name == "artifacts")

    assert sure({}) is None
    thresholds.shipped_thresholds.cache_clear()
    file_of(shipped)  # 0.731, and sure from 0.8
    assert sure({}) == sure({"artifacts": {"unverifiable": "pass"}}) == 0.8
    # a stricter threshold keeps it, so that no stricter setting lets more out; a laxer one is meant so
    assert sure({"artifacts": {"threshold": 0.75}}) == 0.8
    assert sure({"artifacts": {"threshold": 0.85}}) is sure({"artifacts": {"threshold": 0.6}}) is None
    assert sure({"artifacts": {"threshold": 0.6, "sure": 0.7}}) == 0.7
    with pytest.raises(
        FixSettings, match=r"^Settings: \[checks.artifacts\]: sure = 0.5 lies under the threshold, 0.6.$"
    ):
        read_settings({"artifacts": {"threshold": 0.6, "sure": 0.5}})
