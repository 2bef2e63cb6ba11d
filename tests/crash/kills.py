"""Kills the line at random instants, over and over, and checks after each kill that nothing was harmed.

    python -m tests.crash.kills --kills 200 --ledger sqlite|postgresql [--seed 1]

A course begins with nothing and goes through three phases: the demo's catalogue as it is; other thresholds; a
row taken off and another renamed. In each phase the line is killed until a run gets to its end; a further run
must then find nothing to do, and what is published must be what a course without kills publishes.

Who is killed: the line's process alone (its renderer must notice), the line with all its descendants, or one
of its descendants alone (the line must go on). When: at a random moment of the run, or of a random station of
it, so that the short ones (deciding, publishing, releasing) get their share. Some runs are a true ``packline
run``.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash import house
from tests.crash.course import (
    LONGEST,
    STATIONS,
    Aim,
    Broken,
    Course,
    Published,
    Server,
    descendants,
    environment,
    strike,
)
from tests.crash.server import DONE, FLAGS, NOTHING

# how often a kill is aimed at which station
AIMS = dict(zip(STATIONS, (3, 2, 3, 3, 3, 6, 6, 2, 1), strict=True))
JITTER = (0.0, 0.002, 0.02, 0.2)


@dataclass(frozen=True)
class Phase:
    """What happens to the catalogue before the line is run on it."""

    name: str
    change: Callable[[Path], None]


PHASES = (
    Phase("as it is", lambda catalog: None),
    Phase("other thresholds", house.change_checks),
    Phase("other rows", house.change_rows),
)


@dataclass(frozen=True)
class Unkilled:
    """A phase without kills.

    Parameters
    ----------
    events
        How many events each station had, "start" being what comes before the first.
    """

    outcome: Published
    seconds: float
    events: dict[str, int]


@dataclass
class Tally:
    """What was done."""

    kills: Counter[str] = field(default_factory=Counter)
    stations: Counter[str] = field(default_factory=Counter)
    courses: int = 0
    runs: int = 0
    calls: int = 0
    recorded: int = 0


def aim(dice: random.Random, unkilled: Unkilled) -> Aim:
    """A random kill."""
    whom = dice.choices(("line", "all", "descendant"), (4, 5, 2))[0]
    if dice.random() < 0.3:
        # a run that resumes has less to do than one without kills
        return Aim("time", min(dice.expovariate(6 / unkilled.seconds), unkilled.seconds), whom=whom)
    stations = [name for name in AIMS if name in unkilled.events]
    station = dice.choices(stations, [AIMS[name] for name in stations])[0]
    if station == "render":
        whom = dice.choice(("line", "all", "descendant"))
    after = dice.randint(0, unkilled.events[station])
    return Aim(station, after, dice.uniform(0, dice.choice(JITTER)), whom)


def without_kills(course: Course, phases: Sequence[Phase]) -> Iterator[Unkilled]:
    """Go through the phases, killing nobody."""
    for phase in phases:
        phase.change(course.catalog)
        started, events, station = time.monotonic(), Counter[str](), "start"
        course.server.begin(course.catalog)
        while not (said := course.server.next(LONGEST)).startswith("ended"):
            if not said:
                raise Broken(f"a run did not end in {course.folder}")
            if said.startswith("event station."):
                station = said.removeprefix("event station.")
            events[station] += 1
        seconds = time.monotonic() - started
        if int(said.split()[1]) not in (DONE, FLAGS):
            raise Broken(f"an unkilled run failed: {course.server.log()}")
        course.check(f"after an unkilled run, {phase.name}", settled=True)
        yield Unkilled(course.outcome(), seconds, dict(events))


def go_through(
    course: Course,
    phases: Sequence[Phase],
    unkilled: Sequence[Unkilled],
    dice: random.Random,
    most: int,
    tally: Tally,
    say: Callable[[str], None] = lambda words: None,
    *,
    true_runs: float = 0.0,
) -> None:
    """Kill the line through a course's phases until there were so many kills; then let it go to its end."""
    for phase, plain in zip(phases, unkilled, strict=True):
        phase.change(course.catalog)
        code: int | None = None
        while code is None:
            tally.runs += 1
            left = most - sum(tally.kills.values())
            if left > 0 and dice.random() < true_runs:
                shot, struck = Aim("never"), "packline run"
                code = true_run(course, dice.uniform(0.5, 40.0))
                if code is not None:
                    continue
            else:
                shot = aim(dice, plain) if left > 0 else Aim("never")
                struck, code = course.run(shot)
                tally.stations[shot.station] += bool(struck)
            if struck:
                tally.kills[struck] += 1
                say(f"kill {sum(tally.kills.values())}: {struck} {shot}, {phase.name}")
                course.check(f"after {struck} was killed, {shot}, {phase.name}", settled=code is not None)
        if code not in (NOTHING, DONE, FLAGS):
            raise Broken(f"a run ended with {code}, {phase.name}: {course.server.log()}")
        course.check(f"after the last run, {phase.name}", settled=True)
        _, code = course.run()
        if code != NOTHING:
            raise Broken(f"a run after the last had something to do ({code}) in {course.folder}")
        course.check(f"after a run with nothing to do, {phase.name}", settled=True)
        if course.outcome() != plain.outcome:
            other = sorted(course.outcome() ^ plain.outcome)
            raise Broken(f"with kills, {phase.name}, other than without in {course.folder}: {other}")
    course.nobody_left()
    tally.courses += 1
    tally.calls += len(course.calls())
    tally.recorded += len(course.recorded())


