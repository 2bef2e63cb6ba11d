"""The embedded alignment model: a small CLIP that knows the demo's kinds of product, colours and scenes.

It is an ordinary open_clip model (timm's PP-LCNet and a two-layer text transformer), trained from nothing on
the editor's pairs (`training.pairs`), and written as open_clip's ``local-dir:`` wants it, so that the check
loads it exactly as a large one. It knows its own vocabulary and nothing else; for other goods name a real
model in ``[checks.alignment]``. Run ``python -m training.aligner`` to train it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open_clip  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional

from packline.colour import to_linear, to_srgb
from training.pairs import NAMED

Picture = NDArray[np.uint8]
SIZE = 112
SCENES = Path("work/train/scenes")
DEMO_SCENES = Path("assets/scenes")
MARGIN = 0.25  # around the product, as the check crops
RIVALS = 24  # captions a step of what none of its pictures shows

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

# other words for the same thing, so that a catalog may choose its own
NOUNS = {
    "shoe": ("low-top shoe", "shoe", "sneaker", "trainer"),
    "bottle": ("bottle", "pump bottle"),
    "can": ("drinks can", "can", "beverage can", "soda can"),
    "mug": ("mug", "coffee mug", "cup"),
    "carton": ("carton box", "carton", "box"),
    "tube": ("cosmetic tube", "tube", "tube of cream"),
    "tote": ("tote bag", "shopping bag", "bag"),
    "jar": ("jar", "screw-top jar"),
    "tin": ("candle tin", "tin", "candle in a tin"),
    "pouch": ("stand-up pouch", "pouch", "coffee pouch"),
}
ADJECTIVES = {
    "shoe": ("leather", "canvas", "low"),
    "bottle": ("plastic", "glossy", "matte"),
    "can": ("aluminium", "metal", "slim"),
    "mug": ("ceramic", "stoneware", "glossy"),
    "carton": ("cardboard", "printed", "paper"),
    "tube": ("plastic", "glossy", "matte"),
    "tote": ("cotton", "canvas", "printed"),
    "jar": ("glass", "glossy", "matte"),
    "tin": ("metal", "aluminium", "round"),
    "pouch": ("foil", "matte", "printed"),
}
SHADES = {
    "grey": ("gray", "silver", "charcoal"),
    "yellow": ("gold", "mustard"),
    "brown": ("chocolate", "copper"),
    "beige": ("sand", "tan"),
    "white": ("off-white", "ivory"),
    "teal": ("turquoise", "petrol"),
    "orange": ("amber", "rust"),
    "navy": ("dark blue", "midnight blue"),
    "maroon": ("burgundy", "wine red"),
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
    pictures
        The composites, uint8 (N, H, W, 3).
    masks
        Where the product is, bool (N, H, W).
    boxes
        Left, top and side of the square that the check cuts out around the product, int (N, 3).
    bases
        The scenes' photos, one each, uint8 (S, H, W, 3).
    base, scene, product
        For each picture the index of its base, of its scene's words, and of its kind and colour.
    scene_of
        For each base the index of its words.
    brands
        The brands that titles name.
    """

    pictures: Picture
    masks: NDArray[np.bool_]
    boxes: NDArray[np.int64]
    bases: Picture
    base: NDArray[np.int64]
    scene: NDArray[np.int64]
    product: NDArray[np.int64]
    scene_of: NDArray[np.int64]
    brands: tuple[str, ...]

    def close(self, i: int, over: int | None = None) -> Picture:
        """Picture `i` around its product, with its own scene or, cut out, before the base `over`."""
        x, y, side = self.boxes[i]
        cut = np.s_[y : y + side, x : x + side]
        return np.asarray(self._shown(i, over)[cut], np.uint8)

    def whole(self, i: int, over: int | None = None) -> Picture:
        """Picture `i`, with its own scene or, cut out, before the base `over`."""
        return self._shown(i, over)

    def _shown(self, i: int, over: int | None) -> Picture:
        if over is None:
            return np.asarray(self.pictures[i], np.uint8)
        return np.asarray(np.where(self.masks[i][..., None], self.pictures[i], self.bases[over]), np.uint8)


