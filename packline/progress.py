"""Progress: how the line tells whoever watches how far each station is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Observer(Protocol):
    """Somebody who watches a run: the command line's progress bars, a test, nobody."""

    def station_started(self, station: str, total: int) -> None:
        """A station has `total` items before it; a station that starts again gets more of them."""

    def station_advanced(self, station: str, items: int) -> None:
        """So many more items are done."""

    def station_finished(self, station: str) -> None:
        """Nothing more will come."""


class Nobody:
    """Watches nothing: the default."""

    def station_started(self, station: str, total: int) -> None:
        """Nothing."""

    def station_advanced(self, station: str, items: int) -> None:
        """Nothing."""

    def station_finished(self, station: str) -> None:
        """Nothing."""


# one a process, not one a context: Prefect runs tasks in threads and contexts of its own
_watching: list[Observer] = [Nobody()]


@contextmanager
def watched_by(observer: Observer) -> Iterator[None]:
    """Report to `observer` while the block runs."""
    _watching.append(observer)
    try:
        yield
    finally:
        _watching.remove(observer)


def started(station: str, total: int) -> None:
    """Say that a station begins."""
    _watching[-1].station_started(station, total)


def advanced(station: str, items: int = 1) -> None:
    """Say that a station did some items."""
    _watching[-1].station_advanced(station, items)


def finished(station: str) -> None:
    """Say that a station is done."""
    _watching[-1].station_finished(station)


class Tally:
    """Counts each thing once for a station, however often it is reported."""

    def __init__(self, station: str) -> None:
        self._station = station
        self._seen: set[str] = set()

    def __len__(self) -> int:
        """How many things were reported."""
        return len(self._seen)

    def __call__(self, name: str) -> None:
        """Report that `name` is done."""
        if name not in self._seen:
            self._seen.add(name)
            advanced(self._station)
