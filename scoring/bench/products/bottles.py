"""Filled kinds: detergent jug, flacon, wine bottle, spray bottle, yoghurt cup, paint bucket, flask."""

from __future__ import annotations

import numpy as np

from scoring.bench.products.built import Built, printed, sticker, thin_plate
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
    joined,
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
        [
            (0.0, 0.0, 0),
            (half * 0.96, 0.0, 0.012),
            (half, 0.1 * tall, 0.02),
            (half, 0.68 * tall, 0.05),
            (half * 0.62, 0.88 * tall, 0.04),
            (neck, 0.93 * tall, 0.01),
            (neck, tall, 0),
        ],
        6,
    )
    powers = np.where(profile[:, 1] < 0.7 * tall, power, 2.4)
    cloth = Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic)
    lid = Finish(spec.trim, roughness=spec.roughness)
    cap = fillet(
        [(neck * 1.35, 0.955 * tall, 0), (neck * 1.35, 1.12 * tall, 0.008), (0.0, 1.12 * tall, 0)], 5
    )
    ribs = lathe(cap, 96)
    wave = 1 + 0.02 * np.sin(24 * np.arctan2(ribs.vertices[:, 0], ribs.vertices[:, 2]))
    ribs.vertices[:, [0, 2]] *= np.where(ribs.vertices[:, 1:2] < 1.1 * tall, wave[:, None], 1.0)
    x = half * 0.8
    loop = curve(
        [
            (x * 0.55, 0.9 * tall, 0),
            (x * 1.15, 0.93 * tall, 0),
            (x * 1.62, 0.8 * tall, 0),
            (x * 1.6, 0.58 * tall, 0),
            (x * 1.1, 0.5 * tall, 0),
        ],
        30,
    )
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
    metal = Finish(
        mixed(spec.trim, (212, 190, 140), 0.0 if spec.plain else 0.6), roughness=0.32, metallic=0.0
    )
    canvas = Canvas((wide * 0.8, tall * 0.74), spec.texture, spec.paper, "label")
    decorate(canvas, spec, (0.08, 0.06, 0.92, 0.94))
    if spec.variant % 3 == 0:
        body = lathe(fillet([(0, 0, 0), (wide / 2, 0, 0.008), (wide / 2, tall, 0.014), (0, tall, 0)], 6), 72)
        plate = lathe(
            band(np.array([(wide / 2, 0.0), (wide / 2, tall)]), 0.13 * tall, 0.87 * tall), 40, arc=(-0.2, 0.2)
        )
        canvas = Canvas((0.4 * girth(wide / 2), tall * 0.74), spec.texture, spec.paper, "label")
        decorate(canvas, spec, (0.12, 0.06, 0.88, 0.94))
    else:
        body = block((wide, tall, deep), 0.009 if spec.variant % 2 else 0.003)
        plate = moved(thin_plate(wide * 0.8, tall * 0.74), (0, 0.13 * tall, deep / 2))
    ring = lathe(fillet([(collar, tall, 0), (collar, tall * 1.08, 0.001), (0, tall * 1.08, 0)]), 40)
    top = spec.between(3, 0.25, 0.45) * tall
    if spec.variant % 4 == 1:
        cap = moved(
            lathe(
                fillet([(0, 0, 0), (top * 0.32, 0.0, 0.01), (top * 0.5, top * 0.5, 0.03), (0, top, 0.01)], 8),
                48,
            ),
            (0, 1.07 * tall, 0),
        )
    elif spec.variant % 4 == 2:
        cap = moved(block((collar * 2.7, top, min(collar * 2.7, deep * 0.9)), 0.003), (0, 1.06 * tall, 0))
    else:
        cap = lathe(
            fillet(
                [
                    (collar * 1.25, 1.06 * tall, 0),
                    (collar * 1.25, 1.06 * tall + top, 0.004),
                    (0, 1.06 * tall + top, 0),
                ]
            ),
            48,
        )
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
        [
            (0, 0, 0),
            (half, 0, 0.006),
            (half, shoulder, 0.05),
            (0.0155, shoulder + slope, 0.05),
            (0.0145, 0.97 * tall, 0.0),
            (0.0165, 0.972 * tall, 0.001),
            (0.0165, 0.99 * tall, 0.001),
            (0, 0.99 * tall, 0),
        ],
        7,
    )
    foil = fillet(
        [
            (0.0164, 0.8 * tall, 0),
            (0.0152, 0.965 * tall, 0),
            (0.0172, 0.968 * tall, 0.001),
            (0.0172, tall, 0.002),
            (0, tall, 0),
        ]
    )
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


