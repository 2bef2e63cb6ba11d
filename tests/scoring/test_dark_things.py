"""Dark things that lie in the product's shadow, and shadows that are as dark."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from packline.reference import Picture
from packline.scorecard import CheckResult, Verdict
from scoring.check import CheckInput
from scoring.dark_things import dark_things
from scoring.scene_kept import SceneSettings, judge
from tests.scoring.synthetic import SIZE, Case, make

SETTINGS = SceneSettings(threshold=0.5)
Place = tuple[int, int]


@lru_cache(maxsize=1)
def plain() -> CheckInput:
    return make(Case("LUMEN", seed=3))


def shadow(*ellipses: tuple[Place, Place, int], soft: float = 10.0) -> Picture:
    """The share of the light that is left: ellipses (centre, half axes, share), softened."""
    share = np.full((SIZE, SIZE), 255, np.uint8)
    for centre, axes, left in ellipses:
        one = np.full_like(share, 255)
        cv2.ellipse(one, centre, axes, 4, 0, 360, left, -1)
        share = np.minimum(share, cv2.GaussianBlur(one, (0, 0), soft))
    return np.asarray(share, np.uint8)


DEEP = ((540, 800), (400, 110), 25)


def standing(truth: Picture, seen: Picture) -> CheckInput:
    """The product where the reference has one shadow and the candidate another."""
    one = plain()
    cover = one.scene.mask[..., None] / 255
    ground = one.base * (seen[..., None] / 255.0) ** (1 / 2.2)
    picture = np.clip(ground * (1 - cover) + one.candidate * cover, 0, 255).astype(np.uint8)
    return replace(one, candidate=picture, scene=replace(one.scene, shadow=truth))


def with_thing(given: CheckInput, at: Place, radius: int, tone: Place | tuple[int, ...]) -> CheckInput:
    picture = given.candidate.copy()
    cv2.circle(picture, at, radius, tone, -1, cv2.LINE_AA)
    return replace(given, candidate=picture)


def judged(given: CheckInput) -> CheckResult:
    return judge([given], SETTINGS)[0]


@pytest.mark.parametrize("tone", [(13, 13, 13), (18, 12, 8)], ids=["black", "dark brown"])
@pytest.mark.parametrize("radius", [20, 30, 45])
def test_a_dark_thing_in_a_deep_shadow_fails_with_a_box_around_it(radius: int, tone: tuple[int, ...]) -> None:
    truth = shadow(DEEP)
    given = with_thing(standing(truth, truth), (640, 860), radius, tone)
    found = judged(given)
    assert found.verdict == Verdict.FAIL
    # nothing but the island gives it away: the ground might be as dark
    assert found.measures["changed_area"] < SETTINGS.max_area
    assert found.sentence.startswith("Something dark lies in the product's shadow")
    box = next(item for item in found.evidence if item.words == "in the shadow")
    wanted = [(640 - radius, 860 - radius), (640 + radius, 860 + radius)]
    assert np.allclose(box.points, wanted, atol=14)
    assert any(item.kind == "heat" for item in found.evidence)


def test_a_thing_that_touches_the_product_is_found_as_well() -> None:
    truth = shadow(DEEP)
    found = judged(with_thing(standing(truth, truth), (640, 812), 22, (4, 4, 4)))
    assert found.verdict == Verdict.FAIL
    assert found.measures["dark_in_shadow"] > SETTINGS.max_area


@pytest.mark.parametrize(
    "seen",
    [
        shadow(DEEP),
        shadow(DEEP, soft=2.0),
        shadow(DEEP, soft=30.0),
        shadow(((540, 800), (460, 120), 25)),
        shadow(((590, 800), (400, 90), 15)),
        shadow(((540, 800), (400, 110), 60), ((540, 790), (320, 30), 12)),
    ],
    ids=["the truth's", "hard", "soft", "longer", "elsewhere", "contact"],
)
def test_another_honest_shadow_holds_no_thing(seen: Picture) -> None:
    found = judged(standing(shadow(DEEP), seen))
    assert found.measures["dark_in_shadow"] == 0


def test_an_island_that_the_truths_own_shadow_has_is_none() -> None:
    island, moved = (((780 + by, 900), (40, 22), 20) for by in (0, 12))
    pale = ((560, 830), (420, 150), 120)
    right = standing(shadow(pale, island), shadow(pale, moved))
    wrong = standing(shadow(pale), shadow(pale, moved))
    assert judged(right).measures["dark_in_shadow"] == 0
    assert judged(wrong).measures["dark_in_shadow"] > SETTINGS.max_area


def test_without_a_shadow_there_is_nothing_to_look_into() -> None:
    open_ground = np.full((SIZE, SIZE), 255, np.uint8)
    given = with_thing(standing(open_ground, open_ground), (640, 860), 30, (6, 6, 6))
    assert not dark_things(given.ground, SETTINGS.max_change).any()
    assert judged(given).measures["changed_area"] > SETTINGS.max_area


def test_pale_specks_of_the_ground_are_no_lighter_way_round_a_place() -> None:
    """A shadow divides: what is pale loses more grey levels, and what lies between is no dark thing."""
    one = plain()
    rng = np.random.default_rng(5)
    specks = np.zeros((SIZE, SIZE), np.uint8)
    for x, y in rng.integers(0, SIZE, (2500, 2)):
        cv2.circle(specks, (int(x), int(y)), 9, 1, -1)
    base = np.where(specks[..., None] > 0, 225, np.uint8(45)).repeat(3, -1).astype(np.uint8)
    truth = shadow(DEEP)
    cover = one.scene.mask[..., None] / 255
    ground = base * (truth[..., None] / 255.0) ** (1 / 2.2)
    picture = np.clip(ground * (1 - cover) + one.candidate * cover, 0, 255).astype(np.uint8)
    given = replace(one, base=base, candidate=picture, scene=replace(one.scene, shadow=truth))
    assert judged(given).measures["dark_in_shadow"] == 0
