"""House rules: what they may ask, on pictures of which everything is known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from packline.errors import FixSettings
from packline.scorecard import CheckResult, Evidence, Scorecard, Verdict
from packline.settings import RuleSettings
from packline.truth import PartColours, Swatch
from scoring import house_rules
from scoring.check import CheckInput
from scoring.house_rules import CHECK
from scoring.measures import MEASURES, DoesNotApply, Measured
from scoring.policy import score
from scoring.settings import ScoringSettings, read_settings
from tests.scoring.synthetic import GROUND, SIZE, Case, make


def rule(source: str, say: str = "It is wrong.", **only: str) -> RuleSettings:
    return RuleSettings(rule=source, say=say, **only)


def settings(**rules: str | RuleSettings) -> ScoringSettings:
    """The house rules alone."""
    read = {name: rule(one) if isinstance(one, str) else one for name, one in rules.items()}
    every = read_settings({}, read)
    return ScoringSettings(tuple(pair for pair in every.checks if pair[0] is CHECK))


def reading(check: str, *words: str, verdict: Verdict = Verdict.PASS) -> CheckResult:
    """What a text check says that read these words."""
    read = tuple(Evidence("text", "", (), {"read": one}) for one in words)
    return CheckResult(check, "1", verdict, 1, 0.5, "", read)


NOTHING_READ = (reading("text_orientation"), reading("extra_text"))


def asked(given: CheckInput, **rules: str | RuleSettings) -> CheckResult:
    (card,) = score([given], settings(**rules))
    return card.results[0]


@pytest.fixture(scope="module")
def one() -> CheckInput:
    made = make(Case("NORDIC"))
    # the carton as one part in one colour, shown by a render with no light of its own
    inside = made.scene.mask > 127
    colours = (PartColours("carton", 7, 1.0, (Swatch((85.0, 2.0, 10.0), 1.0),), 1.0),)
    parts = np.where(inside, 7, 0).astype(np.uint16)
    scene = replace(made.scene, parts=parts, colours=colours, albedo=made.scene.colour)
    return replace(made, scene=scene, sku="BOX-1", place="table")


def test_without_rules_it_does_not_apply(one: CheckInput) -> None:
    result = asked(one)
    assert (result.verdict, result.sentence) == (Verdict.NOT_APPLICABLE, "The catalogue declares no rules.")


def test_kept_rules_pass_and_say_what_was_measured(one: CheckInput) -> None:
    result = asked(one, margin="margin_left >= 0.05 and margin_right >= 0.05", size="product_share > 0.2")
    assert (result.verdict, result.score, result.sentence) == (Verdict.PASS, 1.0, "All 2 rules are kept.")
    assert set(result.measures) == {"margin_left", "margin_right", "product_share"}


def test_a_broken_rule_fails_with_its_own_sentence_and_points_at_the_product(one: CheckInput) -> None:
    result = asked(one, margin=rule("margin_left >= 0.3", "The product stands too far left"), big="width > 9")
    assert result.verdict == Verdict.FAIL
    assert result.sentence == "The product stands too far left."
    words, box = result.evidence
    assert words.words == "margin: margin left 0.207"
    assert box.kind == "box" and box.points[0] == pytest.approx((212, 290), abs=3)


def test_the_more_rules_are_broken_the_lower_the_score_and_it_is_never_a_pass(one: CheckInput) -> None:
    rules = {f"r{i}": "width > 9" for i in range(3)}
    scores = []
    for broken in range(1, 4):
        rules[f"r{broken - 1}"] = "width < 9"
        scores.append(asked(one, **rules).score)
    assert 0.5 > scores[0] > scores[1] > scores[2] == 0


def test_a_rule_may_be_meant_for_some_products_and_scenes_only(one: CheckInput) -> None:
    never = rule("width < 9", sku="SHOE-*")
    assert asked(one, shoes=never).verdict == Verdict.NOT_APPLICABLE
    assert asked(one, boxes=rule("width < 9", sku="SHOE-*, BOX-*")).verdict == Verdict.FAIL
    assert asked(one, there=rule("width < 9", scene="shelf")).verdict == Verdict.NOT_APPLICABLE
    assert asked(one, here=rule("width < 9", scene="tab*")).verdict == Verdict.FAIL


def test_a_rule_on_what_the_picture_has_not_does_not_apply(one: CheckInput) -> None:
    result = asked(one, sole="delta_e('sole', '#ffffff') < 3")
    assert result.verdict == Verdict.NOT_APPLICABLE
    assert result.sentence == (
        "No rule applies to this picture: sole: the product has no part sole (its parts: carton)."
    )
    bare = replace(one, scene=replace(one.scene, labels=()))
    assert asked(bare, small="text_height >= 20").verdict == Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    "source",
    [
        "'nordic' not in text and text_height >= 20",
        "text_height >= 20 and 'nordic' not in text",
        "not (text_height < 20 or 'nordic' in text)",
        "not ('nordic' in text or text_height < 20)",
    ],
)
def test_a_part_that_decides_does_so_beside_one_that_the_picture_has_not(
    one: CheckInput, source: str
) -> None:
    """The forbidden word is read although no label is in view whose height could be asked for."""
    read = reading("text_orientation"), reading("extra_text", "NORDIC")
    bare = replace(one, scene=replace(one.scene, labels=())).knowing(read)
    (result,) = CHECK.judge([bare], settings(r=source).checks[0][1])
    assert (result.verdict, result.sentence) == (Verdict.FAIL, "It is wrong.")
    clean = CHECK.judge([bare.knowing(NOTHING_READ)], settings(r=source).checks[0][1])[0]
    assert clean.verdict == Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    "source", ["scene_kept.change < 3 and text_height > 9", "text_height > 9 and scene_kept.change < 3"]
)
def test_what_cannot_be_told_outweighs_what_does_not_apply(one: CheckInput, source: str) -> None:
    measured = CheckResult("scene_kept", "1", Verdict.PASS, 0.8, 0.5, "")
    bare = replace(one, scene=replace(one.scene, labels=())).knowing([measured])
    (result,) = CHECK.judge([bare], settings(r=source).checks[0][1])
    assert result.verdict == Verdict.UNVERIFIABLE and "measured no change here" in result.sentence


@pytest.mark.parametrize(
    ("rest", "verdict", "words"),
    [
        ("width > 9", Verdict.PASS, "The rule is kept."),
        ("width < 9", Verdict.FAIL, "It is wrong."),
        (
            "colour.delta_e < 9",
            Verdict.UNVERIFIABLE,
            "The rule rest cannot be told: the check colour is disabled.",
        ),
    ],
)
def test_a_part_that_the_product_has_not_is_said_whatever_the_other_rules_say(
    one: CheckInput, rest: str, verdict: Verdict, words: str
) -> None:
    result = asked(one, soel="delta_e('soel', '#ffffff') < 3", rest=rest)
    assert (result.verdict, result.sentence) == (
        verdict,
        f"{words} Does not apply to this picture: soel: the product has no part soel (its parts: carton).",
    )


def test_margins_and_share_are_those_of_the_product_as_the_candidate_shows_it(one: CheckInput) -> None:
    before = Measured(one)
    moved = replace(one, candidate=moved_by(one.candidate, 30, 0))
    after = Measured(moved)
    assert MEASURES["margin_left"].take(after) == pytest.approx(before.box[0] / SIZE + 30 / SIZE, abs=0.004)
    assert MEASURES["margin_right"].take(after) == pytest.approx(
        1 - before.box[2] / SIZE - 30 / SIZE, abs=0.004
    )
    assert MEASURES["product_share"].take(after) == pytest.approx(float(before.mask.mean()), rel=0.02)


def moved_by(picture: Any, across: int, down: int) -> Any:
    """The whole picture shifted; what comes in is the picture's edge."""
    matrix = np.array([[1.0, 0, across], [0, 1, down]])
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(("grey", "lightness"), [(255, 100.0), (119, 50.0), (0, 0.0)])
def test_brightness_is_lightness_as_eyes_see_it(one: CheckInput, grey: int, lightness: float) -> None:
    blank = replace(one, candidate=np.full_like(one.candidate, grey))
    values = Measured(blank)
    assert MEASURES["background_brightness"].take(values) == pytest.approx(lightness, abs=0.5)
    assert MEASURES["product_brightness"].take(values) == pytest.approx(lightness, abs=0.5)
    assert MEASURES["background_evenness"].take(values) == pytest.approx(1.0)


