"""Kinds to wear and to play with: backpack, baseball cap, headphones, toy car, skateboard, game pad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scoring.bench.products.built import Built, ink_on_body, printed, sticker, thin_plate
from scoring.bench.products.prints import Canvas, decorate
from scoring.bench.products.spec import BenchSpec, mixed
from scoring.bench.products.surfaces import (
    Array,
    Finish,
    Piece,
    block,
    curve,
    fillet,
    joined,
    lathe,
    moved,
    sheet,
    slab,
    tube,
)


def backpack(spec: BenchSpec) -> Built:
    """A backpack: a rounded bag, a pocket with a patch, zips, a loop, straps behind."""
    wide, tall, deep = spec.between(0, 0.27, 0.31), spec.between(1, 0.38, 0.46), spec.between(2, 0.13, 0.17)
    half = wide / 2
    bag = fillet(
        [
            (0, 0, 0),
            (half * 0.94, 0, 0.03),
            (half, 0.1 * tall, 0.05),
            (half * 0.97, 0.7 * tall, 0.1),
            (half * 0.72, 0.95 * tall, 0.09),
            (0.0, tall, 0),
        ],
        8,
    )
    squash, power = (1.0, deep / wide), 3.4
    body = Finish(spec.body, roughness=max(spec.roughness, 0.55))
    front = deep / 2
    pocket = moved(block((0.76 * wide, 0.4 * tall, 0.06), 0.022), (0, 0.07 * tall, front))
    rim = 0.375 * wide
    seam = curve(
        [
            (-rim, 0.12 * tall, front + 0.022),
            (-rim, 0.4 * tall, front + 0.022),
            (-0.8 * rim, 0.465 * tall, front + 0.018),
            (0, 0.472 * tall, front + 0.018),
            (0.8 * rim, 0.465 * tall, front + 0.018),
            (rim, 0.4 * tall, front + 0.022),
            (rim, 0.12 * tall, front + 0.022),
        ],
        48,
    )
    zip_line = []
    for share in np.linspace(-1, 1, 40):
        angle = share * 1.25
        x, y = 0.9 * half * np.sin(angle) / np.sin(1.25), 0.62 * tall + 0.26 * tall * np.cos(angle)
        inside = (1 - min(abs(x) / (half * np.interp(y, bag[:, 1], bag[:, 0] / half)), 0.999) ** power) ** (
            1 / power
        )
        zip_line.append((x, y, deep / 2 * np.interp(y, bag[:, 1], bag[:, 0] / half) * inside))
    loop = curve(
        [
            (-0.05, 0.97 * tall, -0.1 * deep),
            (-0.045, 1.05 * tall, -0.12 * deep),
            (0.045, 1.05 * tall, -0.12 * deep),
            (0.05, 0.97 * tall, -0.1 * deep),
        ],
        24,
    )
    straps = [
        tube(
            curve(
                [
                    (sign * 0.05, 0.93 * tall, -0.36 * deep),
                    (sign * 0.085, 0.82 * tall, -0.62 * deep),
                    (sign * 0.1, 0.5 * tall, -0.66 * deep),
                    (sign * 0.12, 0.12 * tall, -0.4 * deep),
                ],
                28,
            ),
            0.024,
            0.4,
            12,
        )
        for sign in (1, -1)
    ]
    patch = Canvas((0.62 * wide, 0.27 * tall), spec.texture, spec.paper, "patch")
    decorate(patch, replace(spec, small=""), (0.06, 0.08, 0.94, 0.92))
    label = moved(thin_plate(0.62 * wide, 0.27 * tall, 0.002), (0, 0.125 * tall, front + 0.0302))
    return [
        Piece("bag", lathe(bag, 72, squash, power), body),
        Piece(
            "pocket", pocket, Finish(mixed(spec.body, spec.trim, 0.0 if spec.plain else 0.85), roughness=0.75)
        ),
        Piece("zip", tube(np.array(zip_line), 0.0035, 1.0, 8), Finish(spec.accent, roughness=0.6)),
        Piece("pocket zip", tube(seam, 0.0028, 1.0, 8), Finish(spec.accent, roughness=0.6)),
        Piece("loop", tube(loop, 0.009, 0.5, 10), Finish(spec.trim, roughness=0.8)),
        Piece("straps", joined(straps), Finish(spec.trim, roughness=0.85)),
        sticker("patch", label, patch, spec),
    ], patch.labels


def cap(spec: BenchSpec) -> Built:
    """A baseball cap: a crown with seams, a visor, a button, a print on the front."""
    half, tall = 0.09, spec.between(0, 0.1, 0.125)
    turn = np.linspace(0, np.pi / 2, 18)
    crown = np.stack([half * np.cos(turn) ** 0.62, 0.004 + tall * np.sin(turn) ** 1.1], -1)
    crown[-1, 0] = 0
    squash = (0.94, 1.08)
    body = Finish(spec.body, roughness=max(spec.roughness, 0.7))
    s, t = np.meshgrid(np.linspace(-1, 1, 33), np.linspace(0, 1, 12))
    angle = s * 1.15
    reach = 1 + t * (spec.between(1, 0.62, 0.8) * np.sqrt(np.clip(1 - (s * 0.98) ** 2, 0, 1)))
    x, z = half * 0.94 * np.sin(angle) * (1 + 0.1 * t), half * 1.08 * np.cos(angle) * reach
    y = 0.01 - 0.012 * t + spec.between(2, 0.0, 0.03) * (1 - s**2) * t
    brim = np.stack([x, y, z], -1)
    # rows run outwards, so the upper side is the outside of the reversed lattice
    visor = [sheet(brim[::-1] + np.array((0, 0.002, 0))), sheet(brim[::-1] - (0, 0.002, 0), flip=True)]
    edge = tube(brim[-1], 0.0026, 1.0, 8)
    seams = []
    for k in range(6):
        a = np.pi / 6 + k * np.pi / 3
        path = np.stack(
            [crown[:, 0] * np.sin(a) * squash[0], crown[:, 1], crown[:, 0] * np.cos(a) * squash[1]], -1
        )
        seams.append(tube(path[:-1] * (1.002, 1.0, 1.002), 0.0011, 1.0, 6))
    button = moved(
        lathe(fillet([(0.009, 0, 0), (0.008, 0.005, 0.003), (0, 0.006, 0)]), 24), (0, tall + 0.003, 0)
    )
    arc = 0.12
    low, high = 0.2 * tall, 0.78 * tall
    heights = np.linspace(low, high, 16)
    radii = np.interp(heights, crown[:, 1], crown[:, 0]) + 0.0009
    radii[[0, -1]] -= 0.0018
    patch = lathe(np.stack([radii, heights], -1), 36, squash, 2.0, (-arc, arc))
    canvas = Canvas((0.24 * 2 * np.pi * half * 0.93, 0.66 * tall), spec.texture, spec.body, "print")
    ground = replace(spec, paper=spec.body, ink=ink_on_body(spec), art="plain", small="", aside="")
    decorate(canvas, ground, (0.04, 0.1, 0.96, 0.95))
    return [
        Piece("crown", lathe(crown, 72, squash), body),
        Piece("visor", joined(visor), Finish(spec.trim, roughness=0.8)),
        Piece("visor edge", edge, Finish(spec.accent, roughness=0.8)),
        Piece("seams", joined(seams), Finish(mixed(spec.body, (20, 20, 20), 0.25), roughness=0.9)),
        Piece("button", button, Finish(spec.accent, roughness=0.8)),
        sticker("print", patch, canvas, replace(spec, roughness=0.8)),
    ], canvas.labels


def headphones(spec: BenchSpec) -> Built:
    """Headphones that stand on their cups, seen from one side's front: band, cushions, printed shells."""
    half, cup = spec.between(0, 0.075, 0.085), spec.between(1, 0.036, 0.045)
    rise = 0.13
    path = curve(
        [
            (-half, cup, 0),
            (-half * 1.02, 0.6 * rise, 0),
            (-0.72 * half, rise + 0.02, 0),
            (0, rise + 0.045, 0),
            (0.72 * half, rise + 0.02, 0),
            (half * 1.02, 0.6 * rise, 0),
            (half, cup, 0),
        ],
        60,
    )
    top = path[18:43]
    shell = fillet(
        [
            (0, 0, 0),
            (cup * 0.96, 0, 0.004),
            (cup, 0.01, 0.004),
            (cup * 0.9, 0.022, 0.006),
            (cup * 0.72, 0.025, 0.003),
        ],
        6,
    )
    pad = fillet(
        [(cup * 0.98, 0, 0), (cup * 1.04, 0.008, 0.004), (cup * 0.9, 0.017, 0.005), (cup * 0.6, 0.016, 0)], 6
    )
    pieces = []
    turn = np.linspace(0, 2 * np.pi, 49)[:-1]
    disc = slab(np.stack([np.cos(turn), np.sin(turn)], -1) * cup * 0.74, 0.003, 0.0008)
    canvas = Canvas((cup * 1.48, cup * 1.48), spec.texture, spec.paper, "shell print")
    decorate(canvas, replace(spec, small="", aside=""), (0.17, 0.2, 0.83, 0.8))
    look = spec.between(2, 48, 68)
    shells, pads, faces = [], [], []
    for sign in (1, -1):
        # cups turned flat to the front, as headphones are laid out for a picture
        at = (sign * half, cup, 0.0)
        yaw = sign * (90 - look)
        shells.append(moved(moved(lathe(shell, 56), turn=(90, 0, 0)), at, (0, yaw, 0)))
        pads.append(moved(moved(lathe(pad, 56), turn=(-90, 0, 0)), at, (0, yaw, 0)))
        faces.append(moved(moved(disc.front, (0, 0, 0.0248)), at, (0, yaw, 0)))
    other, one = faces
    plain = Finish(spec.accent, roughness=0.5)
    pieces = [
        Piece("band", tube(path, 0.0058, 1.5, 12), Finish(spec.trim, roughness=0.5)),
        Piece("band cushion", tube(top - (0, 0.006, 0), 0.011, 1.1, 14), Finish(spec.body, roughness=0.85)),
        Piece("cups", joined(shells), Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic)),
        Piece(
            "ear pads",
            joined(pads),
            Finish(mixed(spec.trim, (30, 30, 32), 0.0 if spec.plain else 0.5), roughness=0.85),
        ),
        printed("shell print", one, canvas, spec),
        Piece("other shell", other, plain),
    ]
    return pieces, canvas.labels


