"""Alignment with open_clip: the shipped weights rank captions, and noise never scores."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packline.errors import FixSettings
from packline.scorecard import Verdict
from scoring.alignment import CHECK, EMBEDDED, AlignmentSettings, judge, load
from scoring.check import CheckInput, PromptWords
from scoring.policy import score
from scoring.settings import ScoringSettings, read_settings
from tests.scoring.synthetic import Case, make

SHIPPED = Path(__file__).resolve().parents[2] / EMBEDDED


@pytest.fixture(scope="module")
def one() -> CheckInput:
    return make(Case("NORDIC"))


def asked(one: CheckInput, **words: object) -> CheckInput:
    return replace(one, words=PromptWords(**words))  # type: ignore[arg-type]


def test_the_shipped_weights_are_small_and_encode_to_unit_vectors(one: CheckInput) -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 10_000_000
    aligner = load(EMBEDDED)
    pictures = aligner.pictures([one.candidate, one.base])
    captions = aligner.captions(["a photo of a red mug", "a photo of a blue mug"])
    assert pictures.shape[1] == captions.shape[1]
    assert np.allclose(np.linalg.norm(np.concatenate([pictures, captions]), axis=1), 1, atol=1e-5)


def test_a_batch_encodes_as_its_single_pictures_do(one: CheckInput) -> None:
    aligner = load(EMBEDDED)
    together = aligner.pictures([one.candidate, one.base])
    alone = np.concatenate([aligner.pictures([one.candidate]), aligner.pictures([one.base])])
    assert np.allclose(together, alone, atol=1e-4)


def test_a_product_that_the_model_does_not_recognise_in_its_render_is_not_asked_about(
    one: CheckInput,
) -> None:
    """Of two words one fits the render less: asked for that one, the model says that it does not know it."""
    settings = AlignmentSettings(threshold=0.02)
    ways = ("white candle tin", "black low-top shoe"), ("black low-top shoe", "white candle tin")
    results = judge([asked(one, product=a, other_products=(b,)) for a, b in ways], settings)
    known, unknown = sorted(results, key=lambda result: result.verdict == Verdict.UNVERIFIABLE)
    assert known.verdict in (Verdict.PASS, Verdict.FAIL)
    assert unknown.verdict == Verdict.UNVERIFIABLE
    assert "does not know" in unknown.sentence


def test_the_strongest_rival_is_named_where_it_wins(one: CheckInput, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the model takes the picture for, asking for one thing or the other must be complementary."""
    # either product is asked about, though the render shows one of them at most
    monkeypatch.setattr("scoring.alignment.RECOGNISED", 0.0)
    settings = AlignmentSettings(threshold=0.5)
    first, second = (
        asked(one, product="white candle tin", other_products=("black low-top shoe",)),
        asked(one, product="black low-top shoe", other_products=("white candle tin",)),
    )
    right, wrong = judge([first, second], settings)
    assert right.score + wrong.score == pytest.approx(1.0, abs=1e-4)
    assert {right.verdict, wrong.verdict} == {Verdict.PASS, Verdict.FAIL}
    loser, (said, rival) = (
        (right, ("white candle tin", "black low-top shoe"))
        if right.verdict == Verdict.FAIL
        else (wrong, ("black low-top shoe", "white candle tin"))
    )
    assert loser.sentence == f"The product looks more like '{rival}' than like '{said}'."


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"product": "a white desk lamp"},
        {"product": "a red mug", "other_products": ("a red mug",)},
        {"product": "a red mug", "other_products": ("a red coffee mug",)},
    ],
    ids=["no words", "no other words", "the same words", "other words for the same"],
)
def test_where_the_catalogue_has_nothing_else_to_be_taken_for_the_check_does_not_apply(
    one: CheckInput, words: dict[str, object]
) -> None:
    (result,) = judge([asked(one, **words)], AlignmentSettings(threshold=0.5))
    assert "no other words" in result.sentence
    assert result.verdict == Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("words", "unknown"),
    [
        ({"product": "a white desk lamp", "other_products": ("a red mug",)}, "a white desk lamp"),
        ({"product": "a red mug", "other_products": ("a white desk lamp",)}, "a white desk lamp"),
        ({"scene": "the moon", "other_scenes": ("a beach",)}, "the moon"),
        ({"scene": "an oak table in front of a painted wall", "other_scenes": ("a beach",)}, "a beach"),
    ],
    ids=["an unknown product", "an unknown rival", "an unknown scene", "an unknown other scene"],
)
def test_words_that_the_model_was_not_taught_are_no_pass_unless_the_settings_say_so(
    one: CheckInput, words: dict[str, object], unknown: str
) -> None:
    (result,) = judge([asked(one, **words)], AlignmentSettings(threshold=0.5))
    assert f"does not know '{unknown}'" in result.sentence
    assert result.verdict == Verdict.UNVERIFIABLE
    told = [read_settings({"alignment": {"unverifiable": way}}).checks for way in ("person", "pass")]
    held, free = (
        score([asked(one, **words)], ScoringSettings(tuple(pair for pair in way if pair[0] == CHECK)))[0]
        for way in told
    )
    assert (held.passed, held.results[0].needs, free.passed) == (False, "person", True)


