"""Models are read right or refused with a sentence."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from packline.colour import to_srgb
from packline.errors import GiveUp
from packline.stage import gltf as gltf_module
from packline.stage.glb import join_glb, split_glb
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, box, print_of, quad, sphere

ASSETS = Path("../shared/assets").resolve()


def a_box(path: Path, size: tuple[float, float, float] = (0.1, 0.2, 0.06), **sidecar: Any) -> Path:
    gltf = Gltf()
    gltf.mesh(**box(size), material=gltf.material(baseColorTexture={"index": gltf.image(print_of("BOX"))}))
    return gltf.save(path, **sidecar)


def seen(rasteriser: Rasteriser, path: Path, view: str = "front", size: int = 128) -> Any:
    model = load_model(path)
    return rasteriser.gbuffer(model, canonical_camera(model, view, size))


def test_a_model_stands_on_the_ground_with_its_footprint_centred(tmp_path: Path) -> None:
    low, high = load_model(a_box(tmp_path / "box.glb")).bounds
    assert np.allclose(low, (-0.05, 0, -0.03), atol=1e-7)
    assert np.allclose(high, (0.05, 0.2, 0.03), atol=1e-7)


def test_the_front_of_the_sidecar_is_turned_to_z(tmp_path: Path) -> None:
    # its +X side is its front: after loading that side, 0.06 m wide, faces +Z
    model = load_model(a_box(tmp_path / "box.glb", front=90, labels=[]))
    low, high = model.bounds
    assert np.allclose(high - low, (0.06, 0.2, 0.1), atol=1e-6)
    gltf = Gltf()
    gltf.mesh(**quad(), rotation=[0, float(np.sin(np.pi / 4)), 0, float(np.cos(np.pi / 4))])  # faces +X
    model = load_model(gltf.save(tmp_path / "card.glb", front=90))
    assert np.allclose(model.parts[0].normals, (0, 0, 1), atol=1e-6)


def test_nested_node_transforms_are_baked(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box((1, 1, 1)), scale=[0.1, 0.2, 0.3])
    gltf.document["nodes"].append(
        {"children": [0], "rotation": [0, float(np.sin(np.pi / 4)), 0, float(np.cos(np.pi / 4))]}
    )
    gltf.document["scenes"][0]["nodes"] = [1]
    low, high = load_model(gltf.save(tmp_path / "m.glb")).bounds
    assert np.allclose(high - low, (0.3, 0.2, 0.1), atol=1e-6)


def test_a_mirrored_node_is_drawn_from_its_outside(tmp_path: Path, rasteriser: Rasteriser) -> None:
    pictures = {}
    for name, sign in (("plain", 1), ("mirrored", -1)):
        gltf = Gltf()
        texture = {"index": gltf.image(print_of("RIGHT", size=140))}
        gltf.mesh(
            **box((0.1, 0.1, 0.1)), material=gltf.material(baseColorTexture=texture), scale=[sign, 1, 1]
        )
        pictures[name] = seen(rasteriser, gltf.save(tmp_path / f"{name}.glb"))
    assert np.array_equal(pictures["plain"].mask, pictures["mirrored"].mask)
    assert np.allclose(pictures["plain"].depth, pictures["mirrored"].depth, atol=1e-6)
    assert np.allclose(pictures["plain"].normals, pictures["mirrored"].normals, atol=1e-5)
    # the print is mirrored with it
    assert np.allclose(pictures["plain"].albedo, pictures["mirrored"].albedo[:, ::-1], atol=0.02)
    assert not np.allclose(pictures["plain"].albedo, pictures["mirrored"].albedo, atol=0.2)


def test_vertex_colours_multiply_the_base_colour(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    material = gltf.material(baseColorFactor=[0.5, 0.5, 1.0, 1.0])
    gltf.mesh(**quad(), material=material, colours=np.tile([0.8, 0.4, 0.5, 1.0], (4, 1)))
    gbuffer = seen(rasteriser, gltf.save(tmp_path / "m.glb"))
    assert np.abs(gbuffer.albedo[64, 64] - (0.4, 0.2, 0.5)).max() < 0.004


def test_a_texture_transform_moves_the_texture(tmp_path: Path, rasteriser: Rasteriser) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, :32] = (255, 0, 0)
    gltf = Gltf()
    transform = {"KHR_texture_transform": {"offset": [0.0, 0.0], "scale": [0.5, 0.5]}}
    texture = {"index": gltf.image(pixels), "extensions": transform}
    gltf.mesh(**quad(), material=gltf.material(baseColorTexture=texture))
    gltf.document["extensionsUsed"] = ["KHR_texture_transform"]
    gbuffer = seen(rasteriser, gltf.save(tmp_path / "m.glb"))
    inside = gbuffer.mask > 0.99
    assert np.median(gbuffer.albedo[inside][:, 0]) == 1.0


def test_quantised_positions_are_scaled(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**quad())
    shape = quad()
    gltf.document["meshes"][0]["primitives"][0]["attributes"] = {
        "POSITION": gltf.array(np.round(shape["vertices"] / 0.1 * 32767).astype(np.int16), normalized=True)
    }
    gltf.document["nodes"][0]["scale"] = [0.1, 0.1, 0.1]
    gltf.document["extensionsUsed"] = gltf.document["extensionsRequired"] = ["KHR_mesh_quantization"]
    low, high = load_model(gltf.save(tmp_path / "m.glb")).bounds
    assert np.allclose(high - low, (0.1, 0.1, 0), atol=1e-5)


def test_normals_are_smooth_over_round_edges_and_sharp_over_corners(tmp_path: Path) -> None:
    for shape, sharp in ((box(), True), (sphere(0.1, 24), False)):
        lines = [f"v {x} {y} {z}" for x, y, z in shape["vertices"]]
        lines += ["f " + " ".join(str(i + 1) for i in face) for face in shape["faces"]]
        (tmp_path / "m.obj").write_text("\n".join(lines) + "\n")
        part = load_model(tmp_path / "m.obj").parts[0]
        if sharp:
            assert np.allclose(np.abs(part.normals).max(1), 1, atol=1e-6)
        else:
            outwards = part.vertices - (0, 0.1, 0)
            outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
            assert (part.normals * outwards).sum(1).min() > np.cos(np.radians(4))


def test_a_gltf_without_normals_is_flat_as_the_format_says(tmp_path: Path) -> None:
    gltf = Gltf()
    shape = sphere(0.1, 12)
    del shape["normals"]
    gltf.mesh(**shape)
    part = load_model(gltf.save(tmp_path / "m.glb")).parts[0]
    a, b, c = (part.vertices[part.faces[:, corner]].astype(float) for corner in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    for corner in range(3):
        assert np.allclose(part.normals[part.faces[:, corner]], normals, atol=1e-3)


def test_the_hash_covers_sidecar_and_textures_beside_the_model(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.document["images"].append({"uri": "skin.png"})
    gltf.document["textures"].append({"source": 0})
    gltf.mesh(**quad(), material=gltf.material(baseColorTexture={"index": 0}))
    Image.fromarray(print_of("A")).save(tmp_path / "skin.png")
    path = gltf.save(tmp_path / "m.glb")
    hashes = [load_model(path).sha256]
    (tmp_path / "m.truth.json").write_text('{"front": 10}')
    hashes.append(load_model(path).sha256)
    Image.fromarray(print_of("B")).save(tmp_path / "skin.png")
    hashes.append(load_model(path).sha256)
    assert len(set(hashes)) == 3
    assert load_model(path).sha256 == hashes[-1]


def test_transmission_is_drawn_as_transparency_with_a_note(tmp_path: Path, rasteriser: Rasteriser) -> None:
    gltf = Gltf()
    glass = gltf.material(extensions={"KHR_materials_transmission": {"transmissionFactor": 1.0}})
    gltf.document["extensionsUsed"] = ["KHR_materials_transmission"]
    gltf.mesh(**quad(), material=glass)
    path = gltf.save(tmp_path / "m.glb")
    assert any("transparency" in note for note in load_model(path).notes)
    glass_layer = seen(rasteriser, path).over
    assert glass_layer.mask[64, 64] == pytest.approx(0.2, abs=0.02)


def test_an_obj_gives_the_same_picture_as_its_glb(tmp_path: Path, rasteriser: Rasteriser) -> None:
    shape, texture = box((0.1, 0.2, 0.06)), print_of("SAME")
    lines = ["mtllib m.mtl", "usemtl skin"]
    lines += [f"v {x} {y} {z}" for x, y, z in shape["vertices"]]
    lines += [f"vt {u} {1 - v}" for u, v in shape["uv"]]
    lines += [f"vn {x} {y} {z}" for x, y, z in shape["normals"]]
    lines += ["f " + " ".join(f"{i + 1}/{i + 1}/{i + 1}" for i in face) for face in shape["faces"]]
    (tmp_path / "m.obj").write_text("\n".join(lines) + "\n")
    (tmp_path / "m.mtl").write_text("newmtl skin\nKd 0.8 0.8 0.8\nmap_Kd skin.png\n")
    Image.fromarray(texture).save(tmp_path / "skin.png")
    gltf = Gltf()
    gltf.mesh(**shape, material=gltf.material(baseColorTexture={"index": gltf.image(texture)}))
    a = seen(rasteriser, gltf.save(tmp_path / "g.glb"), "three-quarter")
    b = seen(rasteriser, tmp_path / "m.obj", "three-quarter")
    assert np.array_equal(a.mask, b.mask)
    assert np.abs(to_srgb(a.albedo).astype(int) - to_srgb(b.albedo)).mean() < 0.05
    assert np.allclose(a.normals, b.normals, atol=1e-4)
    (tmp_path / "skin.png").unlink()
    with pytest.raises(GiveUp, match=r"skin\.png' is missing"):
        load_model(tmp_path / "m.obj")


@pytest.mark.skipif(not ASSETS.exists(), reason="the shared test models are not here")
@pytest.mark.parametrize("name", ["WaterBottle", "BoomBox"])
def test_an_fbx_gives_the_same_picture_as_its_glb(name: str, rasteriser: Rasteriser) -> None:
    model = load_model(ASSETS / f"{name}.glb")
    camera = canonical_camera(model, "three-quarter", 256)
    a = rasteriser.gbuffer(model, camera)
    b = rasteriser.gbuffer(load_model(ASSETS / f"{name}.fbx"), camera)
    assert np.minimum(a.mask, b.mask).sum() / np.maximum(a.mask, b.mask).sum() >= 0.999
    both = (a.mask > 0.99) & (b.mask > 0.99)
    difference = np.abs(to_srgb(a.albedo).astype(float) - to_srgb(b.albedo))[both]
    assert difference.mean() <= 1.0
    angles = np.degrees(np.arccos(np.clip((a.normals * b.normals).sum(-1)[both], -1, 1)))
    assert angles.mean() <= 1.0


# refusals

Damage = Callable[[dict[str, Any]], None]


def _set(*keys: Any, value: Any) -> Damage:
    def damage(document: dict[str, Any]) -> None:
        target: Any = document
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value

    return damage


def _image_bytes(data: bytes) -> Damage:
    import base64

    return _set("images", 0, value={"uri": "data:image/png;base64," + base64.b64encode(data).decode()})


def _deep(document: dict[str, Any]) -> None:
    first = len(document["nodes"])
    document["nodes"] += [{"children": [first + i + 1]} for i in range(99)] + [{"mesh": 0}]
    document["scenes"][0]["nodes"] = [first]


def _huge_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (9000, 8)).save(buffer, "PNG")
    return buffer.getvalue()


DAMAGES: dict[str, tuple[Damage, str]] = {
    "draco": (
        _set(
            "meshes",
            0,
            "primitives",
            0,
            "extensions",
            value={"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}},
        ),
        "Draco data cannot be decoded",
    ),
    "meshopt": (
        _set(
            "bufferViews",
            0,
            "extensions",
            value={
                "EXT_meshopt_compression": {
                    "buffer": 0,
                    "byteLength": 64,
                    "byteStride": 12,
                    "count": 24,
                    "mode": "ATTRIBUTES",
                }
            },
        ),
        "meshopt data in view 0 cannot be decoded",
    ),
    "ktx2": (
        _set("textures", 0, value={"extensions": {"KHR_texture_basisu": {"source": 0}}}),
        "PNG, JPEG or WebP, not KTX2",
    ),
    "unknown": (_set("extensionsRequired", value=["ACME_magic"]), "requires the extension 'ACME_magic'"),
    "version": (_set("asset", value={"version": "1.0"}), "not a glTF 2.0 file"),
    "no meshes": (_set("meshes", value=[]), "no triangles"),
    "no scene": (_set("scenes", value=[]), "no scene"),
    "empty scene": (_set("scenes", 0, "nodes", value=[]), "no triangles"),
    "lines": (_set("meshes", 0, "primitives", 0, "mode", value=1), "no triangles"),
    "no mode": (_set("meshes", 0, "primitives", 0, "mode", value=7), "mode is 7"),
    "two corners": (_set("accessors", 3, "count", value=35), "35 corners make no whole triangles"),
    "circle": (_set("nodes", 0, "children", value=[0]), "runs in a circle|two parents"),
    "deep": (_deep, "too deep"),
    "absent image": (_set("images", 0, value={"uri": "nope.png"}), "'nope.png' is missing"),
    "image outside": (_set("images", 0, value={"uri": "../secret.png"}), "outside the model's folder"),
    "image on the net": (_set("images", 0, value={"uri": "http://a.example/b.png"}), "outside the model's"),
    "corrupt image": (_image_bytes(b"\x89PNG\r\n\x1a\nrubbish"), "cannot be decoded"),
    "ktx2 image": (_image_bytes(b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(64)), "is KTX2"),
    "huge image": (_image_bytes(_huge_png()), "9000x8 px, larger than"),
    "sparse": (_set("accessors", 0, "sparse", value={"count": 1}), "componentType is missing"),
    "sparse beyond": (
        _set(
            "accessors",
            0,
            "sparse",
            value={
                "count": 99,
                "indices": {"bufferView": 0, "componentType": 5123},
                "values": {"bufferView": 0},
            },
        ),
        "replaces more than it has",
    ),
    "overlap": (_set("bufferViews", 1, "byteStride", value=4), "overlap"),
    "other type": (_set("accessors", 0, "type", value="VEC2"), "its POSITION is 'VEC2', not VEC3"),
    "component": (_set("accessors", 0, "componentType", value=5124), "componentType is 5124"),
    "long array": (_set("accessors", 0, "count", value=10**6), "beyond its data"),
    "endless array": (_set("accessors", 0, "count", value=10**12), "more than"),
    "zero scale": (_set("nodes", 0, "scale", value=[0, 1, 1]), "scales its part to nothing"),
    "millimetres": (_set("nodes", 0, "scale", value=[1e3, 1e3, 1e3]), "set the units to metres"),
    "a grain": (_set("nodes", 0, "scale", value=[1e-3, 1e-3, 1e-3]), "set the units to metres"),
    "wrong type": (_set("nodes", 0, value="box"), r"glTF structure is broken \(nodes\[0\] is 'box', not an"),
    "wrong number": (_set("nodes", 0, "scale", value=["1", 1, 1]), "scale is '1', not a number"),
    "true": (_set("accessors", 0, "count", value=True), "count is True, not a whole number"),
    "no such material": (_set("meshes", 0, "primitives", 0, "material", value=7), "does not exist"),
    "negative": (_set("meshes", 0, "primitives", 0, "material", value=-1), "material is -1"),
    "no such node": (_set("scenes", 0, "nodes", value=[5]), r"nodes\[5\] does not exist"),
    "two parents": (
        _set("nodes", value=[{"mesh": 0, "children": [2]}, {"children": [2]}, {}]),
        "two parents",
    ),
    "no quaternion": (_set("nodes", 0, "rotation", value=[0, 0, 0, 0]), "quaternion of no length"),
    "far away": (_set("nodes", 0, "translation", value=[1e5, 0, 0]), "from its own origin"),
    "flat": (_set("nodes", 0, "scale", value=[1, 1, 1e-12]), "scales its part to nothing"),
    "three layouts": (
        lambda document: document["materials"][0].update(
            normalTexture={"index": 0, "texCoord": 1}, occlusionTexture={"index": 0, "texCoord": 2}
        ),
        "uses UV sets 0, 1, 2, but two are all",
    ),
    "no second uv": (
        _set("materials", 0, "normalTexture", value={"index": 0, "texCoord": 1}),
        "has a texture but a part of it has no UV",
    ),
    "wrap": (
        lambda document: (
            document.update(samplers=[{"wrapS": 1}]) or document["textures"][0].update(sampler=0)
        ),
        "wraps in the unknown way",
    ),
    "glow": (_set("materials", 0, "emissiveFactor", value=[-1, 0, 0]), "glows with -1"),
    "no uv": (
        lambda document: document["meshes"][0]["primitives"][0]["attributes"].pop("TEXCOORD_0"),
        "has a texture but a part of it has no UV",
    ),
    "metal": (
        _set("materials", 0, "pbrMetallicRoughness", "metallicFactor", value=1e9),
        "has a metallicFactor of 1e",
    ),
    "no number": (
        _set("materials", 0, "pbrMetallicRoughness", "roughnessFactor", value=float("nan")),
        "NaN is no number in JSON",
    ),
    "bright": (
        _set("materials", 0, "pbrMetallicRoughness", "baseColorFactor", value=[9, 0, 0, 1]),
        "base colour outside 0 to 1",
    ),
    "alpha": (_set("materials", 0, "alphaMode", value="GLOW"), "unknown alpha mode 'GLOW'"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_would_be_drawn_wrong_is_refused_with_a_sentence(name: str, tmp_path: Path) -> None:
    damage, sentence = DAMAGES[name]
    path = a_box(tmp_path / "box.glb")
    document, binary = split_glb(path.read_bytes(), "box.glb")
    damage(document)
    path.write_bytes(join_glb(document, binary or b""))
    with pytest.raises(GiveUp, match=sentence) as caught:
        load_model(path)
    assert str(caught.value).startswith("Model box.glb: ")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GiveUp, match="missing; add the file"):
        load_model(tmp_path / "absent.glb")
    for name, data, sentence in (
        ("a.stl", b"solid", ".stl is not read"),
        ("a.glb", b"", "has 0 bytes"),
        ("b.glb", b"hello", "not a model"),
        ("c.glb", b"glTF\x02\x00\x00\x00\xff\xff\x00\x00" + bytes(20), "not a whole GLB file"),
        ("d.gltf", b"[1, 2]", "not a glTF 2.0 file"),
        ("e.obj", b"v 0 0 0\n", "no triangles"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(GiveUp, match=sentence):
            load_model(tmp_path / name)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    shape = quad()
    shape["vertices"][2, 1] = np.nan
    gltf.mesh(**shape)
    with pytest.raises(GiveUp, match="position that is not a number"):
        load_model(gltf.save(tmp_path / "m.glb"))
    gltf = Gltf()
    shape = quad()
    shape["vertices"][:, :2] = 0
    gltf.mesh(**shape)
    with pytest.raises(GiveUp, match="no size in two directions"):
        load_model(gltf.save(tmp_path / "n.glb"))


def test_a_triangle_beyond_the_vertices_is_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    shape = quad()
    shape["faces"][1, 2] = 99
    gltf.mesh(**shape)
    with pytest.raises(GiveUp, match=r"vertex that does not exist|cannot be read"):
        load_model(gltf.save(tmp_path / "m.glb"))


def test_more_triangles_than_allowed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_box(tmp_path / "box.glb")
    monkeypatch.setattr(gltf_module, "MAX_PRIMITIVES", 0)
    with pytest.raises(GiveUp, match=r"12 triangles in 1 parts, more than 5000000 in 0; reduce it"):
        load_model(path)
    monkeypatch.setattr(gltf_module, "MAX_TRIANGLES", 11)
    with pytest.raises(GiveUp, match="12 triangles in 1 parts, more than 11 in 0; reduce it"):
        load_model(path)


def test_a_broken_fbx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.fbx").write_bytes(b"Kaydara FBX Binary  \x00\x1a\x00" + bytes(200))
    with pytest.raises(GiveUp, match="assimp cannot read this FBX"):
        load_model(tmp_path / "m.fbx")


@pytest.mark.parametrize(
    ("sidecar", "sentence"),
    [
        ("{", "malformed"),
        ('{"labels": [{"id": "a", "text": "A"}]}', "lacks 'quad'"),
        ('{"labels": [{"id": "a", "text": "A", "quad": [[0,0],[1,0],[1,1]]}]}', "four finite corners"),
        ('{"labels": [{"id": "a", "text": "A", "quad": [[0,0],[1,0],[2,0],[3,0]]}]}', "has no area"),
        ('{"front": "left"}', "malformed"),
        (
            json.dumps({"labels": [{"id": "a", "text": "A", "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]}] * 2}),
            "names a label id twice",
        ),
        (
            json.dumps(
                {
                    "labels": [
                        {"id": "a", "text": "A", "material": "M", "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]}
                    ]
                }
            ),
            "lies on material 'M'",
        ),
    ],
)
def test_a_wrong_sidecar_is_refused(sidecar: str, sentence: str, tmp_path: Path) -> None:
    path = a_box(tmp_path / "box.glb")
    (tmp_path / "box.truth.json").write_text(sidecar)
    with pytest.raises(GiveUp, match=sentence):
        load_model(path)
