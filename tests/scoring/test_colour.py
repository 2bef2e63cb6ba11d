"""Colours astray are found and named; light, tint and style are not taken for them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from packline.colour import ciede2000, to_lab, to_linear
from packline.scorecard import CheckResult, Verdict
from scoring.check import CheckInput
from scoring.colour import ColourSettings, judge
from tests.scoring.coloured import COLOURS, ROWS, SIDES, Look, candidate, in_the_dark

SETTINGS = ColourSettings(threshold=0.5)


def judged(one: CheckInput) -> CheckResult:
    return judge([one], SETTINGS)[0]


@pytest.mark.parametrize(
    "look",
    [
        Look(),
        Look(tint=(1.1, 1.0, 0.85)),
        Look(tint=(0.92, 1.0, 1.1)),
        Look(turn=0.05),
        Look(turn=-0.05, tint=(1.05, 1.0, 0.93)),
    ],
)
def test_the_right_colours_pass_under_every_honest_light(look: Look) -> None:
    found = judged(candidate(look))
    assert found.verdict == Verdict.PASS, found.sentence
    assert found.measures["regions"] == 3


@pytest.mark.parametrize("quality", [75, 90])
def test_compression_changes_no_colour(quality: int) -> None:
    one = candidate(Look())
    _, data = cv2.imencode(".jpg", one.candidate[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    packed = cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
    assert judged(replace(one, candidate=np.asarray(packed, np.uint8))).verdict == Verdict.PASS


@pytest.mark.parametrize("paint", [(253, 253, 253), (255, 0, 0), (255, 255, 0), (0, 255, 255)])
def test_a_part_in_a_colour_beyond_the_range_is_not_too_bright_to_judge(paint: tuple[int, int, int]) -> None:
    """White, red, yellow or cyan paint clips a channel; that the cap should be brick red is known."""
    one = candidate(Look())
    index = next(part.index for part in one.scene.colours if part.part == "cap")
    picture = one.candidate.copy()
    picture[one.scene.parts == index] = paint
    found = judged(replace(one, candidate=picture))
    assert found.verdict == Verdict.FAIL
    assert found.sentence.startswith("The cap is far too ")


@pytest.mark.parametrize("part", list(COLOURS))
@pytest.mark.parametrize("step", [(0.0, 8.0, 9.0), (0.0, -9.0, -8.0)])
def test_a_part_in_another_colour_fails_and_is_named(part: str, step: tuple[float, float, float]) -> None:
    found = judged(candidate(Look(shifts=((part, step),))))
    assert found.verdict == Verdict.FAIL
    assert found.sentence.startswith(f"The {part} is ")
    shown = found.evidence[0]
    assert shown.kind == "colour" and shown.data["part"] == part
    x, y = np.mean(shown.points, 0)
    assert SIDES[0] < x < SIDES[1] and ROWS[part][0] < y < ROWS[part][1]
    # what it should have shown, and by how much it is off, are as they were made
    base = to_lab(to_linear(np.array(COLOURS[part], np.uint8)))
    assert found.measures["delta_e"] == pytest.approx(float(ciede2000(base, base + step)), rel=0.25)
    assert shown.data["delta_e"] == pytest.approx(found.measures["delta_e"], abs=0.06)


def test_the_worse_a_colour_the_lower_the_score() -> None:
    scores = [
        judged(candidate(Look(shifts=(("cap", (0.0, -4.0 * k, 3.0 * k)),)))).score for k in (0, 1, 2, 3, 5)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.6 and scores[-1] < 0.2


def test_a_product_whose_colour_the_scene_does_not_share_fails_though_its_parts_agree() -> None:
    steps = tuple((part, (0.0, 11.0, 9.0)) for part in COLOURS)
    found = judged(candidate(Look(shifts=steps)))
    assert found.verdict == Verdict.FAIL
    assert found.measures["whole_delta_e"] > 5


def test_the_pair_of_colours_lies_as_far_apart_as_the_sentence_says() -> None:
    found = judged(candidate(Look(shifts=(("label", (0.0, 12.0, 6.0)),))))
    expected, seen = (np.array(found.evidence[0].data[key], np.uint8) for key in ("expected", "seen"))
    assert "too red" in found.sentence
    assert float(ciede2000(to_lab(to_linear(expected)), to_lab(to_linear(seen)))) > 4


def test_a_picture_too_dark_to_show_colours_is_unverifiable() -> None:
    assert judged(in_the_dark()).verdict == Verdict.UNVERIFIABLE


def test_a_product_of_thin_strokes_is_unverifiable() -> None:
    one = candidate(Look())
    thin = np.zeros_like(one.scene.mask)
    thin[150:820:24, 330:700] = 255
    thin[151:821:24, 330:700] = 255
    scene = replace(one.scene, mask=thin, parts=np.where(thin > 0, one.scene.parts, 0).astype(np.uint16))
    assert judged(replace(one, scene=scene)).verdict == Verdict.UNVERIFIABLE


def test_a_picture_of_another_size_is_refused_with_a_sentence() -> None:
    one = candidate(Look())
    with pytest.raises(ValueError, match="should be 1024 x 1024"):
        judge([replace(one, candidate=one.candidate[:100])], SETTINGS)


def test_colours_are_called_what_a_person_calls_them() -> None:
    from scoring.colour_suspects import colour_word

    named = {
        "black": (20, 20, 22), "white": (245, 245, 243), "grey": (128, 128, 130), "red": (200, 30, 40),
        "orange": (240, 130, 30), "yellow": (240, 215, 50), "green": (50, 150, 60), "blue": (40, 80, 190),
        "brown": (100, 62, 38), "beige": (215, 196, 165), "purple": (120, 50, 160), "pink": (240, 150, 180),
        "teal": (20, 140, 140),
    }  # fmt: skip
    for word, rgb in named.items():
        lightness, a, b = to_lab(to_linear(np.array(rgb, np.uint8)))
        assert colour_word((float(lightness), float(a), float(b))) == word


def test_a_part_that_only_a_tool_has_named_is_outlined_and_not_called_by_that_name() -> None:
    one = candidate(Look(shifts=(("cap", (0.0, -9.0, -8.0)),)))
    cap, *others = one.scene.colours
    scene = replace(one.scene, colours=(replace(cap, part="SM_Shoe_LOD0"), *others))
    found = judged(replace(one, scene=scene))
    assert found.verdict == Verdict.FAIL
    assert found.sentence.startswith("A part (outlined) is ") and "LOD" not in found.sentence
    assert found.evidence[0].data["part"] == "a part (outlined)"


def test_what_was_not_judged_is_not_vouched_for() -> None:
    one = candidate(Look())

    def glaring(*parts: int) -> CheckInput:
        """The light is so strong there that the render itself is white."""
        where = np.isin(one.scene.parts, parts)[..., None]
        scene = replace(one.scene, colour=np.where(where, np.uint8(255), one.scene.colour))
        return replace(one, scene=scene, candidate=np.where(where, np.uint8(255), one.candidate))

    cap = one.scene.parts == 1
    found = judged(glaring(1))
    share = float(cap.sum() / (one.scene.mask > 127).sum())
    assert found.verdict == Verdict.PASS
    assert found.measures["unseen"] == pytest.approx(share, abs=0.01)
    assert found.sentence.endswith("to judge: the cap.") and f"{100 * share:.0f} %" in found.sentence
    assert judged(glaring(1, 2)).verdict == Verdict.UNVERIFIABLE


def test_a_thin_part_is_judged_as_a_whole() -> None:
    def thin(one: CheckInput) -> CheckInput:
        parts = one.scene.parts.copy()
        # 18 px of a box of 686: eight at work size
        parts[(parts == 1) & (np.arange(1024)[:, None] < 312)] = 0
        mask = np.where(parts > 0, 255, 0).astype(np.uint8)
        return replace(one, scene=replace(one.scene, parts=parts, mask=mask))

    right, wrong = (thin(candidate(Look(shifts=shifts))) for shifts in ((), (("cap", (0.0, -16.0, -14.0)),)))
    assert judged(right).verdict == Verdict.PASS
    assert judged(right).measures["unseen"] == 0
    found = judged(wrong)
    assert found.verdict == Verdict.FAIL and found.sentence.startswith("The cap is ")
