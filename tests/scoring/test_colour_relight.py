"""The model of honest light: what is uneven everywhere, or shows something else, accuses nobody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring.colour_regions import FEATURES, Patches, Region
from scoring.colour_suspects import accused, suspects
from scoring.relight import Residual, belief, load, veils_of
from scoring.style import no_style

TILES = 8


def _patches() -> Patches:
    """Two grey regions of eight patches each, beside one another, that face the camera."""
    count = 2 * TILES
    features = np.zeros((count, len(FEATURES)), np.float32)
    features[:, FEATURES.index("normal z")] = 1
    features[:, FEATURES.index("across")] = np.repeat((-0.5, 0.5), TILES)
    features[:, FEATURES.index("down")] = np.tile(np.linspace(-1, 1, TILES), 2)
    features[:, FEATURES.index("albedo lightness")] = -1
    features[:, FEATURES.index("pixels")] = np.log(300)
    regions = tuple(Region(name, k + 1, 0, 300 * TILES, (50.0, 0.0, 0.0)) for k, name in enumerate("ab"))
    region = np.repeat((0, 1), TILES)
    shown = np.full((count, 3), 120, np.float32)
    return Patches(regions, region, (), features, shown, features[:, 3:5])


def _under_both(
    difference: NDArray[np.float64], patches: Patches, spread: float = 0.02
) -> tuple[Residual, ...]:
    """The same differences under the model of the stage's light and under that of another renderer's."""
    measured = (
        difference.astype(np.float32),
        np.full((2 * TILES, 3), spread, np.float32),
        np.ones(2 * TILES, np.float32),
    )
    return tuple(Residual.of(model, patches, no_style(), measured) for model in load())


def _residual(difference: NDArray[np.float64], spread: float = 0.02) -> Residual:
    return _under_both(difference, _patches(), spread)[0]


FIRST = np.arange(2 * TILES) < TILES


def test_a_region_that_is_redder_than_the_other_stands_out() -> None:
    shifted = np.where(FIRST[:, None], (0.0, 0.3, 0.0), 0.0)
    residual = _residual(shifted)
    assert residual.misfit == 1
    assert residual.shift(FIRST).hue_sigmas > 4
    assert residual.shift(FIRST).axes[1] > 0.15


def test_the_same_shift_counts_less_where_all_colours_are_uneven() -> None:
    shifted = np.where(FIRST[:, None], (0.0, 0.3, 0.0), 0.0)
    uneven = np.tile((-0.15, 0.15), TILES)[:, None] * (0, 1, 1)
    even, rough = _residual(shifted), _residual(shifted + uneven)
    assert rough.misfit > 2
    assert rough.shift(FIRST).hue_sigmas < 0.7 * even.shift(FIRST).hue_sigmas


def test_one_patch_that_shows_its_neighbour_is_left_aside() -> None:
    stray = np.zeros((2 * TILES, 3))
    stray[3] = (0.3, 1.1, -1.2)
    residual = _residual(stray)
    assert residual.misfit == 1
    assert residual.shift(FIRST).sigmas < 1


def _dark_and_bright() -> Patches:
    patches = _patches()
    shown = np.where(FIRST[:, None], (40.0, 30.0, 20.0), (200.0, 190.0, 150.0)).astype(np.float32)
    return replace(patches, shown=shown)


def test_a_picture_says_itself_that_another_renderer_drew_it() -> None:
    patches = _dark_and_bright()
    # light that the other renderer's curve swallows: much of a dark colour, little of a bright one
    toe = -veils_of(patches)[..., 0].astype(float)
    assert abs(toe[FIRST, 0]).mean() > 5 * abs(toe[~FIRST, 0]).mean()
    plain, foreign = (belief(_under_both(one, patches)) for one in (0 * toe, toe))
    assert plain.sum() == pytest.approx(1) and foreign.sum() == pytest.approx(1)
    assert plain[0] > 0.6 and foreign[1] > plain[1] + 0.2


def test_what_another_renderer_does_accuses_nobody_and_a_wrong_hue_is_accused_under_both() -> None:
    patches = _dark_and_bright()
    toe = -veils_of(patches)[..., 0].astype(float)
    wrong = toe + np.where(FIRST[:, None], (0.0, 1.2, 0.0), 0.0)
    certain = {}
    for name, difference in (("right", toe), ("wrong", wrong)):
        both = _under_both(difference, patches)
        found = accused(patches, both, (0, 1), belief(both))
        certain[name] = found.certain
        own = max(one.certain for one in suspects(patches, both[0], (0, 1)))
        assert found.certain <= own + 1e-9
    assert certain["right"] < 0.8 < 2 < certain["wrong"]
