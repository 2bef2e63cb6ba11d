"""`packline calibrate`: thresholds from the bench's scores and from people's decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from packline.cli.calibration_scores import bench_rows, digest_of, find_run, opinion_rows
from packline.cli.calibration_tables import print_checks, print_whole
from packline.cli.table import console
from packline.errors import FixSettings
from packline.ledger import Ledger
from packline.line.order import Order
from scoring import registry
from scoring import thresholds as files
from scoring.calibration import Goal, calibrate
from scoring.score_table import Judged, judgement, table_of
from scoring.settings import default_settings
from scoring.thresholds import Thresholds


def calibrate_checks(scores: Path, catalog: Order | None, goal: Goal, out: Path | None) -> bool:
    """Set the thresholds, print them before and after, and write the file.

    Parameters
    ----------
    scores
        Folder of a run of the bench, or one that holds such folders, one of them of the split "calibration".
    catalog
        Whose ledger is asked for people's decisions; None asks none.
    out
        The file to write; None: the one that the catalogue's settings name, else the one that every run reads
        whose settings name none.

    Returns
    -------
    bool
        Whether the whole scorecard keeps to the goal on products that played no part in the thresholds.

    Raises
    ------
    FixSettings
        Where the scores are missing, of another split, or all of other versions of the checks than the
        installed ones. A single check whose version changed since is left out, and said to be.
    """
    folder = find_run(scores)
    rows, bench = bench_rows(folder)
    rows = _present(rows, folder)
    people: list[Judged] = []
    if catalog:
        settings = catalog.read_settings()
        people = opinion_rows(Ledger(settings.ledger.url).opinions(settings.run.name))
        named = settings.checks.get("thresholds")
        out = out or (Path(named) if isinstance(named, str) else None)
    out = out or files.SHIPPED
    if bench.products < bench.takes:
        console().print(
            f"{folder} holds {bench.products} of the {bench.takes} takes that were asked for: packline bench "
            "checks goes on with it.",
            highlight=False,
            soft_wrap=True,
        )
    table = table_of([*rows, *people])
    checks = registry.checks()
    # what only people's pictures have scores of is no part of the scorecard that is measured
    measured = {row.check for row in rows}
    defaults = {
        name: float(check.defaults["threshold"]) for name, check in checks.items() if name in measured
    }
    missing = [_plain(name) for name in checks if name not in measured]
    before, sure = ({name: level for name, level in some.items() if name in defaults} for some in _in_force())
    made = calibrate(table, goal, defaults, missing)
    after = {**defaults, **{name: one.threshold for name, one in made.checks.items()}}
    print_checks(table, before, sure, after, made)
    print_whole(judgement(table, before, sure).rates(table, goal.confidence), made, goal)
    used = [row for row in rows + people if row.check in defaults]
    file = Thresholds(
        goal.alpha,
        goal.confidence,
        goal.max_rejects,
        goal.max_unverifiable,
        digest_of(used),
        datetime.now(UTC).date().isoformat(),
        replace(
            bench,
            good=int(table.good.sum()),
            bad=int(len(table.good) - table.good.sum() - table.by_person.sum()),
        ),
        made.checks,
        made.found,
        made.held_out,
        made.met,
        made.sentences,
        made.decisions,
    )
    file.write(out)
    files.shipped_thresholds.cache_clear()
    console().print(f"Thresholds: {out}", highlight=False, markup=False, soft_wrap=True)
    return made.met


def _present(rows: list[Judged], folder: Path) -> list[Judged]:
    """The rows of installed versions of checks; the others are said to be left out."""
    checks = registry.checks()
    stale = {
        row.check: row.version
        for row in rows
        if row.check not in checks or checks[row.check].version != row.version
    }
    found = [row for row in rows if row.check in checks and checks[row.check].version == row.version]
    if not found:
        raise FixSettings(
            f"Scores {folder} are of other versions of the checks than the installed ones; "
            "run packline bench checks --split calibration anew."
        )
    for name, version in stale.items():
        there = f"{checks[name].version} is installed" if name in checks else "it is not installed"
        console().print(
            f"{_plain(name)} is left out: its scores are of version {version}, and {there}.", highlight=False
        )
    return found


def _in_force() -> tuple[dict[str, float], dict[str, float]]:
    """The thresholds of a run whose settings state none, and the scores from which checks are sure."""
    try:
        checks = default_settings().checks
    except FixSettings:
        # a file that cannot be read is what this command mends
        return {name: float(check.defaults["threshold"]) for name, check in registry.checks().items()}, {}
    return (
        {check.name: own.threshold for check, own in checks},
        {check.name: own.enough for check, own in checks},
    )


def _plain(name: str) -> str:
    return name.replace("_", " ")
