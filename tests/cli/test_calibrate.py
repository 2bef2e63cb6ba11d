"""``packline calibrate``: from the bench's scores and people's decisions to a file of thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from packline.cli.calibration_scores import digest_of, opinion_rows
from packline.cli.main import app
from packline.ledger import Ledger
from packline.records import Opinion
from packline.scorecard import CheckResult, Scorecard, Verdict
from scoring import registry, thresholds
from scoring.calibration import Goal
from scoring.calibration import calibrate as calibrated
from scoring.score_table import Judged, judgement, table_of
from scoring.settings import read_settings
from scoring.thresholds import VERSION as FILE_VERSION
from scoring.thresholds import read_thresholds
from tests.cli.small_bench import shrink
from tests.parts import make_folder

SHELL = CliRunner()
VERSION = registry.checks()["artifacts"].version
CHECKS = list(registry.checks())


def write_scores(
    folder: Path,
    bad: Any,
    good: Any,
    split: str = "calibration",
    checks: Sequence[str] = CHECKS,
    versions: dict[str, str] | None = None,
) -> Path:
    """Scores as the bench writes them, in two shards; every check but artifacts passes all."""
    rows = []
    for plain, scores in ((True, bad), (False, good)):
        for number, score in enumerate(scores):
            name = f"{'bad' if plain else 'good'} {number}"
            known = ("noise", "artifacts", True) if plain else (None, None, None)
            for check in checks:
                own = float(score) if check == "artifacts" else 0.97
                version = (versions or {}).get(check, registry.checks()[check].version)
                verdict = "pass" if own >= 0.5 else "fail"
                rows.append((name, f"p{number % 20}", *known, check, version, verdict, own, 0.5, own >= 0.5))
    columns = ["specimen", "product", "kind", "defect_check", "plain"]
    columns += ["check", "version", "verdict", "score", "threshold", "passed"]
    frame = pd.DataFrame(rows, columns=columns)
    folder.mkdir(parents=True)
    for number, part in enumerate((frame[: len(frame) // 2], frame[len(frame) // 2 :])):
        part.to_parquet(folder / f"scores-{number:05d}.parquet")
    order = {"split": split, "seed": 7, "takes": 20, "size": 512, "good": 15, "bad": 15}
    (folder / "order.json").write_text(json.dumps(order))
    return folder


def calibrate(folder: Path, *options: str) -> tuple[int, str, Path]:
    file = folder / "thresholds.json"
    result = SHELL.invoke(
        app, ["calibrate", "--scores", str(folder / "scores"), "--out", str(file), *options]
    )
    return result.exit_code, " ".join((result.output + result.stderr).split()), file


def threshold_of(tables: dict[str, Any]) -> float:
    return next(own.threshold for check, own in read_settings(tables).checks if check.name == "artifacts")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Packline's own file, elsewhere."""
    file = tmp_path / "shipped" / "thresholds.json"
    monkeypatch.setattr(thresholds, "SHIPPED", file)
    thresholds.shipped_thresholds.cache_clear()
    yield file
    thresholds.shipped_thresholds.cache_clear()


def test_the_file_that_is_written_sets_the_threshold_of_a_run(tmp_path: Path, shipped: Path) -> None:
    write_scores(tmp_path / "scores", np.linspace(0, 0.6, 400), np.linspace(0.65, 1, 400))
    code, said, file = calibrate(tmp_path, "--alpha", "0.01")
    assert code == 0, said
    read = read_thresholds(file)
    one = read.checks["artifacts"]
    assert one.met and 0.59 < one.threshold <= 0.65
    assert (read.alpha, read.confidence, read.max_rejects, read.max_unverifiable) == (0.01, 0.95, 0.03, 0.08)
    assert (one.escapes.of, one.false_rejects.of) == (400, 400)
    # before, at its default, the check had let some through
    assert "67 of 400 (16.75%)" in said and "0.500 → 0.6" in said
    assert threshold_of({"thresholds": str(file)}) == one.threshold


