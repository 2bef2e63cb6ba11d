"""packline.scenes: scene files, their photos, and the sentences for what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from packline.errors import GiveUp
from packline.scenes import load_scene

DEMO = sorted((Path(__file__).parent.parent / "assets" / "scenes").glob("*.json"))


def a_scene(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A small whole scene in `folder`, and its data."""
    Image.new("RGB", (64, 64), (200, 180, 160)).save(folder / "desk.png")
    data = {
        "image": "desk.png",
        "words": "a desk",
        "camera": {"eye": [0, 0.4, 1], "target": [0, 0.1, 0], "fov_y": 35, "width": 64, "height": 64},
        "ground": {"point": [0, 0, 0], "normal": [0, 1, 0]},
        "place": {"position": [0, 0, 0], "yaw": 5, "fit": [0.3, 0.3]},
        "light": {
            "key_direction": [0, 1, 0],
            "key_colour": [0.7, 0.7, 0.7],
            "sky_colour": [0.2, 0.2, 0.2],
            "ground_colour": [0.1, 0.1, 0.1],
        },
    }
    file = folder / "desk.json"
    file.write_text(json.dumps(data))
    return file, data


def test_there_are_at_least_eight_demo_scenes_and_they_weigh_less_than_four_megabytes() -> None:
    assert len(DEMO) >= 8
    assert sum(file.stat().st_size for file in DEMO[0].parent.iterdir()) < 4_000_000


@pytest.mark.parametrize("file", DEMO, ids=lambda file: file.stem)
def test_every_demo_scene_shows_its_place_whole_and_is_lit_from_above(file: Path) -> None:
    scene = load_scene(file)
    photo = scene.photo()
    assert photo.shape == (scene.camera.height, scene.camera.width, 3) == (1024, 1024, 3)
    assert photo.std() > 5

    # the box that the product is scaled to, turned as the product will be, lies inside with a margin
    wide, tall = scene.place.fit
    yaw = np.radians(scene.place.yaw)
    across = np.array([np.cos(yaw), 0, -np.sin(yaw)]) * wide / 2
    foot = np.asarray(scene.place.position)
    corners = np.array([foot + side * across + [0, up, 0] for side in (-1, 1) for up in (0, tall)])
    seen, depth = scene.camera.project(corners)
    assert (depth > 0.3).all()
    assert (seen > 0.05 * 1024).all() and (seen < 0.95 * 1024).all()
    ends, _ = scene.camera.project(np.array([foot, foot + np.array([0, tall, 0])]))
    assert 0.40 * 1024 < ends[0, 1] - ends[1, 1] < 0.55 * 1024
    assert ends[0, 1] > 0.6 * 1024

    light = scene.light
    assert np.linalg.norm(light.key_direction) == pytest.approx(1.0, abs=1e-5)
    assert np.dot(light.key_direction, scene.ground_normal) > 0.2
    # the key outshines what the room sends, so that a product casts a shadow
    assert sum(light.key_colour) > sum(light.sky_colour) > 0
    assert "light" in light.words


def test_the_digest_follows_the_photo_as_well_as_the_file(tmp_path: Path) -> None:
    file, _ = a_scene(tmp_path)
    before = load_scene(file).sha256
    assert load_scene(file).sha256 == before
    Image.new("RGB", (64, 64), (1, 2, 3)).save(tmp_path / "desk.png")
    assert load_scene(file).sha256 != before


def test_fields_that_may_be_left_out_take_their_defaults(tmp_path: Path) -> None:
    scene = load_scene(a_scene(tmp_path)[0])
    assert (scene.place.shift, scene.place.turn, scene.place.scale) == (0.02, 8.0, 0.05)
    assert (scene.light.key_size, scene.light.words) == (8.0, "soft light")


def test_a_scene_without_light_has_one_estimated_from_its_photo(tmp_path: Path) -> None:
    file, data = a_scene(tmp_path)
    assert not load_scene(file).light_estimated
    del data["light"]
    file.write_text(json.dumps(data))
    scene = load_scene(file)
    assert scene.light_estimated
    assert scene.light == load_scene(file).light
    assert np.linalg.norm(scene.light.key_direction) == pytest.approx(1, abs=1e-3)
    # another photo, another light
    Image.new("RGB", (64, 64), (60, 60, 160)).save(tmp_path / "desk.png")
    assert load_scene(file).light.ground_colour != scene.light.ground_colour


