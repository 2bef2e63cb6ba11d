"""Marks and patterns: where the truth says that a part bears a print without words, laid flat.

A mark is found in the albedo alone: strong edges inside one part, away from annotated labels. It is laid
flat by the texture's own coordinates, so that one turned over in its texture is turned over in the patch,
curved surface or not.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture, Reference
from scoring import strips
from scoring.check import Bools, Floats

#: Pixels along the product's box at which prints are looked for.
LOOK = 288
#: Grey levels a pixel from which the albedo has an edge.
EDGE = 9.0
#: Edges nearer to each other than this share of the product's box are one print.
GATHER = 0.035
#: Pixels of edge that a print has at least, at `LOOK`; pixels of its shorter side in the picture.
LEAST_EDGE, LEAST_SIDE = 45, 22
#: Pixels of a patch's shorter side, and at most of its longer one.
SIDE, LONGEST = 64, 256
#: A patch this nearly square might also be turned by 90 degrees.
SQUARE = 1.35
MARGIN = 0.1
#: Pixels of a patch by which a print may have moved.
STRAY = 4
#: How much a mark must face the camera, cosine, and how flat it must lie, length of its mean normal.
FACING, FLAT = 0.4, 0.8
#: At most so many prints are judged, the largest.
MOST = 5


@dataclass(frozen=True)
class Mark:
    """One mark or pattern of a view.

    Parameters
    ----------
    part
        The name of its part.
    map_x, map_y
        Where each pixel of the patch lies in the render, float32 (h, w).
    patch
        The render's own, RGB uint8 (h, w, 3).
    weight
        1 where the patch shows the part and no label, float32 (h, w).
    axes
        Directions in RGB along which its colours differ most, float32 (2, 3).
    look
        `features` of the patch.
    likeness
        For each way to turn it over, how alike the render's own patch then is to itself, -1 to 1.
    area
        Pixels in the picture.
    """

    part: str
    map_x: Floats
    map_y: Floats
    patch: Picture
    weight: Floats
    axes: Floats
    look: Floats
    likeness: dict[str, float]
    area: float

    def of(self, picture: Picture) -> Picture:
        """The patch of an aligned picture."""
        cut = cv2.remap(picture, self.map_x, self.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cut, np.uint8)

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Of the patch in the render, pixels, clockwise."""
        at = ((0, 0), (0, -1), (-1, -1), (-1, 0))
        return tuple((float(self.map_x[i]), float(self.map_y[i])) for i in at)


def features(patch: Picture, axes: Floats) -> Floats:
    """Gradients of a patch along its two colour axes with light evened out, float32 (h, w, 4)."""
    values = cv2.GaussianBlur(patch, (0, 0), 0.8).astype(np.float32) @ axes.T
    first, second = np.ascontiguousarray(values[..., 0]), np.ascontiguousarray(values[..., 1])
    rest = first - cv2.GaussianBlur(first, (0, 0), 0.3 * SIDE)
    spread = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), 0.3 * SIDE)) + 4.0
    layers = [rest / spread, second / (float(first.std()) + 4.0)]
    steps = [cv2.Sobel(layer, cv2.CV_32F, *way) for layer in layers for way in ((1, 0), (0, 1))]
    return np.stack(steps, -1)


def likeness(look: Floats, weight: Floats, seen: Floats) -> float:
    """The best normalised correlation of `seen` with `look` where `weight` is, over small shifts; -1 to 1."""
    covered = weight[..., None]
    template = np.ascontiguousarray(look * covered)
    own = float((template * template).sum())
    if own <= 0:
        return 0.0
    around = ((STRAY, STRAY), (STRAY, STRAY), (0, 0))
    field = np.pad(seen, around)
    product = sum(
        cv2.matchTemplate(
            np.ascontiguousarray(field[..., k]), np.ascontiguousarray(template[..., k]), cv2.TM_CCORR
        )
        for k in range(look.shape[2])
    )
    energy = cv2.matchTemplate((field * field).sum(-1), np.ascontiguousarray(weight), cv2.TM_CCORR)
    return float((product / np.sqrt(own * np.maximum(energy, 1e-3 * own))).max())


def overturned(patch: Picture, axes: Floats, weight: Floats, how: str) -> tuple[Floats, Floats]:
    """`features` and weight of a patch drawn as `how` says."""
    drawn = np.asarray(strips.drawn(patch, how), np.uint8)
    both = np.minimum(weight, strips.drawn(weight, how))
    return features(drawn, axes), np.asarray(both, np.float32)


# a reference's prints by its content: all candidates of a shot share them
_MARKS: OrderedDict[bytes, tuple[Mark, ...]] = OrderedDict()
_KEPT = 32


