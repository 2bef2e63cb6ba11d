"""Thresholds of a whole scorecard from scores whose distribution is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike

from packline.scorecard import Verdict
from scoring.calibration import Goal, calibrate, choose
from scoring.score_table import Judged, bound, judgement, needed, table_of

GOAL = Goal(0.01, 0.95, 0.03, 0.08)


def rows(
    bad: ArrayLike, good: ArrayLike, check: str = "shape", products: int = 40, plain: bool = True
) -> list[Judged]:
    """A check's scores of its own defects and of good pictures, judged at 0.5, of products in turn."""

    def one(name: str, number: int, score: float, defect: bool) -> Judged:
        known = ("part missing", check, plain) if defect else ()
        verdict = Verdict.PASS if score >= 0.5 else Verdict.FAIL
        found = Judged(f"{name} {number}", check, "3", verdict, float(score), 0.5, *known)
        return replace(found, product=f"product {number % products}")

    return [one("bad", i, score, True) for i, score in enumerate(np.atleast_1d(bad))] + [
        one("good", i, score, False) for i, score in enumerate(np.atleast_1d(good))
    ]


def beside(other: Sequence[Judged], scores: ArrayLike, check: str = "colour") -> list[Judged]:
    """Another check's scores of the same pictures."""
    return [
        replace(row, check=check, score=float(score), verdict=Verdict.PASS if score >= 0.5 else Verdict.FAIL)
        for row, score in zip(other, np.atleast_1d(scores), strict=True)
    ]


def shared(rows_of_both: Sequence[Judged], other: str = "colour") -> list[Judged]:
    """Every other defect is the other check's business: without any of its own it would not be calibrated."""
    return [
        replace(row, dimension=other) if row.dimension and int(row.specimen.split()[1]) % 2 else row
        for row in rows_of_both
    ]


def test_the_bound_is_the_one_in_the_books() -> None:
    # Clopper and Pearson: none in 300 is at most 1 % with 95 % confidence, none in 3,000 at most 0.1 %
    assert bound(0, 300, 0.95) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert bound(0, 3000, 0.95) < 0.001 < bound(0, 2990, 0.95)
    assert bound(5, 100, 0.95) == pytest.approx(0.1023, abs=1e-4)
    assert bound(0, 0, 0.95) == bound(7, 7, 0.95) == 1.0


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.1])
def test_it_says_how_many_defects_it_takes(alpha: float) -> None:
    least = needed(alpha, 0.95)
    assert bound(0, least, 0.95) <= alpha < bound(0, least - 1, 0.95)


def test_scores_that_lie_apart_are_parted_half_way_and_keep_the_promise() -> None:
    found = calibrate(table_of(rows([0.1, 0.2] * 200, [0.8, 0.9] * 200)), GOAL, {"shape": 0.5})
    one = found.checks["shape"]
    assert (one.threshold, one.version, one.met, found.met) == (0.5, "3", True, True)
    assert one.kinds == {"part missing": (400, 0)}
    assert (found.held_out.escapes.of, found.held_out.escapes.times) == (400, 0)
    assert (found.held_out.products.of, found.held_out.products.times) == (40, 0)
    assert "of 40 products with a plain defect 0 had one that got out" in " ".join(found.sentences)


def test_the_promise_is_of_the_scorecard_and_not_of_each_check() -> None:
    """200 plain defects of each of two checks show 1 % together, and neither shows it alone."""
    shape = rows([0.1] * 200, [0.9] * 200)
    colour = [
        replace(row, specimen=f"c {row.specimen}", dimension=row.dimension and "colour") for row in shape
    ]
    both = [*shape, *beside(shape, [0.9] * 400)]
    both += [*colour[:0], *beside(colour, [0.1] * 200 + [0.9] * 200)]
    both += [replace(row, score=0.9, verdict=Verdict.PASS) for row in colour]
    found = calibrate(table_of(both), GOAL, {"shape": 0.5, "colour": 0.5})
    assert found.met and (found.held_out.escapes.of, found.held_out.escapes.times) == (400, 0)
    assert not any(one.met for one in found.checks.values())


