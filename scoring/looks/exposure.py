"""Is there a picture at all, and is it burnt?"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.check import Bools, CheckInput, Floats
from scoring.looks.finding import Finding, graded, graded_up
from scoring.looks.sight import Sight

# standard deviation of grey levels that any photo has
FLAT = 4.0
# share of the picture that is clipped beyond what was to be expected
CLIPPED = 0.05
# grey levels of the render up to which a product may be black in the picture
_DARK = 70.0
# strength of a style that may still push something over the edge
_MILD = 0.4
# factor of colourfulness and of contrast beyond which a picture is over-saturated: styles stay below
COLOURFUL, CONTRASTY = 1.6, 1.55


def flat(one: CheckInput) -> Finding:
    """Black, white, or of one colour: what a NaN in the decoder or a safety filter leaves."""
    spread, mean = float(one.grey.std()), float(one.grey.mean())
    name = "black" if mean < 8 else "white" if mean > 247 else "of one colour"
    return Finding("flat", graded_up(spread, FLAT, 2), f"The picture is {name}.", spread)


def clipped(sight: Sight) -> Finding:
    """Clipped to black or white where base photo and render are not."""
    one = sight.one
    inside = one.inside[::2, ::2]
    known = np.where(inside, _toneless(one.scene.colour), _toneless(one.base))
    # what black plastic mirrors is the renderer's guess: where the product is dark it may well be black
    dark = inside & (one.render_grey[::2, ::2] < _DARK)
    # a bright style may push what was nearly white over the edge
    styled = _near_the_edge(sight.small_expected) if one.style.strength < _MILD else 0.0
    lost = _toneless(one.candidate) & ~(dark & (one.grey[::2, ::2] < _DARK))
    more = float(lost.mean()) - max(float((known & ~dark).mean()), styled)
    return Finding(
        "clipped",
        graded(more, CLIPPED, 2),
        "The picture is clipped to black or white compared with the base photo.",
        more,
    )


def _toneless(picture: NDArray[np.uint8]) -> Bools:
    """Which pixels have no tone left; every second one each way is enough."""
    low, high = _extremes(picture[::2])
    return np.asarray((((high >= 254) & (low >= 250)) | (high <= 2))[:, ::2])


def _near_the_edge(picture: Floats) -> float:
    low, high = _extremes(picture)
    return float(((low >= 246) | (high <= 4)).mean())


def _extremes(picture: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least and the largest of each pixel's channels."""
    # channels apart: reductions along an axis of three are slow
    red, green, blue = cv2.split(picture)
    return cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)


def saturated(sight: Sight) -> Finding:
    """Colours or contrasts of the scene multiplied beyond any style."""
    where = sight.one.surroundings
    if where.mean() < 0.02:
        return Finding("saturated", 1.0, "The product fills the picture.")
    seen, known = sight.small[where][::3], sight.base[where][::3]
    colours, contrast = _gain(_opponent(seen), _opponent(known)), _gain(seen.mean(-1), known.mean(-1))
    value = max((colours - 1) / (COLOURFUL - 1), (contrast - 1) / (CONTRASTY - 1))
    return Finding(
        "saturated",
        graded(value, 1.0, 4),
        "The picture is over-saturated compared with the base photo.",
        value,
    )


def _opponent(colours: Floats) -> Floats:
    red, green, blue = colours[:, 0], colours[:, 1], colours[:, 2]
    return np.stack([red - green, (red + green) / 2 - blue], -1)


def _gain(seen: Floats, known: Floats) -> float:
    """Slope of the seen on the known about their means: a tint over the whole picture is no gain."""
    a, b = known - known.mean(0), seen - seen.mean(0)
    # a scene of one colour has no colourfulness to multiply
    floor = 3.0**2 * a.size
    return float(((a * b).sum() + floor) / ((a * a).sum() + floor))
