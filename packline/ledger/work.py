"""What a run owes a shot, and why, from what the ledger remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packline.records import PlannedShot, ShotState, Work

_DONE = {
    ShotState.PUBLISHED: "published, and nothing changed",
    ShotState.FLAGGED: "flagged, and nothing changed; it waits for a person",
}


@dataclass(frozen=True)
class Remembered:
    """What the ledger holds of a shot.

    Parameters
    ----------
    parts
        What the last plan's fingerprint covered, or None where no plan had this shot.
    row_error
        Whether the last plan could not use its catalog row.
    state, checks
        Where it stands at the planned fingerprint, and the checks it was judged under; None where that
        fingerprint was never planned.
    candidates
        How many candidates are stored for the planned fingerprint.
    complete
        Whether all their files are still there.
    """

    parts: Mapping[str, str] | None = None
    row_error: bool = False
    state: ShotState | None = None
    checks: str = ""
    candidates: int = 0
    complete: bool = False


def decide(planned: PlannedShot, known: Remembered) -> tuple[Work, str]:
    """Say what is to be done for a shot, and why.

    Parameters
    ----------
    planned
        The shot at its present fingerprint.
    known
        What the ledger remembers.

    Returns
    -------
    work, why
        `why` is for a person: "the 3D model and the title changed".
    """
    if known.state in _DONE:
        if known.checks == planned.checks:
            return Work.NOTHING, _DONE[known.state]
        if known.candidates and known.complete:
            return Work.RESCORE, "the checks changed"
        if known.candidates:
            return Work.MAKE, "the checks changed and stored candidates are gone from the work folder"
        return Work.MAKE, "the checks changed and there are no candidates to score again"
    if known.row_error:
        return Work.MAKE, "its catalog row was mended"
    if known.parts is None:
        return Work.MAKE, "new"
    changed = [name for name, value in planned.parts.items() if known.parts.get(name) != value]
    changed += [name for name in known.parts if name not in planned.parts]
    if changed:
        return Work.MAKE, f"{_and(changed)} changed"
    if known.state == ShotState.SELECTED:
        return Work.MAKE, "selected but not yet published"
    return Work.MAKE, "an earlier run did not finish it"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
