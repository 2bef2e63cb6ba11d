"""Pictures for the colour check's lessons: honest photographs of products, and the same with a colour astray.

A random product (`training.products`) stands in a random scene. Its truth is rendered under the scene's own
light; its photographs under light that strays as an honest picture's may, in a pose that strays, under a
style over the whole picture, softened and compressed. Each light and pose is photographed twice: as it
should be, and with one swatch, one part or the whole product shifted by a known CIEDE2000. Run
``python -m training.colour_pictures`` to make the shards.
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

from packline.colour import ciede2000, from_lab, to_lab, to_linear, to_srgb
from packline.errors import PacklineError

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
SIZE = 512
PAD = 12  # pixels around the product that are kept
TAKES, LIGHTS = 2, 3  # of each product; of each take


@dataclass(frozen=True)
class Photograph:
    """One picture, aligned, cut to the product.

    Parameters
    ----------
    picture
        sRGB uint8 (h, w, 3).
    style
        `Style.coefficients`, strength and noise of the whole picture.
    meta
        "kind" ("good", "swatch", "part", "whole"), "delta_e", "part" and "swatch" that was shifted, "way"
        ("albedo" or "picture"), "light" and what else was done.
    """

    picture: Picture
    style: Floats
    meta: dict[str, Any]


@dataclass(frozen=True)
class Take:
    """A product in a scene: its truth, cut to the product, and its photographs.

    Parameters
    ----------
    passes
        "colour", "albedo" (sRGB uint8), "normals" (int8, times 127), "parts", "mask" (uint8) of the cut.
    meta
        "kind" of product, "seed", "scene", "box" of the cut, "colours" as in a reference's file.
    """

    passes: dict[str, NDArray[Any]]
    meta: dict[str, Any]
    photographs: tuple[Photograph, ...]


def make_takes(seed: int, scenes: Sequence[Path]) -> list[Take]:
    """One random product in `TAKES` random scenes; the seed decides all."""
    from packline.scenes import load_scene
    from packline.stage.load import load_model
    from training.products import KINDS, build, random_spec

    rng = np.random.default_rng([66, seed])
    kind = str(rng.choice(KINDS))
    spec = replace(random_spec(kind, rng), texture=512)
    if rng.random() < 0.08:  # of one colour
        spec = replace(spec, paper=spec.body, cap=spec.body, accent=spec.body, ink=spec.body)
    made, truth = build(kind, spec)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        file = Path(folder) / "product.glb"
        file.write_bytes(made.export(file_type="glb"))
        (Path(folder) / "product.truth.json").write_text(json.dumps(truth))
        model = load_model(file)
    takes = []
    for _ in range(TAKES):
        scene = load_scene(scenes[int(rng.integers(len(scenes)))])
        side = str(rng.choice(["hero", "front", "three-quarter", "left", "right", "back"]))
        takes.append(_take(model, scene, side, rng, {"kind": kind, "seed": seed}))
    return takes


def _take(model: Any, scene: Any, side: str, rng: np.random.Generator, meta: dict[str, Any]) -> Take:
    from packline.stage.layers import flattened
    from packline.stage.lighting import shade
    from packline.stage.render import render_reference, scene_camera
    from packline.stage.self_shadow import self_shadow
    from packline.stage.shadow import composite
    from packline.stage.views import scene_pose
    from scoring.style import fit_style, small, surroundings

    camera = scene_camera(scene, SIZE)
    base = cv2.resize(scene.photo(), (camera.width, camera.height), interpolation=cv2.INTER_CUBIC)
    ground = scene.place.position[1]
    pose = scene_pose(model, scene, side)
    with rasteriser().staged(model.transformed(pose)) as stage:
        truth = render_reference(stage, "scene", camera, scene)
    around = surroundings(truth.mask, truth.shadow)
    left, top, width, height = cv2.boundingRect(truth.mask)
    cut = np.s_[
        max(0, top - PAD) : min(camera.height, top + height + PAD),
        max(0, left - PAD) : min(camera.width, left + width + PAD),
    ]
    box = (cut[1].start, cut[0].start, cut[1].stop, cut[0].stop)
    photographs = []
    for _ in range(LIGHTS):
        light, tint, words = stray_light(scene.light, rng)
        stray = scene_pose(
            model,
            scene,
            side,
            shift=(float(rng.normal(0, 0.006)), float(rng.normal(0, 0.006))),
            turn=float(rng.normal(0, 2.0)),
            scale=float(np.clip(rng.normal(1, 0.015), 0.95, 1.05)),
        )
        with rasteriser().staged(model.transformed(stray)) as stage:
            buffer = flattened(stage.gbuffer(camera))
            seen = self_shadow(stage, camera, buffer, light)
        shadow = np.asarray(truth.shadow, np.float32) / 255
        matrix = _homography(truth, pose, stray, camera, rng)
        matrix[:2, 2] += rng.normal(0, 0.5, 2)
        lamp = to_srgb(np.clip(to_linear(base) * tint, 0, 1))
        for good in (True, False):
            shift = None if good else _shift(truth, buffer, rng)
            albedo = buffer.albedo if shift is None else shift.albedo
            colour = shade(replace(buffer, albedo=albedo), camera, light, ground, seen)
            colour = colour * _unevenness(rng, buffer.mask.shape)
            picture = composite(lamp, colour, buffer.mask, shadow)
            if shift is not None and shift.in_picture is not None:
                picture = shift.in_picture(picture)
            picture, done = finish(picture, rng)
            size = (camera.width, camera.height)
            style = fit_style(small(base), small(picture), around)
            aligned = cv2.warpPerspective(
                picture,
                matrix,
                size,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            row = np.concatenate([style.coefficients.ravel(), [style.strength, style.noise]])
            facts = {"kind": "good", "delta_e": 0.0} if shift is None else shift.meta
            photographs.append(
                Photograph(np.asarray(aligned[cut], np.uint8), row.astype(np.float32), facts | words | done)
            )
    passes = {
        "colour": truth.colour[cut],
        "albedo": truth.albedo[cut],
        "normals": np.round(truth.normals[cut] * 127).astype(np.int8),
        "parts": truth.parts[cut].astype(np.uint8),
        "mask": truth.mask[cut],
    }
    colours = [part.to_dict() for part in truth.colours]
    facts = meta | {"scene": scene.name, "side": side, "box": box, "frame": (camera.width, camera.height)}
    return Take(passes, facts | {"colours": colours}, tuple(photographs))


def stray_light(light: Any, rng: np.random.Generator) -> tuple[Any, Floats, dict[str, Any]]:
    """A light like the scene's, and the tint, linear RGB, that a warmer or colder lamp lays over all."""
    direction = np.asarray(light.key_direction, float)
    turn, tilt = np.radians(rng.normal(0, 12)), np.radians(rng.normal(0, 6))
    x, y, z = direction / np.linalg.norm(direction)
    height = np.clip(np.arcsin(y) + tilt, np.radians(8), np.radians(85))
    about = np.arctan2(x, z) + turn
    moved = (np.sin(about) * np.cos(height), np.sin(height), np.cos(about) * np.cos(height))
    warm = float(np.clip(rng.normal(0, 0.45), -1, 1)) if rng.random() < 0.5 else 0.0
    tint = np.exp(warm * np.array([0.10, 0.0, -0.16])).astype(np.float32)
    tint /= tint @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    # lights that an editor draws differ a little in colour from those that light the scene
    own = [np.exp(rng.normal(0, 0.012, 3)) for _ in range(3)]
    key, sky = float(np.exp(rng.normal(0, 0.14))), float(np.exp(rng.normal(0, 0.14)))

    def lit(colour: Any, gain: float, k: int) -> tuple[float, float, float]:
        r, g, b = np.asarray(colour) * gain * tint * own[k]
        return float(r), float(g), float(b)

    strayed = replace(
        light,
        key_direction=tuple(float(v) for v in moved),
        key_colour=lit(light.key_colour, key, 0),
        sky_colour=lit(light.sky_colour, sky, 1),
        ground_colour=lit(light.ground_colour, sky, 2),
        key_size=float(np.clip(light.key_size * np.exp(rng.normal(0, 0.2)), 1, 40)),
    )
    words = {"turn": float(np.degrees(turn)), "key": key, "sky": sky, "warm": warm}
    return strayed, tint, words


