"""Evidence as layers that a browser draws over a candidate: paths in its pixels, arrows, maps, swatches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture
from packline.report.heat import grey_map
from packline.report.reading import reading_of
from packline.report.swatches import Swatches, swatches
from packline.report.wording import labels_of
from packline.scorecard import CheckResult, Evidence, Verdict
from packline.truth import Point, TextTruth, direction_words

# masks are traced at so many times their size, so that an outline runs along the antialiased edge
_FINER = 3
# the side at which the check of the scene looks, and how far round the product it looks away
_SMALL, _CLOSE = 256, 17
_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Arrow:
    """A direction in which text runs.

    Parameters
    ----------
    role
        "found", "expected", or "right" where both are the same.
    start, end
        Pixels of the candidate, along an edge of the print.
    away
        Unit vector from that edge away from the print: the browser draws the arrow a little further out, so
        that it hides no letter.
    """

    role: str
    start: Point
    end: Point
    away: Point


@dataclass(frozen=True)
class Shape:
    """One thing that a check points at.

    Parameters
    ----------
    tone
        "fail", "doubt" (could not be told), "pass" or "truth" (what should be there).
    words, lines
        A caption and what stands below it: what was read, what was expected.
    path
        SVG path data in the candidate's pixels.
    box
        Left, top, right and bottom around it: where its caption stands beside.
    heat
        The map's kind among the desk's pictures ("heat:shape:0"), to be stretched over `spread`; empty
        where there is none.
    spread
        Left, top, right and bottom of the heat map.
    swatches
        Pairs of colours, as CSS writes them.
    """

    tone: str
    words: str
    path: str
    box: _Box
    lines: tuple[str, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    heat: str = ""
    spread: _Box = (0.0, 0.0, 0.0, 0.0)
    swatches: tuple[Swatches, ...] = ()


@dataclass(frozen=True)
class Layer:
    """What one check drew; `name` is the check's, or "silhouette", "print" or "scene" for truth."""

    name: str
    tone: str
    shapes: tuple[Shape, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def check_layers(results: Iterable[CheckResult]) -> list[Layer]:
    """What the checks of a scorecard point at; evidence without a place in the picture is left out.

    Parameters
    ----------
    results
        In the order in which they are drawn, the last on top.
    """
    layers = []
    for result in results:
        tone, shapes, maps = _tone(result.verdict), [], 0
        for one in result.evidence:
            shape = _shape(one, tone, f"heat:{result.check}:{maps}")
            maps += one.kind == "heat"
            if shape is not None:
                shapes.append(shape)
        if shapes:
            layers.append(Layer(result.check, tone, tuple(shapes)))
    return layers


def truth_layers(folder: Path) -> tuple[Layer, ...]:
    """What the 3D model says that a candidate should show: its silhouette, its print, and the scene to keep.

    Parameters
    ----------
    folder
        The reference that the candidate was asked to match; where it is gone there are no layers.
    """
    try:
        return _truth_layers(folder, (folder / "truth.json").stat().st_mtime_ns)
    except OSError:
        return ()


@lru_cache(maxsize=256)
def _truth_layers(folder: Path, _changed: int) -> tuple[Layer, ...]:
    layers = []
    if path := silhouette(folder):
        layers.append(Layer("silhouette", "truth", (_traced("silhouette of the 3D model", path),)))
    labels = tuple(_label(label) for label in labels_of(folder) if _finite(label.quad))
    if labels:
        layers.append(Layer("print", "truth", labels))
    if path := may_change(folder):
        layers.append(Layer("scene", "truth", (_traced("outside this line the scene is kept", path),)))
    return tuple(layers)


def silhouette(folder: Path) -> str:
    """The outline of the product in a reference, as SVG path data in its pixels; empty where it is gone.

    Coordinates are those of a picture: its first pixel covers 0 to 1.
    """
    mask = _grey(folder / "mask.png")
    return "" if mask is None else _trace(mask, _FINER, 127)


def may_change(folder: Path) -> str:
    """The outline of product, shadow and what lies close by: beyond it the scene must be kept.

    As `scoring.style.surroundings` has it, in the pixels of the reference; empty where it is gone.
    """
    mask, shadow = _grey(folder / "mask.png"), _grey(folder / "shadow.png")
    if mask is None or shadow is None:
        return ""
    product, ground = (
        cv2.resize(one, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA) for one in (mask, shadow)
    )
    touched = np.maximum((product > 2).astype(np.uint8), (ground < 247).astype(np.uint8))
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSE, _CLOSE))
    # a line that is read at any zoom needs no steps
    grown = np.asarray(cv2.GaussianBlur(cv2.dilate(touched, near) * 255, (0, 0), 1.5), np.uint8)
    return _trace(grown, 4, 127, (mask.shape[1] / _SMALL, mask.shape[0] / _SMALL))


def _shape(evidence: Evidence, tone: str, heat: str) -> Shape | None:
    points = evidence.points
    if len(points) < 2 or not _finite(points):
        return None
    box = _box(points)
    corners = _corners(box) if len(points) == 2 else points
    if evidence.kind == "text":
        return _text(evidence, corners, box, tone)
    if evidence.kind == "heat":
        grey = grey_map(evidence.data.get("png"))
        if grey is None:
            return Shape(tone, evidence.words, _path(corners), box)
        path, hot = _hottest(grey, box)
        return Shape(tone, evidence.words, path, hot, heat=heat, spread=box)
    if evidence.data.get("role") == "expected":
        tone = "truth"
    return Shape(tone, evidence.words, _path(corners), box, swatches=tuple(swatches([evidence])))