def test_what_cannot_be_kept_is_said_and_ends_with_code_1(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores", np.linspace(0, 0.9, 100), np.linspace(0.5, 1, 100))
    code, said, file = calibrate(tmp_path)
    assert code == 1
    assert "An escape rate of 0.10% is not shown with 95% confidence" in said
    assert "artifacts lets pass: noise" in said
    assert read_thresholds(file).met is False


@pytest.mark.parametrize(
    ("bad", "good", "options", "code"),
    [
        ([0.1] * 400, [0.9] * 400, (), 0),
        ([0.1] * 400, [0.3] * 300 + [0.05] * 100, (), 1),
        ([0.1] * 400, [0.3] * 300 + [0.05] * 100, ("--max-scorecard-rejects", "0.3"), 0),
    ],
)
def test_the_exit_code_says_whether_everything_is_kept_to(
    tmp_path: Path, bad: Any, good: Any, options: tuple[str, ...], code: int
) -> None:
    write_scores(tmp_path / "scores", bad, good)
    assert calibrate(tmp_path, "--alpha", "0.01", *options)[0] == code


def test_the_two_documented_commands_work_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path
) -> None:
    """`packline bench checks --split calibration`, then `packline calibrate`: no folder is named, and what a
    run reads is what was written."""
    settings = tmp_path / "settings.toml"
    # two checks are enough to see that they do
    shrink(monkeypatch, settings, ("scene_kept", "artifacts"))
    monkeypatch.chdir(tmp_path)
    asked = ["bench", "checks", "--split", "calibration", "--takes", "2", "--size", "128", "--workers", "1"]
    result = SHELL.invoke(app, [*asked, "--settings", str(settings)])
    assert result.exit_code == 0, result.output
    result = SHELL.invoke(app, ["calibrate"])
    assert result.exit_code == 1, result.output + result.stderr
    read = read_thresholds(shipped)
    bench = read.bench
    assert (bench.split, bench.seed, bench.takes, bench.size, bench.products) == ("calibration", 0, 2, 128, 2)
    assert (bench.good, bench.bad) == (2, 4)
    assert threshold_of({}) == read.checks["artifacts"].threshold


def test_without_out_the_file_is_the_one_that_every_run_reads(tmp_path: Path, shipped: Path) -> None:
    write_scores(tmp_path / "work" / "some-run", np.linspace(0, 0.6, 400), np.linspace(0.65, 1, 400))
    assert threshold_of({}) == 0.5
    result = SHELL.invoke(app, ["calibrate", "--scores", str(tmp_path / "work"), "--alpha", "0.01"])
    assert result.exit_code == 0, result.output + result.stderr
    assert 0.59 < threshold_of({}) == read_thresholds(shipped).checks["artifacts"].threshold


def test_a_shipped_file_of_an_older_packline_is_written_anew(tmp_path: Path, shipped: Path) -> None:
    shipped.parent.mkdir()
    shipped.write_text('{"version": 1}')
    write_scores(tmp_path / "scores", [0.1] * 400, [0.9] * 400)
    result = SHELL.invoke(app, ["calibrate", "--scores", str(tmp_path / "scores"), "--alpha", "0.01"])
    assert result.exit_code == 0, result.output + result.stderr
    assert read_thresholds(shipped).met


