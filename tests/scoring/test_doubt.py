"""What a check is not sure of: it points at what it sees there, as it does where it fails."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from packline.scorecard import Verdict
from scoring import artifacts, colour, placement, policy, scene_kept, shape
from scoring.check import Check, CheckInput
from scoring.settings import ScoringSettings
from tests.scoring.synthetic import Case, make

NOT_SURE = "is not sure: it scores"


@lru_cache(maxsize=1)
def good() -> CheckInput:
    return make(Case("LUMEN", seed=3))


def with_a_thing() -> CheckInput:
    picture = good().candidate.copy()
    cv2.circle(picture, (100, 880), 70, (200, 40, 30), -1)
    return replace(good(), candidate=picture)


def without_a_corner() -> CheckInput:
    picture = good().candidate.copy()
    cut = np.s_[590:800, 612:830]
    picture[cut] = good().base[cut]
    return replace(good(), candidate=picture)


def blurred() -> CheckInput:
    return replace(good(), candidate=np.asarray(cv2.GaussianBlur(good().candidate, (0, 0), 5), np.uint8))


def in_another_place() -> CheckInput:
    move = np.array([[1, 0, 60], [0, 1, 0]], np.float32)
    moved = cv2.warpAffine(good().candidate, move, (1024, 1024), borderMode=cv2.BORDER_REPLICATE)
    return replace(good(), candidate=np.asarray(moved, np.uint8))


def in_another_colour() -> CheckInput:
    tinted = np.clip(good().candidate * np.array([1.25, 0.8, 0.8]), 0, 255)
    part = np.where(good().scene.mask[..., None] > 127, tinted, good().candidate)
    return replace(good(), candidate=part.astype(np.uint8))


@pytest.mark.parametrize(
    ("check", "given"),
    [
        (scene_kept.CHECK, with_a_thing),
        (shape.CHECK, without_a_corner),
        (artifacts.CHECK, blurred),
        (placement.CHECK, in_another_place),
        (colour.CHECK, in_another_colour),
    ],
    ids=lambda one: one.name if isinstance(one, Check) else "",
)
def test_doubt_points_at_what_failure_would_point_at(check: Check, given: object) -> None:
    one = given()  # type: ignore[operator]

    def judged(threshold: float, sure: float | None) -> policy.CheckResult:
        own = check.settings.model_validate({**check.defaults, "threshold": threshold, "sure": sure})
        return policy.score([one], ScoringSettings(((check, own),)))[0].results[0]

    failed, unsure, passed = judged(0.9, None), judged(0.0, 0.9), judged(0.0, None)
    assert [one.verdict for one in (failed, unsure, passed)] == [
        *(Verdict.FAIL, Verdict.UNVERIFIABLE, Verdict.PASS)
    ]
    assert unsure.unsure and unsure.score == failed.score
    assert unsure.sentence.startswith(failed.sentence) and NOT_SURE in unsure.sentence
    assert [item.words for item in unsure.evidence] == [item.words for item in failed.evidence]
    assert passed.sentence != failed.sentence
    if check.name != "shape":  # whose heat map is always there
        assert len(passed.evidence) < len(unsure.evidence) or check.name == "artifacts"
