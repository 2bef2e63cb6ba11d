"""Finishes: what surfaces are made of, drawn with numpy.

Colours are linear RGB albedo, heights are metres, and a map covers `span` metres square. Columns run along
the grain (u, world X on the ground), rows across it (v, world Z).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.noise import Field, field, fractal, step, warp

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Finish:
    """A surface as the path tracer needs it.

    Parameters
    ----------
    colour
        Linear RGB albedo, float32 (N, N, 3).
    height
        Metres above the plane, float32 (N, N), or None for a smooth surface.
    roughness, specular
        Of the principled BSDF.
    span
        Metres that the maps cover.
    """

    colour: NDArray[np.float32]
    height: Field | None = None
    roughness: float = 0.6
    specular: float = 0.4
    span: float = 1.6


def linear(red: int, green: int, blue: int) -> Colour:
    """Linear RGB of an sRGB colour given as three bytes."""
    values = np.array([red, green, blue]) / 255.0
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(light[0]), float(light[1]), float(light[2])


def plain(colour: Colour, roughness: float = 0.6, specular: float = 0.4) -> Finish:
    """One colour all over."""
    return Finish(np.full((2, 2, 3), colour, np.float32), None, roughness, specular)


def _mix(
    low: NDArray[np.float32] | Colour, high: NDArray[np.float32] | Colour, share: Field
) -> NDArray[np.float32]:
    first, second = np.asarray(low, np.float32), np.asarray(high, np.float32)
    return np.asarray(first + (second - first) * share[..., None], np.float32)


def wood(rng: np.random.Generator, texels: int, tone: str, planks: bool = True) -> Finish:
    """Sawn boards: rings of a slightly conical trunk cut by the board's face, fibres, pores, joints."""
    light, dark, gloss = WOODS[tone]
    span = 1.6
    texel = span / texels
    across = (np.arange(texels, dtype=np.float32) * texel)[:, None]
    along = (np.arange(texels, dtype=np.float32) * texel)[None, :]
    widths = rng.uniform(0.09, 0.17, 40) if planks else rng.uniform(0.5, 0.9, 40)
    edges = np.concatenate([[-rng.uniform(0.02, 0.09)], np.cumsum(widths)])
    sway = field(rng, texels, span, 0.12, 6.0) * 0.004 + field(rng, texels, span, 0.03, 10.0) * 0.0007
    ring = np.zeros((texels, texels), np.float32)
    tint = np.zeros((texels, 1), np.float32)
    joint = np.zeros((texels, texels), np.float32)
    for start, end in pairwise(edges):
        rows = ((across[:, 0] >= start) & (across[:, 0] < end)).nonzero()[0]
        if not len(rows):
            continue
        centre = rng.uniform(start - 0.04, end + 0.04)
        depth = rng.uniform(0.006, 0.05) + rng.uniform(-0.03, 0.03) * (along - rng.uniform(0, span))
        radius = np.hypot(across[rows] - centre + sway[rows], depth + 1.6 * sway[rows])
        year = radius / rng.uniform(0.0035, 0.0065) + 0.5 * np.sin(radius * rng.uniform(200, 400))
        phase = year - np.floor(year)
        ring[rows] = phase**2.2 * (1.0 - step(0.88, 1.0, phase.astype(np.float32)))
        tint[rows] = rng.normal(0.0, 1.0)
        if planks:
            near = np.minimum(across[rows, 0] - start, end - across[rows, 0])
            joint[rows] = np.exp(-((near / 0.0011) ** 2))[:, None]
    fibre = fractal(rng, texels, span, 0.0022, 3, 0.7, 55.0)
    pores = step(1.35, 2.2, field(rng, texels, span, 0.0009, 22.0)) * (0.35 + 0.65 * ring)
    cloud = fractal(rng, texels, span, 0.2, 3, 0.5, 4.0)
    share = np.clip(0.26 + 0.42 * ring + 0.085 * fibre + 0.07 * cloud, 0.0, 1.15).astype(np.float32)
    colour = _mix(light, dark, share)
    colour *= np.exp(0.075 * tint)[..., None]
    colour *= (1.0 - 0.45 * pores)[..., None] * (1.0 - 0.86 * joint)[..., None]
    height = (-0.0016 * joint - 0.00011 * pores - 0.00005 * ring + 0.000025 * fibre).astype(np.float32)
    return Finish(np.clip(colour, 0.004, 0.9), height, gloss, 0.35, span)


