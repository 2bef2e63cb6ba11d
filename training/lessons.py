"""Lessons for the embedded aligner: random products cut out square, lit as their scenes are, named by truth.

A lesson is a product as it stands in a random scene's camera and light, without the scene: it is set
before any base photo later, so that neither explains the other. What colour it has follows from the unlit
albedo that the view shows, not from the specification, whose body colour may be hidden under a label. Run
``python -m training.lessons`` to make them; the aligner is then trained on the files alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.errors import PacklineError
from packline.scenes import Light, Scene, load_scene
from training.pairs import NAMED

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
FRAME = 256  # pixels on a side of the scene's picture that a product is drawn in
CHIP = 128  # of its cut-out
MARGIN = 0.4  # around the product; the check's own is 0.25, so that training may crop and shift
SIDES = ("hero", "front", "three-quarter", "left", "right")
COLOURS = tuple(NAMED)
NEAR = 7.0  # CIELAB distance at which a pixel hardly counts for a name any more
SURE = 0.42  # the least share of the dominant name where the albedo is estimated
HALF_NAMED = 0.5  # of the products get a body of a named colour, so that no name is rare


@dataclass(frozen=True)
class Lessons:
    """Cut-outs and what they show.

    Parameters
    ----------
    chips
        sRGB and coverage, uint8 (N, CHIP, CHIP, 4).
    albedo
        The unlit base colour of the same pixels, sRGB uint8 (N, CHIP, CHIP, 3); 0 where it is not known.
    boxes
        Left, top and side of each chip in its scene's picture of FRAME pixels, int (N, 3).
    colours
        How much of what the view shows goes by each name of `COLOURS`, float32 (N, 20), rows sum to 1.
    kinds
        Index into `training.products.KINDS`, int (N,).
    seeds
        Of the product; the cut-outs of one product share it, int (N,).
    """

    chips: Picture
    albedo: Picture
    boxes: NDArray[np.int64]
    colours: Floats
    kinds: NDArray[np.int64]
    seeds: NDArray[np.int64]

    @staticmethod
    def read(files: Sequence[Path]) -> Lessons:
        """Read shards that `main` wrote."""
        shards = [dict(np.load(file)) for file in files]
        for shard in shards:
            shard.setdefault("albedo", np.zeros_like(shard["chips"][..., :3]))
        return Lessons(**{name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]})


def colour_shares(albedo: Picture, mask: NDArray[np.bool_]) -> Floats:
    """How much of the masked albedo goes by each name, float32 (20,), sum 1.

    A pixel between two names counts for both, as people do not agree there either.

    Parameters
    ----------
    albedo
        Unlit base colour, sRGB uint8 (H, W, 3).
    """
    pixels = albedo[mask][None].astype(np.float32) / 255
    table = np.array([list(NAMED.values())], np.float32) / 255
    lab, names = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[0], cv2.cvtColor(table, cv2.COLOR_RGB2LAB)[0]
    distance = np.linalg.norm(lab[:, None] - names[None], axis=-1)
    near = np.exp(-((distance - distance.min(1, keepdims=True)) / NEAR))
    shares = (near / near.sum(1, keepdims=True)).mean(0)
    return np.asarray(shares / shares.sum(), np.float32)


def seen_from(scene: Scene, pose: NDArray[np.float64], size: int) -> tuple[Camera, Light]:
    """The scene's camera and light as a product sees them that stands there under `pose` (a turn about Y).

    So one upload of a product serves all its scenes.
    """
    factor = float(np.cbrt(np.linalg.det(pose[:3, :3])))
    turn = pose[:3, :3] / factor

    def point(value: Sequence[float]) -> tuple[float, float, float]:
        x, y, z = ((np.asarray(value) - pose[:3, 3]) @ turn) / factor
        return float(x), float(y), float(z)

    x, y, z = np.asarray(scene.light.key_direction) @ turn
    camera = Camera(point(scene.camera.eye), point(scene.camera.target), scene.camera.fov_y, size, size)
    return camera, replace(scene.light, key_direction=(float(x), float(y), float(z)))


def lessons_of(seed: int, scenes: Sequence[Scene], each: int, rasteriser: Any) -> dict[str, NDArray[Any]]:
    """One random product in `each` random scenes and poses, as `Lessons`' fields; the seed decides all."""
    from packline.stage.lighting import develop, shade
    from packline.stage.load import load_model
    from packline.stage.views import scene_pose
    from training.products import KINDS, build, random_spec

    rng = np.random.default_rng([41, seed])
    kind = int(rng.integers(len(KINDS)))
    spec = replace(random_spec(KINDS[kind], rng), texture=384)
    if rng.random() < HALF_NAMED:
        named = np.array(list(NAMED.values()))[rng.integers(len(NAMED))] + rng.normal(0, 6, 3)
        red, green, blue = (int(v) for v in np.clip(named, 2, 252))
        spec = replace(spec, body=(red, green, blue))
        if rng.random() < 0.6:  # cartons and pouches are all paper
            spec = replace(spec, paper=spec.body)
    made, truth = build(KINDS[kind], spec)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        file = Path(folder) / "product.glb"
        file.write_bytes(made.export(file_type="glb"))  # type: ignore[no-untyped-call]
        (Path(folder) / "product.truth.json").write_text(json.dumps(truth))
        model = load_model(file)
    chips, unlit, boxes, colours = [], [], [], []
    with rasteriser.staged(model) as stage:
        for _ in range(each):
            scene = scenes[int(rng.integers(len(scenes)))]
            shift = rng.uniform(-2.0, 2.0, 2) * scene.place.shift
            pose = scene_pose(
                model,
                scene,
                str(rng.choice(SIDES)),
                shift=(float(shift[0]), float(shift[1])),
                turn=float(rng.uniform(-14, 14)),
                scale=float(rng.uniform(0.75, 1.1)),
            )
            camera, light = seen_from(scene, pose, FRAME)
            buffer = stage.gbuffer(camera)
            mask = np.asarray(buffer.mask, np.float32)
            if (mask > 0.5).sum() < 600:
                continue
            lit = develop(shade(buffer, camera, light, 0.0))
            albedo = to_srgb(buffer.albedo)
            x, y, side = around(mask > 0.5)
            cut = np.dstack([lit, np.round(mask * 255).astype(np.uint8)])[y : y + side, x : x + side]
            chips.append(cv2.resize(cut, (CHIP, CHIP), interpolation=cv2.INTER_AREA))
            unlit.append(
                cv2.resize(albedo[y : y + side, x : x + side], (CHIP, CHIP), interpolation=cv2.INTER_AREA)
            )
            boxes.append((x, y, side))
            colours.append(colour_shares(albedo, mask > 0.9))
    count = len(chips)
    return {
        "chips": np.array(chips, np.uint8).reshape(count, CHIP, CHIP, 4),
        "albedo": np.array(unlit, np.uint8).reshape(count, CHIP, CHIP, 3),
        "boxes": np.array(boxes, np.int64).reshape(count, 3),
        "colours": np.array(colours, np.float32).reshape(count, len(COLOURS)),
        "kinds": np.full(count, kind, np.int64),
        "seeds": np.full(count, seed, np.int64),
    }


