"""Small models written byte by byte, so that a test knows exactly what a file says."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from packline.stage.glb import join_glb

_KINDS = {"float32": 5126, "uint32": 5125, "uint16": 5123, "uint8": 5121, "int16": 5122, "int8": 5120}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


@dataclass
class Gltf:
    """A glTF document in the making; `save` writes it as GLB."""

    document: dict[str, Any] = field(
        default_factory=lambda: {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "meshes": [],
            "materials": [],
            "textures": [],
            "images": [],
            "accessors": [],
            "bufferViews": [],
        }
    )
    binary: bytes = b""

    def view(self, data: bytes) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        self.document["bufferViews"].append(view)
        self.binary += data
        return len(self.document["bufferViews"]) - 1

    def array(self, values: NDArray[Any], normalized: bool = False) -> int:
        values = np.asarray(values)
        values = values[:, None] if values.ndim == 1 else values
        entry: dict[str, Any] = {
            "bufferView": self.view(values.tobytes()),
            "componentType": _KINDS[str(values.dtype)],
            "count": len(values),
            "type": _TYPES[values.shape[1]],
        }
        if normalized:
            entry["normalized"] = True
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def image(self, pixels: NDArray[np.uint8]) -> int:
        """A texture's index."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return self.texture(buffer.getvalue())

    def texture(self, data: bytes, sampler: dict[str, int] | None = None, extension: str = "") -> int:
        """A texture's index; its image is `data` as it is."""
        self.document["images"].append({"bufferView": self.view(data), "mimeType": "image/png"})
        source = {"source": len(self.document["images"]) - 1}
        entry: dict[str, Any] = {"extensions": {extension: source}} if extension else source
        if sampler is not None:
            self.document.setdefault("samplers", []).append(sampler)
            entry["sampler"] = len(self.document["samplers"]) - 1
        self.document["textures"].append(entry)
        return len(self.document["textures"]) - 1

    def material(self, **fields: Any) -> int:
        pbr = {key: fields.pop(key) for key in list(fields) if key in _PBR}
        self.document["materials"].append({"pbrMetallicRoughness": {"metallicFactor": 0, **pbr}, **fields})
        return len(self.document["materials"]) - 1

    def mesh(
        self,
        vertices: NDArray[Any],
        faces: NDArray[Any],
        material: int | None = None,
        uv: NDArray[Any] | None = None,
        normals: NDArray[Any] | None = None,
        colours: NDArray[Any] | None = None,
        **node: Any,
    ) -> None:
        """A mesh with one primitive and a root node that places it."""
        attributes = {"POSITION": self.array(np.asarray(vertices, np.float32))}
        for name, values in (("NORMAL", normals), ("TEXCOORD_0", uv), ("COLOR_0", colours)):
            if values is not None:
                attributes[name] = self.array(np.asarray(values, np.float32))
        primitive: dict[str, Any] = {
            "attributes": attributes,
            "indices": self.array(np.asarray(faces, np.uint32).reshape(-1)),
        }
        if material is not None:
            primitive["material"] = material
        self.document["meshes"].append({"primitives": [primitive]})
        self.document["nodes"].append({"mesh": len(self.document["meshes"]) - 1, **node})
        self.document["scenes"][0]["nodes"].append(len(self.document["nodes"]) - 1)

    def save(self, path: Path, **sidecar: Any) -> Path:
        document = {key: value for key, value in self.document.items() if value != []}
        document.setdefault("meshes", [])
        if self.binary:
            document["buffers"] = [{"byteLength": len(self.binary)}]
        path.write_bytes(join_glb(document, self.binary))
        if sidecar:
            path.with_name(f"{path.stem}.truth.json").write_text(json.dumps(sidecar))
        return path


_PBR = (
    "baseColorFactor",
    "baseColorTexture",
    "metallicFactor",
    "roughnessFactor",
    "metallicRoughnessTexture",
)


def quad(width: float = 0.1, height: float = 0.1, z: float = 0.0) -> dict[str, Any]:
    """An upright card that faces +Z, its lower left corner at the origin; the texture fills it upright."""
    x, y = width, height
    return {
        "vertices": np.array([[0, 0, z], [x, 0, z], [x, y, z], [0, y, z]], float),
        "faces": np.array([[0, 1, 2], [0, 2, 3]]),
        "uv": np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float),
        "normals": np.tile([0.0, 0.0, 1.0], (4, 1)),
    }


