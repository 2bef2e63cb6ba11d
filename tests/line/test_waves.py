"""Waves are sized by what the ledger has seen, once, and within the run's budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packline.ledger.duties import PLANNED, SCORED, WAITS, Stretch
from packline.line import Line
from packline.line.plan import Plan, Try, begin_run
from packline.line.selects import select_or_flag
from packline.line.waves import open_wave
from packline.pass_rates import Group
from packline.records import ShotState, Wave, Work
from tests.line.shop import EVERY, A, B, C, Shop, build_shop
from tests.parts import make_candidate, scorecard

FIXED = "wave = 2\nwaves = 3"
ADAPTIVE = 'wave = "adaptive"\nwaves = 3\nladder = ["seeds"]'


@pytest.fixture
def shop(tmp_path: Path, ledger_url: str) -> Shop:
    """On both databases."""
    return build_shop(tmp_path, ledger_url)


def settings(shop: Shop, old: str, new: str) -> None:
    file = shop.folder / "demo.toml"
    assert file.read_text().count(old) == 1
    file.write_text(file.read_text().replace(old, new))


def opened(line: Line, plan: Plan, wave: int = 1) -> dict[str, Wave]:
    """Open a wave: what each shot of it gets."""
    opening = open_wave(line, plan.run, wave)
    found = {due.key: due.wave for due in line.ledger.duties.chunk(at(plan, wave), None, 100)}
    assert opening.candidates == sum(one.size for one in found.values())
    return found


def at(plan: Plan, wave: int, stage: str = PLANNED) -> Stretch:
    return Stretch(plan.run, Work.MAKE, wave, stage)


def judge(line: Line, plan: Plan, key: str, wave: Wave, *passes: bool) -> None:
    """Make a wave's candidates and judge them."""
    for number, passed in zip(wave.numbers, passes, strict=True):
        facts = {"rung": wave.rung, "engine": Shop_engine}
        made = make_candidate(line.work, key, line.shots[key].fingerprint, number, **facts)
        line.ledger.record_candidate(plan.run, made)
        line.ledger.record_scorecard(plan.run, made.id, line.checks, scorecard(passed))


Shop_engine: dict[str, Any] = {"weights_sha256": "w" * 64, "steps": 4}


def test_a_fixed_wave_is_as_large_as_the_settings_say(shop: Shop) -> None:
    line = shop.line()
    assert opened(line, begin_run(line)) == dict.fromkeys(EVERY, Wave(1, 0, 2, "asked"))


def test_a_wave_is_sized_once_whatever_is_learned_thereafter(shop: Shop) -> None:
    settings(shop, FIXED, ADAPTIVE)
    line = shop.line()
    plan = begin_run(line)
    first = opened(line, plan)
    # nothing is known of any product yet: three are worth it, and there are three waves
    assert {one.size for one in first.values()} == {1}
    for key in (*A, *B):
        judge(line, plan, key, first[key], False)
    line.ledger.end_run(plan.run, "cancelled", {})

    line = shop.line()
    assert opened(line, begin_run(line)) == first


def test_a_new_shot_gets_fewer_once_others_have_passed(shop: Shop) -> None:
    settings(shop, FIXED, ADAPTIVE)
    shop.write("B1,plain bottle,bottle.glb,table,,,", *(f"S{i},red shoe,shoe.glb,table,,," for i in range(9)))
    line = shop.line()
    plan = begin_run(line)
    for key, wave in opened(line, plan).items():
        judge(line, plan, key, wave, *[True] * wave.size)
    line.ledger.end_run(plan.run, "completed", {})
    shop.write(*(f"{kind}9,new {kind},shoe.glb,table,,," for kind in ("shoe", "hat")))
    line = shop.line()
    assert {wave.size for wave in opened(line, begin_run(line)).values()} == {1}


def test_passes_are_counted_by_what_their_shot_had_seen_before(shop: Shop) -> None:
    line = shop.line()
    plan = begin_run(line)
    key = A[0]
    judge(line, plan, key, Wave(1, 0, 2), False, True)
    judge(line, plan, key, Wave(2, 2, 1, "seeds"), True)
    judge(line, plan, key, Wave(3, 3, 1, "refine"), False)
    # judged again under the same checks, a candidate is not counted again
    again = line.ledger.candidates(key, line.shots[key].fingerprint)[0].candidate.id
    line.ledger.record_scorecard(plan.run, again, line.checks, scorecard(True))
    # the candidates that the tests make have no LoRA
    shoe = Group("shoe", "", "wwwwwwwwwwww")
    rates = line.ledger.waves.rates("demo", line.checks, [shoe])
    assert [(one.passes, one.fails, one.tried, one.passed) for one in rates._seen[shoe]] == [
        (0, 0, 1, 0),
        (0, 1, 1, 1),
        (1, 1, 1, 1),
    ]
    assert [(one.tried, one.passed) for one in rates._whole["wwwwwwwwwwww", "refine"]] == [(1, 0)]
    assert line.ledger.waves.rates("demo", "other checks", [shoe])._whole == {}


