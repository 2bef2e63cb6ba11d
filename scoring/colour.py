"""Has each part the colour that it should have? Drift against the truth in CIEDE2000, light set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from packline.colour import to_lab, to_linear, to_srgb
from packline.scorecard import CheckResult, Evidence, Verdict
from packline.truth import PartColours
from scoring.check import Bools, Check, CheckInput, CheckSettings, Floats
from scoring.colour_regions import DARK, OPEN, Patches, Truth, facing, observed, patches_of, shrunk, truth_of
from scoring.colour_suspects import Accusation, Suspect, accused, spoken
from scoring.relight import Residual, belief, load, steadied
from scoring.style import Style

Box = tuple[int, int, int, int]
Measured = tuple[Floats, Floats, Floats]

# pixels around the product's box that are looked at
_PAD = 8
# share of the product from which a part that cannot be judged is named, and beyond which none is vouched for
_NAMED, _UNSEEN = 0.03, 0.4
# pixels at work size by which a region is also looked at beside its place
_BESIDE = ((3, 0), (-3, 0), (0, 3), (0, -3))
# how uneven patches may be there, against where they should lie, for that to be believed
_FITS = 1.1


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


@dataclass(frozen=True)
class Look:
    """A candidate's product beside what it should show in this picture, at work size.

    Parameters
    ----------
    box
        Left, top, right, bottom of the cut, pixels of the picture.
    seen
        The candidate, aligned, sRGB uint8 (h, w, 3).
    expected
        The render under the picture's style, sRGB values 0 to 255, float32 (h, w, 3).
    measured
        What `scoring.colour_regions.observed` says of the two.
    """

    truth: Truth
    patches: Patches
    box: Box
    seen: NDArray[np.uint8]
    style: Style
    expected: Floats
    measured: Measured


def look_at(one: CheckInput) -> Look:
    """Cut and measure a candidate as the check does; the lessons of `training.colour_null` do as well."""
    rows, columns = one.crop(_PAD)
    box = (columns.start, rows.start, columns.stop, rows.stop)
    names = ("albedo", "normals", "parts")
    passes = {name: getattr(one.scene, name)[rows, columns] for name in names}
    passes["colour"], passes["mask"] = (shown[rows, columns] for shown in one.shown)
    frame = (one.candidate.shape[1], one.candidate.shape[0])
    truth = truth_of(passes, facing(one.scene.camera.pose), box, frame)
    patches = patches_of(truth, one.scene.colours)
    seen = shrunk(one.aligned[rows, columns], box)
    style = steadied(one.style)
    expected = style.at(truth.colour, truth.x, truth.y)
    return Look(truth, patches, box, seen, style, expected, observed(patches, seen, expected))


def _judge(one: CheckInput, settings: ColourSettings) -> CheckResult:
    look = look_at(one)
    truth, patches, style, measured = look.truth, look.patches, look.style, look.measured
    told = [k for k in range(len(patches.regions)) if (measured[2][patches.region == k] >= OPEN).any()]
    if not told:
        words = "No part of the product is large and bright enough in this view to judge its colour."
        return CHECK.result(0.0, settings.threshold, words, verdict=Verdict.UNVERIFIABLE)
    unseen = _unseen(truth, one.scene.colours, {patches.regions[k].index for k in told})

    def residuals(found: Measured) -> list[Residual]:
        return [Residual.of(model, patches, style, found) for model in load()]

    here = residuals(measured)
    believed = belief(here)

    def suspected(found: Measured) -> Accusation:
        return accused(patches, residuals(found), told, believed)

    accusation = accused(patches, here, told, believed)
    if np.exp2(-accusation.certain / settings.max_delta_e) < settings.threshold:
        # a part that registration missed by some pixels shows its neighbour's colour: look beside it as well,
        # but only where the picture fits about as well: a look at edges lets every accused go free
        beside = (observed(patches, _moved(look.seen, *step), look.expected) for step in _BESIDE)
        fitting = [other for other in beside if _unevenness(other) < _FITS * _unevenness(measured)]
        accusation = min([accusation, *map(suspected, fitting)], key=lambda one: one.certain)
    found, certain = accusation.suspects, accusation.certain
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
        "another_renderer": float(believed[1]),
        "regions": len(told),
        "unseen": sum(unseen.values()),
        "share": pixels / max(float((truth.mask > 127).sum()), 1.0),
    }
    if score >= settings.enough:
        words = "Every colour of the product is as it should be in this light."
        named = {part: share for part, share in unseen.items() if share >= _NAMED}
        if not named:
            return CHECK.result(score, settings.threshold, words, measures=measures)
        verdict = Verdict.UNVERIFIABLE if measures["unseen"] > _UNSEEN else None
        words = _in_part(named, measures["unseen"])
        return CHECK.result(score, settings.threshold, words, verdict=verdict, measures=measures)
    evidence = _evidence(one, worst, patches, look.seen, look.box)
    return CHECK.result(score, settings.threshold, _sentence(worst, evidence), (evidence,), measures=measures)


def _unseen(truth: Truth, colours: Sequence[PartColours], judged: set[int]) -> dict[str, float]:
    """The parts in view whose colour was not judged, with their share of the product's pixels."""
    inside = truth.parts[truth.mask > 127]
    shares = {part: float((inside == part.index).mean()) for part in colours if part.index not in judged}
    out: dict[str, float] = {}
    for part, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        out[spoken(part.part)] = out.get(spoken(part.part), 0.0) + share
    return out


def _in_part(unseen: dict[str, float], share: float) -> str:
    """What a pass, or a doubt, says of the parts that were not judged."""
    names = ["a part without a name" if part.startswith("a part") else part for part in unseen]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return (
        f"What can be judged has the right colour in this light, but {100 * share:.0f} % of the product is "
        f"too small, too thin, too bright or too dark to judge: {listed}."
    )


def _unevenness(measured: Measured) -> float:
    """How far pixels of one patch differ among themselves: more where a part lies not where it should."""
    return float(np.sqrt(np.square(measured[1]).mean()))


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
        f"{subject} is {_how_much(suspect.delta_e)} too {way} for this light "
        f"(dE {suspect.delta_e:.1f}; expected {codes[0]}, seen {codes[1]})."
    )


def _how_much(delta_e: float) -> str:
    """What a person makes of a CIEDE2000: side by side 3 is slight, 10 is another colour."""
    return "slightly" if delta_e < 4 else "clearly" if delta_e < 10 else "far"


def _outline(where: Bools) -> list[tuple[float, float]]:
    """The polygon around the largest piece; pieces that lie close by are one."""
    joined = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 1.5, True)[:, 0]
    return [(float(x), float(y)) for x, y in largest]


CHECK = Check("colour", "5", ColourSettings, {"threshold": 0.5}, judge)
