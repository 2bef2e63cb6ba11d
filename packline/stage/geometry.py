"""Parts in world space: transforms baked in, normals made where a file brings none, stood on the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.errors import GiveUp
from packline.stage.model import Floats, Material, Part, ProductModel, turned

#: What a product may measure, longest side in metres.
SMALLEST, LARGEST = 0.002, 50.0
#: Faces that meet at a sharper angle than this keep their edge where a file brings no normals.
CREASE_DEGREES = 40.0
#: Metres from the origin, before anything is moved.
_FARTHEST = 1e9
#: Where a texture has been repeated so often, UVs of 32 bits tell its texels no longer apart.
_LARGEST_UV = 1e5
#: More faces than this at one place (the hub of a fan) are compared with their mean instead of each other.
_CROWD = 256


def make_part(
    name: str,
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    normals: NDArray[np.float64] | None,
    uv: NDArray[Any] | None,
    colours: NDArray[Any] | None,
    material: Material,
    matrix: NDArray[np.float64],
    model: str,
    uv1: NDArray[Any] | None = None,
    smooth: bool = True,
    tangents: NDArray[Any] | None = None,
) -> Part | None:
    """One part in world space; None where no face has an area.

    Parameters
    ----------
    vertices, normals
        (N, 3) in the part's own space; None: normals are made from the faces.
    faces
        (F, 3), counter-clockwise seen from outside in the part's own space.
    uv, uv1
        As in `Part`, (N, 2), or None.
    colours
        Linear RGB or RGBA, (N, 3) or (N, 4), or None.
    matrix
        To world space, (4, 4); may mirror and shear.
    model
        The file's name, for sentences.
    smooth
        Whether normals that are made run smoothly over everything but sharp edges; else each face is flat.
    tangents
        As in `Part`, in the part's own space; left out where normals are made (glTF 2.0 section 3.7.2.1).

    Raises
    ------
    GiveUp
        Where a number is none, a face uses a vertex that does not exist or the matrix flattens the part.
    """
    if len(faces) == 0:
        return None
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise GiveUp(f"Model {model}: a triangle uses a vertex that does not exist; export it again.")
    for what, values in (
        ("position", vertices),
        ("normal", normals),
        ("UV", uv),
        ("UV", uv1),
        ("vertex colour", colours),
        ("tangent", tangents),
        ("node transform", matrix),
    ):
        if values is not None and not np.isfinite(values).all():
            raise GiveUp(
                f"Model {model}: it has a {what} that is not a number (NaN or infinite); mend the mesh."
            )
    for values in (uv, uv1):
        if values is not None and np.abs(values).max() > _LARGEST_UV:
            raise GiveUp(f"Model {model}: it has a UV of {np.abs(values).max():.3g}; unwrap it again.")
    linear = matrix[:3, :3]
    sizes = np.linalg.svd(linear, compute_uv=False)
    if sizes[2] <= 1e-9 * sizes[0]:
        raise GiveUp(
            f"Model {model}: a node scales its part to nothing; set the scale to 1 and export it again."
        )
    if colours is not None and colours.shape[1] == 3:
        colours = np.hstack([colours, np.ones((len(colours), 1))])
    world = vertices @ linear.T + matrix[:3, 3]
    if np.abs(world).max() > _FARTHEST:
        raise GiveUp(
            f"Model {model}: it has a corner {np.abs(world).max():.3g} m away; mend the mesh or its units."
        )
    mirrored = np.linalg.det(linear) < 0
    if mirrored:
        faces = faces[:, ::-1]
    if normals is None:
        tangents = None
    elif tangents is not None:
        # a mirror swaps sides
        tangents = turned(tangents, linear / sizes[0]) * ([1, 1, 1, -1] if mirrored else [1, 1, 1, 1])
    if normals is not None:
        # the inverse transpose, scaled so that small units do not lose its digits
        normals = _unit(normals @ np.linalg.inv(linear / sizes[0]))
        missing = ~normals.any(1)
        if missing.any():
            normals[missing] = _vertex_normals(world, faces)[missing]
    arrays: tuple[NDArray[Any] | None, ...] = (uv, uv1, colours)
    if normals is None:
        world, faces, normals, arrays = _with_normals(world, faces, arrays, smooth)
        if len(faces) == 0:
            return None

    def floats(values: NDArray[Any] | None) -> Floats | None:
        return None if values is None else np.ascontiguousarray(values, np.float32)

    return Part(
        name=name,
        vertices=np.ascontiguousarray(world, np.float32),
        normals=np.ascontiguousarray(normals, np.float32),
        faces=np.ascontiguousarray(faces, np.int64),
        material=material,
        uv=floats(arrays[0]),
        colours=floats(arrays[2]),
        uv1=floats(arrays[1]),
        tangents=floats(tangents),
    )


def join_parts(parts: Sequence[Part]) -> Part:
    """Instances of one part as one part."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])

    def together(arrays: list[Floats | None]) -> Floats | None:
        found = [array for array in arrays if array is not None]
        return np.concatenate(found) if found else None

    return replace(
        parts[0],
        vertices=np.concatenate([part.vertices for part in parts]),
        normals=np.concatenate([part.normals for part in parts]),
        faces=np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
        uv=together([part.uv for part in parts]),
        uv1=together([part.uv1 for part in parts]),
        colours=together([part.colours for part in parts]),
        tangents=together([part.tangents for part in parts]),
    )


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of unit length; what has no length becomes 0."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return np.asarray(np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), 0.0))


