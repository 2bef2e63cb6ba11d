"""Products of the wrong shape: parts missing, added, melted, holes, smears, and what is no product at all.

The strength is the share of the product's pixels that show what the honest picture has nowhere near: a part
that merely moved by a hair has not changed.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from packline.colour import from_lab, to_linear
from packline.reference import Picture
from packline.stage.lighting import develop, untone
from packline.stage.model import ProductModel
from scoring.bench.defects import mesh
from scoring.bench.defects.sitting import (
    SEEN,
    Altered,
    Floats,
    Sitting,
    area_band,
    blended,
    filled,
    moved_apart,
)

CHECK = "shape"

#: Less of the product than this is no defect that anybody would see.
_LEAST = 0.008
#: From here on anybody sees it, where it differs by as much as `_CLEAR` (CIELAB).
_PLAIN, _CLEAR = 0.02, 15.0


def part_missing(sitting: Sitting, strength: str) -> Altered | None:
    """A part left out; of a product that is all one, a corner cut off."""
    model, rng = sitting.take.model, sitting.rng
    shares = {part.index - 1: part.visible for part in sitting.take.truth.colours}
    loose = [index for index in range(len(model.parts)) if 0.008 <= shares.get(index, 0) <= 0.45]
    lost: ProductModel | None
    if loose and rng.random() < 0.75:
        lost = mesh.without(model, int(rng.choice(loose)))
    else:
        ball = _ball(sitting, strength, 2.2, at_rim=True)
        if ball is None:
            return None
        lost = mesh.cut_away(
            model, lambda at: np.linalg.norm(at - ball.centre, axis=-1) < ball.radius, 0.12 * ball.radius
        )
    return None if lost is None else _taken(sitting, lost, "part missing")


def part_added(sitting: Sitting, strength: str) -> Altered | None:
    """A foreign body on the product."""
    found = _spot(sitting)
    if found is None:
        return None
    point, normal, pixel = found
    radius = pixel * np.sqrt(_share(strength) * sitting.area / np.pi)
    colour = _paint(sitting)
    body = mesh.lump(sitting.rng, point, normal, float(radius), colour)
    model = sitting.take.model
    return _taken(sitting, replace(model, parts=(*model.parts, body)), "part added")


def melted(sitting: Sitting, strength: str) -> Altered | None:
    """A region that has run, its surface and its print with it."""
    ball = _ball(sitting, strength, 5.0, at_rim=sitting.rng.random() < 0.6)
    if ball is None:
        return None
    noise = mesh.waves(sitting.rng, float(sitting.rng.uniform(0.5, 0.9)) * ball.radius)
    sag = np.array([0.0, -float(sitting.rng.uniform(0.0, 0.25)), 0.0])

    def field(points: mesh.Values) -> mesh.Values:
        return np.asarray(ball.weight(points)[:, None] * (0.2 * noise(points) + sag) * ball.radius)

    model = mesh.bent(sitting.take.model, field, lambda at: ball.weight(at) > 0, 0.07 * ball.radius)
    return _taken(sitting, model, "part melted")


def melted_whole(sitting: Sitting, strength: str) -> Altered | None:
    """All of it warped, as by heat."""
    low, high = sitting.take.model.bounds
    size = float(np.linalg.norm(high - low))
    force = {"2 %": 0.005, "4 %": 0.008, "8 %": 0.014}[strength]
    noise = mesh.waves(sitting.rng, 0.3 * size)

    def field(points: mesh.Values) -> mesh.Values:
        # it still stands on its ground
        foot = np.clip((points[:, 1] - low[1]) / (0.1 * (high[1] - low[1])), 0, 1)
        return np.asarray(force * size * noise(points) * foot[:, None])

    model = mesh.bent(sitting.take.model, field, lambda at: np.ones(len(at), bool), 0.03 * size)
    return _taken(sitting, model, "all melted")


def bottom_warped(sitting: Sitting, strength: str) -> Altered | None:
    """The sole or the bottom wavy, swollen or shrunk."""
    low, high = sitting.take.model.bounds
    tall, wide = float(high[1] - low[1]), float(max(high[0] - low[0], high[2] - low[2]))
    reach = 0.3 * tall
    force = {"1 %": 0.014, "2 %": 0.022, "4 %": 0.035, "8 %": 0.055}[strength]
    noise = mesh.waves(sitting.rng, float(sitting.rng.uniform(0.25, 0.5)) * wide)

    def field(points: mesh.Values) -> mesh.Values:
        down = np.clip(1 - (points[:, 1] - low[1]) / reach, 0, 1) ** 1.5
        return np.asarray(force * wide * noise(points) * down[:, None] * np.array([1.0, 0.7, 1.0]))

    model = mesh.bent(sitting.take.model, field, lambda at: at[:, 1] < low[1] + reach, 0.03 * wide)
    return _taken(sitting, model, "bottom warped")


def hole(sitting: Sitting, strength: str) -> Altered | None:
    """The scene shows through the product."""
    cover = patch(sitting, _share(strength))
    if cover is None:
        return None
    return _painted(sitting, blended(sitting.plain.picture, develop(sitting.behind), cover), "hole")


def blob(sitting: Sitting, strength: str) -> Altered | None:
    """A patch of paint that is not the product's, shaded as the surface is."""
    cover = patch(sitting, _share(strength))
    if cover is None:
        return None
    light = _shading(sitting)
    paint = develop(np.asarray(_paint(sitting), np.float32) * light[..., None])
    return _painted(sitting, blended(sitting.plain.picture, paint, cover), "blob")


