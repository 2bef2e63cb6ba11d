"""Does the product have the 3D model's shape? Missing, added and melted parts, found by a defect map."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from packline.errors import FixSettings
from packline.scorecard import CheckResult, Evidence, Verdict
from scoring.check import Bools, Check, CheckInput, CheckSettings, box_evidence
from scoring.defect_map import CELL, SIDE, WEIGHTS, Looked, look
from scoring.part_names import named
from scoring.residual import LEAST_AREA, largest

FUSION = WEIGHTS.parent / "fusion.json"
# logits by which the verdict's score rises from 0.27 to 0.73: wide, so that the surest ones still rank
_WIDTH = 4.0
# probability from which a cell of the map is drawn as wrong
_WRONG = 0.5
# cells of the map that are one place although a gap lies between them
_CLOSE = 3
_MOST_BOXES = 4
# honest pictures are stretched by 0.027 at most, small ones by 0.059 (3 in 1000 more)
_STRETCH = 0.05
_STRETCH_WEIGHT = 40.0
# grey levels: what differs less is the base photo
_SAME = 14.0


class ShapeSettings(CheckSettings):
    """``[checks.shape]``.

    Parameters
    ----------
    min_extent
        Pixels of the product's longer side under which nothing can be said.
    """

    min_extent: int = Field(48, ge=16, le=512)


@dataclass(frozen=True)
class Place:
    """A place that looks wrong.

    Parameters
    ----------
    words
        "missing", "not in the 3D model" or "unlike the 3D model".
    box
        Left, top, right, bottom in the render's pixels.
    share
        Of the product that the place covers, 0 to 1.
    part
        Name of the part that it mostly covers; empty where nobody named it.
    part_share
        Of that part, 0 to 1.
    heat
        Mean probability there.
    """

    words: str
    box: tuple[float, float, float, float]
    share: float
    part: str
    part_share: float
    heat: float


def judge(inputs: Sequence[CheckInput], settings: ShapeSettings) -> list[CheckResult]:
    """Compare every candidate's product with its render; see `Check.judge`.

    Raises
    ------
    FixSettings
        Where the defect map's weights are missing.
    ValueError
        Where a candidate cannot be looked at, with why.
    """
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    able = [i for i, one in enumerate(inputs) if _extent(one) >= settings.min_extent]
    answers = dict(zip(able, look([inputs[i] for i in able]), strict=True))
    return [
        _judged(one, answers[i], settings) if i in answers else _too_small(one, settings)
        for i, one in enumerate(inputs)
    ]


def _extent(one: CheckInput) -> int:
    left, top, right, bottom = one.box
    return max(right - left, bottom - top)


def _too_small(one: CheckInput, settings: ShapeSettings) -> CheckResult:
    extent = _extent(one)
    sentence = (
        f"The product is {extent} px long here; its shape needs {settings.min_extent} px to be judged."
        if extent
        else "The 3D model's view shows no product here, so its shape cannot be judged."
    )
    measures = {"extent": extent, "enlarge": settings.min_extent / extent if extent else 0.0}
    return CHECK.result(0.0, settings.threshold, sentence, verdict=Verdict.UNVERIFIABLE, measures=measures)


def stretched(one: CheckInput) -> float:
    """By how much registration had to stretch the render one way more than the other, 0 for not at all."""
    left, top, right, bottom = one.box
    matrix = one.registration.matrix
    moved = matrix @ np.array([(left + right) / 2, (top + bottom) / 2, 1.0])
    x, y = moved[:2] / moved[2]
    # the homography's derivative in the middle of the product
    slope = (matrix[:2, :2] - np.outer((x, y), matrix[2, :2])) / moved[2]
    long, short = np.linalg.svd(slope, compute_uv=False)
    return float(long / max(short, 1e-6) - 1)


def shifted(one: CheckInput) -> float:
    """How far the middle of the product's box lies from where the render has it, pixels."""
    left, top, right, bottom = one.box
    x, y = (left + right) / 2, (top + bottom) / 2
    ((there_x, there_y),) = one.in_candidate([(x, y)])
    return float(np.hypot(there_x - x, there_y - y))


