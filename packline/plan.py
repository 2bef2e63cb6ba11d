"""The plan: each shot's fingerprint over everything that determines its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packline.catalog import Catalog
from packline.editing.loras import Presets, load_presets
from packline.editing.prompts import describe_references
from packline.fingerprint import digest, file_digest
from packline.records import PlannedShot
from packline.scenes import load_scene
from packline.settings import Settings
from packline.shots import Product, Shot
from packline.stage.files import sidecar_of
from packline.stage.version import STAGE_VERSION


def plan_shots(
    catalog: Catalog, settings: Settings, engine_facts: Mapping[str, Any], checks_digest: str
) -> list[PlannedShot]:
    """Compute each shot's fingerprint.

    Parameters
    ----------
    engine_facts
        ``Engine.describe()``: weights, steps, size, dtype.
    checks_digest
        ``scoring.policy.checks_digest``; kept apart from the fingerprint, so that a new threshold generates
        nothing.

    Returns
    -------
    list of PlannedShot
        In the catalog's order; `Ledger.plan` adds what is to be done.
    """
    shared = {
        # the same product in two catalogs is two shots: their pictures, flags and releases are their owner's
        "the catalog's name": digest(settings.run.tenant, settings.run.name),
        "the prompt": digest(settings.prompt.template, _WORDING),
        "the engine": digest(dict(engine_facts)),
        "the run's settings": _run_digest(settings),
        "Packline's stage": digest(STAGE_VERSION),
    }
    scenes: dict[str, str] = {}
    products: dict[str, dict[str, str]] = {}
    presets: Presets | None = None
    planned = []
    for shot in catalog.shots:
        product = shot.product
        if product.lora and presets is None:
            presets = load_presets(settings.paths.loras)
        if product.sku not in products:
            products[product.sku] = _product_parts(product, presets)
        if shot.scene not in scenes:
            scenes[shot.scene] = load_scene(settings.paths.scenes / f"{shot.scene}.json").sha256
        parts = {**products[product.sku], "the scene": scenes[shot.scene], **shared}
        planned.append(_planned(shot, parts, checks_digest))
    return planned


def _planned(shot: Shot, parts: dict[str, str], checks: str) -> PlannedShot:
    fingerprint = digest({**parts, "shot": shot.key})
    return PlannedShot(shot=shot, fingerprint=fingerprint, checks=checks, parts=parts)


def _product_parts(product: Product, presets: Presets | None) -> dict[str, str]:
    parts = {
        "the title": digest(product.title),
        "the declared label directions": digest(dict(product.labels)),
        "the 3D model": model_digest(product.model, product.truth),
    }
    if product.variant:
        parts["the material variant"] = digest(product.variant)
    if product.lora and presets is not None:
        preset = presets.get(product.lora)
        strength = preset.settings.strength if product.lora_strength is None else product.lora_strength
        parts["the LoRA"] = digest(
            product.lora, presets.sha256(product.lora), preset.trigger, preset.negative_prompt
        )
        parts["the LoRA's strength"] = digest(
            strength, preset.settings.guidance_scale, preset.settings.clip_skip
        )
    return parts


# how this Packline words the references: a change of the code is a change of every prompt
_WORDING = describe_references(("base", "product", "side", "top", "label:x"), "scene", "image")


def _run_digest(settings: Settings) -> str:
    # what else the engine's table holds is among the engine's facts, or changes no pixel
    # (how many waves a shot may have and how many passes are enough change no picture that exists)
    return digest(settings.run.size, settings.run.seed, settings.candidates.wave, settings.engine.refine)


# a model's files: itself, its sidecar, and what it names (textures, buffers, materials)

_ENDING = re.compile(rb"\.(?:png|jpe?g|tga|bmp|tiff?|webp|gif|avif|psd|ktx2?|dds|bin|mtl)", re.IGNORECASE)
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f"<>|*?:\ufffd]')


def model_digest(model: Path, truth: Path | None = None) -> str:
    """Hash a model with every file that its look depends on: sidecar, materials, buffers, textures.

    Parameters
    ----------
    truth
        A sidecar in place of the one beside the model.
    """
    files = model_files(model, truth)
    return digest([(file.name, _digest_of(file)) for file in files], length=64)


def model_files(model: Path, truth: Path | None = None) -> list[Path]:
    """A model's file, its sidecar (or `truth` in its place) and the files beside it that it names, sorted."""
    found = {model}
    sidecar = truth or sidecar_of(model)
    if sidecar.is_file():
        found.add(sidecar)
    queue = [model]
    while queue:
        for file in _named_files(queue.pop()):
            if file not in found:
                found.add(file)
                if file.suffix.lower() == ".mtl":
                    queue.append(file)
    return sorted(found)


def _named_files(file: Path) -> list[Path]:
    about = file.stat()
    # exporters write absolute paths of their own machine; the loader then looks beside the model
    folder, media = file.parent, file.with_suffix(".fbm")
    places = set()
    for name in map(Path, _names_in(file, about.st_size, about.st_mtime_ns)):
        places |= {folder.joinpath(*name.parts[start:]) for start in range(len(name.parts))}
        places |= {folder / "textures" / name.name, media / name.name}
    return sorted({place.resolve() for place in places if place.is_file()})


@lru_cache(maxsize=65536)
def _names_in(file: Path, size: int, changed: int) -> frozenset[str]:
    """Whatever in a file may name another: the text before each ending, from each of its words on."""
    data = file.read_bytes()
    if data[:4] == b"glTF":
        data = data[20 : 20 + int.from_bytes(data[12:16], "little")]  # its JSON; the rest is numbers
    names = set()
    for ending in _ENDING.finditer(data):
        before = data[max(0, ending.start() - 200) : ending.end()].decode("utf-8", "replace")
        words = unquote(_NOT_IN_A_NAME.split(before)[-1].replace("\\", "/")).split(" ")
        names |= {" ".join(words[start:]).strip() for start in range(len(words))}
    return frozenset(names)


def _digest_of(file: Path) -> str:
    about = file.stat()
    return _digest_once(file, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=65536)
def _digest_once(file: Path, size: int, changed: int) -> str:
    return file_digest(file)
