"""Labels unrolled into their reading frames, and the eight ways to turn or mirror them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture
from packline.truth import TextTruth
from packline.unroll import unroll

Floats = NDArray[np.float32]

HEIGHT = 48
MAX_HEIGHT = 800
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


def drawn(strip: NDArray[Any], how: str) -> NDArray[Any]:
    """An upright strip, (H, W) or (H, W, 3), as the hypothesis `how` would draw it."""
    crossed = np.swapaxes(strip, 0, 1)
    ways = {
        KEEP: strip,
        TURN_180: strip[::-1, ::-1],
        MIRROR: strip[:, ::-1],
        MIRROR_180: strip[::-1],
        TURN_90: crossed[:, ::-1],
        TURN_270: crossed[::-1],
        MIRROR_90: crossed,
        MIRROR_270: crossed[::-1, ::-1],
    }
    return np.ascontiguousarray(ways[how])


def undone(strip: NDArray[Any], how: str) -> NDArray[Any]:
    """The strip upright again, were it drawn as `how` says."""
    return drawn(strip, {TURN_90: TURN_270, TURN_270: TURN_90}.get(how, how))


def widened(truth: TextTruth, margin: float) -> TextTruth:
    """The same label with a grid that reaches further by `margin` times its shorter side on every side.

    The grid is extrapolated linearly.
    """
    grid = np.asarray(truth.grid, float)
    rows, columns = grid.shape[:2]
    height, width = _sides(grid)
    reach = margin * min(height, width)
    out = np.einsum("ir,rcx->icx", _extrapolation(rows, reach / height), grid)
    out = np.einsum("jc,icx->ijx", _extrapolation(columns, reach / width), out)
    return _with_grid(truth, out)


def cropped(truth: TextTruth, start: float, end: float) -> TextTruth:
    """The part of the label from `start` to `end` of its length, 0 to 1; more where that is not a pixel."""
    grid = np.asarray(truth.grid, float)
    out = _between(grid, start, end)
    for more in (0.02, 0.05, 0.1, 0.2, 0.5):
        # as `unroll` measures it
        if np.median(np.linalg.norm(np.diff(out, axis=1), axis=-1)) * (grid.shape[1] - 1) >= 1:
            break
        out = _between(grid, max(0.0, start - more), min(1.0, end + more))
    return _with_grid(truth, out)


def _between(grid: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """As many columns from `start` to `end` of a grid's length as it has."""
    columns = grid.shape[1]
    at = np.linspace(start, end, columns) * (columns - 1)
    low = np.clip(np.floor(at).astype(int), 0, columns - 2)
    share = (at - low)[None, :, None]
    return np.asarray(grid[:, low] * (1 - share) + grid[:, low + 1] * share, np.float64)


def turned_grid(truth: TextTruth) -> TextTruth:
    """The label turned clockwise by 90 degrees about its middle: where it would lie if drawn so."""
    grid = np.asarray(truth.grid, float)
    middle = grid.reshape(-1, 2).mean(0)
    away = grid - middle
    out = np.stack([-away[..., 1], away[..., 0]], -1) + middle
    return _with_grid(truth, out)


def strip(picture: Picture, truth: TextTruth) -> Picture:
    """Unroll a label so that its shorter side has 48 px, margins excluded.

    The shorter side is the text's height, unless the label is declared to run across itself.

    Returns
    -------
    numpy.ndarray
        RGB uint8 (H, W, 3).
    """
    height, width = _sides(np.asarray(truth.grid, float))
    share = height / min(height, width) + 2 * MARGIN
    return unroll(picture, widened(truth, MARGIN), height=min(MAX_HEIGHT, round(HEIGHT * share)))


def core(picture: Picture, margin: float = 0.12, shift: tuple[float, float] = (0.0, 0.0)) -> Picture:
    """The strip with only `margin` text heights left around it, moved by `shift` (x, y) text heights."""
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


def ink_axes(reference: Picture) -> Floats:
    """The two directions in RGB along which a label's colours differ most, strongest first, float32 (2, 3).

    The first is that from ink to ground. Unit length; towards the light.
    """
    pixels = reference.reshape(-1, 3).astype(np.float32)
    _, vectors = np.linalg.eigh(np.cov(pixels.T) + 1e-3 * np.eye(3))
    axes = vectors[:, :0:-1].T
    return np.asarray(axes * np.where(axes.sum(1, keepdims=True) < 0, -1.0, 1.0), np.float32)


def ink_axis(reference: Picture) -> Floats:
    """The direction in RGB along which a label's ink and ground differ most, unit length, shape (3,)."""
    return np.asarray(ink_axes(reference)[0], np.float32)


def normalised(picture: Picture, axis: Floats) -> Floats:
    """The strip at `SMALL` px of text height along `axis`, with local mean and contrast evened out."""
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
            scaled = np.asarray(cv2.resize(as_drawn, size, interpolation=cv2.INTER_LINEAR), np.float32)
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


def _with_grid(truth: TextTruth, grid: NDArray[np.float64]) -> TextTruth:
    """The label on another grid, all of which is to be unrolled."""
    points = tuple(tuple(map(tuple, row)) for row in grid.tolist())
    return replace(truth, span=(0.0, 1.0), grid=points)


def _extrapolation(count: int, margin: float) -> NDArray[np.float64]:
    """Weights (count, count) that resample `count` regular positions over [-margin, 1 + margin]."""
    at = np.linspace(-margin, 1 + margin, count) * (count - 1)
    low = np.clip(np.floor(at).astype(int), 0, count - 2)
    weights = np.zeros((count, count))
    weights[np.arange(count), low] = 1 - (at - low)
    weights[np.arange(count), low + 1] = at - low
    return weights


def _sides(grid: NDArray[np.float64]) -> tuple[float, float]:
    """Height and width of a label's grid in pixels, at least one pixel each."""
    down = np.linalg.norm(np.diff(grid, axis=0), axis=-1).sum(0)
    along = np.linalg.norm(np.diff(grid, axis=1), axis=-1).sum(1)
    return max(1.0, float(np.median(down))), max(1.0, float(np.median(along)))
