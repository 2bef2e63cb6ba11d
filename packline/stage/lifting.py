"""From the texture to the world: where a label's quad lies on the model's surfaces.

A regular grid over the quad is looked up in the triangles' UV. A point of the texture may lie on several
triangles: parts share a texture, halves are mirrored, textures repeat. What hangs together in space is one
surface; a label that crosses a UV seam or two meshes is put together again.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from packline.errors import GiveUp
from packline.stage.model import Part, ProductModel
from packline.truth import Label

COLUMNS, ROWS = 48, 16
#: At least this share of a label's quad must lie on the model.
LEAST_ON_MODEL = 0.5
#: A texture that repeats shows a label many times; more copies than this are not looked at.
MOST_COPIES = 64
_POINTS = ROWS * COLUMNS
# of the grid's step that the surface between two of its points may be longer than what UV says
_SLACK = 1.6

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Surface:
    """A label's grid in the world.

    Parameters
    ----------
    points, normals
        float64 (ROWS, COLUMNS, 3), metres and unit vectors; row 0 is the text's top.
    valid
        Where the grid lies on the model, bool (ROWS, COLUMNS).
    uv
        `Part.uv` there, float64 (ROWS, COLUMNS, 2): the quad's, less the texture's repetition.
    uv_steps
        Its change for one grid step right and one down, float64 (ROWS, COLUMNS, 2, 2).
    part
        Index into `ProductModel.parts`, int64 (ROWS, COLUMNS).
    both_sides
        Whether it can be seen from behind, bool (ROWS, COLUMNS).
    """

    points: Floats
    normals: Floats
    valid: NDArray[np.bool_]
    uv: Floats
    uv_steps: Floats
    part: Integers
    both_sides: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Hits:
    """Grid points found on triangles; `turned` says that the triangle shows the texture mirrored."""

    point: Integers
    positions: Floats
    normals: Floats
    uv: Floats
    uv_steps: Floats
    #: World metres for one grid step right and one down, (N, 2, 3).
    steps: Floats
    turned: NDArray[np.bool_]
    part: Integers

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> _Hits:
        return _Hits(*(values[which] for values in vars(self).values()))


# a model is looked at from many cameras, and its labels stay where they are
_LIFTED: dict[int, dict[Label, tuple[Surface, ...]]] = {}


def lift(model: ProductModel, label: Label) -> tuple[Surface, ...]:
    """Every surface that carries the label, the best covered first; at least one.

    Raises
    ------
    GiveUp
        Where less than half of the quad lies on the model.
    """
    if id(model) not in _LIFTED:
        _LIFTED[id(model)] = {}
        weakref.finalize(model, _LIFTED.pop, id(model), None)
    known = _LIFTED[id(model)]
    if label not in known:
        known[label] = _lift(model, label)
    return known[label]


def grid_of(quad: NDArray[np.float64] | Label) -> tuple[Floats, Floats]:
    """Texture coordinates of the grid over a quad, (ROWS, COLUMNS, 2), and its steps right and down.

    Returns
    -------
    uv
        float64 (ROWS, COLUMNS, 2); corners of the grid are corners of the quad.
    steps
        float64 (ROWS, COLUMNS, 2, 2): the change of (u, v) for one step right, then for one down.
    """
    corners = np.array(quad.quad if isinstance(quad, Label) else quad, np.float32)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    warp = cv2.getPerspectiveTransform(square, corners).astype(float)
    s, t = np.meshgrid(np.linspace(0, 1, COLUMNS), np.linspace(0, 1, ROWS))
    at = np.stack([s, t, np.ones_like(s)], -1) @ warp.T
    uv = at[..., :2] / at[..., 2:]
    return uv, np.stack([np.gradient(uv, axis=1), np.gradient(uv, axis=0)], -2)


def _lift(model: ProductModel, label: Label) -> tuple[Surface, ...]:
    uv, steps = grid_of(label)
    found: list[_Hits] = []
    for index in _carriers(model, label):
        found += _on_part(model.parts[index], index, uv.reshape(-1, 2), steps.reshape(-1, 2, 2))
    surfaces: list[Surface] = []
    if found:
        hits = _Hits(*(np.concatenate([vars(one)[name] for one in found]) for name in vars(found[0])))
        surfaces = _joined(_surfaces(model, hits))
    surfaces.sort(key=lambda surface: -int(surface.valid.sum()))
    if not surfaces or surfaces[0].valid.mean() < LEAST_ON_MODEL:
        raise GiveUp(
            f"Label {label.id!r} ({label.text}): its quad lies on no triangle of the model; correct its "
            "corners (u right, v down, from 0 to 1) in the sidecar."
        )
    return tuple(surface for surface in surfaces if surface.valid.mean() >= LEAST_ON_MODEL)


def _carriers(model: ProductModel, label: Label) -> list[int]:
    """Indices of the parts that may carry a label."""
    with_uv = [index for index, part in enumerate(model.parts) if part.uv is not None]
    if label.material:
        return [index for index in with_uv if model.parts[index].material.name == label.material]
    # only a texture can print a label
    printed = [
        index
        for index in with_uv
        if model.parts[index].material.texture is not None
        or model.parts[index].material.emissive_texture is not None
    ]
    return printed or with_uv


def _on_part(part: Part, index: int, uv: Floats, steps: Floats) -> list[_Hits]:
    """Where one part carries the texture points `uv`, shape (POINTS, 2), in every copy of its texture."""
    assert part.uv is not None
    triangles = part.uv[part.faces].astype(float)
    low, high = triangles.min(1), triangles.max(1)
    texture = part.material.texture
    wrap = texture.wrap if texture is not None else ("repeat", "repeat")
    reach = low.min(0), high.max(0)
    copies = [
        _copies(wrap[axis], uv[:, axis], float(reach[0][axis]), float(reach[1][axis])) for axis in (0, 1)
    ]
    found: list[_Hits] = []
    for sign_v, offset_v in copies[1]:
        for sign_u, offset_u in copies[0]:
            sign = np.array([sign_u, sign_v])
            raw = sign * uv + (offset_u, offset_v)
            near = np.flatnonzero((high >= raw.min(0) - 1e-6).all(1) & (low <= raw.max(0) + 1e-6).all(1))
            for start in range(0, len(near), 2048):
                hits = _in_triangles(part, index, near[start : start + 2048], triangles, raw, steps * sign)
                if len(hits.point):
                    found.append(hits)
            if len(found) >= MOST_COPIES:
                return found
    return found


def _copies(wrap: str, values: Floats, low: float, high: float) -> list[tuple[int, int]]:
    """How texture coordinates may lie in a part's UV: pairs of sign and offset."""
    if wrap == "clamp":
        return [(1, 0)]
    smallest, largest = float(values.min()), float(values.max())
    if wrap == "mirror":
        ways = [
            (1, n)
            for n in range(int(np.floor(low - largest)), int(np.ceil(high - smallest)) + 1)
            if n % 2 == 0
        ]
        return ways + [
            (-1, n)
            for n in range(int(np.floor(low + smallest)), int(np.ceil(high + largest)) + 1)
            if n % 2 == 0
        ]
    return [(1, n) for n in range(int(np.floor(low - largest)), int(np.ceil(high - smallest)) + 1)]


