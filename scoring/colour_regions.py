"""Regions of one colour on a product, and how a candidate's colours there compare with the expected ones.

A region is one swatch of one part. Only its thick interior counts: along edges antialiasing, chroma
subsampling and a pixel's error of registration mix it with its neighbours. Regions are cut into patches, each
small enough to face one way, so that a change of light can be told from a change of colour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.truth import PartColours, Swatch

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Picture = NDArray[np.uint8]

# pixels on the longer side of the product's box at which colours are compared
WORK = 320
# the box is cut into this many tiles each way
TILES = 4
# pixels at work size: of an interior from any edge; the least of a patch, and of a region
_MARGINS = (4, 3)
# the same of a part that has no such interior: a strap, a handle; and of a strip of three or four pixels
_THIN, _STRIP = 2, 1
# share of the product's pixels from which such a strip is looked at: a zip's edge is nobody's colour
_LEAST_STRIP = 0.025
_LEAST_PATCH, _LEAST_REGION = 24, 48
# share of the product's pixels under which a region is too small to be told from its neighbours' edges
_LEAST_SHARE = 0.004
# the patches that are kept, largest first
MOST = 64
# linear light added before a logarithm: what a decoder makes of black
DARK = 0.004
# sRGB values outside of which a channel says nothing
_BLACK, _WHITE = 8, 251
#: Share of a patch's pixels that say something, under which the patch says nothing
OPEN = 0.2
# share of a part's interior that its swatches' interiors must hold, or the part is taken whole
_SPECKLED = 0.12

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# from the logarithms of red, green and blue to those of lightness, red against green, blue against green
AXES = np.array([[0.2126, 0.7152, 0.0722], [1.0, -1.0, 0.0], [0.0, -1.0, 1.0]], np.float32)


@dataclass(frozen=True)
class Truth:
    """What of a reference colours are compared by, cut to the product and brought to work size.

    Parameters
    ----------
    colour, albedo
        sRGB uint8 (h, w, 3), lit and unlit.
    normals
        Unit, float32 (h, w, 3), x to the camera's right, y up, z towards the camera's side.
    parts
        uint16 (h, w).
    mask
        uint8 (h, w).
    x, y
        Where the pixels lie in the whole frame, -1 to 1: float32 (1, w) and (h, 1).
    """

    colour: Picture
    albedo: Picture
    normals: Floats
    parts: NDArray[np.uint16]
    mask: Picture
    x: Floats
    y: Floats


def truth_of(
    passes: dict[str, NDArray[Any]],
    turn: NDArray[np.floating[Any]],
    box: tuple[int, int, int, int],
    frame: tuple[int, int],
) -> Truth:
    """Bring a reference's passes, cut to `box`, to work size.

    Parameters
    ----------
    passes
        "colour", "albedo", "normals" (world, any scale), "parts", "mask": as in a reference, cut to the box.
    turn
        (3, 3): the camera's right, the world's up and what points to the camera's side, as rows.
    box
        Left, top, right, bottom of the cut in the frame.
    frame
        Width and height of the whole picture.
    """
    size = work_size(box)
    mask = _shrunk(passes["mask"], size)
    normals = _shrunk(np.asarray(passes["normals"], np.float32), size) @ np.asarray(turn, np.float32).T
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + np.float32(1e-6)
    parts = cv2.resize(passes["parts"], size, interpolation=cv2.INTER_NEAREST_EXACT)
    x = (box[0] + (np.arange(size[0]) + 0.5) * (box[2] - box[0]) / size[0]) / frame[0] * 2 - 1
    y = (box[1] + (np.arange(size[1]) + 0.5) * (box[3] - box[1]) / size[1]) / frame[1] * 2 - 1
    return Truth(
        colour=_shrunk(passes["colour"], size),
        albedo=_shrunk(passes["albedo"], size),
        normals=np.asarray(normals, np.float32),
        parts=np.asarray(parts, np.uint16),
        mask=mask,
        x=x[None].astype(np.float32),
        y=y[:, None].astype(np.float32),
    )


def work_size(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Width and height at which the cut `box` is compared; never enlarged."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(1.0, WORK / max(width, height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))


def facing(pose: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The rows of `truth_of`'s `turn` from a camera's pose, (4, 4)."""
    right = np.asarray(pose, np.float64)[:3, 0]
    up = np.array([0.0, 1.0, 0.0])
    return np.stack([right, up, np.cross(right, up)])


