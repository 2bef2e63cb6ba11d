"""Models bent, cut and added to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from packline.stage.model import Material, Part, ProductModel

Values = NDArray[np.float64]
#: From points (N, 3) to how far they move (N, 3).
Field = Callable[[Values], Values]

_MOST_FACES = 60_000


@dataclass(frozen=True)
class Ball:
    """Where something is done, in the model's space."""

    centre: Values
    radius: float

    def weight(self, points: Values) -> Values:
        """1 in the middle, 0 from the radius on, (N,)."""
        away = np.linalg.norm(points - self.centre, axis=-1) / self.radius
        return np.asarray(np.clip(1 - away**2, 0, 1) ** 2)


def waves(rng: np.random.Generator, length: float, count: int = 6) -> Field:
    """Smooth noise: sums of sines of about a wave length, each component of unit deviation."""
    ways = rng.normal(0, 1, (count, 3))
    ways *= (
        (2 * np.pi / length) * rng.uniform(0.7, 1.4, (count, 1)) / np.linalg.norm(ways, axis=1, keepdims=True)
    )
    phases = rng.uniform(0, 2 * np.pi, (count, 3))
    moves = rng.normal(0, 1, (count, 3))
    moves /= np.sqrt((moves**2).sum(0) / 2)

    def field(points: Values) -> Values:
        turns = points @ ways.T
        return np.asarray((np.sin(turns[..., None] + phases) * moves).sum(-2))

    return field


def bent(
    model: ProductModel, field: Field, about: Callable[[Values], NDArray[np.bool_]], fine: float
) -> ProductModel:
    """The model moved by a field.

    Parameters
    ----------
    about
        Which points (N, 3) the field may move: triangles there are divided first.
    fine
        How long their edges may be then.
    """
    return replace(model, parts=tuple(_moved(_divided(part, about, fine), field) for part in model.parts))


def cut_away(
    model: ProductModel, gone: Callable[[Values], NDArray[np.bool_]], fine: float
) -> ProductModel | None:
    """The model without the triangles whose middles are `gone`; its inside shows. None: nothing is left."""
    parts = []
    for part in model.parts:
        divided = _divided(part, gone, fine)
        kept = ~gone(divided.vertices[divided.faces].mean(1).astype(float))
        if kept.all():
            parts.append(part)
        elif kept.any():
            material = replace(part.material, double_sided=True)
            parts.append(replace(divided, faces=divided.faces[kept], material=material))
    return replace(model, parts=tuple(parts)) if parts else None


def without(model: ProductModel, index: int) -> ProductModel | None:
    """The model without one of its parts."""
    parts = tuple(part for number, part in enumerate(model.parts) if number != index)
    return replace(model, parts=parts) if parts else None


def pieces(part: Part) -> list[NDArray[np.bool_]]:
    """Which triangles hang together: bool (F,) for each piece, the largest first."""
    _, point = np.unique(np.round(part.vertices, 6), axis=0, return_inverse=True)
    faces = point.reshape(-1)[part.faces]
    count = int(faces.max()) + 1
    rows, columns = faces[:, [0, 1]].reshape(-1), faces[:, [1, 2]].reshape(-1)
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    _, label = connected_components(graph, directed=False)
    own = label[faces[:, 0]]
    numbers, sizes = np.unique(own, return_counts=True)
    return [own == number for number in numbers[np.argsort(-sizes)]]


def lump(
    rng: np.random.Generator,
    centre: Values,
    normal: Values,
    radius: float,
    colour: tuple[float, float, float],
) -> Part:
    """A foreign body that sticks out of a surface: a bent ball, box or rod.

    Parameters
    ----------
    colour
        Linear RGB.
    """
    import trimesh

    shape = int(rng.integers(3))
    if shape == 0:
        made = trimesh.creation.icosphere(3, radius)
    elif shape == 1:
        made = trimesh.creation.box(radius * np.array([1.5, 1.5, 1.5]) * rng.uniform(0.8, 1.2, 3))
        made = made.subdivide().subdivide().subdivide()
    else:
        made = trimesh.creation.cylinder(0.6 * radius, 2.4 * radius)
        made.apply_transform(_turn(rng))
        made = made.subdivide().subdivide()
    points = np.asarray(made.vertices, float)
    points = points + 0.12 * radius * waves(rng, 2 * radius)(points)
    made.vertices = points + centre + normal * radius * rng.uniform(0.2, 0.6)
    # corners of their own where it has edges
    flat = shape > 0
    faces = np.asarray(made.faces, np.int64)
    if flat:
        vertices = np.asarray(made.vertices, np.float32)[faces].reshape(-1, 3)
        normals = np.repeat(np.asarray(made.face_normals, np.float32), 3, 0)
        faces = np.arange(len(vertices), dtype=np.int64).reshape(-1, 3)
    else:
        vertices = np.asarray(made.vertices, np.float32)
        normals = np.asarray(made.vertex_normals, np.float32)
    red, green, blue = colour
    material = Material("foreign", (red, green, blue, 1.0), roughness=float(rng.uniform(0.3, 0.9)))
    return Part("foreign", vertices, normals, faces, material)


