"""What an engine costs: images a second beside a plain diffusers loop, and beside what the arithmetic needs.

    python -m benchmarks.engine_speed                    # klein 4B and SDXL shapes at 1024 px, on a GPU
    python -m benchmarks.engine_speed --small            # the embedded model and a small SDXL, on any CPU

The weights are random: nothing here depends on trained ones. Plain loop and engine take turns, round by
round, on the same weights, shot and seeds; figures are medians over the rounds. The plain loop is what the
model cards show: one call of the pipeline a candidate. The floor is the arithmetic of the denoiser's calls
(counted by torch) at the rate at which this very device multiplies large matrices in the same dtype. Nothing
is asserted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from packline.editing.architectures import ARCHITECTURES
from packline.editing.diffusers_engine import DiffusersEngine
from packline.editing.engine import EditRequest
from packline.editing.engines import open_engine
from packline.editing.loras import Lora, Preset, Presets
from packline.editing.placing import place
from packline.settings import EngineSettings

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "editing"))

EMBEDDED = Path(__file__).parent.parent / "assets" / "models" / "editor"
PROMPT = "put the red shoe into image 1 as image 2 shows it, with soft daylight from the left."


@dataclass(frozen=True)
class Case:
    """A model at its shape."""

    architecture: str
    folder: Path
    size: int
    steps: int
    dtype: str


def klein_4b(folder: Path) -> Path:
    """FLUX.2 klein's own classes at the sizes of the 4B model, random."""
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from tiny_models import qwen_tokenizer
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = qwen_tokenizer()
    text = Qwen3Config(
        vocab_size=151936,
        hidden_size=2560,
        intermediate_size=9728,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
    )
    with _quickly():
        pipe = Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=AutoencoderKLFlux2(),
            text_encoder=Qwen3ForCausalLM(text),
            tokenizer=tokenizer,
            transformer=Flux2Transformer2DModel(
                num_layers=5,
                num_single_layers=20,
                num_attention_heads=24,
                joint_attention_dim=7680,
                guidance_embeds=False,
            ),
            is_distilled=True,
        )
    pipe.save_pretrained(folder)
    return folder


def sdxl(folder: Path) -> Path:
    """SDXL's own classes at their published sizes, random."""
    from diffusers import (
        AutoencoderKL,
        EulerDiscreteScheduler,
        StableDiffusionXLImg2ImgPipeline,
        UNet2DConditionModel,
    )
    from tiny_more import clip_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = clip_tokenizer()
    ends = {"bos_token_id": 0, "eos_token_id": 1}
    small = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12, **ends)
    large = CLIPTextConfig(
        hidden_size=1280,
        intermediate_size=5120,
        num_attention_heads=20,
        num_hidden_layers=32,
        projection_dim=1280,
        **ends,
    )
    with _quickly():
        pipe = StableDiffusionXLImg2ImgPipeline(
            vae=AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=4,
                sample_size=1024,
            ),
            text_encoder=CLIPTextModel(small),
            text_encoder_2=CLIPTextModelWithProjection(large),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=UNet2DConditionModel(
                sample_size=128,
                block_out_channels=(320, 640, 1280),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                transformer_layers_per_block=(1, 2, 10),
                attention_head_dim=(5, 10, 20),
                cross_attention_dim=2048,
                use_linear_projection=True,
                addition_embed_type="text_time",
                addition_time_embed_dim=256,
                projection_class_embeddings_input_dim=2816,
            ),
            scheduler=EulerDiscreteScheduler(
                beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012
            ),
        )
    pipe.save_pretrained(folder)
    return folder


class _quickly:  # noqa: N801 (a context, read as a word)
    """Weights are made on the GPU where there is one, in 16 bits."""

    def __enter__(self) -> None:
        self._dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")

    def __exit__(self, *_: object) -> None:
        torch.set_default_dtype(self._dtype)
        torch.set_default_device("cpu")


def cases(small: bool, home: Path) -> list[Case]:
    """What is measured."""
    if small:
        from tiny_models import save_sdxl

        return [
            Case("flux2-klein-embedded", EMBEDDED, 256, 4, "float32"),
            Case("sdxl", save_sdxl(home / "sdxl"), 256, 4, "float32"),
        ]
    return [
        Case("flux2-klein-4b", klein_4b(home / "klein"), 1024, 4, "bfloat16"),
        Case("sdxl", sdxl(home / "sdxl"), 1024, 4, "bfloat16"),
    ]


