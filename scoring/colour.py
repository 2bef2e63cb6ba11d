"""Has each part the colour that it should have? Drift against the truth in CIEDE2000, beside what light does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from packline.colour import ciede2000, from_lab, to_lab, to_linear, to_srgb
from packline.scorecard import CheckResult, Evidence, Verdict
from scoring.check import Bools, Check, CheckInput, CheckSettings
from scoring.colour_regions import DARK, Patches, Region, facing, observed, patches_of, shrunk, truth_of
from scoring.relight import Residual, Shift, load

Doubles = NDArray[np.float64]
Box = tuple[int, int, int, int]

# pixels around the product's box that are looked at
_PAD = 8
# standard deviations that are taken off a shift before it counts: what light might just explain
_SIGMAS = 3.0


class ColourSettings(CheckSettings):
    """``[checks.colour]``.

    Parameters
    ----------
    max_delta_e
        CIEDE2000 that a colour may certainly be off, beside what light explains; the score is 0.5 there.
    """

    max_delta_e: float = Field(0.5, gt=0, le=20)


@dataclass(frozen=True)
class Drift:
    """A colour that is astray, or the most suspicious one.

    Parameters
    ----------
    words
        What it is the colour of: "the cap", "the red of the label", "the whole product".
    regions
        Which of the patches' regions.
    delta_e
        The best estimate, CIEDE2000 of the base colour.
    certain
        What of it is left once the light has been given the benefit of the doubt.
    sigmas
        How many standard deviations from no shift.
    shift
        As measured.
    """

    words: str
    regions: tuple[int, ...]
    delta_e: float
    certain: float
    sigmas: float
    shift: Shift


def judge(inputs: Sequence[CheckInput], settings: ColourSettings) -> list[CheckResult]:
    """Compare each candidate's colours with its reference's; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    return [_judge(one, settings) for one in inputs]


def _judge(one: CheckInput, settings: ColourSettings) -> CheckResult:
    box = _box(one)
    cut = np.s_[box[1] : box[3], box[0] : box[2]]
    names = ("colour", "albedo", "normals", "parts", "mask")
    passes = {name: getattr(one.scene, name)[cut] for name in names}
    frame = (one.candidate.shape[1], one.candidate.shape[0])
    truth = truth_of(passes, facing(one.scene.camera.pose), box, frame)
    patches = patches_of(truth, one.scene.colours)
    seen = shrunk(one.aligned[cut], box)
    measured = observed(patches, seen, one.style.at(truth.colour, truth.x, truth.y))
    told = [k for k in range(len(patches.regions)) if (measured[2][patches.region == k] >= 0.2).any()]
    if not told:
        words = "No part of the product is large and bright enough in this view to judge its colour."
        return CHECK.result(0.0, settings.threshold, words, verdict=Verdict.UNVERIFIABLE)
    residual = Residual.of(load(), patches, one.style, measured)
    worst, *others = drifts(patches, residual, told)
    whole = next((drift for drift in (worst, *others) if len(drift.regions) == len(told)), worst)
    # the score halves with every `max_delta_e`, so that it ranks the good ones and the bad ones alike
    score = float(np.exp2(-worst.certain / settings.max_delta_e))
    measures = {
        "delta_e": worst.delta_e,
        "certain_delta_e": worst.certain,
        "sigmas": worst.sigmas,
        "whole_delta_e": whole.delta_e,
        "regions": len(told),
        "share": sum(patches.regions[k].pixels for k in told) / max(float((truth.mask > 127).sum()), 1.0),
    }
    if score >= settings.threshold:
        words = "Every colour of the product is as it should be in this light."
        return CHECK.result(score, settings.threshold, words, measures=measures)
    found = _evidence(one, worst, patches, seen, box)
    expected, shown = (("#" + "".join(f"{v:02X}" for v in found.data[key])) for key in ("expected", "seen"))
    sentence = (
        f"{worst.words[0].upper()}{worst.words[1:]} is {worst.delta_e:.1f} ΔE too "
        f"{_direction(found.data['expected'], found.data['seen'])} (expected {expected}, seen {shown})."
    )
    return CHECK.result(score, settings.threshold, sentence, (found,), measures=measures)


def drifts(patches: Patches, residual: Residual, told: Sequence[int]) -> list[Drift]:
    """Every colour, every part and the whole product as a suspect; the most certain drift first.

    Parameters
    ----------
    told
        The regions that something is known of.
    """
    suspects: dict[tuple[int, ...], str] = {}
    by_part: dict[int, list[int]] = {}
    for k in told:
        by_part.setdefault(patches.regions[k].index, []).append(k)
    for ks in by_part.values():
        part = f"the {_spoken(patches.regions[ks[0]].part)}"
        suspects[tuple(ks)] = part
        if len(ks) > 1:
            for k in ks:
                suspects[(k,)] = f"the {colour_word(patches.regions[k].lab)} of {part}"
    suspects[tuple(told)] = "the product" if len(told) == 1 else "the whole product"
    found = [_drift(words, ks, patches, residual) for ks, words in suspects.items()]
    return sorted(found, key=lambda one: (-one.certain, -one.sigmas))


