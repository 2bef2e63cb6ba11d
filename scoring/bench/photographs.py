"""Drawing a product into a scene's photo, with all passes of what was drawn.

One renderer a process. What does not change between two photographs of one product in one pose (the raster,
the light from all around, text truth) is drawn once.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.reference import BACKDROP, Picture, Reference
from packline.scenes import Light
from packline.stage.colours import product_colours, seen_colours
from packline.stage.label_map import label_map
from packline.stage.layers import flattened, shaded
from packline.stage.lighting import develop, shade
from packline.stage.model import Floats, GBuffer, ProductModel
from packline.stage.raster import Rasteriser, Stage
from packline.stage.render import surface_pass
from packline.stage.self_shadow import self_shadow
from packline.stage.shadow import composite, ground_shadow, shadow_ratio
from packline.stage.text_truth import text_truth
from packline.truth import PartColours, TextTruth
from scoring.bench.renderers import Renderer

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_modules = 0
_KEPT = 6  # rasters of 512 px take some 30 MB each


@dataclass(frozen=True, eq=False)
class Drawing:
    """A product in a picture's camera under a light.

    Parameters
    ----------
    colour
        Linear RGB of the lit product, float32 (H, W, 3), not premultiplied.
    cover
        float32 (H, W), 0 to 1.
    shadow
        What share of the ground's light is left, by channel, float32 (H, W, 3).
    reference
        All passes as `packline.stage.render.render_reference` gives them in the view "scene".
    """

    colour: Floats
    cover: Floats
    shadow: Floats
    reference: Reference

    def over(self, photo: Picture) -> Picture:
        """The photo under the product's shadow with the product in it, sRGB uint8 (H, W, 3)."""
        return composite(photo, self.colour, self.cover, self.shadow)


@dataclass(frozen=True, eq=False)
class _Raster:
    model: ProductModel
    layered: GBuffer
    flat: GBuffer
    labels: tuple[TextTruth, ...]
    label_map: Picture
    colours: tuple[PartColours, ...]


_rasters: OrderedDict[tuple[Any, ...], _Raster] = OrderedDict()
_colours: OrderedDict[int, tuple[ProductModel, tuple[PartColours, ...]]] = OrderedDict()


@lru_cache(maxsize=4)
def rasteriser(size: int) -> Rasteriser:
    """The renderer of this process for pictures of up to `size` pixels."""
    # triton and Mesa each bring an LLVM of their own: triton after Mesa crashes, Mesa after triton does not,
    # and the checks that come after may well load torch
    with suppress(ImportError):
        import triton  # type: ignore[import-untyped]  # noqa: F401
    return Rasteriser(size)


def draw(
    model: ProductModel,
    pose: NDArray[np.float64],
    camera: Camera,
    light: Light,
    ground: float,
    renderer: Renderer | None = None,
) -> Drawing:
    """Draw a product in a scene.

    Parameters
    ----------
    model
        Normalised; `pose`, (4, 4), puts it on its place.
    ground
        Height in metres of what it stands on.
    renderer
        Whose idea of surfaces it is; None: the stage's own.
    """
    placed = model.transformed(pose)
    _settle()
    with rasteriser(max(camera.width, camera.height)).staged(placed) as stage:
        raster = _raster(model, pose, stage, camera)

        def lit(layer: GBuffer) -> Floats:
            visible = self_shadow(stage, camera, layer, light)
            if renderer is not None:
                return renderer.lit(layer, camera, light, ground, visible)
            return shade(layer, camera, light, ground, visible)

        colour = shaded(raster.layered, lit)
        shadow = shadow_ratio(light, *ground_shadow(stage, camera, light, ground=ground))
    flat = raster.flat
    cover = flat.mask[..., None]
    grey = to_linear(np.array([BACKDROP], np.uint8))
    mask = np.round(flat.mask * 255).astype(np.uint8)
    reference = Reference(
        view="scene",
        camera=camera,
        colour=develop(colour * cover + grey * (1 - cover)),
        albedo=to_srgb(flat.albedo),
        depth=flat.depth,
        normals=flat.normals,
        mask=mask,
        shadow=np.round(np.clip(shadow @ _LUMINANCE, 0, 1) * 255).astype(np.uint8),
        uv=flat.uv - np.floor(flat.uv),
        parts=flat.parts,
        label_map=raster.label_map,
        labels=raster.labels,
        colours=raster.colours,
        notes=model.notes,
        surface=surface_pass(flat),
    )
    return Drawing(colour, flat.mask, shadow, reference)


def _settle() -> None:
    """Let the collector pass over what was imported: it runs after each product, and torch takes 0.4 s."""
    global _modules
    if len(sys.modules) != _modules:
        _modules = len(sys.modules)
        gc.collect()
        gc.freeze()
        atexit.register(gc.unfreeze)  # at the end libraries count what is left


def _raster(model: ProductModel, pose: NDArray[np.float64], stage: Stage, camera: Camera) -> _Raster:
    """What the rasteriser sees; kept, as another light changes nothing of it."""
    # the model itself is kept beside its number, so that no other takes that number meanwhile
    key = (id(model), np.round(pose, 9).tobytes(), camera)
    if key in _rasters:
        _rasters.move_to_end(key)
        return _rasters[key]
    layered = stage.gbuffer(camera)
    flat = flattened(layered)
    labels = text_truth(stage.model, camera, layered)
    mask = np.round(flat.mask * 255).astype(np.uint8)
    made = _Raster(
        model=model,
        layered=layered,
        flat=flat,
        labels=labels,
        label_map=label_map(stage.model, layered, labels),
        colours=seen_colours(_product_colours(model), flat.parts, mask),
    )
    _rasters[key] = made
    if len(_rasters) > _KEPT:
        _rasters.popitem(last=False)
    return made


def _product_colours(model: ProductModel) -> tuple[PartColours, ...]:
    if id(model) not in _colours:
        _colours[id(model)] = model, product_colours(model)
        if len(_colours) > _KEPT:
            _colours.popitem(last=False)
    return _colours[id(model)][1]


def strayed(light: Light, turn: float, tilt: float, key_gain: float, sky_gain: float, tint: Floats) -> Light:
    """A light that is not quite the scene's.

    Parameters
    ----------
    turn, tilt
        Degrees of the key about the vertical, and in height (it stays between 12 and 86 degrees).
    tint
        Factors of linear red, green and blue of all of it, shape (3,).
    """
    x, y, z = np.asarray(light.key_direction) / np.linalg.norm(light.key_direction)
    azimuth = np.arctan2(x, z) + np.radians(turn)
    height = np.arcsin(y)
    height = np.clip(height + np.radians(tilt), min(np.radians(12), height), max(np.radians(86), height))
    flat = np.cos(height)
    direction = (float(flat * np.sin(azimuth)), float(np.sin(height)), float(flat * np.cos(azimuth)))

    def times(colour: tuple[float, float, float], gain: float) -> tuple[float, float, float]:
        r, g, b = (float(c * gain * t) for c, t in zip(colour, tint, strict=True))
        return r, g, b

    return replace(
        light,
        key_direction=direction,
        key_colour=times(light.key_colour, key_gain),
        sky_colour=times(light.sky_colour, sky_gain),
        ground_colour=times(light.ground_colour, sky_gain),
    )