def box(size: tuple[float, float, float] = (0.1, 0.1, 0.1)) -> dict[str, Any]:
    """A box with corner at the origin, each face with its own upright texture and its own normals."""
    x, y, z = size
    sides = [  # lower left, lower right, upper right, upper left, normal
        ((0, 0, z), (x, 0, z), (x, y, z), (0, y, z), (0, 0, 1)),
        ((x, 0, 0), (0, 0, 0), (0, y, 0), (x, y, 0), (0, 0, -1)),
        ((x, 0, z), (x, 0, 0), (x, y, 0), (x, y, z), (1, 0, 0)),
        ((0, 0, 0), (0, 0, z), (0, y, z), (0, y, 0), (-1, 0, 0)),
        ((0, y, z), (x, y, z), (x, y, 0), (0, y, 0), (0, 1, 0)),
        ((0, 0, 0), (x, 0, 0), (x, 0, z), (0, 0, z), (0, -1, 0)),
    ]
    return {
        "vertices": np.array([corner for side in sides for corner in side[:4]], float),
        "faces": np.array([[4 * i + a for a in t] for i in range(6) for t in ((0, 1, 2), (0, 2, 3))]),
        "uv": np.array([[0, 1], [1, 1], [1, 0], [0, 0]] * 6, float),
        "normals": np.array([side[4] for side in sides for _ in range(4)], float),
    }


def sphere(radius: float, rings: int = 96) -> dict[str, Any]:
    """A sphere around the origin with smooth normals."""
    theta = np.linspace(0, np.pi, rings + 1)
    phi = np.linspace(0, 2 * np.pi, 2 * rings + 1)
    t, p = np.meshgrid(theta, phi, indexing="ij")
    normals = np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], -1)
    columns = 2 * rings + 1
    i, j = np.meshgrid(np.arange(rings), np.arange(2 * rings), indexing="ij")
    a = (i * columns + j).reshape(-1)
    faces = np.concatenate(
        [np.stack([a, a + columns, a + 1], -1), np.stack([a + 1, a + columns, a + columns + 1], -1)]
    )
    uv = np.stack([p / (2 * np.pi), t / np.pi], -1)
    return {
        "vertices": radius * normals.reshape(-1, 3),
        "faces": faces,
        "uv": uv.reshape(-1, 2),
        "normals": normals.reshape(-1, 3),
    }


def ball(radius: float = 0.1, rings: int = 16) -> dict[str, Any]:
    """A sphere without the slivers at its poles."""
    shape = sphere(radius, rings)
    places = shape["vertices"][shape["faces"]]
    area = np.linalg.norm(np.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]), axis=1)
    return {**shape, "faces": shape["faces"][area > 1e-6 * radius * radius]}


def revolved(profile: list[tuple[float, float]], segments: int = 96, turn: float = 0.0) -> dict[str, Any]:
    """A hull around the Y axis: `profile` gives (radius, height) from its foot up, evenly spaced along v.

    u runs once around from azimuth `turn` (degrees from +Z towards +X); v is 1 at the foot, 0 at the top.
    """
    rings = np.array(profile, float)
    phi = np.linspace(0, 2 * np.pi, segments + 1)
    around = np.stack(
        [np.sin(phi + np.radians(turn)), np.zeros_like(phi), np.cos(phi + np.radians(turn))], -1
    )
    vertices = rings[:, None, :1] * around + rings[:, None, 1:] * [0.0, 1.0, 0.0]
    slope = np.gradient(rings, axis=0)
    normals = slope[:, None, 1:] * around - slope[:, None, :1] * [0.0, 1.0, 0.0]
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    i, j = np.meshgrid(np.arange(len(rings) - 1), np.arange(segments), indexing="ij")
    a = (i * (segments + 1) + j).reshape(-1)
    b = a + segments + 1
    v = np.linspace(1, 0, len(rings))
    uv = np.stack(np.broadcast_arrays(phi[None] / (2 * np.pi), v[:, None]), -1)
    return {
        "vertices": vertices.reshape(-1, 3),
        "faces": np.concatenate([np.stack([a, a + 1, b], -1), np.stack([a + 1, b + 1, b], -1)]),
        "uv": uv.reshape(-1, 2),
        "normals": normals.reshape(-1, 3),
    }


def print_of(text: str, width: int = 512, height: int = 512, size: int = 96) -> NDArray[np.uint8]:
    """A white texture with one dark word in its middle."""
    image = Image.new("RGB", (width, height), (250, 250, 248))
    draw = ImageDraw.Draw(image)
    draw.text((width / 2, height / 2), text, (20, 30, 90), ImageFont.load_default(size), anchor="mm")
    return np.asarray(image)


#: Around the word of `print_of`, in texture space.
MIDDLE = ((0.1, 0.38), (0.9, 0.38), (0.9, 0.62), (0.1, 0.62))
