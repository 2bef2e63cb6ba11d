"""Marks lie where the truth and the evidence say."""

from __future__ import annotations

import base64
import math
import re

import cv2
import numpy as np
import pytest

from packline.report.heat import heat_uri
from packline.report.marks import evidence_marks, truth_marks
from packline.report.swatches import swatches
from packline.scorecard import CheckResult, Evidence, Verdict
from packline.truth import TextTruth

QUAD = ((100.0, 100.0), (300.0, 100.0), (300.0, 150.0), (100.0, 150.0))


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


def direction(path: str) -> float:
    (x0, y0), (x1, y1) = points(path)[:2]
    return math.degrees(math.atan2(y1 - y0, x1 - x0)) % 360


def truth(quad: object = QUAD, angle: float = 0.0) -> TextTruth:
    return TextTruth("side", "E LOVE", quad, QUAD, angle, angle, angle, False, 1.0, (0.0, 1.0), 50.0, 80.0)  # type: ignore[arg-type]


def text_result(verdict: Verdict, words: str, read: str, angle: float) -> CheckResult:
    data = {"label": "side", "expected": "E LOVE", "read": read, "angle": angle, "expected_angle": 0.0}
    evidence = Evidence("text", words, QUAD, data)
    return CheckResult("text_orientation", "1", verdict, 0.2, 0.6, "", (evidence,))


