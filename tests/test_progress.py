"""Telling whoever watches."""

from __future__ import annotations

from packline import progress
from packline.cli.bars import Bars
from packline.cli.table import console


class Diary:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, int]] = []

    def station_started(self, station: str, total: int) -> None:
        self.lines.append(("started", station, total))

    def station_advanced(self, station: str, items: int) -> None:
        self.lines.append(("advanced", station, items))

    def station_finished(self, station: str) -> None:
        self.lines.append(("finished", station, 0))


def test_an_observer_hears_of_every_step_while_it_watches_and_of_none_after() -> None:
    diary = Diary()
    with progress.watched_by(diary):
        progress.started("edit", 2)
        progress.advanced("edit")
        progress.finished("edit")
    progress.advanced("edit")
    assert diary.lines == [("started", "edit", 2), ("advanced", "edit", 1), ("finished", "edit", 0)]


def test_a_tally_counts_each_thing_once_however_often_it_is_tried() -> None:
    diary = Diary()
    with progress.watched_by(diary):
        tally = progress.Tally("edit")
        for name in ("a", "b", "a", "b", "c"):
            tally(name)
    assert diary.lines == [("advanced", "edit", 1)] * 3


def test_a_stations_bar_grows_with_each_wave() -> None:
    out = console()
    with out.capture() as printed, Bars(out) as bars:
        for _ in range(2):
            bars.station_started("edit", 3)
            bars.station_advanced("edit", 3)
            bars.station_finished("edit")
    assert printed.get().splitlines() == ["edit: 3 of 3", "edit: 6 of 6"]
