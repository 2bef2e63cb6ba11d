"""Labels proposed from a model alone lie where its text was printed, and read the way it was printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from packline.cli.truth import OcrReader
from packline.stage.lifting import lift
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.proposal_sheet import proposal_sheet
from packline.stage.propose import Proposal, propose
from packline.stage.raster import Rasteriser
from packline.stage.sighting import overlap
from packline.stage.text_truth import natural_direction
from tests.stage.build import Gltf, box, revolved

SIDE = 640


def printed(words: list[tuple[str, float, float, int]], ornament: bool = False) -> np.ndarray:
    """A texture with words, each at its middle (x, y) and turned by so many degrees clockwise."""
    sheet = Image.new("RGB", (SIDE, SIDE), (238, 232, 214))
    for text, x, y, turn in words:
        font = ImageFont.load_default(74)
        low = ImageDraw.Draw(sheet).textbbox((0, 0), text, font)
        piece = Image.new("RGB", (round(low[2]) + 8, round(low[3]) + 8), (238, 232, 214))
        ImageDraw.Draw(piece).text((4, 4), text, (30, 50, 90), font)
        piece = piece.rotate(-turn, expand=True)
        sheet.paste(piece, (round(x - piece.width / 2), round(y - piece.height / 2)))
    if ornament:
        ImageDraw.Draw(sheet).ellipse((500, 292, 556, 348), fill=(30, 50, 90))
    return np.asarray(sheet)


def ink_box(texture: np.ndarray, low: tuple[int, int], high: tuple[int, int]) -> np.ndarray:
    """The ink between two corners of a texture: its own corners, pixels, (2, 2)."""
    dark = texture[low[1] : high[1], low[0] : high[0], 0] < 140
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    return np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]]) + low


@pytest.fixture(scope="module", autouse=True)
def fewer_views() -> Any:
    """Half of the product, to save time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("packline.stage.propose.AROUND", ((0.0, 8.0), (45.0, 8.0), (315.0, 8.0), (180.0, 8.0)))
        yield


@pytest.fixture(scope="module")
def reader() -> OcrReader:
    return OcrReader()


TEXTURE = printed([("GRANITE", 320, 120, 0), ("HARBOUR", 320, 440, 90)])


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: Any, reader: OcrReader, rasteriser: Rasteriser
) -> tuple[ProductModel, dict[str, Proposal]]:
    """A flat box of which one side shows both words; one of them is annotated already."""
    shape = box((0.12, 0.12, 0.03))
    shape["uv"][4:] = 0.02  # the other sides are blank
    gltf = Gltf()
    gltf.mesh(**shape, material=gltf.material(name="board", baseColorTexture={"index": gltf.image(TEXTURE)}))
    path = tmp_path_factory.mktemp("propose") / "box.glb"
    annotated = {"id": "front", "text": "GRANITE", "material": "board"}
    quad = [[0.2, 0.12], [0.8, 0.12], [0.8, 0.26], [0.2, 0.26]]
    model = load_model(gltf.save(path, labels=[{**annotated, "quad": quad}]))
    return model, {one.label.text: one for one in propose(model, rasteriser, reader)}


def test_every_word_is_proposed_and_nothing_else(found: Any) -> None:
    _, proposals = found
    assert set(proposals) == {"GRANITE", "HARBOUR"}
    assert all(one.label.material == "board" and one.confidence > 0.9 for one in proposals.values())
    # more than one picture has to agree
    assert all(one.views >= 2 for one in proposals.values())


def test_what_is_annotated_already_is_known(found: Any) -> None:
    _, proposals = found
    assert (proposals["GRANITE"].known, proposals["HARBOUR"].known) == ("front", "")
    assert (proposals["GRANITE"].label.id, proposals["HARBOUR"].label.id) == ("front", "harbour")


