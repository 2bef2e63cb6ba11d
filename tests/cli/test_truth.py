"""`packline truth`: propose, accept, show; each says what it did, and refuses with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from packline.cli.main import app
from packline.stage.load import load_model
from tests.stage.build import Gltf, box, print_of

SHELL = CliRunner()


def truth(*words: str | Path) -> Result:
    return SHELL.invoke(app, ["truth", *(str(word) for word in words)])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flat box with one word on its front and no sidecar, its labels proposed."""
    shape = box((0.12, 0.12, 0.03))
    shape["uv"][4:] = 0.02
    gltf = Gltf()
    gltf.mesh(
        **shape,
        material=gltf.material(name="board", baseColorTexture={"index": gltf.image(print_of("ORCHARD"))}),
    )
    path = gltf.save(tmp_path_factory.mktemp("truth") / "box.glb")
    with pytest.MonkeyPatch.context() as patch:
        # the front and its neighbours, to save time
        patch.setattr("packline.stage.propose.AROUND", ((0.0, 8.0), (45.0, 8.0), (315.0, 8.0)))
        patch.setattr("packline.stage.propose.SIZE", 512)
        said = truth("propose", path)
    assert said.exit_code == 0
    assert "ORCHARD" in said.output
    assert f"packline truth accept {path} --label orchard" in said.output
    return path


def test_a_proposal_does_not_count_before_it_is_accepted(model: Path) -> None:
    assert (model.parent / "box.truth.proposed.json").is_file()
    assert Image.open(model.parent / "box.truth.proposed.png").width > 1000
    assert load_model(model).labels == ()


def test_what_is_accepted_is_shown_in_every_view(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "accepted"
    out.mkdir()
    for file in model.parent.glob("box.truth.*"):
        (out / file.name).write_bytes(file.read_bytes())
    said = truth("accept", model, "--label", "orchard", "--text", "orchard=ORCHARD", "--out", out)
    assert said.exit_code == 0
    assert said.output.splitlines()[0] == 'Accepted orchard: "ORCHARD".'
    sidecar = out / "box.truth.json"
    (label,) = json.loads(sidecar.read_text())["labels"]
    assert (label["id"], label["text"], label["material"]) == ("orchard", "ORCHARD", "board")
    shown = truth(
        "show",
        model,
        "--truth",
        sidecar,
        "--view",
        "front",
        "--view",
        "back",
        "--out",
        tmp_path,
        "--size",
        "256",
    )
    assert shown.exit_code == 0
    (row,) = [line for line in shown.output.splitlines() if "orchard" in line]
    assert row.split()[:5] == ["front", "orchard", "ORCHARD", "ORCHARD", "left"]
    assert "100%" in row
    drawn = np.asarray(Image.open(tmp_path / "box" / "truth-front.png")).astype(int)
    plain = np.asarray(Image.open(tmp_path / "box" / "truth-back.png")).astype(int)
    # the label's outline is drawn in red, where there is one
    red = [((p[..., 0] - p[..., 2]) > 120).sum() for p in (drawn, plain)]
    assert red[0] > 200
    assert red[1] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Say which labels to accept: --label ID for each, or --all for every new one."),
        (("--all", "--label", "orchard"), "Say which labels to accept"),
        (("--label", "plum"), "Label 'plum' is not among the proposals in box.truth.proposed.json (orchard)"),
        (("--all", "--text", "orchard"), "--text 'orchard' is not of the form ID=TEXT; write, say,"),
    ],
)
def test_what_cannot_be_accepted_ends_with_code_2_and_a_sentence(
    words: tuple[str, ...], sentence: str, model: Path
) -> None:
    said = truth("accept", model, *words)
    assert said.exit_code == 2
    assert sentence in said.output
    assert not (model.parent / "box.truth.json").exists()


def test_a_model_that_is_missing_gets_a_sentence(tmp_path: Path) -> None:
    for command in ("propose", "show"):
        said = truth(command, tmp_path / "no.glb")
        assert said.exit_code == 2
        assert "no.glb is missing; add the file" in said.output
