"""Scorecards: every enabled check on every candidate; nothing passes by accident."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
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
        which is never a pass. A result's milliseconds are its candidate's share of the chunk: of the check's
        own time, and an even part of what the checks have in common (registration and the like).

    Raises
    ------
    FixSettings, TryAgain
        As a check raised them: a missing model or a full card says nothing about a candidate.
    """
    if not inputs:
        return []
    columns: list[list[CheckResult]] = []
    checks = (settings or default_settings()).checks
    common = _prepare(inputs) / len(checks) if len(checks) > 1 else 0.0
    for check, own in checks:
        given = inputs
        if check.name == house_rules.NAME:
            rows = zip(*columns, strict=True) if columns else [()] * len(inputs)
            given = [one.knowing(row) for one, row in zip(inputs, rows, strict=True)]
        columns.append(_column(check, own, given, common))
    return [Scorecard(tuple(row)) for row in zip(*columns, strict=True)]


def _prepare(inputs: Sequence[CheckInput]) -> float:
    """Measure what nearly all checks use, so that its time is not the first check's; milliseconds in all."""
    start = perf_counter()
    for one in inputs:
        if not one.problem:
            # what cannot be measured fails again in the checks that need it, and is an error there
            with suppress(Exception):
                _ = one.style, one.registration, one.aligned_grey, one.distance, one.ground
    return 1000 * (perf_counter() - start)


def _column(
    check: Check, settings: CheckSettings, inputs: Sequence[CheckInput], common: float
) -> list[CheckResult]:
    """One check's results for all inputs, timed.

    Parameters
    ----------
    common
        Milliseconds to add for the whole chunk.
    """
    start = perf_counter()
    # what no check can look at must not cost its neighbours their batch
    sound = [one for one in inputs if not one.problem]
    try:
        told = iter(_run(check, settings, sound) if sound else [])
        results = [_alone(check, settings, one) if one.problem else next(told) for one in inputs]
    except (FixSettings, TryAgain):
        raise
    except Exception:
        # one bad candidate must not fail its neighbours: again one by one
        results = [_alone(check, settings, one) for one in inputs]
    share = (1000 * (perf_counter() - start) + common) / len(inputs)
    return [replace(_policed(check, settings, result), milliseconds=share) for result in results]


def _run(check: Check, settings: CheckSettings, inputs: Sequence[CheckInput]) -> list[CheckResult]:
    results = list(check.judge(inputs, settings))
    if len(results) != len(inputs):
        raise ValueError(f"it answered {len(results)} times for {len(inputs)} pictures")
    for result in results:
        _refuse_nonsense(check, result)
    return results


def _refuse_nonsense(check: Check, result: object) -> None:
    """Let nothing but a result of this very check on: an installed package's check may answer anything."""
    if not isinstance(result, CheckResult):
        raise ValueError(f"it answered with {type(result).__name__}, not with a CheckResult")
    if (result.check, result.version) != (check.name, check.version):
        raise ValueError(f"it answered in the name of {result.check} {result.version}")
    if not isinstance(result.verdict, Verdict):
        raise ValueError(f"its verdict is {result.verdict!r}; it should be a Verdict")
    for what, value in (("score", result.score), ("threshold", result.threshold), *result.measures.items()):
        # of numpy's scalars only float64 is a float: the others cannot be written to the ledger
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"its {what} is {value!r}; it should be a plain number")
    for what, value in result.measures.items():
        if not math.isfinite(value):
            raise ValueError(f"its measure {what} is {value}")


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
    if result.verdict == Verdict.PASS and result.score < settings.enough:
        name = check.name.replace("_", " ").capitalize()
        said = f"{name} is not sure: it scores {result.score:.3f} and is sure from {settings.enough:.3f}."
        result = replace(
            result, verdict=Verdict.UNVERIFIABLE, sure=settings.enough, sentence=f"{result.sentence} {said}"
        )
    if result.verdict != Verdict.UNVERIFIABLE:
        return result
    if settings.unverifiable == "pass":
        return replace(
            result,
            verdict=Verdict.PASS,
            let_pass=True,
            sentence=f"{result.sentence} The settings let that pass.",
        )
    # a closer view does not make it surer
    return replace(result, needs="person" if result.unsure else settings.unverifiable)


def _error(check: Check, settings: CheckSettings, sentence: str) -> CheckResult:
    return CheckResult(check.name, check.version, Verdict.ERROR, 0.0, settings.threshold, sentence)
