"""Kinds that are filled: detergent jug, flacon, wine bottle, spray bottle, yoghurt cup, paint bucket, flask."""

from __future__ import annotations

import numpy as np

from scoring.bench.products.built import Built, sticker, thin_plate
from scoring.bench.products.prints import Canvas, decorate
from scoring.bench.products.spec import BenchSpec, mixed
from scoring.bench.products.surfaces import (
    Finish,
    Piece,
    band,
    block,
    curve,
    fillet,
    girth,
    lathe,
    moved,
    tube,
)


def jug(spec: BenchSpec) -> Built:
    """A detergent jug: a squarish belly with a sticker, a grip behind one shoulder, a ribbed cap."""
    half, tall = spec.between(0, 0.075, 0.095), spec.between(1, 0.2, 0.26)
    squash, power = (1.0, spec.between(2, 0.5, 0.62)), 3.6
    neck = 0.3 * half
    profile = fillet(
        [(0.0, 0.0, 0), (half * 0.96, 0.0, 0.012), (half, 0.1 * tall, 0.02), (half, 0.68 * tall, 0.05),
         (half * 0.62, 0.88 * tall, 0.04), (neck, 0.93 * tall, 0.01), (neck, tall, 0)], 6,
    )  # fmt: skip
    powers = np.where(profile[:, 1] < 0.7 * tall, power, 2.4)
    cloth = Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic)
    lid = Finish(spec.trim, roughness=spec.roughness)
    cap = fillet([(neck * 1.35, 0.955 * tall, 0), (neck * 1.35, 1.12 * tall, 0.008), (0.0, 1.12 * tall, 0)], 5)
    ribs = lathe(cap, 96)
    wave = 1 + 0.02 * np.sin(24 * np.arctan2(ribs.vertices[:, 0], ribs.vertices[:, 2]))
    ribs.vertices[:, [0, 2]] *= np.where(ribs.vertices[:, 1:2] < 1.1 * tall, wave[:, None], 1.0)
    x = half * 0.8
    loop = curve(
        [(x * 0.55, 0.9 * tall, 0), (x * 1.15, 0.93 * tall, 0), (x * 1.62, 0.8 * tall, 0), (x * 1.6, 0.58 * tall, 0),
         (x * 1.1, 0.5 * tall, 0)], 30,
    )  # fmt: skip
    patch = lathe(band(profile, 0.1 * tall, 0.66 * tall), 40, squash, power, (-0.19, 0.19))
    canvas = Canvas((0.38 * girth(half, squash, power), 0.56 * tall), spec.texture, spec.paper, "label")
    decorate(canvas, spec, (0.1, 0.05, 0.9, 0.95))
    return [
        Piece("body", lathe(profile, 72, squash, powers), cloth),
        Piece("handle", tube(loop, 0.021, 0.75, 16), cloth),
        Piece("cap", ribs, lid),
        sticker("label", patch, canvas, spec),
    ], canvas.labels


def flacon(spec: BenchSpec) -> Built:
    """A perfume flacon: a heavy block or drum with a collar and a tall cap."""
    wide, tall, deep = spec.between(0, 0.06, 0.09), spec.between(1, 0.07, 0.11), spec.between(2, 0.026, 0.04)
    collar = 0.32 * wide * 0.5
    glass = Finish(spec.body, roughness=min(spec.roughness, 0.45), metallic=spec.metallic)
    metal = Finish(mixed(spec.trim, (212, 190, 140), 0.0 if spec.plain else 0.6), roughness=0.32, metallic=0.0)
    canvas = Canvas((wide * 0.8, tall * 0.74), spec.texture, spec.paper, "label")
    decorate(canvas, spec, (0.08, 0.06, 0.92, 0.94))
    if spec.variant % 3 == 0:
        body = lathe(fillet([(0, 0, 0), (wide / 2, 0, 0.008), (wide / 2, tall, 0.014), (0, tall, 0)], 6), 72)
        plate = lathe(band(np.array([(wide / 2, 0.0), (wide / 2, tall)]), 0.13 * tall, 0.87 * tall), 40, arc=(-0.2, 0.2))
        canvas = Canvas((0.4 * girth(wide / 2), tall * 0.74), spec.texture, spec.paper, "label")
        decorate(canvas, spec, (0.12, 0.06, 0.88, 0.94))
    else:
        body = block((wide, tall, deep), 0.009 if spec.variant % 2 else 0.003)
        plate = moved(thin_plate(wide * 0.8, tall * 0.74), (0, 0.13 * tall, deep / 2))
    ring = lathe(fillet([(collar, tall, 0), (collar, tall * 1.08, 0.001), (0, tall * 1.08, 0)]), 40)
    top = spec.between(3, 0.25, 0.45) * tall
    if spec.variant % 4 == 1:
        cap = moved(lathe(fillet([(0, 0, 0), (top * 0.32, 0.0, 0.01), (top * 0.5, top * 0.5, 0.03), (0, top, 0.01)], 8), 48),
                    (0, 1.07 * tall, 0))  # fmt: skip
    elif spec.variant % 4 == 2:
        cap = moved(block((collar * 2.7, top, min(collar * 2.7, deep * 0.9)), 0.003), (0, 1.06 * tall, 0))
    else:
        cap = lathe(fillet([(collar * 1.25, 1.06 * tall, 0), (collar * 1.25, 1.06 * tall + top, 0.004),
                            (0, 1.06 * tall + top, 0)]), 48)  # fmt: skip
    return [
        Piece("flacon", body, glass),
        Piece("collar", ring, metal),
        Piece("cap", cap, Finish(spec.trim, roughness=0.35)),
        sticker("label", plate, canvas, spec),
    ], canvas.labels


def wine(spec: BenchSpec) -> Built:
    """A wine bottle with a paper label and a capsule over the cork."""
    half, tall = spec.between(0, 0.038, 0.048), spec.between(1, 0.26, 0.3)
    shoulder = spec.between(2, 0.56, 0.66) * tall
    slope = 0.03 if spec.variant % 2 else 0.1
    profile = fillet(
        [(0, 0, 0), (half, 0, 0.006), (half, shoulder, 0.05), (0.0155, shoulder + slope, 0.05), (0.0145, 0.97 * tall, 0.0),
         (0.0165, 0.972 * tall, 0.001), (0.0165, 0.99 * tall, 0.001), (0, 0.99 * tall, 0)], 7,
    )  # fmt: skip
    foil = fillet([(0.0164, 0.8 * tall, 0), (0.0152, 0.965 * tall, 0), (0.0172, 0.968 * tall, 0.001),
                   (0.0172, tall, 0.002), (0, tall, 0)])  # fmt: skip
    low, high = 0.12 * shoulder, 0.88 * shoulder
    arc = spec.between(3, 0.22, 0.3)
    patch = lathe(band(profile, low, high), 44, arc=(-arc, arc))
    canvas = Canvas((2 * arc * girth(half), high - low), spec.texture, spec.paper, "label")
    decorate(canvas, spec, (0.2, 0.04, 0.8, 0.96))
    glass = Finish(spec.body, roughness=min(spec.roughness, 0.4))
    return [
        Piece("bottle", lathe(profile, 56), glass),
        Piece("capsule", lathe(foil, 48), Finish(spec.trim, roughness=0.45)),
        sticker("label", patch, canvas, spec),
    ], canvas.labels