def spray(spec: BenchSpec) -> Built:
    """A spray bottle: an oval belly with a waist, a trigger head with its nozzle to the left."""
    half, tall = spec.between(0, 0.045, 0.055), spec.between(1, 0.17, 0.2)
    squash, power = (1.0, 0.62), spec.between(2, 2.0, 3.2)
    profile = fillet(
        [
            (0, 0, 0),
            (half * 0.94, 0, 0.008),
            (half, 0.06 * tall, 0.02),
            (half * 0.98, 0.62 * tall, 0.05),
            (half * 0.5, 0.86 * tall, 0.05),
            (0.016, 0.98 * tall, 0.01),
            (0.016, 1.05 * tall, 0),
        ],
        7,
    )
    powers = np.where(profile[:, 1] < 0.86 * tall, power, 2.0)
    arc = 0.19
    patch = lathe(band(profile, 0.08 * tall, 0.6 * tall), 40, squash, power, (-arc, arc))
    canvas = Canvas((2 * arc * girth(half, squash, power), 0.52 * tall), spec.texture, spec.paper, "label")
    decorate(canvas, spec, (0.1, 0.05, 0.9, 0.95))
    head = 1.06 * tall
    nozzle = moved(
        lathe(fillet([(0, 0, 0), (0.009, 0, 0.001), (0.007, 0.016, 0.001), (0, 0.016, 0)]), 24),
        (-0.052, head + 0.026, 0),
        (0, 0, 90),
    )
    lever = curve(
        [
            (-0.028, head + 0.014, 0),
            (-0.036, head - 0.006, 0),
            (-0.034, head - 0.03, 0),
            (-0.042, head - 0.044, 0),
        ],
        20,
    )
    hood = moved(block((0.085, 0.026, 0.024), 0.009), (-0.008, head + 0.013, 0))
    ring = moved(
        lathe(fillet([(0.021, 0, 0), (0.021, 0.02, 0.002), (0.012, 0.022, 0.002), (0.012, 0.05, 0)]), 40),
        (0, 0.94 * tall, 0),
    )
    plastic = Finish(spec.trim, roughness=0.5)
    return [
        Piece("bottle", lathe(profile, 64, squash, powers), Finish(spec.body, roughness=spec.roughness)),
        Piece("trigger head", joined([hood, ring]), plastic),
        Piece("trigger", tube(lever, 0.0055, 1.4, 12), Finish(spec.accent, roughness=0.5)),
        Piece("nozzle", nozzle, Finish(spec.accent, roughness=0.5)),
        sticker("label", patch, canvas, spec),
    ], canvas.labels


def cup(spec: BenchSpec) -> Built:
    """A yoghurt cup: tapered, printed all around, with a foil lid."""
    foot, rim, tall = spec.between(0, 0.026, 0.032), spec.between(1, 0.036, 0.044), spec.between(2, 0.06, 0.1)
    wall = np.stack([np.linspace(foot, rim, 14), np.linspace(0.004, 0.94 * tall, 14)], -1)
    base = fillet([(0, 0.002, 0), (foot * 0.94, 0, 0.001), (foot, 0.004, 0)])
    lip = fillet(
        [
            (rim, 0.94 * tall, 0),
            (rim * 1.07, 0.95 * tall, 0.0005),
            (rim * 1.07, 0.985 * tall, 0.0005),
            (rim, tall, 0),
        ]
    )
    foil = fillet(
        [
            (rim * 1.075, 0.95 * tall, 0),
            (rim * 1.1, 0.99 * tall, 0.001),
            (rim * 0.98, 1.0 * tall, 0.001),
            (0, 1.004 * tall, 0),
        ]
    )
    canvas = Canvas((girth((foot + rim) / 2), 0.94 * tall), int(spec.texture * 1.6), spec.paper, "cup")
    decorate(canvas, spec, (0.36, 0.06, 0.64, 0.94))
    return [
        printed("cup", lathe(wall, 72), canvas, spec),
        Piece("base", joined([lathe(base, 48), lathe(lip, 64)]), Finish(spec.body, roughness=0.5)),
        Piece("lid", lathe(foil, 72), Finish(spec.trim, roughness=0.4)),
    ], canvas.labels


