"""sRGB, linear light, CIELAB: pictures are stored in the first, light adds up in the second, eyes see Lab.

The transfer function is IEC 61966-2-1's, piecewise as printed there. CIELAB is CIE 15's, under D65 and the
2 degree observer, whose white is that of sRGB.
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


# columns are X, Y, Z of a unit of red, green, blue, over those of the white, so that white is (1, 1, 1)
_TO_XYZ = np.array([[0.4124564, 0.2126729, 0.0193339], [0.3575761, 0.7151522, 0.1191920],
                    [0.1804375, 0.0721750, 0.9503041]])  # fmt: skip
_TO_XYZ /= _TO_XYZ.sum(0)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_EPSILON, _KAPPA = (6 / 29) ** 3, (29 / 3) ** 3


def to_lab(linear: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """CIELAB of linear RGB.

    Parameters
    ----------
    linear
        Linear light in sRGB's primaries, 0 to 1, shape (..., 3).

    Returns
    -------
    float64 (..., 3)
        Lightness 0 to 100, a, b.
    """
    xyz = np.asarray(linear, np.float64) @ _TO_XYZ
    f = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def from_lab(lab: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Linear RGB of CIELAB, shape (..., 3); below 0 or above 1 where sRGB cannot show the colour."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA)
    return np.asarray(xyz @ _FROM_XYZ)


def ciede2000(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Difference of two colours as eyes see it (CIE 142-2001, all three weights 1).

    About 1 is just seen side by side. The formula is as printed in Sharma, Wu and Dalal, "The CIEDE2000
    color-difference formula: implementation notes, supplementary test data, and mathematical observations",
    Color Research and Application 30 (2005).

    Parameters
    ----------
    one, other
        CIELAB, shapes (..., 3) that fit each other.

    Returns
    -------
    float64 (...)
    """
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(lab, np.float64), -1, 0) for lab in (one, other))
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * _saturation(chroma)
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    # a grey has no hue: then the other's counts, and there is no difference of hues
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    # (hues that lie opposite each other have two means; the formula takes this one)
    turn = np.where(~grey & (h2 - h1 == 180), 180.0, turn)
    apart = np.abs(h1 - h2) > 180
    hue = np.where(
        grey, h1 + h2, np.where(apart, (h1 + h2 + np.where(h1 + h2 < 360, 360, -360)) / 2, (h1 + h2) / 2)
    )

    light, pale = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    of_light = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    of_chroma, of_hue = 1 + 0.045 * pale, 1 + 0.015 * pale * t
    twist = np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    mixed = -np.sin(twist) * 2 * _saturation(pale)

    dl = (l2 - l1) / of_light
    dc = (c2 - c1) / of_chroma
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2) / of_hue
    return np.asarray(np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + mixed * dc * dh, 0)))


def _saturation(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    # the seventh power by products: a general power takes half of the formula's time
    cubed = chroma * chroma * chroma
    seventh = cubed * cubed * chroma
    return np.asarray(np.sqrt(seventh / (seventh + 25.0**7)))
