"""Surfaces of the bench's products: lathed, boxed, cut from a slab, drawn along a path.

Metres, Y up, front to +Z. Texture coordinates are glTF's: u right, v down; seen from outside no chart is
mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
RGB = tuple[int, int, int]
Rect = tuple[float, float, float, float]
WHOLE: Rect = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Surface:
    """Vertices (N, 3), unit normals (N, 3), faces (F, 3) counter-clockwise from outside, uv (N, 2) v down."""

    vertices: Array
    normals: Array
    faces: NDArray[np.int64]
    uv: Array


@dataclass(frozen=True, eq=False)
class Finish:
    """A material: a flat sRGB colour, or a picture; roughness and metallic from 0 to 1."""

    colour: RGB = (255, 255, 255)
    picture: Image.Image | None = None
    roughness: float = 0.5
    metallic: float = 0.0


@dataclass(frozen=True, eq=False)
class Piece:
    """One mesh of a product: what a person calls it, its surface, its finish."""

    name: str
    surface: Surface
    finish: Finish


def sheet(points: Array, uv: Array | None = None, flip: bool = False) -> Surface:
    """A surface through a lattice of points.

    Parameters
    ----------
    points
        (rows, columns, 3). Seen from outside rows run upwards and columns to the right.
    uv
        (rows, columns, 2); None: the unit square.
    flip
        The other side is the outside.
    """
    rows, columns = points.shape[:2]
    if uv is None:
        uv = np.stack(np.meshgrid(np.linspace(0, 1, columns), np.linspace(1, 0, rows)), -1)
    at = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    vertices = points.reshape(-1, 3).astype(float)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    faces = faces[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12]
    normals = _smooth(vertices, quads)
    if flip:
        faces, normals = faces[:, ::-1], -normals
    return Surface(vertices, normals, faces, uv.reshape(-1, 2).astype(float))


def _smooth(vertices: Array, quads: NDArray[np.int64]) -> Array:
    """Area-weighted normals; vertices in one place share theirs, so that seams do not show."""
    corner = vertices[quads]
    across = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    _, place = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    place = place.reshape(-1)
    total = np.zeros((place.max() + 1, 3))
    for k in range(4):
        np.add.at(total, place[quads[:, k]], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit = np.where(length > 1e-15, total / np.maximum(length, 1e-15), (0.0, 1.0, 0.0))
    return np.asarray(unit[place])


def fillet(corners: Sequence[tuple[float, float, float]], steps: int = 5) -> Array:
    """A polyline (N, 2) through corners (x, y, radius), each rounded by its radius."""
    spots = np.array([corner[:2] for corner in corners], float)
    out: list[Array] = []
    for k, (x, y, radius) in enumerate(corners):
        here = np.array([x, y])
        if radius <= 0 or k in (0, len(corners) - 1):
            out.append(here[None])
            continue
        before, after = spots[k - 1] - here, spots[k + 1] - here
        lengths = np.linalg.norm(before), np.linalg.norm(after)
        reach = min(radius, 0.48 * lengths[0], 0.48 * lengths[1])
        t = np.linspace(0, 1, steps)[:, None]
        first, last = here + before / lengths[0] * reach, here + after / lengths[1] * reach
        out.append((1 - t) ** 2 * first + 2 * t * (1 - t) * here + t**2 * last)
    return np.concatenate(out)


def lathe(
    profile: Array,
    segments: int = 56,
    squash: tuple[float, float] = (1.0, 1.0),
    power: float | Array = 2.0,
    arc: tuple[float, float] = (-0.5, 0.5),
) -> Surface:
    """Turn a profile about the Y axis, with a section that may be anything from round to nearly square.

    Parameters
    ----------
    profile
        (radius, y), bottom to top with the outside to its right.
    squash
        Factors of the section along X and Z.
    power
        Of the superellipse that is the section: 2 is round, 6 nearly square; one number, or one a row.
    arc
        Shares of the way around, 0 is the front, 0.25 the right side; u runs over it by length, v over the
        profile's length.
    """
    fine = np.linspace(-np.pi, np.pi, 721)
    exponents = np.broadcast_to(np.asarray(power, float), (len(profile),))
    sections = {}
    for exponent in np.unique(exponents):
        reach = (np.abs(np.sin(fine)) ** exponent + np.abs(np.cos(fine)) ** exponent) ** (-1 / exponent)
        ring = np.stack([np.sin(fine) * squash[0], np.cos(fine) * squash[1]], -1) * reach[:, None]
        share = along(ring) - 0.5
        want = np.linspace(*arc, segments + 1)
        some = np.stack([np.interp((want + 0.5) % 1 - 0.5, share, ring[:, k]) for k in (0, 1)], -1)
        if arc[1] - arc[0] > 0.9999:
            some[-1] = some[0]
        sections[float(exponent)] = some
    rings = np.stack([sections[float(exponent)] for exponent in exponents])
    points = np.empty((len(profile), segments + 1, 3))
    points[..., 0] = profile[:, :1] * rings[..., 0]
    points[..., 1] = profile[:, 1:]
    points[..., 2] = profile[:, :1] * rings[..., 1]
    u, v = np.meshgrid(np.linspace(0, 1, segments + 1), 1 - along(profile))
    return sheet(points, np.stack([u, v], -1))


def band(profile: Array, low: float, high: float, lift: float = 4e-4, rows: int = 12) -> Array:
    """The profile's wall from height `low` to `high`, `lift` further out: what a sticker lies on."""
    first = int(np.argmax(profile[:, 0] > 0.6 * profile[:, 0].max()))
    y = np.maximum.accumulate(profile[first:, 1]) + np.arange(len(profile) - first) * 1e-9
    heights = np.concatenate([[low], np.linspace(low + lift, high - lift, rows), [high]])
    out = np.concatenate([[-lift], np.full(rows, lift), [-lift]])
    return np.stack([np.interp(heights, y, profile[first:, 0]) + out, heights], -1)


