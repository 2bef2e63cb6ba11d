"""Labels unrolled into their reading frames, and the eight ways in which a flat picture can be turned or mirrored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture
from packline.truth import TextTruth
from packline.unroll import unroll

Floats = NDArray[np.float32]

HEIGHT = 48
# of the text's height, on every side: how far a candidate's label may have moved
MARGIN = 0.4
# appearance is compared at this height: enough for letters' shapes, cheap, and kind to small shifts
SMALL = 24

# how a candidate may have drawn the label, named by what must be said about it
KEEP, TURN_90, TURN_180, TURN_270 = "right", "turned by 90°", "upside down", "turned by 270°"
MIRROR, MIRROR_180 = "mirrored", "mirrored top to bottom"
MIRROR_90, MIRROR_270 = "mirrored and turned by 90°", "mirrored and turned by 270°"
FLAT = (KEEP, TURN_180, MIRROR, MIRROR_180)
UPRIGHT = (TURN_90, TURN_270, MIRROR_90, MIRROR_270)
# clockwise degrees that a hypothesis adds to the reading direction
TURNED = {TURN_90: 90.0, TURN_180: 180.0, TURN_270: 270.0, MIRROR: 180.0, MIRROR_90: 90.0, MIRROR_270: 270.0}


def drawn(strip: Picture | Floats, how: str) -> Picture | Floats:
    """An upright strip as the hypothesis `how` would draw it."""
    if how == KEEP:
        return strip
    if how == TURN_180:
        return np.ascontiguousarray(strip[::-1, ::-1])
    if how == MIRROR:
        return np.ascontiguousarray(strip[:, ::-1])
    if how == MIRROR_180:
        return np.ascontiguousarray(strip[::-1])
    if how == TURN_90:
        return np.ascontiguousarray(np.rot90(strip, -1))
    if how == TURN_270:
        return np.ascontiguousarray(np.rot90(strip, 1))
    axes = (1, 0, 2)[: strip.ndim]
    crossed = np.transpose(strip, axes)
    return np.ascontiguousarray(crossed if how == MIRROR_90 else crossed[::-1, ::-1])


def undone(strip: Picture, how: str) -> Picture:
    """The strip upright again, were it drawn as `how` says."""
    back = {TURN_90: TURN_270, TURN_270: TURN_90}.get(how, how)
    return np.asarray(drawn(strip, back), np.uint8)


def widened(truth: TextTruth, margin: float) -> TextTruth:
    """The same label with a grid that reaches `margin` text heights further on every side, extrapolated linearly."""
    grid = np.asarray(truth.grid, float)
    rows, columns = grid.shape[:2]
    wide = margin * _height(grid) / max(1e-6, _width(grid))
    out = np.einsum("ir,rcx->icx", _extrapolation(rows, margin), grid)
    out = np.einsum("jc,icx->ijx", _extrapolation(columns, wide), out)
    return replace(truth, grid=tuple(tuple((float(x), float(y)) for x, y in row) for row in out))


def cropped(truth: TextTruth, start: float, end: float) -> TextTruth:
    """The part of the label from `start` to `end` of its length, 0 to 1."""
    grid = np.asarray(truth.grid, float)
    columns = grid.shape[1]
    at = np.linspace(start, end, columns) * (columns - 1)
    low = np.clip(np.floor(at).astype(int), 0, columns - 2)
    share = (at - low)[None, :, None]
    out = grid[:, low] * (1 - share) + grid[:, low + 1] * share
    return replace(truth, grid=tuple(tuple((float(x), float(y)) for x, y in row) for row in out))


def turned_grid(truth: TextTruth) -> TextTruth:
    """A label of the same size turned clockwise by 90 degrees about its middle: where it would lie if drawn so."""
    grid = np.asarray(truth.grid, float)
    middle = grid.reshape(-1, 2).mean(0)
    away = grid - middle
    out = np.stack([-away[..., 1], away[..., 0]], -1) + middle
    return replace(truth, grid=tuple(tuple((float(x), float(y)) for x, y in row) for row in out))


def strip(picture: Picture, truth: TextTruth) -> Picture:
    """Unroll a label to 48 px of height (margins excluded), averaged where it is larger in the picture.

    Returns
    -------
    numpy.ndarray
        RGB uint8 (48 (1 + 2 MARGIN), W, 3).
    """
    wide = widened(truth, MARGIN)
    height = round(HEIGHT * (1 + 2 * MARGIN))
    # a large label is sampled densely and averaged, not picked from
    factor = max(1, round(truth.height / HEIGHT))
    dense = unroll(picture, wide, height=height * factor)
    if factor == 1:
        return dense
    size = (max(1, round(dense.shape[1] / factor)), height)
    return np.asarray(cv2.resize(dense, size, interpolation=cv2.INTER_AREA), np.uint8)


def core(picture: Picture, margin: float = 0.12, shift: tuple[float, float] = (0.0, 0.0)) -> Picture:
    """The strip without its margins but for `margin` text heights, moved by `shift` (x, y) in text heights."""
    height, width = picture.shape[:2]
    edge = (MARGIN - margin) * HEIGHT
    x = min(max(0.0, edge + shift[0] * HEIGHT), 2 * edge)
    y = min(max(0.0, edge + shift[1] * HEIGHT), 2 * edge)
    right, bottom = round(x + width - 2 * edge), round(y + height - 2 * edge)
    return picture[round(y) : max(round(y) + 4, bottom), round(x) : max(round(x) + 4, right)]


@dataclass(frozen=True)
class Match:
    """How well a hypothesis explains a strip.

    Parameters
    ----------
    correlation
        Normalised correlation with the reference's own strip, -1 to 1.
    shift
        Where the label was found, x and y in text heights from where it should be.
    weakest
        The least correlation over windows of about a letter's width along the strip, -1 to 1.
    """

    correlation: float
    shift: tuple[float, float]
    weakest: float


def ink_axis(reference: Picture) -> Floats:
    """The direction in RGB along which a label's ink and ground differ most, unit length, shape (3,)."""
    pixels = reference.reshape(-1, 3).astype(np.float32)
    _, vectors = np.linalg.eigh(np.cov(pixels.T) + 1e-3 * np.eye(3))
    axis = vectors[:, -1]
    return np.asarray(axis * np.sign(axis.sum() or 1.0), np.float32)


