"""How long it takes to change LoRAs: the slot against diffusers' own loading and unloading.

    python -m benchmarks.lora_swap [--width 1024] [--double 2] [--single 8] [--rank 16] [--swaps 20]
                                   [--device cpu] [--dtype float32]

A FLUX.2 transformer with random weights gets two LoRAs over all its blocks by turns, as a wave of shots in
two styles would. Nothing is drawn, and nothing depends on trained weights. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
from safetensors.torch import save_file

from packline.editing.lora_slot import LoraSlot
from packline.editing.loras import Lora, Presets, load_presets

# the slot does not ask what a model is called, only whether the preset is for it
_ARCHITECTURES = {3072: "flux2-klein-4b", 4096: "flux2-klein-9b"}
_OTHER = "flux2-klein-embedded"


def open_pipe(width: int, double: int, single: int, device: str, dtype: torch.dtype) -> Any:
    """A pipeline that has a transformer and nothing else."""
    torch.manual_seed(0)
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=128,
        num_layers=double,
        num_single_layers=single,
        attention_head_dim=128,
        num_attention_heads=width // 128,
        joint_attention_dim=2560,
        mlp_ratio=3.0,
        guidance_embeds=False,
    ).to(device, dtype)
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=None,
        text_encoder=None,
        tokenizer=None,
        transformer=transformer.eval(),
        is_distilled=True,
    )


def write_loras(pipe: Any, folder: Path, rank: int, architecture: str) -> Presets:
    """Two LoRAs over every linear layer of the blocks."""
    entries = []
    for seed, label in enumerate(("warm", "cool")):
        generator = torch.Generator().manual_seed(seed)
        tensors = {}
        for name, module in pipe.transformer.named_modules():
            if isinstance(module, torch.nn.Linear) and "blocks." in name:
                down = torch.randn(rank, module.in_features, generator=generator)
                up = torch.randn(module.out_features, rank, generator=generator)
                tensors[f"transformer.{name}.lora_A.weight"] = (down * 0.02).half()
                tensors[f"transformer.{name}.lora_B.weight"] = (up * 0.02).half()
        save_file(tensors, str(folder / f"{label}.safetensors"))
        entries.append({"label": label, "base_architecture": architecture, "path": f"{label}.safetensors"})
    (folder / "presets.json").write_text(json.dumps({"loras": entries}))
    return load_presets(folder / "presets.json")


def times(swap: Callable[[int], None], count: int, device: str) -> list[float]:
    """Milliseconds of each swap, the first two left out."""
    found = []
    for number in range(count + 2):
        _wait(device)
        start = time.perf_counter()
        swap(number)
        _wait(device)
        found.append((time.perf_counter() - start) * 1000)
    return found[2:]


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds of each way."""
    architecture = _ARCHITECTURES.get(arguments.width, _OTHER)
    dtype = getattr(torch, arguments.dtype)
    shape = (arguments.width, arguments.double, arguments.single, arguments.device, dtype)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        pipe = open_pipe(*shape)
        count = sum(one.numel() for one in pipe.transformer.parameters())
        presets = write_loras(pipe, Path(folder), arguments.rank, architecture)
        each = tuple(Lora(preset, 0.8) for preset in presets)
        size = presets.file("warm").stat().st_size / 1e6
        print(
            f"{count / 1e9:.2f} G parameters, LoRAs of {size:.0f} MB, {arguments.device}, {arguments.dtype}"
        )
        slot = LoraSlot(pipe, presets, architecture)
        start = time.perf_counter()
        slot.use(each[:1])
        _wait(arguments.device)
        print(f"slot opened in {(time.perf_counter() - start) * 1000:.0f} ms, once")
        stronger = [Lora(each[0].preset, strength) for strength in (0.7, 0.9)]
        ways: dict[str, Callable[[int], None]] = {
            "slot: another LoRA": lambda n: slot.use([each[n % 2]]),
            "slot: another strength": lambda n: slot.use([stronger[n % 2]]),
            "slot: on and off": lambda n: slot.use(each[: n % 2]),
        }
        for name, way in ways.items():
            found[name] = times(way, arguments.swaps, arguments.device)
        pipe.unload_lora_weights()

        def by_diffusers(number: int) -> None:
            pipe.unload_lora_weights()
            file = presets.file(each[number % 2].preset.label)
            pipe.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name="one", use_safetensors=True
            )
            pipe.set_adapters(["one"], [0.8])

        found["diffusers: unload, load, set strength"] = times(
            by_diffusers, arguments.swaps, arguments.device
        )
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in (("width", 1024), ("double", 2), ("single", 8), ("rank", 16), ("swaps", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    for name, found in measure(parser.parse_args()).items():
        print(f"{name:40} median {statistics.median(found):8.1f} ms, worst {max(found):8.1f} ms")


if __name__ == "__main__":
    main()
