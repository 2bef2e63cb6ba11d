"""Printed art of the bench's products: grounds, emblems, words, and where the words lie in the texture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scoring.bench.products.fonts import font
from scoring.bench.products.spec import BenchSpec, lightness, mixed
from scoring.bench.products.surfaces import RGB, WHOLE, Rect

_OVER = 2  # everything is drawn this much larger and brought down at the end


class Canvas:
    """A texture in the making.

    Parameters
    ----------
    metres
        Width and height of the surface that carries it, so that nothing printed is stretched.
    texture
        Pixels along its longer side.
    ground
        sRGB colour that fills it.
    material
        Name of the piece that carries it; goes into the labels.

    Areas are u0, v0, u1, v1, shares of the width and of the height from 0 to 1, v down: texture coordinates.
    """

    def __init__(self, metres: tuple[float, float], texture: int, ground: RGB, material: str) -> None:
        scale = texture * _OVER / max(metres)
        self.width, self.height = (max(round(side * scale), 16) for side in metres)
        self.material = material
        self.ground = ground
        self.image = Image.new("RGB", (self.width, self.height), ground)
        self.draw = ImageDraw.Draw(self.image)
        self.labels: list[dict[str, Any]] = []

    def picture(self) -> Image.Image:
        """The texture, antialiased."""
        return self.image.reduce(_OVER)

    def box(self, area: Rect) -> tuple[float, float, float, float]:
        """An area in drawn pixels."""
        return area[0] * self.width, area[1] * self.height, area[2] * self.width, area[3] * self.height

    def rect(self, area: Rect, colour: RGB, rounded: float = 0.0) -> None:
        """Fill a rectangle; `rounded` is the corners' radius as a share of the short side."""
        x0, y0, x1, y1 = self.box(area)
        if x1 - x0 < 1 or y1 - y0 < 1:
            return
        self.draw.rounded_rectangle((x0, y0, x1 - 1, y1 - 1), rounded * min(x1 - x0, y1 - y0), colour)

    def frame(self, area: Rect, colour: RGB, thick: float = 0.012) -> None:
        """Outline a rectangle; `thick` is a share of the texture's shorter side."""
        self.draw.rectangle(
            self.box(area), outline=colour, width=max(2, round(thick * min(self.width, self.height)))
        )

    def emblem(self, name: str, area: Rect, colour: RGB, ground: RGB) -> None:
        """Draw an emblem as large as fits into the middle of an area."""
        x0, y0, x1, y1 = self.box(area)
        _emblem(self.draw, name, (x0 + x1) / 2, (y0 + y1) / 2, min(x1 - x0, y1 - y0) / 2, colour, ground)

    def paste(self, area: Rect, pixels: NDArray[np.uint8]) -> None:
        """Lay a picture, uint8 (H, W, 3), over an area."""
        x0, y0, x1, y1 = (round(x) for x in self.box(area))
        fitted = cv2.resize(pixels, (max(x1 - x0, 1), max(y1 - y0, 1)), interpolation=cv2.INTER_LINEAR)
        self.image.paste(Image.fromarray(np.asarray(fitted)), (x0, y0))

    def size(self, area: Rect) -> tuple[int, int]:
        """Width and height of an area in drawn pixels."""
        x0, y0, x1, y1 = (round(x) for x in self.box(area))
        return max(x1 - x0, 2), max(y1 - y0, 2)

    def text(
        self,
        id: str,
        string: str,
        area: Rect,
        colour: RGB,
        face: str,
        turn: int = 0,
        tall: float = 1.0,
    ) -> None:
        """Print a word as large as fits into the middle of an area, and note its quad.

        Parameters
        ----------
        id
            The label's; empty: it is print that nobody annotated.
        turn
            Quarter turns clockwise: 0 reads rightwards, 1 downwards, 3 upwards.
        tall
            Letters take at most this share of the area's depth.
        """
        x0, y0, x1, y1 = self.box(area)
        room = (x1 - x0, y1 - y0)
        if turn % 2:
            room = room[::-1]
        left, top, right, bottom = font(face, 200).getbbox(string)
        scale = min(room[0] / (right - left), room[1] * tall / (bottom - top)) * 0.96
        typeface = font(face, max(6, int(200 * scale)))
        left, top, right, bottom = (round(n) for n in typeface.getbbox(string))
        pad = max(2, round(0.07 * (bottom - top)))
        stamp = Image.new("L", (right - left + 2 * pad, bottom - top + 2 * pad), 0)
        ImageDraw.Draw(stamp).text((pad - left, pad - top), string, 255, typeface)
        if turn % 4:
            stamp = stamp.rotate(-90 * turn, expand=True)
        x, y = round((x0 + x1 - stamp.width) / 2), round((y0 + y1 - stamp.height) / 2)
        self.image.paste(colour, (x, y), stamp)
        if id:
            right, bottom = x + stamp.width, y + stamp.height
            corners = [(x, y), (right, y), (right, bottom), (x, bottom)]
            # after one turn the upright text's top left lies at the stamp's top right, and so on
            corners = corners[turn % 4 :] + corners[: turn % 4]
            quad = [[round(a / self.width, 5), round(b / self.height, 5)] for a, b in corners]
            self.labels.append({"id": id, "text": string, "material": self.material, "quad": quad})