def test_marks_are_scaled_to_a_space_1000_wide_whatever_the_picture_measures() -> None:
    (mark,) = truth_marks([truth()], (500, 250))
    assert points(mark.outline) == [(200, 200), (600, 200), (600, 300), (200, 300)]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_the_truth_arrow_runs_as_the_label_reads_and_keeps_off_the_letters(turn: int) -> None:
    quad = QUAD
    for _ in range(turn // 90):
        # a quarter turn clockwise about (200, 200), y down
        quad = tuple((400 - y, x) for x, y in quad)  # type: ignore[assignment]
    (mark,) = truth_marks([truth(quad, turn)], (1000, 1000))
    assert direction(mark.arrow) == pytest.approx(turn)
    xs, ys = [p[0] for p in quad], [p[1] for p in quad]
    (x0, y0), (x1, y1) = points(mark.arrow)[:2]
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    assert not (min(xs) <= x <= max(xs) and min(ys) <= y <= max(ys))


def test_turned_text_shows_both_how_it_reads_and_how_it_should() -> None:
    (mark,) = evidence_marks([text_result(Verdict.FAIL, "wrong direction", "E LOVE", 180.0)], (1000, 1000))
    assert mark.tone == "fail"
    assert direction(mark.arrow) == pytest.approx(180)
    assert direction(mark.should) == pytest.approx(0)
    assert mark.words == "E LOVE: wrong direction"


def test_misread_text_shows_what_was_read() -> None:
    (mark,) = evidence_marks([text_result(Verdict.FAIL, "garbled", "E LQVE", 0.0)], (1000, 1000))
    assert (mark.tone, mark.should) == ("fail", "")
    assert mark.words == "E LOVE: garbled, reads “E LQVE”"


def test_a_right_label_beside_a_wrong_one_is_not_marked_as_wrong() -> None:
    wrong = text_result(Verdict.FAIL, "wrong direction", "E LOVE", 180.0)
    right = text_result(Verdict.FAIL, "right", "elove", 0.0)
    both = CheckResult("text", "1", Verdict.FAIL, 0.1, 0.6, "", wrong.evidence + right.evidence)
    assert [mark.tone for mark in evidence_marks([both], (1000, 1000))] == ["fail", "pass"]


def test_a_box_becomes_its_four_corners() -> None:
    box = Evidence("box", "blob", ((10.0, 20.0), (30.0, 60.0)))
    (mark,) = evidence_marks([CheckResult("a", "1", Verdict.FAIL, 0, 0.5, "", (box,))], (1000, 1000))
    assert points(mark.outline) == [(10, 20), (30, 20), (30, 60), (10, 60)]
    assert mark.arrow == ""


def test_evidence_without_a_place_is_not_drawn() -> None:
    placeless = (Evidence("text", "product: 72%"), Evidence("box", "x", ((math.nan, 0.0), (1.0, 1.0))))
    assert evidence_marks([CheckResult("a", "1", Verdict.FAIL, 0, 0.5, "", placeless)], (9, 9)) == []


@pytest.mark.parametrize("x", [0.0, 480.0, 960.0])
@pytest.mark.parametrize("y", [0.0, 480.0, 960.0])
def test_a_caption_stands_inside_the_picture(x: float, y: float) -> None:
    box = Evidence("box", "blob", ((x, y), (x + 40, y + 40)))
    (mark,) = evidence_marks([CheckResult("a", "1", Verdict.FAIL, 0, 0.5, "", (box,))], (1000, 1000))
    assert 30 <= mark.y <= 1000
    assert 0 <= mark.x <= 1000
    assert mark.anchor == {0.0: "start", 480.0: "middle", 960.0: "end"}[x]


def png(values: list[list[int]]) -> str:
    return base64.b64encode(cv2.imencode(".png", np.array(values, np.uint8))[1].tobytes()).decode()


def test_a_heat_map_is_red_where_it_is_wrong_and_clear_where_all_is_well() -> None:
    uri = heat_uri(png([[0] * 4, [0] * 4, [64] * 4, [255] * 4]))
    raw = np.frombuffer(base64.b64decode(uri.removeprefix("data:image/png;base64,")), np.uint8)
    overlay = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
    assert overlay.shape == (160, 160, 4)
    clear, weak, hot = overlay[10, 80], overlay[100, 80], overlay[150, 80]
    assert clear[3] == 0 < weak[3] < hot[3] < 255
    assert hot[2] == 255 and hot[0] < 60
    # an opaque edge parts what is wrong from the rest
    assert (overlay[:, 80, 3] == 255).any()


@pytest.mark.parametrize("data", [None, "", "not base64!", "aGVsbG8=", 3, png([[1]])[:-8]])
def test_a_heat_map_that_cannot_be_read_leaves_its_frame(data: object) -> None:
    evidence = Evidence("heat", "melted", ((10.0, 20.0), (30.0, 60.0)), {"png": data})
    card = CheckResult("shape", "1", Verdict.FAIL, 0.2, 0.6, "", (evidence,))
    (mark,) = evidence_marks([card], (100, 100))
    assert mark.heat == ""
    assert points(mark.outline) == [(100, 200), (300, 200), (300, 600), (100, 600)]


def test_a_heat_map_lies_over_its_box_in_the_marks_space() -> None:
    evidence = Evidence("heat", "melted", ((30.0, 60.0), (10.0, 20.0)), {"png": png([[9]])})
    card = CheckResult("shape", "1", Verdict.FAIL, 0.2, 0.6, "", (evidence,))
    (mark,) = evidence_marks([card], (100, 100))
    assert mark.box == (100.0, 200.0, 200.0, 400.0) and mark.heat and mark.tone == "fail"


def test_colours_become_pairs_of_swatches_and_nothing_else() -> None:
    good = {"part": "sole", "expected": [1, 2, 300], "seen": (4.4, 5, -6), "delta_e": 7.25}
    (pair,) = swatches([Evidence("colour", "", (), good)])
    assert (pair.part, pair.expected, pair.seen) == ("sole", "rgb(1, 2, 255)", "rgb(4, 5, 0)")
    assert pair.difference == "ΔE 7.2"
    for wrong in ("red;background:url(x)", [1, 2], ["a", 2, 3], [math.nan, 1, 2], None):
        assert swatches([Evidence("colour", "", (), {**good, "seen": wrong})]) == []
    assert swatches([Evidence("text", "", (), good)]) == []
