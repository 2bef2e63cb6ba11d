"""The start of models that see one picture: the render placed into the base photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear, to_srgb
from packline.editing.cutout import fill
from packline.editing.engine import EditRequest, Picture
from packline.editing.loading import resize
from packline.errors import GiveUp


def place(request: EditRequest, height: int, width: int) -> Picture:
    """The render and the shadow that it throws, put into the base photo; at the engine's size.

    The shadow is what darkens the render's own backdrop. Along the product's edge the base photo takes the
    backdrop's place, so that no grey rim is left for the model to keep.

    Raises
    ------
    GiveUp
        The request has no render or does not say where the product is in it.
    """
    if len(request.references) < 2 or request.mask is None:
        raise GiveUp("An image-to-image engine needs the product in place as image 2, and its mask.")
    base, product = request.references[:2]
    if base.shape != product.shape or request.mask.shape != base.shape[:2]:
        raise GiveUp(
            f"The base photo {base.shape[:2]}, the render {product.shape[:2]} and its mask "
            f"{request.mask.shape} must have one size."
        )
    bare = 1 - (request.mask.astype(np.float32) / 255)[..., None]
    behind, light = _behind(product, request.mask)
    ground = to_srgb(to_linear(base) * light).astype(np.float32)
    # where no shadow falls the photo stays as it is to the byte
    ground = np.where(light < 1, ground, base)
    placed = product + (ground - behind) * bare
    return resize(np.round(np.clip(placed, 0, 255)).astype(np.uint8), height, width)


def _behind(product: Picture, mask: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The backdrop of a render, and the share of the light that reaches the ground.

    Returns
    -------
    sRGB, float32 (H, W, 3), 0 to 255, with the shadow in it; and float32 (H, W, 3), 0 to 1. Behind the
    product both go on from beside it.
    """
    empty = mask == 0
    if not empty.any():
        return product.astype(np.float32), np.ones(product.shape, np.float32)
    # a shadow only darkens
    flat = product[empty].max(0)[None, None]
    share = to_linear(product) / np.maximum(to_linear(flat), 1e-6)
    # a byte's rounding is no shadow
    share[(product >= flat.astype(np.int16) - 1).all(-1)] = 1
    known = np.clip(share, 0, 1).astype(np.float32)
    light = fill(known, empty.astype(np.float32), (1.0, 3.0, 9.0))
    light = np.where(empty[..., None], known, np.clip(light, 0, 1)).astype(np.float32)
    return to_srgb(to_linear(flat) * light).astype(np.float32), light
