"""Surfaces with texture coordinates and smooth normals: lathe, rounded box, grid, sweep.

Everything is metres, Y up, front to +Z. Texture coordinates are glTF's: u right, v down. Grids run bottom to
top by row and, seen from outside, left to right by column; so charts are never mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from training.products.spec import RGB

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """Vertices (N, 3), faces (F, 3) counter-clockwise from outside, unit normals (N, 3), uv (N, 2) v down."""

    vertices: Array
    faces: NDArray[np.int64]
    normals: Array
    uv: Array


@dataclass(frozen=True)
class Finish:
    """Material: a flat sRGB colour or a picture, roughness and metallic."""

    name: str
    colour: RGB = (255, 255, 255)
    picture: Image.Image | None = None
    roughness: float = 0.5
    metallic: float = 0.0


def smooth_normals(vertices: Array, quads: NDArray[np.int64]) -> Array:
    """Area-weighted normals of quads (Q, 4); vertices at one place share theirs, so seams do not show.

    By quads and not by triangles: triangles would lean the normals along their diagonals.
    """
    corner = vertices[quads]
    face = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    key = np.round(vertices * 1e6).astype(np.int64)
    key = (key[:, 0] << 42) + (key[:, 1] << 21) + key[:, 2]  # places within a metre stay apart
    _, place = np.unique(key, return_inverse=True)
    at = place[quads].ravel()
    total = np.stack([np.bincount(at, np.repeat(face[:, k], 4), place.max() + 1) for k in range(3)], 1)[place]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-16, total / np.maximum(length, 1e-16), (0.0, 1.0, 0.0))


def grid(points: Array, uv: Array | None = None, flip: bool = False) -> Surface:
    """A surface from a grid of points.

    Parameters
    ----------
    points
        (rows, columns, 3); repeat the first column at the end to close it.
    uv
        (rows, columns, 2); by default the unit square.
    flip
        The outside is the other side.
    """
    rows, columns = points.shape[:2]
    if uv is None:
        u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(1, 0, rows))
        uv = np.stack([u, v], -1)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    vertices = points.reshape(-1, 3)
    corner = vertices[faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    faces = faces[area > 1e-13]
    normals = smooth_normals(vertices, np.stack([a, b, c, d], -1).reshape(-1, 4))
    if flip:
        faces, normals = faces[:, ::-1], -normals
    return Surface(vertices, faces, normals, np.asarray(uv, float).reshape(-1, 2))


def rounded(corners: list[tuple[float, float, float]], steps: int = 6) -> Array:
    """A polyline (N, 2) through corners (x, y, radius), each corner rounded by its radius."""
    points = np.array([c[:2] for c in corners], float)
    out: list[Array] = []
    for k, (x, y, radius) in enumerate(corners):
        here = np.array([x, y])
        if radius <= 0 or k in (0, len(corners) - 1):
            out.append(here[None])
            continue
        before, after = points[k - 1] - here, points[k + 1] - here
        reach = min(radius, 0.49 * float(np.linalg.norm(before)), 0.49 * float(np.linalg.norm(after)))
        start = here + before / np.linalg.norm(before) * reach
        end = here + after / np.linalg.norm(after) * reach
        t = np.linspace(0, 1, steps)[:, None]
        # a conic with weight cos 45 degrees: a true arc at right angles, and near it otherwise
        w = 0.7071 * 2 * t * (1 - t)
        out.append(((1 - t) ** 2 * start + w * here + t**2 * end) / ((1 - t) ** 2 + w + t**2))
    return np.concatenate(out)


def along(points: Array) -> Array:
    """Arc length along a polyline, from 0 to 1."""
    step = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return np.asarray(step / step[-1])


def lathe(profile: Array, segments: int = 64, arc: tuple[float, float] = (-np.pi, np.pi)) -> Surface:
    """Turn a profile (radius, y), bottom to top with the outside to its right, about the Y axis.

    `arc` is the range of angles from +Z towards +X; u runs over it, v over the profile's length.
    """
    angle = np.linspace(*arc, segments + 1)
    if arc[1] - arc[0] > 6.283:
        angle[-1] = angle[0]  # the seam's vertices must fall on one another to the last bit
    ring = np.stack([np.sin(angle), np.cos(angle)], -1)
    points = np.empty((len(profile), segments + 1, 3))
    points[..., 0] = profile[:, :1] * ring[:, 0]
    points[..., 1] = profile[:, 1:]
    points[..., 2] = profile[:, :1] * ring[:, 1]
    u, v = np.meshgrid(np.linspace(0, 1, segments + 1), 1 - along(profile))
    return grid(points, np.stack([u, v], -1))


def wall(profile: Array, low: float, high: float, lift: float = 3e-4, rows: int = 14) -> Array:
    """The profile's outer wall from `low` to `high`, `lift` further out: where a label sits.

    A lifted wall bends back at both ends, so that nothing can be seen under it.
    """
    first = int(np.argmax(profile[:, 0] > 0.6 * profile[:, 0].max()))
    y = np.maximum.accumulate(profile[first:, 1])
    heights = np.linspace(low, high, rows)
    out = np.full(rows, lift)
    if lift > 0:
        heights = np.concatenate([[low], heights, [high]])
        heights[1], heights[-2] = low + lift / 2, high - lift / 2
        out = np.concatenate([[-lift], out, [-lift]])
    return np.stack([np.interp(heights, y, profile[first:, 0]) + out, heights], -1)


def sweep(
    path: Array, radius: Array | float, flat: float = 1.0, sides: int = 12, closed: bool = False
) -> Surface:
    """A tube along a path (N, 3); `flat` squeezes it along the frame's second axis; ends are domed."""
    count = len(path)
    tangent = np.gradient(path, axis=0)
    if closed:
        tangent[0] = tangent[-1] = path[1] - path[-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.empty_like(path)
    seed = np.eye(3)[int(np.argmin(np.abs(tangent[0])))]
    for k in range(count):
        seed = seed - tangent[k] * (seed @ tangent[k])
        seed /= np.linalg.norm(seed)
        normal[k] = seed
    second = np.cross(tangent, normal)
    radii = np.broadcast_to(np.asarray(radius, float), (count,)).copy()
    centres = path
    if not closed:
        dome = np.array([0.0, 0.55, 0.85])
        back = np.sqrt(1 - dome**2)
        flat_reach = min(flat, 1.0)
        head = path[:1] - tangent[:1] * (radii[0] * back * flat_reach)[:, None]
        tail = path[-1:] + tangent[-1:] * (radii[-1] * back[::-1] * flat_reach)[:, None]
        centres = np.concatenate([head, path, tail])
        normal = np.concatenate([normal[:1].repeat(3, 0), normal, normal[-1:].repeat(3, 0)])
        second = np.concatenate([second[:1].repeat(3, 0), second, second[-1:].repeat(3, 0)])
        radii = np.concatenate([radii[0] * dome, radii, radii[-1] * dome[::-1]])
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    angle[-1] = 0
    ring = (
        np.cos(angle)[None, :, None] * normal[:, None] + flat * np.sin(angle)[None, :, None] * second[:, None]
    )
    return grid(centres[:, None] + radii[:, None, None] * ring)


def box(
    size: tuple[float, float, float],
    radius: float,
    charts: dict[str, tuple[float, float, float, float]],
    steps: int = 4,
) -> Surface:
    """A box with rounded edges, standing on y = 0.

    Parameters
    ----------
    size
        Width (x), height (y), depth (z).
    charts
        For each of front, back, left, right, top, bottom: its rectangle u0, v0, u1, v1 in the texture.
    """
    half = np.array(size) / 2
    faces = {  # the direction of u, the direction of v reversed (up), the outward direction
        "front": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "back": ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
        "right": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
        "left": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
        "top": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
        "bottom": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    }
    parts = []
    for name, axes in faces.items():
        right, up, out = (np.array(a, float) for a in axes)
        w, h, d = (float(np.abs(a) @ half) for a in (right, up, out))
        # equal angles on the rounding: tan of 0 to 45 degrees
        bend = radius * (1 - np.tan(np.linspace(np.pi / 4, 0, steps)))

        def line(reach: float, bend: Array = bend) -> Array:
            low = -reach + bend
            return np.concatenate([low, [0.0], -low[::-1]])

        s, t = np.meshgrid(line(w), line(h))
        flat = s[..., None] * right + t[..., None] * up + d * out
        inner = np.clip(flat, -(half - radius), half - radius)
        away = flat - inner
        normal = away / np.linalg.norm(away, axis=-1, keepdims=True)
        u0, v0, u1, v1 = charts[name]
        uv = np.stack([u0 + (s / w + 1) / 2 * (u1 - u0), v1 - (t / h + 1) / 2 * (v1 - v0)], -1)
        surface = grid(inner + normal * radius + (0, half[1], 0), uv)
        parts.append(Surface(surface.vertices, surface.faces, normal.reshape(-1, 3), surface.uv))
    return join(parts)


def join(surfaces: list[Surface]) -> Surface:
    """Several surfaces as one."""
    offsets = np.cumsum([0] + [len(s.vertices) for s in surfaces[:-1]])
    return Surface(
        np.concatenate([s.vertices for s in surfaces]),
        np.concatenate([s.faces + o for s, o in zip(surfaces, offsets, strict=True)]),
        np.concatenate([s.normals for s in surfaces]),
        np.concatenate([s.uv for s in surfaces]),
    )


def moved(surface: Surface, shift: tuple[float, float, float]) -> Surface:
    """The surface elsewhere."""
    return Surface(surface.vertices + np.array(shift), surface.faces, surface.normals, surface.uv)


def spline(points: Array, count: int, closed: bool = False) -> Array:
    """Catmull-Rom curve through points (N, D) in `count` samples; a closed one ends where it began."""
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
        spans = len(points)
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
        spans = len(points) - 1
    t = np.linspace(0, spans, count)
    k = np.minimum(t.astype(int), spans - 1)
    f = (t - k)[:, None]
    a, b, c, d = padded[k], padded[k + 1], padded[k + 2], padded[k + 3]
    curve = 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)
    if closed:
        curve[-1] = curve[0]
    return np.asarray(curve)


