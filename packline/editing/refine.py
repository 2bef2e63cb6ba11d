"""Puts the product's true detail back after the edit, under the edit's own light.

What a model gets right at low resolution is light: the shadow it casts, the grading of a style. What it gets
wrong is detail: text, colour, edges. So the low frequencies come from the edit, and the detail comes from the
base photo and from the 3D model's render. The render's own shadow is not used: a model that forgets the
shadow must be seen to forget it. It only says where a shadow can fall: what else a weak model smears around
the product is its fault and is left out, unless the edit is so clean that it must be meant.

Where a model drew the product a little beside, larger or turned, the render is first moved there
(`packline.editing.alignment`): the product ends where the edit has it, and the checks judge the place.

All ratios are taken in linear light between pictures of equal resolution and equal blur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear, to_srgb
from packline.editing.alignment import Layers, Motion, align
from packline.editing.cutout import fill, smooth
from packline.editing.engine import Picture
from packline.editing.placed import Render
from packline.errors import GiveUp
from packline.reference import Reference

Floats = NDArray[np.float32]
Mode = Literal["off", "labels", "product"]

REFINE_VERSION = 3
"""Of what this file makes of an edit, part of all fingerprints: raise it where a picture may change."""

# below this the edit shows something else than the product, and putting the render over it would hide that
LEAST_AGREEMENT = 0.5

# widths in pixels of an edit of 256; larger edits use proportionally more
_CODEC = 0.8  # of what the codec blurs
_LIGHT = 1.0  # of the light on the photo: sharper shadows need a sharper edit
_SHADE = 5.0  # of the light on the product: wider than its lettering
_WIDER = (1.0, 3.0, 9.0, 27.0)
# linear light that is added before dividing, so that black does not decide
_DARK = 0.004
# changes smaller than the first are the codec's noise, larger than the second are meant; near and far from
# the product
_NEAR = (0.02, 0.06)
_FAR = (0.08, 0.16)
_TIMES_NOISE = (1.2, 2.4)
# a shadow may be a little wider and turned from where the render's falls: share of the product's size
_ASTRAY = 0.12
_CAN_FALL = 0.02
# a shadow has the ground's colour but for the light that is missing: share of its depth, and a codec's noise
_TINT = (0.35, 0.015)
# light on the product that no style explains is tinted by what stands around it at most
_BOUNCE = (0.2, 0.03)
_TIMES_SMEAR = (3.0, 6.0)
_RING = 0.25
_STYLE = (0.015, 0.04)
_SHADE_LIMITS = (0.4, 2.5)
# sRGB difference (0 to 1) that a codec makes by itself
_NOISE = 0.03


@dataclass(frozen=True)
class Refined:
    """A refined edit.

    Parameters
    ----------
    picture
        sRGB uint8, at the reference's size.
    agreement
        How well the edit agrees with the reference within the product, 0 to 1.
    words
        One sentence on what was done.
    mode
        What was asked for.
    motion
        Where the render was moved to, in the picture's pixels; None where it stayed as rendered.
    declined
        Whether the edit was left as it is though more was asked for.
    """

    picture: Picture
    agreement: float
    words: str
    mode: Mode
    motion: Motion | None = None
    declined: bool = False

    def facts(self) -> dict[str, Any]:
        """What is kept of it with the candidate: `packline.candidate.Recipe.refined`."""
        moved = self.motion or Motion((0.0, 0.0))
        return {
            "mode": self.mode,
            "version": REFINE_VERSION,
            "shift": [round(value, 2) for value in moved.shift],
            "scale": round(moved.scale, 4),
            "degrees": round(moved.degrees, 2),
            "agreement": round(self.agreement, 3),
            "declined": self.declined,
            "words": self.words,
        }


def refine(edit: Picture, base: Picture, reference: Reference, mode: Mode, *, styled: bool = True) -> Refined:
    """Refine an edit.

    Parameters
    ----------
    edit
        The engine's output, sRGB uint8 (h, w, 3), any size of the same aspect.
    base
        The base photo, sRGB uint8, at the reference's size.
    reference
        The product in the scene's camera; its colour, mask and labels are used.
    mode
        "off" only enlarges the edit; "labels" puts the true detail of the labels in view back; "product" the
        whole product, and the photo's own detail outside of it.
    styled
        Whether a change of tone over the whole picture was asked for (a LoRA). False takes it out as the
        model's own bias.

    Raises
    ------
    GiveUp
        Sizes do not fit each other.
    """
    height, width = reference.mask.shape
    if base.shape[:2] != (height, width):
        raise GiveUp(
            f"The base photo is {base.shape[1]}x{base.shape[0]} px and the reference {width}x{height} px; "
            f"render the references again."
        )
    if abs(edit.shape[0] * width - edit.shape[1] * height) > max(height, width):
        raise GiveUp(
            f"The edit's shape {edit.shape[:2]} has another aspect than the shot's {(height, width)}."
        )
    enlarged = np.asarray(cv2.resize(edit, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    render = Render.of(reference)
    small = _Small.of(edit, base, render)
    agreement = small.agreement()
    if mode == "off":
        return Refined(enlarged, agreement, "The edit as the engine made it, enlarged.", mode)
    found = align(small.layers(render))
    motion = None
    if found.pixels > 0:
        there = found.motion.at(width / edit.shape[1])
        moved = render.moved(there)
        again = _Small.of(edit, base, moved)
        agrees = again.agreement()
        # a place must also look better: what only fits its gradients is a chance
        if agrees >= agreement:
            motion, render, small, agreement = there, moved, again, agrees
    left = "The edit was left as it is: "
    if motion is not None and found.beyond:
        left += f"it has the product elsewhere ({motion}), farther than a model's slip."
        return Refined(enlarged, agreement, left, mode, None, declined=True)
    if agreement < LEAST_AGREEMENT:
        left += f"it agrees with the 3D model to {agreement:.2f} only."
        return Refined(enlarged, agreement, left, mode, None, declined=True)
    at = "" if motion is None else f", where the edit has the product: {motion}"
    style = _style(small)
    shade = _shade(small, style)
    # a style may light the product otherwise than the scene, as a whole; what else is coloured is drift
    kept = _mean_tint(shade, small.cover) if styled else np.zeros(3, np.float32)
    shade = _untinted(shade - kept, _BOUNCE) + kept
    asked = style if styled else _NO_STYLE
    product = _product(shade, asked, render)
    cover = render.mask.astype(np.float32)[..., None] / 255
    if mode == "labels":
        where = cover * _labels(render)[..., None]
        if not where.any():
            nothing = "The edit as the engine made it, enlarged: no label is in view."
            return Refined(enlarged, agreement, nothing, mode, motion)
        mixed = to_linear(enlarged) * (1 - where) + product * where
        picture = np.where(where > 0, to_srgb(mixed), enlarged)
        return Refined(picture, agreement, f"True label detail under the edit's light{at}.", mode, motion)
    photo = _photo(small, style, asked, shade, base, _can_fall(small, render))
    mixed = photo * (1 - cover) + product * cover
    if render.unknown.any():
        unknown = render.unknown[..., None]
        mixed = mixed * (1 - unknown) + to_linear(enlarged) * unknown
    words = f"True product and photo detail under the edit's light and shadow{at}."
    return Refined(to_srgb(mixed), agreement, words, mode, motion)


@dataclass(frozen=True)
class _Small:
    """Everything at the edit's size: the edit, the photo and the render in linear light, and coverage."""

    edit: Floats
    base: Floats
    render: Floats
    cover: Floats
    scale: float

    @staticmethod
    def of(edit: Picture, base: Picture, render: Render) -> _Small:
        size = (edit.shape[1], edit.shape[0])
        return _Small(
            to_linear(edit),
            # shrunk in sRGB, as the engine's own references are
            to_linear(_shrink(base, size) / 255),
            to_linear(_shrink(render.detail, size)),
            np.asarray(_shrink(render.mask, size) / 255, np.float32),
            max(size) / 256,
        )

    def layers(self, render: Render) -> Layers:
        """What the alignment compares."""
        height, width = self.cover.shape
        light = np.asarray(_shrink(render.shadow, (width, height)) / 255, np.float32)
        return Layers(_gamma(self.edit), _gamma(self.base), _gamma(self.render), self.cover, light)

    def agreement(self) -> float:
        """The lesser of two correlations within the product: of the change against the photo (is it there at
        all?) and of the pattern (is it this one?). Both are one where there is too little contrast to tell.
        """
        inside = self.cover > 0.5
        if inside.sum() < 8:
            inside = self.cover > 0
        if not inside.any():
            return 0.0
        blur = 1.5 * self.scale
        edit, base, render = (smooth(_gamma(x), blur)[inside] for x in (self.edit, self.base, self.render))
        # the product may be lit otherwise than the render
        gain = np.clip((edit * render).sum(0) / np.maximum((render * render).sum(0), 1e-6), 0.5, 1.8)
        lit = render * gain
        there = _correlation(edit - base, lit - base)
        pattern = _correlation(edit - edit.mean(0), lit - lit.mean(0))
        return float(np.clip(min(there, pattern), 0, 1))