def _in_triangles(
    part: Part, index: int, near: Integers, triangles: Floats, uv: Floats, steps: Floats
) -> _Hits:
    """Every pair of a texture point and a triangle that holds it, from the triangles `near`."""
    a = triangles[near, 0]
    ab, ac = triangles[near, 1] - a, triangles[near, 2] - a
    area = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    whole = np.abs(area) > 1e-16
    near, a, ab, ac, area = near[whole], a[whole], ab[whole], ac[whole], area[whole]
    p = uv[:, None] - a[None]
    w1 = (p[..., 0] * ac[:, 1] - ac[:, 0] * p[..., 1]) / area
    w2 = (ab[:, 0] * p[..., 1] - p[..., 0] * ab[:, 1]) / area
    point, which = np.nonzero((w1 >= -1e-4) & (w2 >= -1e-4) & (w1 + w2 <= 1 + 1e-4))
    weights = np.stack([w1[point, which], w2[point, which]], -1)
    weights = np.column_stack([1 - weights.sum(1), weights])[..., None]
    corners = part.faces[near[which]]
    places = part.vertices[corners].astype(float)
    normals = (part.normals[corners].astype(float) * weights).sum(1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    # metres for u and for v, from the triangle's edges
    edges = np.stack([places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]], 1)
    inverse = (
        np.array([[ac[:, 1], -ab[:, 1]], [-ac[:, 0], ab[:, 0]]]).transpose(2, 0, 1) / area[:, None, None]
    )
    metres = inverse[which] @ edges
    # seen from outside, a triangle whose UV runs the other way shows the texture mirrored
    face = np.cross(edges[:, 0], edges[:, 1])
    turned = (area[which] > 0) == ((face * normals).sum(1) > 0)
    # a mirrored copy of the texture is mirrored once more
    turned ^= (steps[point, 0, 0] * steps[point, 1, 1] - steps[point, 0, 1] * steps[point, 1, 0]) < 0
    return _Hits(
        point=point,
        positions=(places * weights).sum(1),
        normals=normals,
        uv=uv[point],
        uv_steps=steps[point],
        steps=steps[point] @ metres,
        turned=turned,
        part=np.full(len(point), index, np.int64),
    )


