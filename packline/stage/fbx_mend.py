"""What assimp makes of an FBX, corrected by what the FBX itself says."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from packline.colour import to_linear
from packline.errors import GiveUp
from packline.stage.fbx_document import FbxDocument, FbxMaterial, FbxTexture
from packline.stage.files import companion
from packline.stage.textures import decode_image

_MAX_NODES = 100_000
#: Below this a material cannot be seen.
_INVISIBLE = 0.01
#: What a texture is for, by the property that it is connected to: Phong's, 3ds Max's and Maya's names.
_SLOTS = (
    ("opacity", re.compile(r"transparen|opacity|cutout", re.IGNORECASE)),
    ("emissive", re.compile(r"emissive|emission_?color|emit_color", re.IGNORECASE)),
    ("normal", re.compile(r"normalmap|norm(al)?_(map|camera)|normalcamera|tex_normal", re.IGNORECASE)),
    ("bump", re.compile(r"bump|displacement", re.IGNORECASE)),
    ("base", re.compile(r"^diffuse(color)?$|base_?colou?r|albedo|tex_color_map", re.IGNORECASE)),
)
_ALREADY_READABLE = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def mend(
    document: dict[str, Any], binary: bytes, source: FbxDocument, path: Path
) -> tuple[tuple[str, ...], bytes]:
    """Correct assimp's glTF in place: metres, Y up, flat nodes, true materials, textures embedded.

    Returns
    -------
    notes, binary
        What was approximated, and the new binary chunk.
    """
    mender = _Mender(document, binary, source, path)
    try:
        mender.run()
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise GiveUp(
            f"Model {path.name}: assimp made a broken file of it ({type(error).__name__}: {error}); "
            "export it as GLB."
        ) from error
    return tuple(dict.fromkeys(mender.notes)), mender.binary


class _Mender:
    def __init__(self, document: dict[str, Any], binary: bytes, source: FbxDocument, path: Path) -> None:
        self.json, self.binary, self.source, self.path = document, binary, source, path
        self.notes: list[str] = []
        self.extensions: set[str] = set()
        self.assimp_images: list[dict[str, Any]] = document.get("images", [])
        self.assimp_textures: list[dict[str, Any]] = document.get("textures", [])
        self.images: list[dict[str, Any]] = []
        self.textures: list[dict[str, Any]] = []
        self.embedded: dict[bytes, int] = {}

    def run(self) -> None:
        """All corrections."""
        if self.source.animated:
            self.notes.append("it is animated; the pose that it was saved in is drawn")
        if self.source.skinned:
            self.notes.append("it has a skeleton; the shape that it was modelled in is drawn")
        for key in ("skins", "animations", "cameras", "extensions"):
            self.json.pop(key, None)
        self._flatten()
        self._materials()
        self._colours()
        self.json["images"], self.json["textures"] = self.images, self.textures
        if self.binary:
            self.json["buffers"] = [{"byteLength": len(self.binary)}]
        self.json["extensionsUsed"] = sorted(self.extensions)
        self.json.pop("extensionsRequired", None)

    # nodes

    def _flatten(self) -> None:
        """One root node for each mesh that is to be seen, in metres and with Y up.

        assimp makes a node of every step of an FBX transform, and leaves unit and axes alone.
        """
        nodes = self.json.get("nodes", [])
        upright = np.eye(4)
        upright[:3, :3] = self.source.axes * self.source.unit
        roots = self.json["scenes"][self.json.get("scene", 0)].get("nodes", [])
        queue = [(root, upright) for root in reversed(roots)]
        flat: list[dict[str, Any]] = []
        seen = 0
        while queue:
            index, parent = queue.pop()
            seen += 1
            if seen > _MAX_NODES:
                raise GiveUp(f"Model {self.path.name}: it has more than {_MAX_NODES} nodes; join its parts.")
            node = nodes[index]
            world = parent @ _matrix(node)
            if "mesh" in node:
                if node.get("name") in self.source.hidden:
                    self.notes.append(f"its part {node['name']!r} is hidden in the file and not drawn")
                else:
                    flat.append(
                        {
                            "name": str(node.get("name", "")),
                            "mesh": node["mesh"],
                            "matrix": world.T.reshape(-1).tolist(),
                        }
                    )
            queue.extend((child, world) for child in reversed(node.get("children", [])))
        self.json["nodes"] = flat
        self.json["scenes"] = [{"nodes": list(range(len(flat)))}]
        self.json["scene"] = 0

    # materials

    def _materials(self) -> None:
        materials = self.json.get("materials", [])
        by_name = [self._named(str(material.get("name", ""))) for material in materials]
        known = [material for material in by_name if material is not None]
        invisible = bool(known) and all(_opacity(material) < _INVISIBLE for material in known)
        if invisible:
            # exporters disagree about which way transparency runs, and nobody sells an invisible product
            self.notes.append("by its file all of it is invisible; it is drawn opaque")
        for index, said in enumerate(by_name):
            materials[index] = self._material(materials[index], said, 1.0 if invisible else None)

    def _named(self, name: str) -> FbxMaterial | None:
        # assimp calls one without a name "material"
        found = [material for material in self.source.materials if (material.name or "material") == name]
        if any(material != found[0] for material in found[1:]):
            raise GiveUp(
                f"Model {self.path.name}: it has several materials that are all called {name!r} but differ; "
                "rename them."
            )
        if not found and self.source.materials and name != "DefaultMaterial":
            raise GiveUp(
                f"Model {self.path.name}: assimp speaks of a material {name!r} that the file lacks; export "
                "it as GLB."
            )
        return found[0] if found else None

    def _material(
        self, made: dict[str, Any], said: FbxMaterial | None, opacity: float | None
    ) -> dict[str, Any]:
        pbr = made.get("pbrMetallicRoughness") or {}
        name = str(made.get("name", ""))
        base = [float(value) for value in pbr.get("baseColorFactor", (1, 1, 1, 1))]
        if said is None:
            self.notes.append("a part has no material; it is drawn as matte light grey")
            return {
                "name": name,
                "pbrMetallicRoughness": _matte([0.8, 0.8, 0.8, 1.0], 0.6),
                "doubleSided": True,
            }
        slots = self._slots(said)
        alpha = _opacity(said) if opacity is None else opacity
        # a texture takes the colour's place; the 0.8 that is left beside it is not meant to darken it
        colour = [1.0, 1.0, 1.0] if "base" in slots else [min(max(value, 0.0), 1.0) for value in base[:3]]
        roughness = min(max(float(pbr.get("roughnessFactor", 0.6)), 0.05), 1.0)
        self.notes.append("FBX carries no metal or roughness; its materials are drawn as matte plastic")
        # Phong materials have no such notion: FBX meshes are often open and meant to be seen from both sides
        new: dict[str, Any] = {
            "name": name,
            "pbrMetallicRoughness": _matte([*colour, alpha], roughness),
            "doubleSided": True,
        }
        if "base" in slots:
            used = self._texture(slots["base"], pbr.get("baseColorTexture"), said.name)
            new["pbrMetallicRoughness"]["baseColorTexture"] = used
        if "normal" in slots:
            new["normalTexture"] = self._texture(slots["normal"], made.get("normalTexture"), said.name)
        self._emission(new, made, said, slots.get("emissive"))
        if alpha < 1 or self._cut_out(said, slots):
            new["alphaMode"] = "BLEND"
        return new

    def _slots(self, said: FbxMaterial) -> dict[str, FbxTexture]:
        if said.layered:
            raise GiveUp(
                f"Model {self.path.name}: material {said.name!r} lays several textures over each other; bake "
                "them to one."
            )
        slots: dict[str, FbxTexture] = {}
        for link, texture in said.textures.items():
            slot = next((slot for slot, pattern in _SLOTS if pattern.search(link)), "")
            if slot in ("", "bump"):
                self.notes.append(f"material {said.name!r}: its texture on {link or 'nothing'} is not drawn")
            else:
                slots.setdefault(slot, texture)
        return slots

    def _emission(
        self, new: dict[str, Any], made: dict[str, Any], said: FbxMaterial, texture: FbxTexture | None
    ) -> None:
        strength = said.number("EmissiveFactor", 1.0) or 0.0
        colour = said.properties.get("EmissiveColor")
        if texture is not None:
            # assimp multiplies it with the colour whose place it takes, which may be black
            new["emissiveTexture"] = self._texture(texture, made.get("emissiveTexture"), said.name)
            colour = (1.0, 1.0, 1.0)
        elif colour is None or len(colour) < 3:
            colour, strength = said.properties.get("Emissive", (0.0, 0.0, 0.0)), 1.0
        elif min(colour) * strength > 0.99:
            self.notes.append(
                f"material {said.name!r} glows white by its file, which is taken for a left-over"
            )
            return
        glow = [max(float(value) * strength, 0.0) for value in colour[:3]]
        most = max(glow, default=0.0)
        if most > 1:
            self.extensions.add("KHR_materials_emissive_strength")
            new["extensions"] = {"KHR_materials_emissive_strength": {"emissiveStrength": most}}
            glow = [value / most for value in glow]
        if most > 0:
            new["emissiveFactor"] = glow

    def _cut_out(self, said: FbxMaterial, slots: dict[str, FbxTexture]) -> bool:
        """Whether the base colour's alpha channel is its opacity."""
        opacity, base = slots.get("opacity"), slots.get("base")
        if opacity is None:
            return False
        same = base is not None and base.content == opacity.content
        if base is None or not same or base.file.casefold() != opacity.file.casefold():
            raise GiveUp(
                f"Model {self.path.name}: material {said.name!r} has its transparency in a texture of its "
                f"own ({opacity.file!r}); put it into the alpha channel of its base colour."
            )
        pixels, _ = decode_image(self._bytes(base), f"texture {base.file!r}", self.path.name)
        return bool(pixels[..., 3].min() < 255)

    # textures

    def _texture(self, texture: FbxTexture, made: dict[str, Any] | None, material: str) -> dict[str, Any]:
        """A texture reference to the picture that the FBX names, on the UV set that assimp found for it."""
        if texture.moved:
            raise GiveUp(
                f"Model {self.path.name}: material {material!r} shifts or turns its texture "
                f"{texture.file!r}, which programs read differently; bake it into the UV."
            )
        index = self._image(texture)
        self.textures.append({"source": index})
        info: dict[str, Any] = {"index": len(self.textures) - 1}
        if made is not None:
            info["texCoord"] = int(made.get("texCoord", 0))
        if texture.scale != (1.0, 1.0):
            # v runs up in FBX and down in glTF: 1 - s (1 - v)
            self.extensions.add("KHR_texture_transform")
            across, down = texture.scale
            info["extensions"] = {
                "KHR_texture_transform": {"scale": [across, down], "offset": [0.0, 1.0 - down]}
            }
        return info

    def _image(self, texture: FbxTexture) -> int:
        data = self._bytes(texture)
        if data not in self.embedded:
            if data.startswith(_ALREADY_READABLE):
                kept = data
            else:
                # TGA, BMP and others, which glTF does not know
                pixels, _ = decode_image(data, f"texture {texture.file!r}", self.path.name)
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
                kept = buffer.getvalue()
            kind = "image/jpeg" if kept.startswith(b"\xff\xd8") else "image/png"
            self.images.append({"name": texture.file, "mimeType": kind, "bufferView": self._view(kept)})
            self.embedded[data] = len(self.images) - 1
        return self.embedded[data]

    def _bytes(self, texture: FbxTexture) -> bytes:
        if texture.content:
            return texture.content
        if not texture.file:
            raise GiveUp(
                f"Model {self.path.name}: a texture of it has no file; embed it or export it as GLB."
            )
        try:
            return companion(self.path, texture.file, "texture").read_bytes()
        except GiveUp as error:
            raise GiveUp(str(error).replace("beside the model.", "beside the model or embed it.")) from error

    def _view(self, data: bytes) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        views = self.json.setdefault("bufferViews", [])
        views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)})
        self.binary += data
        return len(views) - 1

    # vertex colours

    def _colours(self) -> None:
        """Vertex colours as glTF means them, linear and multiplied; not over a texture, which hides them."""
        for mesh in self.json.get("meshes", []):
            for primitive in mesh["primitives"]:
                primitive.pop("extensions", None)
                attributes = primitive["attributes"]
                for key in [key for key in attributes if key.startswith(("JOINTS_", "WEIGHTS_", "COLOR_"))]:
                    if key != "COLOR_0":
                        attributes.pop(key)
                if "COLOR_0" not in attributes:
                    continue
                index = primitive.get("material")
                material = self.json["materials"][index] if index is not None else {}
                pbr = material.get("pbrMetallicRoughness", {})
                if "baseColorTexture" in pbr:
                    attributes.pop("COLOR_0")
                    self.notes.append("it has vertex colours under a texture, which are not drawn")
                    continue
                colours = self._floats(attributes["COLOR_0"])
                if np.ptp(colours[:, :3], axis=0).max() < 1e-3 and colours[:, :3].min() > 0.99:
                    attributes.pop("COLOR_0")
                    continue
                colours[:, :3] = to_linear(np.clip(colours[:, :3], 0, 1))
                attributes["COLOR_0"] = self._array(colours)
                base = pbr.get("baseColorFactor", [1, 1, 1, 1])
                if max(base[:3]) - min(base[:3]) < 0.02:
                    pbr["baseColorFactor"] = [1.0, 1.0, 1.0, base[3]]
                self.notes.append("it has vertex colours, which are drawn as sRGB over a white base")

    def _floats(self, index: int) -> NDArray[np.float32]:
        """An accessor's values; assimp packs them tightly, in floats or normalised integers."""
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width = {"VEC3": 3, "VEC4": 4}[accessor["type"]]
        kind, one = {5121: ("<u1", 255.0), 5123: ("<u2", 65535.0), 5126: ("<f4", 1.0)}[
            accessor["componentType"]
        ]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        values = np.frombuffer(self.binary, kind, accessor["count"] * width, start).reshape(-1, width)
        return np.asarray(values / one, np.float32)

    def _array(self, values: NDArray[np.float32]) -> int:
        self.json["accessors"].append(
            {
                "bufferView": self._view(np.ascontiguousarray(values, "<f4").tobytes()),
                "componentType": 5126,
                "count": len(values),
                "type": "VEC3" if values.shape[1] == 3 else "VEC4",
            }
        )
        return len(self.json["accessors"]) - 1


def _matte(colour: list[float], roughness: float) -> dict[str, Any]:
    return {"baseColorFactor": colour, "metallicFactor": 0.0, "roughnessFactor": roughness}


def _opacity(said: FbxMaterial) -> float:
    """How opaque a material is, from what exporters write about it.

    "Opacity" where it stands: the FBX SDK, Blender and Maya write it. Else 1 - factor x colour as the SDK
    computes it. A factor of 1 alone is what Maya writes beside opaque materials.
    """
    opacity = said.number("Opacity")
    if opacity is None:
        factor, colour = said.number("TransparencyFactor"), said.number("TransparentColor")
        if factor is None or (colour is None and factor >= 1):
            opacity = 1.0
        else:
            opacity = 1.0 - factor * (1.0 if colour is None else colour)
    return min(max(opacity, 0.0), 1.0)


def _matrix(node: dict[str, Any]) -> NDArray[np.float64]:
    """A node's transform, shape (4, 4)."""
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = (float(value) for value in node.get("rotation", (0, 0, 0, 1)))
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= np.array(node.get("scale", (1, 1, 1)), float)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
