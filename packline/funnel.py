"""The funnel: waves of candidates for a shot, until enough pass or the tries run out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from packline.choice import SAME, Nearest, choose
from packline.fingerprint import digest
from packline.ladder import rung_words
from packline.records import CandidateRecord
from packline.scorecard import CheckResult
from packline.settings import CandidateSettings

NEEDS_PERSON, NEEDS_CLOSE_UP = "needs a person", "needs a close-up"
"""A flag's reason where nothing speaks against the best candidate but a check cannot tell."""
SAME_PICTURE = "same picture"
"""A flag's reason where what passed shows what another picture of the placement shows already."""


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
        Id of the select; for a flag, of the candidate that a person should see first; else empty.
    reason
        For a flag: the name of the check that stands most against the best candidate, or `NEEDS_PERSON`,
        `NEEDS_CLOSE_UP`, `SAME_PICTURE`.
    sentence
        For a flag: the words for a merchandiser.
    """

    outcome: Outcome
    candidate: str = ""
    reason: str = ""
    sentence: str = ""


def decide(
    records: Sequence[CandidateRecord],
    settings: CandidateSettings,
    *,
    last: bool,
    passed_over: Sequence[tuple[str, str]] = (),
    near: Mapping[str, Nearest] = MappingProxyType({}),
) -> Decision:
    """Decide on a shot by its candidates' scorecards.

    Parameters
    ----------
    records
        All candidates of the shot at its current fingerprint.
    last
        No further wave will come.
    passed_over
        Rungs of the ladder that were not climbed, each with the reason.
    near
        By the id of each passing candidate the sibling's select that looks most like it: where the placement
        is owed several pictures and has some.

    Notes
    -----
    The best candidate is the first by `packline.choice.choose`; among equals the one made first, which
    strays least from what was asked. One that looks like a sibling's select is not taken, for it would be the
    same picture twice.

    A candidate against which nothing speaks but that a check cannot judge is flagged at once where none
    passed: what is too small to read stays so in every further wave. Of what a check is only not sure, the
    next candidate may well convince it.
    """
    ordered = sorted(records, key=lambda record: record.candidate.recipe.number)
    passing = [record for record in ordered if record.scorecard is not None and record.scorecard.passed]
    new = [record for record in passing if not looks_known(record, near)]
    if new and (last or len(new) >= settings.enough):
        return Decision(Outcome.SELECT, _best(new, near).candidate.id)
    undecided = [record for record in ordered if record.scorecard is not None and record.scorecard.undecided]
    if undecided and not passing and (last or not all(map(_may_settle, undecided))):
        return _doubt(_best(undecided), len(ordered))
    if not last:
        return Decision(Outcome.NEXT_WAVE)
    if passing:
        return _same(passing, near, _climbed(ordered, passed_over))
    return _flag(ordered, passed_over)


def looks_known(record: CandidateRecord, near: Mapping[str, Nearest]) -> bool:
    """Whether a candidate shows what a sibling's select shows already."""
    found = near.get(record.candidate.id)
    return found is not None and found.same


def candidate_seed(first: int, shot: str, number: int) -> int:
    """The seed of a shot's candidate: derived, so that it depends neither on chunks nor on other shots.

    Parameters
    ----------
    first
        ``run.seed`` of the settings.
    """
    return int(digest(first, shot, number, length=8), 16) % 2**31


def _best(
    records: Sequence[CandidateRecord], near: Mapping[str, Nearest] = MappingProxyType({})
) -> CandidateRecord:
    cards = [record.scorecard for record in records]
    return records[choose(cards, [near.get(record.candidate.id) for record in records])]


def _may_settle(record: CandidateRecord) -> bool:
    """Whether another candidate may leave nothing open: a check is only not sure of this one."""
    return record.scorecard is not None and all(result.unsure for result in record.scorecard.undecided)


def _doubt(best: CandidateRecord, tries: int) -> Decision:
    """A flag for what no further try would settle, or none has settled."""
    assert best.scorecard is not None
    open_ = best.scorecard.undecided
    close = [result for result in open_ if result.needs == "close-up"]
    # a close-up settles its own check; what only a person can judge still waits for one
    reason = NEEDS_CLOSE_UP if len(close) == len(open_) else NEEDS_PERSON
    said = " ".join(_sentence(result.sentence) for result in open_)
    ask = [_close_up(close)] if close else []
    unsure = any(result.unsure for result in open_)
    if len(close) < len(open_):
        here = f"candidate {best.candidate.recipe.number + 1}"
        ask.append(
            f"Please look at {here}." if unsure else f"Please look at it: nothing speaks against {here}."
        )
    which = f"the best of {tries} candidates" if tries > 1 else "the candidate"
    if unsure:
        words = f"Nothing is surely wrong with {which}, and not all of it surely right."
    else:
        words = f"Nothing was found wrong with {which}, but not everything could be judged."
    return Decision(
        Outcome.FLAG,
        best.candidate.id,
        reason,
        f"{words} {said} {' '.join(ask)}",
    )


def _same(passing: Sequence[CandidateRecord], near: Mapping[str, Nearest], climbed: str) -> Decision:
    """A flag for a picture that there is already."""
    best = _best(passing, near)
    found = near[best.candidate.id]
    which = f"candidate {best.candidate.recipe.number + 1}"
    if len(passing) > 1:
        which += f", the most different of {len(passing)} that passed,"
    return Decision(
        Outcome.FLAG,
        best.candidate.id,
        SAME_PICTURE,
        f"It looks the same as picture {found.number} of this scene: {which} differs from it by "
        f"{found.distance:.2f} on average (CIELAB), and {SAME:g} is the least for another picture. "
        f"Approve it if it will do, ask for another try, or lower pictures in the catalog.{climbed}",
    )


def _close_up(results: Sequence[CheckResult]) -> str:
    larger = max((result.measures.get("enlarge", 0.0) for result in results), default=0.0)
    what = " and ".join(dict.fromkeys(result.check.replace("_", " ") for result in results))
    if larger <= 1:
        return f"Give this product a closer shot, so that {what} can be judged."
    # rounded up: what is asked for must be enough
    times = math.ceil(10 * larger) / 10
    return f"Give this product a closer shot: {what} can be judged where it stands {times:g} times as large."


def _flag(records: Sequence[CandidateRecord], passed_over: Sequence[tuple[str, str]]) -> Decision:
    scored = [record for record in records if record.scorecard is not None and record.scorecard.failures]
    if not scored:
        return Decision(
            Outcome.FLAG,
            reason="error",
            sentence="No candidate could be made and scored; see the run's log, then run it again.",
        )
    best = _best(scored)
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
        best.candidate.id,
        worst.check,
        f"None of {len(records)} candidates passed. The best one: {_sentence(worst.sentence)} "
        f"Failed checks: {counts}.{_climbed(records, passed_over)}",
    )


def _climbed(records: Sequence[CandidateRecord], passed_over: Sequence[tuple[str, str]]) -> str:
    """Which rungs of the ladder were tried, and which were not; nothing where it was left alone."""
    tried = Counter(rung_words(one.candidate.recipe.rung, one.candidate.recipe.changed) for one in records)
    said = ""
    if len(tried) > 1:
        said += f" Tried: {', '.join(f'{count} {what}' for what, count in tried.items())}."
    if passed_over:
        said += f" Not tried: {'; '.join(f'{rung_words(rung, {})} ({why})' for rung, why in passed_over)}."
    return said


def _sentence(said: str) -> str:
    said = said.strip()
    return said if said.endswith((".", "!", "?")) else f"{said}."
