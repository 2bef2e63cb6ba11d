"""What the product blocks of its own light: of the key, softly, and of the fill in its hollows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.scenes import Light
from packline.stage.model import Floats, GBuffer
from packline.stage.studio import StudioLight

if TYPE_CHECKING:
    from packline.stage.raster import Stage

#: Directions to points on the key: five by five of a softbox.
KEY_DIRECTIONS = 25
#: Directions all around the product.
FILL_DIRECTIONS = 64


@dataclass(frozen=True, eq=False)
class Visibility:
    """What share of the light reaches each pixel past the product; float32 (H, W), 1 where nothing is.

    Parameters
    ----------
    key
        Of the key that a surface turned like this one gets.
    fill
        Of the light from all around it, weighted by the cosine.
    """

    key: Floats
    fill: Floats


def self_shadow(stage: Stage, camera: Camera, gbuffer: GBuffer, light: Light) -> Visibility:
    """How the staged product blocks its own light in a view.

    Parameters
    ----------
    stage
        The product that casts the shadow.
    camera, gbuffer
        The view, or one layer of it: normals and depth count.
    light
        Its key's direction and size count.
    """
    return blocked(stage, camera, gbuffer.normals, gbuffer.depth, light)


def blocked(stage: Stage, camera: Camera, normals: Floats, depth: Floats, light: Light) -> Visibility:
    """How the staged product blocks the light of any surface, the ground say.

    Parameters
    ----------
    normals, depth
        World normals, float32 (H, W, 3), and metres, float32 (H, W), that the camera sees; 0 metres: nothing.
    """
    return Visibility(
        *stage.opening(camera, normals, depth, key_directions(light, KEY_DIRECTIONS), _all_around())
    )


def key_directions(light: Light, count: int) -> NDArray[np.float64]:
    """Unit vectors to points spread evenly over the key, shape (count, 3).

    Over a softbox in a square grid, so `count` is a square number; over a round light in Vogel's spiral.
    """
    if isinstance(light, StudioLight):
        points = light.studio.key.points(round(count**0.5))
        return np.asarray(points @ np.asarray(light.axes).T)
    axis = np.asarray(light.key_direction, float)
    axis = axis / np.linalg.norm(axis)
    side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    index = np.arange(count)
    radius = np.tan(np.radians(min(light.key_size, 60.0))) * np.sqrt((index + 0.5) / count)
    angle = index * np.pi * (3 - np.sqrt(5))
    spread = radius[:, None] * (np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other)
    return np.asarray((axis + spread) / np.linalg.norm(axis + spread, axis=1, keepdims=True))


@lru_cache(maxsize=1)
def _all_around() -> NDArray[np.float64]:
    """Fibonacci's lattice on the sphere in an order whose every fourth direction is spread evenly too."""
    index = np.arange(FILL_DIRECTIONS) + 0.5
    y, angle = 1 - 2 * index / FILL_DIRECTIONS, np.pi * (1 + np.sqrt(5)) * index
    level = np.sqrt(1 - y**2)
    return np.stack([level * np.sin(angle), y, level * np.cos(angle)], -1)
