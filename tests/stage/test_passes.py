"""The files that `packline render` writes hold every pass, exactly, in a form that other programs open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from packline.camera import Camera
from packline.reference import Reference
from packline.stage.passes import false_colour, false_colours, write_passes

FILES = (
    "albedo.png", "colour.png", "depth.npy", "depth.png", "labels.png", "mask.png", "normals.png",
    "parts.png", "shadow.png", "surface.png", "truth.json", "uv.png",
)  # fmt: skip


def reference(parts: int = 3, far: float = 2.0) -> Reference:
    rng = np.random.default_rng(5)
    shape = (24, 32)

    def bytes_of(*more: int) -> np.ndarray:
        return rng.integers(0, 256, (*shape, *more)).astype(np.uint8)

    numbers = rng.integers(0, parts + 1, shape).astype(np.uint16)
    numbers[0, 0] = parts
    return Reference(
        view="front",
        camera=Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 24.0, shape[1], shape[0]),
        colour=bytes_of(3),
        albedo=bytes_of(3),
        depth=rng.uniform(0.1, far, shape).astype(np.float32),
        normals=np.tile(np.float32([0, 0, 1]), (*shape, 1)),
        mask=bytes_of(),
        shadow=bytes_of(),
        uv=rng.uniform(0, 1, (*shape, 2)).astype(np.float32),
        parts=numbers,
        label_map=rng.integers(0, 3, shape).astype(np.uint8),
        surface=bytes_of(2),
    )


def test_every_pass_is_a_file(tmp_path: Path) -> None:
    write_passes(reference(), tmp_path / "front")
    assert tuple(sorted(file.name for file in (tmp_path / "front").iterdir())) == FILES


@pytest.mark.parametrize(("far", "step"), [(2.0, 0.0001), (6.5535, 0.0001), (7.0, 0.001), (90.0, 0.01)])
def test_depth_in_16_bits_is_depth_to_half_a_step(tmp_path: Path, far: float, step: float) -> None:
    one = reference(far=far)
    one.depth[3, 4] = far
    write_passes(one, tmp_path)
    truth = json.loads((tmp_path / "truth.json").read_text())
    depth = cv2.imread(str(tmp_path / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert (depth.dtype, truth["depth_png_metres"]) == (np.uint16, step)
    assert np.abs(depth * step - one.depth).max() <= step * 0.51
    assert np.array_equal(np.load(tmp_path / "depth.npy"), one.depth)


def test_how_surfaces_mirror_comes_back_exactly_and_may_be_missing(tmp_path: Path) -> None:
    one = reference()
    one.save(tmp_path / "known")
    assert np.array_equal(Reference.load(tmp_path / "known").surface, one.surface)
    picture = cv2.imread(str(tmp_path / "known/surface.png"))
    assert np.array_equal(picture[..., 1], one.surface[..., 0])  # green is roughness, as in glTF
    assert np.array_equal(picture[..., 0], one.surface[..., 1])
    replace(one, surface=np.zeros((0, 0, 2), np.uint8)).save(tmp_path / "unknown")
    assert Reference.load(tmp_path / "unknown").surface.shape == (0, 0, 2)


def test_numbers_of_parts_and_labels_are_exact_and_their_picture_is_coloured(tmp_path: Path) -> None:
    one = reference()
    write_passes(one, tmp_path)
    for name, numbers in (("parts", one.parts), ("labels", one.label_map)):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), numbers)
            assert np.array_equal(np.asarray(image.convert("RGB")), false_colours(numbers))


def test_more_parts_than_a_palette_has_keep_their_numbers(tmp_path: Path) -> None:
    one = reference(parts=1000)
    write_passes(one, tmp_path)
    parts = cv2.imread(str(tmp_path / "parts.png"), cv2.IMREAD_UNCHANGED)
    assert parts.dtype == np.uint16
    assert np.array_equal(parts, one.parts)


def test_neighbours_in_number_have_false_colours_far_apart() -> None:
    colours = np.array([false_colour(number) for number in range(64)], int)
    assert colours[0].tolist() == [0, 0, 0]
    for apart in (1, 2, 3):
        assert np.abs(colours[apart:] - colours[:-apart]).max(-1).min() > 32
    assert len({tuple(colour) for colour in colours}) == 64


def test_writing_again_replaces_what_was_there(tmp_path: Path) -> None:
    one = reference()
    write_passes(replace(one, notes=("first",)), tmp_path)
    write_passes(one, tmp_path)
    assert json.loads((tmp_path / "truth.json").read_text())["notes"] == []
    assert tuple(sorted(file.name for file in tmp_path.iterdir())) == FILES
