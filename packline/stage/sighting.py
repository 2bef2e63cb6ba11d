"""Something that looks like text in one render, carried back to the texture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from packline.camera import Camera
from packline.stage.model import GBuffer, ProductModel
from packline.truth import Label

Floats = NDArray[np.float64]
# a sighting is sampled at so many places along and across
_ALONG, _ACROSS = 24, 8
#: At least this share of it must lie on one piece of texture.
LEAST_ON_ONE = 0.6
#: Text that runs within so many degrees of the texture's axes runs along them.
SNAP_DEGREES = 6.0


@dataclass(frozen=True, eq=False)
class Sighting:
    """Text in one picture.

    Parameters
    ----------
    view
        Number of the picture.
    text, confidence
        What it was read as, and how certain; empty and 0 where it could not be read.
    box
        Corners in the picture in reading order, float64 (4, 2).
    material, quad
        Where it lies on the texture, in reading order, float64 (4, 2); its middle lies in 0 to 1.
    points, normal
        Places in the world, float64 (N, 3), and the mean direction that they face.
    height
        Pixels.
    aspect
        Length over height on the product, in metres over metres.
    facing
        1 where the camera faces it, 0 at the silhouette.
    """

    view: int
    text: str
    confidence: float
    box: Floats
    material: str
    quad: Floats
    points: Floats
    normal: Floats
    height: float
    aspect: float
    facing: float


def sight(
    model: ProductModel,
    gbuffer: GBuffer,
    camera: Camera,
    box: Floats,
    view: int,
    text: str,
    confidence: float,
) -> Sighting | None:
    """Carry a box of a picture back to the texture; None where it does not lie on one piece of texture.

    Parameters
    ----------
    gbuffer
        One layer: `layers.flattened`.
    box
        Corners in reading order, pixels, (4, 2).
    """
    s, t = np.meshgrid(np.linspace(0.02, 0.98, _ALONG), np.linspace(0.04, 0.96, _ACROSS))
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    warp = cv2.getPerspectiveTransform(square, box.astype(np.float32)).astype(float)
    at = np.stack([s, t, np.ones_like(s)], -1).reshape(-1, 3) @ warp.T
    xy = at[:, :2] / at[:, 2:]
    st = np.stack([s, t], -1).reshape(-1, 2)
    column = np.clip(np.floor(xy[:, 0]).astype(int), 0, camera.width - 1)
    row = np.clip(np.floor(xy[:, 1]).astype(int), 0, camera.height - 1)
    parts = gbuffer.parts[row, column].astype(int)
    names = np.array(["\0", *(part.material.name for part in model.parts)])[parts]
    printed = np.array([False, *(part.uv is not None and _is_printed(part.material) for part in model.parts)])
    good = printed[parts] & (gbuffer.mask[row, column] > 0.5)
    if not good.any():
        return None
    kinds, counts = np.unique(names[good], return_counts=True)
    good &= names == kinds[counts.argmax()]
    if good.mean() < LEAST_ON_ONE:
        return None
    uv = gbuffer.uv[row, column].astype(float)
    middle = np.median(uv[good], axis=0)
    # across the seam of a texture that repeats, coordinates jump by one
    uv -= np.round(uv - middle)
    fitted = _fit(st, uv, good)
    if fitted is None:
        return None
    centre, along, down, kept = fitted
    along, down = _snapped(along, down)
    steps = np.stack([along, down], -1)
    if abs(np.linalg.det(steps)) < 1e-14:
        return None
    places = np.linalg.solve(steps, (uv[kept] - centre).T).T
    low, high = places.min(0), places.max(0)
    # the samples stop a little before the box does
    span = high - low
    low, high = low - span * (0.02 / 0.96, 0.04 / 0.92), high + span * (0.02 / 0.96, 0.04 / 0.92)
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    quad = centre + corners @ steps.T
    world = _world(gbuffer, camera, row, column)
    normal = gbuffer.normals[row, column][kept].astype(float).mean(0)
    normal /= max(float(np.linalg.norm(normal)), 1e-9)
    to_eye = np.asarray(camera.eye) - world[kept].mean(0)
    length = float(np.linalg.norm(box[1] - box[0])), float(np.linalg.norm(box[3] - box[0]))
    return Sighting(
        view=view,
        text=text,
        confidence=confidence,
        box=box,
        material=str(kinds[counts.argmax()]),
        quad=quad - np.floor(quad.mean(0)),
        points=world[kept],
        normal=normal,
        height=length[1],
        aspect=_aspect(world, kept, length),
        facing=float(normal @ to_eye / max(float(np.linalg.norm(to_eye)), 1e-9)),
    )


def _is_printed(material: object) -> bool:
    return (
        getattr(material, "texture", None) is not None
        or getattr(material, "emissive_texture", None) is not None
    )


def _fit(
    st: Floats, uv: Floats, good: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]] | None:
    """Texture coordinates as a smooth function over the box, samples of other pieces of texture left out.

    Returns
    -------
    centre, along, down, kept
        (u, v) at the box's middle, its change along and down the box, and which samples belong.
    """
    kept = _hanging_together(uv, good)
    if kept.sum() < 24:
        return None
    x, y = (st - 0.5).T
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x**3, y**3], -1)
    weights, *_ = np.linalg.lstsq(terms[kept], uv[kept], rcond=None)
    if kept.mean() < LEAST_ON_ONE:
        return None
    return weights[0], weights[1], weights[2], kept


def _hanging_together(uv: Floats, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest set of samples between which the texture goes on without a jump."""
    index = np.arange(_ACROSS * _ALONG).reshape(_ACROSS, _ALONG)
    pairs = []
    for here, there in ((index[:, :-1], index[:, 1:]), (index[:-1], index[1:])):
        a, b = here.reshape(-1), there.reshape(-1)
        gap = np.linalg.norm(uv[b] - uv[a], axis=1)
        both = good[a] & good[b]
        usual = float(np.median(gap[both])) if both.any() else 0.0
        # towards the silhouette a step in the picture is a large one on a round product
        near = both & (gap <= 6 * usual + 1e-9)
        pairs.append(np.stack([a[near], b[near]]))
    first, second = np.concatenate(pairs, 1)
    links = coo_matrix((np.ones(len(first), bool), (first, second)), (len(good), len(good)))
    _, group = connected_components(links, directed=False)
    return np.asarray(good & (group == np.bincount(group[good]).argmax()))


