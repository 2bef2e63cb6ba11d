"""The start of models that see one picture: the render placed into the base photo."""

from __future__ import annotations

import numpy as np

from packline.editing.engine import EditRequest, Picture
from packline.editing.loading import resize
from packline.errors import GiveUp


def place(request: EditRequest, height: int, width: int) -> Picture:
    """The render pasted into the base photo, at the engine's size.

    Raises
    ------
    GiveUp
        The request has no render or does not say where the product is in it.
    """
    if len(request.references) < 2 or request.mask is None:
        raise GiveUp("An image-to-image engine needs the product in place as image 2, and its mask.")
    base, product = (picture.astype(np.float32) for picture in request.references[:2])
    if base.shape != product.shape or request.mask.shape != base.shape[:2]:
        raise GiveUp(
            f"The base photo {base.shape[:2]}, the render {product.shape[:2]} and its mask "
            f"{request.mask.shape} must have one size."
        )
    cover = request.mask[..., None].astype(np.float32) / 255
    return resize(np.round(product * cover + base * (1 - cover)).astype(np.uint8), height, width)
