"""Shadows on the ground, and the composite that a physically sensible picture would be.

The product is flattened onto the ground along directions towards the light and drawn from the scene's
camera: the share of directions that miss it is what the ground receives. Planar projected shadows are
exact for a flat ground; softness comes from the key's angular size, contact darkening from the hidden part
of the sky.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_linear
from packline.scenes import Light
from packline.stage.lighting import develop, untone
from packline.stage.model import Floats
from packline.stage.raster import Stage

KEY_DIRECTIONS = 20
SKY_DIRECTIONS = 44
_BOUNCE = np.float32(0.06)


def ground_shadow(
    stage: Stage, camera: Camera, light: Light, size: int | None = None, ground: float = 0.0
) -> tuple[Floats, Floats]:
    """What share of the light each point of the ground still receives beside the product.

    Parameters
    ----------
    stage
        The staged product, standing where it stands in the scene.
    camera
        The scene's camera.
    light
        Its direction and angular size are used.
    size
        Height in pixels of the drawing pass; default: half the picture. Shadows are soft, so this costs
        nothing.
    ground
        Height of the ground plane in metres.

    Returns
    -------
    key_visibility, ambient_visibility
        float32 (camera.height, camera.width), 0 hidden to 1 open. Pixels that do not see the ground are 1.
    """
    small = _scaled(camera, size or max(camera.height // 2, 1))
    keys = _key_directions(light.key_direction, light.key_size)
    directions = np.concatenate([keys, _sky_directions()])
    hits = stage.shadow_hits(small, directions, len(keys), ground)
    # without a blur, the outlines of single directions show; the sky's lie further apart than the key's
    blur = max(small.height / 320, 0.6)
    open_shares = []
    for counts, total, width in zip(hits, (len(keys), SKY_DIRECTIONS), (1.5 * blur, 2.5 * blur), strict=True):
        share = 1 - counts.astype(np.float32) / np.float32(total)
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), width))
        if small.height != camera.height:
            share = np.asarray(
                cv2.resize(share, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
            )
        open_shares.append(np.clip(share, 0, 1).astype(np.float32))
    return open_shares[0], open_shares[1]


def shadow_ratio(light: Light, key_visibility: Floats, ambient_visibility: Floats) -> Floats:
    """By how much the ground darkens.

    Returns
    -------
    float32 (H, W, 3)
        Light that arrives beside the product over light that would arrive without it, for each channel, on a
        ground that faces up.
    """
    key = np.asarray(light.key_colour, np.float32) * np.float32(max(_unit(light.key_direction)[1], 0.0))
    sky = np.asarray(light.sky_colour, np.float32)
    # light that bounces between product and ground reaches even what sees no sky
    ambient = _BOUNCE + (1 - _BOUNCE) * ambient_visibility[..., None]
    arriving = sky * ambient + key * key_visibility[..., None]
    return np.asarray(arriving / np.maximum(sky + key, 1e-6), np.float32)


def composite(photo: NDArray[np.uint8], colour: Floats, mask: Floats, shadow: Floats) -> NDArray[np.uint8]:
    """The true picture: the photo, darkened by the product's shadow, with the product over it.

    Parameters
    ----------
    photo
        sRGB, uint8 (H, W, 3).
    colour
        The lit product, linear RGB, float32 (H, W, 3).
    mask
        Its coverage from 0 to 1, float32 (H, W).
    shadow
        From `shadow_ratio`, float32 (H, W, 3) or (H, W).

    Returns
    -------
    uint8 (H, W, 3)
        sRGB. Pixels with no shadow and no product are the photo's own, bit for bit.
    """
    if shadow.ndim == 2:
        shadow = shadow[..., None]
    cover = mask[..., None]
    mixed = untone(to_linear(photo)) * shadow * (1 - cover) + colour * cover
    touched = (cover > 0) | (shadow < 0.999).any(-1, keepdims=True)
    return np.where(touched, develop(mixed), photo)


def _unit(vector: tuple[float, float, float]) -> NDArray[np.float64]:
    values = np.asarray(vector, float)
    return np.asarray(values / np.linalg.norm(values))


@lru_cache(maxsize=64)
def _key_directions(direction: tuple[float, float, float], size: float) -> NDArray[np.float64]:
    """Directions to points spread evenly over the key's disk (Vogel's spiral), shape (N, 3)."""
    axis = _unit(direction)
    side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    index = np.arange(KEY_DIRECTIONS)
    radius = np.tan(np.radians(min(size, 60.0))) * np.sqrt((index + 0.5) / KEY_DIRECTIONS)
    angle = index * np.pi * (3 - np.sqrt(5))
    spread = radius[:, None] * (np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other)
    return _above_ground(axis + spread)


@lru_cache(maxsize=1)
def _sky_directions() -> NDArray[np.float64]:
    """Cosine-weighted directions over the upper hemisphere, shape (N, 3)."""
    index = np.arange(SKY_DIRECTIONS)
    radius = np.sqrt((index + 0.5) / SKY_DIRECTIONS)
    angle = index * np.pi * (3 - np.sqrt(5))
    return _above_ground(
        np.stack([radius * np.cos(angle), np.sqrt(1 - radius**2), radius * np.sin(angle)], -1)
    )


def _above_ground(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """A light at or below the horizon would throw a shadow of infinite length: lift it a little."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    unit[:, 1] = np.maximum(unit[:, 1], 0.06)
    return np.asarray(unit / np.linalg.norm(unit, axis=1, keepdims=True))


def _scaled(camera: Camera, height: int) -> Camera:
    width = max(round(camera.width * height / camera.height), 1)
    return Camera(camera.eye, camera.target, camera.fov_y, width, height, camera.up)
