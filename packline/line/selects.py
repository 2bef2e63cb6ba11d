"""Selecting: each shot's scorecards decide whether it is done, tried again or put before a person."""

from __future__ import annotations

from collections.abc import Sequence

from packline.funnel import Outcome, decide
from packline.instructions import wave_of
from packline.ledger.waiting import REJECTED
from packline.line.line import Line


def select_or_flag(line: Line, run: str, keys: Sequence[str], *, last: bool) -> dict[str, int]:
    """Decide on some shots after a wave.

    Parameters
    ----------
    last
        No further wave will come: what has not passed is flagged.

    Returns
    -------
    dict
        The shots that need another wave: by key, how many candidates a wave of theirs has.
    """
    further = {}
    line.shots.expect(keys)
    for key in keys:
        planned = line.shots[key]
        # a scorecard of other checks decides nothing
        records = [
            record
            for record in line.ledger.candidates(key, planned.fingerprint)
            if record.checks == planned.checks
        ]
        # what a person did not want is not chosen by the checks, however they judge it now
        aside, said = line.ledger.review.set_aside(key, planned.fingerprint)
        if aside:
            records = [record for record in records if record.candidate.id not in aside]
            if not records and last:
                flag(line, run, key, REJECTED, said)
                continue
        decision = decide(records, line.settings.candidates, last=last)
        if decision.outcome == Outcome.SELECT:
            line.ledger.select(run, key, planned.fingerprint, decision.candidate)
        elif decision.outcome == Outcome.NEXT_WAVE:
            further[key] = wave_of(line.settings.candidates.wave, planned.instructions)
        else:
            flag(line, run, key, decision.reason, decision.sentence)
    return further


def flag(line: Line, run: str, key: str, reason: str, sentence: str) -> None:
    """Put a shot before a person."""
    planned = line.shots[key]
    line.ledger.flag(run, key, planned.fingerprint, planned.checks, reason, sentence)