def _surfaces(model: ProductModel, hits: _Hits) -> list[Surface]:
    """Split the hits into what hangs together in space."""
    hits = _single(hits, model)
    count = len(hits.point)
    # for every grid point its hits, as a table that is padded with -1
    order = np.argsort(hits.point, kind="stable")
    starts = np.searchsorted(hits.point[order], np.arange(_POINTS + 1))
    most = int(np.diff(starts).max())
    table = np.full((_POINTS, most), -1)
    for slot in range(most):
        some = np.flatnonzero(np.diff(starts) > slot)
        table[some, slot] = order[starts[some] + slot]
    grid = np.arange(_POINTS).reshape(ROWS, COLUMNS)
    pairs = []
    for axis, (here, there) in enumerate(((grid[:, :-1], grid[:, 1:]), (grid[:-1], grid[1:]))):
        pairs.append(_links(hits, table[here.reshape(-1)], table[there.reshape(-1)], axis))
    links = np.concatenate(pairs, 1)
    joined = coo_matrix((np.ones(links.shape[1], bool), (links[0], links[1])), (count, count))
    _, group = connected_components(joined, directed=False)
    sizes = np.bincount(group)
    largest = np.argsort(-sizes, kind="stable")[:MOST_COPIES]
    return [_surface(model, hits.take(group == one)) for one in largest if sizes[one] > 2]


def _single(hits: _Hits, model: ProductModel) -> _Hits:
    """Without doubles: a point on the edge of two triangles hits both at the same place."""
    low, high = model.bounds
    extent = float((high - low).max())
    order = np.lexsort((hits.turned, hits.point))
    hits = hits.take(order)
    double = np.zeros(len(order), bool)
    for back in (1, 2, 3):
        near = np.abs(hits.positions[back:] - hits.positions[:-back]).max(1) < 1e-5 * extent
        same = (hits.point[back:] == hits.point[:-back]) & (hits.turned[back:] == hits.turned[:-back])
        front = (hits.normals[back:] * hits.normals[:-back]).sum(1) > 0
        double[back:] |= same & near & front
    return hits.take(~double)


