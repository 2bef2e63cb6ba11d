"""LoRA presets: which style a merchandiser may ask for, in which file, and for which model it was made.

The architecture is read from the file itself (`lora_files`), which outranks what the preset claims. Only
``.safetensors`` is opened: other formats run code when they are read.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from packline.editing.architectures import LORA_ARCHITECTURES
from packline.editing.lora_files import Recognised, read_header, recognise, unusable
from packline.errors import FixSettings, GiveUp
from packline.fingerprint import file_digest
from packline.shots import STACKED, ProductLora

logger = logging.getLogger(__name__)

DEFAULT_STRENGTH = 0.8
STRENGTH_LIMITS = (0.0, 2.0)
STRENGTH_USUAL = (0.3, 1.2)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PresetSettings(_Table):
    """What the preset sets for a generation."""

    strength: float = Field(default=DEFAULT_STRENGTH, ge=0, le=2)
    guidance_scale: float | None = Field(default=None, ge=0)
    clip_skip: int | None = Field(default=None, ge=1, le=12)


class Preset(_Table):
    """One entry of ``presets.json``.

    Parameters
    ----------
    prompt
        Trigger words; they are always kept.
    negative_prompt
        Used only where the model takes one.
    """

    label: str = Field(min_length=1)
    base_architecture: str
    theme: str = ""
    notes: str = ""
    air: str = ""
    path: str = ""
    sha256: str = Field(default="", pattern=r"^([0-9a-fA-F]{64})?$")
    prompt: str = ""
    negative_prompt: str = ""
    settings: PresetSettings = PresetSettings()

    @property
    def trigger(self) -> str:
        """Trigger words, as a prompt holds them: with single blanks."""
        return " ".join(self.prompt.split())


@dataclass(frozen=True)
class Lora:
    """A preset at a strength: one of a request's stack, as the drivers get it."""

    preset: Preset
    strength: float


def triggers_of(stack: Sequence[Lora]) -> str:
    """The trigger words of a stack in its order, each once, as a prompt holds them: "warm, noir style".

    A LoRA at strength 0 keeps its words: with them or without them is what is compared then.
    """
    return ", ".join(dict.fromkeys(lora.preset.trigger for lora in stack if lora.preset.trigger))


def guidance_of(stack: Sequence[Lora], otherwise: float) -> float:
    """Guidance of a call under a stack: what the first preset that sets it says."""
    said = (lora.preset.settings.guidance_scale for lora in stack if lora.strength)
    return next((guidance for guidance in said if guidance is not None), otherwise)


def negative_of(stack: Sequence[Lora]) -> str:
    """The negative prompts of a stack, in its order."""
    said = (lora.preset.negative_prompt.strip() for lora in stack if lora.strength)
    return ", ".join(dict.fromkeys(words for words in said if words))


