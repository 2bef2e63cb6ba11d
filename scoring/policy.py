"""Scorecards: every enabled check on every candidate; nothing passes by accident."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from packline.errors import FixSettings, TryAgain
from packline.scorecard import CheckResult, Scorecard, Verdict
from scoring import house_rules
from scoring.check import Check, CheckInput, CheckSettings
from scoring.settings import ScoringSettings, default_settings


def score(inputs: Sequence[CheckInput], settings: ScoringSettings | None = None) -> list[Scorecard]:
    """Judge candidates, best in chunks of a few: each check sees the whole chunk at once.

    Parameters
    ----------
    inputs
        Candidates beside their truth.
    settings
        From `scoring.settings.read_settings`; the defaults where None.

    Returns
    -------
    list of Scorecard
        One for each input, in order. A check that could not run is there as `Verdict.ERROR` with a sentence,
        which is never a pass.

    Raises
    ------
    FixSettings, TryAgain
        As a check raised them: a missing model or a full card says nothing about a candidate.
    """
    if not inputs:
        return []
    columns: list[list[CheckResult]] = []
    for check, own in (settings or default_settings()).checks:
        given = inputs
        if check.name == house_rules.NAME:
            rows = zip(*columns, strict=True) if columns else [()] * len(inputs)
            given = [one.knowing(row) for one, row in zip(inputs, rows, strict=True)]
        columns.append(_column(check, own, given))
    return [Scorecard(tuple(row)) for row in zip(*columns, strict=True)]


def _column(check: Check, settings: CheckSettings, inputs: Sequence[CheckInput]) -> list[CheckResult]:
    """One check's results for all inputs, timed; milliseconds are each input's share of the chunk."""
    start = perf_counter()
    try:
        results = _run(check, settings, inputs)
    except (FixSettings, TryAgain):
        raise
    except Exception:
        # one bad candidate must not fail its neighbours: again one by one
        results = [_alone(check, settings, one) for one in inputs]
    share = 1000 * (perf_counter() - start) / len(inputs)
    return [replace(_policed(check, settings, result), milliseconds=share) for result in results]


def _run(check: Check, settings: CheckSettings, inputs: Sequence[CheckInput]) -> list[CheckResult]:
    results = check.judge(inputs, settings)
    if len(results) != len(inputs):
        raise ValueError(f"it answered {len(results)} times for {len(inputs)} pictures")
    return results


def _alone(check: Check, settings: CheckSettings, one: CheckInput) -> CheckResult:
    try:
        return _run(check, settings, [one])[0]
    except (FixSettings, TryAgain):
        raise
    except Exception as error:
        said = one.problem or f"{type(error).__name__}: {error}"
        return _error(check, settings, f"The check could not run: {said}")


def _policed(check: Check, settings: CheckSettings, result: CheckResult) -> CheckResult:
    """Refuse a result that contradicts itself; let the settings decide where the check cannot tell."""
    if not (math.isfinite(result.score) and 0 <= result.score <= 1):
        return _error(check, settings, f"The check answered with a score of {result.score}, not 0 to 1.")
    if result.verdict == Verdict.PASS and result.score < settings.threshold:
        return _error(
            check,
            settings,
            f"The check passed {result.score:.2f} below its threshold {settings.threshold:.2f}.",
        )
    if result.verdict != Verdict.UNVERIFIABLE:
        return result
    if settings.unverifiable == "pass":
        return replace(
            result, verdict=Verdict.PASS, sentence=f"{result.sentence} The settings let that pass."
        )
    return replace(result, needs=settings.unverifiable)


def _error(check: Check, settings: CheckSettings, sentence: str) -> CheckResult:
    return CheckResult(check.name, check.version, Verdict.ERROR, 0.0, settings.threshold, sentence)
