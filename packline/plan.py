"""The plan: each shot's fingerprint over everything that determines its pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import packline
from packline.assets import Assets, Place
from packline.catalog import Catalog
from packline.catalog.fields import between_pluses
from packline.catalog.table import COLUMNS, Fields
from packline.editing.loras import Lora, Presets, load_presets
from packline.editing.prompts import check_recipes, describe_references, recipe_for
from packline.editing.refine import REFINE_VERSION
from packline.errors import GiveUp
from packline.fingerprint import digest
from packline.instructions import Instructions, determining
from packline.records import PlannedShot
from packline.scenes import scene_digest
from packline.settings import Settings
from packline.shots import Product, Shot
from packline.stage.version import STAGE_VERSION

INSTRUCTIONS = "a person's instructions"
"""The name of that part of a fingerprint."""

_MODEL, _SCENES, _LORA, _TRUTH = (COLUMNS.index(name) for name in ("model", "scenes", "lora", "truth"))


class Planner:
    """Computes fingerprints; what the shots of a catalog share is looked at once.

    Parameters
    ----------
    engine_facts
        ``Engine.describe()``: weights, steps, size, dtype.
    checks
        ``scoring.policy.checks_digest``; kept apart from the fingerprint, so that a new threshold generates
        nothing.
    assets
        Gives the digests of models.
    """

    def __init__(
        self, settings: Settings, engine_facts: Mapping[str, Any], checks: str, assets: Assets | None = None
    ) -> None:
        self._settings = settings
        self._checks = checks
        self.assets = assets or Assets()
        self._shared = {
            # the same product in two catalogs is two shots: their pictures, flags and releases are their
            # owner's
            "the catalog's name": digest(settings.run.tenant, settings.run.name),
            "the engine": digest(dict(engine_facts)),
            "the run's settings": _run_digest(settings),
            "Packline's stage": digest(STAGE_VERSION),
        }
        check_recipes(settings)
        self._models = str(settings.paths.models)
        self._scenes: dict[str, str] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    @cached_property
    def _presets(self) -> Presets:
        return load_presets(self._settings.paths.loras)

    # shots

    def shots(
        self, product: Product, instructions: Mapping[str, Instructions] | None = None
    ) -> list[PlannedShot]:
        """A product's shots with their fingerprints; `Ledger` says what is to be done for them.

        Parameters
        ----------
        instructions
            What people asked of some shots, by key.
        """
        parts = self._product_parts(product)
        return [self._shot(shot, parts, (instructions or {}).get(shot.key, {})) for shot in product.shots]

    def _shot(self, shot: Shot, product: Mapping[str, str], asked: Instructions) -> PlannedShot:
        recipe = recipe_for(self._settings, shot.product.sku, shot.scene)
        parts = {
            **product,
            "the scene": self._scene(shot.scene),
            "the prompt": digest(recipe.template, _WORDING),
            **self._shared,
        }
        if told := determining(asked):
            parts[INSTRUCTIONS] = digest(told)
        fingerprint = digest({**parts, "shot": shot.key})
        return PlannedShot(shot, fingerprint, self._checks, parts=parts, instructions=dict(asked))

    def _product_parts(self, product: Product) -> dict[str, str]:
        parts = {
            "the title": digest(product.title),
            "the declared label directions": digest(dict(product.labels)),
            "the 3D model": self.assets.model(product.model, product.truth or ""),
        }
        if product.variant:
            parts["the material variant"] = digest(product.variant)
        if product.loras:
            stack = self._presets.stack(product.loras)
            parts["the LoRA"] = _of_stack([self._lora_facts(lora) for lora in stack])
            parts["the LoRA's strength"] = _of_stack([_strength_facts(lora) for lora in stack])
        return parts

    def _lora_facts(self, lora: Lora) -> tuple[Any, ...]:
        preset = lora.preset
        return preset.label, self._presets.sha256(preset.label), preset.trigger, preset.negative_prompt

    def _scene(self, name: str) -> str:
        if name not in self._scenes:
            self._scenes[name] = scene_digest(self._settings.paths.scenes / f"{name}.json")
        return self._scenes[name]

    # rows

    def expect(self, rows: Iterable[Fields]) -> None:
        """Recall what is known of the models of some rows in one go."""
        self.assets.expect(self._place(fields) for fields in rows if fields[_MODEL])

    def row_digest(self, fields: Fields) -> int | None:
        """A number of 64 bits, with a sign, over a row's text and all that its shots depend on.

        Cheap, for it is computed for every row of every run: where it is what it was, so are the row's
        fingerprints. The checks are no part of it.

        Returns
        -------
        int or None
            None where something that the row needs is not there or unusable; such a row is read in full.
        """
        if fields[-1] or not fields[_MODEL]:
            return None
        scenes, lora = self._token("scenes", fields[_SCENES]), self._token("lora", fields[_LORA])
        if not scenes or not lora:
            return None
        try:
            model = self.assets.model(*self._place(fields))
        except OSError:
            return None
        text = "\x1f".join((*fields, model, scenes, lora))
        found = hashlib.blake2b(text.encode(), digest_size=8, key=self._key).digest()
        return int.from_bytes(found, "big", signed=True)

    def _place(self, fields: Fields) -> Place:
        truth = fields[_TRUTH]
        return _under(self._models, fields[_MODEL]), truth and _under(self._models, truth)

    @cached_property
    def _key(self) -> bytes:
        """Over what all rows share: another Packline may read the same row in another way."""
        settings, paths = self._settings, self._settings.paths
        told = [settings.prompt.template, list(settings.prompts.items()), _WORDING]
        places = [str(paths.models), str(paths.scenes)]
        shared = digest(self._shared, told, _code_digest(), settings.engine.architecture, places, length=64)
        return bytes.fromhex(shared)

    def _token(self, kind: str, text: str) -> str:
        """Of the scenes, or of the LoRA, that a row names: few rows differ in them."""
        place = kind, text
        if place not in self._tokens:
            if len(self._tokens) > 10_000:
                self._tokens.clear()
            self._tokens[place] = self._scenes_token(text) if kind == "scenes" else self._stack_token(text)
        return self._tokens[place]

    def _scenes_token(self, text: str) -> str:
        names = [entry.partition(":")[0].strip() for entry in text.split(";")]
        found = [self._scene(name) for name in names if name]
        return digest(found) if found and all(found) else ""

    def _stack_token(self, text: str) -> str:
        try:
            return digest([self._lora_token(label) for label in between_pluses(text)]) if text else "none"
        except (GiveUp, OSError):
            return ""

    def _lora_token(self, label: str) -> str:
        file = self._presets.file(label)
        return digest(self._presets.get(label).model_dump_json(), str(file), self.assets.file(file))


def plan_shots(
    catalog: Catalog, settings: Settings, engine_facts: Mapping[str, Any], checks_digest: str
) -> list[PlannedShot]:
    """The fingerprints of a small catalog's shots, in its order; a run plans in batches (`line.survey`)."""
    planner = Planner(settings, engine_facts, checks_digest)
    return [shot for product in catalog.products for shot in planner.shots(product)]


