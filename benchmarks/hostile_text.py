"""Hostile OBJ and FBX files."""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.hostile_case import EITHER, REFUSE, SAME, Case
from benchmarks.hostile_gltf import the_box
from packline.stage.glb import join_glb
from tests.stage.build import box, print_of

Files = dict[str, bytes]


def obj_box() -> Files:
    """The same box as OBJ, MTL and PNG."""
    shape = box((0.1, 0.2, 0.06))
    lines = ["mtllib box.mtl", "o box", "usemtl skin"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in shape["vertices"]]
    lines += [f"vt {u:.6f} {1 - v:.6f}" for u, v in shape["uv"]]
    lines += [f"vn {x:.1f} {y:.1f} {z:.1f}" for x, y, z in shape["normals"]]
    lines += ["f " + " ".join(f"{i + 1}/{i + 1}/{i + 1}" for i in face) for face in shape["faces"]]
    return {
        "box.obj": ("\n".join(lines) + "\n").encode(),
        "box.mtl": b"newmtl skin\nKd 0.8 0.8 0.8\nd 1\nmap_Kd skin.png\n",
        "skin.png": png(),
    }


def png() -> bytes:
    """The box's print."""
    import io

    buffer = io.BytesIO()
    Image.fromarray(print_of("BOX", 256, 256, 60)).save(buffer, "PNG")
    return buffer.getvalue()


def _folder(files: Files, name: str = "box.obj") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for file, data in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        return folder / name

    return write


def obj_cases(seed: int) -> Iterator[Case]:
    """All OBJ cases; the same for the same seed."""
    files = obj_box()
    yield Case("obj", "as it is", SAME, _folder(files))
    text = files["box.obj"].decode()
    faces = text[text.index("f ") :]
    group = "obj: lies"

    def with_obj(new: str | bytes) -> Callable[[Path], Path]:
        return _folder({**files, "box.obj": new.encode() if isinstance(new, str) else new})

    for name, line in {
        "corner 0": "f 0/0/0 1/1/1 2/2/2", "corner 999": "f 999 1 2", "corner 2^31": "f 2147483648 1 2",
        "corner 2^64": "f 18446744073709551616 1 2", "corner -999": "f -999 -1 -2",
        "UV 999": "f 1/999 2/1 3/1",
        "normal 999": "f 1//999 2//1 3//1", "two corners": "f 1 2", "no corners": "f", "words": "f a b c",
        "half a corner": "f 1.5 2 3", "four slashes": "f 1/1/1/1 2/2/2/2 3/3/3/3", "a NaN": "v nan 0 0",
        "an infinity": "v inf 0 0", "two numbers": "v 0 0", "eight numbers": "v 1 2 3 4 5 6 7 8",
        "a word for a number": "v 0 zero 0", "a number that overflows": "v 1e999 0 0", "UV NaN": "vt nan 0",
        "UV words": "vt u v", "normal of 2": "vn 0 1", "a weight of 0": "v 0 0 0 0",
        "a surface": "surf 0 1 0 1",
        "an unknown word": "explode 1 2 3", "a material that is not there": "usemtl ghost",
        "a library that is not there": "mtllib ghost.mtl", "a library outside": "mtllib ../ghost.mtl",
        "a library at /etc": "mtllib /etc/passwd", "a library of 100 kB": "mtllib " + "x" * 100_000,
        "a face of 100,000 corners": "f " + "1/1/1 2/2/2 " * 50_000, "a call": "call /etc/passwd",
        "a command": "csh touch /tmp/pwned",
    }.items():  # fmt: skip
        moved = text.replace(faces, "") + line + "\n" + faces
        if line.startswith(("v", "mtllib")):
            moved = line + "\n" + text
        yield Case(group, name, REFUSE, with_obj(moved))
    yield Case(group, "only vertices", REFUSE, with_obj(text.replace(faces, "")))
    yield Case(group, "cut off within the vertices", REFUSE, with_obj(text[:300]))
    yield Case(group, "only lines and points", REFUSE, with_obj(text.replace(faces, "l 1 2 3\np 1 2\n")))
    yield Case(group, "a NUL", REFUSE, with_obj(text.replace("usemtl", "use\0mtl")))
    yield Case(group, "binary rubbish", REFUSE, with_obj(np.random.default_rng(seed).bytes(20_000)))
    yield Case(group, "flat as a line", REFUSE, with_obj(re.sub(r"(?m)^v (\S+) \S+ \S+", r"v \1 0 0", text)))
    yield Case(group, "all at one place", REFUSE, with_obj(re.sub(r"(?m)^v .*", "v 1 1 1", text)))
    yield Case(
        group, "in millimetres", REFUSE, with_obj(re.sub(r"(?m)^v (\S+) (\S+) ", r"v \g<1>e3 \g<2>e3 ", text))
    )
    yield Case(group, "of 1e30 m", REFUSE, with_obj(re.sub(r"(?m)^v (\S+) ", r"v \g<1>e30 ", text)))
    yield Case(
        group,
        "of 1e-30 m",
        REFUSE,
        with_obj(re.sub(r"(?m)^v (\S+) (\S+) (\S+)", r"v \1e-30 \2e-30 \3e-30", text)),
    )
    yield Case(group, "without UV", REFUSE, with_obj(re.sub(r"(\d+)/\d+/(\d+)", r"\1//\2", text)))
    yield Case(
        group,
        "6 million faces",
        REFUSE,
        lambda folder: with_obj(text + "f 1/1/1 2/2/2 3/3/3\n" * 6_000_000)(folder),
    )
    yield Case(
        group, "5,000 objects", REFUSE,
        with_obj(text + "".join(f"o o{i}\nf 1/1/1 2/2/2 3/3/3\n" for i in range(5000))),
    )  # fmt: skip
    yield from _mtl_cases(files)
    yield from _harmless_obj(files, text, faces)
    for number in range(50):
        random = np.random.default_rng([seed, 3, number])
        data = bytearray(files["box.obj"])
        for _ in range(int(random.integers(1, 4))):
            data[int(random.integers(len(data)))] = int(random.integers(256))
        yield Case("obj: flipped bytes", f"{number}", EITHER, with_obj(bytes(data)))


