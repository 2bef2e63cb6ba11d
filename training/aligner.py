"""The embedded alignment model: a small CLIP that knows the demo's kinds of product, colours and scenes.

It is an ordinary open_clip model (timm's PP-LCNet and a two-layer text transformer), trained on cut-out
products (`training.lessons`) before base photos, and written as open_clip's ``local-dir:`` wants it, so
that the check loads it exactly as a large one. Every product picture is compared with many kinds and
colours at once, so that hard wrong words are always there; a picture of two colours may go by either. It
knows its own vocabulary and nothing else; for other goods name a real model in ``[checks.alignment]``. Run
``python -m training.lessons`` and then ``python -m training.aligner`` to train it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional

from training.captions import COLOURS, NOUNS, PRODUCTS, SHADES, product_caption, scene_caption
from training.lessons import Lessons, Picture
from training.products import KINDS
from training.set_dressing import Bases, close_up, developed, recoloured, whole

SIZE = 112
SCENES = Path("work/train/scenes")
DEMO_SCENES = Path("assets/scenes")
HELD_SCENES = 27  # training photos that are only looked at in the end
RIVALS = 30  # captions a step of products and of scenes besides those that its pictures show
RECOLOURED = 0.6  # of the products one colour is exchanged for another, where their albedo is known
KEPT = 0.998  # of the running mean of the weights at each step
CLEAR = 1.5  # a colour's share is raised to this power for the target: the dominant one counts more

CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "timm_model_name": "lcnet_050",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "",
        "image_size": SIZE,
    },
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 48, "heads": 2, "layers": 2},
}
PREPROCESS = {
    "mean": list(open_clip.OPENAI_DATASET_MEAN),
    "std": list(open_clip.OPENAI_DATASET_STD),
    "resize_mode": "squash",
}


def batch(pictures: Sequence[Picture]) -> torch.Tensor:
    """Pictures of SIZE pixels as the model takes them."""
    mean, std = np.array(PREPROCESS["mean"], np.float32), np.array(PREPROCESS["std"], np.float32)
    out = (np.stack(pictures).astype(np.float32) / 255 - mean) / std
    return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def tokenizer() -> Any:
    """Of the model's texts."""
    return open_clip.SimpleTokenizer(context_length=CONFIG["text_cfg"]["context_length"])


def product_targets(kinds: NDArray[np.int64], shares: NDArray[np.float32]) -> torch.Tensor:
    """How well each of `PRODUCTS` describes each picture, float32 (N, 200), rows sum to 1."""
    colours = shares**CLEAR
    colours = np.where(colours < 0.08 * colours.max(1, keepdims=True), 0, colours)
    out = np.zeros((len(kinds), len(KINDS), len(COLOURS)), np.float32)
    out[np.arange(len(kinds)), kinds] = colours / colours.sum(1, keepdims=True)
    return torch.from_numpy(out.reshape(len(kinds), -1))


