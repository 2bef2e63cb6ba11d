"""LoRA files: for which model one was made, read from its tensors' names and shapes, then from its metadata.

Only the header is read: eight bytes of length, little-endian, then so many of JSON
(https://github.com/huggingface/safetensors#format). The names outrank what the metadata claims, for trainers
copy metadata from one file to the next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packline.errors import GiveUp

Shapes = Mapping[str, tuple[int, ...]]
Metadata = Mapping[str, str]


@dataclass(frozen=True)
class Recognised:
    """For which models a file can have been made.

    Parameters
    ----------
    by_keys
        Those that its tensors fit; several where it changes only what they have in common.
    by_metadata
        Those that its metadata names; empty where it says nothing that is known.
    said
        The metadata's own words, for a sentence.
    """

    by_keys: frozenset[str]
    by_metadata: frozenset[str] = frozenset()
    said: str = ""

    @property
    def possible(self) -> frozenset[str]:
        """What is left when the metadata narrows what the tensors leave open."""
        return (self.by_keys & self.by_metadata) or self.by_keys

    @property
    def architecture(self) -> str | None:
        """The model, where there is only one."""
        return next(iter(self.possible)) if len(self.possible) == 1 else None

    @property
    def remark(self) -> str:
        """A sentence where the metadata contradicts the tensors; empty where it does not."""
        if not self.by_metadata or self.by_keys & self.by_metadata:
            return ""
        return f"its metadata ({self.said}) names another model than its tensors fit, which count."


@dataclass(frozen=True)
class _Module:
    """What a LoRA changes: a layer's name with underscores and no prefix, and its sizes."""

    name: str
    into: int
    out: int

    @property
    def block(self) -> int:
        found = re.search(r"blocks_(\d+)_", self.name)
        return int(found[1]) if found else 0


def read_header(file: Path) -> tuple[Shapes, Metadata]:
    """Tensors' shapes by name, and metadata, of a ``.safetensors`` file; no tensor is read.

    Raises
    ------
    GiveUp
        It is no such file, whatever its name says.
    """
    about = file.stat()
    try:
        return _header_once(file, about.st_size, about.st_mtime_ns)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GiveUp(
            f"{file} is not a safetensors file or is cut short; put the right file there."
        ) from error


def read_shapes(file: Path) -> Shapes:
    """The shapes of `read_header`."""
    return read_header(file)[0]


def recognise(shapes: Shapes, metadata: Metadata | None = None) -> Recognised:
    """For which models a LoRA can have been made."""
    named, said = _by_metadata(metadata or {})
    return Recognised(_by_keys(shapes), named, said)


def unusable(shapes: Shapes) -> str:
    """Why a file is no plain LoRA: the end of a sentence; empty where it is one."""
    names = " ".join(shapes)
    if "hada_w" in names or "lokr_" in names:
        return "is a LyCORIS adapter (LoHa or LoKr), which is not supported; use a plain LoRA"
    if "dora_scale" in names or "lora_magnitude_vector" in names:
        return "is a DoRA, which is not supported; use a plain LoRA"
    ups = {match[1] for match in map(_UP.match, shapes) if match}
    downs = {match[1] for match in map(_DOWN.match, shapes) if match}
    if not downs:
        return "holds no LoRA tensors; put the right file there"
    if ups != downs:
        lone = sorted(ups ^ downs)[0]
        return f"is damaged: {lone} has only one of its two matrices; download it again"
    other = next((key for key in shapes if not any(one.match(key) for one in (_UP, _DOWN, _ALPHA))), "")
    if other:
        return f"holds {other}, which is no part of a plain LoRA and would be left out; use a plain LoRA"
    return ""


def module_count(shapes: Shapes) -> int:
    """How many modules a LoRA changes."""
    return sum(_DOWN.match(name) is not None for name in shapes)


def is_of_text_encoder(key: str) -> bool:
    """Whether a tensor changes a text encoder."""
    return _TEXT.match(key.replace(".", "_").removeprefix("base_model_model_")) is not None


