"""The product of a reference without the grey behind it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear, to_srgb
from packline.editing.engine import Picture


def cut_out(colour: Picture, mask: Picture) -> NDArray[np.float32]:
    """Undo the mixing with the backdrop along the product's edge.

    Parameters
    ----------
    colour
        The product over a flat backdrop, mixed in sRGB; uint8 (H, W, 3).
    mask
        Its antialiased coverage, uint8 (H, W).

    Returns
    -------
    sRGB, float32 (H, W, 3), 0 to 255. Just outside the product its nearest colours go on, so that resizing
    and filtering see no backdrop.
    """
    cover = (mask.astype(np.float32) / 255)[..., None]
    empty = mask == 0
    if not empty.any():
        return colour.astype(np.float32)
    backdrop = np.median(colour[empty], axis=0).astype(np.float32)
    # dividing by less than a third multiplies the rounding of a byte too much
    known = cover > 0.3
    alone = np.clip((colour - backdrop * (1 - cover)) / np.maximum(cover, 0.3), 0, 255).astype(np.float32)
    return fill(alone, known[..., 0].astype(np.float32), (1.0, 3.0, 9.0))


def grounded(colour: Picture, mask: Picture, shadow: Picture) -> Picture:
    """The product with the shadow that it throws, on a flat backdrop.

    An engine that is shown where the shadow falls under the scene's light need not work it out.

    Parameters
    ----------
    colour, mask
        As for `cut_out`.
    shadow
        How much of the light reaches the ground, uint8 (H, W); 255 is all of it.
    """
    empty = mask == 0
    if not empty.any():
        return colour
    backdrop = np.median(colour[empty], axis=0).astype(np.uint8)
    lit = to_linear(backdrop[None, None]) * (np.arange(256, dtype=np.float32) / 255)[:, None, None]
    darker = (to_srgb(lit)[:, 0].astype(np.float32) - backdrop)[shadow]
    mixed = colour + darker * (1 - mask.astype(np.float32) / 255)[..., None]
    return np.asarray(np.round(np.clip(mixed, 0, 255)), np.uint8)


def fill(
    values: NDArray[np.float32], weight: NDArray[np.float32], widths: tuple[float, ...]
) -> NDArray[np.float32]:
    """Continue values from where they are known (weight 1) to where they are not (weight 0).

    Parameters
    ----------
    widths
        Standard deviations of Gaussians in pixels, narrow to wide; the narrowest that sees enough decides.
    """
    result = values * weight[..., None]
    have = weight.copy()
    for width in widths:
        near = smooth(weight, width)
        mean = smooth(values * weight[..., None], width) / np.maximum(near, 1e-6)[..., None]
        take = (1 - have) * np.clip(near / 0.1, 0, 1)
        result += mean * take[..., None]
        have += take
    average = (values * weight[..., None]).sum((0, 1)) / max(float(weight.sum()), 1e-6)
    return np.asarray(result + average * (1 - have)[..., None], np.float32)


def smooth(values: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Gaussian filter, standard deviation in pixels; the edge is repeated."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), width, borderType=cv2.BORDER_REPLICATE), np.float32)
