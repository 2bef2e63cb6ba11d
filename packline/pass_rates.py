"""Pass rates: how likely a shot's next candidate passes, learned from all that were judged before.

Shots differ: of some every candidate passes, of others none. So a shot's own rate p is taken as drawn from
Beta(m s, (1 - m) s): m is the mean over shots of a group, and s says how alike they are (small: each shot
passes always or never, so that a failure tells much). After k passes and f failures its next candidate passes
with probability (m s + k) / (s + k + f), in whichever order they came. Hence counts of tries and passes by
what the shot had seen before, k and f, are all that has to be remembered to learn m and s.

m and s are learned for an engine and a rung of the ladder from all shots of the catalog, on a grid; a group
(product type and LoRA stack) shrinks to that m as if it had been seen of `_SHOTS` shots already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

MOST_SEEN = 12
"""Passes and failures of a shot are told apart up to here."""

_SHOTS = 4.0
# what nobody has tried yet is worth trying: its mean is the catalog's, and a few failures unlearn that
_UNTRIED = 2.0

_MEANS = 1 / (1 + np.exp(-np.linspace(-5.5, 5.5, 45)))
_LIKENESS = np.geomspace(0.05, 20, 17)


@dataclass(frozen=True)
class Group:
    """Candidates that are expected to pass alike.

    Parameters
    ----------
    kind
        Product type (`packline.shots.kind_of`).
    style
        Its LoRA stack, in words.
    engine
        Name and weights (`engine_key`).
    rung
        Of the ladder; new seeds are no rung of their own.
    """

    kind: str
    style: str
    engine: str
    rung: str = ""


@dataclass(frozen=True)
class Seen:
    """How often a candidate was judged, and passed, of shots that had so many passes and failures before."""

    passes: int
    fails: int
    tried: int
    passed: int


@dataclass(frozen=True)
class Rate:
    """A shot's pass rate as Beta(passing, failing)."""

    passing: float
    failing: float

    @property
    def mean(self) -> float:
        """Probability that the next candidate passes."""
        return self.passing / (self.passing + self.failing)

    def after(self, passes: int, fails: int) -> Rate:
        """The same with what was seen of the shot itself."""
        return Rate(self.passing + passes, self.failing + fails)

    def at_least(self, need: int, tries: int) -> float:
        """Probability that of so many candidates at least `need` pass."""
        return 1.0 if need <= 0 else float(1 - _passes(self.passing, self.failing, tries)[:need].sum())


def engine_key(facts: Mapping[str, object]) -> str:
    """An engine's name and weights in short, from ``Engine.describe()`` or a recipe."""
    return f"{str(facts.get('name', ''))[:80]} {str(facts.get('weights_sha256', ''))[:12]}".strip()


@lru_cache(maxsize=4096)
def _passes(passing: float, failing: float, tries: int) -> NDArray[np.float64]:
    """Probability of each number of passes, 0 to `tries`: a beta-binomial, by Pólya's urn."""
    found = np.zeros(tries + 1)
    found[0] = 1.0
    for made in range(tries):
        seen = np.arange(made + 1)
        chance = (passing + seen) / (passing + failing + made)
        so_far = found[: made + 1].copy()
        found[: made + 1] = so_far * (1 - chance)
        found[1 : made + 2] += so_far * chance
    return found


