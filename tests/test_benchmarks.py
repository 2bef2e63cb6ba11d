"""The benchmarks run: their smallest pieces on things whose answer is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import rivals, stage_accuracy, stage_speed, three_js
from benchmarks.stage_accuracy import Agreement, Row, compare, table
from benchmarks.three_js import Drawn
from packline.camera import Camera
from packline.stage.layers import flattened
from packline.stage.model import GBuffer
from packline.stage.raster import Rasteriser

SIZE = 64
SHOE = Path(__file__).parents[1] / "assets" / "3d" / "shoe-elove.glb"


def square(left: int = 8, albedo: float = 0.5, tilt: float = 0.0, metres: float = 2.0) -> Drawn:
    """A plane of 40 px a side."""
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[12:52, left : left + 40] = 1
    facing = np.array([np.sin(np.radians(tilt)), 0, np.cos(np.radians(tilt))], np.float32)
    cover = alpha[..., None]
    colour = np.full(3, albedo, np.float32)
    return Drawn(cover * colour, alpha, cover * facing, alpha * np.float32(metres))


def as_ours(drawn: Drawn) -> GBuffer:
    flat = np.zeros((SIZE, SIZE), np.float32)
    return GBuffer(
        albedo=drawn.albedo,
        normals=drawn.normals,
        depth=drawn.depth,
        mask=drawn.alpha,
        roughness=flat,
        metallic=flat,
        emissive=np.zeros((SIZE, SIZE, 3), np.float32),
        occlusion=flat + 1,
        unlit=flat,
        uv=np.zeros((SIZE, SIZE, 2), np.float32),
        parts=drawn.alpha.astype(np.uint16),
    )


def test_equal_pictures_agree_in_everything() -> None:
    found = compare(as_ours(square()), square())
    assert found == Agreement(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, compared=36 * 36)


def test_a_shift_by_one_pixel_is_told_as_one_column_on_either_side() -> None:
    found = compare(as_ours(square(left=9)), square())
    assert found.iou == pytest.approx(39 / 41)
    # the two upright sides of four moved by a pixel
    assert found.outline == pytest.approx(0.5, abs=0.05)


def test_colour_angle_and_depth_are_told_in_their_units() -> None:
    found = compare(as_ours(square(tilt=3.0, metres=2.02)), square(albedo=0.2140))
    assert found.albedo_mean == pytest.approx(188 - 127.5, abs=1)  # sRGB of linear 0.5 and 0.214
    assert found.normal_median == pytest.approx(3.0, abs=1e-4)
    assert found.depth_p99 == pytest.approx(0.01, abs=1e-5)


def test_what_has_no_inside_is_compared_by_its_outline_alone() -> None:
    thin = square()
    thin.alpha[:, 10:] = 0
    found = compare(as_ours(thin), replace(thin, depth=thin.depth * (thin.alpha > 0)))
    assert found.iou == 1
    assert found.compared == 0
    assert math.isnan(found.albedo_mean)


def test_the_table_names_every_file_with_what_either_side_said() -> None:
    same = compare(as_ours(square()), square())
    text = table(
        [
            Row("right.glb", 12, 1.0, (same, same), notes=("Glass is drawn as thin.",)),
            Row("bad.glb", refused="Model bad.glb: its buffer | is cut off.", theirs="RangeError"),
        ],
        SIZE,
    )
    assert "| right.glb | 12 | 1 | 1.00000 | 0.000 | 0.00 | 0 | 0.00 | 0.00 | 0.0e+00 |" in text
    assert "- right.glb: Glass is drawn as thin." in text
    assert "| bad.glb | Model bad.glb: its buffer / is cut off. | RangeError |" in text
    assert "at least 0.999 in 100%" in text


def test_the_browser_reads_no_file_outside_its_folders(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "model.bin").write_text("x")
    (tmp_path / "secret").write_text("x")
    files = three_js._Files.__new__(three_js._Files)
    files._folders = {"model": tmp_path / "inside"}
    assert files.translate_path("/model/model.bin?again") == str(tmp_path / "inside" / "model.bin")
    for path in ("/model/../secret", "/model/%2e%2e/secret", "/other/model.bin", "/"):
        assert files.translate_path(path) == "/nonexistent"


def test_three_js_draws_a_demo_shoe_as_the_stage_does() -> None:
    try:
        with three_js.browser() as page:
            row = stage_accuracy.measure(SHOE, SHOE.name, page, Rasteriser(128))
    except three_js.Unavailable as error:
        pytest.skip(f"no independent renderer here: {error}")
    assert (row.refused, row.theirs) == ("", "")
    assert row.scale == pytest.approx(1, abs=1e-4)
    assert len(row.agreements) == len(stage_accuracy.VIEWS)
    assert min(one.iou for one in row.agreements) > 0.995
    assert max(one.albedo_mean for one in row.agreements) < 2
    assert max(one.depth_p99 for one in row.agreements) < 0.01


def test_a_side_by_side_picture_shows_both_and_their_difference(tmp_path: Path) -> None:
    import cv2

    stage_accuracy.side_by_side(tmp_path / "a.png", as_ours(square()), square(albedo=0.45))
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture is not None
    assert picture.shape == (2 * SIZE, 3 * SIZE, 3)
    assert picture[SIZE // 2, 2 * SIZE + 20].min() > 40  # eight times the difference
    assert picture[SIZE + SIZE // 2, 2 * SIZE + 20].max() == 0  # the normals are the same


def test_ours_is_timed_with_eight_maps_a_view() -> None:
    with stage_speed.draw_ours(SHOE, SIZE, None) as (draw, reading):
        assert draw("front") == 8
        assert reading > 0


def test_the_moderngl_rival_draws_what_the_stage_draws() -> None:
    from packline.stage.load import load_model
    from packline.stage.views import canonical_camera

    pytest.importorskip("moderngl", reason="the bench group is not installed")
    model = load_model(SHOE)
    camera = canonical_camera(model, "three-quarter", SIZE)
    with Rasteriser(SIZE).staged(model) as stage:
        ours = flattened(stage.gbuffer(camera))
    theirs = rivals.moderngl_deferred(SHOE, SIZE)(camera)
    assert set(theirs) == {"colour", "albedo", "mask", "normals", "depth", "uv", "parts"}
    mask = theirs["mask"].astype(float) / 255
    assert np.minimum(mask, ours.mask).sum() / np.maximum(mask, ours.mask).sum() > 0.99
    inside = (ours.mask == 1) & (mask == 1)
    # its depth is the mean of its samples
    assert np.median(np.abs(theirs["depth"] - ours.depth)[inside] / ours.depth[inside]) < 1e-3


def test_pyrender_as_a_rival_runs_in_a_process_of_its_own() -> None:
    import subprocess
    import sys

    name = "pyrender, five maps"
    assert name in dict(rivals.RIVALS)
    command = [sys.executable, "-m", "benchmarks.stage_speed", "--one", name, str(SHOE), "--size", str(SIZE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["maps"] == 5
    assert told["cpu"] > 0


def test_the_rivals_light_comes_from_where_it_is_said_to() -> None:
    # a light shines along its -Z: one at azimuth 90, elevation 0 stands at +X
    assert rivals._light_pose(90, 0)[:3, 2] == pytest.approx([1, 0, 0], abs=1e-9)
    assert rivals._light_pose(0, 30)[1, 2] == pytest.approx(0.5)


def test_the_rivals_projection_is_the_cameras() -> None:
    camera = Camera((0.3, 0.4, 2.0), (0.0, 0.1, 0.0), 30.0, 200, 200)
    point = np.array([0.1, 0.2, -0.1, 1.0])
    clip = rivals._projection(camera, 0.1, 10) @ camera.view @ point
    xy = (clip[:2] / clip[3] * [1, -1] + 1) / 2 * 200
    assert xy == pytest.approx(camera.project(point[:3])[0])


def test_the_speed_table_holds_each_map_against_pyrenders_beauty_pass() -> None:
    def figures(cpu: float, maps: int) -> list[stage_speed.Round]:
        return [stage_speed.Round(cpu + noise, cpu, 10.0, maps) for noise in (0.0, -5.0, 50.0)]

    told = {stage_speed.OURS: figures(400, 8), "pyrender, beauty only": figures(100, 1), "broken": []}
    text = stage_speed.table("shoe.glb", told)
    assert f"| {stage_speed.OURS} | 8 | 400 | 395–450 | 50 | 0.50x | 400 | 10 |" in text
    assert "| broken | could not draw it" in text
