"""How far the checks agree with people, and which of two kinds of pictures people prefer.

Intervals are Wilson's ("Probable inference, the law of succession, and statistical inference", Journal of the
American Statistical Association 22, 1927) with 95 % confidence: they hold for few decisions as well, and at
rates of 0 and 1.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from packline.scorecard import Verdict

Z = 1.959963984540054
"""Standard errors to either side that hold 95 %."""
LEAST = 10
"""Decisions for, and as many against, before a threshold is suggested, or a group's win rate shown."""


@dataclass(frozen=True)
class Rate:
    """How often something was so, and where the true rate lies with 95 % confidence (Wilson's interval)."""

    times: int
    of: int

    @property
    def rate(self) -> float:
        """0 to 1; 0 where there is nothing."""
        return self.times / self.of if self.of else 0.0

    @property
    def low(self) -> float:
        """The interval's lower end."""
        return self._interval()[0]

    @property
    def high(self) -> float:
        """The interval's upper end."""
        return self._interval()[1]

    def _interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        n, rate, square = self.of, self.rate, Z * Z
        middle = (rate + square / (2 * n)) / (1 + square / n)
        half = Z / (1 + square / n) * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
        # where all or none were so the interval ends there, whatever rounding makes of it
        low = 0.0 if self.times == 0 else max(0.0, middle - half)
        high = 1.0 if self.times == n else min(1.0, middle + half)
        return low, high


def sign_test(wins: int, of: int) -> float:
    """The probability that a fair coin divides `of` throws at least as unevenly; exact, two-sided."""
    fewer = min(wins, of - wins)
    tail = sum(math.comb(of, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**of))


@dataclass(frozen=True)
class Said:
    """A person's decision on a candidate that stands, with what the checks had said.

    Parameters
    ----------
    decision
        "approve" or "reject".
    tags
        Checks whose business the fault is, as the person said.
    scores
        ``{"score", "threshold", "verdict", "version"}`` by check.
    """

    id: int
    catalog: str
    shot: str
    candidate: str
    decision: str
    by: str
    words: str
    recorded: datetime
    tags: tuple[str, ...]
    scores: Mapping[str, Mapping[str, object]]

    @property
    def approved(self) -> bool:
        """Whether the person took the picture."""
        return self.decision == "approve"


@dataclass(frozen=True)
class Suggestion:
    """The threshold that would have agreed best with people.

    Parameters
    ----------
    agrees, agreed
        With how many decisions it would have agreed, and with how many the present threshold does.
    freed, freed_wrongly
        What fails now and would pass: pictures that people approved, and that they rejected for this check.
    held, held_wrongly
        What passes now and would fail: pictures that people rejected for this check, and that they approved.
    """

    threshold: float
    present: float
    of: int
    agrees: int
    agreed: int
    freed: int
    freed_wrongly: int
    held: int
    held_wrongly: int

    @property
    def better(self) -> bool:
        """Whether it agrees with more decisions than chance would bring (`sign_test`, 5 %)."""
        right, wrong = self.freed + self.held, self.freed_wrongly + self.held_wrongly
        return right > wrong and sign_test(right, right + wrong) <= 0.05


@dataclass(frozen=True)
class CheckAgreement:
    """One check against people, at its latest version.

    Parameters
    ----------
    decisions, older
        Those in which it judged with this version, and with an older one (left out).
    rejections
        How often people upheld it where it failed a picture: rejected for it, of those rejected for it or
        approved all the same.
    elsewhere
        Pictures that it failed and people rejected without naming it; nothing is known of those.
    misses
        How often people rejected a picture for it that it had passed.
    doubts
        How often people approved where it could not tell.
    good, bad
        Scores of pictures that people approved, and rejected for this check.
    suggestion
        None where there are too few of either.
    """

    check: str
    version: str
    decisions: int
    older: int
    rejections: Rate
    elsewhere: int
    misses: Rate
    doubts: Rate
    good: int
    bad: int
    suggestion: Suggestion | None

    @property
    def more(self) -> tuple[int, int]:
        """How many more pictures must be approved, and rejected for this check, before one is suggested."""
        return max(0, LEAST - self.good), max(0, LEAST - self.bad)


def agreement(decisions: Sequence[Said]) -> list[CheckAgreement]:
    """Every check against people; the one that people overrule most often comes first.

    Parameters
    ----------
    decisions
        The latest first.
    """
    versions: dict[str, str] = {}
    for one in decisions:
        for name, said in one.scores.items():
            versions.setdefault(name, str(said["version"]))
    found = [_agreement(name, version, decisions) for name, version in versions.items()]
    return sorted(found, key=lambda one: (-(one.rejections.of - one.rejections.times), one.check))


