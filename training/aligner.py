"""The embedded alignment model: a small CLIP that knows the demo's kinds of product, colours and scenes.

It is an ordinary open_clip model (timm's PP-LCNet and a two-layer text transformer), trained from nothing on
the editor's pairs (`training.pairs`), and written as open_clip's ``local-dir:`` wants it, so that the check
loads it exactly as a large one. It knows its own vocabulary and nothing else; for other goods name a real model in
``[checks.alignment]``. Run ``python -m training.aligner`` to train it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open_clip  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch.nn import functional

Picture = NDArray[np.uint8]
SIZE = 112
STORED = 128
MARGIN = 0.25  # around the product, as the check crops
RIVALS = 48  # captions a step of what none of its pictures shows

CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "timm_model_name": "lcnet_075",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": SIZE,
    },
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 48, "heads": 2, "layers": 2},
}
PREPROCESS = {
    "mean": list(open_clip.OPENAI_DATASET_MEAN),
    "std": list(open_clip.OPENAI_DATASET_STD),
    "resize_mode": "squash",
}

# other words for the same thing, so that a catalog may choose its own
NOUNS = {
    "shoe": ("low-top shoe", "shoe", "sneaker", "trainer"),
    "bottle": ("bottle", "pump bottle", "plastic bottle"),
    "can": ("drinks can", "can", "beverage can", "soda can"),
    "mug": ("mug", "ceramic mug", "coffee mug", "cup"),
    "carton": ("carton box", "carton", "box", "cardboard box"),
    "tube": ("cosmetic tube", "tube", "tube of cream"),
    "tote": ("tote bag", "cotton tote bag", "canvas bag", "bag"),
    "jar": ("jar", "glass jar", "screw-top jar"),
    "tin": ("candle tin", "tin", "candle in a tin", "metal tin"),
    "pouch": ("stand-up pouch", "pouch", "coffee pouch", "foil pouch"),
}
PRODUCT_PROMPTS = ("a photo of {}", "a photo of a {}", "a {}", "{}", "product photo of a {}", "the {}")
SCENE_PROMPTS = (
    "a product {}",
    "a photo of a product on {}",
    "on {}",
    "{}",
    "a product on {}",
    "a picture of {}",
)


@dataclass(frozen=True)
class Lessons:
    """Pictures and what they show.

    Parameters
    ----------
    whole, close
        The picture, and the product with `MARGIN` around it: uint8 (N, STORED, STORED, 3).
    product
        Index of kind and colour.
    scene
        Index of the scene's words.
    brand
        The brand where the title names it, else "".
    """

    whole: Picture
    close: Picture
    product: NDArray[np.int64]
    scene: NDArray[np.int64]
    brand: list[str]


def read(files: Sequence[Path], products: list[tuple[str, str]], scenes: list[str]) -> Lessons:
    """Read shards of pairs; `products` and `scenes` grow by what is new."""
    whole, close, product, scene, brand = [], [], [], [], []
    for file in files:
        data = np.load(file)
        pictures, guides = data["out"], data["guide"]
        for picture, guide, text in zip(pictures, guides, data["meta"], strict=True):
            meta = json.loads(str(text))
            colour, name = split(meta["words"], meta["kind"])
            whole.append(cv2.resize(picture, (STORED, STORED), interpolation=cv2.INTER_AREA))
            close.append(around(picture, guide))
            product.append(_index(products, (meta["kind"], colour)))
            scene.append(_index(scenes, meta["scene_words"]))
            brand.append(name)
    return Lessons(np.stack(whole), np.stack(close), np.array(product), np.array(scene), brand)


def split(title: str, kind: str) -> tuple[str, str]:
    """Colour and brand of a title such as "teal candle tin EMBER"."""
    colour, _, rest = title.partition(" ")
    noun = NOUNS[kind][0]
    return colour, rest.removeprefix(noun).strip()


def around(picture: Picture, guide: Picture) -> Picture:
    """The product with the margin of the check, found by what the guide shows over its even grey."""
    ground = guide[0, 0].astype(int)
    rows, columns = np.where(np.abs(guide.astype(int) - ground).max(-1) > 8)
    size = picture.shape[0]
    if len(rows) == 0:
        return np.asarray(cv2.resize(picture, (STORED, STORED), interpolation=cv2.INTER_AREA), np.uint8)
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    side = int(min(size, round(max(right - left, bottom - top) * (1 + 2 * MARGIN))))
    x = int(np.clip((left + right - side) // 2, 0, size - side))
    y = int(np.clip((top + bottom - side) // 2, 0, size - side))
    part = picture[y : y + side, x : x + side]
    return np.asarray(cv2.resize(part, (STORED, STORED), interpolation=cv2.INTER_AREA), np.uint8)


def _index(known: list[Any], one: Any) -> int:
    if one not in known:
        known.append(one)
    return known.index(one)


def product_caption(product: tuple[str, str], brand: str, rng: np.random.Generator) -> str:
    """One way to say it; the first noun half of the time."""
    kind, colour = product
    nouns = NOUNS[kind]
    noun = nouns[0] if rng.random() < 0.5 else str(rng.choice(nouns))
    words = f"{colour} {noun} {brand}".strip()
    return str(rng.choice(PRODUCT_PROMPTS)).format(words)


def scene_caption(scene: str, rng: np.random.Generator) -> str:
    """One way to say it."""
    return str(rng.choice(SCENE_PROMPTS)).format(scene)


def batch(pictures: Picture, chosen: NDArray[np.int64], rng: np.random.Generator | None) -> torch.Tensor:
    """Pictures as the model takes them; with a generator cropped, mirrored, relit and softened at random."""
    mean, std = np.array(PREPROCESS["mean"], np.float32), np.array(PREPROCESS["std"], np.float32)
    out = np.empty((len(chosen), SIZE, SIZE, 3), np.float32)
    for i, k in enumerate(chosen):
        picture = pictures[k]
        if rng is not None:
            side = int(rng.integers(int(STORED * 0.78), STORED + 1))
            x, y = (int(v) for v in rng.integers(0, STORED - side + 1, 2))
            picture = picture[y : y + side, x : x + side]
            if rng.random() < 0.5:
                picture = picture[:, ::-1]
        small = cv2.resize(np.ascontiguousarray(picture), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        value = small.astype(np.float32) / 255
        if rng is not None:
            # a little warmth and exposure, as styles do; not so much that a colour gets another name
            gain = rng.uniform(0.96, 1.04, 3).astype(np.float32)
            value = np.asarray(value ** np.float32(rng.uniform(0.85, 1.18)) * gain, np.float32)
            if rng.random() < 0.3:
                value = np.asarray(cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.4, 1.2))), np.float32)
        out[i] = (np.clip(value, 0, 1) - mean) / std
    return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def encode(model: Any, pictures: Picture) -> torch.Tensor:
    """Unit vectors of all pictures, without augmentation."""
    parts = [
        model.encode_image(batch(pictures, np.arange(i, min(i + 128, len(pictures))), None), normalize=True)
        for i in range(0, len(pictures), 128)
    ]
    return torch.cat(parts)


@torch.inference_mode()
def evaluate(
    model: Any, lessons: Lessons, products: list[tuple[str, str]], scenes: list[str]
) -> dict[str, float]:
    """Top-1 among 20 captions (19 random others), and single attributes, with the check's own prompts."""
    tokenize = _tokenizer()
    model.eval()
    rng = np.random.default_rng(5)
    out: dict[str, float] = {}
    named = [f"a photo of a {colour} {NOUNS[kind][0]}" for kind, colour in products]
    placed = [f"a product on {words}" for words in scenes]
    texts = model.encode_text(tokenize(named), normalize=True)
    places = model.encode_text(tokenize(placed), normalize=True)
    close, whole = encode(model, lessons.close), encode(model, lessons.whole)
    for name, pictures, captions, truth in (
        ("product", close, texts, lessons.product),
        ("scene", whole, places, lessons.scene),
    ):
        likeness = (pictures @ captions.T).numpy()
        hits = []
        for row, right in zip(likeness, truth, strict=True):
            others = np.delete(np.arange(len(captions)), right)
            rivals = rng.choice(others, min(19, len(others)), replace=False)
            hits.append(row[right] > row[rivals].max())
        out[f"{name} of 20"] = float(np.mean(hits))
    by_product = (close @ texts.T).numpy()
    kinds = np.array([kind for kind, _ in products])
    colours = np.array([colour for _, colour in products])
    right_kind, right_colour = kinds[lessons.product], colours[lessons.product]
    out["kind"] = float((kinds[by_product.argmax(1)] == right_kind).mean())
    same_kind = kinds[None] == right_kind[:, None]
    out["colour"] = float((colours[np.where(same_kind, by_product, -9).argmax(1)] == right_colour).mean())
    model.train()
    return out