def _snapped(along: Floats, down: Floats) -> tuple[Floats, Floats]:
    """Directions on the texture's axes where they run nearly along them."""
    out = []
    for step in (along, down):
        angle = np.degrees(np.arctan2(step[1], step[0]))
        nearest = round(angle / 90) * 90
        if abs(angle - nearest) < SNAP_DEGREES:
            turn = np.radians(nearest)
            step = np.linalg.norm(step) * np.round([np.cos(turn), np.sin(turn)])
        out.append(np.asarray(step))
    return out[0], out[1]


def _world(gbuffer: GBuffer, camera: Camera, row: NDArray[np.int64], column: NDArray[np.int64]) -> Floats:
    depth = gbuffer.depth[row, column].astype(float)
    x = (column + 0.5 - camera.width / 2) / camera.focal * depth
    y = (camera.height / 2 - row - 0.5) / camera.focal * depth
    local = np.stack([x, y, -depth], -1)
    return np.asarray(local @ camera.pose[:3, :3].T + camera.pose[:3, 3])


def _aspect(world: Floats, kept: NDArray[np.bool_], box: tuple[float, float]) -> float:
    """Length over height of the sighting on the product."""
    grid = world.reshape(_ACROSS, _ALONG, 3)
    inside = kept.reshape(_ACROSS, _ALONG)
    across = np.linalg.norm(np.diff(grid, axis=1), axis=-1)[inside[:, 1:] & inside[:, :-1]]
    down = np.linalg.norm(np.diff(grid, axis=0), axis=-1)[inside[1:] & inside[:-1]]
    if not len(across) or not len(down) or float(np.median(down)) <= 0:
        return box[0] / max(box[1], 1e-9)
    length = float(np.median(across)) * (_ALONG - 1) / 0.96
    return max(length / (float(np.median(down)) * (_ACROSS - 1) / 0.92), 0.1)


def overlap(one: Sighting | Floats, other: Sighting | Floats) -> float:
    """Share of the smaller quad that the two have in common; 0 where they lie on different materials."""
    if isinstance(one, Sighting) and isinstance(other, Sighting):
        if one.material != other.material:
            return 0.0
        return overlap(one.quad, other.quad)
    assert not isinstance(one, Sighting) and not isinstance(other, Sighting)
    shift = np.round(one.mean(0) - other.mean(0))
    a, b = (np.asarray(quad * 4096, np.float32) for quad in (one, other + shift))
    areas = cv2.contourArea(a), cv2.contourArea(b)
    if min(areas) <= 0:
        return 0.0
    common, _ = cv2.intersectConvexConvex(cv2.convexHull(a), cv2.convexHull(b))
    return float(common) / min(areas)


def corners_of(label: Label) -> Floats:
    """A label's quad, float64 (4, 2)."""
    return np.array(label.quad, float)
