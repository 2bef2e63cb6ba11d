"""Art without words the wrong way round: a logo or a pattern turned or mirrored in its place."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.stage.model import ProductModel
from scoring.bench.defects.lettering import with_texture
from scoring.bench.defects.sitting import Altered, Floats, Sitting, changed

CHECK = "pattern"

#: Of the product's pixels: smaller art is not looked at.
_SMALLEST, _LARGEST = 0.008, 0.45
#: Art that agrees so well with itself turned over is symmetric.
_SYMMETRIC = 0.7


@dataclass(frozen=True)
class _Art:
    part: int
    box: tuple[int, int, int, int]
    share: float


def logo_turned(sitting: Sitting, strength: str) -> Altered | None:
    """Upside down in its place."""
    return _flipped(sitting, "art turned 180", (-1, -1))


def logo_mirrored(sitting: Sitting, strength: str) -> Altered | None:
    """Mirrored across in its place."""
    return _flipped(sitting, "art mirrored left-right", (1, -1))


def logo_overturned(sitting: Sitting, strength: str) -> Altered | None:
    """Mirrored top to bottom in its place."""
    return _flipped(sitting, "art mirrored top-bottom", (-1, 1))


def _flipped(sitting: Sitting, kind: str, steps: tuple[int, int]) -> Altered | None:
    found = _art(sitting)
    model = sitting.take.model
    for at in sitting.rng.permutation(len(found))[:3]:
        art = found[int(at)]
        texture = model.parts[art.part].material.texture
        assert texture is not None
        left, top, right, bottom = art.box
        piece = texture.pixels[top:bottom, left:right]
        other = piece[:: steps[0], :: steps[1]]
        if _alike(piece, other) > _SYMMETRIC:
            continue
        pixels = texture.pixels.copy()
        pixels[top:bottom, left:right] = other
        altered = _photographed(sitting, with_texture(model, art.part, pixels), kind, art)
        if altered is not None:
            return altered
    return None


def _photographed(sitting: Sitting, model: ProductModel, kind: str, art: _Art) -> Altered | None:
    shot = sitting.again(model)
    where = changed(sitting.plain.picture, shot.picture, sitting.plain.mask > 0)
    share = float(where.sum()) / sitting.area
    # of the art itself, enough must look another way
    if where.sum() < 0.12 * art.share * sitting.area or share < 0.004:
        return None
    strength = "art <3 %" if art.share < 0.03 else "art 3-10 %" if art.share < 0.1 else "art >10 %"
    return sitting.altered(shot.picture, kind, strength, CHECK, False, where)


def _art(sitting: Sitting) -> list[_Art]:
    """Pieces of print that the view shows whole and that hold no label, in texture pixels."""
    truth, model = sitting.take.truth, sitting.take.model
    found: list[_Art] = []
    for index, part in enumerate(model.parts):
        texture = part.material.texture
        seen = (truth.parts == index + 1) & (truth.mask > 127)
        if texture is None or part.uv is None or seen.sum() < 0.02 * sitting.area:
            continue
        high, wide = texture.pixels.shape[:2]
        u, v = truth.uv[seen].T
        x, y = np.minimum((u * wide).astype(int), wide - 1), np.minimum((v * high).astype(int), high - 1)
        shown = np.zeros((high, wide), np.uint8)
        shown[y, x] = 1
        grain = max(3, round(np.sqrt(high * wide / max(int(seen.sum()), 1))) * 2 + 1)
        closed = cv2.morphologyEx(shown, cv2.MORPH_CLOSE, np.ones((grain, grain), np.uint8))
        shown = np.asarray(closed, np.uint8)
        for box in _pieces(texture.pixels[..., :3], shown, _labels(model, part.material.name, high, wide)):
            left, top, right, bottom = box
            if shown[top:bottom, left:right].mean() < 0.92:
                continue
            inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
            share = float(inside.sum()) / sitting.area
            if _SMALLEST <= share <= _LARGEST:
                found.append(_Art(index, box, share))
    return found


def _labels(model: ProductModel, material: str, high: int, wide: int) -> NDArray[np.bool_]:
    marks = np.zeros((high, wide), np.uint8)
    for label in model.labels:
        if not label.material or label.material == material:
            quad = np.array(label.quad) * (wide, high)
            cv2.fillPoly(marks, [np.round(quad).astype(np.int32)], 1)
    return np.asarray(cv2.dilate(marks, np.ones((5, 5), np.uint8)) > 0)


def _pieces(
    pixels: NDArray[np.uint8], shown: NDArray[np.uint8], labels: NDArray[np.bool_]
) -> list[tuple[int, int, int, int]]:
    """Boxes around what differs from its ground and hangs together."""
    high, wide = shown.shape
    if not shown.any():
        return []
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    near = np.round(lab[shown > 0] / 6).astype(np.int64)
    keys = (near[:, 0] * 400 + near[:, 1] + 100) * 400 + near[:, 2] + 100
    values, counts = np.unique(keys, return_counts=True)
    common = values[counts > 0.12 * len(keys)]
    grounds = [lab[shown > 0][keys == key].mean(0) for key in common]
    apart = [np.linalg.norm(lab - ground, axis=-1) for ground in grounds]
    boxes = []
    # each common colour may be the ground of some art
    for away in apart:
        ink = ((away > 14) & (shown > 0) & ~labels).astype(np.uint8)
        gap = max(3, round(0.012 * max(high, wide)))
        joined = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
        for left, top, w, h, _ in stats[1:count]:
            box = int(left), int(top), int(left + w), int(top + h)
            filled = ink[box[1] : box[3], box[0] : box[2]].mean()
            touches = labels[box[1] : box[3], box[0] : box[2]].any()
            if min(w, h) >= 12 and not touches and 0.08 < filled < 0.97 and max(w, h) < 0.7 * max(high, wide):
                boxes.append(box)
    return sorted(set(boxes))


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    a, b = (_small(picture) for picture in (one, other))
    wide = cv2.copyMakeBorder(a, 4, 4, 4, 4, cv2.BORDER_REPLICATE)
    return float(cv2.matchTemplate(wide, b, cv2.TM_CCOEFF_NORMED).max())


def _small(picture: NDArray[np.uint8]) -> Floats:
    grey = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_RGB2LAB).astype(np.float32)
    high, wide = grey.shape[:2]
    factor = 64 / max(high, wide)
    size = max(8, round(wide * factor)), max(8, round(high * factor))
    return np.asarray(cv2.GaussianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), (0, 0), 1.5))