def decorate(
    canvas: Canvas, spec: BenchSpec, area: Rect = WHOLE, prefix: str = "", bleed: Rect | None = None
) -> None:
    """Print a face: its art, and the spec's words or emblem in one of several layouts.

    Parameters
    ----------
    area
        Where words may stand.
    prefix
        Put before the labels' ids where a product has several faces.
    bleed
        Where the art goes; None: the whole canvas.
    """
    bleed = bleed or WHOLE
    strong = spec.print != "words" or spec.variant % 3 == 0
    busy = spec.art not in ("plain", "fade")
    faint = replace(spec, accent=spec.accent if strong else mixed(spec.paper, spec.accent, 0.22))
    art(canvas, faint, bleed)
    if spec.print == "none":
        return
    width, height = canvas.size(area)
    ink, ground = spec.ink, spec.paper
    if busy and strong:
        area = _within(area, (0.1, 0.2, 0.9, 0.8) if height > 0.7 * width else (0.08, 0.12, 0.92, 0.88))
        canvas.rect(area, ground, 0.12 if spec.variant % 2 else 0.0)
        area = _within(area, (0.06, 0.07, 0.94, 0.93))
    elif spec.art == "fade" and abs(lightness(spec.accent) - lightness(ink)) < 35:
        area = _within(area, (0.02, 0.02, 0.98, 0.5))
    if spec.print == "emblem":
        canvas.emblem(spec.emblem, _within(area, (0.12, 0.12, 0.88, 0.88)), ink, ground)
        return
    if spec.aside and width > 0.5 * height:
        turn = 3 if spec.variant % 2 else 1
        edge = (0.0, 0.06, 0.13, 0.94) if spec.seed % 2 else (0.87, 0.06, 1.0, 0.94)
        canvas.text(f"{prefix}aside", spec.aside, _within(area, edge), ink, spec.faces[1], turn)
        area = _within(area, (0.17, 0.0, 1.0, 1.0) if spec.seed % 2 else (0.0, 0.0, 0.83, 1.0))
    _words(canvas, spec, area, prefix)


