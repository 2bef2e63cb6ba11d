"""Kills the line at random instants, over and over, and checks after each kill that nothing was harmed.

    python -m tests.crash.kills --kills 200 --ledger sqlite|postgresql [--seed 1]

A course begins with nothing and goes through three phases: the demo's catalogue as it is; other thresholds; a
row taken off and another renamed. In each phase the line is killed until a run gets to its end; a further run
must then find nothing to do, and what is published must be what a course without kills publishes.

Who is killed: the line's process alone (its renderer must notice), the line with all its descendants, or one of
its descendants alone (the line must go on). When: at a random moment of the run, or at a random moment of a
random station, so that the short ones (deciding, publishing, releasing) get their share. Some runs are a true
``packline run``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash import house, invariants
from tests.crash.server import DONE, FLAGS, NOTHING

ROOT = Path(__file__).parents[2]
# how often a kill is aimed at which station; before the first one the run opens, upgrades and plans
AIMS = {
    "start": 3,
    "render": 2,
    "edit": 3,
    "score": 3,
    "decide": 3,
    "publish": 6,
    "release": 6,
    "close": 2,
    "report": 1,
}
JITTER = (0.0, 0.002, 0.02, 0.2)
LONGEST = 600.0
Published = frozenset[tuple[str, str, str]]


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


class Broken(AssertionError):
    """Something was harmed; the words say what, and where to look."""


class Server:
    """The process that runs the line in forks of itself."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(log := tempfile.TemporaryFile()),  # noqa: SIM115
            text=True,
            bufsize=1,
            env=environment(),
        )
        self._log = log
        self._said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.expect("ready")

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(line.strip())
        self._said.put("gone")

    def begin(self, catalog: Path) -> int:
        """Start a run; returns its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{catalog}\n")
        self._process.stdin.flush()
        return int(self.expect("pid"))

    def next(self, seconds: float) -> str:
        """What it says next; empty where it says nothing for so long."""
        try:
            said = self._said.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return ""
        if said == "gone":
            raise Broken(f"the server is gone: {self.log()}")
        return said

    def expect(self, word: str) -> str:
        """The rest of the next line that begins with a word; events in between are passed over."""
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            said = self.next(until - time.monotonic())
            if said.partition(" ")[0] == word:
                return said.partition(" ")[2]
        raise Broken(f"the server did not say {word}: {self.log()}")

    def log(self) -> str:
        """The end of what was printed by the server and its runs."""
        self._log.flush()
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 6000, max(size - 6000, 0)).decode(errors="replace")

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._log.close()


def environment() -> dict[str, str]:
    """One thread each: a fork takes no threads along."""
    return {
        **os.environ,
        **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")},
        "LP_NUM_THREADS": "2",
    }


class Course:
    """A catalogue's life from nothing, with its ledger and bucket."""

    def __init__(
        self, folder: Path, ledger: str, server: Server, products: int, references: Path | None
    ) -> None:
        self.ledger, self.server, self.folder = ledger, server, folder
        self.catalog = house.build(folder, ledger, products)
        if references is not None:
            (folder / "work").mkdir()
            (folder / "work" / "references").symlink_to(references)
        self.memory = invariants.Memory()
        self.seen: dict[int, str] = {}
        (folder / "bucket").mkdir()

    def check(self, when: str, *, settled: bool = False) -> None:
        """Compare everything with what must be true."""
        faults = invariants.check(self.ledger, self.folder / "bucket", self.memory, settled=settled)
        if faults:
            listed = "\n  ".join(faults)
            raise Broken(f"{when}, in {self.folder}:\n  {listed}\n{self.server.log()}")

    def outcome(self) -> Published:
        """Every shot with its state and its select."""
        book = invariants.read(self.ledger)
        states = {(row["shot"], row["fingerprint"]): row for row in book["shot_states"]}
        found = (states[shot["key"], shot["fingerprint"]] for shot in invariants.present(book))
        return frozenset((row["shot"], row["state"], row["candidate"] or row["reason"]) for row in found)

    def recorded(self) -> set[str]:
        """What the engine was asked for each candidate that is in the ledger."""
        return {f"{row['seed']} {row['prompt']}" for row in invariants.read(self.ledger)["candidates"]}

    def calls(self) -> list[str]:
        """What the engine was asked for, in order."""
        log = self.folder / "engine.log"
        return log.read_text().splitlines() if log.exists() else []

    def run(self, kill: Aim | None = None) -> int | None:
        """Run the line; returns its exit code, None where it was killed."""
        known, before = self.recorded(), len(self.calls())
        code = (kill or Aim("never")).strike(self)
        made = self.calls()[before:]
        again = known & set(made)
        if again or len(made) != len(set(made)):
            raise Broken(f"the engine was asked again for {again or made} in {self.folder}")
        return code

    def remember(self, pids: list[int]) -> None:
        """Note processes that must be gone in the end."""
        self.seen |= {pid: born(pid) for pid in pids}

    def nobody_left(self) -> None:
        """Wait for the renderers of killed runs to notice that nobody waits for them."""
        until = time.monotonic() + 60
        while left := [pid for pid, since in self.seen.items() if since and born(pid) == since]:
            if time.monotonic() > until:
                raise Broken(f"processes {left} outlived the runs that started them")
            time.sleep(0.1)
        self.seen.clear()