def test_the_least_strict_scorecard_that_keeps_alpha_is_taken() -> None:
    bad, good = np.linspace(0, 0.6, 1000), np.linspace(0.4, 1, 1000)
    goal = Goal(0.05, 0.95, 0.5, 0.08)
    table = table_of(rows(bad, good))
    level = choose(table, goal, {"shape": 0.3})["shape"]
    escapes = int((bad >= level).sum())
    assert bound(escapes, 1000, 0.95) <= 0.05
    # the next good picture lower, it does not
    assert bound(int((bad >= level - 2 * (good[1] - good[0])).sum()), 1000, 0.95) > 0.05


def test_where_alpha_costs_too_many_good_ones_the_fewest_escapes_within_the_budget_are_taken() -> None:
    bad, good = np.linspace(0, 0.6, 1000), np.linspace(0.4, 1, 1000)
    found = calibrate(table_of(rows(bad, good)), Goal(0.05, 0.95, 0.1, 0.08), {"shape": 0.5})
    assert not found.met
    spent = found.found.false_rejects.times
    assert 80 <= spent <= 100
    assert found.found.escapes.times <= (bad >= good[spent]).sum() + 2
    assert "An escape rate of 5.00% is not shown with 95% confidence" in found.sentences[0]


def test_too_few_defects_promise_nothing_even_where_none_escapes() -> None:
    goal = replace(GOAL, alpha=0.001)
    found = calibrate(table_of(rows([0.1] * 100, [0.9] * 100)), goal, {"shape": 0.5})
    assert not found.met and found.held_out.escapes.times == 0
    assert "0 of 100 plain defects get out, and to show it takes 2995 without an escape" in found.sentences[0]


def test_the_budget_is_the_whole_scorecards_and_not_each_checks() -> None:
    """Each of two checks alone would spend all of it."""
    rng = np.random.default_rng(3)
    shape = rows(rng.uniform(0, 0.8, 300), rng.uniform(0.4, 1, 1000))
    colour = beside(shape, [*rng.uniform(0, 0.8, 300), *rng.uniform(0.4, 1, 1000)])
    found = calibrate(
        table_of(shared([*shape, *colour])), replace(GOAL, alpha=0.001), {"shape": 0.5, "colour": 0.5}
    )
    assert 10 <= found.found.false_rejects.times <= 30
    assert all(one.false_rejects.times < 30 for one in found.checks.values())


def with_alignment(fine: int) -> list[Judged]:
    """Shape parts what is plain; alignment would reject 46 of 1,000 good ones at 0.02, and so many of its own
    defects are there, all fine."""
    shape = rows([0.1] * 400, [0.9] * 1000)
    alignment = beside(shape, [0.9] * 400 + [0.01] * 46 + [0.9] * 954, "alignment")
    own = [
        replace(row, specimen=f"fine {row.specimen}")
        for row in rows([0.005] * fine, [], "alignment", plain=False)
    ]
    return [*shape, *alignment, *own, *beside(own, [0.9] * fine, "shape")]


def test_false_rejects_of_a_check_without_plain_defects_come_down_into_the_budget() -> None:
    table, defaults = table_of(with_alignment(60)), {"shape": 0.5, "alignment": 0.02}
    before = judgement(table, defaults).rates(table, 0.95)
    found = calibrate(table, GOAL, defaults)
    assert (before.false_rejects.times, found.found.false_rejects.times) == (46, 0)
    assert found.found.escapes.times == before.escapes.times == 0 and found.met
    # and no further down than to where its own are still caught
    assert 0.005 < found.checks["alignment"].threshold <= 0.01