def cues(looked: Looked) -> NDArray[np.float64]:
    """What suspicion is made of, float64 (3,), in the order of `CUES`.

    The verdict alone is led astray by one hot cell; how much of the product is hot and hangs together ranks
    better beside it, and best how large a place light does not explain, which nobody had to learn.
    """
    hot = (looked.heat > 0).astype(np.uint8)
    hottest = cv2.connectedComponentsWithStats(hot)[2][1:, cv2.CC_STAT_AREA].max(initial=0)
    share = float(hottest) * CELL**2 / max(int((looked.cover > 0.5).sum()), LEAST_AREA)
    return np.array([looked.verdict, np.log(share + 0.002), largest(looked.excess, looked.cover)])


CUES = ("verdict", "largest hot place", "largest place that light does not explain")


def suspicion(looked: Looked) -> float:
    """How sure map, verdict and residual are together that something is wrong, as a logit."""
    weights, offset = fusion()
    return float(weights @ cues(looked) + offset)


@lru_cache(maxsize=1)
def fusion() -> tuple[NDArray[np.float64], float]:
    """Weights of `cues` and an offset, fitted by ``python -m training.shape_fusion``.

    Raises
    ------
    FixSettings
        Where the file is missing.
    """
    try:
        known = json.loads(FUSION.read_text())
    except FileNotFoundError as error:
        raise FixSettings(
            f"The shape check's weights {FUSION} are missing; restore assets/models/checks/shape."
        ) from error
    return np.array([known["weights"][name] for name in CUES]), float(known["offset"])


def _judged(one: CheckInput, looked: Looked, settings: ShapeSettings) -> CheckResult:
    stretch = stretched(one)
    logit = suspicion(looked)
    # registration mends other proportions before the network looks
    logit += _STRETCH_WEIGHT * max(stretch - _STRETCH, 0.0)
    score = 1 / (1 + np.exp(np.clip(logit / _WIDTH, -30, 30)))
    wrong = np.asarray(1 / (1 + np.exp(-looked.heat)), np.float32)
    found = places(one, looked)
    failed = score < settings.enough
    evidence = [_heat(one, looked, wrong)]
    evidence += [
        box_evidence(f"{place.part}: {place.words}" if place.part else place.words, *_moved(one, place.box))
        for place in found
    ]
    agreement = one.registration.agreement
    measures = {
        "verdict_logit": looked.verdict,
        "suspicion": logit,
        "stretch": stretch,
        "hottest": float(wrong.max()),
        "share": sum(place.share for place in found),
        "shift": shifted(one),
        **({} if agreement is None else {"agreement": agreement}),
    }
    sentence = _sentence(found, stretch) if failed else "The product has the 3D model's shape."
    return CHECK.result(float(score), settings.threshold, sentence, tuple(evidence), measures=measures)


