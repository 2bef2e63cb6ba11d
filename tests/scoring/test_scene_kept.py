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
from tests.scoring.synthetic import SIZE, Case, base_photo, make

SETTINGS = SceneSettings(threshold=0.5)


@lru_cache(maxsize=1)
def good() -> CheckInput:
    return make(Case("LUMEN", seed=3))


def test_a_kept_scene_with_the_products_shadow_passes() -> None:
    found = judge([good()], SETTINGS)[0]
    assert found.verdict == Verdict.PASS
    assert found.score > 0.95


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


def test_another_scene_fails() -> None:
    other = make(Case("LUMEN", seed=9))
    assert judge([replace(good(), candidate=other.candidate)], SETTINGS)[0].verdict == Verdict.FAIL


def test_a_changed_product_does_not_concern_this_check() -> None:
    picture = np.where(good().inside[..., None], 255 - good().candidate, good().candidate)
    assert judge([replace(good(), candidate=picture)], SETTINGS)[0].verdict == Verdict.PASS


def test_a_blank_picture_fails_even_though_a_fit_could_explain_it() -> None:
    assert (
        judge([replace(good(), candidate=np.full((SIZE, SIZE, 3), 128, np.uint8))], SETTINGS)[0].verdict
        == Verdict.FAIL
    )
    assert base_photo(3).std() > 10
