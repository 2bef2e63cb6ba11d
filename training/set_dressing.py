"""Pictures for the embedded aligner: cut-out products set before base photos, as candidates look.

Everything is random but the words: place, crop, light, style, compression.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.lessons import CHIP, FRAME, Lessons, Picture, colour_shares
from training.pairs import NAMED

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bases:
    """Base photos and their words.

    Parameters
    ----------
    photos
        sRGB uint8 (S, FRAME, FRAME, 3).
    words
        What each is, index into `descriptions`.
    names
        Of the scene files.
    """

    photos: Picture
    words: NDArray[np.int64]
    descriptions: tuple[str, ...]
    names: tuple[str, ...]

    @staticmethod
    def read(files: Sequence[Path]) -> Bases:
        """Read scene files and the photos beside them."""
        photos, said = [], []
        for file in files:
            data = json.loads(file.read_text())
            photo = cv2.imread(str(file.parent / data["image"]))
            if photo is None:
                raise FileNotFoundError(2, "no readable photo", str(file.parent / data["image"]))
            photo = cv2.resize(photo, (FRAME, FRAME), interpolation=cv2.INTER_AREA)
            photos.append(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB))
            said.append(str(data["words"]))
        descriptions = tuple(dict.fromkeys(said))
        words = np.array([descriptions.index(one) for one in said])
        return Bases(np.array(photos, np.uint8), words, descriptions, tuple(file.stem for file in files))


def recoloured(lessons: Lessons, i: int, rng: np.random.Generator) -> tuple[Picture, Floats]:
    """Cut-out `i` with one of its colours exchanged for a named one, and its new `Lessons.colours`.

    What was printed in the old colour is multiplied by new / old; under a gamma curve that holds for encoded
    values as it does for light. Colours next to black are left, as nothing is known of their shading.
    """
    chip, albedo = lessons.chips[i], lessons.albedo[i].astype(np.float32)
    solid = np.flatnonzero(chip[..., 3] > 250)
    table = albedo.reshape(-1, 3)[solid] if len(solid) else albedo.reshape(-1, 3)
    old = table[rng.integers(len(table))]
    if old.max() < 45:
        return chip, lessons.colours[i]
    new = np.array(list(NAMED.values()), np.float32)[rng.integers(len(NAMED))]
    new = np.clip(new + rng.normal(0, 5, 3).astype(np.float32), 4, 252)
    factor = (new / np.maximum(old, 12)).astype(np.float32)
    same = np.exp(-((np.abs(albedo - old).max(-1, keepdims=True) / 24) ** 4))
    scale = 1 + same * (factor - 1)
    lit = np.clip(chip[..., :3] * scale, 0, 255).astype(np.uint8)
    shown = np.clip(table * scale.reshape(-1, 3)[solid], 0, 255).astype(np.uint8)
    step = max(1, len(shown) // 400)
    shares = colour_shares(shown[None, ::step], np.ones((1, len(shown[::step])), bool))
    return np.dstack([lit, chip[..., 3]]), shares


def close_up(
    chip: Picture,
    box: NDArray[np.int64],
    base: Picture,
    size: int,
    rng: np.random.Generator | None,
    margin: float = 0.25,
) -> Picture:
    """A cut-out before `base`, square around the product as the check cuts; with a generator at random."""
    x, y, side = box
    left, top, width, height = cv2.boundingRect((chip[..., 3] > 127).astype(np.uint8))
    share = max(width, height) * (1 + 2 * margin) / CHIP
    middle = np.array([left + width / 2, top + height / 2]) / CHIP
    if rng is not None:
        share *= rng.uniform(0.85, 1.25)
        middle = middle + rng.uniform(-0.06, 0.06, 2) * share
        x, y = rng.integers(0, FRAME - side + 1, 2) if rng.random() < 0.3 else (x, y)
    share = min(share, 1.0)
    corner = np.clip(middle - share / 2, 0, 1 - share)
    # where the window lies in the chip and in the base, both by one affine map each
    cut = _window(chip, corner * CHIP, share * CHIP, size)
    behind = _window(base, np.array([x, y]) + corner * side, share * side, size)
    return over(cut, behind, rng)


def whole(
    chip: Picture, box: NDArray[np.int64], base: Picture, size: int, rng: np.random.Generator | None
) -> Picture:
    """A cut-out in its place in `base`, the whole frame; with a generator cropped a little."""
    corner, share = np.zeros(2), 1.0
    if rng is not None:
        share = rng.uniform(0.8, 1.0)
        corner = rng.uniform(0, 1 - share, 2)
    behind = _window(base, corner * FRAME, share * FRAME, size)
    x, y, side = box
    # the chip's pixels in the window
    scale = side / (share * FRAME) * size / CHIP
    shift = (np.array([x, y]) / FRAME - corner) / share * size
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    if scale < 0.7:  # the linear filter would skip pixels
        chip = np.asarray(cv2.resize(chip, (CHIP // 2, CHIP // 2), interpolation=cv2.INTER_AREA), np.uint8)
        matrix[0, 0] = matrix[1, 1] = 2 * scale
    placed = cv2.warpAffine(chip, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return over(np.asarray(placed, np.uint8), behind, rng)


def over(cut: Picture, behind: Picture, rng: np.random.Generator | None) -> Picture:
    """A cut-out, uint8 (H, W, 4), over a photo, with a soft shadow where it stands."""
    cover = cut[..., 3:].astype(np.float32) / 255
    ground = behind.astype(np.float32)
    if rng is None or rng.random() < 0.8:
        size = cut.shape[0]
        low = np.roll(cover[..., 0], size // 28, 0)
        low[: size // 28] = 0
        soft = cv2.GaussianBlur(low, (0, 0), size / 24)
        ground = ground * (1 - (0.45 if rng is None else rng.uniform(0.2, 0.6)) * soft[..., None])
    return np.asarray(cut[..., :3] * cover + ground * (1 - cover), np.uint8)


def _window(picture: Picture, corner: NDArray[np.float64], side: float, size: int) -> Picture:
    x, y = (round(float(v)) for v in corner)
    extent = max(8, round(float(side)))
    part = picture[y : y + extent, x : x + extent]
    how = cv2.INTER_AREA if extent >= size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (size, size), interpolation=how), np.uint8)


def developed(picture: Picture, rng: np.random.Generator) -> Picture:
    """As a candidate may come out: mirrored, warmer, faded, contrasty, soft, grainy, compressed."""
    value = (picture[:, ::-1] if rng.random() < 0.5 else picture).astype(np.float32) / 255
    # a little warmth and exposure, as styles do; not so much that a colour gets another name
    gain = rng.uniform(0.97, 1.03, 3)
    if rng.random() < 0.4:
        warm = rng.uniform(-0.08, 0.08)
        gain = gain * np.array([1 + warm, 1, 1 - warm])
    value = value ** np.float32(rng.uniform(0.85, 1.18)) * gain.astype(np.float32)
    if rng.random() < 0.3:
        grey = value.mean(-1, keepdims=True)
        value = grey + (value - grey) * np.float32(rng.uniform(0.85, 1.15))
        value = 0.5 + (value - 0.5) * np.float32(rng.uniform(0.85, 1.1))
    if rng.random() < 0.3:
        value = np.asarray(cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.4, 1.2))), np.float64)
    if rng.random() < 0.2:
        value = value + rng.normal(0, 0.012, value.shape).astype(np.float32)
    out = np.asarray(np.clip(value, 0, 1) * 255, np.uint8)
    if rng.random() < 0.25:
        _, code = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 95))])
        out = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return out