def smear(sitting: Sitting, strength: str) -> Altered | None:
    """A region rubbed into a swirl, as by a wet finger."""
    cover = patch(sitting, 2.0 * _share(strength))
    if cover is None:
        return None
    rng, picture = sitting.rng, sitting.plain.picture
    high, wide = cover.shape
    size = np.sqrt(float(cover.sum()))
    cells = max(2, round(high / (0.5 * size))), max(2, round(wide / (0.5 * size)))
    noise = rng.normal(0, 1, (*cells, 2)).astype(np.float32)
    push = np.asarray(cv2.resize(noise, (wide, high), interpolation=cv2.INTER_CUBIC), np.float32)
    push = push * np.float32(0.3 * size)
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    total = np.zeros((high, wide, 3), np.float32)
    for step in np.linspace(0.3, 1, 6, dtype=np.float32):
        total += cv2.remap(
            picture, x + push[..., 0] * step, y + push[..., 1] * step, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        ).astype(np.float32) / 6  # fmt: skip
    rubbed = np.round(total).astype(np.uint8)
    soft = np.asarray(cv2.GaussianBlur(cover, (0, 0), 1.5), np.float32)
    return _painted(sitting, blended(picture, rubbed, soft), "smear")


def scribble(sitting: Sitting, strength: str) -> Altered | None:
    """A line that runs over the product."""
    rng = sitting.rng
    rows, columns = np.nonzero(cv2.erode(sitting.inside.astype(np.uint8), np.ones((7, 7), np.uint8)))
    if len(rows) < 200:
        return None
    thick = max(2, round(sitting.take.size * rng.uniform(0.005, 0.012)))
    wanted = _share(strength) * sitting.area / thick
    start = int(rng.integers(len(rows)))
    at = np.array([columns[start], rows[start]], float)
    heading, length, points = float(rng.uniform(0, 2 * np.pi)), 0.0, [at.copy()]
    step = max(4.0, 0.012 * sitting.take.size)
    for _ in range(4000):
        heading += float(rng.normal(0, 0.45))
        ahead = at + step * np.array([np.cos(heading), np.sin(heading)])
        c, r = int(ahead[0]), int(ahead[1])
        high, wide = sitting.inside.shape
        if not (0 <= r < high and 0 <= c < wide and sitting.inside[r, c]):
            heading += 1.3
            continue
        at, length = ahead, length + step
        points.append(at.copy())
        if length > wanted:
            break
    cover = np.zeros(sitting.inside.shape, np.uint8)
    line = np.round(np.array(points) * 8).astype(np.int32)
    cv2.polylines(cover, [line], False, 255, thick, cv2.LINE_AA, 3)
    paint = develop(np.asarray(_paint(sitting), np.float32) * _shading(sitting)[..., None])
    share = cover.astype(np.float32) / np.float32(255)
    return _painted(sitting, blended(sitting.plain.picture, paint, share), "scribble")


def wrong_pattern(sitting: Sitting, strength: str) -> Altered | None:
    """Stripes, spots or checks where the product has none."""
    cover = patch(sitting, 1.7 * _share(strength))
    if cover is None:
        return None
    rng = sitting.rng
    high, wide = cover.shape
    period = float(rng.uniform(0.02, 0.05)) * sitting.take.size
    angle = float(rng.uniform(0, np.pi))
    x, y = np.meshgrid(np.arange(wide), np.arange(high))
    u = (x * np.cos(angle) + y * np.sin(angle)) / period
    v = (-x * np.sin(angle) + y * np.cos(angle)) / period
    choice = int(rng.integers(3))
    if choice == 0:
        on = np.sin(2 * np.pi * u) > 0
    elif choice == 1:
        on = np.sin(2 * np.pi * u) + np.sin(2 * np.pi * v) > 0.6
    else:
        on = (np.sin(2 * np.pi * u) > 0) ^ (np.sin(2 * np.pi * v) > 0)
    paint = develop(np.asarray(_paint(sitting), np.float32) * _shading(sitting)[..., None])
    marks = cv2.GaussianBlur(on.astype(np.float32), (0, 0), 0.8) * cover
    return _painted(sitting, blended(sitting.plain.picture, paint, marks), "wrong pattern")