def _unevenness(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """The rough light that some editors leave on a product: a smooth factor about 1, (H, W, 3)."""
    if rng.random() < 0.5:
        return np.ones((1, 1, 3), np.float32)
    grid = int(rng.integers(4, 17))
    grey = rng.normal(0, rng.uniform(0, 0.12), (grid, grid, 1))
    tint = rng.normal(0, rng.uniform(0, 0.02), (grid, grid, 3))
    field = cv2.resize((grey + tint).astype(np.float32), shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.exp(field), np.float32)


@dataclass(frozen=True)
class _Shift:
    albedo: Floats
    in_picture: Any
    meta: dict[str, Any]


def _shift(truth: Any, buffer: Any, rng: np.random.Generator) -> _Shift:
    """Shift a swatch, a part or the whole product by a CIEDE2000 of 2 to 8 in a random direction."""
    wanted = float(rng.choice([2.0, 3.0, 5.0, 5.0, 8.0]))
    kind = str(rng.choice(["swatch", "part", "part", "whole"]))
    seen = [one for one in truth.colours if one.visible > 0.02 and one.swatches]
    inside = buffer.mask > 0
    lab = np.zeros((*buffer.albedo.shape[:2], 3), np.float32)
    lab[inside] = to_lab(np.clip(buffer.albedo[inside], 0, 1))
    part = seen[int(rng.integers(len(seen)))] if seen else None
    chosen, swatch = inside, -1
    if part is not None and kind != "whole":
        chosen = buffer.parts == part.index
        if kind == "swatch" and len(part.swatches) > 1:
            swatch = int(rng.integers(min(3, len(part.swatches))))
            centres = np.array([one.lab for one in part.swatches])
            far = np.linalg.norm(lab[..., None, :] - centres, axis=-1)
            chosen = chosen & (far.argmin(-1) == swatch)
    centre = np.median(lab[chosen], 0) if chosen.any() else np.array([50.0, 0, 0])
    moved = _displaced(centre, wanted, rng)
    way = str(rng.choice(["albedo", "picture"]))
    meta = {
        "kind": kind,
        "delta_e": wanted,
        "part": -1 if part is None or kind == "whole" else part.index,
        "swatch": swatch,
        "way": way,
        "share": float(chosen.sum() / max(inside.sum(), 1)),
        "from": [float(v) for v in centre],
        "to": [float(v) for v in moved],
    }
    if way == "albedo":
        ratio = np.maximum(from_lab(moved), 1e-4) / np.maximum(from_lab(centre), 1e-4)
        soft = cv2.GaussianBlur(chosen.astype(np.float32), (0, 0), 0.6)[..., None]
        albedo = buffer.albedo * (1 + (np.clip(ratio, 0.2, 5) - 1) * soft)
        return _Shift(np.clip(albedo, 0, 1).astype(np.float32), None, meta)

    def paint(picture: Picture) -> Picture:
        soft = cv2.GaussianBlur(chosen.astype(np.float32), (0, 0), 0.6)[..., None] * buffer.mask[..., None]
        shifted = to_lab(to_linear(picture)) + (moved - centre) * soft
        return to_srgb(np.clip(from_lab(shifted), 0, 1).astype(np.float32))

    return _Shift(buffer.albedo, paint, meta)


def _displaced(lab: NDArray[Any], wanted: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour that sRGB can show at `wanted` CIEDE2000 from `lab`, in a random direction."""
    best = np.asarray(lab, float)
    for _ in range(12):
        direction = rng.normal(size=3) * (0.7, 1, 1)
        direction /= np.linalg.norm(direction)
        low, high = 0.0, 60.0
        for _ in range(18):
            middle = (low + high) / 2
            if ciede2000(np.asarray(lab, float), lab + middle * direction) < wanted:
                low = middle
            else:
                high = middle
        best = lab + high * direction
        linear = from_lab(best)
        if linear.min() >= 0 and linear.max() <= 1:
            break
    return np.asarray(best, np.float64)


def finish(picture: Picture, rng: np.random.Generator) -> tuple[Picture, dict[str, Any]]:
    """Style, softness, grain and compression, as an honest picture may have them."""
    style = str(rng.choice(["", "", "", "warm", "cool", "faded", "contrast", "vignette", "rich", "curve"]))
    strength = float(rng.uniform(0.2, 1)) if style else 0.0
    x = styled(picture.astype(np.float32) / 255, style, strength)
    blur = float(rng.uniform(0, 0.6)) * (rng.random() < 0.6)
    if blur > 0.2:
        x = cv2.GaussianBlur(x, (0, 0), blur)
    grain = float(rng.uniform(0, 2)) * (rng.random() < 0.5)
    x = x * 255 + rng.normal(0, 1, x.shape) * grain
    out = np.clip(np.round(x), 0, 255).astype(np.uint8)
    codec = str(rng.choice(["", ".jpg", ".jpg", ".webp"]))
    quality = int(rng.integers(75, 97))
    if codec:
        flag = cv2.IMWRITE_JPEG_QUALITY if codec == ".jpg" else cv2.IMWRITE_WEBP_QUALITY
        _, data = cv2.imencode(codec, cv2.cvtColor(out, cv2.COLOR_RGB2BGR), [flag, quality])
        out = np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)
    return out, {"style": style, "strength": strength, "codec": codec, "quality": quality}


def styled(x: NDArray[Any], style: str, strength: float) -> Floats:
    """Restyle a picture of 0 to 1, (H, W, 3)."""
    s = strength
    if style == "warm":
        x = x * (1 + s * np.array([0.08, 0.01, -0.12]))
    elif style == "cool":
        x = x * (1 + s * np.array([-0.08, 0.0, 0.08]))
    elif style == "faded":
        x = x * (1 - 0.2 * s) + s * np.array([0.11, 0.1, 0.1])
    elif style == "contrast":
        x = 0.5 + (x - 0.5) * (1 + 0.25 * s)
    elif style == "curve":
        x = x + 0.16 * s * np.sin(2 * np.pi * np.clip(x, 0, 1)) * -0.5
    elif style == "rich":
        grey = (x @ np.array([0.299, 0.587, 0.114]))[..., None]
        x = grey + (x - grey) * (1 + s * 0.25)
    elif style == "vignette":
        v, u = np.mgrid[-1 : 1 : x.shape[0] * 1j, -1 : 1 : x.shape[1] * 1j]
        x = x * (1 - 0.28 * s * (u * u + v * v) / 2)[..., None]
    return np.clip(x, 0, 1).astype(np.float32)


def _homography(
    truth: Any, pose: Floats, stray: Floats, camera: Any, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The best plane map from the truth's pixels to where the strayed pose shows the same points."""
    rows, columns = np.nonzero((truth.depth > 0) & (truth.mask > 250))
    if len(rows) < 40:
        return np.eye(3)
    picked = rng.choice(len(rows), min(600, len(rows)), replace=False)
    rows, columns = rows[picked], columns[picked]
    rays = camera.rays()[rows, columns]
    world = np.asarray(camera.eye) + rays * truth.depth[rows, columns, None]
    moved = np.column_stack([world, np.ones(len(world))]) @ (stray @ np.linalg.inv(pose)).T
    there, _ = camera.project(moved[:, :3])
    here = np.stack([columns, rows], -1).astype(np.float64)
    matrix, _ = cv2.findHomography(here, there - 0.5, cv2.RANSAC, 3.0)
    return np.eye(3) if matrix is None else np.asarray(matrix, np.float64)


def save_takes(takes: Sequence[Take], file: Path) -> None:
    """Write a shard; whole or not at all."""
    arrays: dict[str, Any] = {}
    for i, take in enumerate(takes):
        arrays |= {f"{i}/{name}": values for name, values in take.passes.items()}
        arrays[f"{i}/pictures"] = np.stack([one.picture for one in take.photographs])
        arrays[f"{i}/styles"] = np.stack([one.style for one in take.photographs])
    metas = [json.dumps(take.meta | {"photographs": [p.meta for p in take.photographs]}) for take in takes]
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, meta=np.array(metas), **arrays)
    part.rename(file)


def load_takes(file: Path) -> list[Take]:
    """Read a shard."""
    takes = []
    with np.load(file) as data:
        for i, text in enumerate(data["meta"]):
            meta = json.loads(str(text))
            passes = {name: data[f"{i}/{name}"] for name in ("colour", "albedo", "normals", "parts", "mask")}
            pictures, styles, facts = data[f"{i}/pictures"], data[f"{i}/styles"], meta.pop("photographs")
            photographs = tuple(Photograph(*row) for row in zip(pictures, styles, facts, strict=True))
            takes.append(Take(passes, meta, photographs))
    return takes


@lru_cache(maxsize=1)
def rasteriser() -> Any:
    """One renderer a process."""
    from packline.stage.raster import Rasteriser

    return Rasteriser(SIZE)


def main() -> None:
    """Make shards, skipping those that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="first shard")
    parser.add_argument("--last", type=int, default=60, help="shard to stop before")
    parser.add_argument("--products", type=int, default=20, help="in a shard")
    parser.add_argument("--scenes", type=Path, default=Path("work/train/scenes"))
    parser.add_argument("--out", type=Path, default=Path("work/train/colour"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for shard in range(asked.first, asked.last):
        file = asked.out / f"{shard:04d}.npz"
        if file.exists():
            continue
        scenes = sorted(asked.scenes.glob("*.json"))
        start, takes = time.process_time(), []
        for product in range(asked.products):
            try:
                takes += make_takes(shard * asked.products + product, scenes)
            except PacklineError as error:
                print(f"shard {shard} product {product}: {error}", flush=True)
        save_takes(takes, file)
        print(f"{file} {len(takes)} takes, {time.process_time() - start:.0f} s CPU", flush=True)


if __name__ == "__main__":
    main()