def _agreement(name: str, version: str, decisions: Sequence[Said]) -> CheckAgreement:
    counts: Counter[tuple[str, str]] = Counter()
    good: list[float] = []
    bad: list[float] = []
    threshold, judged, older = None, 0, 0
    for one in decisions:
        said = one.scores.get(name)
        if said is None:
            continue
        if str(said["version"]) != version:
            older += 1
            continue
        judged += 1
        verdict, score, level = str(said["verdict"]), _number(said["score"]), _number(said["threshold"])
        threshold = level if threshold is None else threshold
        kind = "approved" if one.approved else "named" if name in one.tags else "other"
        # who rejects without a reason says nothing of any check
        counts[verdict, kind if one.approved or one.tags else "silent"] += 1
        if verdict in (Verdict.PASS, Verdict.FAIL) and kind != "other":
            # a failure that its score does not show fails at every threshold
            shown = -1.0 if verdict == Verdict.FAIL and score >= level else score
            (good if one.approved else bad).append(shown)
    upheld, overruled = counts[Verdict.FAIL, "named"], counts[Verdict.FAIL, "approved"]
    passes = sum(counts[Verdict.PASS, kind] for kind in ("approved", "named", "other"))
    doubts = counts[Verdict.UNVERIFIABLE, "approved"], counts[Verdict.UNVERIFIABLE, "named"]
    return CheckAgreement(
        check=name,
        version=version,
        decisions=judged,
        older=older,
        rejections=Rate(upheld, upheld + overruled),
        elsewhere=counts[Verdict.FAIL, "other"] + counts[Verdict.FAIL, "silent"],
        misses=Rate(counts[Verdict.PASS, "named"], passes),
        doubts=Rate(doubts[0], sum(doubts)),
        good=len(good),
        bad=len(bad),
        suggestion=suggest(good, bad, threshold)
        if threshold is not None and min(len(good), len(bad)) >= LEAST
        else None,
    )


def suggest(good: Sequence[float], bad: Sequence[float], present: float) -> Suggestion:
    """The threshold that agrees with most decisions; the nearest to the present one among equals.

    Parameters
    ----------
    good, bad
        Scores of pictures that should pass, and that should not; from the threshold on they pass.
    """
    right, wrong = sorted(good), sorted(bad)
    scores = sorted({*good, *bad})
    between = [(low + high) / 2 for low, high in pairwise(scores) if high > 0]
    ends = [min(1.0, max(0.0, scores[0])), 1.0]
    # rounded where that divides the same scores
    tried = [_short(one, scores) for one in (*between, *ends) if 0 <= one <= 1]
    counts = {
        one: len(right) - bisect_left(right, one) + bisect_left(wrong, one) for one in (present, *tried)
    }
    best = max(counts.values())
    equals = (one for one, agrees in counts.items() if agrees == best)
    chosen = min(equals, key=lambda one: abs(one - present))
    return Suggestion(
        threshold=chosen,
        present=present,
        of=len(good) + len(bad),
        agrees=best,
        agreed=counts[present],
        freed=sum(chosen <= score < present for score in good),
        freed_wrongly=sum(chosen <= score < present for score in bad),
        held=sum(present <= score < chosen for score in bad),
        held_wrongly=sum(present <= score < chosen for score in good),
    )


def _short(threshold: float, scores: Sequence[float]) -> float:
    below = bisect_left(scores, threshold)
    short = (round(threshold, digits) for digits in (2, 3, 4))
    return next((one for one in short if bisect_left(scores, one) == below), threshold)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


@dataclass(frozen=True)
class Overruling:
    """A decision in which a person contradicted a check.

    Parameters
    ----------
    kind
        "approved": the check failed it; "missed": the check passed it and the person rejected it for that.
    """

    check: str
    kind: str
    said: Said
    score: float
    threshold: float


def overrulings(decisions: Iterable[Said]) -> list[Overruling]:
    """Where people contradict checks, in the decisions' order."""
    found = []
    for one in decisions:
        for name, said in one.scores.items():
            numbers = _number(said["score"]), _number(said["threshold"])
            if one.approved and said["verdict"] == Verdict.FAIL:
                found.append(Overruling(name, "approved", one, *numbers))
            elif not one.approved and name in one.tags and said["verdict"] == Verdict.PASS:
                found.append(Overruling(name, "missed", one, *numbers))
    return found


@dataclass(frozen=True)
class Preference:
    """How people voted on pairs.

    Parameters
    ----------
    first
        Pairs that went to the first, of those that went to either. A pair counts once, by the majority of its
        votes.
    ties
        Pairs without a majority.
    votes
        All votes.
    agreed
        Of pairs with several votes, those in which all are the same.
    left
        Votes for the left picture of those for either: about half where nobody leans to a side.
    chance
        The probability of a division as uneven if people had no preference (`sign_test`).
    """

    first: Rate
    ties: int
    votes: int
    agreed: Rate
    left: Rate
    chance: float

    @property
    def told(self) -> bool:
        """Whether people prefer one of the two: less likely than 1 in 20 by chance."""
        return self.chance <= 0.05


def preference(votes: Iterable[tuple[str, str, str]]) -> Preference:
    """What votes come to.

    Parameters
    ----------
    votes
        Pair, choice ("first", "second", "neither") and which stood on the left ("first", "second").
    """
    by_pair: dict[str, Counter[str]] = defaultdict(Counter)
    left = sided = total = 0
    for pair, choice, side in votes:
        by_pair[pair][choice] += 1
        total += 1
        sided += choice != "neither"
        left += choice == side
    firsts = sum(one["first"] > one["second"] for one in by_pair.values())
    seconds = sum(one["second"] > one["first"] for one in by_pair.values())
    several = [one for one in by_pair.values() if one.total() > 1]
    return Preference(
        first=Rate(firsts, firsts + seconds),
        ties=len(by_pair) - firsts - seconds,
        votes=total,
        agreed=Rate(sum(len(one) == 1 for one in several), len(several)),
        left=Rate(left, sided),
        chance=sign_test(firsts, firsts + seconds),
    )