def spread(lessons: Lessons) -> NDArray[np.float64]:
    """Chances to draw each picture, so that rare colours and kinds come as often as common ones nearly do."""
    named = lessons.colours.argmax(1) + 100 * lessons.kinds
    _, which, count = np.unique(named, return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(count[which])
    return np.asarray(weight / weight.sum(), np.float64)


def train(
    files: Sequence[Path],
    held: Sequence[Path],
    minutes: float,
    folder: Path,
    size: int = 48,
    start_from: Path | None = None,
    until: float = float("inf"),
) -> dict[str, float]:
    """Train for `minutes` of this thread's time and write the model; `held` is only looked at.

    What is examined and written is the running mean of the weights, which knows photos never seen better
    than the last step's. It ends earlier where the clock reaches `until`, seconds since the epoch; the rate
    of learning falls with whichever runs out first.
    """
    from training.aligner_exam import examine

    lessons, exam = Lessons.read(files), Lessons.read(held)
    scenes = sorted(SCENES.glob("*.json"))
    # a shop's scenes are few and known, so the demo's are learned; its products are not
    demo = sorted(DEMO_SCENES.glob("*.json"))
    bases, unseen = Bases.read([*scenes[:-HELD_SCENES], *demo]), Bases.read(scenes[-HELD_SCENES:])
    count = len(lessons.chips)
    print(f"{count} pictures, {len(exam.chips)} held out, {len(bases.photos)} photos", flush=True)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = fresh()
    if start_from is not None:
        model.load_state_dict(load_file(start_from / "open_clip_model.safetensors"))
    model = model.to(memory_format=torch.channels_last)
    tokenize = tokenizer()
    heavy = [p for n, p in model.named_parameters() if p.ndim > 1 and "embedding" not in n]
    light = [p for n, p in model.named_parameters() if p.ndim <= 1 or "embedding" in n]
    groups = [{"params": heavy, "weight_decay": 0.05}, {"params": light, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    start, clock, step, told = time.thread_time(), time.time(), 0, 0.0
    chances, photos = spread(lessons), len(bases.photos)
    shown_model = fresh().to(memory_format=torch.channels_last)
    shown_model.load_state_dict(model.state_dict())
    # of each description one draw in so many, the demo's more often
    rate = 1 / np.bincount(bases.words)[bases.words] ** 0.5
    rate[-len(demo) :] *= 4
    rate /= rate.sum()
    while True:
        spent = time.thread_time() - start
        share = max(spent / (60 * minutes), (time.time() - clock) / (until - clock))
        if share >= 1:
            break
        pace = 2e-3 * min(1.0, step / 200) * (0.5 * (1 + np.cos(np.pi * share)) + 0.004)
        for group in optimiser.param_groups:
            group["lr"] = pace
        near = rng.choice(count, size, p=chances)
        far = rng.integers(0, count, size // 3)
        behind, places = rng.integers(0, photos, size), rng.choice(photos, size // 3, p=rate)
        chips, colours = lessons.chips[near], lessons.colours[near]
        for k, i in enumerate(near):
            if lessons.albedo[i].any() and rng.random() < RECOLOURED:
                chips[k], colours[k] = recoloured(lessons, int(i), rng)
        shown = [
            close_up(chip, lessons.boxes[i], bases.photos[b], SIZE, rng)
            for chip, i, b in zip(chips, near, behind, strict=True)
        ]
        shown += [
            whole(lessons.chips[i], lessons.boxes[i], bases.photos[b], SIZE, rng)
            for i, b in zip(far, places, strict=True)
        ]
        pictures = batch([developed(picture, rng) for picture in shown])
        seen = functional.normalize(model.encode_image(pictures), dim=-1)
        fits = product_targets(lessons.kinds[near], colours)
        asked = _asked(fits.argmax(1).numpy(), len(PRODUCTS), rng)
        told_of = _asked(bases.words[places], len(bases.descriptions), rng)
        captions = [product_caption(PRODUCTS[k], rng) for k in asked]
        captions += [scene_caption(bases.descriptions[k], rng) for k in told_of]
        texts = functional.normalize(model.encode_text(tokenize(captions)), dim=-1)
        scale = model.logit_scale.exp().clamp(max=100)
        by_product = scale * seen[:size] @ texts[: len(asked)].T
        by_scene = scale * seen[size:] @ texts[len(asked) :].T
        # of the names that fit, those that were asked; one at least is
        target = fits[:, asked] / fits[:, asked].sum(1, keepdim=True)
        loss = functional.cross_entropy(by_product, target)
        right = torch.from_numpy(np.searchsorted(told_of, bases.words[places]))
        loss = loss + functional.cross_entropy(by_scene, right)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        step += 1
        follow(shown_model, model, min(KEPT, 1 - 1 / (1 + 0.1 * step)))
        if spent - told > 180:
            told = spent
            scores = {k: round(v, 3) for k, v in examine(shown_model, exam, bases, unseen).items()}
            print(f"{spent / 60:.1f} min, step {step}, loss {loss.item():.3f}, held out {scores}", flush=True)
            write(shown_model, folder)
    scores = examine(shown_model, exam, bases, unseen)
    notes = {
        "pictures": count,
        "products": len(np.unique(lessons.seeds)),
        "steps": step,
        "minutes": round(spent / 60, 1),
        **({"started_from": str(start_from)} if start_from else {}),
    }
    write(
        shown_model,
        folder,
        {**notes, "seed": 0, "code": "training/aligner.py", "held_out": scores, "knows": knows(bases)},
    )
    return scores


@torch.no_grad()
def follow(shown: Any, model: Any, keep: float) -> None:
    """Move a running mean of weights towards the model's; what is counted is taken over."""
    theirs = model.state_dict()
    for name, value in shown.state_dict().items():
        if value.is_floating_point():
            value.lerp_(theirs[name], 1 - keep)
        else:
            value.copy_(theirs[name])


def knows(bases: Bases) -> dict[str, Any]:
    """What the model is taught, for its ``training.json``; the check asks it of nothing else."""
    return {
        "products": NOUNS,
        "colours": {colour: (colour, *SHADES.get(colour, ())) for colour in COLOURS},
        "scenes": sorted(bases.descriptions),
    }


def _asked(right: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The captions of a step, ascending: every right one, and `RIVALS` that may be wrong for all."""
    present = np.unique(right)
    absent = np.setdiff1d(np.arange(count), present)
    return np.sort(np.concatenate([present, rng.choice(absent, min(RIVALS, len(absent)), replace=False)]))


def fresh() -> Any:
    """The model without any training."""
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"packline_aligner_{os.getpid()}.json"
    file.write_text(json.dumps(CONFIG))
    try:
        open_clip.add_model_config(file)
        return open_clip.create_model(file.stem)
    finally:
        file.unlink()


def trained(folder: Path) -> Any:
    """The model as `write` left it."""
    model = fresh()
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    return model.eval()


def write(model: Any, folder: Path, notes: dict[str, Any] | None = None) -> None:
    """Write configuration and half-precision weights as open_clip's ``local-dir:`` wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS}, indent=1) + "\n"
    )
    weights = {
        name: value.detach().half().contiguous() if value.is_floating_point() else value.clone()
        for name, value in model.state_dict().items()
    }
    file = folder / "open_clip_model.safetensors"
    save_file(weights, str(file), metadata={"format": "pt"})
    file.chmod(0o644)
    if notes is not None:
        (folder / "training.json").write_text(json.dumps(notes, indent=1) + "\n")


def main() -> None:
    """Train on what lies in the folder of lessons; shards from 900 on are held out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", type=Path, default=Path("work/train/lessons"))
    parser.add_argument("--out", type=Path, default=Path("assets/models/aligner"))
    parser.add_argument("--minutes", type=float, default=25.0, help="of one thread's time")
    parser.add_argument("--start", type=Path, help="a model to go on from")
    parser.add_argument(
        "--clock", type=float, default=float("inf"), help="end after so many minutes all told"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    files = [file for file in sorted(asked.lessons.glob("*.npz")) if file.stem.isdigit()]
    held = [file for file in files if int(file.stem) >= 900]
    taught = [file for file in files if file not in held]
    if not taught or not held:
        raise SystemExit(
            f"There are {len(taught)} shards and {len(held)} held-out ones (from 900 on) in {asked.lessons}; "
            "run python -m training.lessons for both first."
        )
    until = time.time() + 60 * asked.clock
    print(train(taught, held, asked.minutes, asked.out, start_from=asked.start, until=until))


if __name__ == "__main__":
    main()
