"""``packline bench checks``: how many defects escape, how many good pictures are rejected."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packline.cli.bars import Bars
from packline.cli.table import console, table
from packline.errors import FixSettings
from packline.progress import watched_by

if TYPE_CHECKING:
    import pandas as pd

    from scoring.bench.runner import Order

DOCS = Path("docs")


def bench_checks(
    split: str,
    takes: int,
    size: int,
    out: Path,
    seed: int,
    workers: int,
    settings: Path | None,
    write_docs: bool,
    foreign: float | None = None,
) -> None:
    """Run the defect bench, print a short table and write plot, page and pictures of what went wrong.

    Raises
    ------
    FixSettings
        For an unknown split, settings that cannot be read, or a folder that holds another run.
    """
    from scoring.bench.page import headline, markdown
    from scoring.bench.plot import contact_sheet, escape_plot
    from scoring.bench.runner import Order, run
    from scoring.bench.table import find

    if split not in ("calibration", "test"):
        raise FixSettings(f"There is no split {split}; choose calibration or test.")
    screen = console()
    order = Order(split, takes, size=size, seed=seed, tables=_tables(settings), foreign=foreign)
    folder = out / (f"{split}-{size}-{seed}" + (f"-foreign-{foreign:g}" if foreign is not None else ""))
    with Bars(screen) as bars, watched_by(bars):
        scores = run(order, folder, workers)
    found = find(scores)
    rows = [
        (
            one.kind,
            one.strength,
            str(one.escaped.of),
            str(one.plain),
            one.escaped.words(),
            ", ".join(f"{name} {100 * share:.0f} %" for name, share in one.caught_by[:2]),
        )
        for one in found.defects
    ]
    screen.print(table("Escapes", ("defect", "strength", "n", "plain", "escaped", "caught by"), rows, (2, 3)))
    honest = [
        (
            one.name,
            one.rejected.words(),
            one.unverifiable.words(),
            f"{one.median_ms:.0f}",
            f"{one.p95_ms:.0f}",
        )
        for one in found.checks
    ]
    screen.print(
        table("Good pictures", ("check", "rejected", "cannot tell", "ms", "ms, 95 %"), honest, (3, 4))
    )
    screen.print(headline(found), highlight=False)
    shown = contact_sheet(scores, folder, folder / "wrong.jpg")
    if shown:
        screen.print(f"{shown} that were judged wrongly: {folder / 'wrong.jpg'}", highlight=False)
    page, plot = (DOCS / "bench.md", DOCS / "images" / "bench.svg") if write_docs else (
        folder / "bench.md",
        folder / "images" / "bench.svg",
    )  # fmt: skip
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_text(escape_plot(found))
    page.write_text(markdown(found, _about(order, scores)))
    screen.print(f"Table and plot: {page}", highlight=False)


def _about(order: Order, scores: pd.DataFrame) -> str:
    """What was counted, which may be more than was asked for: all that the folder holds."""
    each = scores.drop_duplicates("specimen")
    # each take has a product of its own
    takes = int(each["product"].nunique())
    words = f"{takes} takes at {order.size} px, seed {order.seed}"
    if takes != order.takes:
        words += f" (all that the folder holds; {order.takes} were asked for)"
    return (
        f"This run: split `{order.split}`, {words}: {int(each['kind'].isna().sum())} good and "
        f"{int(each['kind'].notna().sum())} bad pictures of {takes} products; "
        f"`packline bench checks --split {order.split} --takes {takes} --size {order.size} "
        f"--seed {order.seed}{f' --foreign {order.foreign:g}' if order.foreign is not None else ''}`."
    )


def _tables(settings: Path | None) -> dict[str, Any]:
    """The ``checks`` tables of a settings file."""
    if settings is None:
        # the embedded aligner knows none of the bench's goods: as in the demo, that holds nothing back
        return {"alignment": {"unverifiable": "pass"}}
    try:
        told = tomllib.loads(settings.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FixSettings(f"Settings {settings}: cannot be read ({error}).") from error
    found = told.get("checks", {})
    if not isinstance(found, dict):
        raise FixSettings(f"Settings {settings}: checks should be tables such as [checks.artifacts].")
    return found
