"""A few swatches for many colours: what a printer would call the colours of a part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packline.colour import ciede2000, from_lab, to_lab, to_linear, to_srgb
from packline.stage.samples import Samples
from packline.truth import Swatch

#: Colours nearer than this are one, CIEDE2000.
APART = 4.0
#: A part has so many swatches at most, and none smaller than this share of it.
MOST, LEAST = 8, 0.005

# colours are first counted in cells of this side in CIELAB; coarser ones where a picture has very many
_CELLS, _MANY = (1.5, 3.0), 800
# so many are tried before the largest are kept
_TRIED = 24
# an edge's colours are mixtures, so they count little when the next swatch is looked for
_AT_AN_EDGE = 0.25
# a swatch of which less than this lies flat anywhere may be a mixture of two others
_OWN = 0.25
# so far may a mixture lie from the straight line between its two, CIEDE2000
_BESIDE = 5.0

Values = NDArray[np.float64]


@dataclass(frozen=True)
class _Cells:
    """Colours counted: CIELAB (C, 3), weight and weight of the flat among them (C,)."""

    lab: Values
    weight: Values
    flat: Values


def swatches(samples: Samples) -> tuple[Swatch, ...]:
    """The dominant colours of a part, by share, largest first; none where all of it is see-through.

    Colours that are seen as one are one swatch. A colour that only occurs along edges, between two others, is
    their antialiasing, and its area is divided between them.

    Returns
    -------
    tuple of Swatch
        At most `MOST`; their shares add up to 1.
    """
    if not samples.weight.sum() > 0:
        return ()
    lab = to_lab(np.clip(samples.linear, 0, 1))
    cells = _counted(lab, samples, _CELLS[0])
    if len(cells.weight) > _MANY:
        cells = _counted(lab, samples, _CELLS[1])
    centres = _merged(cells, _peaks(cells))
    centres = _without_mixtures(cells, centres)
    shares = _shares(cells, centres)
    while True:
        kept = np.argsort(-shares, kind="stable")[:MOST]
        kept = kept[(shares[kept] >= LEAST) | (np.arange(len(kept)) == 0)]
        dropped = len(kept) < len(centres)
        centres = _settled(cells, centres[kept])
        shares = _divided(cells, centres)
        if not dropped:
            break
    order = np.argsort(-shares, kind="stable")
    found = []
    for one in order:
        lightness, a, b = (round(float(value), 3) for value in centres[one])
        found.append(Swatch((lightness, a, b), round(float(shares[one]), 5)))
    return tuple(found)


def _counted(lab: Values, samples: Samples, side: float) -> _Cells:
    # the offset keeps neutral colours, which are the most common, off the cells' borders
    steps = np.floor(lab / side + 0.37).astype(np.int64)
    keys = ((steps[:, 0] + 4) * 512 + steps[:, 1] + 200) * 512 + steps[:, 2] + 200
    _, cell = np.unique(keys * 2 + samples.flat, return_inverse=True)
    weight = np.bincount(cell, samples.weight)
    seen = weight > 0
    sums = [np.bincount(cell, samples.weight * lab[:, channel]) for channel in range(3)]
    means = np.stack(sums, -1)[seen] / weight[seen, None]
    flat = np.bincount(cell, samples.weight * samples.flat)
    total = weight.sum()
    return _Cells(means, weight[seen] / total, flat[seen] / total)


def _peaks(cells: _Cells) -> Values:
    """The most common colour, then the most common of what is not like it, and so on."""
    left = cells.flat + (cells.weight - cells.flat) * _AT_AN_EDGE
    open_ = np.ones(len(left), bool)
    found: list[Values] = []
    while len(found) < _TRIED and cells.weight[open_].sum() >= LEAST:
        peak = cells.lab[int(np.argmax(np.where(open_, left, -1.0)))]
        for _ in range(2):
            near = open_ & (ciede2000(peak, cells.lab) < APART)
            if not near.any():
                break
            peak = np.average(cells.lab[near], axis=0, weights=left[near])
        near = open_ & (ciede2000(peak, cells.lab) < APART)
        near[int(np.argmax(np.where(open_, left, -1.0)))] = True
        found.append(peak)
        open_ &= ~near
    return np.array(found)


def _merged(cells: _Cells, centres: Values) -> Values:
    """Centres settled among their own colours, those that came too near each other made one."""
    centres = _settled(cells, centres)
    while len(centres) > 1:
        apart = ciede2000(centres[:, None], centres[None])
        np.fill_diagonal(apart, np.inf)
        first, second = np.unravel_index(int(np.argmin(apart)), apart.shape)
        if apart[first, second] >= APART:
            break
        shares = _shares(cells, centres)
        centres = np.delete(centres, first if shares[first] < shares[second] else second, 0)
        centres = _settled(cells, centres)
    return centres


def _settled(cells: _Cells, centres: Values) -> Values:
    """Each centre as the mean of what is like it; of the flat there, so that no edge tints it."""
    for _ in range(3):
        away = ciede2000(centres[:, None], cells.lab[None])
        owner = np.argmin(away, 0)
        moved = centres.copy()
        for one in range(len(centres)):
            own = (owner == one) & (away[one] < APART)
            flat = np.where(own, cells.flat, 0)
            weight = flat if flat.sum() > 0 else np.where(own, cells.weight, 0)
            if weight.sum() > 0:
                moved[one] = weight @ cells.lab / weight.sum()
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _shares(cells: _Cells, centres: Values) -> Values:
    owner = np.argmin(ciede2000(centres[:, None], cells.lab[None]), 0)
    return np.asarray(np.bincount(owner, cells.weight, len(centres)), np.float64)


def _divided(cells: _Cells, centres: Values) -> Values:
    """Shares, where a mixture's area goes to both of its colours, as much as there is of each in it."""
    away = ciede2000(centres[:, None], cells.lab[None])
    owner, shares = np.argmin(away, 0), np.zeros(len(centres))
    edge = (cells.flat == 0) & (away.min(0) >= APART) & (len(centres) > 1)
    np.add.at(shares, owner[~edge], cells.weight[~edge])
    if edge.any():
        first, second, part, error = _as_mixtures(cells.lab[edge], centres)
        # what is no mixture goes to the nearest
        lone = error >= _BESIDE
        first, part = np.where(lone, owner[edge], first), np.where(lone, 0.0, part)
        np.add.at(shares, first, cells.weight[edge] * (1 - part))
        np.add.at(shares, second, cells.weight[edge] * part)
    return shares


