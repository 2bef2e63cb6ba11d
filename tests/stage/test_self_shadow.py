"""The product blocks its own light where geometry says, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packline.camera import Camera
from packline.scenes import Light
from packline.stage.lighting import shade, studio_light
from packline.stage.load import load_model
from packline.stage.model import GBuffer, ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.self_shadow import KEY_DIRECTIONS, Visibility, key_directions, self_shadow
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, box, revolved, sphere


def sun(x: float, y: float, z: float, size: float = 0.5) -> Light:
    a, b, c = (float(value) for value in np.array([x, y, z]) / np.linalg.norm([x, y, z]))
    return Light((a, b, c), (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), (0.2, 0.2, 0.2), size)


def drawn(
    rasteriser: Rasteriser, model: ProductModel, camera: Camera, light: Light
) -> tuple[GBuffer, Visibility]:
    with rasteriser.staged(model) as stage:
        gbuffer = stage.gbuffer(camera)
        return gbuffer, self_shadow(stage, camera, gbuffer, light)


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> ProductModel:
    """A plate 0.4 wide and 0.02 high with a post of 0.04 x 0.1 x 0.04 in its middle."""
    gltf = Gltf()
    plate, pole = box((0.4, 0.02, 0.4)), box((0.04, 0.1, 0.04))
    gltf.mesh(**plate)
    gltf.mesh(**{**pole, "vertices": pole["vertices"] + (0.18, 0.02, 0.18)})
    return load_model(gltf.save(tmp_path_factory.mktemp("post") / "post.glb"))


@pytest.mark.parametrize("view", ["front", "three-quarter", "top"])
def test_a_ball_blocks_nothing_of_its_own_light(view: str, tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    gltf.mesh(**sphere(0.1))
    model = load_model(gltf.save(tmp_path / "ball.glb"))
    camera = canonical_camera(model, view, 400)
    for light in (studio_light(camera), sun(-1, 1, 1), sun(1, 0.3, 0.2, 8)):
        gbuffer, open_to = drawn(rasteriser, model, camera, light)
        seen = gbuffer.mask == 1
        # not one pixel of acne: a sphere is convex
        assert open_to.key[seen].min() > 0.99
        assert open_to.fill[seen].min() > 0.97
        assert (open_to.key[gbuffer.mask == 0] == 1).all()


def test_a_shadow_begins_at_the_foot_and_ends_where_the_height_says(
    post: ProductModel, rasteriser: Rasteriser
) -> None:
    camera = Camera((0, 0.9, 0.5), (0, 0.02, 0), 30, 512, 512)
    _, open_to = drawn(rasteriser, post, camera, sun(-1, 1, 0))

    def key(x: float, z: float) -> float:
        xy, _ = camera.project(np.array([x, 0.02, z]))
        return float(open_to.key[int(xy[1]), int(xy[0])])

    # light at 45 degrees from the left: 0.1 m of shadow from the post's right side at 0.02
    assert max(key(x, 0) for x in (0.026, 0.04, 0.07, 0.11)) < 0.05
    assert min(key(x, 0) for x in (0.13, 0.15, -0.026, -0.1)) > 0.95
    assert min(key(0.07, z) for z in (0.03, -0.03)) > 0.95


def test_a_larger_key_throws_a_softer_shadow(post: ProductModel, rasteriser: Rasteriser) -> None:
    camera = Camera((0, 0.9, 0.5), (0, 0.02, 0), 30, 512, 512)
    widths = []
    for size in (0.5, 12.0):
        _, open_to = drawn(rasteriser, post, camera, sun(-1, 1, 0, size))
        row = int(camera.project(np.array([0.0, 0.02, 0.0]))[0][1])
        # the shadow's end; the post itself is left of it
        part = open_to.key[row, 330:]
        widths.append(int(((part > 0.1) & (part < 0.9)).sum()))
    assert widths[1] > 3 * max(widths[0], 1)


def test_the_bottom_of_a_cup_sees_as_much_sky_as_its_mouth_is_wide(
    tmp_path: Path, rasteriser: Rasteriser
) -> None:
    radius, depth = 0.05, 0.1
    rim = radius + 0.003
    gltf = Gltf()
    gltf.mesh(**revolved([(0, 0), (rim, 0), (rim, depth), (radius, depth), (radius, 0.002), (0, 0.002)]))
    model = load_model(gltf.save(tmp_path / "cup.glb"))
    camera = canonical_camera(model, "top", 256)
    _, open_to = drawn(rasteriser, model, camera, studio_light(camera))
    # the form factor of a disk seen from below its middle
    expected = radius**2 / (radius**2 + (depth - 0.002) ** 2)
    assert open_to.fill[118:138, 118:138].mean() == pytest.approx(expected, abs=0.05)


def test_what_is_blocked_gets_darker_and_the_rest_stays(post: ProductModel, rasteriser: Rasteriser) -> None:
    camera, light = Camera((0, 0.9, 0.5), (0, 0.02, 0), 30, 256, 256), sun(-1, 1, 0, 4)
    gbuffer, open_to = drawn(rasteriser, post, camera, light)
    plain, blocked = shade(gbuffer, camera, light), shade(gbuffer, camera, light, None, open_to)
    free = (gbuffer.mask == 1) & (open_to.key == 1) & (open_to.fill == 1)
    assert free.mean() > 0.02
    assert np.allclose(blocked[free], plain[free], atol=1e-6)
    assert (blocked <= plain + 1e-6).all()
    dark = (gbuffer.mask == 1) & (open_to.key < 0.05) & (gbuffer.normals[..., 1] > 0.9)
    assert blocked[dark].mean() < 0.6 * plain[dark].mean()


def test_self_shadow_is_the_same_to_the_bit(post: ProductModel, rasteriser: Rasteriser) -> None:
    camera = canonical_camera(post, "hero", 200)
    light = studio_light(camera)
    (_, first), (_, second) = (drawn(rasteriser, post, camera, light) for _ in range(2))
    assert np.array_equal(first.key, second.key)
    assert np.array_equal(first.fill, second.fill)


def test_another_product_does_not_inherit_the_shadow_of_the_one_before(
    post: ProductModel, tmp_path: Path, rasteriser: Rasteriser
) -> None:
    gltf = Gltf()
    gltf.mesh(**sphere(0.1))
    ball = load_model(gltf.save(tmp_path / "ball.glb"))
    camera = canonical_camera(ball, "front", 128)
    drawn(rasteriser, post, camera, sun(-1, 1, 0))
    gbuffer, open_to = drawn(rasteriser, ball, camera, sun(-1, 1, 0))
    assert open_to.key[gbuffer.mask == 1].min() > 0.99


@pytest.mark.parametrize("light", [sun(0.3, 1, 0.2, 9.0), studio_light(Camera((0, 0, 1), (0, 0, 0), 30))])
def test_directions_to_the_key_lie_around_its_middle_and_not_beyond_its_size(light: Light) -> None:
    directions = key_directions(light, KEY_DIRECTIONS)
    middle = np.asarray(light.key_direction)
    assert directions.shape == (KEY_DIRECTIONS, 3)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    mean = directions.mean(0) / np.linalg.norm(directions.mean(0))
    assert np.degrees(np.arccos(np.clip(mean @ middle, -1, 1))) < 1.5
    angles = np.degrees(np.arccos(np.clip(directions @ middle, -1, 1)))
    assert 0.7 * light.key_size < angles.max() < 1.5 * light.key_size