def bucket(spec: BenchSpec) -> Built:
    """A paint bucket with a wire handle and a lid."""
    half, tall = spec.between(0, 0.08, 0.1), spec.between(1, 0.16, 0.21)
    foot = half * spec.between(2, 0.86, 0.98)
    profile = fillet(
        [
            (0, 0, 0),
            (foot, 0, 0.004),
            (half, 0.9 * tall, 0.0),
            (half * 1.03, 0.905 * tall, 0.001),
            (half * 1.03, 0.96 * tall, 0),
        ]
    )
    lid = fillet(
        [
            (half * 1.04, 0.935 * tall, 0),
            (half * 1.05, 0.99 * tall, 0.003),
            (half * 0.9, 0.995 * tall, 0.002),
            (half * 0.88, 0.975 * tall, 0.002),
            (0, 0.975 * tall, 0),
        ]
    )
    arc = 0.27
    wall = np.stack([np.linspace(foot, half, 24), np.linspace(0.0, 0.9 * tall, 24)], -1)
    patch = lathe(band(wall, 0.1 * tall, 0.82 * tall), 56, arc=(-arc, arc))
    canvas = Canvas((2 * arc * girth(half * 0.96), 0.72 * tall), spec.texture, spec.paper, "label")
    decorate(canvas, spec, (0.2, 0.06, 0.8, 0.94))
    # hung to the back or standing up
    up = spec.between(3, 0.25, 0.9) * tall
    wire = curve(
        [
            (-half * 1.05, 0.8 * tall, 0),
            (-half * 0.95, 0.9 * tall + 0.4 * up, -0.2 * half),
            (0, 0.92 * tall + up, -0.3 * half),
            (half * 0.95, 0.9 * tall + 0.4 * up, -0.2 * half),
            (half * 1.05, 0.8 * tall, 0),
        ],
        40,
    )
    ears = [
        moved(
            lathe(fillet([(0, 0, 0), (0.012, 0, 0.001), (0.009, 0.008, 0.001), (0, 0.008, 0)]), 24),
            (sign * half * 0.97, 0.8 * tall, 0),
            (0, 0, -90 * sign),
        )
        for sign in (1, -1)
    ]
    return [
        Piece(
            "bucket", lathe(profile, 72), Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic)
        ),
        Piece("lid", lathe(lid, 72), Finish(spec.trim, roughness=0.5)),
        Piece(
            "handle",
            joined([tube(wire, 0.0026, 1.0, 8), *ears]),
            Finish((120, 122, 126), roughness=0.4, metallic=0.6),
        ),
        sticker("label", patch, canvas, spec),
    ], canvas.labels


def flask(spec: BenchSpec) -> Built:
    """A vacuum flask: a printed cylinder, a cup for a lid, rings, sometimes a grip at its side."""
    half, tall = spec.between(0, 0.036, 0.048), spec.between(1, 0.2, 0.26)
    body = np.stack([np.full(16, half), np.linspace(0.05 * tall, 0.72 * tall, 16)], -1)
    foot = fillet([(0, 0, 0), (half * 0.97, 0, 0.004), (half * 0.97, 0.04 * tall, 0), (half, 0.05 * tall, 0)])
    ring = fillet(
        [
            (half, 0.72 * tall, 0),
            (half * 1.04, 0.73 * tall, 0.001),
            (half * 1.04, 0.765 * tall, 0.001),
            (half * 0.95, 0.775 * tall, 0),
        ]
    )
    cup = fillet(
        [
            (half * 0.95, 0.77 * tall, 0),
            (half * 0.92, 0.97 * tall, 0.004),
            (half * 0.8, tall, 0.008),
            (0, tall, 0),
        ],
        6,
    )
    canvas = Canvas((girth(half), 0.67 * tall), int(spec.texture * 1.3), spec.paper, "body")
    decorate(canvas, spec, (0.33, 0.06, 0.67, 0.94))
    pieces = [
        printed("body", lathe(body, 72), canvas, spec),
        Piece("base", lathe(foot, 56), Finish(spec.trim, roughness=0.5)),
        Piece("ring", lathe(ring, 56), Finish(spec.accent, roughness=0.4)),
        Piece("lid", lathe(cup, 56), Finish(spec.trim, roughness=spec.roughness)),
    ]
    if spec.variant % 2:
        grip = curve(
            [
                (half * 0.9, 0.66 * tall, 0),
                (half * 1.7, 0.64 * tall, 0),
                (half * 1.8, 0.4 * tall, 0),
                (half * 1.55, 0.22 * tall, 0),
                (half * 0.9, 0.2 * tall, 0),
            ],
            32,
        )
        pieces.append(Piece("handle", tube(grip, 0.006, 1.6, 12), Finish(spec.trim, roughness=0.6)))
    return pieces, canvas.labels