def rows_changed(shapes: Shapes) -> int:
    """How many outputs of layers a LoRA changes in all.

    Joined layers that a loader splits (queries, keys and values) keep this number, so that what a loader
    leaves out shows.
    """
    return sum(shape[0] for name, shape in shapes.items() if _UP.match(name))


def module_of(key: str, down: bool) -> str | None:
    """The module that a tensor is the first (`down`) or second matrix of, as the file names it."""
    match = (_DOWN if down else _UP).match(key)
    return match[1] if match else None


# kohya says lora_down, peft and diffusers say lora_A, and diffusers before peft said to_q_lora.down
_PART = r"^(.*?)(?:\.lora_{peft}|\.lora_{kohya}|[._]lora\.{kohya}|\.lora_linear_layer\.{kohya})"
_DOWN, _UP = (
    re.compile(_PART.format(peft=peft, kohya=kohya) + r"(?:\.default(?:_\d+)?)?\.weight$")
    for peft, kohya in (("A", "down"), ("B", "up"))
)
_ALPHA = re.compile(r".*\.alpha$")
_PREFIX = re.compile(
    r"^(base_model_model_)?(model_)?"
    r"(transformer_(?!blocks)|diffusion_model_|unet_|lora_unet_|lora_transformer_|lycoris_)?"
)
_TEXT = re.compile(r"^(lora_te\d?_|text_encoder|text_model_|conditioner_)")

_FLUX2 = {3072: "flux2-klein-4b", 4096: "flux2-klein-9b", 6144: "flux2-dev"}
_TEXT_WIDTHS = {
    7680: "flux2-klein-4b",
    12288: "flux2-klein-9b",
    15360: "flux2-dev",
    4096: "flux1",
    3584: "qwen",
}
_EMBEDDED = "flux2-klein-embedded"
# no released model is so narrow
_NARROW = 1024
# blocks that take pictures and words side by side: klein 4B has 5, FLUX.1 19, Qwen-Image 60
_DOUBLE = {"flux2-klein-4b": 5, "flux1": 19, "qwen": 60}
_SINGLE = {"flux2-klein-4b": 20, "flux1": 38}


def _modules(shapes: Shapes) -> list[_Module]:
    outs = {match[1]: shape[0] for name, shape in shapes.items() if (match := _UP.match(name)) and shape}
    found = []
    for name, shape in shapes.items():
        match = _DOWN.match(name)
        if match and len(shape) >= 2:
            # kohya joins a module's path with underscores, the others with dots, under several prefixes
            plain = _PREFIX.sub("", match[1].replace(".", "_")).replace("_processor_", "_")
            found.append(_Module(plain, shape[1], outs.get(match[1], 0)))
    return found


def _by_keys(shapes: Shapes) -> frozenset[str]:
    modules = _modules(shapes)
    text = [module for module in modules if _TEXT.match(module.name)]
    own = [module for module in modules if not _TEXT.match(module.name)]
    if not own:
        return _by_text_encoders(text)
    if any(re.search(r"(down|mid|up|input|middle|output)_blocks?_", module.name) for module in own):
        return _unet(own)
    if any(re.match(r"(layers|noise_refiner|context_refiner)_\d+_", module.name) for module in own):
        # Lumina names its layers alike and is 2304 wide
        return frozenset({"zimage"} if any(module.into in (3840, 10240) for module in own) else ())
    possible = frozenset(_FLUX2.values()) | {"flux1", "qwen", _EMBEDDED}
    seen = False
    for module in own:
        said = _said_by(module)
        if said is not None:
            seen, possible = True, possible & said
    return possible if seen else frozenset()


def _said_by(module: _Module) -> frozenset[str] | None:
    """The transformers that have such a layer; None where nothing is known of its name."""
    for pattern, of in _LAYERS:
        if re.search(pattern, module.name):
            return of(module)
    return None


def _flux2(width: int) -> frozenset[str]:
    if width in _FLUX2:
        return frozenset({_FLUX2[width]})
    return frozenset({_EMBEDDED} if width < _NARROW else ())


