"""Lessons for the defect map: a product's truth in a scene, honest pictures of it, and dishonest ones.

A take is a random product (`training.products`) in a random scene: the passes of its reference, and pictures
of it under another light and in a slightly other pose. Some show the model as it is, some an altered model
(`training.shape_models`); what differs from the honest picture under the same light and pose is the defect's
mask. Defects of the picture itself are painted on later (`training.shape_defects`). Run
``python -m training.shape_data`` to make shards.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.errors import PacklineError

Picture = NDArray[np.uint8]
PIXELS = 224  # side of a stored picture
EXTENT = 148  # of the product's box in it, its longer side
GOOD, BAD = 2, 2  # pictures of a take
SEEN = 20  # grey levels by which a defect differs
LEAST = 0.004  # of the product that a defect covers in one place


@dataclass(frozen=True)
class Shot:
    """One picture of a take.

    Parameters
    ----------
    picture
        sRGB uint8 (PIXELS, PIXELS, 3), before style and compression.
    mask
        The product's coverage as it stands there, uint8.
    defect
        Where it differs from the honest picture, uint8 0 or 255; all 0 for a good one.
    kind
        Of the defect; empty for a good one.
    """

    picture: Picture
    mask: Picture
    defect: Picture
    kind: str


FIELDS = (
    "colour",
    "albedo",
    "normals",
    "surface",
    "mask",
    "parts",
    "base",
    "pictures",
    "masks",
    "defects",
)


def make_takes(seed: int, scenes: Sequence[Path], each: int) -> list[dict[str, Any]]:
    """One random product in `each` scenes and poses; the seed decides all.

    Returns
    -------
    list of dict
        Arrays by the names of `FIELDS`, uint8, and "meta".
    """
    import tempfile

    from packline.stage.load import load_model
    from packline.stage.views import scene_pose
    from training.products import KINDS, build, random_spec
    from training.shape_models import altered
    from training.shape_products import hard_spec, patterned, thin

    rng = np.random.default_rng([11, seed])
    kind = KINDS[seed % len(KINDS)]
    spec = hard_spec(replace(random_spec(kind, rng), texture=512), rng)
    other = replace(spec, shape=tuple(np.clip(np.asarray(spec.shape) + rng.normal(0, 0.4, 6), 0, 1)))
    if rng.random() < 0.4:
        other = replace(spec, variant=spec.variant + 1)
    models = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        for name, one in (("a", spec), ("b", other)):
            made, truth = build(kind, one)
            file = Path(folder) / f"{name}.glb"
            file.write_bytes(made.export(file_type="glb"))
            (Path(folder) / f"{name}.truth.json").write_text(json.dumps(truth))
            models.append(load_model(file))
    model, variant = models
    flat = rng.random() < 0.22
    if flat:
        model, variant = thin(model, rng), thin(variant, rng)
    if rng.random() < 0.25:
        model = patterned(model, rng)
    takes = []
    for _ in range(each):
        scene, photo, camera = _stood(model, scenes, rng)
        sides = ["hero", "front", "three-quarter", "left", "right"]
        # what is thin is hardest to tell from its edge
        side = str(rng.choice(sides, p=[0.1, 0.1, 0.2, 0.3, 0.3] if flat else [0.2] * 5))
        pose = scene_pose(model, scene, side)
        camera, photo = _near(model.transformed(pose), camera, photo)
        truth_render = _render(model.transformed(pose), camera, scene, photo)
        if truth_render is None:
            continue
        cut = _cut(truth_render["mask"])
        if cut is None:
            continue
        shots: list[Shot] = []
        for _ in range(GOOD):
            strayed = scene_pose(
                model,
                scene,
                side,
                shift=(_stray(rng, 0.012), _stray(rng, 0.012)),
                turn=float(rng.choice([0, 1]) * rng.uniform(-3.2, 3.2)),
                scale=float(1 + rng.choice([0, 1]) * rng.uniform(-0.03, 0.03)),
            )
            lit = replace(scene, light=_strayed(scene.light, rng))
            honest = _render(model.transformed(strayed), camera, lit, photo)
            if honest is None:
                continue
            shots.append(_shot(honest, cut, None, ""))
            for _ in range(BAD // GOOD):
                bad, what = altered(model, variant, rng)
                if bad is None:
                    continue
                wrong = _render(bad.transformed(strayed), camera, lit, photo)
                if wrong is not None:
                    shots.append(_shot(wrong, cut, honest, what))
        if not shots:
            continue
        blank = Shot(*(np.zeros_like(v) for v in (shots[0].picture, shots[0].mask, shots[0].mask)), "none")
        shots += [blank] * (GOOD + BAD - len(shots))
        taken = {
            name: _at(truth_render[name], cut)
            for name in ("colour", "albedo", "normals", "surface", "mask", "parts")
        }
        taken |= {
            "base": _at(photo, cut),
            "pictures": np.stack([shot.picture for shot in shots]),
            "masks": np.stack([shot.mask for shot in shots]),
            "defects": np.stack([shot.defect for shot in shots]),
            "meta": json.dumps(
                {"kind": kind, "seed": seed, "scene": scene.name, "shots": [shot.kind for shot in shots]}
            ),
        }
        takes.append(taken)
    return takes


def _stood(model: Any, scenes: Sequence[Path], rng: np.random.Generator) -> tuple[Any, Picture, Any]:
    from packline.scenes import load_scene

    scene = load_scene(scenes[int(rng.integers(len(scenes)))])
    return scene, scene.photo(), scene.camera


def _near(model: Any, camera: Any, photo: Picture) -> tuple[Any, Picture]:
    """Camera and photo at the size at which the product is `EXTENT` pixels long."""
    points = np.concatenate([part.vertices for part in model.parts])[::7].astype(float)
    xy = camera.project(points)[0]
    extent = float((xy.max(0) - xy.min(0)).max())
    factor = EXTENT / max(extent, 1.0)
    width, height = (min(round(side * factor), 512) for side in (camera.width, camera.height))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return replace(camera, width=width, height=height), np.asarray(
        cv2.resize(photo, (width, height), interpolation=method), np.uint8
    )


def _render(model: Any, camera: Any, scene: Any, photo: Picture) -> dict[str, Any] | None:
    """The passes that are stored, and the composite, uint8."""
    from packline.colour import to_linear, to_srgb
    from packline.stage.layers import flattened, shaded
    from packline.stage.lighting import develop, shade
    from packline.stage.render import surface_pass
    from packline.stage.self_shadow import self_shadow
    from packline.stage.shadow import composite, ground_shadow, shadow_ratio

    ground = scene.place.position[1]
    with rasteriser().staged(model) as stage:
        layered = stage.gbuffer(camera)
        colour = shaded(
            layered,
            lambda layer: shade(
                layer, camera, scene.light, ground, self_shadow(stage, camera, layer, scene.light)
            ),
        )
        flat = flattened(layered)
        if (flat.mask > 0.5).sum() < 200:
            return None
        shadow = shadow_ratio(
            scene.light, *ground_shadow(stage, camera, scene.light, camera.height // 3, ground)
        )
    cover = flat.mask[..., None]
    grey = to_linear(np.array([205], np.uint8))
    return {
        "colour": develop(colour * cover + grey * (1 - cover)),
        "albedo": to_srgb(flat.albedo),
        "normals": np.round((flat.normals + 1) * 127.5).astype(np.uint8),
        "mask": np.round(flat.mask * 255).astype(np.uint8),
        "parts": flat.parts.astype(np.uint8),
        "surface": surface_pass(flat),
        "picture": composite(photo, colour, flat.mask, shadow),
    }


def rasteriser() -> Any:
    """One renderer a process."""
    if not _RASTERISERS:
        from packline.stage.raster import Rasteriser

        _RASTERISERS.append(Rasteriser(512))
    return _RASTERISERS[0]


_RASTERISERS: list[Any] = []


def _stray(rng: np.random.Generator, most: float) -> float:
    return float(rng.uniform(-most, most))


def _strayed(light: Any, rng: np.random.Generator) -> Any:
    """A light like the scene's, but not it."""
    key = np.asarray(light.key_direction, float)
    turn = np.radians(rng.normal(0, 18))
    c, s = np.cos(turn), np.sin(turn)
    key = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ key
    key[1] = np.clip(key[1] + rng.normal(0, 0.15), 0.12, 0.97)
    key /= np.linalg.norm(key)
    warm = np.array([1 + 0.12 * (w := rng.normal(0, 0.6)), 1.0, 1 - 0.14 * w])
    gain = np.exp(rng.normal(0, 0.18, 3))
    tint = 1 + rng.normal(0, 0.03, (3, 3))

    def tinted(colour: Any, index: int) -> Any:
        values = np.asarray(colour) * gain[index] * tint[index] * np.clip(warm, 0.6, 1.4)
        return tuple(float(v) for v in values)

    return replace(
        light,
        key_direction=tuple(float(v) for v in key),
        key_colour=tinted(light.key_colour, 0),
        sky_colour=tinted(light.sky_colour, 1),
        ground_colour=tinted(light.ground_colour, 2),
        key_size=float(np.clip(light.key_size * np.exp(rng.normal(0, 0.4)), 1, 40)),
    )


