"""Accepting proposals changes the sidecar by exactly what was accepted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from packline.errors import GiveUp
from packline.stage.load import load_model
from packline.stage.propose import Proposal
from packline.stage.sidecar import accept, proposals_of, write_proposals
from packline.truth import Label, Quad
from tests.stage.build import Gltf, print_of, quad

UPPER: Quad = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.2), (0.1, 0.2))
LOWER: Quad = ((0.1, 0.8), (0.9, 0.8), (0.9, 0.9), (0.1, 0.9))
SAYS = {"front": 90, "words": "a card", "own": {"kept": [1, 2]}}
ANNOTATED = {
    "id": "brand",
    "text": "BRAND",
    "material": "paper",
    "quad": [list(xy) for xy in UPPER],
    "by": "me",
}


def proposal(name: str, text: str, known: str = "") -> Proposal:
    blank = np.zeros((8, 8, 3), np.uint8)
    label = Label(name, text, LOWER, "paper")
    return Proposal(label, 0.9, 3, known, blank, np.zeros((4, 2)), blank)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    gltf = Gltf()
    gltf.mesh(
        **quad(), material=gltf.material(name="paper", baseColorTexture={"index": gltf.image(print_of("X"))})
    )
    path = gltf.save(tmp_path / "card.glb", **SAYS, labels=[ANNOTATED])
    write_proposals(
        path, [proposal("one", "ONE"), proposal("two", "TWO"), proposal("brand", "BRAND", "brand")]
    )
    return path


def sidecar(model: Path) -> dict[str, object]:
    return json.loads((model.parent / "card.truth.json").read_text())


def test_an_accepted_label_joins_all_that_the_sidecar_says(model: Path) -> None:
    accepted = accept(model, ["two"])
    assert accepted.labels == (("two", "TWO"),)
    new = {"id": "two", "text": "TWO", "material": "paper", "quad": [list(xy) for xy in LOWER]}
    assert sidecar(model) == {**SAYS, "labels": [ANNOTATED, new]}
    assert load_model(model).labels[1] == Label("two", "TWO", LOWER, "paper")
    # what is accepted is proposed no more; the rest still is
    left = json.loads(proposals_of(model).read_text())["proposals"]
    assert [one["id"] for one in left] == ["one", "brand"]


def test_all_means_all_that_are_new(model: Path) -> None:
    assert accept(model).labels == (("one", "ONE"), ("two", "TWO"))
    assert accept(model).labels == ()
    assert [label.id for label in load_model(model).labels] == ["brand", "one", "two"]


def test_a_person_corrects_what_was_misread(model: Path) -> None:
    assert accept(model, ["one"], {"one": "O N E"}).labels == (("one", "O N E"),)
    assert load_model(model).labels[1].text == "O N E"


def test_a_model_without_sidecar_gets_one(model: Path) -> None:
    (model.parent / "card.truth.json").unlink()
    accept(model, ["one"])
    assert [label.id for label in load_model(model).labels] == ["one"]


def test_a_folder_of_its_own_leaves_the_models_folder_alone(model: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in model.parent.iterdir() if file.is_file()}
    folder = tmp_path / "elsewhere"
    write_proposals(model, [proposal("one", "ONE")], folder)
    accepted = accept(model, ["one"], folder=folder)
    assert accepted.file == folder / "card.truth.json"
    assert [label.id for label in load_model(model, truth=accepted.file).labels] == ["brand", "one"]
    assert {file: file.read_bytes() for file in model.parent.iterdir() if file.is_file()} == before


@pytest.mark.parametrize(
    ("ids", "texts", "sentence"),
    [
        (
            ["three"],
            {},
            r"'three' is not among the proposals in card.truth.proposed.json \(one, two, brand\)",
        ),
        (["brand"], {}, "'brand' is annotated already; change it in the sidecar"),
        (["one"], {"two": "2"}, "'two' is given a text but is not accepted; add --label two"),
        (["one"], {"one": "  "}, "'one' has no text; give it with --text one=TEXT"),
    ],
)
def test_what_cannot_be_accepted_gets_a_sentence_and_changes_nothing(
    ids: list[str], texts: dict[str, str], sentence: str, model: Path
) -> None:
    before = {file: file.read_bytes() for file in model.parent.iterdir()}
    with pytest.raises(GiveUp, match=sentence):
        accept(model, ids, texts)
    assert {file: file.read_bytes() for file in model.parent.iterdir()} == before


def test_a_label_that_came_into_the_sidecar_since_is_not_doubled(model: Path) -> None:
    content = {**SAYS, "labels": [{**ANNOTATED, "id": "one"}]}
    (model.parent / "card.truth.json").write_text(json.dumps(content))
    with pytest.raises(GiveUp, match=r"card.truth.json has a label 'one' already; change it there"):
        accept(model, ["one"])
    assert sidecar(model) == content


def test_proposals_of_another_version_of_the_model_are_refused(model: Path) -> None:
    model.write_bytes(model.read_bytes() + b"\0\0\0\0")
    with pytest.raises(GiveUp, match=r"was made for another version of card\.glb; propose its labels anew"):
        accept(model)


def test_without_proposals_a_sentence_says_how_to_make_them(model: Path) -> None:
    proposals_of(model).unlink()
    with pytest.raises(
        GiveUp, match=r"card.truth.proposed.json is missing; propose labels first: packline truth"
    ):
        accept(model)


@pytest.mark.parametrize("content", ["{", "[]", '{"labels": 3}'])
def test_a_malformed_sidecar_is_not_overwritten(content: str, model: Path) -> None:
    (model.parent / "card.truth.json").write_text(content)
    with pytest.raises(GiveUp, match=r"card.truth.json (cannot be read|is malformed)"):
        accept(model)
    assert (model.parent / "card.truth.json").read_text() == content
