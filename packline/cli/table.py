"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def console() -> Console:
    """Where commands print: as wide as the terminal, or wide enough for a sentence where there is none."""
    wide = Console()
    return wide if wide.is_terminal else Console(width=140, soft_wrap=True)


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()
) -> Table:
    """A plain table; columns in `right` hold numbers."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        made.add_column(
            column, justify="right" if number in right else "left", overflow="fold", header_style="dim"
        )
    for row in rows:
        # as text: a SKU in brackets is no markup
        made.add_row(*(Text(cell) for cell in row))
    return made
