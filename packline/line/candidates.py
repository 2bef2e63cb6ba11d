"""Making candidates: request, edit, refine, write, record. What is recorded is never made twice."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from packline.candidate import Candidate, Recipe
from packline.editing.architectures import architecture_of
from packline.editing.engine import Edit, EditRequest, LoraChoice, Spoiled
from packline.editing.loras import Lora, triggers_of
from packline.editing.prompts import build_prompt, recipe_for
from packline.editing.refine import refine
from packline.editing.variation import strayed_strength
from packline.errors import FixSettings, GiveUp, TryAgain
from packline.funnel import candidate_seed
from packline.ladder import engine_at
from packline.line.line import Line
from packline.line.plan import Try
from packline.line.references import Rendered, labels_in, references_of, roles_of, variation_of
from packline.line.rungs import Terms, incapable, terms_of
from packline.pass_rates import Group, engine_key
from packline.records import PlannedShot, Wave
from packline.reference import Picture, Reference
from packline.shots import kind_of, stack_text

logger = logging.getLogger(__name__)

# that an engine is given at once: while one is decoded it denoises the next, and what shares its LoRAs'
# strengths goes together; all their pictures are in memory
_BATCHES = 8
# dollars that a candidate of an engine without a price counts for when engines are compared
_FREE = 1e-6


@dataclass(frozen=True)
class Asked:
    """One candidate as it will be asked for; pictures are read when its turn comes.

    Parameters
    ----------
    references
        In the order of their tags, the base photo left out.
    denoise
        None: as the architecture says.
    engine
        A key of ``[engines]``; empty: ``[engine]``.
    """

    planned: PlannedShot
    id: str
    recipe: Recipe
    stack: tuple[LoraChoice, ...]
    references: tuple[Rendered, ...]
    truth: Path
    denoise: float | None = None
    engine: str = ""


def make_candidates(
    line: Line, run: str, tries: Sequence[Try], done: Callable[[str], None], *, last_try: bool = False
) -> None:
    """Make one wave of candidates for some shots.

    Parameters
    ----------
    done
        Called with the id of each candidate that is there.
    last_try
        Whether an engine that fails now has failed often enough for another to take its place.

    Raises
    ------
    TryAgain, GiveUp, FixSettings
        As the engine said; what was made before that is recorded.
    """
    while True:
        engines = [choose_engine(line, one) for one in tries]
        try:
            _make(line, run, tries, engines, done, last_try)
        except TryAgain as error:
            if not last_try:
                raise
            if engines == [choose_engine(line, one) for one in tries]:
                if said := _too_dear(line, tries):
                    raise TryAgain(f"{error} {said}", error.retry_after) from error
                raise
            continue
        # one that took another's place may have turned out not to load
        instead = {name for one, name in zip(tries, engines, strict=True) if name != _own_engine(line, one)}
        if not any(line.health.refusal(engine) for engine in instead):
            return


def _own_engine(line: Line, one: Try) -> str:
    return engine_at(line.settings.candidates, one.wave)


def _make(
    line: Line,
    run: str,
    tries: Sequence[Try],
    engines: Sequence[str],
    done: Callable[[str], None],
    last_try: bool,
) -> None:
    waiting: dict[str, list[Asked]] = {}
    for one, engine in zip(tries, engines, strict=True):
        if line.health.refusal(engine):
            continue  # its rung is passed over (`rungs.not_climbed`)
        recorded = {
            record.candidate.recipe.number: record.candidate.id
            for record in line.ledger.candidates(one.key, line.shots[one.key].fingerprint)
            if record.candidate.picture.is_file()
        }
        missing = [number for number in one.wave.numbers if number not in recorded]
        for number in one.wave.numbers:
            if number in recorded:
                done(recorded[number])
        if missing:
            wanted = (asked for asked in ask(line, one, engine) if asked.recipe.number in missing)
            waiting.setdefault(engine, []).extend(wanted)
    spoiled: dict[str, str] = {}
    for engine, some in waiting.items():
        batch = line.engine_settings(engine).batch
        together = _BATCHES * batch if batch else line.engine_called(engine).capabilities.batch
        # stack by stack, so that batches are of one kind and LoRAs are swapped as seldom as can be
        some.sort(key=lambda asked: [(choice.label, choice.strength) for choice in asked.stack])
        for start in range(0, len(some), together):
            spoiled |= _edit(line, run, engine, some[start : start + together], done, last_try)
    for one in tries:
        if one.key in spoiled:
            _go_on_without(line, one, spoiled[one.key])


def _edit(
    line: Line, run: str, engine: str, some: Sequence[Asked], done: Callable[[str], None], last_try: bool
) -> dict[str, str]:
    """Let an engine make some candidates, each of which is recorded as soon as its batch is there.

    Returns
    -------
    dict
        Sentences of candidates that it cannot make, by their shots' keys.
    """
    failed_here: list[TryAgain] = []

    def record(made: Mapping[int, Edit]) -> None:
        try:
            for place, edit in made.items():
                line.ledger.record_candidate(run, _write(line, some[place], edit))
                done(some[place].id)
            # what was paid for is kept whatever became of the run, but a lost one pays for no more
            line.ledger.assert_not_lost(run)
        except TryAgain as error:
            failed_here.append(error)
            raise

    try:
        if not _loads(line, engine):
            return {}
        line.engine_at_work(engine).edit([request_of(line, asked) for asked in some], record)
    except Spoiled as error:
        return {some[place].planned.shot.key: said for place, said in error.places.items()}
    except TryAgain as error:
        # a ledger that cannot be reached is not the engine's fault
        if last_try and error not in failed_here:
            line.health.failed(engine)
        raise
    return {}


def _loads(line: Line, engine: str) -> bool:
    """Whether an engine has its weights in memory now; one of ``[engines]`` that cannot load is noted so.

    Raises
    ------
    FixSettings
        ``[engine]`` cannot load.
    """
    if line.health.refusal(engine):
        return False
    try:
        line.engine_at_work(engine).warm_up()
    except FixSettings as error:
        if not engine:
            raise
        line.health.refuse(engine, str(error))
        return False
    return True


def _go_on_without(line: Line, one: Try, why: str) -> None:
    """Leave out candidates that cannot be made: the shot's next ones have other seeds.

    Raises
    ------
    GiveUp
        Two or more seeds of the shot were tried, and none of them gave a picture.
    """
    there = line.ledger.candidates(one.key, line.shots[one.key].fingerprint)
    if not there and one.wave.first + one.wave.size > 1:
        raise GiveUp(f"Shot {one.key}: {why}")
    logger.warning("Shot %s goes on without a candidate: %s", one.key, why)


def ask(line: Line, one: Try, engine: str | None = None) -> list[Asked]:
    """What to ask the engine for, candidate by candidate; its id is known before anything is made.

    Parameters
    ----------
    engine
        A key of ``[engines]``, empty for ``[engine]``; None: as the wave's rung says.

    Raises
    ------
    GiveUp
        Where the shot cannot be asked for: an unknown LoRA, say.
    """
    settings, planned = line.settings, line.shots[one.key]
    terms = terms_of(line, planned, one.wave, engine)
    engine = terms.engine
    product, scene = planned.shot.product, line.scene(planned.shot.scene)
    told = planned.instructions.get("lora_strength")
    stack = line.presets.stack(product.loras, told)
    facts = line.engine_called(engine).describe()
    asked = []
    for number, found in references_of(line, one, engine).items():
        roles = ["base", *(one.role for one in found)]
        variation = variation_of(line, planned, number)
        if told is not None or not stack:
            # what a person asked for is not strayed from
            variation = {**variation, "lora": 1.0}
        choices = tuple(
            LoraChoice(lora.preset.label, strayed_strength(lora.strength, variation)) for lora in stack
        )
        recipe = Recipe(
            shot=planned.shot.key,
            fingerprint=planned.fingerprint,
            wave=one.wave.number,
            number=number,
            seed=candidate_seed(settings.run.seed, planned.shot.key, number),
            prompt=_prompt(line, planned, roles, stack, engine),
            references=(scene.sha256, *(one.fingerprint for one in found)),
            engine=facts,
            loras=tuple(_lora(line, lora, choice) for lora, choice in zip(stack, choices, strict=True)),
            variation=variation,
            refine=terms.refine,
            rung=one.wave.rung,
            changed={**terms.changed, **_more(line, planned, terms, found)},
        )
        asked.append(
            Asked(planned, recipe.id, recipe, choices, tuple(found), found[0].folder, terms.denoise, engine)
        )
    return asked


def choose_engine(line: Line, one: Try) -> str:
    """Which engine makes a wave: its rung's, or while that one keeps failing the cheapest that can.

    Cheapest is what costs least for a picture that passes. Where no other can, it is the rung's own.
    """
    planned = line.shots[one.key]
    able, _ = _others(line, one)
    if len(able) < 2:
        return able[0] if able else _own_engine(line, one)
    product = planned.shot.product
    kind, style = kind_of(product.sku, product.title), stack_text(product.loras)
    groups = {name: Group(kind, style, engine_key(line.engine_called(name).describe())) for name in able}
    rates = line.ledger.waves.rates(line.catalog.name, line.checks, groups.values())
    # free engines cost time, so that the one that passes more often comes first
    prices = {name: line.engine_settings(name).price or _FREE for name in able}
    costs = {name: prices[name] / rates.of(group).mean for name, group in groups.items()}
    return min(able, key=lambda name: costs[name])


def _others(line: Line, one: Try) -> tuple[list[str], list[str]]:
    """Engines that can take the place of a wave's own, and those that a budget in dollars leaves out of them.

    The price of the wave's own was set aside when the wave was opened, so no dearer one may spend it.
    """
    own = _own_engine(line, one)
    if line.health.well(own) or line.health.refusal(own):
        return [], []
    names = [name for name in ("", *line.settings.engines) if name != own and line.health.well(name)]
    able = [name for name in names if not incapable(line, line.shots[one.key], name)]
    if line.settings.run.budget.dollars is None:
        return able, []
    most = line.engine_settings(own).price
    dear = [name for name in able if line.engine_settings(name).price > most]
    return [name for name in able if name not in dear], dear


def _too_dear(line: Line, tries: Sequence[Try]) -> str:
    """A sentence on engines that only the run's budget keeps from stepping in; empty where there are none."""
    found = [_others(line, one) for one in tries]
    dear = {name for able, left_out in found if not able for name in left_out}
    if not dear:
        return ""
    prices = [(one.name, one.price) for one in map(line.engine_settings, sorted(dear))]
    listed = ", ".join(f"{name} at ${price:g} a candidate" for name, price in prices)
    return (
        f"No other engine took its place: the run's budget in dollars set this one's price aside, which is "
        f"less than theirs ({listed})."
    )


