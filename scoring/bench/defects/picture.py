"""Faults of the picture itself, done to it last (but for the codec, where that is not the fault)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture
from scoring.bench.defects.sitting import Sitting
from scoring.bench.nuisances import compressed as codec

Floats = NDArray[np.float32]


def vae_grid(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """A decoder's regular grid of 8 pixels."""
    force = {"faint": 2.5, "clear": 4.0, "strong": 7.0}[strength]
    rng = sitting.rng
    period = int(rng.choice([8, 16]))
    noise = np.tile(rng.normal(0, 1, (period, period, 3)).astype(np.float32), (3, 3, 1))
    cell = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.8), np.float32)
    cell = cell[period : 2 * period, period : 2 * period]
    cell = cell * np.float32(force / max(float(cell.std()), 1e-6))
    return _rounded(picture + _tiled(cell, picture))


def checkerboard(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """What a transposed convolution leaves: pixels alternate."""
    force = {"faint": 2.5, "clear": 4.0, "strong": 7.0}[strength]
    period = int(sitting.rng.choice([1, 2]))
    y, x = np.indices(picture.shape[:2]) // period
    signs = np.asarray(((x + y) % 2) * 2 - 1, np.float32)
    return _rounded(picture + signs[..., None] * np.float32(force))


def banding(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """Few levels of each channel."""
    levels = int(strength.split()[0])
    step = 255 / (levels - 1)
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32)
    return _rounded(np.round(soft / step) * step)


def compressed(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """JPEG of a low quality."""
    quality = int(strength.removeprefix("q"))
    return codec(picture, "jpeg", quality)


def blurred(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """All of it out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _pixels(sitting, strength)), np.uint8)


def product_blurred(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """The product out of focus in a sharp scene."""
    soft = cv2.GaussianBlur(picture, (0, 0), _pixels(sitting, strength)).astype(np.float32)
    cover = cv2.GaussianBlur(sitting.plain.mask.astype(np.float32) / 255, (0, 0), 1.5)[..., None]
    return _rounded(picture * (1 - cover) + soft * cover)


def noisy(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """Noise of a standard deviation in grey levels."""
    noise = sitting.rng.standard_normal(picture.shape, np.float32) * np.float32(strength.split()[1])
    return _rounded(picture + noise)


def burnt(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """Too much guidance: colours and contrasts burnt out."""
    gain = {"mild": 1.5, "clear": 1.9, "strong": 2.6}[strength]
    values = picture.astype(np.float32)
    grey = values.mean(-1, keepdims=True)
    values = grey + (values - grey) * np.float32(gain)
    return _rounded((values - 118) * np.float32(0.6 + 0.4 * gain) + 122)


def seam(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """A rectangle around the product that is a shade off: the border of a pasted edit."""
    step = {"3 levels": 3.0, "6 levels": 6.0, "12 levels": 12.0}[strength]
    left, top, wide, high = cv2.boundingRect(sitting.plain.mask)
    pad = round(0.04 * sitting.take.size)
    height, width = picture.shape[:2]
    box = (slice(max(2, top - pad), min(height - 2, top + high + pad)),
           slice(max(2, left - pad), min(width - 2, left + wide + pad)))  # fmt: skip
    out = picture.astype(np.float32)
    tint = np.float32(step) * (1 if sitting.rng.random() < 0.5 else -1)
    out[box] += tint * np.array([1.0, 0.8, 0.9], np.float32)
    return _rounded(out)


def black(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """What a safety filter or a NaN leaves."""
    return np.zeros_like(picture)


def flat(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """One colour, hardly any noise."""
    tone = sitting.rng.uniform(30, 220, 3)
    return _rounded(tone + sitting.rng.normal(0, 0.7, picture.shape))


def clipped(sitting: Sitting, picture: Picture, strength: str) -> Picture:
    """Over- or underexposed until large parts are white or black."""
    stops = float(strength.split()[0])
    gain = 2.0 ** (stops if sitting.rng.random() < 0.6 else -1.6 * stops)
    linear = (picture.astype(np.float32) / 255) ** 2.2 * np.float32(gain)
    return _rounded(np.clip(linear, 0, 1) ** (1 / 2.2) * 255)


def _pixels(sitting: Sitting, strength: str) -> float:
    """Sigmas are stated for 1024 px."""
    return float(strength.split()[1]) * sitting.take.size / 1024


def _tiled(cell: Floats, picture: Picture) -> Floats:
    high, wide = picture.shape[:2]
    rows, columns = -(-high // cell.shape[0]), -(-wide // cell.shape[1])
    return np.asarray(np.tile(cell, (rows, columns, 1))[:high, :wide])


def _rounded(values: NDArray[Any]) -> Picture:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
