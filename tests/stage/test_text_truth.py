"""Text truth, believed by every check, agrees with a real OCR model and with geometry."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packline.colour import to_srgb
from packline.errors import GiveUp
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.text_truth import apply_declared, text_truth
from packline.stage.views import canonical_camera
from packline.truth import TextTruth
from packline.unroll import unroll
from tests.stage.build import MIDDLE, Gltf, box, print_of, quad, sphere

DEMO = Path("assets/3d")


@pytest.fixture(scope="session")
def read() -> Any:
    """What a real OCR model reads in a strip, letters only."""
    from rapidocr import RapidOCR

    engine = RapidOCR()

    def reader(strip: np.ndarray) -> str:
        found = engine(strip[..., ::-1], use_det=False, use_cls=False, use_rec=True)
        return re.sub("[^A-Z]", "", "".join(found.txts or ()).upper())

    return reader


def card(path: Path, text: str = "PACKLINE", size: int = 90, **node: Any) -> ProductModel:
    gltf = Gltf()
    texture = {"index": gltf.image(print_of(text, size=size))}
    gltf.mesh(**quad(), material=gltf.material(baseColorTexture=texture, doubleSided=True), **node)
    label = {"id": "front", "text": text, "quad": MIDDLE}
    return load_model(gltf.save(path, labels=[label]))


def look(
    model: ProductModel, view: str, rasteriser: Rasteriser, size: int = 384
) -> tuple[np.ndarray, tuple[TextTruth, ...]]:
    camera = canonical_camera(model, view, size)
    gbuffer = rasteriser.gbuffer(model, camera)
    return to_srgb(gbuffer.albedo), text_truth(model, camera, gbuffer)


def test_an_upright_card_reads_left_to_right(tmp_path: Path, rasteriser: Rasteriser, read: Any) -> None:
    picture, (truth,) = look(card(tmp_path / "m.glb"), "front", rasteriser)
    assert truth.angle == pytest.approx(0, abs=0.5) or truth.angle == pytest.approx(360, abs=0.5)
    assert (truth.visible, truth.span, truth.mirrored) == (1.0, (0.0, 1.0), False)
    (left, top), (right, _), (_, bottom), _ = truth.quad
    # the quad spans 0.8 x 0.24 of a card that spans the picture but for the margins
    assert right - left == pytest.approx(0.8 * 0.84 * 384, rel=0.02)
    assert bottom - top == pytest.approx(0.24 * 0.84 * 384, rel=0.02)
    assert truth.height == pytest.approx(bottom - top, rel=0.02)
    assert truth.contrast > 60
    assert read(unroll(picture, truth)) == "PACKLINE"


@pytest.mark.parametrize(("turn", "angle"), [(-90, 90), (90, 270), (180, 180)])
def test_a_turned_card_reads_as_it_is_turned(
    turn: int, angle: int, tmp_path: Path, rasteriser: Rasteriser, read: Any
) -> None:
    half = np.radians(turn) / 2
    model = card(tmp_path / "m.glb", rotation=[0, 0, float(np.sin(half)), float(np.cos(half))])
    picture, (truth,) = look(model, "front", rasteriser)
    assert truth.angle == pytest.approx(angle, abs=0.5)
    assert not truth.mirrored
    assert read(unroll(picture, truth)) == "PACKLINE"


def test_the_back_of_a_card_is_mirrored(tmp_path: Path, rasteriser: Rasteriser, read: Any) -> None:
    picture, (truth,) = look(card(tmp_path / "m.glb"), "back", rasteriser)
    assert truth.mirrored
    assert truth.angle == pytest.approx(180, abs=0.5)
    # unrolled in its own frame it reads again
    assert read(unroll(picture, truth)) == "PACKLINE"


def test_a_box_hides_its_front_label_from_behind(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    shape = box()
    shape["uv"][4:] = 0.01
    texture = {"index": gltf.image(print_of("FRONT"))}
    gltf.mesh(**shape, material=gltf.material(baseColorTexture=texture, doubleSided=True))
    label = {"id": "front", "text": "FRONT", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    assert look(model, "back", rasteriser)[1] == ()
    assert look(model, "right", rasteriser)[1] == ()
    (turned,) = look(model, "three-quarter", rasteriser)[1]
    assert turned.visible == 1.0


def test_a_label_around_a_ball_shows_in_part(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    texture = {"index": gltf.image(print_of("AROUND"))}
    gltf.mesh(**sphere(0.1, 48), material=gltf.material(baseColorTexture=texture))
    # all around the equator, starting at the front: u = 0 is +Z and grows towards +X, the picture's right
    label = {"id": "belt", "text": "AROUND", "quad": [[0, 0.4], [1, 0.4], [1, 0.6], [0, 0.6]]}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    (truth,) = look(model, "right", rasteriser)[1]
    # from the right the first half shows, less what perspective hides at the rims
    assert truth.visible == pytest.approx(0.42, abs=0.06)
    assert truth.span[0] < 0.08
    assert truth.span[1] == pytest.approx(0.46, abs=0.06)
    assert not truth.mirrored


def test_a_mirrored_half_that_shares_the_texture_does_not_confuse(
    tmp_path: Path, rasteriser: Rasteriser, read: Any
) -> None:
    gltf = Gltf()
    material = gltf.material(baseColorTexture={"index": gltf.image(print_of("TWICE", size=130))})
    gltf.mesh(**quad(z=0.02), material=material)
    back = quad(z=0.0)
    back["faces"], back["normals"] = back["faces"][:, ::-1], -back["normals"]
    gltf.mesh(**back, material=material)
    label = {"id": "front", "text": "TWICE", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    picture, (front,) = look(model, "front", rasteriser)
    assert not front.mirrored
    assert read(unroll(picture, front)) == "TWICE"
    (behind,) = look(model, "back", rasteriser)[1]
    assert behind.mirrored


@pytest.mark.parametrize(
    ("direction", "angle"),
    [("left to right", 0), ("top to bottom", 90), ("right to left", 180), ("bottom to top", 270)],
)
def test_truth_follows_the_declared_direction(
    direction: str, angle: int, tmp_path: Path, rasteriser: Rasteriser
) -> None:
    for name in ("front", "PACKLINE"):
        model = apply_declared(card(tmp_path / "m.glb"), {name: direction})
        (truth,) = look(model, "front", rasteriser)[1]
        assert (truth.angle - angle + 180) % 360 - 180 == pytest.approx(0, abs=0.5)
        assert not truth.mirrored
        assert model.labels[0].declared == direction


def test_declaring_what_is_so_changes_nothing(tmp_path: Path) -> None:
    half = np.radians(-90) / 2
    model = card(tmp_path / "m.glb", rotation=[0, 0, float(np.sin(half)), float(np.cos(half))])
    declared = apply_declared(model, {"front": "top to bottom"})
    assert declared.labels[0].quad == model.labels[0].quad


def test_what_cannot_be_declared_gets_a_sentence(tmp_path: Path) -> None:
    model = card(tmp_path / "m.glb")
    with pytest.raises(GiveUp, match=r"has no such label \(it has: front \(PACKLINE\)\)"):
        apply_declared(model, {"side": "left to right"})
    with pytest.raises(GiveUp, match="'upwards'; declare one of left to right, "):
        apply_declared(model, {"front": "upwards"})


def test_a_quad_beside_the_model_gets_a_sentence(tmp_path: Path, rasteriser: Rasteriser) -> None:
    model = card(tmp_path / "m.glb")
    shape = replace(model.parts[0], uv=model.parts[0].uv * np.float32(0.3))
    with pytest.raises(GiveUp, match="its quad lies on no triangle"):
        look(replace(model, parts=(shape,)), "front", rasteriser)


def test_a_close_up_fills_the_picture_with_the_label(tmp_path: Path, rasteriser: Rasteriser) -> None:
    (truth,) = look(card(tmp_path / "m.glb"), "label:front", rasteriser)[1]
    xs = [x for x, _ in truth.quad]
    assert max(xs) - min(xs) == pytest.approx(0.84 * 384, rel=0.03)


@pytest.mark.skipif(not DEMO.is_dir(), reason="the demo's models are not made yet")
@pytest.mark.parametrize(
    ("name", "view", "direction"),
    [("shoe-elove.glb", "front", 90), ("can-volta.glb", "front", 0), ("carton-norda.fbx", "right", 90)],
)
def test_demo_labels_read_along_their_truth(
    name: str, view: str, direction: int, rasteriser: Rasteriser, read: Any
) -> None:
    model = load_model(DEMO / name)
    picture, truths = look(model, view, rasteriser, 512)
    truth = max(truths, key=lambda label: label.visible * label.height)
    assert (truth.angle - direction + 180) % 360 - 180 == pytest.approx(0, abs=15)
    assert read(unroll(picture, truth)) == truth.text.replace(" ", "")