def true_run(course: Course, seconds: float) -> int | None:
    """``packline run`` with Prefect and all, killed after so long; its exit code where it ended before."""
    process = subprocess.Popen(
        [Path(sys.executable).with_name("packline"), "run", course.catalog],
        cwd=course.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        others = descendants(process.pid)
        course.remember([process.pid, *others])
        for one in [process.pid, *others]:
            strike(one)
        process.communicate()
        return None
    if process.returncode not in (0, 1):
        raise Broken(f"packline run ended with {process.returncode}: {said.decode(errors='replace')}")
    return DONE


@contextlib.contextmanager
def ledgers(kind: str, folder: Path) -> Iterator[Callable[[], str]]:
    """Gives a new ledger's URL with each call."""
    counter = iter(range(10**9))
    if kind == "sqlite":
        yield lambda: f"sqlite:///{folder}/ledger-{next(counter)}.db"
        return
    from tests.postgres import Server as Postgres

    server = Postgres()
    try:
        server.start()
        yield lambda: server.url(server.create(empty=True))
    finally:
        server.stop()


def measure(
    kind: str,
    kills: int,
    seed: int,
    products: int,
    folder: Path,
    *,
    true_runs: float = 0.0,
    say: Callable[[str], None],
) -> Tally:
    """Kill the line so many times on one kind of ledger.

    Raises
    ------
    Broken
        With the first thing that was harmed.
    """
    dice, tally = random.Random(seed), Tally()
    random.seed(seed)
    server = Server()
    with ledgers(kind, folder) as new:
        plain = Course(folder / "unkilled", new(), server, products, None)
        unkilled = list(without_kills(plain, PHASES))
        plain.nobody_left()
        for phase, one in zip(PHASES, unkilled, strict=True):
            states = Counter(state for _, state, _ in one.outcome)
            say(f"without kills, {phase.name}: {one.seconds:.1f} s, {dict(states)}, events {one.events}")
        rendered = plain.folder / "work" / "references"
        while (done := sum(tally.kills.values())) < kills:
            # every fourth course renders for itself
            references = None if tally.courses % 4 == 0 else rendered
            course = Course(folder / f"course-{tally.courses}", new(), server, products, references)
            go_through(course, PHASES, unkilled, dice, min(kills, done + 20), tally, say, true_runs=true_runs)
            say(f"course {tally.courses}: {sum(tally.kills.values())} kills, {dict(tally.kills)}")
            shutil.rmtree(course.folder)
    server.stop()
    return tally


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--ledger", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--products", type=int, default=0, help="rows of the demo's catalogue; 0 means all")
    parser.add_argument("--true-runs", type=float, default=0.05, help="share of runs that are a packline run")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="packline-kills-") as folder:
        tally = measure(
            given.ledger,
            given.kills,
            given.seed,
            given.products,
            Path(folder),
            true_runs=given.true_runs,
            say=lambda words: print(words, flush=True),
        )
    kills, seconds = sum(tally.kills.values()), time.monotonic() - started
    print(
        f"{kills} kills in {tally.courses} courses and {tally.runs} runs on {given.ledger}, {seconds:.0f} s: "
        f"{dict(tally.kills)}; aimed at {dict(tally.stations)}; the engine made {tally.calls} candidates, "
        f"of which {tally.recorded} are recorded; nothing was harmed."
    )


if __name__ == "__main__":
    main()