def girth(radius: float, squash: tuple[float, float] = (1.0, 1.0), power: float = 2.0) -> float:
    """Length around a section of `lathe`, metres."""
    angle = np.linspace(-np.pi, np.pi, 361)
    reach = (np.abs(np.sin(angle)) ** power + np.abs(np.cos(angle)) ** power) ** (-1 / power)
    ring = np.stack([np.sin(angle) * squash[0], np.cos(angle) * squash[1]], -1) * reach[:, None] * radius
    return float(np.linalg.norm(np.diff(ring, axis=0), axis=1).sum())


def along(points: Array) -> Array:
    """Arc length along a polyline as shares, from 0 to 1."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return np.asarray(lengths / max(lengths[-1], 1e-12))


_SIDES: dict[str, tuple[tuple[int, int, int], ...]] = {  # right, up, outward
    "front": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "back": ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "right": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    "left": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    "top": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "bottom": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
}


def block(
    size: tuple[float, float, float],
    radius: float,
    charts: dict[str, Rect] | None = None,
    sides: Sequence[str] = tuple(_SIDES),
    steps: int = 4,
) -> Surface:
    """A box with rounded edges that stands on y = 0.

    Parameters
    ----------
    size
        Width (x), height (y), depth (z).
    charts
        The rectangle u0, v0, u1, v1 that each side has in the texture; the whole of it where none is given.
    sides
        Which sides there are.
    """
    half = np.array(size) / 2
    radius = min(radius, 0.98 * float(half.min()))
    bend = radius * (1 - np.tan(np.linspace(np.pi / 4, 0, steps)))
    surfaces = []
    for side in sides:
        right, up, out = (np.array(axis, float) for axis in _SIDES[side])
        wide, high, deep = (float(np.abs(axis) @ half) for axis in (right, up, out))
        lines = [
            np.concatenate([-r + bend, np.linspace(-0.6, 0.6, 5) * (r - radius), r - bend[::-1]])
            for r in (wide, high)
        ]
        s, t = np.meshgrid(*lines)
        flat = s[..., None] * right + t[..., None] * up + deep * out
        inner = np.clip(flat, radius - half, half - radius)
        normals = flat - inner
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        u0, v0, u1, v1 = (charts or {}).get(side, WHOLE)
        uv = np.stack([u0 + (s / wide + 1) / 2 * (u1 - u0), v1 - (t / high + 1) / 2 * (v1 - v0)], -1)
        made = sheet(inner + normals * radius + (0, half[1], 0), uv)
        surfaces.append(replace(made, normals=normals.reshape(-1, 3)))
    return joined(surfaces)


@dataclass(frozen=True, eq=False)
class Slab:
    """What `slab` makes: the face to +Z and the one to -Z, each with its own chart, and the rim."""

    front: Surface
    back: Surface
    rim: Surface


def slab(outline: Array, thick: float, bevel: float = 0.0) -> Slab:
    """A plate cut along an outline, in the plane z = 0.

    Parameters
    ----------
    outline
        (N, 2), counter-clockwise, star-shaped about its middle; not closed.
    thick, bevel
        Metres; the bevel rounds the rims of both faces.
    """
    middle = (outline.min(0) + outline.max(0)) / 2
    closed = np.concatenate([outline, outline[:1]]) - middle
    reach = np.linalg.norm(closed, axis=1, keepdims=True)
    half = thick / 2

    def ring(inset: float, z: float) -> Array:
        flat = closed * np.maximum(1 - inset / reach, 0.0) + middle
        return np.column_stack([flat, np.full(len(flat), z)])

    width, height = outline.max(0) - outline.min(0)
    rounding = [
        (bevel * (1 - np.sin(a)), half - bevel * (1 - np.cos(a))) for a in (0.0, 0.4, 0.8, 1.2, 1.5708)
    ]
    # from the rim inwards, each ring further in
    rings = [ring(inset, z) for inset, z in rounding[::-1]]
    edge = rings[-1] if bevel else rings[0]
    rows = [*rings] if bevel else [edge]
    last = rows[-1][:, :2] - middle
    rows += [np.column_stack([middle + last * share, np.full(len(last), half)]) for share in (0.6, 0.25, 0.0)]
    points = np.stack(rows)
    u = (points[..., 0] - middle[0]) / width + 0.5
    v = 0.5 - (points[..., 1] - middle[1]) / height
    front = sheet(points, np.stack([u, v], -1))
    mirror = points[:, ::-1] * (1, 1, -1)
    back = sheet(mirror, np.stack([1 - u[:, ::-1], v[:, ::-1]], -1))
    rim = sheet(np.stack([mirror[0][::-1], points[0]]), None)
    return Slab(front, back, rim)


def tube(
    path: Array, radius: float | Array, flat: float = 1.0, sides: int = 12, ring: bool = False
) -> Surface:
    """A rod along a path (N, 3) with rounded ends; `flat` squeezes it along its second axis.

    `ring`: the path ends where it began.
    """
    tangent = np.gradient(path, axis=0)
    if ring:
        tangent[0] = tangent[-1] = path[1] - path[-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    first = np.eye(3)[int(np.argmin(np.abs(tangent[0])))]
    normals = np.empty_like(path)
    for k, direction in enumerate(tangent):
        first = first - direction * (first @ direction)
        first = first / np.linalg.norm(first)
        normals[k] = first
    second = np.cross(tangent, normals)
    radii = np.broadcast_to(np.asarray(radius, float), (len(path),))
    centres = path
    if not ring:
        caps = np.array([0.02, 0.6, 0.9])
        back = np.sqrt(1 - caps**2)[:, None]
        centres = np.concatenate(
            [
                path[:1] - tangent[:1] * radii[0] * back,
                path,
                path[-1:] + tangent[-1:] * radii[-1] * back[::-1],
            ]
        )
        radii = np.concatenate([radii[0] * caps, radii, radii[-1] * caps[::-1]])
        normals, second = (
            np.concatenate([x[:1].repeat(3, 0), x, x[-1:].repeat(3, 0)]) for x in (normals, second)
        )
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    angle[-1] = 0
    spokes = np.cos(angle)[:, None] * normals[:, None] + flat * np.sin(angle)[:, None] * second[:, None]
    return sheet(centres[:, None] + radii[:, None, None] * spokes)


def curve(points: Sequence[Sequence[float]] | Array, count: int) -> Array:
    """A Catmull-Rom curve through points (N, D) in `count` samples."""
    spots = np.asarray(points, float)
    padded = np.concatenate([2 * spots[:1] - spots[1:2], spots, 2 * spots[-1:] - spots[-2:-1]])
    t = np.linspace(0, len(spots) - 1, count)
    k = np.minimum(t.astype(int), len(spots) - 2)
    f = (t - k)[:, None]
    a, b, c, d = (padded[k + j] for j in range(4))
    return np.asarray(
        0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)
    )


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Several surfaces as one."""
    starts = np.cumsum([0] + [len(one.vertices) for one in surfaces[:-1]])
    return Surface(
        np.concatenate([one.vertices for one in surfaces]),
        np.concatenate([one.normals for one in surfaces]),
        np.concatenate([one.faces + start for one, start in zip(surfaces, starts, strict=True)]),
        np.concatenate([one.uv for one in surfaces]),
    )


