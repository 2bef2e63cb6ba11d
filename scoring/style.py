"""What happened to the whole picture: the smooth change of light and colour from base photo to candidate.

A LoRA's style, a colour grading or a warmer lamp changes the scene and the product alike. It is measured
where nothing else should have changed, outside the product and its shadow, and can then be laid over what the
picture was expected to show.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Picture = NDArray[np.uint8]

# pictures are compared at this size: grain and resampling drop out, things stay
SMALL = 256
# the largest `Style.strength` that still counts as a style
STYLE_STRENGTH = 0.6

# share of the picture that must be scene, or the style cannot be known
_LEAST = 0.02
# how strongly each term is drawn to "no change", as a share of the pixels: a gain that varies over the
# picture, an offset and a curve are known from any scene, a change of saturation only from a colourful one
_GAINS, _OFFSET, _CURVE, _ACROSS = 1e-3, 1e-3, 1e-3, 1e-3
_PULL = np.array([*[_GAINS] * 6, _OFFSET, _CURVE, _CURVE, _ACROSS, _ACROSS])
_TERMS = len(_PULL)
_MIDDLE = 128.0


@dataclass(frozen=True)
class Style:
    """A smooth change of a whole picture's light and colours; `fit_style` finds it.

    In each channel, on sRGB values: a gain that varies slowly over the picture (vignettes, light from the
    side), an offset (fading), a curve (contrast) and a share of the other two channels (saturation).

    Parameters
    ----------
    coefficients
        float32 (3, 11), a row a channel: six of the gain over the picture (1, x, y, xy, x², y² with x and y
        from -1 to 1), offset, square, cube, and the shares of the next and the next but one channel.
    strength
        The largest relative change of a mid-grey, of the contrast around it or of its saturation: 0 is none.
    noise
        How well the style explains the scene: the median absolute difference that is left, in grey levels.
    known
        False where the product fills the frame; the style is then "no change".
    freedom
        How each channel's coefficients could move without the scene showing it, float32 (3, 11, 11): its rows
        times their transposes are the inverse of the fit's normal matrix over the number of pixels.
    """

    coefficients: Floats = field(repr=False)
    strength: float = 0.0
    noise: float = 0.0
    known: bool = True
    freedom: Floats = field(default_factory=lambda: _nothing_known(), repr=False)

    def apply(self, picture: NDArray[np.uint8] | Floats) -> Floats:
        """Lay the style over a picture of any size.

        Parameters
        ----------
        picture
            sRGB values 0 to 255, (H, W, 3), the whole frame.

        Returns
        -------
        styled
            sRGB values 0 to 255, float32 (H, W, 3).
        """
        height, width = picture.shape[:2]
        return self.at(picture, *_frame(height, width))

    def at(self, colours: NDArray[np.uint8] | Floats, x: Floats, y: Floats) -> Floats:
        """Lay the style over colours that lie anywhere in the frame.

        Parameters
        ----------
        colours
            sRGB values 0 to 255, (..., 3).
        x, y
            Where they lie, (...), -1 to 1 from left to right and from top to bottom.

        Returns
        -------
        styled
            sRGB values 0 to 255, float32 (..., 3).
        """
        level = np.asarray(colours, np.float32) / np.float32(_MIDDLE)
        styled = np.empty_like(level)
        for channel, row in enumerate(self.coefficients):
            one, next_one, last = (level[..., (channel + k) % 3] for k in range(3))
            # Horner's way through the polynomial: few passes over a large picture
            gain = row[0] + x * (row[1] + row[3] * y + row[4] * x) + y * (row[2] + row[5] * y)
            curve = one * (gain + one * (row[7] + row[8] * one))
            styled[..., channel] = row[6] + curve + row[9] * next_one + row[10] * last
        return np.asarray(np.clip(styled * np.float32(_MIDDLE), 0, 255), np.float32)

    def doubts(self, colours: NDArray[np.uint8] | Floats, x: Floats, y: Floats) -> Floats:
        """What the scene leaves open about the style of colours that lie anywhere in the frame.

        A scene of pale greys hardly says what the style does to a dark red.

        Parameters
        ----------
        colours
            sRGB values 0 to 255 before the style, (N, 3).
        x, y
            As in `at`, (N,).

        Returns
        -------
        doubts
            float32 (N, 3, 11): the change of each channel, in grey levels, along each of eleven ways in which
            its style could be otherwise; ways of equal likelihood, of a size that the fit's noise decides.
        """
        level = np.asarray(colours, np.float32) / np.float32(_MIDDLE)
        out = np.empty((*level.shape, _TERMS), np.float32)
        for channel in range(3):
            one, next_one, last = (level[:, (channel + k) % 3] for k in range(3))
            columns = _columns(one, next_one, last, x, y)
            out[:, channel] = columns @ self.freedom[channel] * np.float32(_MIDDLE)
        return out


def no_style() -> Style:
    """No change; unknown."""
    same = np.zeros((3, _TERMS), np.float32)
    same[:, 0] = 1
    return Style(same, known=False)


def surroundings(mask: Picture, shadow: Picture) -> Bools:
    """What must not change, bool (SMALL, SMALL): neither product, nor its shadow, nor what lies close by.

    Parameters
    ----------
    mask, shadow
        As in `packline.reference.Reference`.
    """
    product = cv2.resize(mask, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    ground = cv2.resize(shadow, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    touched = np.maximum((product > 2).astype(np.uint8), (ground < 247).astype(np.uint8))
    grown = cv2.dilate(touched, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17)))
    return np.asarray(grown == 0)


def small(picture: Picture) -> Floats:
    """At the size that pictures are compared at, float32 (SMALL, SMALL, 3)."""
    return cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)


def median(values: Floats) -> float:
    """`numpy.median` of finite values, at least one: a fifth of its time, which is spent on two pivots."""
    ordered = values.flatten()
    half = ordered.size // 2
    ordered.partition(half)
    if ordered.size % 2:
        return float(ordered[half])
    return float((ordered[:half].max() + ordered[half]) / 2)


def quantile(values: Floats, share: float) -> float:
    """`numpy.quantile` of finite values, at least one, with one pivot as in `median`."""
    ordered = values.flatten()
    at = (ordered.size - 1) * share
    low = int(at)
    ordered.partition(low)
    below = ordered[low]
    above = ordered[low + 1 :].min() if low + 1 < ordered.size else below
    along = at - low
    if along < 0.5:
        return float(below + (above - below) * along)
    return float(above - (above - below) * (1 - along))


def fit_style(base: Floats, candidate: Floats, where: Bools) -> Style:
    """Find what was done to the whole picture, robustly: things that appeared or went do not bend it.

    Least squares with Tukey's weights (Beaton and Tukey 1974), iterated, drawn gently to no change.

    Parameters
    ----------
    base, candidate
        Both `small`, sRGB values 0 to 255, float32 (h, w, 3).
    where
        The scene alone, bool (h, w): see `surroundings`.
    """
    height, width = where.shape
    if where.sum() < _LEAST * where.size:
        return no_style()
    picked = np.flatnonzero(where.ravel())[::7]
    x, y = (np.broadcast_to(axis, (height, width)).ravel()[picked] for axis in _frame(height, width))
    levels = base.reshape(-1, 3)[picked] / np.float32(_MIDDLE)
    wanted = candidate.reshape(-1, 3)[picked] / np.float32(_MIDDLE)
    ridge = len(picked) * np.diag(_PULL).astype(np.float32)
    same = np.zeros(_TERMS, np.float32)
    same[0] = 1
    rows, residuals = np.empty((3, _TERMS), np.float32), np.empty_like(wanted)
    freedom = np.empty((3, _TERMS, _TERMS), np.float32)
    for channel in range(3):
        one, next_one, last = (levels[:, (channel + k) % 3] for k in range(3))
        columns = _columns(one, next_one, last, x, y)
        # start from no change at all, so that a large new thing is an outlier from the first step
        weights = _tukey(wanted[:, channel] - one)
        for _ in range(4):
            weighted = columns * weights[:, None]
            normal = weighted.T @ columns + ridge
            rows[channel] = np.linalg.solve(normal, weighted.T @ wanted[:, channel] + ridge @ same)
            residuals[:, channel] = wanted[:, channel] - columns @ rows[channel]
            weights = _tukey(residuals[:, channel])
        freedom[channel] = np.linalg.inv(np.linalg.cholesky(normal.astype(np.float64) / len(picked))).T
    noise = median(np.abs(residuals)) * _MIDDLE
    return Style(rows, _strength(rows), noise, freedom=freedom)


def _columns(one: Floats, next_one: Floats, last: Floats, x: Floats, y: Floats) -> Floats:
    """What `Style.coefficients` are multiplied by, float32 (N, 11), from a channel and the other two."""
    gains = (one, x * one, y * one, x * y * one, x * x * one, y * y * one)
    return np.stack([*gains, np.ones_like(one), one * one, one * one * one, next_one, last], 1).astype(
        np.float32
    )


def _nothing_known() -> Floats:
    """The freedom of a style that only the pull to no change holds."""
    return np.repeat(np.diag(1 / np.sqrt(_PULL))[None], 3, 0).astype(np.float32)


def _strength(rows: Floats) -> float:
    """See `Style`."""
    y, x = np.mgrid[-1:1:9j, -1:1:9j].astype(np.float32)
    shapes = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1)
    across = rows[:, 9] + rows[:, 10]
    slope = rows[:, 0] + 2 * rows[:, 7] + 3 * rows[:, 8]
    middle = shapes @ rows[:, :6].T + rows[:, 6:9].sum(1) + across
    contrast, saturation = slope + across, slope - across / 2
    changes = (np.abs(middle - 1).max(), np.abs(contrast - 1).max(), np.abs(saturation - 1).max())
    return float(max(changes))


def _frame(height: int, width: int) -> tuple[Floats, Floats]:
    """x (1, width) and y (height, 1) of pixels' centres, -1 to 1."""
    x = (np.arange(width, dtype=np.float32) * 2 + 1) / width - 1
    y = (np.arange(height, dtype=np.float32) * 2 + 1) / height - 1
    return x[None].astype(np.float32), y[:, None].astype(np.float32)


def _tukey(residual: Floats) -> Floats:
    middle = median(residual)
    scale = max(2.0 / _MIDDLE, 1.4826 * median(np.abs(residual - middle)))
    share = np.maximum(1 - np.square((residual - middle) / (4.7 * scale)), 0)
    return np.asarray(share * share, np.float32)
