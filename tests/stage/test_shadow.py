"""Shadows fall where geometry says."""

from __future__ import annotations

import numpy as np
import pytest

from packline.camera import Camera
from packline.scenes import Light
from packline.stage.lighting import shade
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.shadow import composite, ground_shadow, shadow_ratio
from tests.stage.build import Gltf, box

CAMERA = Camera((0, 0.6, 1.2), (0, 0.05, 0), 32, 256, 256)


def lit_from(x: float, y: float, z: float, size: float = 0.5) -> Light:
    direction = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    return Light(
        (float(direction[0]), float(direction[1]), float(direction[2])),
        (0.6, 0.6, 0.6),
        (0.3, 0.3, 0.3),
        (0.2, 0.2, 0.2),
        size,
    )


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> ProductModel:
    gltf = Gltf()
    gltf.mesh(**box())
    return load_model(gltf.save(tmp_path_factory.mktemp("cube") / "cube.glb"))


def _at(x: float, z: float) -> tuple[int, int]:
    """Row and column where the camera sees a point of the ground."""
    xy, _ = CAMERA.project(np.array([x, 0.0, z]))
    return int(xy[1]), int(xy[0])


def test_the_shadow_falls_away_from_the_light_as_far_as_the_height_says(
    cube: ProductModel, rasteriser: Rasteriser
) -> None:
    with rasteriser.staged(cube) as stage:
        key, _ = ground_shadow(stage, CAMERA, lit_from(-1, 1, 0), size=256)
        swapped, _ = ground_shadow(stage, CAMERA, lit_from(1, 1, 0), size=256)
    # light at 45 degrees from the left: the shadow of a 0.1 m cube ends 0.1 m right of its right side
    assert key[_at(0.12, 0)] < 0.05
    assert key[_at(0.17, 0)] > 0.95
    assert key[_at(-0.08, 0)] > 0.95
    assert swapped[_at(-0.12, 0)] < 0.05
    assert swapped[_at(0.12, 0)] > 0.95


def test_a_larger_light_throws_a_softer_shadow(cube: ProductModel, rasteriser: Rasteriser) -> None:
    widths = []
    with rasteriser.staged(cube) as stage:
        for size in (0.5, 15.0):
            key, _ = ground_shadow(stage, CAMERA, lit_from(-1, 1, 0, size), size=256)
            row = key[_at(0, 0)[0]]
            widths.append(int(((row > 0.1) & (row < 0.9)).sum()))
    assert widths[1] > 2 * widths[0]


def test_the_sky_is_hidden_most_where_the_product_touches_the_ground(
    cube: ProductModel, rasteriser: Rasteriser
) -> None:
    with rasteriser.staged(cube) as stage:
        _, ambient = ground_shadow(stage, CAMERA, lit_from(0, 1, 0), size=256)
    near, mid, far = ambient[_at(0, 0.06)], ambient[_at(0, 0.15)], ambient[_at(0, 0.4)]
    assert near < 0.75 < mid < far
    # beside a wall, half of the sky is hidden
    assert near == pytest.approx(0.5, abs=0.15)


def test_the_composite_leaves_the_untouched_photo_alone(cube: ProductModel, rasteriser: Rasteriser) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    light = lit_from(-1, 1, 0)
    with rasteriser.staged(cube) as stage:
        gbuffer = stage.gbuffer(CAMERA)
        ratio = shadow_ratio(light, *ground_shadow(stage, CAMERA, light))
    colour = shade(gbuffer, CAMERA, light, 0.0)
    picture = composite(photo, colour, gbuffer.mask, ratio)
    untouched = (gbuffer.mask == 0) & (ratio.min(-1) >= 0.999)
    assert 0.3 < untouched.mean() < 0.95
    assert np.array_equal(picture[untouched], photo[untouched])
    full = gbuffer.mask == 1
    assert np.array_equal(picture[full], composite(photo * 0, colour, gbuffer.mask, ratio)[full])
    ground = gbuffer.mask == 0
    assert (picture[ground].astype(int) <= photo[ground].astype(int) + 1).all()
    shadowed = ground & (ratio.max(-1) < 0.6)
    assert picture[shadowed].mean() < 0.85 * photo[shadowed].mean()


def test_a_camera_without_ground_in_its_picture_sees_no_shadow(
    cube: ProductModel, rasteriser: Rasteriser
) -> None:
    upward = Camera((0, 0.05, 1), (0, 0.6, 0), 20, 64, 64)
    with rasteriser.staged(cube) as stage:
        shares = ground_shadow(stage, upward, lit_from(-1, 1, 0))
    assert all((share == 1).all() for share in shares)


def test_far_from_the_product_the_ground_is_open(cube: ProductModel, rasteriser: Rasteriser) -> None:
    wide = Camera((0, 3, 3), (0, 0, 0), 60, 256, 256)
    with rasteriser.staged(cube) as stage:
        key, ambient = ground_shadow(stage, wide, lit_from(-1, 1, 0, 10), size=256)
    away = np.ones((256, 256), bool)
    away[100:156, 100:160] = False
    assert (key[away] == 1).all()
    assert ambient[away].min() > 0.98


def test_shadows_are_the_same_to_the_bit(cube: ProductModel, rasteriser: Rasteriser) -> None:
    with rasteriser.staged(cube) as stage:
        first = ground_shadow(stage, CAMERA, lit_from(-1, 1, 0, 10))
        second = ground_shadow(stage, CAMERA, lit_from(-1, 1, 0, 10))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
