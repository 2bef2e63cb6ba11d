"""What the ledger tells of many candidates at once: verdicts over time, and people's decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert

from packline.ledger import Ledger
from packline.ledger import schema as t
from packline.scorecard import CheckResult, Scorecard, Verdict
from tests.parts import make_candidate, new_run


def card(**scores: float) -> Scorecard:
    return Scorecard(
        tuple(
            CheckResult(name, "1", Verdict.PASS if score >= 0.5 else Verdict.FAIL, score, 0.5, "")
            for name, score in scores.items()
        )
    )


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = Ledger(ledger_url)
    yield opened
    opened.close()


def judged(
    ledger: Ledger,
    folder: Path,
    run: str,
    number: int,
    scorecard: Scorecard | None = None,
    checks: str = "new",
) -> str:
    candidate = make_candidate(folder, f"S{number}/table/hero", "f", number=number)
    ledger.record_candidate(run, candidate)
    ledger.record_scorecard(run, candidate.id, checks, scorecard or card(shape=0.9))
    return candidate.id


def decided(
    ledger: Ledger, run: str, candidate: str, decision: str, words: str = "", by: str = "anna"
) -> None:
    """What the review writes."""
    row = {"run": run, "shot": "s", "fingerprint": "f", "candidate": candidate}
    with create_engine(ledger.url).begin() as connection:
        connection.execute(insert(t.decisions).values(**row, decision=decision, by=by, words=words))


def test_verdicts_come_in_the_order_in_which_candidates_were_made(ledger: Ledger, tmp_path: Path) -> None:
    first, second = new_run(ledger), new_run(ledger)
    for number, score in enumerate((0.9, 0.1, 0.8)):
        judged(ledger, tmp_path, first if number < 2 else second, number, card(shape=score, colour=0.9))
    history = ledger.judgements("demo", 10)
    assert [one.passed for one in history] == [True, False, True]
    assert [one.run for one in history] == [first, first, second]
    assert history[1].verdicts == {"shape": "fail", "colour": "pass"}
    assert ledger.judgements("demo", 2) == history[1:]


def test_only_the_latest_scorecard_of_the_present_checks_counts(ledger: Ledger, tmp_path: Path) -> None:
    run = new_run(ledger)
    judged(ledger, tmp_path, run, 0, card(shape=0.1), checks="old")
    again = judged(ledger, tmp_path, run, 1, card(shape=0.1), checks="old")
    ledger.record_scorecard(run, again, "new", card(shape=0.9))
    assert [one.passed for one in ledger.judgements("demo", 10)] == [True]


def test_other_catalogs_and_an_empty_ledger_say_nothing(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.judgements("demo", 10) == [] == ledger.opinions("demo")
    run = new_run(ledger, "other")
    decided(ledger, run, judged(ledger, tmp_path, run, 0), "approve")
    assert ledger.judgements("demo", 10) == [] == ledger.opinions("demo")
    assert len(ledger.judgements("other", 10)) == len(ledger.opinions("other")) == 1


def test_opinions_are_peoples_last_words_with_the_scorecard_they_saw(ledger: Ledger, tmp_path: Path) -> None:
    run = new_run(ledger)
    one, other = (judged(ledger, tmp_path, run, number, card(shape=0.6)) for number in (0, 1))
    decided(ledger, run, one, "approve", by="checks")
    decided(ledger, run, one, "approve")
    decided(ledger, run, one, "reject", "shape: the handle is missing")
    decided(ledger, run, other, "again")
    # what is judged afterwards was not before their eyes
    ledger.record_scorecard(run, one, "new", card(shape=0.1))
    (opinion,) = ledger.opinions("demo")
    assert (opinion.candidate, opinion.decision, opinion.by) == (one, "reject", "anna")
    assert opinion.words == "shape: the handle is missing"
    assert opinion.scorecard.results[0].score == 0.6
