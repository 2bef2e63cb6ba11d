"""Kinds that are boxed, bound or bagged: cereal box, tea box, book, soap bar, gift bag, record sleeve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from scoring.bench.products.built import Built, ink_on_body, printed
from scoring.bench.products.prints import Canvas, art, decorate
from scoring.bench.products.spec import BenchSpec, mixed
from scoring.bench.products.surfaces import (
    Array,
    Finish,
    Piece,
    Rect,
    block,
    curve,
    joined,
    moved,
    sheet,
    slab,
    tube,
)


def _wrapped(size: tuple[float, float, float]) -> tuple[tuple[float, float], dict[str, Rect]]:
    """A box's sides on one sheet, four in a row and top and bottom above: its metres and charts."""
    wide, tall, deep = size
    across, down = 2 * (wide + deep), tall + deep
    u = np.cumsum([0, wide, deep, wide, deep]) / across
    v = deep / down
    names = ("front", "right", "back", "left")
    charts: dict[str, Rect] = {name: (u[k], v, u[k + 1], 1.0) for k, name in enumerate(names)}
    charts["top"] = (0.0, 0.0, u[1], v)
    charts["bottom"] = (u[1], 0.0, u[2] + (u[1] - u[0]) * 0.5, v)
    return (across, down), charts


def _inner(chart: Rect, inset: float, depth: float) -> Rect:
    """A chart less a margin: shares of its width and of its height."""
    u0, v0, u1, v1 = chart
    return u0 + inset * (u1 - u0), v0 + depth * (v1 - v0), u1 - inset * (u1 - u0), v1 - depth * (v1 - v0)


def _boxed(spec: BenchSpec, size: tuple[float, float, float], radius: float, name: str) -> Built:
    """A printed box: words on its front, more words on its right side, art all around."""
    metres, charts = _wrapped(size)
    canvas = Canvas(metres, int(spec.texture * 1.7), spec.body, name)
    decorate(canvas, spec, _inner(charts["front"], 0.09, 0.06), bleed=charts["front"])
    for side in ("right", "left", "back", "top", "bottom"):
        canvas.rect(charts[side], spec.body)
    canvas.rect(_inner(charts["top"], 0.06, 0.12), mixed(spec.body, spec.accent, 0.5))
    right = _inner(charts["right"], 0.16, 0.1)
    if spec.print == "words" and size[2] > 0.25 * size[0]:
        other = replace(
            spec, paper=spec.body, line="", small="", aside="", art="plain", ink=ink_on_body(spec)
        )
        decorate(canvas, other, right, "side-", charts["right"])
    else:
        art(canvas, replace(spec, paper=spec.body), charts["right"])
    for k in range(8):  # a table of contents
        v0 = charts["left"][1] + (0.2 + 0.06 * k) * (charts["left"][3] - charts["left"][1])
        u0, _, u1, _ = _inner(charts["left"], 0.18, 0)
        canvas.rect(
            (u0, v0, u0 + (u1 - u0) * (1.0 - 0.07 * (k * 5 % 4)), v0 + 0.006),
            mixed(spec.body, ink_on_body(spec), 0.7),
        )
    return [printed(name, block(size, radius, charts), canvas, spec)], canvas.labels


def cereal(spec: BenchSpec) -> Built:
    """A tall, flat cereal box."""
    wide, tall = spec.between(0, 0.17, 0.21), spec.between(1, 0.25, 0.31)
    return _boxed(spec, (wide, tall, spec.between(2, 0.05, 0.075)), 0.0015, "box")


def tea(spec: BenchSpec) -> Built:
    """A low tea box with a lid that sits over it."""
    wide, tall, deep = spec.between(0, 0.12, 0.16), spec.between(1, 0.07, 0.11), spec.between(2, 0.06, 0.09)
    pieces, labels = _boxed(spec, (wide, tall, deep), 0.0012, "box")
    lid = moved(block((wide * 1.02, 0.2 * tall, deep * 1.03), 0.002), (0, 0.9 * tall, 0))
    return [*pieces, Piece("lid", lid, Finish(spec.trim, roughness=spec.roughness))], labels