@dataclass(frozen=True)
class _Style:
    """A tone curve a channel that the edit lays over the whole picture: log linear light to its change."""

    low: Floats
    high: Floats
    curve: Floats  # (3 channels, 3 coefficients)

    def __call__(self, linear: Floats) -> Floats:
        x = np.clip(np.log(linear + _DARK), self.low, self.high)
        change = self.curve[:, 0] + self.curve[:, 1] * x + self.curve[:, 2] * x * x
        return np.asarray(np.maximum((linear + _DARK) * np.exp(change) - _DARK, 0), np.float32)


_NO_STYLE = _Style(np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros((3, 3), np.float32))


def _style(small: _Small) -> _Style:
    """Fit the tone curves away from the product, with shadows as outliers."""
    blur = _LIGHT * small.scale
    weight = _outside(small)
    near = smooth(weight, blur)
    seen = near > 0.5
    share = near[..., None] + 1e-6
    x, y = (
        np.log(_linear(smooth(_gamma(values) * weight[..., None], blur) / share) + _DARK)[seen]
        for values in (small.base, small.edit)
    )
    if len(x) < 64:
        return _NO_STYLE
    low, high = np.percentile(x, (1, 99), axis=0).astype(np.float32)
    curve = np.stack([_fit(np.clip(x[:, c], low[c], high[c]), (y - x)[:, c]) for c in range(3)])
    ends = np.linspace(low, high, 16)
    change = np.abs(curve[:, 0] + curve[:, 1] * ends + curve[:, 2] * ends**2).max()
    return _Style(low, high, (curve * _ramp(change, *_STYLE)).astype(np.float32))


