"""What a photo says of its light, against sets whose light is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.scenes import Light, Scene, load_scene
from packline.stage.light_estimate import WHITE, estimate_light

DEMO = sorted((Path(__file__).parents[2] / "assets" / "scenes").glob("*.json"))
CAMERA = Camera((0, 0.4, 1), (0, 0.1, 0), 35, 128, 128)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture(scope="module")
def estimates() -> list[tuple[Scene, Light]]:
    scenes = [load_scene(file) for file in DEMO]
    return [(scene, estimate_light(scene.photo(), scene.camera)) for scene in scenes]


def angle(first: Light, second: Light) -> float:
    a, b = (
        np.asarray(light.key_direction) / np.linalg.norm(light.key_direction) for light in (first, second)
    )
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


def test_the_key_of_known_sets_is_found_on_its_side_within_thirty_degrees(
    estimates: list[tuple[Scene, Light]],
) -> None:
    for scene, found in estimates:
        right = scene.camera.pose[:3, 0]
        assert np.sign(np.dot(found.key_direction, right)) == np.sign(
            np.dot(scene.light.key_direction, right)
        )
    errors = [angle(scene.light, found) for scene, found in estimates]
    assert max(errors) < 30
    assert np.median(errors) < 15


def test_the_colours_of_known_sets_are_found_within_a_small_factor(
    estimates: list[tuple[Scene, Light]],
) -> None:
    def median_factor(name: str) -> float:
        ratios = [np.array(getattr(found, name)) / getattr(scene.light, name) for scene, found in estimates]
        return float(2 ** np.median(np.abs(np.log2(ratios))))

    assert median_factor("key_colour") < 1.1
    assert median_factor("sky_colour") < 1.25
    assert median_factor("ground_colour") < 1.25


def test_white_paper_under_the_key_is_as_bright_as_in_a_good_photo(
    estimates: list[tuple[Scene, Light]],
) -> None:
    for _, found in estimates:
        up = (found.key_direction[1] + 1) / 2
        sky, ground = np.array(found.sky_colour), np.array(found.ground_colour)
        facing = np.array(found.key_colour) + ground + (sky - ground) * up
        assert facing @ LUMINANCE == pytest.approx(WHITE, abs=0.02)


def test_a_mirrored_photo_has_mirrored_light() -> None:
    (file,) = (file for file in DEMO if file.stem == "studio-sweep")
    scene = load_scene(file)
    assert scene.camera.eye[0] == 0, "only then is a mirrored photo one of the same camera"
    there = np.array(estimate_light(scene.photo(), scene.camera).key_direction)
    mirrored = np.array(estimate_light(scene.photo()[:, ::-1], scene.camera).key_direction)
    assert np.allclose(mirrored, there * (-1, 1, 1), atol=0.02)


def test_pattern_is_not_taken_for_light() -> None:
    ramp = np.linspace(0.35, 0.65, 128)[None, :, None]
    plain = to_srgb(np.broadcast_to(ramp, (128, 128, 3)))
    # a red mat on the dark side outshines the ramp, but by a step that light does not make
    matted = plain.copy()
    matted[60:, :40] = (250, 160, 150)
    for photo in (plain, matted):
        assert estimate_light(photo, CAMERA).key_direction[0] > 0.3


def test_a_photo_that_says_nothing_gets_the_usual_light() -> None:
    found = estimate_light(np.full((128, 128, 3), 128, np.uint8), CAMERA)
    assert found.key_direction[0] == pytest.approx(0, abs=1e-3)
    assert found.key_direction[1] > 0.8
    assert found.words == "soft light from the front"
    # grey in, grey out
    assert np.ptp(found.key_colour) < 1e-3
    assert np.ptp(found.ground_colour) < 1e-3


def test_a_warm_ground_sends_warm_light_up() -> None:
    wood = np.full((128, 128, 3), (190, 140, 90), np.uint8)
    found = estimate_light(wood, CAMERA)
    assert np.allclose(found.ground_colour, to_linear(wood[0, 0]), atol=0.02)


def test_a_camera_that_sees_no_horizon_still_gets_a_light() -> None:
    down = replace(CAMERA, eye=(0.0, 1.2, 0.3))
    found = estimate_light(np.full((128, 128, 3), 140, np.uint8), down)
    assert np.linalg.norm(found.key_direction) == pytest.approx(1, abs=1e-3)
    assert min(*found.key_colour, *found.sky_colour, *found.ground_colour) > 0
