"""The shape check: honest pictures pass, missing and painted-over parts are found where they are."""

import base64
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from packline.errors import FixSettings
from packline.scorecard import Verdict
from packline.truth import PartColours
from scoring import shape
from scoring.check import CheckInput
from scoring.defect_map import SIDE, Looked, Window, look
from scoring.registration import Registration
from tests.scoring.synthetic import Case, make

SETTINGS = shape.ShapeSettings.model_validate(shape.CHECK.defaults)


def judged(given: CheckInput) -> shape.CheckResult:
    """The check's result for one candidate."""
    return shape.judge([given], SETTINGS)[0]


def without_a_corner(given: CheckInput, side: int = 200) -> CheckInput:
    """The product's lower right corner gone: the base photo shows there."""
    picture = given.candidate.copy()
    cut = np.s_[790 - side : 800, 812 - side : 830]
    picture[cut] = given.base[cut]
    return replace(given, candidate=picture)


@pytest.fixture(scope="module")
def honest() -> CheckInput:
    return make(Case(warm=0.03))


@pytest.fixture(scope="module")
def broken(honest: CheckInput) -> CheckInput:
    return without_a_corner(honest)


def test_a_missing_corner_ranks_below_the_honest_picture_and_fails(
    honest: CheckInput, broken: CheckInput
) -> None:
    good, bad = shape.judge([honest, broken], SETTINGS)
    assert bad.verdict == Verdict.FAIL
    assert bad.score < good.score


def test_an_honest_picture_passes(honest: CheckInput) -> None:
    result = judged(honest)
    assert result.verdict == Verdict.PASS
    assert result.sentence == "The product has the 3D model's shape."


def test_the_box_and_the_heat_lie_on_the_missing_corner(broken: CheckInput) -> None:
    result = judged(broken)
    boxes = [item for item in result.evidence if item.kind == "box"]
    (left, top), (right, bottom) = boxes[0].points
    assert 560 < left < right < 860 and 540 < top < bottom < 840
    heat = next(item for item in result.evidence if item.kind == "heat")
    png = cv2.imdecode(np.frombuffer(base64.b64decode(heat.data["png"]), np.uint8), cv2.IMREAD_GRAYSCALE)
    (x0, y0), (x1, y1) = heat.points
    y, x = np.unravel_index(int(png.argmax()), png.shape)
    assert 600 < x0 + (x + 0.5) * (x1 - x0) / png.shape[1] < 830
    assert 570 < y0 + (y + 0.5) * (y1 - y0) / png.shape[0] < 810


def test_a_chunk_gives_each_candidate_what_it_gets_alone(honest: CheckInput, broken: CheckInput) -> None:
    together = shape.judge([honest, broken, honest], SETTINGS)
    alone = [judged(honest), judged(broken)]
    for a, b in zip(together, [*alone, alone[0]], strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-4)


def test_a_product_of_a_few_pixels_cannot_be_judged(honest: CheckInput) -> None:
    mask = np.zeros_like(honest.scene.mask)
    mask[500:530, 500:520] = 255
    result = judged(replace(honest, scene=replace(honest.scene, mask=mask)))
    assert result.verdict == Verdict.UNVERIFIABLE
    assert result.sentence == "The product is 30 px long here; its shape needs 48 px to be judged."


def test_a_picture_of_the_wrong_size_is_an_error_not_a_verdict(honest: CheckInput) -> None:
    with pytest.raises(ValueError, match="should be 1024 x 1024 px"):
        judged(replace(honest, candidate=honest.candidate[:512]))


def test_missing_weights_stop_the_run_with_a_sentence(honest: CheckInput, tmp_path: Path) -> None:
    with pytest.raises(FixSettings, match="restore assets/models/checks/shape"):
        look([honest], tmp_path / "none.safetensors")


def test_a_product_stretched_one_way_ranks_lower_although_registration_mends_it(honest: CheckInput) -> None:
    left, top, right, bottom = honest.box
    x, y = (left + right) / 2, (top + bottom) / 2
    wide = np.array([[1.1, 0, -0.1 * x], [0, 1, 0], [0, 0, 1.0]])
    even = np.array([[1.1, 0, -0.1 * x], [0, 1.1, -0.1 * y], [0, 0, 1.0]])
    assert shape.stretched(registered(honest, wide)) == pytest.approx(0.1, abs=1e-6)
    assert shape.stretched(registered(honest, even)) == pytest.approx(0, abs=1e-6)
    picture = cv2.warpPerspective(honest.candidate, wide, honest.candidate.shape[1::-1])
    base = cv2.warpPerspective(honest.base, wide, honest.candidate.shape[1::-1])
    stretched = judged(registered(replace(honest, candidate=picture, base=base), wide))
    assert stretched.measures["stretch"] == pytest.approx(0.1, abs=1e-6)
    assert stretched.measures["shift"] == pytest.approx(0, abs=1e-6)
    assert stretched.score < judged(honest).score - 0.05


