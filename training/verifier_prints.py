"""Prints for the verifier's lessons: words, marks and patterns, right ones and wrong ones.

A print is drawn as coverage, once as it should be and once as a careless editor might have drawn it. The
difference between the two says by itself where they differ, so every lesson is labelled place by place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[np.float32]
Random = np.random.Generator

HEIGHT = 56  # of a line of text as it is drawn
FOLDERS = ("/usr/share/fonts", "/usr/share/texmf/fonts")
FAMILIES = (
    "dejavu", "liberation", "freefont", "urw-base35", "tex-gyre", "open-sans", "roboto", "jura",
    "firacode", "hack", "cabin",
)  # fmt: skip
# kept out of training, to measure with
HELD_OUT = (
    "FreeSerif",
    "FreeMono",
    "Jura",
    "C059",
    "texgyreheros",
    "texgyrebonum",
    "Roboto",
    "Hack",
    "Cabin",
)
_NO_LETTERS = ("symbol", "dingbats", "d050", "emoji", "math", "chorus")

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MARKS = "&.-'!+/#%*?:()"
ACCENTED = "ÄÖÜÉÈÊÀÂÇÑØÅŠŽŁÍÓÚßæœéèêàâçñøåäöüšžłíóúğışő"
ALIKE = (
    "EF", "OC", "OQ", "GC", "IT", "IL", "PR", "B8", "BE", "DO", "MN", "NH", "UV", "VY", "WV", "AR", "AH",
    "S5", "S8", "KX", "Z2", "JU", "BR", "FP", "LE", "TY", "HM", "CE", "SB", "GO", "XY", "ZS", "ao", "ec",
    "nh", "nr", "uv", "il", "bd", "pq", "mn", "tf", "gq", "un", "oe", "sa", "hb", "17", "38", "56", "68",
    "08", "49", "ÖO", "ÉE", "ÄA", "ÜU", "ñn", "éè",
)  # fmt: skip
WORDS = tuple(
    "nova luna kite polar delta maple berry atlas river ember salt olive cedar solar terra ocean prima fresh "
    "wild bloom honey mint cocoa amber pure focus studio motion harvest grove stone tonic citrus daily roast "
    "brew cotton linen market sunday higher repeat orbit pixel vector original sparkling vanilla lemon green "
    "tea coffee organic hand cream body wash shampoo soap candle soy chips crisp milk oat water juice apple "
    "cherry rice pasta flour sugar spice chilli ginger run jump climb ride sport active trail road street "
    "classic limited edition natural super food home goods love peace good best new free extra light dark "
    "gold silver black white north south east west winter summer forest lake island moon sun star cloud rain "
    "wind fire earth bon jour merci eau parfum savon lait crème brûlée noël grüße straße größe schön über "
    "niño señor mañana año fjord smør brød øre åpen łódź žena čaj".split()
)


@dataclass(frozen=True)
class Print:
    """A print right and wrong.

    Parameters
    ----------
    right, wrong
        Coverage of two inks, float32 (H, W, 2), 0 to 1; `wrong` is `right` where nothing is amiss.
    kind
        What was done to it: a name of `KINDS`, or "right".
    text
        What the right one says; empty for marks and patterns.
    """

    right: Floats
    wrong: Floats
    kind: str
    text: str = ""


@lru_cache(maxsize=2)
def fonts(held_out: bool) -> tuple[str, ...]:
    """Files of the typefaces to learn from, or of those kept out."""
    found = []
    for folder in FOLDERS:
        for file in sorted(Path(folder).rglob("*.[ot]tf")):
            place = str(file).lower()
            if not any(f"/{name}/" in place for name in FAMILIES) or any(w in place for w in _NO_LETTERS):
                continue
            if file.stem.startswith(HELD_OUT) == held_out:
                found.append(str(file))
    return tuple(found)


@lru_cache(maxsize=400)
def typeface(file: str) -> ImageFont.FreeTypeFont:
    """A font at the size that prints are drawn at."""
    return ImageFont.truetype(file, HEIGHT)


def words(random: Random, short: bool = False) -> str:
    """A string as labels bear them: real words, invented ones, numbers, marks."""
    roll = random.random()
    if short:
        text = "".join(random.choice(list(LETTERS + "0123456789&"), int(random.integers(1, 4))))
    elif roll < 0.45:
        text = " ".join(str(random.choice(WORDS)) for _ in range(1 + (random.random() < 0.25)))
    elif roll < 0.85:
        pool = LETTERS if random.random() < 0.7 else LETTERS + "0123456789" + ACCENTED
        text = "".join(random.choice(list(pool), int(random.integers(2, 9))))
    else:
        text = str(random.integers(2, 9999)) + str(random.choice(["", " ml", "g", "%", " No.", "+"]))
        text = text if random.random() < 0.6 else f"{random.choice(list(LETTERS))}{text}"
    if random.random() < 0.1:
        text += str(random.choice(list(MARKS)))
    case = random.random()
    return text.upper() if case < 0.6 else text.title() if case < 0.8 else text.lower()


def line(text: str, slots: str, face: ImageFont.FreeTypeFont, tracking: float) -> Floats:
    """Draw `text` in the places that `slots`' letters take, float32 (H, W), 0 to 1, margins left out."""
    if len(text) != len(slots):
        slots = text
    advance = [face.getlength(character) + tracking * HEIGHT for character in slots]
    left, pad = np.concatenate([[0.0], np.cumsum(advance)]), HEIGHT
    image = Image.new("L", (int(left[-1]) + 2 * pad, 3 * HEIGHT), 0)
    draw = ImageDraw.Draw(image)
    for i, character in enumerate(text):
        spare = (advance[i] - tracking * HEIGHT - face.getlength(character)) / 2
        draw.text((pad + left[i] + spare, HEIGHT), character, 255, face)
    return np.asarray(image, np.float32) / 255


