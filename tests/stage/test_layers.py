"""See-through surfaces: how layers are peeled and make one picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.camera import Camera
from packline.stage.layers import flattened, layers_of, shaded
from packline.stage.model import GBuffer, Texture
from packline.stage.raster import Rasteriser
from tests.stage.cards import SIZE, ball, card, drawn


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.5, 0.77])
def test_a_pane_hides_as_much_as_its_alpha_says(alpha: float, rasteriser: Rasteriser) -> None:
    pane = card("pane", 0.01, base_colour=(0.0, 0.0, 0.0, alpha), alpha_mode="BLEND")
    white = card("white", base_colour=(1.0, 1.0, 1.0, 1.0))
    middle = (SIZE // 2, SIZE // 2)
    alone = flattened(drawn(rasteriser, pane))
    assert alone.mask[middle] == pytest.approx(alpha, abs=1 / 255)
    assert alone.albedo[middle] == pytest.approx((0, 0, 0))
    over = flattened(drawn(rasteriser, white, pane))
    assert over.mask[middle] == pytest.approx(1)
    assert over.albedo[middle] == pytest.approx((1 - alpha,) * 3, abs=1 / 255)


def test_layers_stack_nearest_first_whatever_their_order_in_the_file(rasteriser: Rasteriser) -> None:
    panes = [
        card(name, z, base_colour=(*colour, 0.5), alpha_mode="BLEND")
        for name, z, colour in (
            ("red", 0.03, (1.0, 0.0, 0.0)),
            ("green", 0.02, (0.0, 1.0, 0.0)),
            ("blue", 0.01, (0.0, 0.0, 1.0)),
        )
    ]
    white = card("white")
    pictures = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        gbuffer = drawn(rasteriser, *(panes[i] for i in order), white)
        layers = layers_of(gbuffer)
        names = [(*(panes[i].name for i in order), "white")[layer.parts[128, 128] - 1] for layer in layers]
        assert names == ["red", "green", "blue", "white"]
        pictures.append(flattened(gbuffer))
    expected = (0.5 + 0.125, 0.25 + 0.125, 0.125 + 0.125)
    for picture in pictures:
        assert picture.albedo[128, 128] == pytest.approx(expected, abs=0.006)
        assert np.array_equal(picture.albedo, pictures[0].albedo)
        assert np.array_equal(picture.depth, pictures[0].depth)


def test_a_glass_ball_shows_its_front_wall_over_its_back_wall(rasteriser: Rasteriser) -> None:
    glass = ball(base_colour=(1, 1, 1, 0.4), alpha_mode="BLEND", double_sided=True)
    gbuffer = drawn(rasteriser, glass)
    near, far, _ = layers_of(gbuffer)
    assert near.depth[128, 128] == pytest.approx(0.46, rel=1e-3)
    assert far.depth[128, 128] == pytest.approx(0.54, rel=1e-3)
    assert flattened(gbuffer).mask[128, 128] == pytest.approx(1 - 0.6**2, abs=1 / 255)
    # within a pixel of the outline the walls meet
    inner = far.depth > 0
    assert (near.depth[inner] <= far.depth[inner]).all()


def test_what_blends_but_is_opaque_makes_no_layer(rasteriser: Rasteriser) -> None:
    pixels = np.full((8, 8, 4), 255, np.uint8)
    plain = card(alpha_mode="OPAQUE", texture=Texture(pixels))
    blend = replace(plain, material=replace(plain.material, alpha_mode="BLEND"))
    drawn_plain, drawn_blend = drawn(rasteriser, plain), drawn(rasteriser, blend)
    assert drawn_blend.over is None
    assert np.array_equal(drawn_plain.albedo, drawn_blend.albedo)
    assert np.array_equal(drawn_plain.mask, drawn_blend.mask)


def test_what_is_wholly_transparent_makes_no_layer_and_the_rest_is_opaque(rasteriser: Rasteriser) -> None:
    pixels = np.full((64, 64, 4), 255, np.uint8)
    pixels[:, :32, 3] = 0
    gbuffer = drawn(rasteriser, card(texture=Texture(pixels, nearest=True), alpha_mode="BLEND"))
    assert gbuffer.over is None
    assert (gbuffer.mask[100, 70], gbuffer.mask[100, 180]) == (0, 1)


@pytest.mark.parametrize(("mode", "alpha"), [("OPAQUE", 1.0), ("MASK", 1.0), ("BLEND", 0.8)])
def test_a_decal_at_the_very_depth_of_its_product_shows(
    mode: str, alpha: float, rasteriser: Rasteriser
) -> None:
    camera = Camera((0.31, 0.23, 0.4), (0.05, 0.05, 0.0), 20.0, SIZE, SIZE)
    decal = card("decal", base_colour=(1, 0, 0, alpha), alpha_mode=mode)
    flat = flattened(drawn(rasteriser, card("body", base_colour=(0, 0, 1, 1)), decal, camera=camera))
    full = flat.mask == 1
    assert (flat.parts[full] == 2).all()
    assert np.abs(flat.albedo[full] - (alpha, 0, 1 - alpha)).max() < 0.01


def test_a_pane_and_its_frame_leave_no_gap_between_them(rasteriser: Rasteriser) -> None:
    glass = np.full((64, 64, 4), 255, np.uint8)
    pane = card("pane", base_colour=(0, 0, 0, 0.4), alpha_mode="BLEND", texture=Texture(glass))
    frame = card("frame", base_colour=(0, 0, 0, 1))
    # side by side, and the seam runs through the middle of a pixel, half a sample off
    shift = np.array([0.05 + 0.1 / SIZE, 0, 0], np.float32)
    pane = replace(pane, vertices=pane.vertices - shift)
    frame = replace(frame, vertices=frame.vertices - shift + np.array([0.1, 0, 0], np.float32))
    row = flattened(drawn(rasteriser, pane, frame)).mask[128]
    seam = int(np.argmax(row > 0.41))
    assert row[seam - 1] == pytest.approx(0.4, abs=1 / 255)
    assert row[seam] == pytest.approx(0.7, abs=1 / 255)
    assert row[seam + 1] == 1


def test_geometry_is_that_of_the_nearest_surface_that_is_half_opaque(rasteriser: Rasteriser) -> None:
    back = card("back", base_colour=(1, 1, 1, 1))
    for alpha, part, depth in ((0.3, 2, 0.5), (0.7, 1, 0.48)):
        pane = card("pane", 0.02, base_colour=(1, 1, 1, alpha), alpha_mode="BLEND")
        flat = flattened(drawn(rasteriser, pane, back))
        assert flat.parts[128, 128] == part
        assert flat.depth[128, 128] == pytest.approx(depth, rel=1e-5)
        alone = flattened(drawn(rasteriser, pane))
        assert alone.parts[128, 128] == 1
        assert alone.depth[128, 128] == pytest.approx(0.48, rel=1e-5)
    assert flat.over is None


def test_colours_are_laid_over_in_linear_light_and_highlights_stay(rasteriser: Rasteriser) -> None:
    flat = {"roughness": 1.0}
    pane = card("pane", 0.02, base_colour=(0.9, 0.1, 0.1, 0.25), alpha_mode="BLEND", **flat)
    back = card("back", base_colour=(0.2, 0.3, 0.8, 1), **flat)

    def diffuse(layer: GBuffer) -> np.ndarray:
        return layer.albedo * (layer.mask[..., None] > 0)

    def mirror(layer: GBuffer) -> np.ndarray:
        return np.full_like(layer.albedo, 0.5) * (layer.mask[..., None] > 0)

    both = drawn(rasteriser, pane, back)
    mixed = shaded(both, diffuse)[128, 128]
    expected = 0.25 * np.array([0.9, 0.1, 0.1]) + 0.75 * np.array([0.2, 0.3, 0.8])
    assert mixed == pytest.approx(expected, abs=2 / 255)
    assert shaded(both, diffuse) == pytest.approx(flattened(both).albedo, abs=1e-5)
    alone = drawn(rasteriser, pane)
    mask = flattened(alone).mask[128, 128]
    assert shaded(alone, mirror)[128, 128] * mask == pytest.approx((0.5,) * 3, abs=0.01)
    assert shaded(alone, diffuse)[128, 128] * mask == pytest.approx(
        np.array([0.9, 0.1, 0.1]) * 0.25, abs=1 / 255
    )
