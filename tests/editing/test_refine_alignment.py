"""A carton of the demo on a photo as an engine draws it: in its place, or a little beside, larger, turned."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from packline.candidate import Candidate
from packline.colour import to_linear, to_srgb
from packline.editing import refine as refining
from packline.editing.alignment import Alignment, Layers, Motion, align, farthest
from packline.editing.cutout import cut_out
from packline.editing.placed import Render
from packline.editing.refine import REFINE_VERSION, refine
from packline.reference import Reference
from packline.report.wording import facts_of
from packline.scenes import load_scene
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.render import render_reference
from packline.stage.views import canonical_camera
from tests.parts import make_candidate

SIZE, EDIT = 512, 256
ASSETS = Path(__file__).parents[2] / "assets"


@dataclass(frozen=True)
class Scene:
    base: np.ndarray
    reference: Reference
    centre: tuple[float, float]

    def truth(self, motion: Motion | None = None, light: float = 1.0) -> np.ndarray:
        """What a perfect editor makes that puts the product there."""
        colour = (cut_out(self.reference.colour, self.reference.mask) / 255).astype(np.float32)
        cover = (self.reference.mask / 255).astype(np.float32)
        if motion is not None:
            how = {"dsize": (SIZE, SIZE), "flags": cv2.INTER_CUBIC}
            colour = cv2.warpAffine(colour, motion.matrix, borderMode=cv2.BORDER_REPLICATE, **how)
            cover = np.clip(cv2.warpAffine(cover, motion.matrix, **how), 0, 1)
        share = cover[..., None]
        lit = to_linear(np.clip(colour, 0, 1)) * np.float32(light)
        return to_srgb(to_linear(self.base) * (1 - share) + lit * share)

    def motion(self, right: float = 0, down: float = 0, scale: float = 1, degrees: float = 0) -> Motion:
        """In pixels of the picture."""
        return Motion(self.centre, (right, down), scale, degrees)

    def inside(self, motion: Motion) -> np.ndarray:
        moved = cv2.warpAffine(self.reference.mask, motion.matrix, (SIZE, SIZE))
        return cv2.erode(moved, np.ones((9, 9))) > 250

    def label(self, motion: Motion) -> np.ndarray:
        """Inside the label, where it should end up."""
        drawn = np.zeros((SIZE, SIZE), np.uint8)
        for label in self.reference.labels:
            cv2.fillPoly(drawn, [np.round(np.asarray(label.outline)).astype(np.int32)], 255)
        moved = cv2.warpAffine(cv2.erode(drawn, np.ones((7, 7))), motion.matrix, (SIZE, SIZE))
        return (moved > 250) & self.inside(motion)


@pytest.fixture(scope="module")
def scene() -> Scene:
    model = load_model(ASSETS / "3d" / "carton-granola.glb")
    near = canonical_camera(model, "three-quarter", SIZE)
    with Rasteriser(512).staged(model) as stage:
        reference = render_reference(stage, "three-quarter", replace(near, fov_y=2 * near.fov_y))
    rows, columns = np.nonzero(reference.mask > 127)
    centre = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    base = load_scene(ASSETS / "scenes" / "oak-table.json").photo_at(SIZE)
    return Scene(base, reference, centre)


def codec(picture: np.ndarray, seed: int = 0) -> np.ndarray:
    """Shrink, blur and spoil a picture as a small model's codec does."""
    small = cv2.resize(picture, (EDIT, EDIT), interpolation=cv2.INTER_AREA).astype(np.float32)
    noise = np.random.default_rng(seed).normal(0, 4, small.shape).astype(np.float32)
    spoiled = cv2.GaussianBlur(small, (0, 0), 0.7) + cv2.GaussianBlur(noise, (0, 0), 1.2)
    return np.clip(spoiled, 0, 255).astype(np.uint8)