class Presets:
    """All presets of a run. Files are looked at when a shot asks for them, so that one missing file flags its
    own shots only.

    Parameters
    ----------
    presets
        In the file's order.
    base
        Folder that relative paths start from.
    file
        Where they were read, for sentences.
    """

    def __init__(self, presets: tuple[Preset, ...] = (), base: Path = Path(), file: Path = Path()) -> None:
        self._presets = {preset.label: preset for preset in presets}
        self._base = base
        self.file_read = file

    @property
    def base(self) -> Path:
        """Folder that relative paths start from."""
        return self._base

    def __iter__(self) -> Iterator[Preset]:
        return iter(self._presets.values())

    def __len__(self) -> int:
        return len(self._presets)

    def __contains__(self, label: object) -> bool:
        return label in self._presets

    def get(self, label: str) -> Preset:
        """The preset of a label.

        Raises
        ------
        GiveUp
            There is none.
        """
        try:
            return self._presets[label]
        except KeyError:
            known = ", ".join(self._presets) or "none"
            raise GiveUp(
                f"LoRA {label!r} is not in {self.file_read} (known: {known}); correct the row."
            ) from None

    def stack(self, loras: Sequence[ProductLora], first: float | None = None) -> tuple[Lora, ...]:
        """What a catalog row asks for.

        Parameters
        ----------
        first
            Strength that the first LoRA is to have instead; the others keep their proportion to it, up to
            the largest strength that is allowed.

        Raises
        ------
        GiveUp
            An unknown label.
        """
        presets = [self.get(lora.label) for lora in loras]
        stack = tuple(
            Lora(preset, preset.settings.strength if lora.strength is None else lora.strength)
            for preset, lora in zip(presets, loras, strict=True)
        )
        if first is None or not stack:
            return stack
        # nothing is in proportion to nothing: then the others stay as they are
        factor = first / stack[0].strength if stack[0].strength else 1.0
        others = (Lora(lora.preset, min(lora.strength * factor, STRENGTH_LIMITS[1])) for lora in stack[1:])
        return Lora(stack[0].preset, first), *others

    def file(self, label: str) -> Path:
        """The preset's ``.safetensors`` file.

        Raises
        ------
        GiveUp
            The file is missing or of a format that is never opened.
        """
        preset = self.get(label)
        if not preset.path:
            raise GiveUp(f"LoRA {label!r} has no path in {self.file_read} yet; run {self._pulling(label)}.")
        file = self._base / preset.path
        if file.suffix != ".safetensors":
            raise GiveUp(
                f"LoRA {label!r}: {file.name} is not a .safetensors file; other formats can run code and are "
                f"never opened, convert it."
            )
        if not file.is_file():
            mend = f"run {self._pulling(label)}" if preset.air else "put it there or correct the path"
            raise GiveUp(f"LoRA {label!r}: its file {file} is missing; {mend}.")
        return file

    def place(self, preset: Preset) -> Path | None:
        """Where a preset's file is to be, whether it is there or not."""
        return self._base / preset.path if preset.path else None

    def _pulling(self, label: str) -> str:
        return f"`packline loras pull {shlex.quote(label)} --file {shlex.quote(str(self.file_read))}`"

    def sha256(self, label: str) -> str:
        """SHA-256 of the preset's file, checked against what the preset says."""
        file = self.file(label)
        about = file.stat()
        return self.check_digest(label, _digest_once(file, about.st_size, about.st_mtime_ns))

    def check_digest(self, label: str, found: str) -> str:
        """Refuse a file whose SHA-256 is not what the preset says."""
        claimed, file = self.get(label).sha256.lower(), self.file(label)
        if claimed and claimed != found:
            raise GiveUp(
                f"LoRA {label!r}: {file} has SHA-256 {found}, its preset says {claimed}; restore the file or "
                f"correct sha256 in {self.file_read}."
            )
        return found

    def fit(self, label: str, architecture: str) -> Preset:
        """The preset, after every check that needs no model in memory.

        Parameters
        ----------
        architecture
            ``Architecture.lora`` of the engine that is to load it.

        Raises
        ------
        GiveUp
            Unknown label, missing or wrong file, or a LoRA made for another model.
        """
        preset = self.get(label)
        self.sha256(label)
        found = self.made_for(label)
        if found != architecture:
            raise GiveUp(
                f"LoRA {label!r} was made for {found} and cannot work on {architecture}; "
                f"name another LoRA or another engine."
            )
        return preset

    def made_for(self, label: str) -> str:
        """The model that a preset's file was made for, compared with what the preset says.

        Raises
        ------
        GiveUp
            The file is no LoRA that can be used, or was made for another model.
        """
        preset, file = self.get(label), self.file(label)
        try:
            found = made_for(file, file.name, preset.base_architecture)
        except GiveUp as error:
            raise GiveUp(f"LoRA {label!r}: {error}") from None
        if found != preset.base_architecture:
            raise GiveUp(
                f"LoRA {label!r}: {file.name} was made for {found}, but {self.file_read} says "
                f"{preset.base_architecture}; correct base_architecture."
            )
        return found

    def recognised(self, label: str) -> Recognised:
        """For which models a preset's file can have been made, whatever the preset says.

        Raises
        ------
        GiveUp
            The file is no LoRA that can be used.
        """
        file = self.file(label)
        shapes, metadata = read_header(file)
        if fault := unusable(shapes):
            raise GiveUp(f"LoRA {label!r}: {file.name} {fault}.")
        return recognise(shapes, metadata)

    def of(self, architecture: str) -> tuple[Preset, ...]:
        """The presets that may be offered with an engine."""
        return tuple(preset for preset in self if preset.base_architecture == architecture)


