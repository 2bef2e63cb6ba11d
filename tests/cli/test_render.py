"""`packline render` writes what it saw, says what it knows, and refuses with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from packline.cli.main import app
from tests.flows.house import build_scene
from tests.stage.build import MIDDLE, Gltf, box, print_of
from tests.stage.test_passes import FILES

SHELL = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled box in two variants, and a scene."""
    folder = tmp_path_factory.mktemp("render")
    gltf = Gltf()
    printed = gltf.material(name="print", baseColorTexture={"index": gltf.image(print_of("BOX"))})
    night = gltf.material(name="night", baseColorFactor=[0, 0, 0.5, 1])
    gltf.mesh(**box(), material=printed, name="carton")
    gltf.document["extensions"] = {"KHR_materials_variants": {"variants": [{"name": "Night"}]}}
    gltf.document["extensionsUsed"] = ["KHR_materials_variants"]
    gltf.document["meshes"][0]["primitives"][0]["extensions"] = {
        "KHR_materials_variants": {"mappings": [{"material": night, "variants": [0]}]}
    }
    label = {"id": "front", "text": "BOX", "material": "print", "quad": MIDDLE}
    gltf.save(folder / "carton.glb", labels=[label])
    build_scene(folder / "table.json", "a grey table", tone=150)
    return folder


def render(folder: Path, *options: str) -> Result:
    model = str(folder / "carton.glb")
    return SHELL.invoke(app, ["render", model, "--out", str(folder / "out"), "--size", "96", *options])


def test_each_view_has_all_its_passes_and_a_sheet_shows_them(folder: Path) -> None:
    scene = f"{folder / 'table.json'}:front"
    result = render(folder, "--view", "front", "--view", "label:front", "--scene", scene)
    assert result.exit_code == 0, result.output
    made = folder / "out" / "carton"
    assert sorted(one.name for one in made.iterdir()) == ["front", "label-front", "scene", "sheet.png"]
    for view in ("front", "label-front", "scene"):
        assert tuple(sorted(one.name for one in (made / view).iterdir())) == FILES
    truth = json.loads((made / "front" / "truth.json").read_text())
    (label,) = truth["labels"]
    (part,) = truth["colours"]
    assert (label["text"], part["visible"], truth["variants"]) == ("BOX", 1.0, ["Night"])
    with Image.open(made / "sheet.png") as sheet:
        assert sheet.size[0] == 11 * 320
    said = ("BOX", "left to right", "carton", "100.0%", "#fafaf8", "variants: Night; this is the default")
    assert all(words in result.output for words in said), result.output


def test_a_variant_is_drawn_beside_the_default_one(folder: Path) -> None:
    result = render(folder, "--view", "top", "--variant", "Night")
    assert result.exit_code == 0, result.output
    made = folder / "out" / "carton Night" / "top"
    albedo, mask = (np.asarray(Image.open(made / name)) for name in ("albedo.png", "mask.png"))
    assert (albedo[mask == 255] == (0, 0, 188)).all()
    assert "this is Night" in result.output
    assert "Note: label 'front' lies on material 'print', which this variant does not show" in result.output


def test_another_truth_file_takes_the_place_of_the_one_beside_the_model(folder: Path) -> None:
    other = folder / "other.truth.json"
    other.write_text((folder / "carton.truth.json").read_text().replace("BOX", "XOB"))
    result = render(folder, "--view", "front", "--truth", str(other))
    assert result.exit_code == 0, result.output
    assert "XOB" in result.output
    assert "BOX" not in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--variant", "Nite"), ("carton.glb", "'Nite'", "Night")),
        (("--view", "frnt"), ("'frnt'", "front, right, back")),
        (("--view", "front", "--scene", "no.json"), ("no.json",)),
    ],
)
def test_what_cannot_be_drawn_ends_with_code_2_and_a_sentence(
    folder: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    result = render(folder, *options)
    assert result.exit_code == 2
    for word in words:
        assert word in result.output
    assert "Traceback" not in result.output
