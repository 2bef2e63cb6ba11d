"""Products in the wrong colour: one part, one printed colour or all of it, by an exact CIEDE2000."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from packline.colour import ciede2000, from_lab, to_lab, to_linear, to_srgb
from packline.stage.model import Material, Part, ProductModel
from packline.truth import PartColours
from scoring.bench.defects.sitting import Altered, Sitting, changed, difference

Values = NDArray[np.float64]
CHECK = "colour"

#: A part smaller than this in view, as a share of the product's pixels, is not recoloured alone.
_LEAST_VISIBLE = 0.04
#: Two swatches further apart than this make a product multi-coloured, where each has `_LEAST_VISIBLE`.
_APART = 8.0
#: Of the wanted difference, how much must be left in the picture under the scene's light.
_LEAST_SEEN = 0.55
#: What must be left for a plain one, CIEDE2000 in the picture.
_PLAIN_SEEN = 3.0


def one_part(sitting: Sitting, strength: str) -> Altered | None:
    """One part off, the others right; where the product is all one part, one of its printed colours."""
    wanted = float(strength.split()[1])
    many = multicoloured(sitting)
    parts = [part for part in _seen(sitting) if part.visible <= 0.9]
    if not many:
        return None
    if parts:
        part = parts[int(sitting.rng.integers(len(parts)))]
        shift = _shift(_main(part), wanted, sitting.rng)
        if shift is None:
            return None
        model = _recoloured(sitting.take.model, {part.index - 1}, shift)
        return _taken(sitting, model, "colour shifted, one part", wanted, True, {part.index})
    found = [
        (part, swatch)
        for part in _seen(sitting)
        for swatch in part.swatches
        if 0.08 <= swatch.share <= 0.8 and swatch.share * part.visible >= _LEAST_VISIBLE
    ]
    if not found:
        return None
    part, swatch = found[int(sitting.rng.integers(len(found)))]
    shift = _shift(swatch.lab, wanted, sitting.rng)
    if shift is None:
        return None
    others = [np.array(other.lab) for other in part.swatches if other is not swatch]
    model = _recoloured(
        sitting.take.model, {part.index - 1}, shift, only=(np.array(swatch.lab), np.array(others))
    )
    return _taken(sitting, model, "colour shifted, one print colour", wanted, True, {part.index}, swatch.lab)


def whole(sitting: Sitting, strength: str) -> Altered | None:
    """Every part off alike."""
    wanted = float(strength.split()[1])
    seen = _seen(sitting)
    if not seen:
        return None
    largest = max(seen, key=lambda part: part.visible)
    shift = _shift(_main(largest), wanted, sitting.rng)
    if shift is None:
        return None
    model = _recoloured(sitting.take.model, set(range(len(sitting.take.model.parts))), shift)
    many = multicoloured(sitting)
    kind = "colour shifted, whole" if many else "colour shifted, one-coloured product"
    return _taken(sitting, model, kind, wanted, many, {part.index for part in seen})


def exchanged(sitting: Sitting, strength: str) -> Altered | None:
    """Two parts in each other's colour."""
    seen = _seen(sitting)
    pairs = [
        (one, other)
        for i, one in enumerate(seen)
        for other in seen[i + 1 :]
        if _apart(_main(one), _main(other)) >= 8
    ]
    if not pairs:
        return None
    one, other = pairs[int(sitting.rng.integers(len(pairs)))]
    there, back = np.subtract(_main(other), _main(one)), np.subtract(_main(one), _main(other))
    model = _recoloured(sitting.take.model, {one.index - 1}, there)
    model = _recoloured(model, {other.index - 1}, back)
    shot = sitting.again(model)
    where = changed(sitting.plain.picture, shot.picture)
    apart = _apart(_main(one), _main(other))
    if where.sum() < 0.02 * sitting.area:
        return None
    band = "dE 8-15" if apart < 15 else "dE 15-30" if apart < 30 else "dE >30"
    return sitting.altered(shot.picture, "colours exchanged", band, CHECK, True, where)


def multicoloured(sitting: Sitting) -> bool:
    """Whether the view shows at least two clearly different colours of some size."""
    shades = [
        swatch.lab
        for part in sitting.take.truth.colours
        for swatch in part.swatches
        if swatch.share * part.visible >= _LEAST_VISIBLE
    ]
    return any(_apart(one, other) >= _APART for i, one in enumerate(shades) for other in shades[i + 1 :])


def _seen(sitting: Sitting) -> list[PartColours]:
    return [
        part
        for part in sitting.take.truth.colours
        if part.visible >= _LEAST_VISIBLE and part.swatches and 0 < part.index <= _count(sitting)
    ]


def _count(sitting: Sitting) -> int:
    return len(sitting.take.model.parts)


def _main(part: PartColours) -> tuple[float, float, float]:
    return part.swatches[0].lab


