"""Drift: whether candidates pass as often as they used to, on the whole and check by check.

A cumulative sum of log likelihood ratios over yes-or-no answers (Page, "Continuous inspection schemes",
Biometrika 41, 1954; for proportions: Reynolds and Stoumbos, "A CUSUM chart for monitoring a proportion when
inspecting continuously", Journal of Quality Technology 31, 1999) for the rate having fallen by `STEP`, and
another for its having risen: a fall costs tries, a rise may be a check that has gone blind. Where little more
room than a step is left, or less (above 0.77 for a rise, below 0.23 for a fall), the step is that which
halves the odds of what becomes rarer: a rise from 0.9 is one to 0.947.

The usual rate is not known but learnt: from the first `BASELINE` candidates and from all later ones up to
where the sum last left nought. Since it is uncertain, it is taken one standard error towards the change, and
half as much again where the step is on the odds: a few failures more or less are much of the few there are.

With these numbers a rate of 0.7 that does not change gives a false alarm every 4,000 candidates or so; a fall
to 0.6 is seen after 200 (median), to 0.5 after 70 (tests/test_drift.py measures that).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from packline.records import Judgement
from packline.scorecard import Verdict

BASELINE = 200
STEP = 0.10
# standard errors by which the usual rate is taken towards the change
SURE, SURE_OF_ODDS = 1.0, 1.5
# the sum from which the rate is said to have changed; more for single checks, of which there are some ten
LIMIT, LIMIT_OF_CHECK = 5.0, 7.0
# a line that is well again says so soon: the sum never has further to fall than this
CEILING = 1.5
# candidates further back than this say nothing about today
WINDOW = 4000
# rates are shown over this many candidates
SMOOTH = 50


@dataclass(frozen=True)
class Watch:
    """One rate over time.

    Parameters
    ----------
    name
        A check's, or empty for the whole scorecard.
    of
        Candidates that were judged.
    usual, recent
        The pass rate before the change (or up to now), and since it (or of the last `SMOOTH`).
    fell, rose
        The two sums after each candidate; 0 during the baseline.
    limit
        The sum from which the rate is said to have changed.
    change
        "fell", "rose" or empty.
    since
        Index of the first candidate after the change; `of` where there is none.
    run
        The run that made that candidate.
    """

    name: str
    of: int
    usual: float
    recent: float
    fell: tuple[float, ...]
    rose: tuple[float, ...]
    limit: float
    change: str
    since: int
    run: str
    answers: tuple[bool, ...]

    @property
    def known(self) -> bool:
        """Whether there are enough candidates to say anything."""
        return self.of > BASELINE

    @property
    def sentence(self) -> str:
        """What changed, for ops; empty where nothing did."""
        if not self.change:
            return ""
        words = (
            f"The pass rate {self.change} from {self.usual:.0%} to {self.recent:.0%} over the last "
            f"{self.of - self.since} candidates, since run {self.run}"
        )
        if self.change == "rose":
            return f"{words}; look at some selects, for a check may have gone blind."
        return f"{words}; look at what changed in the models, the engine or the catalogue since."


def watch(history: Sequence[Judgement]) -> list[Watch]:
    """Look for drift in a catalog's candidates.

    Parameters
    ----------
    history
        All candidates that were judged by the same checks, in the order in which they were made.

    Returns
    -------
    list of Watch
        The whole scorecard first, then each check in the scorecards' order. Candidates to which a check does
        not apply are left out of its own.
    """
    history = history[-WINDOW:]
    found = [_watch("", [one.passed for one in history], [one.run for one in history], LIMIT)]
    for name in dict.fromkeys(name for one in history for name in one.verdicts):
        told = [
            one for one in history if one.verdicts.get(name, Verdict.NOT_APPLICABLE) != Verdict.NOT_APPLICABLE
        ]
        if told:
            passed = [one.verdicts[name] == Verdict.PASS for one in told]
            found.append(_watch(name, passed, [one.run for one in told], LIMIT_OF_CHECK))
    return found


def drift_sentence(watches: Sequence[Watch]) -> str:
    """All that drifts in one sentence: the whole scorecard's where it does, with the checks behind it."""
    drifting = [one for one in watches if one.change]
    if not drifting:
        return ""
    names = [one.name.replace("_", " ") for one in drifting if one.name]
    first = drifting[0].sentence
    if drifting[0].name:
        # the scorecard as a whole is as it was
        return f"{names[0]}: t{first[1:]}"
    return f"{first[:-1]} (most of it in {' and '.join(names)})." if names else first


