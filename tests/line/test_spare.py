"""Engines of the ladder that cannot work: what is seen in the settings is refused, the rest passed over."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from packline.errors import FixSettings, TryAgain
from packline.line import Line, Order
from packline.line.candidates import make_candidates
from packline.line.health import Health
from packline.line.plan import Plan, Try, begin_run
from packline.line.references import render
from packline.line.rungs import idle, not_climbed
from packline.line.selects import select_or_flag
from packline.line.waves import Next, Sizes
from packline.records import ShotState, Wave
from tests.flows.conftest import TruthEngine
from tests.flows.house import ROWS, build_house
from tests.parts import make_folder, scorecard

KEY = "MUG/table/front"
SPARE = """
[engines.spare]
name = "spare"
architecture = "flux2-klein-embedded"
model = "no weights"
[engines.dear]
name = "dear"
architecture = "flux2-klein-embedded"
model = "no weights"
price = 1.0
"""
LADDER = 'waves = 3\nladder = ["spare", "dear"]\n'
BROKEN = (
    "Settings key engine.model: /models/spare cannot be loaded as Flux2KleinPipeline; restore the folder."
)

House = tuple[Line, Plan, dict[str, "Engine"]]


class Engine(TruthEngine):
    """One that may not load."""

    broken = ""

    def warm_up(self) -> None:
        if self.broken:
            raise FixSettings(self.broken)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> House:
    catalog = build_house(tmp_path_factory.mktemp("house"), ROWS[:1])
    settings = catalog.with_suffix(".toml")
    text = settings.read_text().replace("[bucket]", f"{SPARE}[bucket]")
    settings.write_text(text.replace("waves = 2\n", LADDER))
    line = Line(Order(catalog), "checks")
    engines = {name: Engine(name) for name in ("", "spare", "dear")}
    line.__dict__["engine"] = engines[""]
    line._engines = {name: engines[name] for name in ("spare", "dear")}
    plan = begin_run(line)
    render(line, [Try(KEY, Wave(1, 0, 1))], lambda _: None)
    return line, plan, engines


@pytest.fixture
def house(built: House) -> House:
    """Its engines are well."""
    line, _, engines = built
    line.__dict__["health"] = Health(lambda: 0.0)
    for one in engines.values():
        one.broken, one.faults = "", []
    return built


def make(house: House, wave: Wave, *, last_try: bool = False) -> list[int]:
    """Numbers of the wave's candidates that are there then."""
    line, plan, _ = house
    make_candidates(line, plan.run, [Try(KEY, wave)], lambda _: None, last_try=last_try)
    there = line.ledger.candidates(KEY, line.shots[KEY].fingerprint)
    return [one.candidate.recipe.number for one in there if one.candidate.recipe.number in wave.numbers]


def test_a_rung_whose_engine_cannot_load_makes_nothing_and_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    line, _, engines = house
    engines["spare"].broken = BROKEN
    wave = Wave(2, 10, 1, "spare")
    assert idle(line, line.shots[KEY], wave) == "" == line.health.refusal("spare")
    with caplog.at_level(logging.WARNING):
        assert make(house, wave) == []
        assert make(house, wave) == []
    assert [one.message for one in caplog.records] == [f"[engines.spare] is passed over: {BROKEN}"]
    why = BROKEN.removesuffix(".")
    assert not_climbed(line, wave, []) == (("spare", why),)
    assert idle(line, line.shots[KEY], wave) == why
    # the rung above it is climbed
    assert not_climbed(line, Wave(3, 11, 1, "dear"), []) == ()
    assert make(house, Wave(3, 11, 1, "dear")) == [11]


def test_the_flag_of_a_shot_says_which_engine_could_not_load(house: House) -> None:
    line, plan, engines = house
    assert make(house, Wave(1, 0, 1)) == [0]
    planned = line.shots[KEY]
    for one in line.ledger.candidates(KEY, planned.fingerprint):
        line.ledger.record_scorecard(plan.run, one.candidate.id, line.checks, scorecard(False))
    engines["spare"].broken = BROKEN
    last = Wave(2, 20, 1, "spare")
    assert make(house, last) == []
    assert select_or_flag(line, plan.run, [Try(KEY, last)], last=True) == {}
    (shot,) = line.ledger.shots("small")
    assert f"Not tried: engine spare ({BROKEN.removesuffix('.')})." in shot.sentence
    assert shot.state == ShotState.FLAGGED


