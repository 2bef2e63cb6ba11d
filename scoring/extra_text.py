"""Is there text that should not be there, on the product or beside it?

A detector looks for lines of letters: on the product at the render's own scale, on the whole picture smaller.
What the truth annotates is `text_orientation`'s. Where the render or the base photo has something like text
itself, the candidate's is compared with it: another line in its place is text that should not be there. Of
that, and of all lines where nothing of the kind should be, each counts by how sure the detector is, how far
the place differs from what should be there, how plainly its strokes stand out, and how well it reads,
whichever way up or mirrored: letters that are none count too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from pydantic import Field

from packline.reference import Picture
from packline.scorecard import CheckResult, Evidence
from scoring.check import Bools, Check, CheckInput, CheckSettings, Floats
from scoring.recogniser import recogniser
from scoring.text_detector import remembered_map, text_detector
from scoring.verifier import verifier

# what the detector must say of a pixel for it to belong to a line; a place where it says this much less of
# the truth is one where the truth has something like text too
LINE, TRUTH = 0.25, 0.12
# pixels at the detector's size: how far what is there may have moved, how far a label's own line may reach
# beyond its outline, and the least side of a line
STRAY, NEAR, LEAST = 7, 3, 4
# the same that a label may reach in its own heights: a line right under it begins further away
BEYOND = 0.15
# where there are no letters at all the detector may take a whole plain product for one: what is higher than
# this share of the window's shorter side is no line where it does so in the render too
HIGHEST = 0.28
# of a place that the detector takes for text in both pictures, the share from which it does "so too"
TOO = 0.3
# the detector's lines are shrunk; its boxes are grown by this share of their area over their outline
GROWN = 1.6
# at most so many lines are read
MOST = 6
HEIGHT = 48
# grey levels by which letters in the scene leave the base photo, and the share of their box that does
STANDS_OUT, CHANGED = 10.0, 0.02
PAD = 0.04  # of the product's box, around it
# pixels outside the outline up to which text counts as on the product
OVER = 6
ON_PRODUCT, IN_SCENE = "on the product", "in the scene"
# a line that reads this well one way round is not tried mirrored, nor one that matters as little as that
READ_WELL, MATTERS = 0.6, 0.3
# grey levels of deviation at which strokes stand out as plainly as need be
PLAIN_STROKES = 40.0
# log odds that a line should not be there: by detector, difference, reading and strokes, each 0 to 1. Fitted
# by `python -m training.extra_text` on made-up lines on calibration products; the offset puts them so that a
# certainty of 0.25, where the default threshold lies, is over all that honest pictures reach
OFFSET, FOUND, NOVEL, READ, STROKES = -6.1, 3.1, 1.4, 2.5, 2.0


class ExtraTextSettings(CheckSettings):
    """``[checks.extra_text]``.

    Parameters
    ----------
    product_side, scene_side
        Pixels of the longer side that the detector sees of the product, and of the whole picture: more finds
        smaller letters and costs as their square.
    """

    product_side: int = Field(448, ge=128, le=2048)
    scene_side: int = Field(512, ge=128, le=2048)


@dataclass(frozen=True)
class Line:
    """A line of letters that should not be there.

    Parameters
    ----------
    corners
        In the candidate's pixels.
    found
        How sure the detector is, 0 to 1.
    novel
        How much the place differs from what should be there, 0 to 1.
    text, read
        What the recogniser makes of it, and how well that can be read (`readable`), 0 to 1.
    strokes
        How plainly it stands out from its ground, 0 to 1.
    place
        "on the product" or "in the scene".
    """

    corners: tuple[tuple[float, float], ...]
    found: float
    novel: float
    text: str
    read: float
    strokes: float
    place: str

    @property
    def certainty(self) -> float:
        """That it is text which should not be there, 0 to 1."""
        known = FOUND * self.found + NOVEL * self.novel + READ * self.read + STROKES * self.strokes
        return float(1 / (1 + np.exp(-(OFFSET + known))))


@dataclass(frozen=True)
class _Window:
    """A part of a picture, beside what should be there.

    Parameters
    ----------
    seen
        RGB, uint8 (H, W, 3).
    allowed, judged
        Where a label's own text may be (None: nowhere), and where the part is judged at all, bool (H, W).
    corner
        Where the part lies in the picture, x and y.
    place
        "on the product" or "in the scene".
    side
        Pixels of its longer side that the detector sees.
    draw
        Makes `expected`.
    """

    seen: Picture
    allowed: Bools | None
    judged: Bools
    corner: tuple[int, int]
    place: str
    side: int
    draw: Callable[[], Picture]

    @cached_property
    def expected(self) -> Picture:
        """What should be there, RGB uint8 (H, W, 3); most windows are never asked for it."""
        return self.draw()


@dataclass(frozen=True)
class _Spot:
    """A line before it is read: a turned box in its window's pixels."""

    window: _Window
    box: cv2.typing.RotatedRect
    found: float
    novel: float
    strokes: float


