"""Round products: bottle, can, mug, jar, candle tin. Labels sit on the turned wall."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import trimesh

from training.products.art import Canvas, design
from training.products.shapes import Array, Finish, Surface, grid, lathe, rounded, scene, spline, sweep, wall
from training.products.spec import ProductSpec, legible

Built = tuple[trimesh.Scene, list[dict[str, Any]]]


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def label_patch(
    spec: ProductSpec,
    profile: Array,
    low: float,
    high: float,
    arc: float,
    name: str = "label",
    tall: float = 0.0,
) -> tuple[Surface, Canvas]:
    """A designed label on the front of a turned wall, `arc` radians wide; `tall`: the product's height."""
    line = wall(profile, low, high)
    width = arc * float(line[:, 0].mean())
    aspect = width / (high - low)
    canvas = _canvas(spec, aspect, name)
    longest = max(tall, float(profile[:, 1].max()), 2 * float(profile[:, 0].max()))
    design(canvas, spec, (0, 0, 1, 1), share=(high - low) / longest)
    return lathe(line, max(12, int(arc * 14)), (-arc / 2, arc / 2)), canvas


def _canvas(spec: ProductSpec, aspect: float, name: str) -> Canvas:
    size = spec.texture
    width, height = (size, round(size / aspect)) if aspect > 1 else (round(size * aspect), size)
    return Canvas(max(8, width), max(8, height), spec.paper, name)


def ribbed(radius: float, low: float, high: float, ribs: int, depth: float, edge: float) -> Surface:
    """A closed cap with vertical ribs on its wall."""
    profile = rounded(
        [
            (0, low, 0),
            (radius - edge * 0.3, low, 0),
            (radius, low + edge * 0.4, 0),
            (radius, high - edge, 0),
            (radius, high, edge * 1.2),
            (radius * 0.55, high, 0),
            (0, high, 0),
        ],
        5,
    )
    segments = ribs * 4
    angle = np.linspace(-np.pi, np.pi, segments + 1)
    angle[-1] = angle[0]
    on_wall = np.clip((profile[:, 0] - 0.9 * radius) / (0.1 * radius), 0, 1) * (
        profile[:, 1] < high - edge * 0.6
    )
    r = profile[:, :1] - on_wall[:, None] * depth * (0.5 - 0.5 * np.cos(angle * ribs))
    points = np.stack([r * np.sin(angle), np.broadcast_to(profile[:, 1:], r.shape), r * np.cos(angle)], -1)
    return grid(points)


def bottle(spec: ProductSpec) -> Built:
    """A bottle with a wrapped label; variant: 0 screw cap, 1 pump, 2 disc cap, 3 long neck."""
    a, b, c, d, e, _ = spec.shape
    radius, height = _between(0.026, 0.04, a), _between(0.12, 0.19, b)
    neck = _between(0.34, 0.5, c) * radius
    shoulder = _between(0.012, 0.05, d)
    variant = spec.variant % 4
    if variant == 3:
        height, neck, shoulder = height * 1.25, radius * 0.36, 0.062
    edge = _between(0.003, 0.009, e)
    top = height - shoulder
    profile = rounded(
        [
            (0, 0.0015, 0),
            (radius * 0.7, 0.0015, 0.002),
            (radius * 0.78, 0, 0.001),
            (radius, 0, edge),
            (radius, top, shoulder * 0.55),
            (neck, height, shoulder * 0.35),
            (neck, height + 0.012, 0.001),
            (0, height + 0.012, 0),
        ],
        10,
    )
    parts = [(lathe(profile), Finish("body", spec.body, roughness=spec.roughness, metallic=spec.metallic))]
    cap = Finish("cap", spec.cap, roughness=0.35)
    lip = neck * 1.16
    if variant == 1:
        parts.append((ribbed(lip, height - 0.001, height + 0.016, 20, 0.0005, 0.002), cap))
        y = height + 0.016
        stem = rounded(
            [
                (0.0038, y - 0.002, 0),
                (0.0038, y + 0.022, 0),
                (0.0095, y + 0.022, 0.001),
                (0.0095, y + 0.034, 0.004),
                (0, y + 0.036, 0),
            ]
        )
        parts.append((lathe(stem, 24), cap))
        reach = radius * 1.05
        spout = np.array(
            [
                [0, y + 0.029, 0],
                [-reach * 0.5, y + 0.0295, 0],
                [-reach * 0.9, y + 0.027, 0],
                [-reach, y + 0.021, 0],
            ]
        )
        parts.append((sweep(spline(spout, 16), np.linspace(0.006, 0.0035, 16), 0.8, 14), cap))
    elif variant == 2:
        wide = rounded(
            [
                (0, height - 0.002, 0),
                (radius * 0.82, height - 0.002, 0.001),
                (radius * 0.82, height + 0.022, 0.003),
                (0, height + 0.023, 0),
            ]
        )
        parts.append((lathe(wide), cap))
        parts.append(
            (
                lathe(
                    rounded(
                        [
                            (radius * 0.5, height + 0.0228, 0),
                            (radius * 0.5, height + 0.0245, 0.001),
                            (0, height + 0.0245, 0),
                        ]
                    )
                ),
                cap,
            )
        )
    else:
        tall = 0.016 if variant == 3 else _between(0.016, 0.03, spec.shape[5])
        parts.append((ribbed(lip, height - 0.001, height + tall, 30, 0.0006, 0.0025), cap))
        parts.append(
            (
                lathe(
                    rounded(
                        [
                            (0, height - 0.0035, 0),
                            (lip, height - 0.0035, 0.0006),
                            (lip, height - 0.0015, 0.0006),
                            (0, height - 0.0015, 0),
                        ]
                    )
                ),
                cap,
            )
        )
    low = edge + 0.006
    patch, canvas = label_patch(
        spec, profile, low, top - shoulder * 0.56, _between(1.7, 2.2, c), tall=height * 1.15
    )
    parts.append((patch, Finish("label", picture=canvas.picture(), roughness=0.55)))
    return scene(parts), canvas.labels