def _links(hits: _Hits, here: Integers, there: Integers, axis: int) -> Integers:
    """Pairs of hits at neighbouring grid points that lie beside each other, shape (2, N).

    Parameters
    ----------
    here, there
        For each pair of grid points the hits of the one and of the other, (P, M), -1 where there is none.
    axis
        0: `there` is right of `here`; 1: below it.
    """
    a, b = here[:, :, None], there[:, None, :]
    both = (a >= 0) & (b >= 0)
    pair, i, j = np.nonzero(both & (hits.turned[a] == hits.turned[b]))
    first, second = here[pair, i], there[pair, j]
    gap = hits.positions[second] - hits.positions[first]
    step = np.maximum(
        np.linalg.norm(hits.steps[first, axis], axis=-1), np.linalg.norm(hits.steps[second, axis], axis=-1)
    )
    near = np.linalg.norm(gap, axis=-1) <= _SLACK * step + 1e-9
    # where several come into question, the one where the surface should go on
    off = np.linalg.norm(gap - (hits.steps[first, axis] + hits.steps[second, axis]) / 2, axis=-1)
    pair, first, second, off = pair[near], first[near], second[near], off[near]
    best_first = np.full(len(hits.point), np.inf)
    best_second = np.full(len(hits.point), np.inf)
    np.minimum.at(best_first, first, off)
    np.minimum.at(best_second, second, off)
    mutual = (off <= best_first[first]) & (off <= best_second[second])
    return np.stack([first[mutual], second[mutual]])


def _surface(model: ProductModel, hits: _Hits) -> Surface:
    def spread(values: NDArray[np.generic], fill: float = 0) -> NDArray[np.generic]:
        grid = np.full((_POINTS, *values.shape[1:]), fill, values.dtype)
        grid[hits.point] = values
        return grid.reshape(ROWS, COLUMNS, *values.shape[1:])

    seen_from_behind = np.array(
        [part.material.double_sided or part.material.alpha_mode == "BLEND" for part in model.parts]
    )
    return Surface(
        points=np.asarray(spread(hits.positions), float),
        normals=np.asarray(spread(hits.normals), float),
        valid=np.asarray(spread(np.ones(len(hits.point), bool)), bool),
        uv=np.asarray(spread(hits.uv), float),
        uv_steps=np.asarray(spread(hits.uv_steps), float),
        part=np.asarray(spread(hits.part), np.int64),
        both_sides=np.asarray(spread(seen_from_behind[hits.part]), bool),
    )


def _joined(surfaces: list[Surface]) -> list[Surface]:
    """Join surfaces that carry neighbouring pieces of the label, such as two meshes that meet in it."""
    out: list[Surface] = []
    for surface in sorted(surfaces, key=lambda one: -int(one.valid.sum())):
        gaps = [_gap(other, surface) for other in out]
        nearest = int(np.argmin(gaps)) if gaps else 0
        if not gaps or not np.isfinite(gaps[nearest]):
            out.append(surface)
            continue
        other, mine = out[nearest], surface.valid
        out[nearest] = Surface(
            *(
                np.where(mine.reshape(mine.shape + (1,) * (new.ndim - 2)), new, old)
                for new, old in zip(vars(surface).values(), vars(other).values(), strict=True)
            )
        )
    return out


def _gap(one: Surface, other: Surface) -> float:
    """Metres between two surfaces where their pieces of the label meet; infinite where they do not belong."""
    if (one.valid & other.valid).any():
        return np.inf
    here, there = np.argwhere(one.valid), np.argwhere(other.valid)
    cells = np.abs(here[:, None] - there[None]).max(-1)
    metres = np.linalg.norm(one.points[one.valid][:, None] - other.points[other.valid][None], axis=-1)
    beside = cells <= 2
    if not beside.any():
        return np.inf
    # a crease, a slit or a stroke of glue between two meshes is allowed, the other end of the product not
    steps = np.linalg.norm(np.diff(one.points, axis=1)[one.valid[:, 1:] & one.valid[:, :-1]], axis=-1)
    fair = 4 * float(np.median(steps)) * 2 if len(steps) else np.inf
    gap = float(np.median(metres[beside]))
    return gap if gap <= fair else np.inf
