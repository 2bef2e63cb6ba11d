"""Heat maps as pictures that can lie over a candidate: clear where all is well, red where it is wrong."""

from __future__ import annotations

import base64
import binascii

import cv2
import numpy as np
from markupsafe import Markup

# signal red, sRGB; opaque enough to see, not so much that what is wrong disappears under it
_RED = (255, 40, 20)
_MOST = 0.72
# longest side in pixels: a map is smooth, and a report holds hundreds
_EDGE = 160


def heat_uri(data: object) -> Markup:
    """A heat map's grey PNG as a red overlay.

    Parameters
    ----------
    data
        PNG in base64, 255 is certainly wrong, as `packline.scorecard.Evidence` holds it.

    Returns
    -------
    Markup
        ``data:image/png;base64,...``; empty where it is no picture.
    """
    try:
        raw = np.frombuffer(base64.b64decode(str(data), validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return Markup("")
    grey = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE) if raw.size else None
    if grey is None:
        return Markup("")
    scale = min(1.0, _EDGE / max(grey.shape))
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    overlay = np.empty((*grey.shape, 4), np.uint8)
    overlay[..., :3] = _RED[::-1]
    # the square root lifts weak signs into sight
    overlay[..., 3] = np.round(255 * _MOST * np.sqrt(grey / 255)).astype(np.uint8)
    _, png = cv2.imencode(".png", overlay, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return Markup("data:image/png;base64," + base64.b64encode(png.tobytes()).decode())
