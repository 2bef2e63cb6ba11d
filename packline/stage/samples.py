"""Base colour at points spread evenly over a part's surface, whatever a camera sees of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.stage.model import Floats, Part, Texture

# the R2 sequence (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018): powers
# of the plastic number's inverse fill the square evenly, whichever run of the sequence one takes
_PLASTIC = 1.32471795724474602596
_R2 = np.array([1 / _PLASTIC, 1 / _PLASTIC**2])
# neighbours that a texel is compared with, in texels
_RING = ((2, 0), (-2, 0), (0, 2), (0, -2), (1, 1), (1, -1), (-1, 1), (-1, -1))
# levels of 255 that neighbours within one printed colour may differ by: JPEG's noise
_FLAT = 20


@dataclass(frozen=True)
class Samples:
    """Points of a surface.

    Parameters
    ----------
    linear
        Base colour, linear RGB, float32 (N, 3).
    weight
        How much of the surface's area each stands for, float32 (N,): 1, or less where the surface is
        see-through.
    flat
        Whether the print has one colour all around, bool (N,): not at the edge of a stroke.
    """

    linear: Floats
    weight: Floats
    flat: NDArray[np.bool_]


def surface_area(part: Part) -> NDArray[np.float64]:
    """Area of each triangle, square metres, float64 (F,)."""
    a, b, c = (part.vertices[part.faces[:, corner]].astype(np.float64) for corner in range(3))
    return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=-1) / 2)


def surface_samples(part: Part, count: int) -> Samples:
    """Look at a part's base colour in `count` points, each standing for the same area.

    The points are always the same: equal steps along the triangles' summed area choose the triangle, a
    low-discrepancy sequence the place in it.

    Parameters
    ----------
    count
        At least 1. A part of one flat colour is looked at once.
    """
    material = part.material
    factor = np.array(material.base_colour, np.float32)
    if material.texture is None and part.colours is None:
        flat = np.ones(1, bool)
        return Samples(factor[None, :3], _opacity(factor[None, 3], part), flat)
    triangles, weights = _points(surface_area(part), count)
    corners = part.faces[triangles]
    colour = np.broadcast_to(factor, (count, 4)).copy()
    flat = np.ones(count, bool)
    if part.colours is not None:
        colour *= np.einsum("nk,nkc->nc", weights, part.colours[corners])
    if material.texture is not None and part.uv is not None:
        uv = np.einsum("nk,nkc->nc", weights, part.uv[corners].astype(np.float64))
        texels, flat = _sampled(material.texture, uv, opaque=material.alpha_mode == "OPAQUE")
        colour *= texels
    return Samples(colour[:, :3], _opacity(colour[:, 3], part), flat)


def _opacity(alpha: Floats, part: Part) -> Floats:
    mode = part.material.alpha_mode
    if mode == "MASK":
        return (alpha >= part.material.alpha_cutoff).astype(np.float32)
    return np.clip(alpha, 0, 1) if mode == "BLEND" else np.ones_like(alpha)


def _points(areas: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Triangle of each point, (N,), and the weights of its corners, (N, 3)."""
    summed = np.cumsum(areas)
    if not summed[-1] > 0:
        summed = np.arange(1.0, len(areas) + 1)
    steps = (np.arange(count) + 0.5) / count * summed[-1]
    triangles = np.minimum(np.searchsorted(summed, steps, side="right"), len(areas) - 1)
    u, v = ((0.5 + _R2 * np.arange(1, count + 1)[:, None]) % 1).T
    # the square's other half is folded onto the triangle, which keeps the points even
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    return triangles, np.stack([1 - u - v, u, v], -1)


def _sampled(texture: Texture, uv: NDArray[np.float64], opaque: bool) -> tuple[Floats, NDArray[np.bool_]]:
    """Linear RGBA of a texture's finest level, float32 (N, 4), and whether it is flat there."""
    height, width = texture.pixels.shape[:2]
    at = uv * (width, height)
    here = np.floor(at).astype(np.int64)
    centre = _texels(texture, here)
    low, high = centre[:, :3], centre[:, :3]
    for offset in _RING:
        near = _texels(texture, here + offset)[:, :3]
        low, high = np.minimum(low, near), np.maximum(high, near)
    flat = (high.astype(np.int16) - low).max(-1) <= _FLAT
    if texture.nearest:
        return _linear(centre), flat
    corner = np.floor(at - 0.5)
    share = (at - 0.5 - corner).astype(np.float32)
    first = corner.astype(np.int64)
    colour, alpha, weight = (np.zeros((len(uv), channels), np.float32) for channels in (3, 1, 1))
    for right in (0, 1):
        for down in (0, 1):
            one = share[:, :1] if right else 1 - share[:, :1]
            other = share[:, 1:] if down else 1 - share[:, 1:]
            texels = _linear(_texels(texture, first + np.array((right, down))))
            alpha += texels[:, 3:] * one * other
            # what is cut away or clear lends its neighbours no colour
            counts = one * other * (1 if opaque else texels[:, 3:])
            colour += texels[:, :3] * counts
            weight += counts
    return np.concatenate([colour / np.maximum(weight, 1e-6), alpha], -1), flat


def _linear(texels: NDArray[np.uint8]) -> Floats:
    alpha = texels[:, 3:].astype(np.float32) / np.float32(255)
    return np.concatenate([to_linear(texels[:, :3]), alpha], -1)


def _texels(texture: Texture, at: NDArray[np.int64]) -> NDArray[np.uint8]:
    height, width = texture.pixels.shape[:2]
    across, down = texture.wrap
    return texture.pixels[_wrapped(at[:, 1], height, down), _wrapped(at[:, 0], width, across)]


def _wrapped(index: NDArray[np.int64], size: int, wrap: str) -> NDArray[np.int64]:
    if wrap == "clamp":
        return np.clip(index, 0, size - 1)
    if wrap == "mirror":
        index = index % (2 * size)
        return np.minimum(index, 2 * size - 1 - index)
    return index % size
