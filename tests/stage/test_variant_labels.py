"""A label belongs to the variants that show its material; one that no variant has is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from packline.errors import GiveUp
from packline.stage.load import load_model
from tests.stage.build import MIDDLE, Gltf, box


def carton(folder: Path, material: str) -> Path:
    """Printed by default, plain in the variant Night; with a label on `material`."""
    gltf = Gltf()
    printed, night = (gltf.material(name=name) for name in ("print", "night"))
    gltf.mesh(**box(), material=printed)
    gltf.document["extensions"] = {"KHR_materials_variants": {"variants": [{"name": "Night"}]}}
    gltf.document["extensionsUsed"] = ["KHR_materials_variants"]
    mappings = {"mappings": [{"material": night, "variants": [0]}]}
    gltf.document["meshes"][0]["primitives"][0]["extensions"] = {"KHR_materials_variants": mappings}
    label = {"id": "front", "text": "BOX", "material": material, "quad": MIDDLE}
    return gltf.save(folder / "carton.glb", labels=[label])


def test_a_label_shows_in_the_variants_that_have_its_material_and_is_noted_in_others(tmp_path: Path) -> None:
    file = carton(tmp_path, "print")
    printed, night = load_model(file), load_model(file, "Night")
    assert ([label.id for label in printed.labels], printed.notes) == (["front"], ())
    assert night.labels == ()
    assert night.notes == ("label 'front' lies on material 'print', which this variant does not show",)


def test_a_label_on_no_material_in_particular_shows_in_every_variant(tmp_path: Path) -> None:
    file = carton(tmp_path, "")
    for variant in ("", "Night"):
        model = load_model(file, variant)
        assert ([label.id for label in model.labels], model.notes) == (["front"], ())


@pytest.mark.parametrize("variant", ["", "Night"])
def test_a_label_on_a_material_that_no_variant_has_is_refused(tmp_path: Path, variant: str) -> None:
    with pytest.raises(GiveUp, match="label 'front' lies on material 'pritn', which the model lacks"):
        load_model(carton(tmp_path, "pritn"), variant)
