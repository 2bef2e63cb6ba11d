"""Selecting: each shot's scorecards decide whether it is done, tried again or put before a person."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from packline.candidate import read_picture
from packline.choice import Floats, Nearest, descriptor, nearest
from packline.funnel import Outcome, decide, looks_known
from packline.ledger.waiting import REJECTED
from packline.line.line import Line
from packline.line.plan import Try
from packline.line.rungs import not_climbed
from packline.line.waves import Next, Sizes
from packline.records import CandidateRecord, Wave
from packline.shots import number_of


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
    # siblings are decided one after the other, each beside those before it
    later = set(shots)
    for one in tries:
        key, planned = one.key, shots[one.key]
        place = key, planned.fingerprint
        later.discard(key)
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
        near = _near(line, key, records, later)
        decision = decide(records, line.settings.candidates, last=last, passed_over=passed_over, near=near)
        if decision.outcome == Outcome.NEXT_WAVE:
            # only what is there already can have been promised before
            waves = promised.get(place, [])
            begun = max((w.first for w in waves if w.number == 1 and w.first <= one.wave.first), default=0)
            after = one.wave.first + one.wave.size
            there = next((w for w in waves if w.first == after and w.number > one.wave.number), None)
            # what looks like a sibling brings the shot no nearer to its own picture
            new = [record for record in records if not looks_known(record, near)]
            next_ = Next(there) if there else sizes.next(planned, new, one.wave, begun)
            if next_.wave is not None:
                further[place] = next_.wave
                continue
            passed_over = *passed_over, *next_.passed_over
            decision = decide(
                records, line.settings.candidates, last=True, passed_over=passed_over, near=near
            )
        if decision.outcome == Outcome.SELECT:
            line.ledger.select(run, key, planned.fingerprint, decision.candidate)
        else:
            flag(line, run, key, decision.reason, decision.sentence)
    line.ledger.waves.promise(run, further)
    return {key: wave for (key, _), wave in further.items()}


def _near(
    line: Line, key: str, records: Sequence[CandidateRecord], later: Container[str]
) -> dict[str, Nearest]:
    """The sibling's select that looks most like each passing candidate, by the candidate's id.

    Parameters
    ----------
    later
        Keys of shots that are about to be decided as well: what they showed so far binds nobody.
    """
    passing = [record for record in records if record.scorecard is not None and record.scorecard.passed]
    if not passing:
        return {}
    siblings = {
        number_of(sibling): look
        for sibling, picture in line.ledger.siblings(line.catalog.name, key).items()
        if sibling not in later and (look := _look(picture)) is not None
    }
    if not siblings:
        return {}
    looks = {record.candidate.id: _look(record.candidate.picture) for record in passing}
    return {name: nearest(look, siblings) for name, look in looks.items() if look is not None}


def _look(picture: Path) -> Floats | None:
    """What a picture looks like; None where it cannot be read, which publication says if it is chosen."""
    try:
        return descriptor(read_picture(picture))
    except (OSError, ValueError):
        return None


def flag(line: Line, run: str, key: str, reason: str, sentence: str) -> None:
    """Put a shot before a person."""
    planned = line.shots[key]
    line.ledger.flag(run, key, planned.fingerprint, planned.checks, reason, sentence)
