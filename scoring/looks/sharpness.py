"""Is the picture as sharp as the base photo, and the product as its render?"""

from __future__ import annotations

import cv2
import numpy as np

from scoring.check import Bools, Floats
from scoring.looks.finding import Finding, graded_up
from scoring.looks.sight import Sight
from scoring.style import median, quantile

# share of the steepness of the expected edges that must be left, and of the scene's strong texture
SCENE, PRODUCT, TEXTURE = 0.72, 0.7, 0.79
# pixels into the product from which its edges are its own, and beyond its outline up to which they are asked
# where it has no others
_INSIDE, _OUTLINE = 6, -3


def blurred(sight: Sight) -> Finding:
    """The scene outside the product is softer than the base photo, at its edges or in its strong texture."""
    ratio = sharpness(sight.one.grey[::2, ::2], sight.expected[::2, ::2], sight.away[::2, ::2])
    edges = 1.0 if ratio is None else ratio
    texture = sight.texture_left(2.0, 40.0, 1.0)
    score = min(graded_up(edges, SCENE, 6), graded_up(texture, TEXTURE, 10))
    sentence = "The picture is blurred: the scene is softer than in the base photo."
    return Finding("blur", score, sentence, min(edges / SCENE, texture / TEXTURE))


def soft_product(sight: Sight) -> Finding:
    """The product is softer than its own render before the base photo, at the edges that these have.

    The background belongs to it: next to the outline it decides how steep edges are at a coarse scale.
    """
    ratio = None
    for depth in (_INSIDE, _OUTLINE):
        where = sight.depth_inside > depth
        ratio = sharpness(sight.one.grey[sight.window], sight.composed, where, 9)
        if ratio is not None:
            break
    score = 1.0 if ratio is None else graded_up(ratio, PRODUCT, 8)
    sentence = "The product is soft: its edges are less sharp than the 3D model's render."
    evidence = (sight.box_found("soft"),)
    return Finding("soft product", score, sentence, 1.0 if ratio is None else ratio, evidence)


def sharpness(seen: Floats, expected: Floats, where: Bools, reach: int = 5) -> float | None:
    """How steep the edges of `seen` are next to those of `expected`, 1 is equally steep; None without edges.

    Steepness is the gradient at a fine scale over that at a coarse one, so that light and contrast drop out.
    The picture's edges may lie half of `reach` pixels beside the expected ones.
    """
    if where.sum() < 500:
        return None
    fine, coarse = _slope(expected, 0.8), _slope(expected, 4.0)
    edges = where & (fine > max(6.0, quantile(fine[where], 0.92))) & (coarse > 1.0)
    if edges.sum() < 250 or not _spread(edges, where):
        return None
    near = np.ones((reach, reach), np.uint8)
    found = cv2.dilate(_slope(seen, 0.8), near)[edges] / (cv2.dilate(_slope(seen, 4.0), near)[edges] + 0.5)
    wanted = cv2.dilate(fine, near)[edges] / (cv2.dilate(coarse, near)[edges] + 0.5)
    return median(found) / median(wanted)


def _spread(edges: Bools, where: Bools) -> bool:
    """Whether the edges lie all over the place: a single one may be softened by a highlight."""
    found = [np.flatnonzero(edges.any(axis)) for axis in (0, 1)]
    asked = [np.flatnonzero(where.any(axis)) for axis in (0, 1)]
    return all(np.ptp(f) > 0.3 * np.ptp(a) for f, a in zip(found, asked, strict=True))


def _slope(grey: Floats, sigma: float) -> Floats:
    smooth = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.asarray(
        cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / 4,
        np.float32,
    )
