"""Drift: whether candidates pass as often as they used to, on the whole and check by check.

A cumulative sum of log likelihood ratios over yes-or-no answers (Page, "Continuous inspection schemes",
Biometrika 41, 1954; for proportions: Reynolds and Stoumbos, "A CUSUM chart for monitoring a proportion when
inspecting continuously", Journal of Quality Technology 31, 1999) for the rate having fallen by `STEP`, and
another for its having risen: a fall costs tries, a rise may be a check that has gone blind.

The usual rate is not known but learnt: from the first `BASELINE` candidates and from all later ones up to
where the sum last left nought. Since it is uncertain, it is taken one standard error towards the change.

With these numbers a rate of 0.7 that does not change gives a false alarm every 4,000 candidates or so; a fall
to 0.6 is seen after 180 (median), to 0.5 after 70 (tests/test_drift.py measures that).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from packline.records import Judgement
from packline.scorecard import Verdict

BASELINE = 200
STEP = 0.10
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
        what = f"{self.name.replace('_', ' ')}: the pass rate" if self.name else "The pass rate"
        words = (
            f"{what} {self.change} from {self.usual:.0%} to {self.recent:.0%} over the last "
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
    if drifting[0].name or not names:
        return first
    return f"{first[:-1]} (most of it in {' and '.join(names)})."


def _watch(name: str, answers: Sequence[bool], runs: Sequence[str], limit: float) -> Watch:
    fell, from_fall = cusum(answers, -1, limit)
    rose, from_rise = cusum(answers, 1, limit)
    count = len(answers)
    change, since = "", count
    if fell and fell[-1] >= limit:
        change, since = "fell", from_fall
    elif rose and rose[-1] >= limit:
        change, since = "rose", from_rise
    recent = answers[since:] if change else answers[-SMOOTH:]
    before = answers[:since]
    return Watch(
        name,
        count,
        sum(before) / len(before) if before else 0.0,
        sum(recent) / len(recent) if recent else 0.0,
        tuple(fell),
        tuple(rose),
        limit,
        change,
        since,
        runs[since] if since < count else "",
        tuple(answers),
    )


def cusum(answers: Sequence[bool], side: int, limit: float) -> tuple[list[float], int]:
    """The cumulative sum after each answer, and where its present run from nought began.

    Parameters
    ----------
    side
        -1 looks for a fall of the rate, 1 for a rise.

    Returns
    -------
    sums, start
        `start` is the most likely moment of the change: the first answer that added to the present sum.
    """
    sums, total, start, passed = [], 0.0, 0, 0
    up = down = 0.0
    for number, answer in enumerate(answers):
        if number >= BASELINE:
            if total == 0.0:
                # all up to here is the usual
                up, down = _ratios(passed, number, side)
                start = number
            total = min(max(0.0, total + (up if answer else down)), CEILING * limit)
        sums.append(total)
        passed += answer
    return sums, start


def _ratios(passed: int, of: int, side: int) -> tuple[float, float]:
    """What a pass and a failure add: the logarithm of how much likelier the changed rate makes them."""
    rate = (passed + 1) / (of + 2)
    usual = rate + side * math.sqrt(rate * (1 - rate) / of)
    usual = min(0.97, max(0.03, usual))
    changed = min(0.985, max(0.015, usual + side * STEP))
    return math.log(changed / usual), math.log((1 - changed) / (1 - usual))
