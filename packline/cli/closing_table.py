"""What a run came to, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from packline.cli.table import table
from packline.records import RunRecord, ShotRecord, ShotState
from packline.report import figures
from packline.scorecard import Verdict


def closing_tables(run: RunRecord, shots: Sequence[ShotRecord]) -> Iterator[Table]:
    """Shots and candidates, what each check said, flags with their reasons, and where the time went."""
    yield _outcome(run, shots)
    tallies = figures.tally(shots)
    if tallies:
        yield _checks(tallies)
    flags = [shot for shot in shots if shot.state == ShotState.FLAGGED]
    if flags:
        yield flag_table(flags)
    yield _stations(run)


def flag_table(flags: Sequence[ShotRecord]) -> Table:
    """Each flagged shot with its reason and its sentence."""
    rows = [(shot.key, figures.plain_name(shot.reason), shot.sentence) for shot in flags]
    return table(f"Flags ({len(rows)})", ("shot", "reason", "what is wrong"), rows)


def _outcome(run: RunRecord, shots: Sequence[ShotRecord]) -> Table:
    result = figures.outcome(run, shots)
    rate = (
        "none scored"
        if result.pass_rate is None
        else f"{result.passed} of {result.scored} ({result.pass_rate:.0%})"
    )
    rows = [
        ("shots", str(result.shots)),
        ("published", str(result.published)),
        ("flagged", str(result.flagged)),
        ("candidates", str(result.candidates)),
        ("passed every check", rate),
        ("took", figures.duration(run.seconds)),
    ]
    if result.cost:
        rows.append(("cost", f"${result.cost:.2f}"))
    return table("Outcome", ("", ""), rows, right=(1,))


def _checks(tallies: Sequence[figures.CheckTally]) -> Table:
    rows = []
    for one in tallies:
        count = one.counts
        rows.append(
            (
                figures.plain_name(one.name),
                f"{count[Verdict.PASS]} of {one.ran}",
                str(count[Verdict.FAIL]),
                str(count[Verdict.UNVERIFIABLE]),
                str(count[Verdict.ERROR]),
                str(count[Verdict.NOT_APPLICABLE]),
                f"{one.milliseconds:.0f}",
            )
        )
    columns = ("check", "passed", "failed", "cannot tell", "error", "not applicable", "ms each")
    return table("Checks", columns, rows, right=(1, 2, 3, 4, 5, 6))


def _stations(run: RunRecord) -> Table:
    rows = [
        (one.name, str(one.items), figures.duration(one.seconds), f"{one.share:.0%}")
        for one in figures.stations(run)
    ]
    return table("Stations", ("station", "items", "took", "share"), rows, right=(1, 2, 3))
