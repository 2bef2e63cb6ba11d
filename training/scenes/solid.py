"""Solids: the meshes that sets and props are built from, world metres, Y up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.scenes.finish import Finish

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    """Triangles with one finish.

    Parameters
    ----------
    vertices
        World metres, shape (N, 3).
    faces
        Shape (F, 3).
    uv
        Metres along the finish's map, shape (N, 2).
    """

    vertices: Floats
    faces: NDArray[np.int64]
    uv: Floats
    finish: Finish

    def moved(self, shift: Sequence[float] | Floats, turn: float = 0.0, tilt: float = 0.0) -> Solid:
        """Tilted about X, then turned about Y (degrees), then shifted (metres)."""
        a, b = np.radians(turn), np.radians(tilt)
        about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        return replace(self, vertices=self.vertices @ (about_y @ about_x).T + np.asarray(shift, float))


def grid(points: Floats, uv: Floats, finish: Finish) -> Solid:
    """A smooth sheet through `points`, shape (rows, columns, 3), with `uv`, shape (rows, columns, 2)."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack([a, d, c], -1).reshape(-1, 3), np.stack([a, c, b], -1).reshape(-1, 3)])
    return Solid(points.reshape(-1, 3), faces, uv.reshape(-1, 2), finish)


def quad(corner: Sequence[float], along: Sequence[float], across: Sequence[float], finish: Finish) -> Solid:
    """A flat rectangle; its map starts at `corner`, u runs `along`, v runs `across`."""
    origin, u, v = (np.asarray(item, float) for item in (corner, along, across))
    vertices = np.array([origin, origin + u, origin + u + v, origin + v])
    long, wide = float(np.linalg.norm(u)), float(np.linalg.norm(v))
    uv = np.array([[0, 0], [long, 0], [long, wide], [0, wide]])
    return Solid(vertices, np.array([[0, 1, 2], [0, 2, 3]]), uv, finish)


def box(size: Sequence[float], finish: Finish, bevel: float = 0.002) -> Solid:
    """A block standing on y = 0 and centred on the origin, with chamfered edges."""
    half = np.array([size[0] / 2, size[1] / 2, size[2] / 2], float)
    cut = min(bevel, 0.3 * float(half.min()))
    vertices: list[Floats] = []
    faces: list[list[int]] = []
    uv: list[Floats] = []

    def polygon(points: list[Floats], axis: int) -> None:
        start = len(vertices)
        vertices.extend(points)
        # the longer side of each face lies along the grain
        others = sorted((k for k in range(3) if k != axis), key=lambda k: -half[k])
        uv.extend(np.array([p[others[0]], p[others[1]]]) + half.max() + 0.03 * axis for p in points)
        faces.extend([start, start + k, start + k + 1] for k in range(1, len(points) - 1))

    inner = half - cut
    for axis in range(3):
        i, j = (k for k in range(3) if k != axis)
        for side in (-1, 1):
            face = []
            for si, sj in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                point = np.zeros(3)
                point[axis], point[i], point[j] = side * half[axis], si * inner[i], sj * inner[j]
                face.append(point)
            polygon(face, axis)
        for si in (-1, 1):
            for sj in (-1, 1):
                strip = []
                for outer, end in ((i, -1), (i, 1), (j, 1), (j, -1)):
                    point = np.zeros(3)
                    point[axis] = end * inner[axis]
                    point[i] = si * (half[i] if outer == i else inner[i])
                    point[j] = sj * (half[j] if outer == j else inner[j])
                    strip.append(point)
                polygon(strip, i)
    for sx in (-1, 1):
        for sy in (-1, 1):
            for sz in (-1, 1):
                sign = np.array([sx, sy, sz])
                polygon([sign * np.where(np.arange(3) == k, half, inner) for k in range(3)], 0)
    lifted = np.array(vertices) + np.array([0, half[1], 0])
    return Solid(lifted, np.array(faces), np.array(uv), finish)


def lathe(profile: Sequence[tuple[float, float]], finish: Finish, steps: int = 48) -> Solid:
    """A body of revolution about Y; `profile` runs (radius, height), rounded by a spline-like subdivision."""
    line = np.asarray(profile, float)
    for _ in range(2):
        # Chaikin's corner cutting keeps the ends and rounds everything between
        first, second = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.concatenate([line[:1], np.stack([first, second], 1).reshape(-1, 2), line[-1:]])
    angle = np.linspace(0, 2 * np.pi, steps + 1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    points = np.stack(
        [line[:, :1] * np.cos(angle), np.repeat(line[:, 1:], steps + 1, 1), line[:, :1] * np.sin(angle)], -1
    )
    around = np.broadcast_to(angle[None] * float(line[:, 0].max()), points.shape[:2])
    return grid(points, np.stack([around, np.broadcast_to(length[:, None], points.shape[:2])], -1), finish)


def leaf(
    root: Floats, direction: Floats, length: float, width: float, droop: float, finish: Finish, steps: int = 8
) -> Solid:
    """A blade that starts at `root`, leaves along `direction` and bends down by `droop` (0 to 1)."""
    forward = direction / np.linalg.norm(direction)
    side = np.cross(forward, [0.0, 1.0, 0.0])
    side = side / max(float(np.linalg.norm(side)), 1e-6)
    t = np.linspace(0, 1, steps)
    spine = root + length * (t[:, None] * forward - droop * (t**2)[:, None] * np.array([0, 1.0, 0]))
    half = 0.5 * width * np.sin(np.pi * np.clip(t, 0.02, 0.98) ** 0.8)
    fold = 0.25 * half
    rows = np.stack(
        [
            spine - half[:, None] * side + fold[:, None] * [0, 1, 0],
            spine,
            spine + half[:, None] * side + fold[:, None] * [0, 1, 0],
        ],
        1,
    )
    uv = np.stack(np.broadcast_arrays(t[:, None] * length, np.array([0, 0.5, 1])[None] * width), -1)
    return grid(rows, uv, finish)