def _apart(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    return float(ciede2000(np.array(one), np.array(other)))


def _shift(lab: tuple[float, float, float], wanted: float, rng: np.random.Generator) -> Values | None:
    """A step in CIELAB that is `wanted` by CIEDE2000 from `lab` and that sRGB can show; None: no such."""
    start = np.array(lab)
    for _ in range(24):
        way = rng.normal(0, 1, 3)
        # lightness, chroma and hue alike often
        way[int(rng.integers(3))] *= 3
        way /= np.linalg.norm(way)
        low, high = 0.0, 60.0
        for _ in range(40):
            middle = (low + high) / 2
            if float(ciede2000(start, start + middle * way)) < wanted:
                low = middle
            else:
                high = middle
        end = start + high * way
        linear = from_lab(end)
        if linear.min() >= 0.004 and linear.max() <= 0.95:
            return np.asarray(high * way)
    return None


def _recoloured(
    model: ProductModel, indices: set[int], shift: Values, only: tuple[Values, Values] | None = None
) -> ProductModel:
    """The model with parts' base colours moved in CIELAB; `only` the colours nearer to one swatch."""
    parts, textures = list(model.parts), {}
    for index in sorted(indices):
        part = parts[index]
        if part.material.texture is not None and part.colours is None:
            material, key = part.material, (id(part.material.texture.pixels), part.material.base_colour)
            if key not in textures:
                textures[key] = _painted(material, shift, only)
            parts[index] = replace(part, material=textures[key])
        else:
            parts[index] = _dyed(part, shift)
    return replace(model, parts=tuple(parts))


def _painted(material: Material, shift: Values, only: tuple[Values, Values] | None) -> Material:
    texture = material.texture
    assert texture is not None
    factor = np.array(material.base_colour[:3])
    # by distinct colours: textures have few, and CIELAB is slow
    red, green, blue = np.moveaxis(texture.pixels[..., :3].astype(np.int64), -1, 0)
    keys, inverse = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    flat = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], -1).astype(np.uint8)
    lab = to_lab(to_linear(flat) * factor)
    share = np.ones(len(lab))
    if only is not None:
        own, others = only
        to_own = ciede2000(lab, own[None])
        to_other = ciede2000(lab[:, None], others[None]).min(1) if len(others) else np.full(len(lab), 99.0)
        share = np.clip(to_other / np.maximum(to_own + to_other, 1e-6) * 2 - 0.5, 0, 1)
    moved = np.clip(from_lab(lab + share[:, None] * shift), 0, 1)
    pixels = texture.pixels.copy()
    pixels[..., :3] = to_srgb(moved)[inverse.reshape(-1)].reshape(*pixels.shape[:2], 3)
    alpha = material.base_colour[3]
    return replace(material, base_colour=(1.0, 1.0, 1.0, alpha), texture=replace(texture, pixels=pixels))


def _dyed(part: Part, shift: Values) -> Part:
    red, green, blue, alpha = part.material.base_colour
    if part.colours is not None and part.material.texture is None:
        linear = part.colours[:, :3] * np.array([red, green, blue])
        moved = np.clip(from_lab(to_lab(linear) + shift), 0, 1)
        colours = np.concatenate([moved, part.colours[:, 3:]], 1).astype(np.float32)
        return replace(
            part, colours=colours, material=replace(part.material, base_colour=(1.0, 1.0, 1.0, alpha))
        )
    moved = np.clip(from_lab(to_lab(np.array([red, green, blue])) + shift), 0, 1)
    dyed = (float(moved[0]), float(moved[1]), float(moved[2]), alpha)
    return replace(part, material=replace(part.material, base_colour=dyed))


def _taken(
    sitting: Sitting,
    model: ProductModel,
    kind: str,
    wanted: float,
    many: bool,
    indices: set[int],
    lab: tuple[float, float, float] | None = None,
) -> Altered | None:
    """Photograph the recoloured model; None where the scene's light leaves too little to be seen."""
    shot = sitting.again(model)
    there = np.isin(sitting.plain.reference.parts, sorted(indices)) & (sitting.plain.mask > 250)
    if lab is not None:
        albedo = to_lab(to_linear(sitting.plain.reference.albedo[there]))
        near = there.copy()
        near[there] = ciede2000(albedo, np.array(lab)[None]) < 4
        there = near
    if there.sum() < 0.5 * _LEAST_VISIBLE * sitting.area:
        return None
    before = to_lab(to_linear(sitting.plain.picture[there]))
    after = to_lab(to_linear(shot.picture[there]))
    seen = float(np.median(ciede2000(before, after)))
    if seen < _LEAST_SEEN * wanted:
        return None
    where = there & (difference(sitting.plain.picture, shot.picture) > 1.0)
    # deep in shadow even a wrong colour is no sight at arm's length
    plain = many and wanted >= 5 and seen >= _PLAIN_SEEN
    return sitting.altered(shot.picture, kind, f"dE {wanted:g}", CHECK, plain, where)
