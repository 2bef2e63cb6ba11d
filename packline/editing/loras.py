"""LoRA presets: which style a merchandiser may ask for, in which file, and for which model it was made.

The architecture is read from the file's own tensor names and shapes, which outrank what the preset or the
file's metadata claim. Only ``.safetensors`` is opened: other formats run code when they are read.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from packline.editing.architectures import LORA_ARCHITECTURES
from packline.errors import FixSettings, GiveUp
from packline.fingerprint import file_digest

logger = logging.getLogger(__name__)

DEFAULT_STRENGTH = 0.8
STRENGTH_LIMITS = (0.0, 2.0)
STRENGTH_USUAL = (0.3, 1.2)

Shapes = Mapping[str, tuple[int, ...]]


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
        """Trigger words, as a prompt needs them."""
        return self.prompt.strip()


@dataclass(frozen=True)
class Lora:
    """A preset at a strength: one of a request's stack, as the drivers get it."""

    preset: Preset
    strength: float


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

    def file(self, label: str) -> Path:
        """The preset's ``.safetensors`` file.

        Raises
        ------
        GiveUp
            The file is missing or of a format that is never opened.
        """
        preset = self.get(label)
        if not preset.path:
            raise GiveUp(
                f"LoRA {label!r} has no path in {self.file_read}; download its file and add the path."
            )
        file = self._base / preset.path
        if file.suffix != ".safetensors":
            raise GiveUp(
                f"LoRA {label!r}: {file.name} is not a .safetensors file; other formats can run code and are "
                f"never opened, convert it."
            )
        if not file.is_file():
            raise GiveUp(f"LoRA {label!r}: its file {file} is missing; put it there or correct the path.")
        return file

    def sha256(self, label: str) -> str:
        """SHA-256 of the preset's file, checked against what the preset says."""
        file = self.file(label)
        about = file.stat()
        found = _digest_once(file, about.st_size, about.st_mtime_ns)
        claimed = self.get(label).sha256.lower()
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
        file = self.file(label)
        shapes = read_shapes(file)
        unusable = _unusable(shapes)
        if unusable:
            raise GiveUp(f"LoRA {label!r}: {file.name} {unusable}.")
        found = recognise(shapes)
        if found is None:
            raise GiveUp(f"LoRA {label!r}: the tensors of {file.name} fit no model that Packline knows.")
        if found != preset.base_architecture:
            raise GiveUp(
                f"LoRA {label!r}: {file.name} was made for {found}, but {self.file_read} says "
                f"{preset.base_architecture}; correct base_architecture."
            )
        if found != architecture:
            raise GiveUp(
                f"LoRA {label!r} was made for {found} and cannot work on {architecture}; "
                f"name another LoRA or another engine."
            )
        return preset

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


def read_shapes(file: Path) -> Shapes:
    """Names and shapes of a ``.safetensors`` file's tensors, from its header alone.

    Raises
    ------
    GiveUp
        It is no such file, whatever its name says.
    """
    about = file.stat()
    try:
        return _shapes_once(file, about.st_size, about.st_mtime_ns)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GiveUp(
            f"{file} is not a safetensors file or is cut short; put the right file there."
        ) from error


def recognise(shapes: Shapes) -> str | None:
    """Which model a LoRA was made for, by its tensors.

    Returns
    -------
    A ``base_architecture``, or None where nothing known fits.

    Notes
    -----
    kohya files write the module's path with underscores, the others with dots, under several prefixes; so
    the names are compared with all dots turned into underscores.
    """
    widths = {_PREFIX.sub("", name.replace(".", "_")): width for name, width in _input_widths(shapes).items()}
    if not widths:
        return None
    names = " ".join(widths)

    def width(pattern: str) -> int | None:
        return next((value for name, value in widths.items() if re.search(pattern, name)), None)

    cross = width(r"attn2_to_[kv]$")
    if cross is not None and "blocks" in names:
        return {768: "sd15", 2048: "sdxl"}.get(cross)
    if re.search(r"(^|\s)layers_\d+_(attention|feed_forward|adaLN)", names):
        return "zimage"
    if _is_flux2(shapes, names):
        hidden = width(r"(to_qkv_mlp_proj|linear_in|linear1|to_q|add_q_proj|attn_qkv|img_mlp_0)$")
        return _FLUX2.get(hidden or 0, "flux2-klein-embedded" if hidden and hidden < 1024 else None)
    if re.search(r"img_mod_1|txt_mod_1|img_mlp_net|txt_mlp_net", names):
        return "qwen"
    single = re.search(r"(^|\s)single_(transformer_)?blocks_", names)
    if re.search(r"add_[kqv]_proj", names) and not single:
        return "qwen"
    if single or re.search(r"(^|\s)double_blocks_", names):
        return "flux1"
    if re.search(r"(down|mid|up|input|middle|output)_blocks?_", names):
        return _unet(names)
    # no released model is this narrow
    small = width(r"(^|_)transformer_blocks_\d+_attn_to_[qkv]$")
    return "flux2-klein-embedded" if small and small < 1024 else None