def places(one: CheckInput, looked: Looked) -> list[Place]:
    """Where the map says that the product is wrong, the worst first.

    Parameters
    ----------
    looked
        The map of this candidate.
    """
    wrong = 1 / (1 + np.exp(-looked.heat))
    hot = (wrong > _WRONG).astype(np.uint8)
    joined = cv2.dilate(hot, np.ones((_CLOSE, _CLOSE), np.uint8))
    count, numbers = cv2.connectedComponents(joined)
    window = looked.window
    maps = _Maps.of(one, looked)
    found = []
    for number in range(1, count):
        cells = (numbers == number) & (hot > 0)
        where = cv2.resize(cells.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0
        x, y, w, h = cv2.boundingRect(where.astype(np.uint8))
        grow = window.side / SIDE
        box = tuple(
            float(start + grow * at)
            for start, at in zip((window.left, window.top) * 2, (x, y, x + w, y + h), strict=True)
        )
        part, part_share = maps.part(where)
        found.append(
            Place(
                maps.words(where),
                (box[0], box[1], box[2], box[3]),
                float((where & maps.inside).sum() / max(int(maps.inside.sum()), 1)),
                part,
                part_share,
                float(wrong[cells].mean()) * float(np.sqrt(cells.sum())),
            )
        )
    return sorted(found, key=lambda place: -place.heat)[:_MOST_BOXES]


@dataclass(frozen=True)
class _Maps:
    """What words and parts are told from, all in the network's square."""

    inside: Bools
    #: how far the candidate, the base photo and the render lie from one another, grey levels
    from_base: NDArray[np.float32]
    from_render: NDArray[np.float32]
    parts: NDArray[np.int64]
    names: dict[int, str]

    @staticmethod
    def of(one: CheckInput, looked: Looked) -> _Maps:
        window = looked.window
        seen, base, render = (
            cv2.GaussianBlur(p.astype(np.float32), (0, 0), 1.5)
            for p in (looked.candidate, looked.base, window.cut(one.scene.colour))
        )
        top, left = window.top, window.left
        index = (np.arange(SIDE) + 0.5) * window.side / SIDE
        height, width = one.scene.parts.shape
        rows = np.clip((index + top).astype(int), 0, height - 1)
        columns = np.clip((index + left).astype(int), 0, width - 1)
        return _Maps(
            window.cut(one.scene.mask) > 127,
            np.abs(seen - base).max(-1),
            np.abs(seen - render).max(-1),
            one.scene.parts[rows][:, columns].astype(np.int64),
            {colour.index: colour.part for colour in one.scene.colours if named(colour.part)},
        )

    def words(self, where: Bools) -> str:
        within = where & self.inside
        if within.sum() < 0.35 * where.sum():
            return "not in the 3D model"
        # the scene shows where the product should be, and the two do not look alike anyway
        bare = (self.from_base < _SAME) & (self.from_render > _SAME)
        return "missing" if bare[within].mean() > 0.5 else "unlike the 3D model"

    def part(self, where: Bools) -> tuple[str, float]:
        numbers = self.parts[where & self.inside]
        numbers = numbers[numbers > 0]
        if not len(numbers):
            return "", 0.0
        counts = np.bincount(numbers)
        most = int(counts.argmax())
        if counts[most] < 0.6 * len(numbers):
            return "", 0.0
        whole = int((self.parts == most).sum())
        return self.names.get(most, ""), float(counts[most] / max(whole, 1))


def _moved(one: CheckInput, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The box around a box of the render, in the candidate."""
    left, top, right, bottom = box
    corners = np.array(one.in_candidate([(left, top), (right, top), (right, bottom), (left, bottom)]))
    height, width = one.scene.mask.shape
    low, high = np.clip(corners.min(0), 0, (width, height)), np.clip(corners.max(0), 0, (width, height))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _heat(one: CheckInput, looked: Looked, wrong: NDArray[np.float32]) -> Evidence:
    window = looked.window
    side = window.side
    corners = [(window.left, window.top), (window.left + side, window.top + side)]
    png = cv2.imencode(".png", np.round(wrong * 255).astype(np.uint8))[1]
    data = {"png": base64.b64encode(png.tobytes()).decode()}
    return Evidence("heat", "how unlike the 3D model", tuple(one.in_candidate(corners)), data)


def _sentence(found: Sequence[Place], stretch: float) -> str:
    if not found and stretch > _STRETCH:
        return (
            f"The product has other proportions than the 3D model: it is stretched by {100 * stretch:.0f} %."
        )
    if not found:
        return "The product does not quite look like the 3D model, nowhere in particular: see the heat map."
    share = sum(place.share for place in found)
    if share > 0.4:
        return "The product does not have the 3D model's shape: it is melted, or another one."
    worst = found[0]
    more = f" Another {len(found) - 1} places look wrong too." if len(found) > 2 else ""
    if len(found) == 2:
        more = " Another place looks wrong too."
    return _of_place(worst) + more


def _of_place(place: Place) -> str:
    percent = f"{max(100 * place.share, 1):.0f} % of the product"
    if place.words == "not in the 3D model":
        return "Something sticks out that the 3D model does not have: see the box."
    if place.words == "missing":
        if not place.part:
            return f"{percent} is missing: see the box."
        return (
            f"The {place.part} is missing."
            if place.part_share > 0.6
            else (f"A piece of the {place.part} is missing: see the box.")
        )
    if not place.part:
        return f"{percent} does not look like the 3D model: see the box."
    if place.part_share > 0.6:
        return f"The {place.part} does not look like the 3D model's."
    return f"{percent}, at the {place.part}, does not look like the 3D model: see the box."


# 0.5 is where the fusion rejects 1 % of the honest pictures that it was fitted on
CHECK = Check("shape", "7", ShapeSettings, {"threshold": 0.5}, judge)
