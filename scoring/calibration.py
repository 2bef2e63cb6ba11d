"""Calibration: thresholds from data, so that what is wrong does not get out and little else is thrown away.

Each check's threshold is the lowest at which the escape rate over its own plain defects is at most alpha with
the stated confidence. The bound is the upper limit of Clopper and Pearson ("The use of confidence or fiducial
limits illustrated in the case of the binomial", Biometrika 26, 1934). Escapes only become fewer as a
threshold rises, so the lowest threshold whose bound holds keeps that promise although it was chosen on the
same scores: with probability of at least the confidence, the true rate at the chosen threshold is at most
alpha (Bates et al., "Distribution-free, risk-controlling prediction sets", Journal of the ACM 68, 2021).
Conformal risk control (Angelopoulos et al., 2022) promises the same of the mean over many calibrations only.

Lowering any one threshold can only let more good ones through, so the lowest ones also minimise the false
rejects of the whole scorecard. Where the promise cannot be kept within the largest share of good ones that a
check may reject, the check gets the threshold with the fewest escapes within that share, and the file says
so. Of those thresholds each is then lowered as far as no plain defect, of whatever check, thereby gets out of
the whole scorecard: what another check catches need not cost good ones here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from packline.scorecard import Verdict
from scoring.thresholds import Evidence, Threshold

Values = NDArray[np.float64]

# as if scored: what passes at every threshold, what at none
_ALWAYS, _NEVER = np.inf, -np.inf


@dataclass(frozen=True)
class Judged:
    """What one check said of one picture whose fault is known.

    Parameters
    ----------
    specimen
        The picture.
    threshold
        The one under which the verdict was given.
    kind, dimension
        The defect, and the check whose business it is; both empty for a good picture.
    plain
        Whether a person sees the defect at arm's length.
    """

    specimen: str
    check: str
    version: str
    verdict: Verdict
    score: float
    threshold: float
    kind: str = ""
    dimension: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Column:
    """One check's scores over all pictures, in the order of `Table.specimens`.

    Parameters
    ----------
    score
        As the threshold meets it: above 1 where the check passes whatever the threshold (not applicable),
        below 0 where it fails whatever the threshold (an error, or a failure that its score does not show).
    unverifiable
        Where it cannot tell; such a picture is held back, and counted neither as an escape nor as a reject.
    """

    version: str
    score: Values
    unverifiable: NDArray[np.bool_]

    def passes(self, threshold: float) -> NDArray[np.bool_]:
        """Where the check lets the picture through."""
        return (self.score >= threshold) & ~self.unverifiable

    def rejects(self, threshold: float) -> NDArray[np.bool_]:
        """Where the check says that something is wrong."""
        return (self.score < threshold) & ~self.unverifiable


@dataclass(frozen=True)
class Table:
    """Scores by check, and what is known of each picture."""

    specimens: tuple[str, ...]
    kind: NDArray[np.str_]
    dimension: NDArray[np.str_]
    plain: NDArray[np.bool_]
    columns: dict[str, Column]

    @property
    def good(self) -> NDArray[np.bool_]:
        """Pictures without a defect."""
        return np.asarray(self.dimension == "")

    def own(self, check: str) -> NDArray[np.bool_]:
        """Plain defects that are this check's business."""
        return np.asarray(self.plain & (self.dimension == check))


def table_of(rows: Iterable[Judged]) -> Table:
    """Arrange rows by picture and check; a check that did not judge a picture is as if it did not apply."""
    rows = list(rows)
    numbers = {name: i for i, name in enumerate(dict.fromkeys(row.specimen for row in rows))}
    known = {row.specimen: row for row in rows}
    columns = {}
    for check in dict.fromkeys(row.check for row in rows):
        score = np.full(len(numbers), _ALWAYS)
        unverifiable = np.zeros(len(numbers), bool)
        versions = set()
        for row in rows:
            if row.check == check:
                score[numbers[row.specimen]] = _effective(row)
                unverifiable[numbers[row.specimen]] = row.verdict == Verdict.UNVERIFIABLE
                versions.add(row.version)
        if len(versions) > 1:
            raise ValueError(f"the scores hold several versions of {check}: {', '.join(sorted(versions))}")
        columns[check] = Column(versions.pop(), score, unverifiable)
    return Table(
        tuple(numbers),
        np.array([known[name].kind for name in numbers], str),
        np.array([known[name].dimension for name in numbers], str),
        np.array([known[name].plain for name in numbers], bool),
        columns,
    )


