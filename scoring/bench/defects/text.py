"""Text that reads wrongly: turned, mirrored, misspelt, garbled or missing."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.truth import Label, TextTruth
from scoring.bench.defects import glyphs
from scoring.bench.defects.lettering import Lettering, alike, cut, printed
from scoring.bench.defects.sitting import Altered, Sitting, changed, height_band

Floats = NDArray[np.float32]
CHECK = "text_orientation"

#: A word turned over that still agrees so well with itself is symmetric: no defect.
SYMMETRIC = 0.72
#: Of the label's height squared that must differ visibly before an edit counts as one.
LEAST = 0.035


def turned_180(sitting: Sitting, strength: str) -> Altered | None:
    """The word upside down in its place."""
    return _flipped(sitting, "text turned 180", lambda letters: letters[::-1, ::-1])


def mirrored_across(sitting: Sitting, strength: str) -> Altered | None:
    """The word mirrored left to right."""
    return _flipped(sitting, "text mirrored left-right", lambda letters: letters[:, ::-1])


def mirrored_down(sitting: Sitting, strength: str) -> Altered | None:
    """The word mirrored top to bottom."""
    return _flipped(sitting, "text mirrored top-bottom", lambda letters: letters[::-1])


def turned_90(sitting: Sitting, strength: str) -> Altered | None:
    """The word turned clockwise about its middle."""
    return _quarter(sitting, "text turned 90", -1)


def turned_270(sitting: Sitting, strength: str) -> Altered | None:
    """The word turned anticlockwise about its middle."""
    return _quarter(sitting, "text turned 270", 1)


def missing(sitting: Sitting, strength: str) -> Altered | None:
    """The label without its letters."""
    found = _pick(sitting)
    if found is None:
        return None
    label, truth, lettering = found
    return _taken(sitting, label, truth, lettering, np.zeros_like(lettering.cover), "text missing", True)


def letters_swapped(sitting: Sitting, strength: str) -> Altered | None:
    """Two neighbours in each other's place."""
    found = _spelt(sitting)
    if found is None:
        return None
    label, truth, lettering, runs, word = found
    pairs = [i for i in range(len(runs) - 1) if word[i].upper() != word[i + 1].upper()]
    if not pairs:
        return None
    at = int(sitting.rng.choice(pairs))
    old = lettering.letters
    (a, b), (c, d) = runs[at], runs[at + 1]
    new = old.copy()
    new[:, a:d] = 0
    new[:, a : a + d - c] = old[:, c:d]
    new[:, d - (b - a) : d] = np.maximum(new[:, d - (b - a) : d], old[:, a:b])
    return _taken(sitting, label, truth, lettering, lettering.with_letters(new), "letters swapped", False)


