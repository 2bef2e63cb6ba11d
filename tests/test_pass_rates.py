"""What is learned of pass rates, and how many candidates a wave has for it."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packline.pass_rates import Group, PassRates, Rate, Seen, wave_size
from packline.shots import kind_of

SHOE, HAT = Group("shoe", "", "e"), Group("hat", "", "e")
betas = st.floats(0.02, 30)


def told(shots: list[list[int]]) -> list[Seen]:
    """Counts of some shots' candidates, passed (1) or not (0), as the ledger keeps them."""
    found: Counter[tuple[int, int, int]] = Counter()
    for shot in shots:
        for number, passed in enumerate(shot):
            k = sum(shot[:number])
            found[k, number - k, passed] += 1
    return [
        Seen(k, f, found[k, f, 0] + found[k, f, 1], found[k, f, 1])
        for k, f in sorted({(k, f) for k, f, _ in found})
    ]


def drawn(mean: float, alike: float, shots: int, tries: int, seed: int = 1) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    rates = rng.beta(mean * alike, (1 - mean) * alike, shots)
    return (rng.random((shots, tries)) < rates[:, None]).astype(int).tolist()


def learned(cells: list[Seen], group: Group = SHOE) -> Rate:
    return PassRates({group: cells}, {("e", ""): cells}).of(group)


