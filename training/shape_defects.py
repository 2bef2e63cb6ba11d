"""Defects painted into pictures, and the harmless things that must not be taken for them.

All work on the square of a take (`training.shape_data`): a picture, the product's coverage in it and the base
photo. A defect returns the picture and coverage with it; `differing` says where a person sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Random = np.random.Generator


@dataclass(frozen=True)
class Canvas:
    """What a defect is painted into.

    Parameters
    ----------
    picture, base, other
        The honest picture, the base photo, and a picture of another product, sRGB uint8 (S, S, 3).
    mask
        The product's coverage, uint8 (S, S).
    size
        Square root of the product's area in pixels.
    """

    picture: Picture
    base: Picture
    other: Picture
    mask: Picture
    size: float


Painted = tuple[Picture, Picture]


def canvas(picture: Picture, base: Picture, other: Picture, mask: Picture) -> Canvas:
    """A canvas; its size follows from the mask."""
    return Canvas(picture, base, other, mask, float(np.sqrt(max((mask > 127).sum(), 100))))


def noise(rng: Random, side: int, grain: float) -> Floats:
    """Smooth noise of unit spread whose bumps are `grain` pixels long, float32 (side, side)."""
    few = max(2, round(side / grain) + 2)
    coarse = rng.normal(0, 1, (few, few)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _centre(c: Canvas, rng: Random, rim: bool) -> tuple[float, float]:
    """A place on the product, at its outline where `rim`, x and y."""
    inside = (c.mask > 127).astype(np.uint8)
    if rim:
        inside = inside - cv2.erode(inside, np.ones((3, 3), np.uint8))
    flat = np.flatnonzero(inside)
    if not len(flat):
        return c.mask.shape[1] / 2, c.mask.shape[0] / 2
    y, x = divmod(int(flat[int(rng.integers(len(flat)))]), c.mask.shape[1])
    return float(x), float(y)


def region(c: Canvas, rng: Random, rim: bool = False, share: float | None = None) -> Floats:
    """A soft-edged random place on the product, 0 to 1, float32 (S, S)."""
    side = c.mask.shape[0]
    if share is None:
        share = float(np.exp(rng.uniform(np.log(0.008), np.log(0.16))))
    radius = c.size * np.sqrt(share / np.pi)
    x, y = _centre(c, rng, rim)
    across, down = np.meshgrid(np.arange(side, dtype=np.float32) - x, np.arange(side, dtype=np.float32) - y)
    angle, long = rng.uniform(0, np.pi), float(np.exp(rng.uniform(0, 0.7)))
    u = (across * np.cos(angle) + down * np.sin(angle)) / long
    v = (-across * np.sin(angle) + down * np.cos(angle)) * long
    far = np.maximum(np.abs(u), np.abs(v)) * 1.1 if rng.random() < 0.25 else np.hypot(u, v)
    far = far + noise(rng, side, max(radius * 0.9, 4)) * radius * rng.uniform(0, 0.3)
    soft = rng.uniform(0.6, 3.0)
    return np.asarray(np.clip((radius - far) / soft + 0.5, 0, 1), np.float32)


def _laid(under: Picture, over: NDArray[np.generic], where: Floats) -> Picture:
    a = where[..., None]
    return np.clip(under * (1 - a) + over * a + 0.5, 0, 255).astype(np.uint8)


def _removed(c: Canvas, rng: Random) -> Painted:
    """The scene shows where the product was."""
    where = region(c, rng, rim=rng.random() < 0.75)
    cover = c.mask.astype(np.float32) / 255
    mask = np.asarray(c.mask * (1 - where), np.uint8)
    return _laid(c.picture, c.base.astype(np.float32) * rng.uniform(0.8, 1.0), where * (cover > 0.02)), mask


def _cropped(c: Canvas, rng: Random) -> Painted:
    """All of the product beyond a line is gone."""
    ys, xs = np.nonzero(c.mask > 127)
    angle = rng.choice([0, 0.5, 1, 1.5]) * np.pi + rng.normal(0, 0.25)
    along = xs * np.cos(angle) + ys * np.sin(angle)
    side = c.mask.shape[0]
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    line = np.quantile(along, 1 - np.exp(rng.uniform(np.log(0.015), np.log(0.15))))
    where = np.clip(across * np.cos(angle) + down * np.sin(angle) - line, 0, 1).astype(np.float32)
    picture = _laid(c.picture, c.base.astype(np.float32) * rng.uniform(0.85, 1.0), where * (c.mask > 4))
    return picture, np.asarray(c.mask * (1 - where), np.uint8)


def _grown(c: Canvas, rng: Random) -> Painted:
    """The product's own colours bulge over its outline."""
    where = region(c, rng, rim=True)
    cover = c.mask.astype(np.float32) / 255
    spread = c.size * 0.08
    weight = cv2.GaussianBlur(cover, (0, 0), spread) + 1e-3
    colour = cv2.GaussianBlur(c.picture * cover[..., None], (0, 0), spread) / weight[..., None]
    colour *= rng.uniform(0.75, 1.15)
    outside = where * (1 - cover)
    return _laid(c.picture, colour, outside), np.maximum(c.mask, (where * 255).astype(np.uint8))


