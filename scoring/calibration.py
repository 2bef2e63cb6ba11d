"""Calibration: thresholds from data, so that what is wrong does not get out and little else is thrown away.

All checks are calibrated together, since a picture gets out only where every one of them lets it pass. A row
of scorecards is laid out, each at least as strict as the one before. The first rejects no good picture that a
threshold could spare. Each next one raises one check's threshold to where, for each good picture that this
costs, it catches the most of what still escapes. Of that row the least strict scorecard is taken whose bound
on the escapes is at most alpha, the upper limit of Clopper and Pearson ("The use of confidence or fiducial
limits illustrated in the case of the binomial", Biometrika 26, 1934); where none is within the share of good
ones that may be rejected, the one with the fewest escapes within it. Defects that a person hardly sees count
a little as well, but raise no threshold beyond the check's own.
What may be left to a person is spent then, on scores between a check's threshold and where it is sure
(`scoring.doubt`).
A check of whose business no defect is known keeps its own threshold: good pictures alone do not show what a
lower one would let out.

The row is laid out on the very pictures on which its scorecards are counted, so those counts flatter. (They
would not were the row fixed beforehand: Bates et al., "Distribution-free, risk-controlling prediction sets",
Journal of the ACM 68, 2021.) What can be promised is therefore counted on pictures of products that played no
part: found on half of the products and counted on the other half, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from packline.fingerprint import digest
from scoring.doubt import FINER, FREE, sure_levels
from scoring.score_table import (
    Bools,
    Judgement,
    Table,
    Values,
    bound,
    evidence,
    judgement,
    needed,
)
from scoring.thresholds import Decisions, Rates, Threshold

#: Of those how many it takes before they move a check's threshold.
ENOUGH = 20
# of the false rejects that may be: scores of other products reach a little lower than those that were seen
_SHARES = (1.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.1)


@dataclass(frozen=True)
class Goal:
    """What is asked of a whole scorecard.

    Parameters
    ----------
    alpha
        The largest rate at which plain defects escape, 0 to 1.
    confidence
        The probability with which that holds.
    max_rejects, max_unverifiable
        The largest shares of good pictures of which some check says that something is wrong, and that
        nothing is held against but that some check cannot tell.
    """

    alpha: float
    confidence: float
    max_rejects: float
    max_unverifiable: float


@dataclass(frozen=True)
class Calibration:
    """Thresholds and what they do; parameters as in `scoring.thresholds.Thresholds`."""

    checks: dict[str, Threshold]
    found: Rates
    held_out: Rates
    met: bool
    sentences: tuple[str, ...]
    decisions: Decisions


def calibrate(
    table: Table, goal: Goal, defaults: Mapping[str, float], missing: Sequence[str] = ()
) -> Calibration:
    """Set the thresholds of a scorecard.

    Parameters
    ----------
    defaults
        The checks that make up the scorecard, columns of the table all of them, with their own thresholds. A
        check that scored no good picture or of which the table has no defect keeps its own.
    missing
        Checks that a run has and the table has not.
    """
    spent, held_out = _affordable(table, goal, defaults)
    levels = choose(table, spent, defaults)
    every = {**defaults, **levels}
    sure = _sure(table, spent, every)
    whole = judgement(table, every, sure)
    sentences = tuple(_shortfalls(goal, held_out, missing))
    return Calibration(
        {name: _described(table, name, every, sure, goal) for name in levels},
        whole.rates(table, goal.confidence),
        held_out,
        not sentences,
        (*sentences, *_unshown(table, levels), _caveat(held_out)),
        _decisions(table, whole, {**levels, **sure}),
    )


def _affordable(table: Table, goal: Goal, defaults: Mapping[str, float]) -> tuple[Goal, Rates]:
    """How many false rejects, and then how many doubts, to spend where the thresholds are found, so that
    elsewhere they are no more than may be; and what held-out pictures say of it. All that may be spent where
    less does not help either."""
    halves = _halves(table)

    def held_out(spent: Goal, found: Sequence[Mapping[str, float]]) -> Rates:
        return _cross_fitted(table, spent, halves, found).rates(table, goal.confidence)

    def rejecting(share: float) -> tuple[Goal, list[dict[str, float]]]:
        spent = replace(goal, max_rejects=share * goal.max_rejects)
        return spent, [{**defaults, **choose(table.part(part), spent, defaults)} for part in halves]

    tried = []
    for share in _SHARES:
        tried.append(rejecting(share))
        if held_out(replace(tried[-1][0], max_unverifiable=0), tried[-1][1]).false_rejects.rate <= (
            goal.max_rejects
        ):
            break
    else:
        tried = tried[:1]
    spent, found = tried[-1]
    for share in _SHARES:
        less = replace(spent, max_unverifiable=share * goal.max_unverifiable)
        rates = held_out(less, found)
        if rates.unverifiable.rate <= goal.max_unverifiable:
            return less, rates
    # where even the least is too much, what the checks cannot tell by themselves is
    none = replace(spent, max_unverifiable=0)
    return none, held_out(none, found)


def _sure(table: Table, goal: Goal, levels: Mapping[str, float]) -> dict[str, float]:
    known = frozenset(name for name in levels if _known(table, name))
    return sure_levels(table, levels, known, goal.alpha, goal.confidence, goal.max_unverifiable)


def choose(table: Table, goal: Goal, defaults: Mapping[str, float]) -> dict[str, float]:
    """Thresholds of the checks that scored good pictures, found on all pictures of the table.

    That of a check of which the table has no defect is its own.
    """
    good = table.good | (table.by_person & (table.dimension == ""))
    ladders = {
        name: ladder
        for name, default in defaults.items()
        if len(ladder := _ladder(table, name, default, goal.max_rejects))
    }
    if not ladders:
        return {}
    fixed = {name: level for name, level in defaults.items() if name not in ladders}
    levels = {name: float(ladder[0]) for name, ladder in ladders.items()}
    # a step raises a check to a rung of its ladder
    steps = [(name, float(rung)) for name, ladder in ladders.items() for rung in ladder[1:]]
    start = judgement(table, {**fixed, **levels})
    caught, rejected = ~start.passed, start.rejected
    shape = len(steps), len(table.specimens)  # also where there are no steps
    fails = np.array([~table.columns[name].passes(rung) for name, rung in steps], bool).reshape(shape)
    rejects = np.array([table.columns[name].rejects(rung) for name, rung in steps], bool).reshape(shape)
    beyond = np.array([rung > defaults[name] for name, rung in steps])
    finer = (table.dimension != "") & ~table.plain
    budget = np.floor(goal.max_rejects * table.good.sum() + 1e-9)
    bad, total = table.bad, int(table.bad.sum())

    def met(caught: Bools) -> bool:
        return bound(int((bad & ~caught).sum()), total, goal.confidence) <= goal.alpha

    while steps and not met(caught):
        gain = fails @ (table.plain & ~caught).astype(float)
        gain += np.where(beyond, 0.0, FINER * (fails @ (finer & ~caught).astype(float)))
        cost = rejects @ (good & ~rejected).astype(float)
        spent = rejects @ (table.good & ~rejected).astype(float) + (table.good & rejected).sum()
        # what costs nothing is always allowed, also where errors alone have spent all there was
        fits = (spent <= budget) | (cost == 0)
        ratio = np.where(fits, gain / (cost + FREE), 0.0)
        best = int(np.argmax(ratio))
        if ratio[best] <= 0:
            break
        # of a step that takes several rungs at once no more than it needs
        below = (step for step in range(best) if steps[step][0] == steps[best][0] and fits[step])
        best = next((step for step in below if met(caught | fails[step])), best)
        name, rung = steps[best]
        levels[name] = max(levels[name], rung)
        caught, rejected = caught | fails[best], rejected | rejects[best]
    return _eased(table, levels, fixed, defaults)


def _ladder(table: Table, name: str, default: float, max_rejects: float) -> Values:
    """The thresholds that a check may get, rising: its default and good pictures' own scores, from the
    highest that rejects none to where it rejects as many as the whole scorecard may. Its default alone where
    the table has no defect of it."""
    column, good = table.columns[name], table.good
    scores = np.sort(column.score[good & column.judged & ~column.unverifiable & (column.score >= 0)])
    scores = scores[scores <= 1]
    if not len(scores):
        return scores
    if not _known(table, name):
        return np.array([default])
    rungs = np.unique([*scores, default])
    below = np.searchsorted(scores, rungs)
    return np.asarray(rungs[(below <= max_rejects * good.sum() + 1e-9) & (rungs >= min(default, scores[0]))])


def _known(table: Table, name: str) -> bool:
    """Whether the table has defects that are the check's business: plain ones, or finer ones enough to say
    where its defects lie."""
    own = table.dimension == name
    return bool((own & table.plain).any() or own.sum() >= ENOUGH)


def _eased(
    table: Table, levels: Mapping[str, float], fixed: Mapping[str, float], defaults: Mapping[str, float]
) -> dict[str, float]:
    """Lower each threshold to the middle of the room that it has.

    The room is from the best defect that the check has to catch, one of its own or one that no other check
    catches, to the worst good picture above it. Where it has none to catch, the check's default counts, as
    far as that rejects no good picture that could be spared.
    """
    levels = dict(levels)
    costs = {
        name: int((table.good & table.columns[name].rejects(level)).sum()) for name, level in levels.items()
    }
    for name in sorted(costs, key=lambda name: -costs[name]):
        if not _known(table, name):
            continue
        column = table.columns[name]
        others = {other: level for other, level in {**fixed, **levels}.items() if other != name}
        alone = judgement(table, others).passed | (table.dimension == name)
        caught = (table.dimension != "") & alone & column.rejects(levels[name]) & (column.score >= 0)
        good = column.score[table.good & column.judged & ~column.unverifiable & (column.score >= 0)]
        if caught.any():
            levels[name] = _between(float(column.score[caught].max()), good)
        else:
            levels[name] = min(defaults[name], float(good.min()))
    return levels


def _between(low: float, good: Values) -> float:
    """Half way from a defect's score to the worst good one above it, short where that can be."""
    high = float(np.append(good[good > low], 1.0).min())
    middle = (low + high) / 2
    short = round(middle, 4)
    if low < short <= high:
        return short
    return middle if middle > low else high


