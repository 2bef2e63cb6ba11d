from __future__ import annotations

import numpy as np

from packline.colour import to_linear
from packline.editing.cutout import cut_out, grounded

SIZE = 48
MASK = np.zeros((SIZE, SIZE), np.uint8)
MASK[12:30, 16:32] = 255
MASK[30, 16:32] = 128  # a soft edge at the foot
COVER = MASK[..., None] / 255
COLOUR = np.round(np.array([200, 40, 30]) * COVER + 205 * (1 - COVER)).astype(np.uint8)


def shadow(value):
    cast = np.full((SIZE, SIZE), 255, np.uint8)
    cast[28:36, 8:40] = value
    return cast


def test_an_open_ground_changes_nothing():
    assert (grounded(COLOUR, MASK, shadow(255)) == COLOUR).all()


def test_half_the_light_is_half_in_linear_light_and_only_beside_the_product():
    made = grounded(COLOUR, MASK, shadow(128))
    ground = np.zeros((SIZE, SIZE), bool)
    ground[31:36, 8:40] = True
    ratio = to_linear(made)[ground] / to_linear(COLOUR)[ground]
    np.testing.assert_allclose(ratio, 128 / 255, atol=0.01)
    changed = (made != COLOUR).any(-1)
    assert not changed[MASK == 255].any()
    assert not changed[shadow(128) == 255].any()


def test_the_soft_edge_hides_as_much_shadow_as_the_product_covers():
    made = grounded(COLOUR, MASK, shadow(0))
    assert (made[33, 20] == 0).all()
    # half product, half a black ground
    np.testing.assert_allclose(made[30, 20], np.array([200, 40, 30]) * 128 / 255, atol=1)


def test_a_product_that_fills_the_picture_is_left_alone():
    full = np.full((SIZE, SIZE), 255, np.uint8)
    assert grounded(COLOUR, full, shadow(0)) is COLOUR


def test_cutting_out_takes_the_backdrop_off_the_edge():
    np.testing.assert_allclose(cut_out(COLOUR, MASK)[30, 20], [200, 40, 30], atol=2)