def _turn(rng: np.random.Generator) -> Values:
    """A random rotation, (4, 4)."""
    axes, _ = np.linalg.qr(rng.normal(0, 1, (3, 3)))
    turn = np.eye(4)
    turn[:3, :3] = axes * np.sign(np.linalg.det(axes))
    return turn


def _moved(part: Part, field: Field) -> Part:
    points = part.vertices.astype(float)
    moved = field(points)
    if not (np.abs(moved) > 0).any():
        return part
    step = 1e-4 * float(np.ptp(points, axis=0).max())
    jacobian = np.stack(
        [np.eye(3)[axis] + (field(points + step * np.eye(3)[axis]) - moved) / step for axis in range(3)], -1
    )
    # normals turn with the inverse transpose; where space folds over itself they stay
    good = np.abs(np.linalg.det(jacobian)) > 1e-3
    jacobian[~good] = np.eye(3)
    normals = np.einsum("nji,nj->ni", np.linalg.inv(jacobian), part.normals.astype(float))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return replace(
        part, vertices=(points + moved).astype(np.float32), normals=normals.astype(np.float32), tangents=None
    )


def _divided(part: Part, about: Callable[[Values], NDArray[np.bool_]], fine: float) -> Part:
    """The part with triangles near `about` divided until their edges are `fine`; it looks the same."""
    names = [name for name in ("normals", "uv", "uv1", "colours") if getattr(part, name) is not None]
    arrays = {name: np.asarray(getattr(part, name), np.float64) for name in names}
    arrays["vertices"] = part.vertices.astype(float)
    faces = part.faces
    for _ in range(7):
        corners = arrays["vertices"][faces]
        edges = np.linalg.norm(corners - np.roll(corners, -1, 1), axis=-1)
        looks = np.concatenate(
            [corners, corners.mean(1, keepdims=True), (corners + np.roll(corners, -1, 1)) / 2], 1
        )
        near = about(looks.reshape(-1, 3)).reshape(len(faces), -1).any(1)
        # a long triangle may reach into it between the points that are looked at
        near |= edges.max(1) > 8 * fine
        split = near & (edges.max(1) > fine)
        if not split.any() or len(faces) + 3 * split.sum() > _MOST_FACES:
            break
        faces, arrays = _quartered(faces, arrays, split)
    if len(faces) == len(part.faces):
        return part
    normals = arrays["normals"] / np.maximum(np.linalg.norm(arrays["normals"], axis=1, keepdims=True), 1e-9)
    single = {name: np.asarray(values, np.float32) for name, values in arrays.items()}
    return replace(
        part,
        faces=faces,
        vertices=single["vertices"],
        normals=normals.astype(np.float32),
        uv=single.get("uv"),
        uv1=single.get("uv1"),
        colours=single.get("colours"),
        tangents=None,
    )


def _quartered(
    faces: NDArray[np.int64], arrays: dict[str, Values], split: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], dict[str, Values]]:
    chosen = faces[split]
    edges = np.sort(np.stack([chosen, np.roll(chosen, -1, 1)], -1).reshape(-1, 2), 1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    start = len(arrays["vertices"])
    middle = start + inverse.reshape(-1, 3)
    arrays = {name: np.concatenate([values, values[unique].mean(1)]) for name, values in arrays.items()}
    a, b, c = chosen.T
    ab, bc, ca = middle.T
    new = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return np.concatenate([faces[~split], new]), arrays
