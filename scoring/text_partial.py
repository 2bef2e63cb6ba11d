"""What can be told of a label that is mostly out of view, from the part that is in view.

On a bottle that part stands at the limb, foreshortened, and its letters are cut. So it is not read: it is
laid flat in the label's own reading frame, where a small turn of the product is a shift, and compared with
what is printed there, each place weighted by how many of the picture's pixels show it. The print is taken
from the albedo, which knows no light: at the limb the render's light and the picture's may well differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture, Reference
from packline.truth import TextTruth
from scoring import strips
from scoring.check import Bools, Floats
from scoring.label_prints import SAME_LOOK
from scoring.text_score import score_of

#: Pixels of the text's height where it is laid flat, and at most of the part's length.
HEIGHT, LONGEST = 32, 960
#: Text heights around the part, and by which the print may have moved along and down.
AROUND, STRAY = 0.3, (0.3, 0.2)
#: A place that fewer of the picture's pixels show than this share of the usual is the limb, and left out.
LIMB = 0.3
#: Pixels of a label in view under which nobody sees more than a speck; under which what is seen may confirm
#: the print, but not refute it.
SPECK, FEW = 40.0, 64.0
#: How much the render's own lit part must agree with the print, -1 to 1; where it does not, what is in view
#: shows light and limb rather than letters.
LEGIBLE = 0.85
#: Steps between the truth's grid points, down and along, at which it is asked whether the label shows.
FINE = (8, 4)
#: How steeply the agreement becomes log odds, and where they are even. Measured: honest parts of 64 pixels or
#: more agree by 0.63 at least, 0.94 in the median; where letters are turned, mirrored, gone or other ones, by
#: 0.58 in 99 of 100 cases.
STEEP, EVEN = 30.0, 0.7
#: How much it counts against a label that a way to turn it over looks more like it than the print as it is.
OVERTURNED = 2.0

Doubles = NDArray[np.float64]
REACH = (round(STRAY[0] * HEIGHT), round(STRAY[1] * HEIGHT))


@dataclass(frozen=True)
class Part:
    """The part of a label that is in view, laid flat.

    Parameters
    ----------
    map_x, map_y
        Where each of its pixels lies in the render, float32 (h, w).
    weight
        How well the picture shows each of them, 0 to 1, float32 (h, w).
    axis
        Direction in RGB from ink to ground, float32 (3,).
    print
        The albedo there, evened out, float32 (h, w).
    turned
        Print and weight under every way to turn or mirror it in its place that can be told from none.
    contrast
        Of the render there: the deviation along the axis with the local mean taken off, grey levels.
    pixels
        Of the picture that show it.
    """

    map_x: Floats = field(repr=False)
    map_y: Floats = field(repr=False)
    weight: Floats = field(repr=False)
    axis: Floats = field(repr=False)
    print: Floats = field(repr=False)
    turned: dict[str, tuple[Floats, Floats]] = field(repr=False)
    contrast: float
    pixels: float

    def of(self, aligned: Picture) -> Floats:
        """The part as an aligned picture shows it, along the axis, float32 (h, w)."""
        return np.asarray(_cut(aligned, self.map_x, self.map_y) @ self.axis, np.float32)


@dataclass(frozen=True)
class Glimpse:
    """How a candidate shows the part of a label that is in view.

    Parameters
    ----------
    look
        Correlation with the print, -1 to 1.
    weakest
        The same over a letter's width, where it is least.
    edges
        Correlation of their gradients.
    ink
        How much of the render's local contrast is left, 0 is none.
    how, turned
        The way to turn or mirror the print under which it looks most like it, and that correlation.
    few
        Whether too few pixels show it to say that it is wrong.
    """

    look: float
    weakest: float
    edges: float
    ink: float
    how: str
    turned: float
    few: bool

    @property
    def agreement(self) -> float:
        """How well it agrees with the print, 1 at best."""
        alike = (self.look + self.weakest + self.edges) / 3
        return alike - OVERTURNED * max(0.0, self.turned - self.look)

    @property
    def score(self) -> float:
        """0 (certainly wrong) to 1, 0.5 at even odds."""
        return float(score_of(np.array([STEEP * (self.agreement - EVEN)]))[0])


def pixels_in_view(truth: TextTruth) -> float:
    """About how many pixels of the picture show the label."""
    grid = np.asarray(truth.grid, float)
    along, down = np.diff(grid, axis=1)[:-1], np.diff(grid, axis=0)[:, :-1]
    cells = _facing(along, down, truth.mirrored)
    front = cells > 0
    hidden = truth.visible / max(float(front.mean()), 1e-6)
    return float(cells[front].sum()) * min(1.0, hidden)


def part_of(scene: Reference, index: int) -> Part | None:
    """The part in view of the label with this index; None where nothing can be told by it."""
    truth, here = scene.labels[index], scene.label_map == index + 1
    pixels = pixels_in_view(truth)
    if pixels < SPECK or not here.any():
        return None
    laid = _laid(np.asarray(truth.grid, float), truth.mirrored, _inner(scene, here))
    if laid is None:
        return None
    map_x, map_y, weight = laid
    ink = _cut(scene.albedo, map_x, map_y)
    axis = strips.ink_axis(ink[weight > 0][None].astype(np.uint8))
    print_, _ = _evened(np.asarray(ink @ axis, np.float32), weight)
    own, rest = _evened(np.asarray(_cut(scene.colour, map_x, map_y) @ axis, np.float32), weight)
    if _found(print_, own, weight, (2, 2))[0] < LEGIBLE:
        return None
    turned = {}
    for how in strips.FLAT[1:]:
        both = np.asarray(np.minimum(weight, strips.drawn(weight, how)), np.float32)
        other = np.asarray(strips.drawn(print_, how), np.float32)
        if both.sum() > 0.5 * weight.sum() and _found(other, print_, both, REACH)[0] < SAME_LOOK:
            turned[how] = other, both
    return Part(map_x, map_y, weight, axis, print_, turned, _spread(rest, weight), pixels)


def glimpse(part: Part, aligned: Picture) -> Glimpse:
    """Compare what is in view with the print."""
    values = part.of(aligned)
    plain, _ = _evened(values, part.weight)
    look, shift = _found(part.print, plain, part.weight, REACH)
    others = {how: _found(print_, plain, both, REACH)[0] for how, (print_, both) in part.turned.items()}
    how = max(others, key=lambda each: others[each], default=strips.KEEP)
    move = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    size = (values.shape[1], values.shape[0])
    moved = cv2.warpAffine(values, move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    seen, rest = _evened(np.asarray(moved, np.float32), part.weight)
    return Glimpse(
        look,
        _weakest(part.print, seen, part.weight),
        _edges(part.print, seen, part.weight),
        _spread(rest, part.weight) / max(part.contrast, 1e-3),
        how,
        others.get(how, -1.0),
        part.pixels < FEW,
    )


def _inner(scene: Reference, here: Bools) -> Bools:
    """Pixels where the label shows, those at the product's outline and at another part's edge left out."""
    carrier = scene.parts == np.bincount(scene.parts[here]).argmax()
    around = np.ones((3, 3), np.uint8)
    # a label's own rim mixes with its ground only
    label = cv2.dilate(here.astype(np.uint8), around) > 0
    whole = cv2.erode((scene.mask > 250).astype(np.uint8), around) > 0
    return np.asarray(label & whole & (cv2.erode(carrier.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0))


def _laid(grid: Doubles, mirrored: bool, inner: Bools) -> tuple[Floats, Floats, Floats] | None:
    """Where the part in view lies in the picture when it is laid flat, and its weight; all float32 (h, w)."""
    count = (np.array(grid.shape[:2]) - 1) * FINE + 1
    v, u = (np.linspace(0, 1, n) for n in count)
    at = _placed(grid, v, u)
    along, down = np.gradient(at, u, axis=1), np.gradient(at, v, axis=0)
    # where the surface turns away, its grid folds back over what is in view
    facing = _facing(along, down, mirrored)
    pixel = np.floor(at).astype(int)
    within = ((pixel >= 0) & (pixel < inner.shape[::-1])).all(-1)
    x, y = np.moveaxis(np.clip(pixel, 0, np.array(inner.shape[::-1]) - 1), -1, 0)
    seen = within & (facing > 0) & inner[y, x]
    if seen.sum() < 16:
        return None
    high, wide = (float(np.median(np.linalg.norm(steps[seen], axis=-1))) for steps in (down, along))
    aspect = wide / max(high, 1e-6)
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    v_out = _stretch(v[rows[0]], v[rows[-1]], AROUND, HEIGHT)
    u_out = _stretch(u[columns[0]], u[columns[-1]], AROUND / aspect, HEIGHT * aspect)
    if len(u_out) > LONGEST or min(len(u_out), len(v_out)) < 4:
        return None
    nearest = np.ix_(_nearest(v_out, count[0]), _nearest(u_out, count[1]))
    inside = ((v_out >= 0) & (v_out <= 1))[:, None] & ((u_out >= 0) & (u_out <= 1))
    shown = seen[nearest] & inside
    if shown.sum() < 16:
        return None
    density = np.abs(facing[nearest])
    weight = np.where(shown, np.clip(density / np.median(density[shown]), 0, 1), 0)
    weight[weight < LIMB] = 0
    # pixel centres lie at +0.5 in truth, at whole numbers in OpenCV
    out = (_placed(grid, v_out, u_out) - 0.5).astype(np.float32)
    return np.ascontiguousarray(out[..., 0]), np.ascontiguousarray(out[..., 1]), weight.astype(np.float32)


def _facing(along: Doubles, down: Doubles, mirrored: bool) -> Doubles:
    """Area that two steps span in the picture, negative where they are seen from behind."""
    area = along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0]
    return np.asarray(-area if mirrored else area, np.float64)


def _stretch(start: float, end: float, margin: float, density: float) -> Doubles:
    """Places from `margin` before `start` to `margin` beyond `end`, `density` of them to a unit."""
    count = round((end - start + 2 * margin) * density)
    return np.asarray(start - margin + (np.arange(count) + 0.5) / density, np.float64)


def _nearest(at: Doubles, count: int) -> NDArray[np.int64]:
    return np.clip(np.round(at * (count - 1)), 0, count - 1).astype(np.int64)


def _placed(grid: Doubles, v: Doubles, u: Doubles) -> Doubles:
    """The grid at shares `v` of its height and `u` of its length, (V, U, 2); extrapolated beyond 0 and 1."""
    down, along = (_shares(at, n) for at, n in zip((v, u), grid.shape, strict=False))
    return np.asarray(np.einsum("vr,uc,rcx->vux", down, along, grid, optimize=True), np.float64)


def _shares(at: Doubles, count: int) -> Doubles:
    """Weights of `count` regular positions at each place, (N, count)."""
    place = at * (count - 1)
    low = np.clip(np.floor(place).astype(int), 0, count - 2)
    out = np.zeros((len(at), count))
    rows = np.arange(len(at))
    out[rows, low], out[rows, low + 1] = 1 - (place - low), place - low
    return out


def _cut(picture: Picture, map_x: Floats, map_y: Floats) -> Floats:
    """What lies at the places, RGB float32 (h, w, 3)."""
    cut = cv2.remap(picture, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.float32)


def _evened(values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Values with local mean and contrast evened out, and with the local mean taken off; by weight."""

    def around(x: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(x, (0, 0), 0.5 * HEIGHT), np.float32)

    whole = around(weight) + np.float32(1e-4)
    rest = values - around(values * weight) / whole
    spread = np.sqrt(np.maximum(around(rest * rest * weight) / whole, 0))
    return np.asarray(rest / (spread + 3.0), np.float32), np.asarray(rest, np.float32)


