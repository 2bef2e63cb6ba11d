"""Where a label's letters stand, which of them a view shows, and how well they stand out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from packline.colour import to_srgb
from packline.stage.model import Material
from packline.truth import Label

#: A letter shows where at least this share of its width does.
LEAST_OF_A_LETTER = 0.6
#: Stands in `TextTruth.visible_text` for letters that are hidden between others.
HIDDEN = "…"
_HEIGHT, _WIDTH = 48, 768

Floats = NDArray[np.float64]
Extent = tuple[float, float]


def letters(label: Label, material: Material) -> tuple[Extent, ...]:
    """Where each character of a label lies along its length, from 0 to 1; spaces included.

    Measured on the texture where gaps in the ink separate the letters; else estimated from the widths of a
    common typeface, fitted to where the ink starts and ends.
    """
    text = label.text
    if not text:
        return ()
    estimate = _typeset(text)
    ink = _ink(label, material)
    if ink is None:
        return estimate
    runs = _runs(ink)
    printed = [index for index, character in enumerate(text) if not character.isspace()]
    if not runs or not printed:
        return estimate
    start, end = runs[0][0], runs[-1][1]
    if len(runs) == len(printed):
        found = dict(zip(printed, runs, strict=True))
        out: list[Extent] = []
        for index in range(len(text)):
            if index in found:
                out.append(found[index])
            else:
                # a space reaches from the letter before it to the one after it
                before = max((found[i][1] for i in printed if i < index), default=start)
                after = min((found[i][0] for i in printed if i > index), default=end)
                out.append((before, max(before, after)))
        return tuple(out)
    low, high = estimate[printed[0]][0], estimate[printed[-1]][1]
    scale = (end - start) / max(high - low, 1e-6)
    return tuple((start + (a - low) * scale, start + (b - low) * scale) for a, b in estimate)


def shown_text(text: str, extents: tuple[Extent, ...], shown: Floats) -> str:
    """The characters that a view shows.

    Parameters
    ----------
    extents
        From `letters`.
    shown
        Share of the label that shows at evenly spaced places along its length, 0 to 1, shape (N,).

    Returns
    -------
    Such as "E LO" of "E LOVE"; "E…VE" where something hides the middle; empty where no letter shows.
    """
    places = np.linspace(0, 1, len(shown))
    pieces: list[str] = []
    gap = False
    for character, (start, end) in zip(text, extents, strict=True):
        at = np.linspace(start, end, 9)
        if float(np.interp(at, places, shown).mean()) < LEAST_OF_A_LETTER:
            gap = gap or not character.isspace()
            continue
        if gap and pieces:
            pieces.append(HIDDEN)
        gap = False
        pieces.append(character)
    return "".join(pieces).strip()


def contrast(linear: NDArray[np.float32]) -> float:
    """How well ink stands out from its ground.

    Parameters
    ----------
    linear
        The label's own colour as seen in a picture, linear RGB, float32 (N, 3).

    Returns
    -------
    Difference in CIELAB lightness, 0 to 100, between ink and ground: the medians of the two classes that
    N. Otsu, "A threshold selection method from gray-level histograms" (1979), finds.
    """
    if len(linear) < 8:
        return 0.0
    lightness = _lightness(to_srgb(np.clip(linear, 0, 1)[None]))[0]
    dark, light = _classes(lightness)
    if not dark.any() or not light.any():
        return 0.0
    return round(float(np.median(lightness[light]) - np.median(lightness[dark])), 2)


def _lightness(srgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    shares = np.asarray(srgb, np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(shares, cv2.COLOR_RGB2LAB)[..., 0], np.float32)


def _classes(values: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    levels = np.clip(values * 2.55, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels.reshape(1, -1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    light = levels > threshold
    return ~light, light


def texture_strip(label: Label, material: Material) -> NDArray[np.uint8] | None:
    """The label cut from its texture, upright: sRGB uint8 (48, 768, 3); None where nothing is printed."""
    texture = material.texture or material.emissive_texture
    if texture is None:
        return None
    height, width = texture.pixels.shape[:2]
    strip = np.array([[0, 0], [_WIDTH, 0], [_WIDTH, _HEIGHT], [0, _HEIGHT]], np.float32)
    corners = np.array(label.quad, np.float32) * (width, height)
    # a label across the texture's edge continues on its other side
    corners -= np.floor(corners.min(0) / (width, height)) * (width, height)
    pixels = np.asarray(texture.pixels, np.uint8)
    if (corners.max(0) > (width, height)).any():
        pixels = np.tile(pixels, (2, 2, 1))
    warp = cv2.getPerspectiveTransform(corners.astype(np.float32), strip)
    cut = cv2.warpPerspective(pixels, warp, (_WIDTH, _HEIGHT), flags=cv2.INTER_AREA)
    if cut.shape[-1] == 4:
        # decals: what is transparent shows the ground
        alpha = cut[..., 3:].astype(np.float32) / np.float32(255)
        cut = np.round(cut[..., :3] * alpha + 128 * (1 - alpha)).astype(np.uint8)
    return np.asarray(cut[..., :3], np.uint8)


def _ink(label: Label, material: Material) -> NDArray[np.bool_] | None:
    """Which columns of the label hold ink, bool (768,); None where it cannot be told."""
    strip = texture_strip(label, material)
    if strip is None:
        return None
    lightness = _lightness(strip)
    dark, light = _classes(lightness)
    if np.median(lightness[light]) - np.median(lightness[dark]) < 8:
        return None
    ink = (dark if dark.mean() < 0.5 else light).reshape(lightness.shape)
    if not 0.02 < ink.mean() < 0.6:
        return None
    inside = ink[2:-2]
    return np.asarray(inside.sum(0) >= 2)


def _runs(ink: NDArray[np.bool_]) -> list[Extent]:
    """Stretches of ink, from 0 to 1; specks are dropped."""
    edges = np.flatnonzero(np.diff(np.r_[False, ink, False].astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [(a / len(ink), b / len(ink)) for a, b in runs if b - a >= 3]


def _typeset(text: str) -> tuple[Extent, ...]:
    font = ImageFont.load_default(64)
    ends = np.array([font.getlength(text[: index + 1]) for index in range(len(text))])
    ends = ends / max(float(ends[-1]), 1e-6)
    starts = np.r_[0.0, ends[:-1]]
    return tuple((float(a), float(b)) for a, b in zip(starts, ends, strict=True))