def can(spec: ProductSpec) -> Built:
    """A drinks can with a printed wrap; variants are standard, slim, stubby, tall."""
    radius, height = ((0.033, 0.122), (0.0285, 0.134), (0.033, 0.096), (0.033, 0.16))[spec.variant % 4]
    neck = radius * 0.82
    body = rounded(
        [
            (0, 0.009, 0),
            (radius * 0.62, 0.004, 0.003),
            (radius * 0.7, 0, 0.001),
            (radius * 0.78, 0, 0.002),
            (radius, 0.01, 0.006),
            (radius, height - 0.015, 0.008),
            (neck, height - 0.004, 0.002),
            (neck, height - 0.0025, 0),
        ],
        8,
    )
    lid = rounded(
        [
            (neck - 0.0004, height - 0.003, 0),
            (neck + 0.0012, height - 0.0028, 0.0006),
            (neck + 0.0012, height - 0.0003, 0.0006),
            (neck + 0.0002, height, 0.0005),
            (neck - 0.001, height - 0.0003, 0.0005),
            (neck - 0.0022, height - 0.006, 0.001),
            (neck - 0.004, height - 0.006, 0.001),
            (neck - 0.0046, height - 0.0042, 0.001),
            (0, height - 0.0042, 0),
        ],
        5,
    )
    metal = Finish("metal", (205, 207, 210), roughness=0.32, metallic=0.9)
    low, high = 0.0105, height - 0.013
    # the printed wrap is the wall itself; the metal shows at the foot and at the neck
    split_low, split_high = wall(body, low, high, 0.0, 24), None
    foot = np.concatenate([body[body[:, 1] < low - 1e-4][: _first_wall(body)], split_low[:1]])
    crown = np.concatenate(
        [split_low[-1:], body[(body[:, 1] > high) & (np.arange(len(body)) > _first_wall(body))]]
    )
    del split_high
    around = 2 * np.pi * radius
    canvas = Canvas(spec.texture * 2, round(spec.texture * 2 * (high - low) / around), spec.paper, "print")
    half = 0.155  # 56 degrees to each side: what the front view shows well
    front = (0.5 - half, 0.0, 0.5 + half, 1.0)
    design(canvas, spec, front, share=(high - low) / height)
    strip = canvas.image.crop(
        (round(front[0] * canvas.width), 0, round(front[0] * canvas.width) + 4, canvas.height)
    )
    end = canvas.image.crop(
        (round(front[2] * canvas.width) - 6, 0, round(front[2] * canvas.width) - 2, canvas.height)
    )
    canvas.image.paste(strip.resize((round(front[0] * canvas.width) + 1, canvas.height)), (0, 0))
    rest = canvas.width - round(front[2] * canvas.width) + 2
    canvas.image.paste(end.resize((rest, canvas.height)), (canvas.width - rest, 0))
    canvas.rect((0.02, 0.3, 0.11, 0.72), spec.paper)
    for k in range(14):  # a bar code: graphic, not text
        canvas.rect(
            (0.03 + k * 0.005, 0.34, 0.03 + k * 0.005 + 0.0015 + 0.0015 * (k * 7 % 3 == 0), 0.56), spec.ink
        )
    canvas.lines((0.03, 0.59, 0.1, 0.7), spec.ink, 4, centred=False)
    finish = Finish(
        "print", picture=canvas.picture(), roughness=_between(0.22, 0.42, spec.shape[0]), metallic=0.25
    )
    tab_y = height - 0.0036
    ring = np.linspace(0, 2 * np.pi, 25)
    ring[-1] = 0
    tab = np.stack([0.0065 * np.sin(ring), np.full(25, tab_y), 0.003 + 0.009 * np.cos(ring)], -1)
    parts = [
        (lathe(foot), metal),
        (lathe(split_low), finish),
        (
            lathe(crown),
            Finish(
                "shoulder",
                spec.accent if spec.layout in (0, 7) else spec.paper,
                roughness=0.35,
                metallic=0.25,
            ),
        ),
        (lathe(lid), metal),
        (sweep(tab, 0.0016, 0.5, 8, closed=True), metal),
        (
            lathe(
                rounded([(0.003, tab_y - 0.0008, 0), (0.003, tab_y + 0.0008, 0.0005), (0, tab_y + 0.001, 0)]),
                16,
            ),
            metal,
        ),
    ]
    return scene(parts), canvas.labels


