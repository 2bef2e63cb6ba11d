"""Is the scene still the scene? Outside the product and its shadow nothing should have changed.

The base photo is laid under the candidate's style (a warm evening is allowed) and under every shadow that the
product may honestly throw. What differs from all of that has changed: lighter than the ground, tinted, or
dark where no shadow falls. Four things are judged each on its own: the scene at large, the product's shadow
(dark things that lie in it), the rim of the product (halos and fringes), and the frame as a whole (shifted,
turned, enlarged).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import Field

from packline.scorecard import CheckResult, Evidence, Verdict
from scoring.check import Bools, Check, CheckInput, CheckSettings, Floats, box_evidence, ramp
from scoring.dark_things import dark_things
from scoring.ground import EDGE, LUMA, Ground
from scoring.looks.finding import graded
from scoring.style import SMALL

# small pixels from there that are the product's rim: wider than a halo, narrower than the scene
_RIM = 8.0
# a change counts at most this many times the largest change that is allowed
_MOST = 3.0
# sum of squared gradients that a scene must have for its movement to be seen
_STRUCTURE = 600.0
# style beyond which the scene's light has changed rather than the picture's mood
_STYLE = 0.68
# per cent of the picture under which the number says nothing to a person: it would be rounded to nought
_SMALL_PLACE = 0.1


class SceneSettings(CheckSettings):
    """``[checks.scene_kept]``.

    Parameters
    ----------
    max_change
        Grey levels (the largest over the channels, beyond style and shadow) from which a place has changed.
    max_area
        Share of the picture that may have changed by that much; the score is 0.5 there.
    max_halo
        Grey levels by which the product's rim may differ from ground and background, on average; 0.5 there.
    max_drift
        Share of the picture's width by which the scene may have moved; the score is 0.5 there.
    """

    max_change: float = Field(14.0, ge=3)
    max_area: float = Field(0.0007, gt=0, lt=1)
    max_halo: float = Field(2.8, gt=0)
    max_drift: float = Field(0.0019, gt=0)


@dataclass(frozen=True)
class _Part:
    """One question and its answer."""

    name: str
    score: float
    value: float
    sentence: str
    evidence: tuple[Evidence, ...] = ()


def judge(inputs: Sequence[CheckInput], settings: SceneSettings) -> list[CheckResult]:
    """Compare each candidate's surroundings with the base photo; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    return [_judge(one, settings) for one in inputs]


def _judge(one: CheckInput, settings: SceneSettings) -> CheckResult:
    if one.surroundings.mean() < 0.02:
        # the base photo has a scene, so the check applies; there is too little left of it to tell
        words = "Product and shadow fill the picture; too little of the scene is in view to compare."
        return CHECK.result(0.5, settings.threshold, words, verdict=Verdict.UNVERIFIABLE)
    ground = one.ground
    change, dark = ground.unexplained, dark_things(ground, settings.max_change)
    height, width = one.grey.shape
    # the small pictures are square whatever the picture is
    scale = (width / SMALL, height / SMALL)
    parts = sorted(
        [
            _light(one),
            _things(ground, change, settings, scale),
            _in_shadow(dark, settings, scale),
            _halo(ground, change, settings, scale),
            _drift(ground, one.surroundings, settings),
        ],
        key=lambda part: part.score,
    )
    bad = [part for part in parts if part.score < settings.enough]
    evidence = tuple(item for part in bad for item in part.evidence)
    if bad:
        evidence = (*evidence, _heat(np.maximum(change, dark), settings.max_change, scale))
    return CHECK.result(
        parts[0].score,
        settings.threshold,
        " ".join(part.sentence for part in bad) or "The scene around the product is as in the base photo.",
        evidence,
        measures={part.name: part.value for part in parts},
    )


def _light(one: CheckInput) -> _Part:
    strength = one.style.strength
    words = "The whole scene has changed its light or colours far beyond a style."
    return _Part("style_strength", graded(strength, _STYLE, 4), strength, words)


def _things(ground: Ground, change: Floats, settings: SceneSettings, scale: tuple[float, float]) -> _Part:
    """Things that came, went or changed their colour: how much area changed, and by how much."""
    # thin outlines move by less than a pixel when a picture is encoded again; a change has some body
    body = np.asarray(cv2.medianBlur(change, 3), np.float32)
    body[(ground.away > 0) & (ground.away <= 2 * EDGE)] = 0
    value, evidence = _large(body, settings, "changed", scale)
    share = 100 * float((body > settings.max_change).mean())
    words = f"{share:.1f} % of the picture, outside the product and its shadow, is not as in the base photo."
    if share < _SMALL_PLACE:
        words = "Something small outside the product and its shadow is not as in the base photo: see the box."
    return _Part("changed_area", graded(value, settings.max_area, 1.5), value, words, evidence)


def _in_shadow(dark: Floats, settings: SceneSettings, scale: tuple[float, float]) -> _Part:
    """Dark things on the ground within the product's shadow."""
    words = "Something dark lies in the product's shadow that is not in the base photo: see the box."
    body = np.asarray(cv2.medianBlur(dark, 3), np.float32)
    value, evidence = _large(body, settings, "in the shadow", scale)
    return _Part("dark_in_shadow", graded(value, settings.max_area, 1.5), value, words, evidence)


def _large(
    change: Floats, settings: SceneSettings, words: str, scale: tuple[float, float]
) -> tuple[float, tuple[Evidence, ...]]:
    """How much area changed, by how much, as a share of the picture; boxes around the largest places."""
    changed = change > settings.max_change
    weight = np.minimum(change / settings.max_change, _MOST) * changed
    joined = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    sums = np.bincount(labels.ravel(), weight.ravel(), minlength=count)[1:]
    # one large thing is worse than as much of scattered specks
    value = float(np.sqrt(np.square(sums).sum())) / (SMALL * SMALL)
    order = np.argsort(-sums)[:3]
    large = (stats[1 + i] for i in order if sums[i] > 0.2 * sums[order[0]])
    return value, tuple(_box(words, (x, y, x + w, y + h), scale) for x, y, w, h, _ in large)