def _mtl_cases(files: Files) -> Iterator[Case]:
    group = "obj: materials"
    mtl = files["box.mtl"].decode()
    for name, old, new in (
        ("texture missing", "skin.png", "ghost.png"), ("texture outside", "skin.png", "../secret.png"),
        ("texture at /etc", "skin.png", "/etc/passwd"),
        ("texture on the net", "skin.png", "http://127.0.0.1:9/a.png"),
        ("texture is a link outside", "skin.png", "link.png"), ("texture is a folder", "skin.png", "sub"),
        ("texture is the model", "skin.png", "box.obj"), ("texture has no name", "skin.png", ""),
        ("texture's options without a name", "skin.png", "-s 1 1 1"),
        ("opacity missing", "d 1", "map_d ghost.png"),
        ("texture in /dev", "skin.png", "/dev/zero"), ("NaN colour", "Kd 0.8 0.8 0.8", "Kd nan 0 0"),
        ("colour of 2", "Kd 0.8 0.8 0.8", "Kd 0.8 0.8"), ("colour 255", "map_Kd skin.png", "Kd 255 128 0"),
        ("negative colour", "Kd 0.8 0.8 0.8", "Kd -1 0 0"), ("opacity 7", "d 1", "d 7"),
        ("opacity x", "d 1", "d x"),
        ("opacity NaN", "d 1", "d nan"), ("spectral colour", "Kd 0.8 0.8 0.8", "Kd spectral a.rfl"),
        ("no such material", "newmtl skin", "newmtl skins"), ("empty library", mtl, " "),
        ("offset NaN", "skin.png", "-o nan 0 skin.png"), ("library is a picture", mtl, "\x89PNG\r\n\0\0\0"),
    ):  # fmt: skip

        def write(folder: Path, changed: str = mtl.replace(old, new)) -> Path:
            home = folder / "home"
            home.mkdir()
            (folder / "secret.png").write_bytes(files["skin.png"])
            (home / "link.png").symlink_to(folder / "secret.png")
            (home / "sub").mkdir()
            _folder({**files, "box.mtl": changed.encode()})(home)
            return home / "box.obj"

        yield Case(group, name, REFUSE, write)
    for name, data in (
        ("cut off", png()[:200]),
        ("empty", b""),
        ("text", b"hello"),
        ("flipped", _flip(png())),
    ):
        yield Case(group, f"texture {name}", REFUSE, _folder({**files, "skin.png": data}))


