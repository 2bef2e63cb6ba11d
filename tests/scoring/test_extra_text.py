"""Extra text: letters that neither the render nor the base photo has are found, all others are left alone."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from packline.reference import Picture
from packline.scorecard import CheckResult, Verdict
from scoring import extra_text, house_rules, strips
from scoring.check import CheckInput
from scoring.extra_text import ExtraTextSettings, judge
from tests.scoring.synthetic import Case, Plane, coverage, grid_of, make, stamped

SETTINGS = ExtraTextSettings(threshold=0.5)
ON_PRODUCT, BESIDE = (512.0, 690.0), (512.0, 140.0)
INK = (120, 20, 30)


@pytest.fixture(scope="module")
def right() -> CheckInput:
    return make(Case("NORDIC"))


def written(
    picture: Picture, text: str, centre: tuple[float, float], how: str = strips.KEEP, height: float = 34.0
) -> Picture:
    """A picture with a word on it."""
    ink = np.asarray(strips.drawn(coverage(text, "sans bold"), how), np.float32)
    return stamped(picture, ink, grid_of(Plane(centre, height), ink.shape[1] / ink.shape[0]), INK)


def judged(one: CheckInput) -> CheckResult:
    return judge([one], SETTINGS)[0]


def test_a_picture_with_its_own_label_alone_passes(right: CheckInput) -> None:
    result = judged(right)
    assert result.verdict == Verdict.PASS
    assert result.score > 0.8
    assert result.evidence == ()


def test_a_picture_without_letters_is_not_compared_with_what_should_be_there() -> None:
    def never() -> Picture:
        raise AssertionError("what should be there was asked for")

    plain, everywhere = np.full((256, 256, 3), 128, np.uint8), np.ones((256, 256), bool)
    for allowed in (None, everywhere, ~everywhere):
        window = extra_text._Window(plain, allowed, everywhere, (0, 0), extra_text.IN_SCENE, 256, never)
        assert extra_text._spots(window) == []


@pytest.mark.parametrize(
    ("centre", "place"), [(ON_PRODUCT, "on the product"), (BESIDE, "in the scene")], ids=["product", "scene"]
)
def test_a_word_too_many_is_found_read_and_shown(
    right: CheckInput, centre: tuple[float, float], place: str
) -> None:
    result = judged(replace(right, candidate=written(right.candidate, "SAMPLE", centre)))
    assert result.verdict == Verdict.FAIL
    assert result.score < 0.3
    assert result.sentence == f"There is text {place} that should not be there: it reads 'SAMPLE'."
    outline = np.array(result.evidence[0].points, np.float32)
    assert cv2.pointPolygonTest(outline, centre, False) > 0


def test_what_is_read_but_not_sure_enough_is_told_to_house_rules(right: CheckInput) -> None:
    """A rule may forbid a word whatever this check makes of it."""
    one = replace(right, candidate=written(right.candidate, "SAMPLE", BESIDE))
    result = judge([one], ExtraTextSettings(threshold=0.0))[0]
    assert result.verdict == Verdict.PASS
    assert [evidence.data["read"] for evidence in result.evidence] == ["SAMPLE"]
    rules = house_rules.CHECK
    told = rules.settings(
        threshold=0.5, rules={"no samples": {"rule": "'sample' not in text", "say": "No samples."}}
    )
    assert rules.judge([one.knowing([result])], told)[0].verdict == Verdict.FAIL


def test_what_looks_like_letters_in_the_scene_and_did_not_change_is_not_new(right: CheckInput) -> None:
    """A row of things in the base photo may look like a word once the product stands among them."""
    window = extra_text._scene_window(right, 512)
    spot = extra_text._Spot(window, (BESIDE, (200.0, 60.0), 0.0), 0.9, 0.9, 1.0)
    assert not extra_text._may_be_new(right, spot)
    assert extra_text._may_be_new(right, replace(spot, window=replace(window, place=extra_text.ON_PRODUCT)))
    changed = replace(right, candidate=written(right.candidate, "SAMPLE", BESIDE))
    assert extra_text._may_be_new(changed, spot)


def test_a_word_upside_down_is_found_as_well(right: CheckInput) -> None:
    turned = written(right.candidate, "SAMPLE", ON_PRODUCT, strips.TURN_180)
    assert judged(replace(right, candidate=turned)).verdict == Verdict.FAIL


def test_a_word_that_is_mirrored_is_found_and_read(right: CheckInput) -> None:
    mirrored = written(right.candidate, "SAMPLE", ON_PRODUCT, strips.MIRROR)
    result = judged(replace(right, candidate=mirrored))
    assert result.verdict == Verdict.FAIL
    assert result.evidence[0].data["read"] == "SAMPLE"


def test_letters_that_are_none_are_found_as_well(right: CheckInput) -> None:
    """What a diffusion model writes: nobody can read it, and everybody sees that it is there."""
    ink = coverage("SAMPLE", "sans bold")
    half = ink.shape[0] // 2
    ink = np.concatenate([ink[:half], np.roll(ink[half:, ::-1], 37, 1)])
    ink = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    grid = grid_of(Plane(ON_PRODUCT, 34.0), ink.shape[1] / ink.shape[0])
    assert judged(replace(right, candidate=stamped(right.candidate, ink, grid, INK))).verdict == Verdict.FAIL


def test_a_second_line_right_under_the_label_is_found(right: CheckInput) -> None:
    label = right.scene.labels[0]
    bottom = max(y for _, y in label.quad)
    under = (ON_PRODUCT[0], bottom + 0.25 * label.height + 13)
    result = judged(replace(right, candidate=written(right.candidate, "SAMPLE", under, height=26)))
    assert result.verdict == Verdict.FAIL


def test_another_word_where_the_render_has_one_without_an_annotation_is_found(right: CheckInput) -> None:
    scene = replace(right.scene, colour=written(right.scene.colour, "SAMPLE", ON_PRODUCT))
    other = replace(right, scene=scene, candidate=written(right.candidate, "POISON", ON_PRODUCT))
    assert judged(other).verdict == Verdict.FAIL


def test_what_the_base_photo_says_itself_is_no_extra_text(right: CheckInput) -> None:
    both = replace(
        right,
        base=written(right.base, "SAMPLE", BESIDE),
        candidate=written(right.candidate, "SAMPLE", BESIDE),
    )
    assert judged(both).verdict == Verdict.PASS


def test_what_the_render_says_without_an_annotation_is_no_extra_text(right: CheckInput) -> None:
    scene = replace(right.scene, colour=written(right.scene.colour, "SAMPLE", ON_PRODUCT))
    both = replace(right, scene=scene, candidate=written(right.candidate, "SAMPLE", ON_PRODUCT))
    assert judged(both).verdict == Verdict.PASS


@pytest.mark.parametrize("case", [Case("NORDIC", how=strips.MIRROR), Case("NORDIC", drawn="NOBDJC")])
def test_a_label_that_is_wrong_is_another_checks(case: Case) -> None:
    assert judged(make(case)).verdict == Verdict.PASS


def test_a_word_on_a_product_without_any_other_is_found() -> None:
    """The detector takes a plain product for one huge letter; that must not hide what is written on it."""
    plain = make(Case("NORDIC", missing=True))
    bare = cv2.inpaint(plain.scene.colour, _label(plain), 5, cv2.INPAINT_TELEA)
    one = replace(plain, scene=replace(plain.scene, colour=np.asarray(bare, np.uint8), labels=()))
    assert judged(one).verdict == Verdict.PASS
    result = judged(replace(one, candidate=written(one.candidate, "SAMPLE", ON_PRODUCT)))
    assert result.verdict == Verdict.FAIL


def _label(one: CheckInput) -> Picture:
    area = np.zeros(one.scene.mask.shape, np.uint8)
    for label in one.scene.labels:
        cv2.fillPoly(area, [np.round(label.outline).astype(np.int32)], 255)
    return np.asarray(cv2.dilate(area, np.ones((15, 15), np.uint8)), np.uint8)


def test_a_picture_that_cannot_be_decoded_is_refused(right: CheckInput) -> None:
    with pytest.raises(ValueError, match="cannot be decoded"):
        judged(replace(right, candidate=np.zeros((0, 0, 3), np.uint8)))
