"""From which score each check is sure: between its threshold and that, a person looks.

A threshold spends the good pictures that may be rejected. What is left of those that may wait for a person,
because a check cannot tell, is spent here: step by step that check's surest score is raised which, for each
good picture that then has to wait, holds back the most plain defects that would get out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scoring.score_table import Bools, Table, Values, bound, judgement

#: What catching a defect is worth that a person does not see at arm's length, beside 1 for one that they do.
#: Plain ones that get out are few, and the next ones will lie where the finer ones lie.
FINER = 0.1
#: So that of two steps that cost nothing the one that catches more comes first.
FREE = 0.1


def sure_levels(
    table: Table,
    thresholds: Mapping[str, float],
    known: frozenset[str],
    alpha: float,
    confidence: float,
    most: float,
) -> dict[str, float]:
    """The scores from which checks are sure that are not sure from their thresholds.

    Parameters
    ----------
    known
        The checks of which the table has defects: of others nobody knows what doubt is worth.
    alpha, confidence
        As few doubts as keep the escapes' bound to this.
    most
        The largest share of good pictures that may wait for a person, whyever.
    """
    start = judgement(table, thresholds)
    waiting = table.good & start.doubted & ~start.rejected
    budget = int(np.floor(most * table.good.sum() + 1e-9)) - int(waiting.sum())
    passed, total = start.passed, int(table.bad.sum())
    steps = [
        (name, float(rung))
        for name in thresholds
        if name in known
        for rung in _rungs(table, name, thresholds[name], passed, budget)
    ]
    if not steps:
        return {}
    holds = np.array([~table.columns[name].passes(rung) for name, rung in steps], bool)
    levels: dict[str, float] = {}

    def met(passed: Bools) -> bool:
        return bound(int((table.bad & passed).sum()), total, confidence) <= alpha

    while not met(passed):
        gain = holds @ (np.where(table.plain, 1.0, FINER) * (passed & (table.dimension != "")))
        cost = holds @ (table.good & passed).astype(float)
        spent = int((table.good & start.passed & ~passed).sum())
        # what costs nothing is always allowed, also where the checks' own doubts are too many
        ratio = np.where((spent + cost <= budget) | (cost == 0), gain / (cost + FREE), 0.0)
        best = int(np.argmax(ratio))
        if ratio[best] <= 0:
            break
        name, rung = steps[best]
        levels[name] = max(levels.get(name, 0.0), rung)
        passed = passed & ~holds[best]
    return {name: _between(table, name, thresholds[name], level) for name, level in levels.items()}


def _rungs(table: Table, name: str, threshold: float, passed: Bools, budget: int) -> Values:
    """Good pictures' own scores above the threshold, as far as the budget goes, rising."""
    column = table.columns[name]
    scores = np.sort(column.score[table.good & passed & column.judged & (column.score <= 1)])
    rungs = np.unique(scores)
    return np.asarray(rungs[(rungs > threshold) & (np.searchsorted(scores, rungs) <= max(budget, 0))])


def _between(table: Table, name: str, threshold: float, level: float) -> float:
    """Half way from the score below a rung, of a defect or a good picture, to the rung."""
    scores = table.columns[name].score[table.columns[name].judged]
    below = scores[(scores < level) & (scores >= threshold)].max(initial=threshold)
    short = round(float(below + level) / 2, 4)
    return short if below < short <= level else level