def _tokenizer() -> Any:
    return open_clip.SimpleTokenizer(context_length=CONFIG["text_cfg"]["context_length"])


def train(files: Sequence[Path], minutes: float, folder: Path, size: int = 64) -> dict[str, float]:
    """Train for `minutes` of this thread's time, on all shards but the last tenth, and write the model.

    Every step compares its pictures with the captions of their own products and scenes and of `RIVALS` others.
    """
    products: list[tuple[str, str]] = []
    scenes: list[str] = []
    kept = max(1, len(files) // 10)
    lessons = read(files[:-kept], products, scenes)
    held = read(files[-kept:], products, scenes)
    print(
        f"{len(lessons.brand)} pictures, {len(held.brand)} held out, {len(products)} products, {len(scenes)} scenes"
    )
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = _fresh().to(memory_format=torch.channels_last)
    tokenize = _tokenizer()
    heavy = [p for n, p in model.named_parameters() if p.ndim > 1 and "embedding" not in n]
    light = [p for n, p in model.named_parameters() if p.ndim <= 1 or "embedding" in n]
    groups = [{"params": heavy, "weight_decay": 0.05}, {"params": light, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    total, start, step, shown = minutes * 60, time.thread_time(), 0, 0.0
    names = sorted({brand for brand in lessons.brand if brand})
    while (spent := time.thread_time() - start) < total:
        rate = 2e-3 * min(1.0, step / 100) * (0.5 * (1 + np.cos(np.pi * spent / total)) + 0.005)
        for group in optimiser.param_groups:
            group["lr"] = rate
        near = rng.integers(0, len(lessons.brand), size)
        far = rng.integers(0, len(lessons.brand), size)
        pictures = torch.cat([batch(lessons.close, near, rng), batch(lessons.whole, far, rng)])
        seen = functional.normalize(model.encode_image(pictures), dim=-1)
        asked, product = _with_rivals(lessons.product[near], len(products), rng)
        placed, scene = _with_rivals(lessons.scene[far], len(scenes), rng)
        # a brand is a word that says nothing of the look: now and then it is there, so that it is ignored
        said = [str(rng.choice(names)) if names and rng.random() < 0.3 else "" for _ in asked]
        captions = [product_caption(products[k], brand, rng) for k, brand in zip(asked, said, strict=True)]
        captions += [scene_caption(scenes[k], rng) for k in placed]
        texts = functional.normalize(model.encode_text(tokenize(captions)), dim=-1)
        scale = model.logit_scale.exp().clamp(max=100)
        by_product = scale * seen[:size] @ texts[: len(asked)].T
        by_scene = scale * seen[size:] @ texts[len(asked) :].T
        loss = functional.cross_entropy(by_product, product, label_smoothing=0.05)
        loss = loss + functional.cross_entropy(by_scene, scene, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        step += 1
        if spent - shown > 60:
            shown = spent
            scores = {
                name: round(value, 3) for name, value in evaluate(model, held, products, scenes).items()
            }
            print(f"{spent / 60:.1f} min, step {step}, loss {loss.item():.3f}, held out {scores}", flush=True)
            write(model, folder)
    scores = evaluate(model, held, products, scenes)
    write(model, folder, {"pictures": len(lessons.brand), "minutes": minutes, "held_out": scores})
    return scores


def _with_rivals(
    right: NDArray[np.int64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], torch.Tensor]:
    """The captions to compare with, and which of them is each picture's."""
    present = np.unique(right)
    absent = np.setdiff1d(np.arange(count), present)
    rivals = rng.choice(absent, min(RIVALS, len(absent)), replace=False)
    asked = np.concatenate([present, rivals])
    return asked, torch.from_numpy(np.searchsorted(present, right))


def _fresh() -> Any:
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"packline_aligner_{os.getpid()}.json"
    file.write_text(json.dumps(CONFIG))
    try:
        open_clip.add_model_config(file)
        return open_clip.create_model(file.stem)
    finally:
        file.unlink()


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
    save_file(weights, str(folder / "open_clip_model.safetensors"), metadata={"format": "pt"})
    if notes is not None:
        (folder / "training.json").write_text(json.dumps(notes, indent=1) + "\n")


def main() -> None:
    """Train on what lies in the folder of pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, default=Path("work/train/pairs"))
    parser.add_argument("--out", type=Path, default=Path("assets/models/aligner"))
    parser.add_argument("--minutes", type=float, default=22.0, help="of one thread's time")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(asked.pairs.glob("[0-9]*.npz"))
    files = [file for file in files if not file.name.endswith(".part.npz")]
    if len(files) < 2:
        raise SystemExit(
            f"There are {len(files)} shards in {asked.pairs}; run python -m training.pairs first."
        )
    print(train(files, asked.minutes, asked.out))


if __name__ == "__main__":
    main()
