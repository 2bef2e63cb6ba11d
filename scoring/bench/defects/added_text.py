"""Text where none should be: words, words mirrored, letters that are none, lines beside a print."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scoring.bench.defects import glyphs
from scoring.bench.defects.lettering import alike
from scoring.bench.defects.sitting import Altered, Sitting, blended, changed, height_band
from scoring.bench.defects.text import LEAST, SYMMETRIC

Floats = NDArray[np.float32]
CHECK = "extra_text"

#: Grey levels of deviation where a line would stand: a place under the first is plain, over it patterned,
#: and over the second no word could be seen there.
_PLAIN, _WILD = 18.0, 55.0
_INK, _CHALK = (25, 25, 30), (236, 234, 228)
#: A label's heights between it and the line under it.
_GAP = 0.25
_LETTERS = "ABCDEFGHJKLMNPRSTUVXZ23456789"


def word(sitting: Sitting, strength: str) -> Altered | None:
    """A word on the product where the model has none."""
    height = _height(sitting, strength)
    stamp = _typeset(_word(sitting, height), height, sitting.rng)
    return _put(sitting, stamp, "extra text", strength, lambda spread: spread < _PLAIN)


def mirrored(sitting: Sitting, strength: str) -> Altered | None:
    """The same, mirrored left to right."""
    height = _height(sitting, strength)
    stamp = _typeset(_word(sitting, height), height, sitting.rng)
    other = np.ascontiguousarray(stamp[:, ::-1])
    if alike(stamp, other, stamp.shape[0] / 30) > SYMMETRIC:
        return None
    return _put(sitting, other, "extra text, mirrored", strength, lambda spread: spread < _PLAIN)


def gibberish(sitting: Sitting, strength: str) -> Altered | None:
    """A line of letters that are none, as a diffusion model writes them."""
    stamp = _nonsense(_height(sitting, strength), sitting.rng)
    return _put(sitting, stamp, "extra text, gibberish", strength, lambda spread: spread < _PLAIN)


def over_pattern(sitting: Sitting, strength: str) -> Altered | None:
    """A word where the product has a pattern, an edge or a print without words."""
    height = _height(sitting, strength)
    stamp = _typeset(_word(sitting, height), height, sitting.rng)

    def fit(spread: Floats) -> NDArray[np.bool_]:
        return np.asarray((spread >= _PLAIN) & (spread < _WILD))

    return _put(sitting, stamp, "extra text over a pattern", strength, fit)


def under_label(sitting: Sitting, strength: str) -> Altered | None:
    """A second line right under a label, along its own direction."""
    rng = sitting.rng
    found = [truth for _, truth in sitting.judgeable() if min(truth.span[0], 1 - truth.span[1]) < 0.02]
    shape = sitting.inside.shape
    for truth in (found[int(i)] for i in rng.permutation(len(found))):
        height = truth.height * {"as high": 1.0, "two thirds as high": 2 / 3}[strength]
        if height < 12:
            continue
        quad = np.asarray(truth.quad, np.float64)
        along, down = quad[2] - quad[3], quad[3] - quad[0]
        length = float(np.linalg.norm(along))
        along, down = along / max(length, 1.0), down / max(float(np.linalg.norm(down)), 1.0)
        stamp = _typeset(_word(sitting, round(height)), 48, rng)
        scale = min(height / 48, length / stamp.shape[1])
        if scale * 48 < 12:
            continue
        start = quad[3] + down * _GAP * truth.height
        matrix = np.column_stack([along * scale, down * scale, start])
        cover = np.asarray(cv2.warpAffine(stamp, matrix, shape[::-1], flags=cv2.INTER_AREA), np.float32)
        taken = np.zeros(shape, np.uint8)
        for label in sitting.take.truth.labels:
            cv2.fillPoly(taken, [np.array(label.outline, np.int32)], 1)
        marks = cover > 0.05
        if not marks.any() or (marks & ~sitting.inside).any() or (marks & (taken > 0)).mean() > 0:
            continue
        grey = cv2.cvtColor(sitting.plain.picture, cv2.COLOR_RGB2GRAY)
        kind = "extra line under a label"
        altered = _painted(sitting, cover, float(grey[marks].mean()), kind, strength, scale * 48)
        if altered is not None:
            return altered
    return None


def _height(sitting: Sitting, strength: str) -> int:
    low, high = {"14-20 px": (14, 20), "20-32 px": (20, 32), ">32 px": (32, 44)}[strength]
    return int(sitting.rng.integers(low, high))


def _word(sitting: Sitting, height: int) -> str:
    rng = sitting.rng
    syllables = int(rng.integers(2, 4)) if sitting.area > 40 * height**2 else 1
    return "".join(
        rng.choice(list("BCDFGKLMNPRSTVZ")) + rng.choice(list("AEIOU")) for _ in range(syllables)
    ) + str(rng.choice(["", "N", "X", "S"]))


def _put(
    sitting: Sitting,
    stamp: Floats,
    kind: str,
    strength: str,
    fit: Callable[[Floats], NDArray[np.bool_]],
) -> Altered | None:
    """Write a line somewhere on the product, off its labels, where the ground's deviation is fit."""
    plain = sitting.plain
    tall, wide = stamp.shape
    room = cv2.erode(sitting.inside.astype(np.uint8), np.ones((tall + 6, wide + 6), np.uint8)) > 0
    taken = np.asarray(plain.reference.label_map > 0).astype(np.uint8)
    for truth in sitting.take.truth.labels:
        cv2.fillPoly(taken, [np.array(truth.outline, np.int32)], 1)
    room &= cv2.dilate(taken, np.ones((tall + 8, wide + 8), np.uint8)) == 0
    grey = cv2.cvtColor(plain.picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = np.asarray(cv2.blur(grey, (wide, tall)), np.float32)
    spread = np.sqrt(np.maximum(cv2.blur(grey**2, (wide, tall)) - mean**2, 0))
    places = np.argwhere(room & fit(np.asarray(spread, np.float32)))
    if not len(places):
        return None
    row, column = places[int(sitting.rng.integers(len(places)))]
    cover = np.zeros(grey.shape, np.float32)
    top, left = int(row - tall // 2), int(column - wide // 2)
    cover[top : top + tall, left : left + wide] = stamp
    return _painted(sitting, cover, float(mean[row, column]), kind, strength, tall)


def _painted(
    sitting: Sitting, cover: Floats, ground: float, kind: str, strength: str, height: float
) -> Altered | None:
    """Paint a line that stands out from its ground; None where nobody would see it."""
    before = sitting.plain.picture
    ink = np.array(_INK if ground > 110 else _CHALK, np.uint8)
    painted = blended(before, np.broadcast_to(ink, before.shape).copy(), np.asarray(cover * 0.92, np.float32))
    where = changed(before, painted)
    area = cv2.boundingRect((cover > 0.05).astype(np.uint8))
    if where.sum() < LEAST * area[2] * area[3]:
        return None
    said = strength if strength.endswith("px") else f"{strength}, {height_band(height)}"
    return sitting.altered(painted, kind, said, CHECK, height >= 20, where)


def _typeset(letters: str, height: int, rng: np.random.Generator) -> Floats:
    faces = glyphs.faces()
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    font = (
        ImageFont.truetype(str(rng.choice(list(faces))), 4 * height)
        if faces
        else ImageFont.load_default(4 * height)
    )
    left, top, right, bottom = (int(n) for n in font.getbbox(letters))
    image = Image.new("L", (max(right - left, 4), max(bottom - top, 4)), 0)
    ImageDraw.Draw(image).text((-left, -top), letters, 255, font)
    size = max(4, round(image.width * height / image.height)), height
    return np.asarray(image.resize(size, Image.Resampling.BOX), np.float32) / np.float32(255)


def _nonsense(height: int, rng: np.random.Generator) -> Floats:
    """Shapes with letters' strokes and spacing: the head of one letter on the foot of another, bent."""
    high = 96
    face = int(rng.integers(1 << 31))
    marks = []
    for _ in range(int(rng.integers(4, 8))):
        # the same face for the whole line: each letter draws it anew from the same seed
        head, foot = (
            _typeset(str(rng.choice(list(_LETTERS))), high, np.random.default_rng(face)) for _ in range(2)
        )
        wide = max(24, round((head.shape[1] + foot.shape[1]) / 2))
        one, other = (cv2.resize(part, (wide, high), interpolation=cv2.INTER_AREA) for part in (head, foot))
        if rng.random() < 0.5:
            other = other[:, ::-1]
        cut = int(rng.uniform(0.4, 0.6) * high)
        marks += [np.concatenate([one[:cut], other[cut:]]), np.zeros((high, 12), np.float32)]
    line = np.concatenate(marks[:-1], axis=1)
    wide = line.shape[1]
    bent = np.zeros((high, wide, 2), np.float32)
    for pixels, share in ((44, 5.0), (18, 2.0)):
        cells = max(2, round(high / pixels)), max(2, round(wide / pixels))
        noise = rng.normal(0, share, (*cells, 2)).astype(np.float32)
        bent += cv2.resize(noise, (wide, high), interpolation=cv2.INTER_CUBIC)
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    line = cv2.remap(line, x + bent[..., 0], y + bent[..., 1], cv2.INTER_LINEAR, borderValue=0)
    size = max(8, round(wide * height / high)), height
    return np.asarray(cv2.resize(line, size, interpolation=cv2.INTER_AREA), np.float32)
