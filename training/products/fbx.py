"""Write a scene as binary FBX 7.4, as modelling programs do: centimetres, Y up, textures embedded.

assimp's own binary export cannot be read back by assimp itself (5.2), is stamped with the time, and says
centimetres over metres. The file's layout: code.blender.org/2013/08/fbx-binary-file-format-specification.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import trimesh

_VERSION = 7400
_FOOTER = bytes.fromhex("fabcab09d0c8d466b176fb83 1cf7267e")
_END = bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")
_CENTIMETRES = 100.0


@dataclass
class _Node:
    name: str
    values: tuple[Any, ...] = ()
    children: list[_Node] = field(default_factory=list)

    def add(self, name: str, *values: Any) -> _Node:
        child = _Node(name, values)
        self.children.append(child)
        return child

    def properties(self, *rows: tuple[Any, ...]) -> None:
        block = self.add("Properties70")
        for row in rows:
            block.add("P", *row)

    def bytes(self, start: int) -> bytes:
        """The node's record, which begins at `start` in the file."""
        packed = b"".join(_value(v) for v in self.values)
        name = self.name.encode()
        at = start + 13 + len(name) + len(packed)
        inner = b""
        for child in self.children:
            inner += child.bytes(at + len(inner))
        if self.children or not self.values:
            inner += bytes(13)
        head = struct.pack("<IIIB", at + len(inner), len(self.values), len(packed), len(name))
        return head + name + packed + inner