def test_a_parent_may_hold_one_calibration_run_beside_others(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores" / "test-512-3", [0.2], [0.9], split="test")
    code, said, _ = calibrate(tmp_path)
    assert code == 2
    assert "no scores of the split calibration; run packline bench checks --split calibration first" in said
    write_scores(tmp_path / "scores" / "calibration-512-0", [0.1] * 400, [0.9] * 400)
    code, said, file = calibrate(tmp_path, "--alpha", "0.01")
    assert code == 0 and read_thresholds(file).bench.bad == 400
    write_scores(tmp_path / "scores" / "calibration-512-1", [0.1], [0.9])
    code, said, _ = calibrate(tmp_path)
    assert code == 2 and "(calibration-512-0, calibration-512-1); name one with --scores" in said


def test_the_test_split_is_refused_and_so_are_pictures_of_an_unknown_one(tmp_path: Path) -> None:
    folder = write_scores(tmp_path / "scores", [0.1] * 400, [0.9] * 400, split="test")
    code, said, file = calibrate(tmp_path)
    assert code == 2 and "holds scores of the split test" in said and not file.exists()
    (folder / "order.json").unlink()
    code, said, file = calibrate(tmp_path)
    assert code == 2 and "nobody knows which pictures" in said and not file.exists()


def test_no_scores_or_those_of_another_version_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    code, said, file = calibrate(tmp_path)
    assert code == 2
    assert "holds no scores; run packline bench checks --split calibration first." in said
    (tmp_path / "scores").rmdir()
    write_scores(tmp_path / "scores", [0.1], [0.9], versions=dict.fromkeys(CHECKS, "of yore"))
    code, said, file = calibrate(tmp_path)
    assert code == 2 and "are of other versions of the checks than the installed ones" in said
    assert not file.exists()


def test_one_check_of_another_version_is_left_out_though_people_judged_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path
) -> None:
    write_scores(tmp_path / "scores", [0.1] * 400, [0.9] * 400, versions={"shape": "of yore"})
    now = registry.checks()["shape"].version
    card = Scorecard((CheckResult("shape", now, Verdict.PASS, 0.7, 0.5, ""),))
    monkeypatch.setattr(Ledger, "opinions", lambda *_: [Opinion("c1", "reject", "anna", "shape: bent", card)])
    make_folder(tmp_path)
    catalog = tmp_path / "demo.csv"
    with catalog.with_suffix(".toml").open("a") as settings:
        settings.write('\n[checks]\nthresholds = "own.json"\n')
    asked = ["calibrate", "--scores", str(tmp_path / "scores"), "--catalog", str(catalog)]
    result = SHELL.invoke(app, [*asked, "--alpha", "0.01"])
    said = " ".join((result.output + result.stderr).split())
    assert "shape is left out: its scores are of version of yore" in said, said
    assert result.exit_code == 1 and "no scores of shape" in said, said
    # the catalogue's own file, which is what its runs read
    read = read_thresholds(tmp_path / "own.json")
    assert "shape" not in read.checks and "artifacts" in read.checks and not shipped.exists()


def test_the_same_scores_have_the_same_digest_in_any_order_and_decisions_count() -> None:
    rows = [Judged(f"s{i}", "artifacts", "1", Verdict.PASS, i / 9, 0.5) for i in range(9)]
    assert digest_of(rows) == digest_of(rows[::-1]) != digest_of(rows[1:])
    assert digest_of(rows) != digest_of(rows + opinion_rows([opinion("approve")]))
    # one and the same picture as a good one and as a bad one
    assert digest_of([replace(rows[0], dimension="artifacts", plain=True)]) != digest_of(rows[:1])


def opinion(
    decision: str, words: str = "", version: str = VERSION, score: float = 0.7, tags: tuple[str, ...] = ()
) -> Opinion:
    verdict = Verdict.PASS if score >= 0.5 else Verdict.FAIL
    result = CheckResult("artifacts", version, verdict, score, 0.5, "")
    return Opinion("c1", decision, "anna", words, Scorecard((result,)), tags)


def test_an_approved_picture_is_a_good_one() -> None:
    table = table_of(opinion_rows([opinion("approve")]))
    assert (table.by_person & (table.dimension == "")).all()
    assert judgement(table, {"artifacts": 0.8}).rejected.all()


@pytest.mark.parametrize("words", ["artifacts: a grid", "Artifacts, look at the sky"])
def test_a_rejected_picture_is_a_defect_of_the_check_that_its_words_name(words: str) -> None:
    (row,) = opinion_rows([opinion("reject", words)])
    assert (row.dimension, row.plain, row.by_person) == ("artifacts", True, True)


