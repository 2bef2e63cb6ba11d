"""Leases: one run at a time works on a catalog, and a run that was killed makes way for the next.

The lease is taken in the transaction that opens the run. A thread of the run's own process renews it. Who
looks at it from the same machine asks the kernel whether that process still lives; who looks from elsewhere
waits until the lease has run out. A run that was thought dead and was not (its machine slept, its network was
cut) finds itself closed as "lost" when it next concludes anything, and stops.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from packline.errors import Occupied, PacklineError
from packline.ledger import schema as t
from packline.ledger.database import insert_once

logger = logging.getLogger(__name__)

RUNNING, LOST = "running", "lost"
BEAT = 20.0  # seconds between two signs of life
TERM = 120.0  # seconds after the last one for which a lease still counts elsewhere


@dataclass(frozen=True)
class Lease:
    """Who works on a catalog.

    Parameters
    ----------
    host
        The machine, by its name.
    place
        The machine since it was started, and the process namespace: where `pid` means something.
    born
        When the process began, in the kernel's ticks: process numbers come round again.
    taken, seen, until
        Begin, last sign of life, and when it no longer counts elsewhere; UTC.
    """

    catalog: str
    run: str
    host: str
    place: str
    pid: int
    born: str
    taken: datetime
    seen: datetime
    until: datetime

    @property
    def is_here(self) -> bool:
        """Whether its process is, or was, one of this machine's."""
        return bool(self.place) and self.place == _place()

    def makes_way(self, now: datetime) -> bool:
        """Whether its holder is gone."""
        if not self.is_here:
            return now > self.until
        if (self.pid, self.born) == (os.getpid(), _born(os.getpid())):
            return not any(self.run in heart.runs for heart in list(_hearts))
        return _born(self.pid) != self.born

    @property
    def sentence(self) -> str:
        """What whoever wants the catalog too is told."""
        words = (
            f"Catalog {self.catalog}: run {self.run} has been at work on it since {self.taken:%H:%M} UTC "
            f"(process {self.pid} on {self.host}); wait until it ends, or stop that process."
        )
        if not self.is_here:
            words += f" Should its machine be gone, it makes way at {self.until:%H:%M:%S} UTC."
        return words


def take(connection: Connection, catalog: str, run: str) -> None:
    """Take a catalog's lease for a run that was just opened; close what was killed at work on it as lost.

    Raises
    ------
    Occupied
        Where another run holds it.
    """
    now = _now(connection)
    pid = os.getpid()
    mine = {
        "run": run,
        "host": socket.gethostname(),
        "place": _place(),
        "pid": pid,
        "born": _born(pid),
        "taken": now,
        "seen": now,
        "until": now + timedelta(seconds=TERM),
    }
    insert_once(connection, t.leases, [{"catalog": catalog, **mine}])
    # whoever comes at the same instant waits here
    here = t.leases.c.catalog == catalog
    held = _lease(connection.execute(select(t.leases).where(here).with_for_update()).one())
    runs = t.runs.c
    if held.run != run:
        if not held.makes_way(now):
            raise Occupied(held.sentence)
        connection.execute(update(t.leases).where(here).values(mine))
        _close(connection, held.seen, runs.id == held.run)
    # of these nobody knows when they ended: they are from before leases
    _close(connection, runs.started, runs.catalog == catalog, runs.id != run)


def _close(connection: Connection, ended: Any, *which: Any) -> None:
    lost = {"state": LOST, "ended": ended}
    connection.execute(update(t.runs).where(*which, t.runs.c.state == RUNNING).values(lost))


def let_go(connection: Connection, run: str) -> None:
    """Free the catalog that a run worked on."""
    connection.execute(delete(t.leases).where(t.leases.c.run == run))


def renew(connection: Connection, run: str) -> bool:
    """Give a sign of life; False where the lease is another's."""
    now = _now(connection)
    later = {"seen": now, "until": now + timedelta(seconds=TERM)}
    return bool(connection.execute(update(t.leases).where(t.leases.c.run == run).values(later)).rowcount)


def refuse_lost(connection: Connection, run: str) -> None:
    """Keep a run that was taken for dead from concluding anything; until the transaction ends it cannot be.

    Raises
    ------
    Occupied
        Where another run took its catalog over.
    """
    runs = t.runs.c
    state = connection.scalar(select(runs.state).where(runs.id == run).with_for_update(read=True))
    if state == LOST:
        raise Occupied(
            f"Run {run} gave no sign of life for {TERM:.0f} seconds and another took its catalog over; it "
            "stops here, and what it made is kept."
        )


def leases(connection: Connection) -> list[Lease]:
    """All that are held, by catalog."""
    return [_lease(row) for row in connection.execute(select(t.leases).order_by(t.leases.c.catalog))]


class Heart:
    """Renews the leases of a ledger's runs from a thread, for as long as the process lives."""

    def __init__(self, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self.runs: set[str] = set()
        self._write = write
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        _hearts.add(self)

    def beat_for(self, run: str) -> None:
        """Begin to renew a run's lease."""
        self.runs.add(run)
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="packline lease", daemon=True)
            self._thread.start()

    def leave(self, run: str) -> None:
        """Renew it no longer."""
        self.runs.discard(run)

    def stop(self) -> None:
        """Renew nothing any more: the runs that are still open count as lost."""
        self.runs.clear()
        self._stop.set()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            for run in tuple(self.runs):
                try:
                    with self._write() as connection:
                        kept = renew(connection, run)
                except PacklineError as error:
                    logger.warning("Run %s could not renew its lease: %s", run, error)
                    continue
                if not kept:
                    self.runs.discard(run)


_hearts: weakref.WeakSet[Heart] = weakref.WeakSet()


def _now(connection: Connection) -> datetime:
    # machines that share a server share its clock; a file's users share a machine
    if connection.dialect.name == "postgresql":
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return _utc(now)
    return t.now()


def _lease(row: Any) -> Lease:
    plain = dict(row._mapping)
    return Lease(**{**plain, **{name: _utc(plain[name]) for name in ("taken", "seen", "until")}})


def _utc(moment: datetime) -> datetime:
    # SQLite forgets the zone; the ledger writes nothing but UTC
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@cache
def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When a process began; empty where there is none, or only what its parent has yet to bury."""
    try:
        state, *others = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else others[18]
