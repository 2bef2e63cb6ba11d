"""The G-buffer against shapes whose picture is known by formula."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from packline.camera import Camera
from packline.colour import to_srgb
from packline.stage.layers import flattened
from packline.stage.load import load_model
from packline.stage.model import GBuffer, ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, box, quad, sphere

RADIUS = 0.1


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> ProductModel:
    gltf = Gltf()
    gltf.mesh(**sphere(RADIUS), material=gltf.material(baseColorFactor=[0.2, 0.4, 0.6, 1.0]))
    return load_model(gltf.save(tmp_path_factory.mktemp("ball") / "ball.glb"))


def _ball_truth(camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the rays of a camera hit the ball: hit or not, depth along the axis, normal."""
    rays = camera.rays()
    centre = np.array([0, RADIUS, 0])
    offset = np.asarray(camera.eye) - centre
    a, b = (rays * rays).sum(-1), rays @ offset
    under = b * b - a * (offset @ offset - RADIUS**2)
    depth = (-b - np.sqrt(np.maximum(under, 0))) / a
    normal = (np.asarray(camera.eye) + rays * depth[..., None] - centre) / RADIUS
    return under > 0, depth, normal


def test_depth_and_normals_of_a_sphere_are_those_of_the_formula(
    ball: ProductModel, rasteriser: Rasteriser
) -> None:
    camera = canonical_camera(ball, "three-quarter", 256)
    gbuffer = rasteriser.gbuffer(ball, camera)
    hit, depth, normal = _ball_truth(camera)
    # away from the silhouette, where a pixel spans much depth
    facing = -(normal * camera.rays()).sum(-1) / np.linalg.norm(camera.rays(), axis=-1)
    inner = hit & (facing > 0.3)
    assert inner.sum() > 15_000
    assert np.abs(gbuffer.depth - depth)[inner].max() < 2e-3 * RADIUS
    angles = np.degrees(np.arccos(np.clip((gbuffer.normals * normal).sum(-1)[inner], -1, 1)))
    assert angles.max() < 0.2
    seen = gbuffer.mask > 0
    assert np.allclose(np.linalg.norm(gbuffer.normals[seen], axis=1), 1, atol=1e-5)
    assert (gbuffer.depth[~seen] == 0).all()


def test_the_mask_is_antialiased_and_has_the_sphere_s_area(
    ball: ProductModel, rasteriser: Rasteriser
) -> None:
    camera = canonical_camera(ball, "front", 256)
    mask = rasteriser.gbuffer(ball, camera).mask
    eight = 8
    fine = _ball_truth(camera.resized(256 * eight))[0]
    assert mask.sum() == pytest.approx(fine.mean() * 256**2, rel=5e-4)
    partial = (mask > 0) & (mask < 1)
    assert set(np.round(mask[partial] * 4).astype(int)) == {1, 2, 3}
    coverage = fine.reshape(256, eight, 256, eight).mean((1, 3))
    assert np.abs(mask - coverage)[partial].mean() < 0.15


def test_colour_does_not_bleed_from_outside_into_the_edge(ball: ProductModel, rasteriser: Rasteriser) -> None:
    gbuffer = rasteriser.gbuffer(ball, canonical_camera(ball, "front", 256))
    assert np.abs(gbuffer.albedo[gbuffer.mask > 0] - (0.2, 0.4, 0.6)).max() < 0.004


def _digest(gbuffer: GBuffer) -> str:
    return hashlib.sha256(
        b"".join(values.tobytes() for values in vars(gbuffer).values() if values is not None)
    ).hexdigest()


def test_the_same_view_is_the_same_to_the_bit(ball: ProductModel, rasteriser: Rasteriser) -> None:
    camera = canonical_camera(ball, "hero", 200)
    first = _digest(rasteriser.gbuffer(ball, camera))
    with rasteriser.staged(ball) as stage:
        stage.gbuffer(canonical_camera(ball, "top", 512))
        assert _digest(stage.gbuffer(camera)) == first
    # a second rasteriser neither differs nor harms the first
    assert _digest(Rasteriser(200).gbuffer(ball, camera)) == first
    assert _digest(rasteriser.gbuffer(ball, camera)) == first