def car(spec: BenchSpec) -> Built:
    """A toy car; its side is its front: chassis, cabin, windows, wheels, a print on the door."""
    long, deep = spec.between(0, 0.16, 0.2), spec.between(1, 0.07, 0.085)
    roof = spec.between(2, 0.4, 0.6)
    wheel = spec.between(3, 0.018, 0.023)
    low, belt, top = wheel * 0.8, wheel * 0.8 + 0.034, wheel * 0.8 + 0.034 + 0.03
    x = long / 2
    hull = fillet(
        [
            (-x, low, 0.0),
            (x, low, 0.006),
            (x, belt * 0.9, 0.012),
            (x * 0.55, belt, 0.02),
            (-x * 0.9, belt, 0.012),
            (-x, belt * 0.8, 0.008),
            (-x, low, 0),
        ],
        6,
    )[:-1]
    body = slab(hull, deep, 0.007)
    cabin = fillet(
        [
            (-x * 0.75, belt - 0.002, 0),
            (x * 0.5, belt - 0.002, 0.0),
            (x * (roof - 0.35), top, 0.02),
            (-x * 0.6, top, 0.014),
            (-x * 0.75, belt - 0.002, 0),
        ],
        6,
    )[:-1]
    house = slab(cabin, deep * 0.86, 0.007)
    pane = fillet(
        [
            (-x * 0.62, belt + 0.004, 0),
            (x * 0.33, belt + 0.004, 0.0),
            (x * (roof - 0.42), top - 0.006, 0.01),
            (-x * 0.52, top - 0.006, 0.006),
            (-x * 0.62, belt + 0.004, 0),
        ],
        5,
    )[:-1]
    glass = slab(pane, deep * 0.87, 0.0005)
    tyre = fillet(
        [
            (0, 0, 0),
            (wheel * 0.92, 0, 0.003),
            (wheel, 0.006, 0.003),
            (wheel, 0.014, 0.003),
            (wheel * 0.62, 0.0155, 0.001),
            (wheel * 0.58, 0.013, 0),
        ],
        4,
    )
    rim = fillet([(wheel * 0.6, 0.012, 0), (wheel * 0.3, 0.0145, 0.002), (0, 0.0165, 0)])
    spots = [(sx * x * 0.6, sign) for sx in (1, -1) for sign in (1, -1)]
    tyres = [
        moved(lathe(tyre, 40), (px, wheel, sign * (deep / 2 - 0.009)), (90 * sign, 0, 0))
        for px, sign in spots
    ]
    rims = [
        moved(lathe(rim, 32), (px, wheel, sign * (deep / 2 - 0.009)), (90 * sign, 0, 0)) for px, sign in spots
    ]
    lights = [
        moved(
            lathe(fillet([(0.007, 0, 0), (0.005, 0.004, 0.002), (0, 0.005, 0)]), 20),
            (x - 0.002, belt * 0.74, s * deep * 0.3),
            (0, 0, -90),
        )
        for s in (1, -1)
    ]
    wide, high = long * 0.31, (belt - low) * 0.72
    canvas = Canvas((wide, high), spec.texture, spec.paper, "door print")
    decorate(canvas, replace(spec, small="", aside=""), (0.04, 0.06, 0.96, 0.94))
    door = moved(thin_plate(wide, high, 0.0008), (-0.01, low + 0.16 * (belt - low), deep / 2))
    return [
        Piece("body", joined([body.front, body.back, body.rim]), Finish(spec.body, roughness=spec.roughness)),
        Piece(
            "roof", joined([house.front, house.back, house.rim]), Finish(spec.trim, roughness=spec.roughness)
        ),
        Piece("windows", joined([glass.front, glass.back, glass.rim]), Finish((58, 66, 74), roughness=0.3)),
        Piece("tyres", joined(tyres), Finish((30, 30, 32), roughness=0.85)),
        Piece("rims", joined(rims), Finish(spec.accent, roughness=0.4)),
        Piece("headlights", joined(lights), Finish((246, 240, 214), roughness=0.3)),
        sticker("door print", door, canvas, spec),
    ], canvas.labels