def normalised(picture: Picture, axis: Floats) -> Floats:
    """The strip at `SMALL` px of text height along `axis`, its local mean taken out and its local contrast evened."""
    height, width = picture.shape[:2]
    scale = SMALL / HEIGHT
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) @ axis
    blur = cv2.GaussianBlur(small, (0, 0), SMALL * 0.5)
    rest = small - blur
    spread = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), SMALL * 0.5))
    return np.asarray(rest / (spread + 3.0), np.float32)


def matches(
    candidate: Floats,
    template: Floats,
    hypotheses: Iterable[str],
    scales: tuple[float, ...] = (0.95, 1.0, 1.05),
) -> dict[str, Match]:
    """Find the template in the candidate's strip under each hypothesis.

    Parameters
    ----------
    candidate
        From `normalised`, with margins.
    template
        The reference's own label, likewise, without margins; both float32 (h, w).
    """
    found = {}
    for how in hypotheses:
        best = Match(-1.0, (0.0, 0.0), -1.0)
        as_drawn = np.asarray(drawn(template, how), np.float32)
        for scale in scales:
            size = (max(4, round(as_drawn.shape[1] * scale)), max(4, round(as_drawn.shape[0] * scale)))
            size = (min(size[0], candidate.shape[1]), min(size[1], candidate.shape[0]))
            scaled = cv2.resize(as_drawn, size, interpolation=cv2.INTER_LINEAR)
            response = cv2.matchTemplate(candidate, scaled, cv2.TM_CCOEFF_NORMED)
            _, value, _, (x, y) = cv2.minMaxLoc(response)
            if value > best.correlation:
                window = candidate[y : y + size[1], x : x + size[0]]
                middle = ((candidate.shape[1] - size[0]) / 2, (candidate.shape[0] - size[1]) / 2)
                shift = ((x - middle[0]) / SMALL, (y - middle[1]) / SMALL)
                best = Match(float(value), shift, _weakest(window, scaled))
        found[how] = best
    return found


def _weakest(window: Floats, template: Floats) -> float:
    """Least correlation over sliding windows as wide as the text is high, along the longer side."""
    if window.shape[0] > window.shape[1]:
        window, template = window.T, template.T
    width = min(round(0.9 * window.shape[0]), window.shape[1])
    kernel = np.ones(width, np.float32)
    a, b = window - window.mean(), template - template.mean()
    products = [np.convolve((x * y).sum(0), kernel, "valid") for x, y in ((a, b), (a, a), (b, b))]
    # windows with little ink in the template say nothing; judge them by the typical energy instead
    typical = np.median(products[2])
    both = np.sqrt(np.maximum(products[1], 0.3 * typical) * np.maximum(products[2], 0.3 * typical))
    return float((products[0] / (both + 1e-6)).min())


def _extrapolation(count: int, margin: float) -> NDArray[np.float64]:
    """Weights (count, count) that resample `count` regular positions over [-margin, 1 + margin]."""
    at = np.linspace(-margin, 1 + margin, count) * (count - 1)
    low = np.clip(np.floor(at).astype(int), 0, count - 2)
    weights = np.zeros((count, count))
    weights[np.arange(count), low] = 1 - (at - low)
    weights[np.arange(count), low + 1] = at - low
    return weights


def _height(grid: NDArray[np.float64]) -> float:
    return float(np.median(np.linalg.norm(np.diff(grid, axis=0), axis=-1).sum(0)))


def _width(grid: NDArray[np.float64]) -> float:
    return float(np.median(np.linalg.norm(np.diff(grid, axis=1), axis=-1).sum(1)))
