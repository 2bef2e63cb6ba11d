"""Lessons of the verifier: a print as the render shows it, and as an honest or a careless picture does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.verifier import MARGIN, STRIDE, TALL, WIDE
from training.verifier_prints import (
    HEIGHT,
    KINDS,
    Floats,
    Print,
    Random,
    draw_kind,
    mark_print,
    noise,
    text_print,
)

Picture = NDArray[np.uint8]

# a place differs where the inks differ by this much of their contrast over a few pixels; not under the other
DIFFERENT, SAME = 0.42, 0.15


@dataclass(frozen=True)
class Lesson:
    """One pair of strips.

    Parameters
    ----------
    expected, seen
        RGB uint8 (H, W, 3), as the verifier gets them.
    differs
        For each of the verifier's places the share by which the prints differ, float32 (H / 8, W / 8).
    kind
        "right" or the fault.
    height
        Of the text in the picture, pixels.
    """

    expected: Picture
    seen: Picture
    differs: Floats
    kind: str
    height: float


def lesson(random: Random, tall: bool = False, right: float = 0.42, held_out: bool = False) -> Lesson:
    """Draw a lesson: a wide strip of text or, `tall`, a near-square mark (or short word)."""
    kind = "right" if random.random() < right else draw_kind(random)
    if tall and random.random() < 0.75:
        made = mark_print(random, kind)
    else:
        made = text_print(random, kind, held_out, short=tall)
    return photographed(made, random, tall)


@dataclass(frozen=True)
class Patch:
    """Both pictures of a print before they are unrolled.

    Parameters
    ----------
    expected, seen
        Pieces of pictures, RGB uint8 (H, W, 3).
    place
        Where the label's corners lie in `expected`, and should in `seen`, float64 (4, 2).
    label
        Width and height of the print as drawn.
    flat
        Where its corners lie as drawn, float64 (4, 2).
    padded
        Coverage of the right and the wrong print as drawn.
    inks
        Of `_colours`.
    contrast
        Between ink and ground, 0 to 100.
    height
        Of the text in the pictures, pixels.
    """

    expected: Picture
    seen: Picture
    place: NDArray[np.float64]
    label: NDArray[np.float64]
    flat: NDArray[np.float64]
    padded: list[Floats]
    inks: Floats
    contrast: float
    height: float


def taken(made: Print, random: Random, least: float = 12.0) -> Patch:
    """Take both pictures of a print, its text `least` to 72 px high."""
    height = float(np.exp(random.uniform(np.log(least), np.log(72))))
    pad_x, pad_y = (int(HEIGHT * p) for p in np.abs(random.normal(0.04, 0.08, 2)))
    around = int(0.5 * HEIGHT)
    padded = [
        np.pad(one, ((pad_y + around,) * 2, (pad_x + around,) * 2, (0, 0)))
        for one in (made.right, made.wrong)
    ]
    label = np.array([made.right.shape[1] + 2 * pad_x, made.right.shape[0] + 2 * pad_y], float)
    ground, inks, clutter = _colours(random, padded[0].shape)
    surfaces = [_printed(layers, ground, inks, clutter) for layers in padded]
    # where the label lies in the picture: its own plane at `height` px, in a little perspective
    scale = height / label[1]
    size = (label * scale).astype(float)
    room = 0.5 * height + 6
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    lean = random.normal(0, 0.05, (4, 2)) * min(size) if random.random() < 0.6 else np.zeros((4, 2))
    truth = corners * size + room + lean + random.uniform(0, 1, 2)
    # what registration leaves: pixels, and shares of the height
    off = random.normal(0, 0.45, 2) + random.normal(0, 0.03, 2) * height
    off = np.clip(off, -0.1 * height - 1, 0.1 * height + 1)
    swell = 1 + random.normal(0, 0.012, 2)
    middle = truth.mean(0)
    turn = random.normal(0, 0.012)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    real = (truth - middle) @ spin.T * swell + middle + off + random.normal(0, 0.012, (4, 2)) * height
    flat = corners * label + around
    patch = tuple(np.ceil(size + 2 * room).astype(int))
    soft = max(0.0, 0.42 / scale) if scale < 1 else 0.3
    pictures = []
    for surface, place in zip(surfaces, (truth, real), strict=True):
        matrix = cv2.getPerspectiveTransform(flat.astype(np.float32), place.astype(np.float32))
        blurred = cv2.GaussianBlur(surface, (0, 0), soft)
        pictures.append(_warped(blurred, matrix, patch, cv2.INTER_LINEAR))
    expected = np.clip(pictures[0] * _light(random, patch, 0.25), 0, 255).astype(np.uint8)
    seen = _careless(pictures[1], random, height)
    contrast = abs(float((inks[0] - ground.mean((0, 1))) @ np.array([0.3, 0.59, 0.11]))) / 2.55
    return Patch(expected, seen, truth, label, flat, padded, inks, contrast, height)


def photographed(made: Print, random: Random, tall: bool) -> Lesson:
    """Take both pictures of a print and unroll them by the truth's place."""
    side = TALL if tall else WIDE
    patch = taken(made, random)
    label, truth, flat, height = patch.label, patch.place, patch.flat, patch.height
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    inner = side - 2 * round(MARGIN * side)
    ratio = inner / min(label)
    strip = np.maximum(np.round((label * ratio) + 2 * round(MARGIN * side)), side).astype(int)
    edge = (strip - label * ratio) / 2
    target = corners * label * ratio + edge
    back = cv2.getPerspectiveTransform(truth.astype(np.float32), target.astype(np.float32))
    strips = [_unrolled(one, back, tuple(strip), height / inner) for one in (patch.expected, patch.seen)]
    ahead = cv2.getPerspectiveTransform(flat.astype(np.float32), target.astype(np.float32))
    return Lesson(
        strips[0], strips[1], _difference(patch.padded, ahead, tuple(strip), patch.inks), made.kind, height
    )


