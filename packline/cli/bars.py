"""Progress bars, one a station."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bars:
    """Watches a run (`packline.progress.Observer`) and draws it.

    Where the output is no terminal, a line is printed as each station finishes.
    """

    def __init__(self, out: Console) -> None:
        self._out = out
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<11}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=out,
            disable=not out.is_terminal,
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def station_started(self, station: str, total: int) -> None:
        """Draw its bar, or make it longer: a station runs once a wave."""
        bar = self._bars.get(station)
        if bar is None:
            self._bars[station] = self._progress.add_task(station, total=total)
        else:
            # what a wave before left undone was flagged: it is not waited for
            done = self._progress.tasks[bar].completed
            self._progress.update(bar, total=done + total)
            self._progress.start_task(bar)

    def station_advanced(self, station: str, items: int) -> None:
        """Fill its bar."""
        if station in self._bars:
            bar = self._bars[station]
            self._progress.advance(bar, items)
            # an interrupted run's candidates are scored with this one's: more than was promised
            task = self._progress.tasks[bar]
            self._progress.update(bar, total=max(task.total or 0, task.completed))

    def station_finished(self, station: str) -> None:
        """Say so where no bar can be drawn."""
        if station in self._bars and not self._out.is_terminal:
            task = self._progress.tasks[self._bars[station]]
            self._out.print(f"{station}: {task.completed:.0f} of {task.total:.0f}", highlight=False)