def _single_in(module: _Module) -> frozenset[str]:
    # FLUX.1 puts 7 times its width out of a single block's first layer, FLUX.2 with its gate 9 times
    if module.into < _NARROW:
        return _flux2(module.into)
    if module.out == 7 * module.into:
        return frozenset({"flux1"} if module.into == 3072 else ())
    return _flux2(module.into) if module.out == 9 * module.into else frozenset()


def _single_out(module: _Module) -> frozenset[str]:
    if module.out < _NARROW:
        return _flux2(module.out)
    if module.into == 5 * module.out:
        return frozenset({"flux1"} if module.out == 3072 else ())
    return _flux2(module.out) if module.into == 4 * module.out else frozenset()


def _mlp_in(module: _Module) -> frozenset[str]:
    if module.into < _NARROW:
        return _flux2(module.into)
    if module.out == 4 * module.into:
        return frozenset({"flux1"} if module.into == 3072 else ())
    return _flux2(module.into) if module.out == 6 * module.into else frozenset()


def _mlp_out(module: _Module) -> frozenset[str]:
    if module.out < _NARROW:
        return _flux2(module.out)
    if module.into == 4 * module.out:
        return frozenset({"flux1"} if module.out == 3072 else ())
    return _flux2(module.out) if module.into == 3 * module.out else frozenset()


def _double_attention(module: _Module) -> frozenset[str]:
    found = set(_flux2(module.into))
    if module.into == 3072:
        found |= (
            {"flux1"} if "_qkv" in module.name or module.name.startswith("double_") else {"flux1", "qwen"}
        )
    return frozenset(name for name in found if module.block < _DOUBLE.get(name, 1000))


def _single_attention(module: _Module) -> frozenset[str]:
    return frozenset({"flux1"} if module.into == 3072 else ())


def _words_in(module: _Module) -> frozenset[str]:
    if module.into in _TEXT_WIDTHS:
        return frozenset({_TEXT_WIDTHS[module.into]})
    return frozenset({_EMBEDDED} if module.out < _NARROW else ())


def _only(name: str, width: int) -> Callable[[_Module], frozenset[str]]:
    return lambda module: frozenset({name} if width in (module.into, module.out) else ())


_LAYERS: tuple[tuple[str, Callable[[_Module], frozenset[str]]], ...] = (
    (r"^single_transformer_blocks_\d+_attn_to_qkv_mlp_proj$", lambda m: _flux2(m.into)),
    (r"^single_transformer_blocks_\d+_attn_to_out$", lambda m: _flux2(m.out)),
    (r"^single_transformer_blocks_\d+_attn_to_[qkv]$", _single_attention),
    (r"^single_transformer_blocks_\d+_proj_(mlp|out)$", _only("flux1", 3072)),
    (r"^single_transformer_blocks_\d+_norm_linear$", _only("flux1", 3072)),
    (r"^single_blocks_\d+_linear1$", _single_in),
    (r"^single_blocks_\d+_linear2$", _single_out),
    (r"^single_blocks_\d+_modulation_lin$", _only("flux1", 3072)),
    (r"^double_blocks_\d+_(img|txt)_mod_lin$", _only("flux1", 3072)),
    (r"^double_blocks_\d+_(img|txt)_mlp_0$", _mlp_in),
    (r"^double_blocks_\d+_(img|txt)_mlp_2$", _mlp_out),
    (r"^double_blocks_\d+_(img|txt)_attn_(qkv|proj)$", _double_attention),
    (r"^transformer_blocks_\d+_(ff|ff_context)_linear_in$", lambda m: _flux2(m.into)),
    (r"^transformer_blocks_\d+_(ff|ff_context)_linear_out$", lambda m: _flux2(m.out)),
    (r"^transformer_blocks_\d+_(ff|ff_context)_net_", _only("flux1", 3072)),
    (r"^transformer_blocks_\d+_norm1(_context)?_linear$", _only("flux1", 3072)),
    (r"^transformer_blocks_\d+_(img|txt)_(mod_1|mlp_net_)", _only("qwen", 3072)),
    (r"^transformer_blocks_\d+_attn_(to_[qkv]|to_out_0|to_add_out|add_[qkv]_proj)$", _double_attention),
    (r"^(single|double)_stream_modulation(_img|_txt)?_lin(ear)?$", lambda m: _flux2(m.into)),
    (r"^(txt_in|context_embedder)$", _words_in),
)


