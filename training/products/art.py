"""Printed art: words, motifs and layouts drawn on a texture, and where the words lie in it."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.products.spec import RGB, ProductSpec

Rect = tuple[float, float, float, float]
_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
_OVER = 2  # everything is drawn this much larger and reduced at the end
_LEGIBLE = 0.038  # of the product's longest side: 16 px and a little where that is 45 % of 1024 px


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    files = [file for folder in _FOLDERS for file in sorted(Path(folder).rglob("*.ttf"))]
    return {file.stem: str(file) for file in files}


@lru_cache(maxsize=512)
def font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font by file name; Pillow's own where it is not installed."""
    file = _installed().get(name)
    if file is None:
        warnings.warn(
            f"Font {name} is not installed, Pillow's own is used; install fonts-dejavu and fonts-liberation.",
            stacklevel=2,
        )
        return ImageFont.load_default(size)
    return ImageFont.truetype(file, size)


class Canvas:
    """A texture in the making.

    Parameters
    ----------
    width, height
        Of the texture in pixels.
    ground
        sRGB colour that fills it.
    material
        Name of the material that will carry it; goes into the labels.

    All positions are shares of the width and of the height, 0 to 1, v down: texture coordinates.
    """

    def __init__(self, width: int, height: int, ground: RGB, material: str) -> None:
        self.width, self.height, self.material = width * _OVER, height * _OVER, material
        self.image = Image.new("RGB", (self.width, self.height), ground)
        self.draw = ImageDraw.Draw(self.image)
        self.labels: list[dict[str, Any]] = []

    def picture(self) -> Image.Image:
        """The texture, antialiased."""
        return self.image.reduce(_OVER)

    def _px(self, u: float, v: float) -> tuple[float, float]:
        return u * self.width, v * self.height

    def rect(self, area: Rect, colour: RGB, radius: float = 0.0) -> None:
        """Fill a rectangle u0, v0, u1, v1; `radius` as a share of its short side."""
        (x0, y0), (x1, y1) = self._px(area[0], area[1]), self._px(area[2], area[3])
        if x1 - x0 < 1 or y1 - y0 < 1:
            return
        if radius:
            self.draw.rounded_rectangle((x0, y0, x1, y1), radius * min(x1 - x0, y1 - y0), colour)
        else:
            self.draw.rectangle((x0, y0, x1 - 1, y1 - 1), colour)

    def frame(self, area: Rect, colour: RGB, thick: float) -> None:
        """Outline a rectangle; `thick` as a share of the texture's height."""
        (x0, y0), (x1, y1) = self._px(area[0], area[1]), self._px(area[2], area[3])
        self.draw.rectangle((x0, y0, x1, y1), outline=colour, width=max(1, round(thick * self.height)))

    def polygon(self, points: Any, colour: RGB) -> None:
        """Fill a polygon of (u, v)."""
        self.draw.polygon([self._px(u, v) for u, v in points], colour)

    def motif(self, name: str, area: Rect, colour: RGB, ground: RGB) -> None:
        """Draw a motif as large as fits, centred in a rectangle."""
        (x0, y0), (x1, y1) = self._px(area[0], area[1]), self._px(area[2], area[3])
        _motif(self.draw, name, (x0 + x1) / 2, (y0 + y1) / 2, min(x1 - x0, y1 - y0) / 2, colour, ground)

    def lines(self, area: Rect, colour: RGB, count: int, centred: bool = True) -> None:
        """Small print as bars of uneven length: reads as text from afar, and is none."""
        u0, v0, u1, v1 = area
        shares = (1.0, 0.86, 0.94, 0.6, 0.78, 0.9, 0.5)
        pitch = (v1 - v0) / count
        for k in range(count):
            wide = (u1 - u0) * shares[k % len(shares)]
            start = (u0 + u1 - wide) / 2 if centred else u0
            self.rect((start, v0 + k * pitch, start + wide, v0 + (k + 0.38) * pitch), colour)

    def fit(
        self, string: str, area: Rect, face: str, turn: int = 0, stretch: float = 1.0
    ) -> tuple[float, float]:
        """The largest font size that fits a rectangle, and the height of its letters in (drawn) pixels."""
        room = ((area[2] - area[0]) * self.width / stretch, (area[3] - area[1]) * self.height)
        if turn % 2:
            room = room[::-1]
        probe = font(face, 100).getbbox(string)
        scale = min(room[0] / (probe[2] - probe[0]), room[1] / (probe[3] - probe[1])) * 0.97
        return 100 * scale, scale * (probe[3] - probe[1])

    def text(
        self,
        id: str,
        string: str,
        area: Rect,
        colour: RGB,
        face: str,
        turn: int = 0,
        stretch: float = 1.0,
        annotate: bool = True,
    ) -> None:
        """Print a word as large as fits, centred in a rectangle, and note its quad.

        Parameters
        ----------
        area
            Rectangle u0, v0, u1, v1.
        turn
            Quarter turns clockwise: 0 reads rightwards, 1 downwards, 3 upwards.
        stretch
            How many times more pixels a metre has along u than along v here; keeps letters in shape.
        """
        (x0, y0), (x1, y1) = self._px(area[0], area[1]), self._px(area[2], area[3])
        size, _ = self.fit(string, area, face, turn, stretch)
        typeface = font(face, max(6, int(size)))
        left, top, right, bottom = (round(n) for n in typeface.getbbox(string))
        pad = max(2, round(0.06 * (bottom - top)))
        stamp = Image.new("L", (right - left + 2 * pad, bottom - top + 2 * pad), 0)
        ImageDraw.Draw(stamp).text((pad - left, pad - top), string, 255, typeface)
        stamp = stamp.rotate(-90 * turn, expand=True)
        if stretch != 1:
            stamp = stamp.resize(
                (max(1, round(stamp.width * stretch)), stamp.height), Image.Resampling.BICUBIC
            )
        x, y = round((x0 + x1 - stamp.width) / 2), round((y0 + y1 - stamp.height) / 2)
        self.image.paste(colour, (x, y), stamp)
        if annotate:
            corners = [
                (x, y),
                (x + stamp.width, y),
                (x + stamp.width, y + stamp.height),
                (x, y + stamp.height),
            ]
            # the upright text's top left comes to the rectangle's top right after one turn, and so on
            corners = corners[turn % 4 :] + corners[: turn % 4]
            quad = [[round(a / self.width, 5), round(b / self.height, 5)] for a, b in corners]
            self.labels.append({"id": id, "text": string, "material": self.material, "quad": quad})


