"""The verifier's lessons: what is labelled right is right, what is labelled wrong differs where it says."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.verifier import STRIDE, WIDE
from training.verifier_pairs import DIFFERENT, SAME, photographed
from training.verifier_prints import HELD_OUT, KINDS, SPELLING, TURNS, fonts, mark_print, misspelt, text_print

BENCH_ONLY = (
    "lato", "ebgaramond", "comfortaa", "quicksand", "crosextra", "inter", "junction", "league-spartan",
    "linux-libertine", "cantarell", "bebas-neue",
)  # fmt: skip


def test_no_typeface_of_the_bench_is_learned_from() -> None:
    for file in (*fonts(False), *fonts(True)):
        assert not any(f"/{name}/" in file.lower() for name in BENCH_ONLY), file


def test_the_typefaces_kept_out_are_not_learned_from() -> None:
    assert fonts(True) and fonts(False)
    assert not set(fonts(True)) & set(fonts(False))
    assert not any(name in file for file in fonts(False) for name in HELD_OUT)


def test_a_right_print_differs_nowhere() -> None:
    random = np.random.default_rng(0)
    for tall in (False, True):
        one = photographed(text_print(random, "right", short=tall), random, tall)
        assert one.kind == "right" and one.differs.max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_can_be_made_on_words_and_on_marks(kind: str) -> None:
    random = np.random.default_rng(len(kind))
    for made in (text_print(random, kind), mark_print(random, kind)):
        assert made.right.shape == made.wrong.shape and made.right.dtype == np.float32
        assert made.wrong.min() >= -0.01 and made.wrong.max() <= 1.01


def test_a_replaced_letter_differs_in_one_place_and_nowhere_else() -> None:
    for seed in range(30):
        random = np.random.default_rng(seed)
        made = text_print(random, "letter replaced")
        one = photographed(made, random, False)
        if len(made.text) >= 7 and one.differs.max() > DIFFERENT:
            columns = one.differs.max(0)
            assert 0 < (columns > DIFFERENT).sum() <= 0.4 * len(columns)
            assert (columns < SAME).sum() >= 0.5 * len(columns)
            assert one.differs.shape == (WIDE // STRIDE, -(-one.expected.shape[1] // STRIDE))
            return
    raise AssertionError("no long word was drawn")


def test_a_mirrored_word_differs_in_most_places() -> None:
    random = np.random.default_rng(3)
    made = text_print(random, "mirrored")
    one = photographed(made, random, False)
    assert (one.differs.max(0) > DIFFERENT).mean() > 0.4


@pytest.mark.parametrize("how", SPELLING[:-1])
def test_a_misspelt_word_is_another_word(how: str) -> None:
    random = np.random.default_rng(5)
    wrong = misspelt("GRANOLA", how, random)
    assert wrong != "GRANOLA"
    assert len(wrong) == 7 + {"letter doubled": 1, "letter dropped": -1}.get(how, 0)


def test_turning_twice_by_half_gives_the_print_again() -> None:
    picture = np.random.default_rng(0).random((5, 9, 2)).astype(np.float32)
    for name in ("upside down", "mirrored", "mirrored top to bottom", "mirrored and turned"):
        assert np.array_equal(TURNS[name](TURNS[name](picture)), picture)
    assert np.array_equal(TURNS["turned by 90"](TURNS["turned by 270"](picture)), picture)
