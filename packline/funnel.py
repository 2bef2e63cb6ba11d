"""The funnel: waves of candidates for a shot, until enough pass or the tries run out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from packline.fingerprint import digest
from packline.records import CandidateRecord
from packline.settings import CandidateSettings


class Outcome(StrEnum):
    """What becomes of a shot after a wave."""

    SELECT = "select"
    NEXT_WAVE = "next wave"
    FLAG = "flag"


@dataclass(frozen=True)
class Decision:
    """What becomes of a shot, and why.

    Parameters
    ----------
    candidate
        Id of the select; empty where there is none.
    reason
        For a flag: the name of the check that stands most against the best candidate.
    sentence
        For a flag: the words for a merchandiser.
    """

    outcome: Outcome
    candidate: str = ""
    reason: str = ""
    sentence: str = ""


def decide(records: Sequence[CandidateRecord], settings: CandidateSettings, *, last: bool) -> Decision:
    """Decide on a shot by its candidates' scorecards.

    Parameters
    ----------
    records
        All candidates of the shot at its current fingerprint.
    last
        No further wave will come.

    Notes
    -----
    The best passing candidate is the one whose weakest check is strongest; among equals the first, which is
    the one that strays least from what was asked.
    """
    ordered = sorted(records, key=lambda record: record.candidate.recipe.number)
    passing = [record for record in ordered if record.scorecard is not None and record.scorecard.passed]
    if passing and (last or len(passing) >= settings.enough):
        best = max(passing, key=_score)
        return Decision(Outcome.SELECT, best.candidate.id)
    if not last:
        return Decision(Outcome.NEXT_WAVE)
    return _flag(ordered)


def candidate_seed(first: int, shot: str, number: int) -> int:
    """The seed of a shot's candidate: derived, so that it depends neither on chunks nor on other shots.

    Parameters
    ----------
    first
        ``run.seed`` of the settings.
    """
    return int(digest(first, shot, number, length=8), 16) % 2**31


def _score(record: CandidateRecord) -> float:
    return record.scorecard.score if record.scorecard is not None else -1.0


def _flag(records: Sequence[CandidateRecord]) -> Decision:
    scored = [record for record in records if record.scorecard is not None and record.scorecard.failures]
    if not scored:
        return Decision(
            Outcome.FLAG,
            reason="error",
            sentence="No candidate could be made and scored; see the run's log, then run it again.",
        )
    best = max(scored, key=_score)
    assert best.scorecard is not None
    worst = best.scorecard.failures[0]
    against = Counter(
        result.check
        for record in scored
        if record.scorecard is not None
        for result in record.scorecard.failures
    )
    counts = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in against.most_common())
    return Decision(
        Outcome.FLAG,
        reason=worst.check,
        sentence=(
            f"None of {len(records)} candidates passed. The best one: {_sentence(worst.sentence)} "
            f"Failed checks: {counts}."
        ),
    )


def _sentence(words: str) -> str:
    words = words.strip()
    return words if words.endswith((".", "!", "?")) else f"{words}."