def test_a_scene_that_is_right_is_no_word_for_a_product_that_the_model_does_not_know(
    one: CheckInput,
) -> None:
    scenes = sorted(load(EMBEDDED).knows.scenes)[:2]  # type: ignore[union-attr]
    words = {"product": "a white desk lamp", "other_products": ("a red mug",)}
    results = [
        judge(
            [asked(one, scene=right, other_scenes=(other,), **words)],
            AlignmentSettings(threshold=0.5),
        )[0]
        for right, other in (scenes, scenes[::-1])
    ]
    assert {result.verdict for result in results} == {Verdict.UNVERIFIABLE, Verdict.FAIL}


@pytest.mark.parametrize(
    ("title", "kind", "colour"),
    [
        ("navy ceramic mug", "mug", "navy"),
        ("midnight blue candle tin", "tin", "navy"),
        ("tube of cream", "tube", ""),
        ("orange honey jar", "jar", "orange"),
        ("fuchsia shopping bag NORTH", "tote", ""),
        ("white desk lamp", "", "white"),
        ("scarf with a trainertube print", "", ""),
        ("purple wine bottle", "", "purple"),
        ("white yoghurt cup", "", "white"),
        ("green E LOVE low-top shoe", "shoe", "green"),
    ],
)
def test_the_shipped_model_knows_what_it_was_taught_and_no_more(title: str, kind: str, colour: str) -> None:
    knows = load(EMBEDDED).knows
    assert knows is not None
    assert knows.of(title) == (kind, colour)
    assert (("product", title) in knows) == bool(kind)


def test_an_unknown_colour_is_told_apart_by_kind_alone() -> None:
    knows = load(EMBEDDED).knows
    assert knows is not None
    assert knows.apart("product", "fuchsia mug", "red bottle")
    assert not knows.apart("product", "fuchsia mug", "red mug")
    assert knows.apart("product", "blue mug", "red mug")
    assert not knows.apart("product", "gray mug", "grey cup")


def test_captions_and_references_are_encoded_once(one: CheckInput) -> None:
    aligner = load(EMBEDDED)
    seen: list[int] = []

    def counted(module: object, given: tuple[object, ...], out: object) -> None:
        seen.append(len(given[0]))  # type: ignore[arg-type]

    reference = np.full((64, 64, 3), 77, np.uint8)
    captions = ["a photo of a teal jar, once", "a photo of a pink jar, once"]
    for part in (aligner.model.visual, aligner.model.transformer):
        part.register_forward_hook(counted)  # type: ignore[union-attr]
    first = aligner.references([reference]), aligner.captions(captions)
    assert len(seen) == 2
    again = aligner.references([reference, reference]), aligner.captions(captions)
    assert len(seen) == 2
    assert np.array_equal(again[0][1], first[0][0])
    assert np.array_equal(again[1], first[1])


def test_missing_weights_are_refused_with_a_sentence(one: CheckInput, tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "open_clip_config.json", tmp_path)
    with pytest.raises(FixSettings, match=r"its weights \(open_clip_model.safetensors\) are missing there"):
        judge([asked(one, product="a mug")], AlignmentSettings(threshold=0.5, model=str(tmp_path)))


def test_a_missing_configuration_is_refused_with_a_sentence(one: CheckInput, tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "open_clip_model.safetensors", tmp_path)
    with pytest.raises(FixSettings, match=r"open_clip_config.json is missing there"):
        judge([asked(one, product="a mug")], AlignmentSettings(threshold=0.5, model=str(tmp_path)))


def test_weights_that_do_not_fit_are_refused_with_a_sentence(one: CheckInput, tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "open_clip_config.json", tmp_path)
    whole = (SHIPPED / "open_clip_model.safetensors").read_bytes()
    (tmp_path / "open_clip_model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FixSettings, match="cannot be loaded"):
        judge([asked(one, product="a mug")], AlignmentSettings(threshold=0.5, model=str(tmp_path)))


@pytest.mark.parametrize("model", ["assets/models/none", "ViT-B-32", "/no/such/folder"])
def test_a_model_that_is_nowhere_is_refused_with_a_sentence(one: CheckInput, model: str) -> None:
    with pytest.raises(FixSettings, match="there is no such folder"):
        judge([asked(one, product="a mug")], AlignmentSettings(threshold=0.5, model=model))


def test_an_open_clip_name_without_such_weights_is_refused(one: CheckInput) -> None:
    with pytest.raises(FixSettings, match="cannot be loaded"):
        judge([asked(one, product="a mug")], AlignmentSettings(threshold=0.5, model="ViT-B-32/no-such-tag"))
