"""Lessons for the colour check: how products' colours look under honest light, and with one of them astray.

A random product (`training.products`) stands in a random scene. Its truth is rendered under the scene's own
light and cut into patches as the check cuts it; the patches' pixels are then lit as an honest picture may
light them: from a light that strays, in a pose that strays, under a style over the whole picture. Pictures
are never drawn: only the patches' pixels are. Each photograph is made twice: as it should be, and with one
region, one part or the whole product shifted by a known CIEDE2000.
"""

from __future__ import annotations

import argparse
import gc
import json
import pickle
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import ciede2000, from_lab, to_lab, to_linear, to_srgb
from packline.errors import PacklineError
from scoring.colour_regions import Patches, Truth, facing, observed, patches_of, truth_of
from scoring.relight import steadied
from scoring.style import Style, fit_style, small, surroundings

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
SIZE = 512
PAD = 8  # pixels around the product that are kept
TAKES, LIGHTS, FINISHES = 3, 6, 2  # of each product; of each take; of each light
SAMPLES = 80  # pixels of a patch that are lit


@dataclass(frozen=True)
class Lesson:
    """One view of one product under one light and style, as the check measures it.

    Parameters
    ----------
    difference, spread, open_share
        As `scoring.colour_regions.observed` says.
    style
        Of the whole picture.
    shifted
        Which regions were shifted, bool (R,); none in a good one.
    delta_e
        By how much, CIEDE2000.
    meta
        What was done, for the record.
    """

    difference: Floats
    spread: Floats
    open_share: Floats
    style: Style
    shifted: NDArray[np.bool_]
    delta_e: float
    meta: dict[str, Any]


@dataclass(frozen=True)
class Take:
    """A product in a scene: its patches and its lessons; "kind", "seed" and "scene" in `meta`."""

    patches: Patches
    lessons: tuple[Lesson, ...]
    meta: dict[str, Any]


def make_takes(seed: int, scenes: Sequence[Path]) -> list[Take]:
    """One random product in `TAKES` random scenes; the seed decides all."""
    from packline.scenes import load_scene
    from packline.stage.colours import product_colours
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
        file.write_bytes(made.export(file_type="glb"))  # type: ignore[no-untyped-call]
        (Path(folder) / "product.truth.json").write_text(json.dumps(truth))
        model = replace(load_model(file), labels=())
    colours = product_colours(model)
    takes = []
    for _ in range(TAKES):
        scene = load_scene(scenes[int(rng.integers(len(scenes)))])
        side = str(rng.choice(["hero", "front", "three-quarter", "left", "right", "back"]))
        meta = {"kind": kind, "seed": seed, "scene": scene.name, "side": side}
        takes.append(_take(model, scene, side, colours, rng, meta))
    return takes


@dataclass(frozen=True)
class _Points:
    """A camera that sees a list of points: all that `packline.stage.lighting.shade` asks of one."""

    eye: tuple[float, float, float]
    directions: Floats

    def rays(self) -> Floats:
        return self.directions


