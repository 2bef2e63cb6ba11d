"""Pass rates over time as SVG paths in a space of 600 by 120 units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from packline.drift import SMOOTH, Watch

WIDTH, HEIGHT = 600.0, 120.0
_POINTS = 300


@dataclass(frozen=True)
class RatePlot:
    """One pass rate over a catalog's candidates.

    Parameters
    ----------
    rate
        Path of the rate over the last `SMOOTH` candidates.
    usual
        Height of the usual rate.
    change
        Where the rate is said to have changed; None where it has not.
    words
        For who cannot see it.
    """

    name: str
    rate: str
    usual: float
    change: float | None
    words: str
    sentence: str


def rate_plot(watch: Watch) -> RatePlot:
    """Draw a rate; 0 lies at the bottom, 1 at the top."""
    answers = np.asarray(watch.answers, float)
    window = min(SMOOTH, len(answers))
    sums = np.concatenate([[0.0], np.cumsum(answers)])
    rates = (sums[window:] - sums[:-window]) / window
    # each value stands at the last candidate of its window
    places = np.arange(window, len(answers) + 1) / len(answers) * WIDTH
    keep = np.unique(np.linspace(0, len(rates) - 1, min(_POINTS, len(rates))).astype(int))
    points = [f"{places[i]:.1f} {_height(rates[i]):.1f}" for i in keep]
    change = watch.since / watch.of * WIDTH if watch.change else None
    words = f"pass rate over {watch.of} candidates, usually {watch.usual:.0%}, now {watch.recent:.0%}"
    return RatePlot(watch.name, "M" + "L".join(points), _height(watch.usual), change, words, watch.sentence)


def rate_plots(watches: Sequence[Watch]) -> list[RatePlot]:
    """The whole scorecard's rate, and those of checks that drift; none where too little is known."""
    return [rate_plot(one) for one in watches if one.known and (not one.name or one.change)]


def _height(rate: float) -> float:
    return round(4 + (1 - float(rate)) * (HEIGHT - 8), 1)
