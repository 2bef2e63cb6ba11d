"""Hostile glTF files: structural lies about a small box, bombs, and harmless rewrites."""

from __future__ import annotations

import base64
import copy
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.hostile_case import EITHER, REFUSE, SAME, Case, one_file
from packline.stage.glb import join_glb
from tests.stage.build import Gltf, box, print_of

Json = dict[str, Any]


def the_box() -> tuple[Json, bytes]:
    """The document and the binary chunk that are tampered with: a textured box of 10 x 20 x 6 cm."""
    gltf = Gltf()
    texture = gltf.image(print_of("BOX", 256, 256, 60))
    gltf.mesh(
        **box((0.1, 0.2, 0.06)), material=gltf.material(baseColorTexture={"index": texture}, name="skin")
    )
    document = {key: value for key, value in gltf.document.items() if value != []}
    document["accessors"][0] |= {"min": [0.0, 0.0, 0.0], "max": [0.1, 0.2, 0.06]}
    document["buffers"] = [{"byteLength": len(gltf.binary)}]
    return document, gltf.binary


def cases(seed: int) -> Iterator[Case]:
    """All glTF cases; the same for the same seed."""
    document, binary = the_box()
    whole = join_glb(document, binary)
    yield Case("glb", "as it is", SAME, one_file("box.glb", whole))
    yield from _lies(document, binary)
    yield from _containers(document, binary, whole)
    yield from _outside(document, binary)
    yield from _bombs(document, binary)
    yield from _numbers(document, binary)
    yield from _harmless(document, binary)
    yield from _fuzzed_json(document, binary, seed)
    yield from _flipped(whole, binary, document, seed)


def _edit(
    document: Json, binary: bytes, change: Callable[[Json], Any], name: str = "box.glb"
) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        damaged = copy.deepcopy(document)
        change(damaged)
        (folder / name).write_bytes(join_glb(damaged, binary))
        return folder / name

    return write


def _put(*keys: Any, to: Any) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        target: Any = document
        for key in keys[:-1]:
            target = target.setdefault(key, {}) if isinstance(target, dict) else target[key]
        target[keys[-1]] = to

    return change