def skateboard(spec: BenchSpec) -> Built:
    """A skateboard on its tail, its printed belly to the front, trucks and wheels on it."""
    half, tall = spec.between(0, 0.1, 0.12), spec.between(1, 0.74, 0.82)
    turn = np.linspace(0, np.pi, 17)
    cap_end = np.stack([half * np.cos(turn), half * np.sin(turn)], -1)
    outline = np.concatenate([cap_end + np.array((0, tall - half)), (cap_end * (-1, -1)) + (0, half)])
    deck = slab(outline, 0.011, 0.002)
    lean = (-spec.between(2, 3, 9), 0.0, 0.0)
    canvas = Canvas((2 * half, tall), spec.texture, spec.paper, "deck print")
    loud = replace(spec, art=spec.art if spec.plain or spec.art != "plain" else "stripes", small="", aside="")
    decorate(canvas, loud, (0.12, 0.3, 0.88, 0.7))
    trucks, wheels = [], []
    for y in (0.19 * tall, 0.81 * tall):
        trucks.append(moved(block((0.05, 0.07, 0.008), 0.003), (0, y - 0.035, 0.008)))
        trucks.append(moved(block((0.03, 0.03, 0.03), 0.006), (0, y - 0.015, 0.026)))
        axle: Array = np.array([(-half * 0.92, y, 0.036), (0, y, 0.036), (half * 0.92, y, 0.036)])
        trucks.append(tube(axle, 0.0055, 1.0, 10))
        roll = fillet(
            [
                (0, -0.014, 0),
                (0.02, -0.014, 0.003),
                (0.026, -0.008, 0.004),
                (0.026, 0.008, 0.004),
                (0.02, 0.014, 0.003),
                (0, 0.014, 0),
            ]
        )
        wheels += [moved(lathe(roll, 36), (sign * half * 0.86, y, 0.036), (0, 0, 90)) for sign in (1, -1)]
    return [
        printed("deck print", moved(deck.front, turn=lean), canvas, spec),
        Piece(
            "deck", moved(joined([deck.back, deck.rim]), turn=lean), Finish((206, 172, 128), roughness=0.7)
        ),
        Piece(
            "trucks", moved(joined(trucks), turn=lean), Finish((168, 170, 174), roughness=0.4, metallic=0.6)
        ),
        Piece("wheels", moved(joined(wheels), turn=lean), Finish(spec.trim, roughness=0.5)),
    ], canvas.labels