def test_a_check_of_which_no_defect_is_known_keeps_its_own_threshold_and_counts() -> None:
    defaults = {"shape": 0.5, "alignment": 0.02}
    # a few finer ones say as little: the next may lie anywhere
    few = calibrate(table_of(with_alignment(12)), GOAL, defaults)
    assert few.checks["alignment"].threshold == 0.02
    found = calibrate(table_of(with_alignment(0)), GOAL, defaults)
    assert (found.checks["alignment"].threshold, found.checks["shape"].threshold) == (0.02, 0.5)
    assert found.checks["alignment"].false_rejects.times == found.found.false_rejects.times == 46
    assert not found.met and "4.60% are rejected" in found.sentences[0]
    assert found.sentences[1].endswith("say what lower ones would let out: alignment.")


def test_one_bad_score_of_a_good_picture_does_not_switch_another_packages_check_off() -> None:
    shape = rows([0.1] * 400, [0.9] * 400)
    brightness = beside(shape, [0.9] * 400 + [0.02] + [0.9] * 399, "brightness")
    found = calibrate(table_of([*shape, *brightness]), GOAL, {"shape": 0.5, "brightness": 0.5})
    assert found.checks["brightness"].threshold == 0.5
    # within what may be rejected the promise is kept; on what it does not rest is said
    assert found.met and found.held_out.false_rejects.times == 1
    assert "let out: brightness." in found.sentences[0]


def test_a_table_of_good_pictures_alone_changes_no_threshold() -> None:
    table = table_of(rows([], [0.1] * 5 + [0.8] * 995, "placement"))
    assert choose(table, GOAL, {"placement": 0.5}) == {"placement": 0.5}


def test_finer_defects_hold_a_check_to_its_default_and_raise_it_no_further() -> None:
    """Placement has no plain defects: its finer ones are worth a few good pictures, up to its default."""
    placement = rows([0.2] * 100 + [0.7] * 100, [0.1] * 5 + [0.8] * 995, "placement", plain=False)
    found = choose(table_of(placement), replace(GOAL, alpha=0.001), {"placement": 0.5})
    assert found["placement"] == 0.5
    easy = rows([0.05] * 100, [0.1] * 5 + [0.8] * 995, "placement", plain=False)
    assert choose(table_of(easy), GOAL, {"placement": 0.5})["placement"] == pytest.approx(0.075)


def test_what_another_check_catches_costs_no_good_ones_here() -> None:
    """Shape would reject 40 good ones to catch its last 10 defects, which colour catches by a wide margin."""
    shape = rows([0.1] * 90 + [0.7] * 10, [0.6] * 40 + [0.9] * 1360)
    defaults = {"shape": 0.5, "colour": 0.5}
    helped = calibrate(
        table_of([*shape, *beside(shape, [0.9] * 90 + [0.1] * 10 + [0.9] * 1400)]), GOAL, defaults
    )
    assert (helped.checks["shape"].false_rejects.times, helped.found.escapes.times) == (0, 0)
    assert (helped.checks["shape"].escapes.times, helped.checks["shape"].published.times) == (10, 0)
    alone = calibrate(table_of([*shape, *beside(shape, [0.9] * 1500)]), GOAL, defaults)
    assert (alone.checks["shape"].false_rejects.times, alone.found.escapes.times) == (40, 0)


def test_numbers_that_flatter_are_not_what_is_promised() -> None:
    """Half of the products have defects at 0.3, the other half at 0.7 and good ones at 0.6: thresholds that
    were found on all do well on all, those of one half do not on the other."""
    low = rows([0.3] * 100, [0.6] * 300, products=1)
    lots = [replace(row, specimen=f"{n} {row.specimen}", product=f"p{n}") for n in range(2) for row in low]
    high = [
        replace(row, score=0.7, verdict=Verdict.PASS) if row.product == "p1" and row.dimension else row
        for row in lots
    ]
    high = [replace(row, score=0.9) if row.product == "p1" and not row.dimension else row for row in high]
    found = calibrate(table_of(high), replace(GOAL, max_rejects=0.5), {"shape": 0.5})
    assert found.found.escapes.times == 0 and found.found.false_rejects.times == 300
    # p0's threshold lets p1's defects out, p1's rejects all that is good of p0
    assert (found.held_out.escapes.times, found.held_out.false_rejects.times) == (100, 300)
    assert (found.held_out.products.of, found.held_out.products.times) == (2, 1)
    assert not found.met


