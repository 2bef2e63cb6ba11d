"""Thresholds from scores whose distribution is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import norm

from packline.scorecard import Verdict
from scoring.calibration import (
    Judged,
    Table,
    allowed,
    bound,
    calibrate,
    needed,
    outcome,
    relieved,
    table_of,
)


def rows(
    bad: ArrayLike,
    good: ArrayLike,
    check: str = "shape",
    verdict: Verdict | None = None,
    kind: str = "part missing",
) -> list[Judged]:
    """A check's scores of its own plain defects and of good pictures, judged at 0.5."""

    def one(name: str, score: float, plain: bool) -> Judged:
        said = verdict or (Verdict.PASS if score >= 0.5 else Verdict.FAIL)
        known = (kind, check, True) if plain else ()
        return Judged(name, check, "3", said, float(score), 0.5, *known)

    return [one(f"bad {i}", score, True) for i, score in enumerate(np.atleast_1d(bad))] + [
        one(f"good {i}", score, False) for i, score in enumerate(np.atleast_1d(good))
    ]


def table(bad: ArrayLike, good: ArrayLike) -> Table:
    return table_of(rows(bad, good))


def test_the_bound_is_the_one_in_the_books() -> None:
    # Clopper and Pearson: none in 300 is at most 1 % with 95 % confidence, none in 3,000 at most 0.1 %
    assert bound(0, 300, 0.95) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert bound(0, 3000, 0.95) < 0.001 < bound(0, 2990, 0.95)
    assert bound(5, 100, 0.95) == pytest.approx(0.1023, abs=1e-4)
    assert bound(0, 0, 0.95) == bound(7, 7, 0.95) == 1.0


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.1])
def test_it_says_how_many_defects_it_takes(alpha: float) -> None:
    least = needed(alpha, 0.95)
    assert allowed(least, alpha, 0.95) == 0
    assert allowed(least - 1, alpha, 0.95) == -1
    more = 20 * least
    most = allowed(more, alpha, 0.95)
    assert bound(most, more, 0.95) <= alpha < bound(most + 1, more, 0.95)


def test_scores_that_lie_apart_are_parted_half_way() -> None:
    found = calibrate(table([0.1, 0.2] * 200, [0.8, 0.9] * 200), 0.01, 0.95, 0.01)["shape"]
    assert (found.threshold, found.met, found.sentence, found.version) == (0.5, True, "", "3")
    assert (found.escapes.of, found.escapes.times, found.false_rejects.times) == (400, 0, 0)
    assert found.kinds == {"part missing": (400, 0)}


def test_the_lowest_threshold_that_keeps_the_promise_is_taken() -> None:
    bad, good = np.linspace(0, 0.6, 1000), np.linspace(0.4, 1, 1000)
    found = calibrate(table(bad, good), 0.05, 0.95, 0.5)["shape"]
    most = allowed(1000, 0.05, 0.95)
    assert found.met and found.escapes.times == most
    assert np.sort(bad)[-most - 1] < found.threshold <= np.sort(bad)[-most]
    assert found.false_rejects.times == (good < found.threshold).sum() > 0


def test_where_it_would_reject_too_many_the_best_trade_is_taken_and_said() -> None:
    bad, good = np.linspace(0, 0.6, 1000), np.linspace(0.4, 1, 1000)
    found = calibrate(table(bad, good), 0.05, 0.95, 0.1)["shape"]
    assert not found.met
    assert found.false_rejects.rate <= 0.1
    # no threshold with as few false rejects lets fewer escape
    assert found.escapes.times == (bad >= np.sort(good)[100]).sum()
    assert found.sentence == (
        "An escape rate of 5.00% would reject 29.60% of the good ones; taken are the fewest escapes within "
        "10.00% false rejects."
    )


def test_too_few_defects_promise_nothing_even_where_none_escapes() -> None:
    found = calibrate(table([0.1] * 100, [0.9] * 100), 0.001, 0.95, 0.005)["shape"]
    assert (found.met, found.threshold, found.escapes.times) == (False, 0.5, 0)
    assert found.escapes.bound == pytest.approx(0.0295, abs=1e-4)
    assert found.sentence.startswith("100 plain defects are too few to show an escape rate of 0.10% with 95%")
    assert "takes 2995 without an escape" in found.sentence