def _take(
    model: Any, scene: Any, side: str, colours: Any, rng: np.random.Generator, meta: dict[str, Any]
) -> Take:
    from packline.stage.layers import flattened
    from packline.stage.render import render_reference, scene_camera
    from packline.stage.self_shadow import self_shadow
    from packline.stage.views import scene_pose

    camera = scene_camera(scene, SIZE)
    base = small(scene.photo()).astype(np.uint8)
    pose = scene_pose(model, scene, side)
    with rasteriser().staged(model.transformed(pose)) as stage:
        reference = render_reference(stage, "scene", camera, scene, colours)
        buffer = flattened(stage.gbuffer(camera))
        lit_ways = []
        for _ in range(LIGHTS):
            light, tint, words = stray_light(scene.light, rng)
            turned = _turned(buffer, rng)
            seen = self_shadow(stage, camera, turned, light)
            lit_ways.append((light, tint, words, turned, seen))
    around = surroundings(reference.mask, reference.shadow)
    truth, box = _cut(reference, camera)
    patches = patches_of(truth, reference.colours)
    if not patches.regions:
        return Take(patches, (), meta)
    picked = tuple(
        at if len(at) <= SAMPLES else rng.choice(at, SAMPLES, replace=False) for at in patches.members
    )
    joined = np.concatenate(picked)
    starts = np.cumsum([0, *(len(at) for at in picked)])
    sampled = replace(
        patches,
        members=tuple(np.arange(a, b) for a, b in pairwise(starts)),
    )
    region = np.repeat(patches.region, [len(at) for at in picked])
    width = truth.mask.shape[1]
    rows, columns = joined // width, joined % width
    expected = truth.colour[rows, columns]
    albedo = to_linear(truth.albedo[rows, columns])
    x, y = truth.x[0, columns], truth.y[rows, 0]
    # of the frame, in pixels
    at = np.stack([(x + 1) / 2 * camera.width, (y + 1) / 2 * camera.height], -1)
    lessons = []
    for light, tint, words, buffer, seen in lit_ways:
        there = at + _stray(at, rng)
        pixels = np.floor(there).astype(np.int64)
        v, u = (np.clip(pixels[:, k], 0, most - 1) for k, most in ((1, camera.height), (0, camera.width)))
        points, lit = _points(buffer, seen, camera, v, u)
        lamp = to_srgb(np.clip(to_linear(base) * tint, 0, 1))
        uneven = _unevenness(rng, x, y)
        for _ in range(FINISHES):
            shift = _shift(patches, region, albedo, rng)
            style = _draw_style(rng)
            picture = np.clip(np.round(styled(lamp / np.float32(255), *style, *_frame(lamp)) * 255), 0, 255)
            found = steadied(fit_style(base.astype(np.float32), picture.astype(np.float32), around))
            want = found.at(expected, x, y)
            noise = rng.normal(0, 1, (len(patches.members), 3)) * rng.uniform(0, 1.2) * (rng.random() < 0.5)
            grain = rng.normal(0, 1, (len(joined), 3)) * rng.uniform(0.5, 2.5)
            grain += noise[np.repeat(np.arange(len(picked)), [len(one) for one in picked])]
            for good in (True, False):
                linear = _lit(points, lit, light, scene.place.position[1], None if good else shift)
                linear = linear * uneven
                photo = _photo(linear, None if good else shift)
                photo = np.round(styled(photo, *style, x, y) * 255 + grain)
                measured = observed(sampled, np.clip(photo, 0, 255).astype(np.uint8)[None], want[None])
                lessons.append(
                    Lesson(
                        *measured,
                        found,
                        np.zeros(len(patches.regions), bool) if good else shift.shifted,
                        0.0 if good else shift.delta_e,
                        words | {"style": style} | ({} if good else {"way": shift.way, "kind": shift.kind}),
                    )
                )
    return Take(replace(patches, members=()), tuple(lessons), meta | {"box": box})


def _cut(reference: Any, camera: Camera) -> tuple[Truth, tuple[int, int, int, int]]:
    left, top, width, height = cv2.boundingRect(reference.mask)
    box = (
        max(0, left - PAD),
        max(0, top - PAD),
        min(camera.width, left + width + PAD),
        min(camera.height, top + height + PAD),
    )
    cut = np.s_[box[1] : box[3], box[0] : box[2]]
    passes = {
        name: getattr(reference, name)[cut] for name in ("colour", "albedo", "normals", "parts", "mask")
    }
    return truth_of(passes, facing(camera.pose), box, (camera.width, camera.height)), box


def _points(
    buffer: Any, seen: Any, camera: Camera, v: NDArray[np.int64], u: NDArray[np.int64]
) -> tuple[Any, Any]:
    """The G-buffer and visibility of a list of pixels, as pictures of one row."""
    from packline.stage.model import GBuffer
    from packline.stage.self_shadow import Visibility

    names = [name for name in GBuffer.__dataclass_fields__ if name not in ("over", "alpha", "share")]
    maps = {name: getattr(buffer, name)[v, u][None] for name in names}
    maps["mask"] = np.ones_like(maps["mask"])
    # beside the product there is nothing to light: a stand-in that shows the same everywhere
    points = GBuffer(**maps, over=None, alpha=None, share=None)
    rays = camera.rays()[v, u][None].astype(np.float32)
    return (points, _Points(camera.eye, rays)), Visibility(seen.key[v, u][None], seen.fill[v, u][None])


