"""The studio's matte and mirrored light are one light, and neutral."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.camera import Camera
from packline.scenes import Light
from packline.stage.environment import SMOOTHEST, environment
from packline.stage.studio import STUDIO, Softbox, studio_light

CAMERA = Camera((0.3, 0.4, 0.8), (0, 0.05, 0), 30, 8, 8)


def random_directions(count: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, 3))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


@pytest.mark.parametrize("box", [STUDIO.key, *STUDIO.boxes])
def test_a_softbox_gives_a_surface_that_faces_it_the_irradiance_that_it_says(box: Softbox) -> None:
    points = random_directions(400_000)
    facing = np.maximum(points @ box.axes[2], 0)
    received = 4 * float((box.cover(points, 1e-4) * box.radiance * facing).mean())
    assert received == pytest.approx(box.irradiance, rel=0.03)


def test_matte_light_is_the_integral_of_what_a_mirror_shows() -> None:
    points = random_directions(400_000, seed=1)
    mirrored = STUDIO.radiance(points, 0.02)
    normals = random_directions(12, seed=2)
    for normal, shown in zip(normals, STUDIO.irradiance(normals), strict=True):
        expected = 4 * (np.maximum(points @ normal, 0)[:, None] * mirrored).mean(0)
        assert np.allclose(shown, expected, atol=0.015)


def test_a_smooth_mirror_shows_the_key_s_edges_where_they_are() -> None:
    key = STUDIO.key
    around = environment(studio_light(CAMERA))

    def in_mirror(longitude: float) -> float:
        angle = np.radians(longitude)
        local = np.array([np.sin(angle), 0.0, np.cos(angle)]) @ key.axes
        world = (CAMERA.pose[:3, :3] @ local).astype(np.float32)[:, None]
        return float(around.in_mirror(world, np.array([SMOOTHEST], np.float32))[0][0, 0])

    full = in_mirror(0)
    assert full == pytest.approx(key.radiance, rel=0.02)
    assert in_mirror(key.width - 3) > 0.9 * full
    assert in_mirror(key.width) == pytest.approx(full / 2, rel=0.25)
    assert in_mirror(key.width + 3) < 0.1 * full


def test_the_tables_give_what_the_studio_says() -> None:
    around = environment(studio_light(CAMERA))
    local = random_directions(500, seed=3)
    world = (CAMERA.pose[:3, :3] @ local.T).astype(np.float32)
    key, fill = around.on_matte(world)
    assert np.abs(np.stack([key[0], fill[0]], 1) - STUDIO.irradiance(local)).max() < 0.01
    key, fill = around.in_mirror(world, np.full(500, 1.0, np.float32))
    assert np.abs(np.stack([key[0], fill[0]], 1) - STUDIO.radiance(local, 0.912)).max() < 0.01


def test_as_a_plain_light_the_studio_is_as_bright() -> None:
    light = studio_light(CAMERA)
    plain = Light(
        light.key_direction, light.key_colour, light.sky_colour, light.ground_colour, light.key_size
    )
    up = np.array([[0.0], [1.0], [0.0]], np.float32)
    axes = np.asarray(light.axes, np.float32)
    as_studio = [float(part.mean()) for part in environment(light).on_matte(axes @ up)]
    assert float(environment(plain).on_matte(up)[1].mean()) == pytest.approx(as_studio[1], abs=0.01)
    facing = np.asarray(light.key_direction, np.float32)[:, None]
    assert float(environment(plain).on_matte(facing)[0].mean()) == pytest.approx(
        float(environment(light).on_matte(facing)[0].mean()), abs=0.01
    )


def test_the_light_turns_with_the_camera() -> None:
    other = replace(CAMERA, eye=(-0.8, 0.4, 0.3))
    ahead = [camera.pose[:3, 2:3].astype(np.float32) for camera in (CAMERA, other)]
    shown = [
        [float(part[0, 0]) for part in environment(studio_light(camera)).on_matte(normal)]
        for camera, normal in zip((CAMERA, other), ahead, strict=True)
    ]
    assert shown[0] == pytest.approx(shown[1], abs=1e-4)
