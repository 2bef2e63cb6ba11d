"""``packline calibrate``: from the bench's scores and people's decisions to a file of thresholds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from packline.cli.calibrate import digest_of, opinion_rows
from packline.cli.main import app
from packline.records import Opinion
from packline.scorecard import CheckResult, Scorecard, Verdict
from scoring import registry
from scoring.calibration import Judged, outcome, table_of
from scoring.settings import read_settings
from scoring.thresholds import read_thresholds

SHELL = CliRunner()
VERSION = registry.checks()["artifacts"].version


def write_scores(folder: Path, bad: Any, good: Any, version: str = VERSION) -> Path:
    """Scores of the check artifacts as the bench writes them, in two shards."""
    rows = []
    for plain, scores in ((True, bad), (False, good)):
        for number, score in enumerate(scores):
            name = f"{'bad' if plain else 'good'} {number}"
            known = ("noise", "artifacts", True) if plain else (None, None, None)
            verdict = "pass" if score >= 0.5 else "fail"
            rows.append((name, *known, "artifacts", version, verdict, float(score), 0.5, score >= 0.5))
    columns = ["specimen", "kind", "defect_check", "plain"]
    columns += ["check", "version", "verdict", "score", "threshold", "passed"]
    frame = pd.DataFrame(rows, columns=columns)
    folder.mkdir()
    for number, part in enumerate((frame[: len(frame) // 2], frame[len(frame) // 2 :])):
        part.to_parquet(folder / f"scores-{number:05d}.parquet")
    return folder


def calibrate(folder: Path, *options: str) -> tuple[int, str, Path]:
    file = folder / "thresholds.json"
    result = SHELL.invoke(
        app, ["calibrate", "--scores", str(folder / "scores"), "--out", str(file), *options]
    )
    return result.exit_code, " ".join((result.output + result.stderr).split()), file


def test_the_file_that_is_written_sets_the_threshold_of_a_run(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores", np.linspace(0, 0.6, 400), np.linspace(0.65, 1, 400))
    code, said, file = calibrate(tmp_path, "--alpha", "0.01")
    assert code == 0, said
    read = read_thresholds(file)
    one = read.checks["artifacts"]
    assert one.met and 0.6 < one.threshold <= 0.65
    assert (read.alpha, read.confidence, read.max_false_rejects) == (0.01, 0.95, 0.003)
    assert (one.escapes.of, one.escapes.times, one.false_rejects.of) == (400, 0, 400)
    # before, at its default, the check had let some through
    assert "67 of 400 (16.75%) → 0 of 400 (0.00%)" in said
    (own,) = [
        own for check, own in read_settings({"thresholds": str(file)}).checks if check.name == "artifacts"
    ]
    assert own.threshold == one.threshold


def test_what_cannot_be_kept_is_said_and_ends_with_code_1(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores", np.linspace(0, 0.9, 100), np.linspace(0.5, 1, 100))
    code, said, file = calibrate(tmp_path)
    assert code == 1
    assert "100 plain defects are too few to show an escape rate of 0.10% with 95% confidence" in said
    assert "Escaping: noise" in said
    assert read_thresholds(file).checks["artifacts"].met is False


def test_no_scores_or_those_of_another_version_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    code, said, file = calibrate(tmp_path)
    assert code == 2 and "holds no scores; run packline bench checks first." in said
    (tmp_path / "scores").rmdir()
    write_scores(tmp_path / "scores", [0.1], [0.9], version="of yore")
    code, said, file = calibrate(tmp_path)
    assert code == 2 and "are of other versions of the checks than the installed ones" in said
    assert not file.exists()


def test_the_same_scores_have_the_same_digest_in_any_order(tmp_path: Path) -> None:
    rows = [Judged(f"s{i}", "artifacts", "1", Verdict.PASS, i / 9, 0.5) for i in range(9)]
    assert digest_of(rows) == digest_of(rows[::-1]) != digest_of(rows[1:])


def opinion(decision: str, words: str = "", version: str = VERSION) -> Opinion:
    result = CheckResult("artifacts", version, Verdict.PASS, 0.7, 0.5, "")
    return Opinion("c1", decision, "anna", words, Scorecard((result,)))


def test_an_approved_picture_is_a_good_one(tmp_path: Path) -> None:
    whole = outcome(table_of(opinion_rows([opinion("approve")])), {"artifacts": 0.8}, 0.95)
    assert (whole.false_rejects.times, whole.false_rejects.of, whole.escapes.of) == (1, 1, 0)


@pytest.mark.parametrize("words", ["artifacts: a grid", "Artifacts, look at the sky"])
def test_a_rejected_picture_is_a_defect_of_the_check_that_its_words_name(words: str) -> None:
    whole = outcome(table_of(opinion_rows([opinion("reject", words)])), {"artifacts": 0.6}, 0.95)
    assert (whole.escapes.times, whole.escapes.of, whole.false_rejects.of) == (1, 1, 0)


def test_a_rejected_picture_is_a_defect_of_each_check_that_its_tags_name() -> None:
    result = CheckResult("artifacts", VERSION, Verdict.PASS, 0.7, 0.5, "")
    tags = ("artifacts", "shape", "of no check")
    rows = opinion_rows([Opinion("c1", "reject", "anna", "colour: odd", Scorecard((result,)), tags)])
    assert [(one.check, one.dimension, one.plain) for one in rows] == [
        ("artifacts", "artifacts", True), ("artifacts", "shape", True),
    ]  # fmt: skip
    whole = outcome(table_of(rows), {"artifacts": 0.6}, 0.95)
    # the tags count and not the words; either fault is one that gets out
    assert (whole.escapes.times, whole.escapes.of, whole.false_rejects.of) == (2, 2, 0)
    assert whole.by_check["artifacts"][0].of == 1


def test_what_a_decision_does_not_say_is_not_guessed() -> None:
    assert opinion_rows([opinion("reject", "I do not like it")]) == []
    assert opinion_rows([opinion("approve", version="of yore")]) == []


def test_the_file_is_plain_json_with_its_evidence(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores", [0.1] * 400, [0.9] * 400)
    _, _, file = calibrate(tmp_path, "--alpha", "0.01")
    data = json.loads(file.read_text())
    assert data["version"] == 1 and len(data["scores"]) == 16 and data["made"].count("-") == 2
    assert data["checks"]["artifacts"]["kinds"] == {"noise": [400, 0]}
    assert data["checks"]["artifacts"]["escapes"]["bound"] == pytest.approx(0.00746, abs=1e-5)
