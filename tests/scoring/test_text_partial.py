"""Labels that are mostly out of view, on a cup that the stage draws from its side."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from packline.reference import Picture
from packline.scorecard import CheckResult, Verdict
from packline.stage.model import ProductModel
from packline.stage.render import scene_camera
from packline.stage.views import scene_pose
from scoring.bench.defects.lettering import Floats, cut, printed
from scoring.bench.nuisances import Nuisance, finish
from scoring.bench.photographs import draw
from scoring.bench.products import load_product, random_spec
from scoring.bench.scenes import scenes
from scoring.bench.takes import Take, resized
from scoring.check import CheckInput, PromptWords
from scoring.text_orientation import TextSettings, judge
from scoring.text_partial import SPECK, glimpse, part_of, pixels_in_view
from tests.scoring.synthetic import Case, Plane, make

SETTINGS = TextSettings(threshold=0.45)
HONEST = Nuisance(
    key_turn=9.0, key_gain=1.1, shift=(2.0, -1.0), turn=1.5, blur=0.25, codec="jpeg", quality=88
)
WARM = Nuisance(foreign=1.0, warmth=0.5, turn=-1.0, seed=4)


def side_view(turn: float) -> Take:
    """A cup with a brand and a line under it, turned so far that their ends are behind its limb."""
    model = load_product(random_spec("yoghurt cup", "calibration", 360200 * 100_003 + 3))
    scene = scenes("calibration")[0]
    camera = scene_camera(scene, 512)
    pose = scene_pose(model, scene, "front", (0.0, 0.0), turn)
    truth = draw(model, pose, camera, scene.light, scene.place.position[1]).reference
    photo = resized(scene.photo(), camera.width, camera.height)
    asked = (0.0, 0.0, turn, 1.0)
    return Take("cup", model, scene, "front", truth, photo, PromptWords(), 512, asked)


@pytest.fixture(scope="module")
def cup() -> Take:
    take = side_view(87.0)
    assert 0.3 < take.truth.labels[0].visible < 0.45
    # only the brand is of interest
    return replace(take, truth=replace(take.truth, labels=take.truth.labels[:1]))


def spoilt(take: Take, way: str) -> ProductModel:
    """The model with its brand printed wrongly, all of it."""
    label = next(one for one in take.model.labels if one.id == take.truth.labels[0].label)
    lettering = cut(take.model, label)
    assert lettering is not None
    letters = lettering.letters
    ways: dict[str, Floats] = {
        "upside down": letters[::-1, ::-1],
        "mirrored": letters[:, ::-1],
        "mirrored top to bottom": letters[::-1],
        "missing": np.zeros_like(letters),
        "other letters": np.roll(letters, letters.shape[1] // 2, 1),
    }
    return printed(take.model, lettering, lettering.with_letters(np.ascontiguousarray(ways[way])))


def picture(take: Take, nuisance: Nuisance, model: ProductModel | None = None) -> Picture:
    shot = take.photograph(nuisance, replace(model, labels=()) if model else None)
    return finish(shot.picture, nuisance)


def judged(take: Take, *pictures: Picture) -> list[CheckResult]:
    return judge([CheckInput(one, take.photo, take.truth) for one in pictures], SETTINGS)


def test_a_label_of_which_less_than_half_is_in_view_passes_where_that_looks_right(cup: Take) -> None:
    for found in judged(cup, *(picture(cup, nuisance) for nuisance in (Nuisance(), HONEST, WARM))):
        assert found.verdict == Verdict.PASS, found.sentence
        assert "of it in view, looks right and reads left to right, as it should." in found.sentence
        assert found.measures["labels_judged"] == 1


@pytest.mark.parametrize(
    "way", ["upside down", "mirrored", "mirrored top to bottom", "missing", "other letters"]
)
def test_a_label_of_which_less_than_half_is_in_view_fails_where_that_is_wrong(cup: Take, way: str) -> None:
    (found,) = judged(cup, picture(cup, HONEST, spoilt(cup, way)))
    assert found.verdict == Verdict.FAIL, found.sentence


def test_a_label_gone_from_view_is_said_to_be_missing_and_one_in_its_place_to_be_turned(cup: Take) -> None:
    gone, over = judged(
        cup, *(picture(cup, Nuisance(), spoilt(cup, way)) for way in ("missing", "mirrored top to bottom"))
    )
    text = cup.truth.labels[0].text
    assert gone.sentence == f"'{text}' is missing."
    assert over.sentence == f"'{text}' is mirrored top to bottom; should read left to right."


def test_what_neither_confirms_nor_refutes_the_print_holds_the_candidate_back(cup: Take) -> None:
    honest, wrong = picture(cup, Nuisance()), picture(cup, Nuisance(), spoilt(cup, "upside down"))
    part = part_of(cup.truth, 0)
    assert part is not None
    shares = np.linspace(0, 1, 21)
    blends = [np.round(honest * (1 - share) + wrong * share).astype(np.uint8) for share in shares]
    scores = [glimpse(part, one).score for one in blends]
    unsure = next(one for one, score in zip(blends, scores, strict=True) if 0.25 < score < 0.44)
    (found,) = judged(cup, unsure)
    assert found.verdict == Verdict.UNVERIFIABLE
    assert "in view and looks uncertain" in found.sentence


def test_only_what_faces_the_camera_counts(cup: Take) -> None:
    part, truth = part_of(cup.truth, 0), cup.truth.labels[0]
    assert part is not None
    shown = cup.truth.label_map == 1
    rows, columns = (np.round(one[part.weight > 0]).astype(int) for one in (part.map_y, part.map_x))
    assert cv2.dilate(shown.astype(np.uint8), np.ones((3, 3), np.uint8))[rows, columns].all()
    assert 0.75 * shown.sum() < pixels_in_view(truth) < 1.25 * shown.sum()


def test_without_letters_to_be_told_in_view_nothing_is_compared(cup: Take) -> None:
    blank = replace(cup.truth, albedo=np.full_like(cup.truth.albedo, 128))
    assert part_of(blank, 0) is None


def test_where_only_a_speck_of_all_text_is_in_view_nobody_is_asked() -> None:
    take = side_view(120.0)
    assert take.truth.labels and max(map(pixels_in_view, take.truth.labels)) < SPECK
    (found,) = judged(take, picture(take, Nuisance()))
    assert found.verdict == Verdict.NOT_APPLICABLE
    assert found.sentence == "This view of the product shows no more than specks of its text."


def test_of_a_label_seen_edge_on_not_a_pixel_wide_nobody_is_asked_either() -> None:
    one = make(Case("NORDIC", plane=Plane(height=14)))
    truth = one.scene.labels[0]
    columns = np.asarray(truth.grid, float)
    # the surface turns away at the text's end: its last columns fall upon one another
    columns[:, -3:] = columns[:, -3:-2] + np.array([[0.0, 0.0], [0.05, 0.0], [0.1, 0.0]])
    grid = tuple(tuple((float(x), float(y)) for x, y in row) for row in columns)
    sliver = replace(truth, grid=grid, visible=0.02, span=(0.98, 1.0), visible_text="")
    (found,) = judge([replace(one, scene=replace(one.scene, labels=(sliver,)))], SETTINGS)
    assert found.verdict == Verdict.NOT_APPLICABLE
