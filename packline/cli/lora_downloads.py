"""What `packline loras pull` does and prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from packline.cli.table import console
from packline.editing.civitai import open_civitai
from packline.editing.loras import load_presets
from packline.editing.pull import pull, wanting
from packline.errors import PacklineError, TryAgain


def pull_loras(list_file: Path, words: Sequence[str]) -> int:
    """Pull what is asked for and say of each what became of it.

    Returns
    -------
    How many are not there.
    """
    out = console()
    asked = list(dict.fromkeys(words)) or wanting(load_presets(list_file))
    if not asked:
        out.print(f"Every LoRA of {list_file} that has an AIR has its file.", markup=False, highlight=False)
    missing = 0
    with open_civitai() as civitai:
        for number, word in enumerate(asked, start=1):
            try:
                with _Line(out, word) as line:
                    done = pull(list_file, word, civitai, line)
            except PacklineError as error:
                missing += 1
                typer.echo(f"packline: {error}", err=True)
                if isinstance(error, TryAgain) and number < len(asked):
                    # it was asked several times already: the others would only be told the same
                    left = len(asked) - number
                    typer.echo(f"packline: {left} more {'was' if left == 1 else 'were'} not tried.", err=True)
                    missing += left
                    break
                continue
            said = "pulled to" if done.fetched else "is there already:"
            note = f"; new in {list_file}" if done.new else ""
            out.print(
                f"LoRA {done.label!r} {said} {done.file} ({done.architecture}){note}",
                markup=False,
                highlight=False,
            )
    return missing


class _Line:
    """Draws how far a download is; where the output is no terminal, nothing."""

    def __init__(self, out: Console, name: str) -> None:
        self._out = out
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=out,
            disable=not out.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task(name, total=None)

    def __enter__(self) -> _Line:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def waits(self) -> None:
        """Say why nothing moves."""
        self._out.print("Another process is downloading it; waiting for that.", highlight=False)

    def advanced(self, done: int, total: int | None) -> None:
        """Draw."""
        self._progress.update(self._task, completed=done, total=total)