def decided(line: Line, plan: Plan, waves: dict[str, Wave]) -> dict[str, Wave]:
    line.ledger.duties.advance(plan.run, list(waves), SCORED)
    return select_or_flag(line, plan.run, [Try(*one) for one in waves.items()], last=False)


def test_what_fails_climbs_the_ladder_and_the_flag_says_what_was_tried(shop: Shop) -> None:
    settings(shop, FIXED, 'wave = 1\nwaves = 4\nladder = ["seeds", "refine"]')
    # the first rung of seeds is the wave that the ladder does not name
    settings(shop, 'model = "weights"', 'model = "weights"\nrefine = "labels"')
    line = shop.line(only=("B1",))
    plan, key = begin_run(line), B[0]
    wave = opened(line, plan)
    seen = []
    while wave:
        seen.append(wave[key])
        judge(line, plan, key, wave[key], False)
        wave = decided(line, plan, wave)
        if wave:
            assert opened(line, plan, wave[key].number) == wave
    assert seen == [Wave(1, 0, 1), Wave(2, 1, 1, "seeds"), Wave(3, 2, 1, "seeds"), Wave(4, 3, 1, "refine")]
    sentence = shop.shots()[key].sentence
    assert sentence.startswith("None of 4 candidates passed.")
    assert "Tried: 1 as asked, 2 new seeds, 1 more of the 3D model put back" in sentence


def test_a_rung_that_would_change_nothing_is_passed_over_and_the_flag_says_why(shop: Shop) -> None:
    settings(shop, FIXED, 'wave = 1\nwaves = 2\nladder = ["refine"]')
    line = shop.line(only=("B1",))
    plan, key = begin_run(line), B[0]
    wave = opened(line, plan)
    judge(line, plan, key, wave[key], False)
    assert decided(line, plan, wave) == {}
    sentence = shop.shots()[key].sentence
    assert sentence.endswith("Not tried: more of the 3D model put back (refine stronger) "
                             "(refine is 'product' already).")  # fmt: skip


def test_no_more_candidates_are_made_than_a_shot_may_have(shop: Shop) -> None:
    settings(shop, FIXED, 'wave = 2\nwaves = 3\nladder = ["seeds", "seeds"]\nmost = 3')
    line = shop.line(only=("B1",))
    plan, key = begin_run(line), B[0]
    wave = opened(line, plan)
    judge(line, plan, key, wave[key], False, False)
    wave = decided(line, plan, wave)
    assert wave == {key: Wave(2, 2, 1, "seeds")}
    judge(line, plan, key, wave[key], False)
    assert decided(line, plan, wave) == {}
    assert "3 candidates are the most for a shot" in shop.shots()[key].sentence


def test_a_shot_that_hardly_ever_passes_is_given_up_sooner_than_the_waves_run_out(shop: Shop) -> None:
    settings(shop, FIXED, ADAPTIVE)
    shop.write(*(f"S{i:02},red shoe,shoe.glb,table,,," for i in range(30)))
    line = shop.line()
    plan = begin_run(line)
    first = opened(line, plan)
    keys = list(first)
    # shots are not alike: some pass every time, most never
    for key in keys[:6]:
        judge(line, plan, key, first[key], *[True] * first[key].size)
    for key in keys[6:]:
        judge(line, plan, key, first[key], *[False] * first[key].size)
    second = decided(line, plan, first)
    assert list(second) == keys[6:]
    for key, wave in opened(line, plan, 2).items():
        judge(line, plan, key, wave, *[False] * wave.size)
    # there would be a third wave, but two in a row tell enough
    assert decided(line, plan, second) == {}
    states = {key: shot.state for key, shot in shop.shots().items()}
    assert [states[key] for key in keys] == [ShotState.SELECTED] * 6 + [ShotState.FLAGGED] * 24
    assert "another select would take more than 20 candidates" in shop.shots()[keys[-1]].sentence


