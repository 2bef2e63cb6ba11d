"""Colour truth says what is printed on a part: which colours, how much of each, how much a view shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from packline.colour import ciede2000, to_lab, to_linear
from packline.stage.colours import colour_notes, product_colours, seen_colours
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.render import render_reference
from packline.stage.views import canonical_camera
from packline.truth import PartColours
from tests.stage.build import Gltf, box, print_of, quad, sphere

Colour = tuple[int, int, int]
CREAM, RED, NAVY, GREY = (244, 238, 224), (200, 30, 40), (20, 30, 90), (128, 128, 128)


def lab_of(colour: Colour) -> NDArray[np.float64]:
    return to_lab(to_linear(np.array(colour, np.uint8)))


def colours_of(folder: Path, texture: NDArray[np.uint8] | None, **material: Any) -> tuple[PartColours, ...]:
    gltf = Gltf()
    if texture is not None:
        material["baseColorTexture"] = {"index": gltf.image(texture)}
    gltf.mesh(**quad(), material=gltf.material(**material))
    return product_colours(load_model(gltf.save(folder / "m.glb")))


def check(found: PartColours, expected: dict[Colour, float], error: float = 0.5, share: float = 0.01) -> None:
    """The swatches are these colours with these shares, largest first, and no others."""
    assert len(found.swatches) == len(expected), found.swatches
    for colour, part in expected.items():
        (swatch,) = (one for one in found.swatches if ciede2000(np.array(one.lab), lab_of(colour)) <= error)
        assert abs(swatch.share - part) <= share
    shares = [swatch.share for swatch in found.swatches]
    assert shares == sorted(shares, reverse=True)
    assert sum(swatch.share for swatch in found.swatches) == pytest.approx(1, abs=1e-4)


def blocks(**_: Any) -> NDArray[np.uint8]:
    """Cream with a red field of 25 % and a navy stripe of 2 %."""
    picture = np.full((400, 400, 3), CREAM, np.uint8)
    picture[:200, :200] = RED
    picture[300:308] = NAVY
    return picture


def test_flat_prints_give_their_colours_and_their_shares_a_thin_stripe_too(tmp_path: Path) -> None:
    (part,) = colours_of(tmp_path, blocks())
    check(part, {CREAM: 0.73, RED: 0.25, NAVY: 0.02})
    assert (part.index, part.area, part.visible) == (1, 1.0, 0.0)


def test_a_colour_without_texture_is_the_factor_which_is_linear(tmp_path: Path) -> None:
    (part,) = colours_of(tmp_path, None, baseColorFactor=[0.5, 0.25, 0.125, 1])
    (swatch,) = part.swatches
    assert swatch.share == 1
    assert np.allclose(swatch.lab, to_lab(np.array([0.5, 0.25, 0.125])), atol=1e-3)


def test_factor_texture_and_vertex_colours_multiply_in_linear_light(tmp_path: Path) -> None:
    gltf = Gltf()
    texture = {"index": gltf.image(np.full((8, 8, 3), GREY, np.uint8))}
    tint = np.tile([0.5, 1.0, 1.0, 1.0], (4, 1))
    material = gltf.material(baseColorTexture=texture, baseColorFactor=[1, 0.5, 1, 1])
    gltf.mesh(**quad(), material=material, colours=tint)
    (part,) = product_colours(load_model(gltf.save(tmp_path / "m.glb")))
    expected = to_lab(to_linear(np.array(GREY, np.uint8)) * np.array([0.5, 0.5, 1.0]))
    (swatch,) = part.swatches
    assert ciede2000(np.array(swatch.lab), expected) < 0.05


def antialiased(draw_at: int = 8) -> NDArray[np.uint8]:
    """Thin navy rings on cream, drawn large and made small: a third of the ink is mixture."""
    image = Image.new("RGB", (512 * draw_at, 512 * draw_at), CREAM)
    draw = ImageDraw.Draw(image)
    for radius in range(20, 250, 12):
        edge = draw_at * np.array([256 - radius, 256 - radius, 256 + radius, 256 + radius])
        draw.ellipse(tuple(edge), outline=NAVY, width=5 * draw_at)
    return np.asarray(image.resize((512, 512), Image.Resampling.BOX))


def test_antialiasing_between_two_colours_is_no_colour_of_its_own(tmp_path: Path) -> None:
    picture = antialiased()
    ink = float(np.clip((244 - picture[..., 0].astype(float)) / (244 - 20), 0, 1).mean())
    (part,) = colours_of(tmp_path, picture)
    check(part, {CREAM: 1 - ink, NAVY: ink}, share=0.015)


def test_a_grey_field_between_black_and_white_ones_is_a_colour_of_its_own(tmp_path: Path) -> None:
    picture = np.full((300, 300, 3), 255, np.uint8)
    picture[100:200] = 0
    picture[200:212] = GREY
    (part,) = colours_of(tmp_path, picture)
    check(part, {(255, 255, 255): 188 / 300, (0, 0, 0): 100 / 300, GREY: 12 / 300})


def test_colours_that_eyes_take_for_one_are_one(tmp_path: Path) -> None:
    picture = np.full((300, 300, 3), CREAM, np.uint8)
    picture[:, :100] = (240, 234, 221)
    (part,) = colours_of(tmp_path, picture)
    (swatch,) = part.swatches
    assert ciede2000(np.array(swatch.lab), lab_of(CREAM)) < 1


def test_jpegs_noise_makes_no_further_colours(tmp_path: Path) -> None:
    picture = blocks().astype(int) + np.random.default_rng(3).normal(0, 3, (400, 400, 3)).round().astype(int)
    (part,) = colours_of(tmp_path, np.clip(picture, 0, 255).astype(np.uint8))
    check(part, {CREAM: 0.73, RED: 0.25, NAVY: 0.02})


def test_a_picture_of_many_colours_has_eight_at_most_that_lie_apart(tmp_path: Path) -> None:
    u, v = np.meshgrid(np.linspace(0, 255, 256), np.linspace(0, 255, 256))
    (part,) = colours_of(tmp_path, np.stack([u, v, 255 - u], -1).astype(np.uint8))
    assert 5 <= len(part.swatches) <= 8
    lab = np.array([swatch.lab for swatch in part.swatches])
    apart = ciede2000(lab[:, None], lab[None])
    assert apart[~np.eye(len(lab), dtype=bool)].min() >= 4
    shares = [swatch.share for swatch in part.swatches]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-4)


def test_what_a_mask_cuts_away_is_no_surface(tmp_path: Path) -> None:
    picture = np.zeros((200, 200, 4), np.uint8)
    picture[...] = (*RED, 0)
    picture[:100] = (*NAVY, 255)
    (part,) = colours_of(tmp_path, picture, alphaMode="MASK")
    check(part, {NAVY: 1.0})


def test_a_decals_clear_texels_count_for_nothing_and_half_clear_ones_for_half(tmp_path: Path) -> None:
    picture = np.zeros((200, 200, 4), np.uint8)
    picture[:100] = (*NAVY, 255)
    picture[100:150] = (*RED, 128)
    (part,) = colours_of(tmp_path, picture, alphaMode="BLEND")
    check(part, {NAVY: 0.8, RED: 0.2})


def test_shares_are_by_area_of_the_surface_and_not_of_the_texture_or_the_triangles(tmp_path: Path) -> None:
    """A sphere's cap has a quarter of the texture and of the triangles, and less of the area."""
    picture = np.full((256, 512, 3), CREAM, np.uint8)
    picture[:64] = RED
    gltf = Gltf()
    material = gltf.material(baseColorTexture={"index": gltf.image(picture)})
    gltf.mesh(**sphere(0.1), material=material)
    (part,) = product_colours(load_model(gltf.save(tmp_path / "m.glb")))
    cap = (1 - np.cos(np.pi / 4)) / 2
    check(part, {CREAM: 1 - cap, RED: cap})


