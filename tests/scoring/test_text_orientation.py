"""Text orientation on labels drawn by Pillow, with the real recogniser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from packline.scorecard import CheckResult, Verdict
from scoring.check import CheckInput
from scoring.text_orientation import TextSettings, judge
from tests.scoring.synthetic import FONTS, Case, Plane, make

SETTINGS = TextSettings(threshold=0.5)


def result(case: Case) -> CheckResult:
    return judge([make(case)], SETTINGS)[0]


@pytest.mark.parametrize("font", FONTS)
def test_a_right_label_passes_and_a_turned_one_fails_in_every_typeface(font: str) -> None:
    plane = Plane(angle=93, height=40, bow=0.15)
    right = Case("E LOVE", font=font, plane=plane, shift=(4, -3), warm=0.08, seed=3)
    passed, failed = judge([make(right), make(replace(right, how="upside down"))], SETTINGS)
    assert (passed.verdict, failed.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert passed.sentence == "'E LOVE' reads top to bottom, as it should."
    assert failed.sentence == "'E LOVE' reads bottom to top; should read top to bottom."
    (evidence,) = failed.evidence
    assert evidence.kind == "text" and len(evidence.points) == 4
    assert evidence.data["expected"] == "E LOVE"
    assert (evidence.data["expected_angle"], evidence.data["angle"]) == (93, 273)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("mirrored", "'NORDIC' is mirrored; should read left to right."),
        ("mirrored top to bottom", "'NORDIC' is mirrored top to bottom; should read left to right."),
        ("turned by 90°", "'NORDIC' reads top to bottom; should read left to right."),
        ("turned by 270°", "'NORDIC' reads bottom to top; should read left to right."),
    ],
)
def test_each_way_to_turn_or_mirror_a_word_is_named(how: str, words: str) -> None:
    found = result(Case("NORDIC", how=how, plane=Plane(angle=2)))
    assert found.verdict == Verdict.FAIL
    assert found.sentence == words


def test_a_short_label_turned_by_90_degrees_in_its_own_place_is_named() -> None:
    found = result(Case("OK", how="turned by 90°", plane=Plane(height=90)))
    assert found.sentence == "'OK' reads top to bottom; should read left to right."


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ("NORDTC", "'T' where 'I' should be"),
        ("NORBIC", "'B' where 'D' should be"),
        ("NORDI", "'C' is missing"),
    ],
)
def test_a_wrong_letter_is_named(drawn: str, words: str) -> None:
    found = result(Case("NORDIC", drawn=drawn))
    assert found.verdict == Verdict.FAIL
    assert found.sentence == f"'NORDIC' reads '{drawn}': {words}."


def test_a_doubled_letter_fails() -> None:
    assert result(Case("TRAIL", drawn="TRRAIL")).verdict == Verdict.FAIL


def test_a_missing_label_is_said_to_be_missing() -> None:
    found = result(Case("VOLTA", missing=True))
    assert (found.verdict, found.sentence) == (Verdict.FAIL, "'VOLTA' is missing.")


@pytest.mark.parametrize("how", ["right", "upside down"])
def test_noon_passes_upside_down_because_nobody_can_tell(how: str) -> None:
    assert result(Case("NOON", how=how)).verdict == Verdict.PASS


def test_noon_mirrored_fails_because_its_n_shows_it() -> None:
    assert result(Case("NOON", how="mirrored")).verdict == Verdict.FAIL


@pytest.mark.parametrize("how", ["right", "upside down", "mirrored", "mirrored top to bottom"])
def test_oxo_passes_in_every_flat_direction(how: str) -> None:
    assert result(Case("OXO", how=how)).verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (Case("NORDIC", plane=Plane(height=7)), "it is only 7 px high (needs 9)"),
        (Case("NORDIC", ink=(205, 194, 180)), "its contrast is only"),
    ],
)
def test_what_cannot_be_judged_is_unverifiable_and_says_why(case: Case, why: str) -> None:
    found = result(case)
    assert found.verdict == Verdict.UNVERIFIABLE
    assert why in found.sentence


def test_text_too_small_to_read_is_judged_by_its_looks_and_said_so() -> None:
    small = Case("NORDIC", plane=Plane(height=12))
    right, blank = judge([make(small), make(replace(small, missing=True))], SETTINGS)
    assert right.verdict == Verdict.PASS
    assert (
        right.sentence
        == "'NORDIC', too small to read (12 px), looks right and reads left to right, as it should."
    )
    assert (blank.verdict, blank.sentence) == (Verdict.FAIL, "'NORDIC' is missing.")


def test_text_that_is_far_too_small_says_how_much_larger_it_would_have_to_stand() -> None:
    found = result(Case("NORDIC", plane=Plane(height=7)))
    assert found.verdict == Verdict.UNVERIFIABLE
    assert found.measures["enlarge"] == pytest.approx(2.0, abs=0.15)


# the recogniser knows no Cyrillic; it reads the first three as Latin words and the last ones not at all
@pytest.mark.parametrize("word", ["САХАР", "ВЕТЕР", "ГРЕЧКА", "МАСЛО", "ЧАЙ"])
def test_letters_that_the_recogniser_does_not_know_are_judged_by_their_looks_and_said_so(word: str) -> None:
    ways = ("right", "mirrored", "upside down")
    right, *wrong = judge([make(Case(word, how=how)) for how in ways], SETTINGS)
    assert right.verdict == Verdict.PASS
    assert right.sentence == (
        f"'{word}', in letters that the text reader does not know, looks right and reads left to right, "
        "as it should."
    )
    assert [found.verdict for found in wrong] == [Verdict.FAIL, Verdict.FAIL]


def test_a_wrong_letter_that_the_recogniser_does_not_know_is_not_said_to_be_missing() -> None:
    found = result(Case("МАСЛО", drawn="МАСПО"))
    assert found.verdict == Verdict.FAIL
    assert found.sentence == "'МАСЛО' does not look as the 3D model prints it."


@pytest.mark.parametrize(("drawn", "verdict"), [("NORDIC", Verdict.PASS), ("NORDTC", Verdict.FAIL)])
def test_of_a_label_that_turns_away_the_letters_that_show_are_judged(drawn: str, verdict: Verdict) -> None:
    one = make(Case("NORDIC", drawn=drawn))
    part = replace(one.scene.labels[0], visible=0.66, span=(0.36, 1.0), visible_text="RDIC")
    found = judge([_with(one, labels=(part,))], SETTINGS)[0]
    assert found.verdict == verdict


def test_a_label_with_letters_hidden_in_its_middle_is_judged_by_its_looks() -> None:
    one = make(Case("NORDIC"))
    hidden = replace(one.scene.labels[0], visible=0.7, visible_text="NO…IC")
    wrong = make(Case("NORDIC", how="upside down"))
    inputs = [_with(case, labels=(hidden,)) for case in (one, wrong)]
    assert [found.verdict for found in judge(inputs, SETTINGS)] == [Verdict.PASS, Verdict.FAIL]


def test_a_label_that_is_mostly_out_of_view_is_unverifiable() -> None:
    one = make(Case("NORDIC"))
    hidden = replace(one.scene.labels[0], visible=0.3, span=(0.0, 0.3))
    found = judge([_with(one, labels=(hidden,))], SETTINGS)[0]
    assert found.verdict == Verdict.UNVERIFIABLE
    assert found.sentence == "'NORDIC' cannot be judged: only 30% of it is in view."


@pytest.mark.parametrize("hidden", [{"contrast": 11.0}, {"visible": 0.45, "span": (0.0, 1.0)}])
@pytest.mark.parametrize("how", ["upside down", "mirrored", "mirrored top to bottom"])
def test_a_label_that_cannot_be_vouched_for_still_fails_where_it_plainly_stands_another_way(
    hidden: dict[str, Any], how: str
) -> None:
    """A second label that is right vouches for nothing but itself."""
    right, wrong = make(Case("NORDIC")), make(Case("NORDIC", how=how))
    inputs = [_with(one, labels=(replace(one.scene.labels[0], **hidden),)) for one in (right, wrong)]
    verdicts = [found.verdict for found in judge(inputs, SETTINGS)]
    assert verdicts == [Verdict.UNVERIFIABLE, Verdict.FAIL]


def test_a_large_label_that_cannot_be_judged_and_does_not_look_right_holds_the_candidate_back() -> None:
    def both(drawn: str) -> CheckInput:
        below = Plane(centre=(512.0, 680.0))
        one, other = make(Case("TRAIL")), make(Case("NORDIC", drawn=drawn, plane=below))
        at = other.scene.labels[0]
        picture = one.candidate.copy()
        rows, columns = slice(640, 720), slice(300, 720)
        picture[rows, columns] = other.candidate[rows, columns]
        colour = one.scene.colour.copy()
        colour[rows, columns] = other.scene.colour[rows, columns]
        scene = replace(one.scene, colour=colour, labels=(one.scene.labels[0], replace(at, contrast=11.0)))
        return replace(one, candidate=picture, scene=scene)

    passed, held = judge([both("NORDIC"), both("QWXZKV")], SETTINGS)
    assert passed.verdict == Verdict.PASS and "'NORDIC' cannot be judged" in passed.sentence
    assert held.verdict == Verdict.UNVERIFIABLE


def test_a_product_without_labels_is_not_applicable() -> None:
    found = judge([_with(make(Case("NORDIC")), labels=())], SETTINGS)[0]
    assert found.verdict == Verdict.NOT_APPLICABLE


# the recogniser reads the last three on their heads as well
@pytest.mark.parametrize("word", ["NORDIC", "VOLTA", "NORTH", "POLAR"])
def test_a_wrong_declaration_is_blamed_on_the_declaration(word: str) -> None:
    one = make(Case(word, plane=Plane(angle=90)))
    truth = one.scene.labels[0]
    turned = tuple(tuple(reversed(row)) for row in reversed(truth.grid))
    a, b, c, d = truth.quad
    declared = replace(truth, grid=turned, quad=(c, d, a, b), angle=270.0)
    found = judge([_with(one, labels=(declared,))], SETTINGS)[0]
    assert found.verdict == Verdict.FAIL
    assert found.sentence == (
        f"'{word}' reads top to bottom; should read bottom to top. "
        "The 3D model's own render reads this way too: check the declared direction."
    )


def test_a_label_declared_across_itself_is_blamed_on_the_declaration() -> None:
    one = make(Case("NORDIC", plane=Plane(angle=90)))
    truth = one.scene.labels[0]
    # read left to right, the label's top is its old left side: transpose the grid
    rows = len(truth.grid)
    across = tuple(
        tuple(truth.grid[rows - 1 - i][column] for i in range(rows)) for column in range(len(truth.grid[0]))
    )
    a, b, c, d = truth.quad
    declared = replace(truth, grid=across, quad=(d, a, b, c), angle=0.0)
    found = judge([_with(one, labels=(declared,))], SETTINGS)[0]
    assert found.verdict == Verdict.FAIL
    assert found.sentence.startswith("'NORDIC' reads top to bottom; should read left to right.")
    assert found.sentence.endswith("check the declared direction.")


def test_a_declared_text_that_the_model_does_not_bear_is_unverifiable() -> None:
    one = make(Case("NORDIC"))
    renamed = replace(one.scene.labels[0], text="VOLTA")
    found = judge([_with(one, labels=(renamed,))], SETTINGS)[0]
    assert found.verdict == Verdict.UNVERIFIABLE
    assert found.sentence == "The 3D model's own render reads 'NORDIC', not 'VOLTA': check the label's text."


def test_a_chunk_gives_the_same_answers_as_single_candidates() -> None:
    inputs = [make(Case("LUMEN")), make(Case("TRAIL", how="mirrored")), make(Case("AERO 500", seed=2))]
    together = judge(inputs, SETTINGS)
    alone = [judge([one], SETTINGS)[0] for one in inputs]
    assert [r.verdict for r in together] == [r.verdict for r in alone]
    assert [r.score for r in together] == pytest.approx([r.score for r in alone], abs=0.02)


def _with(one: CheckInput, **changes: object) -> CheckInput:
    return CheckInput(one.candidate, one.base, replace(one.scene, **changes), one.references, one.words)  # type: ignore[arg-type]
