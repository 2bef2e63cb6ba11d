"""Products of the bench: the calibration split's are there to train and tune on, the test split's are not.

They share no product, words or font, and each has kinds that the other lacks.

Each product is written as a GLB with its sidecar and read by `packline.stage.load`, as a customer's is.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packline.stage.load import load_model
from packline.stage.model import ProductModel
from scoring.bench.products import bottles, homeware, outdoors, packs
from scoring.bench.products.built import Built
from scoring.bench.products.spec import ONLY, SPLITS, BenchSpec, colour_word, random_spec
from scoring.bench.products.surfaces import as_glb

_BUILDERS: dict[str, Callable[[BenchSpec], Built]] = {
    "detergent jug": bottles.jug,
    "perfume flacon": bottles.flacon,
    "wine bottle": bottles.wine,
    "spray bottle": bottles.spray,
    "yoghurt cup": bottles.cup,
    "paint bucket": bottles.bucket,
    "vacuum flask": bottles.flask,
    "cereal box": packs.cereal,
    "tea box": packs.tea,
    "soap bar": packs.soap,
    "book": packs.book,
    "gift bag": packs.bag,
    "record": packs.sleeve,
    "table lamp": homeware.lamp,
    "clock": homeware.clock,
    "kettle": homeware.kettle,
    "blender": homeware.blender,
    "speaker": homeware.speaker,
    "chair": homeware.chair,
    "backpack": outdoors.backpack,
    "baseball cap": outdoors.cap,
    "headphones": outdoors.headphones,
    "toy car": outdoors.car,
    "skateboard": outdoors.skateboard,
    "game pad": outdoors.pad,
}
KINDS: dict[str, tuple[str, ...]] = {
    split: tuple(
        kind for kind in _BUILDERS if all(kind not in ONLY[other] for other in SPLITS if other != split)
    )
    for split in SPLITS
}


def load_product(spec: BenchSpec) -> ProductModel:
    """Build a product, write it as GLB and sidecar, and read it back as any product is read."""
    pieces, labels = _BUILDERS[spec.kind](spec)
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        file = Path(folder) / "product.glb"
        file.write_bytes(as_glb(pieces))
        file.with_name("product.truth.json").write_text(json.dumps({"front": 0, "labels": labels}))
        return load_model(file)


def title_of(spec: BenchSpec) -> str:
    """What a catalogue calls it: "red detergent jug"."""
    return f"{colour_word(spec.body)} {spec.kind}"


def seen_title(spec: BenchSpec, albedo: NDArray[np.uint8], mask: NDArray[np.uint8]) -> str:
    """What one would call it who sees it: by the colour of more than half of its picture, else by kind alone.

    Parameters
    ----------
    albedo, mask
        Of the view: sRGB uint8 (H, W, 3), coverage uint8 (H, W).
    """
    pixels, counts = np.unique(albedo[mask > 250] // 16, axis=0, return_counts=True)
    words: Counter[str] = Counter()
    for pixel, count in zip(pixels, counts, strict=True):
        red, green, blue = (int(v) * 16 + 8 for v in pixel)
        words[colour_word((red, green, blue))] += int(count)
    if not words:
        return spec.kind
    word, most = words.most_common(1)[0]
    return f"{word} {spec.kind}" if most > 0.5 * words.total() else spec.kind


__all__ = ["KINDS", "SPLITS", "BenchSpec", "load_product", "random_spec", "seen_title", "title_of"]