def moved(
    surface: Surface,
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Surface:
    """The surface turned about X, then Y, then Z by degrees, then shifted."""
    (ax, ay, az) = np.radians(turn)
    cx, sx, cy, sy, cz, sz = np.cos(ax), np.sin(ax), np.cos(ay), np.sin(ay), np.cos(az), np.sin(az)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    matrix = about_z @ about_y @ about_x
    return replace(
        surface, vertices=surface.vertices @ matrix.T + np.array(shift), normals=surface.normals @ matrix.T
    )


def charted(surface: Surface, chart: Rect) -> Surface:
    """The surface with its unit square laid on a rectangle of the texture."""
    u0, v0, u1, v1 = chart
    return replace(surface, uv=np.array([u0, v0]) + surface.uv * np.array([u1 - u0, v1 - v0]))


def as_glb(pieces: Sequence[Piece]) -> bytes:
    """The pieces as a GLB file, centred over the origin, standing on y = 0; one mesh and material each."""
    low = np.min([piece.surface.vertices.min(0) for piece in pieces], 0)
    high = np.max([piece.surface.vertices.max(0) for piece in pieces], 0)
    shift = np.array([-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2])
    out: Any = trimesh.Scene()
    for piece in pieces:
        out.add_geometry(_mesh(piece, shift), node_name=piece.name, geom_name=piece.name)
    return bytes(out.export(file_type="glb"))


def _mesh(piece: Piece, shift: Array) -> trimesh.Trimesh:
    surface, finish = piece.surface, piece.finish
    encoded = np.asarray(finish.colour, float) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    flat = [*(round(float(value) * 255) for value in linear), 255]
    visual: Any = trimesh.visual  # (it is not typed)
    material = visual.material.PBRMaterial(
        name=piece.name,
        baseColorFactor=flat if finish.picture is None else [255, 255, 255, 255],
        baseColorTexture=finish.picture,
        roughnessFactor=finish.roughness,
        metallicFactor=finish.metallic,
    )
    # trimesh's v is up; its exporter turns it back
    uv = np.stack([surface.uv[:, 0], 1 - surface.uv[:, 1]], -1)
    return trimesh.Trimesh(
        surface.vertices + shift,
        surface.faces,
        vertex_normals=surface.normals,
        visual=visual.TextureVisuals(uv=uv, material=material),
        process=False,
        validate=False,
    )
