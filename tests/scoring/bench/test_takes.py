"""Takes photograph their product as the nuisance says, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.camera import Camera
from packline.scenes import Light
from scoring.bench.good import good_specimens
from scoring.bench.nuisances import Nuisance
from scoring.bench.photographs import strayed
from scoring.bench.scenes import scenes
from scoring.bench.takes import Take, takes, warmth_tint

SIZE = 256


@pytest.fixture(scope="module")
def take() -> Take:
    return next(
        one for one in takes("test", SIZE, 8, seed=4) if len(one.model.parts) > 2 and one.side != "left"
    )


def test_without_any_nuisance_the_photograph_shows_the_truth_in_the_untouched_photo(take: Take) -> None:
    shot = take.photograph(Nuisance())
    assert np.array_equal(shot.reference.colour, take.truth.colour)
    assert np.array_equal(shot.mask, take.truth.mask)
    away = (shot.mask == 0) & (shot.reference.shadow == 255)
    assert away.mean() > 0.3
    assert np.array_equal(shot.picture[away], take.photo[away])
    assert np.abs(shot.picture.astype(int) - take.photo)[shot.mask > 200].mean() > 2


def test_a_shift_in_pixels_moves_the_product_s_foot_by_so_many_pixels(take: Take) -> None:
    def foot(dx: float, dy: float) -> np.ndarray:
        place = take.photograph(Nuisance(shift=(dx, dy))).reference
        # where the ground under the product's middle lies now
        rows, columns = np.nonzero(place.mask > 127)
        return np.array([columns.mean(), rows.max()])

    moved = foot(6.0, 4.0) - foot(0.0, 0.0)
    assert moved == pytest.approx([6.0, 4.0], abs=1.6)


def test_what_is_left_of_an_altered_model_stays_where_it_was(take: Take) -> None:
    gone = max(range(1, len(take.model.parts) + 1), key=lambda k: int((take.truth.parts == k).sum()))
    altered = replace(
        take.model, parts=tuple(part for k, part in enumerate(take.model.parts, 1) if k != gone), labels=()
    )
    shot = take.photograph(Nuisance(), altered)
    kept = (take.truth.parts != gone) & (take.truth.mask == 255)
    inner = kept & np.roll(kept, 2, 0) & np.roll(kept, -2, 0) & np.roll(kept, 2, 1) & np.roll(kept, -2, 1)
    assert inner.sum() > 50
    # (where two surfaces meet within a pixel, either may be named)
    off = np.abs(shot.reference.depth[inner] - take.truth.depth[inner])
    assert np.mean(off < 1e-3) > 0.97
    assert (shot.mask > 127).sum() < (take.truth.mask > 127).sum()


def test_light_that_strays_changes_the_product_and_its_shadow_but_not_where_it_is(take: Take) -> None:
    plain, other = take.photograph(Nuisance()), take.photograph(Nuisance(key_turn=25, key_gain=1.25))
    assert np.array_equal(plain.mask, other.mask)
    inside = plain.mask == 255
    assert np.abs(plain.picture.astype(int) - other.picture)[inside].mean() > 1
    assert not np.array_equal(plain.reference.shadow, other.reference.shadow)


def test_a_warm_lamp_tints_the_scene_and_the_product_alike(take: Take) -> None:
    plain, warm = take.photograph(Nuisance()).picture, take.photograph(Nuisance(warmth=1.0)).picture
    mask = take.truth.mask
    for where in (mask == 255, mask == 0):
        ratio = warm[where].mean(0) / plain[where].mean(0)
        assert ratio[0] > 1.01 > 0.99 > ratio[2]
    assert warmth_tint(0.0) == pytest.approx([1, 1, 1])


def test_a_strayed_key_keeps_its_length_and_turns_by_the_angle_asked() -> None:
    light = Light((0.6, 0.64, 0.48), (0.7, 0.7, 0.7), (0.2, 0.2, 0.2), (0.1, 0.1, 0.1))
    other = strayed(light, 20.0, 0.0, 1.1, 0.9, np.ones(3, np.float32))
    x, y, z = other.key_direction
    assert np.hypot(np.hypot(x, y), z) == pytest.approx(1.0)
    assert np.degrees(np.arctan2(x, z) - np.arctan2(0.6, 0.48)) == pytest.approx(20.0)
    assert other.key_colour == pytest.approx((0.77, 0.77, 0.77))
    assert other.sky_colour == pytest.approx((0.18, 0.18, 0.18))


def test_the_same_seed_gives_the_same_takes_and_the_splits_share_nothing() -> None:
    one, other = (next(iter(takes("test", SIZE, 1, seed=9))) for _ in range(2))
    assert one.product == other.product
    assert np.array_equal(one.truth.colour, other.truth.colour)
    assert one.words == other.words
    assert len(one.words.other_products) == 12
    assert one.words.product not in one.words.other_products
    assert not {scene.name for scene in scenes("test")} & {scene.name for scene in scenes("calibration")}


def test_made_scenes_have_a_level_ground_and_light_that_is_known() -> None:
    for scene in scenes("test"):
        assert not scene.light_estimated
        assert scene.ground_normal == (0.0, 1.0, 0.0)
        assert isinstance(scene.camera, Camera)
        (foot,), _ = scene.camera.project(np.array([scene.place.position]))
        assert 0.3 * scene.camera.width < foot[0] < 0.7 * scene.camera.width
        assert 0.5 * scene.camera.height < foot[1] < 0.95 * scene.camera.height


def test_good_specimens_can_be_judged_and_none_is_like_another(take: Take) -> None:
    made = list(good_specimens(take, np.random.default_rng(2), 4))
    assert len({one.id for one in made}) == 4
    assert all(one.defect is None and one.given.problem == "" for one in made)
    assert all(not np.array_equal(made[0].given.candidate, one.given.candidate) for one in made[1:])
    again = list(good_specimens(take, np.random.default_rng(2), 2))
    assert np.array_equal(again[1].given.candidate, made[1].given.candidate)
