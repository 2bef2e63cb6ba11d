"""Deciding on a shot after a wave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from packline.candidate import Candidate, Recipe
from packline.choice import Nearest
from packline.funnel import NEEDS_CLOSE_UP, NEEDS_PERSON, SAME_PICTURE, Outcome, candidate_seed, decide
from packline.records import CandidateRecord
from packline.scorecard import CheckResult, Scorecard, Verdict
from packline.settings import CandidateSettings

ONE = CandidateSettings(wave=2, waves=2, enough=1)
TWO = CandidateSettings(wave=2, waves=2, enough=2)


def doubtful(number: int, *needs: str, others: float = 0.9, enlarge: float = 0.0) -> CandidateRecord:
    """A candidate against which nothing speaks, but that as many checks cannot judge as there are needs."""
    fine = record(number, others)
    assert fine.scorecard is not None
    measures = {"enlarge": enlarge} if enlarge else {}
    unknown = tuple(
        CheckResult(
            f"text_{i}",
            "1",
            Verdict.UNVERIFIABLE,
            0.5,
            0.5,
            "'SIDE' is 9 px high",
            measures=measures,
            needs=one,
        )
        for i, one in enumerate(needs)
    )
    return replace(fine, scorecard=Scorecard((*fine.scorecard.results, *unknown)))


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


def test_what_no_further_try_can_settle_is_flagged_at_once_for_a_person() -> None:
    decision = decide([record(0, 0.2), doubtful(1, "person")], ONE, last=False)
    assert (decision.outcome, decision.reason, decision.candidate) == (Outcome.FLAG, NEEDS_PERSON, "c1")
    assert decision.sentence == (
        "Nothing was found wrong with the best of 2 candidates, but not everything could be judged. "
        "'SIDE' is 9 px high. Please look at it: nothing speaks against candidate 2."
    )


def test_where_a_check_is_only_not_sure_the_next_candidate_is_tried_first() -> None:
    def unsure(number: int, *more: CheckResult) -> CandidateRecord:
        doubt = CheckResult(
            "shape", "1", Verdict.UNVERIFIABLE, 0.6, 0.5, "Not sure.", needs="person", sure=0.7
        )
        return replace(record(number, 0.9), scorecard=Scorecard((doubt, *more)))

    assert decide([unsure(0), record(1, 0.1)], ONE, last=False).outcome == Outcome.NEXT_WAVE
    assert decide([unsure(0), record(1, 0.8)], ONE, last=False).candidate == "c1"
    ended = decide([unsure(0), record(1, 0.1)], ONE, last=True)
    assert (ended.outcome, ended.reason, ended.candidate) == (Outcome.FLAG, NEEDS_PERSON, "c0")
    assert ended.sentence == (
        "Nothing is surely wrong with the best of 2 candidates, and not all of it surely right. Not sure. "
        "Please look at candidate 1."
    )
    # what is too small to read stays so, however sure the next one's shape
    lasting = doubtful(0, "person").scorecard
    assert lasting is not None
    both = unsure(0, *lasting.undecided)
    assert decide([both], ONE, last=False).reason == NEEDS_PERSON


def test_a_close_up_is_asked_for_with_the_size_that_it_takes() -> None:
    decision = decide([doubtful(0, "close-up", enlarge=1.555)], ONE, last=False)
    assert (decision.outcome, decision.reason) == (Outcome.FLAG, NEEDS_CLOSE_UP)
    assert decision.sentence == (
        "Nothing was found wrong with the candidate, but not everything could be judged. 'SIDE' is 9 px "
        "high. Give this product a closer shot: text 0 can be judged where it stands 1.6 times as large."
    )
    unknown = decide([doubtful(0, "close-up")], ONE, last=False)
    assert unknown.sentence.endswith("Give this product a closer shot, so that text 0 can be judged.")


def test_a_close_up_does_not_replace_the_person_that_another_check_asks_for() -> None:
    decision = decide([doubtful(0, "close-up", "person")], ONE, last=False)
    assert decision.reason == NEEDS_PERSON
    assert "closer shot" in decision.sentence and "Please look at it" in decision.sentence


def test_the_best_of_those_that_cannot_be_told_is_shown_first() -> None:
    tries = [doubtful(0, "person", others=0.6), doubtful(1, "person", others=0.8), record(2, 0.49)]
    assert decide(tries, ONE, last=False).candidate == "c1"


def test_a_candidate_that_passes_needs_nobody() -> None:
    decision = decide([doubtful(0, "person"), record(1, 0.6)], ONE, last=False)
    assert (decision.outcome, decision.candidate) == (Outcome.SELECT, "c1")
    assert decide([doubtful(0, "person"), record(1, 0.6)], TWO, last=False).outcome == Outcome.NEXT_WAVE


def test_what_failed_as_well_gets_its_further_tries() -> None:
    both = doubtful(0, "person", others=0.3)
    assert decide([both], ONE, last=False).outcome == Outcome.NEXT_WAVE
    flag = decide([both], ONE, last=True)
    assert (flag.outcome, flag.reason) == (Outcome.FLAG, "artifacts")


def test_beside_siblings_the_passing_candidate_that_differs_most_is_selected() -> None:
    tries = [record(0, 0.9), record(1, 0.6), record(2, 0.2)]
    near = {"c0": Nearest(1, 2.0), "c1": Nearest(1, 5.0)}
    assert decide(tries, ONE, last=False).candidate == "c0"
    assert decide(tries, ONE, last=False, near=near).candidate == "c1"


def test_what_looks_like_a_sibling_is_not_taken_while_there_is_a_further_wave() -> None:
    tries = [record(0, 0.9), record(1, 0.6)]
    same = {"c0": Nearest(1, 0.4), "c1": Nearest(2, 0.7)}
    assert decide(tries, ONE, last=False, near=same).outcome == Outcome.NEXT_WAVE
    # however good it is
    assert decide(tries, ONE, last=False, near={**same, "c1": Nearest(1, 1.5)}).candidate == "c1"
    # nor does it count among the passing ones that are wanted
    assert decide(tries, TWO, last=False, near={**same, "c1": Nearest(1, 1.5)}).outcome == Outcome.NEXT_WAVE


def test_a_shot_that_can_only_repeat_its_sibling_is_flagged_in_words() -> None:
    same = {"c0": Nearest(1, 0.4), "c1": Nearest(2, 0.7)}
    flag = decide([record(0, 0.9), record(1, 0.6), record(2, 0.2)], ONE, last=True, near=same)
    assert (flag.outcome, flag.reason, flag.candidate) == (Outcome.FLAG, SAME_PICTURE, "c1")
    assert flag.sentence == (
        "It looks the same as picture 2 of this scene: candidate 2, the most different of 2 that passed, "
        "differs from it by 0.70 on average (CIELAB), and 1 is the least for another picture. Approve it if "
        "it will do, ask for another try, or lower pictures in the catalog."
    )
    alone = decide([record(0, 0.9)], ONE, last=True, near=same)
    assert "of this scene: candidate 1 differs from it by 0.40" in alone.sentence


@pytest.mark.parametrize("records", [[], [record(0)]])
def test_a_shot_without_a_scorecard_is_never_selected(records: list[CandidateRecord]) -> None:
    decision = decide(records, ONE, last=True)
    assert (decision.outcome, decision.reason) == (Outcome.FLAG, "error")


def test_seeds_differ_by_shot_and_number_and_are_always_the_same() -> None:
    seeds = [candidate_seed(1, shot, number) for shot in ("a", "b") for number in range(50)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds == [candidate_seed(1, shot, number) for shot in ("a", "b") for number in range(50)]
