"""Dark things that lie in the product's own shadow, where a picture is dark anyway."""

from __future__ import annotations

import cv2
import numpy as np

from packline.colour import from_lab
from packline.stage.lighting import develop
from scoring.bench.defects.scene import KEPT
from scoring.bench.defects.sitting import Altered, Floats, Sitting, blended, changed

# of the light the shadow leaves at most so much where such a thing lies
_SHADED = 0.65
# share of the thing that lies in the shadow, and of it that is seen to differ from the shadow
_WITHIN, _SEEN = 0.9, 0.5
_TRIES = 60
# CIELAB of what such things are made of: black plastic, dark grey stone, dark brown wood or leather
_COLOURS = {"black": (6.0, 0.0, 0.0), "dark grey": (22.0, 0.0, 1.0), "dark brown": (18.0, 9.0, 14.0)}


def object_in_shadow(sitting: Sitting, strength: str) -> Altered | None:
    """A black, dark grey or dark brown box, stone or cable on the ground within the product's shadow."""
    rng, picture = sitting.rng, sitting.plain.picture
    shape = picture.shape[:2]
    area = float(strength.split()[0]) / 100 * shape[0] * shape[1]
    near = cv2.dilate(sitting.plain.mask, np.ones((5, 5), np.uint8)) > 0
    share = sitting.plain.reference.shadow.astype(np.float32) / np.float32(255)
    # in the shadow that was asked for and in the one that is there
    shaded = (np.maximum(share, sitting.take.truth.shadow / np.float32(255)) < _SHADED) & ~near
    places = np.argwhere(shaded)
    if len(places) < area:
        return None
    for _ in range(_TRIES):
        row, column = (int(value) for value in places[int(rng.integers(len(places)))])
        cover, light = _thing(rng, shape, (row, column), area)
        solid = cover > 0.5
        if solid.sum() and float(shaded[solid].mean()) >= _WITHIN:
            break
    else:
        return None
    lab = np.array(list(_COLOURS.values())[int(rng.integers(len(_COLOURS)))])
    lab += (rng.normal(0, 2), *rng.normal(0, 1.5, 2))
    colour = np.clip(from_lab(lab), 0.003, 0.9).astype(np.float32)
    # it stands in the shadow as well
    level = float(np.clip(np.median(sitting.bare) / 0.4, 0.4, 1.6)) * float(share[solid].mean())
    thing = develop(colour * light[..., None] * np.float32(level))
    cover = np.where(near, 0, cover).astype(np.float32)
    painted = blended(picture, thing, cover)
    where = changed(picture, painted)
    if where.sum() < _SEEN * area:
        return None
    return sitting.altered(
        painted, "object in the shadow", strength, KEPT, float(where.mean()) >= 0.02, where
    )


def _thing(
    rng: np.random.Generator, shape: tuple[int, int], at: tuple[int, int], area: float
) -> tuple[Floats, Floats]:
    """A box, a stone or a cable about a pixel: how much of each pixel it covers, and its light, (H, W)."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = float(rng.uniform(0, np.pi))
    across, down = x - at[1], y - at[0]
    u, v = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
    kind = str(rng.choice(["box", "stone", "cable"]))
    if kind == "cable":
        return _cable(rng, u, v, area)
    flat = float(rng.uniform(1.0, 1.6))
    radius = float(np.sqrt(area / (4 if kind == "box" else np.pi)))
    u, v = u / (radius * flat), v / radius * flat
    if kind == "box":
        away = np.maximum(np.abs(u), np.abs(v))
        # its top takes more light than its side
        light = np.where(v < float(rng.uniform(-0.4, 0.2)), 1.1, 0.6)
    else:
        turn, bumps = np.arctan2(v, u), np.zeros_like(u)
        for waves in (2, 3, 5):
            bumps += float(rng.normal(0, 0.16 / waves)) * np.sin(waves * turn + float(rng.uniform(0, 6)))
        away = np.hypot(u, v) / (1 + bumps)
        light = np.clip(0.8 - 0.35 * v + 0.2 * u, 0.3, 1.2)
    cover = np.clip((1 - away) * radius / flat + 0.5, 0, 1)
    return cover.astype(np.float32), light.astype(np.float32)


def _cable(rng: np.random.Generator, u: Floats, v: Floats, area: float) -> tuple[Floats, Floats]:
    """A bent line, eight times as long as it is thick."""
    thick = float(np.sqrt(area / 8))
    bend, waves = float(rng.uniform(0.3, 1.2)) * thick, float(rng.uniform(0.5, 1.2))
    centre = bend * np.sin(u / (8 * thick) * 2 * np.pi * waves)
    away = np.maximum(np.abs(v - centre) - thick / 2, np.abs(u) - 4 * thick)
    cover = np.clip(0.5 - away, 0, 1)
    light = np.clip(0.8 - 0.6 * (v - centre) / thick, 0.3, 1.2)
    return cover.astype(np.float32), light.astype(np.float32)
