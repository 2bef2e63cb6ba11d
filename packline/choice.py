"""Choice: which of a shot's candidates is the best, and which others show something else.

The ranking is stated, so that a person can follow it: the candidate whose weakest check is strongest, among
equals the one whose checks are stronger on the mean, among equals the one that was made first (it strays
least from what was asked). A check counts by its margin: how far its score lies over its own threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture
from packline.scorecard import Scorecard, Verdict

Floats = NDArray[np.float32]

# cells on a side
_DESCRIPTOR = 12


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


def ranked(cards: Sequence[Scorecard | None]) -> list[int]:
    """Indices of candidates, best first; among equals the earlier one."""
    return sorted(range(len(cards)), key=lambda i: standing(cards[i]), reverse=True)


def choose(cards: Sequence[Scorecard | None], wanted: int, descriptors: NDArray[np.floating]) -> list[int]:
    """Choose several candidates that pass and do not look alike.

    The first is the best by `ranked`; each further one is the passing candidate that lies farthest from all
    chosen so far (farthest-point traversal: Gonzalez, "Clustering to minimize the maximum intercluster
    distance", 1985), the better one among equals.

    Parameters
    ----------
    wanted
        How many are owed.
    descriptors
        One row a candidate, shape (n, d); see `descriptor`.

    Returns
    -------
    list of int
        Indices in the order in which they were chosen; fewer than `wanted` where fewer pass.
    """
    waiting = [i for i in ranked(cards) if standing(cards[i])[0] == 3]
    if len(descriptors) != len(cards):
        raise ValueError(f"{len(cards)} candidates have {len(descriptors)} descriptors")
    chosen = waiting[:1]
    del waiting[:1]
    while waiting and len(chosen) < wanted:
        apart = [min(float(np.linalg.norm(descriptors[i] - descriptors[j])) for j in chosen) for i in waiting]
        chosen.append(waiting.pop(int(np.argmax(apart))))
    return chosen[: max(wanted, 0)]


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
