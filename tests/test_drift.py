"""Whether a change of the pass rate is seen, and no change is not."""

from __future__ import annotations

import numpy as np
import pytest

from packline.drift import BASELINE, CEILING, LIMIT, LIMIT_OF_CHECK, WINDOW, cusums, drift_sentence, watch
from packline.records import Judgement


def history(*rates: tuple[float, int], seed: int = 0, check: str = "shape") -> list[Judgement]:
    """Candidates that pass by chance: a rate for so many of them, then the next."""
    rng = np.random.default_rng(seed)
    answers = np.concatenate([rng.random(count) < rate for rate, count in rates])
    return [
        Judgement(f"run {i // 100}", bool(good), {check: "pass" if good else "fail", "artifacts": "pass"})
        for i, good in enumerate(answers)
    ]


def first_alarms(answers: np.ndarray, limit: float = LIMIT) -> tuple[float, float]:
    """Candidates after the baseline until the sum for a fall, and for a rise, reaches the limit."""
    over = [np.flatnonzero(np.array(side.sums) >= limit) for side in cusums(list(answers), limit)]
    fall, rise = (float(one[0]) - BASELINE if one.size else np.inf for one in over)
    return fall, rise


def test_a_steady_rate_gives_a_false_alarm_every_4000_candidates_or_so() -> None:
    """The average run length under no change, from how many of 100 runs of 2,000 stay silent."""
    rng = np.random.default_rng(1)
    silent = 0
    for _ in range(100):
        answers = rng.random(BASELINE + 2000) < 0.7
        silent += min(first_alarms(answers)) == np.inf
    # geometric: silent for 2,000 with probability exp(-2000 / length)
    length = -2000 / np.log(silent / 100)
    assert 3000 < length < 8000


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.97, 0.99, 1.0])
def test_a_single_check_alarms_falsely_once_in_20000_candidates_or_less(rate: float) -> None:
    rng = np.random.default_rng(2)
    alarms = sum(
        min(first_alarms(rng.random(BASELINE + 1000) < rate, LIMIT_OF_CHECK)) < np.inf for _ in range(60)
    )
    assert alarms <= 60 * 1000 / 20000


@pytest.mark.parametrize(("after", "candidates"), [(0.6, 320), (0.5, 110), (0.8, 240)])
def test_a_change_is_seen_within_so_many_candidates(after: float, candidates: int) -> None:
    rng = np.random.default_rng(3)
    seen = []
    for _ in range(50):
        answers = np.concatenate([rng.random(BASELINE + 300) < 0.7, rng.random(1200) < after])
        alarm = first_alarms(answers)[after > 0.7]
        if alarm >= 300:
            seen.append(alarm - 300)
    assert len(seen) > 40
    assert np.median(seen) < candidates


@pytest.mark.parametrize(("rate", "blind", "fallen"), [(0.85, 140, 240), (0.9, 200, 220), (0.97, 600, 160)])
def test_a_rate_near_1_has_room_to_rise_and_to_fall(rate: float, blind: int, fallen: int) -> None:
    """A check gone blind passes all: what was rare enough before takes the longer to be missed."""
    rng = np.random.default_rng(6)
    rises, falls = [], []
    for _ in range(30):
        usual = rng.random(BASELINE + 1300) < rate
        rises.append(first_alarms(np.append(usual, np.ones(800, bool)), LIMIT_OF_CHECK)[1] - 1300)
        falls.append(first_alarms(np.append(usual, rng.random(800) < rate - 0.1), LIMIT_OF_CHECK)[0] - 1300)
    assert 0 < np.median(rises) < blind and max(rises) < np.inf
    assert 0 < np.median(falls) < fallen and np.isfinite(falls).sum() >= 28


def test_a_check_gone_blind_is_said_although_it_nearly_always_passed_before() -> None:
    whole, shape, _ = watch(history((0.9, 1500), (1.0, 2000)))
    assert (whole.change, shape.change) == ("rose", "rose")
    assert abs(shape.since - 1500) < 40 and shape.recent > 0.99
    assert "a check may have gone blind" in shape.sentence


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.9, 0.97])
def test_a_steady_rate_near_0_or_1_is_no_drift(rate: float) -> None:
    answers = np.random.default_rng(7).random(WINDOW) < rate
    assert first_alarms(answers) == (np.inf, np.inf)


def test_near_0_all_is_as_near_1_the_other_way_round() -> None:
    answers = np.random.default_rng(8).random(2000) < np.repeat([0.1, 0.0, 0.4], [1000, 500, 500])
    fall, rise = cusums(list(answers), LIMIT)
    fall_of_other, rise_of_other = cusums(list(~answers), LIMIT)
    assert fall.sums == pytest.approx(rise_of_other.sums) and max(fall.sums) >= LIMIT
    assert rise.sums == pytest.approx(fall_of_other.sums) and max(rise.sums) >= LIMIT


def test_a_fall_is_said_with_its_rates_its_checks_and_since_when() -> None:
    watches = watch(history((0.8, 400), (0.5, 200)))
    whole, shape, artifacts = watches
    assert (whole.name, shape.name, artifacts.name) == ("", "shape", "artifacts")
    assert (whole.change, shape.change, artifacts.change) == ("fell", "fell", "")
    assert abs(whole.since - 400) <= 25
    assert abs(whole.usual - 0.8) < 0.05 and abs(whole.recent - 0.5) < 0.08
    sentence = drift_sentence(watches)
    assert sentence.startswith(
        f"The pass rate fell from {whole.usual:.0%} to {whole.recent:.0%} over the last "
    )
    assert "since run run " in sentence and sentence.endswith("(most of it in shape).")


def test_a_rise_is_said_to_be_looked_at() -> None:
    watches = watch(history((0.6, 400), (0.9, 200)))
    assert watches[0].change == "rose"
    assert "a check may have gone blind" in watches[0].sentence


def test_no_change_and_too_few_candidates_say_nothing() -> None:
    assert drift_sentence(watch(history((0.7, 800), seed=4))) == ""
    few = watch(history((1.0, BASELINE)))
    assert not few[0].known and drift_sentence(few) == ""
    assert drift_sentence(watch([])) == ""


def test_a_line_that_is_well_again_says_so() -> None:
    sick = watch(history((0.8, 400), (0.3, 300)))
    assert sick[0].change == "fell" and max(sick[0].fell) <= CEILING * LIMIT
    assert drift_sentence(watch(history((0.8, 400), (0.3, 300), (0.8, 300)))) == ""


def test_candidates_to_which_a_check_does_not_apply_are_left_out_of_its_own_rate() -> None:
    blank = [Judgement("r", True, {"text": "not applicable"})] * 50
    told = [Judgement("r", False, {"text": "unverifiable"})] * 30
    (whole, text) = watch(blank + told)
    assert (whole.of, text.of, text.recent) == (80, 30, 0.0)
    assert watch(blank)[1:] == []


def test_only_the_last_candidates_count() -> None:
    (whole, *_) = watch(history((0.1, 3000), (0.9, WINDOW)))
    assert whole.of == WINDOW and whole.change == ""
