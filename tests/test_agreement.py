"""How far checks agree with people, and which pictures people prefer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scipy.stats import binomtest

from packline.agreement import LEAST, Rate, Said, agreement, overrulings, preference, sign_test, suggest

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def said(number: int, decision: str, score: float, *tags: str, verdict: str = "", version: str = "1") -> Said:
    told = verdict or ("pass" if score >= 0.6 else "fail")
    scores = {"shape": {"score": score, "threshold": 0.6, "verdict": told, "version": version}}
    at = NOW - timedelta(minutes=number)
    return Said(number, "demo", f"s{number}", f"c{number}", decision, "anna", "", at, tags, scores)


@pytest.mark.parametrize(("times", "of"), [(0, 7), (7, 7), (1, 3), (41, 60), (499, 1000)])
def test_the_interval_is_wilsons(times: int, of: int) -> None:
    theirs = binomtest(times, of).proportion_ci(method="wilson")
    assert (Rate(times, of).low, Rate(times, of).high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_of_nothing_nothing_is_known() -> None:
    assert (Rate(0, 0).low, Rate(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize(("wins", "of"), [(0, 0), (3, 3), (5, 10), (14, 20), (700, 1500), (0, 4000)])
def test_the_sign_test_is_exact(wins: int, of: int) -> None:
    assert sign_test(wins, of) == pytest.approx(binomtest(wins, of).pvalue if of else 1.0, rel=1e-9)


def test_a_rejection_is_right_where_people_name_the_check_and_wrong_where_they_approve() -> None:
    decisions = [
        said(1, "reject", 0.2, "shape"),
        said(2, "reject", 0.3, "shape", "colour"),
        said(3, "approve", 0.4),
        # for another reason, and for none: nothing is known of the shape
        said(4, "reject", 0.1, "colour"),
        said(5, "reject", 0.1),
        said(6, "reject", 0.9, "shape"),
        said(7, "approve", 0.8),
        said(8, "reject", 0.8, "colour"),
        said(9, "reject", 0.8),
        said(10, "approve", 0.5, verdict="unverifiable"),
        said(11, "reject", 0.5, "shape", verdict="unverifiable"),
        said(12, "approve", 0.0, verdict="not applicable"),
    ]
    (one,) = agreement(decisions)
    assert one.rejections == Rate(2, 3) and one.elsewhere == 2
    assert one.misses == Rate(1, 3)
    assert one.doubts == Rate(1, 2)
    assert (one.good, one.bad, one.suggestion) == (2, 3, None)
    assert one.more == (LEAST - 2, LEAST - 3)


def test_scores_of_an_older_version_do_not_count() -> None:
    decisions = [said(1, "approve", 0.9, version="2"), said(2, "approve", 0.1, version="1")]
    (one,) = agreement(decisions)
    assert (one.version, one.decisions, one.older, one.rejections.of) == ("2", 1, 1, 0)


def test_the_check_that_people_overrule_most_comes_first() -> None:
    decisions = []
    for number, wrong in enumerate([("colour",), ("colour",), ("shape",)]):
        verdicts = {
            name: {"score": 0.1 if name in wrong else 0.9, "threshold": 0.6, "version": "1",
                   "verdict": "fail" if name in wrong else "pass"}
            for name in ("shape", "colour")
        }  # fmt: skip
        decisions.append(Said(number, "d", "s", f"c{number}", "approve", "a", "", NOW, (), verdicts))
    assert [one.check for one in agreement(decisions)] == ["colour", "shape"]


def test_a_threshold_that_separates_is_suggested_with_what_it_changes() -> None:
    good = [0.7, 0.75, 0.9, 0.95, *[0.42 + i / 100 for i in range(8)]]
    bad = [0.1, 0.2, 0.3, 0.35]
    found = suggest(good, bad, 0.6)
    assert (found.agrees, found.agreed, found.of) == (16, 8, 16)
    assert 0.35 < found.threshold <= 0.42
    assert (found.freed, found.freed_wrongly, found.held, found.held_wrongly) == (8, 0, 0, 0)
    assert found.better
    # the other way round
    lower = suggest(good, bad, 0.05)
    assert (lower.held, lower.held_wrongly, lower.freed, lower.agreed) == (4, 0, 0, 12)
    assert not lower.better  # four of four may be chance


def test_no_other_threshold_agrees_with_more_than_the_suggested_one() -> None:
    good = [((7 * i) % 31) / 31 * 0.6 + 0.4 for i in range(40)]
    bad = [((5 * i) % 37) / 37 * 0.7 for i in range(33)]
    found = suggest(good, bad, 0.6)

    def agrees(level: float) -> int:
        return sum(one >= level for one in good) + sum(one < level for one in bad)

    assert found.agrees == agrees(found.threshold) == max(agrees(i / 2000) for i in range(2001))
    change = found.freed + found.held - found.freed_wrongly - found.held_wrongly
    assert found.agrees - found.agreed == change > 0


def test_a_threshold_that_agrees_with_as_many_stays() -> None:
    found = suggest([0.8] * 10, [0.2] * 10, 0.6)
    assert (found.threshold, found.better) == (0.6, False)


def test_a_failure_that_its_score_does_not_show_fails_at_every_threshold() -> None:
    decisions = [said(i, "approve", 0.9, verdict="fail") for i in range(LEAST)]
    decisions += [said(LEAST + i, "reject", 0.3, "shape") for i in range(LEAST)]
    (one,) = agreement(decisions)
    assert one.suggestion is not None and one.suggestion.agrees == LEAST and not one.suggestion.better


def test_overrulings_are_approvals_of_what_failed_and_rejections_of_what_passed() -> None:
    decisions = [
        said(1, "approve", 0.2),
        said(2, "reject", 0.9, "shape"),
        said(3, "approve", 0.9),
        said(4, "reject", 0.9, "colour"),
    ]
    assert [(one.kind, one.said.id) for one in overrulings(decisions)] == [("approved", 1), ("missed", 2)]


def test_a_pair_counts_once_by_the_majority_of_its_votes() -> None:
    votes = [
        ("p1", "first", "first"), ("p1", "first", "second"), ("p1", "second", "second"),
        ("p2", "second", "first"), ("p2", "second", "first"),
        ("p3", "first", "first"), ("p3", "second", "first"),
        ("p4", "neither", "second"),
        ("p5", "first", "first"), ("p5", "neither", "first"),
    ]  # fmt: skip
    found = preference(votes)
    assert found.first == Rate(2, 3)
    assert (found.ties, found.votes) == (2, 10)
    assert found.agreed == Rate(1, 4)
    assert found.left == Rate(4, 8)
    assert found.chance == 1.0


def test_without_votes_there_is_no_preference() -> None:
    found = preference([])
    assert (found.first.of, found.ties, found.votes, found.chance) == (0, 0, 0, 1.0)


@pytest.mark.parametrize(("wins", "told"), [(5, False), (6, True)])
def test_a_preference_is_told_where_chance_would_hardly_bring_it(wins: int, told: bool) -> None:
    """Five of five have a probability of 1 in 16 without a preference, six of six of 1 in 32."""
    found = preference([(f"p{i}", "second", "first") for i in range(wins)])
    assert (found.first, found.told) == (Rate(0, wins), told)
