"""Light means the same everywhere: white, facing the key, is key plus ambient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.scenes import Light
from packline.stage.lighting import develop, shade, studio_light, tone, untone
from packline.stage.model import GBuffer
from packline.stage.self_shadow import Visibility

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


@pytest.mark.parametrize("metal", [0.0, 1.0])
@pytest.mark.parametrize("rough", [0.05, 0.4, 1.0])
def test_grey_stays_grey_in_the_studio(metal: float, rough: float) -> None:
    for albedo in (0.05, 0.4, 0.9):
        picture = develop(shade(flat((0.3, 0.4, 0.87), albedo, rough, metal), CAMERA, studio_light(CAMERA)))
        assert np.ptp(picture.astype(int), axis=-1).max() <= 1


def test_white_paper_in_the_studio_is_bright_but_not_burnt() -> None:
    normals = ((0, 0, 1), (-0.5, 0.5, 0.7), (0, 0.7, 0.7))
    shown = [develop(shade(flat(normal), CAMERA, studio_light(CAMERA))).mean() for normal in normals]
    assert min(shown) > 222
    assert max(shown) < 253


def test_an_unlit_material_shows_its_base_colour_whatever_the_light() -> None:
    colours = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8, 1).repeat(3, -1)
    buffer = replace(flat(), albedo=colours, unlit=np.ones((8, 8), np.float32))
    for light in (LIGHT, studio_light(CAMERA)):
        picture = develop(shade(buffer, CAMERA, light, ground=-1.0))
        assert np.abs(picture.astype(int) - to_srgb(colours)).max() <= 1


def test_what_glows_adds_to_what_is_lit() -> None:
    glow = np.full((8, 8, 3), (0.2, 0.1, 0.0), np.float32)
    dark, bright = flat(albedo=0.3), replace(flat(albedo=0.3), emissive=glow)
    assert np.allclose(shade(bright, CAMERA, LIGHT) - shade(dark, CAMERA, LIGHT), glow, atol=1e-6)


def test_occlusion_dims_the_fill_and_not_the_key() -> None:
    hollow = replace(flat(albedo=0.2), occlusion=np.full((8, 8), 0.5, np.float32))
    only_key = lit_with(sky_colour=(0.0, 0.0, 0.0), ground_colour=(0.0, 0.0, 0.0))
    only_fill = lit_with(key_colour=(0.0, 0.0, 0.0))
    open_flat = flat(albedo=0.2)
    assert np.allclose(shade(hollow, CAMERA, only_key), shade(open_flat, CAMERA, only_key), atol=1e-6)
    share = shade(hollow, CAMERA, only_fill) / shade(open_flat, CAMERA, only_fill)
    # half, and what bounces between walls of 0.2
    assert np.allclose(share, 0.5 / (1 - 0.2 * 0.5), atol=0.03)


def test_the_product_s_own_occlusion_and_its_texture_s_are_not_counted_twice() -> None:
    half, whole = np.full((8, 8), 0.5, np.float32), np.ones((8, 8), np.float32)
    baked = shade(replace(flat(), occlusion=half), CAMERA, LIGHT)
    assert np.array_equal(baked, shade(flat(), CAMERA, LIGHT, None, Visibility(whole, half)))
    both = shade(replace(flat(), occlusion=half), CAMERA, LIGHT, None, Visibility(whole, half))
    assert np.array_equal(baked, both)


def test_without_the_key_only_the_fill_is_left() -> None:
    none, whole = np.zeros((8, 8), np.float32), np.ones((8, 8), np.float32)
    blocked = shade(flat(), CAMERA, LIGHT, None, Visibility(none, whole))
    assert np.allclose(blocked, shade(flat(), CAMERA, lit_with(key_colour=(0.0, 0.0, 0.0))), atol=1e-6)


def lit_with(**colours: tuple[float, float, float]) -> Light:
    return replace(LIGHT, **colours)