@given(betas, betas, st.integers(1, 6), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_at_least_so_many_passes_is_the_sum_over_all_orders(
    a: float, b: float, tries: int, need: int
) -> None:
    total = 0.0
    for order in product((0, 1), repeat=tries):
        chance, rate = 1.0, Rate(a, b)
        for passed in order:
            chance *= rate.mean if passed else 1 - rate.mean
            rate = rate.after(passed, 1 - passed)
        total += chance * (sum(order) >= need)
    assert math.isclose(Rate(a, b).at_least(need, tries), total, rel_tol=1e-9, abs_tol=1e-9)


@given(betas, betas, st.integers(1, 3), st.floats(0.05, 0.99), st.floats(1, 100), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_a_wave_is_the_smallest_that_is_sure_enough_and_no_candidate_of_it_costs_too_much(
    a: float, b: float, need: int, sure: float, worth: float, most: int
) -> None:
    rate = Rate(a, b)
    size = wave_size(rate, need, sure=sure, worth=worth, most=most)
    assert 0 <= size <= most
    if size == 0:
        assert all(rate.at_least(need, n) * worth < n for n in range(1, most + 1))
        return
    # another select is expected to cost no more than it is worth, and the last candidate earns its keep
    assert rate.at_least(need, size) * worth >= size * (1 - 1e-9) or size > 1
    if size > 1 and size > need:
        least = next(n for n in range(1, most + 1) if rate.at_least(need, n) * worth >= n)
        assert size == least or rate.at_least(need, size - 1) < sure
    if size < most:
        gain = rate.at_least(need, size + 1) - rate.at_least(need, size)
        assert rate.at_least(need, size) >= sure or gain * worth < 1


@given(betas, betas, st.integers(1, 3), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_what_a_shot_needs_is_shared_out_over_the_waves_that_are_left(
    a: float, b: float, need: int, waves: int
) -> None:
    ask = {"sure": 0.8, "worth": 20.0}
    whole = wave_size(Rate(a, b), need, **ask, most=4 * waves)
    assert wave_size(Rate(a, b), need, **ask, most=4, waves=waves) == -(-whole // waves)


def test_with_nothing_seen_a_first_wave_asks_for_a_few() -> None:
    fresh = PassRates({}, {}).of(SHOE)
    assert fresh.mean == pytest.approx(0.5)
    assert [wave_size(fresh, 1, sure=0.8, worth=worth, most=4) for worth in (5, 20, 100)] == [1, 2, 4]


@pytest.mark.parametrize(("mean", "alike"), [(0.85, 4.0), (0.3, 0.2), (0.5, 12.0)])
def test_mean_and_likeness_are_found_again(mean: float, alike: float) -> None:
    rate = learned(told(drawn(mean, alike, 600, 6)))
    assert rate.mean == pytest.approx(mean, abs=0.04)
    assert rate.passing + rate.failing == pytest.approx(alike, rel=0.5)


def test_where_shots_pass_always_or_never_one_failure_is_enough() -> None:
    rate = learned(told([[1, 1]] * 6 + [[0, 0, 0, 0]] * 20))
    ask = {"sure": 0.8, "worth": 20.0, "most": 4}
    assert wave_size(rate, 1, **ask) == 1
    assert wave_size(rate.after(0, 1), 1, **ask) == 0


def test_where_all_shots_are_alike_a_failure_says_little() -> None:
    rate = learned(told(drawn(0.3, 40.0, 400, 4)))
    assert rate.after(0, 2).mean > 0.2
    assert wave_size(rate.after(0, 2), 1, sure=0.8, worth=20, most=4) == 4


def test_a_group_starts_at_the_catalogs_rate_and_leaves_it_with_what_is_seen_of_it() -> None:
    whole = told(drawn(0.8, 3.0, 300, 3))
    few, many = told([[0, 0]] * 2), told([[0, 0]] * 60)
    rates = [
        PassRates({SHOE: own} if own else {}, {("e", ""): whole}).of(SHOE).mean for own in ([], few, many)
    ]
    assert rates[0] == pytest.approx(0.8, abs=0.05)
    assert rates[0] > rates[1] > rates[2]
    assert rates[2] < 0.15
    other = PassRates({SHOE: many}, {("e", ""): whole}).of(HAT).mean
    assert other == pytest.approx(rates[0])


def test_a_rung_that_nobody_has_tried_is_thought_as_good_as_the_first_and_unlearns_it_soon() -> None:
    whole = told(drawn(0.6, 2.0, 300, 3))
    rung = Group("shoe", "", "e", "adherence")
    untried = PassRates({}, {("e", ""): whole}).of(rung).mean
    assert untried == pytest.approx(0.6, abs=0.06)
    never = told([[0]] * 40)
    tried = PassRates({rung: never}, {("e", ""): whole, ("e", "adherence"): never}).of(rung).mean
    assert tried < 0.1


def test_a_shots_own_candidates_count_once() -> None:
    """Of a catalog with one shot, everything that was learned was learned of this one."""
    own = [False, False, True]
    cells = told([[0, 0, 1]])
    alone = PassRates({SHOE: cells}, {("e", ""): cells}).of(SHOE, own)
    fresh = PassRates({}, {}).of(SHOE).after(1, 2)
    assert alone.mean == pytest.approx(fresh.mean)
    others = told([[0, 0, 1], [1, 1], [1, 0, 1]])
    rest = told([[1, 1], [1, 0, 1]])
    both = PassRates({SHOE: others}, {("e", ""): others}).of(SHOE, own)
    assert both == PassRates({SHOE: rest}, {("e", ""): rest}).of(SHOE).after(1, 2)


def test_another_engine_is_judged_by_its_own_shots() -> None:
    good, bad = told(drawn(0.9, 3.0, 200, 2)), told(drawn(0.1, 3.0, 200, 2))
    rates = PassRates({}, {("e", ""): good, ("other", ""): bad})
    assert rates.of(SHOE).mean > 0.8 > 0.2 > rates.of(Group("shoe", "", "other")).mean


@pytest.mark.parametrize(
    ("sku", "title", "kind"),
    [
        ("SHOE-NORTH", "navy low-top shoe", "shoe"),
        ("A1", "red shoe", "shoe"),
        ("4711-88", "Bottle, teal", "teal"),
        ("AW24-1", "woollen hat", "hat"),
        ("X-1", "desk lamp 40", "lamp"),
        ("12", "400", ""),
    ],
)
def test_a_products_type_is_its_skus_first_word_or_its_titles_last(sku: str, title: str, kind: str) -> None:
    assert kind_of(sku, title) == kind
