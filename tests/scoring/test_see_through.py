"""Glass shows the scene behind it: an honest one passes, whatever stands there, and a broken one does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring.bench.defects import Sitting
from scoring.bench.nuisances import Nuisance
from scoring.bench.takes import Take, takes
from scoring.check import CheckInput
from scoring.colour import CHECK as COLOUR
from scoring.see_through import glass_of, with_background
from scoring.shape import CHECK as SHAPE


def test_an_outline_is_no_glass_and_a_pane_is() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 255
    mask[10, 10:30] = 120  # an antialiased rim
    assert not glass_of(mask).any()
    mask[15:25, 15:25] = 90
    found = glass_of(mask)
    assert found[17:23, 17:23].all() and not found[:15].any()


def test_what_is_seen_through_a_pane_is_the_scene_and_its_shadow() -> None:
    mask = np.full((20, 20), 128, np.uint8)
    grey, red = np.full((20, 20, 3), 205, np.uint8), np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 200
    # a pane that adds nothing of its own before the grey wall: half the wall's light
    half = np.full((20, 20, 3), 150, np.uint8)
    colour, cover = with_background(half, mask, red)
    assert (cover == 255).all()
    assert (colour[..., 0].astype(int) - colour[..., 1] > 80).all()
    assert np.abs(with_background(half, mask, grey)[0].astype(int) - half).max() <= 1
    dim, _ = with_background(half, mask, grey, np.full((20, 20), 128, np.uint8))
    assert (dim < half - 15).all()


@pytest.fixture(scope="module")
def glass() -> Take:
    """A product whose every part is see-through."""
    take = next(one for one in takes("calibration", 384, 12, seed=360001) if len(one.model.parts) >= 3)
    parts = tuple(
        replace(
            part,
            material=replace(
                part.material, base_colour=(*part.material.base_colour[:3], 0.45), alpha_mode="BLEND"
            ),
        )
        for part in take.model.parts
    )
    model = replace(take.model, parts=parts)
    plain = Sitting(replace(take, model=model), Nuisance(), np.random.default_rng(0))
    drawn = plain.plain.reference
    return replace(take, model=model, truth=drawn)


def test_honest_glass_passes_and_with_a_part_gone_it_does_not(glass: Take) -> None:
    assert glass_of(glass.truth.mask).mean() > 0.5 * (glass.truth.mask > 0).mean()
    honest = glass.photograph(Nuisance(seed=3, key_turn=8.0, sky_gain=1.1)).picture
    largest = int(np.argmax([np.count_nonzero(glass.truth.parts == k + 1) for k in range(3)]))
    parts = tuple(part for k, part in enumerate(glass.model.parts) if k != largest)
    lacking = glass.photograph(Nuisance(), replace(glass.model, parts=parts, labels=())).picture
    for picture, right in ((honest, True), (lacking, False)):
        given = CheckInput(picture, glass.photo, glass.truth, words=glass.words)
        results = [
            one.judge([given], one.settings.model_validate(one.defaults))[0] for one in (SHAPE, COLOUR)
        ]
        assert all(one.score >= one.threshold for one in results) == right, [one.sentence for one in results]
