"""Shadows on the ground, and the composite that a physically sensible picture would be.

Each point of the ground asks the product's depth as points on the light and all around see it
(`self_shadow`): the share of them that see the point is what it receives. Softness comes from the key's
angular size, contact darkening from the hidden part of the sky.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_linear
from packline.scenes import Light
from packline.stage.lighting import develop, untone
from packline.stage.model import Floats
from packline.stage.raster import Stage
from packline.stage.self_shadow import FILL_DIRECTIONS, KEY_DIRECTIONS, blocked

#: How far from the product the ground is asked, in lengths of its diagonal.
_REACH = 5.0
_BOUNCE = np.float32(0.06)


def ground_shadow(
    stage: Stage, camera: Camera, light: Light, size: int | None = None, ground: float = 0.0
) -> tuple[Floats, Floats]:
    """What share of the light each point of the ground still receives beside the product.

    Parameters
    ----------
    stage
        The staged product, standing where it stands in the scene, or at the origin.
    camera
        The view's camera.
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
    normals, depth = _ground_seen(stage, small, ground)
    hidden = blocked(stage, small, normals, depth, light)
    # each direction's outline would show: blur by what the outlines of neighbours lie apart, half way up
    extent = stage.model.bounds[1] - stage.model.bounds[0]
    tall = float(np.linalg.norm(extent)) * small.focal / max(_distance(stage, small), 1e-9)
    steps = np.tan(np.radians((light.key_size / KEY_DIRECTIONS**0.5, 180 / FILL_DIRECTIONS**0.5)))
    shares = []
    for share, step in zip((hidden.key, hidden.fill), steps, strict=True):
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), max(0.12 * tall * float(step), 0.6)))
        if small.height != camera.height:
            share = np.asarray(
                cv2.resize(share, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
            )
        shares.append(np.clip(share, 0, 1).astype(np.float32))
    return shares[0], shares[1]


def shadow_ratio(light: Light, key_visibility: Floats, ambient_visibility: Floats) -> Floats:
    """By how much the ground darkens.

    Returns
    -------
    float32 (H, W, 3)
        Light that arrives beside the product over light that would arrive without it, for each channel, on a
        ground that faces up.
    """
    up = light.key_direction[1] / float(np.linalg.norm(light.key_direction))
    key = np.asarray(light.key_colour, np.float32) * np.float32(max(up, 0.0))
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


def _ground_seen(stage: Stage, camera: Camera, ground: float) -> tuple[Floats, Floats]:
    """World normals and metres of the ground where the product can still darken it, as for a G-buffer."""
    rays = camera.rays()
    down = (ground - camera.eye[1]) / np.where(np.abs(rays[..., 1]) < 1e-9, 1e-9, rays[..., 1])
    low, high = stage.model.bounds
    away = np.hypot(*(camera.eye[i] + down * rays[..., i] - (low[i] + high[i]) / 2 for i in (0, 2)))
    seen = (down > 0) & (away < _REACH * float(np.linalg.norm(high - low)))
    normals = np.zeros((camera.height, camera.width, 3), np.float32)
    normals[..., 1] = 1
    return normals, np.where(seen, down, 0).astype(np.float32)


def _distance(stage: Stage, camera: Camera) -> float:
    return float(np.linalg.norm(stage.model.bounds.mean(0) - np.asarray(camera.eye)))


def _scaled(camera: Camera, height: int) -> Camera:
    width = max(round(camera.width * height / camera.height), 1)
    return Camera(camera.eye, camera.target, camera.fov_y, width, height, camera.up)
