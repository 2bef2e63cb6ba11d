"""One well-ranked score for a label from all that is known about it: what is read, how it looks and differs.

The table was fitted by ``training/verifier_combine.py`` on labels in whole pictures that went through the
complete check: a logistic sum of bounded measures, then small trees that see how they depend on one another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.errors import FixSettings

Floats = NDArray[np.float64]

TABLE = Path(__file__).parent.parent / "assets" / "models" / "checks" / "verifier" / "text_score.json"
#: What is known of a label; each is bounded before use. Larger is better but for the last ones.
MEASURES: dict[str, tuple[float, float]] = {
    "alike": (-8.0, 8.0),  # the verifier's log odds
    "worst_place": (-8.0, 8.0),  # minus its log odds at the place that differs most
    "look": (-0.2, 1.0),  # correlation with the render's own label
    "weakest": (-0.6, 1.0),  # the same at the worst letter
    "margin": (-0.6, 0.6),  # of the look over the look of any other way round
    "heard": (
        -6.0,
        0.0,
    ),  # log likelihood a letter that the recogniser gives the string, against the render's
    "letter": (-9.0, 0.0),  # the same for the least likely letter
    "surplus": (-9.0, 0.0),  # for a letter too many
    "heard_margin": (-4.0, 4.0),  # of the likelihood over that of any other way round
    "readable": (0.0, 1.0),  # whether the recogniser reads the render
    "height": (2.0, 4.6),  # natural log of the text's height in pixels
    "letters": (0.0, 16.0),
    "self_look": (-0.2, 1.0),  # how much the render looks like itself another way round
}


@dataclass(frozen=True)
class Table:
    """Plain numbers that turn measures into a score.

    Parameters
    ----------
    weights, bias
        Of the logistic sum over `MEASURES`, each scaled to 0 to 1.
    trees
        Each ``{"measure": [...], "level": [...], "value": [...]}``: a full binary tree, its inner nodes
        breadth first (a measure at or over the level goes right), then its leaves.
    """

    weights: Floats
    bias: float
    trees: tuple[tuple[NDArray[np.int64], Floats, Floats], ...]

    def odds(self, measures: Floats) -> Floats:
        """Log odds that labels are right, (N,), from measures (N, M) in the order of `MEASURES`."""
        scaled = self.scaled(measures)
        total = scaled @ self.weights + self.bias
        rows = np.arange(len(scaled))
        for measure, level, value in self.trees:
            at = np.zeros(len(scaled), np.int64)
            while len(at) and at[0] < len(measure):
                at = 2 * at + 1 + (scaled[rows, measure[at]] >= level[at])
            total = total + value[at - len(measure)]
        return np.asarray(total, np.float64)

    @staticmethod
    def scaled(measures: Floats) -> Floats:
        """Measures bounded and brought to 0 to 1."""
        low, high = np.array(list(MEASURES.values())).T
        return np.asarray(np.clip((measures - low) / (high - low), 0.0, 1.0), np.float64)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Table:
        """Read what `training/verifier_combine.py` writes."""
        trees = tuple(
            (np.asarray(tree["measure"], np.int64), np.asarray(tree["level"]), np.asarray(tree["value"]))
            for tree in data["trees"]
        )
        return Table(np.asarray(data["weights"], float), float(data["bias"]), trees)


def score_of(odds: Floats) -> Floats:
    """Log odds as a score from 0 to 1 that never sticks at its ends: 0.5 at even odds."""
    return np.asarray(0.5 + 0.5 * odds / (4.0 + np.abs(odds)), np.float64)


@lru_cache(maxsize=1)
def table() -> Table:
    """The fitted table.

    Raises
    ------
    FixSettings
        Where its file is missing or holds other measures.
    """
    if not TABLE.is_file():
        raise FixSettings(f"The table {TABLE} is missing; take it from the repository.")
    data = json.loads(TABLE.read_text())
    if data.get("measures") != list(MEASURES):
        raise FixSettings(
            f"The table {TABLE} was fitted for other measures; "
            "fit it anew with `python -m training.verifier_combine fit`."
        )
    return Table.from_dict(data)