def _halo(ground: Ground, change: Floats, settings: SceneSettings, scale: tuple[float, float]) -> _Part:
    """A glow, a fringe or a smear along the outline: close to the product there should be ground and wall."""
    rim = (ground.away > EDGE) & (ground.away <= _RIM)
    words = "Around the product the scene is smeared: a halo or a fringe runs along its outline."
    if int(rim.sum()) < 50:
        return _Part("halo", 1.0, 0.0, words)
    levels = np.minimum(change[rim], 60)
    value = float(levels.mean())
    rows, columns = np.nonzero(rim & (change > settings.max_halo))
    evidence: tuple[Evidence, ...] = ()
    if len(rows):
        corners = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        evidence = (_box("halo", corners, scale),)
    return _Part("halo", graded(value, settings.max_halo, 3), value, words, evidence)


#: Share of the differences that a movement must explain: from where it counts, and where it counts in full.
_EXPLAINED = (0.08, 0.3)
#: The same of the share of a movement that half of the places follow where it would show most.
_FOLLOWED = (0.1, 0.35)


def _drift(ground: Ground, where: Bools, settings: SceneSettings) -> _Part:
    """How far the scene moved as a whole: least-squares shift, turn and enlargement (Lucas and Kanade)."""
    # a bright product would shine into its surroundings where slow changes are taken off
    beside = (ground.away > EDGE) & (ground.possible < 0.03)
    wanted, seen = (
        _structure(p) for p in (ground.expected, np.where(beside[..., None], ground.picture, ground.expected))
    )
    words = "The whole scene has moved against the base photo."
    across, down = (cv2.Sobel(wanted + seen, cv2.CV_32F, *d) / 16 for d in ((1, 0), (0, 1)))
    rest = seen - wanted
    # what appeared or changed its colour says nothing about a movement, nor does a shadow
    there = where & (np.abs(rest) < 25) & beside
    y, x = (np.mgrid[0:SMALL, 0:SMALL].astype(np.float32) / SMALL * 2 - 1)[:, there]
    gx, gy = across[there], down[there]
    if len(gx) < 500 or min(float(gx @ gx), float(gy @ gy)) < _STRUCTURE:
        return _Part("drift", 1.0, 0.0, words)
    # a movement of (u, v) + s (x, y) + t (-y, x) small pixels
    columns = np.stack([gx, gy, gx * x + gy * y, gy * x - gx * y], 1)
    weight = 1 / (1 + np.square(rest[there] / 6))
    # asked of two halves, interleaved in cells: noise is fitted too, but not twice the same way
    cell = (np.floor((x + 1) * 4) + np.floor((y + 1) * 4)).astype(int) % 2
    one, other = (_motion(columns[cell == k], weight[cell == k], rest[there][cell == k]) for k in (0, 1))
    both, apart = (one + other) / 2, (one - other) / 2
    length = (np.hypot(m[0], m[1]) + np.hypot(m[2], m[3]) for m in (both, apart))
    agreed, doubt = (float(value) for value in length)
    # a movement explains what changed; the noise of a codec in a bare scene is explained by nothing
    before = float(weight @ np.square(rest[there]))
    after = float(weight @ np.square(rest[there] + columns @ both))
    explained = 1 - after / max(before, 1e-6)
    # where the movement would show most, most places must show it: a shadow or a halo is in few of them
    moved = -(columns @ both)
    strong = np.abs(moved) >= max(0.5, float(np.quantile(np.abs(moved), 0.9)))
    followed = float(np.median(rest[there][strong] / moved[strong])) if strong.any() else 0.0
    value = max(0.0, agreed - doubt) / SMALL * ramp(explained, *_EXPLAINED) * ramp(followed, *_FOLLOWED)
    sentence = (
        f"The whole scene has moved by about {100 * value:.1f} % of the picture against the base photo."
    )
    return _Part("drift", graded(value, settings.max_drift, 3), value, sentence)


def _motion(columns: Floats, weight: Floats, rest: Floats) -> Floats:
    """Shift across and down, enlargement and turn that explain the differences best, float32 (4,)."""
    weighted = columns * weight[:, None]
    ridge = 20 * np.eye(4, dtype=np.float32)
    return np.asarray(np.linalg.solve(weighted.T @ columns + ridge, -(weighted.T @ rest)), np.float32)


def _structure(picture: Floats) -> Floats:
    """Luma without its slow changes: light falls off smoothly, and says nothing about where things are."""
    grey = cv2.GaussianBlur(picture @ LUMA, (0, 0), 1.2)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 6.0), np.float32)


def _box(words: str, corners: Sequence[int], scale: tuple[float, float]) -> Evidence:
    """A box in the candidate's pixels, from its corners in the small picture's."""
    return box_evidence(words, *(float(v) * by for v, by in zip(corners, scale * 2, strict=True)))


def _heat(change: Floats, limit: float, scale: tuple[float, float]) -> Evidence:
    """Where, and how strongly, as a picture."""
    levels = np.clip(change / (3 * limit) * 255, 0, 255).astype(np.uint8)
    done, png = cv2.imencode(".png", levels)
    data = {"png": base64.b64encode(png.tobytes()).decode() if done else ""}
    return Evidence("heat", "changed", ((0.0, 0.0), (SMALL * scale[0], SMALL * scale[1])), data)


CHECK = Check("scene_kept", "6", SceneSettings, {"threshold": 0.5}, judge)