@pytest.mark.parametrize(("wrap", "red"), [(33071, 0.75), (33648, 0.5), (10497, 0.5)])
def test_a_texture_beyond_its_edge_wraps_as_its_sampler_says(tmp_path: Path, wrap: int, red: float) -> None:
    """Laid out twice as wide: clamped, the right half shows the last column alone."""
    gltf = Gltf()
    picture = np.full((64, 64, 3), CREAM, np.uint8)
    picture[:, 32:] = RED
    texture = gltf.image(picture)
    gltf.document["samplers"] = [{"wrapS": wrap, "wrapT": wrap, "magFilter": 9728, "minFilter": 9728}]
    gltf.document["textures"][texture]["sampler"] = 0
    card = quad()
    card["uv"] = card["uv"] * [2, 1]
    gltf.mesh(**card, material=gltf.material(baseColorTexture={"index": texture}))
    (part,) = product_colours(load_model(gltf.save(tmp_path / "m.glb")))
    check(part, {CREAM: 1 - red, RED: red})


def test_the_same_model_gives_the_same_colours_to_the_bit(tmp_path: Path) -> None:
    picture = print_of("SAME")
    assert colours_of(tmp_path, picture) == colours_of(tmp_path, picture)


def test_a_view_says_how_much_of_each_part_it_shows(tmp_path: Path, rasteriser: Rasteriser) -> None:
    """Before a cube stands a card over a quarter of its front; a second card hides behind."""
    gltf = Gltf()
    for shape, colour, at in (
        (box((0.1, 0.1, 0.1)), [1, 1, 1, 1], [0, 0, 0]),
        (quad(0.05, 0.05), [1, 0, 0, 1], [0, 0, 0.1001]),
        (quad(0.05, 0.05), [0, 0, 1, 1], [0, 0, 0.05]),
    ):
        gltf.mesh(**shape, material=gltf.material(baseColorFactor=colour), translation=at)
    model = load_model(gltf.save(tmp_path / "m.glb"))
    with rasteriser.staged(model) as stage:
        reference = render_reference(stage, "front", canonical_camera(model, "front", 256))
    cube, card, hidden = reference.colours
    assert [part.index for part in reference.colours] == [1, 2, 3]
    assert card.visible == pytest.approx(0.25, abs=0.01)
    assert hidden.visible == 0
    assert cube.visible + card.visible == pytest.approx(1)
    assert [part.area for part in reference.colours] == pytest.approx([24 / 26, 1 / 26, 1 / 26], abs=1e-6)
    assert np.unique(reference.parts).tolist() == [0, 1, 2]


def test_visible_shares_are_of_the_products_coverage() -> None:
    colours = tuple(PartColours(name, index, 0.5, ()) for index, name in enumerate("ab", 1))
    parts = np.array([[0, 1, 1], [2, 2, 1]], np.uint16)
    mask = np.array([[0, 255, 51], [255, 0, 204]], np.uint8)
    assert [part.visible for part in seen_colours(colours, parts, mask)] == [510 / 765, 255 / 765]
    nothing = seen_colours(colours, np.zeros_like(parts), np.zeros_like(mask))
    assert [part.visible for part in nothing] == [0, 0]


def test_a_part_that_only_shines_is_noted(tmp_path: Path) -> None:
    gltf = Gltf()
    shining = {"emissiveFactor": [1, 0, 0]}
    gltf.mesh(**quad(), material=gltf.material(baseColorFactor=[0, 0, 0, 1], **shining))
    gltf.mesh(**quad(z=0.1), material=gltf.material(baseColorFactor=[1, 1, 1, 1], **shining))
    model = load_model(gltf.save(tmp_path / "m.glb"))
    (note,) = colour_notes(model)
    assert note == (
        f"part {model.parts[0].name} shows only the light that it gives off; its colour truth is its black "
        f"surface"
    )