def _prompt(
    line: Line, planned: PlannedShot, roles: Sequence[str], stack: Sequence[Lora], engine: str
) -> str:
    settings, shot = line.engine_settings(engine), planned.shot
    recipe = recipe_for(line.settings, shot.product.sku, shot.scene, settings)
    tag, scene = architecture_of(settings.architecture).tag, line.scene(shot.scene)
    told = triggers_of(stack)
    return build_prompt(
        recipe.template, shot.product, scene, roles, tag, told, view=shot.view, key=recipe.key
    )


def _lora(line: Line, lora: Lora, choice: LoraChoice) -> dict[str, object]:
    return {
        "label": choice.label,
        "sha256": line.presets.sha256(choice.label),
        "strength": choice.strength,
        "trigger": lora.preset.trigger,
    }


def _more(line: Line, planned: PlannedShot, terms: Terms, found: Sequence[Rendered]) -> dict[str, list[str]]:
    """References that the ladder has added."""
    if not terms.adherent:
        return {}
    usual = roles_of(line, planned, labels_in(found[0].folder), Wave(), terms.engine)
    added = [one.role for one in found if one.role not in usual]
    return {"references": added} if added else {}


def request_of(line: Line, asked: Asked) -> EditRequest:
    """What the engine is asked for, its pictures read."""
    pictures = (line.photo(asked.planned.shot.scene), *(one.picture() for one in asked.references))
    mask = asked.references[0].mask()
    recipe = asked.recipe
    return EditRequest(pictures, recipe.prompt, recipe.seed, asked.stack, mask, asked.denoise)


