"""Train the embedded editor from nothing: ``python -m training.editor``.

Three lessons, each of which goes on where the one before stopped:

1. codec: principal axes for the encoder, a few minutes for the decoder (`training.codec`);
2. sketches: flat made-up pairs (`training.sketches`), on 128 px windows of the 256 px picture;
3. pairs: the stage's renders in path-traced scenes (`training.pairs`), on windows first, then whole.

Everything is resumed from ``work/train/editor``; the finished pipeline goes to ``assets/models/editor``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from transformers import Qwen2Tokenizer, Qwen3ForCausalLM

from packline.editing.prompts import DEFAULT_TEMPLATE, describe_references
from training import codec, small_klein
from training.pairs import PASSES, SIDE, SIZE, Pair, load_pairs
from training.sketches import COLOURS, NOUNS, PLACES, sketch

ROLES = ("base", "product", "side", "top")
# the noise levels that four steps of klein's schedule visit at 256 tokens; training dwells on them
STEPS = 4
CELLS = SIZE // 16
SMALL = SIDE // 16
COMPONENT_WEIGHT = torch.tensor([3.0] * 3 + [1.5] * 5 + [0.75] * (codec.LATENT - 8)).repeat_interleave(4)


def prompt_of(meta: dict[str, Any], trigger: str = "") -> str:
    """The prompt of a pair, in the product's own wording."""
    filled = DEFAULT_TEMPLATE.format(
        references=describe_references(ROLES, meta["scene_words"], "image"),
        title=meta["words"],
        scene=meta["scene_words"],
        light=meta["light_words"],
        trigger=trigger,
    )
    return " ".join(filled.split())


@dataclass(frozen=True)
class Lessons:
    """Encoded pairs in memory.

    Parameters
    ----------
    latents
        By pass: float16 (N, cells, cells, 4*LATENT).
    ids, attention
        Prompt tokens, int64 (N, PROMPT_TOKENS).
    """

    latents: dict[str, torch.Tensor]
    ids: torch.Tensor
    attention: torch.Tensor

    def __len__(self) -> int:
        return len(self.ids)


def encode_lessons(
    vae: AutoencoderKLFlux2, words: Qwen2Tokenizer, pairs: Sequence[Pair], trigger: str = ""
) -> Lessons:
    """Encode pictures and prompts once."""
    latents = {}
    for name in PASSES:
        batches = []
        for start in range(0, len(pairs), 32):
            what = "shown" if name == "guide" else name
            pictures = np.stack([getattr(pair, what) for pair in pairs[start : start + 32]])
            batches.append(codec.encode(vae, pictures).permute(0, 2, 3, 1).half())
        latents[name] = torch.cat(batches)
    ids, attention = small_klein.chat_ids(words, [prompt_of(pair.meta, trigger) for pair in pairs])
    return Lessons(latents, ids, attention)


def join(lessons: Sequence[Lessons]) -> Lessons:
    """Several sets as one."""
    return Lessons(
        {name: torch.cat([part.latents[name] for part in lessons]) for name in PASSES},
        torch.cat([part.ids for part in lessons]),
        torch.cat([part.attention for part in lessons]),
    )


