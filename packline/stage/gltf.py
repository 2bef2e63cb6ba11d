"""A strict look at a glTF file before anybody draws it.

trimesh reads what it can and drops the rest without a word. So the JSON is checked here first: what would
be drawn wrong is refused with a sentence, materials and images are read here, and trimesh gets a
geometry-only copy.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from packline.errors import GiveUp
from packline.stage.glb import MAX_BYTES, join_glb, parse_json, split_glb
from packline.stage.model import Material, Texture
from packline.stage.textures import MAX_TEXTURE_PIXELS, decode_image

MAX_TRIANGLES = 5_000_000
MAX_NODES = 20_000
MAX_DEPTH = 64
MAX_PRIMITIVES = 4_000

#: Extensions that are drawn right.
HANDLED = frozenset(
    {
        "KHR_texture_transform",
        "KHR_materials_unlit",
        "KHR_materials_emissive_strength",
        "EXT_texture_webp",
        "EXT_texture_avif",
        "KHR_mesh_quantization",
        "KHR_lights_punctual",
    }
)
#: Extensions that change the look only a little; drawn without, with a note.
APPROXIMATED = {
    "KHR_materials_transmission": "transmission is drawn as plain transparency",
    "KHR_materials_volume": "volume attenuation is not drawn",
    "KHR_materials_ior": "index of refraction is not drawn",
    "KHR_materials_clearcoat": "clearcoat is not drawn",
    "KHR_materials_sheen": "sheen is not drawn",
    "KHR_materials_specular": "specular strength is not drawn",
    "KHR_materials_iridescence": "iridescence is not drawn",
    "KHR_materials_anisotropy": "anisotropy is not drawn",
    "KHR_materials_dispersion": "dispersion is not drawn",
    "KHR_materials_diffuse_transmission": "diffuse transmission is not drawn",
    "KHR_materials_variants": "the default material variant is drawn",
}
#: Extensions without which the picture would be wrong; refused wherever they are used.
REFUSED = {
    "KHR_draco_mesh_compression": "export it without Draco compression",
    "EXT_meshopt_compression": "export it without meshopt compression",
    "KHR_meshopt_compression": "export it without meshopt compression",
    "KHR_texture_basisu": "export its textures as PNG, JPEG or WebP, not KTX2",
    "KHR_materials_pbrSpecularGlossiness": "convert its materials to metallic-roughness",
    "EXT_mesh_gpu_instancing": "export its instances as nodes",
}

_COMPONENTS: dict[int, tuple[int, float]] = {
    # component type: bytes, the value that stands for 1 where normalised
    5120: (1, 127.0),
    5121: (1, 255.0),
    5122: (2, 32767.0),
    5123: (2, 65535.0),
    5125: (4, 1.0),
    5126: (4, 1.0),
}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


@dataclass(frozen=True)
class Primitive:
    """What trimesh does not carry over for one primitive, found by the name of its geometry.

    Parameters
    ----------
    material
        Index into `Asset.materials`.
    scales
        What raw integers in "POSITION", "NORMAL", "_UV" and "_COLOUR" must be divided by.
    """

    name: str
    material: int
    scales: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Asset:
    """A checked glTF file.

    Parameters
    ----------
    glb
        Geometry only, for trimesh: one mesh a primitive, UV and colour as attributes "_UV" and "_COLOUR".
    materials
        The last one is glTF's default material.
    uv_transforms
        For each material, a matrix of shape (3, 3) to apply to its UV, or None.
    """

    glb: bytes
    primitives: dict[str, Primitive]
    materials: tuple[Material, ...]
    uv_transforms: tuple[NDArray[np.float64] | None, ...]
    notes: tuple[str, ...]


def read_gltf(path: Path) -> Asset:
    """Check a `.glb` or `.gltf` file and read its materials.

    Raises
    ------
    GiveUp
        With one sentence that names the file, what is wrong and how to mend it.
    """
    try:
        return _Reader(path).read()
    except (
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ValueError,
        struct.error,
        OverflowError,
    ) as error:
        raise GiveUp(
            f"Model {path.name}: its glTF structure is broken ({type(error).__name__}: {error}); "
            "check it with a glTF validator and export it again."
        ) from error


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.folder = path.parent.resolve()
        self.notes: list[str] = []
        self.pixels = 0
        self.images: dict[int, NDArray[np.uint8]] = {}
        self.buffers: dict[int, bytes] = {}
        data = path.read_bytes()
        self.chunk: bytes | None = None
        if data[:4] == b"glTF":
            self.json, self.chunk = split_glb(data, self.name)
        else:
            self.json = parse_json(data, self.name)

    def refuse(self, sentence: str) -> GiveUp:
        return GiveUp(f"Model {self.name}: {sentence}")

    def read(self) -> Asset:
        self._check_extensions()
        meshes, nodes = self.json.get("meshes", []), self.json.get("nodes", [])
        if not meshes or not nodes:
            raise self.refuse("it has no triangles; export the product's mesh with it.")
        if len(nodes) > MAX_NODES:
            raise self.refuse(f"it has {len(nodes)} nodes, more than {MAX_NODES}; join its parts.")
        self._check_depth(nodes)
        for index in range(len(self.json.get("buffers", []))):
            self._buffer(index)
        read = [self._material(m) for m in [*self.json.get("materials", []), {}]]
        primitives, new_meshes, owners = self._primitives(meshes, len(read) - 1)
        glb = self._geometry(new_meshes, owners, nodes)
        return Asset(
            glb=glb,
            primitives=primitives,
            materials=tuple(material for material, _ in read),
            uv_transforms=tuple(transform for _, transform in read),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _check_extensions(self) -> None:
        used = {*self.json.get("extensionsUsed", []), *self.json.get("extensionsRequired", [])}
        for name in sorted(used & REFUSED.keys()):
            raise self.refuse(f"it uses {name}, which is not read; {REFUSED[name]}.")
        for name in sorted(set(self.json.get("extensionsRequired", [])) - HANDLED - APPROXIMATED.keys()):
            raise self.refuse(f"it requires the extension {name}, which is not known; export it without.")
        for name in sorted(used & APPROXIMATED.keys()):
            self.notes.append(f"{name}: {APPROXIMATED[name]}")
        if self.json.get("skins"):
            self.notes.append("it has a skeleton; the pose it was modelled in is drawn")

    def _check_depth(self, nodes: list[dict[str, Any]]) -> None:
        scenes = self.json.get("scenes") or []
        if not scenes:
            raise self.refuse("it has no scene, so nothing would be drawn; export it again.")
        queue = [(root, 1) for root in scenes[self.json.get("scene", 0)].get("nodes", [])]
        parents: dict[int, int] = {}
        seen = 0
        while queue:
            index, depth = queue.pop()
            seen += 1
            if depth > MAX_DEPTH or seen > MAX_NODES:
                raise self.refuse("its node tree is too deep or runs in a circle; flatten it.")
            children = nodes[index].get("children", [])
            for child in children:
                if parents.setdefault(child, index) != index or not isinstance(child, int) or child < 0:
                    raise self.refuse("a node of it has two parents; export it again.")
            queue.extend((child, depth + 1) for child in children)

    def _buffer(self, index: int) -> bytes:
        if index not in self.buffers:
            entry = self.json["buffers"][index]
            if "uri" in entry:
                data = self._uri(entry["uri"], "buffer")
            elif index == 0 and self.chunk is not None:
                data = self.chunk
            else:
                raise self.refuse(f"its buffer {index} has no data; export it again.")
            if len(data) < entry["byteLength"]:
                raise self.refuse(f"its buffer {index} is cut off; copy the file again.")
            self.buffers[index] = data
        return self.buffers[index]

    def _uri(self, uri: str, what: str) -> bytes:
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.split(",", 1)[1], validate=True)
            except (IndexError, binascii.Error) as error:
                raise self.refuse(f"its embedded {what} is not valid base64; export it again.") from error
        relative = unquote(uri).replace("\\", "/")
        target = (self.folder / relative).resolve() if "\0" not in relative else self.folder
        if "://" in uri or not target.is_relative_to(self.folder) or target == self.folder:
            raise self.refuse(
                f"its {what} {uri[:80]!r} lies outside the model's folder; put it beside the model."
            )
        if not target.is_file():
            raise self.refuse(
                f"its {what} {relative[:80]!r} is missing; put it beside the model or embed it."
            )
        if target.stat().st_size > MAX_BYTES:
            raise self.refuse(f"its {what} {relative[:80]!r} is larger than {MAX_BYTES >> 20} MB; reduce it.")
        return target.read_bytes()

    def _view(self, index: int) -> bytes:
        view = self.json["bufferViews"][index]
        start, length = view.get("byteOffset", 0), view["byteLength"]
        data = self._buffer(view["buffer"])
        if start < 0 or length < 0 or start + length > len(data):
            raise self.refuse(f"its buffer view {index} reaches beyond its buffer; export it again.")
        return data[start : start + length]

    # materials

    def _material(self, data: dict[str, Any]) -> tuple[Material, NDArray[np.float64] | None]:
        name = str(data.get("name", ""))
        pbr = data.get("pbrMetallicRoughness") or {}
        extensions = data.get("extensions") or {}
        transforms: list[tuple[str, tuple[float, ...]]] = []

        def texture(owner: dict[str, Any], key: str) -> Texture | None:
            info = owner.get(key)
            if info is None:
                return None
            transforms.append((key, self._placement(info)))
            return Texture(self._texture(info, name))

        def share(owner: dict[str, Any], key: str) -> float:
            value = float(owner.get(key, 1))
            if not -0.01 <= value <= 1.01:
                raise self.refuse(
                    f"material {name!r} has a {key} of {value:g}, allowed is 0 to 1; correct it."
                )
            return min(max(value, 0.0), 1.0)

        alpha = str(data.get("alphaMode", "OPAQUE"))
        if alpha not in ("OPAQUE", "MASK", "BLEND"):
            raise self.refuse(f"material {name!r} has the unknown alpha mode {alpha!r}; export it again.")
        base = _numbers(pbr.get("baseColorFactor", (1, 1, 1, 1)), 4)
        if min(base) < 0 or max(base) > 1.01:
            raise self.refuse(f"material {name!r} has a base colour outside 0 to 1; correct it.")
        transmission = float(
            (extensions.get("KHR_materials_transmission") or {}).get("transmissionFactor", 0)
        )
        if transmission > 0:
            # what shines through is tinted by the base colour: the darker that is, the less there is to see
            clear = 0.8 * transmission * min(max(base[:3]), 1.0) ** 0.5
            alpha, base = "BLEND", (*base[:3], base[3] * (1 - clear))
        strength = float((extensions.get("KHR_materials_emissive_strength") or {}).get("emissiveStrength", 1))
        red, green, blue = _numbers(data.get("emissiveFactor", (0, 0, 0)), 3)
        unlit = "KHR_materials_unlit" in extensions
        result = Material(
            name=name,
            base_colour=(base[0], base[1], base[2], base[3]),
            texture=texture(pbr, "baseColorTexture"),
            metallic=0.0 if unlit else share(pbr, "metallicFactor"),
            roughness=1.0 if unlit else share(pbr, "roughnessFactor"),
            alpha_mode=alpha,
            alpha_cutoff=float(data.get("alphaCutoff", 0.5)),
            double_sided=bool(data.get("doubleSided", False)),
            emissive=(red * strength, green * strength, blue * strength),
            emissive_texture=texture(data, "emissiveTexture"),
            surface_texture=None if unlit else texture(pbr, "metallicRoughnessTexture"),
            normal_texture=None if unlit else texture(data, "normalTexture"),
            normal_scale=float((data.get("normalTexture") or {}).get("scale", 1)),
        )
        placements = {placement for _, placement in transforms}
        if len(placements) > 1:
            raise self.refuse(
                f"material {name!r} places its textures differently "
                f"({', '.join(key for key, _ in transforms)}); bake them to one UV layout."
            )
        return result, _matrix(placements.pop()) if placements else None

    def _placement(self, info: dict[str, Any]) -> tuple[float, ...]:
        """UV set, offset, rotation and scale of one texture."""
        transform = (info.get("extensions") or {}).get("KHR_texture_transform") or {}
        uv_set = int(transform.get("texCoord", info.get("texCoord", 0)))
        offset = _numbers(transform.get("offset", (0, 0)), 2)
        scale = _numbers(transform.get("scale", (1, 1)), 2)
        return (uv_set, *offset, float(transform.get("rotation", 0)), *scale)

    def _texture(self, info: dict[str, Any], material: str) -> NDArray[np.uint8]:
        texture = self.json["textures"][info["index"]]
        extensions = texture.get("extensions") or {}
        source = texture.get("source")
        for name in ("EXT_texture_webp", "EXT_texture_avif"):
            if name in extensions:
                source = extensions[name]["source"]
        if source is None:
            raise self.refuse(
                f"a texture of material {material!r} has no image; export its textures as PNG or JPEG."
            )
        sampler = self.json["samplers"][texture["sampler"]] if "sampler" in texture else {}
        if 33648 in (sampler.get("wrapS"), sampler.get("wrapT")):
            self.notes.append(
                f"material {material!r}: a texture that mirrors where it repeats is repeated plainly"
            )
        return self._image(int(source))

    def _image(self, index: int) -> NDArray[np.uint8]:
        if index not in self.images:
            entry = self.json["images"][index]
            if "bufferView" in entry:
                data, label = (
                    self._view(entry["bufferView"]),
                    f"image {index} {entry.get('name', '')}".strip(),
                )
            else:
                data, label = self._uri(entry["uri"], "image"), f"image {str(entry['uri'])[:60]!r}"
            self.images[index], pixels = decode_image(data, label, self.name)
            self.pixels += pixels
            if self.pixels > MAX_TEXTURE_PIXELS:
                raise self.refuse("its textures together are too large; reduce them to 4096 px.")
        return self.images[index]

    # geometry

    def _primitives(
        self, meshes: list[dict[str, Any]], default: int
    ) -> tuple[dict[str, Primitive], list[dict[str, Any]], list[list[int]]]:
        """Every primitive as a mesh of its own; and for each old mesh the new ones' indices."""
        found: dict[str, Primitive] = {}
        new: list[dict[str, Any]] = []
        owners: list[list[int]] = []
        triangles = 0
        for m, mesh in enumerate(meshes):
            owners.append([])
            if any(float(weight) != 0 for weight in mesh.get("weights", [])):
                self.notes.append("it has morph targets; the shape it was modelled in is drawn")
            for p, primitive in enumerate(mesh["primitives"]):
                mode = primitive.get("mode", 4)
                if mode in (0, 1, 2, 3):
                    self.notes.append("it has lines or points, which are not drawn")
                    continue
                if mode == 6:
                    raise self.refuse("it has triangle fans, which are not read; export plain triangles.")
                attributes = primitive["attributes"]
                material = int(primitive.get("material", default))
                if not 0 <= material <= default:
                    raise self.refuse(
                        f"a primitive uses material {material}, which does not exist; export it again."
                    )
                uv_set = self._uv_set(material)
                sources = {
                    "POSITION": "POSITION",
                    "NORMAL": "NORMAL",
                    f"TEXCOORD_{uv_set}": "_UV",
                    "COLOR_0": "_COLOUR",
                }
                kept = {new: attributes[old] for old, new in sources.items() if old in attributes}
                scales = {name: self._scale(accessor) for name, accessor in kept.items()}
                count = self._count(kept["POSITION"])
                indices = primitive.get("indices")
                triangles += (self._count(indices) if indices is not None else count) // (
                    3 if mode == 4 else 1
                )
                name = f"{m}-{p}"
                entry: dict[str, Any] = {"attributes": kept, "mode": mode}
                if indices is not None:
                    self._scale(indices)
                    entry["indices"] = indices
                owners[-1].append(len(new))
                new.append({"name": name, "primitives": [entry]})
                found[name] = Primitive(name, material, scales)
        if triangles == 0:
            raise self.refuse("it has no triangles; export the product's mesh with it.")
        if triangles > MAX_TRIANGLES or len(new) > MAX_PRIMITIVES:
            raise self.refuse(
                f"it has {triangles} triangles in {len(new)} parts, more than {MAX_TRIANGLES} in "
                f"{MAX_PRIMITIVES}; "
                "reduce it."
            )
        return found, new, owners

    def _uv_set(self, material: int) -> int:
        materials = self.json.get("materials", [])
        if material >= len(materials):
            return 0
        data = materials[material]
        pbr = data.get("pbrMetallicRoughness") or {}
        infos = (
            pbr.get("baseColorTexture"),
            data.get("emissiveTexture"),
            pbr.get("metallicRoughnessTexture"),
            data.get("normalTexture"),
        )
        # all of one material's textures are placed alike, or it was refused before
        return next((int(self._placement(info)[0]) for info in infos if info is not None), 0)

    def _count(self, accessor: int) -> int:
        count = int(self.json["accessors"][accessor]["count"])
        if not 0 <= count <= 3 * MAX_TRIANGLES:
            raise self.refuse(f"it has an array of {count} values, more than {3 * MAX_TRIANGLES}; reduce it.")
        return count

    def _scale(self, index: int) -> float:
        """Check one accessor and say what its raw values must be divided by."""
        accessor = self.json["accessors"][index]
        if "sparse" in accessor:
            raise self.refuse(
                "it has sparse arrays, which are not read; export it without morph compression."
            )
        if "bufferView" not in accessor:
            raise self.refuse("it has an array without data; export it again without compression.")
        width, one = _COMPONENTS[accessor["componentType"]]
        items = _WIDTHS[accessor["type"]]
        view = self.json["bufferViews"][accessor["bufferView"]]
        stride, count = view.get("byteStride", width * items), self._count(index)
        end = accessor.get("byteOffset", 0) + stride * max(count - 1, 0) + width * items
        if count and (end > view["byteLength"] or len(self._view(accessor["bufferView"])) < end):
            raise self.refuse(f"its array {index} reaches beyond its data; export it again.")
        return one if accessor.get("normalized") else 1.0

    def _geometry(
        self, meshes: list[dict[str, Any]], owners: list[list[int]], nodes: list[dict[str, Any]]
    ) -> bytes:
        """The geometry-only GLB: one buffer, no materials, one mesh a primitive."""
        kept_nodes: list[dict[str, Any]] = []
        extra: list[dict[str, Any]] = []
        for index, node in enumerate(nodes):
            kept: dict[str, Any] = {
                key: node[key] for key in ("matrix", "translation", "rotation", "scale") if key in node
            }
            kept["name"] = f"n{index}"
            children = list(node.get("children", []))
            for new in owners[node["mesh"]] if "mesh" in node else []:
                children.append(len(nodes) + len(extra))
                extra.append({"name": f"n{len(nodes) + len(extra)}", "mesh": new})
            if children:
                kept["children"] = children
            kept_nodes.append(kept)
        binary, starts = b"", []
        for index in range(len(self.json.get("buffers", []))):
            starts.append(len(binary))
            data = self._buffer(index)
            binary += data + b"\0" * (-len(data) % 4)
        views = [
            {
                "buffer": 0,
                "byteOffset": view.get("byteOffset", 0) + starts[view["buffer"]],
                "byteLength": view["byteLength"],
                **({"byteStride": view["byteStride"]} if "byteStride" in view else {}),
            }
            for view in self.json["bufferViews"]
        ]
        document = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": self.json["scenes"][self.json.get("scene", 0)].get("nodes", [])}],
            "nodes": kept_nodes + extra,
            "meshes": meshes,
            # trimesh reads every accessor, also those of animations and morphs that nobody draws
            "accessors": self.json["accessors"],
            "bufferViews": views,
            "buffers": [{"byteLength": len(binary)}],
        }
        return join_glb(document, binary)


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"expected {count} finite numbers, got {values}")
    return numbers


def _matrix(placement: tuple[float, ...]) -> NDArray[np.float64] | None:
    """KHR_texture_transform as a matrix: translation, rotation, scale."""
    _, x, y, angle, scale_x, scale_y = placement
    if (x, y, angle, scale_x, scale_y) == (0, 0, 0, 1, 1):
        return None
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    shift = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    return np.asarray(shift @ rotation @ np.diag([scale_x, scale_y, 1.0]))