@dataclass(frozen=True)
class Aim:
    """When and whom to kill.

    Parameters
    ----------
    station
        At which; "never" and "time" are none.
    after
        Events of that station to wait for, or seconds for "time".
    jitter
        Seconds to wait then.
    whom
        "line", "all" (with its descendants) or "descendant" (one of them, and the line lives).
    """

    station: str
    after: float = 0
    jitter: float = 0
    whom: str = "all"

    def strike(self, course: Course) -> int | None:
        """Run the line and kill; returns its exit code, None where the line was killed."""
        server, started = course.server, time.monotonic()
        line = server.begin(course.catalog)
        course.remember([line])
        armed, count, spent = self.station == "start", 0, False
        while True:
            due = self.station == "time" and not spent
            patience = started + (self.after if due else LONGEST) - time.monotonic()
            said = server.next(patience)
            word, _, rest = said.partition(" ")
            if word == "ended":
                return int(rest)
            if not said and not due:
                raise Broken(f"a run did not end in {course.folder}: {server.log()}")
            if word == "event" and not spent and self.station not in ("time", "never"):
                station = rest.removeprefix("station.") if rest.startswith("station.") else ""
                count += armed
                # a run that resumes has less to do at a station: the next one will do as well
                due = armed and (count > self.after or (station not in ("", self.station)))
                armed = armed or station == self.station
            if not due or (said and self.station == "time"):
                continue
            time.sleep(self.jitter)
            spent = True
            if self._kill(line, course):
                if (code := int(server.expect("ended"))) >= 0:
                    return code  # it was quicker
                return None
            course.check(f"while the line ran on without what was killed ({self})")

    def _kill(self, line: int, course: Course) -> bool:
        """Kill; returns whether the line itself was struck."""
        others = descendants(line)
        course.remember(others)
        if self.whom == "descendant" and others:
            _strike(random.choice(others))
            return False
        for one in [line, *others] if self.whom == "all" else [line]:
            _strike(one)
        return True


def _strike(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """All processes that a process has started, and theirs."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def born(pid: int) -> str:
    """When a process began; empty where it is no more."""
    with contextlib.suppress(OSError):
        state, *others = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in "ZX" else others[18]
    return ""


def aim(dice: random.Random, unkilled: Unkilled) -> Aim:
    """A random kill."""
    whom = dice.choices(("line", "all", "descendant"), (4, 5, 2))[0]
    if dice.random() < 0.3:
        return Aim("time", dice.uniform(0, unkilled.seconds), whom=whom)
    stations = [name for name in AIMS if name in unkilled.events]
    station = dice.choices(stations, [AIMS[name] for name in stations])[0]
    if station == "render":
        whom = dice.choice(("line", "all", "descendant"))
    after = dice.randint(0, unkilled.events[station])
    return Aim(station, after, dice.uniform(0, dice.choice(JITTER)), whom)


def without_kills(course: Course) -> Iterator[Unkilled]:
    """Go through the phases, killing nobody."""
    for phase in PHASES:
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
    unkilled: list[Unkilled],
    dice: random.Random,
    most: int,
    tally: Tally,
    *,
    true_runs: float = 0.0,
) -> None:
    """Kill the line through a course's phases, at most so many times; then let it go to its end."""
    for phase, plain in zip(PHASES, unkilled, strict=True):
        phase.change(course.catalog)
        while True:
            left = most - sum(tally.kills.values())
            tally.runs += 1
            if left > 0 and dice.random() < true_runs:
                ended = true_run(course, dice.uniform(0.5, 40.0))
                if ended:
                    break
                tally.kills["packline run"] += 1
                course.check("after a packline run was killed")
                continue
            shot = aim(dice, plain) if left > 0 else Aim("never")
            code = course.run(shot)
            if code is None:
                tally.kills[shot.whom] += 1
                tally.stations[shot.station] += 1
                course.check(f"after {shot}, {phase.name}")
                continue
            if code not in (NOTHING, DONE, FLAGS):
                raise Broken(f"a run ended with {code} after {shot}: {course.server.log()}")
            if shot.whom == "descendant" and shot.station != "never":
                tally.kills["descendant"] += 1
            break
        course.check(f"after the last run, {phase.name}", settled=True)
        if (code := course.run()) != NOTHING:
            raise Broken(f"a run after the last had something to do ({code}) in {course.folder}")
        course.check(f"after a run with nothing to do, {phase.name}", settled=True)
        if course.outcome() != plain.outcome:
            other = sorted(course.outcome() ^ plain.outcome)
            raise Broken(
                f"with kills, {phase.name}, another outcome than without in {course.folder}: {other}"
            )
    course.nobody_left()
    tally.courses += 1
    tally.calls += len(course.calls())
    tally.recorded += len(course.recorded())


def true_run(course: Course, seconds: float) -> bool:
    """``packline run`` in a process of its own with Prefect and all, killed after so long; whether it ended."""
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
            _strike(one)
        process.communicate()
        return False
    if process.returncode not in (0, 1):
        raise Broken(f"packline run ended with {process.returncode}: {said.decode(errors='replace')}")
    return True


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
        unkilled = list(without_kills(plain))
        plain.nobody_left()
        for phase, one in zip(PHASES, unkilled, strict=True):
            states = Counter(state for _, state, _ in one.outcome)
            say(f"without kills, {phase.name}: {one.seconds:.1f} s, {dict(states)}, events {one.events}")
        rendered = plain.folder / "work" / "references"
        while (done := sum(tally.kills.values())) < kills:
            # every third course renders for itself
            references = None if tally.courses % 3 == 0 else rendered
            course = Course(folder / f"course-{tally.courses}", new(), server, products, references)
            go_through(course, unkilled, dice, min(kills, done + 20), tally, true_runs=true_runs)
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
    print(
        f"{sum(tally.kills.values())} kills in {tally.courses} courses and {tally.runs} runs on {given.ledger}, "
        f"{time.monotonic() - started:.0f} s: {dict(tally.kills)}; aimed at {dict(tally.stations)}; the engine made "
        f"{tally.calls} candidates, {tally.recorded} of them are recorded; nothing was harmed."
    )


if __name__ == "__main__":
    main()