def test_a_scene_without_light_needs_a_photo_of_its_camera_s_size(tmp_path: Path) -> None:
    file, data = a_scene(tmp_path)
    del data["light"]
    file.write_text(json.dumps(data))
    Image.new("RGB", (80, 60)).save(tmp_path / "desk.png")
    with pytest.raises(GiveUp, match="the photo is 80x60 px but its file says 64x64; correct one of them"):
        load_scene(file)


def test_a_missing_photo_is_named_with_what_to_do(tmp_path: Path) -> None:
    file, _ = a_scene(tmp_path)
    (tmp_path / "desk.png").unlink()
    with pytest.raises(GiveUp, match=r"^Scene desk: .*desk\.png is missing; add it or name another scene\.$"):
        load_scene(file)


def test_a_missing_scene_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        GiveUp, match=r"^Scene attic: .*attic\.json is missing; add it or name another scene\.$"
    ):
        load_scene(tmp_path / "attic.json")


@pytest.mark.parametrize(
    ("section", "field"),
    [("place", "fit"), ("light", "key_colour"), ("camera", "eye"), ("ground", "normal")],
)
def test_a_missing_field_is_named(tmp_path: Path, section: str, field: str) -> None:
    file, data = a_scene(tmp_path)
    del data[section][field]
    file.write_text(json.dumps(data))
    with pytest.raises(GiveUp, match=rf"^Scene desk: field '{field}' is missing in .*see docs/scenes\.md"):
        load_scene(file)


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [("place", "position", [0, 0]), ("light", "key_direction", "left"), ("camera", "fov_y", "wide")],
)
def test_a_field_of_the_wrong_shape_is_malformed(
    tmp_path: Path, section: str, field: str, value: object
) -> None:
    file, data = a_scene(tmp_path)
    data[section][field] = value
    file.write_text(json.dumps(data))
    with pytest.raises(GiveUp, match=r"^Scene desk: .*desk\.json is malformed .*see docs/scenes\.md\.$"):
        load_scene(file)


def test_a_file_that_is_not_json_is_malformed(tmp_path: Path) -> None:
    file, _ = a_scene(tmp_path)
    file.write_text("{")
    with pytest.raises(GiveUp, match=r"^Scene desk: .*is malformed"):
        load_scene(file)


def test_a_photo_of_another_size_than_the_camera_says_is_refused(tmp_path: Path) -> None:
    file, _ = a_scene(tmp_path)
    Image.new("RGB", (80, 60)).save(tmp_path / "desk.png")
    with pytest.raises(GiveUp, match="the photo is 80x60 px but its file says 64x64; correct one of them"):
        load_scene(file).photo()


def test_a_photo_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    file, _ = a_scene(tmp_path)
    (tmp_path / "desk.png").write_bytes(b"not a picture")
    with pytest.raises(GiveUp, match=r"^Scene desk: its base photo .*desk\.png cannot be read"):
        load_scene(file).photo()


@pytest.mark.parametrize(("wide", "high"), [(96, 64), (64, 96)])
def test_a_scene_that_is_not_square_is_refused_and_never_squashed(
    tmp_path: Path, wide: int, high: int
) -> None:
    file, data = a_scene(tmp_path)
    data["camera"] |= {"width": wide, "height": high}
    file.write_text(json.dumps(data))
    Image.new("RGB", (wide, high)).save(tmp_path / "desk.png")
    with pytest.raises(GiveUp, match=rf"^Scene desk: it is {wide}x{high} px; crop it square"):
        load_scene(file)


def test_a_photo_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    file, _ = a_scene(tmp_path)
    upright = np.zeros((64, 64, 3), np.uint8)
    upright[:16] = 255
    turned = Image.new("RGB", (1, 1)).getexif()
    turned[0x0112] = 6  # a quarter to the right is still to be made
    Image.fromarray(np.rot90(upright)).save(tmp_path / "desk.png", exif=turned)
    assert np.array_equal(load_scene(file).photo(), upright)


def test_a_photo_s_size_is_the_one_that_it_has_when_turned(tmp_path: Path) -> None:
    file, _ = a_scene(tmp_path)
    turned = Image.new("RGB", (1, 1)).getexif()
    turned[0x0112] = 6
    Image.new("RGB", (80, 64)).save(tmp_path / "desk.png", exif=turned)
    with pytest.raises(GiveUp, match="the photo is 64x80 px but its file says 64x64"):
        load_scene(file).photo()