def _flip(data: bytes) -> bytes:
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0x55
    return bytes(flipped)


def _harmless_obj(files: Files, text: str, faces: str) -> Iterator[Case]:
    group = "obj: harmless"
    mtl, skin = files["box.mtl"], files["skin.png"]
    vertices = box((0.1, 0.2, 0.06))["vertices"]
    quads = "".join(
        "f " + " ".join(f"{4 * side + i + 1}/{4 * side + i + 1}/{4 * side + i + 1}" for i in range(4)) + "\n"
        for side in range(6)
    )
    negative = re.sub(r"\d+", lambda match: str(int(match[0]) - 1 - len(vertices)), faces)
    joined = faces.replace(" ", " \\\n ", 3)
    for name, new in {
        "CRLF": text.replace("\n", "\r\n"), "a byte order mark": "\ufeff" + text,
        "UTF-16": text.encode("utf-16"), "tabs": text.replace(" ", "\t"), "no last line end": text.rstrip(),
        "many spaces": text.replace(" ", "   "), "comments": "# hi\n" + text.replace("\nv ", "\n# v\nv "),
        "quads": text.replace(faces, quads), "negative corners": text.replace(faces, negative),
        "joined lines": text.replace(faces, joined),
        "the material said twice": text.replace("usemtl", "usemtl skin\nusemtl"),
        "groups and smoothing": text.replace("f 5/", "g second\ns 1\nf 5/"),
        "the library after the faces": text.replace("mtllib box.mtl\n", "") + "mtllib box.mtl\n",
        "a weight of 1": re.sub(r"(?m)^(v .*)$", r"\1 1.0", text),
        "a third texture coordinate": re.sub(r"(?m)^(vt .*)$", r"\1 0.0", text),
        "faces without area": text + "f 1/1/1 1/1/1 2/2/2\n", "lines beside": text + "l 1 2\np 1\n",
    }.items():  # fmt: skip
        data = new.encode() if isinstance(new, str) else new
        yield Case(group, name, SAME, _folder({**files, "box.obj": data}))
    for name, changed in {
        "options of the texture": {"box.mtl": mtl.replace(b"skin.png",
        b"-s 1 1 1 -o 0 0 0 -bm 1 -clamp off skin.png")},
        "its name in capitals": {"box.mtl": mtl.replace(b"skin.png", b"SKIN.PNG")},
        "its path on Windows": {"box.mtl": mtl.replace(b"skin.png", b"C:\\work files\\skin.png")},
        "its name has spaces": {"box.mtl": mtl.replace(b"skin.png", b"my skin 2.png"), "my skin 2.png": skin},
        "it lies in textures": {"box.mtl": mtl, "skin.png": b"", "textures/skin.png": skin},
        "it lies in a folder": {"box.mtl": mtl.replace(b"skin.png", b"a/b/skin2.png"), "a/b/skin2.png": skin},
        "the library has spaces": {"box.obj": text.replace("box.mtl", "my box.mtl").encode(),
        "my box.mtl": mtl},
        "two libraries": {
            "box.obj": text.replace("box.mtl", "other.mtl box.mtl").encode(),
            "other.mtl": b"newmtl other\nKd 1 0 0\n",
        },
        "Tr said wrong beside d": {"box.mtl": mtl.replace(b"d 1", b"d 1\nTr 1")},
    }.items():  # fmt: skip
        case = {**files, **changed}
        case = {key: value for key, value in case.items() if value}
        yield Case(group, name, SAME, _folder(case))


