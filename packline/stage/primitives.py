"""A glTF's primitives: triangles with their attributes, decompressed, morphed and skinned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.stage.accessors import count_of, kind_of, normalised, read_array, read_whole
from packline.stage.compression import DracoMesh, decode_draco, draco_counts
from packline.stage.document import Document
from packline.stage.fields import Json, Malformed, entries, extension, flag, mapping, whole

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Geometry:
    """Triangles in their mesh's own space.

    Parameters
    ----------
    vertices, normals
        float64 (N, 3); normals are as the file has them, not of unit length, or None.
    faces
        int64 (F, 3); each index is below N.
    uv
        By the number of its set, float64 (N, 2).
    colours
        Linear RGBA, float64 (N, 4), 0 to 1, or None.
    joints, weights
        int64 and float64 (N, 4 k), or None where it has no skin.
    tangents
        float64 (N, 4), see `Part`, or None.
    """

    vertices: Array
    faces: NDArray[np.int64]
    normals: Array | None = None
    uv: dict[int, Array] = field(default_factory=dict)
    colours: Array | None = None
    joints: NDArray[np.int64] | None = None
    weights: Array | None = None
    tangents: Array | None = None


def triangle_count(document: Document, primitive: Json) -> int:
    """How many triangles a primitive draws, before anything of it is decoded; 0 for lines and points."""
    mode = whole(primitive, "mode", 4)
    if mode > 6:
        raise Malformed(f"mode is {mode}, which glTF does not know")
    if mode < 4:
        return 0
    attributes = mapping(primitive, "attributes")
    accessor = whole(primitive, "indices") if "indices" in primitive else whole(attributes, "POSITION")
    corners = count_of(document, accessor)
    if extension(primitive, "KHR_draco_mesh_compression") is not None:
        return max(corners // 3, 1)  # how many there really are, its own data say
    return corners // 3 if mode == 4 else max(corners - 2, 0)


def read_primitive(
    document: Document, primitive: Json, morph: tuple[float, ...], uv_sets: set[int]
) -> Geometry:
    """Decode one primitive; only vertices that a triangle uses are left.

    Parameters
    ----------
    morph
        Weights of its morph targets.
    uv_sets
        Those that its material needs; one that is missing is left out.

    Raises
    ------
    GiveUp, Malformed
        Where an array is broken, contradicts another or holds what is no number.
    """
    source = _Source(document, primitive)
    vertices = source.floats("POSITION", ("VEC3",))
    if vertices is None:
        raise document.refuse("a primitive of it has no positions; export it again.")
    geometry = Geometry(
        vertices=vertices,
        faces=_faces(document, primitive, source, len(vertices)),
        normals=source.floats("NORMAL", ("VEC3",)),
        uv={
            number: uv
            for number in sorted(uv_sets)
            if (uv := source.floats(f"TEXCOORD_{number}", ("VEC2",))) is not None
        },
        colours=_rgba(source.floats("COLOR_0", ("VEC3", "VEC4"))),
        tangents=source.floats("TANGENT", ("VEC4",)),
        **_skin(source),
    )
    for values in _per_vertex(geometry).values():
        if len(values) != len(vertices):
            raise document.refuse("the arrays of a primitive have different lengths; export it again.")
    if any(morph):
        geometry = _morphed(document, primitive, geometry, morph)
    geometry = pruned(geometry)
    for name, values in _per_vertex(geometry).items():
        if not np.isfinite(values).all():
            raise document.refuse(f"it has a {name} that is not a number (NaN or infinite); mend the mesh.")
    return geometry


def pruned(geometry: Geometry) -> Geometry:
    """Without the vertices that no triangle uses: they must neither move the product nor cost anything."""
    used = np.zeros(len(geometry.vertices), bool)
    used[geometry.faces] = True
    if used.all():
        return geometry
    place = np.cumsum(used) - 1
    return replace(_mapped(geometry, used), faces=place[geometry.faces])


def skinned(geometry: Geometry, joints: Array, document: Document) -> Geometry:
    """Moved by its skeleton as it stands, into world space (glTF 2.0 section 3.7.3.3).

    Parameters
    ----------
    joints
        World transform times inverse bind matrix of each joint, (J, 4, 4).
    """
    if not len(geometry.faces):
        return geometry
    if geometry.joints is None or geometry.weights is None:
        raise document.refuse("a mesh of it has a skeleton but no joints or weights; export it again.")
    if len(geometry.joints) and int(geometry.joints[geometry.weights > 0].max(initial=0)) >= len(joints):
        raise document.refuse("a mesh of it hangs on a joint that does not exist; export it again.")
    weights = np.maximum(geometry.weights, 0)
    total = weights.sum(1, keepdims=True)
    # a vertex that hangs on nothing follows its first joint, as in other viewers
    first = np.zeros_like(weights)
    first[:, 0] = 1
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1), first)
    flat = joints[:, :3].reshape(-1, 12)
    document.claim(len(weights) * 12 * 8)
    blend = np.zeros((len(weights), 12))
    for column in range(weights.shape[1]):
        blend += weights[:, column, None] * flat[np.minimum(geometry.joints[:, column], len(joints) - 1)]
    matrices = blend.reshape(-1, 3, 4)
    vertices = np.einsum("nij,nj->ni", matrices[:, :, :3], geometry.vertices) + matrices[:, :, 3]
    turns = matrices[:, :, :3]
    # the inverse transpose times the determinant, which exists also where a joint is scaled to nothing
    rows = [(1, 2), (2, 0), (0, 1)]
    cofactors = np.stack([np.cross(turns[:, a], turns[:, b]) for a, b in rows], axis=1)
    mirrored = np.median(np.einsum("ni,ni->n", turns[:, 0], cofactors[:, 0])) < 0
    normals = None
    if geometry.normals is not None:
        normals = np.einsum("nij,nj->ni", cofactors, geometry.normals) * (-1 if mirrored else 1)
    tangents = geometry.tangents
    if tangents is not None:
        along = np.einsum("nij,nj->ni", turns, tangents[:, :3])
        tangents = np.hstack([along, tangents[:, 3:] * (-1 if mirrored else 1)])
    faces = geometry.faces[:, ::-1] if mirrored else geometry.faces
    return replace(
        geometry,
        vertices=vertices,
        normals=normals,
        faces=faces,
        tangents=tangents,
        joints=None,
        weights=None,
    )


class _Source:
    """Where a primitive's arrays come from: accessors, or a Draco mesh."""

    def __init__(self, document: Document, primitive: Json) -> None:
        self.document = document
        self.accessors = mapping(primitive, "attributes")
        self.ids: Json = {}
        self.mesh: DracoMesh | None = None
        draco = extension(primitive, "KHR_draco_mesh_compression")
        if draco is not None:
            self.ids = mapping(draco, "attributes")
            view = document.view(whole(draco, "bufferView"))
            try:
                faces, points = draco_counts(bytes(view.data))
                document.claim(12 * faces + 32 * points)
                self.mesh = decode_draco(view.data)
            except ValueError as error:
                raise document.refuse(
                    f"its Draco data cannot be decoded ({error}); export it again, without Draco perhaps."
                ) from error

    def floats(self, name: str, types: tuple[str, ...]) -> Array | None:
        packed = self._packed(name, types)
        if packed is not None:
            # the accessor has no data then, but says what the numbers mean; Draco may hand them out as floats
            entry = self.document.entry("accessors", whole(self.accessors, name))
            return normalised(packed, kind_of(entry), flag(entry, "normalized"))
        if name not in self.accessors:
            return None
        return read_array(self.document, whole(self.accessors, name), types, name)

    def wholes(self, name: str) -> NDArray[np.int64] | None:
        packed = self._packed(name, ("VEC4",))
        if packed is not None:
            if packed.dtype.kind not in "iu":
                raise self.document.refuse(f"its {name} are not whole numbers; export it again.")
            return packed.astype(np.int64)
        if name not in self.accessors:
            return None
        return read_whole(self.document, whole(self.accessors, name), "VEC4", name)

    def _packed(self, name: str, types: tuple[str, ...]) -> NDArray[Any] | None:
        if self.mesh is None or name not in self.ids or name not in self.accessors:
            return None
        found = self.mesh.attributes.get(whole(self.ids, name))
        if found is None:
            raise self.document.refuse(f"its Draco data lacks {name}; export it again.")
        if found.ndim != 2 or f"VEC{found.shape[1]}" not in types:
            raise self.document.refuse(f"its Draco data has a {name} of another type; export it again.")
        return found


