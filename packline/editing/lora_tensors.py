"""A LoRA file's tensors with alpha over rank multiplied in, so that it acts once whoever reads them next.

diffusers' converters differ: some multiply ``<module>.alpha`` in, some take it away, some leave it where it
is, and for Stable Diffusion one alpha in place of several reaches peft
(``diffusers.utils.peft_utils.get_peft_kwargs``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from packline.editing.lora_files import Metadata, module_of

Tensors = dict[str, torch.Tensor]
# these are converted for certain where there are alphas, and then get the prefix that some have already
_BY_ALPHA = ("qwen", "zimage")


def read_tensors(file: Path) -> tuple[Tensors, bool]:
    """The tensors of a LoRA file, on the CPU, without alphas, and whether it had any.

    Each module's second matrix is multiplied by alpha over rank, in 32 bits.
    """
    found = load_file(str(file))
    alphas = {key.removesuffix(".alpha"): found.pop(key) for key in list(found) if key.endswith(".alpha")}
    ranks = {of: found[key].shape[0] for key in found if (of := module_of(key, down=True)) in alphas}
    for key in found:
        of = module_of(key, down=False)
        if of in ranks:
            found[key] = found[key].float() * (float(alphas[of]) / ranks[of])
    return found, bool(alphas)


def as_converted(tensors: Tensors, architecture: str) -> Tensors:
    """Tensors of `read_tensors` as diffusers' converter for a transformer wants them.

    Parameters
    ----------
    architecture
        ``Architecture.lora``.
    """
    found: Tensors = {}
    for key, tensor in tensors.items():
        name = key
        if architecture in _BY_ALPHA:
            name = name.removeprefix("base_model.model.").removeprefix("transformer.")
        elif key.count(".") > 2 and ("transformer_blocks." in key or architecture.startswith("flux2")):
            # lora_down is taken for a sign of kohya's names, which have no dots
            name = name.replace(".lora_down.", ".lora_A.").replace(".lora_up.", ".lora_B.")
        found[name] = tensor
    for key in list(found):
        module = module_of(key, down=True)
        if module and (architecture in _BY_ALPHA or module.startswith("lora_transformer_")):
            # one that changes nothing: some layouts are converted only where there are any
            found[f"{module}.alpha"] = torch.tensor(float(found[key].shape[0]))
    return found


def peft_scale(metadata: Metadata) -> Callable[[str, int], float]:
    """What peft would multiply a module with, given its name and rank: its own alpha over rank.

    Parameters
    ----------
    metadata
        Of a file without alphas among its tensors; diffusers writes peft's settings there.
    """
    said = metadata.get("lora_adapter_metadata", "")
    config = {
        key.removeprefix("transformer."): value for key, value in (json.loads(said) if said else {}).items()
    }

    def of(name: str, rank: int) -> float:
        alpha = _pattern(config.get("alpha_pattern") or {}, name, config.get("lora_alpha"))
        if alpha is None:
            return 1.0
        return float(alpha) / (rank**0.5 if config.get("use_rslora") else rank)

    return of


def _pattern(patterns: dict[str, Any] | str, name: str, default: Any) -> Any:
    table = json.loads(patterns) if isinstance(patterns, str) else patterns
    for pattern, value in table.items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return value
    return default
