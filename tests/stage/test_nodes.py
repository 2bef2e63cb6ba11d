"""Meshes stand where the scene puts them: nodes, instances, skins, morphs, variants and their names."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from packline.errors import GiveUp
from packline.stage.gltf import read_gltf
from packline.stage.load import load_model
from packline.stage.model import Part
from packline.stage.naming import unique_names
from tests.stage.build import Gltf, ball, box, quad, sphere


def outsides(part: Part) -> Any:
    """How well each face's own outside agrees with its normals, -1 to 1."""
    a, b, c = (part.vertices[part.faces[:, corner]].astype(float) for corner in range(3))
    own = np.cross(b - a, c - a)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    return (own * part.normals[part.faces[:, 0]]).sum(1)


def turned(degrees: float, axis: Any = (0, 1, 0)) -> Any:
    return trimesh.transformations.rotation_matrix(np.radians(degrees), axis)


MATRICES = {
    "turned": turned(30, (1, 2, 3)),
    "mirrored": turned(30) @ np.diag([-1.0, 1, 1, 1]),
    "all mirrored": -np.eye(4) + np.diag([0.0, 0, 0, 2]),
    "sheared": np.array([[1, 0.8, 0, 0.1], [0, 1, 0, 0], [0.3, 0, 2, 0], [0, 0, 0, 1.0]]),
    "sheared and mirrored": np.array([[1, 0.8, 0, 0.1], [0, -1, 0, 0], [0.3, 0, 2, 0], [0, 0, 0, 1.0]]),
    "small": np.diag([1e-3, 1e-3, 1e-3, 1]),
}


@pytest.mark.parametrize("name", MATRICES)
def test_any_matrix_keeps_the_outside_out_and_the_normals_upright(name: str, tmp_path: Path) -> None:
    matrix = MATRICES[name]
    shape = ball(0.1, 24)
    gltf = Gltf()
    gltf.mesh(**shape, matrix=matrix.T.reshape(-1).tolist())
    (part,) = read_gltf(gltf.save(tmp_path / "m.glb")).parts
    world = shape["vertices"] @ matrix[:3, :3].T + matrix[:3, 3]
    got, expected = (
        np.sort(one.reshape(-1, 3), 0) for one in (part.vertices[part.faces], world[shape["faces"]])
    )
    assert np.allclose(got, expected, atol=1e-6)
    assert outsides(part).min() > 0.9
    assert np.allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-5)
    # an ellipsoid's normals point away from its middle
    assert ((part.vertices - matrix[:3, 3]) * part.normals).sum(1).min() > 0


def test_nested_nodes_are_multiplied_from_the_root_down(tmp_path: Path) -> None:
    gltf = Gltf()
    shape = box()
    gltf.mesh(**shape, translation=[1, 2, 3], rotation=[0, 0, 0.6, 0.8], scale=[1, 2, 3])
    gltf.document["nodes"] += [
        {"children": [0], "matrix": MATRICES["sheared"].T.reshape(-1).tolist()},
        {"children": [1], "rotation": [0, 3, 0, 4]},  # of length 5: quaternions count by direction
    ]
    gltf.document["scenes"][0]["nodes"] = [2]
    (part,) = read_gltf(gltf.save(tmp_path / "m.glb")).parts
    local = trimesh.transformations.translation_matrix([1, 2, 3])
    local = local @ trimesh.transformations.quaternion_matrix([0.8, 0, 0, 0.6]) @ np.diag([1, 2, 3, 1])
    top = trimesh.transformations.quaternion_matrix([0.8, 0, 0.6, 0])
    world = top @ MATRICES["sheared"] @ local
    expected = shape["vertices"] @ world[:3, :3].T + world[:3, 3]
    assert np.allclose(part.vertices[part.faces], expected[shape["faces"]], atol=1e-5)


def test_a_mesh_that_two_nodes_share_is_drawn_twice(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box(), name="left")
    gltf.document["nodes"].append({"mesh": 0, "translation": [1, 0, 0], "name": "right"})
    gltf.document["scenes"][0]["nodes"].append(1)
    a, b = read_gltf(gltf.save(tmp_path / "m.glb")).parts
    assert np.allclose(b.vertices - a.vertices, (1, 0, 0), atol=1e-6)


