"""Packs that are not turned: carton, cosmetic tube, stand-up pouch, tote bag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import trimesh

from training.products.art import Canvas, design
from training.products.shapes import Array, Finish, Surface, box, grid, lathe, rounded, scene, spline, sweep
from training.products.spec import ProductSpec, legible

Built = tuple[trimesh.Scene, list[dict[str, Any]]]


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def carton(spec: ProductSpec) -> Built:
    """A folding carton: designed front, word on the side and on the top, plain back; one unfolded texture."""
    a, b, c, *_ = spec.shape
    kind = spec.variant % 4
    width, height, depth = (
        (_between(0.05, 0.08, a), _between(0.11, 0.16, b), _between(0.035, 0.06, c)),  # cosmetics
        (_between(0.14, 0.2, a), _between(0.2, 0.28, b), _between(0.05, 0.07, c)),  # cereals
        (_between(0.13, 0.18, a), _between(0.06, 0.09, b), _between(0.06, 0.09, c)),  # tea
        (_between(0.08, 0.12, a), _between(0.08, 0.12, b), _between(0.07, 0.1, c)),  # a cube for a candle
    )[kind]
    across, down = 2 * (width + depth), height + depth
    pixels = spec.texture * 2 / max(across, down)
    canvas = Canvas(round(across * pixels), round(down * pixels), spec.paper, "board")
    f, s, t = width / across, depth / across, depth / down
    charts = {
        "front": (0.0, t, f, 1.0),
        "right": (f, t, f + s, 1.0),
        "back": (f + s, t, 2 * f + s, 1.0),
        "left": (2 * f + s, t, 1.0, 1.0),
        "top": (0.0, 0.0, f, t),
        "bottom": (f + s, 0.0, 2 * f + s, t),
    }
    design(canvas, spec, charts["front"], share=height / max(width, height, depth))
    side = spec.accent
    on_side = legible(spec.paper, side, 30)
    for name in ("right", "left"):
        u0, v0, u1, v1 = charts[name]
        canvas.rect(charts[name], side)
        if name == "right":
            turn = 1 if height > 1.15 * depth else 0
            area = (
                u0 + 0.22 * (u1 - u0),
                v0 + 0.08 * (v1 - v0),
                u1 - 0.22 * (u1 - u0),
                v1 - 0.25 * (v1 - v0),
            )
            canvas.text("side", spec.brand, area, on_side, spec.font, turn)
            canvas.motif(
                spec.motif,
                (u0 + 0.3 * (u1 - u0), v1 - 0.22 * (v1 - v0), u1 - 0.3 * (u1 - u0), v1 - 0.06 * (v1 - v0)),
                on_side,
                side,
            )
        else:
            canvas.lines(
                (u0 + 0.15 * (u1 - u0), v0 + 0.1 * (v1 - v0), u1 - 0.15 * (u1 - u0), v0 + 0.6 * (v1 - v0)),
                on_side,
                14,
                centred=False,
            )
    u0, v0, u1, v1 = charts["back"]
    canvas.motif(
        spec.motif,
        (u0 + 0.3 * (u1 - u0), v0 + 0.1 * (v1 - v0), u1 - 0.3 * (u1 - u0), v0 + 0.4 * (v1 - v0)),
        spec.accent,
        spec.paper,
    )
    canvas.lines(
        (u0 + 0.15 * (u1 - u0), v0 + 0.5 * (v1 - v0), u1 - 0.15 * (u1 - u0), v0 + 0.85 * (v1 - v0)),
        spec.ink,
        9,
    )
    u0, v0, u1, v1 = charts["top"]
    canvas.rect(charts["top"], side if spec.layout % 2 else spec.paper)
    ink = on_side if spec.layout % 2 else spec.ink
    canvas.text(
        "top",
        spec.brand,
        (u0 + 0.12 * (u1 - u0), v0 + 0.25 * (v1 - v0), u1 - 0.12 * (u1 - u0), v1 - 0.25 * (v1 - v0)),
        ink,
        spec.font,
    )
    surface = box((width, height, depth), 0.0016, charts)
    return scene(
        [(surface, Finish("board", picture=canvas.picture(), roughness=_between(0.35, 0.75, spec.roughness)))]
    ), canvas.labels


def tube(spec: ProductSpec) -> Built:
    """A cosmetic tube standing on its cap; the body flattens into the crimped end."""
    a, b, c, *_ = spec.shape
    radius, length = _between(0.015, 0.024, a), _between(0.1, 0.15, b)
    tall = _between(0.018, 0.034, c)
    wide_cap = spec.variant % 2
    base = tall + (0.0 if wide_cap else 0.002)
    body_low, crimp_low, top = base + 0.004, base + length - 0.009, base + length
    columns = 65
    # half the chart is the front: its middle lies at u = 0.5, the seam at the back
    angle = np.linspace(-np.pi, np.pi, columns)
    angle[-1] = angle[0]
    heights = np.concatenate([np.linspace(body_low, crimp_low, 26), np.linspace(crimp_low, top, 9)[1:]])
    flatten = np.clip((heights - body_low) / (crimp_low - body_low), 0, 1)
    deep = radius * np.sqrt(np.clip(1 - flatten**1.6, 0, 1)) + 0.0011
    broad = radius * (
        1 + 0.5 * flatten**1.3
    )  # what depth loses the width gains, as the sheet keeps its length
    ridge = np.where(
        heights > crimp_low + 0.001, 0.00018 * np.sin((heights - crimp_low) * 2 * np.pi / 0.0022), 0
    )
    x = broad[:, None] * np.sin(angle)
    z = (deep + ridge)[:, None] * np.cos(angle)
    points = np.stack([x, np.broadcast_to(heights[:, None], x.shape), z], -1)
    cross = np.array([0.6, 0.25, 0.0])
    close = np.stack([points[-1] * (s, 1, s) + (0, 0.0004, 0) for s in cross])
    points = np.concatenate([points, close])
    rise = np.concatenate([(heights - body_low) / (top - body_low), np.ones(3)])
    u, v = np.meshgrid(np.linspace(0, 1, columns), 1 - rise)
    body = grid(points, np.stack([u, v], -1))
    around = 2 * np.pi * radius * 1.1
    canvas = Canvas(spec.texture, round(spec.texture * (top - body_low) / around), spec.paper, "print")
    canvas.rect((0, 0, 1, 1), spec.paper)
    if spec.layout in (1, 6):  # what belongs to the ground goes all round
        canvas.rect((0, 0.6, 1, 1), spec.accent)
    # the front shows about the middle half; the crimp stays free
    inner = (0.3, 0.1, 0.7, 0.96)
    tall_enough = spec.layout if spec.layout not in (0, 7) else 5
    if spec.layout in (1, 6):
        canvas.text("front", spec.brand, (0.42, 0.12, 0.58, 0.57), spec.ink, spec.font, 1)
        canvas.motif(spec.motif, (0.38, 0.68, 0.62, 0.92), spec.paper, spec.accent)
    elif spec.layout in (2, 5, 0):
        canvas.text(
            "front", spec.brand, (0.42, 0.12, 0.58, 0.72), spec.ink, spec.font, 3 if spec.layout == 2 else 1
        )
        canvas.motif(spec.motif, (0.38, 0.76, 0.62, 0.92), spec.accent, spec.paper)
        canvas.rect((0, 0.955, 1, 1), spec.accent)
    else:
        design(canvas, replace(spec, layout=tall_enough if tall_enough != 5 else 3, line=""), inner)
    canvas.rect((0, 0, 1, 0.062), spec.accent)
    neck = rounded(
        [
            (0, base - 0.001, 0),
            (radius * 0.8, base - 0.001, 0.001),
            (radius + 0.0011, body_low + 0.0002, 0.001),
            (0, body_low + 0.0006, 0),
        ]
    )
    size = radius * (1.06 if wide_cap else 0.66)
    cap = rounded(
        [(0, 0, 0), (size, 0, 0.002), (size * (1.0 if wide_cap else 0.96), tall, 0.0012), (0, tall, 0)]
    )
    gloss = _between(0.25, 0.55, spec.roughness)
    return scene(
        [
            (body, Finish("print", picture=canvas.picture(), roughness=gloss)),
            (lathe(neck), Finish("shoulder", spec.paper, roughness=gloss)),
            (
                lathe(cap),
                Finish("cap", spec.cap, roughness=0.35, metallic=0.85 if spec.variant >= 2 else 0.0),
            ),
        ]
    ), canvas.labels


def pouch(spec: ProductSpec) -> Built:
    """A stand-up pouch: gusset foot, belly, heat-sealed rim, tear notch line; the print covers the front."""
    a, b, c, d, *_ = spec.shape
    width, height, depth = _between(0.11, 0.15, a), _between(0.17, 0.23, b), _between(0.05, 0.075, c)
    rows, columns = 44, 34
    t = np.linspace(0, 1, rows)[:, None]
    s = np.linspace(-1, 1, columns)[None]
    seal = 0.06
    inside = np.clip((1 - np.abs(s)) / 0.9, 0, 1) ** 0.62  # thick at once behind the side seal
    inside = np.where(np.abs(s) > 1 - seal, 0, np.clip((1 - seal - np.abs(s)) / (1 - seal), 0, 1) ** 0.6)
    up = np.where(t < 0.14, 0.9 + 0.1 * t / 0.14, np.clip((0.86 - t) / 0.72, 0, 1) ** 0.75)
    wobble = 1 + 0.05 * np.sin(6 * t * np.pi + 9 * d) * np.sin(3 * s * np.pi + 5 * c)
    half = 0.5 * depth * inside * up * wobble + 0.0006
    pinch = 1 - 0.035 * np.sin(np.clip(t * 1.15, 0, 1) * np.pi)  # filled, the belly draws the sides in
    foot = 0.012 * (1 - s**2) * np.exp(-t / 0.05)  # the foot's curve between the seals
    x = 0.5 * width * s * pinch
    y = np.broadcast_to(height * t, x.shape) - foot + 0.012 * (np.exp(-t / 0.05))
    front = np.stack([x, y, half], -1)
    back = np.stack([-x, y, -half], -1)
    u, v = np.meshgrid(np.linspace(0, 1, columns), 1 - t[:, 0])
    uv = np.stack([u, v], -1)
    aspect = width / height
    canvas = Canvas(round(spec.texture * aspect), spec.texture, spec.paper, "print")
    canvas.rect((0, 0, 1, 1), spec.paper)
    canvas.rect((0, 0, 1, 0.13), spec.accent)
    canvas.rect((0, 0.135, 1, 0.143), spec.ink)
    full = spec.layout in (1, 2, 6, 7)  # these carry a ground of their own from edge to edge
    area = (0.0, 0.143, 1.0, 0.93) if full else (0.1, 0.17, 0.9, 0.9)
    design(canvas, spec, area, share=area[3] - area[1], inset=0.08 if full else 0.0)
    canvas.rect((0, 0.93, 1, 1), spec.accent)
    bottom = np.stack(
        [np.stack([front[0][:, 0], front[0][:, 1], front[0][:, 2] * k], -1) for k in np.linspace(-1, 1, 5)]
    )
    top = np.stack(
        [np.stack([front[-1][:, 0], front[-1][:, 1], front[-1][:, 2] * k], -1) for k in (1.0, -1.0)]
    )
    sides = [np.stack([front[:, -1], back[:, 0]], 1), np.stack([back[:, -1], front[:, 0]], 1)]
    gloss = _between(0.3, 0.6, spec.roughness)
    plain = Finish("film", spec.accent, roughness=gloss, metallic=spec.metallic * 0.5)
    rear = Canvas(64, 96, spec.paper, "rear")
    rear.rect((0, 0, 1, 0.13), spec.accent)
    rear.rect((0, 0.93, 1, 1), spec.accent)
    rear.lines((0.2, 0.3, 0.8, 0.75), spec.ink, 9)
    zip_line = np.stack(
        [np.linspace(-0.44, 0.44, 12) * width, np.full(12, height * 0.868), np.full(12, 0.0011)], -1
    )
    return scene(
        [
            (
                grid(front, uv),
                Finish("print", picture=canvas.picture(), roughness=gloss, metallic=spec.metallic * 0.4),
            ),
            (
                grid(back, uv),
                Finish("rear", picture=rear.picture(), roughness=gloss, metallic=spec.metallic * 0.4),
            ),
            (grid(bottom), plain),
            (grid(top), plain),
            (grid(sides[0]), plain),
            (grid(sides[1]), plain),
            (sweep(zip_line, 0.0011, 0.8, 8), plain),
        ]
    ), canvas.labels


def tote(spec: ProductSpec) -> Built:
    """A cotton tote that stands: soft folds, an open hem, two webbing handles, one large print."""
    a, b, c, d, e, _ = spec.shape
    width, height, depth = _between(0.34, 0.4, a), _between(0.34, 0.42, b), _between(0.06, 0.1, c)
    rows, columns = 40, 49
    t = np.linspace(0, 1, rows)[:, None]
    s = np.linspace(-1, 1, columns)[None]

    def sheet(phase: float) -> Array:
        belly = (1 - np.abs(s) ** 3.2) ** 0.5
        spread = 0.5 * depth * belly * (0.62 + 0.5 * np.exp(-t / 0.16) + 0.12 * np.sin(np.pi * t))
        fold = 0.0055 * np.sin(2.6 * np.pi * s + 3 * t + phase) * (1 - s**2) * t
        fold = fold + 0.004 * np.exp(-(((np.abs(s) - 0.62) / 0.1) ** 2)) * np.exp(-(((t - 0.16) / 0.2) ** 2))
        x = 0.5 * width * s * (1 - 0.03 * np.sin(np.pi * t) - 0.015 * t)
        droop = 0.006 * (1 - np.cos(2 * np.pi * s)) * t**3 * (0.4 + e)
        foot = 0.05 * height * np.abs(s) ** 8 * (1 - t) ** 6
        y = height * t - droop + foot
        return np.stack([x, y, spread + fold], -1)

    front = sheet(7 * d)
    rear = sheet(7 * d + 2)
    rear[:, 0, 2], rear[:, -1, 2] = -front[:, -1, 2], -front[:, 0, 2]
    back = rear * (-1, 1, -1)
    u, v = np.meshgrid(np.linspace(0, 1, columns), 1 - t[:, 0])
    uv = np.stack([u, v], -1)
    canvas = Canvas(round(spec.texture * width / height), spec.texture, spec.body, "print")
    spec = replace(
        spec, paper=spec.body, ink=legible(spec.ink, spec.body), accent=legible(spec.accent, spec.body, 18)
    )
    if spec.layout in (1, 6, 7, 0, 2):
        canvas.motif(spec.motif, (0.3, 0.2, 0.7, 0.56), spec.accent, spec.body)
        canvas.text("front", spec.brand, (0.13, 0.6, 0.87, 0.8), spec.ink, spec.font)
    elif spec.layout == 5:
        canvas.text("front", spec.brand, (0.14, 0.3, 0.86, 0.68), spec.ink, spec.font)
        canvas.rect((0.14, 0.74, 0.86, 0.755), spec.accent)
        canvas.rect((0.14, 0.24, 0.86, 0.255), spec.accent)
    else:
        design(canvas, replace(spec, line=""), (0.16, 0.18, 0.84, 0.86))
    stitch = tuple(int(c * 0.82) for c in spec.body)
    ink = (stitch[0], stitch[1], stitch[2])
    for k in range(80):
        canvas.rect((k / 80, 0.068, k / 80 + 0.007, 0.0715), ink)
    cloth = Finish("print", picture=canvas.picture(), roughness=0.92)
    plain = Finish("cloth", spec.body, roughness=0.92)
    bottom = np.stack([back[0, ::-1] * (1, 1, 1) * (1 - k) + front[0] * k for k in np.linspace(0, 1, 7)])
    lining = Finish("lining", (ink[0], ink[1], ink[2]), roughness=0.95)
    rim_front, rim_back = front[-1], back[-1, ::-1]
    # inside, the lining hangs between the rims; less towards the seams, where it would show through them
    hang = 0.07 * height * np.clip(1 - np.abs(s[0]) ** 4, 0, 1)[:, None] * (0.0, 1.0, 0.0)
    across = np.array([0.0, 0.08, 0.3, 0.5, 0.7, 0.92, 1.0])
    mouth = [rim_front * (1 - k) + rim_back * k - hang * np.sin(np.pi * k) for k in across]
    web = Finish("web", spec.cap if spec.variant % 2 else spec.body, roughness=0.9)
    parts = [
        (grid(front, uv), cloth),
        (grid(back, uv), plain),
        (grid(bottom), plain),
        (grid(np.stack(mouth)), lining),
    ]
    rise = _between(0.12, 0.2, d)
    for sign, rim in ((1.0, front), (-1.0, back)):
        x = 0.26 * width

        def on_cloth(middle: float, share: float, rim: Array = rim, sign: float = sign) -> float:
            """Where a strap lies flat on the sheet: as far out as the cloth under its whole width."""
            row = rim[round(share * (rows - 1))]
            order = np.argsort(row[:, 0])
            under = np.interp(middle + np.linspace(-0.013, 0.013, 5), row[order, 0], row[order, 2])
            return float(sign * ((sign * under).max() + 0.0016))

        y = height * 0.985
        lean = sign * depth * 0.1
        bow = np.array(
            [
                [-x, y - 0.055, on_cloth(-x, 0.84)],
                [-x, y - 0.028, on_cloth(-x, 0.91)],
                [-x, y, on_cloth(-x, 0.98)],
                [-x * 0.97, y + rise * 0.5, on_cloth(0.0, 1.0) + lean * 0.3],
                [-x * 0.62, y + rise * 0.93, on_cloth(0.0, 1.0) + lean],
                [0, y + rise * 1.03, on_cloth(0.0, 1.0) + lean * 1.2],
                [x * 0.62, y + rise * 0.93, on_cloth(0.0, 1.0) + lean],
                [x * 0.97, y + rise * 0.5, on_cloth(0.0, 1.0) + lean * 0.3],
                [x, y, on_cloth(x, 0.98)],
                [x, y - 0.028, on_cloth(x, 0.91)],
                [x, y - 0.055, on_cloth(x, 0.84)],
            ]
        )
        parts.append((_strap(spline(bow, 56), 0.0125, 0.0013), web))
    return scene(parts), canvas.labels


def _strap(path: Array, half: float, thick: float) -> Surface:
    """A flat band along a path that lies about in an x-y plane: half wide in that plane, thin along z."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, (0.0, 0.0, 1.0))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    out = np.cross(side, tangent)
    k = np.linspace(0, 2 * np.pi, 21)
    k[-1] = 0
    square = np.sign(np.cos(k)) * np.abs(np.cos(k)) ** 0.35, np.sign(np.sin(k)) * np.abs(np.sin(k)) ** 0.35
    ring = half * square[0][None, :, None] * side[:, None] + thick * square[1][None, :, None] * out[:, None]
    body = path[:, None] + ring
    ends = [path[:1, None] + ring[:1] * 0.02], [path[-1:, None] + ring[-1:] * 0.02]
    return grid(np.concatenate([ends[0][0], body, ends[1][0]]), flip=True)