def turned_away(sitting: Sitting, strength: str) -> Altered | None:
    """The product shows another side than was asked."""
    turn = float(strength.split()[0]) * (1 if sitting.rng.random() < 0.5 else -1)
    nuisance = replace(sitting.nuisance, turn=sitting.nuisance.turn + turn)
    shot = sitting.take.photograph(nuisance)
    where = filled(moved_apart(sitting.plain.picture, shot.picture, _reach(sitting)) > SEEN)
    where &= (sitting.plain.mask > 127) | (shot.mask > 127)
    share = float(where.sum()) / sitting.area
    if share < 0.06:  # a plain can looks the same from all sides
        return None
    plain = abs(turn) >= 60 and share >= 0.15
    return sitting.altered(shot.picture, "product turned away", strength, CHECK, plain, where, nuisance)


def patch(sitting: Sitting, share: float) -> Floats | None:
    """An irregular patch on the product of about this share of it: coverage (H, W); None where none fits."""
    rng, inside = sitting.rng, sitting.inside
    radius = float(np.sqrt(share * sitting.area / np.pi))
    deep = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    places = np.argwhere(deep > min(0.7 * radius, 0.6 * float(deep.max())))
    if not len(places) or radius < 2:
        return None
    row, column = places[int(rng.integers(len(places)))]
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outline = np.ones_like(angles)
    for wave in range(2, 6):
        outline += rng.normal(0, 0.32 / wave) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    outline *= radius / np.sqrt((outline**2).mean())
    points = np.stack([column + outline * np.cos(angles), row + outline * np.sin(angles)], -1)
    cover = np.zeros(inside.shape, np.uint8)
    cv2.fillPoly(cover, [np.round(points * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    return np.asarray(cover.astype(np.float32) / 255 * (sitting.plain.mask.astype(np.float32) / 255))


def _share(strength: str) -> float:
    return float(strength.split()[0]) / 100


def _reach(sitting: Sitting) -> int:
    return max(2, round(0.005 * sitting.take.size))


def _spot(sitting: Sitting, at_rim: bool = False) -> tuple[mesh.Values, mesh.Values, float] | None:
    """A point of the product in its own space, its normal, and what a pixel measures there."""
    inside = (sitting.take.truth.mask > 250) & (sitting.take.truth.depth > 0)
    deep = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    wanted = inside & (deep < 0.25 * deep.max()) if at_rim else inside & (deep > 2)
    places = np.argwhere(wanted)
    if not len(places):
        return None
    row, column = places[int(sitting.rng.integers(len(places)))]
    return sitting.spot((int(row), int(column)))


def _ball(sitting: Sitting, strength: str, factor: float, at_rim: bool = False) -> mesh.Ball | None:
    found = _spot(sitting, at_rim)
    if found is None:
        return None
    point, _, pixel = found
    radius = pixel * np.sqrt(factor * _share(strength) * sitting.area / np.pi)
    return mesh.Ball(point, float(radius))


def _paint(sitting: Sitting) -> tuple[float, float, float]:
    """A colour for what does not belong: one of the product's own, or any; linear RGB."""
    rng = sitting.rng
    own = [
        swatch.lab for part in sitting.take.truth.colours for swatch in part.swatches if part.visible > 0.02
    ]
    if own and rng.random() < 0.4:
        lab = np.array(own[int(rng.integers(len(own)))])
    else:
        lab = np.array([rng.uniform(15, 90), rng.normal(0, 30), rng.normal(0, 30)])
    red, green, blue = np.clip(from_lab(lab), 0.005, 0.9)
    return float(red), float(green), float(blue)


def _shading(sitting: Sitting) -> Floats:
    """By how much the light brightens a white surface at each pixel of the product, float32 (H, W)."""
    reference = sitting.plain.reference
    lit = untone(to_linear(sitting.plain.picture)) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    own = to_linear(reference.albedo) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    gain = np.where(own > 0.02, lit / np.maximum(own, 0.02), np.nan)
    middle = float(np.nanmedian(gain[sitting.inside])) if np.isfinite(gain[sitting.inside]).any() else 1.0
    gain = np.where(np.isfinite(gain) & sitting.inside, np.clip(gain, 0.1, 3), middle).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(gain, (0, 0), 0.012 * sitting.take.size), np.float32)


def _taken(sitting: Sitting, model: ProductModel, kind: str) -> Altered | None:
    shot = sitting.again(model)
    return _measured(sitting, shot.picture, kind, np.maximum(sitting.plain.mask, shot.mask))


def _painted(sitting: Sitting, picture: Picture, kind: str) -> Altered | None:
    return _measured(sitting, picture, kind, sitting.plain.mask)


def _measured(sitting: Sitting, picture: Picture, kind: str, mask: Picture) -> Altered | None:
    about = cv2.dilate(mask, np.ones((5, 5), np.uint8)) > 0
    excess = moved_apart(sitting.plain.picture, picture, _reach(sitting))
    where = filled(excess > SEEN) & about
    share = float(where.sum()) / sitting.area
    if share < _LEAST:
        return None
    at_arms_length = float((filled(excess > _CLEAR) & about).sum()) / sitting.area
    return sitting.altered(picture, kind, area_band(share), CHECK, at_arms_length >= _PLAIN, where)
