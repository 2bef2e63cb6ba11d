"""Scores of pictures whose fault is known, check by check: what gets out and what is thrown away at given
thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from packline.scorecard import Verdict
from scoring.thresholds import Evidence, Rates

Values = NDArray[np.float64]
Bools = NDArray[np.bool_]

# as if scored: what passes at every threshold, what at none
ALWAYS, NEVER = np.inf, -np.inf


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
    product
        Whose pictures are not independent of each other; the picture itself where empty.
    by_person
        Whether a person decided that it is good or bad. Such pictures are no draw from all pictures, since
        people see what the checks let them see: no rate is taken over them.
    let_pass
        Whether it passed only because the settings let pass what the check could not tell.
    unsure
        Whether it could not tell only for a score between the threshold and where the check is sure.
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
    product: str = ""
    by_person: bool = False
    let_pass: bool = False
    unsure: bool = False


@dataclass(frozen=True)
class Column:
    """One check's scores over all pictures, in the order of `Table.specimens`.

    Parameters
    ----------
    score
        As the threshold meets it: above 1 where the check passes whatever the threshold (not applicable, or
        the settings let pass what it cannot tell), below 0 where it fails whatever the threshold (an error,
        or a failure that its score does not show).
    unverifiable
        Where it cannot tell; such a picture is held back, and counted neither as an escape nor as a reject.
    judged
        Where it said anything at all.
    """

    version: str
    score: Values
    unverifiable: Bools
    judged: Bools

    def passes(self, threshold: float) -> Bools:
        """Where nothing in this check keeps the picture back; a picture that it did not judge is not kept."""
        return (self.score >= threshold) & ~self.unverifiable

    def rejects(self, threshold: float) -> Bools:
        """Where the check says that something is wrong."""
        return (self.score < threshold) & ~self.unverifiable

    def part(self, where: Bools) -> Column:
        """Of some of the pictures."""
        return Column(self.version, self.score[where], self.unverifiable[where], self.judged[where])


@dataclass(frozen=True)
class Table:
    """Scores by check, and what is known of each picture; parameters as in `Judged`."""

    specimens: NDArray[np.str_]
    kind: NDArray[np.str_]
    dimension: NDArray[np.str_]
    plain: Bools
    product: NDArray[np.str_]
    by_person: Bools
    columns: dict[str, Column]

    @property
    def good(self) -> Bools:
        """The bench's pictures without a defect."""
        return np.asarray((self.dimension == "") & ~self.by_person)

    @property
    def bad(self) -> Bools:
        """The bench's pictures with a plain defect."""
        return np.asarray(self.plain & ~self.by_person)

    def own(self, check: str) -> Bools:
        """The bench's plain defects that are this check's business."""
        return np.asarray(self.bad & (self.dimension == check))

    def part(self, where: Bools) -> Table:
        """Some of the pictures."""
        return Table(
            self.specimens[where],
            self.kind[where],
            self.dimension[where],
            self.plain[where],
            self.product[where],
            self.by_person[where],
            {name: column.part(where) for name, column in self.columns.items()},
        )


def table_of(rows: Iterable[Judged]) -> Table:
    """Arrange rows by picture and check.

    Raises
    ------
    ValueError
        Where they hold several versions of a check.
    """
    rows = list(rows)
    known = {row.specimen: row for row in rows}
    numbers = {name: i for i, name in enumerate(known)}
    columns: dict[str, Column] = {}
    for row in rows:
        if row.check not in columns:
            count = len(numbers)
            score = np.full(count, ALWAYS)
            columns[row.check] = Column(row.version, score, np.zeros(count, bool), np.zeros(count, bool))
        column, number = columns[row.check], numbers[row.specimen]
        if column.version != row.version:
            versions = ", ".join(sorted((column.version, row.version)))
            raise ValueError(f"the scores hold several versions of {row.check}: {versions}")
        column.score[number] = _effective(row)
        column.unverifiable[number] = row.verdict == Verdict.UNVERIFIABLE and not row.unsure
        column.judged[number] = True
    return Table(
        np.array(list(known), str),
        np.array([row.kind for row in known.values()], str),
        np.array([row.dimension for row in known.values()], str),
        np.array([row.plain for row in known.values()], bool),
        np.array([row.product or row.specimen for row in known.values()], str),
        np.array([row.by_person for row in known.values()], bool),
        columns,
    )


