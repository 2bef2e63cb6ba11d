"""SIGKILL at any instant, of any process, loses at most the work in flight, and the next run resumes."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import invariants
from tests.crash.conftest import PRODUCTS, SOME_PHASES, Plain
from tests.crash.course import LONGEST, Course, Server, descendants, strike
from tests.crash.kills import Tally, go_through
from tests.postgres import Server as Postgres

KILLS = 12


@pytest.fixture(params=["sqlite", "postgresql"])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """As many new ledgers on a database as courses may be needed."""
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/ledger-{number}.db" for number in range(KILLS)]
        return
    server: Postgres = request.getfixturevalue("postgres")
    names = [server.create(empty=True) for _ in range(KILLS)]
    yield [server.url(name) for name in names]
    for name in names:
        server.drop(name)


def test_a_dozen_kills_at_random_instants_harm_nothing(
    line: Server, plain: Plain, ledgers: list[str], tmp_path: Path
) -> None:
    dice, tally = random.Random(2026), Tally()
    for number, ledger in enumerate(ledgers):
        course = Course(tmp_path / f"course-{number}", ledger, line, PRODUCTS, plain.references)
        go_through(course, SOME_PHASES, plain.unkilled, dice, KILLS, tally)
        if sum(tally.kills.values()) == KILLS:
            break
    assert sum(tally.kills.values()) == KILLS
    assert tally.recorded == plain.candidates * tally.courses, "kills made no candidate more, and none fewer"


def test_a_renderer_that_is_killed_alone_is_started_again(line: Server, plain: Plain, tmp_path: Path) -> None:
    course = Course(tmp_path / "course", f"sqlite:///{tmp_path}/ledger.db", line, PRODUCTS, None)
    run = line.begin(course.catalog)
    # the process that draws, then the child in which it draws a product
    for count in (1, 2):
        while len(found := descendants(run)) < count:
            time.sleep(0.01)
        strike(found[-1])
        course.check("while the line runs on")
    while (said := line.next(LONGEST)) != "event station.edit":
        assert not said.startswith("ended"), line.log()
    strike(run)
    assert line.expect("ended") == f"-{signal.SIGKILL.value}"
    book = invariants.read(course.ledger)
    assert {row["shot"] for row in book["references"]} == {row["key"] for row in book["shots"]}
    assert book["flags"] == []
    course.nobody_left()
