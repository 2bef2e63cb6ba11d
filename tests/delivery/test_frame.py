"""Crops hold the whole product, keep the shape that was asked for, and make up no pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packline.delivery import Box, cut, frame, product_box
from packline.delivery.frame import Frame
from packline.settings import FormatSettings

SQUARE = (1000, 1000)


@st.composite
def products(draw: st.DrawFn) -> Box:
    left, top = draw(st.integers(0, 990)), draw(st.integers(0, 990))
    return left, top, draw(st.integers(left + 1, 1000)), draw(st.integers(top + 1, 1000))


def asked(**values: object) -> FormatSettings:
    return FormatSettings.model_validate(values)


def test_the_whole_picture_is_delivered_pixel_for_pixel() -> None:
    assert frame(asked(), SQUARE) == Frame((0, 0, 1000, 1000), SQUARE)


def test_the_product_box_is_what_the_mask_covers() -> None:
    mask = np.zeros((50, 80), np.uint8)
    mask[10:20, 30:45] = 255
    mask[9, 33] = 8  # a breath of an edge
    assert product_box(mask) == (30, 10, 45, 20)
    assert product_box(np.zeros((5, 5), np.uint8)) is None


def test_a_product_is_cut_out_with_its_margin() -> None:
    found = frame(asked(crop="product", margin=0.1), SQUARE, (400, 300, 500, 500))
    assert found == Frame((380, 280, 520, 520), (140, 240))


def test_a_square_is_moved_into_the_picture_before_anything_is_added() -> None:
    found = frame(asked(crop="square", margin=0.0, longest=100), SQUARE, (900, 400, 1000, 600))
    assert found == Frame((800, 400, 1000, 600), (100, 100))


def test_the_edge_of_the_picture_takes_from_the_margin() -> None:
    found = frame(asked(crop="product", margin=0.5, width=400, height=400), SQUARE, (100, 100, 900, 900))
    assert found == Frame((0, 0, 1000, 1000), (400, 400))


def test_a_banner_shows_the_largest_part_that_holds_the_product() -> None:
    found = frame(asked(crop="fill", width=1600, height=900), SQUARE, (400, 500, 600, 800))
    assert found == Frame((0, 369, 1000, 931), (1000, 562)), "less than was asked for, not made up"


def test_a_banner_that_would_behead_the_product_shows_background_instead() -> None:
    found = frame(asked(crop="fill", width=800, height=400), SQUARE, (300, 100, 700, 900))
    assert found == Frame((-300, 100, 1300, 900), (800, 400))


@given(
    products(),
    st.sampled_from(["product", "square", "fill"]),
    st.integers(16, 2000),
    st.integers(16, 2000),
    st.floats(0, 1),
)
def test_no_crop_cuts_the_product_or_makes_up_pixels(
    product: Box, crop: str, width: int, height: int, margin: float
) -> None:
    shape = {"width": width, "height": width if crop == "square" else height}
    more = {} if crop == "fill" else {"margin": margin}
    found = frame(asked(crop=crop, **shape, **more), SQUARE, product)
    left, top, right, bottom = found.window
    assert (left <= product[0], top <= product[1], right >= product[2], bottom >= product[3]) == (True,) * 4
    assert found.size[0] <= right - left
    assert found.size[1] <= bottom - top
    wanted = shape["width"] / shape["height"]
    assert abs((right - left) - (bottom - top) * wanted) <= max(1.0, wanted), "but for whole pixels"
    if right - left <= 1000:
        assert left >= 0
        assert right <= 1000
    if bottom - top <= 1000:
        assert top >= 0
        assert bottom <= 1000


def test_what_lies_outside_the_picture_is_background() -> None:
    picture = np.full((10, 10, 3), 7, np.uint8)
    found = cut(picture, Frame((-5, 0, 15, 10), (20, 10)), "#ff8000")
    assert (found[:, :5] == (255, 128, 0)).all()
    assert (found[:, 5:15] == 7).all()
    assert (found[:, 15:] == (255, 128, 0)).all()


def test_shrinking_mixes_light_and_not_bytes() -> None:
    lines = np.zeros((512, 512, 3), np.uint8)
    lines[:, ::2] = 255
    middle = cut(lines, Frame((0, 0, 512, 512), (64, 64)), "#ffffff")[16:48, 16:48]
    # half of the light is byte 188; a mean of bytes would be 128
    assert np.abs(middle.astype(int) - 188).max() <= 1


@pytest.mark.parametrize("share", [2, 3, 5])
def test_shrinking_does_not_alias(share: int) -> None:
    # stripes finer than the small picture can hold must come out flat, and coarser ones stay
    across = np.arange(600)
    fine = np.tile(np.where(across % 2 == 0, 230, 25)[None, :, None], (600, 1, 3)).astype(np.uint8)
    small = cut(fine, Frame((0, 0, 600, 600), (600 // share // 2, 600 // share // 2)), "#ffffff")
    assert np.ptp(small[20:-20, 20:-20]) <= 2


def test_a_plain_colour_stays_that_colour() -> None:
    for byte in (0, 1, 17, 128, 254, 255):
        plain = np.full((90, 90, 3), byte, np.uint8)
        assert (cut(plain, Frame((0, 0, 90, 90), (37, 37)), "#ffffff") == byte).all()