def _motif(
    draw: ImageDraw.ImageDraw, name: str, x: float, y: float, r: float, colour: RGB, ground: RGB
) -> None:
    def shape(points: Any, fill: RGB = colour) -> None:
        draw.polygon([(x + r * a, y + r * b) for a, b in points], fill)

    def disc(a: float, b: float, s: float, fill: RGB = colour) -> None:
        draw.ellipse((x + r * (a - s), y + r * (b - s), x + r * (a + s), y + r * (b + s)), fill)

    turn = np.linspace(0, 2 * np.pi, 49)[:-1]
    if name == "leaf":
        t = np.linspace(0, np.pi, 20)
        side = 0.42 * np.sin(t)
        height = -np.cos(t)
        blade = [*zip(side, height, strict=True), *zip(-side[::-1], height[::-1], strict=True)]
        for angle in (-0.7, 0.7, 0.0):
            c, s = np.cos(angle) * 0.85, np.sin(angle) * 0.85
            shape([(a * c - (b - 0.9) * s, a * s + (b - 0.9) * c + 0.8) for a, b in blade])
            shape(
                [(a * c * 0.08 - (b - 0.9) * s, a * s * 0.08 + (b - 0.9) * c + 0.8) for a, b in blade], ground
            )
    elif name == "star":
        reach = np.where(np.arange(10) % 2, 0.42, 1.0)
        points = np.arange(10) * np.pi / 5
        shape(zip(reach * np.sin(points), -reach * np.cos(points), strict=True))
    elif name == "sun":
        for a in np.arange(12) * np.pi / 6:
            ray = [(-0.09, 0.7), (0.09, 0.7), (0.0, 1.0)]
            shape([(p * np.cos(a) - q * np.sin(a), p * np.sin(a) + q * np.cos(a)) for p, q in ray])
        disc(0, 0, 0.56)
    elif name == "drop":
        t = turn
        shape(zip(0.95 * np.sin(t) * np.sin(t / 2) ** 1.6, -np.cos(t), strict=True))
    elif name == "peaks":
        shape([(-1, 0.7), (-0.3, -0.55), (0.05, 0.1), (0.4, -0.25), (1, 0.7)])
        shape([(-0.3, -0.55), (-0.52, -0.16), (-0.3, -0.02), (-0.15, -0.2), (-0.05, -0.09)], ground)
    elif name == "waves":
        t = np.linspace(-1, 1, 40)
        for k in (-0.55, 0.0, 0.55):
            w = 0.16 * np.sin(t * np.pi * 2)
            shape([*zip(t, w + k - 0.11, strict=True), *zip(t[::-1], w[::-1] + k + 0.11, strict=True)])
    elif name == "rings":
        for s, fill in ((1.0, colour), (0.78, ground), (0.56, colour), (0.3, ground)):
            disc(0, 0, s, fill)
    elif name == "bolt":
        shape([(0.2, -1), (-0.55, 0.15), (-0.05, 0.15), (-0.25, 1), (0.55, -0.2), (0.05, -0.2)])
    elif name == "flower":
        for a in np.arange(6) * np.pi / 3:
            disc(0.58 * np.sin(a), -0.58 * np.cos(a), 0.36)
        disc(0, 0, 0.27, ground)
    elif name == "diamond":
        shape([(0, -1), (0.72, 0), (0, 1), (-0.72, 0)])
        shape([(0, -0.55), (0.4, 0), (0, 0.55), (-0.4, 0)], ground)
    elif name == "heart":
        across = 16 * np.sin(turn) ** 3 / 17
        down = -(13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)) / 17
        shape(zip(across, down, strict=True))
    elif name == "moon":
        disc(0, 0, 0.95)
        disc(0.38, -0.2, 0.78, ground)
    else:
        raise ValueError(f"There is no motif named {name}; see MOTIFS in training/products/spec.py.")


