"""Text truth: project every annotated label into a view.

A label is a quad in texture space. A regular grid over it is lifted onto the triangles that carry that
part of the texture, projected by the camera and tested against the depth map. From the projected grid
follow where the label is, which way it runs, how much of it shows and how large it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_srgb
from packline.errors import GiveUp
from packline.stage.model import GBuffer, Part, ProductModel
from packline.stage.views import framed
from packline.truth import Label, Point, Quad, TextTruth, direction_words

COLUMNS, ROWS = 48, 16
#: Labels of which less than this share shows are not reported.
LEAST_VISIBLE = 0.02
#: At least this share of a label's quad must lie on the model.
LEAST_ON_MODEL = 0.5

Floats = NDArray[np.float64]
_DIRECTIONS = {direction_words(angle): float(angle) for angle in (0, 90, 180, 270)}


@dataclass(frozen=True)
class _Surface:
    """A label's grid in the world: positions and normals (ROWS, COLUMNS, 3), where it is on the model."""

    points: Floats
    normals: Floats
    valid: NDArray[np.bool_]
    double_sided: bool


@dataclass(frozen=True)
class _Projection:
    xy: Floats
    depth: Floats
    facing: Floats


def text_truth(model: ProductModel, camera: Camera, gbuffer: GBuffer) -> tuple[TextTruth, ...]:
    """What the view shows of each label.

    Parameters
    ----------
    model
        As drawn, in the world.
    camera, gbuffer
        The view and what the rasteriser saw in it.

    Returns
    -------
    tuple of TextTruth
        Labels of which the view shows at least a little. Where several surfaces carry the same part of the
        texture, the one that shows most counts.

    Raises
    ------
    GiveUp
        Where a label's quad lies on no triangle.
    """
    found = []
    for label in model.labels:
        views = [_seen(label, surface, camera, gbuffer) for surface in _lift(model, label)]
        best = max((view for view in views if view is not None), key=lambda view: view.visible, default=None)
        if best is not None:
            found.append(best)
    return tuple(found)


def apply_declared(model: ProductModel, declared: dict[str, str]) -> ProductModel:
    """Let labels read in the direction that the catalog declares.

    Parameters
    ----------
    declared
        For a label's id or text a direction: "left to right", "top to bottom", "right to left" or
        "bottom to top", as seen by somebody who stands before the label with the product upright.

    Returns
    -------
    ProductModel
        Its labels' quads are turned by quarter turns, so that truth follows the catalog.

    Raises
    ------
    GiveUp
        Where a label or a direction is unknown.
    """
    labels = list(model.labels)
    for name, direction in declared.items():
        if direction not in _DIRECTIONS:
            raise GiveUp(
                f"Label {name!r} is declared to run {direction!r}; declare one of {', '.join(_DIRECTIONS)}."
            )
        hits = [i for i, label in enumerate(labels) if name == label.id] or [
            i for i, label in enumerate(labels) if name == label.text
        ]
        if not hits:
            known = ", ".join(f"{label.id} ({label.text})" for label in labels) or "none"
            raise GiveUp(
                f"Label {name!r} is declared but the model has no such label (it has: {known}); correct it."
            )
        for index in hits:
            label = labels[index]
            angle, mirrored = natural_direction(model, label)
            turns = round((_DIRECTIONS[direction] - angle) / 90) * (-1 if mirrored else 1) % 4
            a, b, c, d = label.quad[turns:] + label.quad[:turns]
            labels[index] = replace(label, quad=(a, b, c, d), declared=direction)
    return replace(model, labels=tuple(labels))


def natural_direction(model: ProductModel, label: Label) -> tuple[float, bool]:
    """Reading direction of a label seen from before it, product upright, in degrees; whether mirrored."""
    surface = _lift(model, label)[0]
    camera = _facing_camera(surface, 256)
    projection = _project(surface, camera)
    seen = surface.valid & (projection.facing > 0.1)
    right, down = _steps(projection.xy)
    return _angle(right[seen] if seen.any() else right[surface.valid]), _is_mirrored(right, down, seen)


