"""A patterned disc on a textured floor: what a perfect editor would make of it is known exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.editing.cutout import cut_out
from packline.editing.refine import refine
from packline.errors import GiveUp
from packline.reference import Reference
from packline.truth import TextTruth
from tests.parts import no_maps

SIZE = 512
EDIT = 256


@dataclass(frozen=True)
class Case:
    base: np.ndarray
    product: np.ndarray  # linear, without backdrop
    shade: np.ndarray  # of the floor, 0 to 1
    reference: Reference

    def truth(self, light=1.0, shade=None):
        cover = self.reference.mask[..., None] / 255
        floor = to_linear(self.base) * (self.shade if shade is None else shade)[..., None]
        return to_srgb(floor * (1 - cover) + self.product * light * cover)


@pytest.fixture(scope="module")
def case():
    random = np.random.default_rng(3)
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    grain = cv2.GaussianBlur(random.normal(0, 1, (SIZE, SIZE)).astype(np.float32), (0, 0), 1.2)
    level = 110 + 30 * rows / SIZE + 25 * grain
    base = np.clip(level[..., None] * np.array([1.1, 1.0, 0.85]), 0, 255).astype(np.uint8)
    distance = np.hypot(columns - 256, rows - 240)
    cover = np.clip(90 - distance + 0.5, 0, 1)
    stripes = (np.sin(columns / 6) > 0)[..., None] * np.array([0.55, 0.1, 0.05]) + 0.06
    product = (stripes * (1 - 0.5 * (columns[..., None] - 166) / 180)).clip(0.02, 1).astype(np.float32)
    shade = 1 - 0.6 * np.exp(-((columns - 330) ** 2 / 90**2 + (rows - 320) ** 2 / 28**2))
    mask = np.round(cover * 255).astype(np.uint8)
    colour = np.round(to_srgb(product) * cover[..., None] + 205 * (1 - cover[..., None])).astype(np.uint8)
    corners = ((220.0, 220.0), (290.0, 220.0), (290.0, 250.0), (220.0, 250.0))
    label = TextTruth("brand", "BRAND", corners, corners, 0, 0, 0, False, 1.0, (0, 1), 30, 50)
    nothing = np.zeros((SIZE, SIZE), np.float32)
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 40.0, SIZE, SIZE)
    # a shadow pass that would be seen at once if it were used
    shadow = np.zeros((SIZE, SIZE), np.uint8)
    normals = np.zeros((SIZE, SIZE, 3), np.float32)
    reference = Reference(
        "scene", camera, colour, colour, nothing, normals, mask, shadow, *no_maps(*mask.shape), (label,)
    )
    return Case(base, product, shade.astype(np.float32), reference)


def codec(picture, seed=0):
    """Shrink, blur and spoil a picture as a small model's codec does."""
    small = cv2.resize(picture, (EDIT, EDIT), interpolation=cv2.INTER_AREA).astype(np.float32)
    noise = np.random.default_rng(seed).normal(0, 5, small.shape).astype(np.float32)
    return np.clip(
        cv2.GaussianBlur(small, (0, 0), 0.8) + cv2.GaussianBlur(noise, (0, 0), 1.2), 0, 255
    ).astype(np.uint8)


def decibels(one, other, where):
    return -10 * np.log10(((one.astype(float) - other)[where] ** 2).mean() / 255**2)


def regions(case):
    inside = case.reference.mask > 128
    shadow = (case.shade < 0.97) & (case.reference.mask == 0)
    return inside, shadow, ~inside & (case.shade > 0.999) & (case.reference.mask == 0)


def test_detail_comes_back_and_the_edits_shadow_stays(case):
    truth = case.truth()
    edit = codec(truth)
    enlarged = refine(edit, case.base, case.reference, "off").picture
    refined = refine(edit, case.base, case.reference, "product")
    inside, shadow, floor = regions(case)
    assert refined.agreement > 0.9
    assert decibels(enlarged, truth, inside) < 28 < 37 < decibels(refined.picture, truth, inside)
    assert decibels(enlarged, truth, floor) < 38 < 44 < decibels(refined.picture, truth, floor)
    assert decibels(refined.picture, truth, shadow) > 36


def test_a_shadow_that_the_model_forgot_stays_forgotten(case):
    bare = case.truth(shade=np.ones_like(case.shade))
    refined = refine(codec(bare), case.base, case.reference, "product").picture
    _, shadow, _ = regions(case)
    assert decibels(refined, bare, shadow) > 40
    assert decibels(refined, case.truth(), shadow) < 25


def test_the_product_keeps_the_light_that_the_edit_gave_it(case):
    truth = case.truth(light=np.array([0.9, 0.7, 0.5]))
    refined = refine(codec(truth), case.base, case.reference, "product").picture
    inside = cv2.erode(case.reference.mask, np.ones((9, 9))) > 250
    ratio = to_linear(refined)[inside].mean(0) / case.product[inside].mean(0)
    np.testing.assert_allclose(ratio, [0.9, 0.7, 0.5], atol=0.02)


