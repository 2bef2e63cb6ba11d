"""What of a part stops light: leaves rather than the cards that they are painted on."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.stage.model import Floats, Part, Texture

#: A triangle that is cut away in part is divided at most so often, each time in four.
_DIVISIONS = 4
#: Divided at least so often before none of it is believed to be there: a leaf is smaller than its card.
_LOOKED_AT = 2
#: Triangles of one part after which it is divided no further.
_MOST = 200_000
#: Texels along the longest side of the alpha that is looked at.
_TEXELS = 512

#: A triangle's corners and its edges' middles, from which its four quarters are made.
_QUARTERS = np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]])


def solid_part(part: Part) -> Part | None:
    """The part without what its alpha cuts away or lets most light through; None: nothing is left.

    Parameters
    ----------
    part
        With any alpha mode; vertex colours do not count.

    Returns
    -------
    Part
        The same where it is opaque; else with triangles of their own, positions and faces only to be used.
    """
    material = part.material
    if material.alpha_mode == "OPAQUE":
        return part
    least = material.alpha_cutoff if material.alpha_mode == "MASK" else 0.5
    if material.base_colour[3] < least:
        return None
    texture = material.texture
    if texture is None or part.uv is None or least <= 0:
        return part
    there = _alpha(texture) * material.base_colour[3] >= least
    if there.all():
        return part
    kept = _divided(part.vertices[part.faces], part.uv[part.faces], there, texture.wrap)
    if not len(kept):
        return None
    return replace(
        part, vertices=kept.reshape(-1, 3), faces=np.arange(3 * len(kept), dtype=np.int64).reshape(-1, 3)
    )


def _divided(corners: Floats, uv: Floats, there: NDArray[np.bool_], wrap: tuple[str, str]) -> Floats:
    """Triangles that cover what is there, shape (N, 3, 3)."""
    kept = []
    for division in range(_DIVISIONS + 1):
        seen = _sampled(there, np.einsum("lk,nkc->nlc", _LOOKS, uv), wrap)
        whole = seen.all(1) & (division >= min(_LOOKED_AT, _DIVISIONS))
        last = division == _DIVISIONS or 4 * len(corners) > _MOST
        if last:
            # of many that are there in part, as many as their area says, evenly spread (golden ratio)
            kept.append(corners[seen.mean(1) > (np.arange(len(seen)) + 0.5) * 0.6180339887 % 1])
            break
        kept.append(corners[whole])
        mixed = ~whole & (seen.any(1) | (division < _LOOKED_AT))
        corners, uv = _quartered(corners[mixed]), _quartered(uv[mixed])
    return np.concatenate(kept).astype(np.float32)


def _quartered(triangles: Floats) -> Floats:
    middles = (triangles + np.roll(triangles, -1, 1)) / 2
    points = np.concatenate([triangles, middles], 1)
    return np.asarray(points[:, _QUARTERS].reshape(-1, 3, triangles.shape[-1]), np.float32)


#: Where in a triangle alpha is looked at, barycentric: in the middles of the sixteenths of its area.
_LOOKS = _quartered(_quartered(np.eye(3, dtype=np.float32)[None])).mean(1)


def _alpha(texture: Texture) -> Floats:
    alpha = texture.pixels[..., 3].astype(np.float32) / np.float32(255)
    longest = max(alpha.shape)
    if longest <= _TEXELS:
        return alpha
    size = (max(1, alpha.shape[1] * _TEXELS // longest), max(1, alpha.shape[0] * _TEXELS // longest))
    return np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA))


def _sampled(there: NDArray[np.bool_], uv: Floats, wrap: tuple[str, str]) -> NDArray[np.bool_]:
    height, width = there.shape
    x, y = (
        np.minimum((_wrapped(uv[..., axis], wrap[axis]) * size).astype(int), size - 1)
        for axis, size in ((0, width), (1, height))
    )
    return np.asarray(there[y, x])


def _wrapped(at: Floats, wrap: str) -> Floats:
    if wrap == "clamp":
        return np.clip(at, 0, 1)
    if wrap == "mirror":
        return np.asarray(1 - np.abs(at % 2 - 1), np.float32)
    return np.asarray(at % 1, np.float32)
