"""Making candidates: request, edit, refine, write, record. What is recorded is never made twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2

from packline.candidate import Candidate, Recipe
from packline.editing.architectures import architecture_of
from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.prompts import build_prompt
from packline.editing.refine import refine
from packline.fingerprint import digest
from packline.funnel import candidate_seed
from packline.line.line import Line
from packline.line.plan import Try
from packline.line.references import Rendered, references_of, variation_of
from packline.records import PlannedShot
from packline.reference import Picture, Reference


@dataclass(frozen=True)
class Asked:
    """One candidate as it will be asked for; pictures are read when its turn comes.

    Parameters
    ----------
    references
        In the order of their tags, the base photo left out.
    """

    planned: PlannedShot
    id: str
    recipe: Recipe
    stack: tuple[LoraChoice, ...]
    references: tuple[Rendered, ...]
    truth: Path


def make_candidates(line: Line, run: str, tries: Sequence[Try], done: Callable[[str], None]) -> None:
    """Make one wave of candidates for some shots.

    Parameters
    ----------
    done
        Called with the id of each candidate that is there.

    Raises
    ------
    TryAgain, GiveUp, FixSettings
        As the engine said; what was made before that is recorded.
    """
    waiting: list[Asked] = []
    for one in tries:
        planned = line.shots[one.key]
        recorded = {
            record.candidate.id
            for record in line.ledger.candidates(one.key, planned.fingerprint)
            if record.candidate.picture.is_file()
        }
        for candidate in ask(line, one):
            if candidate.id in recorded:
                done(candidate.id)
            else:
                waiting.append(candidate)
    # recorded after every batch, so that a kill loses no more than one
    for start in range(0, len(waiting), line.settings.engine.batch):
        batch = waiting[start : start + line.settings.engine.batch]
        edits = line.engine.edit([_request(line, asked) for asked in batch])
        for asked, edit in zip(batch, edits, strict=True):
            line.ledger.record_candidate(run, _write(line, asked, edit.picture, edit.seconds, edit.used))
            done(asked.id)
        # what was paid for is kept whatever became of the run, but a lost one pays for no more
        line.ledger.assert_not_lost(run)


def ask(line: Line, one: Try) -> list[Asked]:
    """What to ask the engine for, candidate by candidate; its id is known before anything is made.

    Raises
    ------
    GiveUp
        Where the shot cannot be asked for: an unknown LoRA, say.
    """
    settings, planned = line.settings, line.shots[one.key]
    shot, product = planned.shot, planned.shot.product
    scene = line.scene(shot.scene)
    trigger = ""
    stack: tuple[LoraChoice, ...] = ()
    loras: tuple[dict[str, object], ...] = ()
    if product.lora:
        preset = line.presets.get(product.lora)
        strength = preset.settings.strength if product.lora_strength is None else product.lora_strength
        strength = float(planned.instructions.get("lora_strength", strength))
        trigger, stack = preset.trigger, (LoraChoice(product.lora, strength),)
        loras = (
            {
                "label": product.lora,
                "sha256": line.presets.sha256(product.lora),
                "strength": strength,
                "trigger": trigger,
            },
        )
    tag = architecture_of(settings.engine.architecture).tag
    asked = []
    for number, found in references_of(line, one).items():
        seed = candidate_seed(settings.run.seed, shot.key, number)
        recipe = Recipe(
            shot=shot.key,
            fingerprint=planned.fingerprint,
            wave=number // settings.candidates.wave + 1,
            number=number,
            seed=seed,
            prompt=build_prompt(
                settings.prompt.template, product, scene, ["base", *(one.role for one in found)], tag, trigger
            ),
            references=(scene.sha256, *(one.fingerprint for one in found)),
            engine=line.engine.describe(),
            loras=loras,
            variation=variation_of(line, planned, number),
            refine=planned.instructions.get("refine", settings.engine.refine),
        )
        asked.append(Asked(planned, digest(asdict(recipe)), recipe, stack, tuple(found), found[0].folder))
    return asked


def _request(line: Line, asked: Asked) -> EditRequest:
    pictures = (line.photo(asked.planned.shot.scene), *(one.colour() for one in asked.references))
    return EditRequest(
        pictures, asked.recipe.prompt, asked.recipe.seed, asked.stack, asked.references[0].mask()
    )


def _write(line: Line, asked: Asked, picture: Picture, seconds: float, used: dict[str, object]) -> Candidate:
    """Refine an edit, write both pictures, and say what was made.

    The recipe that is kept says besides what the engine reported: device, and the batch that memory allowed.
    """
    settings, recipe = line.settings, asked.recipe
    base = line.photo(asked.planned.shot.scene)
    # a change of the whole picture's light is kept where a LoRA asked for it, and is a fault where none did
    styled = bool(asked.stack)
    final = refine(picture, base, Reference.load(asked.truth), recipe.refine, styled=styled).picture
    folder = line.work / "candidates" / asked.id[:2]
    folder.mkdir(parents=True, exist_ok=True)
    edit_file, picture_file = folder / f"{asked.id}-edit.png", folder / f"{asked.id}.png"
    _save(edit_file, picture)
    _save(picture_file, final)
    reported = {name: value for name, value in used.items() if name != "loras"}
    return Candidate(
        id=asked.id,
        recipe=replace(recipe, engine={**recipe.engine, **reported}),
        picture=picture_file,
        edit=edit_file,
        truth=asked.truth,
        seconds=seconds,
        cost=settings.engine.price,
    )


def _save(file: Path, picture: Picture) -> None:
    encoded, data = cv2.imencode(
        ".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    assert encoded
    # a picture is there whole or not at all, whoever kills us when
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(data.tobytes())
    part.replace(file)
