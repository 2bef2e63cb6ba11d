"""Candidates differ as they say, and another engine takes the place of one that keeps failing."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packline.editing.engines import open_engine
from packline.editing.refine import Refined, refine
from packline.editing.variation import AS_ASKED
from packline.errors import GiveUp, TryAgain
from packline.funnel import candidate_seed
from packline.ladder import rungs_of
from packline.line import Line, Order
from packline.line.candidates import choose_engine, make_candidates
from packline.line.health import REST, Health
from packline.line.plan import Plan, Try, begin_run
from packline.line.references import render
from packline.line.rungs import terms_of
from packline.records import CandidateRecord, Wave
from packline.reference import Reference
from packline.settings import BudgetSettings, CandidateSettings, EngineSettings
from scoring.registry import checks
from tests.flows.conftest import TruthEngine
from tests.flows.house import ROWS, build_house

KEY = "MUG/table/front"
SPARE = """
[engines.spare]
name = "spare"
architecture = "flux2-klein-embedded"
model = "no weights"
refine = "off"
[engines.dear]
name = "dear"
architecture = "flux2-klein-embedded"
model = "no weights"
refine = "off"
price = 1.0
"""

House = tuple[Line, Plan, dict[str, TruthEngine]]
Drawing = tuple[Line, Plan, Any]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A line with three engines, and the references of four candidates."""
    assert checks()
    catalog = build_house(tmp_path_factory.mktemp("house"), ROWS[:1])
    settings = catalog.with_suffix(".toml")
    settings.write_text(settings.read_text().replace("[bucket]", f"{SPARE}[bucket]"))
    line = Line(Order(catalog), "checks")
    engines = {name: TruthEngine(name) for name in ("", "spare", "dear")}
    line.__dict__["engine"] = engines[""]
    line._engines = {name: engines[name] for name in ("spare", "dear")}  # type: ignore[misc]
    plan = begin_run(line)
    render(line, [Try(KEY, Wave(1, 0, 4))], lambda _: None)
    return line, plan, engines


def made(line: Line) -> dict[int, CandidateRecord]:
    found = line.ledger.candidates(KEY, line.shots[KEY].fingerprint)
    return {one.candidate.recipe.number: one for one in found}


def make(house: House, wave: Wave, **how: Any) -> dict[int, CandidateRecord]:
    line, plan, _ = house
    make_candidates(line, plan.run, [Try(KEY, wave)], lambda _: None, **how)
    return made(line)


def test_candidates_differ_in_their_pixels_as_they_say_and_their_truth_with_them(house: House) -> None:
    plain, other = (one.candidate for one in make(house, Wave(1, 0, 2)).values())
    strays = other.recipe.variation
    assert plain.recipe.variation == AS_ASKED
    assert plain.recipe.refined["mode"] == plain.recipe.refine
    assert 0.5 < plain.recipe.refined["agreement"] <= 1
    # there is no LoRA to be weaker or stronger
    assert {name for name in strays if strays[name] != AS_ASKED[name]} == set(AS_ASKED) - {"lora"}
    truths = [Reference.load(one.truth) for one in (plain, other)]
    masks = [truth.mask > 0 for truth in truths]
    both = masks[0] & masks[1]
    assert 0 < (masks[0] ^ masks[1]).sum() < 0.5 * both.sum()
    # not only moved: the same model under another light
    levels = [truth.colour[mask].mean() for truth, mask in zip(truths, masks, strict=True)]
    assert abs(levels[0] - levels[1]) > 0.3
    # this engine shows what it is shown: each candidate matches its own truth and not the other's
    for candidate, own, foreign in ((plain, *truths), (other, *truths[::-1])):
        picture = read(candidate.picture)
        solid = (own.mask == 255) & (foreign.mask == 255)
        assert np.abs(picture[solid] - own.colour[solid]).mean() < 0.5
        assert np.abs(picture[solid] - foreign.colour[solid]).mean() > 2


def test_what_has_its_number_is_never_made_again_whatever_engine_made_it(house: House) -> None:
    engines = house[2]
    make(house, Wave(1, 0, 2))
    before = {name: len(one.made) for name, one in engines.items()}
    engines[""].weights = "others"
    try:
        assert len(make(house, Wave(1, 0, 2))) == 2
    finally:
        engines[""].weights = "truth"
    assert {name: len(one.made) for name, one in engines.items()} == before


def test_an_engine_that_keeps_failing_makes_way_for_the_cheapest_that_can(house: House) -> None:
    line, _, engines = house
    now = [0.0]
    line.__dict__["health"] = Health(lambda: now[0])
    engines[""].faults = [TryAgain("no answer"), TryAgain("no answer"), TryAgain("no answer")]
    with pytest.raises(TryAgain):
        make(house, Wave(2, 10, 1))
    # Prefect has asked it again and again; this was the last time
    recipe = make(house, Wave(2, 10, 1), last_try=True)[10].candidate.recipe
    assert (recipe.engine["name"], recipe.changed) == ("spare", {"instead": "embedded"})
    assert len(engines[""].faults) == 1
    # it rests, and what comes meanwhile goes to the other at once
    assert make(house, Wave(2, 11, 1))[11].candidate.recipe.engine["name"] == "spare"
    now[0] = REST
    engines[""].faults = []
    assert make(house, Wave(2, 12, 1))[12].candidate.recipe.engine["name"] == ""


