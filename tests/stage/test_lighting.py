"""Light means the same everywhere: white, facing the key, is key plus ambient."""

from __future__ import annotations

import numpy as np
import pytest

from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.scenes import Light
from packline.stage.lighting import develop, shade, studio_light, tone, untone
from packline.stage.model import GBuffer

CAMERA = Camera((0, 0, 1), (0, 0, 0), 30, 8, 8)
LIGHT = Light((0, 0, 1), (0.3, 0.2, 0.1), (0.2, 0.2, 0.2), (0.1, 0.1, 0.1), 4.0)


def flat(
    normal: tuple[float, float, float] = (0, 0, 1),
    albedo: float = 1.0,
    rough: float = 1.0,
    metal: float = 0.0,
) -> GBuffer:
    def full(value: float) -> np.ndarray:
        return np.full((8, 8), value, np.float32)

    rgb = np.full((8, 8, 3), albedo, np.float32)
    normals = np.tile(np.asarray(normal, np.float32), (8, 8, 1))
    uv, parts = np.zeros((8, 8, 2), np.float32), np.ones((8, 8), np.uint16)
    return GBuffer(
        rgb,
        normals,
        full(1),
        full(1),
        full(rough),
        full(metal),
        np.zeros_like(rgb),
        full(1),
        full(0),
        uv,
        parts,
    )


def test_white_facing_the_key_is_key_plus_ambient() -> None:
    colour = shade(flat(), CAMERA, LIGHT)
    # ambient of a wall is the mean of sky and ground; a rough white adds a few per cent of reflection
    assert np.allclose(colour, (0.45, 0.35, 0.25), atol=0.04)
    assert (colour >= (0.45, 0.35, 0.25)).all()


def test_black_metal_and_mirrors_reflect_something() -> None:
    chrome = shade(flat(albedo=0.9, rough=0.1, metal=1.0), CAMERA, LIGHT)
    assert chrome.min() > 0.08


def test_a_surface_that_turns_from_the_key_gets_only_ambient() -> None:
    away = shade(flat((0, 1, 0)), CAMERA, LIGHT)
    assert away.mean() == pytest.approx(0.2, abs=0.03)


def test_the_ground_darkens_what_is_near_it_and_faces_down() -> None:
    gbuffer = flat((0, -0.6, 0.8))
    open_air, near = shade(gbuffer, CAMERA, LIGHT), shade(gbuffer, CAMERA, LIGHT, ground=-0.01)
    assert near.mean() < 0.95 * open_air.mean()


def test_the_tone_curve_is_the_identity_below_its_shoulder_and_has_an_inverse() -> None:
    low = np.linspace(0, 0.8, 50, dtype=np.float32)
    assert np.array_equal(tone(low), low)
    high = np.linspace(0, 1.6, 200, dtype=np.float32)
    assert (np.diff(tone(high)) > 0).all()
    assert tone(high).max() < 1
    assert np.allclose(untone(tone(high)), high, atol=2e-3)


def test_srgb_survives_the_way_to_linear_and_back() -> None:
    values = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_srgb(to_linear(values)), values)
    assert np.allclose(to_linear(values), to_linear(values / 255), atol=1e-6)
    assert to_linear(np.array([188], np.uint8))[0] == pytest.approx(0.5, abs=0.005)


def test_the_studio_lights_every_side_alike() -> None:
    results = []
    for eye in ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)):
        camera = Camera(eye, (0, 0, 0), 30, 8, 8)
        results.append(develop(shade(flat(eye, 0.5), camera, studio_light(camera))))
    assert all(np.abs(result.astype(int) - results[0]).max() <= 1 for result in results)
    # mid grey stays mid grey: neutral and neither dark nor burnt
    assert 120 < results[0].mean() < 190