def from_pairs(file: Path, scenes: Path) -> dict[str, NDArray[Any]]:
    """The editor's lessons (`training.pairs`) as the fields of `Lessons`: no picture is drawn twice.

    They hold no albedo. Each pixel's is estimated with the scene's light divided out, and is then taken to be
    the nearest of the colours that the product was printed with, where one is near.
    """
    from training.products import KINDS, random_spec

    with np.load(file) as data:
        guides, metas = data["guide"], [json.loads(str(one)) for one in data["meta"]]
    fields: dict[str, list[Any]] = {name: [] for name in Lessons.__annotations__}
    for guide, meta in zip(guides, metas, strict=True):
        mask = np.abs(guide.astype(int) - guide[0, 0].astype(int)).max(-1) > 6
        mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        if mask.sum() < 600:
            continue
        rng = np.random.default_rng([7, meta["seed"]])
        spec = random_spec(str(rng.choice(KINDS)), rng)
        if spec.kind != meta["kind"]:
            raise ValueError(f"{file} was made by another training.products; make it anew.")
        x, y, side = around(mask > 0)
        window = np.s_[y : y + side, x : x + side]
        light = _half_facing(scenes / f"{meta['scene']}.json")
        flat = to_srgb(np.clip(to_linear(guide[window]) / light, 0, 1).astype(np.float32))
        prints = np.array([spec.body, spec.paper, spec.ink, spec.accent, spec.cap], np.uint8)
        albedo, solid = _printed(flat, prints), cv2.erode(mask, np.ones((3, 3)))[window] > 0
        colours = colour_shares(albedo, solid)
        if colours.max() < SURE:  # an estimate may be wrong where nothing dominates
            continue
        cover = cv2.GaussianBlur(mask[window].astype(np.float32), (0, 0), 0.6) * 255
        cut = np.dstack([guide[window], cover.astype(np.uint8)])
        fields["chips"].append(cv2.resize(cut, (CHIP, CHIP), interpolation=cv2.INTER_AREA))
        fields["albedo"].append(cv2.resize(albedo, (CHIP, CHIP), interpolation=cv2.INTER_AREA))
        fields["boxes"].append((x, y, side))
        fields["colours"].append(colours)
        fields["kinds"].append(KINDS.index(spec.kind))
        fields["seeds"].append(1_000_000 + meta["seed"])
    return {
        "chips": np.array(fields["chips"], np.uint8),
        "albedo": np.array(fields["albedo"], np.uint8),
        "boxes": np.array(fields["boxes"], np.int64),
        "colours": np.array(fields["colours"], np.float32),
        "kinds": np.array(fields["kinds"], np.int64),
        "seeds": np.array(fields["seeds"], np.int64),
    }


