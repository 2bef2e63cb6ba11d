"""A scene's light, estimated from its photo where nobody measured it.

What can be known from one photo of an unknown set is little, so the estimate leans on what is usual and moves
from there only as far as the photo says:

- **Side and depth of the key**: from how the ground brightens across the photo. Small, colourless steps of
  brightness are taken as light, large or coloured ones as pattern and are left out (Land and McCann's
  retinex, 1971; Horn 1974).
- **Height of the key**: as is usual, some 45 degrees; a photo without shadows does not tell.
- **Colours**: from below comes what the ground shows; from above a part of what stands behind it. The key is
  what is missing to the exposure of a good photo, in which white paper under the key shows 0.95; it is nearly
  neutral.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_linear
from packline.scenes import Light, Triple
from packline.stage.lighting import untone

Doubles = NDArray[np.float64]

#: Linear value of white paper that faces the key in a well exposed photo.
WHITE = 0.95
#: Angular radius of a usual window or softbox, degrees.
USUAL_SIZE = 10.0
_SIDE = 96
# steps of log brightness and of chromaticity between second neighbours that can still be light
_STEP, _CHROMA_STEP = 0.02, 0.02
# the key's usual place: up and towards the camera, and how far it strays with what the ground shows; the
# numbers are the least squares of 218 path-traced sets with known light (training.scenes)
_UP, _BACK, _BACK_SWING, _BACK_SOFTNESS, _RIGHT_SWING, _RIGHT_SOFTNESS = 0.70, 0.26, -0.12, 0.20, 0.72, 0.10
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def estimate_light(photo: NDArray[np.uint8], camera: Camera) -> Light:
    """The likeliest light of a photo.

    Parameters
    ----------
    photo
        sRGB, uint8 (H, W, 3).
    camera
        Tells the ground from what stands on it.
    """
    linear = np.asarray(untone(to_linear(photo)), np.float32)
    small = np.asarray(cv2.resize(linear, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)
    # the photo's own proportions do not matter to means and slopes
    rays = Camera(camera.eye, camera.target, camera.fov_y, _SIDE, _SIDE, camera.up).rays()
    ground = rays[..., 1] < -0.02
    if ground.mean() < 0.02 or ground.mean() > 0.98:
        # no horizon: what is behind is the far end, what is below the near end
        ground = np.broadcast_to(np.arange(_SIDE)[:, None] >= _SIDE // 3, ground.shape)
    across, away = _slopes(small, ground)
    direction = _direction(camera, across, away)
    below = small[ground].mean(0).astype(np.float64)
    behind = small[~ground].mean(0).astype(np.float64)
    above = 0.08 + 0.40 * (0.5 * behind + 0.5 * float(behind @ _LUMINANCE))
    fill = below + (above - below) * (direction[1] + 1) / 2
    # the key's tint: what the brightest share of the photo's, on its way to neutral
    bright = (small.reshape(-1, 3).astype(np.float64) ** 6).mean(0) ** (1 / 6)
    tint = 1 + 0.15 * (bright / max(float(bright @ _LUMINANCE), 1e-6) - 1)
    key = max(WHITE - float(fill @ _LUMINANCE), 0.3) * tint
    return Light(
        key_direction=_triple(direction),
        key_colour=_triple(key),
        sky_colour=_triple(above),
        ground_colour=_triple(below),
        key_size=USUAL_SIZE,
        words=_words(direction @ camera.pose[:3, :3]),
    )


def _slopes(linear: NDArray[np.float32], ground: NDArray[np.bool_]) -> tuple[float, float]:
    """How the ground's log brightness rises over half the photo: to the right, and away from the camera."""
    smooth = cv2.GaussianBlur(linear, (0, 0), 2.0).astype(np.float64)
    log = np.log(smooth @ _LUMINANCE + 0.01)
    chroma = smooth / (smooth.sum(-1, keepdims=True) + 0.01)
    right, up = log[:, 2:] - log[:, :-2], log[:-2] - log[2:]
    right_pattern = np.abs(chroma[:, 2:] - chroma[:, :-2]).max(-1)
    up_pattern = np.abs(chroma[2:] - chroma[:-2]).max(-1)
    found = []
    for step, pattern, there in (
        (right, right_pattern, ground[:, 1:-1]),
        (up, up_pattern, ground[1:-1]),
    ):
        light = there & (np.abs(step) < _STEP) & (pattern < _CHROMA_STEP)
        # where hardly anything is smooth, nothing can be said
        found.append(float(step[light].mean()) * _SIDE / 2 if light.sum() > 100 else 0.0)
    return found[0], found[1]


def _direction(camera: Camera, across: float, away: float) -> Doubles:
    axes = camera.pose[:3, :3]
    level = np.array([axes[0, 2], 0.0, axes[2, 2]])
    level = level / max(float(np.linalg.norm(level)), 1e-9)
    found = (
        _RIGHT_SWING * np.tanh(across / _RIGHT_SOFTNESS) * axes[:, 0]
        + (_BACK + _BACK_SWING * np.tanh(away / _BACK_SOFTNESS)) * level
        + np.array([0.0, _UP, 0.0])
    )
    return np.asarray(found / np.linalg.norm(found))


def _words(seen: Doubles) -> str:
    """How a prompt says it, from the direction in the camera's axes."""
    right, _, back = seen
    if abs(right) < 0.2:
        return "soft light from the front" if back > 0 else "soft light from behind"
    side = "right" if right > 0 else "left"
    return f"soft light from the {'front ' if back > 0.4 * abs(right) else ''}{side}"


def _triple(values: Doubles) -> Triple:
    x, y, z = (round(float(value), 4) for value in values)
    return x, y, z
