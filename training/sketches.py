"""Flat sketches for the editor's first lesson: copy the base, put the guide's object over it, cast a shadow.

They cost a few milliseconds, so the model learns where to look before it sees the stage's costly pairs.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.pairs import GUIDE_GREY, SIDE, SIZE, Pair

NOUNS = ("shoe", "bottle", "can", "mug", "box", "tube", "bag", "jar")
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "orange", "teal")
PLACES = ("an oak table", "a stone slab", "a linen cloth", "a studio sweep", "a shelf", "a window sill")


def sketch(rng: np.random.Generator) -> Pair:
    """One sketched pair."""
    base = _background(rng)
    angle, length = rng.uniform(0, np.pi), rng.uniform(20, 70)
    side = "right" if np.cos(angle) > 0.3 else "left" if np.cos(angle) < -0.3 else "front"
    colour, mask = _object(rng, float(np.cos(angle)))
    foot = int(np.nonzero(mask.max(1) > 0.5)[0][-1])
    # the silhouette laid on the floor away from the light: sheared and squashed about its foot
    squash = rng.uniform(0.15, 0.5)
    shear = -np.cos(angle) * length / 60
    matrix = np.array([[1, -shear, shear * foot], [0, squash, foot * (1 - squash)]])
    laid = cv2.warpAffine(mask, matrix, (SIZE, SIZE))
    shadow = 1 - rng.uniform(0.3, 0.7) * cv2.GaussianBlur(laid, (0, 0), float(rng.uniform(1.5, 6)))
    linear = (base.astype(np.float32) / 255) ** 2.2 * shadow[..., None]
    out = np.clip(linear, 0, 1) ** (1 / 2.2) * 255
    out = out * (1 - mask[..., None]) + colour * mask[..., None]
    guide = GUIDE_GREY * (1 - mask[..., None]) + colour * mask[..., None]
    small = cv2.resize(guide, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    words = f"{rng.choice(COLOURS)} {rng.choice(NOUNS)}"
    meta: dict[str, Any] = {
        "words": words,
        "scene_words": str(rng.choice(PLACES)),
        "light_words": f"soft light from the {side}",
    }
    return Pair(base, _u8(out), _u8(guide), _u8(small), _u8(small[:, ::-1]), meta)


def _u8(x: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def _dull(rng: np.random.Generator, colour: NDArray[np.float64]) -> NDArray[np.float64]:
    return colour.mean() + (colour - colour.mean()) * rng.uniform(0.1, 0.9)


def _background(rng: np.random.Generator) -> NDArray[np.uint8]:
    wall, floor = _dull(rng, rng.uniform(40, 235, 3)), _dull(rng, rng.uniform(40, 235, 3))
    picture = np.empty((SIZE, SIZE, 3), np.float32)
    line = int(rng.uniform(0.2, 0.55) * SIZE)
    picture[:line], picture[line:] = wall, floor
    picture *= 1 + 0.15 * _noise(rng, rng.uniform(20, 60))[..., None]
    grain = _noise(rng, rng.uniform(0.7, 8), rng.uniform(1, 12))
    picture[line:] *= 1 + rng.uniform(0, 0.25) * grain[line:, :, None]
    for _ in range(rng.integers(0, 4)):
        at = tuple(int(v) for v in rng.uniform(0, SIZE, 2))
        ink = tuple(float(v) for v in rng.uniform(20, 240, 3))
        cv2.ellipse(
            picture, at, tuple(int(v) for v in rng.uniform(8, 45, 2)), 0, 0, 360, ink, -1, cv2.LINE_AA
        )
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 2.5)))
    return _u8(picture + rng.normal(0, 1, picture.shape))


def _noise(rng: np.random.Generator, sigma: float, stretch: float = 1.0) -> NDArray[np.float32]:
    noise = cv2.GaussianBlur(
        rng.normal(size=(SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=sigma * stretch, sigmaY=sigma
    )
    return np.asarray(noise / (noise.std() + 1e-6) * 0.5, np.float32)


def _object(rng: np.random.Generator, lit: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scale = 2  # drawn large and shrunk: smooth edges
    n = SIZE * scale
    mask = np.zeros((n, n), np.float32)
    w, h = rng.uniform(0.18, 0.5, 2) * n
    cx, foot = rng.uniform(0.3, 0.7) * n, rng.uniform(0.6, 0.88) * n
    x0, x1, y0, y1 = int(cx - w / 2), int(cx + w / 2), int(foot - h), int(foot)
    kind = rng.integers(0, 3)
    if kind == 0:
        cv2.rectangle(mask, (x0, y0), (x1, y1), 1, -1)
    elif kind == 1:
        cv2.ellipse(mask, (int(cx), int(foot - h / 2)), (int(w / 2), int(h / 2)), 0, 0, 360, 1, -1)
    else:
        points = np.array(
            [
                [x0, y1],
                [x0 + rng.uniform(0, w / 3), y0],
                [x1 - rng.uniform(0, w / 2), y0 + rng.uniform(0, h / 2)],
                [x1, y1],
            ]
        )
        cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    ink = rng.uniform(15, 240, 3).astype(np.float32)
    colour = np.broadcast_to(ink.astype(np.uint8), (n, n, 3)).copy()
    band = rng.uniform(15, 240, 3)
    top = rng.integers(y0, y1)
    colour[top : top + int(h * rng.uniform(0.1, 0.5))] = band
    text = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUVXYZ"), rng.integers(2, 6)))
    white = tuple(float(v) for v in rng.choice([20, 240]) * np.ones(3))
    size = float(rng.uniform(1.0, 2.6))
    cv2.putText(colour, text, (x0 + 10, (y0 + y1) // 2), cv2.FONT_HERSHEY_DUPLEX, size, white, 4, cv2.LINE_AA)
    across = np.clip((np.arange(n, dtype=np.float32) - cx) / (w / 2), -1, 1)
    ramp = 1 + rng.uniform(0.1, 0.4) * lit * across[None, :, None]
    lit_colour = np.clip(colour * ramp, 0, 255).astype(np.float32)
    shrunk = cv2.resize(lit_colour, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return shrunk.astype(np.float32), cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(
        np.float32
    )