def _lit(points: Any, seen: Any, light: Any, ground: float, shift: _Shift | None) -> Floats:
    from packline.stage.lighting import shade

    buffer, camera = points
    if shift is not None and shift.way == "albedo":
        buffer = replace(buffer, albedo=np.clip(buffer.albedo * shift.ratio[None], 0, 1).astype(np.float32))
    return np.asarray(shade(buffer, camera, light, ground, seen)[0], np.float32)


def _photo(linear: Floats, shift: _Shift | None) -> Floats:
    """Linear light developed, sRGB 0 to 1, (N, 3)."""
    from packline.stage.lighting import develop

    picture = develop(linear)
    if shift is not None and shift.way == "picture":
        moved = from_lab(to_lab(to_linear(picture)) + shift.step)
        picture = to_srgb(np.clip(moved, 0, 1).astype(np.float32))
    return np.asarray(picture / np.float32(255), np.float32)


def stray_light(light: Any, rng: np.random.Generator) -> tuple[Any, Floats, dict[str, Any]]:
    """A light like the scene's, and the tint, linear RGB, that a warmer or colder lamp lays over all."""
    direction = np.asarray(light.key_direction, float)
    turn, tilt = np.radians(_normal(rng, 25)), np.radians(_normal(rng, 12))
    x, y, z = direction / np.linalg.norm(direction)
    height = np.clip(np.arcsin(y) + tilt, np.radians(8), np.radians(85))
    about = np.arctan2(x, z) + turn
    moved = (np.sin(about) * np.cos(height), np.sin(height), np.cos(about) * np.cos(height))
    warm = _normal(rng, 1.0) if rng.random() < 0.7 else 0.0
    tint = np.exp(warm * np.array([0.10, 0.0, -0.16])).astype(np.float32)
    tint /= tint @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    # lights that an editor draws differ a little in colour from those that light the scene
    own = [np.exp(rng.normal(0, 0.008, 3)) for _ in range(3)]
    key, sky = float(np.exp(_normal(rng, 0.24))), float(np.exp(_normal(rng, 0.24)))

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


def _normal(rng: np.random.Generator, edge: float) -> float:
    """Mostly mild, one in eight anywhere up to the edge."""
    if rng.random() < 0.125:
        return float(rng.uniform(-edge, edge))
    return float(np.clip(rng.normal(0, edge / 3), -edge, edge))


