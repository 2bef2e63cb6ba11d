"""Marks without words: the right way round, turned over, and those of which nobody could tell."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from packline.reference import Picture
from packline.scorecard import CheckResult, Verdict
from packline.truth import PartColours
from scoring import strips
from scoring.check import CheckInput, Floats
from scoring.marks import marks_of
from scoring.pattern import PatternSettings, judge
from tests.scoring.synthetic import SIZE, Case, make

SETTINGS = PatternSettings(threshold=0.5)
CENTRE, SIDE = (512, 660), 110
INK = (150, 30, 60)


def flag(asymmetric: bool = True) -> Floats:
    """A pennant on a pole; or a disc, which looks the same all ways."""
    ink = np.zeros((SIDE, SIDE), np.float32)
    if asymmetric:
        cv2.rectangle(ink, (18, 8), (32, 102), 1, -1)
        cv2.fillPoly(ink, [np.array([[32, 12], [98, 30], [32, 58]], np.int32)], 1)
    else:
        cv2.circle(ink, (SIDE // 2, SIDE // 2), 42, 1, -1)
    return ink


def heart() -> Floats:
    """As it is when mirrored, and not when upside down."""
    ink = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(ink, [np.array([[8, 12], [102, 12], [55, 104]], np.int32)], 1)
    return ink


def marked(picture: Picture, ink: Floats) -> Picture:
    """A picture with the mark on it."""
    x, y = CENTRE[0] - SIDE // 2, CENTRE[1] - SIDE // 2
    out = picture.copy()
    window = out[y : y + SIDE, x : x + SIDE]
    cover = cv2.GaussianBlur(ink, (0, 0), 0.7)[..., None]
    window[:] = np.round(window * (1 - cover) + np.array(INK) * cover)
    return out


def given(ink: Floats | None, how: str = strips.KEEP, textured: bool = False) -> CheckInput:
    """A candidate that bears the mark drawn as `how` says, beside its truth."""
    one = make(Case("NORDIC"))
    towards = np.array([0.0, 0.1, 1.0]) / np.hypot(0.1, 1.0)
    normals = np.where(one.scene.mask[..., None] > 0, towards, 0).astype(np.float32)
    part = PartColours("0-front panel", 1, 1.0, ())
    scene = replace(one.scene, normals=normals, colours=(part,))
    if textured:
        y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
        scene = replace(scene, uv=np.stack([0.1 + 0.8 * x, 0.1 + 0.8 * y], -1))
    # the stripes of the synthetic product look the same mirrored; without them the mark is alone
    plain = [cv2.medianBlur(picture, 3) for picture in (scene.albedo, scene.colour, one.candidate)]
    albedo, colour, candidate = (_without_stripes(np.asarray(picture, np.uint8)) for picture in plain)
    if ink is not None:
        albedo, colour = marked(albedo, ink), marked(colour, ink)
        candidate = marked(candidate, np.asarray(strips.drawn(ink, how), np.float32))
    return replace(one, scene=replace(scene, albedo=albedo, colour=colour), candidate=candidate)


def _without_stripes(picture: Picture) -> Picture:
    out = picture.copy()
    for top, bottom in ((322, 360), (734, 768)):
        out[top:bottom] = out[bottom + 1]
    return out


def judged(one: CheckInput) -> CheckResult:
    return judge([one], SETTINGS)[0]


@pytest.mark.parametrize("textured", [False, True], ids=["by the picture", "by the texture"])
def test_a_mark_the_right_way_round_passes(textured: bool) -> None:
    one = given(flag(), textured=textured)
    (mark,) = marks_of(one.scene)
    assert np.allclose(np.mean(mark.corners, 0), CENTRE, atol=12)
    result = judged(one)
    assert result.verdict == Verdict.PASS
    assert result.score > 0.9


@pytest.mark.parametrize("textured", [False, True], ids=["by the picture", "by the texture"])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        (strips.MIRROR, "mirrored left to right"),
        (strips.TURN_180, "upside down"),
        (strips.MIRROR_180, "mirrored top to bottom"),
    ],
)
def test_a_mark_turned_over_fails_and_it_is_said_how_and_where(how: str, words: str, textured: bool) -> None:
    result = judged(given(flag(), how, textured))
    assert result.verdict == Verdict.FAIL
    assert result.score < 0.2
    assert result.sentence == f"The print on the front panel is {words}."
    outline = np.array(result.evidence[0].points, np.float32)
    assert cv2.pointPolygonTest(outline, CENTRE, False) > 0


def test_a_mark_that_looks_the_same_mirrored_passes_mirrored_and_fails_upside_down() -> None:
    assert judged(given(heart(), strips.MIRROR)).verdict == Verdict.PASS
    assert judged(given(heart(), strips.TURN_180)).verdict == Verdict.FAIL


def test_a_mark_that_looks_the_same_all_ways_is_not_judged() -> None:
    assert judged(given(flag(asymmetric=False))).verdict == Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("drawn", [None, heart()], ids=["gone", "another one"])
def test_a_mark_that_is_gone_or_another_one_is_not_called_turned_over(drawn: Floats | None) -> None:
    result = judged(replace(given(flag()), candidate=given(drawn).candidate))
    assert result.verdict == Verdict.FAIL
    assert result.sentence == "The print on the front panel is missing or another one."
    assert result.evidence[0].words == "the print on the front panel: missing or another one"


def test_a_product_without_marks_has_nothing_to_judge() -> None:
    one = given(None)
    assert marks_of(one.scene) == ()
    assert judged(one).verdict == Verdict.NOT_APPLICABLE


def test_a_mark_seen_from_the_side_is_left_out() -> None:
    one = given(flag())
    away = np.broadcast_to(np.array([1.0, 0.0, 0.1], np.float32), one.scene.normals.shape)
    assert marks_of(replace(one.scene, normals=np.ascontiguousarray(away))) == ()
