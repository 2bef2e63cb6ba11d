"""Framing: which part of a picture a file shows, and at how many pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from packline.colour import to_linear, to_srgb
from packline.settings import FormatSettings

Box = tuple[int, int, int, int]
Pixels = NDArray[np.uint8]

# coverage of the mask (0 to 255) from which on a pixel is the product's: a soft edge belongs to it
_COVERED = 16


@dataclass(frozen=True)
class Frame:
    """A window on a picture and the size at which it is delivered.

    Parameters
    ----------
    window
        Left, top, right and bottom in the picture's pixels; what lies outside the picture is background.
    size
        Width and height of the file in pixels, at most those of the window.
    """

    window: Box
    size: tuple[int, int]


def product_box(mask: NDArray[np.uint8]) -> Box | None:
    """Left, top, right and bottom of what a mask covers, or None where it covers nothing."""
    rows, columns = np.flatnonzero((mask >= _COVERED).any(1)), np.flatnonzero((mask >= _COVERED).any(0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def frame(asked: FormatSettings, picture: tuple[int, int], product: Box | None = None) -> Frame:
    """Where to cut, and how large.

    Parameters
    ----------
    picture
        Its width and height in pixels.
    product
        The product's box; of no matter where all of the picture is shown.

    Raises
    ------
    ValueError
        Where the crop goes by the product and there is none.
    """
    aspect = asked.width / asked.height if asked.width and asked.height else None
    if asked.crop == "whole":
        window = _around((0, 0, *picture), aspect)
    elif product is None:
        raise ValueError("there is no product to be seen")
    elif asked.crop == "fill":
        assert aspect is not None, "the settings see to it"
        window = _holding(product, _largest(picture, aspect), picture, aspect)
    else:
        aspect = 1.0 if asked.crop == "square" else aspect
        margin = round(asked.margin * max(product[2] - product[0], product[3] - product[1]))
        left, top, right, bottom = product
        roomy = _around((left - margin, top - margin, right + margin, bottom + margin), aspect)
        window = _holding(product, (roomy[2] - roomy[0], roomy[3] - roomy[1]), picture, aspect)
    return Frame(window, _size(asked, window))


def _holding(product: Box, size: tuple[int, int], picture: tuple[int, int], aspect: float | None) -> Box:
    """A window of a size around the product, within the picture as far as that may be.

    The picture's edge takes from the margin first. Where even without one the product would be cut, the
    window keeps it whole and shows background: a shop can live with a bar, not with half a product.
    """
    if size[0] > picture[0] or size[1] > picture[1]:
        size = _largest(picture, aspect) if aspect else (min(size[0], picture[0]), min(size[1], picture[1]))
    if size[0] < product[2] - product[0] or size[1] < product[3] - product[1]:
        bare = _around(product, aspect)
        size = bare[2] - bare[0], bare[3] - bare[1]
    left, top, right, bottom = _centred(product, *size)
    (left, right), (top, bottom) = _span(left, right, picture[0]), _span(top, bottom, picture[1])
    return left, top, right, bottom


def _around(box: Box, aspect: float | None) -> Box:
    """The smallest box of an aspect that holds another, with the same middle."""
    width, height = box[2] - box[0], box[3] - box[1]
    if aspect is not None:
        width, height = max(width, round(height * aspect)), max(height, round(width / aspect))
    return _centred(box, width, height)


def _largest(picture: tuple[int, int], aspect: float) -> tuple[int, int]:
    """The largest size of an aspect within a picture's."""
    width, height = picture
    return min(width, round(height * aspect)), min(height, round(width / aspect))


def _centred(box: Box, width: int, height: int) -> Box:
    left = (box[0] + box[2] - width) // 2
    top = (box[1] + box[3] - height) // 2
    return left, top, left + width, top + height


def _span(start: int, end: int, length: int) -> tuple[int, int]:
    span = end - start
    start = (length - span) // 2 if span >= length else min(max(start, 0), length - span)
    return start, start + span


def _size(asked: FormatSettings, window: Box) -> tuple[int, int]:
    """What is asked for, or what the window has where that is less: no pixel is made up."""
    width, height = window[2] - window[0], window[3] - window[1]
    scales = [
        wanted / found
        for wanted, found in (
            (asked.width, width),
            (asked.height, height),
            (asked.longest, max(width, height)),
        )
        if wanted is not None
    ]
    if asked.width and asked.height and min(scales) <= 1:
        return asked.width, asked.height  # the window has this very aspect, but for whole pixels
    scale = min([1.0, *scales])
    return max(1, round(width * scale)), max(1, round(height * scale))


def cut(picture: Pixels, wanted: Frame, background: str) -> Pixels:
    """Cut a frame out of a picture and bring it to its size.

    Scaled in linear light, so that a thin bright line on a dark ground keeps its brightness, with Pillow's
    Lanczos kernel, which widens with the factor: OpenCV's keeps its width and would alias, and its area mode
    is a box that softens small print.

    Parameters
    ----------
    picture
        sRGB, uint8 (H, W, 3).
    background
        ``#rrggbb``, sRGB.

    Returns
    -------
    uint8 (H, W, 3)
        sRGB; the very pixels of the picture where nothing is scaled.
    """
    left, top, right, bottom = wanted.window
    height, width = picture.shape[:2]
    shown = picture[max(top, 0) : bottom, max(left, 0) : right]
    if left < 0 or top < 0 or right > width or bottom > height:
        canvas = np.empty((bottom - top, right - left, 3), np.uint8)
        canvas[:] = tuple(bytes.fromhex(background[1:]))
        down, along = max(-top, 0), max(-left, 0)
        canvas[down : down + shown.shape[0], along : along + shown.shape[1]] = shown
        shown = canvas
    if (shown.shape[1], shown.shape[0]) == wanted.size:
        return np.ascontiguousarray(shown)
    scaled = np.empty((wanted.size[1], wanted.size[0], 3), np.uint8)
    for channel in range(3):
        # one at a time: a large picture in floats takes a while of memory
        plane = Image.fromarray(to_linear(np.ascontiguousarray(shown[..., channel])))
        scaled[..., channel] = to_srgb(np.asarray(plane.resize(wanted.size, Image.Resampling.LANCZOS)))
    return scaled