def soap(spec: BenchSpec) -> Built:
    """A wrapped bar of soap lying at a slant on its wrapper's seam: a low rounded brick with a paper band."""
    wide, tall, deep = spec.between(0, 0.085, 0.11), spec.between(1, 0.05, 0.06), spec.between(2, 0.028, 0.04)
    metres, charts = _wrapped((wide * 0.62, tall * 1.015, deep * 1.02))
    canvas = Canvas(metres, int(spec.texture * 1.5), spec.paper, "band")
    decorate(canvas, spec, _inner(charts["front"], 0.07, 0.08), bleed=charts["front"])
    for side in ("right", "left", "back", "top", "bottom"):
        canvas.rect(charts[side], spec.paper)
    bar = Finish(spec.body, roughness=max(spec.roughness, 0.35))
    band = block((wide * 0.62, tall * 1.015, deep * 1.02), 0.0085, charts, ("front", "back", "top", "bottom"))
    return [
        Piece("bar", moved(block((wide, tall, deep), 0.009), (0, 0.0004, 0)), bar),
        printed("band", band, canvas, spec),
    ], canvas.labels


def book(spec: BenchSpec) -> Built:
    """A hardback that stands: cover, spine, pages."""
    wide, tall, deep = spec.between(0, 0.14, 0.18), spec.between(1, 0.2, 0.25), spec.between(2, 0.02, 0.045)
    board = 0.003
    cover = Canvas((wide, tall), spec.texture, spec.paper, "cover")
    decorate(cover, replace(spec, aside=""), (0.1, 0.08, 0.9, 0.92))
    back = Canvas((wide, tall), 192, spec.body, "back cover")
    art(back, replace(spec, art="plain", paper=spec.body))
    spine = Canvas((deep, tall), spec.texture, spec.body, "spine")
    if spec.print == "words":
        spine.text(
            "spine", spec.aside or spec.brand, (0.16, 0.1, 0.84, 0.72), ink_on_body(spec), spec.faces[1], 1
        )
    spine.rect((0.0, 0.86, 1.0, 0.9), spec.accent)
    pages = Image.new("RGB", (64, 8), (238, 232, 218))
    for x in range(0, 64, 3):
        pages.paste((222, 214, 198), (x, 0, x + 1, 8))
    front = moved(
        block(
            (wide, tall, board),
            0.001,
            dict.fromkeys(("left", "right", "top", "bottom"), (0, 0, 0.004, 0.004)),
            ("front", "left", "right", "top", "bottom"),
        ),
        (0, 0, deep / 2),
    )
    inner_front = moved(block((wide, tall, board), 0.001, sides=("back",)), (0, 0, deep / 2))
    rear = moved(block((wide, tall, board), 0.001), (0, 0, -deep / 2))
    hinge = moved(
        block(
            (0.004, tall, deep + board),
            0.0015,
            dict.fromkeys(("front", "back", "right", "top", "bottom"), (0, 0, 0.004, 0.004)),
        ),
        (-wide / 2, 0, 0),
    )
    block_of_pages = moved(
        block((wide * 0.965, tall * 0.965, deep - 0.001), 0.0005), (-0.01 * wide, 0.0175 * tall, 0)
    )
    return [
        printed("cover", front, cover, spec),
        printed("back cover", joined([rear, inner_front]), back, spec),
        printed("spine", hinge, spine, spec),
        Piece("pages", block_of_pages, Finish(picture=pages, roughness=0.9)),
    ], [*cover.labels, *spine.labels]