def label_camera(model: ProductModel, name: str, size: int) -> Camera:
    """A close-up camera that faces a label.

    Raises
    ------
    GiveUp
        Where the model has no such label.
    """
    for label in model.labels:
        if label.id == name:
            return _facing_camera(_lift(model, label)[0], size)
    known = ", ".join(label.id for label in model.labels) or "none"
    raise GiveUp(
        f"View label:{name} asks for a label that the model lacks (it has: {known}); correct the view."
    )


def _facing_camera(surface: _Surface, size: int) -> Camera:
    normal = surface.normals[surface.valid].mean(0)
    if np.linalg.norm(normal) < 0.1:
        # it runs all around: face its middle
        near = np.argwhere(surface.valid)
        row, column = near[np.abs(near - (ROWS / 2, COLUMNS / 2)).sum(1).argmin()]
        normal = surface.normals[row, column]
    outward = normal / np.linalg.norm(normal)
    front = surface.valid & (surface.normals @ outward > 0.1)
    return framed(surface.points[front if front.any() else surface.valid], outward, size)


# lifting from the texture to the world


def _lift(model: ProductModel, label: Label) -> list[_Surface]:
    """Every surface that carries the label, the best covered first; at least one."""
    edge = 1e-3
    s, t = np.meshgrid(np.linspace(edge, 1 - edge, COLUMNS), np.linspace(edge, 1 - edge, ROWS))
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    warp = cv2.getPerspectiveTransform(square, np.array(label.quad, np.float32)).astype(float)
    at = np.stack([s, t, np.ones_like(s)], -1).reshape(-1, 3) @ warp.T
    uv = at[:, :2] / at[:, 2:]
    surfaces = []
    for part in model.parts:
        if part.uv is None or (label.material and part.material.name != label.material):
            continue
        surfaces.extend(_surfaces(part, uv))
    joined = _joined(surfaces)
    joined.sort(key=lambda surface: -int(surface.valid.sum()))
    if not joined or joined[0].valid.mean() < LEAST_ON_MODEL:
        raise GiveUp(
            f"Label {label.id!r} ({label.text}): its quad lies on no triangle of the model; correct "
            f"its corners "
            "(u right, v down, from 0 to 1) in the sidecar."
        )
    return [surface for surface in joined if surface.valid.mean() >= LEAST_ON_MODEL]


def _surfaces(part: Part, uv: Floats) -> list[_Surface]:
    """Where one part carries the texture points `uv`, shape (ROWS * COLUMNS, 2)."""
    assert part.uv is not None
    triangles = part.uv[part.faces].astype(float)
    # textures repeat: move every triangle into the unit square
    triangles = triangles - np.floor(triangles.min(1) + 1e-6)[:, None]
    low, high = uv.min(0) - 1e-6, uv.max(0) + 1e-6
    near = np.flatnonzero((triangles.max(1) >= low).all(1) & (triangles.min(1) <= high).all(1))
    a = triangles[near, 0]
    ab, ac = triangles[near, 1] - a, triangles[near, 2] - a
    area = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    whole = np.abs(area) > 1e-16
    near, a, ab, ac, area = near[whole], a[whole], ab[whole], ac[whole], area[whole]
    hits: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]] = []
    for start in range(0, len(near), 2048):
        cut = slice(start, start + 2048)
        p = uv[:, None] - a[None, cut]
        w1 = (p[..., 0] * ac[cut, 1] - ac[cut, 0] * p[..., 1]) / area[cut]
        w2 = (ab[cut, 0] * p[..., 1] - p[..., 0] * ab[cut, 1]) / area[cut]
        point, triangle = np.nonzero((w1 >= -1e-5) & (w2 >= -1e-5) & (w1 + w2 <= 1 + 1e-5))
        weights = np.stack([w1[point, triangle], w2[point, triangle]], -1)
        hits.append((point, near[cut][triangle], weights))
    if not hits or not sum(len(hit[0]) for hit in hits):
        return []
    point = np.concatenate([hit[0] for hit in hits])
    face = np.concatenate([hit[1] for hit in hits])
    weights = np.concatenate([hit[2] for hit in hits])
    weights = np.column_stack([1 - weights.sum(1), weights])[..., None]
    corners = part.faces[face]
    positions = (part.vertices[corners].astype(float) * weights).sum(1)
    normals = (part.normals[corners].astype(float) * weights).sum(1)
    return _layers(part, point, positions, normals)