def test_less_is_spent_where_the_thresholds_are_found_if_more_is_rejected_elsewhere() -> None:
    rng = np.random.default_rng(1)
    # products differ, so that one half's worst scores are not the other's
    offsets = np.repeat(rng.normal(0, 0.6, 40), 15)
    good = 1 / (1 + np.exp(-rng.normal(2.5, 0.7, 600) - np.tile(offsets[::15], 15)))
    table = table_of(rows(rng.uniform(0, 0.9, 300), good))
    goal = replace(GOAL, alpha=0.001)
    full = judgement(table, choose(table, goal, {"shape": 0.5})).rates(table, 0.95)
    found = calibrate(table, goal, {"shape": 0.5})
    assert found.held_out.false_rejects.rate <= 0.03
    assert found.found.false_rejects.times < full.false_rejects.times


def test_pictures_of_one_product_are_never_on_both_sides() -> None:
    found = calibrate(table_of(rows([0.1] * 400, [0.9] * 400, products=1)), GOAL, {"shape": 0.5})
    assert not found.met and found.held_out.escapes.of == 0
    assert "of two products or more" in found.sentences[0]


def test_what_cannot_be_told_neither_escapes_nor_is_rejected_and_is_held_to_its_own_limit() -> None:
    told = rows([0.2] * 400, [0.8] * 400)
    doubted = [
        replace(row, verdict=Verdict.UNVERIFIABLE) if int(row.specimen.split()[1]) % 10 == 0 else row
        for row in told
    ]
    found = calibrate(table_of(doubted), GOAL, {"shape": 0.5})
    held = found.held_out
    assert (held.escapes.times, held.false_rejects.times, held.unverifiable.times) == (0, 0, 40)
    assert not found.met and "10.00% cannot be told, more than the 8.00%" in found.sentences[0]
    assert calibrate(table_of(doubted), replace(GOAL, max_unverifiable=0.1), {"shape": 0.5}).met


def test_false_rejects_elsewhere_are_held_to_the_budget_too() -> None:
    # errors reject whatever the threshold
    broken = rows([0.1] * 400, [0.9] * 400)
    broken = [
        replace(row, verdict=Verdict.ERROR) if not row.dimension and int(row.specimen[5:]) < 20 else row
        for row in broken
    ]
    found = calibrate(table_of(broken), GOAL, {"shape": 0.5})
    assert found.held_out.false_rejects.times == 20 and found.held_out.escapes.times == 0
    assert not found.met and "5.00% are rejected, more than the 3.00%" in found.sentences[0]


def test_a_check_without_scores_is_a_promise_that_cannot_be_made() -> None:
    found = calibrate(table_of(rows([0.1] * 400, [0.9] * 400)), GOAL, {"shape": 0.5}, ["pattern"])
    assert not found.met and "no scores of pattern" in found.sentences[0]


def test_what_does_not_apply_escapes_an_error_rejects_and_a_failure_its_score_hides_stays_one() -> None:
    blind = Judged("a", "shape", "3", Verdict.NOT_APPLICABLE, 0.0, 0.5, "part missing", "shape", True)
    broken = Judged("b", "shape", "3", Verdict.ERROR, 0.9, 0.5)
    hidden = Judged("c", "shape", "3", Verdict.FAIL, 0.9, 0.5, "part missing", "shape", True)
    table = table_of([blind, broken, hidden])
    rates = judgement(table, {"shape": 0.1}).rates(table, 0.95)
    assert (rates.escapes.times, rates.escapes.of, rates.false_rejects.times) == (1, 2, 1)


