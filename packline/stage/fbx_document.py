"""What an FBX says about itself: unit, axes, materials and textures. Its geometry is left to assimp.

assimp drops the axes, confuses opacities and loses textures on properties that it does not know, all without
a word. So the same file is looked at here, and what assimp made of it is held against this.

The binary layout is Blender's description of it (https://code.blender.org/2013/08/fbx-binary-file-format-specification/).
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.errors import GiveUp

MAX_OBJECTS = 100_000
_MAGIC = b"Kaydara FBX Binary  \x00"
#: What is read of a file; everything else is stepped over.
_WANTED = {
    "": {"GlobalSettings", "Objects", "Connections"},
    "Objects": {"Material", "Texture", "Video", "LayeredTexture", "Model", "Geometry", "Deformer"},
}
_WANTED["Objects"] |= {"AnimationCurve", "Pose"}
#: Objects of which only the kind counts.
_COUNTED = {"Geometry", "Deformer", "AnimationCurve", "Pose"}


@dataclass
class Node:
    """A record: its name, its values and its children."""

    name: str
    values: list[Any] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Node]:
        """Children of that name."""
        return (child for child in self.children if child.name == name)

    def value(self, name: str, default: Any = None) -> Any:
        """First value of the first child of that name."""
        return next((child.values[0] for child in self.all(name) if child.values), default)

    def properties(self) -> dict[str, list[Any]]:
        """What stands in Properties70: for each name its values."""
        found: dict[str, list[Any]] = {}
        for block in self.all("Properties70"):
            for entry in block.all("P"):
                if entry.values:
                    found[str(entry.values[0])] = entry.values[4:]
        return found


@dataclass(frozen=True)
class FbxTexture:
    """A picture that a material uses.

    Parameters
    ----------
    file
        Its name without folders.
    content
        Its bytes, where it is embedded.
    scale
        How often it repeats along u and v.
    moved
        Whether it is shifted or turned on its UV.
    """

    file: str
    content: bytes | None
    scale: tuple[float, float] = (1.0, 1.0)
    moved: bool = False


@dataclass(frozen=True)
class FbxMaterial:
    """A material: its properties by name, and its textures by the property that they are connected to."""

    name: str
    properties: dict[str, tuple[float, ...]]
    textures: dict[str, FbxTexture]
    layered: bool

    def number(self, name: str, default: float | None = None) -> float | None:
        """A property's number, or the mean of its colour."""
        values = self.properties.get(name)
        return default if not values else sum(values) / len(values)


@dataclass(frozen=True)
class FbxDocument:
    """See the module.

    Parameters
    ----------
    unit
        Metres that one unit of the file measures.
    axes
        Turns the file's axes to Y up, Z to the front; shape (3, 3).
    hidden
        Names of parts that the file says are not to be seen.
    animated, skinned
        Whether it has animation curves, or a skeleton.
    """

    unit: float
    axes: NDArray[np.float64]
    materials: tuple[FbxMaterial, ...]
    hidden: frozenset[str]
    animated: bool
    skinned: bool


def read_fbx_document(path: Path) -> FbxDocument:
    """Look at an FBX, binary or ASCII.

    Raises
    ------
    GiveUp
        Where its structure is broken or its axes make no sense.
    """
    data = path.read_bytes()
    try:
        if data.startswith(_MAGIC):
            root = _binary(data)
        elif b"FBXHeaderExtension" in data[:4096] or b"; FBX" in data[:64]:
            root = _ascii(data)
        else:
            raise GiveUp(f"Model {path.name}: it is no FBX file; export it again.")
        return _document(root, path.name)
    except (ValueError, TypeError, IndexError, AttributeError, struct.error, RecursionError) as error:
        raise GiveUp(
            f"Model {path.name}: its FBX structure is broken ({type(error).__name__}: {error}); "
            "export it again."
        ) from error


# what it says


def _document(root: Node, name: str) -> FbxDocument:
    settings: dict[str, list[Any]] = {}
    for node in root.all("GlobalSettings"):
        settings.update(node.properties())
    unit = float((settings.get("UnitScaleFactor") or [1.0])[0]) * 0.01
    if not 1e-9 < unit < 1e9:
        raise GiveUp(f"Model {name}: its unit is {unit:g} m; set it to metres or centimetres.")
    objects = [child for node in root.all("Objects") for child in node.children]
    if len(objects) > MAX_OBJECTS:
        raise GiveUp(f"Model {name}: it has {len(objects)} objects, more than {MAX_OBJECTS}; simplify it.")
    _check_inheritance(objects, root, name)
    kinds = [str(node.values[2]) if len(node.values) > 2 else "" for node in objects]
    return FbxDocument(
        unit=unit,
        axes=_axes(settings, name),
        materials=_materials(objects, root, name),
        hidden=_hidden(objects),
        animated=any(node.name == "AnimationCurve" for node in objects),
        skinned=any(
            node.name == "Deformer" and kind == "Skin" for node, kind in zip(objects, kinds, strict=True)
        ),
    )