def _effective(row: Judged) -> float:
    if row.verdict == Verdict.NOT_APPLICABLE:
        return _ALWAYS
    if row.verdict == Verdict.ERROR or (row.verdict == Verdict.FAIL and row.score >= row.threshold):
        return _NEVER
    return row.score


def bound(times: int, of: int, confidence: float) -> float:
    """Upper Clopper-Pearson limit of a rate that was `times` in `of`; 1 where `of` is 0."""
    return 1.0 if times >= of else float(beta.ppf(confidence, times + 1, of - times))


def evidence(times: int, of: int, confidence: float) -> Evidence:
    """A count with its rate and its bound."""
    return Evidence(int(of), int(times), times / of if of else 0.0, bound(times, of, confidence))


def allowed(of: int, alpha: float, confidence: float) -> int:
    """How many of `of` may escape with the bound still at most alpha; -1 where even none is too many."""
    low, high = -1, of
    while low < high:
        middle = (low + high + 1) // 2
        if bound(middle, of, confidence) <= alpha:
            low = middle
        else:
            high = middle - 1
    return low


def needed(alpha: float, confidence: float) -> int:
    """How many defects without an escape it takes to show a rate of at most alpha."""
    return int(np.ceil(np.log(1 - confidence) / np.log(1 - alpha)))


def calibrate(
    table: Table, alpha: float, confidence: float, max_false_rejects: float, checks: Sequence[str] = ()
) -> dict[str, Threshold]:
    """Set each check's threshold.

    Parameters
    ----------
    alpha
        The largest escape rate over a check's own plain defects, 0 to 1.
    confidence
        The probability with which that holds.
    max_false_rejects
        The largest share of good pictures that one check may reject.
    checks
        Which; all of the table where empty. A check of which the table has no plain defect of its own, or no
        good picture, is left out: nothing is known of it.
    """
    found = {}
    for name in checks or table.columns:
        column, own = table.columns[name], table.own(name)
        if own.any() and table.good.any():
            found[name] = _threshold(table, column, own, alpha, confidence, max_false_rejects)
    return found


def _threshold(
    table: Table,
    column: Column,
    own: NDArray[np.bool_],
    alpha: float,
    confidence: float,
    max_false_rejects: float,
) -> Threshold:
    # what cannot be told is held back at every threshold
    bad = np.sort(np.where(column.unverifiable, _NEVER, column.score)[own])[::-1]
    good = np.sort(np.where(column.unverifiable, _ALWAYS, column.score)[table.good])
    may_escape = allowed(len(bad), alpha, confidence)
    may_reject = int(np.floor(max_false_rejects * len(good) + 1e-9))
    wanted = _above(bad, good, may_escape) if may_escape >= 0 else None
    met = wanted is not None and int((good < wanted).sum()) <= may_reject
    if met and wanted is not None:
        chosen = wanted
    else:
        # what is rejected whatever the threshold costs nothing more
        may_reject = max(may_reject, int((good < 0).sum()))
        highest = 1.0 if may_reject >= len(good) else min(1.0, float(good[may_reject]))
        above = _above(bad, good, int((bad >= highest).sum()))
        chosen = highest if above is None else min(above, highest)
    sentence = "" if met else _trade(len(bad), good, wanted, alpha, confidence, max_false_rejects)
    return _described(table, column, own, own, confidence, (chosen, met, sentence))


def _described(
    table: Table,
    column: Column,
    own: NDArray[np.bool_],
    alone: NDArray[np.bool_],
    confidence: float,
    chosen: tuple[float, bool, str],
) -> Threshold:
    """A threshold with its counts; `alone` are pictures that every other check passes."""
    threshold, met, sentence = chosen
    passed = own & column.passes(threshold)
    return Threshold(
        column.version,
        threshold,
        met,
        sentence,
        evidence(int(passed.sum()), int(own.sum()), confidence),
        evidence(int((table.good & column.rejects(threshold)).sum()), int(table.good.sum()), confidence),
        evidence(int((passed & alone).sum()), int(own.sum()), confidence),
        {
            str(kind): (int((own & (table.kind == kind)).sum()), int((passed & (table.kind == kind)).sum()))
            for kind in np.unique(table.kind[own])
        },
    )


