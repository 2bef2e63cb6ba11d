"""`packline loras pull`: LoRA files from CivitAI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

CATALOGS = (".csv", ".parquet", ".jsonl")


def pull(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LABEL | AIR]... [CATALOG]",
            help="Presets by their label; an AIR (urn:air:...) that is to become one. A catalogue: its "
            "settings say which list of presets it is. Without a label: every preset that lacks its file.",
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="The presets, without a catalogue.")] = None,
) -> None:
    """Download LoRA files from CivitAI, check them, and note their paths and hashes in the presets.

    CIVITAI_API_KEY holds your key, for files that are given to accounts only.

    Exit code 0: every file is there; 1: some are not, each with a sentence; 2: the settings must be mended.
    """
    from packline.cli.main import ALL_PUBLISHED, WITH_FLAGS, _sentences

    with _sentences():
        given = words or []
        catalogs = [word for word in given if Path(word).suffix in CATALOGS]
        missing = pull_loras(_list_file(catalogs, file), [word for word in given if word not in catalogs])
    raise typer.Exit(WITH_FLAGS if missing else ALL_PUBLISHED)


def _list_file(catalogs: Sequence[str], file: Path | None) -> Path:
    from packline.errors import FixSettings
    from packline.line.order import Order

    if len(catalogs) + (file is not None) > 1:
        raise FixSettings("Give one catalogue, or one list of presets with --file.")
    if catalogs:
        return Order(Path(catalogs[0])).read_settings().paths.loras
    return file or Path("assets/loras/presets.json")


def pull_loras(list_file: Path, words: Sequence[str]) -> int:
    """Pull what is asked for and say of each what became of it.

    Returns
    -------
    How many are not there.
    """
    from packline.cli.table import console
    from packline.editing.civitai import open_civitai
    from packline.editing.loras import load_presets
    from packline.editing.pull import pull, wanting
    from packline.errors import PacklineError, TryAgain

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


def register(group: typer.Typer) -> None:
    """Add the command to `packline loras`."""
    group.command("pull")(pull)
