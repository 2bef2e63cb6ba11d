"""Unroll a label: the picture of it in its own reading frame, curved surfaces flattened."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.truth import TextTruth

#: What stands in a strip where the view does not show the label.
UNSEEN = 128
_MAX_WIDTH = 4096


def unroll(picture: NDArray[np.uint8], truth: TextTruth, height: int = 48) -> NDArray[np.uint8]:
    """Cut a label out of a picture, upright, left to right.

    Parameters
    ----------
    picture
        uint8 (H, W, 3) or (H, W), of the view that `truth` describes, at its size.
    truth
        Its `grid` maps the label's reading frame to pixels.
    height
        Height of the strip in pixels; the width follows from the label's shape in the picture.

    Returns
    -------
    uint8 (height, width, ...)
        Grey where the view does not show the label (outside `truth.span`).
    """
    grid = np.asarray(truth.grid, np.float32)
    if grid.ndim != 3 or min(grid.shape[:2]) < 2:
        raise ValueError(f"the truth of label {truth.label!r} has no grid")
    rows, columns = grid.shape[:2]
    first, last = (min(round(share * columns), columns) for share in truth.span)
    shown = grid[:, first : max(last, first + 2)]
    along = float(np.median(np.linalg.norm(np.diff(shown, axis=1), axis=-1))) * (columns - 1)
    down = float(np.median(np.linalg.norm(np.diff(shown, axis=0), axis=-1))) * (rows - 1)
    width = int(np.clip(round(height * along / max(down, 1e-6)), 8, _MAX_WIDTH))
    # sampling a large label sparsely would alias: sample it densely and reduce
    dense = int(np.clip(np.ceil(down / height), 1, 4))
    x = np.linspace(0, columns - 1, width * dense, dtype=np.float32)
    y = np.linspace(0, rows - 1, height * dense, dtype=np.float32)
    at = cv2.remap(grid, *np.meshgrid(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # pixel centres lie at +0.5 in truth, at whole numbers in OpenCV
    strip = cv2.remap(
        picture, at[..., 0] - np.float32(0.5), at[..., 1] - np.float32(0.5), cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    if dense > 1:
        strip = cv2.resize(strip, (width, height), interpolation=cv2.INTER_AREA)
    strip[:, : round(truth.span[0] * width)] = UNSEEN
    strip[:, round(truth.span[1] * width) :] = UNSEEN
    return np.asarray(strip, np.uint8)
