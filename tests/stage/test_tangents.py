"""Normal maps lie as the file's tangents say, where it has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, quad

LEAN = np.array([0.5, 0.3, np.sqrt(1 - 0.34)])


def card(folder: Path, tangent: tuple[float, float, float, float], **node: Any) -> ProductModel:
    """A card that faces +Z, textures upright, with one tangent everywhere."""
    pixels = np.tile(np.round((LEAN + 1) * 127.5).astype(np.uint8), (8, 8, 1))
    gltf = Gltf()
    normals = {"index": gltf.image(pixels)}
    gltf.mesh(**quad(), material=gltf.material(normalTexture=normals, doubleSided=True), **node)
    attributes = gltf.document["meshes"][-1]["primitives"][0]["attributes"]
    attributes["TANGENT"] = gltf.array(np.tile(np.array(tangent, np.float32), (4, 1)))
    return load_model(gltf.save(folder / "card.glb"))


def seen(model: ProductModel, rasteriser: Rasteriser, view: str = "front") -> np.ndarray:
    return rasteriser.gbuffer(model, canonical_camera(model, view, 64)).normals[32, 32]


@pytest.mark.parametrize(
    ("tangent", "expected"),
    [
        ((1, 0, 0, 1), (LEAN[0], LEAN[1], LEAN[2])),  # as the UVs run
        ((1, 0, 0, -1), (LEAN[0], -LEAN[1], LEAN[2])),  # green points down, as DirectX's pictures do
        ((0, 1, 0, 1), (-LEAN[1], LEAN[0], LEAN[2])),  # a quarter turn
        ((0.8, 0, 0.6, 1), (LEAN[0], LEAN[1], LEAN[2])),  # not across the normal: laid across it
    ],
)
def test_a_normal_map_lies_as_the_tangents_say(
    tangent: tuple[float, float, float, float],
    expected: tuple[float, float, float],
    tmp_path: Path,
    rasteriser: Rasteriser,
) -> None:
    assert np.abs(seen(card(tmp_path, tangent), rasteriser) - expected).max() < 0.02


def test_a_mirrored_node_mirrors_its_normal_map(tmp_path: Path, rasteriser: Rasteriser) -> None:
    mirrored = card(tmp_path, (1, 0, 0, 1), scale=[-1, 1, 1])
    assert np.abs(seen(mirrored, rasteriser) - (-LEAN[0], LEAN[1], LEAN[2])).max() < 0.02


def test_a_turned_node_turns_its_normal_map_with_it(tmp_path: Path, rasteriser: Rasteriser) -> None:
    half = float(np.sqrt(0.5))
    turned = card(tmp_path, (1, 0, 0, 1), rotation=[0, 0, half, half])  # x becomes y
    assert np.abs(seen(turned, rasteriser) - (-LEAN[1], LEAN[0], LEAN[2])).max() < 0.02


def test_the_back_of_a_card_is_its_front_reversed(tmp_path: Path, rasteriser: Rasteriser) -> None:
    assert np.abs(seen(card(tmp_path, (1, 0, 0, 1)), rasteriser, "back") + LEAN).max() < 0.02


def test_what_a_normal_map_bends_far_from_the_eye_is_not_turned_inside_out(
    tmp_path: Path, rasteriser: Rasteriser
) -> None:
    from packline.camera import Camera

    model = card(tmp_path, (1, 0, 0, 1))
    # from the left, nearly along the card: its normals lean to the right, away from the eye
    x, y, z = (float(v) for v in model.bounds.mean(0))
    camera = Camera((x - 0.5, y, z + 0.15), (x, y, z), 24.0, 64, 64)
    normal = rasteriser.gbuffer(model, camera).normals[32, 32]
    assert normal[2] > 0.3
    assert abs(float(normal @ (np.array(camera.eye) - (x, y, z)))) < 0.02  # laid on the horizon
