"""What a row says of its model reaches the stage; what the stage notes reaches ledger and report."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from packline.colour import ciede2000, to_lab
from packline.errors import GiveUp
from packline.ledger.duties import PLANNED, Stretch
from packline.line import Line, Order
from packline.line.closing import report
from packline.line.plan import Plan, Try, begin_run
from packline.line.references import render
from packline.records import Work
from packline.reference import Reference
from tests.flows.conftest import TruthEngine
from tests.flows.house import HEADER, SIZE, build_house
from tests.stage.build import Gltf, box

COLOURS = {"Beach": (0.8, 0.1, 0.1), "Night": (0.02, 0.02, 0.2)}
ROWS = """\
GOOD1,red block,block.glb,table:front,,,,Beach,
GOOD2,blue block,block.glb,table:front,,,,Night,
GOOD3,white block,block.glb,table:front,,,,,
BAD1,red block,block.glb,table:front,,,,Beech,
BAD2,labelled block,block.glb,table:front,,,,,other.json
"""
NOTE = "material 'glass': transmission is drawn as plain transparency"


def block(folder: Path) -> None:
    """A white block with a pane before it that transmits light, and two variants of the block."""
    gltf = Gltf()
    clear = gltf.material(name="glass", extensions={"KHR_materials_transmission": {"transmissionFactor": 1}})
    plain = gltf.material(name="plain", baseColorFactor=[0.9, 0.9, 0.9, 1])
    others = [gltf.material(name=name, baseColorFactor=[*rgb, 1]) for name, rgb in COLOURS.items()]
    gltf.mesh(**box((0.2, 0.2, 0.2)), material=plain, name="block")
    gltf.mesh(**box((0.05, 0.05, 0.01)), material=clear, translation=[0, 0, 0.22], name="pane")
    names = [{"name": name} for name in COLOURS]
    gltf.document["extensions"] = {"KHR_materials_variants": {"variants": names}}
    gltf.document["extensionsUsed"] = ["KHR_materials_variants", "KHR_materials_transmission"]
    mappings = [{"material": material, "variants": [i]} for i, material in enumerate(others)]
    gltf.document["meshes"][0]["primitives"][0]["extensions"] = {
        "KHR_materials_variants": {"mappings": mappings}
    }
    gltf.save(folder / "block.glb")
    shutil.copy(folder / "mug-sunday.truth.json", folder / "other.json")


House = tuple[Line, Plan, dict[str, Reference]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The line, its plan, and the references in the scene of the rows that can be drawn."""
    catalog = build_house(tmp_path_factory.mktemp("house"), ())
    block(catalog.parent / "3d")
    catalog.write_text(f"{HEADER},variant,truth\n{ROWS}")
    line = Line(Order(catalog), "checks")
    line.__dict__["engine"] = TruthEngine()
    plan = begin_run(line)
    assert plan.row_errors == ()
    render(line, tries(line, plan, "GOOD"), lambda _: None)
    shots = line.ledger.shots(line.settings.run.name)
    return line, plan, {s.sku: Reference.load(s.references["scene"]) for s in shots if s.references}


def tries(line: Line, plan: Plan, sku: str) -> list[Try]:
    """What the plan says of the shots of some SKUs."""
    due = line.ledger.duties.chunk(Stretch(plan.run, Work.MAKE, 1, PLANNED), None, 100)
    return [Try(one.key) for one in due if one.key.startswith(sku)]


def refusal(house: House, sku: str) -> str:
    line, plan, _ = house
    with pytest.raises(GiveUp) as caught:
        render(line, tries(line, plan, sku), lambda _: None)
    return str(caught.value)


def test_each_row_is_drawn_in_its_own_material_variant(house: House) -> None:
    references = house[2]
    expected = {"GOOD1": COLOURS["Beach"], "GOOD2": COLOURS["Night"], "GOOD3": (0.9, 0.9, 0.9)}
    assert list(references) == list(expected)
    for sku, colour in expected.items():
        swatch = references[sku].colours[0].swatches[0]
        assert ciede2000(np.array(swatch.lab), to_lab(np.array(colour))) < 0.05
        assert references[sku].variants == ("Beach", "Night")
    assert [references[sku].variant for sku in expected] == ["Beach", "Night", ""]
    assert references["GOOD1"].albedo.shape == (SIZE, SIZE, 3)


def test_an_approximation_is_told_in_ledger_and_report(house: House) -> None:
    line, plan, references = house
    shots = {shot.sku: shot for shot in line.ledger.shots(line.settings.run.name)}
    for sku, reference in references.items():
        assert shots[sku].notes == reference.notes == (NOTE,)
    page = report(line, plan.run).read_text()
    assert page.count("transmission is drawn as plain transparency") == len(references) == 3


def test_a_variant_that_the_file_lacks_is_refused_with_those_that_there_are(house: House) -> None:
    sentence = refusal(house, "BAD1")
    assert sentence.startswith("BAD1: ")
    for words in ("'Beech'", "Beach", "Night"):
        assert words in sentence


def test_a_rows_truth_file_gives_the_labels(house: House) -> None:
    """The mug's sidecar names a material that the block lacks, so the stage speaks of its label."""
    assert "label" in refusal(house, "BAD2")