def design(
    canvas: Canvas,
    spec: ProductSpec,
    area: Rect,
    id: str = "front",
    aspect: float | None = None,
    share: float = 1.0,
    inset: float = 0.0,
) -> None:
    """Fill a rectangle with the spec's layout: ground, ornament, motif, brand, second line, small print.

    Parameters
    ----------
    area
        Rectangle u0, v0, u1, v1.
    id
        Id of the brand's label; the second line's is this and "-line".
    aspect
        Width through height of the rectangle on the product; by default the pixels are square.
    share
        The rectangle's height through the product's longest side: a second line too small to read in a
        picture of the whole product is left out.
    inset
        Further margin left and right of the words, a share of the width.
    """
    u0, v0, u1, v1 = area
    pixels = (u1 - u0) * canvas.width / ((v1 - v0) * canvas.height)
    true = pixels if aspect is None else aspect
    stretch = pixels / true
    wide = true > 1.15

    def at(a: float, b: float, c: float, d: float) -> Rect:
        return u0 + a * (u1 - u0), v0 + b * (v1 - v0), u0 + c * (u1 - u0), v0 + d * (v1 - v0)

    def brand(a: float, b: float, c: float, d: float, colour: RGB, turn: int = 0) -> None:
        canvas.text(id, spec.brand, at(a + inset, b, c - inset, d), colour, spec.font, turn, stretch)

    def second(a: float, b: float, c: float, d: float, colour: RGB) -> None:
        if not spec.line:
            return
        room = at(a + inset, b, c - inset, d)
        _, high = canvas.fit(spec.line, room, spec.font, 0, stretch)
        if high / ((v1 - v0) * canvas.height) * share >= _LEGIBLE:
            canvas.text(f"{id}-line", spec.line, room, colour, spec.font, 0, stretch)
        else:
            canvas.lines(at(0.3, b, 0.7, d), colour, 2)

    canvas.rect(area, spec.paper)
    ink, accent, paper = spec.ink, spec.accent, spec.paper
    layout = spec.layout % 8
    if layout == 0:  # bands at head and foot
        canvas.rect(at(0, 0, 1, 0.07), accent)
        canvas.rect(at(0, 0.085, 1, 0.1), ink)
        canvas.rect(at(0, 0.93, 1, 1), accent)
        canvas.motif(spec.motif, at(0.3, 0.15, 0.7, 0.4), accent, paper)
        brand(0.06, 0.42, 0.94, 0.66, ink)
        second(0.15, 0.69, 0.85, 0.77, ink)
        canvas.lines(at(0.25, 0.81, 0.75, 0.9), ink, 3)
    elif layout == 1:  # the lower half in the second colour
        canvas.rect(at(0, 0.56, 1, 1), accent)
        canvas.rect(at(0, 0.545, 1, 0.56), ink)
        brand(0.06, 0.12, 0.94, 0.4, ink)
        second(0.16, 0.43, 0.84, 0.51, ink)
        canvas.motif(spec.motif, at(0.2, 0.6, 0.8, 0.94), paper, accent)
    elif layout == 2:  # slanted stripes
        for k in range(5):
            low = 0.66 + k * 0.075
            foot, rise = low + 0.04, 0.16
            canvas.polygon(
                [
                    at(0, low, 0, 0)[:2],
                    at(1, low - rise, 0, 0)[:2],
                    at(1, foot - rise, 0, 0)[:2],
                    at(0, foot, 0, 0)[:2],
                ],
                accent if k % 2 == 0 else ink,
            )
        canvas.rect(at(0, 0.995, 1, 1), accent)
        brand(0.06, 0.16, 0.94, 0.42, ink)
        canvas.lines(at(0.06, 0.05, 0.36, 0.11), ink, 2, centred=False)
    elif layout == 3:  # a badge
        canvas.motif("rings", at(0.14, 0.06, 0.86, 0.56), accent, paper)
        x0, x1 = (0.36, 0.64) if wide else (0.26, 0.74)
        canvas.draw.ellipse(_ellipse(canvas, at(0, 0.06, 1, 0.56), 0.76), paper)
        canvas.motif(spec.motif, at(x0, 0.17, x1, 0.45), ink, paper)
        brand(0.06, 0.6, 0.94, 0.82, ink)
        second(0.18, 0.85, 0.82, 0.93, ink)
    elif layout == 4:  # a frame and much air
        canvas.frame(at(0.04, 0.035, 0.96, 0.965), ink, 0.008)
        canvas.frame(at(0.065, 0.06, 0.935, 0.94), accent, 0.004)
        canvas.motif(spec.motif, at(0.38, 0.12, 0.62, 0.28), accent, paper)
        brand(0.1, 0.34, 0.9, 0.62, ink)
        canvas.rect(at(0.3, 0.67, 0.7, 0.68), accent)
        second(0.16, 0.72, 0.84, 0.8, ink)
        canvas.lines(at(0.3, 0.84, 0.7, 0.9), ink, 2)
    elif layout == 5:  # the brand down the side
        if wide:
            canvas.rect(at(0, 0, 0.2, 1), accent)
            canvas.motif(spec.motif, at(0.03, 0.3, 0.17, 0.7), paper, accent)
            brand(0.25, 0.2, 0.95, 0.62, ink)
            second(0.27, 0.7, 0.93, 0.84, ink)
        else:
            canvas.rect(at(0, 0, 0.3, 1), accent)
            canvas.motif(spec.motif, at(0.04, 0.04, 0.26, 0.2), paper, accent)
            canvas.lines(at(0.06, 0.86, 0.24, 0.95), paper, 4)
            brand(0.38, 0.05, 0.92, 0.95, ink, turn=1)
    elif layout == 6:  # hills
        t = np.linspace(0, 1, 40)
        for level, colour in ((0.66, accent), (0.78, ink)):
            crest = level + 0.05 * np.sin(2 * np.pi * (t + level * 3))
            canvas.polygon(
                [at(a, b, 0, 0)[:2] for a, b in zip(t, crest, strict=True)]
                + [at(1, 1, 0, 0)[:2], at(0, 1, 0, 0)[:2]],
                colour,
            )
        canvas.motif(spec.motif, at(0.3, 0.06, 0.7, 0.28), accent, paper)
        brand(0.06, 0.31, 0.94, 0.54, ink)
        canvas.lines(at(0.3, 0.88, 0.7, 0.95), paper, 2)
    else:  # a field of small motifs behind a plate
        canvas.rect(area, accent)
        rows, columns = 7, max(3, round(7 * true))
        for row in range(rows):
            for column in range(columns):
                a, b = (column + 0.5 + 0.5 * (row % 2)) / columns, (row + 0.5) / rows
                if a < 0.99:
                    canvas.motif(
                        spec.motif,
                        at(a - 0.36 / columns, b - 0.36 / rows, a + 0.36 / columns, b + 0.36 / rows),
                        paper,
                        accent,
                    )
        canvas.rect(at(0.05, 0.32, 0.95, 0.7), paper, 0.08)
        brand(0.1, 0.36, 0.9, 0.56 if spec.line else 0.66, ink)
        second(0.2, 0.59, 0.8, 0.66, ink)


def _ellipse(canvas: Canvas, area: Rect, share: float) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (
        area[0] * canvas.width,
        area[1] * canvas.height,
        area[2] * canvas.width,
        area[3] * canvas.height,
    )
    x, y, r = (x0 + x1) / 2, (y0 + y1) / 2, share * min((x1 - x0) * 0.72, y1 - y0) / 2
    return x - r, y - r, x + r, y + r
