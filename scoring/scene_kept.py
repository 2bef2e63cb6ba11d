"""Is the scene still the scene? Outside the product and its shadow nothing should have changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from pydantic import Field

from packline.scorecard import CheckResult, Evidence
from scoring.check import Bools, Check, CheckInput, CheckSettings, box_evidence, ramp
from scoring.style import SMALL, small


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
    outside = one.surroundings
    if outside.sum() < 0.02 * outside.size:
        return CHECK.result(
            1.0, settings.threshold, "The product fills the picture; there is no scene to compare."
        )
    candidate = small(one.candidate)
    expected = one.style.apply(small(one.base))
    change = np.abs(candidate - expected).max(-1)
    # thin outlines move by less than a pixel when a picture is encoded again; a change has some body
    change = cv2.medianBlur(change, 3)
    changed = (change > settings.max_change) & outside
    share = float(changed.sum() / outside.sum())
    score = min(1.0, 0.5 * settings.max_share / max(share, 1e-9)) if share > settings.max_share else 1.0
    if share <= settings.max_share:
        score = 1.0 - 0.5 * share / settings.max_share
    light = ramp(one.style.strength, 0.9, 0.45)
    if light < settings.threshold and light < score:
        words = "The whole scene has changed its light or colours far beyond a style."
        return CHECK.result(light, settings.threshold, words)
    if score >= settings.threshold:
        return CHECK.result(
            score, settings.threshold, "The scene around the product is as in the base photo."
        )
    sentence = f"{share:.1%} of the scene around the product has changed; nothing there should."
    return CHECK.result(score, settings.threshold, sentence, _boxes(changed, one.grey.shape[0] / SMALL))


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
