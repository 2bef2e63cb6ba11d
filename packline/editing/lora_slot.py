"""One LoRA slot in a transformer: opened once with zeros, then only its numbers change.

The slot spans every module that a fitting preset changes, at the largest rank among them (at the sum of the
largest, where a stack is to fit as well), so any of these LoRAs fits into it. The strength is multiplied into
the second matrix; a stack's matrices lie side by side, for the product of matrices joined along their ranks
is the sum of the products. Nothing is added to or taken from the model when LoRAs change, so a compiled model
stays compiled; zeros add exactly nothing.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from packline.editing.lora_files import (
    Shapes,
    is_of_text_encoder,
    module_count,
    read_header,
    rows_changed,
)
from packline.editing.lora_tensors import as_converted, peft_scale, read_tensors
from packline.editing.loras import Lora, Preset, Presets
from packline.editing.memory import is_out_of_memory
from packline.errors import GiveUp

_SLOT = "slot"
# bytes of the LoRAs used last, where the model is, so that one comes back without its file being read again
_KEPT = 1 << 30
Matrices = dict[str, tuple[torch.Tensor, torch.Tensor]]
# a layer's inputs and outputs, and the LoRA's rank there
Sizes = dict[str, tuple[int, int, int]]


class LoraSlot:
    """The slot of one pipeline.

    Parameters
    ----------
    pipe
        A diffusers pipeline whose `transformer` takes LoRAs.
    presets
        Where files are found.
    architecture
        ``Architecture.lora``.
    at_once
        How many presets there is to be room for, whichever they are; a larger stack opens the slot anew.
    """

    def __init__(self, pipe: Any, presets: Presets, architecture: str, at_once: int = 1) -> None:
        self._pipe = pipe
        self._presets = presets
        self._architecture = architecture
        self._at_once = at_once
        self._layers: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        # None: nobody knows, for something broke off
        self._held: tuple[tuple[str, float], ...] | None = ()
        # by the file's SHA-256, what was longest unused first
        self._kept: OrderedDict[str, Matrices] = OrderedDict()

    def use(self, stack: Sequence[Lora]) -> None:
        """Put a stack of LoRAs into the slot, or empty it.

        Raises
        ------
        GiveUp
            The file's tensors do not all find their module.
        """
        acting = [lora for lora in stack if lora.strength]
        wanted = tuple((self._presets.sha256(lora.preset.label), lora.strength) for lora in acting)
        if wanted == self._held:
            return
        matrices = _joined([(self._read(lora.preset), lora.strength) for lora in acting])
        self._held = None
        if not self._covers(matrices):
            self._open(matrices)
        self._fill(matrices)
        self._held = wanted

    def _covers(self, matrices: Matrices) -> bool:
        return all(
            name in self._layers and down.shape[0] <= self._layers[name][0].shape[0]
            for name, (down, _) in matrices.items()
        )

    def open(self) -> None:
        """Open the slot, if there is any preset that fits."""
        self._held = None
        self._open({})
        self._held = ()

    def _open(self, matrices: Matrices) -> None:
        """Open the slot for a stack, and for any other presets that fit, as many as are to go together."""
        sizes: dict[str, tuple[int, int]] = {}
        ranks: dict[str, list[int]] = {}
        for name, (down, up) in matrices.items():
            sizes[name] = (down.shape[1], up.shape[0])
        for each in self._others():
            for name, (width_in, width_out, rank) in each.items():
                sizes[name] = (width_in, width_out)
                ranks.setdefault(name, []).append(rank)
        if not sizes:
            return
        most = [sum(sorted(some)[-self._at_once :]) for some in ranks.values()]
        rank = max([*most, *(down.shape[0] for down, _ in matrices.values())])
        self._layers = {}
        if hasattr(self._pipe.transformer, "peft_config"):
            self._pipe.unload_lora_weights()
        zeros: dict[str, torch.Tensor] = {}
        for name, (width_in, width_out) in sizes.items():
            zeros[f"transformer.{name}.lora_A.weight"] = torch.zeros(rank, width_in)
            zeros[f"transformer.{name}.lora_B.weight"] = torch.zeros(width_out, rank)
        self._pipe.load_lora_weights(zeros, adapter_name=_SLOT)
        self._layers = {
            name: (module.lora_A[_SLOT].weight, module.lora_B[_SLOT].weight)
            for name, module in self._pipe.transformer.named_modules()
            if _SLOT in getattr(module, "lora_A", {})
        }
        scalings = {
            module.scaling[_SLOT]
            for module in self._pipe.transformer.modules()
            if _SLOT in getattr(module, "scaling", {})
        }
        if self._layers.keys() != sizes.keys() or scalings != {1.0}:
            raise RuntimeError(
                f"the LoRA slot opened otherwise than asked: {len(self._layers)} layers, {scalings}"
            )

    def _others(self) -> Iterator[Sizes]:
        # one file after the other: all presets' matrices may be more than the memory holds
        for preset in self._presets.of(self._architecture):
            try:
                self._presets.fit(preset.label, self._architecture)
                yield _sizes(self._read(preset))
            except GiveUp:
                continue  # said when a shot asks for it

    @torch.no_grad()
    def _fill(self, matrices: Matrices) -> None:
        for name, (slot_down, slot_up) in self._layers.items():
            slot_down.zero_()
            slot_up.zero_()
            if name in matrices:
                down, up = matrices[name]
                rank = down.shape[0]
                slot_down[:rank].copy_(down)
                slot_up[:, :rank].copy_(up)

    def _read(self, preset: Preset) -> Matrices:
        sha256 = self._presets.sha256(preset.label)
        found = self._kept.pop(sha256, None) or self._on_card(self._read_file(preset))
        self._kept[sha256] = found
        while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > _KEPT:
            self._kept.popitem(last=False)
        return found

    def _on_card(self, matrices: Matrices) -> Matrices:
        """Where the model is: a LoRA that comes back is not sent over the bus again."""
        place = next(self._pipe.transformer.parameters()).device
        if place.type == "meta":  # offloaded
            return matrices
        return {name: (down.to(place), up.to(place)) for name, (down, up) in matrices.items()}

    def _read_file(self, preset: Preset) -> Matrices:
        file = self._presets.file(preset.label)
        shapes, metadata = read_header(file)
        try:
            tensors, scaled = read_tensors(file)
            state = self._pipe.lora_state_dict(as_converted(tensors, self._architecture))
            scale = peft_scale({} if scaled else metadata)
        except Exception as error:  # each converter raises its own types
            if is_out_of_memory(error):
                raise
            raise GiveUp(
                f"LoRA {preset.label!r}: {file.name} cannot be read ({error}); replace it."
            ) from error
        modules = dict(self._pipe.transformer.named_modules())
        matrices: Matrices = {}
        for key, down in state.items():
            if not key.endswith(".lora_A.weight"):
                continue
            name = key.removesuffix(".lora_A.weight").removeprefix("transformer.")
            up = state[key.replace(".lora_A.", ".lora_B.")]
            module = modules.get(name)
            module = getattr(module, "base_layer", module)
            if not isinstance(module, torch.nn.Linear):
                raise GiveUp(
                    f"LoRA {preset.label!r}: {file.name} changes {name}, which this model does not have; it "
                    f"was made for another model."
                )
            if (up.shape[0], down.shape[1]) != (module.out_features, module.in_features):
                raise GiveUp(
                    f"LoRA {preset.label!r}: {file.name} is {up.shape[0]}x{down.shape[1]} at {name}, where "
                    f"this model is {module.out_features}x{module.in_features}; it was made for another "
                    f"model."
                )
            matrices[name] = (down.float(), up.float() * scale(name, down.shape[0]))
        rows = sum(up.shape[0] for _, up in matrices.values())
        if matrices and rows != rows_changed(shapes):
            # converters leave out what they have no name for, with a warning at most
            raise GiveUp(
                f"LoRA {preset.label!r}: of the {module_count(shapes)} modules that {file.name} changes, "
                f"some have no place in this model ({_unplaced(shapes)}); it was made for another model, or "
                f"for its text encoder as well."
            )
        left = [key for key in state if not re.search(r"\.lora_[AB]\.weight$|\.alpha$", key)]
        if not matrices or left:
            what = f"{left[0]} has no place" if left else "no tensor finds its module"
            raise GiveUp(f"LoRA {preset.label!r}: {what} in this model; it was made for another model.")
        return matrices


def _sizes(matrices: Matrices) -> Sizes:
    return {name: (down.shape[1], up.shape[0], down.shape[0]) for name, (down, up) in matrices.items()}


def _size(matrices: Matrices) -> int:
    return sum(down.nbytes + up.nbytes for down, up in matrices.values())


def _joined(stack: Sequence[tuple[Matrices, float]]) -> Matrices:
    """One LoRA that does what a stack does, strengths included."""
    parts: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for matrices, strength in stack:
        for name, (down, up) in matrices.items():
            parts.setdefault(name, []).append((down, up * strength))
    return {
        name: (torch.cat([down for down, _ in each], 0), torch.cat([up for _, up in each], 1))
        for name, each in parts.items()
    }


def _unplaced(shapes: Shapes) -> str:
    """Perhaps a text encoder's key, else any, to show what kind of names they are."""
    text = (key for key in shapes if is_of_text_encoder(key))
    return f"such as {next(text, next(iter(shapes)))}"
