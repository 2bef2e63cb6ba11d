"""Training pairs for the embedded editor: base photo and references in, the true composite out.

A pair is a random product (`training.products`) rendered by the stage in the camera and light of a random
scene (`training.scenes`), and the picture that a perfect editor would make of it: the photo under the
product's true shadow with the product in it. Run ``python -m training.pairs`` to make them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.editing.cutout import fill, grounded
from packline.errors import PacklineError
from packline.stage.lighting import untone

Picture = NDArray[np.uint8]
SIZE = 256  # pixels on a side that the embedded editor works at
SIDE = 64  # of the side and top views
GUIDE_GREY = 205.0  # background of references
PASSES = ("base", "out", "guide", "side", "top")


@dataclass(frozen=True)
class Pair:
    """One lesson.

    Parameters
    ----------
    base, out, guide
        The photo, the true composite and the product in place over grey, sRGB uint8 (SIZE, SIZE, 3).
    side, top
        Further views, sRGB uint8 (SIDE, SIDE, 3).
    meta
        "words", "scene_words", "light_words" for the prompt; "kind" and seeds for the record.
    """

    base: Picture
    out: Picture
    guide: Picture
    side: Picture
    top: Picture
    meta: dict[str, Any]

    @property
    def shown(self) -> Picture:
        """The guide as the line shows it to an engine: with the shadow that the product throws.

        How dark it is follows from the photo and the true composite, wherever the product does not hide it.
        """
        product = (np.abs(self.guide.astype(int) - self.guide[0, 0].astype(int)).max(-1) > 6).astype(np.uint8)
        product = cv2.morphologyEx(product, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        made, photo = (cv2.blur(untone(to_linear(one)), (3, 3)) for one in (self.out, self.base))
        ratio = np.clip((made + 0.003) / (photo + 0.003), 0, 1).astype(np.float32)
        # blurring mixed the product into the pixels beside it
        sure = (cv2.dilate(product, np.ones((3, 3), np.uint8)) == 0).astype(np.float32)
        shadow = np.round(fill(ratio, sure, (1.0, 3.0, 9.0)).mean(-1) * 255).astype(np.uint8)
        return grounded(self.guide, cv2.blur(product * np.uint8(255), (3, 3)), shadow)


def save_pairs(pairs: Sequence[Pair], file: Path) -> None:
    """Write a shard; whole or not at all."""
    arrays = {name: np.stack([getattr(pair, name) for pair in pairs]) for name in PASSES}
    part = file.with_suffix(".part.npz")
    np.savez(part, **arrays, meta=np.array([json.dumps(pair.meta) for pair in pairs]))
    part.rename(file)


def load_pairs(file: Path) -> list[Pair]:
    """Read a shard."""
    data = np.load(file)
    arrays = {name: data[name] for name in PASSES}
    return [
        Pair(*(arrays[name][i] for name in PASSES), json.loads(str(meta)))
        for i, meta in enumerate(data["meta"])
    ]


NAMED = {
    "red": (200, 40, 40), "orange": (235, 130, 40), "yellow": (240, 205, 60), "green": (60, 150, 70),
    "teal": (30, 140, 140), "blue": (45, 85, 190), "navy": (28, 36, 80), "purple": (115, 60, 150),
    "pink": (235, 150, 175), "brown": (110, 70, 45), "beige": (215, 195, 165), "white": (243, 242, 238),
    "grey": (140, 142, 146), "black": (28, 28, 32), "mint": (165, 220, 195), "cream": (244, 234, 205),
    "olive": (110, 115, 55), "coral": (240, 115, 95), "lavender": (190, 170, 225), "maroon": (105, 25, 40),
}  # fmt: skip


def colour_name(rgb: tuple[int, int, int]) -> str:
    """The nearest of `NAMED` in CIELAB."""
    import cv2

    table = np.array([[*NAMED.values(), rgb]], np.uint8)
    lab = cv2.cvtColor(table, cv2.COLOR_RGB2LAB).astype(float)[0]
    return list(NAMED)[int(np.argmin(np.linalg.norm(lab[:-1] - lab[-1], axis=1)))]


def product_of(seed: int, texture: int = 512) -> tuple[str, Any, Any]:
    """A random product: its kind, its title as a catalogue would say it, and its model as the stage reads it.

    Returns
    -------
    (str, str, packline.stage.model.ProductModel)
    """
    import tempfile

    from packline.stage.load import load_model
    from training.products import KINDS, build, random_spec

    rng = np.random.default_rng([7, seed])
    kind = str(rng.choice(KINDS))
    spec = replace(random_spec(kind, rng), texture=texture)
    made, truth = build(kind, spec)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        file = Path(folder) / "product.glb"
        file.write_bytes(made.export(file_type="glb"))
        (Path(folder) / "product.truth.json").write_text(json.dumps(truth))
        model = load_model(file)
    title = f"{colour_name(spec.body)} {truth['words']}"
    # half of the titles name the brand; from a generator of its own, so that poses do not hang on it
    if np.random.default_rng([11, seed]).random() < 0.5:
        title = f"{title} {spec.brand}"
    return kind, title, model


def make_pairs(seed: int, scenes: Sequence[Path], each: int) -> list[Pair]:
    """One random product in `each` random scenes and poses; the seed decides all.

    Parameters
    ----------
    scenes
        Scene files at `SIZE` pixels.
    """
    from packline.scenes import load_scene
    from packline.stage.lighting import shade, studio_light
    from packline.stage.self_shadow import self_shadow
    from packline.stage.shadow import composite, ground_shadow, shadow_ratio
    from packline.stage.views import canonical_camera, scene_pose

    rng = np.random.default_rng([13, seed])
    kind, title, model = product_of(seed)
    raster = rasteriser()
    grey = to_linear_grey()
    views = []
    with raster.staged(model) as stage:
        for view in ("left", "top"):
            camera = canonical_camera(model, view, SIDE)
            buffer = stage.gbuffer(camera)
            light = studio_light(camera)
            seen = self_shadow(stage, camera, buffer, light)
            views.append(over(shade(buffer, camera, light, visibility=seen), buffer.mask, grey))
    pairs = []
    for _ in range(each):
        scene = load_scene(scenes[int(rng.integers(len(scenes)))])
        side = str(rng.choice(["hero", "front", "three-quarter", "left", "right"]))
        place = scene.place
        shift = rng.uniform(-2.0, 2.0, 2) * place.shift
        pose = scene_pose(
            model,
            scene,
            side,
            shift=(float(shift[0]), float(shift[1])),
            turn=float(rng.uniform(-12, 12)),
            scale=float(rng.uniform(0.8, 1.08)),
        )
        with raster.staged(model.transformed(pose)) as stage:
            buffer = stage.gbuffer(scene.camera)
            shadow = shadow_ratio(
                scene.light, *ground_shadow(stage, scene.camera, scene.light, ground=place.position[1])
            )
            seen = self_shadow(stage, scene.camera, buffer, scene.light)
        colour = shade(buffer, scene.camera, scene.light, place.position[1], seen)
        photo = scene.photo()
        meta = {
            "words": title,
            "scene_words": scene.words,
            "light_words": scene.light.words,
            "kind": kind,
            "seed": seed,
            "scene": scene.name,
        }
        pairs.append(
            Pair(
                photo,
                composite(photo, colour, buffer.mask, shadow),
                over(colour, buffer.mask, grey),
                views[0],
                views[1],
                meta,
            )
        )
    return pairs


@lru_cache(maxsize=1)
def rasteriser() -> Any:
    """One renderer a process."""
    from packline.stage.raster import Rasteriser

    return Rasteriser(SIZE)


def to_linear_grey() -> float:
    """`GUIDE_GREY` in linear light."""
    from packline.colour import to_linear

    return float(to_linear(np.full((1, 1, 3), GUIDE_GREY, np.uint8))[0, 0, 0])


def over(colour: NDArray[np.float32], mask: NDArray[np.float32], grey: float) -> Picture:
    """A lit product over neutral grey, sRGB."""
    from packline.stage.lighting import develop

    return develop(colour * mask[..., None] + grey * (1 - mask[..., None]))


def main() -> None:
    """Make shards, skipping those that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="first shard")
    parser.add_argument("--last", type=int, default=60, help="shard to stop before")
    parser.add_argument("--products", type=int, default=25, help="in a shard")
    parser.add_argument("--each", type=int, default=4, help="pairs of each product")
    parser.add_argument("--scenes", type=Path, default=Path("work/train/scenes"))
    parser.add_argument("--out", type=Path, default=Path("work/train/pairs"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for shard in range(asked.first, asked.last):
        file = asked.out / f"{shard:04d}.npz"
        if file.exists():
            continue
        scenes = sorted(asked.scenes.glob("*.json"))
        start, pairs = time.process_time(), []
        for product in range(asked.products):
            try:
                pairs += make_pairs(shard * asked.products + product, scenes, asked.each)
            except PacklineError as error:
                print(f"shard {shard} product {product}: {error}", flush=True)
        save_pairs(pairs, file)
        cost = (time.process_time() - start) / max(len(pairs), 1)
        print(f"{file} {len(pairs)} pairs, {cost * 1000:.0f} ms CPU each", flush=True)


if __name__ == "__main__":
    main()
