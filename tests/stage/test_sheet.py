"""The contact sheet shows a person every pass, and draws the truth where it does not hide the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.colour import from_lab, to_linear, to_srgb
from packline.reference import Reference
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.render import render_reference
from packline.stage.sheet import contact_sheet, draw_truth
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


def test_truth_is_drawn_around_the_label_not_over_it(reference: Reference) -> None:
    drawn = draw_truth(reference.colour, reference.labels)
    (label,) = reference.labels
    changed = (drawn != reference.colour).any(-1)
    (left, top), _, (right, bottom), _ = label.quad
    inside = changed[int(top) + 4 : int(bottom) - 3, int(left) + 4 : int(right) - 3]
    assert changed.any()
    assert inside.mean() < 0.02


def test_a_label_keeps_its_colour_from_view_to_view(reference: Reference) -> None:
    first = draw_truth(reference.colour, reference.labels, order=["front", "side"])
    second = draw_truth(reference.colour, reference.labels, order=["side", "front"])
    assert np.array_equal(first, draw_truth(reference.colour, reference.labels))
    assert not np.array_equal(first, second)


def test_a_contact_sheet_has_a_row_a_view_and_a_column_a_pass(reference: Reference) -> None:
    one, two = (contact_sheet([reference] * times, tile=100) for times in (1, 2))
    # colour, albedo, normals, depth, mask, gloss, UV, parts, labels; shadow where there is any
    columns = 9 + bool((reference.shadow < 255).any())
    assert one.shape[1] == two.shape[1] == 100 * columns
    assert two.shape[0] - one.shape[0] == 26 + 100 + 8
    row = slice(0, one.shape[0] // 3)
    assert np.array_equal(one[row], two[row])


def test_a_contact_sheet_shows_the_swatches_in_their_colours(reference: Reference) -> None:
    sheet = contact_sheet([reference], tile=100)
    (part,) = reference.colours
    assert len(part.swatches) == 2
    for swatch in part.swatches:
        colour = to_srgb(from_lab(np.array(swatch.lab)))
        assert ((sheet == colour).all(-1)).sum() > 1500


def test_a_contact_sheet_tells_the_notes(reference: Reference) -> None:
    plain, noted = (
        contact_sheet([replace(reference, notes=notes)], tile=100) for notes in ((), ("glass is plain",))
    )
    assert noted.shape[0] > plain.shape[0]
    assert np.array_equal(noted[: plain.shape[0]], plain)
    assert (noted[plain.shape[0] :] < 60).all(-1).any(), "ink"


def test_in_the_scene_the_product_stands_before_the_photo_in_its_own_shadow(reference: Reference) -> None:
    """A green photo: it stays where nothing is, is darker in the shadow, and is gone behind the product."""
    shadow = np.full_like(reference.shadow, 255)
    shadow[-12:] = 128
    photo = np.full((64, 64, 3), (40, 200, 40), np.uint8)
    placed = replace(reference, view="scene", shadow=shadow)
    sheet = contact_sheet([placed], tile=132, photo=photo)
    cell = sheet[:, 9 * 132 :]
    assert (cell == (40, 200, 40)).all(-1).sum() > 3000
    darker = to_srgb(to_linear(np.array([40, 200, 40], np.uint8)) * (128 / 255))
    assert (np.abs(cell.astype(int) - darker).max(-1) <= 1).sum() > 1000
    away = contact_sheet([reference], tile=132, photo=photo)[:, -132:]
    assert not (away == (40, 200, 40)).all(-1).any(), "a view outside the scene shows no photo"