def _fit(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
    """Robust quadratic (Tukey's biweight, iterated), drawn gently to a constant."""
    middle = x.mean()
    columns = np.stack([np.ones_like(x), x - middle, (x - middle) ** 2], 1).astype(np.float64)
    start = float(np.median(y))
    solution = np.array([start, 0.0, 0.0])
    for _ in range(8):
        residual = y - columns @ solution
        width = max(4.7 * 1.48 * float(np.median(np.abs(residual))), 0.03)
        weight = np.clip(1 - (residual / width) ** 2, 0, None) ** 2
        normal = columns.T @ (columns * weight[:, None])
        pull = np.diag([0.0, 1e-3, 1e-2]) * len(x)
        solution = np.linalg.solve(normal + pull + np.eye(3) * 1e-9, columns.T @ (weight * y))
    a, b, c = solution
    return np.array([a - b * middle + c * middle**2, b - 2 * c * middle, c])


def _photo(
    small: _Small, style: _Style, asked: _Style, shade: Floats, base: Picture, can_fall: Floats
) -> Floats:
    """The base photo under the edit's light: style over all, shadow near the product; linear light."""
    table = asked(to_linear(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)))
    photo = np.stack([table[:, c][base[..., c]] for c in range(3)], -1)
    # along the product's edge, where its shadow is darkest, the edit is half product: take that out
    cover = smooth(small.cover, _CODEC * small.scale)[..., None]
    product = _gamma(_relight(style(small.render), shade))
    ground = _linear((_gamma(small.edit) - product * cover) / np.maximum(1 - cover, 0.5))
    weight = np.clip(1 - cover[..., 0] / 0.4, 0, 1).astype(np.float32)
    change = _log_ratio(ground, style(small.base), weight, _LIGHT * small.scale)
    # a change is meant when its neighbourhood changes; how much is asked grows away from the product
    strength = smooth(np.abs(smooth(change, 2 * small.scale)).max(-1), 2 * small.scale)
    away = _away(small.cover)
    # 0 near the product, 1 where its shadow no longer falls: from one to two of its own sizes away
    reach = np.asarray(np.clip(away - 0.8, 0, 1), np.float32)
    # a weak model spoils the photo everywhere: what it does far from the product is the measure of that
    far = strength[reach > 0.5]
    noise = float(np.percentile(far, 75)) if far.size > 64 else 0.0
    low, high = (
        np.maximum(near + (far - near) * reach, times * noise)
        for near, far, times in zip(_NEAR, _FAR, _TIMES_NOISE, strict=True)
    )
    # and around the product, where no shadow can fall, it smears: a clean edit changes little of most of that
    # ground, so that a reflection in a polished table, which is meant, stands out from it
    aside = strength[(away < _RING) & (can_fall < 0.05) & (cover[..., 0] < 0.02)]
    smear = float(np.median(aside)) if aside.size > 64 else 0.0
    # a shadow darkens: what gets lighter where it may fall is a smear as well
    darker = _ramp(-smooth(change.mean(-1), 2 * small.scale), 0.0, _NEAR[0])
    low, high = (
        np.maximum(limit, times * smear * (1 - can_fall * darker))
        for limit, times in zip((low, high), _TIMES_SMEAR, strict=True)
    )
    change = _untinted(change, _TINT) * _ramp(strength, low, high)[..., None]
    size = (base.shape[1], base.shape[0])
    return _relight(np.asarray(photo, np.float32), _enlarge(change, size))