def _shifted(c: Canvas, rng: Random, by: Floats, where: Floats) -> Painted:
    """Pixels come from elsewhere: `by` (S, S, 2) pixels, as far as `where` says."""
    side = c.mask.shape[0]
    across, down = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    x, y = across + by[..., 0] * where, down + by[..., 1] * where
    mask = cv2.remap(c.mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = cv2.remap(c.picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # what the product leaves shows the scene, not a smeared one
    near = (np.maximum(mask, c.mask).astype(np.float32) / 255)[..., None]
    behind = c.base * (1 - near) + moved * near if rng.random() < 0.5 else moved
    return np.clip(behind, 0, 255).astype(np.uint8), np.asarray(mask, np.uint8)


def _melted(c: Canvas, rng: Random) -> Painted:
    """An elastic warp of a place."""
    side = c.mask.shape[0]
    grain = c.size * rng.uniform(0.06, 0.25)
    strength = grain * rng.uniform(0.22, 0.6)
    by = np.stack([noise(rng, side, grain), noise(rng, side, grain)], -1) * strength
    share = float(np.exp(rng.uniform(np.log(0.03), np.log(0.5))))
    where = cv2.GaussianBlur(region(c, rng, rng.random() < 0.5, share), (0, 0), c.size * 0.03)
    return _shifted(c, rng, by, where)


def _dripping(c: Canvas, rng: Random) -> Painted:
    """Columns of a place run down, as wax does."""
    side = c.mask.shape[0]
    share = float(np.exp(rng.uniform(np.log(0.03), np.log(0.3))))
    where = cv2.GaussianBlur(region(c, rng, rng.random() < 0.5, share), (0, 0), c.size * 0.03)
    by = np.zeros((side, side, 2), np.float32)
    drip = noise(rng, side, c.size * rng.uniform(0.06, 0.2))[:1]
    by[..., 1] = -np.abs(drip) * c.size * rng.uniform(0.05, 0.14)
    return _shifted(c, rng, by, where)


def _footed(c: Canvas, rng: Random) -> Painted:
    """The foot of the product warped."""
    side = c.mask.shape[0]
    ys = np.nonzero((c.mask > 127).any(1))[0]
    low = float(np.quantile(ys, rng.uniform(0.65, 0.9))) if len(ys) else side * 0.8
    where = np.clip((np.arange(side, dtype=np.float32) - low) / (c.size * 0.06), 0, 1)[:, None]
    where = np.repeat(where, side, 1)
    grain = c.size * rng.uniform(0.12, 0.35)
    by = np.stack([noise(rng, side, grain), noise(rng, side, grain)], -1) * c.size * rng.uniform(0.02, 0.06)
    return _shifted(c, rng, by, where)


def _bulged(c: Canvas, rng: Random) -> Painted:
    """A place drawn in or blown up."""
    side = c.mask.shape[0]
    x, y = _centre(c, rng, rng.random() < 0.6)
    radius = c.size * rng.uniform(0.15, 0.4)
    across, down = np.meshgrid(np.arange(side, dtype=np.float32) - x, np.arange(side, dtype=np.float32) - y)
    near = np.exp(-(across**2 + down**2) / (2 * (0.5 * radius) ** 2)).astype(np.float32)
    strength = float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.5))
    if rng.random() < 0.3:  # a swirl
        by = np.stack([-down, across], -1) * strength * 1.5
    else:
        by = np.stack([across, down], -1) * strength
    return _shifted(c, rng, by.astype(np.float32), near)


def _leaning(c: Canvas, rng: Random) -> Painted:
    """Straight edges bent, over the whole product or half of it."""
    side = c.mask.shape[0]
    axis = int(rng.integers(2))
    length = c.size * rng.uniform(0.5, 1.5)
    wave = np.sin(np.arange(side) * 2 * np.pi / length + rng.uniform(0, 6.3)).astype(np.float32)
    by = np.zeros((side, side, 2), np.float32)
    by[..., axis] = (wave[:, None] if axis == 0 else wave[None]) * c.size * rng.uniform(0.025, 0.07)
    where = region(c, rng, False, rng.uniform(0.2, 1.5))
    return _shifted(c, rng, by, cv2.GaussianBlur(where, (0, 0), c.size * 0.05))