def _halves(table: Table) -> tuple[Bools, ...]:
    """The pictures of each half of the products; none where there is but one product."""
    people = {str(product) for product in table.product[table.by_person]}
    # by digest, so that neither the order of the rows nor the kinds' turns decide
    products = sorted(set(table.product), key=lambda name: (str(name) in people, digest(str(name))))
    if len(products) - len(people) < 2:
        return ()
    half = np.isin(table.product, products[::2])
    return half, ~half


def _cross_fitted(
    table: Table, goal: Goal, halves: Sequence[Bools], found: Sequence[Mapping[str, float]]
) -> Judgement:
    """Judge each half of the products by thresholds that were found on the other half."""
    if not halves:
        nowhere = np.zeros(len(table.specimens), bool)
        return Judgement(nowhere, nowhere, nowhere, nowhere)
    one, other = (
        judgement(table, levels, _sure(table.part(part), goal, levels))
        for part, levels in zip(halves, found, strict=True)
    )
    return one.or_where(halves[0], other)


def _described(
    table: Table, name: str, levels: Mapping[str, float], sure: Mapping[str, float], goal: Goal
) -> Threshold:
    column, own = table.columns[name], table.own(name) & table.columns[name].judged
    good = table.good & column.judged
    enough = sure.get(name, levels[name])
    passed = own & column.passes(enough)
    others = judgement(table, {other: level for other, level in levels.items() if other != name}, sure)
    escapes = evidence(passed.sum(), own.sum(), goal.confidence)
    return Threshold(
        column.version,
        levels[name],
        escapes.bound <= goal.alpha,
        escapes,
        evidence((good & column.rejects(levels[name])).sum(), good.sum(), goal.confidence),
        evidence((passed & others.passed).sum(), own.sum(), goal.confidence),
        enough,
        evidence(
            (good & column.passes(levels[name]) & ~column.passes(enough)).sum(), good.sum(), goal.confidence
        ),
        {
            str(kind): (int((own & (table.kind == kind)).sum()), int((passed & (table.kind == kind)).sum()))
            for kind in np.unique(table.kind[own])
        },
    )