def _can_fall(small: _Small, render: Render) -> Floats:
    """1 where the product's shadow may fall by the 3D model, soft, at the edit's size."""
    height, width = small.cover.shape
    open_share = cv2.resize(render.shadow, (width, height), interpolation=cv2.INTER_AREA) / 255
    inside = small.cover > 0.5
    if not inside.any():
        return np.ones_like(small.cover)
    astray = max(round(_ASTRAY * _extent(inside)), 2)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * astray + 1, 2 * astray + 1))
    grown = np.asarray(cv2.dilate((open_share < 1 - _CAN_FALL).astype(np.float32), kernel), np.float32)
    return np.clip(smooth(grown, astray / 2), 0, 1)


def _untinted(change: Floats, tint: tuple[float, float]) -> Floats:
    """A change of light with no more colour than `tint`: a share of its depth, and as much in any case."""
    grey = change.mean(-1, keepdims=True)
    most = tint[0] * np.abs(grey) + tint[1]
    return np.asarray(grey + np.clip(change - grey, -most, most), np.float32)


def _mean_tint(shade: Floats, cover: Floats) -> Floats:
    """The colour of the light on the product as a whole, (3,) in log; its mean is 0."""
    mean = (shade * cover[..., None]).sum((0, 1)) / max(float(cover.sum()), 1e-6)
    return np.asarray(mean - mean.mean(), np.float32)