def test_a_decision_that_was_promised_stands_when_more_is_known(shop: Shop) -> None:
    settings(shop, FIXED, ADAPTIVE)
    line = shop.line(only=("B1",))
    plan, key = begin_run(line), B[0]
    first = opened(line, plan)
    judge(line, plan, key, first[key], False)
    second = decided(line, plan, first)
    assert second[key].number == 2
    line.ledger.end_run(plan.run, "cancelled", {})

    line = shop.line(only=("B1",))
    plan = begin_run(line)
    assert opened(line, plan) == first
    # as if a killed run had judged others meanwhile: nobody would try again now
    for shot in EVERY[:3]:
        judge(line, plan, shot, Wave(1, 10, 12), *[False] * 12)
    assert decided(line, plan, first) == second
    assert opened(line, plan, 2) == second


def test_what_the_budget_does_not_cover_stays_to_do_and_the_next_run_goes_on(shop: Shop) -> None:
    settings(shop, "size = 256", "size = 256\nbudget = { candidates = 5 }")
    line = shop.line()
    plan = begin_run(line)
    wave = opened(line, plan)
    assert list(wave) == list(A)
    assert line.ledger.waves.waiting(plan.run, WAITS) == 2
    shot = shop.shots()[B[0]]
    assert (shot.state, shot.reason) == (ShotState.TODO, "budget")
    assert shot.sentence == "The run's budget (5 candidates) is spent; the next run goes on."
    for key in A:
        judge(line, plan, key, wave[key], True, True)
    assert decided(line, plan, wave) == {}
    # what was made counts, whichever wave it was of
    assert line.ledger.waves.spent(plan.run)[0] == 4
    line.ledger.end_run(plan.run, "completed with flags", {})
    assert shop.why() == dict.fromkeys((*B, *C), "the last run's budget was spent")


def test_what_is_there_already_costs_nothing(shop: Shop) -> None:
    settings(shop, "size = 256", "size = 256\nbudget = { candidates = 3 }")
    line = shop.line()
    plan = begin_run(line)
    judge(line, plan, A[0], Wave(1, 0, 2), True, True)
    line.ledger.end_run(plan.run, "cancelled", {})
    line = shop.line()
    assert list(opened(line, begin_run(line))) == list(A)


def more(line: Line, key: str, candidates: int) -> None:
    """A reviewer asks for so many more candidates in each wave."""
    line.shots.keep(replace(line.shots[key], instructions={"candidates": candidates}))


@pytest.mark.parametrize(
    ("budget", "price", "held"),
    [("candidates = 5", 0, 5), ("dollars = 0.7", 0.1, 7), ("candidates = 5, dollars = 0.3", 0.1, 3)],
)
def test_a_wave_is_no_larger_than_a_whole_budget_holds(
    shop: Shop, budget: str, price: float, held: int
) -> None:
    settings(shop, FIXED, 'wave = 2\nwaves = 16\nladder = ["seeds"]')
    settings(shop, "size = 256", f"size = 256\nbudget = {{ {budget} }}")
    settings(shop, 'model = "weights"', f'model = "weights"\nprice = {price}')
    line = shop.line(only=("B1",))
    plan, key = begin_run(line), B[0]
    more(line, key, 16)
    first = opened(line, plan)
    assert first == {key: Wave(1, 0, held, "asked")}
    judge(line, plan, key, first[key], *[False] * held)
    # the next one as well, and a fresh budget holds it
    second = decided(line, plan, first)
    assert second == {key: Wave(2, held, held, "seeds")}
    line.ledger.end_run(plan.run, "completed with flags", {})
    line = shop.line(only=("B1",))
    plan = begin_run(line)
    more(line, key, 16)
    assert opened(line, plan) == first
    assert decided(line, plan, first) == second
    assert opened(line, plan, 2) == second


def test_what_was_promised_under_a_larger_budget_ends_where_a_smaller_one_does(shop: Shop) -> None:
    line = shop.line(only=("B1",))
    plan, key = begin_run(line), B[0]
    more(line, key, 6)
    assert opened(line, plan) == {key: Wave(1, 0, 8)}
    judge(line, plan, key, Wave(1, 0, 1), False)
    line.ledger.end_run(plan.run, "cancelled", {})
    settings(shop, "size = 256", "size = 256\nbudget = { candidates = 4 }")
    line = shop.line(only=("B1",))
    plan = begin_run(line)
    # one is there already
    assert opened(line, plan) == {key: Wave(1, 0, 5)}


def test_dollars_are_a_budget_too(shop: Shop) -> None:
    settings(shop, "size = 256", "size = 256\nbudget = { dollars = 0.41 }")
    settings(shop, 'model = "weights"', 'model = "weights"\nprice = 0.1')
    line = shop.line()
    assert list(opened(line, begin_run(line))) == list(A)
