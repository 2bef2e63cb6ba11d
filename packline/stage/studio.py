"""The catalogue studio: softboxes around the product, from which both matte and mirrored light is worked out.

One description serves both, so that what glossy plastic mirrors is what lights its matte side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from packline.camera import Camera
from packline.scenes import Light, Triple

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Softbox:
    """A rectangle of even light, far away.

    Parameters
    ----------
    direction
        Towards its middle, in the camera's axes (right, up, back); any length.
    width, height
        Half of its angular width and height in degrees, at most 80.
    irradiance
        Linear light that a white matte surface facing it shows.
    roll
        How far it is turned about its middle, degrees.
    """

    direction: Triple
    width: float
    height: float
    irradiance: float
    roll: float = 0.0

    @property
    def axes(self) -> Doubles:
        """Rows: its own right, its own up, and the way to its middle; shape (3, 3)."""
        back = np.asarray(self.direction) / np.linalg.norm(self.direction)
        up = np.array([0.0, 0.0, -1.0]) if abs(back[1]) > 0.95 else np.array([0.0, 1.0, 0.0])
        right = np.cross(up, back)
        right /= np.linalg.norm(right)
        up = np.cross(back, right)
        c, s = np.cos(np.radians(self.roll)), np.sin(np.radians(self.roll))
        return np.stack([c * right + s * up, c * up - s * right, back])

    def cover(self, directions: Doubles, blur: float) -> Doubles:
        """How much of a lobe around each direction the box fills, 0 to 1.

        Parameters
        ----------
        directions
            Unit vectors in the camera's axes, shape (..., 3).
        blur
            The lobe's standard deviation in radians; a Gaussian over the box's own longitude and latitude.
        """
        x, y, z = np.moveaxis(directions @ self.axes.T, -1, 0)
        along = _share(np.arctan2(x, z), np.radians(self.width), blur)
        return np.asarray(along * _share(np.arcsin(np.clip(y, -1, 1)), np.radians(self.height), blur))

    @property
    def radiance(self) -> float:
        """What a mirror shows of it: irradiance over the projected solid angle in units of pi."""
        facing = self.axes[2]
        points = _sphere(20000)
        inside = self.cover(points, 1e-4) * np.maximum(points @ facing, 0)
        return self.irradiance / (4 * float(inside.mean()))

    def points(self, side: int) -> Doubles:
        """Directions to a grid of `side` x `side` points on it, shape (side * side, 3)."""
        steps = (np.arange(side) + 0.5) / side * 2 - 1
        x, y = (axis.reshape(-1) for axis in np.meshgrid(steps, steps))
        longitude, latitude = np.radians(self.width) * x, np.radians(self.height) * y
        local = np.stack(
            [np.sin(longitude) * np.cos(latitude), np.sin(latitude), np.cos(longitude) * np.cos(latitude)], -1
        )
        return np.asarray(local @ self.axes)


@dataclass(frozen=True)
class Studio:
    """Neutral softboxes and the walls of the room, in the camera's axes.

    Parameters
    ----------
    key
        The one box that casts shadows.
    boxes
        The others: fill, rims, overhead.
    above, below
        Radiance of the room's walls far up and far down, with a soft passage between.
    """

    key: Softbox
    boxes: tuple[Softbox, ...]
    above: float
    below: float

    def radiance(self, directions: Doubles, blur: float) -> Doubles:
        """What a mirror of some blur shows in each direction, shape (..., 2): of the key, of all else.

        Parameters
        ----------
        directions
            Unit vectors, shape (..., 3).
        blur
            Standard deviation of the mirror's lobe in radians.
        """
        level = 0.5 + 0.5 * erf(directions[..., 1] / np.hypot(0.35, blur))
        rest = self.below + (self.above - self.below) * level
        for box in self.boxes:
            rest = rest + _radiance(box) * box.cover(directions, blur)
        return np.stack([_radiance(self.key) * self.key.cover(directions, blur), rest], -1)

    def irradiance(self, normals: Doubles) -> Doubles:
        """What a white matte surface shows: the integral of `radiance` by the cosine; shape (N, 2)."""
        points = _sphere(12000)
        light = self.radiance(points, 0.02)
        shares = np.maximum(normals @ points.T, 0)
        return np.asarray(4 / len(points) * shares @ light)


@dataclass(frozen=True)
class StudioLight(Light):
    """The studio as one view sees it; as a plain `Light` it is the nearest hemisphere and key.

    Parameters
    ----------
    studio
        In the camera's axes.
    axes
        The camera's right, up and back in the world, as columns.
    """

    studio: Studio = field(kw_only=True)
    axes: tuple[Triple, Triple, Triple] = field(kw_only=True)


STUDIO = Studio(
    key=Softbox((-0.56, 0.56, 0.70), 25.0, 30.0, 0.60, roll=8.0),
    boxes=(
        Softbox((0.80, 0.16, 0.62), 22.0, 38.0, 0.12),  # fill
        Softbox((0.0, 0.10, 1.0), 34.0, 26.0, 0.09),  # a card behind the camera, or flat metal would go dark
        Softbox((-0.96, 0.06, -0.30), 7.0, 46.0, 0.10),  # rims
        Softbox((0.96, 0.06, -0.30), 7.0, 46.0, 0.16),
        Softbox((0.0, 1.0, -0.12), 48.0, 26.0, 0.20),  # overhead
    ),
    above=0.25,
    below=0.17,
)


def studio_light(camera: Camera) -> StudioLight:
    """The neutral catalogue light, turned with the camera so that every side is lit alike."""
    axes = camera.pose[:3, :3]
    x, y, z = axes @ STUDIO.key.axes[2]
    up, down, key = _plain(STUDIO)
    return StudioLight(
        key_direction=(float(x), float(y), float(z)),
        key_colour=(key, key, key),
        sky_colour=(up, up, up),
        ground_colour=(down, down, down),
        key_size=float(np.sqrt(STUDIO.key.width * STUDIO.key.height)),
        words="soft studio light",
        studio=STUDIO,
        axes=(_triple(axes[0]), _triple(axes[1]), _triple(axes[2])),
    )


@lru_cache(maxsize=4)
def _plain(studio: Studio) -> tuple[float, float, float]:
    """All but the key on a surface that faces up and one that faces down, and the key on one facing it."""
    normals = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], studio.key.axes[2]])
    shown = studio.irradiance(normals)
    return float(shown[0, 1]), float(shown[1, 1]), float(shown[2, 0])


@lru_cache(maxsize=32)
def _radiance(box: Softbox) -> float:
    return box.radiance


@lru_cache(maxsize=4)
def _sphere(count: int) -> Doubles:
    """Directions spread evenly over the sphere (Fibonacci's lattice), shape (count, 3)."""
    index = np.arange(count) + 0.5
    y, angle = 1 - 2 * index / count, np.pi * (1 + np.sqrt(5)) * index
    level = np.sqrt(1 - y**2)
    return np.stack([level * np.sin(angle), y, level * np.cos(angle)], -1)


def _share(angle: Doubles, half: Any, blur: float) -> Doubles:
    scale = np.sqrt(2) * blur
    return np.asarray((erf((half - angle) / scale) + erf((half + angle) / scale)) / 2)


def _triple(values: Any) -> Triple:
    return float(values[0]), float(values[1]), float(values[2])