def decibels(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    return float(-10 * np.log10(((one.astype(float) - other)[where] ** 2).mean() / 255**2))


def left_in_place(patch: pytest.MonkeyPatch, *args: object, **kwargs: object) -> refining.Refined:
    with patch.context() as inside:
        inside.setattr(refining, "align", lambda _: Alignment(Motion((0.0, 0.0))))
        return refine(*args, **kwargs)  # type: ignore[arg-type]


MOTIONS = {
    # four pixels of the edit
    "shifted": {"right": 8.0, "down": -4.0},
    "larger": {"scale": 1.04},
    "turned": {"degrees": 2.0},
}


@pytest.mark.parametrize("how", MOTIONS)
@pytest.mark.parametrize("mode", ["product", "labels"])
def test_detail_comes_back_where_the_edit_has_the_product(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, how: str, mode: refining.Mode
) -> None:
    motion = scene.motion(**MOTIONS[how])
    truth = scene.truth(motion, light=0.8)
    asked = (codec(truth), scene.base, scene.reference, mode)
    refined, blind = refine(*asked), left_in_place(monkeypatch, *asked)
    # labels: a double print is what a label pasted beside itself leaves
    where = scene.inside(motion) if mode == "product" else scene.label(motion)
    assert where.sum() > 500
    assert decibels(refined.picture, truth, where) > decibels(blind.picture, truth, where) + 5
    assert decibels(refined.picture, truth, where) > 28
    found = refined.motion
    assert found is not None
    rows, columns = np.nonzero(where)
    points = np.stack([columns, rows, np.ones(len(rows))])
    assert np.hypot(*((found.matrix - motion.matrix) @ points)).max() < 1.0
    facts = refined.facts()
    assert facts["version"] == REFINE_VERSION
    assert facts["mode"] == mode
    assert not facts["declined"]
    np.testing.assert_allclose(facts["shift"], motion.shift, atol=0.7)
    assert facts["scale"] == pytest.approx(motion.scale, abs=0.01)
    assert facts["degrees"] == pytest.approx(motion.degrees, abs=0.5)
    assert "where the edit has the product" in facts["words"]


@pytest.mark.parametrize("mode", ["product", "labels"])
def test_an_edit_in_its_place_is_refined_to_the_byte_as_without_a_search(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, mode: refining.Mode
) -> None:
    asked = (codec(scene.truth(light=0.8)), scene.base, scene.reference, mode)
    refined, blind = refine(*asked), left_in_place(monkeypatch, *asked)
    assert refined.motion is None
    assert np.array_equal(refined.picture, blind.picture)
    assert refined.facts() == blind.facts()


def test_a_product_far_from_its_place_is_left_where_it_is_and_the_facts_say_why(scene: Scene) -> None:
    motion = scene.motion(right=42)  # eight hundredths of the side
    edit = codec(scene.truth(motion))
    refined = refine(edit, scene.base, scene.reference, "product")
    assert refined.declined
    assert np.array_equal(refined.picture, refine(edit, scene.base, scene.reference, "off").picture)
    facts = refined.facts()
    assert facts["declined"]
    assert facts["shift"] == [0, 0]
    assert "has the product elsewhere" in facts["words"]


def layers(scene: Scene, edit: np.ndarray) -> Layers:
    render = Render.of(scene.reference)
    return refining._Small.of(edit, scene.base, render).layers(render)


@pytest.mark.parametrize("seed", range(12))
def test_noise_and_flat_pictures_move_nothing(scene: Scene, seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = random.normal(0, 1, (EDIT, EDIT, 3)).astype(np.float32)
    width = float(random.uniform(0.5, 12))
    noise = cv2.GaussianBlur(noise, (0, 0), width)
    edit = np.clip(128 + 45 * noise / noise.std(), 0, 255).astype(np.uint8)
    if seed % 4 == 0:
        edit = np.full_like(edit, 20 * seed)
    if seed % 4 == 1:  # on the photo
        edit = codec(scene.base, seed)
    assert align(layers(scene, edit)).pixels == 0
    refined = refine(edit, scene.base, scene.reference, "product")
    assert refined.declined
    assert refined.motion is None


def test_a_product_of_which_the_edit_shows_half_is_not_dragged_about(scene: Scene) -> None:
    half = scene.truth()
    middle = round(scene.centre[0])
    half[:, middle:] = scene.base[:, middle:]
    found = align(layers(scene, codec(half)))
    assert found.pixels < 1.5


def test_a_product_that_the_frame_cuts_off_goes_on_as_the_edit_has_it(scene: Scene) -> None:
    aside = round(scene.centre[0])
    reference = replace(
        scene.reference,
        colour=np.ascontiguousarray(np.roll(scene.reference.colour, -aside, axis=1)),
        mask=np.ascontiguousarray(np.roll(scene.reference.mask, -aside, axis=1)),
        shadow=np.ascontiguousarray(np.roll(scene.reference.shadow, -aside, axis=1)),
        labels=(),
    )
    # what the roll brought in on the other side is no part of it
    half = SIZE // 2
    mask, colour = reference.mask.copy(), reference.colour.copy()
    mask[:, half:] = 0
    colour[:, half:] = scene.reference.colour[0, 0]
    cut = replace(scene, reference=replace(reference, mask=mask, colour=colour))
    rows, columns = np.nonzero(mask > 127)
    assert columns.min() == 0
    motion = Motion(((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2), (8.0, 0.0))
    # the whole product, of which the render shows the right half, eight pixels into the frame
    whole = cv2.warpAffine(
        scene.truth(), np.array([[1.0, 0, 8 - aside], [0, 1, 0]]), (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT
    )
    cover = cv2.warpAffine(scene.reference.mask, np.array([[1.0, 0, 8 - aside], [0, 1, 0]]), (SIZE, SIZE))
    truth = np.where(cover[..., None] > 127, whole, cut.base)
    edit = codec(truth)
    refined = refine(edit, cut.base, cut.reference, "product")
    assert refined.motion is not None
    assert (
        farthest(Motion(motion.centre, (8 - refined.motion.shift[0], -refined.motion.shift[1])), mask / 255)
        < 2
    )
    strip = np.zeros(mask.shape, bool)
    strip[:, :6] = cv2.erode(cover, np.ones((15, 1)))[:, :6] > 250
    enlarged = refine(edit, cut.base, cut.reference, "off").picture
    assert strip.sum() > 200
    assert decibels(refined.picture, truth, strip) > decibels(cut.base, truth, strip) + 6
    assert np.abs(refined.picture.astype(int) - enlarged)[strip].mean() < 3


def test_what_refine_did_is_kept_with_the_candidate_and_told_and_is_no_part_of_its_id(
    scene: Scene, tmp_path: Path
) -> None:
    facts = refine(codec(scene.base), scene.base, scene.reference, "product").facts()
    plain = make_candidate(tmp_path, "shot", "f", refine="product")
    kept = replace(plain, recipe=replace(plain.recipe, refined=facts))
    assert kept.recipe.id == plain.recipe.id
    # as the ledger keeps it
    assert Candidate.from_dict(json.loads(json.dumps(kept.to_dict()))).recipe.refined == facts
    told = dict(facts_of(kept))["Refine"]
    assert told == f"product, declined (version {REFINE_VERSION}): {facts['words']}"
    assert dict(facts_of(plain))["Refine"] == "product"
