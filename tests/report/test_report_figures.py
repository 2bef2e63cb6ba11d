"""The report's numbers and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from packline.records import RunRecord, ShotState, StationTime
from packline.report import figures
from packline.scorecard import Verdict

Runs = Callable[..., RunRecord]


def test_every_shot_and_candidate_is_counted_once(desk: Any, run_record: Runs) -> None:
    shots = [
        desk.shot("A", faults=("", "turned", "blob")),
        desk.shot("B", faults=("turned", "unscored"), state=ShotState.FLAGGED),
        desk.shot("C", faults=(), state=ShotState.TODO),
    ]
    result = figures.outcome(run_record(), shots)
    assert (result.shots, result.published, result.flagged, result.waiting) == (3, 1, 1, 1)
    assert (result.candidates, result.scored, result.passed) == (5, 4, 1)
    assert result.pass_rate == 0.25


def test_nothing_scored_has_no_pass_rate(desk: Any, run_record: Runs) -> None:
    assert figures.outcome(run_record(), [desk.shot("A", faults=("unscored",))]).pass_rate is None


def test_the_tally_of_a_check_adds_up_over_all_candidates(desk: Any) -> None:
    shots = [desk.shot("A", faults=("", "turned", "doubt", "error")), desk.shot("B", text="", faults=("",))]
    tallies = {tally.name: tally for tally in figures.tally(shots)}
    assert list(tallies) == ["artifacts", "scene_kept", "text_orientation", "alignment"]
    assert all(sum(tally.counts.values()) == 5 for tally in tallies.values())
    reading = tallies["text_orientation"]
    assert (reading.counts[Verdict.PASS], reading.counts[Verdict.FAIL], reading.ran) == (3, 1, 4)
    assert tallies["scene_kept"].counts[Verdict.UNVERIFIABLE] == 1
    assert tallies["alignment"].counts[Verdict.ERROR] == 1


def test_station_shares_add_up_and_a_station_named_twice_is_one_row(run_record: Runs) -> None:
    run = run_record(
        stations=(StationTime("edit", 4, 6.0), StationTime("score", 4, 2.0), StationTime("edit", 2, 2.0))
    )
    before = run_record(stations=(StationTime("score", 9, 5.0),))
    rows = figures.stations(run, before)
    assert [(row.name, row.items, row.seconds, row.share, row.before) for row in rows] == [
        ("edit", 6, 8.0, 0.8, None),
        ("score", 4, 2.0, 0.2, 5.0),
    ]


@pytest.mark.parametrize(
    ("state", "states", "words"),
    [
        ("completed", [ShotState.PUBLISHED] * 2, "All 2 shots are published."),
        ("completed", [ShotState.PUBLISHED], "The only shot is published."),
        ("failed", [], "The run failed before its end. The catalog owes no shot that could be made."),
        (
            "completed with flags",
            [ShotState.PUBLISHED, ShotState.FLAGGED],
            "1 of 2 shots published, 1 flagged for a person.",
        ),
        (
            "cancelled",
            [ShotState.SELECTED, ShotState.TODO],
            "The run was cancelled. 0 of 2 shots published, 1 selected and not yet published, 1 still to do.",
        ),
    ],
)
def test_the_headline_tells_the_truth(
    desk: Any, run_record: Runs, state: str, states: list[ShotState], words: str
) -> None:
    run = run_record(state=state)
    shots = [desk.shot(str(i), faults=(), state=one) for i, one in enumerate(states)]
    assert figures.headline(run, figures.outcome(run, shots)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_seconds_are_said_as_a_person_says_them(seconds: float, words: str) -> None:
    assert figures.duration(seconds) == words


def test_times_are_said_in_words_and_unknown_forms_are_left_alone() -> None:
    assert figures.when("2026-11-01T09:02:03+00:00") == "1 November 2026, 09:02 UTC"
    assert figures.when("yesterday") == "yesterday"