def _first_wall(profile: Array) -> int:
    return int(np.argmax(profile[:, 0] >= profile[:, 0].max() - 1e-9))


def mug(spec: ProductSpec) -> Built:
    """A mug with a handle to its right; the print is a band on the wall."""
    a, b, c, d, _, f = spec.shape
    radius, height = _between(0.037, 0.045, a), _between(0.082, 0.108, b)
    foot = radius * _between(0.78, 1.0, c)
    thick, depth = 0.0035, 0.006
    outer = rounded(
        [
            (0, 0.002, 0),
            (foot * 0.8, 0.002, 0.001),
            (foot * 0.84, 0, 0.001),
            (foot, 0, 0.008),
            (radius, height * 0.45, 0.02),
            (radius, height - 0.0017, 0),
        ],
        8,
    )
    lip_angle = np.linspace(0, np.pi, 8)
    lip = np.stack(
        [radius - thick / 2 + thick / 2 * np.cos(lip_angle), height - 0.0017 + thick / 2 * np.sin(lip_angle)],
        -1,
    )
    bend = rounded(
        [
            (radius - thick, height - 0.0017, 0),
            (radius - thick, height * 0.45, 0.02),
            (foot - thick, depth, 0.014),
            (0, depth, 0),
        ],
        8,
    )
    glaze = Finish("glaze", spec.body, roughness=_between(0.12, 0.5, f))
    inside = Finish("inside", spec.accent if spec.variant % 2 else spec.body, roughness=glaze.roughness)
    reach = _between(0.024, 0.032, d)
    top, low = height * 0.82, height * 0.22
    bow = np.linspace(0, np.pi, 30)
    handle_y = (top + low) / 2 + (top - low) / 2 * np.sign(np.cos(bow)) * np.abs(np.cos(bow)) ** 0.8
    at_wall = np.interp(handle_y, np.maximum.accumulate(outer[:, 1]), outer[:, 0]) - 0.002
    handle = np.stack([at_wall + reach * np.sin(bow) ** _between(0.55, 0.85, a), handle_y, 0 * bow], -1)
    tube = sweep(handle, _between(0.0052, 0.007, f), 0.75 if spec.variant < 2 else 1.15, 16)
    wall_low, wall_high = height * 0.13, height * 0.93
    arc = 2.2
    line = wall(outer, wall_low, wall_high, 2e-4)
    aspect = arc * radius / (wall_high - wall_low)
    canvas = Canvas(spec.texture, round(spec.texture / aspect), spec.body, "print")
    # a mug is printed on its own glaze
    on_glaze = replace(
        spec, paper=spec.body, ink=legible(spec.ink, spec.body), accent=legible(spec.accent, spec.body, 18)
    )
    if spec.layout in (3, 4):
        design(canvas, on_glaze, (0.1, 0.04, 0.9, 0.96))
    else:
        _mug_print(canvas, on_glaze)
    parts = [
        (lathe(np.concatenate([outer, lip[1:]])), glaze),
        (lathe(bend), inside),
        (tube, glaze),
        (
            lathe(line, 40, (-arc / 2, arc / 2)),
            Finish("print", picture=canvas.picture(), roughness=glaze.roughness),
        ),
    ]
    return scene(parts), canvas.labels