def _trimmed(coverage: list[Floats]) -> list[Floats]:
    """The same cut for all, by the first one's ink."""
    ink = coverage[0] > 0.3
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if len(rows) < 4 or len(columns) < 4:
        return coverage
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return [np.ascontiguousarray(one[cut]) for one in coverage]


def _fitted(coverage: Floats, shape: tuple[int, ...]) -> Floats:
    """Another word squeezed or stretched into the same place."""
    (cut,) = _trimmed([coverage])
    return np.asarray(cv2.resize(cut, shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)


def misspelt(text: str, how: str, random: Random, short: bool = False) -> str:
    """The string with a mistake: `how` is one of `SPELLING`."""
    at = [i for i, c in enumerate(text) if c.isalnum()]
    if not at:
        return words(random, short)
    i = int(random.choice(at))
    if how == "letter replaced":
        near = [pair.replace(text[i], "", 1) for pair in ALIKE if text[i] in pair]
        pool = (
            near
            if near and random.random() < 0.65
            else list(LETTERS if text[i].isupper() else LETTERS.lower())
        )
        return text[:i] + str(random.choice(pool)) + text[i + 1 :]
    if how == "letters exchanged":
        j = min(i + 1, len(text) - 1)
        return text[:i] + text[j] + text[i] + text[j + 1 :] if j > i else text
    if how == "letter doubled":
        return text[:i] + text[i] + text[i:]
    if how == "letter dropped":
        return text[:i] + text[i + 1 :]
    return words(random, short)


SPELLING = ("letter replaced", "letters exchanged", "letter doubled", "letter dropped", "other word")
TURNS: dict[str, Callable[[Floats], Floats]] = {
    "upside down": lambda a: a[::-1, ::-1],
    "mirrored": lambda a: a[:, ::-1],
    "mirrored top to bottom": lambda a: a[::-1],
    "turned by 90": lambda a: np.rot90(a),
    "turned by 270": lambda a: np.rot90(a, 3),
    "mirrored and turned": lambda a: np.swapaxes(a, 0, 1),
}


def noise(shape: tuple[int, int], sigma: float, random: Random) -> Floats:
    """Smooth noise of unit spread, float32."""
    small = max(1, int(sigma / 2))
    size = (max(2, shape[1] // small + 2), max(2, shape[0] // small + 2))
    field = random.normal(0, 1, size[::-1]).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), max(0.5, sigma / small))
    field = cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(field / (field.std() + 1e-6), np.float32)


def garbled(ink: Floats, strength: float, random: Random) -> Floats:
    """Bent by a smooth random field whose spread is `strength` of the text's height."""
    height, width = ink.shape[:2]
    sigma = float(random.uniform(0.08, 0.25)) * HEIGHT
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (strength * HEIGHT * noise((height, width), sigma, random) for _ in range(2))
    out = cv2.remap(ink, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(out, np.float32)


def _spot(shape: tuple[int, ...], random: Random, size: float) -> Floats:
    """A soft spot of about `size` text heights somewhere on the print, 0 to 1."""
    height, width = shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cx, cy = random.uniform(0.08, 0.92) * width, random.uniform(0.2, 0.8) * height
    rx, ry = size * HEIGHT * random.uniform(0.7, 1.6), size * HEIGHT * random.uniform(0.7, 1.4)
    distance = np.hypot((x - cx) / rx, (y - cy) / ry)
    return np.asarray(np.clip(3.0 * (1.2 - distance), 0, 1), np.float32)[..., None]


def _local(ink: Floats, changed: Floats, random: Random, size: float) -> Floats:
    if random.random() < 0.4:
        return changed
    spot = _spot(ink.shape, random, size)
    return np.asarray(ink * (1 - spot) + changed * spot, np.float32)


def _melted(ink: Floats, random: Random) -> Floats:
    """Strokes run together or thin out, as in a picture made too coarse and sharpened."""
    sigma = float(random.uniform(0.06, 0.16)) * HEIGHT
    soft = cv2.GaussianBlur(ink, (0, 0), sigma) + 0.12 * noise(ink.shape[:2], sigma, random)[..., None]
    level = float(random.uniform(0.3, 0.6))
    return np.asarray(np.clip((soft - level) * random.uniform(3, 12) + 0.5, 0, 1), np.float32)


def _smeared(ink: Floats, random: Random) -> Floats:
    long = max(5, int(random.uniform(0.25, 0.7) * HEIGHT)) | 1
    kernel = np.zeros((long, long), np.float32)
    angle = random.uniform(0, np.pi)
    t = np.linspace(-1, 1, 4 * long) * (long // 2)
    kernel[
        np.round(long // 2 + t * np.sin(angle)).astype(int),
        np.round(long // 2 + t * np.cos(angle)).astype(int),
    ] = 1
    return np.asarray(
        cv2.filter2D(ink, -1, kernel / kernel.sum(), borderType=cv2.BORDER_CONSTANT), np.float32
    )


def _scribbled(ink: Floats, random: Random) -> Floats:
    """A stroke too many."""
    out = np.ascontiguousarray(ink[..., 0])
    height, width = out.shape
    start = (np.array([random.uniform(0, width), random.uniform(0, height)]) * 8).astype(int)
    end = (start + random.uniform(-0.6, 0.6, 2) * HEIGHT * 8).astype(int)
    thick = max(3, int(random.uniform(0.07, 0.16) * HEIGHT))
    cv2.line(out, start.tolist(), end.tolist(), 1.0, thick, cv2.LINE_AA, 3)
    return np.stack([out, ink[..., 1]], -1)


SHAPES: dict[str, Callable[[Floats, Random], Floats]] = {
    "garbled slightly": lambda a, r: garbled(a, float(r.uniform(0.04, 0.07)), r),
    "garbled": lambda a, r: garbled(a, float(r.uniform(0.07, 0.12)), r),
    "garbled strongly": lambda a, r: garbled(a, float(r.uniform(0.12, 0.25)), r),
    "garbled in one place": lambda a, r: _local(a, garbled(a, float(r.uniform(0.08, 0.2)), r), r, 0.7),
    "melted": lambda a, r: _local(a, _melted(a, r), r, 0.7),
    "smeared": lambda a, r: _local(a, _smeared(a, r), r, 0.6),
    "partly erased": lambda a, r: a * (1 - _spot(a.shape, r, float(r.uniform(0.22, 0.7)))),
    "a stroke too many": _scribbled,
    "blank": lambda a, r: a * np.float32(0),
}
KINDS = (*SPELLING, *TURNS, *SHAPES)
_WEIGHTS = {
    "letter replaced": 3.0, "letters exchanged": 0.7, "letter doubled": 0.7, "letter dropped": 0.7,
    "other word": 0.8, "upside down": 1.2, "mirrored": 1.2, "mirrored top to bottom": 1.2,
    "turned by 90": 0.5, "turned by 270": 0.5, "mirrored and turned": 0.4, "garbled slightly": 0.8,
    "garbled": 1.3, "garbled strongly": 0.8, "garbled in one place": 1.3, "melted": 1.2, "smeared": 0.8,
    "partly erased": 1.0, "a stroke too many": 0.6, "blank": 0.4,
}  # fmt: skip


def draw_kind(random: Random, of: tuple[str, ...] = KINDS) -> str:
    """Which fault to make."""
    weights = np.array([_WEIGHTS[kind] for kind in of])
    return str(random.choice(of, p=weights / weights.sum()))


def text_print(random: Random, kind: str, held_out: bool = False, short: bool = False) -> Print:
    """A line of text, with the fault `kind` ("right" for none)."""
    files = fonts(held_out)
    face = typeface(files[int(random.integers(len(files)))])
    tracking = float(random.uniform(0, 0.3)) if random.random() < 0.25 else float(random.uniform(-0.02, 0.03))
    text = words(random, short)
    right = line(text, text, face, tracking)
    if kind in SPELLING:
        other = misspelt(text, kind, random, short)
        wrong = line(other, text, face, tracking)
        same = wrong.shape == right.shape and kind in ("letter replaced", "letters exchanged")
        (cut,) = _trimmed([right])
        right, wrong = (*_trimmed([right, wrong]),) if same else (cut, _fitted(wrong, cut.shape))
        inks = [right, wrong]
    else:
        inks = [_trimmed([right])[0]]
    outlined = random.random() < 0.12
    layers = []
    for ink in inks:
        grown = cv2.dilate(ink, np.ones((5, 5), np.uint8)) if outlined else ink
        layers.append(np.stack([ink, np.clip(grown - ink, 0, 1)], -1).astype(np.float32))
    if kind in SPELLING:
        return Print(layers[0], layers[1], kind, text)
    return _faulty(layers[0], kind, random, text)


def mark_print(random: Random, kind: str) -> Print:
    """A logo, an emblem or a cut of a pattern, near-square, with the fault `kind`."""
    from training.products.art import _motif
    from training.products.spec import MOTIFS

    side = HEIGHT
    width = int(side * random.uniform(1.0, 1.7))
    roll = random.random()
    image = Image.new("RGB", (width, side), (0, 0, 0))
    draw = ImageDraw.Draw(image)
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 0))

    def point(spread: float = 1.0) -> tuple[float, float]:
        return width * (0.5 + spread * random.uniform(-0.5, 0.5)), side * (
            0.5 + spread * random.uniform(-0.5, 0.5)
        )

    if roll < 0.35:
        name = str(random.choice(MOTIFS))
        _motif(
            draw,
            name,
            width / 2,
            side / 2,
            side * random.uniform(0.35, 0.5),
            colours[0],
            colours[int(random.integers(1, 3))],
        )
        if random.random() < 0.5:
            x, y = point(0.8)
            _motif(
                draw,
                str(random.choice(MOTIFS)),
                x,
                y,
                side * random.uniform(0.12, 0.25),
                colours[1],
                colours[2],
            )
    elif roll < 0.75:
        for _ in range(int(random.integers(2, 7))):
            fill = colours[int(random.integers(3))]
            what = random.random()
            if what < 0.4:
                draw.polygon([point() for _ in range(int(random.integers(3, 6)))], fill)
            elif what < 0.7:
                x, y = point(0.8)
                a, b = random.uniform(0.08, 0.4, 2) * side
                draw.ellipse((x - a, y - b, x + a, y + b), fill)
            elif what < 0.85:
                draw.line([point(), point()], fill, int(random.uniform(0.05, 0.18) * side))
            else:
                files = fonts(False)
                face = ImageFont.truetype(
                    files[int(random.integers(len(files)))], int(side * random.uniform(0.5, 1.0))
                )
                x, y = point(0.5)
                draw.text((x, y), str(random.choice(list(LETTERS))), fill, face, anchor="mm")
    else:  # a pattern of stripes, dots or checks
        pitch = side * random.uniform(0.15, 0.45)
        y, x = np.mgrid[0:side, 0:width]
        angle = random.uniform(0, np.pi)
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        phase = random.random(2) * pitch
        a, b = ((u + phase[0]) % pitch / pitch), ((v + phase[1]) % pitch / pitch)
        which = random.random()
        on = (
            a < 0.45
            if which < 0.35
            else np.hypot(a - 0.5, b - 0.5) < 0.3
            if which < 0.7
            else (a < 0.5) ^ (b < 0.5)
        )
        also = (b < 0.2) & ~on if random.random() < 0.5 else np.zeros_like(on)
        image = Image.fromarray((np.stack([on, also, on & False], -1) * 255).astype(np.uint8))
    layers = cv2.GaussianBlur(np.asarray(image, np.float32)[..., :2] / 255, (0, 0), 0.6)
    if kind in SPELLING:
        other = mark_print(random, "right").right
        fitted = cv2.resize(other, (width, side), interpolation=cv2.INTER_AREA)
        return Print(layers, np.asarray(fitted, np.float32), "other word")
    return _faulty(layers, kind, random, "")


def _faulty(layers: Floats, kind: str, random: Random, text: str) -> Print:
    if kind == "right":
        return Print(layers, layers, kind, text)
    if kind in TURNS:
        wrong = np.ascontiguousarray(TURNS[kind](layers))
        if wrong.shape != layers.shape:
            wrong = np.asarray(cv2.resize(wrong, layers.shape[1::-1], interpolation=cv2.INTER_AREA))
        return Print(layers, np.asarray(wrong, np.float32), kind, text)
    return Print(layers, np.asarray(SHAPES[kind](layers, random), np.float32), kind, text)


def picture_of(one: Print) -> NDArray[Any]:
    """Right above wrong, for looking at, uint8."""
    stacked = np.concatenate([one.right, one.wrong])
    return np.asarray(255 * (1 - np.clip(stacked.sum(-1), 0, 1)), np.uint8)