@pytest.mark.parametrize("side", [512, 1024])
def test_the_shift_is_that_of_the_product_at_every_size(honest: CheckInput, side: int) -> None:
    mask = np.zeros((side, side), np.uint8)
    mask[side // 8 : side // 4, side // 8 : side // 2] = 255
    given = replace(honest, scene=replace(honest.scene, mask=mask))
    x, y = 5 * side / 16, 3 * side / 16
    larger = np.array([[1.1, 0, -0.1 * x], [0, 1.1, -0.1 * y], [0, 0, 1.0]])
    assert shape.shifted(registered(given, larger)) == pytest.approx(0, abs=1e-6)
    larger[:2, 2] += 3, 4
    assert shape.shifted(registered(given, larger)) == pytest.approx(5, abs=1e-6)


def registered(given: CheckInput, matrix: np.ndarray) -> CheckInput:
    """The same candidate, registered by `matrix`."""
    known = replace(given)
    # a cached property that is there is not measured
    known.__dict__["registration"] = Registration(matrix, 0.9)
    return known


def answer(given: CheckInput, cells: np.ndarray, candidate: np.ndarray | None = None) -> Looked:
    """What the network would have said had it found `cells`."""
    window = Window.around(given.box)
    heat = np.where(cells, 4.0, -6.0).astype(np.float32)
    seen = given.candidate if candidate is None else candidate
    cover = window.cut(given.scene.mask) / np.float32(255)
    nothing = np.zeros((SIDE, SIDE), np.float32)
    return Looked(window, heat, 5.0, window.cut(seen), window.cut(given.base), nothing, cover)


def cells_of(given: CheckInput, where: np.ndarray) -> np.ndarray:
    """The map's cells that a mask of the picture covers."""
    cut = Window.around(given.box).cut(where.astype(np.uint8) * 255)
    return cv2.resize(cut, (SIDE // 4,) * 2, interpolation=cv2.INTER_AREA) > 127


def test_a_named_part_that_shows_the_scene_is_called_missing(honest: CheckInput) -> None:
    where = np.zeros(honest.inside.shape, bool)
    where[600:790, 620:810] = True
    where &= honest.inside
    parts = np.where(where, 2, honest.scene.parts).astype(np.uint16)
    colours = (PartColours("body", 1, 0.9, (), 0.9), PartColours("handle", 2, 0.1, (), 0.1))
    given = replace(honest, scene=replace(honest.scene, parts=parts, colours=colours))
    bare = np.where(where[..., None], honest.base, honest.candidate)
    (place,) = shape.places(given, answer(given, cells_of(given, where), bare))
    assert (place.words, place.part) == ("missing", "handle")
    assert place.part_share > 0.8
    assert place.share == pytest.approx(where.sum() / honest.inside.sum(), rel=0.15)


def test_what_lies_beside_the_product_is_not_in_the_3d_model(honest: CheckInput) -> None:
    where = np.zeros(honest.inside.shape, bool)
    where[500:600, 825:880] = True
    (place,) = shape.places(honest, answer(honest, cells_of(honest, where)))
    assert place.words == "not in the 3D model"
    assert place.share == 0.0


def test_a_window_beyond_the_picture_repeats_its_edge() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:, 90:] = 200
    cut = Window.around((80, 10, 100, 90)).cut(picture)
    assert cut.shape == (SIDE, SIDE, 3)
    assert (cut[:, -20:] == 200).all()


def test_what_hangs_together_is_more_suspicious_than_as_much_in_crumbs(honest: CheckInput) -> None:
    cells = np.zeros((SIDE // 4,) * 2, bool)
    none = answer(honest, cells)
    crumbs, whole = cells.copy(), cells.copy()
    crumbs[16:32:4, 16:32:4] = True
    whole[16:20, 16:20] = True
    apart, together = (shape.suspicion(answer(honest, where)) for where in (crumbs, whole))
    assert shape.suspicion(none) < apart < together


def test_metal_may_mirror_a_room_that_nobody_knows(honest: CheckInput) -> None:
    left, top, right, bottom = honest.box
    picture = honest.candidate.copy()
    spot = np.zeros(picture.shape[:2], np.float32)
    cv2.circle(spot, ((left + 3 * right) // 4, (top + bottom) // 2), (right - left) // 10, 1.0, -1)
    picture = np.clip(picture + 90 * cv2.GaussianBlur(spot, (0, 0), 6)[..., None], 0, 255).astype(np.uint8)

    def most(looked: Looked) -> float:
        return float(looked.excess[looked.cover > 0.99].max())

    def excess(rough: int, metal: int) -> float:
        finish = np.zeros((*honest.scene.mask.shape, 2), np.uint8)
        finish[honest.scene.mask > 0] = rough, metal
        scene = replace(honest.scene, surface=finish)
        (looked,) = look([replace(honest, candidate=picture, scene=scene)])
        return most(looked)

    (unknown,) = look([replace(honest, candidate=picture)])
    # what nobody knows is matte plastic, which the stage draws with a roughness of 0.6
    assert excess(153, 0) == pytest.approx(most(unknown), abs=1e-3)
    assert excess(153, 255) == pytest.approx(0.5 * excess(153, 0), rel=1e-3)
    assert excess(30, 0) == excess(153, 0)