@lru_cache(maxsize=512)
def _half_facing(scene: Path) -> Floats:
    """What a side that half faces the key receives, linear RGB (3,)."""
    light = load_scene(scene).light
    key, sky, ground = (np.asarray(v) for v in (light.key_colour, light.sky_colour, light.ground_colour))
    return np.asarray(np.maximum(0.6 * key + 0.5 * (sky + ground), 0.05), np.float32)


def _printed(flat: Picture, prints: Picture) -> Picture:
    """Each pixel as the nearest print colour where one is near; shading moves lightness: it counts half."""
    weight = np.array([0.5, 1, 1], np.float32)
    lab = cv2.cvtColor(flat.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * weight
    inks = cv2.cvtColor(prints[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0] * weight
    distance = np.linalg.norm(lab[:, :, None] - inks, axis=-1)
    near = (distance.min(-1) < 22)[..., None]
    return np.asarray(np.where(near, prints[distance.argmin(-1)], flat), np.uint8)


def around(mask: NDArray[np.bool_], margin: float = MARGIN) -> tuple[int, int, int]:
    """Left, top and side of the square around the product, within the picture."""
    size = mask.shape[0]
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    side = int(min(size, round(max(width, height) * (1 + 2 * margin))))
    x = int(np.clip(left + (width - side) // 2, 0, size - side))
    y = int(np.clip(top + (height - side) // 2, 0, size - side))
    return x, y, side


def main() -> None:
    """Make shards, skipping those that are there."""
    from packline.stage.raster import Rasteriser

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="first shard")
    parser.add_argument("--last", type=int, default=22, help="shard to stop before")
    parser.add_argument("--products", type=int, default=100, help="in a shard")
    parser.add_argument("--each", type=int, default=3, help="views of each product")
    parser.add_argument("--scenes", type=Path, default=Path("work/train/scenes"))
    parser.add_argument("--out", type=Path, default=Path("work/train/lessons"))
    parser.add_argument("--pairs", type=Path, help="take these editor's lessons instead of drawing any")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.pairs:
        for file in sorted(asked.pairs.glob("[0-9]*.npz")):
            taken: dict[str, Any] = from_pairs(file, asked.scenes)
            np.savez(asked.out / f"8{file.stem[-2:]}.npz", **taken)
        return
    scenes = [load_scene(file) for file in sorted(asked.scenes.glob("*.json"))]
    rasteriser = Rasteriser(FRAME)
    for shard in range(asked.first, asked.last):
        file = asked.out / f"{shard:04d}.npz"
        if file.exists():
            continue
        start, made = time.process_time(), []
        for product in range(asked.products):
            try:
                made.append(lessons_of(shard * asked.products + product, scenes, asked.each, rasteriser))
            except PacklineError as error:
                print(f"shard {shard} product {product}: {error}", flush=True)
        part = file.with_suffix(".part.npz")
        whole: dict[str, Any] = {name: np.concatenate([one[name] for one in made]) for name in made[0]}
        np.savez(part, **whole)
        part.rename(file)
        count = sum(len(one["seeds"]) for one in made)
        cost = (time.process_time() - start) / max(count, 1)
        print(f"{file} {count} lessons, {cost * 1000:.0f} ms CPU each", flush=True)


if __name__ == "__main__":
    main()