def test_what_the_settings_let_pass_is_no_false_reject_at_any_threshold() -> None:
    """With unverifiable = "pass" a check that could not tell passes with whatever score it had."""
    let = Judged("a", "shape", "3", Verdict.PASS, 0.0, 0.5)
    # a doubt may well have a score over the threshold
    over = Judged("b", "shape", "3", Verdict.PASS, 0.5, 0.45, let_pass=True)
    table = table_of([let, over])
    assert judgement(table, {"shape": 1.0}).rates(table, 0.95).false_rejects.times == 0


def test_a_picture_that_a_check_did_not_judge_is_in_no_count_of_it() -> None:
    shape = rows([0.1] * 4, [0.9] * 4)
    colour = beside(shape, [0.9] * 8)[:2] + beside(shape, [0.9] * 8)[4:6]
    table, defaults = table_of([*shape, *colour]), {"shape": 0.5, "colour": 0.5}
    rates = judgement(table, defaults).rates(table, 0.95)
    assert (rates.escapes.of, rates.false_rejects.of) == (2, 2)
    checks = calibrate(table, GOAL, defaults).checks
    assert (checks["shape"].false_rejects.of, checks["colour"].false_rejects.of) == (4, 2)


def test_scores_of_two_versions_are_refused() -> None:
    mixed = [Judged("a", "shape", "1", Verdict.PASS, 1, 0.5), Judged("b", "shape", "2", Verdict.PASS, 1, 0.5)]
    with pytest.raises(ValueError, match="several versions of shape: 1, 2"):
        table_of(mixed)


def by_people(scores: ArrayLike, rejected: bool) -> list[Judged]:
    told = rows(scores, []) if rejected else rows([], scores)
    return [
        replace(row, specimen=f"p {row.specimen}", product=f"p {row.specimen}", by_person=True)
        for row in told
    ]


def test_peoples_decisions_are_in_no_rate() -> None:
    bench = rows([0.1] * 100, [0.9] * 100)
    people = [*by_people([0.55] * 3000, rejected=True), *by_people([0.95] * 5000, rejected=False)]
    goal = replace(GOAL, alpha=0.001)
    found = calibrate(table_of([*bench, *people]), goal, {"shape": 0.5})
    assert not found.met and found.held_out.escapes.of == found.found.escapes.of == 100
    assert found.found.false_rejects.of == 100
    assert (found.decisions.taken, found.decisions.rejected, found.decisions.approved) == (8000, 3000, 5000)


def test_what_people_found_after_the_check_raises_its_threshold_within_the_budget() -> None:
    bench = rows([0.1] * 100, [0.9] * 100)
    people = by_people([0.7] * 5, rejected=True)
    without = choose(table_of(bench), GOAL, {"shape": 0.5})["shape"]
    found = calibrate(table_of([*bench, *people]), GOAL, {"shape": 0.5})
    assert without < 0.7 < found.checks["shape"].threshold
    assert (found.decisions.rejected, found.decisions.still_pass) == (5, 0)


@pytest.mark.parametrize("seed", range(8))
def test_held_out_numbers_are_honest_on_products_that_are_alike(seed: int) -> None:
    """The rate at which fresh pictures of the same kind get out is about the held-out one."""
    rng = np.random.default_rng(seed)

    def drawn() -> list[Judged]:
        shape = rows(rng.beta(2, 5, 300), rng.beta(6, 2, 600))
        return shared([*shape, *beside(shape, rng.beta(5, 2, 900))])

    defaults = {"shape": 0.5, "colour": 0.5}
    found = calibrate(table_of(drawn()), replace(GOAL, alpha=0.001), defaults)
    levels = {name: one.threshold for name, one in found.checks.items()}
    sure = {name: one.sure for name, one in found.checks.items()}
    fresh = [table_of(drawn()) for _ in range(4)]
    rate = np.mean([judgement(table, levels, sure).rates(table, 0.95).escapes.rate for table in fresh])
    assert rate <= found.held_out.escapes.bound + 0.02