def marks_of(scene: Reference) -> tuple[Mark, ...]:
    """The prints that a view shows, largest first; each reference's are found once."""
    x, y, w, h = cv2.boundingRect(scene.mask)
    if w == 0:
        return ()
    window = np.s_[y : y + h, x : x + w]
    outlines = repr([label.outline for label in scene.labels]) + repr((x, y))
    parts = (np.ascontiguousarray(scene.colour[window]).data, np.ascontiguousarray(scene.albedo[window]).data)
    digest = hashlib.sha1(outlines.encode(), usedforsecurity=False)
    for part in (*parts, np.ascontiguousarray(scene.normals[window][::8, ::8]).data):
        digest.update(part)
    key = digest.digest()
    if key not in _MARKS:
        _MARKS[key] = tuple(_found(scene, window))
        if len(_MARKS) > _KEPT:
            _MARKS.popitem(last=False)
    _MARKS.move_to_end(key)
    return _MARKS[key]


def _found(scene: Reference, window: tuple[slice, slice]) -> list[Mark]:
    height, width = scene.mask[window].shape
    scale = min(1.0, LOOK / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    parts = cv2.resize(scene.parts[window], size, interpolation=cv2.INTER_NEAREST)
    inside = cv2.resize(scene.mask[window], size, interpolation=cv2.INTER_AREA) > 250
    labels = _label_area(scene)[window]
    free = cv2.resize(labels, size, interpolation=cv2.INTER_AREA) == 0
    edges = _edges(scene, window, size) & inside & free & _uniform(parts, scene.depth[window], size)
    reach = 2 * max(1, round(GATHER * LOOK / 2)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    names = {part.index: part.part for part in scene.colours}
    out = []
    for index in np.unique(parts[edges]):
        of_part = edges & (parts == index)
        if of_part.sum() < LEAST_EDGE:
            continue
        gathered = cv2.dilate(of_part.astype(np.uint8), kernel)
        count, labelled = cv2.connectedComponents(gathered)
        for k in range(1, count):
            rows, columns = np.nonzero(of_part & (labelled == k))
            if len(rows) < LEAST_EDGE:
                continue
            # edges' own places in the picture
            at = np.stack([columns + 0.5, rows + 0.5], 1) / scale + (window[1].start, window[0].start)
            found = _laid_flat(scene, int(index), at, labels, window, names.get(int(index), ""))
            if found is not None:
                out.append(found)
    return sorted(out, key=lambda one: -one.area)[:MOST]


def _label_area(scene: Reference) -> NDArray[np.uint8]:
    """Labels' outlines and a little around them, uint8 (H, W)."""
    area = np.zeros(scene.mask.shape, np.uint8)
    for label in scene.labels:
        if label.text:
            outline = np.round(np.asarray(label.outline)).astype(np.int32)
            cv2.fillPoly(area, [outline], 1)
            cv2.polylines(area, [outline], True, 1, max(2, round(0.3 * label.height)))
    return area


def _edges(scene: Reference, window: tuple[slice, slice], size: tuple[int, int]) -> Bools:
    albedo = cv2.resize(scene.albedo[window], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    steep = [np.abs(cv2.Sobel(albedo, cv2.CV_32F, *way, scale=1 / 8)).max(-1) for way in ((1, 0), (0, 1))]
    return np.asarray(np.hypot(*steep) > EDGE)


def _uniform(parts: NDArray[Any], depth: Floats, size: tuple[int, int]) -> Bools:
    """Away from where one part ends and another begins, or the part hides itself."""
    around = np.ones((5, 5), np.uint8)
    same = cv2.dilate(parts, around) == cv2.erode(parts, around)
    near = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST)
    known = near[near > 0]
    if not len(known):
        return np.asarray(same)
    jump = cv2.dilate(near, around) - cv2.erode(near, around) > 0.12 * float(np.ptp(known)) + 1e-6
    return np.asarray(same & ~jump)


def _laid_flat(
    scene: Reference,
    index: int,
    at: NDArray[np.float64],
    labels: NDArray[np.uint8],
    window: tuple[slice, slice],
    name: str,
) -> Mark | None:
    """The patch of one print; None where it is too small or nothing about it can be told."""
    low, high = at.min(0), at.max(0)
    if min(high - low) < LEAST_SIDE or not _faces(scene, at):
        return None
    maps = _by_texture(scene, index, at)
    if maps is None:
        maps = _by_picture(low, high)
    map_x, map_y = maps
    top, left = window[0].start, window[1].start
    here = ((scene.parts[window] == index) & (labels == 0)).astype(np.float32)
    border = cv2.BORDER_CONSTANT
    weight = cv2.remap(here, map_x - left, map_y - top, cv2.INTER_LINEAR, borderMode=border)
    weight = (cv2.erode(weight, np.ones((3, 3), np.uint8)) > 0.95).astype(np.float32)
    if weight.mean() < 0.3:
        return None

    def cut(picture: Picture) -> Picture:
        return np.asarray(cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR), np.uint8)

    axes = strips.ink_axes(cut(scene.albedo)[weight > 0][None])
    patch = cut(scene.colour)
    look = features(patch, axes)
    ways: Iterable[str] = strips.FLAT[1:]
    if map_x.shape[0] == map_x.shape[1]:
        ways = (*ways, *strips.UPRIGHT)
    alike = {}
    for how in ways:
        turned, both = overturned(patch, axes, weight, how)
        if both.mean() > 0.3 and float(((turned * both[..., None]) ** 2).sum()) > 0.35 * float(
            (look**2).sum()
        ):
            alike[how] = likeness(turned, both, look)
    area = float(np.prod(high - low))
    return Mark(name, map_x, map_y, patch, weight, axes, look, alike, area) if alike else None


def _faces(scene: Reference, at: NDArray[np.float64]) -> bool:
    """Whether the surface there is turned to the camera and flat enough to be followed."""
    pixels = np.clip(np.floor(at).astype(int), 0, np.array(scene.mask.shape[::-1]) - 1)
    normal = scene.normals[pixels[:, 1], pixels[:, 0]].mean(0)
    camera, (x, y) = scene.camera, at.mean(0)
    ray = np.array([(x - camera.width / 2) / camera.focal, (camera.height / 2 - y) / camera.focal, -1.0])
    towards = -(camera.pose[:3, :3] @ ray) / np.linalg.norm(ray)
    return float(np.linalg.norm(normal)) >= FLAT and float(normal @ towards) >= FACING


def _by_picture(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """A patch that is a box of the picture."""
    size = high - low
    low, high = low - MARGIN * size, high + MARGIN * size
    shape = _shape(*(high - low))
    middle, half = (low + high) / 2, (high - low) / 2
    if shape[0] == shape[1]:
        half = np.full(2, half.max())
    x = np.linspace(middle[0] - half[0], middle[0] + half[0], shape[1])
    y = np.linspace(middle[1] - half[1], middle[1] + half[1], shape[0])
    map_x, map_y = np.meshgrid(x, y)
    return map_x.astype(np.float32), map_y.astype(np.float32)


def _by_texture(scene: Reference, index: int, at: NDArray[np.float64]) -> tuple[Floats, Floats] | None:
    """A patch that is a box of the part's texture; None where that cannot be followed into the picture."""
    pixels = np.clip(np.floor(at).astype(int), 0, np.array(scene.mask.shape[::-1]) - 1)
    uv = scene.uv[pixels[:, 1], pixels[:, 0]]
    low, high = np.quantile(uv, 0.005, 0), np.quantile(uv, 0.995, 0)
    span = high - low
    if min(span) < 1e-3 or max(span) > 0.9:
        return None
    # the part around the print says where texture and picture lie upon each other
    x0, y0 = np.maximum(np.floor(at.min(0)).astype(int) - 8, 0)
    x1, y1 = np.ceil(at.max(0)).astype(int) + 8
    box = np.s_[y0:y1, x0:x1]
    known = (scene.parts[box] == index) & (scene.mask[box] > 250)
    rows, columns = np.nonzero(known)
    near = scene.uv[box][rows, columns]
    kept = ((near > low - 0.3 * span) & (near < high + 0.3 * span)).all(1)
    if kept.sum() < 100:
        return None
    some = np.flatnonzero(kept)[:: max(1, int(kept.sum()) // 1500)]
    place = np.stack([columns[some] + x0, rows[some] + y0], 1).astype(float)
    terms = _terms((near[some] - low) / span)
    solved, *_ = np.linalg.lstsq(terms, place, rcond=None)
    error = np.abs(terms @ solved - place).max(1)
    if np.quantile(error, 0.97) > 0.02 * float(max(at.max(0) - at.min(0))) + 0.8:
        return None
    ends = _terms(np.array([[0.0, 0.5], [1.0, 0.5], [0.5, 0.0], [0.5, 1.0]])) @ solved
    wide, tall = np.linalg.norm(ends[1] - ends[0]), np.linalg.norm(ends[3] - ends[2])
    if min(wide, tall) < 0.7 * LEAST_SIDE:
        return None
    shape = _shape(float(wide), float(tall))
    # a square patch of a print that is not quite square reaches further along its shorter side
    extra = np.array([max(1.0, tall / wide), max(1.0, wide / tall)]) if shape[0] == shape[1] else np.ones(2)
    half = 0.5 * (1 + 2 * MARGIN) * extra
    u = np.linspace(0.5 - half[0], 0.5 + half[0], shape[1])
    v = np.linspace(0.5 - half[1], 0.5 + half[1], shape[0])
    grid = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)
    where = (_terms(grid) @ solved).astype(np.float32).reshape(*shape, 2)
    return np.ascontiguousarray(where[..., 0]), np.ascontiguousarray(where[..., 1])


def _terms(uv: NDArray[np.floating]) -> NDArray[np.float64]:
    """All products of powers up to the third, float64 (N, 10)."""
    u, v = np.asarray(uv, float).T - 0.5
    one = np.ones_like(u)
    return np.stack([one, u, v, u * u, u * v, v * v, u**3, u * u * v, u * v * v, v**3], 1)


def _shape(wide: float, tall: float) -> tuple[int, int]:
    """Rows and columns of a patch."""
    ratio = wide / tall
    if 1 / SQUARE < ratio < SQUARE:
        return SIDE, SIDE
    long = int(np.clip(round(SIDE * max(ratio, 1 / ratio)), SIDE, LONGEST))
    return (SIDE, long) if ratio > 1 else (long, SIDE)
