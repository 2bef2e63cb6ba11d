"""What a run owes a shot, and why, from what the ledger remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from packline.records import ShotState, Work

# flags that say nothing about the pictures: the next run may well succeed
PASSING = ("error", "try again")
BUDGET = "budget"
"""Reason of a shot that is to do because the last run had spent what it might."""
AGAIN = "again"
"""Reason of a shot that is to do because a person asked for another try."""

PUBLISHED = "published, and nothing changed"
WAITS = "flagged, and nothing changed; it waits for a person"
CHOSEN = "selected; it only waits for its publication"


@dataclass(frozen=True)
class Remembered:
    """What the ledger holds of a shot.

    Parameters
    ----------
    parts
        What the last plan's fingerprint covered, or None where no plan had this shot.
    row_error
        Whether the last plan could not use its catalog row.
    state, reason, checks
        Where it stands at the planned fingerprint, a flag's reason, and the checks it was judged under; state
        is None where that fingerprint was never planned.
    candidates
        How many candidates are stored for the planned fingerprint.
    complete
        Whether all their files are still there.
    owes
        Whether the shop lacks a file of its select that the settings ask for now.
    """

    parts: Mapping[str, str] | None = None
    row_error: bool = False
    state: ShotState | None = None
    reason: str = ""
    checks: str = ""
    candidates: int = 0
    complete: bool = False
    owes: bool = False


@dataclass(frozen=True)
class Choice:
    """What a run is asked for.

    Parameters
    ----------
    only
        SKUs to work on; empty means all of them.
    again
        Whether flagged shots get another round of candidates.
    deliveries
        The files that the shop gets of a select (`packline.delivery.delivery_digests`).
    """

    only: tuple[str, ...] = ()
    again: bool = False
    deliveries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Duty:
    """What is to be done for a shot.

    Parameters
    ----------
    why
        For a person: "the 3D model and the title changed".
    further
        Whether it needs other candidates than those that it has.
    """

    work: Work
    why: str
    further: bool = False


def decide(parts: Mapping[str, str], checks: str, known: Remembered, *, again: bool = False) -> Duty:
    """Say what is to be done for a shot, and why.

    Parameters
    ----------
    parts, checks
        Of the shot as it is planned now.
    known
        What the ledger remembers.
    again
        Whether flagged shots get another round of candidates.
    """
    # a person who asks again wants other candidates; an interrupted shot takes up its own
    waits = known.state == ShotState.FLAGGED and known.reason not in PASSING
    if known.state in (ShotState.PUBLISHED, ShotState.FLAGGED):
        if known.checks != checks:
            if known.candidates and known.complete:
                return Duty(Work.RESCORE, "the checks changed")
            if known.candidates:
                why = "the checks changed and stored candidates are gone from the work folder"
                return Duty(Work.MAKE, why, waits)
            return Duty(Work.MAKE, "the checks changed and there are no candidates to score again", waits)
        if known.state == ShotState.PUBLISHED and known.owes:
            if known.complete:
                return Duty(Work.PUBLISH, "its formats changed")
            return Duty(Work.MAKE, "its formats changed and its picture is gone from the work folder")
        if known.state == ShotState.PUBLISHED:
            return Duty(Work.NOTHING, PUBLISHED)
        if not waits:
            return Duty(Work.MAKE, "the last run was kept from finishing it")
        if again:
            return Duty(Work.MAKE, "flagged, and you asked for another try", True)
        return Duty(Work.NOTHING, WAITS)
    # made anew it would be judged anew, and what a person chose in spite of the checks would be flagged again
    if known.state == ShotState.SELECTED and known.checks == checks:
        return Duty(Work.NOTHING, CHOSEN)
    if known.state == ShotState.TODO and known.reason == AGAIN:
        return Duty(Work.MAKE, "a merchandiser asked for another try", True)
    if known.state == ShotState.TODO and known.reason == BUDGET:
        return Duty(Work.MAKE, "the last run's budget was spent")
    if known.row_error:
        return Duty(Work.MAKE, "its catalog row was mended")
    if known.parts is None:
        return Duty(Work.MAKE, "new")
    changed = [name for name, value in parts.items() if known.parts.get(name) != value]
    changed += [name for name in known.parts if name not in parts]
    if changed:
        return Duty(Work.MAKE, f"{_and(changed)} changed")
    if known.state == ShotState.SELECTED:
        return Duty(Work.MAKE, "selected under other checks")
    return Duty(Work.MAKE, "an earlier run did not finish it")


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