def _watch(name: str, answers: Sequence[bool], runs: Sequence[str], limit: float) -> Watch:
    fall, rise = cusums(answers, limit)
    count = len(answers)
    side = next((one for one in (fall, rise) if one.sums and one.sums[-1] >= limit), None)
    since = count if side is None else side.start
    recent = answers[-SMOOTH:] if side is None else answers[since:]
    return Watch(
        name,
        count,
        (side or fall).usual if count > BASELINE else sum(answers) / count if count else 0.0,
        sum(recent) / len(recent) if recent else 0.0,
        tuple(fall.sums),
        tuple(rise.sums),
        limit,
        "" if side is None else side.words,
        since,
        runs[since] if since < count else "",
        tuple(answers),
    )


@dataclass
class Side:
    """A cumulative sum for a change in one direction.

    Parameters
    ----------
    sign
        -1 looks for a fall of the rate, 1 for a rise.
    sums
        Its value after each answer.
    start
        The first answer that added to the present sum: the most likely moment of the change.
    usual
        The rate that it compares with.
    alarmed
        Whether the present sum has reached the limit.
    """

    sign: int
    words: str
    sums: list[float]
    total: float = 0.0
    start: int = 0
    usual: float = 0.0
    alarmed: bool = False
    steps: tuple[float, float] = (0.0, 0.0)


def cusums(answers: Sequence[bool], limit: float) -> tuple[Side, Side]:
    """The sums for a fall and for a rise after all answers; 0 during the baseline."""
    passed = [0, *accumulate(int(answer) for answer in answers)]
    sides = Side(-1, "fell", []), Side(1, "rose", [])
    # spells in which the rate had changed, and which are therefore not usual
    spells: list[tuple[int, int]] = []
    for number, answer in enumerate(answers):
        for side in sides:
            if number >= BASELINE:
                if side.total == 0.0:
                    if side.alarmed:
                        spells.append((side.start, number))
                        side.alarmed = False
                    running = [(one.start, number) for one in sides if one.alarmed]
                    side.start, side.usual = number, _usual(passed, number, [*spells, *running])
                    side.steps = _steps(side.usual, number, side.sign)
                step = side.steps[0] if answer else side.steps[1]
                side.total = min(max(0.0, side.total + step), CEILING * limit)
                side.alarmed |= side.total >= limit
            side.sums.append(side.total)
    return sides


def _usual(passed: Sequence[int], number: int, spells: Sequence[tuple[int, int]]) -> float:
    """The rate up to an answer, without the spells; never quite 0 or 1."""
    of = number - sum(end - start for start, end in spells)
    good = passed[number] - sum(passed[end] - passed[start] for start, end in spells)
    return (good + 1) / (of + 2)


def _steps(rate: float, of: int, sign: int) -> tuple[float, float]:
    """What a pass and a failure add: the logarithm of how much likelier the changed rate makes them."""
    allowed = SURE if _step(rate, sign) == STEP else SURE_OF_ODDS
    usual = rate + sign * allowed * math.sqrt(rate * (1 - rate) / of)
    if not 0 < usual < 1:
        # all of them passed, or none: no rate lies beyond that
        return 0.0, 0.0
    changed = usual + sign * _step(usual, sign)
    return math.log(changed / usual), math.log((1 - changed) / (1 - usual))


def _step(rate: float, sign: int) -> float:
    """How far the changed rate lies from a usual one: `STEP`, or where that halves the odds, if nearer."""
    # a rise can take no more than the failures, a fall no more than the passes
    left = 1 - rate if sign > 0 else rate
    return min(STEP, left - left / (2 - left))
