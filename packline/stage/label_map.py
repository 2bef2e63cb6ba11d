"""Which pixels lie in which label: by where each pixel lies on the texture, not by a projected outline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from packline.errors import GiveUp
from packline.stage.layers import layers_of
from packline.stage.model import Floats, GBuffer, ProductModel
from packline.stage.text_truth import LEAST_THROUGH
from packline.truth import Quad, TextTruth


def label_map(model: ProductModel, gbuffer: GBuffer, labels: Sequence[TextTruth]) -> NDArray[np.uint8]:
    """Mark the pixels of every label that a view shows.

    Parameters
    ----------
    model
        As drawn; its labels' quads are in texture space, textures repeat.
    gbuffer
        What the rasteriser saw in it, see-through layers included.
    labels
        Those to mark, in this order.

    Returns
    -------
    uint8 (H, W)
        1 + index into `labels`; 0 where no label is. Where labels overlap on one surface, the smaller one;
        where one shows through a surface with another, the nearer one.

    Raises
    ------
    GiveUp
        Where a view shows more labels than a byte can number.
    """
    if len(labels) > 255:
        raise GiveUp(f"A view shows {len(labels)} labels, but at most 255 can be told apart; annotate fewer.")
    annotated = {label.id: label for label in model.labels}
    numbered = [(index, annotated[truth.label]) for index, truth in enumerate(labels, 1)]
    numbered.sort(key=lambda item: -_area(item[1].quad))
    marks = np.zeros(gbuffer.parts.shape, np.uint8)
    through = np.ones(gbuffer.parts.shape, np.float32)
    for layer in layers_of(gbuffer):
        here = np.zeros_like(marks)
        for index, label in numbered:
            carries = [False] + [
                part.uv is not None and label.material in ("", part.material.name) for part in model.parts
            ]
            at = np.array(carries)[layer.parts]
            at[at] = _inside(layer.uv[at], label.quad)
            here[at] = index
        marks = np.where((marks == 0) & (through >= LEAST_THROUGH), here, marks)
        through = through * (1 - layer.mask)
    return marks


def _inside(uv: Floats, quad: Quad) -> NDArray[np.bool_]:
    """Whether texture points lie in a quad, shape (N,); a quad may reach over the texture's edge."""
    corners = np.array(quad, np.float64)
    low, high = np.floor(corners.min(0)), np.floor(corners.max(0))
    wrapped = uv.astype(np.float64) - np.floor(uv)
    found = np.zeros(len(uv), bool)
    for u in np.arange(low[0], high[0] + 1):
        for v in np.arange(low[1], high[1] + 1):
            found |= _even_odd(wrapped + np.array([u, v]), corners)
    return found


def _even_odd(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a line from each point to the right crosses the polygon's edges an odd number of times."""
    inside = np.zeros(len(points), bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if y0 == y1:
            continue
        crosses = ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        inside ^= crosses
    return inside


def _area(quad: Quad) -> float:
    x, y = np.array(quad, float).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