@pytest.mark.parametrize(
    ("text", "low", "high", "order"),
    [("GRANITE", (0, 0), (640, 240), (0, 1, 2, 3)), ("HARBOUR", (0, 240), (640, 640), (1, 2, 3, 0))],
)
def test_a_quad_lies_close_around_the_ink_in_reading_order(
    text: str, low: tuple[int, int], high: tuple[int, int], order: tuple[int, ...], found: Any
) -> None:
    (x0, y0), (x1, y1) = ink_box(TEXTURE, low, high)
    air = 0.12 * min(x1 - x0, y1 - y0)
    box_ = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) + air * np.array(
        [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    )
    expected = box_[list(order)]
    assert np.abs(np.array(found[1][text].label.quad) * SIDE - expected).max() < 5


def test_a_proposal_reads_the_way_it_is_printed(found: Any) -> None:
    model, proposals = found
    for text, direction in (("GRANITE", 0.0), ("HARBOUR", 90.0)):
        angle, mirrored = natural_direction(model, proposals[text].label)
        assert (angle - direction + 180) % 360 - 180 == pytest.approx(0, abs=1)
        assert not mirrored


def test_the_strip_is_the_text_upright(found: Any, reader: OcrReader) -> None:
    strips = [one.strip for one in found[1].values()]
    assert [text for text, _ in reader.read(strips)] == list(found[1])


def test_the_sheet_has_a_row_for_each_proposal(found: Any) -> None:
    proposals = tuple(found[1].values())
    sheet = proposal_sheet("box.glb", proposals)
    assert sheet.shape[0] == 52 + 2 * 256
    for number, one in enumerate(proposals):
        strip = sheet[52 + number * 256 + 116 :, 280:][: one.strip.shape[0], : one.strip.shape[1]]
        assert np.abs(strip.astype(int) - one.strip).mean() < 1
    assert proposal_sheet("blank.glb", ()).shape[0] > 52


def test_text_on_mirrored_uv_is_proposed_as_it_reads(
    tmp_path: Path, reader: OcrReader, rasteriser: Rasteriser
) -> None:
    """A can whose UV run the other way, so that its texture holds the word mirrored, and an ornament."""
    shape = revolved([(0.05, 0.12 * i / 6) for i in range(7)], turn=180)
    shape["uv"][:, 0] = 1 - shape["uv"][:, 0]
    texture = printed([("MARBLE", 320, 320, 0)], ornament=True)[:, ::-1]
    gltf = Gltf()
    gltf.mesh(
        **shape, material=gltf.material(baseColorTexture={"index": gltf.image(np.ascontiguousarray(texture))})
    )
    model = load_model(gltf.save(tmp_path / "can.glb"))
    (one,) = propose(model, rasteriser, reader)
    assert one.label.text == "MARBLE"
    top_left, top_right, *_ = one.label.quad
    # its start lies right of its end in the texture
    assert top_left[0] > top_right[0]
    angle, mirrored = natural_direction(model, one.label)
    assert min(angle, 360 - angle) < 2
    assert not mirrored
    _, high = ink_box(np.ascontiguousarray(texture), (100, 200), (640, 440))
    assert abs(top_left[0] * SIDE - high[0]) < 16
    assert lift(model, one.label)[0].valid.all()


def test_quads_overlap_by_the_share_of_the_smaller_one() -> None:
    square = np.array([[0.1, 0.1], [0.3, 0.1], [0.3, 0.3], [0.1, 0.3]])

    def moved(*by: float) -> np.ndarray:
        return square + np.array(by)

    assert overlap(square, moved(0.1, 0.0)) == pytest.approx(0.5, abs=0.01)
    assert overlap(square, moved(0.3, 0.0)) == 0
    # textures repeat
    assert overlap(square, moved(1.0, -2.0)) == pytest.approx(1, abs=0.01)
    small = square.mean(0) + (square - square.mean(0)) / 4
    assert overlap(square, small) == pytest.approx(1, abs=0.01)
    # corners may run the other way round
    assert overlap(square, square[::-1]) == pytest.approx(1, abs=0.01)


def test_the_reader_knows_no_proposal_file(tmp_path: Path) -> None:
    """Proposals never count: a model is read the same with them lying beside it."""
    gltf = Gltf()
    gltf.mesh(**box(), material=gltf.material())
    path = gltf.save(tmp_path / "m.glb")
    before = load_model(path)
    proposal = {"id": "x", "text": "X", "material": "", "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    (tmp_path / "m.truth.proposed.json").write_text(
        json.dumps({"proposals": [proposal], "labels": [proposal]})
    )
    after = load_model(path)
    assert after.labels == ()
    assert after.sha256 == before.sha256