def judge(inputs: Sequence[CheckInput], settings: ExtraTextSettings) -> list[CheckResult]:
    """Look for text in all candidates; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    return [_conclude(lines_of(one, settings), settings) for one in inputs]


def lines_of(one: CheckInput, settings: ExtraTextSettings) -> list[Line]:
    """All lines that should not be there, the surest first."""
    windows = [_scene_window(one, settings.scene_side)]
    if one.inside.any():
        windows.append(_product_window(one, settings.product_side))
    spots = [spot for window in windows for spot in _spots(window) if _may_be_new(one, spot)]
    spots = sorted(spots, key=lambda spot: -spot.found * spot.novel)[:MOST]
    lines = [_read(one, spot, reading) for spot, reading in zip(spots, _readings(spots), strict=True)]
    return sorted(lines, key=lambda line: -line.certainty)


def _may_be_new(one: CheckInput, spot: _Spot) -> bool:
    """Whether anything changed where a line seems to stand in the scene: a row of things there may look like
    letters once the product stands among them."""
    if spot.window.place != IN_SCENE:
        return True
    share = one.ground.changed(cv2.boxPoints(spot.box), one.scene.mask.shape, STANDS_OUT)
    return share is None or share >= CHANGED


def _product_window(one: CheckInput, side: int) -> _Window:
    """The product's box of the aligned candidate, beside the render before the base photo."""
    left, top, right, bottom = one.box
    at = one.crop(round(PAD * max(right - left, bottom - top)) + 4)

    def expected() -> Picture:
        colour, mask = (shown[at] for shown in one.shown)
        cover = mask[..., None].astype(np.float32) / 255
        return np.asarray(colour * cover + one.base[at] * (1 - cover), np.uint8)

    allowed = np.zeros(one.scene.mask.shape, np.uint8)
    for label in one.scene.labels:
        outline = np.round(np.asarray(label.outline)).astype(np.int32)
        cv2.fillPoly(allowed, [outline], 1)
        # a line of letters reaches a little over its quad
        cv2.polylines(allowed, [outline], True, 1, max(3, round(2 * BEYOND * label.height)))
    return _Window(
        one.aligned[at],
        allowed[at] > 0,
        one.distance[at] < OVER,
        (at[1].start, at[0].start),
        ON_PRODUCT,
        side,
        expected,
    )


def _scene_window(one: CheckInput, side: int) -> _Window:
    """The whole candidate beside the base photo; the product and what is close to it is not judged."""
    return _Window(one.candidate, None, one.distance >= OVER, (0, 0), IN_SCENE, side, lambda: one.base)


def _spots(window: _Window) -> list[_Spot]:
    """Where the detector finds lines that the truth has not, or that say something else than the truth's."""
    text = text_detector().maps([window.seen], window.side)[0]
    size = (text.shape[1], text.shape[0])
    judged = _shrunk(window.judged, size)
    elsewhere = np.ones(text.shape, bool)
    if window.allowed is not None:
        elsewhere = ~_grown(_shrunk(window.allowed, size), NEAR)
    # where nothing is found that could count, what the detector says of the truth does not matter
    if not ((text > LINE) & elsewhere & judged).any():
        return []
    expected = remembered_map(window.expected, window.side)
    truth = _grown(_lines(expected, TRUTH), STRAY)
    # the base photo has no product, which in the candidate may look like a letter or hide a part of a line:
    # what changed there is scene_kept's
    beside = window.place == IN_SCENE
    here = _lines(text, LINE, None if beside else expected) & elsewhere
    spots = []
    for both in (False,) if beside else (False, True):
        for part, (x, y) in _parts(here & (truth == both)):
            at = np.s_[y : y + part.shape[0], x : x + part.shape[1]]
            if (judged[at] & part).sum() >= 0.5 * part.sum():
                found = _spot(window, text, part, (x, y))
                # where both have something like a line it may still be another one
                spots += [other for spot in found for other in _another(spot)] if both else found
    return spots