def read(
    files: Sequence[Path],
    products: list[tuple[str, str]],
    scenes: list[str],
    more: Sequence[Path] = (),
) -> Lessons:
    """Read shards of pairs, and `more` scene files; `products` and `scenes` grow by what is new."""
    pictures, masks, boxes, base, scene, product = [], [], [], [], [], []
    known: dict[str, int] = {}
    bases: list[Picture] = []
    scene_of, brands = [], set()
    for file in files:
        with np.load(file) as data:
            arrays = {name: data[name] for name in ("base", "out", "guide", "meta")}
        for photo, picture, guide, text in zip(*arrays.values(), strict=True):
            meta = json.loads(str(text))
            _, brand = split(meta["words"], meta["kind"])
            colour = seen_colour(guide, meta["scene"])
            mask = np.abs(guide.astype(int) - guide[0, 0].astype(int)).max(-1) > 8
            if mask.sum() < 300:
                continue
            place = _index(scenes, meta["scene_words"])
            if meta["scene"] not in known:
                known[meta["scene"]] = len(bases)
                bases.append(photo)
                scene_of.append(place)
            pictures.append(picture)
            masks.append(mask)
            boxes.append(around(mask))
            base.append(known[meta["scene"]])
            scene.append(place)
            product.append(_index(products, (meta["kind"], colour)))
            brands.add(brand)
    for file in more:
        if file.stem not in known:
            data = json.loads(file.read_text())
            photo = cv2.imread(str(file.parent / data["image"]))
            if photo is not None:
                side = bases[0].shape[0]
                photo = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
                known[file.stem] = len(bases)
                bases.append(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB).astype(np.uint8))
                scene_of.append(_index(scenes, str(data["words"])))
    return Lessons(
        np.stack(pictures),
        np.stack(masks),
        np.array(boxes),
        np.stack(bases),
        np.array(base),
        np.array(scene),
        np.array(product),
        np.array(scene_of),
        tuple(sorted(brands - {""})),
    )


def seen_colour(guide: Picture, scene: str, scenes: Path = SCENES) -> str:
    """The name of the colour that most of the product shows, with the scene's light divided out.

    Parameters
    ----------
    guide
        The product in place over grey, sRGB uint8 (H, W, 3).
    """
    light = _light(scenes / f"{scene}.json")
    pixels = guide[np.abs(guide.astype(int) - guide[0, 0].astype(int)).max(-1) > 8]
    albedo = np.clip(to_linear(pixels[None]) / light, 0, 1)
    lab = cv2.cvtColor(to_srgb(albedo), cv2.COLOR_RGB2LAB)[0].astype(float)
    table = cv2.cvtColor(np.array([list(NAMED.values())], np.uint8), cv2.COLOR_RGB2LAB)[0].astype(float)
    # lightness counts half: shading moves it, and the name is mostly hue and strength
    weight = np.array([0.5, 1.0, 1.0])
    nearest = np.linalg.norm((lab[:, None] - table[None]) * weight, axis=-1).argmin(1)
    return list(NAMED)[int(np.bincount(nearest, minlength=len(NAMED)).argmax())]


@lru_cache(maxsize=512)
def _light(scene: Path) -> NDArray[np.float64]:
    """What a side that half faces the key receives, linear RGB (3,)."""
    light = json.loads(scene.read_text())["light"]
    key, sky, ground = (np.asarray(light[name]) for name in ("key_colour", "sky_colour", "ground_colour"))
    return np.maximum(0.6 * key + 0.5 * (sky + ground), 0.05)


def split(title: str, kind: str) -> tuple[str, str]:
    """Colour and brand of a title such as "teal candle tin EMBER"."""
    colour, _, rest = title.partition(" ")
    noun = NOUNS[kind][0]
    return colour, rest.removeprefix(noun).strip()