def marble(rng: np.random.Generator, texels: int, tone: str) -> Finish:
    """Polished marble: clouds, and veins where warped noise crosses zero."""
    light, dark = MARBLES[tone]
    span = 1.6
    unit = texels / span
    bend = [fractal(rng, texels, span, 0.35, 5) * np.float32(0.05 * unit) for _ in range(2)]
    cloud = warp(fractal(rng, texels, span, 0.45, 6, 0.6), bend[0], bend[1])
    total = 0.16 * step(-0.6, 2.2, cloud)
    for size, thickness, weight in ((0.7, 0.035, 0.75), (0.35, 0.03, 0.4), (0.16, 0.035, 0.2)):
        lines = warp(fractal(rng, texels, span, size, 6, 0.48, 1.8), bend[1], bend[0])
        patches = step(-0.5, 1.4, field(rng, texels, span, 0.3))
        total = total + weight * patches * np.exp(-np.abs(lines) / thickness)
        total = total + 0.2 * weight * patches * np.exp(-np.abs(lines) / (7 * thickness))
    grain = 0.02 * field(rng, texels, span, 0.002)
    return Finish(
        _mix(light, dark, np.clip(total + grain, 0.0, 1.0).astype(np.float32)), None, 0.3, 0.45, span
    )


def stone(rng: np.random.Generator, texels: int, tone: str) -> Finish:
    """Cleft slate or honed limestone: layered relief, mineral clouds, specks."""
    light, dark, relief = STONES[tone]
    span = 1.6
    cloud = fractal(rng, texels, span, 0.3, 7, 0.62)
    fine = fractal(rng, texels, span, 0.008, 4, 0.7)
    layers = fractal(rng, texels, span, 0.11, 6, 0.52, 2.2)
    terrace = np.floor(layers * 2.2) / 2.2 + step(0.75, 1.0, (layers * 2.2) % 1.0) / 2.2
    share = np.clip(0.5 + 0.2 * cloud + 0.12 * fine + 0.1 * terrace, 0.0, 1.0).astype(np.float32)
    colour = _mix(light, dark, share)
    rust = step(1.1, 2.6, fractal(rng, texels, span, 0.2, 6, 0.6)) * (0.35 if relief > 0.5 else 0.1)
    colour = _mix(colour, linear(128, 104, 80), rust.astype(np.float32))
    colour *= (1.0 + 0.16 * step(2.0, 3.0, field(rng, texels, span, 0.0015)))[..., None]
    height = (relief * (0.0011 * terrace + 0.00012 * fine) + 0.00008 * fine).astype(np.float32)
    return Finish(np.clip(colour, 0.004, 0.9), height, 0.52, 0.4, span)


def terrazzo(rng: np.random.Generator, texels: int, tone: str) -> Finish:
    """Chips of several stones in a cement bed, ground flat."""
    light, _ = MARBLES[tone]
    span = 1.6
    colour = np.empty((texels, texels, 3), np.float32)
    colour[:] = light
    chips = [
        linear(*rgb)
        for rgb in ((196, 178, 158), (120, 112, 106), (172, 110, 86), (222, 214, 204), (84, 92, 96))
    ]
    for _ in range(5200):
        middle = rng.uniform(0, texels, 2)
        size = rng.gamma(2.0, 0.0022) * texels / span + 0.6
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 9)))
        radii = size * rng.uniform(0.6, 1.2, len(angles))
        outline = middle + np.stack([np.cos(angles) * 1.25, np.sin(angles)], 1) * radii[:, None]
        paint = np.array(chips[rng.integers(len(chips))]) * rng.uniform(0.8, 1.15)
        cv2.fillConvexPoly(colour, np.round(outline * 16).astype(np.int32), paint.tolist(), cv2.LINE_AA, 4)
    shade = 1.0 + 0.035 * fractal(rng, texels, span, 0.25, 4) + 0.035 * field(rng, texels, span, 0.0016)
    return Finish(np.clip(colour * shade[..., None], 0.01, 0.88), None, 0.34, 0.45, span)


