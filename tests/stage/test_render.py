"""References carry every pass."""

from __future__ import annotations

import pickle
import shutil
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packline.camera import Camera
from packline.reference import Reference
from packline.scenes import Light, Place, Scene
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.render import BACKDROP, render_reference
from packline.stage.views import CANONICAL, canonical_camera, scene_pose
from tests.stage.build import MIDDLE, Gltf, box, print_of


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> ProductModel:
    gltf = Gltf()
    gltf.mesh(**box(), material=gltf.material(baseColorTexture={"index": gltf.image(print_of("BOX"))}))
    label = {"id": "front", "text": "BOX", "quad": MIDDLE}
    return load_model(gltf.save(tmp_path_factory.mktemp("box") / "m.glb", labels=[label]))


@pytest.fixture(scope="module")
def reference(product: ProductModel, rasteriser: Rasteriser) -> Reference:
    with rasteriser.staged(product) as stage:
        return render_reference(stage, "front", canonical_camera(product, "front", 128))


def test_a_reference_survives_the_disk(reference: Reference, tmp_path: Path) -> None:
    reference.save(tmp_path / "r")
    back = Reference.load(tmp_path / "r")
    for name in ("colour", "albedo", "depth", "mask", "shadow"):
        assert np.array_equal(getattr(back, name), getattr(reference, name))
    assert back.labels == reference.labels
    assert np.abs(back.normals - reference.normals).max() < 0.01
    assert np.abs(back.uv - reference.uv).max() < 1e-5
    assert np.array_equal(back.parts, reference.parts)
    assert np.array_equal(back.label_map, reference.label_map)


def test_what_is_decoded_late_needs_no_folder_and_goes_into_copies(
    reference: Reference, tmp_path: Path
) -> None:
    reference.save(tmp_path / "r")
    back = Reference.load(tmp_path / "r")
    shutil.rmtree(tmp_path / "r")
    for same in (pickle.loads(pickle.dumps(back)), copy(back), replace(back, view="other"), back):
        assert np.abs(same.uv - reference.uv).max() < 1e-5
        assert np.array_equal(same.label_map, reference.label_map)
    with pytest.raises(AttributeError, match="label_mop"):
        _ = back.label_mop  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["uv", "labels"])
def test_a_pass_that_was_cut_short_is_noticed_when_its_reference_is_loaded(
    reference: Reference, tmp_path: Path, name: str
) -> None:
    reference.save(tmp_path)
    file = tmp_path / f"{name}.png"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FileNotFoundError, match=f"{name}.png"):
        Reference.load(tmp_path)


def test_the_backdrop_is_grey_with_a_shadow_at_the_foot_and_none_far_away(reference: Reference) -> None:
    colour = reference.colour
    border = np.concatenate([colour[0], colour[-1], colour[:, 0], colour[:, -1]])
    assert (border == BACKDROP).all()
    beside = colour[reference.mask == 0].astype(int)
    assert (beside <= BACKDROP).all()
    assert np.ptp(beside, axis=1).max() == 0
    # above the product there is nothing to throw a shadow on
    top = int(np.flatnonzero(reference.mask.any(1))[0])
    assert (colour[: max(top - 2, 1)] >= BACKDROP - 2).all()
    bottom = int(np.flatnonzero(reference.mask.any(1))[-1])
    foot = colour[min(bottom + 2, 127), 50:78].astype(int)
    assert foot.max() < BACKDROP - 15


@pytest.mark.parametrize("view", CANONICAL)
def test_every_view_that_sees_the_ground_has_its_shadow(
    view: str, product: ProductModel, rasteriser: Rasteriser
) -> None:
    with rasteriser.staged(product) as stage:
        drawn = render_reference(stage, view, canonical_camera(product, view, 128))
    beside = drawn.mask == 0
    if view == "bottom":
        assert (drawn.shadow == 255).all()
        assert (drawn.colour[beside] == BACKDROP).all()
    else:
        assert drawn.shadow[beside].min() < 170
        assert view == "top" or drawn.shadow[0].min() > 240
        assert drawn.colour[beside].min() < BACKDROP - 15
    assert (drawn.colour[[0, -1]] == BACKDROP).all()


def test_a_scene_s_view_stays_on_plain_grey_and_says_where_its_light_is_from(
    product: ProductModel, rasteriser: Rasteriser
) -> None:
    light = Light((0.5, 0.8, 0.3), (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), (0.2, 0.2, 0.2), 4.0, "sun")
    place = Place((0.1, 0.05, -0.2), 0.0, (0.1, 0.1))
    camera = Camera((0.1, 0.4, 0.5), (0.1, 0.08, -0.2), 30, 128, 128)
    scene = Scene("desk", Path("x.jpg"), "a desk", camera, (0, 0.05, 0), (0, 1, 0), place, light)
    notes = []
    with rasteriser.staged(product.transformed(scene_pose(product, scene, "front"))) as stage:
        for estimated in (False, True):
            drawn = render_reference(stage, "scene", camera, replace(scene, light_estimated=estimated))
            assert (drawn.colour[drawn.mask == 0] == BACKDROP).all()
            assert drawn.shadow.min() < 170
            notes.append([note for note in drawn.notes if "estimated from the photo" in note])
    assert [len(found) for found in notes] == [0, 1]


def test_a_white_product_is_neither_dark_nor_burnt(reference: Reference) -> None:
    white = reference.colour[20:40, 50:80]
    assert 190 < white.mean() < 252
    assert np.ptp(white.mean((0, 1))) < 2
