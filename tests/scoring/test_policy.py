"""Scorecards: errors are errors, settings are read strictly, other packages may add checks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packline.errors import FixSettings, TryAgain
from packline.scorecard import CheckResult, Verdict
from scoring import registry
from scoring.check import Check, CheckInput, CheckSettings
from scoring.policy import score
from scoring.settings import ScoringSettings, default_settings, read_settings
from tests.scoring.synthetic import Case, make


def check(judge: Any, name: str = "made up") -> Check:
    return Check(name, "1", CheckSettings, {"threshold": 0.5}, judge)


def settings(*checks: Check, unverifiable: Any = "person", sure: float | None = None) -> ScoringSettings:
    own = CheckSettings(threshold=0.5, sure=sure, unverifiable=unverifiable)
    return ScoringSettings(tuple((one, own) for one in checks))


@pytest.fixture(scope="module")
def one() -> CheckInput:
    return make(Case("NORDIC"))


def always(value: float, verdict: Verdict | None = None) -> Check:
    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        return [made.result(value, own.threshold, "Said so.", verdict=verdict) for _ in inputs]

    made = check(judge)
    return made


def test_a_check_that_raises_is_an_error_and_never_a_pass(one: CheckInput) -> None:
    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        raise ZeroDivisionError("division by zero")

    (card,) = score([one], settings(always(1.0), check(judge, "broken")))
    assert not card.passed
    broken = card.results[1]
    assert (broken.verdict, broken.score) == (Verdict.ERROR, 0.0)
    assert broken.sentence == "The check could not run: ZeroDivisionError: division by zero"


def test_one_candidate_that_breaks_a_check_does_not_fail_its_neighbours(one: CheckInput) -> None:
    bad = make(Case("VOLTA"))

    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        if any(item is bad for item in inputs):
            raise ValueError("this one")
        return [made.result(0.9, own.threshold, "Fine.") for _ in inputs]

    made = check(judge)
    cards = score([one, bad, one], settings(made))
    assert [card.results[0].verdict for card in cards] == [Verdict.PASS, Verdict.ERROR, Verdict.PASS]


def test_an_unreadable_candidate_does_not_cost_its_neighbours_their_batch(one: CheckInput) -> None:
    asked: list[int] = []

    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        asked.append(len(inputs))
        if any(item.problem for item in inputs):
            raise ValueError("no picture")
        return [made.result(0.9, own.threshold, "Fine.") for _ in inputs]

    made = check(judge)
    broken = CheckInput(np.zeros((0, 0, 3), np.uint8), one.base, one.scene)
    cards = score([one, broken, one], settings(made))
    assert [card.results[0].verdict for card in cards] == [Verdict.PASS, Verdict.ERROR, Verdict.PASS]
    assert cards[1].results[0].sentence == "The check could not run: The picture cannot be decoded."
    assert asked == [2, 1]


def test_time_that_checks_have_in_common_is_not_the_first_ones(one: CheckInput) -> None:
    fresh = CheckInput(one.candidate, one.base, one.scene)

    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        # registered before any check ran
        assert all("registration" in item.__dict__ for item in inputs)
        return [first.result(0.9, own.threshold, "Fine.") for _ in inputs]

    first = check(judge, "first")
    (card,) = score([fresh], settings(first, always(1.0)))
    assert card.passed
    assert all(result.milliseconds > 0 for result in card.results)


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_a_score_outside_0_to_1_is_an_error(one: CheckInput, value: float) -> None:
    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        return [CheckResult("made up", "1", Verdict.PASS, value, own.threshold, "Fine.") for _ in inputs]

    assert score([one], settings(check(judge)))[0].results[0].verdict == Verdict.ERROR


def test_a_pass_below_the_threshold_is_an_error(one: CheckInput) -> None:
    assert score([one], settings(always(0.2, Verdict.PASS)))[0].results[0].verdict == Verdict.ERROR


def test_a_check_that_answers_too_seldom_is_an_error_for_all(one: CheckInput) -> None:
    cards = score([one, one], settings(check(lambda inputs, own: [])))
    assert [card.results[0].verdict for card in cards] == [Verdict.ERROR, Verdict.ERROR]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "NoneType, not with a CheckResult"),
        (True, "bool, not with a CheckResult"),
        (CheckResult("shape", "1", Verdict.PASS, 0.9, 0.5, "Fine."), "in the name of shape 1"),
        (CheckResult("made up", "2", Verdict.PASS, 0.9, 0.5, "Fine."), "in the name of made up 2"),
        (CheckResult("made up", "1", "fine", 0.9, 0.5, "Fine."), "verdict is 'fine'"),  # type: ignore[arg-type]
        (CheckResult("made up", "1", Verdict.PASS, "0.9", 0.5, "Fine."), "score is '0.9'"),  # type: ignore[arg-type]
        (
            CheckResult("made up", "1", Verdict.PASS, 0.9, 0.5, "Fine.", measures={"x": np.float32(1)}),  # type: ignore[dict-item]
            "its x is np.float32",
        ),
        (
            CheckResult("made up", "1", Verdict.PASS, 0.9, 0.5, "Fine.", measures={"x": float("nan")}),
            "measure x is nan",
        ),
    ],
)
def test_nonsense_of_an_installed_check_fails_its_own_candidate_alone(
    one: CheckInput, answer: CheckResult, said: str
) -> None:
    other = replace(one, sku="sound")

    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        fine = CheckResult("made up", "1", Verdict.PASS, 0.9, own.threshold, "Fine.")
        return [fine if given.sku == "sound" else answer for given in inputs]

    bad, good = score([one, other], settings(check(judge)))
    assert (bad.results[0].verdict, bad.results[0].check) == (Verdict.ERROR, "made up")
    assert said in bad.results[0].sentence
    assert good.passed


@pytest.mark.parametrize("error", [FixSettings("Mend it."), TryAgain("Later.")])
def test_what_says_nothing_about_a_candidate_is_raised(one: CheckInput, error: Exception) -> None:
    def judge(inputs: Sequence[CheckInput], own: CheckSettings) -> list[CheckResult]:
        raise error

    with pytest.raises(type(error), match=str(error)):
        score([one], settings(check(judge)))


def test_unverifiable_holds_a_candidate_back_unless_the_settings_let_it_pass(one: CheckInput) -> None:
    doubtful = always(0.5, Verdict.UNVERIFIABLE)
    for needs in ("person", "close-up"):
        (held,) = score([one], settings(doubtful, unverifiable=needs))
        assert not held.passed and held.undecided == held.results
        assert held.results[0].needs == needs
    (card,) = score([one], settings(doubtful, unverifiable="pass"))
    assert card.passed
    assert (card.results[0].sentence, card.results[0].needs) == ("Said so. The settings let that pass.", "")
    assert card.results[0].let_pass and not held.results[0].let_pass


def test_under_its_sure_score_a_check_that_passes_cannot_tell(one: CheckInput) -> None:
    found = {}
    for given in (0.4, 0.6, 0.75, 0.8):
        (card,) = score([one], settings(always(given), sure=0.75))
        found[given] = card.results[0]
    assert [result.verdict for result in found.values()] == [
        *(Verdict.FAIL, Verdict.UNVERIFIABLE, Verdict.PASS, Verdict.PASS)
    ]
    assert [result.unsure for result in found.values()] == [False, True, False, False]
    assert found[0.6].needs == "person" and found[0.6].score == 0.6
    assert found[0.6].sentence == "Said so. Made up is not sure: it scores 0.600 and is sure from 0.750."
    assert found[0.6].needed == 0.75 and found[0.6].margin == pytest.approx(0.2)
    # a closer view makes nobody surer
    (card,) = score([one], settings(always(0.6), sure=0.75, unverifiable="close-up"))
    assert card.results[0].needs == "person"
    (card,) = score([one], settings(always(0.6), sure=0.75, unverifiable="pass"))
    assert card.passed and card.results[0].let_pass


def test_a_picture_that_no_check_can_look_at_fails_with_a_sentence(one: CheckInput) -> None:
    small = CheckInput(one.candidate[:100, :100], one.base, one.scene)
    (card,) = score([small], read_settings({"alignment": {"threshold": 0.5, "enabled": False}}))
    verdicts = {result.check: result.verdict for result in card.results}
    assert verdicts.pop("artifacts") == Verdict.FAIL
    assert verdicts.pop("house_rules") == Verdict.NOT_APPLICABLE
    assert set(verdicts.values()) <= {Verdict.ERROR, Verdict.FAIL}
    assert all("100 x 100 px" in result.sentence for result in card.results if result.check in verdicts)
    assert not card.passed


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (
            {"beauty": {"threshold": 0.5}},
            "[checks.beauty] names no check; the checks are artifacts, shape, scene_kept",
        ),
        (
            {"artifacts": {"threshold": 0.5, "treshold": 1}},
            "has an unknown key treshold; its keys are threshold",
        ),
        ({"artifacts": {"threshold": 1.5}}, "[checks.artifacts] threshold = 1.5: input should be less than"),
        ({"artifacts": 0.5}, "checks.artifacts should be a table"),
        (
            {"house_rules": {"rules": {"a": {"rule": "1 > 2", "say": "never"}}}},
            "[checks.house_rules] has no key rules; write house rules under [rules]",
        ),
        (
            {"alignment": {"product_prompt": "a photo of a {}, {lens}"}},
            "product_prompt = 'a photo of a {}, {lens}': it should have one placeholder, {}, and no other",
        ),
        ({"alignment": {"scene_prompt": "{} on {}"}}, "it should have one placeholder"),
        ({"alignment": {"scene_prompt": "a product on {} {"}}, "it should have one placeholder"),
        (
            {"house_rules": {"threshold": 0.5, "rule": 1}},
            "its keys are threshold, sure, enabled, unverifiable.",
        ),
        (
            {"artifacts": {"unverifiable": "flag"}},
            "unverifiable = 'flag': input should be 'person', 'close-up'",
        ),
        ({"thresholds": {"artifacts": 0.5}}, "checks.thresholds should be a file"),
        (
            {"thresholds": "/nowhere.json"},
            "Thresholds /nowhere.json are missing; write it anew with packline calib",
        ),
        (
            {name: {"threshold": 0.5, "enabled": False} for name in registry.checks()},
            "every check is disabled",
        ),
    ],
)
def test_a_wrong_setting_gets_a_sentence(tables: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FixSettings) as raised:
        read_settings(tables)
    assert sentence in str(raised.value)


def test_every_check_is_on_by_default_and_off_only_on_purpose() -> None:
    assert [one.name for one, _ in default_settings().checks] == list(registry.checks())
    assert list(registry.checks())[-1] == "house_rules"
    fewer = read_settings({"alignment": {"threshold": 0.5, "enabled": False}})
    assert "alignment" not in [one.name for one, _ in fewer.checks]


def test_settings_as_plain_data_name_versions_so_that_a_fingerprint_sees_them() -> None:
    plain = read_settings({"artifacts": {"threshold": 0.7}}).to_dict()
    assert plain["artifacts"]["threshold"] == 0.7
    assert plain["artifacts"]["version"] == registry.checks()["artifacts"].version


PLUGIN = """
from scoring.check import Check, CheckSettings

def judge(inputs, settings):
    return [CHECK.result(float(i.candidate.mean() > 10), settings.threshold, "Bright.") for i in inputs]

CHECK = Check("brightness", "7", CheckSettings, {"threshold": 0.5}, judge)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package on the path that offers a check as an entry point, with the metadata that pip would write."""
    (tmp_path / "bright_check.py").write_text(PLUGIN)
    info = tmp_path / "bright_check-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bright-check\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[packline.checks]\nbrightness = bright_check:CHECK\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.checks.cache_clear()
    yield
    registry.checks.cache_clear()
    sys.modules.pop("bright_check", None)


@pytest.mark.usefixtures("installed")
def test_a_check_of_an_installed_package_is_found_and_run(one: CheckInput) -> None:
    off = {name: {"enabled": False} for name in registry.checks() if name not in ("artifacts", "brightness")}
    (card,) = score([one], read_settings(off))
    assert [result.check for result in card.results] == ["artifacts", "brightness"]
    assert card.results[1].version == "7" and card.passed


def test_milliseconds_are_measured(one: CheckInput) -> None:
    (card,) = score([one], settings(always(1.0)))
    assert np.isfinite(card.results[0].milliseconds) and card.results[0].milliseconds > 0
