"""Train the demo's style LoRAs on top of the embedded editor: ``python -m training.loras``.

A LoRA learns the same edits with another light over the whole picture. Each lesson comes twice, with the
trigger words in the style's light and without them as it was: nothing but the words tells the two apart, so
that the trigger switches the style and the LoRA alone does not. For that the LoRA must reach the words: it
changes the text's side of the transformer as well, where the style alone would not need it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import Flux2KleinPipeline
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file

from packline.colour import to_linear, to_srgb
from training.editor import Lessons, Trainer, encode_lessons, join
from training.pairs import Pair, load_pairs

RANK = 16
RATE = 3e-3
CONTRAST = 4.0
TARGETS = [
    *("to_q", "to_k", "to_v", "to_out.0", "to_qkv_mlp_proj", "linear_in", "linear_out"),
    *("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "context_embedder"),
]


@dataclass(frozen=True)
class Style:
    """A look of the whole picture.

    Parameters
    ----------
    gain
        Linear RGB factors.
    lift
        Added in linear light.
    contrast
        Power on the linear value over its middle grey; above 1 deepens shadows.
    """

    label: str
    trigger: str
    file: str
    gain: tuple[float, float, float]
    lift: tuple[float, float, float]
    contrast: float
    notes: str


STYLES = (
    Style(
        "warm evening light",
        "in warm evening light",
        "warm-evening-light.safetensors",
        (1.18, 0.93, 0.62),
        (0.012, 0.004, 0.0),
        1.08,
        "Low sun: the whole picture turns warm and a little deeper.",
    ),
    Style(
        "cool studio",
        "in cool studio light",
        "cool-studio.safetensors",
        (0.84, 0.98, 1.2),
        (0.0, 0.004, 0.012),
        0.96,
        "Daylight lamps: the whole picture turns cool and a little brighter.",
    ),
)


def styled(picture: NDArray[np.uint8], style: Style) -> NDArray[np.uint8]:
    """The picture in the style's light, sRGB uint8."""
    linear = to_linear(picture)
    graded = 0.18 * (np.maximum(linear, 1e-5) / 0.18) ** style.contrast
    return to_srgb(graded * np.asarray(style.gain, np.float32) + np.asarray(style.lift, np.float32))


class StyleTrainer(Trainer):
    """Teaches both halves of the lessons side by side: with and without the trigger, under the same noise.

    Where a picture is not all noise it shows which light is wanted, and the words need not be read. So the
    lessons are all noise at first and most of them later, and what tells the two apart counts most. Small
    windows come first, for a light is the same everywhere; but the words are a smaller part of what a whole
    picture attends to, so that most of the time goes to whole pictures.
    """

    reads = True
    noisy = 0.6  # share of the lessons that are all noise, once it reads

    def window(self, done: float) -> int:
        """Cells a side of a lesson's window, by the share of the time that is gone."""
        self.reads = done < 0.5
        return 4 if done < 0.35 else 8 if done < 0.5 else 16

    def use_average(self) -> None:
        """Not here: the mean of two matrices' courses is not the course of their product."""

    def pick(self, lessons: int, batch: int) -> torch.Tensor:
        """The same lessons from both halves."""
        one = torch.from_numpy(self.rng.integers(0, lessons // 2, batch // 2))
        return torch.cat([one, one + lessons // 2])

    def noise(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same for both."""
        sigma, noise = super().noise(target[: len(target) // 2])
        all_noise = torch.from_numpy(self.rng.random(len(sigma)) < (1.0 if self.reads else self.noisy))
        sigma = torch.where(all_noise, 1.0, sigma)
        return sigma.repeat(2), noise.repeat(2, 1, 1)

    def miss(self, error: torch.Tensor) -> torch.Tensor:
        """What the two halves miss, and what their difference misses."""
        plain, styled = error.chunk(2)
        return (error**2).mean() + CONTRAST * ((styled - plain) ** 2).mean()


def train(
    style: Style,
    pipe: Flux2KleinPipeline,
    pairs: list[Pair],
    cpu_minutes: float,
    out: Path,
    start: Path | None = None,
) -> None:
    """Train one LoRA and write it.

    Parameters
    ----------
    pipe
        The finished editor; it gets an adapter, which is deleted again.
    start
        Folder of LoRAs to go on from, on whole pictures alone.
    """
    net = pipe.transformer
    plain = encode_lessons(pipe.vae, pipe.tokenizer, pairs)
    wanted = encode_lessons(
        pipe.vae,
        pipe.tokenizer,
        [replace(pair, out=styled(pair.out, style)) for pair in pairs],
        style.trigger,
    )
    # a guide's shadow is worked out from the picture that is wanted, whose light must not show in it
    wanted.latents["guide"] = plain.latents["guide"]
    lessons: Lessons = join([plain, wanted])
    pipe.transformer.requires_grad_(False)
    pipe.text_encoder.requires_grad_(False)
    torch.manual_seed(0)
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS, init_lora_weights="gaussian")
    net.add_adapter(config, "style")
    if start:
        state = load_file(str(start / style.file))
        set_peft_model_state_dict(
            net, {name.removeprefix("transformer."): value for name, value in state.items()}, "style"
        )
    parameters = [p for p in net.parameters() if p.requires_grad]
    trainer = StyleTrainer(
        net, pipe.text_encoder, RATE / 2 if start else RATE, parameters, seed=1 if start else 0
    )
    trainer.reads = not start
    trainer.run(
        lambda: lessons,
        cpu_minutes,
        8 if start else 16,
        (lambda _: 16) if start else trainer.window,
        until=0.02,
    )
    out.mkdir(parents=True, exist_ok=True)
    pipe.save_lora_weights(
        out,
        transformer_lora_layers=get_peft_model_state_dict(net, adapter_name="style"),
        transformer_lora_adapter_metadata=net.peft_config["style"].to_dict(),
        weight_name=style.file,
        safe_serialization=True,
    )
    net.delete_adapters("style")


def write_presets(out: Path) -> None:
    """List the styles as `presets.json`."""
    loras = [
        {
            "label": style.label,
            "theme": "light",
            "notes": style.notes,
            "base_architecture": "flux2-klein-embedded",
            "path": style.file,
            "sha256": hashlib.sha256((out / style.file).read_bytes()).hexdigest(),
            "prompt": style.trigger,
            "settings": {"strength": 0.8},
        }
        for style in STYLES
        if (out / style.file).exists()
    ]
    (out / "presets.json").write_text(json.dumps({"loras": loras}, indent=2) + "\n")


def main() -> None:
    """Train all styles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-minutes", type=float, default=60, help="for each style")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shards", type=int, default=8, help="shards of pairs to train on")
    parser.add_argument("--editor", type=Path, default=Path("assets/models/editor"))
    parser.add_argument("--pairs", type=Path, default=Path("work/train/pairs"))
    parser.add_argument("--out", type=Path, default=Path("assets/loras"))
    parser.add_argument("--start", type=Path, help="folder of LoRAs to go on from")
    parser.add_argument("--only", help="train this style alone")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    files = sorted(asked.pairs.glob("*.npz"))[1 : 1 + asked.shards]
    pairs = [pair for file in files for pair in load_pairs(file)]
    for style in STYLES:
        if asked.only and style.label != asked.only:
            continue
        pipe = Flux2KleinPipeline.from_pretrained(asked.editor, torch_dtype=torch.float32)
        train(style, pipe, pairs, asked.cpu_minutes, asked.out, asked.start)
    write_presets(asked.out)


if __name__ == "__main__":
    main()
