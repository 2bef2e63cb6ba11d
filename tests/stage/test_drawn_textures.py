"""Textures lie, wrap and bend the surface as they ask, and cut-outs keep their shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packline.colour import to_linear
from packline.stage.lighting import shade, studio_light
from packline.stage.model import ProductModel, Texture
from packline.stage.raster import Rasteriser
from tests.stage.cards import CARD, FRONT, ball, bumps, card, checks, corners_of, drawn, leaf, quarters


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        (None, "rgbw"),
        ((1, 0, 0.5, 0, 1, 0, 0, 0, 1), "grwb"),
        ((-1, 0, 1, 0, 1, 0, 0, 0, 1), "grwb"),
        ((0, 1, 0, -1, 0, 1, 0, 0, 1), "brwg"),
        ((0.5, 0, 0.5, 0, 0.5, 0.5, 0, 0, 1), "wwww"),
    ],
)
def test_a_placement_moves_turns_and_scales_a_picture(
    placement: Any, expected: str, rasteriser: Rasteriser
) -> None:
    emissive = Texture(quarters(), placement=placement)
    part = card(base_colour=(0, 0, 0, 1), emissive=(1, 1, 1), emissive_texture=emissive)
    gbuffer = drawn(rasteriser, part)
    # (u', v') = placement (u, v, 1): where each corner of the card lies on the picture
    middles = ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
    for corner, (u, v) in zip(expected, middles, strict=True):
        x, y, _ = np.reshape(placement or np.eye(3), (3, 3)) @ (u, v, 1)
        texel = quarters()[int(y % 1 * 64), int(x % 1 * 64), :3]
        assert {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255), "w": (255,) * 3}[corner] == tuple(texel)
    assert corners_of(replace(gbuffer, albedo=gbuffer.emissive)) == expected
    assert (gbuffer.albedo == 0).all()


def test_a_texture_may_use_the_second_uv_set(rasteriser: Rasteriser) -> None:
    part = card(base_colour=(0, 0, 0, 1), emissive=(1, 1, 1), emissive_texture=Texture(quarters(), uv_set=1))
    turned = part.uv[:, ::-1].copy()
    gbuffer = drawn(rasteriser, replace(part, uv1=turned))
    assert corners_of(replace(gbuffer, albedo=gbuffer.emissive)) == "rbgw"
    # the UV map stays that of the base colour
    assert np.abs(gbuffer.uv[100, 90] - ((90.5 - 64) / 128, (100.5 - 64) / 128)).max() < 1e-4


@pytest.mark.parametrize(
    ("wrap", "expected"),
    [
        (("repeat", "repeat"), "wbgr"),
        (("mirror", "mirror"), "rgbw"),
        (("clamp", "clamp"), "rrrr"),
        (("clamp", "repeat"), "bbrr"),
    ],
)
def test_each_texture_wraps_in_its_own_way(
    wrap: tuple[str, str], expected: str, rasteriser: Rasteriser
) -> None:
    pixels = quarters()
    part = card(
        texture=Texture(pixels, wrap=wrap),
        emissive=(1, 1, 1),
        emissive_texture=Texture(pixels, wrap=("repeat", "repeat")),
    )
    assert part.uv is not None
    # the card lies on the picture's neighbour above and to the left, turned half way round
    gbuffer = drawn(rasteriser, replace(part, uv=-part.uv))
    assert corners_of(gbuffer) == expected


def test_texels_keep_hard_edges_only_where_asked(rasteriser: Rasteriser) -> None:
    pixels = checks(8, 8, (0, 0, 0), (255, 255, 255))
    hard = drawn(rasteriser, card(texture=Texture(pixels, nearest=True))).albedo[CARD, CARD, 0]
    soft = drawn(rasteriser, card(texture=Texture(pixels))).albedo[CARD, CARD, 0]
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert ((soft > 0.05) & (soft < 0.95)).mean() > 0.2


def test_parts_that_share_a_picture_share_its_upload(rasteriser: Rasteriser) -> None:
    pixels = quarters()
    parts = [
        card(f"card {i}", z=0.01 * i, texture=Texture(pixels, wrap=(wrap, "repeat")))
        for i, wrap in enumerate(("repeat", "clamp", "mirror"))
    ]
    with rasteriser.staged(ProductModel(parts=tuple(parts))) as stage:
        stage.gbuffer(FRONT)
        assert len(rasteriser._renderer._mesh_textures) == 1


@pytest.mark.parametrize(("side", "soft"), [(32, 0.05), (256, 0.02), (2048, 0.02)])
def test_a_cut_out_keeps_its_area_and_clean_edges(side: int, soft: float, rasteriser: Rasteriser) -> None:
    part = card(texture=Texture(leaf(side, soft)), alpha_mode="MASK")
    gbuffer = drawn(rasteriser, part)
    mask = gbuffer.mask[CARD, CARD]
    assert mask.mean() == pytest.approx(np.pi * 0.16, rel=0.01)
    edge = (mask > 0) & (mask < 1)
    assert 100 < edge.sum() < 500
    assert np.abs(gbuffer.albedo[gbuffer.mask > 0] - to_linear(np.array([0, 200, 0], np.uint8))).max() < 0.01


def test_far_foliage_neither_thins_out_nor_fills_up(rasteriser: Rasteriser) -> None:
    far = replace(FRONT, eye=(0.05, 0.05, 4.0))
    for cutoff, soft in ((0.5, 0.02), (0.3, 0.3), (0.7, 0.3)):
        picture = np.tile(leaf(64, soft), (8, 8, 1))
        truth = (picture[..., 3] >= cutoff * 255).mean()
        part = card(texture=Texture(picture), alpha_mode="MASK", alpha_cutoff=cutoff)
        mask = drawn(rasteriser, part, camera=far).mask
        full = drawn(rasteriser, card(), camera=far).mask
        assert mask.sum() / full.sum() == pytest.approx(truth, abs=0.1), (cutoff, soft)


@pytest.mark.parametrize("from_behind", [False, True])
@pytest.mark.parametrize("texture_coordinates", ["as it is", "mirrored", "turned", "turned and mirrored"])
def test_a_bump_rises_to_the_viewer_and_is_lit_on_the_light_s_side(
    texture_coordinates: str, from_behind: bool, rasteriser: Rasteriser
) -> None:
    part = card(normal_texture=Texture(bumps()), double_sided=True, roughness=1.0)
    assert part.uv is not None
    uv = part.uv - np.float32(0.5)
    if "mirrored" in texture_coordinates:
        uv = uv * np.array([-1, 1], np.float32)
    if "turned" in texture_coordinates:
        c, s = np.cos(0.6), np.sin(0.6)
        uv = uv @ np.array([[c, s], [-s, c]], np.float32)
    part = replace(part, uv=(uv + np.float32(0.5)).astype(np.float32))
    camera = replace(FRONT, eye=(0.05, 0.05, -0.5)) if from_behind else FRONT
    gbuffer = drawn(rasteriser, part, camera=camera)
    # the bump of the front is a dent from behind (glTF 2.0: the back's normal is reversed): slopes swap
    rises = -1 if from_behind else 1
    right = camera.pose[:3, 0]
    for dx, dy, outward in ((12, 0, right), (-12, 0, -right), (0, -12, (0, 1, 0)), (0, 12, (0, -1, 0))):
        lean = gbuffer.normals[128 + dy, 128 + dx] @ outward
        assert lean * rises > 0.2, (texture_coordinates, dx, dy)
    light = studio_light(camera)
    x, y = np.sign(np.array(light.key_direction) @ right), np.sign(light.key_direction[1])
    colour = shade(gbuffer, camera, light)[..., 1]
    towards = colour[128 - int(9 * y * rises), 128 + int(9 * x * rises)]
    away = colour[128 + int(9 * y * rises), 128 - int(9 * x * rises)]
    assert towards > 1.2 * away


def test_a_placed_normal_map_bends_the_surface_its_own_way(rasteriser: Rasteriser) -> None:
    turned = (0, 1, 0, -1, 0, 1, 0, 0, 1)
    part = card(normal_texture=Texture(bumps(), placement=turned))
    normals = drawn(rasteriser, part).normals
    assert normals[128, 140, 0] > 0.2
    assert normals[116, 128, 1] > 0.2


def test_a_flat_normal_map_changes_nothing(rasteriser: Rasteriser) -> None:
    flat = np.full((8, 8, 4), (128, 128, 255, 255), np.uint8)
    normals = drawn(rasteriser, ball(normal_texture=Texture(flat))).normals
    plain = drawn(rasteriser, ball())
    inner = plain.mask == 1
    angle = np.degrees(np.arccos(np.clip((normals * plain.normals).sum(-1)[inner], -1, 1)))
    # 128 of 255 is not quite the middle
    assert np.percentile(angle, 99) < 0.4