_FLUX2 = {3072: "flux2-klein-4b", 4096: "flux2-klein-9b", 6144: "flux2-dev"}
_PREFIX = re.compile(
    r"^(base_model_model_)?(model_)?(transformer_(?!blocks)|diffusion_model_|unet_|lora_unet_|lora_transformer_)?"
)
_DOWN = re.compile(r"^(.*?)\.(?:lora_A|lora_down|lora\.down)(?:\.default)?\.weight$")
_UP = re.compile(r"^(.*?)\.(?:lora_B|lora_up|lora\.up)(?:\.default)?\.weight$")


def _input_widths(shapes: Shapes) -> dict[str, int]:
    found = {}
    for name, shape in shapes.items():
        match = _DOWN.match(name)
        if match and len(shape) >= 2:
            found[match[1]] = shape[1]
    return found


def _is_flux2(shapes: Shapes, names: str) -> bool:
    if re.search(r"to_qkv_mlp_proj|(ff|ff_context)_linear_(in|out)|single_stream_modulation", names):
        return True
    # the original naming is shared with FLUX.1, whose feed-forward is 4 wide where FLUX.2's gated one is 6
    widths = _input_widths(shapes)
    for name, shape in shapes.items():
        match = _UP.match(name)
        if not match:
            continue
        plain = match[1].replace(".", "_")
        down = widths.get(match[1])
        if down and re.search(r"(img|txt)_mlp_0$", plain):
            return shape[0] == 6 * down
        if down and re.search(r"single_blocks_\d+_linear1$", plain):
            return shape[0] == 9 * down
    return False


def _unet(names: str) -> str | None:
    # no cross-attention key to tell the width: only SDXL stacks several transformer blocks in one place
    return "sdxl" if re.search(r"transformer_blocks_[1-9]", names) else None


def _unusable(shapes: Shapes) -> str:
    names = " ".join(shapes)
    if "hada_w" in names or "lokr_" in names:
        return "is a LyCORIS adapter (LoHa or LoKr), which is not supported; use a plain LoRA"
    if "dora_scale" in names:
        return "is a DoRA, which is not supported; use a plain LoRA"
    ups = {match[1] for match in map(_UP.match, shapes) if match}
    downs = {match[1] for match in map(_DOWN.match, shapes) if match}
    if not downs:
        return "holds no LoRA tensors; put the right file there"
    if ups != downs:
        lone = sorted(ups ^ downs)[0]
        return f"is damaged: {lone} has only one of its two matrices; download it again"
    return ""


def largest_rank(shapes: Shapes) -> int:
    """The largest rank among a LoRA's matrices."""
    return max(shape[0] for name, shape in shapes.items() if _DOWN.match(name))


def module_count(shapes: Shapes) -> int:
    """How many modules a LoRA changes."""
    return len(_input_widths(shapes))


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
    if not preset.path and not preset.air:
        raise FixSettings(f"{file}: {name}: neither path nor air is given; add one.")
    return preset


@lru_cache(maxsize=256)
def _shapes_once(file: Path, size: int, changed: int) -> Shapes:
    # layout: 8 bytes little-endian length, then that many bytes of JSON
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size - 8, 100_000_000):
            raise ValueError("the header is longer than the file")
        header = json.loads(stream.read(length))
    end = max(
        (entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0
    )
    if 8 + length + end != size:
        raise ValueError("the file is cut short")
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


@lru_cache(maxsize=256)
def _digest_once(file: Path, size: int, changed: int) -> str:
    return file_digest(file)