def pad(spec: BenchSpec) -> Built:
    """A game pad propped up, its face to the front: shell, sticks, cross, four buttons, a print."""
    wide = spec.between(0, 0.15, 0.17)
    x = wide / 2
    right = fillet(
        [
            (0, 0.045, 0),
            (0.5 * x, 0.05, 0.02),
            (0.86 * x, 0.045, 0.03),
            (1.0 * x, 0.0, 0.03),
            (0.95 * x, -0.055, 0.014),
            (0.72 * x, -0.056, 0.014),
            (0.46 * x, -0.022, 0.02),
            (0, -0.02, 0),
        ],
        8,
    )
    outline = np.concatenate([right[::-1], (right * (-1, 1))[1:-1]])
    outline = outline + np.array((0, 0.002))
    shell = slab(outline, 0.03, 0.011)
    front = 0.0145
    lean = (-spec.between(1, 14, 28), 0.0, 0.0)
    body = Finish(spec.body, roughness=spec.roughness)
    stick = fillet(
        [
            (0.012, 0, 0),
            (0.006, 0.004, 0.002),
            (0.006, 0.008, 0),
            (0.0105, 0.01, 0.001),
            (0.009, 0.014, 0.002),
            (0, 0.0125, 0),
        ]
    )
    sticks = [
        moved(lathe(stick, 32), (sign * 0.36 * x, -0.004, front - 0.002), (90, 0, 0)) for sign in (1, -1)
    ]
    cross = [
        moved(block(size, 0.0015), (-0.66 * x, y, front))
        for size, y in (((0.024, 0.008, 0.007), 0.018), ((0.008, 0.024, 0.007), 0.010))
    ]
    dot = fillet([(0.0052, 0, 0), (0.005, 0.004, 0.0015), (0, 0.0045, 0)])
    buttons = [
        moved(
            lathe(dot, 24),
            (0.66 * x + 0.0125 * np.cos(a), 0.022 + 0.0125 * np.sin(a), front - 0.001),
            (90, 0, 0),
        )
        for a in np.arange(4) * np.pi / 2
    ]
    canvas = Canvas((0.6 * x, 0.02), spec.texture, spec.paper, "print")
    decorate(canvas, replace(spec, small="", aside="", line=""), (0.05, 0.1, 0.95, 0.9))
    plate = moved(thin_plate(0.6 * x, 0.02, 0.0008), (0, 0.018, front + 0.0006))
    foot = block((0.09, 0.016, 0.06), 0.004)
    return [
        Piece("shell", moved(joined([shell.front, shell.back, shell.rim]), (0, 0.066, 0), lean), body),
        Piece("sticks", moved(joined(sticks), (0, 0.066, 0), lean), Finish(spec.trim, roughness=0.6)),
        Piece("cross", moved(joined(cross), (0, 0.066, 0), lean), Finish(spec.trim, roughness=0.5)),
        Piece("buttons", moved(joined(buttons), (0, 0.066, 0), lean), Finish(spec.accent, roughness=0.4)),
        sticker("print", moved(plate, (0, 0.066, 0), lean), canvas, spec),
        Piece("stand", moved(foot, (0, 0.006, 0.0)), Finish(spec.trim, roughness=0.6)),
    ], canvas.labels
