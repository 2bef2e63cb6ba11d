"""References carry every pass; the contact sheet shows them to a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packline.reference import Reference
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.render import BACKDROP, contact_sheet, draw_truth, render_reference
from packline.stage.views import canonical_camera
from tests.stage.build import MIDDLE, Gltf, box, print_of


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, rasteriser: Rasteriser) -> Reference:
    gltf = Gltf()
    gltf.mesh(**box(), material=gltf.material(baseColorTexture={"index": gltf.image(print_of("BOX"))}))
    label = {"id": "front", "text": "BOX", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path_factory.mktemp("box") / "m.glb", labels=[label]))
    with rasteriser.staged(model) as stage:
        return render_reference(stage, "front", canonical_camera(model, "front", 128))


def test_a_reference_survives_the_disk(reference: Reference, tmp_path: Path) -> None:
    reference.save(tmp_path / "r")
    back = Reference.load(tmp_path / "r")
    for name in ("colour", "albedo", "depth", "mask", "shadow"):
        assert np.array_equal(getattr(back, name), getattr(reference, name))
    assert back.labels == reference.labels
    assert np.abs(back.normals - reference.normals).max() < 0.01


def test_the_backdrop_is_flat_and_a_white_product_is_neither_dark_nor_burnt(reference: Reference) -> None:
    assert (reference.colour[reference.mask == 0] == BACKDROP).all()
    white = reference.colour[20:40, 50:80]
    assert 190 < white.mean() < 252
    assert np.ptp(white.mean((0, 1))) < 2


def test_truth_is_drawn_around_the_label_not_over_it(reference: Reference) -> None:
    drawn = draw_truth(reference.colour, reference.labels)
    (label,) = reference.labels
    changed = (drawn != reference.colour).any(-1)
    (left, top), _, (right, bottom), _ = label.quad
    inside = changed[int(top) + 4 : int(bottom) - 3, int(left) + 4 : int(right) - 3]
    assert changed.any()
    assert inside.mean() < 0.02


def test_a_contact_sheet_has_a_row_a_view(reference: Reference) -> None:
    one, two = contact_sheet([reference], tile=100), contact_sheet([reference, reference], tile=100)
    assert one.shape[1] == two.shape[1] == 600
    assert two.shape[0] - one.shape[0] == 126
    assert np.array_equal(one, two[: one.shape[0]])