def _cut(mask: Picture) -> tuple[int, int] | None:
    """Top and left of the stored square around the product; None where it is not `EXTENT` long."""
    x, y, w, h = cv2.boundingRect((mask > 8).astype(np.uint8))
    if not 0.7 * EXTENT < max(w, h) < 1.25 * EXTENT:
        return None
    return y + h // 2 - PIXELS // 2, x + w // 2 - PIXELS // 2


def _at(picture: Picture, cut: tuple[int, int]) -> Picture:
    """The stored square; beyond the picture, its edge goes on."""
    top, left = cut
    rows = np.clip(np.arange(top, top + PIXELS), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(left, left + PIXELS), 0, picture.shape[1] - 1)
    return np.ascontiguousarray(picture[rows][:, columns])


def _shot(made: dict[str, Any], cut: tuple[int, int], honest: dict[str, Any] | None, kind: str) -> Shot:
    picture, mask = _at(made["picture"], cut), _at(made["mask"], cut)
    if honest is None:
        return Shot(picture, mask, np.zeros_like(mask), kind)
    return Shot(
        picture, mask, differing(picture, _at(honest["picture"], cut), mask, _at(honest["mask"], cut)), kind
    )


def differing(wrong: Picture, right: Picture, mask: Picture, right_mask: Picture) -> Picture:
    """Where a person at arm's length sees that two pictures of one light differ at the product.

    What faint shading, a thin ring or an edge that is a pixel off changes is no defect: after a small blur a
    pixel must lie beyond all that the other picture shows within a pixel of it, and what differs must hang
    together over `LEAST` of the product.

    Returns
    -------
    uint8 (S, S)
        255 where it differs, 0 elsewhere.
    """
    a, b = cv2.GaussianBlur(wrong, (0, 0), 1.0), cv2.GaussianBlur(right, (0, 0), 1.0)
    # shadows on the ground that changed with the product are no defect of it
    near = np.maximum(mask, right_mask) > 64
    seen = ((_beyond(a, b) > SEEN) | (_beyond(b, a) > SEEN)) & near
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(seen.astype(np.uint8))
    least = LEAST * max(int((right_mask > 127).sum()), 1)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.asarray(large[numbers] * np.uint8(255), np.uint8)