def _effective(row: Judged) -> float:
    if row.verdict == Verdict.NOT_APPLICABLE:
        return ALWAYS
    if row.unsure:
        return row.score
    if row.let_pass or (row.verdict == Verdict.PASS and row.score < row.threshold):
        # it could not tell and the settings let that pass, whatever the score; what was scored before that
        # was noted is known by a score under its threshold
        return ALWAYS
    if row.verdict == Verdict.ERROR or (row.verdict == Verdict.FAIL and row.score >= row.threshold):
        return NEVER
    return row.score


def bound(times: int, of: int, confidence: float) -> float:
    """Upper Clopper-Pearson limit of a rate that was `times` in `of`; 1 where `of` is 0."""
    return 1.0 if times >= of else float(beta.ppf(confidence, times + 1, of - times))


def evidence(times: int, of: int, confidence: float) -> Evidence:
    """A count with its rate and its bound."""
    return Evidence(
        int(of), int(times), float(times / of) if of else 0.0, bound(int(times), int(of), confidence)
    )


def needed(alpha: float, confidence: float) -> int:
    """How many defects without an escape it takes to show a rate of at most alpha."""
    return int(np.ceil(np.log(1 - confidence) / np.log(1 - alpha)))


@dataclass(frozen=True)
class Judgement:
    """What a whole scorecard makes of each picture of a table.

    Parameters
    ----------
    complete
        Judged by every check; no other picture is counted.
    passed
        By every check.
    rejected
        Some check says that something is wrong.
    doubted
        Some check cannot tell.
    """

    complete: Bools
    passed: Bools
    rejected: Bools
    doubted: Bools

    def or_where(self, where: Bools, other: Judgement) -> Judgement:
        """This one, but the other's where asked."""
        return Judgement(
            np.where(where, other.complete, self.complete),
            np.where(where, other.passed, self.passed),
            np.where(where, other.rejected, self.rejected),
            np.where(where, other.doubted, self.doubted),
        )

    def rates(self, table: Table, confidence: float) -> Rates:
        """Count over the bench's plain defects and good pictures."""
        bad, good = table.bad & self.complete, table.good & self.complete
        return Rates(
            evidence((bad & self.passed).sum(), bad.sum(), confidence),
            evidence((good & self.rejected).sum(), good.sum(), confidence),
            evidence((good & self.doubted & ~self.rejected).sum(), good.sum(), confidence),
            evidence(len(set(table.product[bad & self.passed])), len(set(table.product[bad])), confidence),
        )


def judgement(
    table: Table, thresholds: Mapping[str, float], sure: Mapping[str, float] | None = None
) -> Judgement:
    """What a scorecard of these checks makes of each picture.

    Parameters
    ----------
    thresholds
        Of each check.
    sure
        The scores from which those checks pass that are not sure from their thresholds.
    """
    sure = sure or {}
    count = len(table.specimens)
    complete, passed = np.ones(count, bool), np.ones(count, bool)
    rejected, doubted = np.zeros(count, bool), np.zeros(count, bool)
    for name, threshold in thresholds.items():
        column = table.columns[name]
        complete &= column.judged
        enough = max(sure.get(name, threshold), threshold)
        passed &= column.passes(enough)
        rejected |= column.rejects(threshold)
        doubted |= column.unverifiable | (column.passes(threshold) & ~column.passes(enough))
    return Judgement(complete, passed, rejected, doubted)
