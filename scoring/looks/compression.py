"""Compression and banding, against what the base photo itself has of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.check import Floats
from scoring.looks.finding import Finding, graded, graded_up
from scoring.looks.sight import Sight, kept

# grey levels by which the steps at the borders of 8 px blocks exceed those within: JPEG of quality 70 has
# 0.7, of 30 has 0.85 and more
BLOCKING = 0.79
# steps larger than this are content
_CONTENT = 12.0
# amplitudes of the base photo's texture (grey levels, first to last) and the share of it that must be left
_TEXTURES = ((1.0, 2.0, 0.42), (2.0, 4.0, 0.77))
# grey levels (root mean square) by which the tone curve from base photo to candidate is a staircase: 24
# levels a channel have 1.8, the ripple that an honest decoder leaves has 1.1 at most
BANDING = 1.3


def blocky(sight: Sight) -> Finding:
    """Steps at the borders of 8 x 8 blocks, as JPEG leaves them."""
    # under the product the base photo's own blocks are gone, which is no step of the picture
    scene = float(sight.away.mean())
    new = _steps(kept(sight.difference, sight.away)) / scene if scene > 0.2 else 9.0
    # a soft picture of a blocky photo has the photo's blocks in the difference only
    value = min(new, _steps(sight.one.grey.astype(np.uint8)) + 0.2)
    return Finding(
        "blocking",
        graded(value, BLOCKING, 6),
        "The picture is compressed too far: its 8 x 8 blocks show.",
        value,
    )


def _steps(values: Floats | NDArray[np.uint8]) -> float:
    """Mean step across the blocks' borders less the median of the other columns' and rows', grey levels."""
    found = 0.0
    for axis in (0, 1):
        other = 1 - axis
        step = (
            cv2.absdiff(values[1:], values[:-1]) if axis == 0 else cv2.absdiff(values[:, 1:], values[:, :-1])
        )
        below = np.minimum(step, step.dtype.type(_CONTENT))
        sums = cv2.reduce(below, other, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
        line = sums.ravel() / np.float32(step.shape[other])
        whole = len(line) // 8 * 8
        phases = line[:whole].reshape(-1, 8).mean(0)
        found += float(phases[7] - np.median(phases)) / 2
    return found


def smeared(sight: Sight) -> Finding:
    """Fine texture wiped away while edges stay, as WebP and AVIF do at low quality."""
    worst = min((sight.texture_left(low, high, 9.0) / least for low, high, least in _TEXTURES), default=9.0)
    return Finding(
        "smearing",
        graded_up(worst, 1.0, 8),
        "The scene's fine texture is smeared, as a strong compression leaves it.",
        worst,
    )


def banded(sight: Sight) -> Finding:
    """Smooth gradients in steps: the tones of the base photo come back on a staircase.

    For each channel the mean change is taken over all places of one tone in the base photo. A style, whatever
    it is, changes smoothly with the tone; a picture of too few tones changes in a sawtooth.
    """
    known = sight.small_expected
    # as a person sees it, from some way off: grain hides steps, and so does the mean
    change = np.clip(sight.small - known, -20, 20)
    grey = cv2.GaussianBlur(sight.base.mean(-1), (0, 0), 1)
    slope = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) / 8
    smooth = sight.one.surroundings & (slope < 1.5)
    value = 0.0
    if int(smooth.sum()) >= 800:
        tones, changes = known[smooth], change[smooth]
        value = float(np.mean([_sawtooth(tones[:, c], changes[:, c]) for c in range(3)]))
    return Finding(
        "banding",
        graded(value, BANDING, 4),
        "Smooth gradients have come out in bands: there are too few tones.",
        value,
    )


def _sawtooth(tones: Floats, changes: Floats) -> float:
    tone = np.clip(np.round(tones), 0, 255).astype(int)
    count = np.bincount(tone, minlength=256).astype(float)
    mean = np.bincount(tone, changes, minlength=256) / np.maximum(count, 1)
    weight = np.where(count >= 8, count, 0)
    if weight.sum() < 800 or int((weight > 0).sum()) < 10:
        return 0.0
    x = np.linspace(-1, 1, 256)
    rest = mean - np.polyval(np.polyfit(x, mean, 4, w=np.sqrt(weight)), x)
    # one broad wall must not decide alone
    weight = np.minimum(weight, 4 * np.median(weight[weight > 0]))
    return float(np.sqrt((weight * rest * rest).sum() / weight.sum()))
