"""Several pictures of a placement: each is a shot, and each is chosen to show something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from packline.funnel import SAME_PICTURE
from packline.ledger.duties import SCORED
from packline.ledger.queue import Filters
from packline.line import Line
from packline.line.plan import Plan, Try, begin_run
from packline.line.selects import select_or_flag
from packline.line.waves import open_wave
from packline.publish import image_key
from packline.records import ShotState, Wave
from tests.line.shop import Shop, build_shop
from tests.parts import HEADER, make_candidate, scorecard

FIRST, SECOND, THIRD = (f"B1/table/hero{end}" for end in ("", "~2", "~3"))
GREY, LIGHTER, LIGHT = 90, 100, 140
"""Greys that are seen to differ; the same grey twice is the same picture."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = build_shop(tmp_path, "ledger.db")
    file = shop.folder / "demo.toml"
    file.write_text(file.read_text().replace("wave = 2\n", 'wave = 2\nladder = ["seeds"]\n'))
    owe(shop, 3)
    return shop


def owe(shop: Shop, pictures: int | str) -> None:
    shop.catalog.write_text(f"{HEADER},pictures\nB1,plain bottle,bottle.glb,table,,,,{pictures}\n")


def judge(line: Line, plan: Plan, key: str, *colours: int, passes: tuple[float, ...] = ()) -> dict[str, int]:
    """Candidates of these greys with their scorecards; which id has which grey."""
    found = {}
    scores = passes or (0.9,) * len(colours)
    for number, (colour, score) in enumerate(zip(colours, scores, strict=True)):
        made = make_candidate(line.work, key, line.shots[key].fingerprint, number, colour=colour)
        line.ledger.record_candidate(plan.run, made)
        line.ledger.record_scorecard(plan.run, made.id, line.checks, scorecard(score=score))
        found[made.id] = colour
    return found


def decide(
    line: Line, plan: Plan, *keys: str, wave: Wave | None = None, last: bool = False
) -> dict[str, Wave]:
    line.ledger.duties.advance(plan.run, keys, SCORED)
    tries = [Try(key, wave or Wave(1, 0, 2)) for key in keys]
    return select_or_flag(line, plan.run, tries, last=last)


def test_siblings_that_are_decided_together_see_each_other(shop: Shop) -> None:
    line = shop.line()
    plan = begin_run(line)
    assert open_wave(line, plan.run, 1).shots == 3
    made = {
        # the first is the best by its checks
        **judge(line, plan, FIRST, GREY, LIGHT, passes=(0.9, 0.8)),
        # the second is the one that lies farthest from it, however good others are
        **judge(line, plan, SECOND, LIGHTER, LIGHT, passes=(0.95, 0.7)),
        # the third lies farthest from the nearer of the two
        **judge(line, plan, THIRD, GREY, LIGHTER, passes=(0.95, 0.7)),
    }
    assert decide(line, plan, FIRST, SECOND, THIRD) == {}
    shots = shop.shots()
    assert {key: shot.state for key, shot in shots.items()} == dict.fromkeys(shots, ShotState.SELECTED)
    assert [made[shots[key].select] for key in (FIRST, SECOND, THIRD)] == [GREY, LIGHT, LIGHTER]


def test_what_looks_like_a_sibling_gets_another_wave_and_then_a_flag(shop: Shop) -> None:
    owe(shop, 2)
    line = shop.line()
    plan = begin_run(line)
    open_wave(line, plan.run, 1)
    judge(line, plan, FIRST, GREY, GREY)
    judge(line, plan, SECOND, GREY, GREY)
    # fixed waves of two: the shot that has its picture is done, its sibling goes on
    assert decide(line, plan, FIRST, SECOND) == {SECOND: Wave(2, 2, 2, "seeds")}
    assert shop.shots()[FIRST].state == ShotState.SELECTED
    assert decide(line, plan, SECOND, wave=Wave(2, 2, 2, "seeds"), last=True) == {}
    flagged = shop.shots()[SECOND]
    assert (flagged.state, flagged.reason) == (ShotState.FLAGGED, SAME_PICTURE)
    assert flagged.sentence.startswith("It looks the same as picture 1 of this scene: ")
    (waiting,) = line.ledger.queue.page(Filters(), None, 5)
    assert (waiting.shot, waiting.number, waiting.view, waiting.rank) == (SECOND, 2, "hero", 1)
    # a person may want it nevertheless
    chosen = flagged.candidates[0].candidate.id
    line.ledger.select(plan.run, SECOND, flagged.fingerprint, chosen, "Anna", "it will do")
    assert shop.shots()[SECOND].state == ShotState.SELECTED