def test_defects_that_score_one_cannot_be_kept_in_by_any_threshold() -> None:
    found = calibrate(table([1.0] * 50 + [0.2] * 350, [0.9] * 400), 0.05, 0.95, 0.01)["shape"]
    assert not found.met and found.escapes.times == 50
    assert "no threshold keeps" in found.sentence
    assert found.threshold == 0.55


def test_what_cannot_be_told_neither_escapes_nor_is_rejected() -> None:
    told = rows([0.9] * 10, [0.1] * 10, kind="x")
    doubted = [replace(row, verdict=Verdict.UNVERIFIABLE) for row in told]
    more = [replace(row, specimen=f"more {row.specimen}") for row in rows([0.2] * 400, [0.8] * 400)]
    all_ = table_of(doubted + more)
    found = calibrate(all_, 0.01, 0.95, 0.01)["shape"]
    assert found.met and found.threshold == 0.5
    assert (found.escapes.of, found.false_rejects.of) == (410, 410)
    whole = outcome(all_, {"shape": 0.5}, 0.95)
    assert (whole.escapes.times, whole.false_rejects.times, whole.unverifiable.times) == (0, 0, 10)


def test_a_defect_to_which_the_check_does_not_apply_escapes_and_an_error_rejects() -> None:
    lost = rows([0.0] * 40, [0.9] * 400, verdict=None)
    blind = [
        Judged(f"blind {i}", "shape", "3", Verdict.NOT_APPLICABLE, 1.0, 0.5, "part missing", "shape", True)
        for i in range(4)
    ]
    broken = [Judged(f"broken {i}", "shape", "3", Verdict.ERROR, 0.0, 0.5) for i in range(3)]
    found = calibrate(table_of(lost + blind + broken), 0.01, 0.95, 0.001)["shape"]
    assert not found.met
    assert (found.escapes.times, found.escapes.of) == (4, 44)
    assert (found.false_rejects.times, found.false_rejects.of) == (3, 403)


def test_a_failure_that_its_score_does_not_show_stays_one_at_every_threshold() -> None:
    hard = [Judged(f"h{i}", "shape", "3", Verdict.FAIL, 0.9, 0.5, "k", "shape", True) for i in range(400)]
    found = calibrate(table_of(hard + rows([], [0.95] * 400)), 0.01, 0.95, 0.01)["shape"]
    assert found.met and found.escapes.times == 0


def test_a_check_without_defects_of_its_own_is_left_out() -> None:
    both = rows([0.1] * 10, [0.9] * 10) + rows([], [0.9] * 10, check="alignment")
    assert list(calibrate(table_of(both), 0.01, 0.95, 0.01)) == ["shape"]


def test_scores_of_two_versions_are_refused() -> None:
    mixed = [Judged("a", "shape", "1", Verdict.PASS, 1, 0.5), Judged("b", "shape", "2", Verdict.PASS, 1, 0.5)]
    with pytest.raises(ValueError, match="several versions of shape: 1, 2"):
        table_of(mixed)


def test_the_whole_scorecard_lets_out_what_passes_every_check_and_rejects_what_fails_one() -> None:
    shape = rows([0.2, 0.9], [0.9, 0.4, 0.9])
    colour = [
        Judged(row.specimen, "colour", "1", row.verdict, score, 0.5, row.kind, row.dimension, row.plain)
        for row, score in zip(shape, [0.9, 0.1, 0.9, 0.9, 0.3], strict=True)
    ]
    all_ = table_of(shape + colour)
    strict = outcome(all_, {"shape": 0.5, "colour": 0.5}, 0.95)
    assert (strict.escapes.times, strict.escapes.of) == (0, 2)
    assert (strict.false_rejects.times, strict.false_rejects.of) == (2, 3)
    blind = outcome(all_, {"shape": 0.5, "colour": 0.0}, 0.95)
    assert (blind.escapes.times, blind.false_rejects.times) == (1, 1)
    assert blind.by_check["shape"][0].times == 1