def _drift(words: str, ks: tuple[int, ...], patches: Patches, residual: Residual) -> Drift:
    shift = residual.shift(np.isin(patches.region, ks))
    regions = [patches.regions[k] for k in ks]
    weights = np.array([float(region.pixels) for region in regions])
    lab = np.array([region.lab for region in regions])
    kept = max(0.0, 1 - _SIGMAS / max(shift.sigmas, 1e-9))
    full, certain = (
        float(_difference(lab, shift.logs * part) @ weights / weights.sum()) for part in (1.0, kept)
    )
    return Drift(words, ks, full, certain, shift.sigmas, shift)


def _difference(lab: Doubles, logs: Doubles) -> Doubles:
    """CIEDE2000 of base colours to themselves under factors."""
    moved = (np.clip(from_lab(lab), 0, 1) + DARK) * np.exp(np.clip(logs, -3, 3)) - DARK
    return ciede2000(lab, to_lab(np.clip(moved, 0, 1.5)))


def _box(one: CheckInput) -> Box:
    rows, columns = one.crop(_PAD)
    return columns.start, rows.start, columns.stop, rows.stop


def _evidence(one: CheckInput, drift: Drift, patches: Patches, seen: NDArray[np.uint8], box: Box) -> Evidence:
    chosen = [at for k, at in zip(patches.region, patches.members, strict=True) if k in drift.regions]
    pixels = np.concatenate(chosen)
    shown = np.median(to_linear(seen.reshape(-1, 3)[pixels]), 0)
    # what these pixels would show in this very light without the shift
    expected = np.clip((shown + DARK) * np.exp(-drift.shift.logs) - DARK, 0, 1)
    drawn = np.zeros(seen.shape[0] * seen.shape[1], np.uint8)
    drawn[pixels] = 1
    outline = _outline(drawn.reshape(seen.shape[:2]) > 0)
    scale = (box[2] - box[0]) / seen.shape[1]
    points = one.in_candidate([(box[0] + x * scale, box[1] + y * scale) for x, y in outline])
    data = {
        "part": drift.words.removeprefix("the "),
        "expected": [int(v) for v in to_srgb(expected)],
        "seen": [int(v) for v in to_srgb(shown)],
        "delta_e": round(drift.delta_e, 1),
    }
    return Evidence("colour", f"{drift.delta_e:.1f} ΔE off", points, data)


def _outline(where: Bools) -> list[tuple[float, float]]:
    """The polygon around the largest piece; pieces that lie close by are one."""
    joined = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 1.5, True)[:, 0]
    return [(float(x), float(y)) for x, y in largest]


def _spoken(part: str) -> str:
    """A part's name as a person says it: without numbers and underscores."""
    words = [word for word in part.replace("_", " ").replace("-", " ").split() if not word.isdigit()]
    return " ".join(words) or "product"


def _direction(expected: Sequence[int], seen: Sequence[int]) -> str:
    """Which way a colour went: what is largest of lightness, red to green and yellow to blue."""
    a, b = (to_lab(to_linear(np.asarray(rgb, np.uint8))) for rgb in (expected, seen))
    step = b - a
    axis = int(np.argmax(np.abs(step) * (0.8, 1, 1)))
    return (("dark", "light"), ("green", "red"), ("blue", "yellow"))[axis][int(step[axis] > 0)]


def colour_word(lab: tuple[float, float, float]) -> str:
    """What a person calls a colour.

    Parameters
    ----------
    lab
        CIELAB.
    """
    lightness, a, b = lab
    chroma, hue = float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)) % 360)
    if lightness < 18 and chroma < 12:
        return "black"
    if chroma < 8:
        return "white" if lightness > 88 else "grey"
    if chroma < 25 and 45 < hue < 110 and lightness > 65:
        return "beige"
    if 30 < hue < 85 and lightness < 48:
        return "brown"
    bounds = ((15, "pink"), (48, "red"), (72, "orange"), (105, "yellow"), (170, "green"), (220, "teal"))
    bounds = (*bounds, (292, "blue"), (335, "purple"), (361, "pink"))
    word = next(name for end, name in bounds if hue < end)
    return "red" if word == "pink" and (lightness < 45 or (chroma > 55 and hue < 15)) else word


CHECK = Check("colour", "1", ColourSettings, {"threshold": 0.5}, judge)
