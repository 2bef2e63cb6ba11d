"""Random fields in metres: the raw material of every procedural surface."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def field(rng: np.random.Generator, texels: int, span: float, across: float, stretch: float = 1.0) -> Field:
    """Smooth noise of one size.

    Parameters
    ----------
    texels, span
        Side of the square field in texels and in metres.
    across
        Size of a blob in metres, down the rows.
    stretch
        How many times longer than `across` a blob is along the columns.

    Returns
    -------
    Field
        Roughly normal, mean 0 and deviation 1, shape (texels, texels).
    """
    step = span / texels
    rows = int(np.clip(np.ceil(span / max(across, step)) + 3, 4, texels + 3))
    columns = int(np.clip(np.ceil(span / max(across * stretch, step)) + 3, 4, texels + 3))
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    wide = cv2.resize(grid, (texels, texels), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide / max(float(wide.std()), 1e-6), np.float32)


def fractal(
    rng: np.random.Generator,
    texels: int,
    span: float,
    across: float,
    octaves: int = 5,
    gain: float = 0.55,
    stretch: float = 1.0,
) -> Field:
    """Sum of `octaves` fields, each half the size and `gain` times the strength of the last; deviation 1."""
    total = np.zeros((texels, texels), np.float32)
    weight = 1.0
    for octave in range(octaves):
        size = across / 2**octave
        if octave and size < 0.7 * span / texels:
            break
        total += weight * field(rng, texels, span, size, stretch)
        weight *= gain
    return np.asarray(total / max(float(total.std()), 1e-6), np.float32)


def warp(values: Field, dx: Field, dy: Field) -> Field:
    """`values` looked up `dx`, `dy` texels away; the border is mirrored."""
    size = values.shape[0]
    row, column = np.mgrid[0:size, 0:size].astype(np.float32)
    moved = cv2.remap(values, column + dx, row + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.float32)


def step(low: float, high: float, values: Field) -> Field:
    """Smooth step from 0 at `low` to 1 at `high`; falls where `low` > `high`."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)
