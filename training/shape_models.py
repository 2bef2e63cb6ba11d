"""Altered 3D models: parts missing, moved, added, melted, warped; lessons for the defect map."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.stage.model import Floats, Material, Part, ProductModel


def altered(
    model: ProductModel, variant: ProductModel, rng: np.random.Generator
) -> tuple[ProductModel | None, str]:
    """The model with one thing wrong, and what.

    Parameters
    ----------
    model
        As it should be, normalised.
    variant
        The same art on other proportions.

    Returns
    -------
    model
        None where the drawn alteration does not apply.
    kind
        "part missing", "hole", "melted", "warped foot", "part moved", "added", "other proportions".
    """
    kinds = {
        "part missing": 3.0 if len(model.parts) > 1 else 0.0,
        "hole": 1.0,
        "melted": 3.0,
        "warped foot": 1.5,
        "part moved": 1.5 if len(model.parts) > 1 else 0.0,
        "added": 1.5,
        "other proportions": 1.0,
    }
    weights = np.array(list(kinds.values()))
    kind = str(rng.choice(list(kinds), p=weights / weights.sum()))
    if kind == "other proportions":
        return variant, kind
    made = _ALTERATIONS[kind](model, rng)
    return made, kind


def _extent(model: ProductModel) -> float:
    low, high = model.bounds
    return float((high - low).max())


def _pick(model: ProductModel, rng: np.random.Generator, most: float = 0.75) -> int | None:
    """A part that is not most of the product."""
    areas = np.array([_area(part) for part in model.parts])
    share = areas / max(areas.sum(), 1e-12)
    fit = np.flatnonzero((share < most) & (share > 0.003))
    return int(rng.choice(fit)) if len(fit) else None


def _area(part: Part) -> float:
    a, b, c = (part.vertices[part.faces[:, i]] for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _without(model: ProductModel, rng: np.random.Generator) -> ProductModel | None:
    index = _pick(model, rng)
    if index is None:
        return None
    return replace(model, parts=tuple(part for i, part in enumerate(model.parts) if i != index))


def _holed(model: ProductModel, rng: np.random.Generator) -> ProductModel | None:
    """A bite: all faces within a ball vanish, of every part."""
    centre, reach = _somewhere(model, rng), _extent(model) * rng.uniform(0.06, 0.2)
    parts = []
    for part in model.parts:
        middle = part.vertices[part.faces].mean(1)
        keep = np.linalg.norm(middle - centre, axis=1) > reach
        if keep.any():
            parts.append(replace(part, faces=part.faces[keep]))
    return replace(model, parts=tuple(parts)) if parts else None


def _somewhere(model: ProductModel, rng: np.random.Generator) -> NDArray[Any]:
    """A point on the surface, mostly where it faces the front."""
    points = np.concatenate([part.vertices for part in model.parts])
    normals = np.concatenate([part.normals for part in model.parts])
    facing = np.flatnonzero(normals[:, 2] > 0.1)
    choice = facing if len(facing) and rng.random() < 0.8 else np.arange(len(points))
    return np.asarray(points[int(rng.choice(choice))])


def _wave(points: Floats, rng: np.random.Generator, size: float) -> NDArray[Any]:
    """A smooth random displacement of unit strength, (N, 3), whose bumps are `size` long."""
    out = np.zeros(points.shape)
    for _ in range(4):
        direction = rng.normal(0, 1, (3, 3)) / size * 1.6
        phase = rng.uniform(0, 2 * np.pi, 3)
        out += np.sin(points @ direction.T + phase)
    return np.asarray(out / 2.4)


def _bent(model: ProductModel, move: Any) -> ProductModel:
    """Every vertex moved by `move(points)`; normals follow the faces."""
    return replace(model, parts=tuple(_moved(part, move(part.vertices)) for part in model.parts))


def _moved(part: Part, by: NDArray[Any]) -> Part:
    vertices = (part.vertices + by).astype(np.float32)
    before, after = (_turns(points, part.faces) for points in (part.vertices, vertices))
    # keep what the artist smoothed: turn the normals as the faces around them turn
    normals = part.normals + 1.0 * (after - before)
    length = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    return replace(part, vertices=vertices, normals=(normals / length).astype(np.float32))


def _turns(vertices: Floats, faces: NDArray[np.int64]) -> NDArray[Any]:
    """Vertex normals from faces, weighted by area, unit length."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    across = np.cross(b - a, c - a)
    out = np.zeros(vertices.shape)
    for i in range(3):
        np.add.at(out, faces[:, i], across)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))