def _spread(rest: Floats, weight: Floats) -> float:
    return float(np.sqrt((rest * rest * weight).sum() / weight.sum()))


def _found(
    template: Floats, seen: Floats, weight: Floats, reach: tuple[int, int]
) -> tuple[float, tuple[int, int]]:
    """The best weighted correlation over shifts of up to `reach` pixels (x, y), and that shift."""
    x, y = reach
    field_ = cv2.copyMakeBorder(seen, y, y, x, x, cv2.BORDER_CONSTANT, value=0)
    weighted = template * weight
    own = float((weighted * template).sum())
    product = cv2.matchTemplate(field_, weighted, cv2.TM_CCORR)
    energy = cv2.matchTemplate(field_ * field_, weight, cv2.TM_CCORR)
    # where next to nothing is printed, noise shall not look like anything
    response = product / np.sqrt(own * np.maximum(energy, 0.15 * own) + 1e-9)
    _, value, _, (left, top) = cv2.minMaxLoc(response)
    return float(value), (left - x, top - y)


def _weakest(template: Floats, seen: Floats, weight: Floats) -> float:
    """The least weighted correlation over squares of about a letter's width."""
    side = round(0.8 * HEIGHT)

    def around(x: Floats) -> Floats:
        return np.asarray(cv2.blur(x, (side, side), borderType=cv2.BORDER_CONSTANT), np.float32)

    covered = around(weight)
    energies = []
    for one in (template, seen):
        energy = one * one * weight
        # a place with little ink says nothing: judge it by the usual energy instead
        energies.append(np.maximum(around(energy), 0.3 * covered * energy.sum() / weight.sum()))
    local = around(template * seen * weight) / np.sqrt(energies[0] * energies[1] + 1e-6)
    return float(local[covered > 0.35 * covered.max()].min())


def _edges(template: Floats, seen: Floats, weight: Floats) -> float:
    """Weighted correlation of the two's gradients."""
    inner = cv2.erode(weight, np.ones((3, 3), np.uint8))
    a, b = (_gradients(one) * np.sqrt(inner)[..., None] for one in (template, seen))
    own = float((a * a).sum())
    return float((a * b).sum() / np.sqrt(own * max(float((b * b).sum()), 0.15 * own) + 1e-9))


def _gradients(values: Floats) -> Floats:
    soft = cv2.GaussianBlur(values, (0, 0), 1.2)
    return np.stack([cv2.Sobel(soft, cv2.CV_32F, *way) for way in ((1, 0), (0, 1))], -1)
