"""What stands behind glass: a reference shows it before a grey wall, a candidate before the scene."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear, to_srgb
from packline.reference import BACKDROP

Picture = NDArray[np.uint8]

# of 255: how far from nothing and from all the coverage of something see-through is
_CLEAR = 12


def glass_of(mask: Picture) -> NDArray[np.bool_]:
    """Where one sees through a product, bool (H, W).

    An outline's antialiased pixels are none of it: they lie beside what is solid.

    Parameters
    ----------
    mask
        The render's coverage, uint8 (H, W).
    """
    around = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    return np.asarray((mask > _CLEAR) & (around < 255 - _CLEAR))


def with_background(
    colour: Picture, mask: Picture, base: Picture, shadow: Picture | None = None
) -> tuple[Picture, Picture]:
    """A render and its coverage where one sees through it: the scene behind it, and covered all the same.

    Parameters
    ----------
    colour, mask
        Of the reference, sRGB uint8 (H, W, 3) and uint8 (H, W).
    base
        The base photo there, sRGB uint8 (H, W, 3).
    shadow
        How much light the product leaves to the ground, 255 for all, uint8 (H, W).

    Returns
    -------
    colour, mask
        The given ones where there is no glass; all other pixels are theirs anyway.
    """
    glass = glass_of(mask)
    if not glass.any():
        return colour, mask
    through = (255 - mask[glass].astype(np.float32))[:, None] / np.float32(255)
    wall = to_linear(np.array(BACKDROP, np.uint8))
    behind = to_linear(base[glass])
    if shadow is not None:
        behind = behind * (shadow[glass].astype(np.float32) / np.float32(255))[:, None]
    shown = to_linear(colour[glass]) + through * (behind - wall)
    colour, mask = colour.copy(), mask.copy()
    colour[glass], mask[glass] = to_srgb(np.clip(shown, 0, 1)), 255
    return colour, mask
