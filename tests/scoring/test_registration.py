"""Registration finds a product that was moved, scaled and turned, whatever is broken."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from scoring.check import CheckInput
from scoring.registration import outlined
from tests.scoring.synthetic import SIZE, Case, make


def moved(given: CheckInput, matrix: np.ndarray) -> CheckInput:
    """The candidate's product (not its scene) moved by a homography of the render's pixels."""
    size = (SIZE, SIZE)
    mask = cv2.warpPerspective(given.scene.mask, matrix, size)[..., None] / 255.0
    product = cv2.warpPerspective(given.candidate, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    picture = given.base * (1 - mask) + product * mask
    return replace(given, candidate=np.round(picture).astype(np.uint8))


def around_the_middle(scale: float, turn: float, x: float, y: float) -> np.ndarray:
    """A similarity about the picture's middle as a homography."""
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), turn, scale)
    matrix[:2, 2] += (x, y)
    return matrix


def error(given: CheckInput, wanted: np.ndarray) -> float:
    """The largest distance over the product between the transform found and the true one, pixels."""
    ys, xs = np.nonzero(given.inside)
    points = np.stack([xs, ys, np.ones_like(xs)]).astype(float)[:, ::997]
    found, true = given.registration.matrix @ points, wanted @ points
    return float(np.linalg.norm(found[:2] / found[2] - true[:2] / true[2], axis=0).max())


@pytest.mark.parametrize(
    "wanted",
    [
        around_the_middle(1.0, 0.0, 9.0, -6.0),
        around_the_middle(1.03, 0.0, 4.0, 3.0),
        around_the_middle(0.97, 2.0, -7.0, 5.0),
        around_the_middle(1.0, 0.0, 70.0, 40.0),
    ],
    ids=["shifted", "larger", "smaller and turned", "far away"],
)
def test_a_moved_product_is_found_within_two_pixels(wanted: np.ndarray) -> None:
    given = moved(make(Case(warm=0.05)), wanted)
    assert error(given, wanted) < 2.0
    assert given.registration.agreement is not None and given.registration.agreement > 0.6


def test_a_product_in_its_place_stays_there() -> None:
    assert error(make(Case(warm=0.05)), np.eye(3)) < 1.0


def test_a_product_without_any_print_is_found_by_its_outline() -> None:
    given = make(Case(missing=True))
    flat = np.where(given.scene.mask[..., None] > 0, np.uint8(200), np.uint8(128)) * np.ones(3, np.uint8)
    plain = replace(given, scene=replace(given.scene, colour=flat), candidate=flat)
    cover = given.scene.mask[..., None] / 255.0
    plain = replace(plain, candidate=np.round(given.base * (1 - cover) + 200 * cover).astype(np.uint8))
    wanted = around_the_middle(1.02, 0.0, 6.0, -4.0)
    shifted = moved(plain, wanted)
    assert shifted.registration.agreement is None
    assert error(shifted, wanted) < 3.0


def test_a_broken_corner_does_not_drag_the_rest_along() -> None:
    wanted = around_the_middle(1.02, 1.0, 8.0, 5.0)
    given = moved(make(Case()), wanted)
    broken = given.candidate.copy()
    broken[300:480, 220:420] = np.roll(broken[300:480, 220:420], 17, axis=1)
    assert error(replace(given, candidate=broken), wanted) < 3.0


def test_aligned_shows_the_product_where_the_render_has_it() -> None:
    honest = make(Case())
    given = moved(honest, around_the_middle(1.02, 1.0, 8.0, 5.0))
    deep = given.distance < -6

    def apart(picture: np.ndarray) -> float:
        return float(np.abs(picture.astype(float) - honest.candidate).mean(-1)[deep].mean())

    assert apart(given.aligned) < 0.25 * apart(given.candidate)


def test_points_of_the_render_are_told_in_the_candidate() -> None:
    wanted = around_the_middle(1.0, 0.0, 9.0, -6.0)
    ((x, y),) = moved(make(Case()), wanted).in_candidate([(500.0, 600.0)])
    assert (x, y) == pytest.approx((509.0, 594.0), abs=1.5)


def test_the_outline_over_the_scene_agrees_where_the_product_is_and_nowhere_else() -> None:
    """What saves a product without a print, whose inside agrees with many a place, from being moved."""
    wanted = around_the_middle(1.0, 0.0, 9.0, -6.0)
    given = moved(make(Case(missing=True)), wanted)
    greys = [
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        for picture in (given.scene.colour, given.candidate, given.base)
    ]
    beside = (around_the_middle(0.94, 0.0, 9.0, -6.0), around_the_middle(1.0, 0.0, 30.0, -6.0), np.eye(3))
    there, *others = (outlined(greys, given.distance, matrix) for matrix in (wanted, *beside))
    assert max(others) < there - 0.05


@pytest.mark.parametrize("cut", ["whole", "at the edge", "everything", "nothing"])
def test_the_distance_to_the_outline_is_that_of_the_whole_picture(cut: str) -> None:
    mask = np.zeros((120, 160), np.uint8)
    if cut != "nothing":
        cv2.ellipse(mask, (80, 60), (50, 30), 20, 0, 360, 255, -1, cv2.LINE_AA)
        mask[50:60, 70:75] = 0
    if cut == "at the edge":
        mask = np.roll(mask, -60, axis=1)
        mask[:, 100:] = 0
    if cut == "everything":
        mask[:] = 255
    given = make(Case())
    inside = (mask > 127).astype(np.uint8)
    wanted = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3) - cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    found = replace(given, scene=replace(given.scene, mask=mask)).distance
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-5)