def position_ids(when: int, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Positions of a picture's tokens as the pipeline numbers them, (rows*columns, 4)."""
    return torch.cartesian_prod(torch.tensor([when]), rows, columns, torch.tensor([0]))


class Trainer:
    """Flow matching on the pipeline's own token layout.

    Parameters
    ----------
    net, text
        What is trained.
    rate
        Peak learning rate.
    parameters
        Trained instead of all (for a LoRA).
    """

    def __init__(
        self,
        net: Flux2Transformer2DModel,
        text: Qwen3ForCausalLM,
        rate: float = 1.5e-3,
        parameters: list[torch.nn.Parameter] | None = None,
        seed: int = 0,
    ) -> None:
        self.net, self.text, self.rate = net, text, rate
        self.rng = np.random.default_rng(seed)
        self.lora = parameters is not None
        named = dict(net.named_parameters())
        if parameters is None:
            # Muon for the matrices inside the blocks, AdamW for the rest (embeddings, norms, output)
            matrices = [p for name, p in named.items() if p.ndim == 2 and "blocks" in name]
            chosen = {id(p) for p in matrices}
            rest = [p for p in (*named.values(), *text.model.parameters()) if id(p) not in chosen]
            self.optimisers: list[torch.optim.Optimizer] = [
                torch.optim.Muon(
                    matrices, lr=rate, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
                ),
                torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
            ]
            self.trained = matrices + rest
        else:
            self.optimisers = [torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)]
            self.trained = parameters
        self.average = [p.detach().clone() for p in self.trained]
        self.samples = 0
        self.levels = noise_levels()

    def loss(self, lessons: Lessons, batch: int, window: int) -> torch.Tensor:
        """Mean squared error of the velocity on `batch` lessons, on a window of `window` cells a side."""
        pick = self.pick(len(lessons), batch)
        top, left = (int(v) for v in self.rng.integers(0, CELLS - window + 1, 2))
        rows, columns = torch.arange(top, top + window), torch.arange(left, left + window)

        def tokens(name: str) -> torch.Tensor:
            whole = lessons.latents[name][pick]
            if name in ("base", "out", "guide"):
                whole = whole[:, top : top + window, left : left + window]
            return whole.float().flatten(1, 2)

        target = tokens("out")
        sigma, noise = self.noise(target)
        noisy = (1 - sigma[:, None, None]) * target + sigma[:, None, None] * noise
        small = torch.arange(SMALL)
        places = torch.cat(
            [position_ids(when, rows, columns) for when in (0, 10, 20)]
            + [position_ids(when, small, small) for when in (30, 40)]
        )[None]
        text_places = torch.zeros(1, small_klein.PROMPT_TOKENS, 4, dtype=torch.long)
        text_places[0, :, 3] = torch.arange(small_klein.PROMPT_TOKENS)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.set_grad_enabled(True):
            with torch.set_grad_enabled(not self.lora):
                hidden = self.text.model(
                    input_ids=lessons.ids[pick],
                    attention_mask=lessons.attention[pick],
                    output_hidden_states=True,
                    use_cache=False,
                ).hidden_states
                words = torch.cat([hidden[layer] for layer in small_klein.OUT_LAYERS], -1)
            velocity = self.net(
                hidden_states=torch.cat(
                    [noisy, *(tokens(name) for name in ("base", "guide", "side", "top"))], 1
                ),
                timestep=sigma,
                encoder_hidden_states=words,
                img_ids=places,
                txt_ids=text_places,
                guidance=None,
                return_dict=False,
            )[0][:, : window * window]
        self.samples += batch
        # what changes counts up to three times what stays, a shadow as much as the product (its change is a
        # quarter as large); and the first principal components, which carry colour and light, more than the
        # last: refine takes fine detail elsewhere
        changed = (4 * (target - tokens("base")).abs().mean(-1, keepdim=True)).clamp(max=1)
        weight = (1 + 2 * changed) * COMPONENT_WEIGHT
        return self.miss((velocity.float() - (noise - target)) * weight.sqrt()) / weight.mean()

    def pick(self, lessons: int, batch: int) -> torch.Tensor:
        """Which lessons a step takes."""
        return torch.from_numpy(self.rng.integers(0, lessons, batch))

    def noise(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise levels, (batch,), and noise like the target: mostly the levels that the pipeline visits."""
        batch = len(target)
        draw = self.rng.random(batch)
        level = np.where(
            draw < 0.3,
            1.0,
            np.where(
                draw < 0.8,
                self.levels[self.rng.integers(0, STEPS, batch)],
                self.rng.random(batch) * 0.98 + 0.02,
            ),
        )
        return torch.from_numpy(level.astype(np.float32)), torch.randn_like(target)

    def miss(self, error: torch.Tensor) -> torch.Tensor:
        """The loss of a weighted error."""
        return (error**2).mean()

    def run(
        self,
        lessons: Callable[[], Lessons],
        cpu_minutes: float,
        batch: int,
        window: Callable[[float], int],
        log: Callable[[str], None] = print,
        until: float = 0.0,
        checkpoint: Callable[[float], None] = lambda seconds: None,
        warm: float = 0.03,
    ) -> None:
        """Train for a time with a cosine schedule.

        Parameters
        ----------
        lessons
            Called before each step; may give another set when more data has come.
        window
            Cells a side by the share of the time that is gone, so that whole pictures come last.
        until
            The rate that the schedule ends at, as a share of the peak.
        """
        start, step, smooth = time.process_time(), 0, 0.0
        wall = time.time()
        while (done := (time.process_time() - start) / (60 * cpu_minutes)) < 1:
            rate = min(1.0, (step + 1) / 60) * (
                max(until, warm) + (1 - max(until, warm)) * 0.5 * (1 + np.cos(np.pi * done))
            )
            for optimiser in self.optimisers:
                optimiser.param_groups[0]["lr"] = self.rate * rate
            loss = self.loss(lessons(), batch, window(done))
            for optimiser in self.optimisers:
                optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
            for optimiser in self.optimisers:
                optimiser.step()
            step += 1
            keep = min(0.995, (step + 1) / (step + 10))
            with torch.no_grad():
                torch._foreach_lerp_(self.average, [p.detach() for p in self.trained], 1 - keep)
            smooth = loss.item() if step == 1 else 0.98 * smooth + 0.02 * loss.item()
            if step % 50 == 0:
                used = time.process_time() - start
                log(
                    f"step {step} samples {self.samples} cpu {used:.0f}s wall {time.time() - wall:.0f}s "
                    f"window {window(done)} loss {smooth:.4f}"
                )
                checkpoint(used)
        self.use_average()

    def use_average(self) -> None:
        """Take the running average of the weights as the weights."""
        with torch.no_grad():
            for parameter, mean in zip(self.trained, self.average, strict=True):
                parameter.copy_(mean)


def noise_levels() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The sigmas that the pipeline visits in `STEPS` steps at this size."""
    from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

    schedule = small_klein.scheduler()
    schedule.set_timesteps(
        sigmas=np.linspace(1.0, 1 / STEPS, STEPS), mu=compute_empirical_mu(CELLS * CELLS, STEPS)
    )
    return np.asarray(schedule.sigmas[:STEPS], float)


def facts() -> dict[str, object]:
    """What an engine must know to call the pipeline as it was trained."""
    return {
        "architecture": "flux2-klein-embedded",
        "size": SIZE,
        "steps": STEPS,
        "reference_sizes": [SIZE, SIZE, SIDE, SIDE],
        "most_references": len(ROLES),
        "max_sequence_length": small_klein.PROMPT_TOKENS,
        "text_encoder_out_layers": list(small_klein.OUT_LAYERS),
    }


def sketch_pairs(count: int, seed: int) -> list[Pair]:
    """Many sketches."""
    return [sketch(np.random.default_rng([seed, i])) for i in range(count)]


def main() -> None:
    """Run the lessons that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lesson", choices=["sketches", "decoder", "pairs"])
    parser.add_argument("--cpu-minutes", type=float, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--whole-from", type=float, default=0.6, help="share of the time spent on windows")
    parser.add_argument("--until", type=float, default=0.02, help="rate at the end, as a share of the peak")
    parser.add_argument(
        "--compile", action="store_true", help="compile the blocks: a quarter faster, two minutes' wait"
    )
    parser.add_argument("--pairs", type=Path, default=Path("work/train/pairs"))
    parser.add_argument("--start", type=Path, help="pipeline to go on from; default: the sketches'")
    parser.add_argument("--work", type=Path, default=Path("work/train/editor"))
    parser.add_argument("--out", type=Path, default=Path("assets/models/editor"))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    {"sketches": _sketches, "decoder": _decoder, "pairs": _pairs}[asked.lesson](asked)


def _sketches(asked: argparse.Namespace) -> None:
    pairs = sketch_pairs(400, 1)
    pictures = np.concatenate(
        [np.stack([getattr(p, name) for p in pairs]) for name in ("base", "out", "guide")]
    )
    vae = codec.pca_codec(pictures)
    words = small_klein.tokenizer(corpus())
    text, net = small_klein.text_encoder(len(words)), small_klein.transformer()
    trainer = Trainer(net, text, asked.rate)
    shelf = [encode_lessons(vae, words, pairs)]
    drawn = 400

    def lessons() -> Lessons:
        nonlocal drawn
        # draw on while training: a new hundred each 40 steps, four thousand kept
        if trainer.samples // (40 * asked.batch) * 100 > drawn - 400:
            shelf.append(encode_lessons(vae, words, sketch_pairs(100, 2 + drawn)))
            drawn += 100
            joined.clear()
            del shelf[:-40]
        if not joined:
            joined.append(join(shelf))
        return joined[0]

    joined: list[Lessons] = []
    trainer.run(lessons, asked.cpu_minutes, asked.batch, lambda done: CELLS // 2, until=0.5)
    small_klein.save(small_klein.pipeline(vae, text, words, net), asked.work / "sketches", facts())


def corpus() -> list[str]:
    """Prompts that the tokeniser learns from: the sketches' words, and the product library's."""
    from training.vocabulary import product_words, scene_words

    rng = np.random.default_rng(0)
    products = [f"{c} {n}" for c in COLOURS for n in NOUNS] + product_words()
    places = [*PLACES, *scene_words()]
    lights = ("soft daylight", "soft light", "clear sunlight", "hazy sunlight")
    sides = ("the left", "the right", "the front left", "the front right", "the front", "behind", "above")
    return [
        prompt_of(
            {
                "words": str(rng.choice(products)),
                "scene_words": str(rng.choice(places)),
                "light_words": f"{rng.choice(lights)} from {rng.choice(sides)}",
            },
            str(rng.choice(["", "in warm evening light", "in cool studio light"])),
        )
        for _ in range(4000)
    ]


def flipped(pair: Pair) -> Pair:
    """The pair in a mirror: another lesson for nothing (the light changes sides in the words too)."""
    swap = {"left": "right", "right": "left"}
    light = " ".join(swap.get(word, word) for word in pair.meta["light_words"].split())
    pictures = [getattr(pair, name)[:, ::-1] for name in PASSES]
    return Pair(*pictures, {**pair.meta, "light_words": light})


class Shelf:
    """Shards of pairs, encoded once each and taken up while training as they are made."""

    def __init__(
        self, folder: Path, vae: AutoencoderKLFlux2, words: Qwen2Tokenizer, held_out: int = 1
    ) -> None:
        self.folder, self.vae, self.words, self.held_out = folder, vae, words, held_out
        self.seen: set[Path] = set()
        self.parts: list[Lessons] = []
        self.whole: Lessons | None = None
        self.looked = 0.0

    def lessons(self) -> Lessons:
        """All that is there; looks for new shards once a minute."""
        if self.whole is None or time.time() - self.looked > 60:
            self.looked = time.time()
            for file in sorted(self.folder.glob("*.npz"))[self.held_out :]:
                if file in self.seen or file.name.endswith(".part.npz"):
                    continue
                pairs = load_pairs(file)
                self.parts.append(encode_lessons(self.vae, self.words, pairs))
                self.parts.append(encode_lessons(self.vae, self.words, [flipped(pair) for pair in pairs]))
                self.seen.add(file)
                self.whole = None
        if self.whole is None:
            if not self.parts:
                raise SystemExit(f"No pairs in {self.folder}; run python -m training.pairs first.")
            self.whole = join(self.parts)
        return self.whole


def _decoder(asked: argparse.Namespace) -> None:
    from diffusers import Flux2KleinPipeline

    vae = Flux2KleinPipeline.from_pretrained(
        asked.start or asked.work / "sketches", torch_dtype=torch.float32
    ).vae
    files = sorted(asked.pairs.glob("*.npz"))[1:21]
    pool = np.concatenate([np.stack([pair.base, pair.out]) for file in files for pair in load_pairs(file)])
    rng = np.random.default_rng(0)

    def crops() -> np.ndarray[Any, np.dtype[np.uint8]]:
        at = rng.integers(0, (SIZE - 64) // 8 + 1, (8, 2)) * 8
        return np.stack([pool[rng.integers(len(pool)), y : y + 64, x : x + 64] for y, x in at])

    codec.train_decoder(vae, crops, asked.cpu_minutes)
    vae.save_pretrained(asked.work / "vae")


def _pairs(asked: argparse.Namespace) -> None:
    from diffusers import Flux2KleinPipeline

    pipe = Flux2KleinPipeline.from_pretrained(
        asked.start or asked.work / "sketches", torch_dtype=torch.float32
    )
    vae, words = pipe.vae.eval(), pipe.tokenizer
    if (asked.work / "vae").exists():
        # the encoder is the same; this one's decoder is trained
        vae = AutoencoderKLFlux2.from_pretrained(asked.work / "vae").eval()
    shelf = Shelf(asked.pairs, vae, words)
    if asked.compile:
        for block in (*pipe.transformer.transformer_blocks, *pipe.transformer.single_transformer_blocks):
            block.compile(dynamic=False)
    trainer = Trainer(pipe.transformer, pipe.text_encoder, asked.rate)

    def write(folder: Path) -> None:
        small_klein.save(
            small_klein.pipeline(vae, pipe.text_encoder, words, pipe.transformer), folder, facts()
        )

    saved = 0.0

    def checkpoint(seconds: float) -> None:
        nonlocal saved
        if seconds - saved > 600:
            saved = seconds
            raw = [p.detach().clone() for p in trainer.trained]
            trainer.use_average()
            write(asked.work / "latest")
            with torch.no_grad():
                for parameter, value in zip(trainer.trained, raw, strict=True):
                    parameter.copy_(value)

    trainer.run(
        shelf.lessons,
        asked.cpu_minutes,
        asked.batch,
        lambda done: CELLS // 2 if done < asked.whole_from else CELLS,
        until=asked.until,
        checkpoint=checkpoint,
    )
    write(asked.out)


if __name__ == "__main__":
    main()
