"""Letters taken for others, in the typeface of those beside them where one like it is installed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[np.float32]

#: What a diffusion model writes instead.
SIMILAR = {
    "A": "RH4", "B": "8RE", "C": "GO", "D": "OP", "E": "FB", "F": "EP", "G": "CO", "H": "NM", "I": "TL",
    "J": "IU", "K": "XH", "L": "IE", "M": "NW", "N": "HM", "O": "QC", "P": "RF", "Q": "OG", "R": "PB",
    "S": "5Z", "T": "IY", "U": "VO", "V": "UY", "W": "VM", "X": "KY", "Y": "VT", "Z": "2S",
    "a": "oe", "b": "hd", "c": "eo", "d": "ba", "e": "co", "f": "t", "g": "qy", "h": "bn", "i": "jl",
    "j": "i", "k": "hx", "l": "it", "m": "nw", "n": "mh", "o": "ec", "p": "qb", "q": "gp", "r": "nv",
    "s": "z", "t": "fl", "u": "nv", "v": "uy", "w": "vm", "x": "k", "y": "vg", "z": "s",
    "0": "86", "1": "74", "2": "Z7", "3": "8", "4": "9", "5": "S6", "6": "80", "7": "1", "8": "30", "9": "4",
}  # fmt: skip
_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/texmf/fonts")
_SIDE = 48


@lru_cache(maxsize=1)
def faces() -> tuple[str, ...]:
    """Installed upright text typefaces."""
    files = [
        file
        for folder in _FOLDERS
        for suffix in ("*.ttf", "*.otf")
        for file in sorted(Path(folder).rglob(suffix))
    ]
    odd = ("italic", "oblique", "symbol", "dingbat", "emoji", "math", "d050000l", "s050000l")
    return tuple(str(file) for file in files if not any(word in file.stem.lower() for word in odd))


@lru_cache(maxsize=16384)
def drawn(face: str, letter: str) -> Floats | None:
    """A letter cropped to its ink, height about 64 px, float32 0 to 1; None where the face lacks it."""
    try:
        font = ImageFont.truetype(face, 64)
    except OSError:
        return None
    left, top, right, bottom = (int(n) for n in font.getbbox(letter))
    if right - left < 2 or bottom - top < 2:
        return None
    image = Image.new("L", (right - left + 2, bottom - top + 2), 0)
    ImageDraw.Draw(image).text((1 - left, 1 - top), letter, 255, font)
    return np.asarray(image, np.float32) / np.float32(255)


def cropped(cover: Floats) -> tuple[Floats, tuple[int, int, int, int]] | None:
    """A coverage cropped to its ink, and where it lay: left, top, right, bottom."""
    rows, columns = np.flatnonzero((cover > 0.35).any(1)), np.flatnonzero((cover > 0.35).any(0))
    if not len(rows) or not len(columns):
        return None
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return cover[box[1] : box[3], box[0] : box[2]], box


def nearest_face(letter: str, ink: Floats) -> str | None:
    """The installed typeface in which `letter` looks most like `ink` (cropped); None where none is near."""
    wanted, aspect = _small(ink), ink.shape[1] / ink.shape[0]
    best, score = None, 0.6
    for face in faces():
        tried = drawn(face, letter)
        if tried is None or not 0.7 < tried.shape[1] / tried.shape[0] / aspect < 1.43:
            continue
        # softened, a thin letter agrees with a bold one: so their weights count as well (what is cut from a
        # texture is soft and by so much bolder than it was drawn)
        weights = abs(float(np.log(tried.mean() / (0.75 * ink.mean()))))
        agreement = float((_small(tried) * wanted).sum()) - 0.4 * weights
        if agreement > score:
            best, score = face, agreement
    return best


def _small(ink: Floats) -> Floats:
    """At one size, softened so that thin strokes beside each other still agree, of unit length."""
    small = cv2.resize(ink, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    soft = np.asarray(cv2.GaussianBlur(small, (0, 0), 2.5), np.float32)
    return soft / np.float32(max(float(np.sqrt((soft**2).sum())), 1e-6))


def instead(letter: str, ink: Floats, rng: np.random.Generator) -> Floats | None:
    """A similar letter in the nearest typeface, as high for its kind as `ink` says; None where none is."""
    choices = SIMILAR.get(letter, "")
    face = nearest_face(letter, ink)
    if face is None or not choices:
        return None
    other = str(rng.choice(list(choices)))
    right, wrong = drawn(face, letter), drawn(face, other)
    if right is None or wrong is None:
        return None
    scale = ink.shape[0] / right.shape[0]
    size = max(3, round(wrong.shape[1] * scale)), max(3, round(wrong.shape[0] * scale))
    return np.asarray(cv2.resize(wrong, size, interpolation=cv2.INTER_AREA), np.float32)