def test_a_texture_lies_the_right_way_round(tmp_path: Path, rasteriser: Rasteriser) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    corners = {"top left": (200, 0, 0), "top right": (0, 200, 0), "bottom left": (0, 0, 200)}
    pixels[:32, :32], pixels[:32, 32:], pixels[32:, :32] = corners.values()
    gltf = Gltf()
    gltf.mesh(**quad(), material=gltf.material(baseColorTexture={"index": gltf.image(pixels)}))
    model = load_model(gltf.save(tmp_path / "m.glb"))
    albedo = to_srgb(rasteriser.gbuffer(model, canonical_camera(model, "front", 256)).albedo)
    assert tuple(albedo[80, 80]) == corners["top left"]
    assert tuple(albedo[80, 176]) == corners["top right"]
    assert tuple(albedo[176, 80]) == corners["bottom left"]
    assert tuple(albedo[176, 176]) == (0, 0, 0)


def test_alpha_mask_cuts_and_blend_covers_in_part(tmp_path: Path, rasteriser: Rasteriser) -> None:
    pixels = np.full((64, 64, 4), 255, np.uint8)
    pixels[:, :32, 3] = 100
    for mode, left, right in (("MASK", 0, 1), ("BLEND", 100 / 255, 1), ("OPAQUE", 1, 1)):
        gltf = Gltf()
        material = gltf.material(baseColorTexture={"index": gltf.image(pixels)}, alphaMode=mode)
        gltf.mesh(**quad(), material=material)
        model = load_model(gltf.save(tmp_path / f"{mode}.glb"))
        mask = flattened(rasteriser.gbuffer(model, canonical_camera(model, "front", 128))).mask
        assert (mask[64, 40], mask[64, 90]) == (pytest.approx(left, abs=1e-6), right)


def test_back_faces_show_only_on_double_sided_materials_and_face_the_camera(
    tmp_path: Path, rasteriser: Rasteriser
) -> None:
    for double in (False, True):
        gltf = Gltf()
        gltf.mesh(**quad(), material=gltf.material(doubleSided=double))
        model = load_model(gltf.save(tmp_path / f"{double}.glb"))
        gbuffer = rasteriser.gbuffer(model, canonical_camera(model, "back", 64))
        assert gbuffer.mask.max() == float(double)
        if double:
            assert np.allclose(gbuffer.normals[32, 32], (0, 0, -1), atol=1e-3)


def test_emissive_roughness_and_metallic_reach_the_gbuffer(tmp_path: Path, rasteriser: Rasteriser) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., 1], pixels[..., 2] = 128, 64  # half rough, quarter metal
    gltf = Gltf()
    texture = {"index": gltf.image(pixels)}
    material = gltf.material(
        metallicFactor=1.0,
        roughnessFactor=0.8,
        metallicRoughnessTexture=texture,
        emissiveFactor=[0.3, 0.1, 0],
    )
    gltf.mesh(**quad(), material=material)
    model = load_model(gltf.save(tmp_path / "m.glb"))
    gbuffer = rasteriser.gbuffer(model, canonical_camera(model, "front", 64))
    assert gbuffer.roughness[32, 32] == pytest.approx(0.8 * 128 / 255, abs=0.005)
    assert gbuffer.metallic[32, 32] == pytest.approx(64 / 255, abs=0.005)
    assert np.abs(gbuffer.emissive[32, 32] - (0.3, 0.1, 0)).max() < 0.004


def test_a_normal_map_tilts_the_normal_towards_its_red_and_green(
    tmp_path: Path, rasteriser: Rasteriser
) -> None:
    lean = np.array([0.5, 0.3, 0.0])
    lean[2] = np.sqrt(1 - lean @ lean)
    pixels = np.tile(np.round((lean + 1) * 127.5).astype(np.uint8), (8, 8, 1))
    gltf = Gltf()
    gltf.mesh(**box(), material=gltf.material(normalTexture={"index": gltf.image(pixels)}))
    model = load_model(gltf.save(tmp_path / "m.glb"))
    for view, expected in (("front", lean), ("right", (lean[2], lean[1], -lean[0]))):
        camera = canonical_camera(model, view, 128)
        # red leans to the picture's right, green to its top (glTF 2.0, normal textures)
        assert np.abs(rasteriser.gbuffer(model, camera).normals[64, 64] - expected).max() < 0.02


def test_a_picture_larger_than_the_rasteriser_is_refused(ball: ProductModel) -> None:
    with pytest.raises(ValueError, match="larger than this rasteriser"):
        Rasteriser(64).gbuffer(ball, canonical_camera(ball, "front", 65))


def test_textures_and_buffers_are_freed(ball: ProductModel, rasteriser: Rasteriser) -> None:
    rasteriser.gbuffer(ball, canonical_camera(ball, "front", 64))
    assert not rasteriser._renderer._meshes
    assert not rasteriser._renderer._mesh_textures
