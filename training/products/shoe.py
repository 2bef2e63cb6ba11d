"""A low-top sneaker, the right one: toe to +X, its outer side to the front.

The upper is one ring-shaped sheet. Its lower edge follows the sole's outline, its upper edge the collar and
the throat; columns run round the shoe from the inner waist over heel, outer side and toe.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import trimesh

from training.products.art import Canvas
from training.products.shapes import Array, Finish, Surface, grid, join, scene, spline, sweep
from training.products.spec import RGB, ProductSpec

Built = tuple[trimesh.Scene, list[dict[str, Any]]]

# outline of the foot (x, z) and, at the same places, the opening's edge (x, y, z); metres, heel at x = 0
_OUTLINE = np.array(
    [
        [0.115, -0.0325],
        [0.080, -0.0305],
        [0.045, -0.0315],
        [0.014, -0.0245],
        [0.000, -0.001],
        [0.012, 0.0245],
        [0.045, 0.0325],
        [0.080, 0.0335],
        [0.115, 0.0355],
        [0.150, 0.0405],
        [0.185, 0.0455],
        [0.218, 0.0455],
        [0.248, 0.037],
        [0.270, 0.0195],
        [0.279, -0.006],
        [0.271, -0.028],
        [0.248, -0.0425],
        [0.218, -0.0475],
        [0.185, -0.0445],
        [0.150, -0.0375],
    ]
)
_OPENING = np.array(
    [
        [0.110, 0.0835, -0.0235],
        [0.080, 0.0735, -0.0285],
        [0.050, 0.0745, -0.0285],
        [0.021, 0.0885, -0.0205],
        [0.006, 0.0965, -0.0005],
        [0.020, 0.0875, 0.0205],
        [0.050, 0.0715, 0.0285],
        [0.080, 0.0700, 0.0290],
        [0.110, 0.0815, 0.0245],
        [0.133, 0.0845, 0.0185],
        [0.158, 0.0765, 0.0165],
        [0.180, 0.0690, 0.0150],
        [0.195, 0.0635, 0.0120],
        [0.203, 0.0605, 0.0065],
        [0.2055, 0.0595, -0.0015],
        [0.203, 0.0605, -0.0095],
        [0.195, 0.0635, -0.0150],
        [0.180, 0.0690, -0.0180],
        [0.158, 0.0765, -0.0195],
        [0.133, 0.0850, -0.0210],
    ]
)
_KNOTS = len(_OUTLINE)
_HEEL, _TOE, _OUTER = 4, 14, 8  # knots at the heel's back, at the toe's tip and at the outer waist
_COLUMNS, _ROWS = 160, 22


def _smooth(low: float, high: float, x: Array) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _tone(colour: RGB, share: float) -> RGB:
    return tuple(int(max(0, min(255, c * share))) for c in colour)  # type: ignore[return-value]


def shoe(spec: ProductSpec) -> Built:
    """Build the sneaker; the brand runs down the outer side.

    `shape`: length, toe box height, sole thickness, collar height, tongue height, sole flare.
    `variant`: bit 0 rubber toe cap, bit 1 slanted side stripes; `layout` picks the panels' colours.
    """
    a, b, c, d, e, f = spec.shape
    length = 0.94 + 0.12 * a
    sole = 0.022 + 0.012 * c
    knot = np.linspace(0, _KNOTS, _COLUMNS + 1)
    outline = spline(_OUTLINE, _COLUMNS + 1, closed=True)
    opening = spline(_OPENING, _COLUMNS + 1, closed=True)
    opening[:, 1] += (sole - 0.028) + (d - 0.5) * 0.008 * _smooth(0.13, 0.06, opening[:, 0])
    spring = 0.010 * _smooth(0.14, 0.30, outline[:, 0]) + 0.002 * _smooth(0.03, 0.0, outline[:, 0])

    # outward direction in the plan
    ahead = np.roll(outline[:-1], -1, 0) - np.roll(outline[:-1], 1, 0)
    ahead = np.concatenate([ahead, ahead[:1]])
    out = np.stack([-ahead[:, 1], ahead[:, 0]], -1)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    if float((out * (outline - outline[:-1].mean(0))).sum()) < 0:
        out = -out
    out3 = np.stack([out[:, 0], np.zeros(len(out)), out[:, 1]], -1)
    up = np.array([0.0, 1.0, 0.0])

    top_of_sole = sole * (0.92 + 0.2 * _smooth(0.14, 0.03, outline[:, 0])) + spring
    base = np.stack([outline[:, 0], top_of_sole - 0.004, outline[:, 1]], -1)
    toeness = _smooth(0.15, 0.25, outline[:, 0])[:, None]
    heelness = _smooth(0.06, 0.0, outline[:, 0])[:, None]
    toe_height = 0.018 + 0.012 * b
    first = (
        base
        + up * (0.020 * (1 - toeness) + toe_height * toeness)
        + out3 * (0.003 + 0.0035 * heelness + 0.001 * toeness)
    )
    reach = 0.005 * (1 - toeness) + 0.034 * toeness
    drop = 0.018 * (1 - toeness) + 0.004 * toeness
    second = opening + out3 * reach - up * drop
    t = np.linspace(0, 1, _ROWS)[:, None, None]
    upper = (1 - t) ** 3 * base + 3 * t * (1 - t) ** 2 * first + 3 * t**2 * (1 - t) * second + t**3 * opening

    # overlays stand proud: heel counter, toe cap, eyestay
    level = t[..., 0] * np.ones((1, _COLUMNS + 1))
    from_toe, from_heel = np.abs(knot - _TOE)[None], np.abs(knot - _HEEL)[None]
    cap_edge = 2.1 if spec.variant & 1 else 0.0
    dome = np.sqrt(np.clip(1 - (level / 0.6) ** 2, 0, 1))
    toe_cap = _smooth(0.08, -0.08, from_toe - cap_edge * dome) * (level < 0.6) if cap_edge else 0 * level
    counter = _smooth(3.0, 2.8, from_heel + 2.2 * level**2)
    throat = (knot > 8.7) & (knot < 19.3)
    eyestay = (
        _smooth(0.80, 0.83, level)
        * _smooth(8.4, 8.8, np.where(knot < 14, knot, 28 - knot))[None]
        * throat[None]
    )
    relief = 0.0011 * toe_cap + 0.0009 * counter + 0.0010 * eyestay
    normals = grid(upper).normals.reshape(upper.shape)
    upper = upper + normals * relief[..., None]
    upper[:, -1] = upper[:, 0]
    u, v = np.meshgrid(knot / _KNOTS, 1 - t[:, 0, 0])
    uv = np.stack([u, v], -1)
    canvas = _print(spec, upper, cap_edge)
    parts = [
        (grid(upper, uv), Finish("upper", picture=canvas.picture(), roughness=0.55 + 0.35 * spec.roughness))
    ]

    # the padded collar rolls over and the lining runs down to the insole
    pad = 0.0045 - 0.0030 * _smooth(0.10, 0.14, opening[:, 0])
    edge = upper[-1]
    inward = -out3 * (1 - toeness) + np.array([-1.0, 0, 0]) * toeness * 0.8 - up * 0.35 * toeness
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    rows = [edge]
    for turn in np.linspace(0, np.pi, 7)[1:]:
        rows.append(edge + inward * (pad * (1 - np.cos(turn)))[:, None] + up * (pad * np.sin(turn))[:, None])
    floor = np.stack([outline[:, 0], np.full(len(outline), sole + 0.012), outline[:, 1]], -1) - out3 * 0.007
    floor[:, 0] = np.minimum(floor[:, 0], 0.255)
    last = rows[-1]
    for share in (0.15, 0.4, 0.7, 0.94):
        rows.append(last * (1 - share) + floor * share - up * (0.004 * np.sin(np.pi * share)))
    middle = np.stack(
        [np.clip(outline[:, 0], 0.03, 0.24), np.full(len(outline), sole + 0.010), np.zeros(len(outline))], -1
    )
    rows += [floor * (1 - share) + middle * share for share in (0.06, 0.14, 0.5, 1.0)]
    inside = np.stack(rows)
    inside[:, -1] = inside[:, 0]
    lining = _tone(spec.accent, 0.92) if spec.layout % 2 else _tone(spec.paper, 0.86)
    parts.append((grid(inside), Finish("lining", lining, roughness=0.95)))
    parts += _sole(spec, outline, out3, spring, sole, 0.0035 + 0.003 * f)
    parts += _tongue_and_laces(spec, sole - 0.028, 0.008 * (e - 0.5))
    parts = [(Surface(s.vertices * length, s.faces, s.normals, s.uv), finish) for s, finish in parts]
    return scene(parts), canvas.labels


def _print(spec: ProductSpec, upper: Array, cap_edge: float) -> Canvas:
    """Panels, seams and the brand on the upper's chart: u round the shoe, v from collar to sole."""
    canvas = Canvas(spec.texture * 3, round(spec.texture * 0.5), spec.body, "upper")
    panel = (spec.body, spec.paper, spec.accent, spec.body)[spec.layout % 4]
    heel = (spec.accent, spec.cap, spec.ink, spec.paper)[(spec.layout // 2) % 4]
    stay = spec.paper if spec.layout in (1, 4, 6) else _tone(spec.body, 0.9)
    thread = _tone(spec.body, 0.72)

    def u(knot: float) -> float:
        return knot / _KNOTS

    def dashes(points: list[tuple[float, float]], colour: RGB) -> None:
        for (u0, v0), (u1, v1) in pairwise(points):
            for k in range(0, 10, 2):
                a, b = k / 10, (k + 1.2) / 10
                canvas.draw.line(
                    [
                        ((u0 + (u1 - u0) * s) * canvas.width, (v0 + (v1 - v0) * s) * canvas.height)
                        for s in (a, b)
                    ],
                    colour,
                    max(1, canvas.height // 130),
                )

    if panel != spec.body:  # the quarter, on both sides
        for start, stop in ((5.2, 11.3), (16.7, 20.0), (0.0, 2.8)):
            canvas.rect((u(start), 0.0, u(stop), 1.0), panel)
    if spec.variant & 2:  # slanted stripes between the brand and the toe
        for k in range(3):
            foot = 10.15 + 0.42 * k
            canvas.polygon(
                [(u(foot), 1), (u(foot + 0.2), 1), (u(foot - 0.5), 0.2), (u(foot - 0.7), 0.2)], spec.accent
            )
            canvas.polygon(
                [(u(28 - foot), 1), (u(27.8 - foot), 1), (u(28.5 - foot), 0.2), (u(28.7 - foot), 0.2)],
                spec.accent,
            )
    level = np.linspace(0, 1, 24)
    reach = 3.0 - 2.2 * level**2
    low = [(u(_HEEL - r), 1 - s) for r, s in zip(reach, level, strict=True)]
    high = [(u(_HEEL + r), 1 - s) for r, s in zip(reach, level, strict=True)]
    canvas.polygon(low + high[::-1], heel)
    for line, shift in ((low, 0.06), (high, -0.06)):
        dashes([(p + u(shift), q) for p, q in line], _tone(heel, 0.7))
    canvas.polygon([(u(8.5), 0.0), (u(8.75), 0.19), (u(19.25), 0.19), (u(19.5), 0.0)], stay)
    dashes([(u(k), 0.165) for k in np.linspace(8.8, 19.2, 60)], _tone(stay, 0.72))
    dashes([(u(k), 0.03) for k in np.linspace(5.0, 8.4, 20)], thread)
    for hole in (9.15, 9.75, 10.35, 10.95, 11.55):
        for side in (hole, 28 - hole):
            radius = 0.040 * canvas.height
            x, y = u(side) * canvas.width, 0.085 * canvas.height
            canvas.draw.ellipse(
                (x - radius * 1.5, y - radius, x + radius * 1.5, y + radius), _tone(spec.cap, 0.8)
            )
    if cap_edge:
        level = np.linspace(0, 0.6, 30)
        rim = cap_edge * np.sqrt(np.clip(1 - (level / 0.6) ** 2, 0, 1))
        keep = rim >= 0
        left = [(u(_TOE - r), 1 - s) for r, s in zip(rim[keep], level[keep], strict=True)]
        right = [(u(_TOE + r), 1 - s) for r, s in zip(rim[keep], level[keep], strict=True)]
        canvas.polygon(left + right[::-1], spec.cap)
    else:
        for row in range(4):  # air holes in the vamp
            for k in range(-3, 4):
                x, y = (
                    u(_TOE + 0.42 * k * (1 + 0.1 * row)) * canvas.width,
                    (0.34 + 0.07 * row) * canvas.height,
                )
                canvas.draw.ellipse(
                    (
                        x - canvas.height / 90,
                        y - canvas.height / 90,
                        x + canvas.height / 90,
                        y + canvas.height / 90,
                    ),
                    thread,
                )

    # the brand: downwards, as tall as the outer waist allows, in true proportions
    middle = 8.05
    column = round(middle / _KNOTS * _COLUMNS)
    per_u = _COLUMNS / float(1 / np.linalg.norm(upper[10, column + 1] - upper[10, column]))
    tall = float(np.linalg.norm(np.diff(upper[:, column], axis=0), axis=1).sum())
    stretch = (canvas.width / per_u) / (canvas.height / tall)
    ground = panel
    ink = (
        spec.ink
        if abs(sum(spec.ink) - sum(ground)) > 180
        else ((250, 250, 250) if sum(ground) < 380 else (20, 22, 26))
    )
    half = 0.016 / per_u
    canvas.text(
        "side", spec.brand, (u(middle) - half, 0.09, u(middle) + half, 0.90), ink, spec.font, 1, stretch
    )
    return canvas


def _sole(
    spec: ProductSpec, outline: Array, out3: Array, spring: Array, sole: float, flare: float
) -> list[tuple[Surface, Finish]]:
    """Midsole wall with a foxing stripe, and the outsole under it."""
    heel = 1 + 0.2 * _smooth(0.14, 0.03, outline[:, 0])
    top = sole * (0.92 + heel - 1) + spring
    flat = np.stack([outline[:, 0], np.zeros(len(outline)), outline[:, 1]], -1)
    up = np.array([0.0, 1.0, 0.0])

    def ring(push: float, share: float, lift: float = 0.0) -> Array:
        return flat + out3 * push + up * (spring * (1 - share) + top * share + lift)[:, None]

    centre = np.array([0.14, 0.0, 0.0])

    def shrunk(row: Array, share: float) -> Array:
        return np.stack([centre[0] + (row[:, 0] - centre[0]) * share, row[:, 1], row[:, 2] * share], -1)

    mid = np.stack(
        [
            ring(flare * 0.4, 0.16),
            ring(flare * 0.7, 0.17),
            ring(flare * 0.9, 0.22),
            ring(flare, 0.4),
            ring(flare * 1.05, 0.55),
            ring(flare, 0.58),
            ring(flare * 0.86, 0.60),
            ring(flare * 0.84, 0.64),
            ring(flare * 0.86, 0.90),
            ring(flare * 0.7, 0.98),
            ring(flare * 0.35, 1.0),
            ring(-0.002, 0.985),
            shrunk(ring(-0.006, 0.9), 0.6),
            shrunk(ring(-0.006, 0.9), 0.05),
        ]
    )
    bed = ring(-0.004, 0.0)
    tread = np.stack(
        [
            shrunk(bed, 0.05),
            shrunk(bed, 0.6),
            bed,
            ring(flare * 0.5, 0.0),
            ring(flare * 0.95, 0.02),
            ring(flare * 1.1, 0.07),
            ring(flare * 1.1, 0.13),
            ring(flare * 0.9, 0.17),
            ring(0, 0.18),
        ]
    )
    rubber = spec.cap if spec.layout % 2 == 0 else (178, 128, 78)
    wall = (244, 242, 236) if spec.layout != 3 else spec.paper
    stripe = np.stack(
        [
            ring(flare * 0.86 + 0.0005, 0.70),
            ring(flare * 0.86 + 0.0009, 0.71),
            ring(flare * 0.86 + 0.0009, 0.79),
            ring(flare * 0.86 + 0.0005, 0.80),
        ]
    )
    for rows in (mid, tread, stripe):
        rows[:, -1] = rows[:, 0]
    return [
        (grid(mid), Finish("midsole", wall, roughness=0.6)),
        (grid(tread), Finish("outsole", rubber, roughness=0.75)),
        (grid(stripe), Finish("foxing", spec.accent, roughness=0.6)),
    ]


def _tongue_and_laces(spec: ProductSpec, lift: float, extra: float) -> list[tuple[Surface, Finish]]:
    spine = spline(
        np.array(
            [
                [0.222, 0.050],
                [0.205, 0.0565],
                [0.180, 0.0685],
                [0.155, 0.0795],
                [0.132, 0.0895],
                [0.116, 0.0985 + extra * 0.6],
                [0.108, 0.1055 + extra],
            ]
        ),
        26,
    )
    along = np.gradient(spine, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    rise = np.stack([-along[:, 1], along[:, 0]], -1) * -1
    rise *= np.sign(rise[:, 1:])
    share = np.linspace(0, 1, 26)
    half = 0.017 + 0.009 * _smooth(0.55, 0.95, share)
    thick = 0.0022 + 0.0018 * _smooth(0.6, 0.95, share)
    angle = np.linspace(0, 2 * np.pi, 25)
    angle[-1] = 0
    rows = []
    for k in range(-2, 28):
        j = min(max(k, 0), 25)
        shrink = {-2: 0.02, -1: 0.75, 26: 0.75, 27: 0.02}.get(k, 1.0)
        beyond = {-1: -0.6, -2: -0.8, 26: 0.7, 27: 1.0}.get(k, 0.0) * thick[j]
        across = (
            np.sign(np.cos(angle))
            * np.abs(np.cos(angle)) ** 0.7
            * half[j]
            * (1 if abs(k - 12.5) < 14 else 0.9 if shrink > 0.1 else 0.02)
        )
        height = np.sin(angle) * thick[j] * shrink - (across / 0.027) ** 2 * 0.006
        x = spine[j, 0] + rise[j, 0] * height + along[j, 0] * beyond
        y = spine[j, 1] + rise[j, 1] * height + along[j, 1] * beyond + lift
        rows.append(np.stack([x, y, across - 0.0015], -1))
    tongue = grid(np.stack(rows))
    if float(np.einsum("ij,ij->", tongue.normals, tongue.vertices - tongue.vertices.mean(0))) < 0:
        tongue = grid(np.stack(rows), flip=True)
    laces = []
    opening = spline(_OPENING, 401, closed=True)
    for k, knot in enumerate((9.15, 9.75, 10.35, 10.95, 11.55)):
        left, right = opening[round(knot * 20)], opening[round((28 - knot) * 20)]
        # eyelets sit a little outside of the edge, on the slope
        left = left + np.array([0.0015, lift - 0.0015, 0.0055])
        right = right + np.array([0.0015, lift - 0.0015, -0.0055])
        s = np.linspace(0, 1, 13)[:, None]
        arch = np.sin(np.pi * s[:, 0]) ** 0.6
        bar = left * (1 - s) + right * s
        bar[:, 1] += 0.0062 * arch
        bar[:, 0] += 0.0015 * arch
        laces.append(_ribbon(bar, 0.0032, 0.0011))
        if k < 4:
            after = opening[round((28 - (9.15 + 0.6 * (k + 1))) * 20)] + (0.0015, lift - 0.0015, -0.0055)
            cross = left * (1 - s) + after * s
            cross[:, 1] += 0.0048 * arch
            laces.append(_ribbon(cross, 0.0028, 0.0009))
    knot_at = (opening[round(9.15 * 20)] + opening[round(18.85 * 20)]) / 2 + (0.002, lift + 0.008, 0)
    for side in (1.0, -1.0):
        loop = knot_at + np.array(
            [
                [0, 0, 0],
                [0.004, 0.005, 0.009 * side],
                [0.010, 0.003, 0.021 * side],
                [0.017, -0.006, 0.026 * side],
                [0.017, -0.007, 0.019 * side],
                [0.009, 0.0015, 0.008 * side],
                [0, 0.001, 0],
            ]
        )
        end = knot_at + np.array(
            [
                [0, 0, 0],
                [0.010, 0.002, 0.006 * side],
                [0.020, -0.004, 0.014 * side],
                [0.026, -0.013, 0.025 * side],
            ]
        )
        laces += [sweep(spline(loop, 30), 0.0017, 0.7, 8), sweep(spline(end, 16), 0.0017, 0.7, 8)]
    laces.append(sweep(knot_at + np.array([[0, 0, -0.004], [0, 0.001, 0], [0, 0, 0.004]]), 0.0032, 0.9, 10))
    colour = (246, 245, 240) if spec.layout != 4 else spec.accent
    return [
        (tongue, Finish("tongue", spec.body if spec.layout % 3 else spec.paper, roughness=0.9)),
        (join(laces), Finish("laces", colour, roughness=0.9)),
    ]


def _ribbon(path: Array, half: float, thick: float) -> Surface:
    """A flat lace across the throat: wide along x, thin along y."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    wide = np.array([0.9, -0.43, 0.0]) - tangent * (tangent @ np.array([0.9, -0.43, 0.0]))[:, None]
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    deep = np.cross(tangent, wide)
    angle = np.linspace(0, 2 * np.pi, 13)
    angle[-1] = 0
    ring = (
        half * np.cos(angle)[None, :, None] * wide[:, None]
        + thick * np.sin(angle)[None, :, None] * deep[:, None]
    )
    rows = np.concatenate(
        [path[:1, None] + 0.02 * ring[:1], path[:, None] + ring, path[-1:, None] + 0.02 * ring[-1:]]
    )
    return grid(rows)
