"""The scene around the product: what a style may change and what it may not."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from packline.scorecard import Verdict
from scoring.check import CheckInput
from scoring.scene_kept import SceneSettings, judge
from tests.scoring.synthetic import SIZE, Case, base_photo, cut, make

SETTINGS = SceneSettings(threshold=0.5)


@lru_cache(maxsize=1)
def good() -> CheckInput:
    return make(Case("LUMEN", seed=3))


def test_a_kept_scene_with_the_products_shadow_passes() -> None:
    found = judge([good()], SETTINGS)[0]
    assert found.verdict == Verdict.PASS
    assert found.score > 0.9


@pytest.mark.parametrize("gain", [(1.1, 1.0, 0.88), (0.8, 0.8, 0.8), (1.12, 1.1, 1.1)])
def test_a_style_over_the_whole_picture_passes(gain: tuple[float, float, float]) -> None:
    styled = np.clip(good().candidate * np.array(gain), 0, 255).astype(np.uint8)
    assert judge([replace(good(), candidate=styled)], SETTINGS)[0].verdict == Verdict.PASS


def test_a_new_thing_fails_with_a_box_around_it() -> None:
    picture = good().candidate.copy()
    cv2.circle(picture, (100, 880), 70, (200, 40, 30), -1)
    found = judge([replace(good(), candidate=picture)], SETTINGS)[0]
    assert found.verdict == Verdict.FAIL
    (left, top), (right, bottom) = found.evidence[0].points
    assert np.allclose([left, top, right, bottom], [30, 810, 170, 950], atol=14)


def test_in_a_picture_that_is_not_square_the_boxes_lie_where_the_change_is() -> None:
    picture = good().candidate.copy()
    cv2.circle(picture, (100, 880), 40, (200, 40, 30), -1)
    found = judge([cut(replace(good(), candidate=picture), slice(212, 980))], SETTINGS)[0]
    changed, heat = found.evidence[0], found.evidence[-1]
    assert changed.words == "changed" and heat.kind == "heat"
    assert np.allclose(changed.points, [(60, 628), (140, 708)], atol=14)
    assert heat.points == ((0, 0), (1024, 768))


def test_in_a_picture_that_is_not_square_the_halos_box_lies_around_the_product() -> None:
    found = judge([cut(halo(12, 40), slice(212, 980))], SETTINGS)[0]
    box = next(item for item in found.evidence if item.words == "halo")
    assert np.allclose(box.points, [(212, 28), (812, 628)], atol=50)


@pytest.mark.parametrize(("side", "small"), [(20, True), (60, False)])
def test_a_place_too_small_for_a_number_is_said_to_be_small(side: int, small: bool) -> None:
    picture = good().candidate.copy()
    picture[100 : 100 + side, 100 : 100 + side] = (200, 20, 20)
    found = judge([replace(good(), candidate=picture)], SETTINGS)[0]
    assert found.verdict == Verdict.FAIL
    words = "Something small outside the product and its shadow is not as in the base photo: see the box."
    assert (found.sentence == words) is small
    assert "0.0 %" not in found.sentence


def test_another_scene_fails() -> None:
    other = make(Case("LUMEN", seed=9))
    assert judge([replace(good(), candidate=other.candidate)], SETTINGS)[0].verdict == Verdict.FAIL


def halo(width: float, light: float) -> CheckInput:
    near = np.exp(-np.maximum(good().distance, 0) / width) * (good().distance > 0)
    picture = np.clip(good().candidate + light * near[..., None], 0, 255).astype(np.uint8)
    return replace(good(), candidate=picture)


@pytest.mark.parametrize(("width", "light"), [(12, 40), (20, 25), (12, -60)])
def test_a_halo_around_the_product_fails_and_is_named(width: float, light: float) -> None:
    found = judge([halo(width, light)], SETTINGS)[0]
    assert found.verdict == Verdict.FAIL
    assert "halo" in found.sentence
    assert any(item.kind == "heat" for item in found.evidence)


def test_a_stronger_halo_scores_lower() -> None:
    scores = [judge([halo(14, light)], SETTINGS)[0].measures["halo"] for light in (5, 15, 45)]
    assert scores[0] < scores[1] < scores[2]


def test_a_thing_close_to_the_product_fails() -> None:
    picture = good().candidate.copy()
    cv2.circle(picture, (160, 500), 22, (40, 90, 200), -1)
    found = judge([replace(good(), candidate=picture)], SETTINGS)[0]
    assert found.verdict == Verdict.FAIL
    (left, top), (right, bottom) = found.evidence[0].points
    assert np.allclose([left, top, right, bottom], [138, 478, 182, 522], atol=14)


def test_a_softer_lighter_and_turned_shadow_is_no_change_of_the_scene() -> None:
    shadow = np.full((SIZE, SIZE), 255, np.float32)
    cv2.ellipse(shadow, (580, 800), (330, 55), 8, 0, 360, 150, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 22)[..., None] / 255
    ground = good().base * shadow ** (1 / 2.2)
    cover = good().scene.mask[..., None] / 255
    picture = np.clip(ground * (1 - cover) + good().candidate * cover, 0, 255).astype(np.uint8)
    assert judge([replace(good(), candidate=picture)], SETTINGS)[0].verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.3, Verdict.PASS), (3.0, Verdict.FAIL), (6.0, Verdict.FAIL)]
)
def test_a_scene_that_moved_under_the_product_fails(shift: float, verdict: Verdict) -> None:
    moved = cv2.warpAffine(
        good().candidate,
        np.array([[1, 0, shift], [0, 1, 0.7 * shift]]),
        (SIZE, SIZE),
        borderMode=cv2.BORDER_REPLICATE,
    )
    picture = np.where((good().distance < 20)[..., None], good().candidate, moved)
    found = judge([replace(good(), candidate=np.asarray(picture, np.uint8))], SETTINGS)[0]
    assert found.verdict == verdict
    if verdict == Verdict.FAIL:
        assert "moved" in found.sentence


def test_another_colour_of_a_thing_in_the_background_fails() -> None:
    picture = good().candidate.astype(np.float32)
    picture[60:200, 700:900] += np.array([-25, 12, 20])
    changed = np.clip(picture, 0, 255).astype(np.uint8)
    assert judge([replace(good(), candidate=changed)], SETTINGS)[0].verdict == Verdict.FAIL


def test_a_changed_product_does_not_concern_this_check() -> None:
    picture = np.where(good().inside[..., None], 255 - good().candidate, good().candidate)
    assert judge([replace(good(), candidate=picture)], SETTINGS)[0].verdict == Verdict.PASS


def test_a_blank_picture_fails_even_though_a_fit_could_explain_it() -> None:
    assert (
        judge([replace(good(), candidate=np.full((SIZE, SIZE, 3), 128, np.uint8))], SETTINGS)[0].verdict
        == Verdict.FAIL
    )
    assert base_photo(3).std() > 10


def test_a_bright_product_before_a_dark_bare_wall_is_no_movement_of_the_scene() -> None:
    rng = np.random.default_rng(4)
    wall = cv2.GaussianBlur(rng.normal(0, 200, (SIZE, SIZE, 3)), (0, 0), 6) + np.array([70, 46, 30])
    base = np.clip(wall, 0, 255).astype(np.uint8)
    cover = good().scene.mask[..., None] / 255.0
    picture = np.round(base * (1 - cover) + 245 * cover).astype(np.uint8)
    given = replace(good(), base=base, candidate=picture)
    found = judge([given], SETTINGS)[0]
    assert found.measures["drift"] == pytest.approx(0, abs=2e-4)
    moved = np.roll(base, 8, axis=1)
    picture = np.round(moved * (1 - cover) + 245 * cover).astype(np.uint8)
    assert judge([replace(given, candidate=picture)], SETTINGS)[0].measures["drift"] > 4e-3


def test_where_hardly_anything_of_the_scene_is_in_view_it_cannot_tell() -> None:
    """Other pixels beside the product or none: no pass by accident."""
    one = good()
    filled = replace(one.scene, mask=np.full_like(one.scene.mask, 255))
    (result,) = judge([replace(one, scene=filled)], SceneSettings(threshold=0.5))
    assert result.verdict == Verdict.UNVERIFIABLE
    assert "too little of the scene" in result.sentence