def _stretched(c: Canvas, rng: Random) -> Painted:
    """Other proportions: the whole product, or what lies beyond a line, longer or shorter along an axis."""
    side, axis = c.mask.shape[0], int(rng.integers(2))
    along = np.nonzero((c.mask > 127).any(axis))[0]
    middle = float(np.quantile(along, rng.uniform(0, 1))) if len(along) else side / 2
    far = np.arange(side, dtype=np.float32) - middle
    if rng.random() < 0.5:
        far = np.maximum(far, 0) if rng.random() < 0.5 else np.minimum(far, 0)
    by = np.zeros((side, side, 2), np.float32)
    by[..., axis] = (far[None] if axis == 0 else far[:, None]) * rng.choice([-1, 1]) * rng.uniform(0.06, 0.2)
    return _shifted(c, rng, by, np.ones((side, side), np.float32))


def _smeared(c: Canvas, rng: Random) -> Painted:
    long = max(3, round(c.size * rng.uniform(0.08, 0.25)))
    kernel = np.zeros((long, long), np.float32)
    angle, half = rng.uniform(0, np.pi), long / 2
    tip = np.array([np.cos(angle), np.sin(angle)]) * half
    a, b = (np.round(half + sign * tip).astype(int) for sign in (-1, 1))
    cv2.line(kernel, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 1.0, 1)
    kernel /= max(kernel.sum(), 1)
    return _laid(c.picture, cv2.filter2D(c.picture, -1, kernel), region(c, rng, rng.random() < 0.3)), c.mask


def _softened(c: Canvas, rng: Random) -> Painted:
    blurred = cv2.GaussianBlur(c.picture, (0, 0), rng.uniform(2.0, 7.0))
    return _laid(c.picture, blurred, region(c, rng, False, rng.uniform(0.02, 0.4))), c.mask


def _filled(c: Canvas, rng: Random) -> Painted:
    """What was printed or built there is gone, its surroundings grown over it."""
    where = region(c, rng, False)
    hole = (where > 0.3).astype(np.uint8)
    if rng.random() < 0.5:
        method = cv2.INPAINT_TELEA if rng.random() < 0.5 else cv2.INPAINT_NS
        return _laid(c.picture, cv2.inpaint(c.picture, hole, 3, method), where), c.mask
    ring = (cv2.dilate(hole, np.ones((7, 7), np.uint8)) > hole) & (c.mask > 127)
    colour = np.median(c.picture[ring], axis=0) if ring.any() else np.full(3, 128.0)
    return _laid(c.picture, np.broadcast_to(colour, c.picture.shape), where), c.mask


def _blotched(c: Canvas, rng: Random) -> Painted:
    """A patch of another colour, in the product's own shading."""
    where = region(c, rng, rng.random() < 0.3)
    inside = c.mask > 127
    mean = c.picture[inside].mean(0) if inside.any() else np.full(3, 128.0)
    if rng.random() < 0.5:
        colour = np.clip(mean * rng.choice([0.35, 0.6, 1.6]) + rng.uniform(-20, 20, 3), 5, 250)
    else:
        colour = rng.uniform(10, 245, 3)
    shade = cv2.GaussianBlur(c.picture, (0, 0), c.size * 0.06).mean(-1, keepdims=True) / max(mean.mean(), 10)
    return _laid(c.picture, colour * np.clip(shade, 0.5, 1.4), where * rng.uniform(0.5, 1.0)), c.mask


def _scribbled(c: Canvas, rng: Random) -> Painted:
    side = c.mask.shape[0]
    x, y = _centre(c, rng, False)
    steps = rng.normal(0, c.size * rng.uniform(0.03, 0.1), (int(rng.integers(5, 16)), 2))
    points = (np.cumsum(steps, 0) + np.array([x, y])).astype(np.int32).reshape(-1, 1, 2)
    drawn = np.zeros((side, side), np.uint8)
    cv2.polylines(drawn, [points], False, 255, int(rng.integers(2, 6)), cv2.LINE_AA)
    where = drawn.astype(np.float32) / 255 * (c.mask > 100)
    return _laid(c.picture, np.broadcast_to(rng.uniform(0, 255, 3), c.picture.shape), where), c.mask