# FBX


#: A demo product in binary FBX with packed arrays and an embedded texture.
_CARTON = Path(__file__).parent.parent / "assets" / "3d" / "carton-norda.fbx"


def ascii_fbx() -> bytes:
    """The box without its texture, in ASCII as assimp writes it, in metres."""
    document, binary = the_box()
    red = {"baseColorFactor": [0.8, 0.2, 0.1, 1]}
    document["materials"] = [{"name": "skin", "pbrMetallicRoughness": red}]
    for key in ("textures", "images"):
        document.pop(key)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "box.glb", Path(folder) / "box.fbx"
        source.write_bytes(join_glb(document, binary))
        command = ["assimp", "export", source, target, "-ffbxa"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
        # it writes the numbers in metres, yet the unit of a centimetre
        return _property(target.read_text(), "UnitScaleFactor", "100").encode()


def fbx_cases(seed: int, models: Path | None = None) -> Iterator[Case]:
    """All FBX cases; with real files from `models` among the originals where it is given."""
    kinds: dict[str, bytes] = {"binary": _CARTON.read_bytes(), "ascii": ascii_fbx()}
    for file in sorted(models.glob("*.fbx")) if models else []:
        if len(kinds) < 6 and file.stat().st_size < 1_000_000:
            kinds[file.stem] = file.read_bytes()

    def file(data: bytes) -> Callable[[Path], Path]:
        return _folder({"box.fbx": data}, "box.fbx")

    yield Case("fbx", "as it is", SAME, file(kinds["binary"]))
    for kind, whole in kinds.items():
        group = f"fbx: {kind if kind in ('binary', 'ascii') else 'real'}"
        # assimp notes the time of day, so that the length of what it writes is not always the same
        for cut in (0, 10, 27, 60, 200):
            yield Case(group, f"cut off after {cut} bytes", REFUSE, file(whole[:cut]))
        for share in (25, 50, 80):
            yield Case(group, f"cut off after {share} %", REFUSE, file(whole[: len(whole) * share // 100]))
        for number in range(20):
            random = np.random.default_rng([seed, 4, len(whole), number])
            data = bytearray(whole)
            for _ in range(int(random.choice([1, 1, 3, 50]))):
                data[int(random.integers(27, len(data)))] = int(random.integers(256))
            yield Case(group, f"flipped bytes {number}", EITHER, file(bytes(data)))
    yield from _binary_fbx(kinds["binary"], file)
    yield from _ascii_fbx(kinds["ascii"], file)
    whole = kinds["binary"]
    for name, data in {
        "rubbish after its end": whole + bytes(1000),
        "another creator": whole.replace(b"Blender", b"Blunder"),
        "another thumbnail of its header": whole[:21] + b"\x1a\x01" + whole[23:],
    }.items():
        yield Case("fbx: harmless", name, SAME, file(data))


def _binary_fbx(whole: bytes, file: Callable[[bytes], Callable[[Path], Path]]) -> Iterator[Case]:
    group = "fbx: binary"
    yield Case(group, "no objects", REFUSE, file(whole[:27] + bytes(200)))
    for name, at, value in (
        ("version 2^31", 23, 2**31), ("first record ends at 2^31", 27, 2**31),
        ("first record ends before itself", 27, 5), ("first record of 2^31 values", 31, 2**31),
        ("first record's values of 2^31 bytes", 35, 2**31),
    ):  # fmt: skip
        data = bytearray(whole)
        struct.pack_into("<I", data, at, value)
        yield Case(group, name, REFUSE, file(bytes(data)))
    # every array in the file: "Vertices" and its like, kind 'd' or 'i', then length, encoding, bytes
    for name in (b"Vertices", b"PolygonVertexIndex", b"Normals"):
        at = whole.index(name) + len(name)
        for what, offset, value in (
            ("2^31 values", 1, 2**31), ("2^32 - 1 values", 1, 2**32 - 1), ("1 value", 1, 1),
            ("an unknown encoding", 5, 9), ("said to be plain", 5, 0), ("2^31 bytes", 9, 2**31),
        ):  # fmt: skip
            data = bytearray(whole)
            struct.pack_into("<I", data, at + offset, value)
            yield Case(group, f"{name.decode()}: {what}", REFUSE, file(bytes(data)))


def _ascii_fbx(whole: bytes, file: Callable[[bytes], Callable[[Path], Path]]) -> Iterator[Case]:
    group = "fbx: ascii"
    text = whole.decode()
    numbers = re.compile(r"(Vertices: \*\d+ \{\s*a: )([^}]*)")

    def vertices(change: Callable[[list[str]], list[str]]) -> bytes:
        def replaced(match: re.Match[str]) -> str:
            return match[1] + ",".join(change(match[2].replace("\n", "").split(","))) + "\n"

        return numbers.sub(replaced, text, count=1).encode()

    changes: dict[str, bytes] = {
        "a NaN": vertices(lambda values: ["nan", *values[1:]]),
        "an infinity": vertices(lambda values: ["1e999", *values[1:]]),
        "words": vertices(lambda values: ["cat", *values[1:]]),
        "too few vertices": vertices(lambda values: values[:9]),
        "no vertices": vertices(lambda values: []),
        "of 1e30 m": vertices(lambda values: [f"{value.strip()}e30" for value in values]),
        "of 1e-30 m": vertices(lambda values: ["1e-30" for _ in values]),
        "5,000 braces": text.replace("Objects:", "Objects: " + "{" * 5000).encode(),
        "brackets that never close": text.replace("}", "").encode(),
        "brackets that never open": text.replace("{", "").encode(),
        "no connections": text[: text.index("Connections:")].encode(),
        "unit 0": _property(text, "UnitScaleFactor", "0").encode(),
        "unit NaN": _property(text, "UnitScaleFactor", "nan").encode(),
        "unit 1e30": _property(text, "UnitScaleFactor", "1e30").encode(),
        "up axis 9": _property(text, "UpAxis", "9").encode(),
        "up is front": _property(text, "UpAxis", "2").encode(),
        "corner 2^31": re.sub(r"(PolygonVertexIndex: \*\d+ \{\s*a: )\d+", r"\g<1>2147483647", text).encode(),
        "no polygon ends": re.sub(
            r"PolygonVertexIndex: \*\d+ \{\s*a: [^}]*\}", "PolygonVertexIndex: *4 {\na: 0,1,2,3\n}", text
        ).encode(),
        "UTF-16": text.encode("utf-16"),
    }
    for name, data in changes.items():
        if data == whole:
            raise ValueError(f"the case {name!r} changes nothing")
        yield Case(group, name, REFUSE, file(data))
    for name, texture in (
        ("texture at /etc", "/etc/passwd"), ("texture outside", "../../secret.png"),
        ("texture on the net", "http://127.0.0.1:9/a.png"), ("texture missing", "C:\\x\\ghost.png"),
    ):  # fmt: skip
        yield Case(group, name, REFUSE, file(_textured(text, texture).encode()))


def _property(text: str, name: str, value: str) -> str:
    return re.sub(rf'(P: "{name}"(?:, ?"[^"]*"){{3}}, ?)[^\n]*', rf"\g<1>{value}", text)


def _textured(text: str, name: str) -> str:
    """An ASCII FBX whose first material gets a texture of that name."""
    found: Any = re.search(r"\n\tMaterial: (\d+)", text)
    escaped = name.replace("\\", "\\\\")
    texture = (
        f'Objects:  {{\n\tTexture: 777777, "Texture::t", "" {{\n\t\tType: "TextureVideoClip"\n'
        f'\t\tFileName: "{name}"\n\t\tRelativeFilename: "{escaped}"\n\t}}\n'
    )
    text = re.sub(r"Objects:\s*\{\n", lambda _: texture, text, count=1)
    link = f'Connections:  {{\n\tC: "OP",777777,{found[1]}, "DiffuseColor"\n'
    return re.sub(r"Connections:\s*\{\n", lambda _: link, text, count=1)