def test_a_part_that_drifted_in_colour_gets_its_own_colour_back_and_keeps_its_shading(case):
    left = (np.arange(SIZE) < 256)[None, :, None]
    drifted = np.where(left, np.array([0.75, 0.9, 0.95]), 0.85)
    refined = refine(codec(case.truth(light=drifted)), case.base, case.reference, "product", styled=False)
    inside = (cv2.erode(case.reference.mask, np.ones((9, 9))) > 250) & (np.arange(SIZE) < 230)
    light = np.log(to_linear(refined.picture)[inside].mean(0) / case.product[inside].mean(0))
    assert light.mean() == pytest.approx(np.log([0.75, 0.9, 0.95]).mean(), abs=0.04)
    # half of the 0.24 that red and blue drifted apart
    assert np.ptp(light) < 0.15


def test_a_style_over_the_whole_picture_is_kept_in_full(case):
    def style(picture):
        linear = to_linear(picture)
        return to_srgb(
            0.18 * (linear / 0.18) ** 1.08 * np.array([1.18, 0.93, 0.62]) + np.array([0.012, 0.004, 0])
        )

    truth = style(case.truth())
    refined = refine(codec(truth), case.base, case.reference, "product").picture
    inside, shadow, floor = regions(case)
    assert decibels(refined, truth, floor) > 38
    assert decibels(refined, truth, shadow) > 34
    assert decibels(refined, truth, inside) > 32


def test_a_tint_that_nobody_asked_for_is_taken_out_and_the_shadow_stays(case):
    truth = case.truth()
    tinted = to_srgb(to_linear(truth) * np.array([1.15, 0.95, 0.85]))
    edit = codec(tinted)
    kept = refine(edit, case.base, case.reference, "product").picture
    cleaned = refine(edit, case.base, case.reference, "product", styled=False).picture
    inside, shadow, floor = regions(case)
    assert decibels(kept, truth, floor) < 32 < 42 < decibels(cleaned, truth, floor)
    assert decibels(cleaned, truth, inside) > 34
    assert decibels(cleaned, truth, shadow) > 33


def test_a_model_that_spoils_the_whole_photo_does_not_spoil_it_far_from_the_product(case):
    edit = codec(case.truth()).astype(np.float32)
    blotches = np.random.default_rng(5).normal(0, 1, edit.shape).astype(np.float32)
    blotches = cv2.GaussianBlur(blotches, (0, 0), 4)
    spoiled = np.clip(edit + 14 * blotches / blotches.std(), 0, 255).astype(np.uint8)
    refined = refine(spoiled, case.base, case.reference, "product", styled=False).picture
    far = np.s_[:60]
    assert decibels(refined[far], case.base[far], ...) > decibels(spoiled[:30], edit[:30], ...) + 6


def test_noise_of_the_codec_leaves_the_photo_far_from_the_product_alone(case):
    refined = refine(codec(case.truth()), case.base, case.reference, "product").picture
    corner = np.s_[:60, :60]
    assert np.array_equal(refined[corner], case.base[corner])


def test_the_edge_shows_no_backdrop_and_no_halo(case):
    truth = case.truth()
    refined = refine(codec(truth), case.base, case.reference, "product").picture
    mask = case.reference.mask
    rim = (cv2.dilate(mask, np.ones((7, 7))) > 0) & (cv2.erode(mask, np.ones((7, 7))) < 255)
    assert np.abs(refined.astype(int) - truth)[rim].max() <= 40
    assert np.abs(refined.astype(int) - truth)[rim].mean() < 4


def test_cutting_out_undoes_the_backdrop(case):
    alone = cut_out(case.reference.colour, case.reference.mask)
    half = (case.reference.mask > 100) & (case.reference.mask < 255)
    assert np.abs(alone - to_srgb(case.product))[half].mean() < 3


def test_an_edit_without_the_product_is_not_covered_up(case):
    edit = codec(case.truth(shade=case.shade) * 0 + case.base)
    refined = refine(edit, case.base, case.reference, "product")
    assert refined.agreement < 0.5
    assert np.array_equal(refined.picture, refine(edit, case.base, case.reference, "off").picture)
    assert "left as it is" in refined.words


@pytest.mark.parametrize("wrong", ["plain", "other pattern", "turned"])
def test_an_edit_with_another_product_in_its_place_is_not_covered_up(case, wrong):
    cover = case.reference.mask[..., None] / 255
    fine = to_srgb(case.product)
    if wrong == "plain":
        other = np.broadcast_to(fine.mean((0, 1)), fine.shape)
    elif wrong == "other pattern":
        other = np.roll(fine, 19, axis=1)
    else:
        other = fine.swapaxes(0, 1)
    edit = codec((case.base * (1 - cover) + other * cover).astype(np.uint8))
    refined = refine(edit, case.base, case.reference, "product")
    assert refined.agreement < 0.5
    assert np.array_equal(refined.picture, refine(edit, case.base, case.reference, "off").picture)