def letter_replaced(sitting: Sitting, strength: str) -> Altered | None:
    """One letter exchanged for one that looks like it."""
    found = _spelt(sitting)
    if found is None:
        return None
    label, truth, lettering, runs, word = found
    old = lettering.letters
    for at in sitting.rng.permutation(len(runs))[:4]:
        start, end = runs[int(at)]
        own = glyphs.cropped(old[:, start:end])
        if own is None:
            continue
        ink, (left, _top, right, bottom) = own
        wrong = glyphs.instead(word[int(at)], np.ascontiguousarray(ink), sitting.rng)
        if wrong is None:
            continue
        room_left = runs[int(at) - 1][1] if at > 0 else 0
        room_right = runs[int(at) + 1][0] if at + 1 < len(runs) else old.shape[1]
        wide = min(wrong.shape[1], room_right - room_left)
        high = min(wrong.shape[0], old.shape[0])
        wrong = np.asarray(cv2.resize(wrong, (wide, high), interpolation=cv2.INTER_AREA), np.float32)
        new = old.copy()
        new[:, start:end] = 0
        x = int(np.clip(start + (left + right - wide) // 2, room_left, room_right - wide))
        y = int(np.clip(bottom - high, 0, old.shape[0] - high))
        new[y : y + high, x : x + wide] = np.maximum(new[y : y + high, x : x + wide], wrong)
        return _taken(sitting, label, truth, lettering, lettering.with_letters(new), "letter replaced", False)
    return None


def letter_doubled(sitting: Sitting, strength: str) -> Altered | None:
    """One letter twice, the word squeezed to its place."""
    found = _spelt(sitting)
    if found is None:
        return None
    label, truth, lettering, runs, _ = found
    at = int(sitting.rng.integers(len(runs)))
    old = lettering.letters
    start, end = runs[at]
    gap = max(3, round(0.05 * old.shape[0]))
    longer = np.concatenate([old[:, :end], np.zeros((old.shape[0], gap), np.float32), old[:, start:]], axis=1)
    size = old.shape[1], old.shape[0]
    new = np.asarray(cv2.resize(longer, size, interpolation=cv2.INTER_AREA), np.float32)
    return _taken(sitting, label, truth, lettering, lettering.with_letters(new), "letter doubled", False)


def letter_dropped(sitting: Sitting, strength: str) -> Altered | None:
    """One letter less, the gap closed."""
    found = _spelt(sitting)
    if found is None:
        return None
    label, truth, lettering, runs, _ = found
    at = int(sitting.rng.integers(len(runs)))
    old = lettering.letters
    start = runs[at][0]
    end = runs[at + 1][0] if at + 1 < len(runs) else old.shape[1]
    shorter = np.concatenate([old[:, :start], old[:, end:]], axis=1)
    new = np.zeros_like(old)
    left = (old.shape[1] - shorter.shape[1]) // 2
    new[:, left : left + shorter.shape[1]] = shorter
    return _taken(sitting, label, truth, lettering, lettering.with_letters(new), "letter dropped", False)


def garbled(sitting: Sitting, strength: str) -> Altered | None:
    """Letters as a diffusion model melts them: bent, each its own way, strokes run together or broken."""
    found = _pick(sitting)
    if found is None:
        return None
    label, truth, lettering = found
    force = {"mild": 0.05, "moderate": 0.1, "strong": 0.2}[strength]
    rng = sitting.rng
    letters = lettering.letters
    high, wide = letters.shape
    # bent: noise as wide as half a letter and as a stroke
    bent = np.zeros((high, wide, 2), np.float32)
    for scale, share in ((0.45, 1.0), (0.16, 0.55)):
        cells = max(2, round(high / (scale * high))), max(2, round(wide / (scale * high)))
        noise = rng.normal(0, 1, (*cells, 2)).astype(np.float32)
        bent += share * cv2.resize(noise, (wide, high), interpolation=cv2.INTER_CUBIC)
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    bent *= np.float32(force * high * 0.62)
    new = cv2.remap(letters, x + bent[..., 0], y + bent[..., 1], cv2.INTER_LINEAR, borderValue=0)
    # melted: a threshold that wanders opens some strokes and closes others
    soft = cv2.GaussianBlur(new, (0, 0), force * high * 0.22)
    cells = max(2, round(high / 24)), max(2, round(wide / 24))
    wander = cv2.resize(
        rng.normal(0, 1, cells).astype(np.float32), (wide, high), interpolation=cv2.INTER_CUBIC
    )
    level = np.clip(0.42 + force * 1.1 * wander, 0.12, 0.8)
    new = np.clip((soft - level) * 6 + 0.5, 0, 1).astype(np.float32)
    if force >= 0.2 and alike(letters, new, 2.0) > 0.9:
        return None
    return _taken(
        sitting,
        label,
        truth,
        lettering,
        lettering.with_letters(new),
        "text garbled",
        strength == "strong",
        strength,
    )


def _pick(sitting: Sitting) -> tuple[Label, TextTruth, Lettering] | None:
    """A judgeable label and its letters."""
    found = sitting.judgeable()
    for at in sitting.rng.permutation(len(found)):
        label, truth = found[int(at)]
        lettering = cut(sitting.take.model, label)
        if lettering is not None:
            return label, truth, lettering
    return None


def _spelt(sitting: Sitting) -> tuple[Label, TextTruth, Lettering, list[tuple[int, int]], str] | None:
    """A judgeable label whose letters stand apart, so that each can be moved."""
    found = sitting.judgeable()
    for at in sitting.rng.permutation(len(found)):
        label, truth = found[int(at)]
        lettering = cut(sitting.take.model, label)
        word = "".join(label.text.split())
        if lettering is None or len(word) < 3:
            continue
        runs = lettering.runs()
        if len(runs) == len(word):
            return label, truth, lettering, runs, word
    return None


def _flipped(sitting: Sitting, kind: str, flip: Callable[[Floats], Floats]) -> Altered | None:
    found = _pick(sitting)
    if found is None:
        return None
    label, truth, lettering = found
    new = np.ascontiguousarray(flip(lettering.letters))
    if alike(lettering.letters, new) > SYMMETRIC:
        return None
    return _taken(sitting, label, truth, lettering, lettering.with_letters(new), kind, truth.height >= 20)


def _quarter(sitting: Sitting, kind: str, turns: int) -> Altered | None:
    found = _pick(sitting)
    if found is None:
        return None
    label, truth, lettering = found
    word = np.ascontiguousarray(np.rot90(lettering.letters, turns))
    high, wide = lettering.cover.shape
    scale = min(1.0, 0.98 * high / word.shape[0], 0.98 * wide / word.shape[1])
    size = max(2, round(word.shape[1] * scale)), max(2, round(word.shape[0] * scale))
    word = np.asarray(cv2.resize(word, size, interpolation=cv2.INTER_AREA), np.float32)
    cover = np.zeros_like(lettering.cover)
    top, left = (high - size[1]) // 2, (wide - size[0]) // 2
    cover[top : top + size[1], left : left + size[0]] = word
    if alike(lettering.cover, cover) > SYMMETRIC:
        return None
    return _taken(sitting, label, truth, lettering, cover, kind, truth.height >= 20)


def _taken(
    sitting: Sitting,
    label: Label,
    truth: TextTruth,
    lettering: Lettering,
    cover: Floats,
    kind: str,
    plain: bool,
    degree: str = "",
) -> Altered | None:
    """Photograph the model with other letters; None where nobody could see the difference."""
    shot = sitting.again(printed(sitting.take.model, lettering, cover))
    where = changed(sitting.plain.picture, shot.picture, _about(sitting, truth))
    if where.sum() < LEAST * truth.height**2:
        return None
    band = height_band(truth.height)
    strength = f"{degree}, {band}" if degree else band
    return sitting.altered(shot.picture, kind, strength, CHECK, plain and truth.height >= 20, where)


def _about(sitting: Sitting, truth: TextTruth) -> NDArray[np.bool_]:
    marks = np.zeros(sitting.inside.shape, np.uint8)
    cv2.fillPoly(marks, [np.round(np.array(truth.outline)).astype(np.int32)], 1)
    reach = int(max(9, truth.height * 2)) // 2 * 2 + 1
    return np.asarray(cv2.dilate(marks, np.ones((reach, reach), np.uint8)) > 0)