def test_one_that_takes_anothers_place_and_cannot_load_makes_way_for_the_next(house: House) -> None:
    line, _, engines = house
    engines[""].faults = [TryAgain("no answer")] * 2
    engines["spare"].broken = BROKEN
    assert make(house, Wave(1, 30, 1), last_try=True) == [30]
    (recipe,) = [
        one.candidate.recipe
        for one in line.ledger.candidates(KEY, line.shots[KEY].fingerprint)
        if one.candidate.recipe.number == 30
    ]
    assert (recipe.engine["name"], recipe.changed) == ("dear", {"instead": "embedded"})
    assert recipe.refine == "product", "as its own settings say, not as those of the one that failed"


def test_labels_are_not_put_back_where_none_is_in_view(tmp_path: Path) -> None:
    catalog = build_house(tmp_path, ("MUG,beige mug,mug-sunday.glb,table:front; table:back,,,",))
    settings = catalog.with_suffix(".toml")
    settings.write_text(settings.read_text().replace("waves = 2\n", 'waves = 2\nladder = ["refine"]\n'))
    line = Line(Order(catalog), "checks")
    line.__dict__["engine"] = Engine("")
    begin_run(line)
    keys, rung = ("MUG/table/front", "MUG/table/back"), Wave(2, rung="refine")
    render(line, [Try(key, Wave(1, 0, 1)) for key in keys], lambda _: None)
    front, back = (line.shots[key] for key in keys)
    assert (idle(line, front, rung), idle(line, back, rung)) == ("", "no label is in view")
    assert Sizes(line, [back]).next(back, [], Wave(1, 0, 1), 0) == Next(
        None, (("refine", "no label is in view"),)
    )
    # that a person asks for labels changes no picture, but the whole product does
    asked = replace(back, instructions={"refine": "labels"})
    assert idle(line, asked, rung) == ""


def test_the_runs_own_engine_that_cannot_load_stops_the_run(house: House) -> None:
    engines = house[2]
    engines[""].broken = BROKEN
    with pytest.raises(FixSettings, match="cannot be loaded"):
        make(house, Wave(1, 40, 1))


@pytest.mark.parametrize(
    ("name", "ladder", "steps", "said"),
    [
        (
            "",
            'ladder = ["adherence"]',
            2,
            "^Settings key engine.steps is 2, but sdxl runs 0.375 of its steps",
        ),
        (
            "spare",
            'ladder = ["adherence", "spare"]',
            2,
            r"^\[engines\.spare\]: Settings key engine.steps is 2",
        ),
        ("spare", 'ladder = ["spare"]', 1, "runs 0.5 of its steps only .* and needs 2 or more; raise it"),
        ("spare", 'ladder = ["spare"]', 2, ""),
        ("", 'ladder = ["adherence"]', 3, ""),
    ],
)
def test_too_few_steps_for_the_ladder_are_told_before_anything_is_made(
    tmp_path: Path, name: str, ladder: str, steps: int, said: str
) -> None:
    make_folder(tmp_path)
    file = tmp_path / "demo.toml"
    sdxl = f'architecture = "sdxl"\nmodel = "weights"\nsteps = {steps}\n'
    own = 'architecture = "flux2-klein-embedded"\nmodel = "weights"\n'
    text = file.read_text().replace("waves = 3", f"waves = 3\n{ladder}")
    text = text.replace(own, sdxl) if not name else f"{text}[engines.{name}]\n{sdxl}"
    file.write_text(text)
    line = Line(Order(tmp_path / "demo.csv"), "checks")
    line._engines = {"spare": TruthEngine()}
    if not said:
        line.check_engines()
        return
    with pytest.raises(FixSettings, match=said):
        line.check_engines()
