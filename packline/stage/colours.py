"""Colour truth: the dominant colours of each part, and how much of each part a view shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from packline.stage.model import Part, ProductModel
from packline.stage.samples import surface_area, surface_samples
from packline.stage.swatches import swatches
from packline.truth import PartColours

#: Points that a product and a part of it are looked at in, at most.
POINTS, POINTS_OF_A_PART = 1 << 18, 1 << 14
# every part is looked at in so many, so that a stripe of 2 % is found in each
_FEWEST = 1 << 11
# base colour under which a part that shines shows nothing of its own, linear
_BLACK = 0.01


def product_colours(model: ProductModel) -> tuple[PartColours, ...]:
    """The colours of every part, from its base colour: factor times texture times vertex colours.

    Transparent texels of alpha mode MASK are no surface; under BLEND a texel counts by its alpha.

    Returns
    -------
    tuple of PartColours
        In the model's order; `visible` is 0. The same for a model wherever it stands.
    """
    count = int(np.clip(POINTS // len(model.parts), _FEWEST, POINTS_OF_A_PART))
    found = []
    areas = []
    for part in model.parts:
        samples = surface_samples(part, count)
        areas.append(float(surface_area(part).sum()) * float(np.mean(samples.weight)))
        found.append(swatches(samples))
    total = sum(areas)
    return tuple(
        PartColours(part.name, index, area / total if total > 0 else 0.0, colours)
        for index, (part, area, colours) in enumerate(zip(model.parts, areas, found, strict=True), 1)
    )


def seen_colours(
    colours: Sequence[PartColours], parts: NDArray[np.uint16], mask: NDArray[np.uint8]
) -> tuple[PartColours, ...]:
    """Say of each part how much of the product it is in one view.

    Parameters
    ----------
    colours
        As `product_colours` found them.
    parts, mask
        Of the view's reference: which part each pixel shows and its coverage, both (H, W).
    """
    pixels = np.bincount(parts.reshape(-1), mask.reshape(-1).astype(np.float64), len(colours) + 1)
    # (a pixel without a part has no coverage)
    total = pixels[1:].sum()
    return tuple(
        replace(one, visible=float(pixels[one.index] / total) if total > 0 else 0.0) for one in colours
    )


def colour_notes(model: ProductModel) -> tuple[str, ...]:
    """A sentence for each part whose look its base colour does not tell."""
    return tuple(
        f"part {part.name} shows only the light that it gives off; its colour truth is its black surface"
        for part in model.parts
        if _only_shines(part)
    )


def _only_shines(part: Part) -> bool:
    material = part.material
    return max(material.base_colour[:3]) <= _BLACK and max(material.emissive) > 0
