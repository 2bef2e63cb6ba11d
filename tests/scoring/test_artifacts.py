"""Every defect that the artifact check looks for, put into a good picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from packline.scorecard import CheckResult, Verdict
from scoring.artifacts import ArtifactSettings, judge
from scoring.check import CheckInput
from scoring.looks.exposure import clipped
from scoring.looks.sharpness import soft_product
from scoring.looks.sight import Sight
from tests.scoring.synthetic import SIZE, Case, Plane, cut, make

SETTINGS = ArtifactSettings(threshold=0.5)
Y, X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)


@lru_cache(maxsize=1)
def good() -> CheckInput:
    return make(Case("E LOVE", plane=Plane(angle=90, height=60), seed=3))


def u8(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(values, 0, 255).astype(np.uint8)


def judged(picture: NDArray[np.uint8]) -> CheckResult:
    return judge([replace(good(), candidate=np.ascontiguousarray(picture))], SETTINGS)[0]


def on_product(changed: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.where(good().inside[..., None], changed, good().candidate).astype(np.uint8)


def noise(strength: float) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(0, strength, (SIZE, SIZE, 3))


def burnt(c: NDArray[np.uint8]) -> NDArray[np.uint8]:
    hsv = cv2.cvtColor(c, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] *= 1.8
    return u8((cv2.cvtColor(u8(hsv), cv2.COLOR_HSV2RGB).astype(np.float32) - 128) * 1.5 + 128)


def coded(c: NDArray[np.uint8], kind: str, quality: int) -> NDArray[np.uint8]:
    option = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}[kind]
    return np.asarray(cv2.imdecode(cv2.imencode(kind, c, [option, quality])[1], 1), np.uint8)


def banded(c: NDArray[np.uint8], tones: int) -> NDArray[np.uint8]:
    step = 256 / tones
    return u8((np.floor(c / step) + 0.5) * step)


def doubled(c: NDArray[np.uint8]) -> NDArray[np.uint8]:
    half = cv2.resize(c[280:800, 200:830], (189, 156), interpolation=cv2.INTER_AREA)
    out = c.copy()
    out[60:216, 40:229] = half
    return out


def seamed(c: NDArray[np.uint8]) -> NDArray[np.uint8]:
    out = c.astype(np.float32)
    out[200:900, 150:900] += 8
    return u8(out)


DEFECTS: dict[str, tuple[Callable[[NDArray[np.uint8]], NDArray[np.uint8]], str]] = {
    "black": (np.zeros_like, "black"),
    "white": (lambda c: np.full_like(c, 255), "white"),
    "flat": (lambda c: np.full_like(c, 130), "of one colour"),
    "noise": (lambda c: u8(c + noise(14)), "noisy"),
    "blur": (lambda c: cv2.GaussianBlur(c, (0, 0), 4), "less sharp"),
    "soft product": (lambda c: on_product(cv2.GaussianBlur(c, (0, 0), 3)), "The product is soft"),
    "checkerboard": (lambda c: u8(c + 2.0 * (((X + Y) % 2) * 2 - 1)[..., None]), "regular grid of 2 px"),
    "grid of 8": (lambda c: u8(c + 2.5 * ((X % 8 == 0) | (Y % 8 == 0))[..., None]), "regular grid"),
    "grid of 16 on the product": (
        lambda c: on_product(u8(c + 3.0 * ((X % 16 < 2) | (Y % 16 < 2))[..., None])),
        "regular grid of 16 px",
    ),
    "burn": (burnt, "over-saturated"),
    "no product": (lambda c: good().base, "The product is missing"),
    "over-saturated": (lambda c: u8(c.mean(-1, keepdims=True) * -1.2 + c * 2.2), "over-saturated"),
    "exposed": (lambda c: u8(c * 1.8), "clipped to black or white"),
    "JPEG 30": (lambda c: coded(c, ".jpg", 30), "8 x 8 blocks"),
    "WebP 5": (lambda c: coded(c, ".webp", 5), "fine texture is smeared"),
    "8 tones": (lambda c: banded(c, 8), "bands"),
    "a second product": (doubled, "The product is there twice"),
    "seam": (seamed, "A seam"),
}


def test_a_good_picture_passes() -> None:
    found = judged(good().candidate)
    assert found.verdict == Verdict.PASS
    assert found.score > 0.8


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: u8(c * np.array([1.08, 1.0, 0.9]) + 3), id="a warm style"),
        pytest.param(
            lambda c: u8(c * (1.05 - 0.25 * ((X - 512) ** 2 + (Y - 512) ** 2) / 512**2 / 2)[..., None]),
            id="vignette",
        ),
        pytest.param(lambda c: coded(c, ".jpg", 75), id="JPEG 75"),
        pytest.param(lambda c: coded(c, ".webp", 80), id="WebP 80"),
        pytest.param(lambda c: u8((c.astype(float) - 128) * 1.15 + 128), id="contrast"),
        pytest.param(lambda c: cv2.GaussianBlur(c, (0, 0), 0.6), id="a decoder's softness"),
        pytest.param(lambda c: u8(c + noise(3)), id="fine grain"),
    ],
)
def test_what_a_style_may_do_passes(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
    assert judged(change(good().candidate)).verdict == Verdict.PASS


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_fails_and_is_named(defect: str) -> None:
    change, words = DEFECTS[defect]
    found = judged(change(good().candidate))
    assert found.verdict == Verdict.FAIL
    assert words in found.sentence


@pytest.mark.parametrize("backdrop", [20, 235], ids=["dark", "bright"])
def test_how_sharp_a_product_is_does_not_depend_on_what_the_render_stands_before(backdrop: int) -> None:
    """A render stands before grey, its candidate in a scene that may be darker or brighter."""
    one = good()
    cover = one.scene.mask[..., None].astype(np.float32) / 255
    scene = replace(one.scene, colour=u8(one.scene.colour * cover + backdrop * (1 - cover)))
    honest, soft = one.candidate, on_product(cv2.GaussianBlur(one.candidate, (0, 0), 3))
    for picture, fine in ((honest, True), (soft, False)):
        sight = Sight(replace(one, candidate=picture, scene=scene))
        found = soft_product(sight)
        assert (found.score > 0.8) is fine and (found.score < 0.5) is not fine


@pytest.mark.parametrize(
    "stronger",
    [
        pytest.param([lambda c, q=q: coded(c, ".jpg", q) for q in (50, 30, 10)], id="JPEG"),
        pytest.param([lambda c, n=n: banded(c, n) for n in (32, 20, 12)], id="tones"),
        pytest.param([lambda c, s=s: u8(c + noise(s)) for s in (2, 5, 10, 20)], id="noise"),
        pytest.param([lambda c, s=s: cv2.GaussianBlur(c, (0, 0), s) for s in (2.0, 3.0, 4.0)], id="blur"),
    ],
)
def test_the_stronger_a_defect_the_lower_the_score(
    stronger: list[Callable[[NDArray[np.uint8]], NDArray[np.uint8]]],
) -> None:
    scores = [judged(change(good().candidate)).score for change in stronger]
    assert all(b < a for a, b in pairwise(scores))
    assert scores[-1] > 0


def test_a_base_photos_own_texture_is_no_grid_and_its_own_blocks_no_compression() -> None:
    cloth = 3.0 * ((X % 8 < 4) ^ (Y % 8 < 4))[..., None]
    base = coded(u8(good().base + cloth), ".jpg", 40)
    # the same blocks and the same cloth in both: beside the product nothing was done
    outside = (good().distance > 0)[..., None]
    one = replace(good(), base=base, candidate=np.where(outside, base, good().candidate))
    found = judge([one], SETTINGS)[0]
    assert found.measures["blocking"] < 0.5
    assert found.measures["grid"] < 1


def test_a_missing_product_comes_with_a_box_where_it_should_be() -> None:
    found = judged(good().base)
    box = next(item for item in found.evidence if item.words == "no product")
    left, top, right, bottom = good().box
    assert box.points == ((left, top), (right, bottom))


def test_the_box_of_a_soft_product_lies_where_the_candidate_has_it() -> None:
    soft = on_product(cv2.GaussianBlur(good().candidate, (0, 0), 3))
    matrix = np.array([[1.03, 0, 5], [0, 1.03, -30.0]])
    moved = cv2.warpAffine(soft, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    sight = Sight(replace(good(), candidate=np.asarray(moved, np.uint8)))
    (box,) = soft_product(sight).evidence
    left, top, right, bottom = good().box
    expected = np.array([(left, top, 1), (right, bottom, 1)]) @ matrix.T
    assert np.allclose(box.points, expected, atol=4)


def test_the_box_of_a_soft_product_ends_with_the_picture() -> None:
    low = cut(good(), slice(300, 900))
    far = np.array([[1, 0, 0], [0, 1.0, 150], [0, 0, 1]])
    sight = Sight(low)
    low.__dict__["registration"] = replace(low.registration, matrix=far)
    (_, top), (_, bottom) = sight.box_found("soft").points
    assert (top, bottom) == (150, 600)


def test_in_a_picture_that_is_not_square_a_second_product_has_its_box_around_it() -> None:
    one = cut(replace(good(), candidate=doubled(good().candidate)), slice(40, 900))
    found = judge([one], SETTINGS)[0]
    box = next(item for item in found.evidence if item.words == "second product")
    assert np.allclose(box.points, [(40, 20), (229, 176)], atol=14)


def test_a_picture_of_another_size_fails_and_says_so() -> None:
    found = judged(good().candidate[:512, :512])
    assert found.verdict == Verdict.FAIL
    assert found.sentence == "The picture is 512 x 512 px; it should be 1024 x 1024 px in RGB."


def test_a_picture_of_nan_fails_and_says_so() -> None:
    broken = np.full((SIZE, SIZE, 3), np.nan, np.float32)
    assert judged(broken).sentence == "The picture holds NaN or infinite values, not 8-bit ones."  # type: ignore[arg-type]


def test_a_file_that_cannot_be_decoded_fails_and_says_so() -> None:
    assert judged(np.zeros((0, 0, 3), np.uint8)).sentence == "The picture cannot be decoded."


def test_a_product_moved_by_twenty_pixels_and_scaled_is_found_again() -> None:
    moved = cv2.warpAffine(
        good().candidate,
        np.array([[1.03, 0, 5], [0, 1.03, -30.0]]),
        (SIZE, SIZE),
        borderMode=cv2.BORDER_REPLICATE,
    )
    one = replace(good(), candidate=np.asarray(moved, np.uint8))
    expected = np.array([1.03 * 512 + 5, 1.03 * 540 - 30])
    assert np.hypot(*(np.array(one.in_candidate([(512, 540)])[0]) - expected)) < 2.5


@pytest.mark.parametrize(("render", "fine"), [(50, True), (120, False)])
def test_a_product_may_be_black_where_the_render_is_dark(render: int, fine: bool) -> None:
    one, inside = good(), good().inside[..., None]
    scene = replace(one.scene, colour=np.where(inside, render, one.scene.colour).astype(np.uint8))
    black = replace(one, scene=scene, candidate=on_product(np.zeros_like(one.candidate)))
    assert (clipped(Sight(black)).score > 0.9) == fine


@pytest.mark.parametrize("soft", [False, True], ids=["sharp", "blurred"])
def test_a_shadow_over_a_speckled_floor_is_no_blur(soft: bool) -> None:
    one = good()
    specks = cv2.GaussianBlur(np.random.default_rng(5).normal(0, 1, (SIZE, SIZE)), (0, 0), 3)
    specks = np.clip(specks / specks.std(), -2, 2)[..., None] * 14
    outside = (one.scene.mask == 0)[..., None]
    photo = u8(one.base + specks)
    # most of the floor lies in the product's shadow
    shade = 1 - 0.5 * ((Y > 300) & (X < 900))[..., None] * outside
    picture = u8(np.where(outside, photo, one.candidate) * shade)
    if soft:
        picture = cv2.GaussianBlur(picture, (0, 0), 4)
    sight = Sight(replace(one, base=photo, candidate=picture))
    # a shadow is no style, however the fit may take it
    sight.__dict__["expected"] = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    left = sight.texture_left(2.0, 40.0, 1.0)
    assert left < 0.6 if soft else 0.9 < left < 1.1