def _value(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        kind = "d" if value.dtype.kind == "f" else "i"
        raw = np.ascontiguousarray(value, "<f8" if kind == "d" else "<i4").tobytes()
        squeezed = zlib.compress(raw, 9)
        return kind.encode() + struct.pack("<III", value.size, 1, len(squeezed)) + squeezed
    if isinstance(value, _Id):
        return b"L" + struct.pack("<q", value)
    if isinstance(value, int):
        return b"I" + struct.pack("<i", value)
    if isinstance(value, float):
        return b"D" + struct.pack("<d", value)
    if isinstance(value, str):
        return b"S" + struct.pack("<I", len(value.encode())) + value.encode()
    raw = bytes(value)
    return b"R" + struct.pack("<I", len(raw)) + raw


class _Id(int):
    """An object's number: 64 bits in the file."""


def _number(name: str, value: float) -> tuple[Any, ...]:
    return name, "double", "Number", "", float(value)


def _vector(name: str, kind: str, value: tuple[float, float, float]) -> tuple[Any, ...]:
    return name, kind, "", "A", *(float(v) for v in value)


def to_fbx(scene: trimesh.Scene) -> bytes:
    """The scene's meshes with their materials; metallic and roughness become a Phong shininess.

    The nodes' transforms must be identity, as in the scenes of this package.
    """
    top = _Node("")
    header = top.add("FBXHeaderExtension")
    header.add("FBXHeaderVersion", 1003)
    header.add("FBXVersion", _VERSION)
    header.add("Creator", "Packline demo products")
    settings = top.add("GlobalSettings")
    settings.add("Version", 1000)
    axes = (
        ("UpAxis", 1),
        ("UpAxisSign", 1),
        ("FrontAxis", 2),
        ("FrontAxisSign", 1),
        ("CoordAxis", 0),
        ("CoordAxisSign", 1),
    )
    settings.properties(
        *((name, "int", "Integer", "", value) for name, value in axes),
        _number("UnitScaleFactor", 1.0),
        _number("OriginalUnitScaleFactor", 1.0),
    )
    documents = top.add("Documents")
    documents.add("Count", 1)
    documents.add("Document", _Id(1), "", "Scene").add("RootNode", _Id(0))
    top.add("References")
    objects, links = _Node("Objects"), _Node("Connections")
    count: dict[str, int] = {}
    for number, (name, mesh) in enumerate(scene.geometry.items()):
        base = 1000 * (number + 1)
        _mesh(objects, links, base, name, mesh)
        _material(objects, links, base, mesh.visual.material)
    for thing in objects.children:
        count[thing.name] = count.get(thing.name, 0) + 1
    definitions = top.add("Definitions")
    definitions.add("Version", 100)
    definitions.add("Count", sum(count.values()) + 1)
    definitions.add("ObjectType", "GlobalSettings").add("Count", 1)
    for name, times in count.items():
        definitions.add("ObjectType", name).add("Count", times)
    top.children += [objects, links]

    out = b"Kaydara FBX Binary  \x00\x1a\x00" + struct.pack("<I", _VERSION)
    for child in top.children:
        out += child.bytes(len(out))
    out += bytes(13) + _FOOTER
    out += bytes(-len(out) % 16 or 16) + bytes(4) + struct.pack("<I", _VERSION) + bytes(120) + _END
    return out


def _mesh(objects: _Node, links: _Node, base: int, name: str, mesh: trimesh.Trimesh) -> None:
    faces = np.asarray(mesh.faces)
    corners = faces.ravel()
    closed = faces.copy()
    closed[:, 2] = ~closed[:, 2]  # a polygon's last corner is stored inverted
    shape = objects.add("Geometry", _Id(base + 1), f"{name}\x00\x01Geometry", "Mesh")
    shape.add("GeometryVersion", 124)
    shape.add("Vertices", np.asarray(mesh.vertices, float).ravel() * _CENTIMETRES)
    shape.add("PolygonVertexIndex", closed.ravel())
    normals = shape.add("LayerElementNormal", 0)
    normals.add("Version", 101)
    normals.add("Name", "")
    normals.add("MappingInformationType", "ByPolygonVertex")
    normals.add("ReferenceInformationType", "Direct")
    normals.add("Normals", np.asarray(mesh.vertex_normals, float)[corners].round(5).ravel())
    uv = shape.add("LayerElementUV", 0)
    uv.add("Version", 101)
    uv.add("Name", "UVMap")
    uv.add("MappingInformationType", "ByPolygonVertex")
    uv.add("ReferenceInformationType", "IndexToDirect")
    uv.add("UV", np.asarray(mesh.visual.uv, float).ravel())  # v is up, in trimesh as in FBX
    uv.add("UVIndex", corners)
    cover = shape.add("LayerElementMaterial", 0)
    cover.add("Version", 101)
    cover.add("Name", "")
    cover.add("MappingInformationType", "AllSame")
    cover.add("ReferenceInformationType", "IndexToDirect")
    cover.add("Materials", np.zeros(1, int))
    layer = shape.add("Layer", 0)
    layer.add("Version", 100)
    for kind in ("LayerElementNormal", "LayerElementUV", "LayerElementMaterial"):
        element = layer.add("LayerElement")
        element.add("Type", kind)
        element.add("TypedIndex", 0)
    model = objects.add("Model", _Id(base + 2), f"{name}\x00\x01Model", "Mesh")
    model.add("Version", 232)
    model.properties(_vector("Lcl Scaling", "Lcl Scaling", (1, 1, 1)))
    model.add("Culling", "CullingOff")
    links.add("C", "OO", _Id(base + 2), _Id(0))
    links.add("C", "OO", _Id(base + 1), _Id(base + 2))


def _material(objects: _Node, links: _Node, base: int, finish: Any) -> None:
    picture = finish.baseColorTexture
    colour = np.asarray(finish.baseColorFactor, float)[:3] / 255
    material = objects.add("Material", _Id(base + 3), f"{finish.name}\x00\x01Material", "")
    material.add("Version", 102)
    material.add("ShadingModel", "phong")
    material.add("MultiLayer", 0)
    material.properties(
        _vector("DiffuseColor", "Color", (colour[0], colour[1], colour[2])),
        _number("DiffuseFactor", 1),
        _vector("SpecularColor", "Color", (0.2, 0.2, 0.2)),
        _number("Shininess", 100 * (1 - finish.roughnessFactor) ** 2),
        _number("ReflectionFactor", finish.metallicFactor),
    )
    links.add("C", "OO", _Id(base + 3), _Id(base + 2))
    if picture is None:
        return
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    name = f"{finish.name}.png"
    video = objects.add("Video", _Id(base + 5), f"{finish.name}\x00\x01Video", "Clip")
    video.add("Type", "Clip")
    video.properties(("Path", "KString", "XRefUrl", "", name))
    video.add("UseMipMap", 0)
    video.add("Filename", name)
    video.add("RelativeFilename", name)
    video.add("Content", file.getvalue())
    texture = objects.add("Texture", _Id(base + 4), f"{finish.name}\x00\x01Texture", "")
    texture.add("Type", "TextureVideoClip")
    texture.add("Version", 202)
    texture.add("TextureName", f"{finish.name}\x00\x01Texture")
    texture.add("Media", f"{finish.name}\x00\x01Video")
    texture.add("FileName", name)
    texture.add("RelativeFilename", name)
    texture.add("ModelUVTranslation", 0.0, 0.0)
    texture.add("ModelUVScaling", 1.0, 1.0)
    texture.add("Texture_Alpha_Source", "None")
    links.add("C", "OP", _Id(base + 4), _Id(base + 3), "DiffuseColor")
    links.add("C", "OO", _Id(base + 5), _Id(base + 4))
