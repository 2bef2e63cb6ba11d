"""The weights that the repository ships do what they are for, on products and scenes they never saw."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from packline.editing.cutout import grounded
from packline.editing.engine import EditRequest, Engine, LoraChoice
from packline.editing.engines import open_engine
from packline.editing.loras import Presets, load_presets
from packline.editing.prompts import build_prompt, recipe_for
from packline.editing.refine import refine
from packline.reference import Picture, Reference
from packline.scenes import Scene, load_scene
from packline.settings import Settings, load_settings
from packline.shots import Product
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.render import render_reference, scene_camera
from packline.stage.views import canonical_camera, scene_pose

ROOT = Path(__file__).parents[1]
SIZE = 256
ROLES = ("base", "product", "side", "top")
CASES = (
    ("mug-sunday.glb", "beige ceramic mug", "window-light"),
    ("can-volta.glb", "black aluminium can", "concrete-plinth"),
    ("shoe-north.glb", "navy low-top shoe", "studio-sweep"),
)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(ROOT / "catalogs" / "demo.toml")


@pytest.fixture(scope="module")
def presets(settings: Settings) -> Presets:
    return load_presets(settings.paths.loras)


@pytest.fixture(scope="module")
def engine(settings: Settings, presets: Presets) -> Engine:
    made = open_engine(settings.engine, presets)
    made.warm_up()
    return made


class Case:
    """A product's references in a scene, small."""

    def __init__(self, model: str, title: str, scene: str) -> None:
        self.scene: Scene = load_scene(ROOT / "assets" / "scenes" / f"{scene}.json")
        self.product = Product(title, title, ROOT / "assets" / "3d" / model, ((scene, "front"),))
        self.base: Picture = cv2.resize(self.scene.photo(), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        product = load_model(self.product.model)
        raster = Rasteriser(SIZE)
        camera = scene_camera(self.scene, SIZE)
        with raster.staged(product.transformed(scene_pose(product, self.scene, "front"))) as stage:
            self.truth: Reference = render_reference(stage, "scene", camera, self.scene)
        with raster.staged(product) as stage:
            views = [render_reference(stage, v, canonical_camera(product, v, 128)) for v in ("left", "top")]
        guide = grounded(self.truth.colour, self.truth.mask, self.truth.shadow)
        self.references = (self.base, guide, *(view.colour for view in views))

    def request(self, settings: Settings, trigger: str = "", lora: LoraChoice | None = None) -> EditRequest:
        template = recipe_for(settings, self.product.sku, "").template
        prompt = build_prompt(template, self.product, self.scene, ROLES, "image", trigger)
        return EditRequest(self.references, prompt, 7, (lora,) if lora else ())


@pytest.fixture(scope="module", params=CASES, ids=[case[0] for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*request.param)


def _error(a: Picture, b: Picture, where: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float))[where].mean())


def _decibels(a: Picture, b: Picture, where: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b)[where] ** 2)))


def test_the_editor_puts_the_product_and_its_shadow_in_and_leaves_the_rest(
    case: Case, engine: Engine, settings: Settings
) -> None:
    edit = engine.edit([case.request(settings)])[0].picture
    inside = case.truth.mask > 250
    outside = cv2.dilate(case.truth.mask, np.ones((5, 5))) == 0
    unedited = _error(case.base, case.truth.colour, inside)
    assert _error(edit, case.truth.colour, inside) < 0.5 * unedited
    assert _error(edit, case.base, outside & (case.truth.shadow > 250)) < 8

    made = refine(edit, case.base, case.truth, "product", styled=False).picture
    # the render stands under the scene's light as well, but not in its own shadow
    assert _decibels(made, case.truth.colour, inside) > 22
    assert _decibels(made, case.base, outside & (case.truth.shadow > 250)) > 32
    dark = outside & (case.truth.shadow < 160)
    if dark.sum() > 50:
        assert made[dark].mean() < 0.85 * case.base[dark].mean()


def test_a_lora_with_its_trigger_warms_or_cools_the_picture_with_its_strength_and_without_it_does_not(
    engine: Engine, settings: Settings, presets: Presets
) -> None:
    case = Case(*CASES[0])

    def warmth(trigger: str, lora: LoraChoice | None) -> float:
        picture = engine.edit([case.request(settings, trigger, lora)])[0].picture.astype(float)
        return float(np.log((picture[..., 0].mean() + 1) / (picture[..., 2].mean() + 1)))

    bare = warmth("", None)
    for label, sign in (("warm evening light", 1), ("cool studio", -1)):
        trigger = presets.get(label).trigger
        plain = warmth(trigger, None)
        graded = [sign * (warmth(trigger, LoraChoice(label, s)) - plain) for s in (0.0, 0.5, 1.0)]
        assert graded[0] == 0
        assert 0 < graded[1] < graded[2]
        assert graded[2] > 0.1
        assert abs(warmth("", LoraChoice(label, 1.0)) - bare) < 0.25 * graded[2]
