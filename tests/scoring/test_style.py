"""What was done to a whole picture is found outside the product, and only there."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring.style import SMALL, Style, fit_style, median, no_style, quantile, small, surroundings
from tests.scoring.synthetic import SIZE, base_photo, product_mask


@lru_cache(maxsize=1)
def scene() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A colourful base photo and where it is scene alone."""
    photo = base_photo(4).astype(np.float32)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    photo += (40 * np.sin(7 * x) + 25 * np.cos(9 * y))[..., None] * np.array([1.0, -0.4, -0.8])
    mask = product_mask()
    return np.clip(photo, 0, 255).astype(np.uint8), surroundings(mask, np.full_like(mask, 255))


def found(change: NDArray[np.float32], photo: NDArray[np.uint8], where: NDArray[np.bool_]) -> Style:
    """The style of a photo that was changed to `change`."""
    return fit_style(small(photo), small(np.clip(np.round(change), 0, 255).astype(np.uint8)), where)


def warm(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    return photo * np.array([1.08, 1.0, 0.88], np.float32)


def faded(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    return 24 + photo * np.float32(0.8)


def pale(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    grey = photo.mean(-1, keepdims=True)
    return grey + (photo - grey) * np.float32(0.7)


def dark_at_the_corners(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    return (photo * (1 - 0.12 * (x * x + y * y))[..., None]).astype(np.float32)


@pytest.mark.parametrize("change", [warm, faded, pale, dark_at_the_corners])
def test_a_smooth_change_is_found_to_within_two_grey_levels(change) -> None:
    photo, where = scene()
    changed = np.clip(change(photo.astype(np.float32)), 0, 255)
    style = found(changed, photo, where)
    error = np.abs(style.apply(photo) - changed)[np.repeat(np.repeat(where, 4, 0), 4, 1)]
    assert float(np.percentile(error, 95)) < 2
    assert style.known and 0.05 < style.strength < 0.6 and style.noise < 1


def test_no_change_leaves_every_picture_as_it_is() -> None:
    photo, where = scene()
    style = found(photo.astype(np.float32), photo, where)
    assert style.strength < 0.02
    assert float(np.abs(style.apply(photo) - photo).max()) < 1.5


def test_a_thing_that_appeared_does_not_bend_the_style() -> None:
    photo, where = scene()
    changed = warm(photo.astype(np.float32))
    clean = found(changed, photo, where)
    changed[40:300, 40:420] = (250, 20, 30)
    spoiled = found(changed, photo, where)
    assert float(np.abs(clean.apply(photo) - spoiled.apply(photo)).mean()) < 1.0


def test_what_happens_to_the_product_alone_is_no_style() -> None:
    photo, where = scene()
    changed = photo.astype(np.float32)
    inside = product_mask() > 0
    changed[inside] = changed[inside] * 0.6
    style = found(changed, photo, where)
    assert style.strength < 0.02


def test_a_style_is_the_same_at_every_size_of_picture() -> None:
    photo, where = scene()
    style = found(dark_at_the_corners(photo.astype(np.float32)), photo, where)
    whole = small(np.round(style.apply(photo)).astype(np.uint8))
    assert float(np.abs(whole - style.apply(small(photo))).max()) < 1.5


def test_a_product_that_fills_the_frame_leaves_the_style_unknown() -> None:
    photo, where = scene()
    style = fit_style(small(photo), small(photo), np.zeros_like(where))
    assert not style.known
    assert np.array_equal(style.apply(photo), photo.astype(np.float32))
    assert np.array_equal(no_style().coefficients, style.coefficients)
    assert where.shape == (SMALL, SMALL)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 26, 1000, 20_001])
def test_medians_and_quantiles_are_those_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).normal(0, 50, count).astype(np.float32)
    assert median(values) == float(np.median(values))
    for share in (0.0, 0.3, 0.92, 0.95, 1.0):
        assert quantile(values, share) == float(np.quantile(values, share))