def _lies(document: Json, binary: bytes) -> Iterator[Case]:
    """Counts, offsets, types and references that are not so; every one must be refused."""
    changes: dict[str, Callable[[Json], Any]] = {}
    used = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2, "indices": 3}
    for what, index in used.items():
        for count in (2**31, 2**63, -1, 10**6, 0.5, "24", None):
            changes[f"count of {what} {count}"] = _put("accessors", index, "count", to=count)
        for kind in (5124, 0, -1, 2**40, "5126", None):
            changes[f"component type of {what} {kind}"] = _put("accessors", index, "componentType", to=kind)
        for kind in ("MAT4", "VEC9", "", 3, None):
            changes[f"type of {what} {kind!r}"] = _put("accessors", index, "type", to=kind)
        for offset in (-4, 2**31, 1, 10**5, "0"):
            changes[f"offset of {what} {offset}"] = _put("accessors", index, "byteOffset", to=offset)
        for view in (-1, 99, 2**31, "0", None):
            changes[f"view of {what} {view}"] = _put("accessors", index, "bufferView", to=view)
    for view in range(4):
        for length in (-1, 2**31, 2**63, 0, "288"):
            changes[f"length of view {view} {length}"] = _put("bufferViews", view, "byteLength", to=length)
        for offset in (-1, 2**31, 10**6):
            changes[f"offset of view {view} {offset}"] = _put("bufferViews", view, "byteOffset", to=offset)
    for stride in (-12, 2**31, 1, 3, "12"):
        changes[f"stride {stride}"] = _put("bufferViews", 1, "byteStride", to=stride)
    for buffer in (-1, 7, "0", None):
        changes[f"buffer {buffer}"] = _put("bufferViews", 1, "buffer", to=buffer)
    for length in (2**31, 2**63, -5, "9", len(binary) + 64):
        changes[f"buffer length {length}"] = _put("buffers", 0, "byteLength", to=length)
    for name, path in {
        "mesh": ("nodes", 0, "mesh"),
        "material": ("meshes", 0, "primitives", 0, "material"),
        "texture": ("materials", 0, "pbrMetallicRoughness", "baseColorTexture", "index"),
        "image": ("textures", 0, "source"),
        "indices": ("meshes", 0, "primitives", 0, "indices"),
        "positions": ("meshes", 0, "primitives", 0, "attributes", "POSITION"),
        "scene": ("scene",),
        "child": ("nodes", 0, "children"),
    }.items():
        for value in (-1, 99, 2**31, "0", [0, [1]]):
            changes[f"{name} {value}"] = _put(*path, to=[value] if name == "child" else value)
    changes |= {
        "mode 12": _put("meshes", 0, "primitives", 0, "mode", to=12),
        "mode -1": _put("meshes", 0, "primitives", 0, "mode", to=-1),
        "no positions": lambda d: d["meshes"][0]["primitives"][0]["attributes"].pop("POSITION"),
        "no UV": lambda d: d["meshes"][0]["primitives"][0]["attributes"].pop("TEXCOORD_0"),
        "fewer normals": _put("accessors", 1, "count", to=12),
        "fewer UV": _put("accessors", 2, "count", to=8),
        "itself as child": _put("nodes", 0, "children", to=[0]),
        "a circle": lambda d: (
            d["nodes"].extend([{"children": [2]}, {"children": [1]}]),
            _put("nodes", 0, "children", to=[1])(d),
        ),
        "two parents": lambda d: (
            d["nodes"].extend([{"children": [0]}, {"children": [0]}]),
            _put("scenes", 0, "nodes", to=[1, 2])(d),
        ),
        "5,000 deep": lambda d: (
            d["nodes"].extend({"children": [i + 2]} for i in range(5000)),
            d["nodes"].append({"mesh": 0}),
            _put("scenes", 0, "nodes", to=[1])(d),
        ),
        "100,000 nodes": lambda d: (
            d["nodes"].extend({"mesh": 0} for _ in range(100_000)),
            _put("scenes", 0, "nodes", to=list(range(100_001)))(d),
        ),
        "10,000 primitives": lambda d: d["meshes"][0].update(
            primitives=d["meshes"][0]["primitives"] * 10_000
        ),
        "3,000 instances of a mesh of 3,000 primitives": lambda d: (
            d["meshes"][0].update(primitives=d["meshes"][0]["primitives"] * 3000),
            d["nodes"].extend({"mesh": 0} for _ in range(3000)),
            _put("scenes", 0, "nodes", to=list(range(3001)))(d),
        ),
        "texture of itself": _put("textures", 0, to={"extensions": {"EXT_texture_webp": {"source": 5}}}),
        "image without data": _put("images", 0, to={"name": "ghost"}),
        "image of the vertices": _put("images", 0, "bufferView", to=1),
        "sampler 4": _put("textures", 0, "sampler", to=4),
        "unknown required": _put("extensionsRequired", to=["ACME_secret_geometry"]),
        "KTX2 required and used": lambda d: (
            d.update(extensionsRequired=["KHR_texture_basisu"], extensionsUsed=["KHR_texture_basisu"]),
            d["textures"].__setitem__(0, {"extensions": {"KHR_texture_basisu": {"source": 0}}}),
        ),
        "alpha mode": _put("materials", 0, "alphaMode", to="GLASS"),
        "version 3": _put("asset", "version", to="3.0"),
        "no asset": lambda d: d.pop("asset"),
        "no scenes": lambda d: d.pop("scenes"),
        "empty scene": _put("scenes", 0, "nodes", to=[]),
        "no meshes": _put("meshes", to=[]),
        "only lines": _put("meshes", 0, "primitives", 0, "mode", to=1),
        "Draco of nothing": lambda d: (
            d["meshes"][0]["primitives"][0].update(
                extensions={
                    "KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}
                }
            ),
            d.update(extensionsRequired=["KHR_draco_mesh_compression"]),
        ),
        "meshopt of 2^31": lambda d: (
            d["bufferViews"][1].update(
                extensions={
                    "EXT_meshopt_compression": {
                        "buffer": 0, "byteOffset": 0, "byteLength": 64, "byteStride": 12,
                        "count": 2**31, "mode": "ATTRIBUTES",
                    }
                }
            ),
            d.update(extensionsRequired=["EXT_meshopt_compression"]),
        ),
        "meshopt of rubbish": lambda d: (
            d["bufferViews"][1].update(
                extensions={
                    "EXT_meshopt_compression": {
                        "buffer": 0, "byteOffset": 8, "byteLength": 200, "byteStride": 12,
                        "count": 24, "mode": "ATTRIBUTES",
                    }
                }
            ),
            d.update(extensionsRequired=["EXT_meshopt_compression"]),
        ),
        "sparse beyond": _put(
            "accessors", 0, "sparse",
            to={
                "count": 2**31,
                "indices": {"bufferView": 3, "componentType": 5125},
                "values": {"bufferView": 0},
            },
        ),
        "instances of 2^31": _put(
            "nodes", 0, "extensions", to={"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 99}}}
        ),
    }  # fmt: skip
    for name, change in changes.items():
        # a type that is read as its number, or a stride that is spelled out, may be read right all the same
        yield Case("glb: lies in the JSON", name, REFUSE, _edit(document, binary, change))


def _containers(document: Json, binary: bytes, whole: bytes) -> Iterator[Case]:
    group = "glb: container"
    for cut in (1, 4, 11, 12, 19, 20, 21, 200, 900, len(whole) // 2, len(whole) - 5000, len(whole) - 64):
        yield Case(group, f"cut off after {cut} bytes", REFUSE, one_file("box.glb", whole[:cut]))
    at = 20 + struct.unpack_from("<I", whole, 12)[0]
    for name, place, value in (
        ("version 1", 4, 1), ("version 2^31", 4, 2**31), ("length 0", 8, 0), ("length 2^31", 8, 2**31),
        ("length too short", 8, 400), ("JSON length 0", 12, 0), ("JSON length 2^31", 12, 2**31),
        ("JSON kind", 16, 0x12345678), ("binary length 2^31", at, 2**31), ("binary length 4", at, 4),
        ("binary kind", at + 4, 1),
    ):  # fmt: skip
        data = bytearray(whole)
        struct.pack_into("<I", data, place, value)
        yield Case(group, name, REFUSE, one_file("box.glb", bytes(data)))
    texts = {
        "100,000 nested arrays": b'{"asset":{"version":"2.0"},"extras":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}",
        "100,000 nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "a million laughs": json.dumps(
            {"asset": {"version": "2.0"}, "extras": {f"lol{i}": ["lol"] * 1000 for i in range(1000)}}
        ).encode(),
        "40 MB of JSON": b'{"asset":{"version":"2.0"},"extras":"' + b"x" * (40 << 20) + b'"}',
        "a number of a million digits": b'{"asset":{"version":"2.0"},"scene":' + b"9" * 1_000_000 + b"}",
        "not JSON": b"{asset: yes}",
        "a list": b"[]",
        "a null": b"null",
        "an empty file": b"",
        "text": b"hello",
        "an ELF": b"\x7fELF" + bytes(2000),
        "a ZIP": b"PK\x03\x04" + bytes(2000),
        "zeros": bytes(5000),
        "UTF-16": json.dumps(document).encode("utf-16"),
    }
    for name, text in texts.items():
        yield Case(group, name, REFUSE, one_file("box.gltf", text))
    yield Case(group, "2 GB", REFUSE, _sparse)


def _sparse(folder: Path) -> Path:
    """A file of 2 GB that takes no room on the disk."""
    with (folder / "box.glb").open("wb") as file:
        file.write(b"glTF\2\0\0\0")
        file.truncate(2 << 30)
    return folder / "box.glb"


def _outside(document: Json, binary: bytes) -> Iterator[Case]:
    """URIs that lead out of the model's folder or lie about what they hold."""
    group = "gltf: URIs"
    names = (
        "/etc/passwd", "../secret.png", "../../../../../../etc/passwd", "file:///etc/passwd",
        "..%2fsecret.png",
        "%2e%2e/secret.png", "..\\secret.png", "http://127.0.0.1:9/x.png", "https://example.com/x.png",
        "ftp://example.com/x", "//example.com/x.png", "\\\\host\\share\\x.png", "C:\\Windows\\win.ini", "",
        ".",
        "a\0b.png", "x" * 5000, "missing.png", "link.png", "linked/secret.png", "/proc/self/environ",
        "/dev/zero", "/dev/stdin", "box.gltf", "skin.png/../../secret.png", "data:,",
        "data:image/png;base64,",
        "data:image/png;base64,!!!", "data:image/png;base64,AAAA", "data:image/png,hello",
        "data:text/html,<b>",
        "data:image/svg+xml;base64," + base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(),
    )  # fmt: skip

    def writer(change: Callable[[Json], Any]) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            home = folder / "home"
            home.mkdir()
            Image.fromarray(print_of("SECRET")).save(folder / "secret.png")
            (home / "link.png").symlink_to(folder / "secret.png")
            (home / "linked").symlink_to(folder)
            damaged = copy.deepcopy(document)
            (home / "box.bin").write_bytes(binary)
            damaged["buffers"][0]["uri"] = "box.bin"
            change(damaged)
            (home / "box.gltf").write_text(json.dumps(damaged))
            return home / "box.gltf"

        return write

    for name in names:
        yield Case(group, f"image {name[:40]!r}", REFUSE, writer(_put("images", 0, to={"uri": name})))
    for name in names[:24]:
        # a picture is no buffer either: too short
        yield Case(group, f"buffer {name[:40]!r}", REFUSE, writer(_put("buffers", 0, "uri", to=name)))
    yield Case(group, "its files beside it", SAME, writer(lambda d: None))


def _png(width: int, height: int, rows: int) -> bytes:
    """A PNG that says it is so large, with the data of `rows` rows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(width // 8 + 2)) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _bombs(document: Json, binary: bytes) -> Iterator[Case]:
    group = "glb: textures"

    def picture(kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(print_of("BOX", 256, 256, 60)).save(buffer, kind, **options)
        return buffer.getvalue()

    def resized_jpeg(width: int, height: int) -> bytes:
        data = bytearray(picture("JPEG"))
        at = data.index(b"\xff\xc0")
        struct.pack_into(">HH", data, at + 5, height, width)
        return bytes(data)

    def resized_webp(width: int, height: int) -> bytes:
        data = bytearray(picture("WEBP"))
        at = data.index(b"\x9d\x01\x2a")
        struct.pack_into("<HH", data, at + 3, width, height)
        return bytes(data)

    png = picture("PNG")
    middle = len(png) // 2
    flipped = bytearray(png)
    flipped[middle] ^= 0x55
    pictures: dict[str, bytes | Callable[[], bytes]] = {
        "PNG of 60,000 x 60,000": lambda: _png(60_000, 60_000, 60_000),
        "PNG of 30,000 x 30,000": lambda: _png(30_000, 30_000, 30_000),
        "PNG of 2^31 x 2^31": _png(2**31 - 1, 2**31 - 1, 1),
        "PNG of 0 x 0": _png(0, 0, 1),
        "PNG of 9,000 x 1": _png(9000, 1, 1),
        "PNG whose rows are missing": _png(4096, 4096, 3),
        "PNG cut off": png[:middle],
        "PNG with a flipped byte": bytes(flipped),
        "PNG header only": png[:33],
        "JPEG of 65,535 x 65,535": resized_jpeg(65_535, 65_535),
        "JPEG of 8,000 x 8,000 without data": resized_jpeg(8000, 8000),
        "JPEG cut off": picture("JPEG")[: len(picture("JPEG")) // 2],
        "JPEG header only": picture("JPEG")[:100],
        "WebP of 16,383 x 16,383": resized_webp(16_383, 16_383),
        "WebP cut off": picture("WEBP")[: len(picture("WEBP")) // 2],
        "AVIF cut off": picture("AVIF")[: len(picture("AVIF")) // 2],
        "AVIF header only": picture("AVIF")[:60],
        "KTX2": b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(200),
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(/etc/passwd) (r) file\nshowpage\n",
        "PDF": b"%PDF-1.4\n" + bytes(500),
        "text": b"hello",
        "zeros": bytes(4000),
        "nothing": b"",
    }
    for name, data in pictures.items():

        def change(d: Json, data: bytes | Callable[[], bytes] = data) -> None:
            plain = data if isinstance(data, bytes) else data()
            d["images"][0] = {"uri": "data:image/png;base64," + base64.b64encode(plain).decode()}

        yield Case(group, name, REFUSE, _edit(document, binary, change))
    for kind, options in (("PNG", {"optimize": True}), ("WEBP", {"lossless": True})):

        def again(d: Json, data: bytes = picture(kind, **options), kind: str = kind.lower()) -> None:
            d["images"][0] = {"uri": f"data:image/{kind};base64," + base64.b64encode(data).decode()}
            if kind == "webp":
                d["extensionsUsed"] = d["extensionsRequired"] = ["EXT_texture_webp"]
                d["textures"][0] = {"extensions": {"EXT_texture_webp": {"source": 0}}}

        yield Case(group, f"written again as {kind}", SAME, _edit(document, binary, again))


def _numbers(document: Json, binary: bytes) -> Iterator[Case]:
    """Values that are no numbers, or of no product."""
    group = "glb: values"
    at = document["bufferViews"][document["accessors"][0]["bufferView"]].get("byteOffset", 0)
    indices = document["bufferViews"][document["accessors"][3]["bufferView"]].get("byteOffset", 0)

    def positions(values: Any) -> Callable[[Path], Path]:
        patched = bytearray(binary)
        patched[at : at + 288] = np.asarray(values, "<f4").tobytes()
        return _edit(document, bytes(patched), lambda d: [d["accessors"][0].pop(k) for k in ("min", "max")])

    true = np.frombuffer(binary, "<f4", 72, at).reshape(24, 3)
    for name, value in (("NaN", np.nan), ("infinity", np.inf), ("-infinity", -np.inf), ("1e38", 1e38)):
        for corner in (0, 13):
            values = true.copy()
            values[corner, 1] = value
            yield Case(group, f"{name} in vertex {corner}", REFUSE, positions(values))
    for name, factor in (
        ("3e37", 3e37),
        ("1e12", 1e12),
        ("1e4", 1e4),
        ("1e-9", 1e-9),
        ("1e-40", 1e-40),
        ("0", 0),
    ):
        yield Case(group, f"{name} times as large", REFUSE, positions(true * factor))
    yield Case(group, "on a line", REFUSE, positions(true * [1, 0, 0]))
    yield Case(group, "all at one place", REFUSE, positions(true * 0 + 0.1))
    yield Case(group, "far from the origin", EITHER, positions(true + np.array([1e6, 0, 0])))
    for value in (24, 2**31, 2**32 - 1):
        patched = bytearray(binary)
        struct.pack_into("<I", patched, indices + 8, value)
        yield Case(group, f"index {value}", REFUSE, _edit(document, bytes(patched), lambda d: None))
    patched = bytearray(binary)
    patched[indices : indices + 144] = bytes(144)
    yield Case(group, "all triangles without area", REFUSE, _edit(document, bytes(patched), lambda d: None))
    uv = document["bufferViews"][document["accessors"][2]["bufferView"]].get("byteOffset", 0)
    for name, value in (("NaN", np.nan), ("infinity", np.inf)):
        patched = bytearray(binary)
        struct.pack_into("<f", patched, uv + 16, value)
        yield Case(group, f"UV {name}", REFUSE, _edit(document, bytes(patched), lambda d: None))
    patched = bytearray(binary)
    patched[uv : uv + 192] = bytes(192)
    yield Case(group, "UV all at one place", EITHER, _edit(document, bytes(patched), lambda d: None))
    nan, inf = float("nan"), float("inf")
    pbr = ("materials", 0, "pbrMetallicRoughness")
    node = ("nodes", 0)
    changes = {
        "metallic NaN": _put(*pbr, "metallicFactor", to=nan),
        "metallic -5": _put(*pbr, "metallicFactor", to=-5),
        "roughness 1e9": _put(*pbr, "roughnessFactor", to=1e9),
        "colour NaN": _put(*pbr, "baseColorFactor", to=[nan, 1, 1, 1]),
        "colour of 3": _put(*pbr, "baseColorFactor", to=[1, 1, 1]),
        "colour 40": _put(*pbr, "baseColorFactor", to=[40, 1, 1, 1]),
        "colour -1": _put(*pbr, "baseColorFactor", to=[-1, 1, 1, 1]),
        "emissive infinite": _put("materials", 0, "emissiveFactor", to=[inf, 0, 0]),
        "emissive of 2": _put("materials", 0, "emissiveFactor", to=[1, 1]),
        "cutoff NaN": lambda d: d["materials"][0].update(alphaMode="MASK", alphaCutoff=nan),
        "scale 0": _put(*node, "scale", to=[0, 0, 0]),
        "scale flat": _put(*node, "scale", to=[1, 0, 1]),
        "scale NaN": _put(*node, "scale", to=[nan, 1, 1]),
        "scale 1e30": _put(*node, "scale", to=[1e30] * 3),
        "scale of 2": _put(*node, "scale", to=[1, 1]),
        "rotation 0": _put(*node, "rotation", to=[0, 0, 0, 0]),
        "rotation NaN": _put(*node, "rotation", to=[nan, 0, 0, 1]),
        "rotation of 3": _put(*node, "rotation", to=[0, 0, 0]),
        "translation infinite": _put(*node, "translation", to=[inf, 0, 0]),
        "translation words": _put(*node, "translation", to=["a", "b", "c"]),
        "matrix of 15": _put(*node, "matrix", to=[1.0] * 15),
        "matrix 0": _put(*node, "matrix", to=[0.0] * 16),
        "matrix NaN": _put(*node, "matrix", to=[nan] * 16),
        "matrix projective": _put(*node, "matrix", to=[1, 0, 0, 5, 0, 1, 0, 5, 0, 0, 1, 5, 0, 0, 0, 1]),
        "invisible": lambda d: d["materials"][0].update(
            alphaMode="BLEND", pbrMetallicRoughness={"baseColorFactor": [1, 1, 1, 0]}
        ),
        "masked away": lambda d: d["materials"][0].update(
            alphaMode="MASK", pbrMetallicRoughness={"baseColorFactor": [1, 1, 1, 0.1]}
        ),
    }
    for name, change in changes.items():
        yield Case(group, name, REFUSE, _edit(document, binary, change))


def _harmless(document: Json, binary: bytes) -> Iterator[Case]:
    """The same product, said otherwise: must be drawn the same."""
    group = "glb: harmless"
    half = float(np.sqrt(0.5))
    flat = np.frombuffer(binary, "<u4", 36, document["bufferViews"][4]["byteOffset"])

    def deep(d: Json) -> None:
        d["nodes"] = [{"children": [i + 1]} for i in range(30)] + [{"mesh": 0}]
        d["scenes"][0]["nodes"] = [0]

    def twice_mirrored(d: Json) -> None:
        d["nodes"] = [{"scale": [-1, 1, 1], "children": [1]}, {"scale": [-1, 1, 1], "mesh": 0}]

    def turned_back(d: Json) -> None:
        turn, back = [0, half, 0, half], [0, -half, 0, half]
        d["nodes"] = [{"rotation": turn, "children": [1]}, {"rotation": back, "mesh": 0}]

    changes: dict[str, Callable[[Json], Any]] = {
        "extras": _put("extras", to={"<script>": ["x"] * 100}),
        "an unknown optional extension": _put("extensionsUsed", to=["ACME_hint"]),
        "30 nodes deep": deep,
        "mirrored twice": twice_mirrored,
        "turned and turned back": turned_back,
        "a matrix": _put("nodes", 0, "matrix", to=[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
        "far away": _put("nodes", 0, "translation", to=[7.0, -3.0, 2.0]),
        "200 unused materials": lambda d: d["materials"].extend({"name": f"m{i}"} for i in range(200)),
        "100 empty nodes": lambda d: (
            d["nodes"].extend({} for _ in range(100)),
            d["scenes"][0].update(nodes=list(range(101))),
        ),
        "a second scene": lambda d: (
            d["nodes"].append({"mesh": 0, "scale": [5, 5, 5]}),
            d["scenes"].append({"nodes": [1]}),
        ),
        "a camera and a name of emoji": lambda d: (
            d.update(cameras=[{"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}]),
            d["nodes"].append({"camera": 0, "name": "\U0001f4f7\u202e"}),
            d["scenes"][0].update(nodes=[0, 1]),
        ),
        "two primitives": lambda d: (
            d["accessors"].append({**d["accessors"][3], "count": 18, "byteOffset": 72}),
            d["accessors"][3].update(count=18),
            d["meshes"][0]["primitives"].append(
                {**d["meshes"][0]["primitives"][0], "indices": len(d["accessors"]) - 1}
            ),
        ),
        "a scale that a child undoes": lambda d: d.update(
            nodes=[{"scale": [4, 4, 4], "children": [1]}, {"scale": [0.25] * 3, "mesh": 0}]
        ),
    }
    for name, change in changes.items():
        yield Case(group, name, SAME, _edit(document, binary, change))
    short = bytes(binary) + flat.astype("<u2").tobytes()

    def sixteen_bits(d: Json) -> None:
        d["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": 72})
        d["accessors"][3].update(bufferView=len(d["bufferViews"]) - 1, componentType=5123)
        d["buffers"][0]["byteLength"] = len(short)

    yield Case(group, "indices of 16 bits", SAME, _edit(document, short, sixteen_bits))
    whole = join_glb(document, binary)
    yield Case(group, "an unknown third chunk", SAME, one_file("box.glb", _third_chunk(whole)))
    inline = copy.deepcopy(document)
    inline["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    yield Case(group, "as one .gltf", SAME, one_file("box.gltf", json.dumps(inline).encode()))
    spaced = json.dumps(inline, indent=8, sort_keys=True).encode()
    yield Case(group, "as a .gltf with spaces", SAME, one_file("box.gltf", spaced))


def _third_chunk(whole: bytes) -> bytes:
    data = bytearray(whole + struct.pack("<I4s", 8, b"JUNK") + bytes(8))
    struct.pack_into("<I", data, 8, len(data))
    return bytes(data)


_STRANGE = (
    None, -1, 0, 1, 7, 2**31, 2**53, 1e308, -0.5, float("nan"), float("inf"), "", "x", "0", [], {}, [[]],
    True,
    [1e9] * 3, "\0", "\ud800",
)  # fmt: skip


def _fuzzed_json(document: Json, binary: bytes, seed: int, count: int = 90) -> Iterator[Case]:
    """One value of the document replaced by something strange. What comes out may be a product still."""
    places: list[tuple[Any, ...]] = []

    def walk(value: Any, path: tuple[Any, ...]) -> None:
        if path:
            places.append(path)
        entries = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, child in entries:
            walk(child, (*path, key))

    walk(document, ())
    for number in range(count):
        random = np.random.default_rng([seed, 1, number])
        place = places[int(random.integers(len(places)))]
        value = _STRANGE[int(random.integers(len(_STRANGE)))]
        words = "/".join(map(str, place))
        change = _put(*place, to=value)
        yield Case("glb: fuzzed JSON", f"{words} = {value!r:.20}", EITHER, _edit(document, binary, change))


def _flipped(whole: bytes, binary: bytes, document: Json, seed: int, count: int = 60) -> Iterator[Case]:
    """Single flipped bytes anywhere; in the texture each must be found, for a PNG has checksums."""
    for number in range(count):
        random = np.random.default_rng([seed, 2, number])
        data = bytearray(whole)
        at = int(random.integers(len(data)))
        data[at] ^= int(random.integers(1, 256))
        start = whole.index(b"\x89PNG")
        inside = start + 8 <= at < start + document["bufferViews"][0]["byteLength"]
        right = REFUSE if inside else EITHER
        yield Case("glb: flipped bytes", f"byte {at}", right, one_file("box.glb", bytes(data)))
