"""Sentences name parts as people do, never as tools do."""

import pytest

from scoring.part_names import named


@pytest.mark.parametrize("part", ["handle", "left lace", "cap 2", "Pump head", "sole"])
def test_names_that_a_person_gave_may_be_said(part: str) -> None:
    assert named(part)


@pytest.mark.parametrize(
    "part", ["", "Mesh.012", "Object_3", "material", "SM_Shoe_LOD0", "defaultMaterial", "node12", "a1"]
)
def test_names_that_a_tool_made_up_are_not_said(part: str) -> None:
    assert not named(part)