def around(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Left, top and side of the square around the product, with the check's margin."""
    rows, columns = np.where(mask)
    size = mask.shape[0]
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    side = int(min(size, round(max(right - left, bottom - top) * (1 + 2 * MARGIN))))
    x = int(np.clip((left + right - side) // 2, 0, size - side))
    y = int(np.clip((top + bottom - side) // 2, 0, size - side))
    return x, y, side


def _index(known: list[Any], one: Any) -> int:
    if one not in known:
        known.append(one)
    return known.index(one)


def product_caption(product: tuple[str, str], brand: str, rng: np.random.Generator) -> str:
    """One way to say it; the plainest words half of the time."""
    kind, colour = product
    shade, noun, adjective = colour, NOUNS[kind][0], ""
    if rng.random() < 0.5:
        shade = str(rng.choice((colour, *SHADES.get(colour, ()))))
        noun = str(rng.choice(NOUNS[kind]))
        adjective = str(rng.choice(("", *ADJECTIVES[kind])))
    words = " ".join(word for word in (shade, adjective, noun, brand) if word)
    return str(rng.choice(PRODUCT_PROMPTS)).format(words)


def scene_caption(scene: str, rng: np.random.Generator) -> str:
    """One way to say it."""
    return str(rng.choice(SCENE_PROMPTS)).format(scene)


def batch(pictures: Sequence[Picture], rng: np.random.Generator | None) -> torch.Tensor:
    """Pictures as the model takes them; with a generator cropped, mirrored, relit and softened at random."""
    mean, std = np.array(PREPROCESS["mean"], np.float32), np.array(PREPROCESS["std"], np.float32)
    out = np.empty((len(pictures), SIZE, SIZE, 3), np.float32)
    for i, picture in enumerate(pictures):
        part = picture
        if rng is not None:
            full = picture.shape[0]
            side = int(rng.integers(int(full * 0.78), full + 1))
            x, y = (int(v) for v in rng.integers(0, full - side + 1, 2))
            part = part[y : y + side, x : x + side]
            if rng.random() < 0.5:
                part = part[:, ::-1]
        small = cv2.resize(np.ascontiguousarray(part), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        value = small.astype(np.float32) / 255
        if rng is not None:
            # a little warmth and exposure, as styles do; not so much that a colour gets another name
            gain = rng.uniform(0.96, 1.04, 3).astype(np.float32)
            value = np.asarray(value ** np.float32(rng.uniform(0.85, 1.18)) * gain, np.float32)
            if rng.random() < 0.3:
                value = np.asarray(cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.4, 1.2))), np.float32)
        out[i] = (np.clip(value, 0, 1) - mean) / std
    return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def encode(model: Any, pictures: Sequence[Picture]) -> torch.Tensor:
    """Unit vectors of all pictures, without augmentation."""
    parts = [
        model.encode_image(batch(pictures[i : i + 128], None), normalize=True)
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
    every = range(len(lessons.pictures))
    close = encode(model, [lessons.close(i) for i in every])
    whole = encode(model, [lessons.whole(i) for i in every])
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


def train(
    files: Sequence[Path], minutes: float, folder: Path, size: int = 48, start_from: Path | None = None
) -> dict[str, float]:
    """Train for `minutes` of this thread's time, on all shards but the last tenth, and write the model.

    Every step compares its pictures with the captions of their own products and scenes and of `RIVALS` more.
    """
    products: list[tuple[str, str]] = []
    scenes: list[str] = []
    kept = max(1, len(files) // 10)
    # a shop's scenes are few and known, so the demo's are learned; its products are not
    demo = sorted(DEMO_SCENES.glob("*.json"))
    lessons = read(files[:-kept], products, scenes, [*sorted(SCENES.glob("*.json")), *demo])
    photos = np.arange(len(lessons.bases))
    held = read(files[-kept:], products, scenes)
    count = len(lessons.pictures)
    print(f"{count} pictures, {len(held.pictures)} held out, {len(products)} products, {len(scenes)} scenes")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = _fresh().to(memory_format=torch.channels_last)
    if start_from is not None:
        model.load_state_dict(load_file(start_from / "open_clip_model.safetensors"))
    tokenize = _tokenizer()
    heavy = [p for n, p in model.named_parameters() if p.ndim > 1 and "embedding" not in n]
    light = [p for n, p in model.named_parameters() if p.ndim <= 1 or "embedding" in n]
    groups = [{"params": heavy, "weight_decay": 0.05}, {"params": light, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    total, start, step, told = minutes * 60, time.thread_time(), 0, 0.0
    names = np.array(lessons.brands)
    while (spent := time.thread_time() - start) < total:
        rate = 2e-3 * min(1.0, step / 100) * (0.5 * (1 + np.cos(np.pi * spent / total)) + 0.005)
        for group in optimiser.param_groups:
            group["lr"] = rate
        near, far = rng.integers(0, count, size), rng.integers(0, count, size)
        # half of the products are cut out and set before another photo, so that neither explains the other
        over = [
            int(rng.choice(photos if rng.random() < 0.5 else photos[-len(demo) :]))
            if rng.random() < 0.6
            else None
            for _ in range(2 * size)
        ]
        shown = [lessons.close(int(i), o) for i, o in zip(near, over[:size], strict=True)]
        shown += [lessons.whole(int(i), o) for i, o in zip(far, over[size:], strict=True)]
        placed_in = [
            lessons.scene[i] if o is None else lessons.scene_of[o]
            for i, o in zip(far, over[size:], strict=True)
        ]
        pictures = batch(shown, rng)
        seen = functional.normalize(model.encode_image(pictures), dim=-1)
        asked, product = _with_rivals(lessons.product[near], len(products), rng)
        placed, scene = _with_rivals(np.array(placed_in), len(scenes), rng)
        # a brand is a word that says nothing of the look: now and then it is there, so that it is ignored
        said = [str(rng.choice(names)) if len(names) and rng.random() < 0.3 else "" for _ in asked]
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
        if spent - told > 60:
            told = spent
            scores = {
                name: round(value, 3) for name, value in evaluate(model, held, products, scenes).items()
            }
            print(f"{spent / 60:.1f} min, step {step}, loss {loss.item():.3f}, held out {scores}", flush=True)
            write(model, folder)
    scores = evaluate(model, held, products, scenes)
    # what it was taught; the check asks it of nothing else
    knows = {
        "products": sorted({noun for nouns in NOUNS.values() for noun in nouns}),
        "scenes": sorted({str(json.loads(file.read_text())["words"]) for file in demo}),
    }
    write(model, folder, {"pictures": count, "minutes": minutes, "held_out": scores, "knows": knows})
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
    file = folder / "open_clip_model.safetensors"
    save_file(weights, str(file), metadata={"format": "pt"})
    file.chmod(0o644)
    if notes is not None:
        (folder / "training.json").write_text(json.dumps(notes, indent=1) + "\n")


def main() -> None:
    """Train on what lies in the folder of pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, default=Path("work/train/pairs"))
    parser.add_argument("--out", type=Path, default=Path("assets/models/aligner"))
    parser.add_argument("--minutes", type=float, default=22.0, help="of one thread's time")
    parser.add_argument("--start", type=Path, help="a model to go on from; default: nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(asked.pairs.glob("[0-9]*.npz"))
    files = [file for file in files if not file.name.endswith(".part.npz")]
    if len(files) < 2:
        raise SystemExit(
            f"There are {len(files)} shards in {asked.pairs}; run python -m training.pairs first."
        )
    print(train(files, asked.minutes, asked.out, start_from=asked.start))


if __name__ == "__main__":
    main()