def _parts(marks: Bools) -> Iterator[tuple[Bools, tuple[int, int]]]:
    """Each connected part of a mask, cut out, and the x and y of its corner."""
    count, labelled, stats, _ = cv2.connectedComponentsWithStats(marks.astype(np.uint8))
    for k in range(1, count):
        x, y, w, h, _ = (int(n) for n in stats[k])
        yield np.asarray(labelled[y : y + h, x : x + w] == k), (x, y)


def _spot(window: _Window, text: Floats, part: Bools, corner: tuple[int, int]) -> list[_Spot]:
    """One part of the detector's map as a turned box in the window; none where it is too small for a line."""
    scale = np.array([window.seen.shape[1] / text.shape[1], window.seen.shape[0] / text.shape[0]])
    points = np.argwhere(part)[:, ::-1].astype(np.float32) + np.array(corner) + 0.5
    box = cv2.minAreaRect((points * scale).astype(np.float32))
    if min(box[1]) < LEAST * scale.mean():
        return []
    across, down = box[1]
    grown = GROWN * across * down / max(1.0, 2 * (across + down))
    box = (box[0], (across + 2 * grown, down + 2 * grown), box[2])
    x, y = corner
    found = float(text[y : y + part.shape[0], x : x + part.shape[1]][part].mean())
    return [_Spot(window, box, found, *_novelty(window, box))]


def _another(spot: _Spot) -> list[_Spot]:
    """The spot where it shows another line than the truth, not the same in another light; else none."""
    if spot.found * spot.novel < MATTERS:
        return []
    seen, expected = (_strip(picture, spot.box) for picture in (spot.window.seen, spot.window.expected))
    differs = 1 / (1 + np.exp(float(verifier().alike([expected], [seen])[0])))
    return [replace(spot, novel=min(spot.novel, differs))]


def _lines(text: Floats, least: float, other: Floats | None = None) -> Bools:
    """Where the detector sees lines of letters, without what is too high to be one.

    Parameters
    ----------
    other
        What it says of the render: only what is too high there as well is left out.
    """
    _, labelled, stats, _ = cv2.connectedComponentsWithStats((text > least).astype(np.uint8))
    fit = np.ones(len(stats), bool)
    fit[0] = False
    # only what is high and wide in the picture may be too high along its own shorter side
    for k in np.flatnonzero(stats[:, 2:4].min(1) > HIGHEST * min(text.shape)):
        if k == 0 or (other is not None and (other[labelled == k] > TRUTH).mean() < TOO):
            continue
        points = np.argwhere(labelled == k)[:, ::-1].astype(np.float32)
        fit[k] = min(cv2.minAreaRect(points)[1]) <= HIGHEST * min(text.shape)
    return np.asarray(fit[labelled])


def _grown(mask: Bools, by: int) -> Bools:
    """A mask wider by some pixels on every side."""
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0)


def _shrunk(mask: Bools, size: tuple[int, int]) -> Bools:
    return np.asarray(cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_AREA) > 0)


def _novelty(window: _Window, box: cv2.typing.RotatedRect) -> tuple[float, float]:
    """1 where what is seen has nothing of what is expected, 0 where it is the same but for light; and how
    plainly what is seen stands out from its ground, 0 to 1."""
    seen, expected = (_strokes(_strip(picture, box)) for picture in (window.seen, window.expected))
    edge = max(1, round(0.1 * HEIGHT))
    inner = seen[edge:-edge, edge:-edge]
    strokes = min(1.0, float(inner.std()) / PLAIN_STROKES)
    # next to the letters what little grain a plain surface has is nothing to compare with
    if expected.std() < 0.25 * inner.std():
        return 1.0, strokes
    likeness = cv2.matchTemplate(expected, inner, cv2.TM_CCOEFF_NORMED)
    return float(np.clip(1 - likeness.max(), 0, 1)), strokes


