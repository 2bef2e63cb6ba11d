"""OBJ files are drawn as they say, or refused with the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from packline.colour import to_linear, to_srgb
from packline.errors import GiveUp
from packline.stage.load import load_model
from packline.stage.obj import read_obj
from packline.stage.polygons import triangulate
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, box, print_of

SIZE = (0.1, 0.2, 0.06)


def write_box(folder: Path, mtl: str = "map_Kd skin.png", faces: str = "", **changes: str) -> Path:
    """A textured box as OBJ, MTL and PNG; `changes` replaces words of the OBJ."""
    shape = box(SIZE)
    lines = ["mtllib m.mtl", "usemtl skin"]
    lines += [f"v {x} {y} {z}" for x, y, z in shape["vertices"]]
    lines += [f"vt {u} {1 - v}" for u, v in shape["uv"]]
    lines += [f"vn {x} {y} {z}" for x, y, z in shape["normals"]]
    said = ["f " + " ".join(f"{i + 1}/{i + 1}/{i + 1}" for i in face) for face in shape["faces"]]
    text = "\n".join(lines) + "\n" + (faces or "\n".join(said)) + "\n"
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "m.obj").write_text(text)
    (folder / "m.mtl").write_text(f"newmtl skin\nKd 0.8 0.8 0.8\n{mtl}\n")
    Image.fromarray(print_of("SAME")).save(folder / "skin.png")
    return folder / "m.obj"


def same_picture(rasteriser: Rasteriser, one: Path, other: Path) -> None:
    views = [
        rasteriser.gbuffer(model, canonical_camera(model, "three-quarter", 256))
        for model in (load_model(one), load_model(other))
    ]
    assert np.array_equal(views[0].mask, views[1].mask)
    assert np.abs(to_srgb(views[0].albedo).astype(int) - to_srgb(views[1].albedo)).mean() < 0.05
    assert np.allclose(views[0].normals, views[1].normals, atol=1e-4)


def write_glb(folder: Path) -> Path:
    gltf = Gltf()
    texture = {"index": gltf.image(print_of("SAME"))}
    gltf.mesh(**box(SIZE), material=gltf.material(baseColorTexture=texture))
    return gltf.save(folder / "g.glb")


def test_an_obj_gives_the_picture_of_its_glb(tmp_path: Path, rasteriser: Rasteriser) -> None:
    same_picture(rasteriser, write_glb(tmp_path), write_box(tmp_path))


def test_quads_and_negative_corners_are_the_same_box(tmp_path: Path, rasteriser: Rasteriser) -> None:
    quads = [[4 * side + i - 24 for i in range(4)] for side in range(6)]
    faces = "\n".join("f " + " ".join(f"{i}/{i}/{i}" for i in quad) for quad in quads)
    same_picture(rasteriser, write_glb(tmp_path), write_box(tmp_path, faces=faces))


@pytest.mark.parametrize(
    "line",
    [
        "map_Kd -clamp off -s 1 1 1 -o 0 0 0 -bm 1 -mm 0 1 skin.png",
        "map_Kd SKIN.PNG",
        "map_Kd C:\\work folder\\skin.png",
        "map_Kd ../elsewhere/skin.png",
        "map_Kd\t skin.png  ",
        "d 1\nTr 1\nmap_Kd skin.png",
        "map_d skin.png\nmap_Kd skin.png",
    ],
)
def test_a_texture_is_found_however_exporters_write_it(
    line: str, tmp_path: Path, rasteriser: Rasteriser
) -> None:
    same_picture(rasteriser, write_glb(tmp_path), write_box(tmp_path, line))


def test_a_texture_in_a_subfolder_and_names_with_spaces_are_found(tmp_path: Path) -> None:
    path = write_box(tmp_path, "map_Kd -s 1 1 my skin 2.png", **{"m.mtl": "other.mtl my own.mtl"})
    (tmp_path / "m.mtl").rename(tmp_path / "my own.mtl")
    (tmp_path / "other.mtl").write_text("newmtl other\nKd 1 0 0\n")
    (tmp_path / "textures").mkdir()
    (tmp_path / "skin.png").rename(tmp_path / "textures" / "my skin 2.png")
    material = load_model(path).parts[0].material
    assert material.texture is not None
    assert np.array_equal(material.texture.pixels[..., :3], print_of("SAME"))


def test_scale_and_offset_of_a_texture_are_baked_into_its_uv(tmp_path: Path) -> None:
    plain, _ = read_obj(write_box(tmp_path))
    moved, _ = read_obj(write_box(tmp_path, "map_Kd -s 2 4 -o 0.5 0.25 -clamp on skin.png"))
    assert plain[0].uv is not None and moved[0].uv is not None
    # in the file's own v, which runs up
    up = 1 - plain[0].uv[:, 1]
    assert np.allclose(moved[0].uv[:, 0], plain[0].uv[:, 0] * 2 + 0.5, atol=1e-6)
    assert np.allclose(1 - moved[0].uv[:, 1], up * 4 + 0.25, atol=1e-6)
    assert moved[0].material.texture is not None
    assert moved[0].material.texture.wrap == ("clamp", "clamp")


def test_each_material_of_a_group_gets_its_faces(tmp_path: Path) -> None:
    path = write_box(tmp_path, "newmtl red\nKd 1 0 0", **{"f 5/5/5": "usemtl red\nf 5/5/5"})
    found = {part.material.name: len(part.faces) for part in load_model(path).parts}
    assert found == {"skin": 2, "red": 10}


def test_colours_of_materials_are_linear_and_grey_beside_a_texture_darkens_nothing(tmp_path: Path) -> None:
    material = (
        load_model(write_box(tmp_path, "Kd 0.5 0.25 0.1\nKe 0.1 0.2 0.3\nNs 250\nd 0.4")).parts[0].material
    )
    assert material.base_colour == (0.5, 0.25, 0.1, 0.4)
    assert material.alpha_mode == "BLEND"
    assert material.emissive == (0.1, 0.2, 0.3)
    assert material.roughness == pytest.approx(0.5)
    textured = load_model(write_box(tmp_path)).parts[0].material
    assert textured.base_colour == (1.0, 1.0, 1.0, 1.0)
    tinted = load_model(write_box(tmp_path, "Kd 1 0.5 0.5\nmap_Kd skin.png"))
    assert tinted.parts[0].material.base_colour == (1.0, 0.5, 0.5, 1.0)
    assert any("tints its texture" in note for note in tinted.notes)


def test_an_opacity_map_becomes_the_alpha_of_the_texture(tmp_path: Path) -> None:
    half = np.zeros((64, 64), np.uint8)
    half[:, 32:] = 200
    Image.fromarray(half).save(tmp_path / "cut.png")
    material = load_model(write_box(tmp_path, "map_Kd skin.png\nmap_d cut.png")).parts[0].material
    assert material.alpha_mode == "BLEND"
    assert material.texture is not None
    assert tuple(material.texture.pixels[100, (50, 450), 3]) == (0, 200)


def test_a_material_that_hides_everything_is_drawn_opaque_with_a_note(tmp_path: Path) -> None:
    model = load_model(write_box(tmp_path, "Tr 1"))
    assert model.parts[0].material.base_colour[3] == 1
    assert any("invisible" in note for note in model.notes)


def test_vertex_colours_are_srgb(tmp_path: Path) -> None:
    (tmp_path / "m.obj").write_text("v 0 0 0 0.5 0 1\nv 0.1 0 0 0.5 0 1\nv 0 0.1 0 0.5 0 1\nf 1 2 3\n")
    part = load_model(tmp_path / "m.obj").parts[0]
    assert part.colours is not None
    assert np.allclose(part.colours, [*to_linear(np.array([0.5, 0.0, 1.0])), 1.0], atol=1e-6)
    assert part.material.base_colour == (1, 1, 1, 1)


def test_smoothing_groups_decide_where_no_normals_are_given(tmp_path: Path) -> None:
    corners = "v 0 0 0\nv 0.1 0 0\nv 0.1 0.1 0\nv 0 0.1 0\nv 0.1 0 -0.1\nv 0.1 0.1 -0.1\n"
    faces = "f 1 2 3 4\nf 2 5 6 3\n"
    shared = {}
    for word in ("s off", "s 1", ""):
        (tmp_path / "m.obj").write_text(f"{corners}{word}\n{faces}")
        part = read_obj(tmp_path / "m.obj")[0][0]
        edge = np.isclose(part.vertices, (0.1, 0, 0)).all(1)
        shared[word] = {tuple(np.round(normal.astype(float), 3) + 0.0) for normal in part.normals[edge]}
    assert shared["s off"] == {(0, 0, 1), (1, 0, 0)}
    assert shared["s 1"] == {(0.707, 0, 0.707)}
    assert shared[""] == {(0, 0, 1), (1, 0, 0)}  # a right angle is sharp


def test_a_concave_polygon_keeps_its_notch() -> None:
    # an arrowhead whose fan from the first corner would cover the notch
    corners = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [1, 0.5, 0], [0, 2, 0]], float)
    for turn in range(5):
        rolled = np.roll(corners, turn, 0)
        triangles, owner = triangulate(rolled, np.array([5]))
        legs = rolled[triangles]
        areas = np.cross(legs[:, 1] - legs[:, 0], legs[:, 2] - legs[:, 0])[:, 2] / 2
        assert areas.min() > 0
        assert areas.sum() == pytest.approx(2.5)
        assert owner.tolist() == [0, 0, 0]


def test_polygons_of_all_sizes_keep_their_area_and_order() -> None:
    random = np.random.default_rng(5)
    polygons = []
    for count in (3, 4, 4, 9, 30, 5):
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
        radii = random.uniform(0.3, 1.0, count)  # star-shaped, mostly concave
        polygons.append(np.stack([radii * np.cos(angles), radii * np.sin(angles), 0 * angles + count], 1))
    counts = np.array([len(polygon) for polygon in polygons])
    corners = np.concatenate(polygons)
    triangles, owner = triangulate(corners, counts)
    assert owner.tolist() == sorted(owner.tolist())
    legs = corners[triangles]
    areas = np.cross(legs[:, 1] - legs[:, 0], legs[:, 2] - legs[:, 0])[:, 2] / 2
    for index, polygon in enumerate(polygons):
        x, y = polygon[:, 0], polygon[:, 1]
        whole = (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
        assert areas[owner == index].sum() == pytest.approx(whole)
        assert (areas[owner == index] > 0).all()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("f 0 1 2", r"line 87 cannot be read \('f 0 1 2': '0' uses a v that does not exist\)"),
        ("f 1 2 99", "a face uses v 99 of 24"),
        ("f -99 1 2", "uses a v that does not exist"),
        ("f 1 2", "a face needs three corners"),
        ("f 1/1/1/1 2 3", "too many slashes"),
        ("v 1 2 x", "line 87 cannot be read .*could not convert"),
        ("v nan 0 0", "position that is not a number|2 numbers where|cannot be read"),
        ("usemtl ghost\nf 1 2 3", "material 'ghost' is in none of its material libraries"),
        ("mtllib ghost.mtl", "material library 'ghost.mtl' is missing"),
        ("surf 0 1", "free-form surfaces are not read"),
        ("rubbish", "'rubbish' is no word of the OBJ format"),
        ("f 1//1 2//2 3//3", "has a texture but a part of it has no UV"),
    ],
)
def test_a_wrong_line_is_named(words: str, sentence: str, tmp_path: Path) -> None:
    path = write_box(tmp_path)
    path.write_text(path.read_text() + words + "\n")
    with pytest.raises(GiveUp, match=sentence) as caught:
        load_model(path)
    assert str(caught.value).startswith("Model m.obj: ")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("map_Kd ghost.png", "texture 'ghost.png' is missing; put it beside the model"),
        ("map_Kd", "line 3 of m.mtl cannot be read .*names no file"),
        ("Kd 1 2", "a colour is three numbers"),
        ("Kd nan 0 0", "not a finite number"),
        ("Kd 200 0 0", "colour Kd above 1"),
        ("d 3", "allowed is 0 to 1"),
        ("map_Kd skin.png\nmap_Ke -s 2 2 skin.png\nnorm -o 1 1 skin.png", "places its textures differently"),
    ],
)
def test_a_wrong_material_is_refused(line: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(GiveUp, match=sentence):
        load_model(write_box(tmp_path, line))


def test_a_size_that_is_no_products_says_which_unit_it_may_be(tmp_path: Path) -> None:
    def scaled(factor: float) -> Path:
        path = write_box(tmp_path)
        lines = [
            "v " + " ".join(str(float(word) * factor) for word in line.split()[1:])
            if line[:2] == "v "
            else line
            for line in path.read_text().splitlines()
        ]
        path.write_text("\n".join(lines))
        return path

    assert load_model(scaled(1)).notes == ()
    assert any("If it was made in centimetres" in note for note in load_model(scaled(100)).notes)
    with pytest.raises(GiveUp, match=r"measure 200 m; it looks like centimetres.*scale 0\.01"):
        load_model(scaled(1000))
    with pytest.raises(GiveUp, match=r"measure 2000 m; it looks like millimetres.*scale 0\.001"):
        load_model(scaled(10_000))
    with pytest.raises(GiveUp, match=r"would measure 2e-05 m; export it in metres"):
        load_model(scaled(1e-4))
