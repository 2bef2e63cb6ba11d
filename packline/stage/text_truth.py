"""Text truth: project every annotated label into a view.

A label is a quad in texture space. A regular grid over it is lifted onto the triangles that carry that
part of the texture (`lifting`), projected by the camera and tested against what the rasteriser saw: depth,
part and texture coordinate. From the projected grid follow where the label is, which way it runs, how much of
it and which of its letters show, and how large it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.errors import GiveUp
from packline.stage.layers import flattened, layers_of
from packline.stage.lettering import contrast, letters, shown_text
from packline.stage.lifting import COLUMNS, ROWS, Surface, lift
from packline.stage.model import GBuffer, ProductModel
from packline.stage.views import framed
from packline.truth import Label, Point, Quad, TextTruth, direction_words

#: Labels of which less than this share shows are not reported.
LEAST_VISIBLE = 0.02
#: A see-through surface before a label hides it where it lets less than this share of light through.
LEAST_THROUGH = 0.15

Floats = NDArray[np.float64]
_DIRECTIONS = {direction_words(angle): float(angle) for angle in (0, 90, 180, 270)}
# how far in pixels the texture that a pixel shows may lie from where the label's point falls
_OFF_BY = 2.0


@dataclass(frozen=True, eq=False)
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
        The view and what the rasteriser saw in it, see-through layers included.

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
        views = [_seen(model, label, surface, camera, gbuffer) for surface in lift(model, label)]
        # of two that show alike, the nearer one is what is seen
        best = max(
            (view for view in views if view), key=lambda view: (view[0].visible, -view[1]), default=None
        )
        if best is not None:
            found.append(best[0])
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
    surface = lift(model, label)[0]
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
            return _facing_camera(lift(model, label)[0], size)
    known = ", ".join(label.id for label in model.labels) or "none"
    raise GiveUp(
        f"View label:{name} asks for a label that the model lacks (it has: {known}); correct the view."
    )


def _facing_camera(surface: Surface, size: int) -> Camera:
    normal = surface.normals[surface.valid].mean(0)
    if np.linalg.norm(normal) < 0.1:
        # it runs all around: face its middle
        near = np.argwhere(surface.valid)
        row, column = near[np.abs(near - (ROWS / 2, COLUMNS / 2)).sum(1).argmin()]
        normal = surface.normals[row, column]
    outward = normal / np.linalg.norm(normal)
    front = surface.valid & (surface.normals @ outward > 0.1)
    return framed(surface.points[front if front.any() else surface.valid], outward, size)


# measuring in a view


def _project(surface: Surface, camera: Camera) -> _Projection:
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


def _seen(
    model: ProductModel, label: Label, surface: Surface, camera: Camera, gbuffer: GBuffer
) -> tuple[TextTruth, float] | None:
    """A surface's truth and its depth in metres; None where the view does not show it."""
    view = _project(surface, camera)
    visible = _visible(model, surface, view, camera, gbuffer)
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
    shown = view.xy[:, first : last + 1] if last > first else view.xy
    material = model.parts[int(np.bincount(surface.part[surface.valid]).argmax())].material
    by_column = visible.sum(0) / np.maximum(surface.valid.sum(0), 1)
    truth = TextTruth(
        label=label.id,
        text=label.text,
        quad=_corners(shown),
        outline=_outline(shown),
        angle=angle,
        angle_start=_angle(right[start]) if start.any() else angle,
        angle_end=_angle(right[end]) if end.any() else angle,
        mirrored=_is_mirrored(right, down, visible),
        visible=round(share, 4),
        # half a step beyond the last point that is seen
        span=(
            round(max((first - 0.5) / (COLUMNS - 1), 0.0), 4),
            round(min((last + 0.5) / (COLUMNS - 1), 1.0), 4),
        ),
        height=round(float(np.median(np.linalg.norm(down[visible], axis=-1))) * (ROWS - 1), 2),
        contrast=contrast(_as_seen(view.xy, visible, gbuffer)),
        grid=tuple(tuple(_point(xy) for xy in row) for row in view.xy),
        visible_text=shown_text(label.text, letters(label, material), by_column),
    )
    return truth, float(np.median(view.depth[visible]))


