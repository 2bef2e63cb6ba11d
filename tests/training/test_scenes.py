"""training.scenes: sets, their light and their photos."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from packline.camera import Camera
from packline.scenes import load_scene
from training.make_scenes import train_spec
from training.scenes import fit_light, light_words, random_spec, render, scene_file, tracer
from training.scenes.demo import DEMO
from training.scenes.photo import clean, develop


def normals(count: int = 400) -> np.ndarray:
    """Unit vectors all over the sphere."""
    vectors = np.random.default_rng(1).normal(size=(count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_the_fit_recovers_a_known_light() -> None:
    direction = np.array([0.48, 0.8, 0.36])
    key, sky, ground = np.array([0.8, 0.7, 0.6]), np.array([0.2, 0.25, 0.3]), np.array([0.1, 0.08, 0.05])
    facing = normals()
    up = ((facing[:, 1] + 1) / 2)[:, None]
    shown = np.maximum(0, facing @ direction)[:, None] * key + sky * up + ground * (1 - up)
    found = fit_light(facing, shown, direction)
    np.testing.assert_allclose([found.key, found.sky, found.ground], [key, sky, ground], atol=1e-9)
    assert found.residual < 1e-9


def test_the_fit_never_finds_negative_light_and_owns_up_to_what_it_cannot_explain() -> None:
    facing = normals()
    shown = np.repeat((facing[:, :1] > 0.5).astype(float), 3, 1)
    found = fit_light(facing, shown, np.array([0.0, 1.0, 0.0]))
    assert min(found.key.min(), found.sky.min(), found.ground.min()) >= 0
    assert found.residual > 0.2


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        ((-1.0, 0.3, 0.0), "soft daylight from the left"),
        ((1.0, 0.3, 0.1), "soft daylight from the right"),
        ((0.7, 0.5, 0.7), "soft daylight from the front right"),
        ((0.0, 0.5, 1.0), "soft daylight from the front"),
        ((-0.7, 0.5, -0.7), "soft daylight from behind on the left"),
        ((0.1, 1.0, 0.1), "soft daylight from above"),
    ],
)
def test_the_light_is_told_as_the_camera_sees_it(direction: tuple[float, float, float], words: str) -> None:
    unit = np.asarray(direction) / np.linalg.norm(direction)
    camera = Camera(eye=(0, 0.15, 1), target=(0, 0.15, 0), fov_y=35)
    assert light_words(camera, (unit[0], unit[1], unit[2]), "daylight", 10.0) == words
    # the same light seen from the other side of the set
    opposite = Camera(eye=(0, 0.15, -1), target=(0, 0.15, 0), fov_y=35)
    other = light_words(opposite, (-unit[0], unit[1], -unit[2]), "daylight", 10.0)
    assert other == words


def test_random_sets_show_their_place_whole_and_keep_the_key_above_the_ground() -> None:
    for index in range(60):
        spec = train_spec(index)
        camera = spec.camera(256)
        yaw = np.radians(spec.place.yaw)
        across = np.array([np.cos(yaw), 0, -np.sin(yaw)]) * 0.15
        box = np.array([side * across + [0, up, 0] for side in (-1, 1) for up in (0, 0.3)])
        seen, _ = camera.project(box)
        assert (seen > 4).all() and (seen < 252).all(), index
        ends, _ = camera.project(np.array([[0, 0, 0], [0, 0.3, 0]]))
        assert 0.36 < (ends[0, 1] - ends[1, 1]) / 256 < 0.56, index
        assert np.linalg.norm(spec.key_direction) == pytest.approx(1)
        assert spec.key_direction[1] > 0.4, index


def test_no_prop_stands_on_the_place_or_before_it() -> None:
    for spec in [*DEMO.values(), *(train_spec(index) for index in range(200))]:
        for prop in spec.props:
            assert np.hypot(prop.beside, prop.behind) > 0.25
            assert prop.behind > 0


def test_the_same_index_gives_the_same_set_and_no_demo_set_is_among_them() -> None:
    assert train_spec(7) == train_spec(7) == random_spec(np.random.default_rng([20_261, 7]))
    drawn = {train_spec(index).seed for index in range(1000)}
    assert len(drawn) > 990
    assert not drawn & {spec.seed for spec in DEMO.values()}


def test_developing_is_plain_srgb_up_to_the_knee_and_never_falls_above_it() -> None:
    ramp = np.linspace(0, 4, 2001, dtype=np.float32)[:, None, None].repeat(3, 2)
    shown = develop(ramp)[:, 0, 0].astype(int)
    below = ramp[:, 0, 0] <= 0.8
    plain = np.where(ramp <= 0.0031308, 12.92 * ramp, 1.055 * np.maximum(ramp, 1e-9) ** (1 / 2.4) - 0.055)[
        :, 0, 0
    ]
    assert np.abs(shown[below] - 255 * plain[below]).max() <= 0.51
    assert (np.diff(shown) >= 0).all() and shown[-1] >= 254


def test_cleaning_takes_the_noise_and_leaves_edges_and_texture() -> None:
    rng = np.random.default_rng(2)
    size = 64
    albedo = (
        np.where(np.indices((size, size)).sum(0)[..., None] % 2, 0.7, 0.3).repeat(3, 2).astype(np.float32)
    )
    light = np.full((size, size, 1), 0.8, np.float32)
    facing = np.zeros((size, size, 3), np.float32)
    facing[:, :32, 1], facing[:, 32:, 2] = 1, 1
    light[:, 32:] = 0.2
    truth = albedo * light
    depth = np.ones((size, size), np.float32)
    halves = tuple((truth * rng.normal(1, 0.2, truth.shape)).astype(np.float32) for _ in range(2))
    before = np.sqrt(np.mean(((halves[0] + halves[1]) / 2 - truth) ** 2))
    after = np.sqrt(np.mean((clean((halves[0], halves[1]), albedo, facing, depth) - truth) ** 2))
    assert after < before / 3


def test_the_tracer_sees_a_point_where_our_camera_projects_it() -> None:
    camera = Camera(eye=(0.3, 0.5, 1.0), target=(0.05, 0.1, 0.0), fov_y=33.0, width=32, height=32)
    point = np.array([0.12, 0.2, 0.03])
    glow = {"type": "area", "radiance": 1.0}
    ball = {"type": "sphere", "center": point.tolist(), "radius": 0.03, "emitter": glow}
    scene = tracer.mi.load_dict({"type": "scene", "ball": ball})
    picture = tracer.trace(scene, tracer.lens(camera), 64, 0)[..., 1]
    rows, columns = np.mgrid[0:32, 0:32] + 0.5
    centre = [(columns * picture).sum() / picture.sum(), (rows * picture).sum() / picture.sum()]
    np.testing.assert_allclose(centre, camera.project(point)[0], atol=0.1)


def test_a_photo_and_its_file_agree_and_the_measured_light_predicts_white_paper(tmp_path: Path) -> None:
    # a bare sweep under a high key: the ground at the place is open to all light
    spec = replace(DEMO["studio-sweep"], wall=(0.5, 0.5, 0.5))
    photo = render(spec, 32, 16, 0)
    assert photo.shape == (32, 32, 3) and photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, render(spec, 32, 16, 0))
    Image.fromarray(photo).save(tmp_path / "sweep.png")
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(scene_file(spec, "sweep", 32, ".png")))
    scene = load_scene(file)
    assert scene.photo().shape == (32, 32, 3)
    x, y = scene.camera.project(np.zeros(3))[0].astype(int)
    coded = photo[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0) / 255
    shown = ((coded + 0.055) / 1.055) ** 2.4
    # the ground faces up: the key at its angle and the whole sky, on albedo 0.5
    light = scene.light
    told = 0.5 * (np.array(light.key_colour) * light.key_direction[1] + np.array(light.sky_colour))
    np.testing.assert_allclose(shown, told, rtol=0.12)
