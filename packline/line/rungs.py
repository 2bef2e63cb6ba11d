"""What a rung of the ladder means for a shot: engine, references, denoise, refine; and where it is idle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packline.editing.architectures import architecture_of
from packline.editing.placed import in_view
from packline.errors import GiveUp
from packline.ladder import (
    ADHERENCE,
    ASKED,
    REFINE,
    SEEDS,
    Refine,
    denoise_at,
    engine_at,
    refine_at,
    rungs_of,
    up_to,
)
from packline.line.line import Line
from packline.line.references import Labels, labels_in, roles_of
from packline.records import CandidateRecord, PlannedShot, Wave


@dataclass(frozen=True)
class Terms:
    """How a shot's candidates are made at a rung.

    Parameters
    ----------
    engine
        That edits: a key of ``[engines]``; empty: ``[engine]``.
    denoise
        None: as the architecture says.
    adherent
        Whether it is shown all angles and close-ups that it takes (`references.roles_of`).
    refine
        How much of the 3D model is put back.
    changed
        What of this the ladder changed, and ``instead`` of which engine this one edits; for the recipe.
    """

    engine: str = ""
    denoise: float | None = None
    adherent: bool = False
    refine: Refine = "product"
    changed: Mapping[str, Any] = field(default_factory=dict)


def terms_of(line: Line, planned: PlannedShot, wave: Wave, engine: str | None = None) -> Terms:
    """How a shot's candidates are made at a wave's rung.

    Parameters
    ----------
    engine
        The one that edits, where it takes the place of the rung's: denoise and refine are what that one can
        do and needs. None: the rung's.

    Raises
    ------
    GiveUp
        An unknown LoRA.
    """
    candidates = line.settings.candidates
    climbed, own = up_to(candidates, wave), engine_at(candidates, wave)
    engine = own if engine is None else engine
    settings = line.engine_settings(engine)
    known = architecture_of(settings.architecture)
    denoise = None
    if known.denoises:
        # a LoRA at strength 0 is none
        told = planned.instructions.get("lora_strength")
        acts = any(lora.strength for lora in line.presets.stack(planned.shot.product.loras, told))
        denoise = denoise_at(climbed, known.denoise_with_lora if acts else known.denoise)
    asked: Refine = planned.instructions.get("refine", settings.refine)
    refine = refine_at(climbed, asked)
    adherent = ADHERENCE in climbed and not known.starts_from_render
    changed: dict[str, Any] = {}
    if engine != own:
        changed["instead"] = line.engine_settings(own).name
    elif engine:
        changed["engine"] = settings.name
    if denoise is not None:
        changed["denoise"] = denoise
    if refine != asked:
        changed["refine"] = refine
    return Terms(engine, denoise, adherent, refine, changed)


def idle(line: Line, planned: PlannedShot, wave: Wave) -> str:
    """Why a wave's rung would change nothing for a shot, or cannot be climbed with it; empty where it can."""
    rung = wave.rung
    if rung in (ASKED, SEEDS):
        return ""
    terms = terms_of(line, planned, wave)
    if rung == REFINE:
        if "refine" not in terms.changed:
            return f"refine is {terms.refine!r} already"
        bare = terms.refine == "labels" and not in_view(_labels(line, planned).labels)
        return "no label is in view" if bare else ""
    if rung != ADHERENCE:
        return incapable(line, planned, terms.engine)
    if terms.denoise is not None:
        return ""
    number = wave.number - 1
    before = Wave(number, rung=rungs_of(line.settings.candidates)[number - 1])
    if terms.adherent and _roles(line, planned, wave) != _roles(line, planned, before):
        return ""
    return "the engine is shown all that it takes already"


def _roles(line: Line, planned: PlannedShot, wave: Wave) -> tuple[str, ...]:
    engine = engine_at(line.settings.candidates, wave)
    return roles_of(line, planned, _labels(line, planned), wave, engine)


def _labels(line: Line, planned: PlannedShot) -> Labels:
    return labels_in(line.ledger.references(planned.shot.key, planned.fingerprint)["scene"])


def not_climbed(line: Line, wave: Wave, records: Sequence[CandidateRecord]) -> tuple[tuple[str, str], ...]:
    """A wave's rung with the reason, where its engine turned out not to load before it made anything."""
    why = line.health.refusal(engine_at(line.settings.candidates, wave))
    if not why or any(one.candidate.recipe.rung == wave.rung for one in records):
        return ()
    return ((wave.rung, why),)


def incapable(line: Line, planned: PlannedShot, engine: str) -> str:
    """Why an engine cannot make a shot; empty where it can."""
    if why := line.health.refusal(engine):
        return why
    settings, can = line.engine_settings(engine), line.engine_called(engine).capabilities
    known = architecture_of(settings.architecture)
    if can.most_references < 2:
        return f"engine {settings.name} takes {can.most_references} picture"
    loras = planned.shot.product.loras
    if loras and not can.lora:
        return f"engine {settings.name} takes no LoRA"
    for lora in loras:
        try:
            line.presets.fit(lora.label, known.lora)
        except GiveUp as error:
            return f"engine {settings.name}: {error}"
    return ""
