"""What is wrong around the product, with its place and with which product it is."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import from_lab, to_lab, to_linear
from packline.reference import Picture
from packline.stage.lighting import develop, untone
from scoring.bench.defects.sitting import Altered, Bools, Floats, Sitting, blended, changed, difference

Values = NDArray[np.float64]

KEPT, PLACED = "scene_kept", "placement"


def object_appears(sitting: Sitting, strength: str) -> Altered | None:
    """A thing that the base photo does not have, with a shadow, beside the product."""
    rng, picture = sitting.rng, sitting.plain.picture
    high, wide = picture.shape[:2]
    radius = float(np.sqrt(float(strength.split()[0]) / 100 * high * wide / np.pi))
    near = cv2.dilate(sitting.plain.mask, np.ones((9, 9), np.uint8)) > 0
    away = cv2.distanceTransform((~near).astype(np.uint8), cv2.DIST_L2, 3)
    border = np.zeros((high, wide), bool)
    edge = int(0.7 * radius)
    border[edge : high - edge, edge : wide - edge] = True
    places = np.argwhere((away > 1.25 * radius) & border)
    if not len(places):
        return None
    row, column = places[int(rng.integers(len(places)))]
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    u, v = (x - column) / radius, (y - row) / radius
    squareness = float(rng.choice([2.0, 2.0, 6.0]))
    flat = float(rng.uniform(0.75, 1.3))
    inside = np.abs(u / flat) ** squareness + np.abs(v * flat) ** squareness
    cover = np.clip((1 - inside) * radius / 3, 0, 1).astype(np.float32)
    lab = np.array([rng.uniform(25, 85), rng.normal(0, 35), rng.normal(0, 35)])
    colour = np.clip(from_lab(lab), 0.01, 0.9).astype(np.float32)
    side = -1 if sitting.take.scene.light.key_direction[0] < 0 else 1
    light = np.clip(0.55 + 0.35 * side * u - 0.4 * v, 0.15, 1.2)
    level = float(np.median(sitting.bare)) / 0.4
    thing = develop(colour * light[..., None] * np.float32(np.clip(level, 0.4, 1.6)))
    fall = np.exp(-(((u + 0.3 * side) / 1.4) ** 2) - ((v - 0.95) / 0.35) ** 2) * 0.55
    fall = np.where(near, 0, fall).astype(np.float32)
    shaded = develop(untone(to_linear(picture)) * (1 - fall[..., None]))
    shaded = np.where(fall[..., None] > 0.01, shaded, picture)
    painted = blended(shaded, thing, np.where(near, 0, cover).astype(np.float32))
    where = changed(picture, painted)
    if where.sum() < 0.3 * np.pi * radius**2:
        return None
    share = float(where.mean())
    return sitting.altered(painted, "object appears", strength, KEPT, share >= 0.02, where)


def base_shifted(sitting: Sitting, strength: str) -> Altered | None:
    """The scene moved behind a product that stays."""
    pixels = float(strength.split()[0]) / 100 * sitting.take.size
    angle = float(sitting.rng.uniform(0, 2 * np.pi))
    move = np.array([[1, 0, pixels * np.cos(angle)], [0, 1, pixels * np.sin(angle)]])
    high, wide = sitting.inside.shape
    whole = develop(sitting.behind)
    gone = cv2.warpAffine(whole, move, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return _around(sitting, np.asarray(gone, np.uint8), "base shifted", strength, False)


def background_replaced(sitting: Sitting, strength: str) -> Altered | None:
    """Another scene behind the product."""
    photos = [other.photo for other in sitting.others if other.scene.name != sitting.take.scene.name]
    photos = [photo for photo in photos if photo.shape == sitting.take.photo.shape]
    if not photos:
        return None
    photo = photos[int(sitting.rng.integers(len(photos)))]
    shadow = sitting.plain.reference.shadow.astype(np.float32)[..., None] / np.float32(255)
    other = develop(untone(to_linear(photo)) * shadow)
    return _around(sitting, other, "background replaced", "all of it", True)


def background_recoloured(sitting: Sitting, strength: str) -> Altered | None:
    """One surface of the scene in another colour."""
    rng = sitting.rng
    bare = develop(sitting.behind)
    outside = cv2.dilate(sitting.plain.mask, np.ones((9, 9), np.uint8)) == 0
    lab = to_lab(sitting.behind)
    found = None
    for _ in range(8):
        found = _surface(lab, outside, rng)
        if found is not None:
            break
    if found is None:
        return None
    share, own = found
    share = share * cv2.GaussianBlur(cv2.dilate(own.astype(np.float32), np.ones((5, 5))), (0, 0), 1.5)
    wanted = float(strength.split()[1])
    angle = float(rng.uniform(0, 2 * np.pi))
    way = np.array([0.35 * rng.normal(), np.cos(angle), np.sin(angle)])
    way *= 1.8 * wanted / np.linalg.norm(way)
    other = develop(np.clip(from_lab(lab + share[..., None] * way), 0, 2))
    other = np.where(share[..., None] > 0.01, other, bare)
    return _around(sitting, other, "background recoloured", strength, False)


def _surface(lab: Values, outside: Bools, rng: np.random.Generator) -> tuple[Floats, Bools] | None:
    """A surface of about one colour: how much each pixel belongs to it, and where; None: too small or all."""
    rows, columns = np.nonzero(outside)
    at = int(rng.integers(len(rows)))
    near = np.linalg.norm((lab - lab[rows[at], columns[at]]) * np.array([0.4, 1, 1]), axis=-1)
    share = cv2.GaussianBlur(np.clip((16 - near) / 6, 0, 1).astype(np.float32), (0, 0), 1.5)
    _, labels = cv2.connectedComponents((share > 0.4).astype(np.uint8))
    own = np.asarray(labels == labels[rows[at], columns[at]])
    if not 0.05 < float((own & outside).sum()) / len(rows) < 0.92:
        return None
    return np.asarray(share, np.float32), own


def halo(sitting: Sitting, strength: str) -> Altered | None:
    """A bright or dark rim around the product, as a bad cut-out leaves."""
    rng = sitting.rng
    width, force = {"faint": (0.006, 0.25), "clear": (0.01, 0.45), "strong": (0.016, 0.7)}[strength]
    away = cv2.distanceTransform(255 - sitting.plain.mask, cv2.DIST_L2, 5)
    pixels = width * sitting.take.size
    rim = np.clip(1 - np.abs(away - 0.6 * pixels) / pixels, 0, 1) * (sitting.plain.mask < 128)
    tone = 245 if rng.random() < 0.7 else 15
    ring = np.full_like(sitting.plain.picture, tone)
    painted = blended(sitting.plain.picture, ring, (force * rim).astype(np.float32))
    where = changed(sitting.plain.picture, painted)
    if where.sum() < 0.3 * float((rim > 0.3).sum()):
        return None
    return sitting.altered(painted, "halo", strength, KEPT, False, where)


def too_large(sitting: Sitting, strength: str) -> Altered | None:
    """Scaled beyond what was asked."""
    return _placed(sitting, "product too large", strength, scale=1 + float(strength.split()[0]) / 100)


def too_small(sitting: Sitting, strength: str) -> Altered | None:
    """Scaled below what was asked."""
    return _placed(sitting, "product too small", strength, scale=1 - float(strength.split()[0]) / 100)


def moved(sitting: Sitting, strength: str) -> Altered | None:
    """Beside its place."""
    pixels = float(strength.split()[0]) / 100 * sitting.take.size
    left, _, width, _ = cv2.boundingRect(sitting.plain.mask)
    side = 1.0 if sitting.rng.random() < 0.5 else -1.0
    # it stays in the picture
    if left + side * pixels < 2 or left + width + side * pixels > sitting.inside.shape[1] - 2:
        side = -side
    return _placed(sitting, "product moved", strength, shift=side * pixels)


def floating(sitting: Sitting, strength: str) -> Altered | None:
    """Above its shadow."""
    pixels = float(strength.split()[0]) / 100 * sitting.take.size
    top = cv2.boundingRect(sitting.plain.mask)[1]
    if top - pixels < 1:
        return None
    painted = _over(sitting, develop(sitting.behind), (0.0, -pixels))
    return sitting.altered(
        painted, "floating", strength, PLACED, False, changed(sitting.plain.picture, painted)
    )


def shadow_missing(sitting: Sitting, strength: str) -> Altered | None:
    """No shadow where the product stands."""
    painted = _over(sitting, develop(sitting.bare))
    where = (difference(sitting.plain.picture, painted) > 3.0) & ~sitting.inside
    share = float(where.sum()) / sitting.area
    if share < 0.05:
        return None
    dark = float(255 - sitting.plain.reference.shadow[~sitting.inside].min()) / 255
    if dark < 0.2:
        return None
    band = "faint shadow" if dark < 0.4 else "clear shadow" if dark < 0.6 else "deep shadow"
    return sitting.altered(painted, "shadow missing", band, PLACED, False, where)


def product_missing(sitting: Sitting, strength: str) -> Altered | None:
    """The scene without the product: as it was, or with its shadow left."""
    with_shadow = strength == "shadow left"
    empty = develop(sitting.behind if with_shadow else sitting.bare)
    where = changed(sitting.plain.picture, empty)
    # a product in its ground's colour is hardly missed
    plain = float((where & sitting.inside).sum()) > 0.25 * sitting.area
    return sitting.altered(empty, "product missing", strength, "shape", plain, where) if plain else None


def duplicated(sitting: Sitting, strength: str) -> Altered | None:
    """A second one beside it."""
    left, top, width, height = cv2.boundingRect(sitting.plain.mask)
    high, wide = sitting.inside.shape
    ratio = {"small": 0.45, "half": 0.65, "same": 0.95}[strength]
    w, h = round(width * ratio), round(height * ratio)
    gap = max(2, round(0.02 * wide))
    rooms = [x for x in (left - gap - w, left + width + gap) if x >= 1 and x + w < wide - 1]
    if not rooms or w < 12 or h < 12:
        return None
    x = int(sitting.rng.choice(rooms))
    y = min(top + height - h, high - h - 1)
    crop = (slice(top, top + height), slice(left, left + width))
    small = cv2.resize(sitting.plain.picture[crop], (w, h), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(sitting.plain.mask[crop], (w, h), interpolation=cv2.INTER_AREA)
    picture, cover = sitting.plain.picture.copy(), np.zeros((high, wide), np.float32)
    picture[y : y + h, x : x + w] = small
    cover[y : y + h, x : x + w] = mask.astype(np.float32) / 255
    painted = blended(sitting.plain.picture, picture, cover)
    return sitting.altered(painted, "product duplicated", strength, KEPT, True, cover > 0.5)


def wrong_product(sitting: Sitting, strength: str) -> Altered | None:
    """Another product in its place."""
    kind = sitting.take.product.split()[-1]
    same = strength == "same kind"
    others = [
        other
        for other in sitting.others
        if other.product != sitting.take.product and (other.product.split()[-1] == kind) == same
    ]
    if not others:
        return None
    model = others[int(sitting.rng.integers(len(others)))].model
    own, its = np.ptp(sitting.take.model.bounds, axis=0), np.ptp(model.bounds, axis=0)
    factor = float(min(own[1] / its[1], max(own[0], own[2]) / max(its[0], its[2])))
    shot = sitting.again(model.transformed(np.diag([factor, factor, factor, 1.0])))
    where = changed(sitting.plain.picture, shot.picture, (sitting.plain.mask > 0) | (shot.mask > 0))
    share = float(where.sum()) / sitting.area
    if share < 0.1:
        return None
    return sitting.altered(shot.picture, "wrong product", strength, "shape", True, where)


def _placed(
    sitting: Sitting, kind: str, strength: str, scale: float = 1.0, shift: float = 0.0
) -> Altered | None:
    across, down = sitting.nuisance.shift
    nuisance = replace(sitting.nuisance, scale=sitting.nuisance.scale * scale, shift=(across + shift, down))
    shot = sitting.take.photograph(nuisance)
    return sitting.altered(shot.picture, kind, strength, PLACED, False, shot.mask > 127, nuisance)


def _over(sitting: Sitting, ground: Picture, shift: tuple[float, float] = (0.0, 0.0)) -> Picture:
    """The product as photographed over another ground, perhaps moved by pixels across and down."""
    cover: Floats = sitting.plain.mask.astype(np.float32) / np.float32(255)
    product = untone(to_linear(sitting.plain.picture))
    # what of an edge's pixel is the ground behind it goes
    edge = (cover > 0) & (cover < 1)
    own = (product - sitting.behind * (1 - cover[..., None])) / np.maximum(cover[..., None], 0.05)
    product = np.where(edge[..., None], np.clip(own, 0, 4), product).astype(np.float32)
    if shift != (0.0, 0.0):
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        size = (cover.shape[1], cover.shape[0])
        premultiplied = np.asarray(cv2.warpAffine(product * cover[..., None], move, size), np.float32)
        cover = np.asarray(cv2.warpAffine(cover, move, size), np.float32)
    else:
        premultiplied = product * cover[..., None]
    mixed = untone(to_linear(ground)) * (1 - cover[..., None]) + premultiplied
    return np.where(cover[..., None] > 0, develop(mixed), ground)


def _around(sitting: Sitting, ground: Picture, kind: str, strength: str, plain: bool) -> Altered | None:
    painted = _over(sitting, ground)
    outside = cv2.dilate(sitting.plain.mask, np.ones((5, 5), np.uint8)) == 0
    where: Bools = changed(sitting.plain.picture, painted, outside)
    if where.mean() < 0.01:
        return None
    return sitting.altered(painted, kind, strength, KEPT, plain and float(where.mean()) > 0.2, where)
