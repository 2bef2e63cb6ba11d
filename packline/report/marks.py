"""Marks over pictures: text truth and evidence as SVG shapes in a space 1000 units wide."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packline.report.heat import heat_uri
from packline.report.reading import reading_of
from packline.scorecard import CheckResult, Evidence, Verdict
from packline.truth import TextTruth

WIDTH = 1000.0
_Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Mark:
    """One thing drawn over a picture.

    Parameters
    ----------
    tone
        "truth" (what should be there), "fail" or "pass".
    check
        The check that drew it; empty for text truth.
    outline, arrow, should
        SVG path data of the shape, of the direction in which it reads and, where that is wrong, of the
        direction in which it should; empty where there is none.
    words, x, y, anchor
        A caption and where it stands ("start", "middle" or "end").
    heat, box
        A heat map as a data URI, and left, top, width and height of where it lies; empty where there is none.
    """

    tone: str
    check: str
    outline: str
    arrow: str
    should: str
    words: str
    x: float
    y: float
    anchor: str
    heat: str = ""
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def truth_marks(labels: Iterable[TextTruth], full: tuple[int, int]) -> list[Mark]:
    """Draw each label's quad, its reading direction and its string.

    Parameters
    ----------
    labels
        Text truth of a view, in pixels.
    full
        Width and height of that view in pixels.
    """
    marks = []
    for label in labels:
        quad = _scaled(label.quad, full)
        if not quad:
            continue
        marks.append(_mark("truth", "", quad, label.text, full, _quad_arrow(quad)))
    return marks


def evidence_marks(results: Iterable[CheckResult], full: tuple[int, int]) -> list[Mark]:
    """Draw what checks point at: boxes, polygons, and text with the direction in which it was read.

    Parameters
    ----------
    results
        A scorecard's results; evidence without points has no place in the picture and is skipped.
    full
        Width and height of the candidate in pixels.
    """
    marks = []
    for result in results:
        good = result.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE)
        for evidence in result.evidence:
            points = _scaled(evidence.points, full)
            if not points:
                continue
            if len(points) == 2:
                (left, top), (right, bottom) = points
                points = [(left, top), (right, top), (right, bottom), (left, bottom)]
            if evidence.kind == "heat":
                marks.append(_heat_mark(result.check, good, evidence, points, full))
            elif evidence.kind == "text":
                marks.append(_text_mark(result.check, good, evidence, points, full))
            else:
                marks.append(_mark(_tone(good), result.check, points, evidence.words, full))
    return marks


def _text_mark(check: str, good: bool, evidence: Evidence, points: _Points, full: tuple[int, int]) -> Mark:
    """A label with the direction in which it was read; beside it, where it differs, how it should run."""
    found = reading_of(evidence)
    # a failing check may point at labels that are right as well
    good = good or not found.wrong
    words = f"{found.expected}: {evidence.words}" if found.expected else evidence.words
    if found.misread and found.read and not good:
        words += f", reads “{found.read}”"
    edge = _quad_arrow(points) if len(points) == 4 else ""
    if found.turned and found.angle is not None:
        return _mark(_tone(good), check, points, words, full, _turned_arrow(found.angle, points), edge)
    return _mark(_tone(good), check, points, words, full, edge)


def _heat_mark(check: str, good: bool, evidence: Evidence, points: _Points, full: tuple[int, int]) -> Mark:
    """A map over the candidate; where it cannot be read its frame alone."""
    mark = _mark(_tone(good), check, points, evidence.words, full)
    left, top = (min(point[axis] for point in points) for axis in (0, 1))
    right, bottom = (max(point[axis] for point in points) for axis in (0, 1))
    box = (round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1))
    return replace(mark, heat=heat_uri(evidence.data.get("png")), box=box)


def _tone(good: bool) -> str:
    return "pass" if good else "fail"


def _mark(
    tone: str,
    check: str,
    points: _Points,
    words: str,
    full: tuple[int, int],
    arrow: str = "",
    should: str = "",
) -> Mark:
    height = WIDTH * full[1] / full[0]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    centre = (min(xs) + max(xs)) / 2
    anchor = "start" if centre < WIDTH / 3 else "end" if centre > WIDTH * 2 / 3 else "middle"
    x = {"start": max(min(xs), 12.0), "middle": centre, "end": min(max(xs), WIDTH - 12)}[anchor]
    # above the shape and its arrow; below where there is no room above
    above, below = min(ys) - 44, max(ys) + 84
    y = above if above > 70 else min(below, height - 16)
    return Mark(tone, check, _path(points), arrow, should, words, round(x, 1), round(y, 1), anchor)


def _scaled(points: _Points, full: tuple[int, int]) -> list[tuple[float, float]]:
    scale = WIDTH / full[0]
    scaled = [(x * scale, y * scale) for x, y in points]
    finite = all(math.isfinite(x) and math.isfinite(y) for x, y in scaled)
    return scaled if len(scaled) >= 2 and finite else []


def _path(points: _Points) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def _quad_arrow(quad: _Points) -> str:
    """Along the quad's upper edge, a little outside so that it hides no letter."""
    (left, right, lower_right, lower_left) = quad[:4]
    up_x = left[0] + right[0] - lower_left[0] - lower_right[0]
    up_y = left[1] + right[1] - lower_left[1] - lower_right[1]
    length = math.hypot(up_x, up_y) or 1.0
    shift = 22 * up_x / length, 22 * up_y / length
    return _arrow((left[0] + shift[0], left[1] + shift[1]), (right[0] + shift[0], right[1] + shift[1]))


def _turned_arrow(angle: float, points: _Points) -> str:
    """Beside the label's lower edge, in the direction in which the text was read."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    long = max(math.dist(points[0], points[1]), math.dist(points[1], points[2]))
    if len(points) == 4:
        # how it should run lies along the upper edge; this arrow keeps clear of that and of the print
        low_x, low_y = (points[2][0] + points[3][0]) / 2, (points[2][1] + points[3][1]) / 2
        away = 24 / (math.hypot(low_x - x, low_y - y) or 1.0)
        x, y = low_x + away * (low_x - x), low_y + away * (low_y - y)
    dx, dy = math.cos(math.radians(angle)) * long / 2, math.sin(math.radians(angle)) * long / 2
    return _arrow((x - dx, y - dy), (x + dx, y + dy))


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    if length < 1:
        return ""
    ux, uy, head = dx / length, dy / length, min(26.0, length / 2)
    wings = [(end[0] - head * (ux + s * 0.6 * uy), end[1] - head * (uy - s * 0.6 * ux)) for s in (1, -1)]
    return (
        f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
        f"M{wings[0][0]:.1f} {wings[0][1]:.1f}L{end[0]:.1f} {end[1]:.1f}L{wings[1][0]:.1f} {wings[1][1]:.1f}"
    )