def changed_settings(line: Line, **tables: Any) -> Any:
    """The line's settings with other fields in some of their tables."""
    now = line.settings
    new = {name: getattr(now, name).model_copy(update=fields) for name, fields in tables.items()}
    return now.model_copy(update=new)


def test_with_a_budget_in_dollars_no_dearer_engine_spends_what_was_set_aside(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, _, engines = house
    asked, dear = Try(KEY, Wave(1, 2, 1)), Try(KEY, Wave(2, 2, 1, "dear"))
    budget, free = ({"budget": BudgetSettings(dollars=dollars)} for dollars in (5, None))
    ladder = {"waves": 2, "ladder": ("dear",)}
    monkeypatch.setitem(line.__dict__, "settings", with_fields(line, run=budget, candidates=ladder))
    monkeypatch.setitem(line.__dict__, "health", Health(lambda: 0.0))
    line.health.failed("spare")
    engines[""].faults = [TryAgain("no answer.", 3)]
    with pytest.raises(TryAgain) as caught:
        make(house, asked.wave, last_try=True)
    assert str(caught.value) == (
        "no answer. No other engine took its place: the run's budget in dollars set this one's price aside, "
        "which is less than theirs (dear at $1 a candidate)."
    )
    assert caught.value.retry_after == 3
    assert asked.wave.first not in made(line)
    assert choose_engine(line, asked) == ""
    monkeypatch.setitem(line.__dict__, "settings", with_fields(line, run=free))
    assert choose_engine(line, asked) == "dear"
    # what costs no more may step in
    monkeypatch.setitem(line.__dict__, "settings", with_fields(line, run=budget))
    monkeypatch.setitem(line.__dict__, "health", Health(lambda: 0.0))
    line.health.failed("dear")
    assert choose_engine(line, dear) in ("", "spare")


def with_fields(line: Line, **tables: Any) -> Any:
    """The line's settings with other fields in some of their tables."""
    now = line.settings
    new = {name: getattr(now, name).model_copy(update=fields) for name, fields in tables.items()}
    return now.model_copy(update=new)


def test_an_engine_in_anothers_place_edits_on_its_own_terms_and_the_recipe_says_what_acted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, _, engines = house
    planned, own = line.shots[KEY], line.settings.engine
    sdxl = own.model_copy(update={"name": "photo", "architecture": "sdxl", "refine": "labels"})
    klein = own.model_copy(update={"name": "klein", "refine": "product"})
    usual = CandidateSettings(waves=4)

    def told(engine: EngineSettings, spare: EngineSettings) -> list[tuple[Any, ...]]:
        changed = {"engine": engine, "engines": {"spare": spare}, "candidates": usual}
        monkeypatch.setitem(line.__dict__, "settings", line.settings.model_copy(update=changed))
        waves = [Wave(number, rung=rung) for number, rung in enumerate(rungs_of(usual), 1)]
        terms = [terms_of(line, planned, wave, "spare") for wave in waves]
        return [(one.denoise, one.adherent, one.refine, one.changed) for one in terms]

    instead: dict[str, Any] = {"instead": "klein"}
    denoise = {"denoise": 0.45}
    assert told(klein, sdxl) == [
        (None, False, "labels", instead),
        (None, False, "labels", instead),
        (0.45, False, "labels", instead | denoise),
        (0.45, False, "product", instead | denoise | {"refine": "product"}),
    ]
    # it gives up no share of a start, and has nothing stronger to put back
    instead = {"instead": "photo"}
    assert told(sdxl, klein) == [
        (None, False, "product", instead),
        (None, False, "product", instead),
        (None, True, "product", instead),
        (None, True, "product", instead),
    ]
    monkeypatch.setitem(line.__dict__, "health", Health(lambda: 0.0))
    engines[""].faults = [TryAgain("no answer")]
    recipe = make(house, Wave(1, 3, 1), last_try=True)[3].candidate.recipe
    assert (recipe.engine["name"], recipe.refine, recipe.changed) == ("spare", "product", instead)
    assert recipe.refined["mode"] == "product"


def test_where_every_engine_fails_the_fault_is_told(house: House) -> None:
    line, _, engines = house
    line.__dict__["health"] = Health(lambda: 0.0)
    for one in engines.values():
        one.faults = [TryAgain("no answer")] * 2
    with pytest.raises(TryAgain, match="no answer"):
        make(house, Wave(3, 20, 1), last_try=True)
    for one in engines.values():
        one.faults = []


def test_a_candidate_that_is_no_picture_is_left_out_and_its_engine_stays_at_work(house: House) -> None:
    line, _, engines = house
    line.__dict__["health"] = Health(lambda: 0.0)
    engines[""].spoils = {candidate_seed(line.settings.run.seed, KEY, 31)}
    try:
        found = make(house, Wave(4, 30, 2), last_try=True)
    finally:
        engines[""].spoils = set()
    assert 30 in found
    assert 31 not in found
    assert line.health.well("")


def test_a_shot_of_which_no_seed_gives_a_picture_is_given_up_at_the_second(drawing: Drawing) -> None:
    line, plan, _ = drawing
    engine, key = TruthEngine(), "CAN/shelf/front"
    seeds = [candidate_seed(line.settings.run.seed, key, number) for number in (0, 1)]
    engine.spoils = set(seeds)
    own = line.__dict__["engine"]
    line.__dict__["engine"] = engine
    try:
        # another seed may do better
        make_candidates(line, plan.run, [Try(key, Wave(1, 0, 1))], lambda _: None)
        with pytest.raises(GiveUp, match=rf"Shot {key}: seed {seeds[1]} gives no numbers\."):
            make_candidates(line, plan.run, [Try(key, Wave(2, 1, 1))], lambda _: None)
    finally:
        line.__dict__["engine"] = own


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    """A line whose engine is small and real, with batches of two, and a LoRA."""
    from tests.editing.tiny_models import klein_lora, save_klein

    row = "MUG,beige ceramic mug,mug-sunday.glb,table:front,,warm,0.5"
    off = ROWS[1].removesuffix(",,,") + ",,warm,0"
    catalog = build_house(tmp_path_factory.mktemp("drawing"), (row, off))
    folder = catalog.parent
    klein_lora(folder / "warm.safetensors", seed=1)
    own = "flux2-klein-embedded"
    preset = {
        "label": "warm",
        "base_architecture": own,
        "path": "warm.safetensors",
        "prompt": "in warm light",
    }
    (folder / "presets.json").write_text(json.dumps({"loras": [preset]}))
    line = Line(Order(catalog), "checks")
    settings = EngineSettings(
        architecture=own,
        model=str(save_klein(folder / "klein")),
        device="cpu",
        dtype="float32",
        size=64,
        steps=1,
        batch=2,
        overlap="on",
        long_prompt="trim",
    )
    engine = open_engine(settings, line.presets)
    line.__dict__["engine"] = engine
    engine.warm_up()
    return line, begin_run(line), engine._driver  # type: ignore[attr-defined]


def test_with_a_lora_a_batch_is_decoded_while_the_next_is_drawn_and_recorded_before_it_is_done(
    drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, plan, driver = drawing
    decode, course = driver.decode, []

    def noted(latents: Any) -> Any:
        course.append((threading.current_thread() is threading.main_thread(), len(made(line))))
        if len(course) == 2:
            raise KeyboardInterrupt
        return decode(latents)

    monkeypatch.setattr(driver, "decode", noted)
    wave = Try(KEY, Wave(1, 0, 4))
    with pytest.raises(KeyboardInterrupt):
        make_candidates(line, plan.run, [wave], lambda _: None)
    # the first batch in the other thread; it is in the ledger when the last one is decoded, and stays there
    assert course == [(False, 0), (True, 2)]
    assert sorted(made(line)) == [0, 1]
    make_candidates(line, plan.run, [wave], lambda _: None)
    recipes = [record.candidate.recipe for record in made(line).values()]
    assert len(recipes) == 4
    assert [recipe.engine["batch"] for recipe in recipes] == [2] * 4, "one strength for all of the wave"
    assert {recipe.loras[0]["strength"] for recipe in recipes} == {0.5}


def test_a_lora_at_strength_0_is_none_to_refine_and_to_denoise(
    drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, plan, _ = drawing
    styles = []

    def noted(*given: Any, styled: bool) -> Refined:
        styles.append(styled)
        return refine(*given, styled=styled)

    monkeypatch.setattr("packline.line.candidates.refine", noted)
    off = "CAN/table/front"
    for key, wave in ((off, Wave(1, 0, 1)), (KEY, Wave(2, 4, 1))):
        make_candidates(line, plan.run, [Try(key, wave)], lambda _: None)
    assert styles == [False, True]
    assert made(line)[4].candidate.recipe.loras[0]["strength"] == 0.45, "the second four are a little weaker"

    engine = line.settings.engine.model_copy(update={"architecture": "sdxl"})
    changed = {"engine": engine, "candidates": CandidateSettings(waves=4)}
    monkeypatch.setitem(line.__dict__, "settings", line.settings.model_copy(update=changed))
    adherence = Wave(3, rung="adherence")
    denoise = {key: terms_of(line, line.shots[key], adherence).denoise for key in (off, KEY)}
    assert denoise == {off: 0.45, KEY: 0.375}


def read(file: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(file).convert("RGB"), float)