def _visible(
    model: ProductModel, surface: Surface, view: _Projection, camera: Camera, gbuffer: GBuffer
) -> NDArray[np.bool_]:
    """Which grid points the view shows, bool (ROWS, COLUMNS)."""
    column, row = np.floor(view.xy[..., 0]).astype(int), np.floor(view.xy[..., 1]).astype(int)
    inside = (view.depth > 0) & (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    faces = np.where(surface.both_sides, np.abs(view.facing) > 0.02, view.facing > 0.02)
    wanted = surface.valid & inside & faces
    if not wanted.any():
        return wanted
    extent = float(np.ptp(surface.points[surface.valid], axis=0).max())
    # a pixel on a slope holds a range of depths
    slope = 1 / np.maximum(np.abs(view.facing), 0.1)
    tolerance = 1.5 * view.depth / camera.focal * slope + 2e-3 * extent
    to_pixels = _texture_to_pixels(surface, view)
    layers = layers_of(gbuffer)
    drawn = np.zeros(wanted.shape, bool)
    for layer in layers:
        with_uv = bool(layer.uv.any())
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                r = np.clip(row + down, 0, camera.height - 1)
                c = np.clip(column + right, 0, camera.width - 1)
                depth = layer.depth[r, c]
                hit = (depth > 0) & (np.abs(depth - view.depth) < tolerance)
                if with_uv:
                    # how far the texture's point that the pixel shows lies from where the label's point falls
                    centre = np.stack([c + 0.5, r + 0.5], -1) - view.xy
                    away = layer.uv[r, c] - surface.uv
                    off = (to_pixels @ away[..., None])[..., 0] - centre
                    hit &= (layer.parts[r, c] == surface.part + 1) & (np.linalg.norm(off, axis=-1) < _OFF_BY)
                drawn |= hit
    through = np.ones(wanted.shape)
    r, c = np.clip(row, 0, camera.height - 1), np.clip(column, 0, camera.width - 1)
    for layer in layers[:-1]:
        before = (layer.depth[r, c] > 0) & (layer.depth[r, c] < view.depth - tolerance)
        through *= np.where(before, 1 - layer.mask[r, c], 1)
    return np.asarray(wanted & drawn & (through >= LEAST_THROUGH))


def _texture_to_pixels(surface: Surface, view: _Projection) -> Floats:
    """Pixels for a step in texture space, (ROWS, COLUMNS, 2, 2)."""
    texture = surface.uv_steps.swapaxes(-1, -2).copy()
    pixels = np.stack(_steps(view.xy), -1)
    whole = np.abs(np.linalg.det(texture)) > 1e-16
    texture[~whole] = np.eye(2)
    return np.asarray(pixels @ np.linalg.inv(texture))


def _as_seen(xy: Floats, visible: NDArray[np.bool_], gbuffer: GBuffer) -> NDArray[np.float32]:
    """The label's own colour at the picture's own density, linear RGB (N, 3), where it shows."""
    right, down = _steps(xy)
    across = float(np.median(np.linalg.norm(right[visible], axis=-1))) * (COLUMNS - 1)
    height = float(np.median(np.linalg.norm(down[visible], axis=-1))) * (ROWS - 1)
    size = int(np.clip(across, COLUMNS, 512)), int(np.clip(height, ROWS, 128))
    flat = flattened(gbuffer)
    x = np.linspace(0, COLUMNS - 1, size[0], dtype=np.float32)
    y = np.linspace(0, ROWS - 1, size[1], dtype=np.float32)
    at = cv2.remap(xy.astype(np.float32), *np.meshgrid(x, y), cv2.INTER_LINEAR) - np.float32(0.5)
    shown = cv2.remap(visible.astype(np.float32), *np.meshgrid(x, y), cv2.INTER_LINEAR) > 0.99

    colour = flat.albedo + flat.emissive
    found = cv2.remap(colour, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)[shown]


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
