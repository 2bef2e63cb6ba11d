"""Altering GLB files: pictures, colours, triangles. No code of Packline's own reads or writes here."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GLB, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_COUNTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True)
class Glb:
    """A GLB's JSON and its binary chunk."""

    tree: dict[str, Any]
    data: bytes

    @staticmethod
    def read(file: Path) -> Glb:
        """Read a file of one binary chunk."""
        blob = file.read_bytes()
        magic, _, _ = struct.unpack_from("<III", blob, 0)
        if magic != _GLB:
            raise ValueError(f"{file.name} is no GLB")
        size, _ = struct.unpack_from("<II", blob, 12)
        tree = json.loads(blob[20 : 20 + size])
        at = 20 + size
        length, kind = struct.unpack_from("<II", blob, at)
        if kind != _BIN:
            raise ValueError(f"{file.name} has no binary chunk")
        return Glb(tree, blob[at + 8 : at + 8 + length])

    def write(self, file: Path) -> None:
        """Write it; whole or not at all is not needed here."""
        text = json.dumps(self.tree).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        size = 12 + 8 + len(text) + 8 + len(data)
        head = struct.pack("<IIIII", _GLB, 2, size, len(text), _JSON)
        file.write_bytes(head + text + struct.pack("<II", len(data), _BIN) + data)

    def base_image(self, material: int) -> int | None:
        """Index of the image that gives a material its base colour."""
        info = self.tree["materials"][material].get("pbrMetallicRoughness", {}).get("baseColorTexture")
        return None if info is None else int(self.tree["textures"][info["index"]]["source"])

    def picture(self, image: int) -> Image.Image:
        """An embedded picture."""
        view = self.tree["bufferViews"][self.tree["images"][image]["bufferView"]]
        start = int(view.get("byteOffset", 0))
        return Image.open(io.BytesIO(self.data[start : start + int(view["byteLength"])])).convert("RGB")

    def with_picture(self, image: int, picture: Image.Image) -> Glb:
        """The file with another picture in that one's place (appended as a new buffer view)."""
        out = io.BytesIO()
        picture.save(out, "PNG", compress_level=1)
        return self._with_view(image, out.getvalue())

    def _with_view(self, image: int, blob: bytes) -> Glb:
        tree = json.loads(json.dumps(self.tree))
        data = self.data + b"\0" * (-len(self.data) % 4)
        tree["bufferViews"].append({"buffer": 0, "byteOffset": len(data), "byteLength": len(blob)})
        tree["images"][image] = {"bufferView": len(tree["bufferViews"]) - 1, "mimeType": "image/png"}
        data += blob
        tree["buffers"][0]["byteLength"] = len(data)
        return Glb(tree, data)

    def array(self, accessor: int) -> NDArray[Any]:
        """An accessor's values, shape (count, components); a copy."""
        info = self.tree["accessors"][accessor]
        view = self.tree["bufferViews"][info["bufferView"]]
        kind, width = np.dtype(_TYPES[info["componentType"]]), _COUNTS[info["type"]]
        start = int(view.get("byteOffset", 0)) + int(info.get("byteOffset", 0))
        stride = int(view.get("byteStride", 0)) or kind.itemsize * width
        rows = np.ndarray((info["count"], width), kind, self.data, start, strides=(stride, kind.itemsize))
        return rows.copy()

    def with_array(self, accessor: int, values: NDArray[Any]) -> Glb:
        """The file with other values in an accessor of the same kind; the count may differ."""
        tree = json.loads(json.dumps(self.tree))
        info = tree["accessors"][accessor]
        blob = np.ascontiguousarray(values.astype(_TYPES[info["componentType"]])).tobytes()
        data = self.data + b"\0" * (-len(self.data) % 4)
        tree["bufferViews"].append({"buffer": 0, "byteOffset": len(data), "byteLength": len(blob)})
        info.update(bufferView=len(tree["bufferViews"]) - 1, byteOffset=0, count=len(values))
        if info["type"] == "VEC3":
            info["min"], info["max"] = values.min(0).tolist(), values.max(0).tolist()
        data += blob
        tree["buffers"][0]["byteLength"] = len(data)
        return Glb(tree, data)

    def primitives(self) -> list[dict[str, Any]]:
        """All primitives of all meshes, in the file's order; part of the tree."""
        return [primitive for mesh in self.tree["meshes"] for primitive in mesh["primitives"]]