def _layers(part: Part, point: NDArray[np.int64], positions: Floats, normals: Floats) -> list[_Surface]:
    """Split the hits into surfaces: where parts of a mesh share texture, a point has several."""
    extent = float(np.ptp(part.vertices, axis=0).max())
    order = np.argsort(point, kind="stable")
    point, positions, normals = point[order], positions[order], normals[order]
    # a point on the edge of two triangles hits both at the same place
    doubled = np.zeros(len(point), bool)
    doubled[1:] = (point[1:] == point[:-1]) & (np.abs(positions[1:] - positions[:-1]).max(1) < 1e-4 * extent)
    point, positions, normals = point[~doubled], positions[~doubled], normals[~doubled]
    surfaces: list[_Surface] = []
    free = np.ones(len(point), bool)
    while free.any() and len(surfaces) < 8:
        where: dict[int, list[int]] = {int(p): [] for p in point[free]}
        for index in np.flatnonzero(free):
            where[int(point[index])].append(int(index))
        taken = _connected(where, positions) if max(map(len, where.values())) > 1 else np.flatnonzero(free)
        grid = np.zeros((ROWS * COLUMNS, 3))
        facing = np.zeros((ROWS * COLUMNS, 3))
        valid = np.zeros(ROWS * COLUMNS, bool)
        grid[point[taken]], facing[point[taken]], valid[point[taken]] = positions[taken], normals[taken], True
        facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
        free[taken] = False
        surfaces.append(
            _Surface(
                grid.reshape(ROWS, COLUMNS, 3),
                facing.reshape(ROWS, COLUMNS, 3),
                valid.reshape(ROWS, COLUMNS),
                part.material.double_sided or part.material.alpha_mode == "BLEND",
            )
        )
    return surfaces


def _connected(where: dict[int, list[int]], positions: Floats) -> NDArray[np.int64]:
    """From points with several hits each, those of one continuous surface: at each step the nearest hit."""
    start = min(where, key=lambda p: len(where[p]))
    chosen = {start: where[start][0]}
    queue = [start]
    while queue:
        here = queue.pop(0)
        row, column = divmod(here, COLUMNS)
        for r, c in ((row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)):
            there = r * COLUMNS + c
            if not (0 <= r < ROWS and 0 <= c < COLUMNS) or there in chosen or there not in where:
                continue
            place = positions[chosen[here]]
            chosen[there] = min(where[there], key=lambda i: float(np.abs(positions[i] - place).sum()))
            queue.append(there)
    return np.array(sorted(chosen.values()), np.int64)


def _joined(surfaces: list[_Surface]) -> list[_Surface]:
    """Join surfaces that each carry another piece of the label, such as two meshes that meet in it."""
    out: list[_Surface] = []
    for surface in surfaces:
        for index, other in enumerate(out):
            if not (other.valid & surface.valid).any():
                take = surface.valid[..., None]
                out[index] = _Surface(
                    np.where(take, surface.points, other.points),
                    np.where(take, surface.normals, other.normals),
                    other.valid | surface.valid,
                    other.double_sided or surface.double_sided,
                )
                break
        else:
            out.append(surface)
    return out


# measuring in a view


def _project(surface: _Surface, camera: Camera) -> _Projection:
    xy, depth = camera.project(_filled(surface.points, surface.valid))
    to_eye = np.asarray(camera.eye) - surface.points
    to_eye /= np.maximum(np.linalg.norm(to_eye, axis=-1, keepdims=True), 1e-12)
    return _Projection(xy, depth, (surface.normals * to_eye).sum(-1))


