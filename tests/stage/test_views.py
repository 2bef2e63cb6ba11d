"""Cameras frame the product; in a scene it stands where the scene says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packline.camera import Camera
from packline.colour import to_srgb
from packline.errors import GiveUp
from packline.scenes import Light, Place, Scene
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.views import CANONICAL, MARGIN, SIDES, canonical_camera, scene_pose
from tests.stage.build import Gltf, box

COLOURS = {
    "front": (200, 0, 0),
    "back": (0, 200, 0),
    "right": (0, 0, 200),
    "left": (200, 200, 0),
    "top": (0, 200, 200),
    "bottom": (200, 0, 200),
}
LIGHT = Light((0, 1, 0), (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), (0.2, 0.2, 0.2))


def scene(yaw: float = 0.0, azimuth: float = 0.0) -> Scene:
    """A scene whose camera looks from `azimuth` at a place that is not the origin."""
    x, z = float(np.sin(np.radians(azimuth))), float(np.cos(np.radians(azimuth)))
    place = Place((0.3, 0.05, -0.2), yaw, (0.2, 0.1))
    camera = Camera((0.3 + x, 0.2, -0.2 + z), (0.3, 0.1, -0.2), 30, 256, 256)
    return Scene("test", Path("test.jpg"), "a test", camera, (0, 0.05, 0), (0, 1, 0), place, LIGHT)


@pytest.fixture(scope="module")
def die(tmp_path_factory: pytest.TempPathFactory) -> ProductModel:
    """A box 0.3 wide, 0.2 high, 0.1 deep with another colour on each side."""
    shape = box((0.3, 0.2, 0.1))
    pixels = np.zeros((8, 48, 3), np.uint8)
    for index, colour in enumerate(COLOURS.values()):
        pixels[:, 8 * index : 8 * index + 8] = colour
    shape["uv"] = np.array([[(8 * i + 4) / 48, 0.5] for i in range(6) for _ in range(4)])
    gltf = Gltf()
    gltf.mesh(**shape, material=gltf.material(baseColorTexture={"index": gltf.image(pixels)}))
    return load_model(gltf.save(tmp_path_factory.mktemp("die") / "die.glb"))


@pytest.mark.parametrize("side", ["front", "back", "left", "right", "top", "bottom"])
def test_each_canonical_view_shows_its_side(side: str, die: ProductModel, rasteriser: Rasteriser) -> None:
    gbuffer = rasteriser.gbuffer(die, canonical_camera(die, side, 128))
    assert tuple(to_srgb(gbuffer.albedo)[64, 64]) == COLOURS[side]


@pytest.mark.parametrize("view", CANONICAL)
def test_a_canonical_view_holds_the_product_with_the_margin(
    view: str, die: ProductModel, rasteriser: Rasteriser
) -> None:
    mask = rasteriser.gbuffer(die, canonical_camera(die, view, 200)).mask
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    edges = (rows[0], columns[0], 199 - rows[-1], 199 - columns[-1])
    assert min(edges) == pytest.approx(MARGIN * 200, abs=3)
    # and in the middle
    assert abs(int(edges[0]) - int(edges[2])) <= 3
    assert abs(int(edges[1]) - int(edges[3])) <= 3


@pytest.mark.parametrize("side", ["front", "back", "left", "right"])
def test_the_asked_side_faces_the_scene_s_camera(
    side: str, die: ProductModel, rasteriser: Rasteriser
) -> None:
    for azimuth in (0.0, 70.0):
        there = scene(yaw=azimuth, azimuth=azimuth)
        placed = die.transformed(scene_pose(die, there, side))
        gbuffer = rasteriser.gbuffer(placed, there.camera)
        xy, _ = there.camera.project(np.array([0.3, 0.09, -0.2]))
        assert tuple(to_srgb(gbuffer.albedo)[int(xy[1]), int(xy[0])]) == COLOURS[side]


@pytest.mark.parametrize("side", SIDES)
def test_a_product_stands_on_its_place_and_just_fits(side: str, die: ProductModel) -> None:
    there = scene()
    low, high = die.transformed(scene_pose(die, there, side)).bounds
    assert low[1] == pytest.approx(0.05, abs=1e-6)
    assert np.allclose(((low + high) / 2)[[0, 2]], (0.3, -0.2), atol=1e-6)
    share = np.array([(high - low)[0] / 0.2, (high - low)[1] / 0.1])
    assert share.max() == pytest.approx(1, abs=1e-5)


def test_a_candidate_may_stray(die: ProductModel) -> None:
    there = scene()
    plain = die.transformed(scene_pose(die, there, "front")).bounds
    moved = die.transformed(scene_pose(die, there, "front", shift=(0.01, -0.02), scale=0.9)).bounds
    assert np.allclose((moved.sum(0) - plain.sum(0))[[0, 2]] / 2, (0.01, -0.02), atol=1e-6)
    assert np.allclose((moved[1] - moved[0]), 0.9 * (plain[1] - plain[0]), atol=1e-6)


def test_what_cannot_be_drawn_gets_a_sentence(die: ProductModel) -> None:
    with pytest.raises(GiveUp, match="View 'sideways' is unknown; use one of front, "):
        canonical_camera(die, "sideways", 64)
    with pytest.raises(GiveUp, match="View 'top' cannot stand in a scene"):
        scene_pose(die, scene(), "top")
    with pytest.raises(GiveUp, match="ground is not level"):
        scene_pose(die, replace(scene(), ground_normal=(0.3, 1, 0)), "front")
    with pytest.raises(GiveUp, match="a label that the model lacks"):
        canonical_camera(die, "label:side", 64)
