"""Selecting: each shot's scorecards decide whether it is done, tried again or put before a person."""

from __future__ import annotations

from collections.abc import Sequence

from packline.funnel import Outcome, decide
from packline.ledger.waiting import REJECTED
from packline.line.line import Line
from packline.line.plan import Try
from packline.line.rungs import not_climbed
from packline.line.waves import Next, Sizes
from packline.records import Wave


def select_or_flag(line: Line, run: str, tries: Sequence[Try], *, last: bool) -> dict[str, Wave]:
    """Decide on some shots after a wave.

    Parameters
    ----------
    last
        No further wave will come: what has not passed is flagged.

    Returns
    -------
    dict
        The further waves that were promised, by the shots' keys.
    """
    further: dict[tuple[str, str], Wave] = {}
    line.shots.expect([one.key for one in tries])
    shots = {one.key: line.shots[one.key] for one in tries}
    promised = line.ledger.waves.promised([(key, planned.fingerprint) for key, planned in shots.items()])
    sizes = Sizes(line, [] if last else list(shots.values()))
    for one in tries:
        key, planned = one.key, shots[one.key]
        place = key, planned.fingerprint
        # a scorecard of other checks decides nothing
        records = [record for record in line.ledger.candidates(*place) if record.checks == planned.checks]
        # what a person did not want is not chosen by the checks, however they judge it now
        aside, said = line.ledger.review.set_aside(*place)
        if aside:
            records = [record for record in records if record.candidate.id not in aside]
            if not records and last:
                flag(line, run, key, REJECTED, said)
                continue
        passed_over = not_climbed(line, one.wave, records)
        decision = decide(records, line.settings.candidates, last=last, passed_over=passed_over)
        if decision.outcome == Outcome.NEXT_WAVE:
            # only what is there already can have been promised before
            waves = promised.get(place, [])
            begun = max((w.first for w in waves if w.number == 1 and w.first <= one.wave.first), default=0)
            after = one.wave.first + one.wave.size
            there = next((w for w in waves if w.first == after and w.number > one.wave.number), None)
            next_ = Next(there) if there else sizes.next(planned, records, one.wave, begun)
            if next_.wave is not None:
                further[place] = next_.wave
                continue
            passed_over = *passed_over, *next_.passed_over
            decision = decide(records, line.settings.candidates, last=True, passed_over=passed_over)
        if decision.outcome == Outcome.SELECT:
            line.ledger.select(run, key, planned.fingerprint, decision.candidate)
        else:
            flag(line, run, key, decision.reason, decision.sentence)
    line.ledger.waves.promise(run, further)
    return {key: wave for (key, _), wave in further.items()}


def flag(line: Line, run: str, key: str, reason: str, sentence: str) -> None:
    """Put a shot before a person."""
    planned = line.shots[key]
    line.ledger.flag(run, key, planned.fingerprint, planned.checks, reason, sentence)
