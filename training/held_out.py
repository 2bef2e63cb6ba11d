"""What the embedded editor does with products and scenes that it never saw: ``python -m training.held_out``.

Random products of seeds that no training takes stand in the demo's scenes, which no training sees either.
Each goes the line's own way: the stage's references, the catalogue's prompt, the engine of `--settings`,
`refine`. The truth is what the renderer makes of the photo: the product lit, and its shadow.

The report says what the model card quotes: PSNR of the product, the background and the shadow's ground,
before and after refine; in how many pictures the shadow falls the right way; how much of each LoRA's effect
comes at which strength, and how much of it without the trigger words.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.editing.engine import EditRequest, Engine, LoraChoice
from packline.editing.engines import open_engine
from packline.editing.loras import load_presets
from packline.editing.prompts import build_prompt, recipe_for
from packline.editing.references import choose_roles, gather
from packline.editing.refine import refine
from packline.reference import Reference
from packline.scenes import Scene, load_scene
from packline.settings import load_settings
from packline.shots import Product
from training.evaluate import psnr

Picture = NDArray[np.uint8]
FIRST_SEED = 900_000  # shards of training pairs begin at 0 and have 25 products each
SIDES = ("hero", "front", "three-quarter")
# a shadow is seen where the truth darkens the photo by this much, in log linear light
SEEN = 0.06
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Case:
    """A held-out product in a held-out scene.

    Parameters
    ----------
    truth
        The true composite, sRGB uint8 (size, size, 3).
    references
        What the engine gets, in order.
    """

    seed: int
    scene: Scene
    product: Product
    photo: Picture
    truth: Picture
    reference: Reference
    roles: tuple[str, ...]
    references: tuple[Picture, ...]

    def regions(self) -> dict[str, NDArray[np.bool_]]:
        """Product, its shadow's ground, and all else; edge pixels are in none, bool (size, size)."""
        mask = self.reference.mask
        near = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
        dark = darkening(self.truth, self.photo) > SEEN / 2
        return {"product": mask == 255, "shadow": dark & ~near, "background": ~dark & ~near}


def darkening(picture: Picture, photo: Picture) -> NDArray[np.float32]:
    """How much darker than the photo, in natural log of linear light; smoothed over its 128th part."""
    size = picture.shape[0]

    def log(image: Picture) -> NDArray[np.float32]:
        return np.asarray(np.log(to_linear(image).mean(-1) + 0.004), np.float32)

    return np.asarray(cv2.GaussianBlur(log(photo) - log(picture), (0, 0), size / 128), np.float32)