def _check_inheritance(objects: list[Node], root: Node, name: str) -> None:
    """Refuse scales that are handed down otherwise than by plain matrices, which assimp knows nothing of.

    The FBX SDK's EInheritType: 0 scales along the parent's axes, 2 leaves the parent's scale out.
    """
    models = {node.values[0]: node for node in objects if node.name == "Model" and len(node.values) > 1}
    for child, parent, _ in _links(root):
        if child not in models or parent not in models:
            continue
        kind = (models[child].properties().get("InheritType") or [1])[0]
        if kind not in (0, 2):
            continue
        scale = [float(value) for value in models[parent].properties().get("Lcl Scaling") or (1, 1, 1)]
        plain = max(scale) - min(scale) < 1e-4 * max(map(abs, scale))
        if not plain or (kind == 2 and abs(scale[0] - 1) > 1e-4):
            raise GiveUp(
                f"Model {name}: its part {_plain(models[child].values[1])!r} does not take on the scale of "
                "what it hangs on; apply (freeze) the scales and export it again."
            )


def _links(root: Node) -> Iterator[tuple[Any, Any, str]]:
    """Connections as source, target and the property that the source is connected to."""
    for block in root.all("Connections"):
        for entry in block.all("C"):
            if len(entry.values) >= 3:
                yield entry.values[1], entry.values[2], str(entry.values[3]) if len(entry.values) > 3 else ""


def _hidden(objects: list[Node]) -> frozenset[str]:
    models = [node for node in objects if node.name == "Model" and len(node.values) > 1]
    hidden = set()
    for node in models:
        properties = node.properties()
        shown = [properties[name][0] for name in ("Show", "Visibility") if properties.get(name)]
        if any(float(value) == 0 for value in shown):
            hidden.add(_plain(node.values[1]))
    # one name for a hidden and a shown part: which is which cannot be said
    return frozenset(name for name in hidden if sum(_plain(node.values[1]) == name for node in models) == 1)


def _axes(settings: dict[str, list[Any]], name: str) -> NDArray[np.float64]:
    axes = np.zeros((3, 3))
    for row, (which, usual) in enumerate((("Coord", 0), ("Up", 1), ("Front", 2))):
        axis = int((settings.get(f"{which}Axis") or [usual])[0])
        sign = int((settings.get(f"{which}AxisSign") or [1])[0])
        if axis not in (0, 1, 2) or sign not in (-1, 1):
            raise GiveUp(f"Model {name}: its {which.lower()} axis is {axis}; export it with Y up.")
        axes[row, axis] = sign
    if not np.isclose(np.linalg.det(axes), 1):
        raise GiveUp(f"Model {name}: its axes are no rotation of right, up and front; export it with Y up.")
    return axes


def _materials(objects: list[Node], root: Node, name: str) -> tuple[FbxMaterial, ...]:
    by_id = {node.values[0]: node for node in objects if node.values}
    into: dict[Any, list[tuple[Any, str]]] = {}
    for child, parent, link in _links(root):
        into.setdefault(parent, []).append((child, link))

    def textures(owner: Any, link: str, depth: int) -> Iterator[tuple[str, Node, bool]]:
        for source, own_link in into.get(owner, []):
            node = by_id.get(source)
            if node is None or depth > 4:
                continue
            if node.name == "Texture":
                yield link or own_link, node, depth > 0
            elif node.name == "LayeredTexture":
                yield from textures(source, own_link, depth + 1)

    found = []
    for identity, node in by_id.items():
        if node.name != "Material":
            continue
        used: dict[str, FbxTexture] = {}
        layered = False
        for link, texture, below in textures(identity, "", 0):
            layered = layered or (below and link in used)
            used.setdefault(link, _texture(texture, by_id, into))
        numbers = {
            key: tuple(float(value) for value in values)
            for key, values in node.properties().items()
            if values and all(isinstance(value, int | float) for value in values)
        }
        found.append(FbxMaterial(_plain(node.values[1]), numbers, used, layered))
    return tuple(found)


def _texture(node: Node, by_id: dict[Any, Node], into: dict[Any, list[tuple[Any, str]]]) -> FbxTexture:
    names = [node.value("RelativeFilename"), node.value("FileName")]
    content = None
    for source, _ in into.get(node.values[0], []):
        video = by_id.get(source)
        if video is not None and video.name == "Video":
            names += [video.value("RelativeFilename"), video.value("Filename")]
            content = content or _content(video)
    # the old fields and the new properties say the same, where both are written
    properties = node.properties()
    old = [float(value) for child in node.all("ModelUVTranslation") for value in child.values]
    moves = [*old, *properties.get("Translation", [])[:2], *properties.get("Rotation", [])]
    old_scale = [float(value) for child in node.all("ModelUVScaling") for value in child.values]
    scale = [float(value) for value in properties.get("Scaling", [])[:2]] or old_scale[:2] or [1.0, 1.0]
    name = next((str(entry) for entry in names if entry), "")
    return FbxTexture(
        file=re.split(r"[\\/]", name)[-1],
        content=content,
        scale=(scale[0], scale[-1]),
        moved=any(abs(float(value)) > 1e-6 for value in moves),
    )


