"""sRGB and linear light: pictures are stored in the first, light adds up in the second.

The transfer function is IEC 61966-2-1's, piecewise as printed there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def _decode(encoded: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    low = encoded / 12.92
    high = ((np.maximum(encoded, 0) + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, low, high)


def _encode(linear: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    high = 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, high)


_FROM_BYTE = _decode(np.arange(256) / 255.0).astype(np.float32)
# 16 bits are enough that a byte's round trip is exact: the steepest step of the curve is 12.92
_TO_BYTE = np.round(_encode(np.arange(65536) / 65535.0) * 255).astype(np.uint8)


def to_linear(picture: NDArray[np.uint8] | NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Linear light of an sRGB picture.

    Parameters
    ----------
    picture
        uint8 0 to 255, or floats 0 to 1; any shape.

    Returns
    -------
    float32, same shape; 0 is black, 1 is white.
    """
    if picture.dtype == np.uint8:
        return _FROM_BYTE[picture]
    return _decode(picture).astype(np.float32)  # type: ignore[arg-type]


def to_srgb(linear: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """sRGB bytes of linear light, any shape; values outside 0 to 1 are clipped."""
    return np.asarray(_TO_BYTE[(np.clip(linear, 0, 1) * 65535 + 0.5).astype(np.uint16)])
