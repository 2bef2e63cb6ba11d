"""Is the scene still the scene? Outside the product and its shadow nothing should have changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from packline.scorecard import CheckResult, Evidence
from scoring.check import Bools, Check, CheckInput, CheckSettings, Floats, box_evidence, ramp

# pictures are compared at this size: grain and resampling drop out, things stay
SMALL = 256


class SceneSettings(CheckSettings):
    """``[checks.scene_kept]``.

    Parameters
    ----------
    max_change
        Grey levels (the largest over the channels, after the smooth light transfer) from which a place counts
        as changed.
    max_share
        Share of the scene outside product and shadow that may have changed; the score is 0.5 there.
    """

    max_change: float = Field(14.0, ge=3)
    max_share: float = Field(0.015, gt=0, lt=1)


def judge(inputs: Sequence[CheckInput], settings: SceneSettings) -> list[CheckResult]:
    """Compare each candidate's surroundings with the base photo; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    return [_judge(one, settings) for one in inputs]


def _judge(one: CheckInput, settings: SceneSettings) -> CheckResult:
    outside = surroundings(one)
    if outside.sum() < 0.02 * outside.size:
        return CHECK.result(
            1.0, settings.threshold, "The product fills the picture; there is no scene to compare."
        )
    candidate = small(one.candidate)
    base = small(one.base)
    expected, strength = relit(base, candidate, outside)
    change = np.abs(candidate - expected).max(-1)
    # thin outlines move by less than a pixel when a picture is encoded again; a change has some body
    change = cv2.medianBlur(change, 3)
    changed = (change > settings.max_change) & outside
    share = float(changed.sum() / outside.sum())
    score = min(1.0, 0.5 * settings.max_share / max(share, 1e-9)) if share > settings.max_share else 1.0
    if share <= settings.max_share:
        score = 1.0 - 0.5 * share / settings.max_share
    light = ramp(strength, 0.9, 0.45)
    if light < settings.threshold and light < score:
        words = "The whole scene has changed its light or colours far beyond a style."
        return CHECK.result(light, settings.threshold, words)
    if score >= settings.threshold:
        return CHECK.result(
            score, settings.threshold, "The scene around the product is as in the base photo."
        )
    sentence = f"{share:.1%} of the scene around the product has changed; nothing there should."
    return CHECK.result(score, settings.threshold, sentence, _boxes(changed, one.grey.shape[0] / SMALL))


def surroundings(one: CheckInput) -> Bools:
    """What must not change, bool (256, 256): neither product, nor its shadow, nor what lies close by."""
    mask = cv2.resize(one.scene.mask, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    shadow = cv2.resize(one.scene.shadow, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    touched = np.maximum((mask > 2).astype(np.uint8), (shadow < 247).astype(np.uint8))
    grown = cv2.dilate(touched, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17)))
    return np.asarray(grown == 0)


def relit(base: Floats, candidate: Floats, where: Bools) -> tuple[Floats, float]:
    """The base photo under the candidate's light: a smooth gain and a tint for each channel, fitted robustly.

    A style (warmer, darker towards the corners) is a gain that varies slowly over the picture, and an offset.
    It is fitted by least squares with Tukey's weights, so that things that appeared do not bend it.

    Parameters
    ----------
    base, candidate
        float32 (256, 256, 3), sRGB values 0 to 255.

    Returns
    -------
    relit
        float32 (256, 256, 3).
    strength
        How strong the transfer is: the largest relative change of a mid-grey, or of the contrast around it,
        in any channel.
    """
    y, x = np.mgrid[-1 : 1 : SMALL * 1j, -1 : 1 : SMALL * 1j].astype(np.float32)
    shapes = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1)
    out = np.empty_like(base)
    strength = 0.0
    picked = np.flatnonzero(where.ravel())[::5]
    for channel in range(3):
        level = base[..., channel : channel + 1] / 128
        columns = np.concatenate([shapes * level, shapes[..., :1], level * level], -1)
        rows = columns.reshape(-1, columns.shape[-1])[picked]
        wanted = candidate[..., channel].ravel()[picked]
        # start from no change at all, so that a large new thing is an outlier from the first step
        weights = _tukey(wanted - base[..., channel].ravel()[picked])
        solution = np.zeros(columns.shape[-1], np.float32)
        for _ in range(4):
            weighted = rows * weights[:, None]
            ridge = 1e-3 * len(picked) * np.eye(rows.shape[1], dtype=np.float32)
            identity = np.zeros(rows.shape[1], np.float32)
            identity[0] = 128.0
            solution = np.linalg.solve(weighted.T @ rows + ridge, weighted.T @ wanted + ridge @ identity)
            weights = _tukey(wanted - rows @ solution)
        out[..., channel] = columns @ solution
        middle = shapes @ solution[:6] + solution[6] + solution[7]
        contrast = (solution[0] + 2 * solution[7]) / 128
        strength = max(strength, float(np.abs(middle / 128 - 1).max()), abs(float(contrast) - 1))
    return np.clip(out, 0, 255), strength


def _tukey(residual: NDArray[Any]) -> NDArray[np.float32]:
    scale = max(2.0, 1.4826 * float(np.median(np.abs(residual - np.median(residual)))))
    share = np.clip(1 - np.square((residual - np.median(residual)) / (4.7 * scale)), 0, None)
    return np.asarray(share * share, np.float32)


def small(picture: NDArray[np.uint8]) -> Floats:
    """At the size that pictures are compared at, float32 (256, 256, 3)."""
    return cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)


def _boxes(changed: Bools, scale: float) -> tuple[Evidence, ...]:
    """The three largest changed places, in the candidate's pixels."""
    joined = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    largest = sorted(stats[1:], key=lambda row: -row[cv2.CC_STAT_AREA])[:3]
    return tuple(
        box_evidence("changed", *(float(v) * scale for v in (x, y, x + w, y + h)))
        for x, y, w, h, _ in largest
    )


CHECK = Check("scene_kept", "1", SceneSettings, {"threshold": 0.5}, judge)