def test_blur_lowers_sharpness(one: CheckInput) -> None:
    soft = replace(one, candidate=cv2.GaussianBlur(one.candidate, (0, 0), 3))
    assert Measured(soft).sharpness < 0.3 < 0.8 < Measured(one).sharpness


def test_shadow_strength_is_the_share_of_light_that_is_missing(one: CheckInput) -> None:
    shadow = np.full_like(one.scene.shadow, 255)
    shadow[820:900, 300:700] = 128
    lit = replace(one, candidate=one.base, scene=replace(one.scene, shadow=shadow))
    assert Measured(lit).shadow == pytest.approx(0.0, abs=1e-6)
    darker = one.base.copy()
    darker[820:900, 300:700] = (darker[820:900, 300:700] * 0.73).astype(np.uint8)
    # 0.73 of an sRGB value is half of its light
    assert Measured(replace(lit, candidate=darker)).shadow == pytest.approx(0.5, abs=0.03)
    with pytest.raises(DoesNotApply, match="cast no shadow"):
        _ = Measured(replace(one, scene=replace(one.scene, shadow=np.full_like(shadow, 255)))).shadow


def test_allowed_colours_can_be_declared(one: CheckInput) -> None:
    ground = "#{:02x}{:02x}{:02x}".format(*GROUND)
    allowed = "min(delta_e('carton', '{}'), delta_e('carton', '#1e3cc8')) <= 3"
    assert asked(one, colours=allowed.format(ground)).verdict == Verdict.PASS
    assert asked(one, colours=allowed.format("#c81e1e")).verdict == Verdict.FAIL
    assert asked(one, whole=f"delta_e('product', '{ground}') <= 3").verdict == Verdict.PASS
    measured = asked(one, colours=allowed.format("#c81e1e")).measures
    assert measured["carton to #c81e1e"] > 30


