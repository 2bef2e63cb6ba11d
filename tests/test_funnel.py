"""Deciding on a shot after a wave."""

from __future__ import annotations

from pathlib import Path

import pytest

from packline.candidate import Candidate, Recipe
from packline.funnel import Outcome, candidate_seed, decide
from packline.records import CandidateRecord
from packline.scorecard import CheckResult, Scorecard, Verdict
from packline.settings import CandidateSettings

ONE = CandidateSettings(wave=2, waves=2, enough=1)
TWO = CandidateSettings(wave=2, waves=2, enough=2)


def record(number: int, *scores: float, check: str = "artifacts") -> CandidateRecord:
    recipe = Recipe("s", "f", 1, number, number, "", (), {})
    results = tuple(
        CheckResult(
            check if index == 0 else f"{check}_{index}",
            "1",
            Verdict.PASS if score >= 0.5 else Verdict.FAIL,
            score,
            0.5,
            f"scored {score}",
        )
        for index, score in enumerate(scores)
    )
    card = Scorecard(results) if scores else None
    return CandidateRecord(Candidate(f"c{number}", recipe, Path(), Path(), Path(), 1.0), card)


def test_the_candidate_whose_weakest_check_is_strongest_is_selected() -> None:
    decision = decide([record(0, 0.9, 0.55), record(1, 0.7, 0.7), record(2, 1.0, 0.1)], ONE, last=False)
    assert (decision.outcome, decision.candidate) == (Outcome.SELECT, "c1")


def test_among_equals_the_one_that_strays_least_is_selected() -> None:
    assert decide([record(1, 0.8), record(0, 0.8)], ONE, last=False).candidate == "c0"


def test_a_shot_goes_on_until_enough_candidates_pass() -> None:
    assert decide([record(0, 0.8), record(1, 0.2)], TWO, last=False).outcome == Outcome.NEXT_WAVE
    assert decide([record(0, 0.8), record(1, 0.9)], TWO, last=False).candidate == "c1"


def test_after_the_last_wave_one_passing_candidate_is_enough() -> None:
    assert decide([record(0, 0.8), record(1, 0.2)], TWO, last=True).candidate == "c0"


def test_a_shot_without_a_passing_candidate_is_flagged_by_what_stands_against_its_best() -> None:
    decision = decide([record(0, 0.1), record(1, 0.4, check="text_orientation")], ONE, last=True)
    assert (decision.outcome, decision.reason) == (Outcome.FLAG, "text_orientation")
    assert decision.sentence == (
        "None of 2 candidates passed. The best one: scored 0.4. "
        "Failed checks: artifacts 1, text orientation 1."
    )


@pytest.mark.parametrize("records", [[], [record(0)]])
def test_a_shot_without_a_scorecard_is_never_selected(records: list[CandidateRecord]) -> None:
    decision = decide(records, ONE, last=True)
    assert (decision.outcome, decision.reason) == (Outcome.FLAG, "error")


def test_seeds_differ_by_shot_and_number_and_are_always_the_same() -> None:
    seeds = [candidate_seed(1, shot, number) for shot in ("a", "b") for number in range(50)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds == [candidate_seed(1, shot, number) for shot in ("a", "b") for number in range(50)]
