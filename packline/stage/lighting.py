"""Light: from a G-buffer and a light to linear colour, and from linear colour to sRGB and back.

The light's numbers mean the same here as in scene files: a white matte surface that faces the key light
has the linear value key + ambient. Colours stay linear until `develop`, which is the only tone curve in
Packline.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_srgb
from packline.scenes import Light
from packline.stage.environment import SMOOTHEST, Environment, environment
from packline.stage.model import Floats, GBuffer
from packline.stage.self_shadow import Visibility
from packline.stage.studio import studio_light

__all__ = ["develop", "shade", "studio_light", "tone", "untone"]

#: What of a G-buffer light needs.
_RECEIVING = (
    "normals",
    "albedo",
    "depth",
    "roughness",
    "metallic",
    "occlusion",
    "unlit",
    "emissive",
)
#: Pixels that are lit at once.
_PIECE = 16384
_SHOULDER = 0.8
_DIELECTRIC = 0.04


def shade(
    gbuffer: GBuffer,
    camera: Camera,
    light: Light,
    ground: float | None = None,
    visibility: Visibility | None = None,
) -> Floats:
    """Light a G-buffer.

    A key of finite size, fill from all around, and what the surface mirrors of both: the split sum of Karis
    (2014) with Lazarov's fit, over tables of the surroundings (`environment`). Fill is dimmed by the
    occlusion of the material or of the product itself, whichever is more, the key by the product's shadow.

    Parameters
    ----------
    gbuffer
        Maps of shape (H, W, ...).
    camera
        The camera that drew them.
    light
        World directions, linear colours.
    ground
        Height in metres of the ground that the product stands on, for the darkening near it; None: no ground.
    visibility
        How the product blocks its own light (`self_shadow.self_shadow`); None: it does not.

    Returns
    -------
    float32 (H, W, 3)
        Linear RGB, not premultiplied, unbounded above; 0 where nothing is. `develop` gives an unlit material
        its base colour back.
    """
    colour = np.zeros_like(gbuffer.albedo)
    seen = gbuffer.mask > 0
    if not seen.any():
        return colour
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside = seen[window]
    around = environment(light)
    maps = {name: getattr(gbuffer, name)[window][inside] for name in _RECEIVING}
    if visibility is not None:
        maps["fill"] = np.minimum(maps["occlusion"], visibility.fill[window][inside])
        maps["key"] = visibility.key[window][inside]
    rays = camera.rays()[window][inside].astype(np.float32)
    height = np.float32(camera.eye[1]) + rays[:, 1] * maps["depth"]
    near = _contact(height, maps["normals"][:, 1], ground)
    lit = np.empty((len(rays), 3), np.float32)
    # in pieces that stay in the processor's cache
    for start in range(0, len(lit), _PIECE):
        at = slice(start, start + _PIECE)
        piece = {name: np.ascontiguousarray(values[at].T) for name, values in maps.items()}
        lit[at] = _lit(piece, np.ascontiguousarray(rays[at].T), near[at], around).T
    whole = np.zeros((*inside.shape, 3), np.float32)
    whole[inside] = lit
    colour[window] = whole
    return colour


def _lit(maps: dict[str, Floats], rays: Floats, near_ground: Floats, around: Environment) -> Floats:
    """Linear light of N pixels, float32 (3, N); maps and rays are (N,) or (3, N)."""
    n, albedo, metal = maps["normals"], maps["albedo"], maps["metallic"]
    rough = np.clip(maps["roughness"], SMOOTHEST, 1)
    v = -rays / np.sqrt((rays * rays).sum(0))
    open_to_fill = maps.get("fill", maps["occlusion"])
    open_to_key = maps.get("key", np.float32(1))

    key, fill = around.on_matte(n)
    # light bounces about in a hollow, the more the lighter its walls: a geometric series
    bounced = open_to_fill / np.maximum(1 - albedo * (1 - open_to_fill), np.float32(1e-3))
    lit = albedo * (1 - metal) * (fill * near_ground * bounced + key * open_to_key)

    nv = (n * v).sum(0)
    key, fill = around.in_mirror(2 * nv * n - v, rough)
    nv = np.clip(nv, 1e-3, 1)
    scale, offset = _split_sum(nv, rough)
    mirrored = fill * (_mirror_opening(open_to_fill, nv, rough) * near_ground) + key * open_to_key
    # scale * F0 + offset, where F0 is that of plastic or, of metal, its colour
    lit += (albedo * (scale * metal) + (scale * (_DIELECTRIC * (1 - metal)) + offset)) * mirrored

    unlit = maps["unlit"]
    if unlit.any():
        lit += (untone(albedo) - lit) * unlit
    lit += maps["emissive"]
    return np.asarray(lit, np.float32)


def tone(linear: NDArray[Any]) -> Floats:
    """The tone curve: the identity up to 0.8, then a soft shoulder that never quite reaches 1."""
    x = np.asarray(linear, np.float32)
    room = 1 - _SHOULDER
    bent = _SHOULDER + room * (1 - np.exp(-np.maximum(x - _SHOULDER, 0) / room))
    return np.where(x <= _SHOULDER, x, bent).astype(np.float32)


def untone(toned: NDArray[Any]) -> Floats:
    """The inverse of `tone`; values that it cannot give are taken as the nearest that it can."""
    y = np.clip(np.asarray(toned, np.float32), 0, 0.9995)
    room = 1 - _SHOULDER
    bent = _SHOULDER - room * np.log(np.minimum((1 - y) / room, 1))
    return np.where(y <= _SHOULDER, y, bent).astype(np.float32)


def develop(linear: NDArray[Any]) -> NDArray[np.uint8]:
    """Linear light to a picture: tone curve, then sRGB, uint8."""
    return to_srgb(tone(linear))


def _contact(height: Floats, up: Floats, ground: float | None) -> Floats:
    """How open a point is to ambient light, shape (N,): less near the ground, least where it faces down."""
    if ground is None:
        return np.ones(len(height), np.float32)
    above = np.maximum(height - np.float32(ground), 0)
    reach = max(0.10 * float(above.max()), 1e-6)
    darkening = (0.25 + 0.30 * np.maximum(-up, 0)) * np.exp(-above / np.float32(reach))
    return np.asarray(1 - darkening, np.float32)


def _split_sum(nv: Floats, rough: Floats) -> tuple[Floats, Floats]:
    """Scale and offset of F0 in the environment BRDF (Lazarov 2013, as fitted by Karis 2014), shape (N,)."""
    x = 1 - rough
    y = 0.0425 - 0.0275 * rough
    a = np.minimum(x * x, np.exp2(np.float32(-9.28) * nv)) * x + y
    return (
        np.maximum(-1.04 * a + (1.04 - 0.572 * rough), 0),
        np.maximum(1.04 * a + (0.022 * rough - 0.04), 0),
    )


def _mirror_opening(opening: Floats, nv: Floats, rough: Floats) -> Floats:
    """How much of what a mirror shows lies open, from how much of the hemisphere does (Lagarde 2014)."""
    exponent = np.exp2(-16 * rough - 1)
    return np.asarray(np.clip((nv + opening) ** exponent - 1 + opening, 0, 1), np.float32)
