"""Heat maps as pictures that can lie over a candidate: clear where all is well, red where it is wrong."""

from __future__ import annotations

import base64
import binascii

import cv2
import numpy as np
from markupsafe import Markup

from packline.reference import Picture

# signal red, sRGB; opaque enough to see, not so much that what is wrong disappears under it
_RED = (255, 40, 20)
_MOST = 0.72
# where more is wrong than right ends here
_EDGE_COLOUR = (255, 244, 120)
# longest side in pixels: a map is smooth, and a report holds hundreds
_EDGE = 160


def grey_map(data: object) -> Picture | None:
    """A heat map's pixels.

    Parameters
    ----------
    data
        PNG in base64, 255 is certainly wrong, as `packline.scorecard.Evidence` holds it.

    Returns
    -------
    Picture or None
        Grey, uint8 (H, W); None where it is no picture.
    """
    try:
        raw = np.frombuffer(base64.b64decode(str(data), validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return None
    grey = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE) if raw.size else None
    return None if grey is None else np.asarray(grey, np.uint8)


def tinted(grey: Picture) -> Picture:
    """A grey map as red of varying opacity, uint8 (H, W, 4), blue first as OpenCV has it."""
    overlay = np.empty((*grey.shape, 4), np.uint8)
    overlay[..., :3] = _RED[::-1]
    # the square root lifts weak signs into sight
    overlay[..., 3] = np.round(255 * _MOST * np.sqrt(grey / 255)).astype(np.uint8)
    return overlay


def heat_uri(data: object) -> Markup:
    """A heat map's grey PNG as a red overlay.

    Parameters
    ----------
    data
        See `grey_map`.

    Returns
    -------
    Markup
        ``data:image/png;base64,...``; empty where it is no picture.
    """
    grey = grey_map(data)
    if grey is None:
        return Markup("")
    scale = _EDGE / max(grey.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = [max(1, round(side * scale)) for side in grey.shape[::-1]]
    grey = np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)
    overlay = tinted(grey)
    # an edge, since red does not show on a red product
    edges, _ = cv2.findContours((grey > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(overlay, edges, -1, (*_EDGE_COLOUR[::-1], 255), 1)
    _, png = cv2.imencode(".png", overlay, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return Markup("data:image/png;base64," + base64.b64encode(png.tobytes()).decode())
