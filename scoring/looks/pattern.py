"""Noise and regular grids, as broken decoders leave them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.check import Bools, Floats
from scoring.looks.finding import Finding, graded
from scoring.looks.sight import Sight, kept
from scoring.style import median

# standard deviation of the grain, in grey levels, beyond the base photo's
NOISE = 3.6
# amplitude of a lattice in grey levels, and how far a peak of the spectrum stands out (standard deviations);
# codecs alone leave peaks of 8.1 in smooth dark pictures, the bench's faintest grids of 30
LATTICE, PEAK = 0.55, 9.0
PERIODS = (2, 4, 8, 16)
_BESIDE = {2: (3,), 4: (3, 5), 8: (7, 9), 16: (15, 17)}
_EVERY = sorted({*PERIODS, *(beside for some in _BESIDE.values() for beside in some)})
# the FFT's window: small enough to be quick, large enough for a lattice of 16 px to peak
WINDOW = 512


def noisy(sight: Sight) -> Finding:
    """More noise than the base photo has (Immerkaer 1996, on the median of the response)."""
    one = sight.one
    more = _noise(one.grey) - _noise(sight.expected)
    # coloured noise hardly shows in the luma
    colour = _noise(_red_less_blue(one.candidate)) - _noise(_red_less_blue(one.base))
    value = max(more, 0.6 * colour)
    sentence = "The picture is noisy: much more grain than the base photo has."
    return Finding("noise", graded(value, NOISE, 3), sentence, value)


def _red_less_blue(picture: NDArray[np.uint8]) -> Floats:
    red, _, blue = cv2.split(picture[: picture.shape[0] // 2 * 2 : 2])
    return np.asarray(cv2.subtract(red, blue, dtype=cv2.CV_32F), np.float32)


def _noise(grey: Floats) -> float:
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(grey[:: 2 if grey.shape[0] >= grey.shape[1] else 1], -1, kernel)
    return median(np.abs(response[:, ::2])) * float(np.sqrt(np.pi / 2)) / 6


def latticed(sight: Sight) -> Finding:
    """A regular grid with a period of 2 to 16 px, over the picture or over the product alone."""
    one = sight.one
    scene = kept(_detail(sight.difference), sight.away)
    inside = sight.depth_inside > 3
    product = kept(_detail(one.grey[sight.window] - sight.render), inside)
    worst, period = 0.0, 0
    # print that lies a little beside the render's leaves a mean tile of its own in so few tiles
    crowded = 0.12 * float(np.sqrt(_power(product, inside)))
    for values, where, print_left in ((scene, sight.away, 0.0), (product, inside, crowded)):
        found = _amplitudes(values, where)
        for lattice in PERIODS:
            # what print and shading leave in a mean tile they leave at the neighbouring periods too
            beside = max(found[other] for other in _BESIDE[lattice])
            amplitude = (found[lattice] - beside - print_left) / LATTICE
            if amplitude > worst:
                worst, period = amplitude, lattice
    peak, its_period = _peak(scene)
    if peak / PEAK > worst:
        worst, period = peak / PEAK, its_period
    sentence = f"A regular grid of {period} px lies over the picture, as a broken decoder leaves it."
    return Finding("grid", graded(worst, 1.0, 4), sentence, worst)


def _detail(difference: Floats) -> Floats:
    """High frequencies; strong edges are content, they would drown a faint lattice."""
    detail = difference - cv2.blur(difference, (17, 17))
    return np.asarray(np.clip(detail, -12, 12, out=detail), np.float32)


def _power(values: Floats, where: Bools) -> float:
    """Mean square of the values, which are 0 elsewhere than `where`."""
    return float(cv2.norm(values, cv2.NORM_L2SQR)) / max(1, cv2.countNonZero(where.view(np.uint8)))


def _amplitudes(values: Floats, where: Bools) -> dict[int, float]:
    """For each period the standard deviation of the mean tile less what chance leaves, grey levels.

    Parameters
    ----------
    values
        float32 (H, W), 0 elsewhere than `where`.
    """
    total, power = cv2.countNonZero(where.view(np.uint8)), _power(values, where)
    found = dict.fromkeys(_EVERY, 0.0)
    for period in _EVERY:
        if total < 40 * period * period:
            continue
        counts = _tile(where.view(np.uint8), period).astype(float)
        mean = _tile(values, period) / np.maximum(counts, 1)
        # what remains of unrelated texture in a mean over so many tiles
        chance = power / float(counts.mean())
        found[period] = float(np.sqrt(max(0.0, float(mean.var()) - chance)))
    return found


def _tile(values: NDArray[Any], period: int) -> Floats:
    """The sum of all whole tiles of `period` x `period` px, float32."""
    height, width = (side // period * period for side in values.shape)
    # rows of one phase lie `period` rows apart: as many rows side by side make them columns
    rows = np.ascontiguousarray(values[:height]).reshape(height // period, -1)
    folded = cv2.reduce(rows, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F).reshape(period, -1)[:, :width]
    return np.asarray(folded.reshape(period, width // period, period).sum(1), np.float32)


def _peak(detail: Floats) -> tuple[float, int]:
    """Standard deviations by which the spectrum rises at a lattice's frequencies over what is around."""
    side = min(WINDOW, *detail.shape)
    window = np.hanning(side).astype(np.float32)
    top, left = ((length - side) // 2 for length in detail.shape)
    cut = detail[top : top + side, left : left + side] * np.outer(window, window)
    spectrum = cv2.dft(cut, flags=cv2.DFT_COMPLEX_OUTPUT)
    offsets = np.arange(-8, 9)
    far = np.maximum(np.abs(offsets)[:, None], np.abs(offsets)[None]) > 3
    best, found = 0.0, 0
    for period in PERIODS:
        k = side // period
        for u, v in ((k, 0), (0, k), (k, k), (k, side - k)):
            near = spectrum[np.ix_((u + offsets) % side, (v + offsets) % side)]
            around = np.log(cv2.magnitude(*cv2.split(near)) + 1.0)
            value = float((around[7:10, 7:10].max() - around[far].mean()) / (around[far].std() + 1e-6))
            if value > best:
                best, found = value, period
    return best, found