def _beyond(one: Picture, other: Picture) -> Picture:
    """How far `one` leaves the range that `other` has within a pixel and a half, the worst channel."""
    kernel = np.ones((3, 3), np.uint8)
    above = cv2.subtract(one, cv2.dilate(other, kernel))
    below = cv2.subtract(cv2.erode(other, kernel), one)
    return np.asarray(np.maximum(above, below).max(-1), np.uint8)


def save(takes: Sequence[dict[str, Any]], file: Path) -> None:
    """Write a shard; whole or not at all."""
    arrays = {name: np.stack([take[name] for take in takes]) for name in FIELDS}
    part = file.with_suffix(".part.npz")
    np.savez(part, **arrays, meta=np.array([take["meta"] for take in takes]))
    part.rename(file)


def main() -> None:
    """Make shards, skipping those that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=60)
    parser.add_argument("--products", type=int, default=20, help="in a shard")
    parser.add_argument("--each", type=int, default=2, help="takes of each product")
    parser.add_argument(
        "--scenes", type=Path, nargs="+", default=[Path("work/train/scenes"), Path("assets/scenes")]
    )
    parser.add_argument("--out", type=Path, default=Path("work/train/shape"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    scenes = [file for folder in asked.scenes for file in sorted(folder.glob("*.json"))]
    # the few sharp ones count more
    scenes += [file for file in scenes if file.parent.name == "scenes" and "train" not in file.stem] * 4
    for shard in range(asked.first, asked.last):
        file = asked.out / f"{shard:04d}.npz"
        if file.exists():
            continue
        start, takes = time.process_time(), []
        for product in range(asked.products):
            if product == 1:
                # the stage collects garbage after every product: what lives on need not be looked at
                gc.freeze()
            try:
                takes += make_takes(shard * asked.products + product, scenes, asked.each)
            except (PacklineError, ValueError) as error:
                print(f"shard {shard} product {product}: {error}", flush=True)
        save(takes, file)
        cost = (time.process_time() - start) / max(len(takes), 1)
        print(f"{file} {len(takes)} takes, {cost * 1000:.0f} ms CPU each", flush=True)


if __name__ == "__main__":
    main()
