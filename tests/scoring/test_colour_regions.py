"""Regions are thick and of one colour; what they measure is the ratio of two pictures there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.truth import PartColours, Swatch
from scoring.colour_regions import (
    AXES,
    WORK,
    Truth,
    facing,
    observed,
    patches_of,
    truth_of,
    work_size,
)
from scoring.relight import Residual, load
from scoring.style import no_style
from tests.scoring.coloured import COLOURS, SIDES, reference

BOX = (SIDES[0] - 8, 142, SIDES[1] + 8, 828)


def truth() -> Truth:
    whole = reference()
    cut = np.s_[BOX[1] : BOX[3], BOX[0] : BOX[2]]
    passes = {name: getattr(whole, name)[cut] for name in ("colour", "albedo", "normals", "parts", "mask")}
    return truth_of(passes, facing(whole.camera.pose), BOX, (1024, 1024))


def test_the_work_size_never_enlarges() -> None:
    assert max(work_size(BOX)) == WORK
    assert work_size((0, 0, 90, 40)) == (90, 40)


def test_every_part_is_a_region_and_no_patch_touches_an_edge() -> None:
    patches = patches_of(truth(), reference().colours)
    assert [region.part for region in patches.regions] == list(COLOURS)
    parts = truth().parts
    for region, pixels in zip(patches.region, patches.members, strict=True):
        inside = np.zeros(parts.shape, np.uint8)
        inside.ravel()[pixels] = 1
        assert set(parts[inside > 0]) == {patches.regions[region].index}
        rows, columns = np.nonzero(inside)
        for down, across in ((-2, 0), (2, 0), (0, -2), (0, 2)):
            assert (parts[rows + down, columns + across] == patches.regions[region].index).all()


def test_a_part_too_mixed_for_its_swatches_is_taken_as_a_whole() -> None:
    whole = truth()
    noise = np.random.default_rng(1).random(whole.parts.shape) < 0.5
    albedo = whole.albedo.copy()
    albedo[noise & (whole.parts == 2)] = (30, 30, 30)
    dark = Swatch((11.3, 0.0, 0.0), 0.5)
    body = reference().colours[1]
    colours = (replace(body, swatches=(*body.swatches, dark)),)
    patches = patches_of(replace(whole, albedo=albedo), colours)
    assert [(region.part, region.swatch) for region in patches.regions] == [("body", -1)]


def test_a_reference_without_colour_truth_is_judged_part_by_part() -> None:
    patches = patches_of(truth(), ())
    assert [region.index for region in patches.regions] == [1, 2, 3]


def test_an_empty_view_has_no_patches() -> None:
    whole = truth()
    nothing = replace(whole, mask=np.zeros_like(whole.mask))
    colours = (PartColours("cap", 1, 1.0, (Swatch((50.0, 0.0, 0.0), 1.0),)),)
    patches = patches_of(nothing, colours)
    assert patches.regions == () and len(patches.region) == 0 and patches.features.shape[0] == 0


@pytest.mark.parametrize("gains", [(1.2, 1.0, 0.8), (0.7, 0.7, 0.7)])
def test_what_is_measured_is_the_ratio_of_light(gains: tuple[float, float, float]) -> None:
    from packline.colour import to_linear, to_srgb

    whole = truth()
    patches = patches_of(whole, reference().colours)
    seen = to_srgb(to_linear(whole.colour) * np.array(gains, np.float32))
    difference, spread, open_share = observed(patches, seen, whole.colour.astype(np.float32))
    wanted = AXES @ np.log(np.array(gains, np.float32))
    # what is added to black makes the ratio of a dark channel a little smaller
    assert np.allclose(difference, wanted, atol=0.06)
    assert spread.max() < 0.03 and open_share.min() > 0.95


def test_patches_that_should_be_clipped_say_nothing_and_those_that_should_not_differ() -> None:
    whole = truth()
    patches = patches_of(whole, reference().colours)
    white = np.full_like(whole.colour, 255)
    difference, _, open_share = observed(patches, white, white.astype(np.float32))
    assert not open_share.any() and not difference.any()
    difference, _, open_share = observed(patches, white, whole.colour.astype(np.float32))
    assert open_share.min() > 0.9 and (difference[:, 0] > 0).all()


def test_a_shift_of_one_region_is_measured_as_it_was_made() -> None:
    whole = truth()
    patches = patches_of(whole, reference().colours)
    style = no_style()
    count = len(patches.region)
    difference = np.zeros((count, 3), np.float32)
    at = patches.region == 0
    difference[at] += AXES @ np.array([0.25, 0.0, -0.3], np.float32)
    known = replace(style, known=True, freedom=style.freedom * 0)
    measured = (difference, np.full((count, 3), 0.02, np.float32), np.ones(count, np.float32))
    residual = Residual.of(load()[0], patches, known, measured)
    right, other = residual.shift(at), residual.shift(patches.region == 1)
    assert np.allclose(right.logs, (0.25, 0, -0.3), atol=0.1)
    assert right.hue_sigmas > 5 and right.sigmas >= right.hue_sigmas > other.hue_sigmas


@pytest.mark.parametrize(
    ("wide", "bands", "strip"), [(5, 4, False), (4, 2, True), (3, 2, True), (2, 4, None), (3, 1, None)]
)
def test_a_strip_of_three_pixels_is_looked_at_where_there_is_enough_of_it(
    wide: int, bands: int, strip: bool | None
) -> None:
    whole = truth()
    parts, columns = whole.parts.copy(), np.arange(whole.parts.shape[1])
    for band in range(bands):
        start = columns[len(columns) // 3] + 16 * band
        parts[(whole.mask > 252) & ((columns >= start) & (columns < start + wide))[None]] = 9
    colours = (*reference().colours, PartColours("band", 9, 0.03, reference().colours[1].swatches))
    found = {one.part: one.strip for one in patches_of(replace(whole, parts=parts), colours).regions}
    assert not any(found[part] for part in COLOURS)
    assert found.get("band") == strip