def load_presets(file: Path) -> Presets:
    """Read ``presets.json``: ``{"loras": [...]}``.

    Paths in it start from ``MODEL_BASE_PATH``, or from its own folder where that is not set.

    Raises
    ------
    FixSettings
        The file is missing, malformed, or an entry has a wrong or unknown field.
    """
    try:
        entries = json.loads(file.read_text())["loras"]
    except FileNotFoundError as error:
        raise FixSettings(f"Settings key paths.loras: {file} is missing; add it.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FixSettings(
            f'Settings key paths.loras: {file} is malformed ({error!r}); it must be {{"loras": [...]}}.'
        ) from error
    if not isinstance(entries, list):
        raise FixSettings(f'Settings key paths.loras: "loras" in {file} must be a list.')
    presets = tuple(_preset(file, number, entry) for number, entry in enumerate(entries, start=1))
    labels = [preset.label for preset in presets]
    for label in labels:
        if labels.count(label) > 1:
            raise FixSettings(f"{file}: two LoRAs are labelled {label!r}; rename one.")
    base = Path(os.environ.get("MODEL_BASE_PATH") or file.resolve().parent)
    return Presets(presets, base, file)


def check_strength(label: str, strength: float) -> float:
    """Refuse a strength outside 0 to 2; warn where it is legal but unusual.

    Raises
    ------
    GiveUp
        Outside 0 to 2, or not a number.
    """
    low, high = STRENGTH_LIMITS
    if not low <= strength <= high:
        raise GiveUp(
            f"LoRA {label!r}: strength {strength:g} is outside {low:g} to {high:g}; correct lora_strength."
        )
    if strength and not STRENGTH_USUAL[0] <= strength <= STRENGTH_USUAL[1]:
        logger.warning(
            "LoRA %r: strength %g is outside the usual %g to %g: little effect below, artefacts above.",
            label,
            strength,
            *STRENGTH_USUAL,
        )
    return strength


def made_for(file: Path, name: str, claimed: str = "") -> str:
    """Which model a LoRA file was made for.

    Parameters
    ----------
    name
        What to call it in a sentence.
    claimed
        What somebody says of it, which counts where the file leaves several models open.

    Raises
    ------
    GiveUp
        It cannot be used, nothing known fits, or several models do and nobody says which.
    """
    shapes, metadata = read_header(file)
    if fault := unusable(shapes):
        raise GiveUp(f"{name} {fault}.")
    found = recognise(shapes, metadata)
    if not found.possible:
        raise GiveUp(f"The tensors of {name} fit no model that Packline knows.")
    if claimed in found.possible:
        return claimed
    if found.architecture is None:
        several = " and ".join(sorted(found.possible))
        raise GiveUp(f"The tensors of {name} fit {several} alike; say which of them in base_architecture.")
    return found.architecture


def _preset(file: Path, number: int, entry: Any) -> Preset:
    label = entry.get("label") if isinstance(entry, dict) else None
    name = f"LoRA {label!r}" if label else f"LoRA number {number}"
    try:
        preset = Preset.model_validate(entry)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"]) or "entry"
        raise FixSettings(f"{file}: {name}: {key} is wrong: {problem['msg']}.") from error
    if preset.base_architecture not in LORA_ARCHITECTURES:
        raise FixSettings(
            f"{file}: {name}: base_architecture {preset.base_architecture!r} is unknown; known are "
            f"{', '.join(sorted(LORA_ARCHITECTURES))}."
        )
    if STACKED in f" {preset.label} " or preset.label != preset.label.strip():
        raise FixSettings(
            f"{file}: {name}: a label may not begin or end with a space or hold a plus between spaces, which "
            f"is how a catalog joins LoRAs; rename it."
        )
    if not preset.path and not preset.air:
        raise FixSettings(f"{file}: {name}: neither path nor air is given; add one.")
    return preset


@lru_cache(maxsize=256)
def _digest_once(file: Path, size: int, changed: int) -> str:
    return file_digest(file)