def overlapping(seed: int = 3) -> list[Judged]:
    rng = np.random.default_rng(seed)
    return rows(rng.beta(2, 5, 300), rng.beta(5, 2, 600))


def test_what_may_wait_for_a_person_is_spent_on_scores_between_wrong_and_sure() -> None:
    table = table_of(overlapping())
    without = calibrate(table, replace(GOAL, max_unverifiable=0.0), {"shape": 0.5})
    found = calibrate(table, GOAL, {"shape": 0.5})
    one = found.checks["shape"]
    assert one.threshold == without.checks["shape"].threshold == without.checks["shape"].sure < one.sure
    assert found.found.escapes.times < without.found.escapes.times
    assert found.held_out.escapes.times < without.held_out.escapes.times
    assert 0 < found.held_out.unverifiable.rate <= 0.08
    assert found.held_out.false_rejects.rate <= 0.03
    assert one.doubts.times == found.found.unverifiable.times


def test_doubts_of_its_own_come_first() -> None:
    """What a check cannot judge at all waits already; only the rest may be spent."""
    told = overlapping()
    good = [row for row in told if not row.dimension]
    unseen = {row.specimen for row in good[::16]}
    told = [replace(row, verdict=Verdict.UNVERIFIABLE) if row.specimen in unseen else row for row in told]
    found = calibrate(table_of(told), GOAL, {"shape": 0.5})
    assert found.checks["shape"].doubts.times <= 0.08 * 600 - len(unseen)
    assert len(unseen) < found.found.unverifiable.times <= 0.08 * 600


def test_no_more_doubt_than_the_promise_needs() -> None:
    found = calibrate(table_of(rows([0.1, 0.2] * 200, [0.8, 0.9] * 200)), GOAL, {"shape": 0.5})
    assert found.checks["shape"].sure == found.checks["shape"].threshold
    assert found.checks["shape"].doubts.times == 0


def test_scores_that_were_judged_unsure_are_calibrated_like_any() -> None:
    """Calibrated again on a run that had a sure level, the thresholds are the same."""
    told = overlapping()
    again = [
        replace(row, verdict=Verdict.UNVERIFIABLE, unsure=True) if 0.5 <= row.score < 0.6 else row
        for row in told
    ]
    first, second = (calibrate(table_of(some), GOAL, {"shape": 0.5}) for some in (told, again))
    assert first.checks == second.checks


def test_doubt_that_no_good_picture_pays_for_is_always_allowed() -> None:
    """Also where the check's own doubts are already more than may be."""
    told = rows([0.6] * 20, [0.9] * 80, products=20)
    unseen = [
        replace(row, specimen=f"unseen {row.specimen}", verdict=Verdict.UNVERIFIABLE)
        for row in rows([], [0.5] * 20, products=20)
    ]
    found = calibrate(table_of([*told, *unseen]), replace(GOAL, max_rejects=0.0), {"shape": 0.5})
    assert found.found.escapes.times == 0 and found.found.unverifiable.times == 20


def test_what_a_person_rejected_and_the_check_is_not_sure_of_passes_no_more() -> None:
    person = Judged("x", "shape", "3", Verdict.UNVERIFIABLE, 0.0, 0.5, "rejected", "shape", True)
    table = overlapping()
    one = calibrate(table_of(table), GOAL, {"shape": 0.5}).checks["shape"]
    between = replace(person, score=(one.threshold + one.sure) / 2, by_person=True, unsure=True)
    found = calibrate(table_of([*table, between]), GOAL, {"shape": 0.5})
    assert (found.decisions.rejected, found.decisions.still_pass) == (1, 0)