def _mug_print(canvas: Canvas, spec: ProductSpec) -> None:
    if spec.layout % 2:
        canvas.motif(spec.motif, (0.3, 0.04, 0.7, 0.52), spec.accent, spec.body)
        canvas.text("front", spec.brand, (0.14, 0.58, 0.86, 0.86), spec.ink, spec.font)
        canvas.rect((0.3, 0.9, 0.7, 0.915), spec.accent)
    elif spec.layout in (0, 6):
        canvas.motif(spec.motif, (0.05, 0.3, 0.3, 0.7), spec.accent, spec.body)
        canvas.text("front", spec.brand, (0.34, 0.3, 0.95, 0.7), spec.ink, spec.font)
    else:
        canvas.text("front", spec.brand, (0.12, 0.12, 0.88, 0.42), spec.ink, spec.font)
        canvas.rect((0.12, 0.46, 0.88, 0.475), spec.accent)
        canvas.motif(spec.motif, (0.3, 0.52, 0.7, 0.95), spec.accent, spec.body)


def jar(spec: ProductSpec) -> Built:
    """A squat jar with a wide lid; variants with and without a waist."""
    a, b, c, d, _, f = spec.shape
    radius, height = _between(0.032, 0.046, a), _between(0.045, 0.095, b)
    edge = _between(0.004, 0.012, c)
    mouth = radius * (0.86 if spec.variant % 2 else 0.97)
    shoulder = 0.014 if spec.variant % 2 else 0.004
    profile = rounded(
        [
            (0, 0.001, 0),
            (radius * 0.7, 0.001, 0.001),
            (radius * 0.76, 0, 0.001),
            (radius, 0, edge),
            (radius, height - shoulder, shoulder),
            (mouth - 0.002, height, 0.002),
            (mouth - 0.002, height + 0.004, 0),
            (0, height + 0.004, 0),
        ],
        8,
    )
    tall = _between(0.014, 0.028, d)
    metal = spec.variant >= 2
    lid = Finish("lid", spec.cap, roughness=0.28 if metal else 0.45, metallic=0.85 if metal else 0.0)
    top = (
        ribbed(mouth + 0.001, height + 0.001, height + tall, 36, 0.0005, 0.003)
        if spec.variant % 2
        else lathe(
            rounded(
                [
                    (0, height + 0.001, 0),
                    (mouth + 0.0012, height + 0.001, 0.0008),
                    (mouth + 0.0012, height + tall, 0.004),
                    (mouth * 0.8, height + tall, 0.001),
                    (mouth * 0.78, height + tall - 0.0008, 0.001),
                    (0, height + tall - 0.0008, 0),
                ],
                6,
            )
        )
    )
    patch, canvas = label_patch(spec, profile, edge + 0.002, height - shoulder - 0.003, _between(1.7, 2.2, f))
    body = Finish("body", spec.body, roughness=_between(0.1, 0.5, spec.roughness), metallic=0.0)
    return scene(
        [
            (lathe(profile), body),
            (top, lid),
            (patch, Finish("label", picture=canvas.picture(), roughness=0.6)),
        ]
    ), canvas.labels


def tin(spec: ProductSpec) -> Built:
    """A candle tin: a low metal tin with a stepped lid and a paper label on its wall."""
    a, b, c, *_ = spec.shape
    radius, height = _between(0.035, 0.05, a), _between(0.05, 0.075, b)
    bead = 0.0009
    body = rounded(
        [
            (0, 0.001, 0),
            (radius - 0.004, 0.001, 0.001),
            (radius - 0.002, 0, 0.001),
            (radius + bead, 0.0004, 0.001),
            (radius + bead, 0.003, 0.001),
            (radius, 0.004, 0.001),
            (radius, height, 0),
            (0, height, 0),
        ],
        5,
    )
    tall = _between(0.012, 0.02, c)
    lid = rounded(
        [
            (0, height - 0.004, 0),
            (radius + 0.0016, height - 0.004, 0.0008),
            (radius + 0.0016, height - 0.002, 0.0006),
            (radius + 0.0008, height - 0.0014, 0.0006),
            (radius + 0.0008, height + tall, 0.003),
            (radius * 0.9, height + tall, 0.001),
            (radius * 0.87, height + tall - 0.0022, 0.002),
            (0, height + tall - 0.0022, 0),
        ],
        6,
    )
    colour = spec.cap if spec.variant % 2 else (198, 196, 190)
    metal = Finish("tin", colour, roughness=0.3 + 0.2 * spec.roughness, metallic=0.85)
    patch, canvas = label_patch(spec, body, 0.006, height - 0.006, 1.95)
    return scene(
        [
            (lathe(body), metal),
            (lathe(lid), Finish("lid", colour, roughness=0.28, metallic=0.85)),
            (patch, Finish("label", picture=canvas.picture(), roughness=0.7)),
        ]
    ), canvas.labels