def beside(other: list[Judged], scores: ArrayLike) -> list[Judged]:
    """Another check's scores on the same pictures."""
    return [
        replace(
            row, check="colour", score=float(score), verdict=Verdict.PASS if score >= 0.5 else Verdict.FAIL
        )
        for row, score in zip(other, np.atleast_1d(scores), strict=True)
    ]


def test_what_another_check_catches_need_not_cost_good_ones() -> None:
    """Shape would reject 40 good ones to catch its last 10 defects, which colour catches by a wide margin."""
    shape = rows([0.1] * 90 + [0.7] * 10, [0.6] * 40 + [0.9] * 360)
    colour = beside(shape, [0.9] * 90 + [0.1] * 10 + [0.9] * 400)
    all_ = table_of(shape + colour)
    found = calibrate(all_, 0.001, 0.95, 0.2, ["shape"])
    assert (found["shape"].threshold, found["shape"].false_rejects.times) == (0.8, 40)
    after = relieved(all_, found, {"shape": 0.5, "colour": 0.5}, 0.95)["shape"]
    assert after.threshold == 0.35
    assert (after.false_rejects.times, after.escapes.times, after.published.times) == (0, 10, 0)
    assert after.sentence == found["shape"].sentence and not after.met


def test_what_nobody_else_catches_still_costs_what_it_costs() -> None:
    shape = rows([0.1] * 90 + [0.7] * 10, [0.6] * 40 + [0.9] * 360)
    all_ = table_of(shape + beside(shape, [0.9] * 500))
    found = calibrate(all_, 0.001, 0.95, 0.2, ["shape"])
    after = relieved(all_, found, {"shape": 0.5, "colour": 0.5}, 0.95)["shape"]
    assert (after.threshold, after.published.times) == (0.8, 0)


def test_a_promise_that_is_kept_is_not_lowered() -> None:
    shape = rows([0.1] * 390 + [0.7] * 10, [0.6] * 40 + [0.9] * 360)
    all_ = table_of(shape + beside(shape, [0.1] * 400 + [0.9] * 400))
    found = calibrate(all_, 0.01, 0.95, 0.2, ["shape"])
    assert found["shape"].met
    after = relieved(all_, found, {"shape": 0.5, "colour": 0.5}, 0.95)["shape"]
    assert after.threshold == found["shape"].threshold == 0.8


def test_lowering_never_lets_more_out_of_the_whole_scorecard() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        shape = rows(rng.beta(2, 4, 120), rng.beta(5, 2, 150))
        all_ = table_of(shape + beside(shape, rng.random(270)))
        others = {"shape": 0.5, "colour": 0.4}
        found = calibrate(all_, 0.001, 0.95, 0.1, ["shape"])
        after = relieved(all_, found, others, 0.95)
        was, now = (
            outcome(all_, {**others, "shape": one["shape"].threshold}, 0.95) for one in (found, after)
        )
        assert now.escapes.times <= was.escapes.times
        assert now.false_rejects.times <= was.false_rejects.times


@pytest.mark.parametrize(("alpha", "defects"), [(0.02, 400), (0.05, 150)])
def test_the_promise_is_kept_with_the_stated_confidence(alpha: float, defects: int) -> None:
    """In 300 calibrations on scores of a known distribution the true rate is above alpha in at most 5 %."""
    rng = np.random.default_rng(5)
    true: list[float] = []
    for _ in range(300):
        # scores from 0 to 1 whose logit is normal: -1.5 for bad ones, 1.5 for good ones
        bad, good = (1 / (1 + np.exp(-rng.normal(mean, 1, defects))) for mean in (-1.5, 1.5))
        found = calibrate(table(bad, good), alpha, 0.95, 1.0)["shape"]
        assert found.met
        true.append(float(norm.sf(np.log(found.threshold / (1 - found.threshold)) + 1.5)))
    assert np.mean(np.array(true) > alpha) <= 0.05 + _slack(300)
    # and it is no more careful than it must be
    assert np.median(true) > alpha / 3


def _slack(repeats: int) -> float:
    """Two standard errors of a share of 5 %."""
    return float(2 * np.sqrt(0.05 * 0.95 / repeats))