def test_light_that_the_truth_knows_of_is_no_colour(one: CheckInput) -> None:
    """Render and candidate under the same warm, dim lamp: the carton is still made of its own colour."""
    lamp = np.array([0.9, 0.7, 0.5])
    lit = np.where(one.inside[..., None], one.scene.albedo * lamp, 0).astype(np.uint8)
    warm = replace(
        one,
        candidate=np.where(one.inside[..., None], one.candidate * lamp, one.candidate).astype(np.uint8),
        scene=replace(one.scene, colour=lit),
    )
    ground = "#{:02x}{:02x}{:02x}".format(*GROUND)
    assert Measured(warm).delta_e("carton", ground) < 2


def test_forbidden_strings_are_looked_for_on_labels_and_in_what_was_read(one: CheckInput) -> None:
    own = settings(r="'sale' not in text").checks[0][1]
    assert CHECK.judge([one.knowing(NOTHING_READ)], own)[0].verdict == Verdict.PASS
    assert asked(one, no_nordic="'nordic' not in text").verdict == Verdict.FAIL
    read = reading("text_orientation"), reading("extra_text", "SALE -50%")
    assert CHECK.judge([one.knowing(read)], own)[0].verdict == Verdict.FAIL


OFF, BROKEN = "the check extra text is disabled", "the check extra text could not run"


@pytest.mark.parametrize("source", ["'sale' not in text", "'sale' not in text_read", "count(text_read) == 0"])
@pytest.mark.parametrize(
    ("ran", "why"),
    [
        ((), "the check text orientation is disabled"),
        (NOTHING_READ[:1], OFF),
        (NOTHING_READ[1:], "the check text orientation is disabled"),
        ((NOTHING_READ[0], reading("extra_text", verdict=Verdict.ERROR)), BROKEN),
    ],
)
def test_where_nobody_read_a_forbidden_word_is_not_said_to_be_absent(
    one: CheckInput, source: str, ran: tuple[CheckResult, ...], why: str
) -> None:
    (result,) = CHECK.judge([one.knowing(ran)], settings(r=source).checks[0][1])
    assert (result.verdict, result.sentence) == (
        Verdict.UNVERIFIABLE,
        f"The rule r cannot be told: {why}.",
    )


def test_a_word_that_one_text_check_read_is_there_whatever_the_other_did(one: CheckInput) -> None:
    read = one.knowing([reading("extra_text", "SALE")])
    for source in ("'sale' not in text", "'sale' not in text_read", "'nordic' not in text"):
        assert CHECK.judge([read], settings(r=source).checks[0][1])[0].verdict == Verdict.FAIL
    assert CHECK.judge([read], settings(r="'sale' in text").checks[0][1])[0].verdict == Verdict.PASS


