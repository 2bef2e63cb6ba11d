"""The ladder: which rung a wave climbs, and what the rungs below it leave in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from packline.editing.architectures import ARCHITECTURES
from packline.errors import FixSettings
from packline.ladder import (
    denoise_at,
    engine_at,
    fewest_steps,
    learned_as,
    refine_at,
    rung_words,
    rungs_of,
    up_to,
)
from packline.records import Wave
from packline.settings import CandidateSettings, load_settings
from tests.parts import make_folder


def waves_of(settings: CandidateSettings) -> list[Wave]:
    return [Wave(number, rung=rung) for number, rung in enumerate(rungs_of(settings), start=1)]


def ask(waves: int, *ladder: str, **more: Any) -> CandidateSettings:
    return CandidateSettings(waves=waves, ladder=ladder, **more)


def test_each_wave_climbs_a_rung_and_waves_beyond_the_ladder_are_new_seeds_first() -> None:
    assert rungs_of(CandidateSettings()) == ("asked", "seeds", "adherence", "refine")
    # the usual ladder is climbed as far as the waves go
    assert rungs_of(CandidateSettings(waves=2)) == ("asked", "seeds")
    assert rungs_of(ask(5, "refine", "spare")) == ("asked", "seeds", "seeds", "refine", "spare")
    assert rungs_of(ask(1)) == ("asked",)


def test_what_a_rung_changes_stays_so_on_those_above_it() -> None:
    settings = ask(5, "seeds", "adherence", "refine", "spare")
    waves = waves_of(settings)
    assert up_to(settings, waves[3]) == ("asked", "seeds", "adherence", "refine")
    assert [engine_at(settings, wave) for wave in waves] == ["", "", "", "", "spare"]
    assert refine_at(up_to(settings, waves[4]), "labels") == "product"
    assert refine_at(up_to(settings, waves[2]), "labels") == "labels"
    assert [refine_at(("refine",), usual) for usual in ("off", "labels", "product")] == [
        "labels", "product", "product",
    ]  # fmt: skip


def test_new_seeds_above_other_rungs_keep_what_those_changed() -> None:
    settings = ask(6, "seeds", "adherence", "seeds", "spare", "seeds")
    waves = waves_of(settings)
    assert up_to(settings, waves[3]) == ("asked", "seeds", "adherence", "seeds")
    assert denoise_at(up_to(settings, waves[3]), 0.6) == 0.45
    assert denoise_at(up_to(settings, waves[1]), 0.6) is None
    assert [engine_at(settings, wave) for wave in waves] == ["", "", "", "", "spare", "spare"]


def test_a_wave_that_was_promised_under_another_ladder_finds_its_rung() -> None:
    settings = ask(4, "adherence", "refine", "spare")
    assert up_to(settings, Wave(5, rung="refine")) == ("asked", "adherence", "refine")
    assert up_to(settings, Wave(2, rung="seeds")) == ("asked",)


@pytest.mark.parametrize(
    ("waves", "ladder", "said"),
    [
        (4, ["seeds", "adherence", "refine", "spare"], "the ladder has 4 rungs, but of 4 waves the first is"),
        (1, ["seeds"], "the ladder has 1 rung, but of 1 wave the first is as asked; set waves to 2 at least"),
    ],
)
def test_a_ladder_that_would_never_be_climbed_to_its_end_is_refused(
    tmp_path: Path, waves: int, ladder: list[str], said: str
) -> None:
    make_folder(tmp_path)
    file = tmp_path / "demo.toml"
    file.write_text(file.read_text().replace("waves = 3", f"waves = {waves}\nladder = {ladder}") + SPARE)
    with pytest.raises(FixSettings, match=said):
        load_settings(file)


@pytest.mark.parametrize(
    ("architecture", "ladder", "fewest", "share"),
    [
        ("sdxl", ("seeds",), 2, 0.5),
        ("sdxl", ("adherence",), 3, 0.375),
        ("flux1-kontext", ("adherence",), 1, 1.0),
        ("flux2-klein-4b", ("adherence",), 1, 1.0),
    ],
)
def test_the_least_denoise_of_the_ladder_says_how_many_steps_are_needed(
    architecture: str, ladder: tuple[str, ...], fewest: int, share: float
) -> None:
    known = ARCHITECTURES[architecture]
    assert fewest_steps(ask(2, *ladder), known) == (fewest, share)
    assert int(fewest * share) == 1


def test_adherence_gives_up_less_of_the_start_but_never_nothing() -> None:
    assert denoise_at(("asked", "adherence"), 0.6) == 0.45
    assert denoise_at(("asked", "adherence"), 0.22) == 0.2
    assert denoise_at(("asked", "adherence"), 0.2) is None
    assert denoise_at(("asked", "seeds"), 0.6) is None


def test_new_seeds_are_counted_with_what_was_asked_for() -> None:
    assert [learned_as(rung) for rung in ("asked", "seeds", "refine", "spare")] == ["", "", "refine", "spare"]


def test_a_rung_is_told_in_words() -> None:
    assert rung_words("asked", {}) == "as asked"
    assert rung_words("adherence", {"denoise": 0.45}) == "closer to the 3D model (denoise 0.45)"
    assert rung_words("adherence", {"references": ["back"]}) == "more references"
    assert rung_words("refine", {"refine": "product"}) == "more of the 3D model put back (refine product)"
    assert rung_words("spare", {}) == "engine spare"


def test_a_rung_that_an_engine_in_anothers_place_did_not_climb_is_not_told_as_climbed() -> None:
    instead = {"instead": "spare"}
    assert [rung_words(rung, instead) for rung in ("adherence", "refine", "spare")] == [
        "another engine than spare"
    ] * 3
    assert rung_words("asked", instead) == "as asked"
    assert rung_words("adherence", {**instead, "references": ["back"]}) == "more references"
    assert rung_words("adherence", {**instead, "denoise": 0.4}) == "closer to the 3D model (denoise 0.4)"
    assert rung_words("refine", {**instead, "refine": "product"}).endswith("put back (refine product)")


def test_settings_say_what_a_shot_may_cost() -> None:
    assert (ask(3, wave=2).fixed, ask(3, wave=2).total) == (2, 6)
    assert (ask(3, wave=2, most=5).total, ask(4).fixed, ask(4).total) == (5, None, 16)


def test_a_budget_that_is_just_one_wave_is_enough(tmp_path: Path) -> None:
    make_folder(tmp_path)
    file = tmp_path / "demo.toml"
    text = file.read_text().replace("size = 256", "size = 256\nbudget = { dollars = 0.3 }")
    text = text.replace("wave = 2", "wave = 3").replace('"weights"', '"weights"\nprice = 0.1')
    file.write_text(text)
    assert 0.3 < 3 * 0.1
    assert load_settings(file).run.budget.dollars == 0.3


SPARE = '[engines.spare]\nname = "spare"\narchitecture = "sdxl"\nmodel = "weights"\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wave = 2", 'wave = 2\nladder = ["spare"]', "candidates.ladder names 'spare', which is neither"),
        ("wave = 2", 'wave = 2\nladder = ["asked"]', "which the first wave is anyway"),
        ("wave = 2", 'wave = 2\nladder = ["refine", "refine"]', "stands there once"),
        ("wave = 2", 'wave = "some"', "key candidates.wave"),
        ("size = 256", "size = 256\nbudget = { candidates = 1 }", "run.budget.candidates must be 2 at least"),
        (
            "[candidates]",
            f"{SPARE.replace('spare', 'refine')}[candidates]",
            "an engine cannot be called refine",
        ),
        ("[candidates]", f"{SPARE}price = 0.5\n[candidates]\n", ""),
        (
            "size = 256",
            "size = 256\nbudget = { dollars = 0.9 }\n# dear",
            "run.budget.dollars must be 1 at least",
        ),
    ],
)
def test_settings_that_do_not_agree_are_refused_in_a_sentence(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    make_folder(tmp_path)
    file = tmp_path / "demo.toml"
    text = file.read_text().replace(old, new)
    if "# dear" in new:
        text = text.replace('model = "weights"', 'model = "weights"\nprice = 0.5')
    file.write_text(text)
    if not said:
        assert load_settings(file).engines["spare"].price == 0.5
        return
    with pytest.raises(FixSettings) as caught:
        load_settings(file)
    assert said in str(caught.value) and "key  " not in str(caught.value)
