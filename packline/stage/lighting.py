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
from packline.scenes import Light, Triple
from packline.stage.model import Floats, GBuffer

#: Neutral catalogue light in the camera's axes (right, up, back); see `studio_light`.
STUDIO = Light(
    key_direction=(-0.48, 0.66, 0.58),
    key_colour=(0.70, 0.70, 0.70),
    sky_colour=(0.42, 0.42, 0.42),
    ground_colour=(0.30, 0.30, 0.30),
    key_size=24.0,
    words="soft studio light",
)

_SHOULDER = 0.8
_DIELECTRIC = 0.04


def studio_light(camera: Camera) -> Light:
    """The neutral catalogue light, turned with the camera so that every side is lit alike."""
    x, y, z = camera.pose[:3, :3] @ np.asarray(STUDIO.key_direction)
    key: Triple = (float(x), float(y), float(z))
    return Light(
        key, STUDIO.key_colour, STUDIO.sky_colour, STUDIO.ground_colour, STUDIO.key_size, STUDIO.words
    )


def shade(gbuffer: GBuffer, camera: Camera, light: Light, ground: float | None = None) -> Floats:
    """Light a G-buffer.

    Hemisphere ambient, a key of finite size, and a specular term: split-sum environment reflection (Karis
    2014, with Lazarov's fit) of the hemisphere plus a softbox where the key is, so that metal does not go
    black.

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

    Returns
    -------
    float32 (H, W, 3)
        Linear RGB, not premultiplied, unbounded above; 0 where nothing is.
    """
    colour = np.zeros_like(gbuffer.albedo)
    seen = gbuffer.mask > 0
    if not seen.any():
        return colour
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside = seen[window]
    # one row a covered pixel
    n, albedo = gbuffer.normals[window][inside], gbuffer.albedo[window][inside]
    rough = np.clip(gbuffer.roughness[window][inside], 0.08, 1.0)[:, None]
    metal = gbuffer.metallic[window][inside][:, None]
    rays = camera.rays()[window][inside].astype(np.float32)
    height = np.float32(camera.eye[1]) + rays[:, 1] * gbuffer.depth[window][inside]
    v = -rays / np.linalg.norm(rays, axis=1, keepdims=True)

    key, sky, earth = (
        np.asarray(c, np.float32) for c in (light.key_colour, light.sky_colour, light.ground_colour)
    )
    to_key = np.asarray(light.key_direction, np.float32)
    to_key = to_key / np.linalg.norm(to_key)
    size = np.float32(np.sin(np.radians(np.clip(light.key_size, 0.5, 60.0))))
    occlusion = _contact(height, n[:, 1], ground)

    ambient = (earth + (sky - earth) * ((n[:, 1:2] + 1) / 2)) * occlusion
    diffuse = albedo * (1 - metal) * (ambient + key * _facing(n @ to_key, size)[:, None])

    nv = np.clip((n * v).sum(1, keepdims=True), 1e-3, 1)
    f0 = _DIELECTRIC + (albedo - _DIELECTRIC) * metal
    scale, offset = _split_sum(nv, rough)
    mirror = 2 * (n * v).sum(1, keepdims=True) * n - v
    reflected = _environment(mirror, rough, to_key, key, sky, earth, size)
    specular = (f0 * scale + offset) * reflected * occlusion

    lit = np.zeros((*inside.shape, 3), np.float32)
    lit[inside] = diffuse + specular + gbuffer.emissive[window][inside]
    colour[window] = lit
    return colour


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


def _facing(cosine: Floats, size: np.float32) -> Floats:
    """Share of a key of angular radius asin(`size`) that a surface gets: max(cosine, 0), softened."""
    knee = (cosine + size) ** 2 / (4 * size)
    return np.asarray(np.where(np.abs(cosine) < size, knee, np.maximum(cosine, 0)), np.float32)


def _contact(height: Floats, up: Floats, ground: float | None) -> Floats:
    """How open a point is to ambient light, shape (N, 1): less near the ground, least where it faces down."""
    if ground is None:
        return np.ones((len(height), 1), np.float32)
    above = np.maximum(height - np.float32(ground), 0)
    reach = max(0.10 * float(above.max()), 1e-6)
    darkening = (0.25 + 0.30 * np.maximum(-up, 0)) * np.exp(-above / reach)
    return np.asarray(1 - darkening, np.float32)[:, None]


def _split_sum(nv: Floats, rough: Floats) -> tuple[Floats, Floats]:
    """Scale and offset of F0 in the environment BRDF (Lazarov 2013, as fitted by Karis 2014)."""
    r = rough * np.array([-1, -0.0275, -0.572, 0.022], np.float32) + np.array(
        [1, 0.0425, 1.04, -0.04], np.float32
    )
    a = np.minimum(r[:, :1] ** 2, np.exp2(-9.28 * nv)) * r[:, :1] + r[:, 1:2]
    return np.maximum(-1.04 * a + r[:, 2:3], 0), np.maximum(1.04 * a + r[:, 3:4], 0)


def _environment(
    direction: Floats,
    rough: Floats,
    to_key: Floats,
    key: Floats,
    sky: Floats,
    earth: Floats,
    size: np.float32,
) -> Floats:
    """Radiance of sky, ground and a softbox at the key, seen in a mirror of some roughness."""
    up = direction[:, 1:2]
    blur = 0.12 + 0.88 * rough
    horizon = np.clip(up / blur * 0.5 + 0.5, 0, 1)
    horizon = horizon * horizon * (3 - 2 * horizon)
    # a mirror shows the ground darker and the sky lighter than the mean that a matte surface gathers
    contrast = 1 - rough
    base = (
        earth * (1 - 0.45 * contrast)
        + (sky * (1 + 0.25 * contrast) - earth * (1 - 0.45 * contrast)) * horizon
    )
    # the softbox is never smaller than a real one, or smooth plastic would show a pinprick
    width = np.maximum(size, 0.30) + 0.9 * rough
    angle = np.arccos(np.clip(direction @ to_key, -1, 1))[:, None]
    box = 1 / (1 + np.exp(np.clip((angle - width) / (0.03 + 0.22 * rough), -30, 30)))
    # a disk of angular radius w that gives the irradiance `key` has the radiance key / sin(w)^2
    strength = np.minimum(1 / np.sin(np.minimum(width, np.float32(np.pi / 2))) ** 2, 5)
    return np.asarray(base + key * strength * box, np.float32)