def _write(line: Line, asked: Asked, edit: Edit) -> Candidate:
    """Refine an edit, write both pictures, and say what was made.

    The recipe that is kept says besides what the engine reported, device and the batch that memory allowed,
    and what refine did.
    """
    recipe = asked.recipe
    base = line.photo(asked.planned.shot.scene)
    # a change of the whole picture's light is kept where a LoRA asked for it, and is a fault where none did
    styled = any(choice.strength for choice in asked.stack)
    refined = refine(edit.picture, base, Reference.load(asked.truth), recipe.refine, styled=styled)
    folder = line.work / "candidates" / asked.id[:2]
    folder.mkdir(parents=True, exist_ok=True)
    edit_file, picture_file = folder / f"{asked.id}-edit.png", folder / f"{asked.id}.png"
    _save(edit_file, edit.picture)
    _save(picture_file, refined.picture)
    reported = {name: value for name, value in edit.used.items() if name != "loras"}
    return Candidate(
        id=asked.id,
        recipe=replace(recipe, engine={**recipe.engine, **reported}, refined=refined.facts()),
        picture=picture_file,
        edit=edit_file,
        truth=asked.truth,
        seconds=edit.seconds,
        # what it really cost, where the engine says so
        cost=float(edit.used.get("cost", line.engine_settings(asked.engine).price)),
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