def _filled(points: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Positions for grid points beside the model: those of the nearest point on it."""
    if valid.all():
        return points
    rows, columns = np.nonzero(valid)
    out = points.copy()
    for row, column in np.argwhere(~valid):
        nearest = np.argmin(9 * (rows - row) ** 2 + (columns - column) ** 2)
        out[row, column] = points[rows[nearest], columns[nearest]]
    return out


def _seen(label: Label, surface: _Surface, camera: Camera, gbuffer: GBuffer) -> TextTruth | None:
    view = _project(surface, camera)
    visible = _visible(surface, view, camera, gbuffer)
    share = float(visible.sum() / surface.valid.sum())
    if share < LEAST_VISIBLE:
        return None
    right, down = _steps(view.xy)
    third = COLUMNS // 3
    start, end = visible.copy(), visible.copy()
    start[:, third:], end[:, :-third] = False, False
    angle = _angle(right[visible])
    columns = np.flatnonzero(visible.sum(0) >= 0.3 * max(int(visible.sum(0).max()), 1))
    first, last = int(columns[0]), int(columns[-1])
    shown = view.xy[:, first : last + 1]
    return TextTruth(
        label=label.id,
        text=label.text,
        quad=_corners(shown),
        outline=_outline(shown),
        angle=angle,
        angle_start=_angle(right[start]) if start.any() else angle,
        angle_end=_angle(right[end]) if end.any() else angle,
        mirrored=_is_mirrored(right, down, visible),
        visible=round(share, 4),
        span=(round(first / COLUMNS, 4), round((last + 1) / COLUMNS, 4)),
        height=round(float(np.median(np.linalg.norm(down[visible], axis=-1))) * (ROWS - 1), 2),
        contrast=_contrast(view.xy[visible], gbuffer),
        grid=tuple(tuple(_point(xy) for xy in row) for row in view.xy),
    )


def _visible(surface: _Surface, view: _Projection, camera: Camera, gbuffer: GBuffer) -> NDArray[np.bool_]:
    """Which grid points the depth map shows, shape (ROWS, COLUMNS)."""
    column, row = np.floor(view.xy[..., 0]).astype(int), np.floor(view.xy[..., 1]).astype(int)
    inside = (view.depth > 0) & (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    gap = np.full(view.depth.shape, np.inf)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r, c = np.clip(row + down, 0, camera.height - 1), np.clip(column + right, 0, camera.width - 1)
            depth = gbuffer.depth[r, c]
            gap = np.where(depth > 0, np.minimum(gap, np.abs(depth - view.depth)), gap)
    extent = float(np.ptp(surface.points[surface.valid], axis=0).max())
    # a pixel on a slope holds a range of depths
    slope = 1 / np.maximum(np.abs(view.facing), 0.1)
    tolerance = 1.5 * view.depth / camera.focal * slope + 2e-3 * extent
    faces = np.abs(view.facing) > 0.02 if surface.double_sided else view.facing > 0.02
    return np.asarray(surface.valid & inside & faces & (gap < tolerance))


def _steps(xy: Floats) -> tuple[Floats, Floats]:
    """Pixels from one grid point to the next, along the text and down it, each (ROWS, COLUMNS, 2)."""
    return np.gradient(xy, axis=1), np.gradient(xy, axis=0)


def _angle(steps: Floats) -> float:
    x, y = steps.sum(0)
    return round(float(np.degrees(np.arctan2(y, x))) % 360, 2) % 360


def _is_mirrored(right: Floats, down: Floats, seen: NDArray[np.bool_]) -> bool:
    turn = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    return bool(np.median(turn[seen]) < 0) if seen.any() else False


def _point(xy: Floats) -> Point:
    return round(float(xy[0]), 2), round(float(xy[1]), 2)


def _corners(grid: Floats) -> Quad:
    return _point(grid[0, 0]), _point(grid[0, -1]), _point(grid[-1, -1]), _point(grid[-1, 0])


def _outline(grid: Floats) -> tuple[Point, ...]:
    edge = [grid[0], grid[1:-1, -1], grid[-1, ::-1], grid[-2:0:-1, 0]]
    return tuple(_point(xy) for xy in np.concatenate(edge))


def _contrast(xy: Floats, gbuffer: GBuffer) -> float:
    """Difference in CIELAB lightness between the dark and the light tenth of the label's own colour."""
    colour = np.clip(gbuffer.albedo + gbuffer.emissive, 0, 1)
    at = xy.astype(np.float32)[None] - np.float32(0.5)
    samples = cv2.remap(colour, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(
        to_srgb(np.asarray(samples, np.float32)).astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB
    )
    light = np.sort(lab[..., 0].ravel())
    tenth = max(len(light) // 10, 1)
    return round(float(light[-tenth:].mean() - light[:tenth].mean()), 2)