def test_only_the_default_scene_is_drawn_and_the_notes_say_so(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box())
    gltf.mesh(**sphere(0.2, 8))
    gltf.document.update(scene=1, scenes=[{"nodes": [0]}, {"nodes": [1]}])
    found = read_gltf(gltf.save(tmp_path / "m.glb"))
    assert len(found.parts) == 1
    assert np.allclose(np.linalg.norm(found.parts[0].vertices, axis=1), 0.2, atol=1e-6)
    assert found.notes == ("it has 2 scenes; the default one is drawn",)


def test_what_is_invisible_or_scaled_to_nothing_is_not_drawn(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box())
    gltf.mesh(**box((1, 1, 1)), name="shadow", scale=[0, 0, 0])
    gltf.mesh(**box((2, 2, 2)), extensions={"KHR_node_visibility": {"visible": False}})
    found = read_gltf(gltf.save(tmp_path / "m.glb"))
    assert len(found.parts) == 1
    assert found.parts[0].vertices.max() == pytest.approx(0.1)
    assert found.notes == ("the node 'shadow' is scaled to nothing and not drawn",)


@pytest.mark.parametrize("short", [True, False])
def test_instances_stand_where_their_attributes_say(short: bool, tmp_path: Path) -> None:
    shape = box()
    shift = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
    quaternions = np.array([[0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0.6, 0.8]])
    scale = np.array([[1, 1, 1], [-1, 1, 1], [1, 2, 3], [0, 0, 0]], np.float32)  # the last one is hidden
    shift, quaternions = np.vstack([shift, shift[:1]]), np.vstack([quaternions, quaternions[:1]])
    gltf = Gltf()
    coded = np.round(quaternions * 32767).astype(np.int16) if short else quaternions.astype(np.float32)
    data = {
        "TRANSLATION": gltf.array(shift),
        "ROTATION": gltf.array(coded, normalized=short),
        "SCALE": gltf.array(scale),
    }
    gltf.mesh(**shape, translation=[0, 0, 10], extensions={"EXT_mesh_gpu_instancing": {"attributes": data}})
    gltf.document["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    (part,) = read_gltf(gltf.save(tmp_path / "m.glb")).parts
    expected = []
    for t, (x, y, z, w), s in list(zip(shift, quaternions, scale, strict=True))[:3]:
        turn = trimesh.transformations.quaternion_matrix([w, x, y, z])[:3, :3]
        expected.append((shape["vertices"] * s) @ turn.T + t + (0, 0, 10))
    assert np.allclose(part.vertices, np.concatenate(expected), atol=1e-3)
    assert len(part.faces) == 36
    assert outsides(part).min() > 0.99


def test_instances_count_against_the_limit_on_triangles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packline.stage.gltf.MAX_TRIANGLES", 30)
    gltf = Gltf()
    data = {"TRANSLATION": gltf.array(np.zeros((3, 3), np.float32))}
    gltf.mesh(**box(), extensions={"EXT_mesh_gpu_instancing": {"attributes": data}})
    with pytest.raises(GiveUp, match="36 triangles in 1 parts, more than 30"):
        read_gltf(gltf.save(tmp_path / "m.glb"))


# skins and morphs


def skinned_tower(gltf: Gltf, weights: Any) -> Any:
    """Four points, the lower two on a joint at the root, the upper ones on a joint turned by 90 degrees."""
    places = np.array([[0, 0, 0], [1, 0, 0], [1, 2, 0], [0, 2, 0]], np.float32)
    gltf.mesh(places, np.array([[0, 1, 2], [0, 2, 3]]), normals=np.tile([0, 0, 1.0], (4, 1)), skin=0)
    gltf.document["nodes"][0]["translation"] = [99, 99, 99]  # a skinned mesh ignores it
    attributes = gltf.document["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_0"] = gltf.array(
        np.array([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]], np.uint8)
    )
    attributes["WEIGHTS_0"] = gltf.array(weights, normalized=weights.dtype != np.float32)
    binds = np.stack([np.eye(4), trimesh.transformations.translation_matrix([0, -1, 0])])
    half = float(np.sqrt(0.5))
    gltf.document["nodes"] += [
        {"children": [2]},
        {"translation": [0, 1, 0], "rotation": [0, half, 0, half]},
    ]
    gltf.document["scenes"][0]["nodes"].append(1)
    gltf.document["skins"] = [
        {
            "joints": [1, 2],
            "inverseBindMatrices": gltf.array(binds.transpose(0, 2, 1).reshape(2, 16).astype(np.float32)),
        }
    ]
    return places