def _melted(model: ProductModel, rng: np.random.Generator) -> ProductModel:
    extent = _extent(model)
    strength = extent * rng.uniform(0.015, 0.07)
    seed, size = int(rng.integers(1 << 30)), extent * rng.uniform(0.1, 0.4)
    whole = rng.random() < 0.3
    centre, reach = _somewhere(model, rng), extent * rng.uniform(0.12, 0.4)
    droop = rng.random() < 0.4

    def move(points: Floats) -> NDArray[Any]:
        by = _wave(points, np.random.default_rng(seed), size) * strength
        if droop:
            by = by * 0.4
            by[:, 1] -= strength * 1.5
        if whole:
            return np.asarray(by)
        near = np.exp(-0.5 * (np.linalg.norm(points - centre, axis=1) / (0.6 * reach)) ** 2)
        return np.asarray(by * near[:, None])

    return _bent(model, move)


def _footed(model: ProductModel, rng: np.random.Generator) -> ProductModel:
    """The lowest part of the product warped, as models do with soles."""
    low, high = model.bounds
    extent, tall = _extent(model), float(high[1] - low[1])
    line = low[1] + tall * rng.uniform(0.12, 0.35)
    strength, size = extent * rng.uniform(0.02, 0.07), extent * rng.uniform(0.12, 0.4)
    seed = int(rng.integers(1 << 30))

    def move(points: Floats) -> NDArray[Any]:
        share = np.clip((line - points[:, 1]) / (0.12 * tall), 0, 1)
        return np.asarray(_wave(points, np.random.default_rng(seed), size) * strength * share[:, None])

    return _bent(model, move)


def _strayed(model: ProductModel, rng: np.random.Generator) -> ProductModel | None:
    index = _pick(model, rng, 0.6)
    if index is None:
        return None
    part = model.parts[index]
    middle = part.vertices.mean(0)
    extent = _extent(model)
    angle = np.radians(rng.uniform(-35, 35))
    c, s = np.cos(angle), np.sin(angle)
    axis = int(rng.integers(3))
    turn = {
        0: [[1, 0, 0], [0, c, -s], [0, s, c]],
        1: [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        2: [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]
    scale = float(np.exp(rng.normal(0, 0.25)))
    shift = rng.normal(0, 1, 3)
    shift *= extent * rng.uniform(0.02, 0.14) / np.linalg.norm(shift)
    matrix = np.asarray(turn)
    vertices = (part.vertices - middle) @ matrix.T * scale + middle + shift
    moved = replace(
        part, vertices=vertices.astype(np.float32), normals=(part.normals @ matrix.T).astype(np.float32)
    )
    return replace(model, parts=tuple(moved if i == index else p for i, p in enumerate(model.parts)))


def _added(model: ProductModel, rng: np.random.Generator) -> ProductModel | None:
    """A ball, a box, a rod or a copy of a part stuck to the surface."""
    import trimesh

    extent, place = _extent(model), _somewhere(model, rng)
    index = _pick(model, rng, 0.5)
    if index is not None and rng.random() < 0.35:
        part = model.parts[index]
        scale = rng.uniform(0.6, 1.0)
        by = place - part.vertices.mean(0)
        vertices = (part.vertices - part.vertices.mean(0)) * scale + part.vertices.mean(0) + by
        copy = replace(part, name=f"{part.name} again", vertices=vertices.astype(np.float32))
        return replace(model, parts=(*model.parts, copy))
    size = extent * rng.uniform(0.05, 0.14)
    shape = rng.integers(3)
    if shape == 0:
        mesh = trimesh.creation.icosphere(subdivisions=3, radius=size)
        mesh.vertices *= rng.uniform(0.5, 1.3, 3)
    elif shape == 1:
        mesh = trimesh.creation.box(size * rng.uniform(0.7, 2.2, 3))
    else:
        mesh = trimesh.creation.cylinder(size * 0.35, size * rng.uniform(2, 4))
    mesh.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    source = model.parts[int(rng.integers(len(model.parts)))].material
    colour = source.base_colour if rng.random() < 0.5 else (*rng.uniform(0.02, 0.9, 3), 1.0)
    material = Material(base_colour=tuple(float(v) for v in colour), roughness=float(rng.uniform(0.3, 0.8)))  # type: ignore[arg-type]
    mesh.unmerge_vertices()
    part = Part(
        "added",
        (mesh.vertices + place).astype(np.float32),
        np.asarray(mesh.vertex_normals, np.float32),
        np.asarray(mesh.faces, np.int64),
        material,
    )
    return replace(model, parts=(*model.parts, part))


_ALTERATIONS = {
    "part missing": _without,
    "hole": _holed,
    "melted": _melted,
    "warped foot": _footed,
    "part moved": _strayed,
    "added": _added,
}