def _words(canvas: Canvas, spec: BenchSpec, area: Rect, prefix: str) -> None:
    """Brand, line and small print in an area."""
    width, height = canvas.size(area)
    face, other = spec.faces
    brand, line, small = f"{prefix}brand", f"{prefix}line", f"{prefix}small"
    at = _within
    if height > 1.5 * width and spec.variant % 4 != 3:
        # a tall face: the brand runs up or down it
        turn = 3 if spec.seed % 3 else 1
        canvas.text(brand, spec.brand, at(area, (0.14, 0.02, 0.86, 0.74)), spec.ink, face, turn)
        if spec.line:
            canvas.text(line, spec.line, at(area, (0.02, 0.78, 0.98, 0.88)), spec.ink, other)
        if spec.small:
            canvas.text(small, spec.small, at(area, (0.02, 0.93, 0.98, 0.97)), spec.ink, other)
        return
    if width > 2.2 * height:
        # a wide one: all in a row
        start = 0.0
        if spec.variant % 2:
            canvas.emblem(
                spec.emblem, at(area, (0.0, 0.12, 0.8 * height / width, 0.88)), spec.ink, spec.paper
            )
            start = height / width
        canvas.text(
            brand, spec.brand, at(area, (start, 0.04, 1.0, 0.66 if spec.line else 0.96)), spec.ink, face
        )
        if spec.line:
            canvas.text(line, spec.line, at(area, (start, 0.72, 1.0, 0.98)), spec.ink, other)
        return
    layout = spec.variant % 4
    if layout == 0:
        canvas.emblem(spec.emblem, at(area, (0.2, 0.02, 0.8, 0.42)), spec.ink, spec.paper)
        spots = (0.0, 0.47, 1.0, 0.72), (0.1, 0.77, 0.9, 0.88)
    elif layout == 1:
        canvas.rect(at(area, (0.0, 0.0, 1.0, 0.36)), spec.ink)
        spots = (0.05, 0.05, 0.95, 0.31), (0.05, 0.42, 0.95, 0.54)
        canvas.emblem(spec.emblem, at(area, (0.2, 0.58, 0.8, 0.9)), spec.ink, spec.paper)
    elif layout == 2:
        spots = (0.0, 0.28, 1.0, 0.62), (0.06, 0.67, 0.94, 0.8)
        canvas.rect(at(area, (0.0, 0.215, 1.0, 0.235)), spec.ink)
        canvas.rect(at(area, (0.0, 0.855, 1.0, 0.875)), spec.ink)
    else:
        canvas.emblem(spec.emblem, at(area, (0.0, 0.0, 0.34, 0.26)), spec.ink, spec.paper)
        spots = (0.0, 0.56, 1.0, 0.84), (0.0, 0.4, 0.7, 0.51)
    ink = spec.paper if layout == 1 else spec.ink
    canvas.text(brand, spec.brand, at(area, spots[0]), ink, face)
    if spec.line:
        canvas.text(line, spec.line, at(area, spots[1]), spec.ink, other)
    if spec.small:
        canvas.text(small, spec.small, at(area, (0.05, 0.935, 0.95, 0.985)), spec.ink, other)


def _within(area: Rect, share: Rect) -> Rect:
    u0, v0, u1, v1 = area
    wide, high = u1 - u0, v1 - v0
    return u0 + share[0] * wide, v0 + share[1] * high, u0 + share[2] * wide, v0 + share[3] * high


def art(canvas: Canvas, spec: BenchSpec, area: Rect = WHOLE) -> None:
    """Fill an area with the spec's pattern: paper below, accent on it."""
    canvas.rect(area, spec.paper)
    if spec.art != "plain":
        rng = np.random.default_rng(spec.seed)
        width, height = canvas.size(area)
        # a coarse lattice is enough for what is soft
        share = _ARTS[spec.art](width, height, rng)
        paper, accent = np.asarray(spec.paper, np.float32), np.asarray(spec.accent, np.float32)
        pixels = paper + (accent - paper) * np.clip(share, 0, 1)[..., None]
        canvas.paste(area, np.round(pixels).astype(np.uint8))


Shares = NDArray[np.float32]


def _lattice(width: int, height: int) -> tuple[Shares, Shares, float]:
    """x and y in shares of the shorter side, and what a pixel of it is."""
    unit = 1.0 / min(width, height)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) * unit, np.arange(height, dtype=np.float32) * unit)
    return x, y, unit


def _edge(distance: Shares, unit: float) -> Shares:
    """1 where the distance is above 0, soft over two pixels."""
    return np.asarray(np.clip(distance / (2 * unit) + 0.5, 0, 1), np.float32)


def _stripes(width: int, height: int, rng: np.random.Generator) -> Shares:
    x, y, unit = _lattice(width, height)
    angle, pitch = float(rng.choice([0.0, 0.5, 1.0, 0.25, -0.25])) * np.pi / 2, rng.uniform(0.08, 0.3)
    across = (x * np.cos(angle) + y * np.sin(angle)) / pitch % 1
    return _edge((np.minimum(across, 1 - across) - rng.uniform(0.15, 0.35)) * pitch, unit)


def _dots(width: int, height: int, rng: np.random.Generator) -> Shares:
    x, y, unit = _lattice(width, height)
    pitch = rng.uniform(0.1, 0.26)
    row = np.floor(y / pitch)
    a, b = (x / pitch + 0.5 * (row % 2)) % 1 - 0.5, y / pitch % 1 - 0.5
    return _edge((rng.uniform(0.2, 0.38) - np.hypot(a, b)) * pitch, unit)


def _checks(width: int, height: int, rng: np.random.Generator) -> Shares:
    x, y, unit = _lattice(width, height)
    pitch = rng.uniform(0.14, 0.34)
    across, down = (_edge((np.abs(z / pitch % 1 - 0.5) - 0.25) * pitch, unit) for z in (x, y))
    return np.asarray((across + down) / 2 if rng.random() < 0.6 else np.abs(across - down), np.float32)