def _areas(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each face's normal, as long as twice its area."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    return np.asarray(np.cross(b - a, c - a))


def _vertex_normals(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean normal, by area, of each vertex's faces; up where they have none."""
    areas = _areas(vertices, faces)
    corners = faces.reshape(-1)
    total = np.stack(
        [
            np.bincount(corners, weights=np.repeat(areas[:, axis], 3), minlength=len(vertices))
            for axis in range(3)
        ],
        -1,
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(np.where(length > 0, total / np.where(length > 0, length, 1), [0.0, 1.0, 0.0]))


def _with_normals(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    arrays: tuple[NDArray[Any] | None, ...],
    smooth: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], tuple[NDArray[Any] | None, ...]]:
    """Normals made from the faces; each corner becomes its own vertex, faces without an area go."""
    area = _areas(vertices, faces)
    length = np.linalg.norm(area, axis=1)
    if not (length > 0).all():
        faces, area, length = faces[length > 0], area[length > 0], length[length > 0]
    unit = area / length[:, None]
    flat = faces.reshape(-1)
    if smooth and len(faces):
        # corners at the same place share a normal, also across UV seams
        low, high = vertices.min(0), vertices.max(0)
        grid = max(float((high - low).max()), 1e-12) * 1e-6
        x, y, z = np.round((vertices - low) / grid).astype(np.int64).T
        _, place = np.unique((x << 42) | (y << 21) | z, return_inverse=True)
        normals = _smooth(place.reshape(-1)[flat], np.repeat(area, 3, axis=0), np.repeat(unit, 3, axis=0))
    else:
        normals = np.repeat(unit, 3, axis=0)
    return (
        vertices[flat],
        np.arange(len(flat), dtype=np.int64).reshape(-1, 3),
        normals,
        tuple(None if values is None else values[flat] for values in arrays),
    )


def _smooth(
    place: NDArray[np.int64], area: NDArray[np.float64], unit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For every corner the mean normal, by area, of the faces at its place that lie within the crease angle.

    Parameters
    ----------
    place
        Which position each corner has, shape (N,).
    area, unit
        Its face's normal, by area and of unit length, shape (N, 3).
    """
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place)
    starts = np.cumsum(counts) - counts
    normals = np.empty_like(unit)
    cosine = np.cos(np.radians(CREASE_DEGREES))
    crowded = counts[place] > _CROWD
    if crowded.any():
        sums = [np.bincount(place, weights=area[:, axis], minlength=len(counts)) for axis in range(3)]
        mean = _long(np.stack(sums, -1))[place[crowded]]
        near = (unit[crowded] * mean).sum(1, keepdims=True) >= cosine
        normals[crowded] = np.where(near, mean, unit[crowded])
    few = np.flatnonzero(~crowded)
    # in pieces, so that a large mesh with many faces at one place needs little memory
    for corners in np.array_split(few, max(int(counts[place[few]].sum()) // 1_000_000, 1)):
        many = counts[place[corners]]
        mine = np.repeat(np.arange(len(corners)), many)
        step = np.arange(len(mine)) - np.repeat(np.cumsum(many) - many, many)
        other = order[starts[place[corners]][mine] + step]
        near = (unit[corners][mine] * unit[other]).sum(1) >= cosine
        for axis in range(3):
            normals[corners, axis] = np.bincount(
                mine[near], weights=area[other[near], axis], minlength=len(corners)
            )
    return np.where(normals.any(1, keepdims=True), _long(normals), unit)


def _long(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of unit length, however short they were."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1))


def stand_up(parts: tuple[Part, ...], front: float, name: str) -> tuple[Part, ...]:
    """Turn the front to +Z, centre the footprint, stand it on the ground."""
    if not parts:
        raise GiveUp(f"Model {name}: it has no triangles; export the product's mesh with it.")
    # vertices that no triangle uses must not move the product
    parts = tuple(_pruned(part) for part in parts)
    turn = np.eye(4)
    angle = -np.radians(front)
    turn[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    model = ProductModel(parts).transformed(turn) if front else ProductModel(parts)
    low, high = model.bounds
    extent = high - low
    longest = float(extent.max())
    if not np.isfinite(extent).all() or (np.sort(extent)[1:] <= longest * 1e-6).any():
        raise GiveUp(f"Model {name}: it has no size in two directions; export the product's whole mesh.")
    if np.abs(model.bounds).max() > 1e4 * longest:
        # further away, positions of 32 bits are too coarse for it
        raise GiveUp(
            f"Model {name}: it lies {np.abs(model.bounds).max():.3g} m from its own origin, but measures "
            f"{longest:.3g} m; move it there."
        )
    if not SMALLEST <= longest <= LARGEST:
        raise GiveUp(
            f"Model {name}: it measures {longest:.4g} m, allowed are {SMALLEST:g} to {LARGEST:g} m; "
            "set the units to metres and export it again."
        )
    shift = np.eye(4)
    shift[:3, 3] = [-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2]
    return model.transformed(shift).parts


def _pruned(part: Part) -> Part:
    used = np.zeros(len(part.vertices), bool)
    used[part.faces] = True
    if used.all():
        return part
    return replace(
        part,
        vertices=part.vertices[used],
        normals=part.normals[used],
        faces=(np.cumsum(used) - 1)[part.faces],
        uv=None if part.uv is None else part.uv[used],
        uv1=None if part.uv1 is None else part.uv1[used],
        colours=None if part.colours is None else part.colours[used],
        tangents=None if part.tangents is None else part.tangents[used],
    )