def concrete(rng: np.random.Generator, texels: int, tone: str) -> Finish:
    """Cast concrete: damp clouds, trowel marks, air holes."""
    light, dark, _ = STONES[tone]
    span = 1.6
    cloud = fractal(rng, texels, span, 0.4, 7, 0.6)
    trowel = fractal(rng, texels, span, 0.03, 4, 0.6, 7.0)
    fine = field(rng, texels, span, 0.0014)
    holes = step(2.55, 3.1, field(rng, texels, span, 0.0045)) + step(
        3.0, 3.5, field(rng, texels, span, 0.009)
    )
    share = np.clip(0.4 + 0.17 * cloud + 0.06 * trowel + 0.05 * fine, 0.0, 1.0).astype(np.float32)
    colour = _mix(light, dark, share) * (1.0 - 0.55 * np.clip(holes, 0, 1))[..., None]
    height = (-0.0012 * holes + 0.00005 * fine + 0.0001 * trowel).astype(np.float32)
    return Finish(np.clip(colour, 0.01, 0.88), height, 0.68, 0.3, span)


def plaster(rng: np.random.Generator, texels: int, colour: Colour) -> Finish:
    """A painted wall: roller texture, gentle unevenness."""
    span = 2.4
    tone = 1.0 + 0.018 * fractal(rng, texels, span, 0.6, 5) + 0.008 * field(rng, texels, span, 0.004)
    relief = 0.00022 * fractal(rng, texels, span, 0.012, 3) + 0.0011 * fractal(rng, texels, span, 0.3, 3)
    paint = np.asarray(colour, np.float32) * tone[..., None]
    return Finish(np.clip(paint, 0.01, 0.9).astype(np.float32), relief.astype(np.float32), 0.75, 0.25, span)


def paper(rng: np.random.Generator, texels: int, colour: Colour) -> Finish:
    """Seamless background paper."""
    span = 1.6
    tone = 1.0 + 0.006 * fractal(rng, texels, span, 0.3, 4) + 0.008 * field(rng, texels, span, 0.0012)
    sheet = np.asarray(colour, np.float32) * tone[..., None]
    height = 0.00003 * field(rng, texels, span, 0.0025)
    return Finish(np.clip(sheet, 0.01, 0.9).astype(np.float32), height.astype(np.float32), 0.85, 0.15, span)


def linen(rng: np.random.Generator, texels: int, colour: Colour, stripe: Colour | None = None) -> Finish:
    """Plain weave with uneven yarns; a second colour gives woven stripes."""
    span = 0.8
    texel = span / texels
    pitch = max(0.0011, 2.2 * texel)
    threads = int(span / pitch)
    place = np.arange(texels, dtype=np.float32) * texel / pitch
    warp_sway = 0.25 * field(rng, texels, span, 0.05)
    weft_sway = 0.25 * field(rng, texels, span, 0.05)
    u, v = place[None, :] + warp_sway, place[:, None] + weft_sway
    over = np.sign(np.sin(np.pi * u) * np.sin(np.pi * v)).astype(np.float32)
    round_u = np.abs(np.sin(np.pi * u))
    round_v = np.abs(np.sin(np.pi * v))
    relief = np.where(over > 0, round_u, round_v).astype(np.float32)
    yarn_u = rng.normal(0, 1, threads + 8)[np.clip(u.astype(int), 0, threads + 7)]
    yarn_v = rng.normal(0, 1, threads + 8)[np.clip(v.astype(int), 0, threads + 7)]
    slub_u = fractal(rng, texels, span, 0.02, 3, 0.6, 0.08)
    slub_v = fractal(rng, texels, span, 0.0016, 2, 0.6, 14.0)
    yarn = np.where(over > 0, 0.7 * yarn_u + 0.6 * slub_u, 0.7 * yarn_v + 0.6 * slub_v)
    base = np.broadcast_to(np.asarray(colour, np.float32), (texels, texels, 3))
    if stripe is not None:
        metres = np.arange(texels, dtype=np.float32)[:, None] * texel
        band = (np.abs((metres % 0.05) - 0.025) < 0.004) | (np.abs((metres % 0.05) - 0.039) < 0.0012)
        dyed = (band & (over <= 0)).astype(np.float32) * 0.85 + 0.1 * band
        base = _mix(np.asarray(base), stripe, np.broadcast_to(dyed, (texels, texels)).astype(np.float32))
    shade = np.exp(0.075 * yarn) * (0.72 + 0.34 * relief)
    height = (0.00022 * relief + 0.00003 * yarn).astype(np.float32)
    return Finish(np.clip(base * shade[..., None], 0.008, 0.88).astype(np.float32), height, 0.9, 0.1, span)


