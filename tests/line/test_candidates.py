"""Candidates differ as they say, and another engine takes the place of one that keeps failing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packline.editing.variation import AS_ASKED
from packline.errors import TryAgain
from packline.line import Line, Order
from packline.line.candidates import make_candidates
from packline.line.health import REST, Health
from packline.line.plan import Plan, Try, begin_run
from packline.line.references import render
from packline.records import CandidateRecord, Wave
from packline.reference import Reference
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


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A line with three engines, and the references of a wave of two."""
    assert checks()
    catalog = build_house(tmp_path_factory.mktemp("house"), ROWS[:1])
    settings = catalog.with_suffix(".toml")
    settings.write_text(settings.read_text().replace("[bucket]", f"{SPARE}[bucket]"))
    line = Line(Order(catalog), "checks")
    engines = {name: TruthEngine(name) for name in ("", "spare", "dear")}
    line.__dict__["engine"] = engines[""]
    line._engines = {name: engines[name] for name in ("spare", "dear")}  # type: ignore[misc]
    plan = begin_run(line)
    render(line, [Try(KEY, Wave(1, 0, 2))], lambda _: None)
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


def test_where_every_engine_fails_the_fault_is_told(house: House) -> None:
    line, _, engines = house
    line.__dict__["health"] = Health(lambda: 0.0)
    for one in engines.values():
        one.faults = [TryAgain("no answer")] * 2
    with pytest.raises(TryAgain, match="no answer"):
        make(house, Wave(3, 20, 1), last_try=True)
    for one in engines.values():
        one.faults = []


def read(file: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(file).convert("RGB"), float)
