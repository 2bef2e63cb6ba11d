"""FBX files give the picture of the glTF that they came from, or are refused with a sentence."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from packline.colour import to_linear, to_srgb
from packline.errors import GiveUp
from packline.stage.fbx_document import read_fbx_document
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, box, print_of

SIZE = (0.1, 0.2, 0.06)
REAL = Path("../shared/assets").resolve()


def write_fbx(path: Path, gltf: Gltf | None = None) -> str:
    """A model as ASCII FBX, written by assimp, in metres; and its text."""
    if gltf is None:
        gltf = Gltf()
        gltf.mesh(**box(SIZE), material=gltf.material(name="skin", baseColorFactor=[0.5, 0.25, 0.1, 1]))
    source = gltf.save(path.with_suffix(".source.glb"))
    subprocess.run(["assimp", "export", source, path, "-ffbxa"], check=True, stdout=subprocess.DEVNULL)
    # assimp writes numbers in metres and says that they are centimetres
    text = with_setting(path.read_text(), "UnitScaleFactor", "100")
    path.write_text(text)
    return text


def with_setting(text: str, name: str, value: str) -> str:
    changed, count = re.subn(rf'(P: "{name}"(?:, ?"[^"]*"){{3}}, ?)[^\n]*', rf"\g<1>{value}", text)
    assert count > 0
    return changed


def with_property(text: str, name: str, *values: float) -> str:
    """The text with a property of its first material set."""
    entry = f'P: "{name}", "Number", "", "A",{",".join(map(str, values))}\n'
    text = re.sub(rf'(?<=\t)P: "{name}".*\n', "", text)
    head, tail = text.split("\n\tMaterial: ", 1)
    return head + "\n\tMaterial: " + tail.replace("Properties70:  {\n", "Properties70:  {\n\t\t\t" + entry, 1)


def with_texture(text: str, name: str, link: str = "DiffuseColor", extra: str = "", number: int = 777) -> str:
    """The text with a texture connected to its first material."""
    found = re.search(r"\n\tMaterial: (\d+)", text)
    assert found is not None
    texture = (
        f'Objects:  {{\n\tTexture: {number}, "Texture::t", "" {{\n\t\tType: "TextureVideoClip"\n'
        f'\t\tRelativeFilename: "{name}"\n{extra}\t}}\n'
    )
    text = re.sub(r"Objects:\s*\{\n", lambda _: texture, text, count=1)
    link = f'Connections:  {{\n\tC: "OP",{number},{found[1]}, "{link}"\n'
    return re.sub(r"Connections:\s*\{\n", lambda _: link, text, count=1)


def loaded(path: Path, text: str) -> ProductModel:
    path.write_text(text)
    return load_model(path)


@pytest.mark.parametrize(
    ("unit", "factor"), [("100", 1.0), ("1", 0.01), ("2.54", 0.0254), ("0.1", 0.001), ("30.48", 0.3048)]
)
def test_units_become_metres(unit: str, factor: float, tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box((10, 20, 6)), scale=[1, 1, 1])
    text = with_setting(write_fbx(tmp_path / "m.fbx", gltf), "UnitScaleFactor", unit)
    low, high = loaded(tmp_path / "m.fbx", text).bounds
    assert np.allclose(high - low, np.array([10, 20, 6]) * factor, rtol=1e-4)


def test_a_file_with_z_up_stands_upright(tmp_path: Path) -> None:
    text = write_fbx(tmp_path / "m.fbx")
    plain = loaded(tmp_path / "m.fbx", text)
    # 3ds Max: Z is up and -Y the front; what was upright along Y now lies along -Z, its back below
    for name, value in (("UpAxis", "2"), ("UpAxisSign", "1"), ("FrontAxis", "1"), ("FrontAxisSign", "-1")):
        text = with_setting(text, name, value)
    turned = loaded(tmp_path / "m.fbx", text)
    low, high = turned.bounds
    assert np.allclose(high - low, (0.1, 0.06, 0.2), atol=1e-6)
    part, before = turned.parts[0], plain.parts[0]
    assert np.allclose(part.normals, before.normals @ [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-5)


def test_axes_that_are_no_rotation_are_refused(tmp_path: Path) -> None:
    text = with_setting(write_fbx(tmp_path / "m.fbx"), "UpAxis", "2")
    with pytest.raises(GiveUp, match=r"Model m\.fbx: its axes are no rotation.*export it with Y up"):
        loaded(tmp_path / "m.fbx", text)


def test_nested_mirrored_nodes_lie_where_the_gltf_has_them(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    for shift, colour in (([0.1, 0, 0], [1, 0, 0, 1]), ([-0.2, 0.05, 0.1], [0, 0.5, 0, 1])):
        gltf.mesh(**box(), material=gltf.material(name=str(shift), baseColorFactor=colour), translation=shift)
    gltf.document["nodes"] += [
        {"children": [0], "scale": [-1, 2, 1], "rotation": [0, 0.38268343, 0, 0.92387953]},
        {"children": [2, 1], "translation": [0, 1, 0]},
    ]
    gltf.document["scenes"][0]["nodes"] = [3]
    write_fbx(tmp_path / "m.fbx", gltf)
    views = []
    for path in (tmp_path / "m.fbx", tmp_path / "m.source.glb"):
        model = load_model(path)
        views.append(rasteriser.gbuffer(model, canonical_camera(model, "three-quarter", 256)))
    assert ((views[0].mask > 0.5) != (views[1].mask > 0.5)).mean() < 1e-4
    assert np.abs(to_srgb(views[0].albedo).astype(int) - to_srgb(views[1].albedo)).mean() < 0.1
    assert np.allclose(views[0].depth, views[1].depth, atol=1e-4)


@pytest.mark.skipif(not (REAL / "WaterBottle.fbx").is_file(), reason="needs ../shared/assets")
@pytest.mark.parametrize("name", ["WaterBottle", "BoomBox"])
def test_a_real_fbx_gives_the_picture_of_its_glb(name: str, rasteriser: Rasteriser) -> None:
    pair = [load_model(REAL / f"{name}.{kind}") for kind in ("glb", "fbx")]
    camera = canonical_camera(pair[0], "three-quarter", 384)
    one, other = (rasteriser.gbuffer(model, camera) for model in pair)
    inside = [view.mask > 0.5 for view in (one, other)]
    assert (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum() >= 0.999
    both = (one.mask > 0.99) & (other.mask > 0.99)
    for left, right in ((one.albedo, other.albedo), (one.emissive, other.emissive)):
        assert np.abs(to_srgb(left).astype(int) - to_srgb(right))[both].mean() <= 1
    assert np.median((one.normals * other.normals).sum(-1)[both]) > 0.9999


def test_a_texture_is_found_beside_the_model_in_any_case_and_darkened_by_nothing(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box(SIZE), material=gltf.material(name="skin", baseColorFactor=[0.8, 0.8, 0.8, 1]))
    text = with_texture(write_fbx(tmp_path / "m.fbx", gltf), "D:\\work\\Skin.TGA")
    with pytest.raises(GiveUp, match=r"texture 'Skin\.TGA' is missing; put it beside the model or embed it"):
        loaded(tmp_path / "m.fbx", text)
    for folder in (".", "textures", "m.fbm"):
        (tmp_path / folder).mkdir(exist_ok=True)
        file = tmp_path / folder / "skin.tga"
        Image.fromarray(print_of("SAME")).save(file)
        material = load_model(tmp_path / "m.fbx").parts[0].material
        assert material.texture is not None
        assert np.array_equal(material.texture.pixels[..., :3], print_of("SAME"))
        assert material.base_colour == (1, 1, 1, 1)
        file.unlink()


def test_a_texture_on_a_property_that_only_a_renderer_knows_is_drawn(tmp_path: Path) -> None:
    Image.fromarray(print_of("SAME")).save(tmp_path / "skin.png")
    text = write_fbx(tmp_path / "m.fbx")
    for link in ("3dsMax|Parameters|base_color_map", "Maya|baseColor", "Maya|TEX_color_map"):
        material = loaded(tmp_path / "m.fbx", with_texture(text, "skin.png", link)).parts[0].material
        assert material.texture is not None, link


def test_a_texture_that_repeats_repeats(tmp_path: Path) -> None:
    Image.fromarray(print_of("SAME")).save(tmp_path / "skin.png")
    text = write_fbx(tmp_path / "m.fbx")
    plain = loaded(tmp_path / "m.fbx", with_texture(text, "skin.png")).parts[0].uv
    more = with_texture(text, "skin.png", extra="\t\tModelUVScaling: 3,2\n")
    scaled = loaded(tmp_path / "m.fbx", more).parts[0].uv
    assert plain is not None and scaled is not None
    assert np.allclose(scaled[:, 0], plain[:, 0] * 3, atol=1e-6)
    assert np.allclose(1 - scaled[:, 1], (1 - plain[:, 1]) * 2, atol=1e-6)  # v runs up in FBX
    moved = with_texture(text, "skin.png", extra="\t\tModelUVTranslation: 0.5,0\n")
    with pytest.raises(GiveUp, match="shifts or turns its texture"):
        loaded(tmp_path / "m.fbx", moved)


def _opacity(**properties: tuple[float, ...]) -> Callable[[str], str]:
    def change(text: str) -> str:
        text = re.sub(r'\t*P: "Opacity".*\n', "", text)
        for name, values in properties.items():
            text = with_property(text, name, *values)
        return text

    return change


@pytest.mark.parametrize(
    ("change", "alpha"),
    [
        (_opacity(), 1.0),
        (_opacity(Opacity=(0.3,)), 0.3),
        (_opacity(Opacity=(0.3,), TransparencyFactor=(1.0,)), 0.3),  # Maya's factor is always 1
        (_opacity(TransparencyFactor=(1.0,)), 1.0),
        (_opacity(TransparencyFactor=(0.25,)), 0.75),
        (_opacity(TransparencyFactor=(0.5,), TransparentColor=(0.5, 0.5, 0.5)), 0.75),
        (
            _opacity(TransparencyFactor=(1.0,), TransparentColor=(1, 1, 1)),
            1.0,
        ),  # nobody sells what is invisible
        (_opacity(Opacity=(0.0,)), 1.0),
    ],
)
def test_opacity_is_what_exporters_mean(change: Callable[[str], str], alpha: float, tmp_path: Path) -> None:
    material = loaded(tmp_path / "m.fbx", change(write_fbx(tmp_path / "m.fbx"))).parts[0].material
    assert material.base_colour[3] == pytest.approx(alpha)
    assert material.alpha_mode == ("BLEND" if alpha < 1 else "OPAQUE")


def test_transparency_in_a_texture_counts_where_it_is_the_colours_own(tmp_path: Path) -> None:
    skin = np.dstack([print_of("SAME"), np.full((512, 512), 255, np.uint8)])
    skin[:, :100, 3] = 0
    Image.fromarray(skin).save(tmp_path / "skin.png")
    Image.fromarray(skin).save(tmp_path / "other.png")
    text = with_texture(write_fbx(tmp_path / "m.fbx"), "skin.png")
    assert loaded(tmp_path / "m.fbx", text).parts[0].material.alpha_mode == "OPAQUE"
    own = with_texture(text, "skin.png", "TransparentColor", number=778)
    assert loaded(tmp_path / "m.fbx", own).parts[0].material.alpha_mode == "BLEND"
    strange = with_texture(text, "other.png", "TransparencyFactor", number=778)
    with pytest.raises(GiveUp, match=r"transparency in a texture of its own \('other\.png'\)"):
        loaded(tmp_path / "m.fbx", strange)


def test_emission_is_its_colour_times_its_factor_and_a_white_left_over_is_dropped(tmp_path: Path) -> None:
    text = write_fbx(tmp_path / "m.fbx")
    glowing = with_property(with_property(text, "EmissiveColor", 1, 0.5, 0), "EmissiveFactor", 0.5)
    assert loaded(tmp_path / "m.fbx", glowing).parts[0].material.emissive == pytest.approx((0.5, 0.25, 0))
    bright = with_property(with_property(text, "EmissiveColor", 1, 0.5, 0), "EmissiveFactor", 4)
    assert loaded(tmp_path / "m.fbx", bright).parts[0].material.emissive == pytest.approx((4, 2, 0))
    off = with_property(with_property(text, "EmissiveColor", 1, 1, 1), "EmissiveFactor", 0)
    assert loaded(tmp_path / "m.fbx", off).parts[0].material.emissive == (0, 0, 0)
    white = loaded(tmp_path / "m.fbx", with_property(text, "EmissiveColor", 1, 1, 1))
    assert white.parts[0].material.emissive == (0, 0, 0)
    assert any("left-over" in note for note in white.notes)
    # a texture takes the colour's place, though the colour is black
    Image.fromarray(print_of("SAME")).save(tmp_path / "glow.png")
    black = with_property(text, "EmissiveColor", 0, 0, 0)
    lit = loaded(tmp_path / "m.fbx", with_texture(black, "glow.png", "EmissiveColor")).parts[0].material
    assert lit.emissive_texture is not None
    assert lit.emissive == (1, 1, 1)


def test_vertex_colours_are_srgb_and_hidden_by_a_texture(tmp_path: Path) -> None:
    gltf = Gltf()
    colours = np.tile([0.5, 0.0, 1.0, 1.0], (24, 1))
    gltf.mesh(**box(SIZE), material=gltf.material(name="skin"), colours=colours)
    text = write_fbx(tmp_path / "m.fbx", gltf)
    part = loaded(tmp_path / "m.fbx", text).parts[0]
    assert part.colours is not None
    assert np.allclose(part.colours[:, :3], to_linear(np.array([0.5, 0.0, 1.0])), atol=0.005)
    Image.fromarray(print_of("SAME")).save(tmp_path / "skin.png")
    covered = loaded(tmp_path / "m.fbx", with_texture(text, "skin.png"))
    assert covered.parts[0].colours is None
    assert any("under a texture" in note for note in covered.notes)


def test_a_hidden_part_is_not_drawn(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box(), name="product")
    gltf.mesh(**box((1, 1, 1)), name="cage")
    text = write_fbx(tmp_path / "m.fbx", gltf)
    head, tail = text.split('"Model::cage"', 1)
    tail = tail.replace("Properties70:  {\n", 'Properties70:  {\n\t\t\tP: "Show", "bool", "", "",0\n', 1)
    model = loaded(tmp_path / "m.fbx", head + '"Model::cage"' + tail)
    low, high = model.bounds
    assert np.allclose(high - low, 0.1, atol=1e-6)
    assert any("'cage' is hidden" in note for note in model.notes)


@pytest.mark.parametrize(
    ("kind", "scale", "drawn"),
    [(1, "2,3,4", True), (2, "1,1,1", True), (0, "2,2,2", True), (2, "2,2,2", False), (0, "2,3,4", False)],
)
def test_scales_that_are_not_handed_down_plainly_are_refused(
    kind: int, scale: str, drawn: bool, tmp_path: Path
) -> None:
    gltf = Gltf()
    gltf.mesh(**box(), name="leaf")
    # two roots: assimp writes no node for a single one
    gltf.document["nodes"] += [{"name": "branch", "children": [0]}, {"name": "twig"}]
    gltf.document["scenes"][0]["nodes"] = [1, 2]
    text = write_fbx(tmp_path / "m.fbx", gltf)
    for name, entry in (
        ("leaf", f'P: "InheritType", "enum", "", "",{kind}'),
        ("branch", f'P: "Lcl Scaling", "Lcl Scaling", "", "A",{scale}'),
    ):
        head, tail = text.split(f'"Model::{name}"', 1)
        block, rest = tail.split("Properties70:  {\n", 1)
        inside, rest = rest.split("}", 1)
        kept = re.sub(r'.*"(InheritType|Lcl Scaling)".*\n', "", inside)
        text = f'{head}"Model::{name}"{block}Properties70:  {{\n\t\t\t{entry}\n{kept}}}{rest}'
    if drawn:
        assert len(loaded(tmp_path / "m.fbx", text).parts) == 1
    else:
        with pytest.raises(GiveUp, match="its part 'leaf' does not take on the scale of what it hangs on"):
            loaded(tmp_path / "m.fbx", text)


def test_materials_of_one_name_that_differ_are_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    for name, colour in (("one", [1, 0, 0, 1]), ("two", [0, 1, 0, 1])):
        gltf.mesh(**box(), material=gltf.material(name=name, baseColorFactor=colour))
    text = write_fbx(tmp_path / "m.fbx", gltf).replace("Material::two", "Material::one")
    with pytest.raises(GiveUp, match="several materials that are all called 'one' but differ; rename them"):
        loaded(tmp_path / "m.fbx", text)


def test_binary_and_ascii_say_the_same_of_themselves() -> None:
    carton = read_fbx_document(Path("assets/3d/carton-norda.fbx"))
    assert carton.unit == pytest.approx(0.01)
    assert np.array_equal(carton.axes, np.eye(3))
    (board,) = carton.materials
    assert board.name == "board"
    assert board.textures["DiffuseColor"].file == "board.png"
    assert (board.textures["DiffuseColor"].content or b"").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"Kaydara FBX Binary  \x00\x1a\x00" + bytes(200), "assimp cannot read this FBX"),
        (b"Kaydara FBX Binary  \x00\x1a\x00\xe8\x1c\0\0" + b"\xff" * 200, "FBX structure is broken"),
        (b"solid cube", "it is no FBX file"),
    ],
)
def test_what_is_no_fbx_is_refused(data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "m.fbx").write_bytes(data)
    with pytest.raises(GiveUp, match=rf"Model m\.fbx: .*{sentence}"):
        load_model(tmp_path / "m.fbx")
