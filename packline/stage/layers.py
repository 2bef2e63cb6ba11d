"""See-through surfaces: from the layers of a G-buffer to one picture.

The rule, for each pixel:

- **Colour, albedo, emission**: each layer's own, laid over what is behind it in linear light by its alpha.
  What a smooth surface mirrors is not dimmed by its alpha: a highlight on a pane is as bright as on a stone.
- **Mask**: how much of what is behind the product is hidden: the union of coverage times alpha.
- **Geometry and material** (depth, normals, UV, part, roughness, metallic, occlusion, unlit): those of one
  surface, never a mean of two: the nearest that is at least half opaque, else the nearest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.stage.model import Floats, GBuffer

#: From this alpha down, what a surface mirrors fades too: where nothing is painted, nothing shines.
_FADES = np.float32(0.05)
_OF_ONE_SURFACE = ("normals", "depth", "uv", "parts", "roughness", "metallic", "occlusion", "unlit")


def layers_of(gbuffer: GBuffer) -> list[GBuffer]:
    """The layers of a G-buffer, nearest first, the opaque surfaces last."""
    layers = []
    above = gbuffer.over
    while above is not None:
        layers.append(above)
        above = above.over
    return [*layers, gbuffer]


def flattened(gbuffer: GBuffer) -> GBuffer:
    """One G-buffer of all layers, by the rule of this module; without see-through surfaces it is the same.

    Parameters
    ----------
    gbuffer
        Maps of shape (H, W, ...).
    """
    if gbuffer.over is None:
        return gbuffer
    layers = layers_of(gbuffer)
    mask = sum((_share(layer) for layer in layers), np.zeros_like(gbuffer.mask))
    shown = _shown(layers)
    maps: dict[str, Any] = {
        name: _mean([(_share(layer), getattr(layer, name)) for layer in layers])
        for name in ("albedo", "emissive")
    }
    for name in _OF_ONE_SURFACE:
        values = getattr(layers[-1], name).copy()
        for index, layer in enumerate(layers[:-1]):
            at = shown == index
            values[at] = getattr(layer, name)[at]
        maps[name] = values
    return replace(gbuffer, mask=np.minimum(mask, 1), over=None, alpha=None, share=None, **maps)


def shaded(gbuffer: GBuffer, shade: Callable[[GBuffer], Floats]) -> Floats:
    """Light each layer by itself and lay them over one another.

    Parameters
    ----------
    gbuffer
        Maps of shape (H, W, ...).
    shade
        Lights one layer: linear RGB, float32 (H, W, 3), not premultiplied.

    Returns
    -------
    float32 (H, W, 3)
        Linear RGB to be laid over the background by `flattened(gbuffer).mask`; not premultiplied, so that a
        highlight on a thin pane may be far above 1.
    """
    if gbuffer.over is None:
        return shade(gbuffer)
    total = np.zeros_like(gbuffer.mask)
    colour = np.zeros_like(gbuffer.albedo)
    for layer in layers_of(gbuffer):
        share, alpha = _share(layer), _alpha(layer)
        # diffuse light is proportional to the albedo, mirrored light is not: dim the one but not the other
        whole = np.minimum(alpha / _FADES, 1)
        dim = (alpha / np.maximum(whole, np.float32(1e-6)))[..., None]
        light = shade(replace(layer, albedo=layer.albedo * dim, emissive=layer.emissive * dim, over=None))
        colour += light * (share / np.maximum(alpha, np.float32(1e-6)) * whole)[..., None]
        total += share
    return np.asarray(colour / np.maximum(total, np.float32(1e-6))[..., None], np.float32)


def _share(layer: GBuffer) -> Floats:
    return layer.mask if layer.share is None else layer.share


def _alpha(layer: GBuffer) -> Floats:
    return np.ones_like(layer.mask) if layer.alpha is None else layer.alpha


def _mean(parts: list[tuple[Floats, Floats]]) -> Floats:
    total = sum((share for share, _ in parts), np.zeros_like(parts[0][0]))
    mixed = sum((share[..., None] * values for share, values in parts), np.zeros_like(parts[0][1]))
    return np.asarray(mixed / np.maximum(total, np.float32(1e-6))[..., None], np.float32)


def _shown(layers: list[GBuffer]) -> NDArray[np.intp]:
    """Which layer's geometry each pixel shows, shape (H, W)."""
    there = np.stack([layer.mask > 0 for layer in layers])
    solid = there & np.stack([_alpha(layer) >= 0.5 for layer in layers])
    # at its edge, a surface must fill half of the pixel, or it would grow by one pixel all around
    fills = solid & np.stack([layer.mask >= 0.5 * _alpha(layer) for layer in layers])
    choice = np.zeros(there.shape[1:], np.intp)
    for candidates in (there, solid, fills):
        choice = np.where(candidates.any(0), candidates.argmax(0), choice)
    return choice