def _patterned(c: Canvas, rng: Random) -> Painted:
    """Stripes, dots or noise where the product has none."""
    side = c.mask.shape[0]
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 16)
    u = across * np.cos(angle) + down * np.sin(angle)
    v = -across * np.sin(angle) + down * np.cos(angle)
    drawn = [
        np.sin(u * 2 * np.pi / period),
        np.sin(u * 2 * np.pi / period) * np.sin(v * 2 * np.pi / period) * 1.5,
        noise(rng, side, rng.uniform(2, 8)),
    ][int(rng.integers(3))]
    if rng.random() < 0.5:  # printed in a colour of its own, as bright as the light is there
        paint = rng.uniform(10, 245, 3) * rng.uniform(0.5, 1.0)
        on = np.clip(drawn * period / 4 + 0.3, 0, 1)[..., None] * rng.uniform(0.6, 1.0)
        over = c.picture * (1 - on) + paint * on
    else:
        depth = rng.uniform(0.15, 0.5)
        over = c.picture * (1 + depth * np.clip(drawn, -1.2, 1.2))[..., None] + depth * 40 * drawn[..., None]
    share = float(np.exp(rng.uniform(np.log(0.015), np.log(0.6))))
    return _laid(c.picture, np.clip(over, 0, 255), region(c, rng, False, share) * (c.mask > 60)), c.mask


def _copied(c: Canvas, rng: Random) -> Painted:
    """A place of the product shows up again elsewhere on it or beside it."""
    from_x, from_y = _centre(c, rng, False)
    where = region(c, rng, rng.random() < 0.4)
    weight = where.sum() + 1e-3
    side = c.mask.shape[0]
    index = np.arange(side, dtype=np.float32)
    x, y = float((where.sum(0) * index).sum() / weight), float((where.sum(1) * index).sum() / weight)
    by = np.array([[1, 0, x - from_x], [0, 1, y - from_y]], np.float32)
    copy = cv2.warpAffine(c.picture, by, (side, side), borderMode=cv2.BORDER_REFLECT)
    mask = cv2.warpAffine(c.mask, by, (side, side))
    where = where * np.maximum(mask, c.mask * np.float32(0)) / 255
    return _laid(c.picture, copy, where), np.maximum(c.mask, (where * mask).astype(np.uint8))


def _pasted(c: Canvas, rng: Random) -> Painted:
    """A piece of another picture."""
    side = c.mask.shape[0]
    by = np.array([[1, 0, rng.normal(0, 15)], [0, 1, rng.normal(0, 15)]], np.float32)
    other = cv2.warpAffine(c.other, by, (side, side), borderMode=cv2.BORDER_REFLECT)
    return _laid(c.picture, other, region(c, rng, rng.random() < 0.3)), c.mask


def _turned(c: Canvas, rng: Random) -> Painted:
    """A place flipped, turned or enlarged where it lies."""
    where = region(c, rng, rng.random() < 0.25, float(np.exp(rng.uniform(np.log(0.02), np.log(0.3)))))
    side = c.mask.shape[0]
    weight, index = where.sum() + 1e-3, np.arange(side, dtype=np.float32)
    x, y = float((where.sum(0) * index).sum() / weight), float((where.sum(1) * index).sum() / weight)
    angle = float(rng.choice([0, 90, 180, 270]) + rng.normal(0, 15))
    scale = float(rng.choice([0.7, 1.0, 1.0, 1.4]))
    matrix = cv2.getRotationMatrix2D((x, y), angle, scale)
    if rng.random() < 0.4:
        matrix = matrix @ np.array([[-1, 0, 2 * x], [0, 1, 0], [0, 0, 1]])
    picture = cv2.warpAffine(c.picture, matrix, (side, side), borderMode=cv2.BORDER_REFLECT)
    return _laid(c.picture, picture, where), c.mask