def relieved(
    table: Table, found: Mapping[str, Threshold], others: Mapping[str, float], confidence: float
) -> dict[str, Threshold]:
    """Lower the thresholds that keep no promise as far as nothing more gets out of the whole scorecard.

    Parameters
    ----------
    found
        From `calibrate`.
    others
        Thresholds of all checks of the scorecard; `found` counts where it has one.

    Returns
    -------
    dict
        `found` with those thresholds lowered, the check that rejects most good ones first, and for each what
        of its own defects no check catches.
    """
    levels = {**others, **{name: one.threshold for name, one in found.items()}}

    def alone(name: str) -> NDArray[np.bool_]:
        passes = [table.columns[other].passes(level) for other, level in levels.items() if other != name]
        return np.all(passes, 0) if passes else np.ones(len(table.specimens), bool)

    for name in sorted(found, key=lambda name: -found[name].false_rejects.times):
        if found[name].met:
            continue
        column, waiting = table.columns[name], table.plain & alone(name)
        bad = np.sort(np.where(column.unverifiable, _NEVER, column.score)[waiting])[::-1]
        good = np.sort(np.where(column.unverifiable, _ALWAYS, column.score)[table.good])
        lower = _above(bad, good, int((bad >= levels[name]).sum()))
        if lower is not None and (good < lower).sum() < (good < levels[name]).sum():
            levels[name] = lower
    return {
        name: _described(
            table,
            table.columns[name],
            table.own(name),
            alone(name),
            confidence,
            (levels[name], one.met, one.sentence),
        )
        for name, one in found.items()
    }


def _above(bad: Values, good: Values, may_escape: int) -> float | None:
    """The threshold that lets at most so many of the bad ones through and rejects as few good ones as that
    takes.

    Between the best bad one that must not pass and the worst good one above it nothing is known: the
    threshold lies half way. None where no threshold does it.

    Parameters
    ----------
    bad, good
        Scores, falling and rising.
    """
    floor = float(bad[may_escape]) if may_escape < len(bad) else _NEVER
    if floor >= 1:
        return None
    low = max(floor, 0.0)
    high = min(float(good[good > floor][0]) if (good > floor).any() else 1.0, 1.0)
    middle = (low + high) / 2
    short = round(middle, 4)
    if floor < short <= high:
        return short
    return middle if middle > floor else float(np.nextafter(floor, 1.0))


def _trade(
    of: int, good: Values, wanted: float | None, alpha: float, confidence: float, max_false_rejects: float
) -> str:
    least = needed(alpha, confidence)
    if of < least:
        why = (
            f"{of} plain defects are too few to show an escape rate of {alpha:.2%} with {confidence:.0%} "
            f"confidence, which takes {least} without an escape"
        )
    elif wanted is None:
        why = f"some defects score 1, so no threshold keeps the escape rate at {alpha:.2%}"
    else:
        why = f"an escape rate of {alpha:.2%} would reject {(good < wanted).mean():.2%} of the good ones"
    taken = f"taken are the fewest escapes within {max_false_rejects:.2%} false rejects"
    return f"{why[0].upper()}{why[1:]}; {taken}."


@dataclass(frozen=True)
class Outcome:
    """What the whole scorecard does at given thresholds.

    Parameters
    ----------
    escapes
        Plain defects, of whatever check, that pass every check.
    false_rejects
        Good pictures of which some check says that something is wrong.
    unverifiable
        Good pictures against which nothing speaks but that some check cannot judge.
    by_check
        Each check's escapes among its own plain defects, and its own false rejects.
    """

    escapes: Evidence
    false_rejects: Evidence
    unverifiable: Evidence
    by_check: dict[str, tuple[Evidence, Evidence]]


def outcome(table: Table, thresholds: Mapping[str, float], confidence: float) -> Outcome:
    """Count what gets out and what is thrown away."""
    passed = np.ones(len(table.specimens), bool)
    rejected = np.zeros(len(table.specimens), bool)
    doubted = np.zeros(len(table.specimens), bool)
    by_check = {}
    good = table.good
    for name, threshold in thresholds.items():
        column, own = table.columns[name], table.own(name)
        passes, rejects = column.passes(threshold), column.rejects(threshold)
        passed, rejected, doubted = passed & passes, rejected | rejects, doubted | column.unverifiable
        by_check[name] = (
            evidence(int((own & passes).sum()), int(own.sum()), confidence),
            evidence(int((good & rejects).sum()), int(good.sum()), confidence),
        )
    plain, count = int(table.plain.sum()), int(good.sum())
    return Outcome(
        evidence(int((table.plain & passed).sum()), plain, confidence),
        evidence(int((good & rejected).sum()), count, confidence),
        evidence(int((good & doubted & ~rejected).sum()), count, confidence),
        by_check,
    )
