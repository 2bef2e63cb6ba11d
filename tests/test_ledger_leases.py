"""One run at a time works on a catalog, and a run that was killed makes way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from packline.errors import Occupied
from packline.ledger import Ledger, leases
from packline.records import Published, ShotState
from packline.releases.records import Release
from tests.parts import make_candidate, scorecard
from tests.postgres import change, rows
from tests.test_ledger import CHECKS, catalog_of, planned, product

ELSEWHERE = "update leases set place = 'another machine', host = 'gpu-7'"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = Ledger(ledger_url)
    yield opened
    opened.close()


@pytest.fixture
def other(ledger: Ledger) -> Iterator[Ledger]:
    """Somebody else's ledger."""
    opened = Ledger(ledger.url)
    yield opened
    opened.close()


HOLDER = """
import sys, time
from packline.ledger import Ledger
ledger = Ledger(sys.argv[1])
print(ledger.begin_run("demo", {}), flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(ledger: Ledger) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process with a run of its own."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, ledger.url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait(30)
    process.stdout.close()


def test_a_second_run_on_a_catalog_is_told_who_is_at_work(ledger: Ledger, other: Ledger) -> None:
    run = ledger.begin_run("demo", {})
    began = datetime.fromisoformat(ledger.run(run).started)
    with pytest.raises(Occupied) as caught:
        other.begin_run("demo", {})
    words = str(caught.value)
    assert words.startswith(
        f"Catalog demo: run {run} has been at work on it since {began:%H:%M} UTC (process "
    )
    assert words.endswith(
        f"{os.getpid()} on {os.uname().nodename}); wait until it ends, or stop that process."
    )
    assert rows(ledger.url, "select count(*) from runs") == [(1,)], "the second left nothing behind"


def test_runs_on_different_catalogs_do_not_mind_each_other(ledger: Ledger, other: Ledger) -> None:
    ledger.begin_run("one", {})
    other.begin_run("two", {})
    assert rows(ledger.url, "select catalog from leases order by catalog") == [("one",), ("two",)]


def test_a_run_that_ends_lets_its_catalog_go(ledger: Ledger, other: Ledger) -> None:
    ledger.end_run(ledger.begin_run("demo", {}), "completed", {})
    assert rows(ledger.url, "select count(*) from leases") == [(0,)]
    run = other.begin_run("demo", {})
    assert other.lost_before(run) is None


def test_a_run_in_a_living_process_is_left_alone(
    ledger: Ledger, holder: tuple[subprocess.Popen[str], str]
) -> None:
    process, run = holder
    # however long it has given no sign of life: its machine can see that it is there
    change(ledger.url, "update leases set until = '2020-01-01', seen = '2020-01-01'")
    with pytest.raises(Occupied, match=rf"run {run} has been at work .*process {process.pid} on"):
        ledger.begin_run("demo", {})


@pytest.mark.parametrize("buried", [True, False])
def test_a_run_that_was_killed_makes_way_at_once(
    ledger: Ledger, holder: tuple[subprocess.Popen[str], str], buried: bool
) -> None:
    process, run = holder
    process.send_signal(signal.SIGKILL)
    if buried:
        process.wait(30)
    else:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and its parent has not looked yet
    next_run = ledger.begin_run("demo", {})
    lost = ledger.lost_before(next_run)
    assert lost is not None
    assert (lost.id, lost.state) == (run, "lost")
    assert ledger.run(next_run).state == "running"
    (seen,), (ended,) = (
        rows(ledger.url, query)[0]
        for query in (
            f"select started from runs where id = '{run}'",
            "select ended from runs where ended > '2020-01-01'",
        )
    )
    assert str(seen) <= str(ended), "it ended when it last gave a sign of life"


def test_another_process_with_the_same_number_is_not_taken_for_the_holder(
    ledger: Ledger, holder: tuple[subprocess.Popen[str], str]
) -> None:
    _, run = holder
    change(ledger.url, "update leases set born = '7'")
    ledger.begin_run("demo", {})
    assert ledger.run(run).state == "lost"


def test_a_ledger_that_was_closed_or_forgotten_holds_nothing(ledger: Ledger, other: Ledger) -> None:
    first = other.begin_run("demo", {})
    other.close()
    second = Ledger(ledger.url).begin_run("demo", {})
    third = ledger.begin_run("demo", {})
    assert [ledger.run(run).state for run in (first, second, third)] == ["lost", "lost", "running"]


def test_a_run_on_another_machine_makes_way_when_its_lease_has_run_out(ledger: Ledger, other: Ledger) -> None:
    run = other.begin_run("demo", {})
    change(ledger.url, ELSEWHERE)
    with pytest.raises(Occupied, match=rf"run {run} .* on gpu-7\); .* it makes way at \d\d:\d\d:\d\d UTC\.$"):
        ledger.begin_run("demo", {})
    change(ledger.url, "update leases set until = '2020-01-01'")
    ledger.begin_run("demo", {})
    assert ledger.run(run).state == "lost"


def test_runs_from_before_leases_are_closed_too(ledger: Ledger) -> None:
    old = ledger.begin_run("demo", {})
    elsewhere = ledger.begin_run("another", {})
    change(ledger.url, "delete from leases where catalog = 'demo'")
    ledger.begin_run("demo", {})
    assert ledger.run(old).state == "lost"
    assert ledger.run(elsewhere).state == "running"


def test_a_lease_is_renewed_while_the_run_lasts(
    ledger: Ledger, other: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.02)
    run = other.begin_run("demo", {})
    change(ledger.url, "update leases set until = '2020-01-01', seen = '2020-01-01'")
    for _ in range(500):
        ((until, seen),) = rows(ledger.url, "select until, seen from leases")
        if str(until) > "2021":
            break
        threading.Event().wait(0.02)
    assert str(until) > str(seen) > f"{datetime.now(UTC):%Y-%m-%d}"
    # a renewal never brings a lease back that is another's
    change(ledger.url, ELSEWHERE, "update leases set until = '2020-01-01'")
    other._heart.stop()
    change(ledger.url, "update leases set until = '2020-01-01'")
    later = ledger.begin_run("demo", {})
    with other._write() as connection:
        assert not leases.renew(connection, run)
    assert rows(ledger.url, "select run from leases") == [(later,)]


def conclusions(ledger: Ledger, folder: Path, run: str) -> dict[str, Callable[[], Any]]:
    """Everything that a run concludes, ready to be concluded."""
    (shot,) = ledger.plan(run, [planned()])
    place = shot.shot.key, shot.fingerprint
    made = make_candidate(folder, *place)
    ledger.record_candidate(run, made)
    ledger.record_scorecard(run, made.id, CHECKS, scorecard())
    release = Release("1" * 16, "demo", "m.json", "1" * 64, 9, "m.parquet", "2" * 64, 9, 0, 0, 0, run)
    return {
        "select": lambda: ledger.select(run, *place, made.id),
        "publish": lambda: ledger.record_published(
            run, *place, made.id, [Published("hero", "k", "a" * 64, 9)]
        ),
        "release": lambda: ledger.releases.note(release, []),
        "flag": lambda: ledger.flag(run, *place, CHECKS, "text", "wrong"),
        "plan": lambda: ledger.plan(run, [planned()]),
        "catalog": lambda: ledger.record_catalog(run, catalog_of(product())),
        "go on": lambda: ledger.assert_not_lost(run),
    }


def test_a_run_that_was_thought_dead_concludes_nothing(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    slept = other.begin_run("demo", {})
    before = conclusions(other, tmp_path, slept)
    change(ledger.url, ELSEWHERE, "update leases set until = '2020-01-01'")
    run = ledger.begin_run("demo", {})
    ledger.plan(run, [planned()])
    for conclude in before.values():
        with pytest.raises(Occupied, match=f"^Run {slept} gave no sign of life .*; it stops here"):
            conclude()
    (record,) = ledger.shots("demo")
    assert (record.state, record.select) == (ShotState.TODO, "")
    # what it paid for is kept
    other.record_candidate(slept, make_candidate(tmp_path, record.key, record.fingerprint, 1))
    assert len(ledger.candidates(record.key, record.fingerprint)) == 2
    other.end_run(slept, "failed", {})
    assert ledger.run(slept).state == "lost"
    assert rows(ledger.url, "select run from leases") == [(run,)]


def test_a_run_concludes_everything_while_it_holds_the_lease(ledger: Ledger, tmp_path: Path) -> None:
    for conclude in conclusions(ledger, tmp_path, ledger.begin_run("demo", {})).values():
        conclude()


def _begin(url: str, barrier: Any, said: Any) -> None:
    ledger = Ledger(url)
    barrier.wait()
    try:
        said.put(("began", ledger.begin_run("demo", {})))
    except Occupied as error:
        said.put(("occupied", str(error)))
    barrier.wait()  # nobody is gone before all have tried
    os._exit(0)


def test_of_runs_that_begin_at_the_same_instant_one_has_the_catalog(ledger: Ledger) -> None:
    fork = multiprocessing.get_context("fork")
    barrier, said = fork.Barrier(4), fork.SimpleQueue()
    workers = [fork.Process(target=_begin, args=(ledger.url, barrier, said)) for _ in range(4)]
    for worker in workers:
        worker.start()
    found = sorted(said.get() for _ in workers)
    for worker in workers:
        worker.join(60)
    assert [word for word, _ in found] == ["began", "occupied", "occupied", "occupied"]
    assert all(found[0][1] in sentence for _, sentence in found[1:])
    assert rows(ledger.url, "select count(*) from runs") == [(1,)]