def wave_size(rate: Rate, need: int, *, sure: float, worth: float, most: int, waves: int = 1) -> int:
    """How many candidates a wave should have.

    The fewest that bring enough are shared out over the waves that are left: a shot that gets there sooner
    needs no more of them.

    Parameters
    ----------
    rate
        The shot's.
    need
        Passing candidates that it still lacks.
    sure
        Probability with which the waves are to bring them; but no candidate is asked for that brings less
        than 1 / `worth` of a select.
    worth
        Candidates that another select may cost.
    most
        Largest wave.
    waves
        How many are left, this one included.

    Returns
    -------
    int
        0 where another select would be expected to cost more than it is worth.
    """
    chances = [rate.at_least(need, tries) for tries in range(most * waves + 1)]
    total = next((n for n in range(1, len(chances)) if chances[n] * worth >= n), 0)
    while (
        0 < total < most * waves
        and chances[total] < sure
        and (chances[total + 1] - chances[total]) * worth >= 1
    ):
        total += 1
    return min(-(-total // waves), most)


class PassRates:
    """What was learned.

    Parameters
    ----------
    seen
        By group.
    whole
        Of all groups together, by engine and rung.
    """

    def __init__(
        self, seen: Mapping[Group, Sequence[Seen]], whole: Mapping[tuple[str, str], Sequence[Seen]]
    ) -> None:
        self._seen = seen
        self._whole = whole
        self._rates: dict[tuple[Group, tuple[bool, ...]], Rate] = {}

    def of(self, group: Group, own: Sequence[bool] = ()) -> Rate:
        """A shot's rate.

        Parameters
        ----------
        own
            Whether each of the shot's own candidates of this engine and rung passed, in their order. They are
            among what was learned; they count once.
        """
        place = group, tuple(own)
        if place not in self._rates:
            history = _history(own)
            mean, alike, shots = self._start(group, history)
            found = _mean(_without(self._seen.get(group, ()), history), alike, mean, shots)
            fresh = Rate(found * alike, (1 - found) * alike)
            self._rates[place] = fresh.after(sum(own), len(own) - sum(own))
        return self._rates[place]

    def _start(self, group: Group, history: Sequence[Seen]) -> tuple[float, float, float]:
        """Mean and likeness of an engine's shots at a rung, and how many shots that counts for."""
        if cells := _without(self._whole.get((group.engine, group.rung), ()), history):
            return (*_mean_and_likeness(cells), _SHOTS)
        # whatever engine, as it was asked for at first
        first = [
            _without(cells, history if (engine, rung) == (group.engine, group.rung) else ())
            for (engine, rung), cells in sorted(self._whole.items())
            if not rung
        ]
        return (*_mean_and_likeness(tuple(chain(*first))), _UNTRIED)


def _history(own: Sequence[bool]) -> tuple[Seen, ...]:
    """What a shot's candidates have added to the counts."""
    before = [sum(own[:number]) for number in range(len(own))]
    return tuple(
        Seen(min(k, MOST_SEEN), min(number - k, MOST_SEEN), 1, int(passed))
        for number, (k, passed) in enumerate(zip(before, own, strict=True))
    )


def _without(cells: Sequence[Seen], history: Sequence[Seen]) -> tuple[Seen, ...]:
    """Counts less what one shot has added to them."""
    left = {(one.passes, one.fails): [one.tried, one.passed] for one in cells}
    for one in history:
        if (one.passes, one.fails) in left:
            counts = left[one.passes, one.fails]
            counts[0], counts[1] = max(counts[0] - 1, 0), max(counts[1] - one.passed, 0)
    return tuple(Seen(*place, n, min(k, n)) for place, (n, k) in sorted(left.items()) if n)


def _log_likelihood(
    cells: Sequence[Seen], mean: NDArray[np.float64], alike: NDArray[np.float64]
) -> NDArray[np.float64]:
    total = np.zeros(np.broadcast_shapes(mean.shape, alike.shape))
    for one in cells:
        chance = (mean * alike + one.passes) / (alike + one.passes + one.fails)
        total += one.passed * np.log(chance) + (one.tried - one.passed) * np.log1p(-chance)
    return total


@lru_cache(maxsize=4096)
def _mean_and_likeness(cells: tuple[Seen, ...]) -> tuple[float, float]:
    """What the posterior over the grid comes to."""
    mean, alike = _MEANS[:, None], _LIKENESS[None]
    # every mean is as probable at first (the grid is even in its log-odds); shots are thought unlike: with a
    # guide, another seed changes little
    weight = np.log(mean * (1 - mean)) - 0.25 * np.log(alike) + _log_likelihood(cells, mean, alike)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    # the likeness with which a second try is as probable to pass as the whole grid says
    second = float((weight * alike / (alike + 1)).sum())
    return float((weight * mean).sum()), second / (1 - second)


def _mean(cells: Sequence[Seen], alike: float, start: float, shots: float) -> float:
    """A group's mean, which begins at `start` as if that had been seen of so many shots."""
    weight = start * shots * np.log(_MEANS) + (1 - start) * shots * np.log1p(-_MEANS)
    weight = weight + _log_likelihood(cells, _MEANS, np.array(alike))
    weight = np.exp(weight - weight.max())
    return float((weight * _MEANS).sum() / weight.sum())
