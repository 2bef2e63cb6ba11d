"""Triangles of polygons: convex ones as fans, others by clipping ears."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Ears are looked for one by one, which takes time by the square of the corners.
MAX_CORNERS = 1000


def triangulate(
    corners: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut polygons, also concave ones, into triangles that keep their winding.

    Parameters
    ----------
    corners
        Of all polygons, one after the other, shape (N, 3).
    counts
        How many corners each polygon has, at least 3, shape (P,).

    Returns
    -------
    triangles
        Indices into `corners`, shape (T, 3), in the order of the polygons.
    owner
        The polygon that each triangle belongs to, shape (T,).
    """
    starts = np.cumsum(counts) - counts
    found: list[NDArray[np.int64]] = []
    owners: list[NDArray[np.int64]] = []
    for size in np.unique(counts):
        which = np.flatnonzero(counts == size)
        index = starts[which, None] + np.arange(size)
        if size == 3:
            found.append(index)
            owners.append(which)
            continue
        fan = np.stack([np.zeros(size - 2, int), np.arange(1, size - 1), np.arange(2, size)], 1)
        points = corners[index]
        convex = _convex(points)
        found.append(index[convex][:, fan].reshape(-1, 3))
        owners.append(np.repeat(which[convex], size - 2))
        for polygon, row in zip(which[~convex], index[~convex], strict=True):
            ears = _clip_ears(corners[row])
            found.append(row[ears])
            owners.append(np.full(len(ears), polygon))
    triangles, owner = np.concatenate(found), np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return triangles[order], owner[order]


def _newell(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Twice the area vector of polygons, shape (..., N, 3) to (..., 3); Newell's method."""
    # about the first corner, so that a polygon far from the origin keeps its digits
    local = points - points[..., :1, :]
    return np.asarray(np.cross(local, np.roll(local, -1, axis=-2)).sum(-2))


def _convex(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether no corner of a polygon turns inwards, shape (P, N, 3) to (P,)."""
    before, after = np.roll(points, 1, axis=1), np.roll(points, -1, axis=1)
    turns = np.cross(points - before, after - points)
    normal = _newell(points)
    along = (turns * normal[:, None]).sum(2)
    return np.asarray((along >= -1e-9 * (normal**2).sum(1)[:, None]).all(1))


def _clip_ears(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Triangles of one polygon, shape (N, 3) to (N - 2, 3); after Meisters, "Polygons have ears", 1975."""
    normal = _newell(points)
    # seen along its normal's largest axis, which keeps areas' signs
    axis = int(np.abs(normal).argmax())
    first, second = ((1, 2), (2, 0), (0, 1))[axis]
    if normal[axis] < 0:
        first, second = second, first
    flat = points[:, [first, second]]
    left = list(range(len(points)))
    triangles: list[tuple[int, int, int]] = []
    while len(left) > 3:
        ear = _ear(flat, left)
        triangles.append((left[ear - 1], left[ear], left[(ear + 1) % len(left)]))
        del left[ear]
    triangles.append((left[0], left[1], left[2]))
    return np.array(triangles, np.int64)


def _ear(flat: NDArray[np.float64], left: list[int]) -> int:
    """The first corner that can be cut off; the bluntest one where the polygon crosses itself."""
    points = flat[left]
    before, after = np.roll(points, 1, 0), np.roll(points, -1, 0)
    turn = _side(before, points, after)
    for corner in np.flatnonzero(turn > 0):
        a, b, c = before[corner], points[corner], after[corner]
        inside = (_side(a, b, points) >= 0) & (_side(b, c, points) >= 0) & (_side(c, a, points) >= 0)
        # its own corners, and others at the same places, do not count
        same = (points == a).all(1) | (points == b).all(1) | (points == c).all(1)
        if not (inside & ~same).any():
            return int(corner)
    return int(turn.argmax())


def _side(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Twice the signed area of triangles in the plane."""
    return np.asarray(
        (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
    )
