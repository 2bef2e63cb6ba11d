"""Choice: which of a shot's candidates is the best, and which shows something else than its siblings do.

The ranking is stated, so that a person can follow it: the candidate whose weakest check is strongest, among
equals the one whose checks are stronger on the mean, among equals the one that was made first (it strays
least from what was asked). A check counts by its margin: how far its score lies over its own threshold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture
from packline.scorecard import Scorecard, Verdict

Floats = NDArray[np.float32]

# cells on a side
_DESCRIPTOR = 12
SAME = 1.0
"""Distance of two descriptors below which both pictures are practically the same.

Measured on 9 placements of the demo's catalogue with the embedded editor at 1024 px: two seeds of the same
request lie 0.16 to 0.95 apart (27 pairs, median 0.41), two candidates that stray on purpose 0.91 to 5.96 (108
pairs, median 2.25).
"""


def standing(card: Scorecard | None) -> tuple[int, float, float]:
    """Where a candidate stands among a shot's: compares as tuples do, larger is better.

    Returns
    -------
    tuple
        3 where it passed, 2 where nothing failed but something cannot be told, 1 where something failed, 0
        where it was not scored; then the least margin of its checks, then their mean margin.
    """
    if card is None:
        return 0, -1.0, -1.0
    margins = [result.margin for result in card.results if result.verdict != Verdict.NOT_APPLICABLE]
    kind = 3 if card.passed else 2 if card.undecided else 1
    return kind, min(margins, default=-1.0), sum(margins) / len(margins) if margins else -1.0


@dataclass(frozen=True)
class Nearest:
    """Of the selects that a candidate's siblings have, the one that looks most like it.

    Parameters
    ----------
    number
        Which picture of the placement that is.
    distance
        Root mean square difference in CIELAB, on the grid of `descriptor`.
    """

    number: int
    distance: float

    @property
    def same(self) -> bool:
        """Whether both show practically the same picture."""
        return self.distance < SAME


def nearest(look: Floats, others: Mapping[int, Floats]) -> Nearest:
    """The sibling that looks most like a picture.

    Parameters
    ----------
    look
        `descriptor` of the picture.
    others
        Those of the siblings' selects, by the picture's number; not empty.
    """
    return min(
        (Nearest(number, float(np.linalg.norm(look - other))) for number, other in others.items()),
        key=lambda one: one.distance,
    )


def choose(cards: Sequence[Scorecard | None], near: Sequence[Nearest | None]) -> int:
    """Choose one of a shot's candidates.

    Where the placement has other pictures already it is the one that lies farthest from all of them, so that
    picture by picture the placement is spread out (farthest-point traversal: Gonzalez, "Clustering to
    minimize the maximum intercluster distance", 1985); among equals, and where there are none, the best.

    Parameters
    ----------
    near
        For each candidate the sibling that looks most like it; None where there is none to compare with.

    Returns
    -------
    int
        Its index; among equals the earlier one's.
    """
    apart = [math.inf if one is None else one.distance for one in near]
    return max(range(len(cards)), key=lambda i: (apart[i], standing(cards[i])))


def descriptor(picture: Picture) -> Floats:
    """A picture in few numbers: CIELAB on a coarse grid, so that distances are differences of colour.

    Parameters
    ----------
    picture
        sRGB, uint8 (H, W, 3).

    Returns
    -------
    float32 (432,)
        The distance of two descriptors is the root mean square difference of their cells in CIELAB.
    """
    small = cv2.resize(picture, (_DESCRIPTOR, _DESCRIPTOR), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(lab.ravel() / _DESCRIPTOR, np.float32)