def test_a_rejected_picture_is_a_defect_of_each_check_that_its_tags_name_and_that_passed_it() -> None:
    results = (
        CheckResult("artifacts", VERSION, Verdict.PASS, 0.7, 0.5, ""),
        CheckResult("shape", registry.checks()["shape"].version, Verdict.PASS, 0.6, 0.5, ""),
        CheckResult("colour", registry.checks()["colour"].version, Verdict.FAIL, 0.1, 0.5, ""),
        # the settings let pass what it could not tell
        CheckResult("pattern", registry.checks()["pattern"].version, Verdict.PASS, 0.0, 0.5, ""),
        # nothing was wrong by its threshold, but it was not sure
        CheckResult(
            "scene_kept",
            registry.checks()["scene_kept"].version,
            Verdict.UNVERIFIABLE,
            *(0.6, 0.5, ""),
            sure=0.7,
        ),
    )
    tags = ("artifacts", "shape", "colour", "pattern", "scene_kept", "of no check")
    rows = opinion_rows([Opinion("c1", "reject", "anna", "colour: odd", Scorecard(results), tags)])
    assert {row.dimension for row in rows} == {"artifacts", "shape", "scene_kept"}
    # each picks its own fault, and every result of the picture comes with it
    assert len(rows) == 3 * len(results) and len({row.specimen for row in rows}) == 3
    assert {row.product for row in rows} == {"decision on c1 by anna"}


def test_rejections_of_what_the_check_had_failed_itself_show_nothing() -> None:
    """3,000 of them once were an escape rate of at most 0.1 %."""
    many = [replace(opinion("reject", "artifacts", score=0.1), candidate=f"c{i}") for i in range(3000)]
    assert opinion_rows(many) == []
    passed = [replace(opinion("reject", "artifacts", score=0.7), candidate=f"c{i}") for i in range(3000)]
    good = [Judged(f"g{i}", "artifacts", VERSION, Verdict.PASS, 0.9, 0.5, product=f"p{i}") for i in range(99)]
    goal = Goal(0.001, 0.95, 0.03, 0.08)
    found = calibrated(table_of([*opinion_rows(passed), *good]), goal, {"artifacts": 0.5})
    assert not found.met and not found.checks["artifacts"].met
    assert found.checks["artifacts"].escapes.of == 0 and found.decisions.rejected == 3000


def test_what_a_decision_does_not_say_is_not_guessed() -> None:
    assert opinion_rows([opinion("reject", "I do not like it")]) == []
    assert opinion_rows([opinion("approve", version="of yore")]) == []


def test_the_file_is_plain_json_with_its_evidence(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores", [0.1] * 400, [0.9] * 400)
    _, _, file = calibrate(tmp_path, "--alpha", "0.01")
    data = json.loads(file.read_text())
    assert data["version"] == FILE_VERSION == 3
    assert len(data["scores"]) == 16 and data["made"].count("-") == 2
    assert data["bench"] == {
        "split": "calibration", "seed": 7, "takes": 20, "size": 512, "products": 20, "good": 400, "bad": 400
    }  # fmt: skip
    assert data["checks"]["artifacts"]["kinds"] == {"noise": [400, 0]}
    assert data["held_out"]["escapes"]["bound"] == pytest.approx(0.00746, abs=1e-5)
    assert data["held_out"]["products"]["of"] == 20
    assert any("which those of one product are not" in one for one in data["sentences"])


def test_a_run_that_is_not_finished_is_said_to_be(tmp_path: Path) -> None:
    folder = write_scores(tmp_path / "scores", [0.1] * 400, [0.9] * 400)
    order = json.loads((folder / "order.json").read_text())
    (folder / "order.json").write_text(json.dumps({**order, "takes": 60}))
    _, said, file = calibrate(tmp_path, "--alpha", "0.01")
    assert "holds 20 of the 60 takes" in said
    assert (read_thresholds(file).bench.takes, read_thresholds(file).bench.products) == (60, 20)