def bag(spec: BenchSpec) -> Built:
    """A paper gift bag with gussets and rope handles."""
    wide, tall, deep = spec.between(0, 0.2, 0.26), spec.between(1, 0.22, 0.3), spec.between(2, 0.07, 0.1)
    half, back = wide / 2, deep / 2
    pinch = spec.between(3, 0.55, 0.8)
    heights = np.linspace(0, 1, 12)[:, None]
    squeeze = 1 - (1 - pinch) * heights**1.5

    def face(sign: float) -> Array:
        x = np.linspace(-1, 1, 15)[None] * half * sign
        bow = 0.004 * np.sin(np.pi * heights) * np.cos(np.pi / 2 * np.linspace(-1, 1, 15)[None])
        z = (back * squeeze + bow) * sign
        return np.stack(np.broadcast_arrays(x, tall * heights, z), -1)

    def gusset(sign: float) -> Array:
        s = np.linspace(-1, 1, 11)[None]
        z = -s * back * squeeze * sign
        fold = (1 - np.abs(s)) * heights * 0.16 * deep
        return np.stack(np.broadcast_arrays(sign * (half - fold), tall * heights, z), -1)

    canvas = Canvas((wide, tall), spec.texture, spec.paper, "front")
    decorate(canvas, spec, (0.1, 0.14, 0.9, 0.92))
    paper = Finish(spec.body, roughness=max(spec.roughness, 0.3))
    floor = sheet(np.stack([face(-1.0)[0][::-1], face(1.0)[0]]))
    sides = [sheet(gusset(1.0)), sheet(gusset(-1.0)), sheet(face(-1.0)), floor]
    lining = [
        sheet(surface, flip=True)
        for surface in (
            face(1.0) * (1, 1, 0.99),
            face(-1.0) * (1, 1, 0.99),
            gusset(1.0) * (0.995, 1, 1),
            gusset(-1.0) * (0.995, 1, 1),
        )
    ]
    rise = spec.between(4, 0.06, 0.1)
    ropes = []
    for sign in (1.0, -1.0):
        z = sign * (back * pinch + 0.002)
        path = curve(
            [
                (-0.4 * half, 0.93 * tall, z),
                (-0.38 * half, tall, z),
                (-0.3 * half, tall + 0.7 * rise, z * 0.9),
                (0, tall + rise, z * 0.8),
                (0.3 * half, tall + 0.7 * rise, z * 0.9),
                (0.38 * half, tall, z),
                (0.4 * half, 0.93 * tall, z),
            ],
            40,
        )
        ropes.append(tube(path, 0.0028, 1.0, 8))
    return [
        printed("front", sheet(face(1.0)), canvas, spec),
        Piece("sides", joined(sides), paper),
        Piece("lining", joined(lining), Finish(mixed(spec.body, (250, 250, 248), 0.7), roughness=0.9)),
        Piece("handles", joined(ropes), Finish(spec.trim, roughness=0.8)),
    ], canvas.labels


def sleeve(spec: BenchSpec) -> Built:
    """A record in its sleeve, leaning a little, the record half drawn out or not at all."""
    side = 0.31
    corners = np.array([(-side / 2, 0), (side / 2, 0), (side / 2, side), (-side / 2, side)])
    outline = np.concatenate(
        [
            corners[k] + (corners[(k + 1) % 4] - corners[k]) * np.linspace(0, 1, 12)[:-1, None]
            for k in range(4)
        ]
    )
    plate = slab(outline, 0.004, 0.0006)
    canvas = Canvas((side, side), spec.texture, spec.paper, "sleeve")
    decorate(
        canvas,
        replace(spec, art=spec.art if spec.plain or spec.art != "plain" else "landscape"),
        (0.08, 0.08, 0.92, 0.92),
    )
    lean = (-spec.between(0, 4, 12), 0.0, 0.0)
    pieces = [
        printed("sleeve", moved(plate.front, turn=lean), canvas, spec),
        Piece("back", moved(joined([plate.back, plate.rim]), turn=lean), Finish(spec.body, roughness=0.7)),
    ]
    if spec.variant % 2:
        turn = np.linspace(0, 2 * np.pi, 73)[:-1]
        disc = np.stack([0.15 * np.cos(turn) + 0.09, 0.15 * np.sin(turn) + 0.155], -1)
        record = slab(disc, 0.0016, 0.0)
        pieces.append(
            Piece(
                "record",
                moved(joined([record.front, record.back, record.rim]), turn=lean),
                Finish((22, 22, 24), roughness=0.3),
            )
        )
        hub = slab((disc - disc.mean(0)) * 0.33 + disc.mean(0), 0.0022, 0.0)
        pieces.append(
            Piece(
                "record label",
                moved(joined([hub.front, hub.back]), turn=lean),
                Finish(spec.accent, roughness=0.6),
            )
        )
    return pieces, canvas.labels