def _text(evidence: Evidence, corners: Sequence[Point], box: _Box, tone: str) -> Shape:
    """A label with what it reads and should read, and an arrow for each direction."""
    found = reading_of(evidence)
    if tone == "fail" and not found.wrong:
        # a failing check may point at labels that are right as well
        tone = "pass"
    lines = []
    if found.expected:
        lines.append(_said("reads" if tone == "pass" else "should read", found.expected, found.should))
    if found.read and (found.turned or found.misread):
        lines.append(_said("reads", found.read, found.angle))
    arrows: tuple[Arrow, ...] = ()
    if len(corners) == 4:
        along = _along(corners, "expected" if found.turned else "right")
        arrows = (
            (along, _across(corners, found.angle)) if found.turned and found.angle is not None else (along,)
        )
    words = f"“{found.expected}”: {evidence.words}" if found.expected else evidence.words
    return Shape(tone, words, _path(corners), box, tuple(lines), arrows)


def _said(verb: str, text: str, angle: float | None) -> str:
    return f"{verb} “{text}”" + ("" if angle is None else f" {direction_words(angle)}")


def _label(label: TextTruth) -> Shape:
    line = _said("reads", label.visible_text or label.text, label.angle)
    outline = label.outline if len(label.outline) > 2 and _finite(label.outline) else label.quad
    arrows = (_along(label.quad, "expected"),)
    return Shape("truth", f"“{label.text}”", _path(outline), _box(outline), (line,), arrows)


def _along(corners: Sequence[Point], role: str) -> Arrow:
    """Along the upper edge of the upright text."""
    left, right, lower_right, lower_left = corners[:4]
    up = (
        left[0] + right[0] - lower_left[0] - lower_right[0],
        left[1] + right[1] - lower_left[1] - lower_right[1],
    )
    return Arrow(role, left, right, _unit(up))


def _across(corners: Sequence[Point], angle: float) -> Arrow:
    """Beside the lower edge, in the direction in which the text was read."""
    middle = (sum(p[0] for p in corners) / 4, sum(p[1] for p in corners) / 4)
    low = ((corners[2][0] + corners[3][0]) / 2, (corners[2][1] + corners[3][1]) / 2)
    half = max(math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2])) / 2
    dx, dy = half * math.cos(math.radians(angle)), half * math.sin(math.radians(angle))
    away = _unit((low[0] - middle[0], low[1] - middle[1]))
    return Arrow("found", (low[0] - dx, low[1] - dy), (low[0] + dx, low[1] + dy), away)


def _unit(vector: Point) -> Point:
    length = math.hypot(*vector)
    return (vector[0] / length, vector[1] / length) if length else (0.0, -1.0)


def _traced(words: str, path: str) -> Shape:
    return Shape("truth", words, path, _around(path))


def _around(path: str) -> _Box:
    """The box around path data of `_path`."""
    numbers = path.replace("M", " ").replace("L", " ").replace("Z", " ").split()
    return _box([(float(x), float(y)) for x, y in zip(numbers[::2], numbers[1::2], strict=True)])


def _hottest(grey: Picture, box: _Box) -> tuple[str, _Box]:
    """Where more is wrong than right: sharp lines over the map's soft red, and the box around them.

    Where nothing is, there are no lines, and the box is that of the hottest place.
    """
    rows, columns = grey.shape
    finer = max(1, min(8, round(512 / max(rows, columns))))
    left, top, right, bottom = box
    wide, high = (right - left) / columns, (bottom - top) / rows
    if path := _trace(grey, finer, 127, (wide, high), (left, top)):
        return path, _around(path)
    row, column = np.unravel_index(int(grey.argmax()), grey.shape)
    x, y = left + float(column) * wide, top + float(row) * high
    return "", (x, y, x + wide, y + high)


def _trace(
    grey: Picture, finer: int, level: int, scale: Point = (1.0, 1.0), shift: Point = (0.0, 0.0)
) -> str:
    """Outlines of what is brighter than `level`, holes too, as SVG path data."""
    height, width = grey.shape
    edged = cv2.copyMakeBorder(grey, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    if finer > 1:
        size = ((width + 2) * finer, (height + 2) * finer)
        edged = cv2.resize(edged, size, interpolation=cv2.INTER_LINEAR)
    above = (edged > level).astype(np.uint8)
    outlines, _ = cv2.findContours(above, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parts = []
    for outline in outlines:
        if cv2.contourArea(outline) < 4 * finer * finer:
            continue
        plain = cv2.approxPolyDP(outline, 0.35 * finer, True).reshape(-1, 2).astype(float)
        if len(plain) > 2:
            at = ((plain + 0.5) / finer - 1).clip(0, (width, height))
            parts.append(_path([(x * scale[0] + shift[0], y * scale[1] + shift[1]) for x, y in at]))
    return "".join(parts)


def _grey(file: Path) -> NDArray[np.uint8] | None:
    if not file.is_file():
        return None
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    return None if picture is None else np.asarray(picture, np.uint8)


def _tone(verdict: Verdict) -> str:
    if verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE):
        return "pass"
    return "doubt" if verdict == Verdict.UNVERIFIABLE else "fail"


def _finite(points: Sequence[Point]) -> bool:
    return all(math.isfinite(x) and math.isfinite(y) for x, y in points)


def _box(points: Sequence[Point]) -> _Box:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def _corners(box: _Box) -> tuple[Point, ...]:
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