def _content(video: Node) -> bytes | None:
    for child in video.all("Content"):
        pieces = [v if isinstance(v, bytes) else str(v).encode() for v in child.values]
        if not pieces or not any(pieces):
            continue
        if isinstance(child.values[0], bytes):
            return b"".join(pieces)
        try:
            return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
        except binascii.Error as error:
            raise ValueError("an embedded texture is not valid base64") from error
    return None


def _plain(name: Any) -> str:
    """ "skin" of "skin\\0\\1Material" (binary) and "Material::skin" (ASCII)."""
    return str(name).split("\0\1")[0].removeprefix("Material::").removeprefix("Model::")


# binary


def _binary(data: bytes) -> Node:
    version = struct.unpack_from("<I", data, 23)[0]
    wide = version >= 7500
    root = Node("")
    root.children = _records(data, 27, len(data), wide, "", 0)
    return root


def _records(data: bytes, at: int, end: int, wide: bool, parent: str, depth: int) -> list[Node]:
    head = "<QQQB" if wide else "<IIIB"
    size = struct.calcsize(head)
    found: list[Node] = []
    while at + size <= end:
        stop, count, length, name_length = struct.unpack_from(head, data, at)
        if stop == 0:
            break
        body = at + size + name_length
        if not body + length <= stop <= end or depth > 16:
            raise ValueError("a record reaches beyond its parent")
        name = data[at + size : body].decode("utf-8", "replace")
        wanted = _WANTED.get(parent)
        if wanted is None or name in wanted:
            node = Node(name, _values(data, body, body + length, min(count, 64)))
            if name not in _COUNTED:
                node.children = _records(data, body + length, stop, wide, name, depth + 1)
            found.append(node)
        at = stop
    return found


_SCALARS = {b"Y": "<h", b"C": "<?", b"B": "<?", b"I": "<i", b"F": "<f", b"D": "<d", b"L": "<q"}


def _values(data: bytes, at: int, end: int, count: int) -> list[Any]:
    values: list[Any] = []
    for _ in range(count):
        kind = data[at : at + 1]
        if kind in _SCALARS:
            values.append(struct.unpack_from(_SCALARS[kind], data, at + 1)[0])
            at += 1 + struct.calcsize(_SCALARS[kind])
        elif kind in (b"S", b"R"):
            size = struct.unpack_from("<I", data, at + 1)[0]
            if at + 5 + size > end:
                raise ValueError("a string reaches beyond its record")
            piece = data[at + 5 : at + 5 + size]
            values.append(piece.decode("utf-8", "replace") if kind == b"S" else piece)
            at += 5 + size
        elif kind in (b"f", b"d", b"l", b"i", b"b", b"c"):
            # an array: geometry, of no interest here
            size = struct.unpack_from("<I", data, at + 9)[0]
            values.append(None)
            at += 13 + size
        else:
            raise ValueError(f"a value of the unknown kind {kind!r}")
        if at > end:
            raise ValueError("a value reaches beyond its record")
    return values


# ASCII

_LINE = re.compile(r"^\s*([A-Za-z_][\w|]*)\s*:\s?(.*)$")
_TOKEN = re.compile(r'"([^"]*)"|([^,\s{}"]+)')


def _ascii(data: bytes) -> Node:
    text = data.decode("utf-8", "replace")
    root = Node("")
    stack = [root]
    skipped = 0  # braces that are open inside something that is not read
    last = root
    for line in text.split("\n"):
        opened = line.rstrip().endswith("{")
        closes = line.strip() == "}"
        if skipped:
            skipped += opened - closes
            continue
        if closes:
            if len(stack) > 1:
                stack.pop()
            continue
        match = _LINE.match(line)
        if match is None:
            # values go on over several lines, embedded textures above all
            if last.name == "Content":
                last.values += [token for token, _ in _TOKEN.findall(line) if token]
            continue
        name, rest = match[1], match[2].rstrip().removesuffix("{")
        parent = stack[-1]
        wanted = _WANTED.get(parent.name)
        if wanted is not None and len(stack) <= 2 and name not in wanted:
            skipped = int(opened)
            continue
        if len(stack) > 16:
            raise ValueError("its records are nested too deeply")
        node = Node(name, [_ascii_value(match) for match in _TOKEN.finditer(rest)])
        if name == "Content":
            node.values = [value for value in node.values if value != ""]
        parent.children.append(node)
        last = node
        if opened:
            if parent.name == "Objects" and name in _COUNTED:
                skipped = 1
            else:
                stack.append(node)
    return root


def _ascii_value(match: re.Match[str]) -> Any:
    if match[2] is None:
        return match[1]
    try:
        return int(match[2])
    except ValueError:
        pass
    try:
        return float(match[2])
    except ValueError:
        return match[2]