def _shade(small: _Small, style: _Style) -> Floats:
    """By how much the edit lights the product otherwise than the render; log, at the edit's size."""
    weight = small.cover**6  # an edge pixel of the edit is half photo
    shade = _log_ratio(small.edit, style(small.render), weight, _SHADE * small.scale)
    return np.asarray(np.clip(shade, *np.log(np.asarray(_SHADE_LIMITS))), np.float32)


def _product(shade: Floats, style: _Style, render: Render) -> Floats:
    """The render under the edit's light, at its own size; linear light."""
    height, width = render.mask.shape
    return _relight(style(to_linear(render.detail)), _enlarge(shade, (width, height)))


def _relight(linear: Floats, change: Floats) -> Floats:
    """Apply a change from `_log_ratio`."""
    return np.asarray(np.maximum((linear + _DARK) * np.exp(change) - _DARK, 0), np.float32)


def _log_ratio(over: Floats, under: Floats, weight: Floats, blur: float) -> Floats:
    """Log of the ratio of two pictures' low frequencies, from weighted pixels, continued to the others."""
    near = smooth(weight, blur)
    share = np.maximum(near, 1e-6)[..., None]
    # blurred as the codec and the shrinking blurred: on gamma values, whose mean is darker in linear light
    top, bottom = (
        _linear(smooth(_gamma(values) * weight[..., None], blur) / share) for values in (over, under)
    )
    ratio = np.log((top + _DARK) / (bottom + _DARK)).astype(np.float32)
    sure = np.clip((near - 0.05) / 0.2, 0, 1).astype(np.float32)
    return fill(ratio, sure, tuple(blur * wider for wider in _WIDER))


def _outside(small: _Small) -> Floats:
    """1 where the edit shows the photo only; a codec's blocks carry the product a little beyond its edge."""
    size = 2 * max(round(1.5 * small.scale), 1) + 1
    grown = cv2.dilate((small.cover > 0.02).astype(np.uint8), np.ones((size, size), np.uint8))
    return (1 - grown).astype(np.float32)


def _away(cover: Floats) -> Floats:
    """Distance from the product in its own sizes; where there is none, all is far away."""
    inside = cover > 0.5
    if not inside.any():
        return np.full_like(cover, 2.0)
    distance = np.asarray(cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3), np.float32)
    return np.asarray(distance / _extent(inside), np.float32)


def _extent(inside: NDArray[np.bool_]) -> int:
    """The longer side of the box around it in pixels; of specks 8."""
    rows, columns = np.nonzero(inside)
    return max(int(np.ptp(rows)), int(np.ptp(columns)), 8)


def _labels(render: Render) -> Floats:
    """1 inside the outlines of visible labels, with a soft edge; (H, W)."""
    height, width = render.mask.shape
    drawn = np.zeros((height, width), np.uint8)
    for outline in render.labels:
        cv2.fillPoly(drawn, [np.round(outline).astype(np.int32)], 255)
    return smooth(np.asarray(drawn / 255, np.float32), max(height, width) / 512)


def _correlation(one: Floats, other: Floats) -> float:
    """Of two sets of values; tends to 1 where both are smaller than a codec's noise."""
    noise = _NOISE**2
    both = float((one * other).mean()) + noise
    return both / float(np.sqrt(((one**2).mean() + noise) * ((other**2).mean() + noise)))


def _ramp(value: Floats | float, low: Floats | float, high: Floats | float) -> Floats:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((np.asarray(value) - low) / (np.asarray(high) - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _gamma(linear: Floats) -> Floats:
    return np.asarray(np.power(linear, 1 / 2.2), np.float32)


def _linear(gamma: NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(np.power(np.maximum(gamma, 0), 2.2), np.float32)


def _shrink(picture: Picture | Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _enlarge(values: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_CUBIC), np.float32)