def _faces(document: Document, primitive: Json, source: _Source, vertices: int) -> NDArray[np.int64]:
    mode = whole(primitive, "mode", 4)
    if source.mesh is not None:
        if mode not in (4, 5):
            raise document.refuse("it has Draco data that is no triangles; export it again.")
        faces = source.mesh.faces  # the bitstream knows no strips
    elif "indices" in primitive:
        indices = read_whole(document, whole(primitive, "indices"), "SCALAR", "indices").reshape(-1)
        faces = _triangles(document, indices, mode)
    else:
        faces = _triangles(document, np.arange(vertices, dtype=np.int64), mode)
    if len(faces) and (int(faces.min()) < 0 or int(faces.max()) >= vertices):
        raise document.refuse("a triangle uses a vertex that does not exist; export it again.")
    # a strip turns its corners by repeating a vertex
    real = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return faces if real.all() else faces[real]


def _triangles(document: Document, indices: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    """Corners of plain triangles, a strip or a fan, in the order of glTF 2.0 section 3.7.2.1."""
    if mode == 4:
        if len(indices) % 3:
            raise document.refuse(f"{len(indices)} corners make no whole triangles; export it again.")
        return indices.reshape(-1, 3)
    steps = np.arange(max(len(indices) - 2, 0))
    if mode == 5:
        corners = np.stack([steps, steps + 1 + steps % 2, steps + 2 - steps % 2], -1)
    else:
        corners = np.stack([steps + 1, steps + 2, np.zeros_like(steps)], -1)
    return indices[corners].reshape(-1, 3)


def _skin(source: _Source) -> dict[str, Any]:
    joints, weights = [], []
    for number in range(4):
        if f"JOINTS_{number}" not in source.accessors or f"WEIGHTS_{number}" not in source.accessors:
            break
        joints.append(source.wholes(f"JOINTS_{number}"))
        weights.append(source.floats(f"WEIGHTS_{number}", ("VEC4",)))
    if not joints or len({len(values) for values in [*joints, *weights] if values is not None}) != 1:
        return {}
    return {
        "joints": np.hstack([values for values in joints if values is not None]),
        "weights": np.hstack([values for values in weights if values is not None]),
    }


def _rgba(colours: Array | None) -> Array | None:
    if colours is None:
        return None
    if colours.shape[1] == 3:
        colours = np.hstack([colours, np.ones((len(colours), 1))])
    return np.clip(colours, 0, 1)


def _morphed(document: Document, primitive: Json, geometry: Geometry, morph: tuple[float, ...]) -> Geometry:
    """With its targets added by weight (glTF 2.0 section 3.7.2.2)."""
    targets = entries(primitive, "targets")
    if len(targets) != len(morph):
        raise document.refuse(
            f"it has {len(targets)} morph targets but {len(morph)} weights; export it again."
        )
    vertices, normals, uv = geometry.vertices, geometry.normals, dict(geometry.uv)
    colours = geometry.colours
    for target, weight in zip(targets, morph, strict=True):
        if weight == 0:
            continue

        def moved(name: str, types: tuple[str, ...], base: Array, by: float, target: Json = target) -> Array:
            if name not in target:
                return base
            delta = read_array(document, whole(target, name), types, f"morph target's {name}")
            if len(delta) != len(base):
                raise document.refuse("a morph target has another number of vertices; export it again.")
            if delta.shape[1] < base.shape[1]:  # a colour without alpha
                delta = np.hstack([delta, np.zeros((len(delta), 1))])
            return base + by * delta

        vertices = moved("POSITION", ("VEC3",), vertices, weight)
        normals = None if normals is None else moved("NORMAL", ("VEC3",), normals, weight)
        uv = {number: moved(f"TEXCOORD_{number}", ("VEC2",), old, weight) for number, old in uv.items()}
        colours = None if colours is None else moved("COLOR_0", ("VEC3", "VEC4"), colours, weight)
    return replace(geometry, vertices=vertices, normals=normals, uv=uv, colours=_rgba(colours))


def _per_vertex(geometry: Geometry) -> dict[str, Array]:
    """Every array with a row for each vertex, by what a person calls it."""
    found: dict[str, Array | None] = {
        "position": geometry.vertices,
        "normal": geometry.normals,
        "vertex colour": geometry.colours,
        "joint weight": geometry.weights,
        "tangent": geometry.tangents,
        **{f"UV (set {number})": uv for number, uv in geometry.uv.items()},
    }
    return {name: values for name, values in found.items() if values is not None}


def _mapped(geometry: Geometry, which: NDArray[np.bool_]) -> Geometry:
    def chosen(values: Any) -> Any:
        return None if values is None else values[which]

    return replace(
        geometry,
        vertices=geometry.vertices[which],
        normals=chosen(geometry.normals),
        uv={number: uv[which] for number, uv in geometry.uv.items()},
        colours=chosen(geometry.colours),
        joints=chosen(geometry.joints),
        weights=chosen(geometry.weights),
        tangents=chosen(geometry.tangents),
    )