@pytest.mark.parametrize("labels", [(), "hidden"])
def test_labels_mode_claims_no_detail_where_no_label_is_in_view(case, labels):
    hidden = tuple(replace(label, visible=0.0) for label in case.reference.labels)
    reference = replace(case.reference, labels=hidden if labels == "hidden" else labels)
    edit = codec(case.truth())
    refined = refine(edit, case.base, reference, "labels")
    assert np.array_equal(refined.picture, refine(edit, case.base, reference, "off").picture)
    assert refined.words == "The edit as the engine made it, enlarged: no label is in view."
    labelled = refine(edit, case.base, case.reference, "labels")
    assert labelled.words.startswith("True label detail under the edit's light")


def test_labels_mode_mends_labels_and_nothing_else(case):
    truth = case.truth()
    edit = codec(truth)
    off = refine(edit, case.base, case.reference, "off").picture
    refined = refine(edit, case.base, case.reference, "labels").picture
    label = np.s_[224:246, 224:286]
    assert decibels(refined[label], truth[label], ...) > decibels(off[label], truth[label], ...) + 6
    changed = np.nonzero((refined != off).any(-1))
    assert changed[0].min() > 210
    assert changed[0].max() < 260
    assert changed[1].min() > 210
    assert changed[1].max() < 300


def test_an_edit_at_full_size_is_refined_as_well(case):
    truth = case.truth()
    random = np.random.default_rng(1)
    edit = np.clip(cv2.GaussianBlur(truth, (0, 0), 1.0) + random.normal(0, 2, truth.shape), 0, 255).astype(
        np.uint8
    )
    refined = refine(edit, case.base, case.reference, "product").picture
    inside, shadow, floor = regions(case)
    assert decibels(refined, truth, inside) > 34
    assert decibels(refined, truth, shadow) > 36
    assert decibels(refined, truth, floor) > 40


def test_pictures_of_other_shapes_are_refused(case):
    with pytest.raises(GiveUp, match="base photo is 256x256 px and the reference 512x512"):
        refine(codec(case.base), case.base[::2, ::2], case.reference, "product")
    with pytest.raises(GiveUp, match="another aspect"):
        refine(case.base[:200], case.base, case.reference, "product")


@pytest.fixture(scope="module")
def grounded(case):
    """The case with the shadow pass that the stage would draw."""
    shadow = np.round(case.shade * 255).astype(np.uint8)
    return replace(case, reference=replace(case.reference, shadow=shadow))


def smear(case, x, y, gain, spread=22):
    """A blob of light or dark on the floor beside the product."""
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    return case.shade * (1 + (gain - 1) * blob), blob > 0.4


def ring(case, gain):
    """What weak models smear all around a product."""
    distance = cv2.distanceTransform((case.reference.mask == 0).astype(np.uint8), cv2.DIST_L2, 5)
    blob = np.exp(-((distance / 30) ** 2))
    fallen = case.shade < 0.97
    return np.where(fallen, case.shade, 1 + (gain - 1) * blob), (blob > 0.4) & ~fallen


@pytest.mark.parametrize("gain", [0.7, 1.35])
def test_what_a_weak_model_smears_where_no_shadow_can_fall_is_left_out(grounded, case, gain):
    smeared, where = ring(grounded, gain)
    where &= cv2.dilate(grounded.reference.mask, np.ones((5, 5))) == 0
    # the ground next to where the shadow falls may be the shadow's
    where &= cv2.erode((grounded.shade > 0.98).astype(np.uint8), np.ones((71, 71))) > 0
    edit = codec(grounded.truth(shade=smeared))
    clean, blind = (
        refine(edit, grounded.base, one.reference, "product", styled=False).picture
        for one in (grounded, case)
    )
    assert decibels(blind, grounded.base, where) < 26
    assert decibels(clean, grounded.base, where) > 33
    _, shadow, _ = regions(grounded)
    assert decibels(clean, grounded.truth(), shadow) > 30


def test_a_reflection_in_a_clean_edit_is_kept_where_no_shadow_can_fall(grounded):
    reflected, where = smear(grounded, 220, 400, 0.6)
    where &= grounded.shade > 0.99
    truth = grounded.truth(shade=reflected)
    refined = refine(codec(truth), grounded.base, grounded.reference, "product").picture
    assert decibels(grounded.truth(), truth, where) < 24
    assert decibels(refined, truth, where) > 30


def test_a_shadow_is_not_coloured_by_the_product(grounded):
    """Small models bleed the product's colour into the ground around it."""
    tinted = grounded.truth().astype(np.float32)
    _, shadow, _ = regions(grounded)
    tinted[shadow] *= np.array([1.0, 0.8, 1.15])
    edit = codec(np.clip(tinted, 0, 255).astype(np.uint8))
    refined = refine(edit, grounded.base, grounded.reference, "product", styled=False).picture
    deep = (grounded.shade < 0.75) & shadow

    def tint(picture):
        _, green, blue = (to_linear(picture)[deep] / to_linear(grounded.base)[deep]).mean(0)
        return abs(np.log(green / blue))

    assert tint(refined) < 0.75 * tint(cv2.resize(edit, (SIZE, SIZE)))