@pytest.mark.parametrize(
    "weights",
    [
        np.tile([1, 0, 0, 0], (4, 1)).astype(np.float32),
        np.tile([255, 0, 0, 0], (4, 1)).astype(np.uint8),
        np.zeros((4, 4), np.float32),  # hangs on nothing: follows its first joint
        np.tile([0.5, 0, 0, 0], (4, 1)).astype(np.float32),  # does not add up to 1
    ],
)
def test_a_skinned_mesh_follows_its_joints_and_not_its_node(weights: Any, tmp_path: Path) -> None:
    gltf = Gltf()
    places = skinned_tower(gltf, weights)
    (part,) = read_gltf(gltf.save(tmp_path / "m.glb")).parts
    # the upper joint turns +X to -Z
    expected = np.array([places[0], places[1], [0, 2, -1], [0, 2, 0]])
    assert np.allclose(part.vertices, expected, atol=1e-5)
    assert np.allclose(part.normals[:2], (0, 0, 1), atol=1e-5)
    assert np.allclose(part.normals[2:], (1, 0, 0), atol=1e-5)


def test_a_joint_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    skinned_tower(gltf, np.tile([1, 0, 0, 0], (4, 1)).astype(np.float32))
    gltf.document["skins"][0]["joints"] = [1]
    with pytest.raises(GiveUp, match="hangs on a joint that does not exist"):
        read_gltf(gltf.save(tmp_path / "m.glb"))


@pytest.mark.parametrize("place", ["node", "mesh", "both"])
def test_morph_targets_are_added_by_weight(place: str, tmp_path: Path) -> None:
    gltf = Gltf()
    shape = quad()
    gltf.mesh(**shape)
    first, second = np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32)
    first[2], second[3] = (1, 1, 0), (0, 2, 0)
    gltf.document["meshes"][0]["primitives"][0]["targets"] = [
        {"POSITION": gltf.array(first)},
        {"POSITION": gltf.array(second)},
    ]
    if place != "node":
        gltf.document["meshes"][0]["weights"] = [0.5, 0.25] if place == "mesh" else [9, 9]
    if place != "mesh":
        gltf.document["nodes"][0]["weights"] = [0.5, 0.25]
    (part,) = read_gltf(gltf.save(tmp_path / "m.glb")).parts
    assert np.allclose(part.vertices, shape["vertices"] + 0.5 * first + 0.25 * second, atol=1e-6)


def test_morph_weights_without_as_many_targets_are_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**quad(), weights=[1])
    with pytest.raises(GiveUp, match="0 morph targets but 1 weights"):
        read_gltf(gltf.save(tmp_path / "m.glb"))


# variants and names


def shoe(gltf: Gltf) -> None:
    for name in ("red", "blue", "green"):
        gltf.material(name=name)
    gltf.mesh(**box(), material=0)
    gltf.mesh(**quad(z=0.2), material=0)
    gltf.document["extensions"] = {
        "KHR_materials_variants": {"variants": [{"name": "Beach"}, {"name": "Street"}]}
    }
    gltf.document["meshes"][0]["primitives"][0]["extensions"] = {
        "KHR_materials_variants": {
            "mappings": [{"material": 1, "variants": [0]}, {"material": 2, "variants": [1]}]
        }
    }


@pytest.mark.parametrize(
    ("variant", "materials"),
    [("", ["red", "red"]), ("Beach", ["blue", "red"]), ("Street", ["green", "red"])],
)
def test_a_variant_wears_its_own_materials(variant: str, materials: list[str], tmp_path: Path) -> None:
    gltf = Gltf()
    shoe(gltf)
    model = load_model(gltf.save(tmp_path / "m.glb"), variant)
    assert [part.material.name for part in model.parts] == materials
    assert model.variants == ("Beach", "Street")
    assert model.variant == variant


def test_an_unknown_variant_is_refused_with_those_there_are(tmp_path: Path) -> None:
    gltf = Gltf()
    shoe(gltf)
    with pytest.raises(GiveUp, match="no material variant 'Winter'; choose one of 'Beach', 'Street'"):
        load_model(gltf.save(tmp_path / "m.glb"), "Winter")
    gltf = Gltf()
    gltf.mesh(**box())
    with pytest.raises(GiveUp, match="it has none at all, so leave the variant"):
        load_model(gltf.save(tmp_path / "n.glb"), "Winter")
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(GiveUp, match=r"\.obj has no material variants"):
        load_model(tmp_path / "m.obj", "Winter")


