"""Where the product stands: beside its place, too large, turned, floating, cut off."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from packline.reference import Picture
from packline.scorecard import CheckResult, Verdict
from scoring.check import CheckInput
from scoring.placement import PlacementSettings, judge
from tests.scoring.synthetic import SIZE, Case, Plane, make

SETTINGS = PlacementSettings(threshold=0.5)


@lru_cache(maxsize=1)
def good() -> CheckInput:
    return make(Case("E LOVE", plane=Plane(angle=90, height=60), seed=3))


def judged(picture: Picture) -> CheckResult:
    return judge([replace(good(), candidate=np.ascontiguousarray(picture))], SETTINGS)[0]


def moved(scale: float = 1.0, turn: float = 0.0, across: float = 0.0, down: float = 0.0) -> Picture:
    """Product and shadow elsewhere on the same base photo."""
    matrix = cv2.getRotationMatrix2D((512, 540), -turn, scale)
    matrix[:, 2] += (across, down)
    flags = {"borderMode": cv2.BORDER_REPLICATE}
    mask = cv2.warpAffine(good().scene.mask, matrix, (SIZE, SIZE))[..., None] / 255
    product = cv2.warpAffine(good().candidate, matrix, (SIZE, SIZE), **flags)  # type: ignore[call-overload]
    shadow = cv2.warpAffine(good().scene.shadow, matrix, (SIZE, SIZE), **flags)  # type: ignore[call-overload]
    ground = good().base * (shadow[..., None] / 255) ** (1 / 2.2)
    return np.asarray(np.clip(ground * (1 - mask) + product * mask, 0, 255), np.uint8)


def lit(shadow: Picture) -> Picture:
    """The product on the base photo with another shadow, 255 is none."""
    cover = good().scene.mask[..., None] / 255
    ground = good().base * (shadow[..., None] / 255) ** (1 / 2.2)
    return np.asarray(np.clip(ground * (1 - cover) + good().candidate * cover, 0, 255), np.uint8)


def test_a_product_in_its_place_passes() -> None:
    found = judged(good().candidate)
    assert found.verdict == Verdict.PASS
    assert found.score > 0.8
    assert abs(found.measures["scale"] - 1) < 0.01


@pytest.mark.parametrize("stray", [{"scale": 1.02}, {"turn": 2.0}, {"across": 8.0, "down": -5.0}])
def test_a_little_off_is_allowed(stray: dict[str, float]) -> None:
    assert judged(moved(**stray)).verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("stray", "words"),
    [
        ({"scale": 1.1}, "% too large"),
        ({"scale": 0.9}, "% too small"),
        ({"across": 45.0}, "too far right"),
        ({"down": -45.0}, "too far up"),
        ({"turn": 7.0}, "degrees clockwise"),
    ],
)
def test_another_place_size_or_turn_fails_and_is_named(stray: dict[str, float], words: str) -> None:
    found = judged(moved(**stray))
    assert found.verdict == Verdict.FAIL
    assert words in found.sentence
    assert {item.words for item in found.evidence} == {"where it stands", "where it should stand"}


def test_a_product_without_a_shadow_floats() -> None:
    found = judged(lit(np.full((SIZE, SIZE), 255, np.uint8)))
    assert found.verdict == Verdict.FAIL
    assert "The product floats: no shadow touches its foot." in found.sentence


def test_a_shadow_away_from_the_foot_floats() -> None:
    below = np.roll(good().scene.shadow, 110, axis=0)
    found = judged(lit(below))
    assert found.verdict == Verdict.FAIL
    assert "floats" in found.sentence


def test_a_lighter_and_softer_shadow_at_the_foot_passes() -> None:
    softer = cv2.GaussianBlur(good().scene.shadow, (0, 0), 12)
    softer = (255 - 0.75 * (255 - softer.astype(np.float32))).astype(np.uint8)
    assert judged(lit(softer)).verdict == Verdict.PASS


def test_a_light_that_leaves_no_shadow_is_said_so_and_asks_for_none() -> None:
    none = np.full((SIZE, SIZE), 255, np.uint8)
    one = replace(good(), scene=replace(good().scene, shadow=none), candidate=lit(none))
    found = judge([one], SETTINGS)[0]
    assert found.verdict == Verdict.PASS
    assert "no shadow to judge" in found.sentence
    assert "contact" not in found.measures


def test_a_reference_without_a_product_fails() -> None:
    empty = replace(good().scene, mask=np.zeros((SIZE, SIZE), np.uint8))
    found = judge([replace(good(), scene=empty)], SETTINGS)[0]
    assert found.verdict == Verdict.FAIL
    assert "check the scene's place" in found.sentence
