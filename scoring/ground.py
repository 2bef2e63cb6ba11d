"""The scene around the product, small: what should be there, and how far the product's shadow may fall.

Everything is 256 x 256: grain and resampling drop out, things and shadows stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture, Reference
from scoring.style import SMALL, Style

Floats = NDArray[np.float32]

#: How an honest shadow may differ from the truth's: degrees about the foot, factors of length and darkness.
TURNS = (-32.0, -16.0, 0.0, 16.0, 32.0)
LENGTHS = (0.7, 1.0, 1.45)
DARKER = 1.4
# pixels by which it may be softer
_SOFTER = 2.5
# pixels beside the outline that the product's own edge may fill
EDGE = 2.0
# keeps the logarithm of dark places finite, grey levels
_BLACK = 8.0


@dataclass(frozen=True)
class Ground:
    """One candidate's scene beside the base photo under the candidate's style.

    Parameters
    ----------
    base, picture
        `style.small` of the base photo and of the candidate, sRGB 0 to 255, float32 (256, 256, 3).
    style
        What was done to the whole picture.
    truth
        The reference in the scene's camera.
    matrix
        From the render's pixels to the candidate's, float64 (3, 3).
    """

    base: Floats = field(repr=False)
    picture: Floats = field(repr=False)
    style: Style
    truth: Reference = field(repr=False)
    matrix: NDArray[np.float64]

    @cached_property
    def expected(self) -> Floats:
        """The base photo under the candidate's style, float32 (256, 256, 3)."""
        return self.style.apply(self.base)

    @cached_property
    def silhouette(self) -> Floats:
        """The product's coverage where the candidate has it, 0 to 1, float32 (256, 256)."""
        return self._moved(self.truth.mask, 0)

    @cached_property
    def away(self) -> Floats:
        """Pixels from the silhouette, float32 (256, 256); 0 inside."""
        return np.asarray(
            cv2.distanceTransform((self.silhouette < 0.02).astype(np.uint8), cv2.DIST_L2, 5), np.float32
        )

    @cached_property
    def shade(self) -> Floats:
        """How much the truth's shadow darkens the ground, natural logarithm, 0 is not, float32 (256, 256)."""
        share = self._moved(self.truth.shadow, 255)
        return np.asarray(-_LINEAR_TO_SRGB * np.log(np.maximum(share, 0.02)), np.float32)

    @cached_property
    def darkening(self) -> Floats:
        """How much darker each place is than expected, natural logarithm of sRGB luma, float32 (256, 256)."""
        seen, wanted = (cv2.GaussianBlur(p @ LUMA, (0, 0), 1.0) for p in (self.picture, self.expected))
        return np.asarray(np.log((wanted + _BLACK) / (seen + _BLACK)), np.float32)

    @cached_property
    def foot(self) -> tuple[float, float]:
        """Where the product stands, x and y in small pixels: under it, where its shadow is deepest."""
        under = np.where(self.silhouette > 0.5, self.shade, 0)
        deepest = float(under.max())
        if deepest < 0.02:
            under = np.where(self.silhouette > 0.5, 1.0, 0)
            deepest = 1.0
        rows, columns = np.nonzero(under >= 0.75 * deepest)
        if not len(rows):
            return SMALL / 2, SMALL / 2
        return float(columns.mean()), float(rows.mean())

    def turned(self, degrees: float, length: float = 1.0) -> Floats:
        """`shade` under a light that comes from elsewhere.

        Parameters
        ----------
        degrees
            About the foot, on the ground.
        length
            Factor of the shadow's length.
        """
        x, y = self.foot
        lean, turn = self._foreshortening, np.radians(degrees)
        # a turn on the ground is a turn of the picture stretched to the ground's depth
        a, b = length * np.cos(turn), -length * np.sin(turn) / lean
        c, d = length * np.sin(turn) * lean, length * np.cos(turn)
        matrix = np.array([[a, b, x - a * x - b * y], [c, d, y - c * x - d * y]])
        return np.asarray(cv2.warpAffine(self.shade, matrix, (SMALL, SMALL)), np.float32)

    @cached_property
    def possible(self) -> Floats:
        """As `shade`, the most that any honest shadow darkens: turned, longer, shorter, softer and deeper."""
        most = self.shade.copy()
        for turn in TURNS:
            for length in LENGTHS:
                cv2.max(most, self.turned(turn, length), dst=most)
        wide = cv2.dilate(most, np.ones((5, 5), np.uint8))
        return np.asarray(DARKER * np.maximum(wide, cv2.GaussianBlur(wide, (0, 0), 2 * _SOFTER)), np.float32)

    @cached_property
    def unexplained(self) -> Floats:
        """Grey levels by which each place differs from the base photo under style and any honest shadow.

        The largest over the channels, float32 (256, 256); 0 on the product and within `EDGE` of its outline.
        """
        seen, wanted = (cv2.GaussianBlur(p, (0, 0), 0.8) for p in (self.picture, self.expected))
        ratio = (seen @ LUMA + 4) / (wanted @ LUMA + 4)
        # a shadow takes light away, nothing else: between the darkest one and none at all
        share = np.clip(ratio, np.exp(-self.possible), 1)
        # channel by channel: reductions along an axis of three are slow
        change, brightest = np.zeros_like(share), np.zeros_like(share)
        for one, other in zip(cv2.split(seen), cv2.split(wanted), strict=True):
            cv2.max(change, cv2.absdiff(one, share * other), dst=change)
            cv2.max(brightest, other, dst=brightest)
        # coloured light reaches into shadows: its tint is no new thing
        change -= 0.10 * (1 - share) * brightest
        change[self.away <= EDGE] = 0
        return np.asarray(np.maximum(change, 0), np.float32)

    def changed(self, corners: NDArray[Any], shape: tuple[int, ...], least: float) -> float | None:
        """The share of a polygon's places that are `unexplained` by more than `least`; None: it has none.

        Parameters
        ----------
        corners
            In the candidate's pixels, (N, 2).
        shape
            The candidate's height and width.
        """
        inside = np.zeros((SMALL, SMALL), np.uint8)
        small_corners = np.asarray(corners, float) * (SMALL / shape[1], SMALL / shape[0])
        cv2.fillPoly(inside, [np.round(small_corners).astype(np.int32)], 1)
        where = (inside > 0) & (self.away > 2 * EDGE)
        return float((self.unexplained[where] > least).mean()) if where.any() else None

    @property
    def _foreshortening(self) -> float:
        """Height in the picture of what reaches as far into the scene as it is wide."""
        eye, target = (np.asarray(p, float) for p in (self.truth.camera.eye, self.truth.camera.target))
        return float(np.clip((eye - target)[1] / max(float(np.linalg.norm(eye - target)), 1e-9), 0.12, 1.0))

    def _moved(self, values: Picture, outside: int) -> Floats:
        """A pass of the truth where the candidate has the product, 0 to 1."""
        height, width = values.shape
        small_pass = cv2.resize(values, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
        if not np.array_equal(self.matrix, np.eye(3)):
            down = np.diag([SMALL / width, SMALL / height, 1.0])
            matrix = down @ self.matrix @ np.linalg.inv(down)
            small_pass = cv2.warpPerspective(small_pass, matrix, (SMALL, SMALL), borderValue=outside)
        return np.asarray(small_pass, np.float32) / np.float32(255)


# a share of light is about this power of itself in sRGB values
_LINEAR_TO_SRGB = 1 / 2.2
#: Rec. 601, on sRGB values.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