def test_a_rule_may_ask_for_what_another_check_measured(one: CheckInput) -> None:
    measured = CheckResult("scene_kept", "1", Verdict.PASS, 0.8, 0.5, "", measures={"change": 3.0})
    own = settings(r="scene_kept.change <= 4 and scene_kept.score > 0.7").checks[0][1]
    (result,) = CHECK.judge([one.knowing([measured])], own)
    assert result.verdict == Verdict.PASS and result.measures["scene_kept.change"] == 3.0
    (strict,) = CHECK.judge([one.knowing([replace(measured, measures={"change": 5.0})])], own)
    assert strict.verdict == Verdict.FAIL
    (unknown,) = CHECK.judge([one.knowing([replace(measured, measures={})])], own)
    assert unknown.verdict == Verdict.UNVERIFIABLE
    assert unknown.sentence == ("The rule r cannot be told: scene_kept measured no change here, only score.")


def test_on_a_scorecard_the_rules_come_last_and_see_all_others(one: CheckInput) -> None:
    off = {name: {"enabled": False} for name in read_names() if name not in ("scene_kept", "house_rules")}
    (card,) = score([one], read_settings(off, {"r": rule("scene_kept.score >= 0.5")}))
    assert [result.check for result in card.results] == ["scene_kept", "house_rules"]
    assert card.results[1].verdict == Verdict.PASS


def read_names() -> list[str]:
    return [check.name for check, _ in read_settings({}).checks]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "margin_lft > 1",
            "Settings: [rules] r = 'margin_lft > 1' cannot be used: there is no value margin_lft",
        ),
        ("margin_left >", "cannot be used: it is no expression"),
        ("colr.delta_e > 1", "colr is no check; the checks are artifacts"),
        ("house_rules.score > 1", "house_rules is no check"),
        ("delta_e('sole', 'red') < 3", "'red' is no colour; write it as '#rrggbb'"),
    ],
)
def test_a_rule_that_cannot_be_used_stops_the_run_with_a_sentence(source: str, sentence: str) -> None:
    with pytest.raises(FixSettings) as raised:
        settings(r=source)
    assert sentence in str(raised.value)


def test_an_unreadable_picture_is_an_error_not_a_pass(one: CheckInput) -> None:
    broken = replace(one, candidate=np.zeros((0, 0, 3), np.uint8))
    assert asked(broken, r="width > 9").verdict == Verdict.ERROR


def test_a_changed_rule_changes_the_checks_plain_data(one: CheckInput) -> None:
    first, second = settings(r="width > 9"), settings(r="width > 8")
    assert first.to_dict() != second.to_dict()
    assert first.to_dict() == settings(r="width > 9").to_dict()


PLUGIN = """
def wide_margins(values):
    if values["margin_left"] >= LEAST and values["margin_right"] >= LEAST:
        return True
    return f"only {min(values['margin_left'], values['margin_right']):.2f} of margin"

LEAST = 0.4
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "house_plugin.py").write_text(PLUGIN)
    info = tmp_path / "house_plugin-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house-plugin\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text("[packline.rules]\nwide = house_plugin:wide_margins\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    house_rules.installed.cache_clear()
    yield
    house_rules.installed.cache_clear()
    sys.modules.pop("house_plugin", None)


@pytest.mark.usefixtures("installed")
def test_a_package_may_add_a_rule_as_a_function(one: CheckInput) -> None:
    result = asked(one)
    assert (result.verdict, result.sentence) == (Verdict.FAIL, "only 0.21 of margin.")
    assert settings().to_dict()["house_rules"]["installed"] == {"wide": "house_plugin:wide_margins 2.1"}
    with pytest.raises(FixSettings, match=r"\[rules\] wide is the name of an installed"):
        settings(wide="width > 9")


def test_every_value_can_be_measured_on_a_right_picture(one: CheckInput) -> None:
    for name, measure in MEASURES.items():
        try:
            value = measure.take(Measured(one.knowing(NOTHING_READ)))
        except DoesNotApply:
            assert name == "shadow_strength"
            continue
        wanted: dict[str, type | tuple[type, ...]] = {"number": (int, float), "text": str, "list": tuple}
        assert isinstance(value, wanted[measure.kind]), name


def test_a_scorecard_with_kept_rules_passes(one: CheckInput) -> None:
    assert Scorecard((asked(one, r="width > 9"),)).passed
