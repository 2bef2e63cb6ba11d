"""The ladder: what is changed for a shot whose candidates keep failing, wave by wave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Literal, cast

from packline.editing.architectures import Architecture
from packline.records import Wave
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

    Waves beyond the ladder's length are spent on new seeds before it is climbed. Of the usual ladder only as
    much is climbed as there are waves; one that the settings give fits (`CandidateSettings`).
    """
    more = settings.waves - 1 - len(settings.ladder)
    return (ASKED, *(SEEDS,) * more, *settings.ladder)[: settings.waves]


def learned_as(rung: str) -> str:
    """Under which name a rung's passes are counted: new seeds change nothing but seeds."""
    return "" if rung in (ASKED, SEEDS, "") else rung


def up_to(settings: CandidateSettings, wave: Wave) -> tuple[str, ...]:
    """A wave's rung with those below it, which stay in force.

    New seeds may stand on the ladder several times, so a rung is known by its place.
    """
    rungs = rungs_of(settings)
    if rungs[wave.number - 1 : wave.number] == (wave.rung,):
        return rungs[: wave.number]
    # a wave may have been promised under another ladder
    return rungs[: rungs.index(wave.rung) + 1] if wave.rung in rungs else (ASKED,)


def engine_at(settings: CandidateSettings, wave: Wave) -> str:
    """The engine of a wave's rung: a key of ``[engines]``; empty: ``[engine]``."""
    others = [one for one in up_to(settings, wave) if one not in (ASKED, SEEDS, ADHERENCE, REFINE, "")]
    return others[-1] if others else ""


def refine_at(climbed: Sequence[str], usual: str) -> Refine:
    """How much of the 3D model is put back at a rung, by the rungs up to it."""
    return cast(Refine, _STRONGER[usual] if REFINE in climbed else usual)


def denoise_at(climbed: Sequence[str], usual: float) -> float | None:
    """How much of the start an engine gives up; None: as usual."""
    if ADHERENCE not in climbed or usual <= _LEAST_DENOISE:
        return None
    return round(max(usual * _DENOISE, _LEAST_DENOISE), 3)


def fewest_steps(settings: CandidateSettings, known: Architecture) -> tuple[int, float]:
    """How many steps an engine needs at least, and the share of them that it runs where it denoises least."""
    usual = min(known.denoise, known.denoise_with_lora)
    least = (denoise_at(rungs_of(settings), usual) if known.denoises else None) or usual
    # as the pipelines count: the share of the steps, rounded down
    return next(steps for steps in count(1) if int(steps * least) > 0), least


def rung_words(rung: str, changed: Mapping[str, Any]) -> str:
    """A rung for a person."""
    if rung in (ASKED, ""):
        return "as asked"
    if rung == SEEDS:
        return "new seeds"
    # on an engine in another's place a rung may change nothing but that
    acted = {ADHERENCE: {"denoise", "references"}, REFINE: {"refine"}}.get(rung, set())
    if "instead" in changed and not acted & set(changed):
        return f"another engine than {changed['instead']}"
    if rung == ADHERENCE:
        if "denoise" in changed:
            return f"closer to the 3D model (denoise {changed['denoise']:g})"
        return "more references"
    if rung == REFINE:
        return f"more of the 3D model put back (refine {changed.get('refine', 'stronger')})"
    return f"engine {rung}"
