"""Kinds for the home: table lamp, clock, kettle, blender, speaker, chair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scoring.bench.products.built import Built, ink_on_body, printed, sticker, thin_plate
from scoring.bench.products.prints import Canvas, art, decorate
from scoring.bench.products.spec import BenchSpec, mixed
from scoring.bench.products.surfaces import (
    Array,
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
    slab,
    tube,
)

_STEEL = Finish((176, 178, 182), roughness=0.35, metallic=0.7)


def lamp(spec: BenchSpec) -> Built:
    """A table lamp: a turned foot, a rod, a printed cloth shade; no words."""
    tall, wide = spec.between(0, 0.32, 0.42), spec.between(1, 0.1, 0.14)
    low, top = 0.56 * tall, wide * spec.between(2, 0.55, 0.95)
    belly = spec.between(3, 0.03, 0.07)
    foot = fillet(
        [
            (0, 0, 0),
            (0.075, 0, 0.004),
            (0.075, 0.014, 0.006),
            (0.03, 0.03, 0.015),
            (belly, 0.16 * tall, 0.05),
            (0.014, 0.36 * tall, 0.04),
            (0.012, 0.4 * tall, 0.0),
        ],
        9,
    )
    wall = np.stack([np.linspace(wide, top, 16), np.linspace(low, tall, 16)], -1)
    canvas = Canvas((girth((wide + top) / 2), tall - low), spec.texture, spec.paper, "shade")
    art(canvas, spec)
    canvas.rect((0, 0, 1, 0.03), spec.accent)
    canvas.rect((0, 0.97, 1, 1), spec.accent)
    inside = lathe(wall[::-1] * (0.985, 1), 64)
    rod = lathe(fillet([(0.007, 0.38 * tall, 0), (0.007, 0.9 * tall, 0.001), (0, 0.9 * tall, 0)]), 20)
    return [
        Piece("base", lathe(foot, 56), Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic)),
        Piece("rod", rod, _STEEL),
        printed("shade", lathe(wall, 72), canvas, replace(spec, roughness=0.9, metallic=0.0)),
        Piece("shade lining", inside, Finish((246, 240, 226), roughness=0.9)),
    ], canvas.labels


def clock(spec: BenchSpec) -> Built:
    """A standing clock, round or square, with ticks, hands, a brand on its face, and feet or bells."""
    half, deep = spec.between(0, 0.05, 0.07), spec.between(1, 0.03, 0.045)
    power = 2.0 if spec.variant % 3 else 6.0
    turn = np.linspace(0, 2 * np.pi, 65)[:-1]
    reach = (np.abs(np.cos(turn)) ** power + np.abs(np.sin(turn)) ** power) ** (-1 / power)
    ring = np.stack([np.cos(turn), np.sin(turn)], -1) * reach[:, None] * half
    case = slab(ring, deep, 0.006)
    face = slab(ring * 0.88, 0.002, 0.0)
    canvas = Canvas((2 * half, 2 * half), spec.texture, spec.paper, "face")
    art(canvas, replace(spec, accent=mixed(spec.paper, spec.accent, 0.18)))
    side = canvas.width
    middle = side / 2
    for k in range(60):
        a = k * np.pi / 30
        inner, wide = (0.78, 9) if k % 5 == 0 else (0.87, 3)
        spots = [(middle + r * middle * np.sin(a), middle - r * middle * np.cos(a)) for r in (inner, 0.93)]
        canvas.draw.line(spots, spec.ink, max(1, round(wide * side / 1500)))
    if spec.print == "words":
        canvas.text("brand", spec.brand, (0.25, 0.22, 0.75, 0.36), spec.ink, spec.faces[0])
        if spec.line:
            canvas.text("line", spec.line, (0.3, 0.66, 0.7, 0.74), spec.ink, spec.faces[1])
    elif spec.print == "emblem":
        canvas.emblem(spec.emblem, (0.36, 0.2, 0.64, 0.4), spec.ink, spec.paper)
    # to the sides, off the words
    hour, minute = spec.between(2, -112, -70), spec.between(3, 66, 112)
    front = deep / 2 + 0.0022
    hands = [
        moved(
            slab(np.array([(-w, -0.1 * r), (w, -0.1 * r), (w * 0.6, r), (-w * 0.6, r)]), 0.0012).front,
            (0, 0, z),
            (0, 0, a),
        )
        for w, r, z, a in ((0.0032, 0.5 * half, front, hour), (0.0022, 0.72 * half, front + 0.001, minute))
    ]
    body = Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic)
    extras = [
        moved(
            lathe(fillet([(0, 0, 0), (0.006, 0, 0.002), (0.004, 0.022, 0), (0, 0.022, 0)]), 20),
            (sign * 0.6 * half, -half - 0.006, 0),
            (0, 0, 14 * sign),
        )
        for sign in (1, -1)
    ]
    pieces = [
        Piece("case", joined([case.front, case.back, case.rim]), body),
        printed(
            "face",
            moved(face.front, (0, 0, deep / 2 - 0.0006)),
            canvas,
            replace(spec, roughness=0.5, metallic=0.0),
        ),
        Piece("hands", joined(hands), Finish(spec.ink, roughness=0.5)),
        Piece("feet", joined(extras), Finish(spec.trim, roughness=0.5)),
    ]
    if power == 2.0 and spec.variant % 2:
        dome = fillet([(0.026, 0, 0), (0.026, 0.004, 0.002), (0.018, 0.018, 0.012), (0, 0.022, 0)], 8)
        bells = [
            moved(lathe(dome, 36), (sign * 0.62 * half, 0.92 * half, 0), (0, 0, -34 * sign))
            for sign in (1, -1)
        ]
        pieces.append(Piece("bells", joined(bells), Finish(spec.trim, roughness=0.35)))
    return pieces, canvas.labels


def kettle(spec: BenchSpec) -> Built:
    """A water kettle on its base: a spout, a handle, a lid with a knob, a badge."""
    half, tall = spec.between(0, 0.075, 0.09), spec.between(1, 0.17, 0.22)
    top = half * spec.between(2, 0.6, 0.8)
    profile = fillet(
        [
            (0, 0.012, 0),
            (half * 0.96, 0.012, 0.006),
            (half, 0.12 * tall, 0.03),
            (top, 0.95 * tall, 0.02),
            (top * 0.97, tall, 0.0),
        ],
        7,
    )
    lid = fillet(
        [
            (top * 0.98, 0.985 * tall, 0),
            (top * 0.96, 1.02 * tall, 0.004),
            (0.3 * top, 1.06 * tall, 0.03),
            (0, 1.06 * tall, 0),
        ],
        6,
    )
    knob = moved(
        lathe(
            fillet(
                [
                    (0.006, 0, 0),
                    (0.006, 0.008, 0),
                    (0.014, 0.014, 0.004),
                    (0.012, 0.024, 0.006),
                    (0, 0.026, 0),
                ]
            ),
            28,
        ),
        (0, 1.055 * tall, 0),
    )
    grip = curve(
        [
            (0.86 * top, 0.93 * tall, 0),
            (top + 0.03, 0.98 * tall, 0),
            (half + 0.05, 0.8 * tall, 0),
            (half + 0.047, 0.4 * tall, 0),
            (half + 0.02, 0.2 * tall, 0),
            (0.94 * half, 0.2 * tall, 0),
        ],
        36,
    )
    spout = curve(
        [(-0.8 * top, 0.72 * tall, 0), (-top - 0.018, 0.86 * tall, 0), (-top - 0.038, 0.97 * tall, 0)], 14
    )
    wide = np.linspace(0.024, 0.011, 14)
    stand = lathe(
        fillet([(0, 0, 0), (half * 1.06, 0, 0.003), (half * 1.06, 0.011, 0.003), (0, 0.012, 0)]), 56
    )
    arc = 0.15
    patch = lathe(band(profile, 0.22 * tall, 0.72 * tall), 40, arc=(-arc, arc))
    canvas = Canvas((2 * arc * girth((half + top) / 2), 0.5 * tall), spec.texture, spec.body, "badge")
    plain = replace(
        spec,
        art=spec.art if spec.variant % 3 == 0 else "plain",
        paper=spec.body,
        ink=ink_on_body(spec),
        small="",
        aside="",
    )
    decorate(canvas, plain, (0.06, 0.1, 0.94, 0.9))
    body = Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic)
    return [
        Piece("body", lathe(profile, 72), body),
        Piece("spout", tube(spout, wide, 0.9, 20), body),
        Piece("lid", lathe(lid, 56), Finish(spec.trim, roughness=spec.roughness)),
        Piece("knob", knob, Finish(spec.accent, roughness=0.5)),
        Piece("handle", tube(grip, 0.0095, 1.25, 14), Finish(spec.trim, roughness=0.55)),
        Piece("stand", stand, Finish(spec.trim, roughness=0.55)),
        sticker("badge", patch, canvas, replace(spec, roughness=max(spec.roughness, 0.3))),
    ], canvas.labels


def blender(spec: BenchSpec) -> Built:
    """A blender: a motor block with a dial and a brand, a jar with a grip, a lid."""
    half, foot = spec.between(0, 0.062, 0.075), spec.between(1, 0.12, 0.15)
    jar, power = spec.between(2, 0.16, 0.2), 4.0
    base = fillet(
        [
            (0, 0, 0),
            (half * 1.04, 0, 0.004),
            (half, 0.4 * foot, 0.02),
            (half * 0.82, foot, 0.012),
            (0, foot, 0),
        ],
        6,
    )
    wall = fillet(
        [
            (half * 0.66, foot, 0),
            (half * 0.7, foot + 0.012, 0.004),
            (half * 0.92, foot + jar, 0),
            (half * 0.9, foot + jar, 0),
        ]
    )
    lid = fillet(
        [
            (half * 0.95, foot + jar - 0.008, 0),
            (half * 0.95, foot + jar + 0.012, 0.004),
            (half * 0.4, foot + jar + 0.014, 0.003),
            (half * 0.36, foot + jar + 0.034, 0.005),
            (0, foot + jar + 0.034, 0),
        ]
    )
    grip = curve(
        [
            (half * 0.84, foot + 0.92 * jar, 0),
            (half * 1.4, foot + 0.9 * jar, 0),
            (half * 1.45, foot + 0.5 * jar, 0),
            (half * 1.25, foot + 0.22 * jar, 0),
            (half * 0.72, foot + 0.2 * jar, 0),
        ],
        32,
    )
    dial = moved(
        lathe(fillet([(0, 0, 0), (0.019, 0, 0.001), (0.016, 0.014, 0.003), (0, 0.015, 0)]), 36),
        (0, 0.24 * foot, half * 0.99),
        (90, 0, 0),
    )
    arc = 0.115
    patch = lathe(band(base, 0.45 * foot, 0.86 * foot), 32, power=power, arc=(-arc, arc))
    canvas = Canvas((2 * arc * girth(half * 0.9, power=power), 0.41 * foot), spec.texture, spec.body, "badge")
    plain = replace(spec, art="plain", paper=spec.body, ink=ink_on_body(spec), small="", aside="")
    decorate(canvas, plain, (0.04, 0.06, 0.96, 0.94))
    glass = mixed(spec.paper, (214, 226, 230), 0.7)
    marks = [
        moved(
            block((0.022 if k % 2 else 0.034, 0.0016, 0.001), 0.0003),
            (-0.012, foot + 0.03 + 0.02 * k, half * (0.74 + 0.026 * k)),
        )
        for k in range(6)
    ]
    return [
        Piece(
            "motor",
            lathe(base, 72, power=power),
            Finish(spec.body, roughness=spec.roughness, metallic=spec.metallic),
        ),
        Piece("jar", lathe(wall, 64), Finish(glass, roughness=0.3)),
        Piece("marks", joined(marks), Finish(spec.ink, roughness=0.6)),
        Piece("lid", lathe(lid, 56), Finish(spec.trim, roughness=0.5)),
        Piece("handle", tube(grip, 0.009, 1.2, 12), Finish(spec.trim, roughness=0.5)),
        Piece("dial", dial, Finish(spec.accent, roughness=0.4)),
        sticker("badge", patch, canvas, spec),
    ], canvas.labels


def speaker(spec: BenchSpec) -> Built:
    """A loudspeaker: a box with two cones, a plate with the brand, feet."""
    wide, tall, deep = spec.between(0, 0.14, 0.18), spec.between(1, 0.2, 0.3), spec.between(2, 0.12, 0.16)
    front = deep / 2

    def cone(radius: float, y: float) -> list[Piece]:
        rim = fillet(
            [
                (radius, 0, 0),
                (radius, 0.006, 0.002),
                (radius * 0.9, 0.007, 0.001),
                (radius * 0.86, 0.002, 0.001),
            ]
        )
        bowl = fillet(
            [
                (radius * 0.86, 0.003, 0),
                (radius * 0.78, 0.006, 0.004),
                (radius * 0.7, 0.003, 0.002),
                (radius * 0.3, -0.003, 0.004),
                (0, 0.004, 0),
            ],
            6,
        )
        at: tuple[float, float, float] = (0.0, y, front)
        name = "woofer" if radius > 0.035 else "tweeter"
        return [
            Piece(f"{name} ring", moved(lathe(rim, 56), at, (90, 0, 0)), Finish(spec.trim, roughness=0.4)),
            Piece(name, moved(lathe(bowl, 48), at, (90, 0, 0)), Finish(spec.accent, roughness=0.6)),
        ]

    canvas = Canvas((wide * 0.8, 0.15 * tall), spec.texture, spec.paper, "plate")
    decorate(canvas, replace(spec, small="", aside=""), (0.05, 0.08, 0.95, 0.92))
    plate = moved(thin_plate(wide * 0.8, 0.15 * tall), (0, 0.06 * tall, front))
    feet = [
        moved(
            lathe(fillet([(0, 0, 0), (0.01, 0, 0.001), (0.012, 0.008, 0), (0, 0.008, 0)]), 20),
            (x * wide * 0.36, -0.007, z * deep * 0.36),
        )
        for x in (1, -1)
        for z in (1, -1)
    ]
    box = block((wide, tall, deep), 0.006 + 0.012 * spec.shape[3])
    return [
        Piece("cabinet", box, Finish(spec.body, roughness=spec.roughness)),
        *cone(0.36 * wide, 0.47 * tall),
        *cone(0.17 * wide, 0.82 * tall),
        Piece("feet", joined(feet), Finish((34, 34, 36), roughness=0.8)),
        sticker("plate", plate, canvas, spec),
    ], canvas.labels


def chair(spec: BenchSpec) -> Built:
    """A chair: four legs, a cushion, a back of a board or of slats; patterned cloth, seldom a word."""
    wide, seat, tall = spec.between(0, 0.4, 0.46), spec.between(1, 0.42, 0.46), spec.between(2, 0.76, 0.88)
    wood = Finish(spec.body, roughness=max(spec.roughness, 0.3))
    half = wide / 2 - 0.025

    def leg(x: float, z: float, top: float, splay: float) -> Array:
        return curve(
            [
                (x * (half + splay), 0.0, z * (half + splay)),
                (x * half, seat, z * half),
                (x * half, top, z * half * 1.02),
            ][: 3 if top > seat else 2],
            12,
        )

    splay = spec.between(3, 0.0, 0.05)
    legs = [tube(leg(x, z, seat if z > 0 else tall, splay), 0.017, 1.0, 12) for x in (1, -1) for z in (1, -1)]
    cloth = Canvas((wide, wide), spec.texture // 2, spec.paper, "cushion")
    art(cloth, spec)
    cushion = moved(block((wide, 0.06, wide), 0.024), (0, seat - 0.02, 0))
    back = Canvas((wide * 0.9, 0.3), spec.texture, spec.paper, "backrest")
    if spec.print == "words" and spec.variant % 2:
        decorate(back, replace(spec, small="", aside=""), (0.1, 0.12, 0.9, 0.88))
    else:
        art(back, spec)
    pieces = [
        Piece("legs", joined(legs), wood),
        printed("cushion", cushion, cloth, replace(spec, roughness=0.9, metallic=0.0)),
    ]
    height = tall - seat - 0.16
    if spec.variant % 3 and not back.labels:
        bars = [
            moved(block((wide * 0.86, 0.045, 0.016), 0.006), (0, seat + 0.14 + k * height / 3, -half))
            for k in range(3)
        ]
        pieces.append(Piece("slats", joined(bars), Finish(spec.trim, roughness=0.6)))
    else:
        corner = (0.0, 0.0, 0.004, 0.004)
        rest = block(
            (wide * 0.9, height + 0.04, 0.03),
            0.012,
            dict.fromkeys(("left", "right", "top", "bottom", "back"), corner),
        )
        pieces.append(
            printed(
                "backrest",
                moved(rest, (0, seat + 0.12, -half + 0.012)),
                back,
                replace(spec, roughness=0.8, metallic=0.0),
            )
        )
    return pieces, [*back.labels] if any(piece.name == "backrest" for piece in pieces) else []