def _unevenness(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """The rough light that some editors leave on a product: a smooth factor about 1, (N, 3)."""
    if rng.random() < 0.7:
        return np.ones((1, 3), np.float32)
    side = 128
    grid = int(rng.integers(6, 25))
    grey = rng.normal(0, rng.uniform(0, 0.12), (grid, grid, 1))
    tint = rng.normal(0, rng.uniform(0, 0.02), (grid, grid, 3))
    field = cv2.resize((grey + tint).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    rows, columns = (np.clip((v + 1) / 2 * side, 0, side - 1).astype(int) for v in (y, x))
    return np.asarray(np.exp(field[rows, columns]), np.float32)


@dataclass(frozen=True)
class _Shift:
    kind: str
    way: str
    delta_e: float
    shifted: NDArray[np.bool_]
    ratio: Floats
    step: Floats


def _shift(patches: Patches, region: NDArray[np.int64], albedo: Floats, rng: np.random.Generator) -> _Shift:
    """Shift a region, a part or the whole product by a CIEDE2000 of 2 to 8 in a random direction."""
    wanted = float(rng.choice([2.0, 3.0, 5.0, 5.0, 8.0]))
    kind = str(rng.choice(["region", "part", "whole"], p=[0.45, 0.3, 0.25]))
    first = int(rng.integers(len(patches.regions)))
    shifted = np.array(
        [
            kind == "whole" or k == first or (kind == "part" and one.index == patches.regions[first].index)
            for k, one in enumerate(patches.regions)
        ]
    )
    chosen = shifted[region]
    centre = to_lab(np.median(albedo[region == first], 0))
    moved = _displaced(centre, wanted, rng)
    ratio = np.clip(np.maximum(from_lab(moved), 1e-4) / np.maximum(from_lab(centre), 1e-4), 0.2, 5)
    return _Shift(
        kind,
        str(rng.choice(["albedo", "picture"])),
        wanted,
        shifted,
        np.where(chosen[:, None], ratio, 1).astype(np.float32),
        np.where(chosen[:, None], moved - centre, 0).astype(np.float32),
    )


def _displaced(lab: NDArray[Any], wanted: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour that sRGB can show at `wanted` CIEDE2000 from `lab`, in a random direction."""
    best = np.asarray(lab, float)
    for _ in range(12):
        direction = rng.normal(size=3) * (0.7, 1, 1)
        direction /= np.linalg.norm(direction)
        low, high = 0.0, 60.0
        for _ in range(16):
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


def _draw_style(rng: np.random.Generator) -> tuple[str, float]:
    if rng.random() < 0.55:
        return "", 0.0
    style = str(rng.choice(["warm", "cool", "faded", "contrast", "vignette", "rich", "curve"]))
    return style, float(rng.uniform(0.1, 1.0 if rng.random() < 0.15 else 0.6))


def styled(picture: NDArray[Any], style: str, strength: float, x: Floats, y: Floats) -> Floats:
    """Restyle sRGB values of 0 to 1, (..., 3), that lie at `x` and `y`, -1 to 1, in the frame."""
    s, p = strength, picture
    if style == "warm":
        p = p * (1 + s * np.array([0.08, 0.01, -0.12]))
    elif style == "cool":
        p = p * (1 + s * np.array([-0.08, 0.0, 0.08]))
    elif style == "faded":
        p = p * (1 - 0.2 * s) + s * np.array([0.11, 0.1, 0.1])
    elif style == "contrast":
        p = 0.5 + (p - 0.5) * (1 + 0.25 * s)
    elif style == "curve":
        p = p - 0.08 * s * np.sin(2 * np.pi * np.clip(p, 0, 1))
    elif style == "rich":
        grey = (p @ np.array([0.299, 0.587, 0.114]))[..., None]
        p = grey + (p - grey) * (1 + s * 0.25)
    elif style == "vignette":
        p = p * (1 - 0.28 * s * (x * x + y * y) / 2)[..., None]
    return np.asarray(np.clip(p, 0, 1), np.float32)


def _frame(picture: Picture) -> tuple[Floats, Floats]:
    y, x = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    return x.astype(np.float32), y.astype(np.float32)


def _turned(buffer: Any, rng: np.random.Generator) -> Any:
    """The product turned a little about Y where it stands: only its normals tell."""
    angle = np.radians(rng.normal(0, 1.2))
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
    return replace(buffer, normals=np.asarray(buffer.normals @ turn.T, np.float32))


def _stray(at: Floats, rng: np.random.Generator) -> Floats:
    """By how many pixels registration errs at each of the points, (N, 2): a shift, a turn, a stretch."""
    centred = (at - at.mean(0)) / max(float(np.abs(at - at.mean(0)).max()), 1.0)
    return np.asarray(rng.normal(0, 0.7, 2) + centred @ rng.normal(0, 0.7, (2, 2)), np.float32)


@lru_cache(maxsize=1)
def rasteriser() -> Any:
    """One renderer a process."""
    from packline.stage.raster import Rasteriser

    return Rasteriser(SIZE)


def main() -> None:
    """Make shards of takes, pickled, skipping those that are there."""
    # under its own name, not as __main__, so that what is pickled can be read elsewhere
    from training.colour_lessons import make_takes

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="first shard")
    parser.add_argument("--last", type=int, default=60, help="shard to stop before")
    parser.add_argument("--products", type=int, default=10, help="in a shard")
    parser.add_argument("--scenes", type=Path, default=Path("work/train/scenes"))
    parser.add_argument("--out", type=Path, default=Path("work/train/colour"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    scenes = sorted(asked.scenes.glob("*.json"))
    make_takes(0, scenes[:1])
    # each closed stage collects garbage: let it pass over what every product uses
    gc.freeze()
    for shard in range(asked.first, asked.last):
        file = asked.out / f"{shard:04d}.pkl"
        if file.exists():
            continue
        start, takes = time.process_time(), []
        for product in range(asked.products):
            try:
                takes += make_takes(shard * asked.products + product, scenes)
            except PacklineError as error:
                print(f"shard {shard} product {product}: {error}", flush=True)
        part = file.with_suffix(".part")
        part.write_bytes(pickle.dumps(takes))
        part.rename(file)
        print(f"{file} {len(takes)} takes, {time.process_time() - start:.0f} s CPU", flush=True)


if __name__ == "__main__":
    main()
