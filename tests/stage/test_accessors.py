"""Arrays come out as glTF says, however they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import DracoPy
import meshoptimizer
import numpy as np
import pytest

from packline.errors import GiveUp
from packline.stage import compression
from packline.stage import document as document_module
from packline.stage.gltf import read_gltf
from packline.stage.model import Part
from tests.stage.build import Gltf, ball, box, quad, sphere

FLOATS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]], np.float32)


def a_card(gltf: Gltf, **attributes: int) -> dict[str, Any]:
    """A mesh of two triangles over the given accessors; its primitive."""
    faces = gltf.array(np.array([0, 1, 2, 0, 2, 3], np.uint16))
    primitive: dict[str, Any] = {"attributes": attributes, "indices": faces}
    gltf.document["meshes"].append({"primitives": [primitive]})
    gltf.document["nodes"].append({"mesh": len(gltf.document["meshes"]) - 1})
    gltf.document["scenes"][0]["nodes"].append(len(gltf.document["nodes"]) - 1)
    return primitive


def corners(part: Part) -> np.ndarray:
    """Positions of all corners, face by face: the same however vertices are shared."""
    return part.vertices[part.faces].reshape(-1, 3)


CARD = FLOATS[[0, 1, 2, 0, 2, 3]]


def read(gltf: Gltf, tmp_path: Path) -> Part:
    (part,) = read_gltf(gltf.save(tmp_path / "m.glb")).parts
    return part


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("asked", [True, False])
def test_whole_numbers_stand_for_what_they_are_or_for_shares(kind: str, asked: bool, tmp_path: Path) -> None:
    most = np.iinfo(kind).max
    gltf = Gltf()
    values = np.round(FLOATS * most).astype(kind)
    # each element of three must start at a multiple of four bytes
    padded = np.zeros((4, 4), kind)
    padded[:, :3] = values
    index = gltf.array(padded, normalized=asked)
    gltf.document["accessors"][index]["type"] = "VEC3"
    view = gltf.document["accessors"][index]["bufferView"]
    gltf.document["bufferViews"][view]["byteStride"] = padded.strides[0]
    a_card(gltf, POSITION=index)
    got = corners(read(gltf, tmp_path))
    assert np.allclose(got, values[[0, 1, 2, 0, 2, 3]] / (most if asked else 1), atol=1e-6)


def test_the_lowest_signed_number_stands_for_minus_one(tmp_path: Path) -> None:
    gltf = Gltf()
    values = np.array([[-128, 0, 0, 0], [127, 0, 0, 0], [127, 127, 0, 0], [-127, 127, 0, 0]], np.int8)
    index = gltf.array(values, normalized=True)
    gltf.document["accessors"][index]["type"] = "VEC3"
    gltf.document["bufferViews"][0]["byteStride"] = 4
    a_card(gltf, POSITION=index)
    assert corners(read(gltf, tmp_path))[0, 0] == -1
    assert corners(read(gltf, tmp_path))[5, 0] == -1


def test_interleaved_arrays_are_taken_apart(tmp_path: Path) -> None:
    gltf = Gltf()
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    view = gltf.view(np.hstack([np.full((4, 1), 9, np.float32), FLOATS, uv]).tobytes())
    gltf.document["bufferViews"][view]["byteStride"] = 24
    for kind, start in (("VEC3", 4), ("VEC2", 16)):
        gltf.document["accessors"].append(
            {"bufferView": view, "byteOffset": start, "componentType": 5126, "count": 4, "type": kind}
        )
    a_card(gltf, POSITION=0, TEXCOORD_0=1)
    part = read(gltf, tmp_path)
    assert np.array_equal(corners(part), CARD)
    assert part.uv is not None
    assert np.array_equal(part.uv[part.faces].reshape(-1, 2), uv[[0, 1, 2, 0, 2, 3]])


@pytest.mark.parametrize("base", [True, False])
def test_sparse_elements_replace_those_below_or_zeros(base: bool, tmp_path: Path) -> None:
    gltf = Gltf()
    below = np.full((4, 3), 7, np.float32) if base else np.zeros((4, 3), np.float32)
    index = gltf.array(below)
    which = np.array([1, 2, 3], np.uint8)
    gltf.document["accessors"][index]["sparse"] = {
        "count": 3,
        "indices": {"bufferView": gltf.view(which.tobytes()), "componentType": 5121},
        "values": {"bufferView": gltf.view(FLOATS[1:].tobytes())},
    }
    if not base:
        del gltf.document["accessors"][index]["bufferView"]
    a_card(gltf, POSITION=index)
    expected = np.concatenate([below[:1], FLOATS[1:]])[[0, 1, 2, 0, 2, 3]]
    assert np.array_equal(corners(read(gltf, tmp_path)), expected)


def test_a_sparse_element_beyond_the_array_is_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    index = gltf.array(FLOATS)
    gltf.document["accessors"][index]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": gltf.view(b"\x04"), "componentType": 5121},
        "values": {"bufferView": gltf.view(FLOATS[:1].tobytes())},
    }
    a_card(gltf, POSITION=index)
    with pytest.raises(GiveUp, match="replaces what is not there"):
        read(gltf, tmp_path)


def test_strips_and_fans_are_the_same_triangles_with_the_same_outside(tmp_path: Path) -> None:
    grid = np.array([[x, y, 0] for x in range(4) for y in (0, -1)], np.float32)
    for mode, indices, triangles in (
        (5, [0, 1, 2, 3, 4, 5], [[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]]),
        (5, [0, 1, 2, 2, 4, 4, 4, 5, 6], [[0, 1, 2], [4, 5, 6]]),
        (6, [1, 5, 4, 2], [[5, 4, 1], [4, 2, 1]]),
    ):
        gltf = Gltf()
        primitive = a_card(gltf, POSITION=gltf.array(grid))
        primitive.update(mode=mode, indices=gltf.array(np.array(indices, np.uint16)))
        part = read(gltf, tmp_path)
        got = {
            tuple(map(tuple, np.roll(face, -k, 0))) for face in part.vertices[part.faces] for k in range(3)
        }
        for face in grid[np.array(triangles)]:
            assert tuple(map(tuple, face)) in got
        assert len(part.faces) == len(triangles)
        assert np.allclose(part.normals, (0, 0, 1))


def test_triangles_without_indices_follow_each_other(tmp_path: Path) -> None:
    gltf = Gltf()
    primitive = a_card(gltf, POSITION=gltf.array(CARD))
    del primitive["indices"]
    assert np.array_equal(corners(read(gltf, tmp_path)), CARD)


def test_vertices_that_no_triangle_uses_count_nothing(tmp_path: Path) -> None:
    gltf = Gltf()
    a_card(gltf, POSITION=gltf.array(np.concatenate([FLOATS, [[np.nan, 1e30, 0]]]).astype(np.float32)))
    part = read(gltf, tmp_path)
    assert len(part.vertices) <= 6
    assert np.array_equal(corners(part), CARD)


def test_arrays_of_different_lengths_are_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    a_card(gltf, POSITION=gltf.array(FLOATS), NORMAL=gltf.array(FLOATS[:3]))
    with pytest.raises(GiveUp, match="different lengths"):
        read(gltf, tmp_path)


def test_a_normal_without_length_is_made_from_its_faces(tmp_path: Path) -> None:
    gltf = Gltf()
    shape = quad()
    shape["normals"][1] = 0
    gltf.mesh(**shape)
    assert np.allclose(read(gltf, tmp_path).normals, (0, 0, 1))
    shape["normals"][1] = np.nan
    gltf = Gltf()
    gltf.mesh(**shape)
    with pytest.raises(GiveUp, match="normal that is not a number"):
        read(gltf, tmp_path)


def test_arrays_that_claim_more_memory_than_allowed_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_module, "MAX_ARRAY_BYTES", 100_000)
    gltf = Gltf()
    gltf.document["accessors"].append({"componentType": 5126, "count": 10**6, "type": "VEC3"})
    a_card(gltf, POSITION=0)
    with pytest.raises(GiveUp, match="its arrays together"):
        read(gltf, tmp_path)


# Draco


def draco(gltf: Gltf, data: bytes, ids: dict[str, int], accessors: dict[str, dict[str, Any]]) -> None:
    primitive: dict[str, Any] = {"attributes": {}}
    for name, accessor in accessors.items():
        gltf.document["accessors"].append(accessor)
        index = len(gltf.document["accessors"]) - 1
        if name == "indices":
            primitive["indices"] = index
        else:
            primitive["attributes"][name] = index
    primitive["extensions"] = {
        "KHR_draco_mesh_compression": {"bufferView": gltf.view(data), "attributes": ids}
    }
    gltf.document["meshes"].append({"primitives": [primitive]})
    gltf.document["nodes"].append({"mesh": 0})
    gltf.document["scenes"][0]["nodes"].append(0)
    gltf.document["extensionsRequired"] = ["KHR_draco_mesh_compression"]


def unique_ids(data: bytes) -> dict[str, int]:
    """By what DracoPy calls each kind of attribute."""
    names = {0: "POSITION", 1: "NORMAL", 2: "COLOR_0", 3: "TEXCOORD_0", 4: "GENERIC"}
    return {names[one["attribute_type"]]: one["unique_id"] for one in DracoPy.decode(data).attributes}


@pytest.mark.parametrize("in_order", [True, False])
def test_draco_attributes_are_found_by_their_ids(in_order: bool, tmp_path: Path) -> None:
    shape = ball()
    second = (shape["uv"] * 0.5 + 0.25).astype(np.float32)
    colours = np.round((shape["normals"] * 0.5 + 0.5) * 255).astype(np.uint8)
    data = DracoPy.encode(
        shape["vertices"].astype(np.float32), shape["faces"].astype(np.uint32), quantization_bits=16,
        preserve_order=in_order, colors=colours, tex_coord=shape["uv"],
        normals=shape["normals"], generic_attributes={7: second},
    )  # fmt: skip
    ids = unique_ids(data)
    count = {"count": len(DracoPy.decode(data).points)}
    gltf = Gltf()
    material = gltf.material(
        baseColorTexture={"index": gltf.image(np.zeros((2, 2, 3), np.uint8))},
        occlusionTexture={"index": 0, "texCoord": 1},
    )
    draco(
        gltf, data,
        {"POSITION": ids["POSITION"], "NORMAL": ids["NORMAL"], "TEXCOORD_0": ids["TEXCOORD_0"],
         "TEXCOORD_1": 7, "COLOR_0": ids["COLOR_0"]},
        {
            "POSITION": {"componentType": 5126, "type": "VEC3", **count},
            "NORMAL": {"componentType": 5126, "type": "VEC3", **count},
            "TEXCOORD_0": {"componentType": 5126, "type": "VEC2", **count},
            "TEXCOORD_1": {"componentType": 5126, "type": "VEC2", **count},
            "COLOR_0": {"componentType": 5121, "type": "VEC3", "normalized": True, **count},
            "indices": {"componentType": 5125, "type": "SCALAR", "count": 3 * len(shape["faces"])},
        },
    )  # fmt: skip
    gltf.document["meshes"][0]["primitives"][0]["material"] = material
    part = read(gltf, tmp_path)
    assert part.uv is not None and part.uv1 is not None and part.colours is not None
    # each vertex still belongs together: all its attributes tell the same place on the sphere
    outwards = part.vertices / np.linalg.norm(part.vertices, axis=1, keepdims=True)
    assert np.abs(np.linalg.norm(part.vertices, axis=1) - 0.1).max() < 1e-5
    assert np.abs(part.normals - outwards).max() < 1e-3
    assert np.abs(part.uv * 0.5 + 0.25 - part.uv1).max() < 1e-6
    assert np.abs(part.colours[:, :3] - (outwards * 0.5 + 0.5)).max() < 0.005
    assert np.abs(np.cos(part.uv[:, 1] * np.pi) - outwards[:, 1]).max() < 1e-3
    a, b, c = (part.vertices[part.faces[:, corner]] for corner in range(3))
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > 0).all()  # outside is out
    assert len(part.faces) == len(shape["faces"])


def test_quantised_draco_positions_are_what_their_accessor_says(tmp_path: Path) -> None:
    shape = box((1.0, 1.0, 1.0))
    data = DracoPy.encode((shape["vertices"] * 32767).astype(np.float32), shape["faces"].astype(np.uint32))
    gltf = Gltf()
    count = {"count": len(DracoPy.decode(data).points)}
    draco(
        gltf, data, {"POSITION": unique_ids(data)["POSITION"]},
        {
            "POSITION": {"componentType": 5122, "type": "VEC3", "normalized": True, **count},
            "indices": {"componentType": 5125, "type": "SCALAR", "count": 36},
        },
    )  # fmt: skip
    part = read(gltf, tmp_path)
    assert np.allclose(part.vertices.max(0), 1, atol=1e-3)
    assert np.allclose(part.vertices.min(0), 0, atol=1e-3)


def test_draco_triangles_beyond_what_the_file_says_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = ball()
    data = DracoPy.encode(shape["vertices"].astype(np.float32), shape["faces"].astype(np.uint32))
    for said, limit in ((3, 100), (0, 100), (0, 10_000)):
        monkeypatch.setattr("packline.stage.gltf.MAX_TRIANGLES", limit)
        gltf = Gltf()
        draco(
            gltf, data, {"POSITION": unique_ids(data)["POSITION"]},
            {
                "POSITION": {"componentType": 5126, "type": "VEC3", "count": 3},
                "indices": {"componentType": 5125, "type": "SCALAR", "count": said},
            },
        )  # fmt: skip
        if limit == 100:
            with pytest.raises(GiveUp, match=f"it has {len(shape['faces'])} triangles or more, above 100"):
                read(gltf, tmp_path)
        else:
            assert len(read(gltf, tmp_path).faces) == len(shape["faces"])


def test_draco_metadata_hides_no_counts() -> None:
    shape = sphere(0.1, 8)
    data = DracoPy.encode(
        shape["vertices"].astype(np.float32), shape["faces"].astype(np.uint32), preserve_order=True,
        generic_attributes={"a name": shape["uv"].astype(np.float32)}, create_metadata=True,
    )  # fmt: skip
    assert data[10] & 0x80  # it has metadata
    mesh = DracoPy.decode(data)
    assert compression.draco_counts(data) == (len(mesh.faces), len(mesh.points))


def test_a_draco_mesh_that_claims_too_much_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = sphere(0.1, 16)
    data = DracoPy.encode(shape["vertices"].astype(np.float32), shape["faces"].astype(np.uint32))
    faces, points = compression.draco_counts(data)
    mesh = DracoPy.decode(data)
    assert (faces, points) == (len(mesh.faces), len(mesh.points))
    monkeypatch.setattr(compression, "MAX_FACES", 10)
    with pytest.raises(ValueError, match=f"{faces} triangles over"):
        compression.decode_draco(memoryview(data))
    bomb = data[:11] + b"\x00" + b"\xff\xff\xff\xff\x0f" * 2 + data[13:]
    with pytest.raises(ValueError, match="4294967295 triangles"):
        compression.decode_draco(memoryview(bomb))


# meshopt


def meshopt(gltf: Gltf, packed: bytes, **fields: Any) -> int:
    """A view whose plain data lies in a buffer that has none."""
    gltf.document["bufferViews"].append(
        {
            "buffer": 1,
            "byteOffset": 0,
            "byteLength": fields["count"] * fields["byteStride"],
            "extensions": {
                "EXT_meshopt_compression": {
                    "buffer": 0,
                    "byteOffset": gltf.document["bufferViews"][gltf.view(packed)]["byteOffset"],
                    "byteLength": len(packed),
                    **fields,
                }
            },
        }
    )
    return len(gltf.document["bufferViews"]) - 1


def save_with_fallback(gltf: Gltf, path: Path) -> Path:
    from packline.stage.glb import join_glb, split_glb

    gltf.document["extensionsRequired"] = ["EXT_meshopt_compression"]
    document, binary = split_glb(gltf.save(path).read_bytes(), path.name)
    document["buffers"].append(
        {"byteLength": 10**6, "extensions": {"EXT_meshopt_compression": {"fallback": True}}}
    )
    path.write_bytes(join_glb(document, binary or b""))
    return path


@pytest.mark.parametrize("mode", ["TRIANGLES", "INDICES"])
@pytest.mark.parametrize("width", [2, 4])
def test_meshopt_brings_vertices_and_indices_back(mode: str, width: int, tmp_path: Path) -> None:
    shape = ball()
    vertices, faces = shape["vertices"].astype(np.float32), shape["faces"].astype(np.uint32).reshape(-1)
    gltf = Gltf()
    packed = bytes(meshoptimizer.encode_vertex_buffer(vertices, len(vertices), 12))
    a = meshopt(gltf, packed, count=len(vertices), byteStride=12, mode="ATTRIBUTES")
    encode = {
        "TRIANGLES": meshoptimizer.encode_index_buffer,
        "INDICES": meshoptimizer.encode_index_sequence,
    }[mode]
    packed = bytes(encode(faces, len(faces), len(vertices)))
    b = meshopt(gltf, packed, count=len(faces), byteStride=width, mode=mode)
    gltf.document["accessors"] += [
        {"bufferView": a, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
        {"bufferView": b, "componentType": 5123 if width == 2 else 5125, "count": len(faces),
         "type": "SCALAR"},
    ]  # fmt: skip
    gltf.document["meshes"].append({"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]})
    gltf.document["nodes"].append({"mesh": 0})
    gltf.document["scenes"][0]["nodes"].append(0)
    (part,) = read_gltf(save_with_fallback(gltf, tmp_path / "m.glb")).parts

    def ordered(triangles: np.ndarray) -> np.ndarray:
        """Each triangle from its lowest corner on, in order: the codec may turn and keep them."""
        first = np.array([np.lexsort(t.T[::-1])[0] for t in triangles])
        turned = np.stack([np.roll(t, -k, 0) for t, k in zip(triangles, first, strict=True)]).reshape(-1, 9)
        return turned[np.lexsort(turned.T)]

    got = ordered(part.vertices[part.faces])
    assert np.array_equal(got, ordered(vertices[faces.reshape(-1, 3)]))


def test_meshopt_filters_bring_directions_and_floats_back() -> None:
    directions = sphere(1.0, 12)["normals"].astype(np.float32)
    four = np.hstack([directions, np.zeros((len(directions), 1), np.float32)])
    for stride, kind, most, tolerance in ((4, np.int8, 127, 0.02), (8, np.int16, 32767, 1e-3)):
        bits = 8 if stride == 4 else 12
        coded = octahedral(four, bits, kind)
        packed = bytes(meshoptimizer.encode_vertex_buffer(coded, len(coded), stride))
        plain = compression.decode_meshopt(memoryview(packed), len(coded), stride, "ATTRIBUTES", "OCTAHEDRAL")
        got = np.frombuffer(plain, kind).reshape(-1, 4)[:, :3] / most
        assert np.abs(got - directions).max() < tolerance
    mantissas = np.array([[3 | (0 << 24)], [5 | (254 << 24)], [(-7 & 0xFFFFFF) | (1 << 24)]], np.uint32)
    packed = bytes(meshoptimizer.encode_vertex_buffer(mantissas, 3, 4))
    plain = compression.decode_meshopt(memoryview(packed), 3, 4, "ATTRIBUTES", "EXPONENTIAL")
    assert np.frombuffer(plain, np.float32).tolist() == [3.0, 1.25, -14.0]


def octahedral(vectors: np.ndarray, bits: int, kind: Any) -> np.ndarray:
    """EXT_meshopt_compression's octahedral coding of unit vectors; the third number is the value of 1."""
    one = 2 ** (bits - 1) - 1
    x, y, z = (vectors[:, :3] / np.abs(vectors[:, :3]).sum(1, keepdims=True)).T
    sign = np.where(np.stack([x, y]) >= 0, 1, -1)
    u = np.where(z >= 0, x, (1 - np.abs(y)) * sign[0])
    v = np.where(z >= 0, y, (1 - np.abs(x)) * sign[1])
    coded = np.stack([np.round(u * one), np.round(v * one), np.full_like(u, one), np.zeros_like(u)], -1)
    return np.ascontiguousarray(coded.astype(kind))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_colour_filter_of_khr_meshopt_brings_colours_back(kind: Any) -> None:
    """Coded here by hand from the extension's text: YCoCg in a few bits, alpha in one less."""
    most = np.iinfo(kind).max
    rng = np.random.default_rng(1)
    rgba = rng.random((200, 4))
    bits = np.iinfo(kind).bits - 1
    one = 2**bits - 1
    r, g, b = np.round(rgba[:, :3] * one).astype(int).T
    y, orange, green = (r + 2 * g + b) // 4, (r - b) // 2, (2 * g - r - b) // 4
    alpha = (1 << (bits - 1)) | np.round(rgba[:, 3] * (2 ** (bits - 1) - 1)).astype(int)
    coded = np.stack([y, orange, green, alpha], -1).astype(np.int64).astype(kind)
    packed = bytes(meshoptimizer.encode_vertex_buffer(coded, len(coded), 4 * coded.itemsize))
    plain = compression.decode_meshopt(
        memoryview(packed), len(coded), 4 * coded.itemsize, "ATTRIBUTES", "COLOR"
    )
    got = np.frombuffer(plain, kind).reshape(-1, 4) / most
    assert np.abs(got[:, :3] - rgba[:, :3]).max() < 4 / one
    assert np.abs(got[:, 3] - rgba[:, 3]).max() < 4 / one


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"count": 4, "byteStride": 6, "mode": "ATTRIBUTES"}, "4 elements of 6 bytes"),
        ({"count": 4, "byteStride": 300, "mode": "ATTRIBUTES"}, "4 elements of 300 bytes"),
        ({"count": 10**9, "byteStride": 4, "mode": "ATTRIBUTES"}, "its arrays together"),
        ({"count": 4, "byteStride": 4, "mode": "TRIANGLES"}, "4 indices make no whole triangles"),
        ({"count": 3, "byteStride": 8, "mode": "INDICES"}, "3 indices of 8 bytes"),
        ({"count": 3, "byteStride": 4, "mode": "POINTS"}, "unknown mode 'POINTS'"),
        ({"count": 3, "byteStride": 4, "mode": "INDICES", "filter": "COLOR"}, "on indices"),
        ({"count": 4, "byteStride": 12, "mode": "ATTRIBUTES", "filter": "OCTAHEDRAL"}, "elements of 12"),
        ({"count": 4, "byteStride": 12, "mode": "ATTRIBUTES", "filter": "WARM"}, "unknown filter 'WARM'"),
        ({"count": 4, "byteStride": 12, "mode": "ATTRIBUTES"}, "cannot be decoded"),
    ],
)
def test_impossible_meshopt_data_is_refused(fields: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.document["accessors"].append(
        {"bufferView": meshopt(gltf, b"\xa0" + bytes(20), **fields), "componentType": 5126, "count": 4,
         "type": "VEC3"}
    )  # fmt: skip
    a_card(gltf, POSITION=0)
    with pytest.raises(GiveUp, match=sentence):
        read_gltf(save_with_fallback(gltf, tmp_path / "m.glb"))
