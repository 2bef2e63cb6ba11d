"""What a rung of the ladder means for a shot: engine, references, denoise, refine; and where it is idle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packline.editing.architectures import architecture_of
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
from packline.line.references import labels_in, roles_of
from packline.records import PlannedShot


@dataclass(frozen=True)
class Terms:
    """How a shot's candidates are made at a rung.

    Parameters
    ----------
    engine
        A key of ``[engines]``; empty: ``[engine]``.
    denoise
        None: as the architecture says.
    adherent
        Whether it is shown all angles and close-ups that it takes (`references.roles_of`).
    refine
        How much of the 3D model is put back.
    changed
        What of this the ladder changed, for the recipe.
    """

    engine: str = ""
    denoise: float | None = None
    adherent: bool = False
    refine: Refine = "product"
    changed: Mapping[str, Any] = field(default_factory=dict)


def terms_of(line: Line, planned: PlannedShot, rung: str) -> Terms:
    """How a shot's candidates are made at a rung."""
    candidates = line.settings.candidates
    climbed, engine = up_to(candidates, rung), engine_at(candidates, rung)
    settings = line.engine_settings(engine)
    known = architecture_of(settings.architecture)
    usual = known.denoise_with_lora if planned.shot.product.loras else known.denoise
    denoise = denoise_at(climbed, usual) if known.starts_from_render else None
    asked: Refine = planned.instructions.get("refine", settings.refine)
    refine = refine_at(climbed, asked)
    adherent = ADHERENCE in climbed and not known.starts_from_render
    changed: dict[str, Any] = {}
    if engine:
        changed["engine"] = settings.name
    if denoise is not None:
        changed["denoise"] = denoise
    if refine != asked:
        changed["refine"] = refine
    return Terms(engine, denoise, adherent, refine, changed)


def idle(line: Line, planned: PlannedShot, rung: str) -> str:
    """Why a rung would change nothing for a shot, or cannot be climbed with it; empty where it can."""
    if rung in (ASKED, SEEDS):
        return ""
    terms = terms_of(line, planned, rung)
    if rung == REFINE:
        return "" if "refine" in terms.changed else f"refine is {terms.refine!r} already"
    if rung != ADHERENCE:
        return incapable(line, planned, terms.engine)
    if terms.denoise is not None:
        return ""
    below = rungs_of(line.settings.candidates)
    before = below[below.index(rung) - 1]
    if terms.adherent and _roles(line, planned, rung) != _roles(line, planned, before):
        return ""
    return "the engine is shown all that it takes already"


def _roles(line: Line, planned: PlannedShot, rung: str) -> tuple[str, ...]:
    folder = line.ledger.references(planned.shot.key, planned.fingerprint)["scene"]
    return roles_of(line, planned, labels_in(folder), rung, engine_at(line.settings.candidates, rung))


def incapable(line: Line, planned: PlannedShot, engine: str) -> str:
    """Why an engine cannot make a shot; empty where it can."""
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
