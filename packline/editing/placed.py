"""The render as refine uses it, and the same moved to where an edit has the product."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.editing.alignment import Motion
from packline.editing.cutout import cut_out, smooth
from packline.editing.engine import Picture
from packline.reference import Reference
from packline.truth import TextTruth

Floats = NDArray[np.float32]


def in_view(labels: Iterable[TextTruth]) -> list[TextTruth]:
    """Those of a view's labels that it shows something of."""
    return [label for label in labels if label.visible > 0 and len(label.outline) >= 3]


@dataclass(frozen=True)
class Render:
    """The product as it is to lie on the photo.

    Parameters
    ----------
    detail
        Its colour without backdrop, sRGB 0 to 1, float32 (H, W, 3); it goes on beyond its edge.
    mask, shadow
        As a `Reference` has them, uint8 (H, W).
    labels
        Outlines of visible labels in pixels, (points, 2) each.
    unknown
        Where the product goes on though the render ended there, 0 to 1, float32 (H, W).
    """

    detail: Floats
    mask: Picture
    shadow: Picture
    labels: tuple[NDArray[np.float64], ...]
    unknown: Floats

    @staticmethod
    def of(reference: Reference) -> Render:
        """As rendered."""
        detail = np.clip(cut_out(reference.colour, reference.mask) / 255, 0, 1).astype(np.float32)
        labels = tuple(np.asarray(label.outline, np.float64) for label in in_view(reference.labels))
        return Render(
            detail, reference.mask, reference.shadow, labels, np.zeros(reference.mask.shape, np.float32)
        )

    def moved(self, motion: Motion) -> Render:
        """The same moved; the motion in its own pixels."""
        height, width = self.mask.shape

        def warp(values: Picture | Floats, border: int, outside: float = 0.0) -> NDArray[Any]:
            moved = cv2.warpAffine(
                values,
                motion.matrix,
                (width, height),
                flags=cv2.INTER_CUBIC,
                borderMode=border,
                borderValue=(outside,) * 4,
            )
            return np.asarray(moved)

        mask = warp(self.mask, cv2.BORDER_CONSTANT)
        # a product that the frame cuts off goes on beyond it, in the edit but not in the render
        onward = np.asarray(warp(self.mask, cv2.BORDER_REPLICATE), np.float32) - mask
        blur = max(height, width) / 512
        grown = cv2.dilate((onward > 128).astype(np.float32), np.ones((3, 3)), iterations=int(2 * blur) + 1)
        return Render(
            np.clip(warp(self.detail, cv2.BORDER_REPLICATE), 0, 1).astype(np.float32),
            np.asarray(mask, np.uint8),
            np.asarray(warp(self.shadow, cv2.BORDER_CONSTANT, 255), np.uint8),
            tuple(points @ motion.matrix[:, :2].T + motion.matrix[:, 2] for points in self.labels),
            smooth(np.asarray(grown, np.float32), blur),
        )
