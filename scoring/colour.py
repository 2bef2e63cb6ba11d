"""Has each part the colour that it should have? Drift against the truth in CIEDE2000, light set aside."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from packline.colour import to_lab, to_linear, to_srgb
from packline.scorecard import CheckResult, Evidence, Verdict
from scoring.check import Bools, Check, CheckInput, CheckSettings
from scoring.colour_regions import DARK, Patches, facing, observed, patches_of, shrunk, truth_of
from scoring.colour_suspects import Suspect, suspects
from scoring.relight import Residual, load

Box = tuple[int, int, int, int]

# pixels around the product's box that are looked at
_PAD = 8
# a patch that is clipped or black beyond this share of it says nothing
_OPEN = 0.2
# pixels at work size by which a region is also looked at beside its place
_BESIDE = ((3, 0), (-3, 0), (0, 3), (0, -3))


class ColourSettings(CheckSettings):
    """``[checks.colour]``.

    Parameters
    ----------
    max_delta_e
        CIEDE2000 by which a colour may certainly be off, beside what light may explain; the score is 0.5
        there.
    """

    max_delta_e: float = Field(1.0, gt=0, le=20)


def judge(inputs: Sequence[CheckInput], settings: ColourSettings) -> list[CheckResult]:
    """Compare each candidate's colours with its reference's; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    return [_judge(one, settings) for one in inputs]


def _judge(one: CheckInput, settings: ColourSettings) -> CheckResult:
    rows, columns = one.crop(_PAD)
    box = (columns.start, rows.start, columns.stop, rows.stop)
    names = ("colour", "albedo", "normals", "parts", "mask")
    passes = {name: getattr(one.scene, name)[rows, columns] for name in names}
    frame = (one.candidate.shape[1], one.candidate.shape[0])
    truth = truth_of(passes, facing(one.scene.camera.pose), box, frame)
    patches = patches_of(truth, one.scene.colours)
    seen = shrunk(one.aligned[rows, columns], box)
    expected = one.style.at(truth.colour, truth.x, truth.y)
    measured = observed(patches, seen, expected)
    told = [k for k in range(len(patches.regions)) if (measured[2][patches.region == k] >= _OPEN).any()]
    if not told:
        words = "No part of the product is large and bright enough in this view to judge its colour."
        return CHECK.result(0.0, settings.threshold, words, verdict=Verdict.UNVERIFIABLE)

    def suspected(picture: NDArray[np.uint8]) -> list[Suspect]:
        again = measured if picture is seen else observed(patches, picture, expected)
        return suspects(patches, Residual.of(load(), patches, one.style, again), told)

    def certain_of(accused: Sequence[Suspect]) -> float:
        return max(suspect.certain for suspect in accused)

    found = suspected(seen)
    if np.exp2(-certain_of(found) / settings.max_delta_e) < settings.threshold:
        # a part that registration missed by some pixels shows its neighbour's colour: look beside it as well
        found = min([found, *(suspected(_moved(seen, *step)) for step in _BESIDE)], key=certain_of)
    certain = certain_of(found)
    worst = found[0]
    whole = next(suspect for suspect in found if len(suspect.regions) == len(told))
    score = float(np.exp2(-certain / settings.max_delta_e))
    pixels = sum(patches.regions[k].pixels for k in told)
    measures = {
        "delta_e": worst.delta_e,
        "certain_delta_e": certain,
        "whole_delta_e": whole.delta_e,
        "sigmas": worst.shift.sigmas,
        "hue_sigmas": worst.shift.hue_sigmas,
        "regions": len(told),
        "share": pixels / max(float((truth.mask > 127).sum()), 1.0),
    }
    if score >= settings.threshold:
        words = "Every colour of the product is as it should be in this light."
        return CHECK.result(score, settings.threshold, words, measures=measures)
    evidence = _evidence(one, worst, patches, seen, box)
    return CHECK.result(score, settings.threshold, _sentence(worst, evidence), (evidence,), measures=measures)


def _moved(picture: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = (picture.shape[1], picture.shape[0])
    moved = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _evidence(
    one: CheckInput, suspect: Suspect, patches: Patches, seen: NDArray[np.uint8], box: Box
) -> Evidence:
    """Where the colour is, what it shows, and what it would show in this very light if it were right."""
    chosen = [at for k, at in zip(patches.region, patches.members, strict=True) if k in suspect.regions]
    pixels = np.concatenate(chosen)
    shown = np.median(to_linear(seen.reshape(-1, 3)[pixels]), 0)
    expected = np.clip((shown + DARK) * np.exp(-suspect.shift.logs) - DARK, 0, 1)
    drawn = np.zeros(seen.shape[0] * seen.shape[1], bool)
    drawn[pixels] = True
    scale_x, scale_y = (box[2] - box[0]) / seen.shape[1], (box[3] - box[1]) / seen.shape[0]
    outline = _outline(drawn.reshape(seen.shape[:2]))
    points = one.in_candidate([(box[0] + x * scale_x, box[1] + y * scale_y) for x, y in outline])
    data = {
        "part": suspect.words.removeprefix("the "),
        "expected": [int(v) for v in to_srgb(expected)],
        "seen": [int(v) for v in to_srgb(shown)],
        "delta_e": round(suspect.delta_e, 1),
    }
    return Evidence("colour", f"{suspect.delta_e:.1f} ΔE off", points, data)


def _sentence(suspect: Suspect, evidence: Evidence) -> str:
    expected, shown = (np.asarray(evidence.data[key], np.uint8) for key in ("expected", "seen"))
    step = to_lab(to_linear(shown)) - to_lab(to_linear(expected))
    # what is largest of lightness, green to red and blue to yellow; lightness is seen less
    axis = int(np.argmax(np.abs(step) * (0.8, 1, 1)))
    way = (("dark", "light"), ("green", "red"), ("blue", "yellow"))[axis][int(step[axis] > 0)]
    codes = ["#" + "".join(f"{value:02X}" for value in colour) for colour in (expected, shown)]
    subject = suspect.words[0].upper() + suspect.words[1:]
    return (
        f"{subject} is {suspect.delta_e:.1f} ΔE too {way} in this light "
        f"(expected {codes[0]}, seen {codes[1]})."
    )


def _outline(where: Bools) -> list[tuple[float, float]]:
    """The polygon around the largest piece; pieces that lie close by are one."""
    joined = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 1.5, True)[:, 0]
    return [(float(x), float(y)) for x, y in largest]


CHECK = Check("colour", "1", ColourSettings, {"threshold": 0.5}, judge)
