"""SIGKILL at any instant, of any process, loses at most the work in flight, and the next run resumes."""

from __future__ import annotations

import random
from pathlib import Path

from tests.crash.conftest import PRODUCTS
from tests.crash.course import Aim, Course, Server
from tests.crash.kills import Tally, Unkilled, go_through

KILLS = 12


def test_a_dozen_kills_at_random_instants_harm_nothing(
    line: Server, plain: tuple[Course, list[Unkilled]], rendered: Path, empty_url: str, tmp_path: Path
) -> None:
    dice, tally, count = random.Random(empty_url[:6]), Tally(), 0
    while sum(tally.kills.values()) < KILLS:
        ledger = empty_url if not count else f"sqlite:///{tmp_path}/ledger-{count}.db"
        course = Course(tmp_path / f"course-{count}", ledger, line, PRODUCTS, rendered)
        go_through(course, plain[1], dice, KILLS, tally)
        count += 1
    assert tally.runs > KILLS
    assert tally.recorded == len(plain[0].recorded()) * count, "no course made more than one without kills"


def test_a_renderer_that_is_killed_alone_is_started_again(
    line: Server, plain: tuple[Course, list[Unkilled]], tmp_path: Path
) -> None:
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    course = Course(tmp_path / "course", ledger, line, PRODUCTS, None)
    code = course.run(Aim("render", 0, 0.5, "descendant"))
    assert code is not None and code >= 10, "the line went on"
    assert course.outcome() == plain[1][0].outcome
    course.nobody_left()