def _fade(width: int, height: int, rng: np.random.Generator) -> Shares:
    y = np.linspace(-0.15, 1.1, height, dtype=np.float32)[:, None]
    return np.broadcast_to(np.clip(y, 0, 1) ** float(rng.uniform(0.8, 2)), (height, width)).astype(np.float32)


def _blobs(width: int, height: int, rng: np.random.Generator) -> Shares:
    field = _noise(width, height, rng, (int(rng.integers(4, 8)), int(rng.integers(9, 15))))
    _, _, unit = _lattice(width, height)
    levels = np.quantile(field, (0.42, 0.75))
    return np.asarray(
        0.55 * _edge((field - levels[0]) * 0.2, unit) + 0.45 * _edge((field - levels[1]) * 0.2, unit)
    )


def _noise(width: int, height: int, rng: np.random.Generator, cells: Sequence[int]) -> Shares:
    """Smooth noise, a sum of octaves with so many cells along the shorter side."""
    total = np.zeros((height, width), np.float32)
    for octave, count in enumerate(cells):
        unit = count / min(width, height)
        coarse = rng.random((int(height * unit) + 3, int(width * unit) + 3)).astype(np.float32)
        fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        total += np.asarray(fine, np.float32) * np.float32(0.6**octave)
    return total


def _landscape(width: int, height: int, rng: np.random.Generator) -> Shares:
    """Hills in layers below a sky with a sun: what is printed like a photo."""
    x, y, unit = _lattice(width, height)
    tall = height * unit
    share = 0.35 * (1 - y / tall) + 0.04 * _noise(width, height, rng, (5, 11, 23))
    sun = np.hypot(x - rng.uniform(0.3, 0.7) * width * unit, y - rng.uniform(0.2, 0.4) * tall)
    share = share * (1 - _edge(0.13 - sun, unit))
    for layer, level in enumerate((0.5, 0.64, 0.8)):
        phase = rng.random(3) * 6.3
        ridge = tall * level + 0.07 * np.sin(3.1 * x + phase[0]) + 0.035 * np.sin(8.3 * x + phase[1])
        ridge = ridge + 0.012 * np.sin(21 * x + phase[2])
        inside = _edge(y - ridge, unit)
        tone = (0.5, 0.72, 1.0)[layer] - 0.1 * _noise(width, height, rng, (7, 17))
        share = share * (1 - inside) + tone * inside
    return np.asarray(share, np.float32)


def _waves(width: int, height: int, rng: np.random.Generator) -> Shares:
    x, y, unit = _lattice(width, height)
    pitch, swing = rng.uniform(0.12, 0.28), rng.uniform(0.02, 0.07)
    down = (y + swing * np.sin(x * rng.uniform(6, 14))) / pitch % 1
    return _edge((np.abs(down - 0.5) - rng.uniform(0.2, 0.32)) * pitch, unit)


def _split(width: int, height: int, rng: np.random.Generator) -> Shares:
    x, y, unit = _lattice(width, height)
    tall, wide = height * unit, width * unit
    slope = rng.uniform(-0.6, 0.6)
    share = _edge(y - tall * rng.uniform(0.55, 0.75) - slope * (x - wide / 2), unit)
    second = _edge(y - tall * rng.uniform(0.8, 0.92) - slope * (x - wide / 2), unit)
    return np.asarray(0.6 * share + 0.4 * second, np.float32)


def _petals(width: int, height: int, rng: np.random.Generator) -> Shares:
    x, y, unit = _lattice(width, height)
    share = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(9, 16))):
        cx, cy = rng.random() * width * unit, rng.random() * height * unit
        size, leaves, phase = rng.uniform(0.07, 0.2), int(rng.integers(4, 8)), rng.random() * 6
        a, b = x - np.float32(cx), y - np.float32(cy)
        reach = size * (0.62 + 0.38 * np.cos(leaves * np.arctan2(b, a) + phase))
        share = np.maximum(share, float(rng.uniform(0.4, 1)) * _edge(reach - np.hypot(a, b), unit))
    return share


def _hatch(width: int, height: int, rng: np.random.Generator) -> Shares:
    x, y, unit = _lattice(width, height)
    pitch = rng.uniform(0.05, 0.12)
    lines = [np.abs((x + sign * y) / pitch % 1 - 0.5) for sign in (1, -1)]
    return _edge((0.11 - np.minimum(*lines)) * pitch, unit)