def a_shot(size: int, count: int, prompt: str) -> list[EditRequest]:
    """One shot's candidates: base photo, render, and their mask."""
    random = np.random.default_rng(0)
    pictures = tuple(
        np.kron(random.integers(0, 256, (8, 8, 3), np.uint8), np.ones((size // 8, size // 8, 1), np.uint8))
        for _ in range(2)
    )
    mask = np.zeros((size, size), np.uint8)
    mask[size // 4 : size // 2, size // 4 : size // 2] = 255
    return [EditRequest(pictures, prompt, seed, (), mask) for seed in range(count)]


def plain_loop(case: Case) -> tuple[Callable[[list[EditRequest]], None], Any]:
    """A function that edits as the model cards show, and its pipeline."""
    import diffusers

    known = ARCHITECTURES[case.architecture]
    pipe = getattr(diffusers, known.pipeline).from_pretrained(
        case.folder, dtype=getattr(torch, case.dtype), local_files_only=True
    )
    pipe.to("cuda" if torch.cuda.is_available() else "cpu")
    pipe.set_progress_bar_config(disable=True)
    asked: dict[str, Any] = {"num_inference_steps": case.steps, "output_type": "np"}
    if known.driver == "flux2":
        asked |= {"height": case.size, "width": case.size}
        if case.architecture == "flux2-klein-embedded":
            asked |= {"max_sequence_length": 128, "text_encoder_out_layers": _layers(case.folder)}

    def loop(requests: list[EditRequest]) -> None:
        for request in requests:
            pictures = [Image.fromarray(picture) for picture in request.references]
            image: Any = pictures
            if known.driver != "flux2":
                image = Image.fromarray(place(request, case.size, case.size))
            generator = torch.Generator("cpu").manual_seed(request.seed)
            pipe(prompt=request.prompt, image=image, generator=generator, guidance_scale=1.0, **asked)

    return loop, pipe


def _layers(folder: Path) -> tuple[int, ...]:
    import json

    return tuple(json.loads((folder / "packline.json").read_text())["text_encoder_out_layers"])


def multiplying_rate(dtype: torch.dtype) -> float:
    """Floating-point operations a second of large matrix products on this device."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    side = 8192 if device == "cuda" else 1024
    one = torch.randn(side, side, device=device, dtype=dtype)
    seconds = [timed(lambda: one @ one) for _ in range(12)]
    return float(2 * side**3 / min(seconds))


def timed(work: Callable[[], object]) -> float:
    """Seconds, the GPU's part included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def arithmetic(pipe: Any, work: Callable[[], object]) -> float:
    """Floating-point operations of the denoiser in a call."""
    denoiser = getattr(pipe, "transformer", None) or pipe.unet
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return float(sum(counter.get_flop_counts()[type(denoiser).__name__].values()))


def lora_swap(engine: DiffusersEngine, case: Case, home: Path) -> float:
    """Milliseconds from one LoRA to another, both seen before; strengths change too."""
    from tiny_models import sdxl_lora
    from tiny_more import lora_for

    engine.warm_up()
    driver = engine._driver
    assert driver is not None
    names = ("one", "other")
    entries = []
    for name in names:
        file = home / f"{case.architecture}-{name}.safetensors"
        if case.architecture == "sdxl":
            sdxl_lora(file, case.folder)
        else:
            lora_for(file, driver.pipe.transformer, "single_transformer_blocks", rank=16)
        entries.append(Preset(label=name, base_architecture=driver.architecture.lora, path=file.name))
    presets = Presets(tuple(entries), home)
    driver.presets = presets
    if hasattr(driver, "slot"):
        driver.slot._presets = presets
    stacks = [[Lora(presets.get(names[n % 2]), 0.5 + n / 20)] for n in range(12)]
    for stack in stacks[:2]:
        driver.use_loras(stack)
    seconds = [timed(lambda stack=stack: driver.use_loras(stack)) for stack in stacks[2:]]  # type: ignore[misc]
    driver.use_loras([])
    return statistics.median(seconds) * 1000


def measure(
    case: Case, rounds: int, count: int, batch: int, changes: dict[str, Any], home: Path
) -> list[str]:
    """One row."""
    known = ARCHITECTURES[case.architecture]
    settings = EngineSettings(
        architecture=case.architecture,
        model=str(case.folder),
        dtype=case.dtype,  # type: ignore[arg-type]
        size=case.size,
        steps=case.steps,
        guidance=1.0,
        batch=batch,
        **changes,
    )
    requests = a_shot(case.size, count, PROMPT if known.tag else "a red shoe")
    loop, pipe = plain_loop(case)
    engine = open_engine(settings, Presets())
    assert isinstance(engine, DiffusersEngine)
    work = arithmetic(pipe, lambda: loop(requests[:1]))
    engine.edit(requests)
    plain, ours = [], []
    for _ in range(rounds):
        plain.append(timed(lambda: loop(requests)) / count)
        ours.append(timed(lambda: engine.edit(requests)) / count)
    slow, fast = statistics.median(plain), statistics.median(ours)
    floor = work / multiplying_rate(getattr(torch, case.dtype))
    swap = lora_swap(engine, case, home)
    return [
        case.architecture,
        f"{case.size} px, {case.steps} steps",
        f"{1 / slow:.2f}",
        f"{1 / fast:.2f}",
        f"{slow / fast:.2f}",
        f"{floor:.3f} s",
        f"{100 * floor / fast:.0f} %",
        f"{swap:.1f}",
    ]


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--small", action="store_true", help="small weights, for a CPU")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--count", type=int, default=8, help="candidates of the shot")
    asked.add_argument("--batch", type=int, default=4)
    asked.add_argument("--only", default="", help="one architecture")
    asked.add_argument("--compile", action="store_true", help="regional torch.compile")
    asked.add_argument("--fp8", action="store_true", help="weights in 8 bits")
    options = asked.parse_args()
    if not options.small and not torch.cuda.is_available():
        sys.exit("engine_speed: no GPU here; --small measures small weights on the CPU.")
    changes: dict[str, Any] = {"compile": "regional"} if options.compile else {}
    if options.fp8:
        changes["precision"] = "fp8"
    device = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f"CPU, {torch.get_num_threads()} threads"
    )
    print(f"{device}, torch {torch.__version__}, batch {options.batch}, {options.rounds} rounds\n")
    heads = [
        "model",
        "shape",
        "plain img/s",
        "engine img/s",
        "times",
        "floor",
        "of the floor",
        "LoRA ms",
    ]
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(options.small, Path(folder)):
            if options.only in ("", case.architecture):
                row = measure(case, options.rounds, options.count, options.batch, changes, Path(folder))
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
