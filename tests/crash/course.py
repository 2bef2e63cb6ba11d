"""A catalogue's life, in which the line is run and killed, and the process that runs it."""

from __future__ import annotations

import contextlib
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.crash import house, invariants

LONGEST = 600.0
# in their order; before the first one the run opens, upgrades and plans
STATIONS = ("start", "render", "edit", "score", "decide", "publish", "release", "close", "report")
Published = frozenset[tuple[str, str, str]]


class Broken(AssertionError):
    """Something was harmed; the words say what, and where to look."""


class Server:
    """The process that runs the line in forks of itself."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.server"],
            cwd=house.ROOT,
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
        self._process.kill()  # it has nothing to lose, and libraries take their time
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

    def run(self, kill: Aim | None = None) -> tuple[str, int | None]:
        """Run the line; returns who was killed, if anybody, and its exit code, None where it was the line."""
        known, before = self.recorded(), len(self.calls())
        whom, code = (kill or Aim("never")).strike(self)
        made = self.calls()[before:]
        again = known & set(made)
        if again or len(made) != len(set(made)):
            raise Broken(f"the engine was asked again for {again or made} in {self.folder}")
        return whom, code

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

    def strike(self, course: Course) -> tuple[str, int | None]:
        """Run the line and kill, as `Course.run` says."""
        server, started = course.server, time.monotonic()
        line = server.begin(course.catalog)
        course.remember([line])
        armed, count, spent, whom = self.station == "start", 0, False, ""
        while True:
            due = self.station == "time" and not spent
            patience = started + (self.after if due else LONGEST) - time.monotonic()
            said = server.next(patience)
            word, _, rest = said.partition(" ")
            if word == "ended":
                return whom, int(rest)
            if not said and not due:
                raise Broken(f"a run did not end in {course.folder}: {server.log()}")
            if word == "event" and not spent and self.station not in ("time", "never"):
                station = rest.removeprefix("station.") if rest.startswith("station.") else ""
                count += armed
                # a run that resumes has less to do at a station, or nothing: the next one will do as well
                due = armed and (count > self.after or (station not in ("", self.station)))
                armed = armed or station in STATIONS[STATIONS.index(self.station) :]
            if not due or (said and self.station == "time"):
                continue
            time.sleep(self.jitter)
            spent = True
            whom = self._kill(line, course)
            if whom != "descendant":
                code = int(server.expect("ended"))
                return ("", code) if code >= 0 else (whom, None)  # it may have been quicker
            course.check(f"while the line ran on without what was killed ({self})")

    def _kill(self, line: int, course: Course) -> str:
        """Kill, and say whom."""
        others = descendants(line)
        course.remember(others)
        if self.whom == "descendant" and others:
            strike(random.choice(others))
            return self.whom
        for one in [line, *others] if self.whom == "all" else [line]:
            strike(one)
        return "all" if self.whom == "all" else "line"


def strike(pid: int) -> None:
    """SIGKILL, to whom it still reaches."""
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
