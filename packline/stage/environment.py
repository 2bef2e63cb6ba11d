"""What surrounds a product as tables that are looked up by direction: quicker than to work it out by pixel.

A table is a square that the sphere is unfolded onto (octahedral map, Cigolle and others 2014); a mirror's
blur picks one of several squares that lie below one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.scenes import Light
from packline.stage.model import Floats
from packline.stage.studio import Studio, StudioLight

#: Smallest roughness that is lit: below, a highlight would be smaller than a pixel.
SMOOTHEST = 0.08
_SIDE = 160
_LEVELS = 12
_MATTE_SIDE = 48
# beyond each square's edge, the sphere goes on
_RIM = 2


@dataclass(frozen=True, eq=False)
class Environment:
    """Light that arrives, in two parts: the key, which the product may block, and all that fills in.

    Parameters
    ----------
    axes
        World directions by these columns are the tables' directions, shape (3, 3).
    mirrored
        What a mirror shows, float32 (levels * side, side, channels), smoothest first.
    colours
        Linear RGB of each channel, float32 (channels, 3), or None: grey. The first channel is the key.
    matte
        The same of a matte white surface by its normal, float32 (side, side, channels); None: the exact
        formula of a plain light.
    light
        That plain light.
    """

    axes: Floats
    mirrored: Floats
    colours: Floats | None
    matte: Floats | None
    light: Light

    def on_matte(self, normals: Floats) -> tuple[Floats, Floats]:
        """What a white matte surface shows of the key and of the fill.

        Parameters
        ----------
        normals
            World, unit, float32 (3, N).

        Returns
        -------
        tuple of float32 (3, N), or (1, N) where the light has no colour
        """
        if self.matte is None:
            return _plain_matte(self.light, normals)
        x, y = _unfold(self.axes.T @ normals, _MATTE_SIDE)
        return self._coloured(_look_up(self.matte, x, y))

    def in_mirror(self, directions: Floats, roughness: Floats) -> tuple[Floats, Floats]:
        """What a mirror shows of the key and of the fill, as in `on_matte`.

        Parameters
        ----------
        directions
            World directions that the mirror looks in, unit, float32 (3, N).
        roughness
            float32 (N,), `SMOOTHEST` to 1.
        """
        x, y = _unfold(self.axes.T @ directions, _SIDE)
        level = (roughness - SMOOTHEST) * np.float32((_LEVELS - 1) / (1 - SMOOTHEST))
        lower = np.clip(np.floor(level), 0, _LEVELS - 2)
        y += lower * np.float32(_SIDE + 2 * _RIM)
        first = _look_up(self.mirrored, x, y)
        y += np.float32(_SIDE + 2 * _RIM)
        second = _look_up(self.mirrored, x, y)
        return self._coloured(first + (second - first) * (level - lower))

    def _coloured(self, channels: Floats) -> tuple[Floats, Floats]:
        if self.colours is None:
            return channels[:1], channels[1:]
        return self.colours[:1].T * channels[:1], self.colours[1:].T @ channels[1:]


def environment(light: Light) -> Environment:
    """The tables of a light."""
    if isinstance(light, StudioLight):
        mirrored, matte = _studio_tables(light.studio)
        return Environment(np.asarray(light.axes, np.float32), mirrored, None, matte, light)
    colours = np.asarray([light.key_colour, light.sky_colour, light.ground_colour], np.float32)
    mirrored = _plain_table(light.key_direction, _sine(light.key_size))
    return Environment(np.eye(3, dtype=np.float32), mirrored, colours, None, light)


@lru_cache(maxsize=2)
def _studio_tables(studio: Studio) -> tuple[Floats, Floats]:
    directions = _fold(_SIDE)
    levels = [studio.radiance(directions, _blur(rough)) for rough in _roughnesses()]
    normals = _fold(_MATTE_SIDE)
    matte = studio.irradiance(normals.reshape(-1, 3)).reshape(*normals.shape[:2], 2)
    return np.concatenate(levels).astype(np.float32), matte.astype(np.float32)


@lru_cache(maxsize=8)
def _plain_table(key_direction: tuple[float, float, float], size: float) -> Floats:
    """Sky, ground and a softbox at the key, seen in a mirror of some roughness: one channel each."""
    directions = _fold(_SIDE)
    up = directions[..., 1]
    to_key = np.asarray(key_direction) / np.linalg.norm(key_direction)
    angle = np.arccos(np.clip(directions @ to_key, -1, 1))
    levels = []
    for rough in _roughnesses():
        horizon = np.clip(up / (0.12 + 0.88 * rough) * 0.5 + 0.5, 0, 1)
        horizon = horizon * horizon * (3 - 2 * horizon)
        # a mirror shows the ground darker and the sky lighter than the mean that a matte surface gathers
        sky = (1 + 0.25 * (1 - rough)) * horizon
        earth = (1 - 0.45 * (1 - rough)) * (1 - horizon)
        # the softbox is never smaller than a real one, or smooth plastic would show a pinprick
        width = max(size, 0.30) + 0.9 * rough
        box = 1 / (1 + np.exp(np.clip((angle - width) / (0.03 + 0.22 * rough), -30, 30)))
        # a disk of angular radius w that gives the irradiance `key` has the radiance key / sin(w)^2
        strength = min(1 / np.sin(min(width, np.pi / 2)) ** 2, 5)
        levels.append(np.stack([strength * box, sky, earth], -1))
    return np.concatenate(levels).astype(np.float32)


def _plain_matte(light: Light, normals: Floats) -> tuple[Floats, Floats]:
    key, sky, earth = (
        np.asarray(c, np.float32)[:, None] for c in (light.key_colour, light.sky_colour, light.ground_colour)
    )
    to_key = np.asarray(light.key_direction, np.float32)
    cosine = (to_key / np.linalg.norm(to_key)) @ normals
    size = np.float32(_sine(light.key_size))
    # the share of a disk of that size which a surface gets: max(cosine, 0), softened
    knee = (cosine + size) ** 2 / (4 * size)
    facing = np.where(np.abs(cosine) < size, knee, np.maximum(cosine, 0))
    fill = earth + (sky - earth) * ((normals[1] + 1) / 2)
    return np.asarray(key * facing, np.float32), np.asarray(fill, np.float32)


def _sine(key_size: float) -> float:
    return float(np.sin(np.radians(np.clip(key_size, 0.5, 60.0))))


def _roughnesses() -> list[float]:
    return [float(r) for r in np.linspace(SMOOTHEST, 1, _LEVELS)]


def _blur(rough: float) -> float:
    """Standard deviation in radians of what a GGX surface of this roughness mirrors, about."""
    return float(0.012 + 0.9 * rough**2)


def _fold(side: int) -> NDArray[np.float64]:
    """The direction of each texel of an octahedral square with its rim, shape (side + rims, ..., 3)."""
    steps = (np.arange(-_RIM, side + _RIM) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(steps, steps)
    # the rim is the neighbour across the edge: mirrored along the edge
    over = np.abs(x) > 1
    x, y = np.where(over, np.sign(x) * 2 - x, x), np.where(over, -y, y)
    over = np.abs(y) > 1
    y, x = np.where(over, np.sign(y) * 2 - y, y), np.where(over, -x, x)
    z = 1 - np.abs(x) - np.abs(y)
    inner_x = np.where(z < 0, (1 - np.abs(y)) * np.sign(x), x)
    inner_y = np.where(z < 0, (1 - np.abs(x)) * np.sign(y), y)
    found = np.stack([inner_x, inner_y, z], -1)
    return np.asarray(found / np.linalg.norm(found, axis=-1, keepdims=True))


def _unfold(directions: Floats, side: int) -> tuple[Floats, Floats]:
    """Where on an octahedral square with its rim each direction lies, in texels from the first's middle."""
    x, y, z = directions
    ax, ay = np.abs(x), np.abs(y)
    total = 1 / np.maximum(ax + ay + np.abs(z), np.float32(1e-9))
    below = z < 0
    u = np.where(below, np.copysign(1 - ay * total, x), x * total)
    v = np.where(below, np.copysign(1 - ax * total, y), y * total)
    half, shift = np.float32(side / 2), np.float32(side / 2 + _RIM - 0.5)
    return u * half + shift, v * half + shift


def _look_up(table: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear samples at N places, at most 32,767: float32 (channels, N)."""
    found = cv2.remap(table, x[None], y[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(found[0].T)