def _decisions(table: Table, whole: Judgement, levels: Mapping[str, float]) -> Decisions:
    """Count what people decided."""
    approved = table.by_person & (table.dimension == "")
    rejected = table.by_person & ~approved
    still = np.zeros(len(table.specimens), bool)
    for name, level in levels.items():
        still |= rejected & (table.dimension == name) & table.columns[name].passes(level)
    return Decisions(
        len(set(table.product[table.by_person])),
        int(rejected.sum()),
        int(still.sum()),
        int(approved.sum()),
        int((approved & whole.rejected).sum()),
    )


def _shortfalls(goal: Goal, held_out: Rates, missing: Sequence[str]) -> Iterator[str]:
    """What was asked for and is not kept to on products that played no part; a sentence each."""
    escapes, rejects, unverifiable = held_out.escapes, held_out.false_rejects, held_out.unverifiable
    if not (escapes.of and rejects.of):
        yield (
            "Nothing can be said of products that played no part: it takes plain defects and good pictures, "
            "judged by every check, of two products or more."
        )
        return
    if escapes.bound > goal.alpha:
        least = needed(goal.alpha, goal.confidence)
        why = f"{escapes.times} of {escapes.of} plain defects get out"
        if escapes.of < least:
            why += f", and to show it takes {least} without an escape"
        yield (
            f"An escape rate of {goal.alpha:.2%} is not shown with {goal.confidence:.0%} confidence, only "
            f"{escapes.bound:.2%}: {why}."
        )
    if rejects.rate > goal.max_rejects:
        yield (
            f"Of the good pictures {rejects.rate:.2%} are rejected, more than the {goal.max_rejects:.2%} "
            "that may be."
        )
    if unverifiable.rate > goal.max_unverifiable:
        yield (
            f"Of the good pictures {unverifiable.rate:.2%} cannot be told, more than the "
            f"{goal.max_unverifiable:.2%} that may be; no threshold changes that."
        )
    if missing:
        names = ", ".join(missing)
        yield f"There are no scores of {names}: what a whole scorecard rejects is not known without."


def _unshown(table: Table, levels: Mapping[str, float]) -> Iterator[str]:
    """Which checks keep their own thresholds although they scored good pictures; at most one sentence."""
    if names := ", ".join(name.replace("_", " ") for name in levels if not _known(table, name)):
        yield (
            "These checks keep their own thresholds, since too few defects of theirs are known to say what "
            f"lower ones would let out: {names}."
        )


def _caveat(held_out: Rates) -> str:
    products = held_out.products
    return (
        "The bounds count pictures as independent draws, which those of one product are not: of "
        f"{products.of} products with a plain defect {products.times} had one that got out."
    )