def _scrambled(c: Canvas, rng: Random) -> Painted:
    """Small tiles of a place change places."""
    side = c.mask.shape[0]
    tile = int(rng.integers(4, 12))
    across, down = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    few = side // tile + 1
    jump = rng.normal(0, tile * 1.3, (few, few, 2)).astype(np.float32)
    by = cv2.resize(jump, (few * tile, few * tile), interpolation=cv2.INTER_NEAREST)[:side, :side]
    mixed = cv2.remap(
        c.picture, across + by[..., 0], down + by[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return _laid(c.picture, mixed, region(c, rng, rng.random() < 0.3)), c.mask


DEFECTS: dict[str, tuple[float, Callable[[Canvas, Random], Painted]]] = {
    "removed": (3.0, _removed),
    "cropped": (1.2, _cropped),
    "grown": (2.5, _grown),
    "melted": (3.5, _melted),
    "dripping": (1.2, _dripping),
    "warped foot": (2.0, _footed),
    "bulged": (2.5, _bulged),
    "bent": (2.0, _leaning),
    "other proportions": (1.2, _stretched),
    "smeared": (1.0, _smeared),
    "softened": (0.3, _softened),
    "filled": (2.0, _filled),
    "blotched": (1.6, _blotched),
    "scribbled": (1.4, _scribbled),
    "patterned": (1.6, _patterned),
    "copied": (1.0, _copied),
    "pasted": (1.0, _pasted),
    "turned": (1.0, _turned),
    "scrambled": (1.0, _scrambled),
}
_WEIGHTS = np.array([weight for weight, _ in DEFECTS.values()])


def spoil(c: Canvas, rng: Random, kind: str = "") -> tuple[Picture, Picture, str]:
    """Paint one defect: picture, coverage and its kind, drawn where none is asked for."""
    kind = kind or str(rng.choice(list(DEFECTS), p=_WEIGHTS / _WEIGHTS.sum()))
    picture, mask = DEFECTS[kind][1](c, rng)
    return picture, mask, kind


def relit(picture: Picture, normals: Picture, mask: Picture, rng: Random) -> Picture:
    """Highlights on the product and shadows across the picture that an honest photo may have."""
    out = picture.astype(np.float32)
    side = picture.shape[0]
    if rng.random() < 0.18:
        half = rng.normal(0, 1, 3) + np.array([0, 0.5, 0.8])
        half /= np.linalg.norm(half)
        facing = np.clip((normals.astype(np.float32) / 127.5 - 1) @ half.astype(np.float32), 0, 1)
        shine = facing ** float(rng.choice([12, 30, 80])) * (mask / np.float32(255))
        out += shine[..., None] * rng.uniform(15, 100) * (1 + rng.normal(0, 0.06, 3))
    if rng.random() < 0.1:
        across, down = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
        angle = rng.uniform(0, 2 * np.pi)
        far = across * np.cos(angle) + down * np.sin(angle) + rng.normal(0, 0.5)
        far = far + noise(rng, side, side / 4) * rng.uniform(0, 0.15)
        band = np.clip(far / rng.uniform(0.12, 0.6) + 0.5, 0, 1)
        if rng.random() < 0.4:
            band = band * np.clip((rng.uniform(0.2, 0.8) - far) / rng.uniform(0.12, 0.5) + 0.5, 0, 1)
        out *= 1 - (band * rng.uniform(0.05, 0.3))[..., None]
    return np.clip(out, 0, 255).astype(np.uint8)


def styled(picture: Picture, rng: Random) -> Picture:
    """A style over the whole picture: warmth, contrast, fading, saturation, vignette."""
    out = picture.astype(np.float32)
    if rng.random() < 0.6:
        warm = rng.normal(0, 0.06)
        out *= np.array([1 + warm, 1 + rng.normal(0, 0.015), 1 - warm], np.float32) * np.exp(
            rng.normal(0, 0.09)
        )
    if rng.random() < 0.4:
        grey = out.mean(-1, keepdims=True)
        out = grey + (out - grey) * rng.uniform(0.6, 1.35)
    if rng.random() < 0.4:
        out = (out - 120) * rng.uniform(0.75, 1.25) + 120 + rng.normal(0, 8)
    if rng.random() < 0.15:
        side = picture.shape[0]
        line = np.linspace(-1, 1, side, dtype=np.float32)
        far = line[:, None] ** 2 + line[None] ** 2
        out *= (1 - far * rng.uniform(0.05, 0.2))[..., None]
    return np.clip(out, 0, 255).astype(np.uint8)


def degraded(picture: Picture, rng: Random) -> Picture:
    """Softness, compression, sharpening and grain of an honest file."""
    if rng.random() < 0.6:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.25, 0.85))
    if rng.random() < 0.1:
        picture = cv2.addWeighted(picture, 1.6, cv2.GaussianBlur(picture, (0, 0), 1.2), -0.6, 0)
    if rng.random() < 0.45:
        kind, flag = (
            (".jpg", cv2.IMWRITE_JPEG_QUALITY) if rng.random() < 0.75 else (".webp", cv2.IMWRITE_WEBP_QUALITY)
        )
        data = cv2.imencode(kind, picture, [flag, int(rng.integers(45, 96))])[1]
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if rng.random() < 0.4:
        grain = rng.normal(0, rng.uniform(0.5, 3.0), picture.shape).astype(np.float32)
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return np.asarray(picture, np.uint8)
