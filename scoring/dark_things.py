"""Dark things that lie in the product's shadow, where the ground may honestly be as dark as they are.

How dark a place is does not tell a thing from a shadow; how it hangs together does. A shadow is darkest at
the product's foot and in broad bodies, and grows fainter from there: whatever is dark in it is reached from
the product or from such a body without crossing anything lighter. A thing is a dark island. Morphological
reconstruction (Vincent 1993, doi:10.1109/83.217222) keeps all that is reached so; what stands above it is a
thing, unless the truth's own shadow has such islands (a handle's, a slatted back's).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.ground import DARKER, EDGE, LENGTHS, LUMA, TURNS, Ground
from scoring.style import SMALL

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

# small pixels: a dark place as wide as this both ways is a body of shadow
_BODY = 31
# small pixels by which an island of the truth's shadow may lie elsewhere
_REACH = 5
# small pixels beyond `EDGE` in which the shadow at the product's foot begins
_RIM = 2.0
# natural logarithm of darkening from which a place may lie in a shadow; what is lighter is `unexplained`'s
_SHADED = 0.03
# keeps the logarithm of dark places finite, grey levels; more would make pale specks of the ground darker
# than what lies around them
_BLACK = 2.0
_NEIGHBOURS = np.ones((3, 3), np.uint8)


def dark_things(ground: Ground, least: float) -> Floats:
    """Grey levels by which each place in the shadow is darker than any shadow that hangs together.

    Parameters
    ----------
    least
        Less is not looked into; it is 0 where nothing reaches this.

    Returns
    -------
    float32 (256, 256)
        0 on the product, within `EDGE` of its outline and where no honest shadow falls.
    """
    found = np.zeros((SMALL, SMALL), np.float32)
    rows, columns = (np.flatnonzero((ground.possible > _SHADED).any(axis)) for axis in (1, 0))
    if not len(rows):
        return found
    here = (
        slice(max(0, rows[0] - _BODY), rows[-1] + _BODY),
        slice(max(0, columns[0] - _BODY), columns[-1] + _BODY),
    )
    seen, wanted = (
        cv2.GaussianBlur(picture[here] @ LUMA, (0, 0), 0.8) + _BLACK
        for picture in (ground.picture, ground.expected)
    )
    dark = np.log(wanted / seen).astype(np.float32)
    away = ground.away[here]
    free = np.asarray(away > EDGE)
    foot = DARKER * cv2.dilate(ground.shade, _NEIGHBOURS)[here]
    rim = np.where(away <= EDGE + _RIM, foot, -1)
    shaded = free & (ground.possible[here] > _SHADED)
    shadow = _hanging_together(dark, free, foot, rim)
    levels = np.where(shaded, wanted * (np.exp(-shadow) - np.exp(-dark)), 0)
    # most pictures end here: the truth's own islands take the time
    if float(levels.max()) < least:
        return found
    islands = np.zeros_like(dark)
    for turn in TURNS:
        for length in LENGTHS:
            own = ground.turned(turn, length)[here]
            cv2.max(islands, np.where(free, own - _hanging_together(own, free, foot, rim), 0), dst=islands)
    shadow += DARKER * cv2.dilate(islands, np.ones((_REACH, _REACH), np.uint8))
    found[here] = np.where(shaded, np.maximum(wanted * (np.exp(-shadow) - np.exp(-dark)), 0), 0)
    return found


def _hanging_together(dark: Floats, free: Bools, hidden: Floats, rim: Floats) -> Floats:
    """What of a darkening is reached from its broad bodies, or from the product, without a lighter place.

    Parameters
    ----------
    dark
        Natural logarithm, float32 (H, W).
    free
        Where the ground is seen.
    hidden
        How dark the ground may be where it is not: what touches the product is no broad body for that.
    rim
        How dark it may be for the product's own sake, where its shadow begins.
    """
    window = np.ones((_BODY, _BODY), np.uint8)
    broad = cv2.morphologyEx(np.where(free, dark, hidden).astype(np.float32), cv2.MORPH_OPEN, window)
    limit = np.where(free, dark, np.float32(-1)).astype(np.float32)
    reached = np.minimum(np.maximum(broad, rim), limit).astype(np.float32)
    while True:
        grown = reached
        for _ in range(4):
            grown = np.minimum(cv2.dilate(grown, _NEIGHBOURS), limit)
        if np.array_equal(grown, reached):
            return np.maximum(grown, 0)
        reached = grown