def _without_mixtures(cells: _Cells, centres: Values) -> Values:
    """Drop the centres that occur only along edges and lie between two others, the smallest first."""
    while len(centres) > 2:
        owner = np.argmin(ciede2000(centres[:, None], cells.lab[None]), 0)
        shares = np.bincount(owner, cells.weight, len(centres))
        flat = np.bincount(owner, cells.flat, len(centres))
        for one in np.argsort(shares, kind="stable"):
            if flat[one] >= _OWN * shares[one] > 0:
                continue
            others = np.delete(centres, one, 0)
            _, _, part, error = _as_mixtures(centres[one : one + 1], others)
            if error[0] < _BESIDE and 0.05 < part[0] < 0.95:
                centres = others
                break
        else:
            break
    return centres


def _as_mixtures(lab: Values, ends: Values) -> tuple[NDArray[np.int64], NDArray[np.int64], Values, Values]:
    """The mixture of two of `ends` that is most like each colour.

    Mixed in sRGB, as drawing programs do, or in linear light, as a sampler does; whichever is more like it.

    Returns
    -------
    first, second, part, error
        Two indices into `ends`, how much of it is the second, CIEDE2000 to the mixture; all (N,).
    """
    pairs = np.triu_indices(len(ends), 1)
    rows = np.arange(len(lab))
    found = []
    for encoded in (True, False):
        colours, corners = _rgb(lab, encoded), _rgb(ends, encoded)
        along = corners[pairs[1]] - corners[pairs[0]]
        reach = ((colours[:, None] - corners[pairs[0]]) * along).sum(-1)
        part = np.clip(reach / np.maximum((along**2).sum(-1), 1e-12), 0, 1)
        mixed = corners[pairs[0]] + part[..., None] * along
        error = ciede2000(lab[:, None], to_lab(to_linear(mixed) if encoded else mixed))
        best = np.argmin(error, 1)
        found.append((pairs[0][best], pairs[1][best], part[rows, best], error[rows, best]))
    better = found[1][3] < found[0][3]
    first, second, part, error = (
        np.where(better, one, other) for other, one in zip(found[0], found[1], strict=True)
    )
    return first, second, part, error


def _rgb(lab: Values, encoded: bool) -> Values:
    linear = np.clip(from_lab(lab), 0, 1)
    return to_srgb(linear) / 255.0 if encoded else linear
