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


def needs_product(asked: FormatSettings) -> bool:
    """Whether the frame depends on where the product is."""
    return asked.crop != "whole"


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
    else:
        if product is None:
            raise ValueError("there is no product to be seen")
        if asked.crop == "fill":
            assert aspect is not None, "the settings see to it"
            window = _moved(_centred(product, *_largest(picture, aspect)), picture)
        else:
            window = _product_window(asked, picture, product, 1.0 if asked.crop == "square" else aspect)
    return Frame(window, _size(asked, window))


def _product_window(asked: FormatSettings, picture: tuple[int, int], product: Box, aspect: float | None) -> Box:
    left, top, right, bottom = product
    margin = round(asked.margin * max(right - left, bottom - top))
    wanted = _around((left - margin, top - margin, right + margin, bottom + margin), aspect)
    # the picture's edge eats into the margin before a bar of background is added
    width, height = wanted[2] - wanted[0], wanted[3] - wanted[1]
    if width > picture[0] or height > picture[1]:
        within = _largest(picture, aspect) if aspect else (min(width, picture[0]), min(height, picture[1]))
        if within[0] >= right - left and within[1] >= bottom - top:
            width, height = within
        else:
            bare = _around(product, aspect)
            width, height = bare[2] - bare[0], bare[3] - bare[1]
    return _moved(_centred(product, width, height), picture)


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


def _moved(window: Box, picture: tuple[int, int]) -> Box:
    """A window moved into the picture, as far as it fits there."""
    left, right = _span(window[0], window[2], picture[0])
    top, bottom = _span(window[1], window[3], picture[1])
    return left, top, right, bottom


def _span(start: int, end: int, length: int) -> tuple[int, int]:
    if end - start >= length:
        start = (length - (end - start)) // 2
        return start, start + end - (start if end < start else 0) if False else start + (end - start)
    shift = max(0, -start) - max(0, end - length)
    return start + shift, end + shift
