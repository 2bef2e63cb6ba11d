"""Which candidate is the best, and which shows something else than its siblings do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packline.choice import SAME, Floats, Nearest, choose, descriptor, nearest, standing
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


def ranked(cards: list[Scorecard | None]) -> list[int]:
    """All candidates as `choose` would take them, one after the other."""
    left, found = list(range(len(cards))), []
    while left:
        found.append(left.pop(choose([cards[i] for i in left], [None] * len(left))))
    return found


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


def test_what_lies_farthest_from_the_siblings_is_chosen_and_among_equals_the_better() -> None:
    cards = [card(0.9), card(0.6), card(0.8), card(0.8)]
    far, close = Nearest(1, 4.0), Nearest(2, 3.0)
    assert choose(cards, [close, far, close, close]) == 1
    assert choose(cards, [close, close, far, far]) == 2
    assert choose(cards, [None] * 4) == 0
    # what cannot be compared is not held against a candidate
    assert choose(cards, [far, None, far, far]) == 1


_PLACES = st.integers(-900, 900).map(lambda hundredths: hundredths / 100)


def look(place: float) -> Floats:
    return np.array([place, 0.0], np.float32)


@given(st.lists(_PLACES, min_size=2, max_size=9), st.integers(2, 9))
def test_picture_by_picture_a_placement_is_spread_out(places: list[float], wanted: int) -> None:
    taken: dict[int, int] = {}
    apart = []
    for number in range(1, min(wanted, len(places)) + 1):
        left = [i for i in range(len(places)) if i not in taken.values()]
        others = {sibling: look(places[i]) for sibling, i in taken.items()}
        near = [nearest(look(places[i]), others) if others else None for i in left]
        best = choose([card(0.8)] * len(left), near)
        if (found := near[best]) is not None:
            assert found.distance == pytest.approx(
                max(min(abs(places[i] - places[j]) for j in taken.values()) for i in left), abs=1e-4
            )
            assert found.distance == pytest.approx(
                abs(places[left[best]] - places[taken[found.number]]), abs=1e-4
            )
            apart.append(found.distance)
        taken[number] = left[best]
    assert taken[1] == 0
    assert all(first >= second - 1e-4 for first, second in pairwise(apart))


def test_under_the_stated_distance_two_pictures_are_the_same() -> None:
    assert nearest(look(0), {1: look(5), 3: look(-0.99)}) == Nearest(3, pytest.approx(0.99))  # type: ignore[arg-type]
    assert nearest(look(0), {3: look(-0.99)}).same
    assert not nearest(look(0), {3: look(SAME)}).same


def test_the_distance_of_descriptors_is_a_difference_of_colours() -> None:
    one, other = np.full((64, 48, 3), 100, np.uint8), np.full((64, 48, 3), 100, np.uint8)
    assert np.linalg.norm(descriptor(one) - descriptor(other)) == 0
    other[:] = 124
    # sRGB 100 and 124 lie 9.6 apart in lightness
    assert np.linalg.norm(descriptor(one) - descriptor(other)) == pytest.approx(9.6, abs=0.3)
    other[:] = 100
    other[:32] = 124
    assert np.linalg.norm(descriptor(one) - descriptor(other)) == pytest.approx(9.6 / np.sqrt(2), abs=0.3)
