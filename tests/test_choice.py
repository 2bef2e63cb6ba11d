"""Which candidate is the best, and which others show something else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packline.choice import choose, descriptor, ranked, standing
from packline.scorecard import CheckResult, Scorecard, Verdict


def card(*scores: float, threshold: float = 0.5, verdict: Verdict | None = None) -> Scorecard:
    return Scorecard(
        tuple(
            CheckResult(
                f"check {i}",
                "1",
                verdict or (Verdict.PASS if score >= threshold else Verdict.FAIL),
                score,
                threshold,
                "",
            )
            for i, score in enumerate(scores)
        )
    )


def test_the_weakest_check_decides_then_the_mean_then_the_order() -> None:
    cards = [card(0.9, 0.6), card(0.7, 0.7), card(0.7, 0.9), card(0.7, 0.9)]
    assert ranked(cards) == [2, 3, 1, 0]


def test_margins_count_from_each_checks_own_threshold() -> None:
    strict, lax = card(0.95, threshold=0.9), card(0.8, threshold=0.2)
    assert ranked([strict, lax]) == [1, 0]
    assert standing(strict)[1] == pytest.approx(0.5) and standing(lax)[1] == pytest.approx(0.75)


def test_what_passed_comes_before_what_cannot_be_told_before_what_failed_before_what_was_not_scored() -> None:
    doubtful = Scorecard((*card(0.99).results, *card(0.5, verdict=Verdict.UNVERIFIABLE).results))
    broken = Scorecard((*card(0.99).results, *card(0.0, verdict=Verdict.ERROR).results))
    cards = [None, card(0.49), doubtful, card(0.51), broken]
    assert ranked(cards) == [3, 2, 1, 4, 0]


def test_a_check_that_does_not_apply_counts_for_nothing() -> None:
    silent = Scorecard((*card(0.8).results, *card(0.0, verdict=Verdict.NOT_APPLICABLE).results))
    assert standing(silent) == standing(card(0.8))


def test_the_second_choice_is_the_one_that_looks_least_like_the_first() -> None:
    cards = [card(0.9), card(0.8), card(0.6), card(0.1)]
    looks = np.array([[0.0], [0.1], [1.0], [9.0]])
    assert choose(cards, 2, looks) == [0, 2]
    # what failed is never chosen, however different
    assert choose(cards, 9, looks) == [0, 2, 1]


def test_among_equally_different_ones_the_better_is_chosen() -> None:
    assert choose([card(0.6), card(0.9), card(0.8)], 2, np.zeros((3, 1))) == [1, 2]


def test_none_is_chosen_where_none_passes_or_none_is_wanted() -> None:
    assert choose([card(0.1), None], 2, np.zeros((2, 1))) == []
    assert choose([card(0.9)], 0, np.zeros((1, 1))) == []
    with pytest.raises(ValueError, match="2 candidates have 1 descriptors"):
        choose([card(0.9), card(0.9)], 1, np.zeros((1, 1)))


# descriptors in hundredths: the squares of denormal numbers are zero, which says nothing of choosing
_PLACES = st.integers(-900, 900).map(lambda hundredths: hundredths / 100)


@given(st.lists(st.tuples(st.floats(0.5, 1), _PLACES), min_size=1, max_size=9), st.integers(1, 9))
def test_each_further_choice_lies_no_farther_from_the_chosen_than_the_one_before(
    drawn: list[tuple[float, float]], wanted: int
) -> None:
    cards, looks = [card(score) for score, _ in drawn], np.array([[place] for _, place in drawn])
    chosen = choose(cards, wanted, looks)
    assert len(set(chosen)) == len(chosen) == min(wanted, len(drawn))
    assert chosen[0] == ranked(cards)[0]
    apart = [
        min(abs(drawn[one][1] - drawn[other][1]) for other in chosen[:i]) for i, one in enumerate(chosen) if i
    ]
    assert all(first >= second for first, second in pairwise(apart))


def test_the_distance_of_descriptors_is_a_difference_of_colours() -> None:
    one, other = np.full((64, 48, 3), 100, np.uint8), np.full((64, 48, 3), 100, np.uint8)
    assert np.linalg.norm(descriptor(one) - descriptor(other)) == 0
    other[:] = 124
    # sRGB 100 and 124 lie 9.6 apart in lightness
    assert np.linalg.norm(descriptor(one) - descriptor(other)) == pytest.approx(9.6, abs=0.3)
    other[:] = 100
    other[:32] = 124
    assert np.linalg.norm(descriptor(one) - descriptor(other)) == pytest.approx(9.6 / np.sqrt(2), abs=0.3)