def tiles(rng: np.random.Generator, texels: int, colour: Colour, width: float, rise: float) -> Finish:
    """Glazed tiles in running bond: every tile a little out of plane, grout between."""
    span = 1.6
    texel = span / texels
    row_field = np.arange(texels, dtype=np.float32)[:, None] * texel / rise
    course = np.floor(row_field)
    shift = 0.5 * (course % 2) if width > 1.4 * rise else 0.0 * course
    column_field = np.arange(texels, dtype=np.float32)[None, :] * texel / width + shift
    column = np.floor(column_field)
    row_part, column_part = row_field - course, column_field - column
    edge = np.minimum(
        np.minimum(row_part, 1 - row_part) * rise, np.minimum(column_part, 1 - column_part) * width
    ).astype(np.float32)
    glaze = step(0.0012, 0.0022, edge)
    pillow = step(0.001, 0.006, edge)
    draw = rng.normal(0, 1, (4, 4096))
    index = (course.astype(int) * 61 + column.astype(int) * 17) % 4096
    tilt = 0.004 * ((row_part - 0.5) * rise * draw[0][index] + (column_part - 0.5) * width * draw[1][index])
    tone = 1.0 + 0.045 * draw[2][index] + 0.03 * fractal(rng, texels, span, 0.05, 3)
    grout = (
        np.asarray(linear(196, 190, 180), np.float32)
        * (1 + 0.05 * field(rng, texels, span, 0.003))[..., None]
    )
    paint = _mix(grout, np.asarray(colour, np.float32) * tone[..., None].astype(np.float32), glaze)
    wave = 0.00012 * fractal(rng, texels, span, 0.04, 2)
    height = (0.0014 * pillow + glaze * (tilt + wave)).astype(np.float32)
    return Finish(np.clip(paint, 0.01, 0.88).astype(np.float32), height, 0.22, 0.5, span)


WOODS: dict[str, tuple[Colour, Colour, float]] = {
    "oak": (linear(206, 168, 122), linear(150, 106, 66), 0.5),
    "pale oak": (linear(220, 194, 158), linear(176, 142, 104), 0.55),
    "walnut": (linear(138, 98, 68), linear(74, 48, 33), 0.45),
    "pine": (linear(226, 190, 138), linear(190, 136, 82), 0.5),
    "smoked oak": (linear(98, 78, 62), linear(52, 40, 32), 0.5),
    "grey wood": (linear(170, 160, 146), linear(112, 102, 92), 0.65),
    "cherry": (linear(182, 116, 74), linear(122, 66, 40), 0.45),
    "white wash": (linear(226, 220, 208), linear(178, 168, 152), 0.6),
}
MARBLES: dict[str, tuple[Colour, Colour]] = {
    "white": (linear(232, 229, 224), linear(112, 112, 116)),
    "cream": (linear(226, 214, 194), linear(150, 118, 84)),
    "grey": (linear(166, 166, 166), linear(226, 224, 220)),
    "green": (linear(58, 82, 70), linear(182, 196, 182)),
    "black": (linear(40, 40, 43), linear(190, 186, 178)),
    "rose": (linear(222, 194, 182), linear(140, 92, 82)),
}
STONES: dict[str, tuple[Colour, Colour, float]] = {
    "slate": (linear(98, 102, 106), linear(52, 55, 60), 1.0),
    "basalt": (linear(78, 76, 74), linear(44, 43, 43), 0.6),
    "limestone": (linear(214, 204, 186), linear(178, 164, 142), 0.25),
    "sandstone": (linear(208, 178, 140), linear(166, 128, 92), 0.5),
    "grey concrete": (linear(182, 180, 176), linear(124, 122, 119), 0.2),
    "warm concrete": (linear(198, 190, 178), linear(144, 134, 122), 0.2),
    "dark concrete": (linear(112, 111, 110), linear(70, 70, 71), 0.2),
}

#: Grounds by family; every maker takes (rng, texels, tone).
GROUNDS: dict[str, tuple[Callable[[np.random.Generator, int, str], Finish], tuple[str, ...]]] = {
    "wood": (wood, tuple(WOODS)),
    "marble": (marble, tuple(MARBLES)),
    "stone": (stone, ("slate", "basalt", "limestone", "sandstone")),
    "terrazzo": (terrazzo, ("white", "cream", "grey", "rose")),
    "concrete": (concrete, ("grey concrete", "warm concrete", "dark concrete")),
}