def shrunk(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """A cut of a picture at work size."""
    return _shrunk(picture, work_size(box))


def _shrunk(picture: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


@dataclass(frozen=True)
class Region:
    """One swatch of one part.

    Parameters
    ----------
    part
        Its name.
    index
        The part's value in `Reference.parts`.
    swatch
        Index into the part's swatches; -1: the part as a whole.
    pixels
        At work size.
    lab
        CIELAB of its base colour.
    strip
        Whether it is so thin that its pixels lie right beside its edges.
    """

    part: str
    index: int
    swatch: int
    pixels: int
    lab: tuple[float, float, float]
    strip: bool = False


@dataclass(frozen=True)
class Patches:
    """All patches of a product's view.

    Parameters
    ----------
    regions
        All regions that have patches.
    region
        The region of each patch, int64 (N,).
    members
        The pixels of each patch, indices into the flattened work picture.
    features
        What the truth says of each patch, float32 (N, F): see `FEATURES`.
    shown
        The mean colour of each patch in the render, sRGB values 0 to 255, float32 (N, 3).
    place
        Where each patch lies in the whole frame, x and y from -1 to 1, float32 (N, 2).
    """

    regions: tuple[Region, ...]
    region: NDArray[np.int64]
    members: tuple[NDArray[np.int64], ...] = field(repr=False)
    features: Floats = field(repr=False)
    shown: Floats = field(repr=False)
    place: Floats = field(repr=False)


FEATURES = (
    "normal x", "normal y", "normal z", "across", "down", "albedo lightness", "albedo red", "albedo blue",
    "light lightness", "light red", "light blue", "shown lightness", "pixels", "light spread",
)  # fmt: skip


def patches_of(truth: Truth, colours: tuple[PartColours, ...]) -> Patches:
    """Cut a product's view into patches; none where nothing is thick enough."""
    labels, regions = _region_map(truth, colours)
    height, width = truth.mask.shape
    rows, columns = np.nonzero(labels)
    flat = rows * width + columns
    tile = (rows * TILES // height) * TILES + columns * TILES // width
    key = labels[rows, columns].astype(np.int64) * TILES * TILES + tile
    order = np.argsort(key, kind="stable")
    key, flat = key[order], flat[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    ends = np.append(starts[1:], len(key))[: len(starts)]
    members = [(int(key[a]), flat[a:b]) for a, b in zip(starts, ends, strict=True)]
    members = [one for one in members if len(one[1]) >= _LEAST_PATCH]
    members = sorted(members, key=lambda one: -len(one[1]))
    # the largest of each region first, so that none goes unseen beside a large neighbour
    firsts = {one[0] // (TILES * TILES): k for k, one in reversed(list(enumerate(members)))}
    order = np.argsort([k not in firsts.values() for k in range(len(members))], kind="stable")
    members = [members[k] for k in order[:MOST]]
    used = sorted({k // (TILES * TILES) - 1 for k, _ in members})
    kept = tuple(regions[k] for k in used)
    region = np.array([used.index(k // (TILES * TILES) - 1) for k, _ in members], np.int64)
    pixels = tuple(at for _, at in members)
    shown = np.array([truth.colour.reshape(-1, 3)[at].mean(0) for at in pixels], np.float32).reshape(-1, 3)
    place = np.array(
        [(truth.x[0, at % width].mean(), truth.y[at // width, 0].mean()) for at in pixels], np.float32
    ).reshape(-1, 2)
    return Patches(kept, region, pixels, _features(truth, pixels), shown, place)


def _region_map(truth: Truth, colours: tuple[PartColours, ...]) -> tuple[NDArray[np.int32], list[Region]]:
    """1 + index into the regions of each pixel in a thick interior, int32 (h, w); else 0."""
    solid = truth.mask > 252
    least = max(_LEAST_REGION, round(_LEAST_SHARE * int(solid.sum())))
    parts = np.where(solid, truth.parts, 0).astype(np.int32)
    if not colours:  # a reference without colour truth: each part as a whole
        colours = tuple(
            PartColours(f"part {k}", int(k), 0.0, (Swatch((50.0, 0.0, 0.0), 1.0),))
            for k in np.unique(parts[parts > 0])
        )
    lab = np.asarray(
        cv2.cvtColor(truth.albedo.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), np.float32
    )
    fine = np.zeros(parts.shape, np.int32)
    known: list[Region] = []
    for part in colours:
        at = parts == part.index
        count = int(at.sum())
        if count < least or not part.swatches:
            continue
        centres = np.array([one.lab for one in part.swatches], np.float32)
        nearest = np.square(lab[at][:, None] - centres).sum(-1).argmin(-1)
        fine[at] = len(known) + 1 + nearest
        known += [Region(part.part, part.index, k, 0, one.lab) for k, one in enumerate(part.swatches)]
    out = np.zeros(parts.shape, np.int32)
    regions: list[Region] = []
    whole = _interior(parts, _MARGINS[0])
    inner = [_interior(fine, margin) for margin in _MARGINS]
    thin, strips = _interior(parts, _THIN), _interior(parts, _STRIP)
    for part in colours:
        swatches = [k for k, one in enumerate(known) if one.index == part.index]
        interior = whole & (parts == part.index)
        taken = 0
        for k in swatches:
            at = (fine == k + 1) & inner[0]
            if at.sum() < least:
                at = (fine == k + 1) & inner[1]
            if (size := int(at.sum())) >= least:
                regions.append(_sized(known[k], size))
                out[at] = len(regions)
                taken += size
        strip = False
        if swatches and not taken and interior.sum() < least:
            own = parts == part.index
            interior = thin & own
            strip = bool(interior.sum() < least and own.sum() >= _LEAST_STRIP * solid.sum())
            interior = strips & own if strip else interior
        if swatches and taken < _SPECKLED * interior.sum() and interior.sum() >= least:
            # a photograph, a fine pattern or a thin part: no swatch has an interior, the part as a whole has
            a, b, c = (float(v) for v in np.median(lab[interior], 0))
            regions.append(Region(part.part, part.index, -1, int(interior.sum()), (a, b, c), strip))
            out[interior] = len(regions)
    return out, regions


def _sized(region: Region, pixels: int) -> Region:
    return Region(region.part, region.index, region.swatch, pixels, region.lab)


def _interior(labels: NDArray[np.int32], margin: int) -> Bools:
    """Where all within `margin` pixels is of one label."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    values = labels.astype(np.float32)
    same = cv2.erode(values, kernel) == cv2.dilate(values, kernel)
    same[:margin], same[-margin:], same[:, :margin], same[:, -margin:] = False, False, False, False
    return np.asarray(same & (labels > 0))


def _features(truth: Truth, members: tuple[NDArray[np.int64], ...]) -> Floats:
    height, width = truth.mask.shape
    albedo = np.log(to_linear(truth.albedo.reshape(-1, 3)) + np.float32(DARK)) @ AXES.T
    shown = np.log(to_linear(truth.colour.reshape(-1, 3)) + np.float32(DARK)) @ AXES.T
    normals = truth.normals.reshape(-1, 3)
    rows = []
    for at in members:
        light = shown[at] - albedo[at]
        middle = np.median(light, 0)
        rows.append(
            [
                *normals[at].mean(0),
                float((at % width).mean()) / width * 2 - 1,
                float((at // width).mean()) / height * 2 - 1,
                *albedo[at].mean(0),
                *middle,
                float(shown[at, 0].mean()),
                float(np.log(len(at))),
                float(np.percentile(light[:, 0], 90) - np.percentile(light[:, 0], 10)),
            ]
        )
    table = np.asarray(rows, np.float32).reshape(len(rows), len(FEATURES))
    if len(table):
        # how light falls is told against the product's own mean: exposure is no feature
        table[:, 8:11] -= np.median(table[:, 8:11], 0)
    return table


def observed(patches: Patches, seen: Picture, expected: Floats) -> tuple[Floats, Floats, Floats]:
    """How a candidate's colours compare with the expected ones, patch by patch.

    Parameters
    ----------
    seen
        The candidate, aligned, at work size, sRGB uint8 (h, w, 3).
    expected
        The render under the picture's style, sRGB values 0 to 255, float32 (h, w, 3).

    Returns
    -------
    difference
        Logarithms of seen over expected on `AXES`, float32 (N, 3): medians over each patch.
    spread
        How far the pixels of each patch differ among themselves, float32 (N, 3): half the middle 68 %.
    open_share
        The share of each patch's pixels that is neither clipped nor black, float32 (N,); differences of
        patches with less than a fifth are 0. Where the candidate alone is clipped all over a patch its
        pixels count: their difference is the least that it may be.
    """
    want = np.round(np.clip(expected, 0, 255)).astype(np.uint8).reshape(-1, 3)
    have = np.ascontiguousarray(seen).reshape(-1, 3)
    count = len(patches.members)
    difference, spread = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
    open_share = np.zeros(count, np.float32)
    if not count:
        return difference, spread, open_share
    order = np.concatenate(patches.members)
    a, b = have[order], want[order]
    asked = (b.max(1) <= _WHITE) & (b.max(1) >= _BLACK)
    fine = (a.max(1) <= _WHITE) & asked
    table = np.log(to_linear(np.arange(256, dtype=np.uint8)) + np.float32(DARK))
    ratio = (table[a] - table[b]) @ AXES.T
    start = 0
    for k, at in enumerate(patches.members):
        end = start + len(at)
        good = fine[start:end]
        if good.mean() < OPEN <= asked[start:end].mean():
            # a colour that left the range where it should not have: as far as it can be seen it differs
            good = asked[start:end]
        open_share[k] = good.mean()
        if open_share[k] >= OPEN:
            low, middle, high = np.percentile(ratio[start:end][good], (16, 50, 84), axis=0)
            difference[k], spread[k] = middle, (high - low) / 2
        start = end
    return difference, spread, open_share
