"""Defects are what they say they are, and what nobody could see is none."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from packline.colour import ciede2000, to_lab, to_linear
from scoring.bench.defects import RECIPES, Sitting, added_text, mesh, shape, spoil, text
from scoring.bench.defects.colour import one_part, whole
from scoring.bench.defects.glyphs import faces
from scoring.bench.defects.lettering import alike, cut, printed
from scoring.bench.defects.recipes import generator
from scoring.bench.defects.sitting import Floats, moved_apart
from scoring.bench.nuisances import Nuisance
from scoring.bench.takes import Take, takes


@pytest.fixture(scope="module")
def two() -> tuple[Take, ...]:
    return tuple(takes("calibration", 256, 2, seed=9))


@pytest.fixture(scope="module")
def sitting(two: tuple[Take, ...]) -> Sitting:
    made = Sitting(two[0], Nuisance(), generator(0), two)
    assert made.area > 500  # and the honest picture is taken once for all tests
    return made


def word(letters: str) -> Floats:
    from PIL import ImageFont

    image = Image.new("L", (420, 96), 0)
    font = ImageFont.truetype(next(one for one in faces() if "Sans" in one), 80)
    ImageDraw.Draw(image).text((210, 48), letters, 255, font, anchor="mm")
    return np.asarray(image, np.float32) / np.float32(255)


def test_each_recipe_has_a_name_and_strength_of_its_own() -> None:
    assert len({(one.name, one.strength) for one in RECIPES}) == len(RECIPES) > 100


@pytest.mark.parametrize("name", ["blob", "part melted", "halo", "noise", "product too large"])
def test_the_same_generator_gives_the_same_pixels(sitting: Sitting, name: str) -> None:
    recipe = [one for one in RECIPES if one.name == name][-1]
    one, other = (spoil(sitting.with_rng(generator(5)), recipe, "x") for _ in range(2))
    assert one is not None and other is not None and one.defect is not None
    assert np.array_equal(one.given.candidate, other.given.candidate)
    assert not np.array_equal(one.given.candidate, sitting.plain.picture)


def test_a_symmetric_word_turned_over_is_no_defect_and_another_word_is() -> None:
    same, other = word("OXO"), word("VIGOR")
    assert alike(same, np.ascontiguousarray(same[:, ::-1])) > text.SYMMETRIC
    assert alike(same, np.ascontiguousarray(same[::-1, ::-1])) > text.SYMMETRIC
    assert alike(other, np.ascontiguousarray(other[:, ::-1])) < text.SYMMETRIC
    assert alike(other, np.ascontiguousarray(other[::-1, ::-1])) < text.SYMMETRIC


def test_a_turned_label_is_printed_upside_down_in_its_place(two: tuple[Take, ...]) -> None:
    model = two[0].model
    label = max(model.labels, key=lambda one: abs(one.quad[2][1] - one.quad[0][1]))
    lettering = cut(model, label)
    assert lettering is not None
    over = np.ascontiguousarray(lettering.letters[::-1, ::-1])
    again = cut(printed(model, lettering, lettering.with_letters(over)), label)
    assert again is not None
    assert alike(over, again.letters) > 0.95
    assert alike(lettering.letters, again.letters) < 0.85


def test_a_part_is_off_by_the_colour_difference_that_is_stated(sitting: Sitting) -> None:
    found = 0
    for seed in range(8):
        own = sitting.with_rng(generator(seed))
        altered = one_part(own, "dE 5") or whole(own, "dE 5")
        if altered is None or altered.defect.where is None:
            continue
        found += 1
        # the picture's own difference is less: light takes its share, so ask the model
        seen = np.median(
            ciede2000(
                *(
                    to_lab(to_linear(picture[altered.defect.where]))
                    for picture in (sitting.plain.picture, altered.picture)
                )
            )
        )
        assert 2.0 < seen < 7.5
        assert altered.defect.strength == "dE 5"
    assert found


def test_a_shift_in_cielab_is_exact() -> None:
    from scoring.bench.defects.colour import _shift

    rng = generator(1)
    for wanted in (2.0, 3.0, 5.0, 8.0):
        for start in ((50.0, 40.0, -20.0), (80.0, 0.0, 0.0), (30.0, -10.0, 30.0)):
            step = _shift(start, wanted, rng)
            assert step is not None
            assert float(ciede2000(np.array(start), np.array(start) + step)) == pytest.approx(
                wanted, abs=1e-6
            )


def test_strength_is_the_share_of_the_product_that_changed(sitting: Sitting) -> None:
    for recipe in (one for one in RECIPES if one.name in ("hole", "blob") and one.strength == "8 %"):
        altered = recipe.make(sitting.with_rng(generator(3)), recipe.strength) if recipe.make else None
        if altered is None:
            continue
        assert altered.defect.where is not None
        share = 100 * altered.defect.where.sum() / sitting.area
        assert altered.defect.strength == ("4-8 %" if share < 8 else ">8 %")
        assert altered.defect.plain
        # nothing else was touched
        far = ~(cv2.dilate(altered.defect.where.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0)
        assert np.array_equal(altered.picture[far], sitting.plain.picture[far])


def test_what_nobody_sees_is_no_defect(sitting: Sitting) -> None:
    assert shape._painted(sitting, sitting.plain.picture.copy(), "hole") is None
    hidden = replace(sitting.take.model.parts[0], name="within")
    small = replace(hidden, vertices=(hidden.vertices - hidden.vertices.mean(0)) * np.float32(0.01))
    middle = sitting.take.model.bounds.mean(0).astype(np.float32)
    inner = replace(small, vertices=small.vertices + middle)
    model = replace(sitting.take.model, parts=(*sitting.take.model.parts, inner))
    assert shape._taken(sitting, model, "part added") is None


def test_a_move_by_a_hair_is_no_change_and_a_blot_is() -> None:
    rng = np.random.default_rng(2)
    picture = np.asarray(cv2.resize(rng.integers(0, 255, (16, 16, 3), np.uint8), (128, 128)), np.uint8)
    moved = np.roll(picture, (1, -1), (0, 1))
    assert (moved_apart(picture, moved, 2)[8:-8, 8:-8] > 8).mean() < 0.01
    blotted = picture.copy()
    blotted[40:60, 40:60] = (255, 0, 255)
    assert (moved_apart(picture, blotted, 2)[43:57, 43:57] > 8).mean() > 0.9


def test_dividing_a_mesh_changes_neither_its_area_nor_its_extent(two: tuple[Take, ...]) -> None:
    part = max(two[0].model.parts, key=lambda one: len(one.faces))
    size = float(np.linalg.norm(np.ptp(part.vertices, axis=0)))
    fine = mesh._divided(part, lambda at: np.ones(len(at), bool), 0.04 * size)

    def area(vertices: Floats, faces: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
        a, b, c = np.moveaxis(vertices[faces].astype(float), 1, 0)
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)

    assert len(fine.faces) > len(part.faces)
    assert area(fine.vertices, fine.faces) == pytest.approx(area(part.vertices, part.faces), rel=1e-4)
    assert np.allclose(np.ptp(fine.vertices, axis=0), np.ptp(part.vertices, axis=0), rtol=1e-5)
    assert fine.uv is None or len(fine.uv) == len(fine.vertices)


def test_a_wrong_product_stands_in_the_right_ones_place(sitting: Sitting) -> None:
    recipe = next(one for one in RECIPES if one.name == "wrong product" and one.strength == "another kind")
    specimen = spoil(sitting.with_rng(generator(4)), recipe, "x")
    assert specimen is not None and specimen.defect is not None and specimen.defect.where is not None
    assert specimen.defect.plain
    assert specimen.given.scene is sitting.take.truth
    overlap = specimen.defect.where & sitting.inside
    assert overlap.sum() > 0.05 * sitting.area


def test_a_dark_thing_in_the_shadow_lies_within_it_and_touches_nothing_else(two: tuple[Take, ...]) -> None:
    kind = [one for one in RECIPES if one.name == "object in the shadow"]
    assert len(kind) == 3
    found = 0
    for take in two:
        own = Sitting(take, Nuisance(), generator(0), two)
        for recipe in kind:
            specimen = spoil(own.with_rng(generator(6)), recipe, "x")
            if specimen is None:
                continue
            found += 1
            defect, picture = specimen.defect, specimen.given.candidate
            assert defect is not None and defect.where is not None and defect.check == "scene_kept"
            away = cv2.dilate(defect.where.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
            assert np.array_equal(picture[away], own.plain.picture[away])
            # darker than the shadow it lies in, and about as large as was asked for
            assert picture[defect.where].mean() < own.plain.picture[defect.where].mean() - 10
            assert np.median(take.truth.shadow[defect.where]) < 0.65 * 255
            asked = float(recipe.strength.split()[0])
            assert 0.5 * asked <= 100 * float(defect.where.mean()) <= 1.6 * asked
    assert found


def test_a_black_picture_is_black(sitting: Sitting) -> None:
    recipe = next(one for one in RECIPES if one.name == "black")
    specimen = spoil(sitting.with_rng(generator(4)), recipe, "x")
    assert specimen is not None
    assert specimen.given.candidate.max() == 0


def test_letters_that_are_none_make_a_line_of_the_height_that_was_asked_for() -> None:
    one, same, other = (added_text._nonsense(24, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert one.shape[0] == other.shape[0] == 24
    assert one.shape != other.shape or not np.array_equal(one, other)
    assert one.shape[1] > 2 * 24
    assert 0.1 < float(one.mean()) < 0.7