def make_cases(count: int, scenes: Path, size: int, most: int) -> list[Case]:
    """Draw the cases; product `i` stands in scene ``i % len(scenes)``."""
    from packline.stage.lighting import shade
    from packline.stage.raster import Rasteriser
    from packline.stage.render import render_reference, scene_camera
    from packline.stage.self_shadow import self_shadow
    from packline.stage.shadow import composite, ground_shadow, shadow_ratio
    from packline.stage.views import canonical_camera, scene_pose
    from training.pairs import product_of

    files = sorted(scenes.glob("*.json"))
    raster = Rasteriser(size)
    cases = []
    for number in range(count):
        seed = FIRST_SEED + number
        scene = load_scene(files[number % len(files)])
        _, title, model = product_of(seed)
        views = {}
        with raster.staged(model) as stage:
            for view in ("left", "top"):
                views[view] = render_reference(stage, view, canonical_camera(model, view, size // 2))
        pose = scene_pose(model, scene, SIDES[number % len(SIDES)])
        camera, ground = scene_camera(scene, size), scene.place.position[1]
        with raster.staged(model.transformed(pose)) as stage:
            reference = render_reference(stage, "scene", camera, scene)
            buffer = stage.gbuffer(camera)
            seen = self_shadow(stage, camera, buffer, scene.light)
            ratio = shadow_ratio(scene.light, *ground_shadow(stage, camera, scene.light, ground=ground))
        colour = shade(buffer, camera, scene.light, ground, seen)
        photo = scene.photo_at(size)
        truth = composite(photo, colour, buffer.mask, ratio)
        # no close-ups of labels: the embedded editor was not trained with any
        roles = choose_roles(reference, views, most)
        product = Product(f"HELD-{seed}", title, Path("product.glb"), ((scene.name, "front"),))
        pictures = gather(photo, reference, views, roles)
        cases.append(Case(seed, scene, product, photo, truth, reference, roles, pictures))
    return cases


def shadow_angle(picture: Picture, case: Case) -> float:
    """Degrees between the way in which the picture's shadow falls and the true one's; nan where none is seen.

    The way is from the product's foot to the middle of what got darker beside it, in the picture's plane.
    """
    regions = case.regions()
    outside = ~(cv2.dilate(case.reference.mask, np.ones((5, 5), np.uint8)) > 0)
    rows, columns = np.nonzero(case.reference.mask > 127)
    foot = np.array([columns.mean(), np.percentile(rows, 97)])
    # what falls elsewhere than around the product is no shadow of it
    reach = 1.5 * max(np.ptp(rows), np.ptp(columns))
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    around = outside & (np.hypot(x - foot[0], y - foot[1]) < reach)
    if (regions["shadow"] & around).sum() < 30:
        return float("nan")

    def way(seen: Picture) -> NDArray[np.float64]:
        weight = np.where(around, np.clip(darkening(seen, case.photo) - SEEN, 0, None), 0)
        total = weight.sum()
        if total < 1e-3:
            return np.zeros(2)
        return np.array([(weight * x).sum(), (weight * y).sum()]) / total - foot

    true, made = way(case.truth), way(picture)
    lengths = np.linalg.norm(true), np.linalg.norm(made)
    # a shadow all around the foot falls no way
    if lengths[0] < 0.1 * max(np.ptp(rows), np.ptp(columns)):
        return float("nan")
    if lengths[1] == 0:
        return 180.0
    return float(np.degrees(np.arccos(np.clip(true @ made / (lengths[0] * lengths[1]), -1, 1))))


def request_of(
    case: Case, template: str, trigger: str = "", loras: tuple[LoraChoice, ...] = ()
) -> EditRequest:
    """The request that the line would make."""
    prompt = build_prompt(template, case.product, case.scene, case.roles, "image", trigger)
    return EditRequest(case.references, prompt, case.seed, loras, case.reference.mask)


def measure(engine: Engine, cases: Sequence[Case], template: str) -> tuple[dict[str, float], list[Picture]]:
    """All figures without a LoRA, and the refined pictures."""
    figures: dict[str, list[float]] = {}
    refined = []
    for case in cases:
        start = time.process_time()
        edit = engine.edit([request_of(case, template)])[0]
        figures.setdefault("CPU seconds an edit", []).append(time.process_time() - start)
        raw = np.asarray(cv2.resize(edit.picture, case.photo.shape[1::-1], interpolation=cv2.INTER_CUBIC))
        made = refine(edit.picture, case.photo, case.reference, "product", styled=False)
        refined.append(made.picture)
        for name, where in case.regions().items():
            if where.sum() < 30:
                continue
            for stage, picture in (("raw", raw), ("refined", made.picture)):
                figures.setdefault(f"{name} {stage} dB", []).append(psnr(picture, case.truth, where))
            if name == "shadow":
                figures.setdefault("shadow unedited dB", []).append(psnr(case.photo, case.truth, where))
        for stage, picture in (("raw", raw), ("refined", made.picture)):
            angle = shadow_angle(picture, case)
            if np.isfinite(angle):
                figures.setdefault(f"shadow within 45 degrees, {stage}", []).append(angle <= 45)
        figures.setdefault("agreement", []).append(made.agreement)
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    means["shadows seen"] = float(len(figures["shadow within 45 degrees, raw"]))
    return means, refined


def measure_loras(
    engine: Engine, cases: Sequence[Case], template: str, presets: Any, architecture: str
) -> dict[str, dict[str, Any]]:
    """For each LoRA the mean change (grey levels of 255, over the picture) by strength, and without trigger.

    ``towards`` is the share of the change that goes the way of the full-strength picture: it grows with the
    strength where the effect is monotonic.
    """
    found: dict[str, dict[str, Any]] = {}
    for preset in presets.of(architecture):
        by: dict[str, list[float]] = {}
        for case in cases:
            plain = _edit(engine, request_of(case, template))
            full = _edit(engine, _with(case, template, preset, 1.0, preset.trigger))
            way = full - plain
            for strength in STRENGTHS:
                made = _edit(engine, _with(case, template, preset, strength, preset.trigger))
                by.setdefault(f"towards at {strength:g}", []).append(_along(made - plain, way))
            silent = _edit(engine, _with(case, template, preset, 1.0, ""))
            by.setdefault("change", []).append(float(np.abs(way).mean()))
            by.setdefault("change without trigger", []).append(float(np.abs(silent - plain).mean()))
            by.setdefault("towards without trigger", []).append(_along(silent - plain, way))
            wordy = _edit(engine, _with(case, template, preset, 0.0, preset.trigger))
            by.setdefault("change by the trigger alone", []).append(float(np.abs(wordy - plain).mean()))
            steps = [by[f"towards at {strength:g}"][-1] for strength in STRENGTHS]
            by.setdefault("monotonic", []).append(float(all(np.diff(steps) > 0)))
        found[preset.label] = {name: round(float(np.mean(values)), 3) for name, values in by.items()}
    return found


def _with(case: Case, template: str, preset: Any, strength: float, trigger: str) -> EditRequest:
    return request_of(case, template, trigger, (LoraChoice(preset.label, strength),))


def _edit(engine: Engine, request: EditRequest) -> NDArray[np.float64]:
    return engine.edit([request])[0].picture.astype(float)


def _along(change: NDArray[np.float64], way: NDArray[np.float64]) -> float:
    return float((change * way).sum() / max((way * way).sum(), 1e-9))


def main() -> None:
    """Measure and print; write the figures and a sheet to look at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, default=Path("catalogs/demo.toml"))
    parser.add_argument("--model", type=Path, help="another folder of weights than the settings name")
    parser.add_argument("--loras", type=Path, help="another presets.json")
    parser.add_argument("--count", type=int, default=36)
    parser.add_argument("--lora-count", type=int, default=9, help="cases that the LoRAs are measured on")
    parser.add_argument("--size", type=int, default=512, help="of the delivered picture")
    parser.add_argument("--out", type=Path, default=Path("work/train/held_out"))
    asked = parser.parse_args()
    settings = load_settings(asked.settings)
    if asked.model:
        engine_settings = settings.engine.model_copy(update={"model": str(asked.model.resolve())})
        settings = settings.model_copy(update={"engine": engine_settings})
    presets = load_presets(asked.loras or settings.paths.loras)
    engine = open_engine(settings.engine, presets)
    most = engine.capabilities.most_references
    cases = make_cases(asked.count, settings.paths.scenes, asked.size, most)
    template = recipe_for(settings, "", "").template
    means, refined = measure(engine, cases, template)
    loras = measure_loras(
        engine,
        cases[: asked.lora_count],
        template,
        presets,
        settings.engine.architecture,
    )
    for name, value in means.items():
        print(f"{name}: {value:.2f}")
    for label, figures in loras.items():
        print(label, json.dumps(figures))
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "figures.json").write_text(json.dumps({"editor": means, "loras": loras}, indent=1) + "\n")
    rows = [
        np.hstack([case.photo, case.reference.colour, made, case.truth])
        for case, made in zip(cases[:12], refined, strict=False)
    ]
    sheet = cv2.resize(np.vstack(rows), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(asked.out / "sheet.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
