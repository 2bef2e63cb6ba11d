"""Another renderer changes what surfaces look like: neither their outline nor the scene nor the truth."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from packline.stage.views import scene_pose
from scoring.bench.nuisances import Nuisance, draw_nuisance
from scoring.bench.photographs import Drawing, draw
from scoring.bench.renderers import Renderer, another
from scoring.bench.takes import Take, takes

SIZE = 256


@pytest.fixture(scope="module")
def take() -> Take:
    return next(one for one in takes("calibration", SIZE, 8, seed=6) if len(one.model.parts) > 2)


def drawn(take: Take, renderer: Renderer | None) -> Drawing:
    x, z, turn, scale = take.asked
    pose = scene_pose(take.model, take.scene, take.side, (x, z), turn, scale)
    light, ground = take.scene.light, take.scene.place.position[1]
    return draw(take.model, pose, take.truth.camera, light, ground, renderer)


def test_the_stages_own_renderer_and_a_mirrored_room_that_is_the_scene_change_nothing(take: Take) -> None:
    own = drawn(take, None).colour
    assert np.array_equal(drawn(take, Renderer()).colour, own)
    assert another(take.scene.light, 0.0, 3) == Renderer()
    # what is taken away is all that surfaces mirror, and what is put there instead is the same again
    mirrored = drawn(take, Renderer(mirrored=1.0, room=take.scene.light)).colour
    assert np.allclose(mirrored, own, atol=2e-5)


def test_a_dark_room_dims_what_is_mirrored_and_contrast_leaves_a_grey_card_alone(take: Take) -> None:
    light, own = take.scene.light, drawn(take, None).colour
    nothing = (0.0, 0.0, 0.0)
    dark = replace(light, key_colour=nothing, sky_colour=nothing, ground_colour=nothing)
    dimmed = drawn(take, Renderer(mirrored=1.0, room=dark)).colour
    assert (dimmed <= own + 1e-5).all() and dimmed.min() >= 0
    inside = take.truth.mask == 255
    assert 0.5 < dimmed[inside].mean() / own[inside].mean() < 0.99
    grey = np.array([0.2126, 0.7152, 0.0722])
    before, after = ((one @ grey)[inside] for one in (own, drawn(take, Renderer(contrast=1.3)).colour))
    assert np.allclose(after, 0.18 * (before / 0.18) ** 1.3, atol=1e-4)
    hueless = drawn(take, Renderer(colourful=0.0)).colour[inside]
    assert np.allclose(hueless, before[:, None], atol=1e-5)


def test_a_foreign_photograph_differs_in_the_product_alone(take: Take) -> None:
    plain, foreign = (take.photograph(Nuisance(foreign=f, seed=4)) for f in (0.0, 1.0))
    assert np.array_equal(plain.mask, foreign.mask)
    assert np.array_equal(plain.reference.albedo, foreign.reference.albedo)
    apart = np.abs(plain.picture.astype(int) - foreign.picture).max(-1)
    assert np.median(apart[plain.mask == 255]) >= 2
    assert apart[plain.mask == 0].max() == 0


def test_a_toe_deepens_blacks_and_purifies_colours(take: Take) -> None:
    before, after = (drawn(take, one).colour[take.truth.mask == 255] for one in (None, Renderer(toe=0.03)))
    dark, bright = before.max(-1) < 0.1, before.min(-1) > 0.18
    assert (after[dark] <= before[dark] + 1e-6).all() and (after[bright] >= before[bright] - 1e-6).all()
    spread = [one.max(-1) / np.maximum(one.min(-1), 1e-4) for one in (before, after)]
    assert (spread[1] >= spread[0] - 1e-3).all() and np.median(spread[1] / spread[0]) > 1


def test_one_picture_in_four_is_drawn_by_another_renderer() -> None:
    far = np.array([draw_nuisance(np.random.default_rng([8, k]), 512).foreign for k in range(400)])
    assert 0.2 < (far > 0).mean() < 0.3 and far[far > 0].min() >= 0.1 and far.max() <= 1
    plain, some = (
        [asdict(draw_nuisance(np.random.default_rng([8, k]), 512, foreign=f)) for k in range(20)]
        for f in (0.0, None)
    )
    assert [one | {"foreign": 0.0} for one in some] == plain


def test_all_else_is_drawn_as_it_is_without() -> None:
    ours, theirs = (
        [draw_nuisance(np.random.default_rng(5), 512, foreign=f) for _ in range(3)] for f in (0.0, 0.8)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert 0.4 <= other.foreign <= 0.8 and one.foreign == 0
        assert asdict(one) == asdict(other) | {"foreign": 0.0}