def _of_stack(facts: list[tuple[Any, ...]]) -> str:
    # one LoRA is told as it was before there were stacks, so that nothing is made anew for it
    return digest(*facts[0]) if len(facts) == 1 else digest(facts)


def _strength_facts(lora: Lora) -> tuple[Any, ...]:
    return lora.strength, lora.preset.settings.guidance_scale, lora.preset.settings.clip_skip


def _under(folder: str, name: str) -> str:
    # a pathlib.Path would cost more than the rest of a row's digest
    return name if name.startswith("/") else f"{folder}/{name}"


# how this Packline words the references: a change of the code is a change of every prompt
_WORDING = describe_references(("base", "product", "side", "top", "label:x"), "scene", "image")


def _run_digest(settings: Settings) -> str:
    # what else the engine's table holds is among the engine's facts, or changes no pixel
    # (how many candidates a shot may have, and what the ladder changes, change no picture that exists)
    return digest(settings.run.size, settings.run.seed, settings.engine.refine, REFINE_VERSION)


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Of the code that reads rows: reading them all once more is cheap, so this is cautious."""
    home = Path(packline.__file__).parent
    files = [home / "plan.py", home / "scenes.py", home / "stage" / "files.py"]
    files += sorted((home / "catalog").glob("*.py"))
    return digest([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files], length=64)