def _unet(modules: list[_Module]) -> frozenset[str]:
    cross = {module.into for module in modules if re.search(r"attn2_to_[kv]$", module.name)}
    if cross:
        known = {768: "sd15", 2048: "sdxl"}
        return (
            frozenset(known[width] for width in cross if width in known) if len(cross) == 1 else frozenset()
        )
    names = " ".join(module.name for module in modules)
    # only SDXL stacks several transformer blocks in one place, only Stable Diffusion 1 has one at full size
    if re.search(r"transformer_blocks_[1-9]", names):
        return frozenset({"sdxl"})
    if re.search(r"down_blocks_0_attentions|up_blocks_3_attentions|input_blocks_[12]_1_", names):
        return frozenset({"sd15"})
    return frozenset({"sd15", "sdxl"})


def _by_text_encoders(modules: list[_Module]) -> frozenset[str]:
    names = [module.name for module in modules]
    if any(name.startswith(("lora_te2_", "text_encoder_2_")) for name in names):
        return frozenset({"sdxl"})
    if any(name.startswith("lora_te1_") for name in names):
        return frozenset({"sdxl"})
    clip = [module for module in modules if "text_model_encoder_layers" in module.name and module.into == 768]
    # both begin with the same CLIP
    return frozenset({"sd15", "sdxl"}) if clip else frozenset()


_SAYS = ("ss_base_model_version", "modelspec.architecture", "base_model", "ss_sd_model_name")
_WORDS = (
    (r"klein.*4b", ("flux2-klein-4b",)),
    (r"klein.*9b", ("flux2-klein-9b",)),
    (r"klein", ("flux2-klein-4b", "flux2-klein-9b", _EMBEDDED)),
    (r"flux2.*dev", ("flux2-dev",)),
    (r"flux2", (*_FLUX2.values(), _EMBEDDED)),
    (r"flux", ("flux1",)),
    (r"qwen", ("qwen",)),
    (r"zimage", ("zimage",)),
    (r"sdxl|stablediffusionxl|pony|illustrious", ("sdxl",)),
    (r"sdv1|sd1|stablediffusionv?1", ("sd15",)),
    (r"sdv?2|stablediffusionv?2", ("Stable Diffusion 2",)),
    (r"sdv?3|stablediffusionv?3", ("Stable Diffusion 3",)),
    (r"hunyuan|wan|ltx|lumina", ("another model",)),
)


def _by_metadata(metadata: Metadata) -> tuple[frozenset[str], str]:
    for key in _SAYS:
        text = re.sub(r"[^a-z0-9]", "", metadata.get(key, "").lower())
        for pattern, names in _WORDS if text else ():
            if re.search(pattern, text):
                return frozenset(names), f"{key} {metadata[key]!r}"
    return _by_adapter_metadata(metadata.get("lora_adapter_metadata", ""))


def _by_adapter_metadata(text: str) -> tuple[frozenset[str], str]:
    """What diffusers writes: peft's settings by the part of the pipeline that they are for."""
    try:
        parts = {str(key).partition(".")[0] for key in json.loads(text)} if text else set()
    except (ValueError, TypeError):
        return frozenset(), ""
    if "unet" in parts:
        return frozenset({"sd15", "sdxl"}), "lora_adapter_metadata of a unet"
    if "transformer" in parts:
        return frozenset(
            {*_FLUX2.values(), _EMBEDDED, "flux1", "qwen", "zimage"}
        ), "lora_adapter_metadata of a transformer"
    return frozenset(), ""


@lru_cache(maxsize=256)
def _header_once(file: Path, size: int, changed: int) -> tuple[Shapes, Metadata]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size - 8, 100_000_000):
            raise ValueError("the header is longer than the file")
        header = json.loads(stream.read(length))
    metadata = {str(key): str(value) for key, value in (header.pop("__metadata__", None) or {}).items()}
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if 8 + length + end != size:
        raise ValueError("the file is cut short")
    return {name: tuple(entry["shape"]) for name, entry in header.items()}, metadata