_ARTS: dict[str, Callable[[int, int, np.random.Generator], Shares]] = {
    "stripes": _stripes,
    "dots": _dots,
    "checks": _checks,
    "fade": _fade,
    "blobs": _blobs,
    "landscape": _landscape,
    "waves": _waves,
    "split": _split,
    "petals": _petals,
    "hatch": _hatch,
}


def _emblem(
    draw: ImageDraw.ImageDraw, name: str, x: float, y: float, r: float, colour: RGB, ground: RGB
) -> None:
    """One of `spec.EMBLEMS` in a circle of radius r; none of them looks the same turned upside down."""

    def shape(points: Any, fill: RGB = colour) -> None:
        draw.polygon([(x + r * a, y + r * b) for a, b in points], fill)

    def disc(a: float, b: float, s: float, fill: RGB = colour) -> None:
        draw.ellipse((x + r * (a - s), y + r * (b - s), x + r * (a + s), y + r * (b + s)), fill)

    if name == "rings":
        for a, b, s in ((-0.42, 0.3, 0.55), (0.42, 0.3, 0.55), (0.1, -0.45, 0.5)):
            disc(a, b, s)
            disc(a, b, s - 0.14, ground)
    elif name == "chevrons":
        for k, wide in enumerate((0.9, 0.7, 0.5)):
            top = -0.75 + 0.5 * k
            shape(
                [
                    (-wide, top + 0.5),
                    (0, top),
                    (wide, top + 0.5),
                    (wide, top + 0.78),
                    (0, top + 0.28),
                    (-wide, top + 0.78),
                ]
            )
    elif name == "hexagon":
        turn = np.arange(6) * np.pi / 3
        shape(zip(np.sin(turn), -np.cos(turn), strict=True))
        shape(zip(0.78 * np.sin(turn), -0.78 * np.cos(turn), strict=True), ground)
        shape([(-0.45, 0.35), (0.0, -0.5), (0.15, 0.0), (0.5, 0.35)])
    elif name == "flame":
        t = np.linspace(0, 2 * np.pi, 60)
        lean = 0.25 * np.sin(2 * t)
        shape(zip(0.7 * np.sin(t) * np.sin(t / 2) ** 1.4 + lean, -np.cos(t), strict=True))
        disc(0.08, 0.5, 0.28, ground)
    elif name == "fan":
        for k in range(5):
            a = -0.9 + 0.38 * k
            shape(
                [
                    (0, 0.8),
                    (1.55 * np.sin(a), 0.8 - 1.55 * np.cos(a)),
                    (1.55 * np.sin(a + 0.26), 0.8 - 1.55 * np.cos(a + 0.26)),
                ]
            )
        disc(0.0, 0.78, 0.2)
    elif name == "orbit":
        disc(-0.05, 0.05, 0.52)
        t = np.linspace(0, 2 * np.pi, 60)
        ring = np.stack([np.cos(t), 0.3 * np.sin(t)], -1) @ np.array([[0.86, -0.5], [0.5, 0.86]])
        points = [(x + r * a, y + r * b) for a, b in ring]
        draw.line(points, ground, max(2, int(0.22 * r)))
        draw.line(points, colour, max(2, int(0.1 * r)))
        disc(0.78, -0.62, 0.16)
    elif name == "blocks":
        for a, b, s in ((-0.7, -0.7, 0.6), (0.0, -0.7, 0.6), (-0.7, 0.0, 0.6)):
            shape([(a, b), (a + s, b), (a + s, b + s), (a, b + s)])
        disc(0.32, 0.32, 0.3)
    elif name == "crescent":
        disc(0.0, 0.0, 0.9)
        disc(0.36, -0.16, 0.72, ground)
        disc(0.5, -0.3, 0.2)
    elif name == "fish":
        t = np.linspace(0, 2 * np.pi, 50)
        shape(zip(0.7 * np.cos(t) - 0.2, 0.42 * np.sin(t), strict=True))
        shape([(0.3, 0.0), (0.95, -0.5), (0.8, 0.0), (0.95, 0.5)])
        disc(-0.55, -0.1, 0.09, ground)
    else:  # tree
        for k, wide in enumerate((0.42, 0.6, 0.78)):
            shape([(0, -0.95 + 0.42 * k), (wide, -0.28 + 0.42 * k), (-wide, -0.28 + 0.42 * k)])
        shape([(-0.1, 0.5), (0.1, 0.5), (0.1, 0.95), (-0.1, 0.95)])