def _unrolled(picture: Picture, matrix: NDArray[np.float64], size: tuple[int, ...], dense: float) -> Picture:
    if dense > 1:  # as `packline.unroll` does: dense, then reduced
        k = int(min(4, np.ceil(dense)))
        matrix = np.diag([k, k, 1.0]) @ matrix
        big = _warped(picture, matrix, (size[0] * k, size[1] * k), cv2.INTER_CUBIC)
        return np.asarray(cv2.resize(big, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(_warped(picture, matrix, size, cv2.INTER_CUBIC), np.uint8)


def _warped(picture: Any, matrix: NDArray[np.float64], size: tuple[int, ...], how: int) -> Any:
    return cv2.warpPerspective(picture, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)


def _difference(
    padded: list[Floats], matrix: NDArray[np.float64], size: tuple[int, ...], inks: Floats
) -> Floats:
    """How much the prints differ at each of the verifier's places."""
    if padded[0] is padded[1] or np.array_equal(padded[0], padded[1]):
        places = [np.zeros(size[::-1], np.float32)]
    else:
        gap = np.abs(padded[0] - padded[1])
        gap = gap[..., 0] + gap[..., 1] * min(1.0, inks[2, 0])
        places = [cv2.warpPerspective(cv2.GaussianBlur(gap, (0, 0), HEIGHT / 28), matrix, size)]
    rows, columns = (int(np.ceil(n / STRIDE)) for n in size[::-1])
    whole = np.zeros((rows * STRIDE, columns * STRIDE), np.float32)
    whole[: size[1], : size[0]] = places[0]
    blurred = cv2.GaussianBlur(whole, (0, 0), 1.0)
    return np.asarray(blurred.reshape(rows, STRIDE, columns, STRIDE).max((1, 3)), np.float32)


def _colours(random: Random, shape: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Ground (H, W, 3), two inks with the second one's weight (3, 3), and clutter (H, W, 4)."""
    height, width = shape[:2]
    plain = (
        random.uniform(15, 250, 3)
        if random.random() < 0.5
        else np.full(3, random.uniform(20, 250)) + random.normal(0, 8, 3)
    )
    while True:
        ink = (
            random.uniform(5, 250, 3)
            if random.random() < 0.5
            else np.full(3, random.choice([12.0, 30, 225, 248]))
        )
        gap = abs(float(np.dot(ink - plain, (0.3, 0.59, 0.11))))
        if gap > 26 and (gap > 60 or random.random() < 0.35):
            break
    other = random.uniform(5, 250, 3)
    weight = min(1.0, float(np.linalg.norm(other - plain)) / (float(np.linalg.norm(ink - plain)) + 1))
    inks = np.array([ink, other, [weight, 0, 0]], np.float32)
    ground = np.broadcast_to(np.asarray(plain, np.float32), (height, width, 3)).copy()
    if random.random() < 0.3:  # weave, grain of paper, brushed metal
        ground += (
            random.uniform(1, 6) * noise((height, width), float(random.uniform(1, 5)), random)[..., None]
        )
    clutter = np.zeros((height, width, 4), np.float32)
    for _ in range(int(random.integers(0, 3))):  # what stands beside a label: rules, edges of the paper, bars
        colour = random.uniform(5, 250, 3)
        reach = int(random.uniform(0.03, 0.42) * HEIGHT)
        near = int(random.uniform(0, 0.25) * HEIGHT)
        side = int(random.integers(4))
        bar = np.s_[max(0, reach - near - 12) : reach]
        if random.random() < 0.5:
            bar = np.s_[0:reach]
        if side == 0:
            clutter[bar] = (*colour, 1)
        elif side == 1:
            clutter[::-1][bar] = (*colour, 1)
        elif side == 2:
            clutter[:, bar] = (*colour, 1)
        else:
            clutter[:, ::-1][:, bar] = (*colour, 1)
    return ground, inks, clutter


def _printed(layers: Floats, ground: Floats, inks: Floats, clutter: Floats) -> Floats:
    out = ground * (1 - clutter[..., 3:]) + clutter[..., :3] * clutter[..., 3:]
    for i in (1, 0):
        cover = layers[..., i : i + 1]
        out = out * (1 - cover) + inks[i] * cover
    return np.asarray(out, np.float32)


def _light(random: Random, size: tuple[int, ...], reach: float) -> Floats:
    """A smooth factor, (H, W, 1)."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    x, y = x / size[0] - 0.5, y / size[1] - 0.5
    a, b, c, d = random.normal(0, reach, 4)
    return np.asarray(np.exp(a * x + b * y + c * x * x + 0.3 * d)[..., None].clip(0.35, 1.5), np.float32)


def _careless(picture: Floats, random: Random, height: float) -> Picture:
    """What light, style, camera and file do to an honest picture."""
    size = picture.shape[1::-1]
    out = picture * _light(random, size, 0.35)
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    angle = random.uniform(0, np.pi)
    across = (x - random.uniform(0, size[0])) * np.cos(angle) + (y - random.uniform(0, size[1])) * np.sin(
        angle
    )
    if random.random() < 0.18:  # a shadow falls over a part
        edge = float(random.uniform(0.5, 0.5 + 0.4 * height))
        out = out * (1 - random.uniform(0.1, 0.5) / (1 + np.exp(-np.clip(across / edge, -20, 20))))[..., None]
    if random.random() < 0.2:  # a highlight runs across
        wide = float(random.uniform(0.06, 0.8) * height)
        streak = np.exp(-0.5 * (across / wide) ** 2)[..., None]
        out = out + random.uniform(10, 110) * streak
    if random.random() < 0.6:  # colour of the light, style
        out = out * np.exp(random.normal(0, 0.08, 3)).astype(np.float32)
        grey = out.mean(-1, keepdims=True)
        out = grey + (out - grey) * random.uniform(0.5, 1.3)
        out = 128 + (out - 128) * random.uniform(0.72, 1.2) + random.normal(0, 8)
    out = 255 * np.clip(out / 255, 0, 1) ** np.exp(random.normal(0, 0.12))
    blur = float(np.abs(random.normal(0, 0.45))) if height > 16 else float(np.abs(random.normal(0, 0.3)))
    if blur > 0.2:
        out = cv2.GaussianBlur(out, (0, 0), min(1.3, blur))
    if random.random() < 0.2:  # a decoder's softness: coarser, then sharpened
        k = float(random.uniform(0.6, 0.9))
        small = cv2.resize(out, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    if random.random() < 0.15:
        out = out + random.uniform(0.2, 0.8) * (out - cv2.GaussianBlur(out, (0, 0), 1.2))
    if random.random() < 0.6:
        out = out + random.normal(0, abs(random.normal(0, 2.2)), out.shape)
    final = np.clip(out, 0, 255).astype(np.uint8)
    roll = random.random()
    if roll < 0.5:
        codec, key = (
            (".jpg", cv2.IMWRITE_JPEG_QUALITY) if roll < 0.35 else (".webp", cv2.IMWRITE_WEBP_QUALITY)
        )
        quality = int(random.uniform(55, 97))
        stored = cv2.imencode(codec, final[..., ::-1], [key, quality])[1]
        final = cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1]
    return np.asarray(final, np.uint8)


__all__ = ["DIFFERENT", "KINDS", "SAME", "Lesson", "lesson", "photographed"]
