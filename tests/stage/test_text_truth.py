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
from tests.stage.build import MIDDLE, Gltf, box, print_of, quad, revolved, sphere

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


def can(
    path: Path, text: str, label: list[list[float]], shape: dict[str, Any], **print_: Any
) -> ProductModel:
    gltf = Gltf()
    texture = {"index": gltf.image(print_of(text, **print_))}
    gltf.mesh(**shape, material=gltf.material(baseColorTexture=texture))
    return load_model(gltf.save(path, labels=[{"id": "belt", "text": text, "quad": label}]))


CAN = [(0.05, 0.15 * i / 8) for i in range(9)]


def rolled(picture: np.ndarray) -> np.ndarray:
    """The texture moved by half its width, so that its print lies across the edge."""
    return np.roll(picture, picture.shape[1] // 2, axis=1)


@pytest.mark.parametrize(("low", "high"), [(0.8, 1.2), (-0.2, 0.2)])
def test_a_label_across_the_seam_of_the_texture_is_one_label(
    low: float, high: float, tmp_path: Path, rasteriser: Rasteriser, read: Any
) -> None:
    gltf = Gltf()
    texture = {"index": gltf.image(rolled(print_of("SEAM", size=90)))}
    gltf.mesh(**revolved(CAN), material=gltf.material(baseColorTexture=texture))
    corners = [[low, 0.38], [high, 0.38], [high, 0.62], [low, 0.62]]
    label = {"id": "belt", "text": "SEAM", "quad": corners}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    picture, (truth,) = look(model, "front", rasteriser)
    assert (truth.visible, truth.span, truth.visible_text) == (1.0, (0.0, 1.0), "SEAM")
    around = np.radians([-72.0, 72.0, 72.0, -72.0])
    corners = np.stack([0.05 * np.sin(around), [0.093, 0.093, 0.057, 0.057], 0.05 * np.cos(around)], -1)
    expected = canonical_camera(model, "front", 384).project(corners)[0]
    # the can has 96 flat sides, which lie up to 0.03 mm inside the circle
    assert np.abs(np.array(truth.quad) - expected).max() < 0.15
    assert read(unroll(picture, truth)) == "SEAM"


def test_letters_that_turn_out_of_sight_are_named(tmp_path: Path, rasteriser: Rasteriser) -> None:
    label = [[0.1, 0.38], [0.9, 0.38], [0.9, 0.62], [0.1, 0.62]]
    model = can(tmp_path / "m.glb", "E LOVE", label, revolved(CAN, turn=90), size=110)
    # u = 0.5 is at azimuth 270, the left; the front shows the last letters, the back the first
    seen = {view: look(model, view, rasteriser)[1][0] for view in ("left", "front", "back")}
    assert seen["left"].visible_text == "LOV"
    assert seen["back"].visible_text == "E L"
    assert seen["front"].visible_text == "VE"
    assert seen["back"].span[0] == 0.0
    assert seen["front"].span[1] == 1.0
    assert seen["front"].angle == pytest.approx(0, abs=5) or seen["front"].angle == pytest.approx(360, abs=5)


def test_a_label_on_a_cone_turns_from_start_to_end(tmp_path: Path, rasteriser: Rasteriser, read: Any) -> None:
    cone = revolved([(0.09 - 0.07 * i / 12, 0.12 * i / 12) for i in range(13)], turn=180)
    label = [[0.34, 0.38], [0.66, 0.38], [0.66, 0.62], [0.34, 0.62]]
    model = can(tmp_path / "m.glb", "CONE", label, cone, size=60)
    picture, (truth,) = look(model, "front", rasteriser)
    assert truth.visible == 1.0
    # seen a little from above, a ring around the cone hangs: it falls at its start and rises at its end
    azimuth = np.radians(180 + 360 * np.array([0.34, 0.34 + 0.32 / 3]))
    height = 0.12 * (1 - np.linspace(0.38, 0.62, 16))[:, None]
    ring = [(0.09 - 0.07 * height / 0.12) * np.sin(azimuth), (0.09 - 0.07 * height / 0.12) * np.cos(azimuth)]
    points = np.stack([ring[0], np.broadcast_to(height, ring[0].shape), ring[1]], -1)
    xy = canonical_camera(model, "front", 384).project(points)[0]
    x, y = (xy[:, 1] - xy[:, 0]).sum(0)
    fall = float(np.degrees(np.arctan2(y, x)))
    assert fall > 2
    assert truth.angle_start == pytest.approx(fall, abs=0.3)
    assert truth.angle_end == pytest.approx(360 - fall, abs=0.3)
    assert min(truth.angle, 360 - truth.angle) < 0.5
    assert read(unroll(picture, truth)) == "CONE"


def test_a_label_over_two_meshes_is_one_label(tmp_path: Path, rasteriser: Rasteriser, read: Any) -> None:
    gltf = Gltf()
    material = gltf.material(baseColorTexture={"index": gltf.image(print_of("DOUBLE"))})
    for left in (0.0, 0.5):
        half = quad(0.05, 0.1)
        half["vertices"] = half["vertices"] + [left / 10, 0, 0]
        half["uv"] = half["uv"] * [0.5, 1] + [left, 0]
        gltf.mesh(**half, material=material)
    label = {"id": "front", "text": "DOUBLE", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    picture, (truth,) = look(model, "front", rasteriser)
    assert (truth.visible, truth.span) == (1.0, (0.0, 1.0))
    assert read(unroll(picture, truth)) == "DOUBLE"


def test_a_strip_before_a_label_hides_the_letters_behind_it(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    gltf.mesh(**quad(), material=gltf.material(baseColorTexture={"index": gltf.image(print_of("OCCLUDE"))}))
    bar = quad(0.022, 0.1, z=0.004)
    bar["vertices"] = bar["vertices"] + [0.0335, 0, 0]
    del bar["uv"]
    gltf.mesh(**bar, material=gltf.material(baseColorFactor=[0.2, 0.5, 0.2, 1]))
    label = {"id": "front", "text": "OCCLUDE", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    (truth,) = look(model, "front", rasteriser)[1]
    assert truth.visible == pytest.approx(1 - 0.22 / 0.8, abs=0.05)
    assert truth.span == (0.0, 1.0)
    assert truth.visible_text == "OC…UDE"


def test_a_texture_that_repeats_shows_its_label_where_it_shows_most(
    tmp_path: Path, rasteriser: Rasteriser, read: Any
) -> None:
    gltf = Gltf()
    shape = quad(0.2, 0.1)
    shape["uv"] = shape["uv"] * [2, 1] + [3, 0]  # two copies side by side, from u = 3 to 5
    gltf.mesh(**shape, material=gltf.material(baseColorTexture={"index": gltf.image(print_of("TILE"))}))
    label = {"id": "front", "text": "TILE", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    picture, (truth,) = look(model, "front", rasteriser)
    assert truth.visible == 1.0
    (left, _), (right, _), _, _ = truth.quad
    assert right - left == pytest.approx(0.4 * 0.84 * 384, rel=0.03)
    assert read(unroll(picture, truth)) == "TILE"


def test_a_piece_of_another_part_in_the_quad_does_not_bend_the_label(
    tmp_path: Path, rasteriser: Rasteriser
) -> None:
    gltf = Gltf()
    card = quad()
    card["uv"] = card["uv"] * [0.85, 1]  # the quad's last sixteenth lies beside it in the texture ...
    material = gltf.material(baseColorTexture={"index": gltf.image(print_of("ATLAS"))})
    gltf.mesh(**card, material=material)
    tab = quad(0.02, 0.1)
    tab["vertices"] = tab["vertices"] + [0.2, 0.0, -0.1]  # ... on something that stands elsewhere
    tab["uv"] = tab["uv"] * [0.1, 1] + [0.87, 0]
    gltf.mesh(**tab, material=material)
    label = {"id": "front", "text": "ATLAS", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    (truth,) = look(model, "front", rasteriser)[1]
    (left, _), (right, _), _, _ = truth.quad
    # from 0.1 to 0.85 of the texture, of which the card shows 0.85; its left edge is the model's
    ends = np.array([[0.1 / 0.85 * 0.1, 0.062, 0.0], [0.1, 0.062, 0.0]])
    part = model.parts[0].vertices
    ends += [part[:, 0].min(), 0.0, part[:, 2].max()]
    expected = canonical_camera(model, "front", 384).project(ends)[0]
    # the last column on the card is half a grid step from its edge
    assert left == pytest.approx(float(expected[0, 0]), abs=0.2)
    assert right == pytest.approx(float(expected[1, 0]), abs=3)
    assert max(x for x, _ in truth.outline) == pytest.approx(right, abs=2)


def test_contrast_is_that_of_ink_and_ground(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    pixels = print_of("FAINT").astype(float)
    pixels = (200 + (pixels - pixels.min()) * 20 / np.ptp(pixels)).astype(np.uint8)
    pixels[250:254, 60:64] = 0  # a speck says nothing about the text
    gltf.mesh(**quad(), material=gltf.material(baseColorTexture={"index": gltf.image(pixels)}))
    label = {"id": "front", "text": "FAINT", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    (truth,) = look(model, "front", rasteriser)[1]
    # sRGB grey 200 and 220 are L* 80.6 and 87.6
    assert truth.contrast == pytest.approx(7.0, abs=1.0)


@pytest.mark.parametrize(("alpha", "visible", "contrast"), [(0.3, 1.0, 40), (0.95, 0.0, 0)])
def test_a_label_is_seen_through_a_pane_that_lets_light_through(
    alpha: float, visible: float, contrast: float, tmp_path: Path, rasteriser: Rasteriser
) -> None:
    gltf = Gltf()
    gltf.mesh(**quad(), material=gltf.material(baseColorTexture={"index": gltf.image(print_of("INSIDE"))}))
    pane = quad(z=0.02)
    del pane["uv"]
    glass = gltf.material(baseColorFactor=[0.4, 0.4, 0.4, alpha], alphaMode="BLEND")
    gltf.mesh(**pane, material=glass)
    label = {"id": "front", "text": "INSIDE", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    truths = look(model, "front", rasteriser)[1]
    assert sum(truth.visible for truth in truths) == visible
    if truths:
        (truth,) = truths
        assert truth.visible_text == "INSIDE"
        # the pane takes a good part of the contrast away, not all of it
        assert contrast - 15 < truth.contrast < contrast + 15


def test_a_label_on_glass_shows_from_behind_mirrored(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    pixels = np.dstack([print_of("WINDOW"), np.full((512, 512), 140, np.uint8)])
    pixels[(pixels[..., :3] < 200).any(-1), 3] = 255
    clear = gltf.material(baseColorTexture={"index": gltf.image(pixels)}, alphaMode="BLEND", doubleSided=True)
    gltf.mesh(**quad(), material=clear)
    label = {"id": "front", "text": "WINDOW", "quad": MIDDLE}
    model = load_model(gltf.save(tmp_path / "m.glb", labels=[label]))
    (front,) = look(model, "front", rasteriser)[1]
    (back,) = look(model, "back", rasteriser)[1]
    assert (front.mirrored, back.mirrored) == (False, True)
    assert front.visible == back.visible == 1.0
