"""LoRAs from CivitAI into the presets: the file, what it was made for, and its hash.

Nothing here is called by a run; a person asks for it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packline.editing.air import Air, check_ecosystem, is_air, may_mean, parse_air
from packline.editing.civitai import ModelVersion, VersionFile, choose_file, read_version
from packline.editing.download import Wanted, Watcher, download
from packline.editing.loras import Preset, Presets, load_presets, made_for
from packline.editing.presets_file import edit_presets, with_fields, with_preset
from packline.editing.web import Web
from packline.errors import GiveUp, PacklineError
from packline.fingerprint import file_digest

_LONGEST_STEM, _LONGEST_NAME = 80, 60


@dataclass(frozen=True)
class Pulled:
    """What became of one LoRA.

    Parameters
    ----------
    fetched
        Whether it was downloaded by this call.
    new
        Whether its preset was made by this call.
    """

    label: str
    file: Path
    architecture: str
    fetched: bool
    new: bool = False


def wanting(presets: Presets) -> list[str]:
    """Labels of the presets that have an AIR and not their file, or not with the hash that they say."""
    return [preset.label for preset in presets if preset.air and not _here(presets, preset)]


def pull(list_file: Path, word: str, civitai: Web, watcher: Watcher) -> Pulled:
    """Have the file of a preset, or of an AIR, which becomes a preset where none names it.

    Parameters
    ----------
    list_file
        ``presets.json``; the preset's path and hash are written there.
    word
        A label or an AIR.

    Raises
    ------
    GiveUp
        There is no such preset or version, or its file may not be used or is for another model.
    TryAgain, FixSettings
        As `download` says.
    """
    presets = load_presets(list_file)
    if not is_air(word):
        return _pull_preset(list_file, presets, _named(presets, word), civitai, watcher)
    air = parse_air(word)
    for preset in presets:
        if preset.air and _names_same(preset, air):
            return _pull_preset(list_file, presets, preset, civitai, watcher)
    return _pull_air(list_file, presets, air, civitai, watcher)


def _pull_preset(list_file: Path, presets: Presets, preset: Preset, civitai: Web, watcher: Watcher) -> Pulled:
    label = preset.label
    if not preset.air:
        raise GiveUp(f"LoRA {label!r} has no air in {list_file}, which would say where it is; add it.")
    if _here(presets, preset):
        file = presets.base / preset.path
        return Pulled(label, file, _checked(label, file, preset, list_file), fetched=False)
    try:
        air = parse_air(preset.air)
        check_ecosystem(air, preset.base_architecture)
        version = read_version(civitai, air)
        chosen = choose_file(version, air, preset.sha256)
        path = preset.path or _path(chosen, version)
        file = presets.base / path
        fetched = _fetch(civitai, chosen, air, preset.base_architecture, file, watcher)
    except PacklineError as error:
        # the same error for the caller, with the label for the reader
        error.args = (f"LoRA {label!r}: {error}",)
        raise
    # the file stays when the preset is wrong about it: corrected, it needs no second download
    architecture = _checked(label, file, preset, list_file)
    fields = {"path": path, "sha256": chosen.sha256}

    def note(text: str) -> str:
        # the file may have been edited during the download: then it may no longer hold the preset
        _named(load_presets(list_file), label)
        return with_fields(text, label, fields)

    edit_presets(list_file, note)
    return Pulled(label, file, architecture, fetched)


def _pull_air(list_file: Path, presets: Presets, air: Air, civitai: Web, watcher: Watcher) -> Pulled:
    version = read_version(civitai, air)
    chosen = choose_file(version, air)
    path = _path(chosen, version)
    file = presets.base / path
    claimed = _claimed(version, air)
    fetched = _fetch(civitai, chosen, air, claimed, file, watcher)
    architecture = made_for(file, file.name, claimed)
    made: list[tuple[str, bool]] = []

    def add(text: str) -> str:
        # read anew: another process may have added a preset meanwhile
        held = load_presets(list_file)
        if same := next((preset for preset in held if preset.air and _names_same(preset, air)), None):
            made.append((same.label, False))
            return text
        label = _label(version, air, [preset.label for preset in held])
        made.append((label, True))
        preset = {
            "label": label,
            "notes": ", ".join(part for part in (version.name, version.base_model) if part),
            "base_architecture": architecture,
            "air": str(air),
            "path": path,
            "sha256": chosen.sha256,
            "prompt": version.trigger,
        }
        return with_preset(text, {key: value for key, value in preset.items() if value})

    edit_presets(list_file, add)
    label, new = made[0]
    return Pulled(label, file, architecture, fetched, new)


def _fetch(civitai: Web, chosen: VersionFile, air: Air, claimed: str, file: Path, watcher: Watcher) -> bool:
    def accept(came: Path) -> None:
        check_ecosystem(air, made_for(came, chosen.name, claimed))

    wanted = Wanted(f"AIR {air}", chosen.address, chosen.sha256)
    return download(civitai, wanted, file, watcher, accept)


def _named(presets: Presets, label: str) -> Preset:
    if label in presets:
        return presets.get(label)
    known = ", ".join(repr(preset.label) for preset in presets) or "none"
    raise GiveUp(f"LoRA {label!r} is not in {presets.file_read}; name one of it ({known}) or an AIR.")


def _claimed(version: ModelVersion, air: Air) -> str:
    """What CivitAI says it was made for, for files whose tensors leave that open; empty where it does not."""
    known = may_mean(air.ecosystem) or ()
    said = version.base_model.lower().replace("flux.2 d", "flux.2 dev").replace(".", "").replace(" ", "-")
    # longer names say more: "Flux.2 Klein 9B-base" is of flux2-klein-9b
    named = [name for name in known if said.startswith(name)]
    return named[0] if named else known[0] if len(known) == 1 else ""


def _here(presets: Presets, preset: Preset) -> bool:
    file = presets.base / preset.path
    # without a hash in the preset, only CivitAI can say whether it is the right file
    return bool(
        preset.path and preset.sha256 and file.is_file() and file_digest(file) == preset.sha256.lower()
    )


def _checked(label: str, file: Path, preset: Preset, list_file: Path) -> str:
    try:
        found = made_for(file, file.name, preset.base_architecture)
    except GiveUp as error:
        raise GiveUp(f"LoRA {label!r}: {error}") from error
    if found != preset.base_architecture:
        raise GiveUp(
            f"LoRA {label!r}: {file.name} was made for {found}, but {list_file} says "
            f"{preset.base_architecture}; correct base_architecture and pull again (the file is kept)."
        )
    return found


def _names_same(preset: Preset, air: Air) -> bool:
    try:
        held = parse_air(preset.air)
    except GiveUp:
        return False
    return (held.source, held.id, held.version, held.file) == (air.source, air.id, air.version, air.file)


def _path(chosen: VersionFile, version: ModelVersion) -> str:
    """A name that no other version's file has, of letters that every disk takes."""
    stem = re.sub(r"[^\w.-]+", "-", Path(chosen.name).stem, flags=re.ASCII).strip("-.")[:_LONGEST_STEM]
    number = f"{version.id}-{chosen.id}" if len(version.files) > 1 else str(version.id)
    return f"{stem or 'lora'}-{number}.safetensors"


def _label(version: ModelVersion, air: Air, taken: Iterable[str]) -> str:
    held = set(taken)
    name = _plain(version.model.name) or f"{air.type} {air.id}"
    better = (name, f"{name} {_plain(version.name)}".strip(), f"{name} {version.id}")
    counted = (f"{name} {version.id} {number}" for number in itertools.count(2))
    return next(label for label in itertools.chain(better, counted) if label not in held)


def _plain(text: str) -> str:
    # a plus between blanks joins LoRAs in a catalog
    return " ".join(text.replace("+", " and ").split())[:_LONGEST_NAME].strip()
