"""Other rooms mirrored in other surfaces: lessons in what a renderer may do to an honest picture.

The bench's products are mostly matte, and its stage mirrors a soft sky. Real products are lacquered, of
steel, of black plastic, and real renderers (and image models) mirror rooms with windows in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.shape_defects import noise

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Random = np.random.Generator

# of plastic, straight on
_DIELECTRIC = 0.04
_GAMMA = np.float32(2.2)


@dataclass(frozen=True)
class Window:
    """A light in a room.

    Parameters
    ----------
    direction
        Where it hangs, unit length, float32 (3,).
    sharpness
        Exponent of the cosine to it: 3 fills half the room, 500 is a lamp.
    bright
        Linear.
    """

    direction: Floats
    sharpness: float
    bright: float


@dataclass(frozen=True)
class Room:
    """What surfaces mirror: a ground, a sky and windows.

    Parameters
    ----------
    middle, rise
        Linear brightness at the horizon, and by how much the sky is brighter than that.
    steep, tilt
        How fast the one becomes the other, and where.
    tint
        Factors of red, green and blue.
    """

    middle: float
    rise: float
    steep: float
    tilt: float
    tint: Floats
    windows: tuple[Window, ...]

    @staticmethod
    def drawn(rng: Random, brightest: float) -> Room:
        """Any room, with one to four windows of at most `brightest`."""
        steep, tilt = rng.uniform(0.5, 3), rng.normal(0, 0.3)
        middle, rise = rng.uniform(0.05, 0.6), rng.uniform(-0.3, 0.5)
        windows = []
        for _ in range(int(rng.integers(1, 5))):
            where = rng.normal(0, 1, 3) + np.array([0, 0.6, 0.4])
            sharpness = float(np.exp(rng.uniform(np.log(3), np.log(500))))
            bright = float(np.exp(rng.uniform(np.log(0.2), np.log(brightest))))
            windows.append(Window((where / np.linalg.norm(where)).astype(np.float32), sharpness, bright))
        tint = (1 + rng.normal(0, 0.08, 3)).astype(np.float32)
        return Room(middle, rise, steep, tilt, tint, tuple(windows))

    @staticmethod
    def stage(rng: Random) -> Room:
        """One as the stage lights with: a soft sky, a darker ground and one softbox above."""
        where = np.array([rng.normal(0, 0.7), rng.uniform(0.4, 1.0), rng.uniform(0.1, 0.9)])
        box = Window(
            (where / np.linalg.norm(where)).astype(np.float32), rng.uniform(8, 25), rng.uniform(0.8, 2.5)
        )
        tint = (1 + rng.normal(0, 0.03, 3)).astype(np.float32)
        return Room(rng.uniform(0.3, 1.2), rng.uniform(0.1, 0.6), 1.5, 0.0, tint, (box,))

    def mirrored(self, towards: Floats, rough: Floats) -> Floats:
        """What surfaces show of it, linear, float32 (H, W, 3).

        Parameters
        ----------
        towards
            Where a mirror there would look, unit length, float32 (H, W, 3).
        rough
            Roughness, 0 to 1, float32 (H, W); 0 is a mirror.
        """
        # Phong's exponent of a GGX lobe (Karis 2013)
        lobe = 2 / np.maximum(rough, 0.12) ** 4 - np.float32(1.9)
        rise = np.clip(towards[..., 1] * self.steep + self.tilt, -1, 1) * (1 - 0.7 * rough)
        light = self.middle + self.rise * rise
        for window in self.windows:
            # a lobe spreads the window's light, and takes none away
            seen = window.sharpness * lobe / (window.sharpness + lobe)
            bright = window.bright * (seen + 1) / (window.sharpness + 1)
            light = light + bright * np.clip(towards @ window.direction, 0, 1) ** seen
        return np.asarray(np.clip(light, 0.01, 12)[..., None] * self.tint, np.float32)


@dataclass(frozen=True)
class Sight:
    """Where a product's surfaces face, and where they would mirror.

    Parameters
    ----------
    grazing
        1 minus the cosine between surface and eye, float32 (H, W).
    towards
        As `Room.mirrored` takes it.
    """

    grazing: Floats
    towards: Floats

    @staticmethod
    def of(normals: Picture, rng: Random) -> Sight:
        """From world normals, 0 to 255 for -1 to 1, uint8 (H, W, 3); cameras look down a little."""
        facing = normals.astype(np.float32) / np.float32(127.5) - 1
        facing /= np.linalg.norm(facing, axis=-1, keepdims=True) + np.float32(1e-3)
        height = rng.uniform(0, 0.5)
        eye = np.array([rng.normal(0, 0.15), np.sin(height), np.cos(height)], np.float32)
        cosine = np.clip(facing @ eye, 0, 1)
        return Sight(1 - cosine, np.asarray(2 * cosine[..., None] * facing - eye, np.float32))


def redrawn(
    picture: Picture, normals: Picture, mask: Picture, rng: Random, surface: Picture | None = None
) -> Picture:
    """The product as another renderer may draw it: another room in its surfaces, another curve.

    Parameters
    ----------
    normals
        World normals where the picture has the product, 0 to 255 for -1 to 1, uint8 (H, W, 3).
    surface
        Roughness and metalness there as `Reference.surface` has them: smooth surfaces mirror the room's
        windows sharply, rough ones hardly, and metal in its own colour. None: not known, so anything may.
    """
    light = (picture.astype(np.float32) / 255) ** _GAMMA
    sight = Sight.of(normals, rng)
    if surface is None:
        room, rough = Room.drawn(rng, 3.0), np.zeros(mask.shape, np.float32)
        metal = _metal_somewhere(mask.shape, rng)
    else:
        # renderers do not agree on roughness either
        rough = np.clip(surface[..., 0] / np.float32(255) * np.exp(rng.uniform(-0.6, 0.5)), 0.05, 1)
        room, metal = Room.drawn(rng, 12.0), surface[..., 1] * np.float32(rng.uniform(0.3, 1.0) / 255)
    # what of the room that is in the picture already makes way, and how much brighter metal is in this one
    lost, share, gain = rng.uniform(0, 0.6), rng.uniform(0.2, 1.0), np.exp(rng.normal(0, 0.4))
    mirrored = room.mirrored(sight.towards, rough)
    middle = float(np.median(mirrored[mask > 127])) if (mask > 127).any() else 1.0
    instead = mirrored * np.float32(gain / max(middle, 0.02))
    drawn = _coated(light, (mirrored - lost) * share, instead, sight, rough, metal)
    return _over(light, _developed(drawn, rng), mask)


def _metal_somewhere(shape: tuple[int, ...], rng: Random) -> Floats:
    """Metal, all of it or in places, in three of ten pictures: float32 (H, W)."""
    metal = np.zeros(shape, np.float32)
    if rng.random() < 0.3:
        metal += np.float32(rng.uniform(0.3, 1.0))
        if rng.random() < 0.6:
            metal *= np.clip(noise(rng, shape[0], shape[0] / 5) * 3 + rng.normal(0, 1), 0, 1)
    return metal


def _coated(
    light: Floats, over: Floats, instead: Floats, sight: Sight, rough: Floats, metal: Floats
) -> Floats:
    """Linear light of what mirrors a room: plastic `over` its own colour, metal `instead` of white light."""
    tinted = light * np.clip(instead, 0.15, 6) ** metal[..., None]
    # Schlick's for rough surfaces
    fresnel = _DIELECTRIC + (np.maximum(1 - rough, _DIELECTRIC) - _DIELECTRIC) * sight.grazing**5
    added = (fresnel * (1 - metal))[..., None] * over
    return np.asarray(np.maximum(tinted + added, 0), np.float32)


def _developed(light: Floats, rng: Random) -> Floats:
    """A curve of another renderer's."""
    if rng.random() < 0.5:
        toe = rng.uniform(0.005, 0.05)
        light = light * light / (light + toe) * (1 + toe / 0.18)
    if rng.random() < 0.5:
        light = 0.18 * (light / 0.18) ** rng.uniform(0.85, 1.25)
    return light