@pytest.mark.parametrize(
    ("candidates", "names"),
    [
        ([("Sole", "rubber"), ("Lace", "cotton")], ["Sole", "Lace"]),
        ([("Sole", ""), ("Sole", ""), ("sole 2", "")], ["Sole", "Sole 2", "sole 2"]),
        ([("Sole", ""), ("Sole", ""), ("Sole 2", "")], ["Sole", "Sole 3", "Sole 2"]),
        ([("Mesh.012", "rubber", "node7")], ["rubber"]),
        ([("Object_3", "", "Bottle")], ["Bottle"]),
        ([("mesh_0", "defaultMaterial", "")], ["mesh_0"]),
        ([("", "", ""), ("", "", "")], ["part", "part 2"]),
        ([("a\n\x00b", "")], ["a b"]),
        ([("x" * 500, "")], ["x" * 60]),
    ],
)
def test_parts_are_called_what_a_person_called_them(
    candidates: list[tuple[str, ...]], names: list[str]
) -> None:
    assert unique_names(candidates) == names


def test_primitives_of_one_mesh_are_told_apart_by_their_material(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box(), material=gltf.material(name="glass"))
    gltf.mesh(**quad(), material=gltf.material(name="label"))
    first, second = gltf.document["meshes"]
    first["name"] = "bottle"
    first["primitives"] += second["primitives"]
    gltf.document["scenes"][0]["nodes"] = [0]
    found = read_gltf(gltf.save(tmp_path / "m.glb"))
    assert [part.name for part in found.parts] == ["glass", "label"]


def test_lines_beside_triangles_are_left_out_with_a_note(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box())
    gltf.mesh(**quad())
    gltf.document["meshes"][1]["primitives"][0]["mode"] = 1
    found = read_gltf(gltf.save(tmp_path / "m.glb"))
    assert len(found.parts) == 1
    assert found.notes == ("it has lines or points, which are not drawn",)


# files beside the model


def split(gltf: Gltf, folder: Path, uri: str) -> Path:
    """The same model as `.gltf` with its buffer elsewhere."""
    document = {key: value for key, value in gltf.document.items() if value != []}
    document["buffers"] = [{"byteLength": len(gltf.binary), "uri": uri}]
    (folder / "m.gltf").write_text(json.dumps(document))
    return folder / "m.gltf"


@pytest.mark.parametrize("how", ["file", "folder", "spaced", "embedded", "escaped"])
def test_a_buffer_is_read_from_wherever_its_uri_says(how: str, tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box())
    coded = base64.b64encode(gltf.binary).decode()
    uri, file = {
        "file": ("m.bin", "m.bin"),
        "folder": ("./data/../data/m.bin", "data/m.bin"),
        "spaced": ("my%20b%C3%BCffer.bin", "my büffer.bin"),
        "embedded": (f"data:application/octet-stream;base64,{coded}", None),
        "escaped": ("data:application/octet-stream," + "".join(f"%{b:02x}" for b in gltf.binary), None),
    }[how]
    if file:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(gltf.binary)
    (part,) = read_gltf(split(gltf, tmp_path, uri)).parts
    assert np.allclose(part.vertices.max(0), 0.1)


@pytest.mark.parametrize(
    "uri",
    ["../m.bin", "/etc/passwd", "file:///etc/passwd", "http://a.example/m.bin", "a/../../m.bin", "", ".",
     "..\\m.bin", "link.bin", "linked/m.bin", "%2e%2e/m.bin", "m\x00.bin", "C:\\m.bin", "x" * 5000,
     "loop.bin"],
)  # fmt: skip
def test_nothing_outside_the_model_s_folder_is_read(uri: str, tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box())
    (tmp_path / "m.bin").write_bytes(gltf.binary)
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "m.bin")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "loop.bin").symlink_to(folder / "loop.bin")
    for read in (read_gltf, load_model):
        with pytest.raises(GiveUp, match=r"lies outside the model's folder|is missing|cannot be read"):
            read(split(gltf, folder, uri))


@pytest.mark.parametrize("data", [b"garbage!", b"\xff" * 100, b""])
def test_a_broken_embedded_buffer_is_refused(data: bytes, tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box())
    with pytest.raises(GiveUp, match=r"not valid base64|is cut off"):
        read_gltf(split(gltf, tmp_path, "data:;base64," + data.decode("latin-1")))