def _strokes(strip: Picture) -> Floats:
    """What differs from its surroundings: shading and the ground's colour taken away, float32 (H, W)."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey - cv2.GaussianBlur(grey, (0, 0), 0.25 * HEIGHT)


def _strip(picture: Picture, box: cv2.typing.RotatedRect) -> Picture:
    """A turned box's content along its longer side, `HEIGHT` px high, RGB uint8."""
    corners = cv2.boxPoints(box)
    long = np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1])
    corners = corners if long else np.roll(corners, -1, 0)
    # boxPoints turns clockwise from one corner: 1 to 2 is the longer side now
    across, down = (float(np.linalg.norm(corners[i] - corners[1])) for i in (2, 0))
    width = int(np.clip(round(HEIGHT * across / max(1.0, down)), 16, 480))
    target = np.array([[0, HEIGHT], [0, 0], [width, 0]], np.float32)
    matrix = cv2.getAffineTransform(corners[:3].astype(np.float32), target)
    cut = cv2.warpAffine(
        picture, matrix, (width, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cut, np.uint8)


_Reading = tuple[str, float, float]


def _readings(spots: Sequence[_Spot]) -> list[_Reading]:
    """What each spot says the way up that reads best, how well it reads, and how well what is expected there.

    All strips go through the recogniser in one batch; those that matter and read badly once more, mirrored.
    """
    best: list[_Reading] = [("", 0.0, 0.0)] * len(spots)
    _read_ways(spots, list(range(len(spots))), best, mirrored=False)
    again = [
        i for i, spot in enumerate(spots) if best[i][1] < READ_WELL and spot.found * spot.novel > MATTERS
    ]
    _read_ways(spots, again, best, mirrored=True)
    return best


def _read_ways(spots: Sequence[_Spot], which: Sequence[int], best: list[_Reading], mirrored: bool) -> None:
    """Read some spots every way up, and keep in `best` what reads better than what is there."""
    ways: list[tuple[int, Picture, Picture]] = []
    for i in which:
        window = spots[i].window
        pair = [_strip(picture, spots[i].box) for picture in (window.seen, window.expected)]
        pair = [strip[:, ::-1] for strip in pair] if mirrored else pair
        for turn in (0, 2) if pair[0].shape[1] > 1.5 * HEIGHT else (0, 1, 2, 3):
            seen, expected = (np.ascontiguousarray(np.rot90(strip, turn)) for strip in pair)
            ways.append((i, seen, expected))
    strips = [seen for _, seen, _ in ways] + [expected for _, _, expected in ways]
    read = recogniser().read(strips, [""] * len(strips))
    for (i, _, _), seen_says, truth_says in zip(ways, read[: len(ways)], read[len(ways) :], strict=True):
        sure = readable(seen_says.text, seen_says.confidence)
        of_truth = max(best[i][2], readable(truth_says.text, truth_says.confidence))
        kept = (seen_says.text, sure) if sure > best[i][1] or not best[i][0] else best[i][:2]
        best[i] = (*kept, of_truth)


def readable(text: str, confidence: float) -> float:
    """How much a reading is one, 0 to 1: two letters at least, and three to be sure."""
    letters = sum(character.isalnum() for character in text)
    return confidence * min(1.0, letters / 3) if letters >= 2 else 0.0


def _read(one: CheckInput, spot: _Spot, reading: tuple[str, float, float]) -> Line:
    text, sure, of_truth = reading
    corners = cv2.boxPoints(spot.box) + np.array(spot.window.corner)
    points = [(float(x), float(y)) for x, y in corners]
    on_product = spot.window.place == ON_PRODUCT
    at = one.in_candidate(points) if on_product else tuple(points)
    # letters that can be read now and could not before are new, whatever else is there
    novel = max(spot.novel, sure - of_truth)
    return Line(at, spot.found, novel, text, sure, spot.strokes, spot.window.place)


def _conclude(lines: Sequence[Line], settings: ExtraTextSettings) -> CheckResult:
    worst = max((line.certainty for line in lines), default=0.0)
    shown = [line for line in lines if 1 - line.certainty < settings.enough]
    # house rules may forbid words of which this check is not sure enough
    evidence = tuple(
        Evidence("polygon", f"'{line.text}' {line.place}", line.corners, {"read": line.text})
        for line in lines
        if line in shown or line.read >= READ_WELL
    )
    sentence = "There is no text but what should be there."
    if shown:
        said = f"it reads '{shown[0].text}'" if shown[0].text else "it looks like letters"
        sentence = f"There is text {shown[0].place} that should not be there: {said}."
    counted = sum(1 - line.certainty < settings.threshold for line in lines)
    measures = {"extra_text": worst, "extra_lines": float(counted)}
    return CHECK.result(1 - worst, settings.threshold, sentence, evidence, measures=measures)


CHECK = Check("extra_text", "4", ExtraTextSettings, {"threshold": 0.75}, judge)