def _over(before: Floats, light: Floats, mask: Picture) -> Picture:
    cover = (mask / np.float32(255))[..., None]
    shown = np.clip(before * (1 - cover) + light * cover, 0, 1) ** (1 / _GAMMA)
    return np.asarray(np.round(shown * 255), np.uint8)


def polished(albedo: Picture, surface: Picture, rng: Random) -> Picture:
    """Another finish for a product whose colours tell its materials apart: lacquer, plastic, metal.

    Returns
    -------
    uint8 (H, W, 2)
        As `Reference.surface`.
    """
    out = surface.copy()
    tone = albedo.astype(np.float32) @ rng.normal(0, 1, 3).astype(np.float32)
    border = float(np.quantile(tone, rng.uniform(0.1, 0.9))) if rng.random() < 0.6 else float(tone.max())
    for place in (tone <= border, tone > border):
        kind = rng.random()
        if kind < 0.45:
            out[place] = round(255 * rng.uniform(0.05, 0.4)), 0
        elif kind < 0.8:
            out[place] = round(255 * rng.uniform(0.1, 0.5)), 255
    return out


def in_stage_room(
    picture: Picture, normals: Picture, mask: Picture, surface: Picture, room: Room, rng: Random
) -> Picture:
    """A product that was drawn matte with another finish, about as the stage itself would draw that."""
    light = (picture.astype(np.float32) / 255) ** _GAMMA
    sight = Sight.of(normals, rng)
    rough, metal = surface[..., 0] / np.float32(255), surface[..., 1] / np.float32(255)
    mirrored = room.mirrored(sight.towards, rough)
    return _over(light, _coated(light, mirrored, mirrored, sight, rough, metal), mask)