def linear(colour: RGB) -> list[int]:
    """An sRGB colour as glTF's linear base colour factor, 0 to 255 with alpha."""
    c = np.asarray(colour, float) / 255
    value = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return [*(round(float(v) * 255) for v in value), 255]


def mesh(surface: Surface, finish: Finish) -> trimesh.Trimesh:
    """A trimesh with a metallic-roughness material (trimesh's v is up, its exporters turn it back)."""
    flat = finish.picture is None
    material = trimesh.visual.material.PBRMaterial(
        name=finish.name,
        baseColorFactor=linear(finish.colour) if flat else [255, 255, 255, 255],
        baseColorTexture=finish.picture,
        roughnessFactor=finish.roughness,
        metallicFactor=finish.metallic,
    )
    uv = np.stack([surface.uv[:, 0], 1 - surface.uv[:, 1]], -1)
    return trimesh.Trimesh(
        surface.vertices,
        surface.faces,
        vertex_normals=surface.normals,
        visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
        process=False,
        validate=False,
    )


def scene(parts: list[tuple[Surface, Finish]]) -> trimesh.Scene:
    """The parts as one scene, centred over the origin, standing on y = 0."""
    low = np.min([s.vertices.min(0) for s, _ in parts], 0)
    high = np.max([s.vertices.max(0) for s, _ in parts], 0)
    shift = (-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2)
    out = trimesh.Scene()
    for number, (surface, finish) in enumerate(parts):
        out.add_geometry(
            mesh(moved(surface, shift), finish),
            node_name=f"{number}-{finish.name}",
            geom_name=f"{number}-{finish.name}",
        )
    return out