def test_with_adaptive_waves_too_it_gets_another_one(shop: Shop) -> None:
    file = shop.folder / "demo.toml"
    file.write_text(file.read_text().replace("wave = 2\n", 'wave = "adaptive"\n'))
    line = shop.line()
    plan = begin_run(line)
    open_wave(line, plan.run, 1)
    judge(line, plan, FIRST, GREY)
    judge(line, plan, SECOND, GREY)
    further = decide(line, plan, FIRST, SECOND, wave=Wave(1, 0, 1))
    assert list(further) == [SECOND] and further[SECOND].first == 1


def test_a_sibling_that_was_decided_before_binds_and_one_that_is_about_to_be_does_not(shop: Shop) -> None:
    owe(shop, 2)
    line = shop.line()
    plan = begin_run(line)
    open_wave(line, plan.run, 1)
    first = judge(line, plan, FIRST, GREY, LIGHT, passes=(0.9, 0.8))
    second = judge(line, plan, SECOND, GREY, LIGHT, passes=(0.9, 0.8))
    decide(line, plan, SECOND)
    assert second[shop.shots()[SECOND].select] == GREY, "the best, where there is no sibling yet"
    decide(line, plan, FIRST)
    assert first[shop.shots()[FIRST].select] == LIGHT
    # together they begin anew, whatever they showed
    decide(line, plan, FIRST, SECOND)
    shots = shop.shots()
    assert (first[shots[FIRST].select], second[shots[SECOND].select]) == (GREY, LIGHT)


def test_a_siblings_picture_that_is_gone_binds_nobody(shop: Shop) -> None:
    owe(shop, 2)
    line = shop.line()
    plan = begin_run(line)
    open_wave(line, plan.run, 1)
    judge(line, plan, FIRST, GREY, GREY)
    second = judge(line, plan, SECOND, GREY, LIGHT, passes=(0.9, 0.8))
    decide(line, plan, FIRST)
    for record in shop.shots()[FIRST].candidates:
        record.candidate.picture.unlink()
    decide(line, plan, SECOND)
    assert second[shop.shots()[SECOND].select] == GREY


def test_fewer_pictures_retire_the_last_and_more_take_them_up_again(shop: Shop) -> None:
    shop.publish()
    assert list(shop.shots()) == [FIRST, SECOND, THIRD]
    owe(shop, 1)
    assert shop.plan()[1] == {}
    assert list(shop.shots()) == [FIRST]
    # what is no longer owed is nobody's sibling
    assert shop.line().ledger.siblings("demo", FIRST) == {}
    owe(shop, 2)
    assert shop.plan()[1] == {}, "nothing is paid for twice"
    assert {key: shot.state for key, shot in shop.shots().items()} == {
        FIRST: ShotState.PUBLISHED,
        SECOND: ShotState.PUBLISHED,
    }
    assert list(shop.line().ledger.siblings("demo", FIRST)) == [SECOND]


def test_a_typo_retires_no_picture(shop: Shop) -> None:
    shop.publish()
    # the second run with it knows no more than the first one
    for _ in range(2):
        owe(shop, "tree")
        assert shop.plan()[1] == {}
        shots = shop.shots()
        assert list(shots) == [FIRST, SECOND, THIRD]
        assert {(shot.state, shot.reason, shot.scene, shot.view) for shot in shots.values()} == {
            (ShotState.FLAGGED, "row", "table", "hero")
        }
        assert "pictures tree is no whole number" in shots[THIRD].sentence
    owe(shop, 3)
    assert shop.plan()[1] == {}
    assert {shot.state for shot in shop.shots().values()} == {ShotState.PUBLISHED}


def test_each_picture_has_a_place_of_its_own_in_the_bucket(shop: Shop) -> None:
    shop.publish()
    shots, settings = shop.shots(), shop.line().settings
    keys = [image_key(settings, shots[key], "hero", "a" * 64) for key in (FIRST, SECOND)]
    assert keys == [
        "acme/demo/images/B1/table-hero/hero-aaaaaaaaaaaaaaaa.png",
        "acme/demo/images/B1/table-hero-2/hero-aaaaaaaaaaaaaaaa.png",
    ]


def test_a_first_picture_is_the_same_row_of_the_ledger_however_many_there_are(shop: Shop) -> None:
    shop.publish()
    product = shop.shots()[FIRST].product
    owe(shop, 1)
    shop.plan()
    assert shop.shots()[FIRST].product == product
