"""The ladder: what is changed for a shot whose candidates keep failing, wave by wave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from packline.settings import CandidateSettings

ASKED, SEEDS, ADHERENCE, REFINE = "asked", "seeds", "adherence", "refine"
"""As asked; new seeds; closer to the 3D model; more of the 3D model put back. Other rungs are engines."""

Refine = Literal["off", "labels", "product"]

# how much of the start an image-to-image engine gives up, as a share of what it usually does
_DENOISE = 0.75
_LEAST_DENOISE = 0.2
_STRONGER: Mapping[str, Refine] = {"off": "labels", "labels": "product", "product": "product"}


def rungs_of(settings: CandidateSettings) -> tuple[str, ...]:
    """The rung of each wave of a round, the first one's being `ASKED`.

    Waves beyond the ladder's length are spent on new seeds before it is climbed.
    """
    more = settings.waves - 1 - len(settings.ladder)
    return (ASKED, *(SEEDS,) * more, *settings.ladder)[: settings.waves]


def learned_as(rung: str) -> str:
    """Under which name a rung's passes are counted: new seeds change nothing but seeds."""
    return "" if rung in (ASKED, SEEDS, "") else rung


def up_to(settings: CandidateSettings, rung: str) -> tuple[str, ...]:
    """A rung with those below it, which stay in force."""
    below = rungs_of(settings)
    # a wave may have been promised under another ladder
    return below[: below.index(rung) + 1] if rung in below else (ASKED,)


def engine_at(settings: CandidateSettings, rung: str) -> str:
    """The engine of a rung: a key of ``[engines]``; empty: ``[engine]``."""
    others = [one for one in up_to(settings, rung) if one not in (ASKED, SEEDS, ADHERENCE, REFINE, "")]
    return others[-1] if others else ""


def refine_at(climbed: Sequence[str], usual: str) -> Refine:
    """How much of the 3D model is put back at a rung, by the rungs up to it."""
    return cast(Refine, _STRONGER[usual] if REFINE in climbed else usual)


def denoise_at(climbed: Sequence[str], usual: float) -> float | None:
    """How much of the start an engine gives up; None: as usual."""
    if ADHERENCE not in climbed or usual <= _LEAST_DENOISE:
        return None
    return round(max(usual * _DENOISE, _LEAST_DENOISE), 3)


def rung_words(rung: str, changed: Mapping[str, Any]) -> str:
    """A rung for a person."""
    if rung in (ASKED, ""):
        return "as asked"
    if rung == SEEDS:
        return "new seeds"
    if rung == ADHERENCE:
        if "denoise" in changed:
            return f"closer to the 3D model (denoise {changed['denoise']:g})"
        return "more references"
    if rung == REFINE:
        return f"more of the 3D model put back (refine {changed.get('refine', 'stronger')})"
    return f"engine {rung}"
