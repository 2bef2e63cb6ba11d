"""A product of three parts before a photo, painted: colours are known to the pixel, light is smooth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import from_lab, to_lab, to_linear, to_srgb
from packline.reference import Picture, Reference
from packline.truth import PartColours, Swatch
from scoring.check import CheckInput
from tests.scoring.synthetic import CAMERA, SIZE, base_photo

COLOURS: dict[str, tuple[int, int, int]] = {
    "cap": (206, 62, 48),
    "body": (226, 214, 196),
    "label": (96, 140, 176),
}
ROWS = {"cap": (150, 330), "body": (330, 820), "label": (480, 680)}
SIDES = (330, 700)


@dataclass(frozen=True)
class Look:
    """How the candidate is made; the defaults make a right one.

    Parameters
    ----------
    shifts
        CIELAB steps of parts' base colours.
    tint
        Linear factors of the light on scene and product alike.
    turn
        How much brighter the right side is than the left, as the key turns.
    """

    shifts: tuple[tuple[str, tuple[float, float, float]], ...] = ()
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    turn: float = 0.0


def _maps() -> tuple[NDArray[np.uint16], Picture]:
    parts = np.zeros((SIZE, SIZE), np.uint16)
    for index, (top, bottom) in enumerate(ROWS.values(), 1):
        inset = 90 if index == 1 else 0
        parts[top:bottom, SIDES[0] + inset : SIDES[1] - inset] = index
    return parts, np.where(parts > 0, 255, 0).astype(np.uint8)


def _lit(albedo: NDArray[np.float32], turn: float) -> NDArray[np.float32]:
    x = np.linspace(-1, 1, SIZE, dtype=np.float32)[None, :, None]
    return np.asarray(albedo * (0.72 + (0.12 + turn) * x), np.float32)


@lru_cache(maxsize=1)
def reference() -> Reference:
    """What the candidate should show."""
    parts, mask = _maps()
    albedo = np.zeros((SIZE, SIZE, 3), np.uint8)
    truths = []
    for index, (name, rgb) in enumerate(COLOURS.items(), 1):
        albedo[parts == index] = rgb
        lab = to_lab(to_linear(np.array(rgb, np.uint8)))
        swatch = Swatch((float(lab[0]), float(lab[1]), float(lab[2])), 1.0)
        truths.append(
            PartColours(name, index, 0.3, (swatch,), float((parts == index).sum() / (mask > 0).sum()))
        )
    colour = np.where(mask[..., None] > 0, to_srgb(_lit(to_linear(albedo), 0.0)), 205).astype(np.uint8)
    normals = np.zeros((SIZE, SIZE, 3), np.float32)
    normals[mask > 0] = (0, 0, 1)
    return Reference(
        view="scene",
        camera=CAMERA,
        colour=colour,
        albedo=albedo,
        depth=(mask > 0).astype(np.float32),
        normals=normals,
        mask=mask,
        shadow=np.full((SIZE, SIZE), 255, np.uint8),
        uv=np.zeros((SIZE, SIZE, 2), np.float32),
        parts=parts,
        label_map=np.zeros((SIZE, SIZE), np.uint8),
        colours=tuple(truths),
    )


@lru_cache(maxsize=1)
def photo() -> Picture:
    """The base photo."""
    return base_photo(4)


@lru_cache(maxsize=16)
def candidate(look: Look) -> CheckInput:
    """A candidate beside its truth."""
    truth = reference()
    albedo = to_linear(truth.albedo)
    for name, step in look.shifts:
        at = truth.parts == 1 + list(COLOURS).index(name)
        albedo[at] = from_lab(to_lab(albedo[at][:1]) + np.array(step))[0]
    cover = truth.mask[..., None].astype(np.float32) / 255
    light = np.array(look.tint, np.float32)
    linear = to_linear(photo()) * (1 - cover) + _lit(albedo, look.turn) * cover
    picture = to_srgb(np.clip(linear * light, 0, 1)).astype(np.float32)
    picture += np.random.default_rng(2).normal(0, 1, picture.shape)
    soft = cv2.GaussianBlur(picture, (0, 0), 0.5)
    seen = np.clip(np.round(soft), 0, 255).astype(np.uint8)
    return CheckInput(seen, photo(), truth, (truth,))


def in_the_dark() -> CheckInput:
    """A product without light: black in the truth and in the candidate."""
    one = candidate(Look())
    product = np.repeat(one.scene.mask[..., None] > 0, 3, 2)
    scene = replace(one.scene, colour=np.where(product, 1, 205).astype(np.uint8))
    return replace(one, candidate=np.where(product, 1, one.candidate).astype(np.uint8), scene=scene)
