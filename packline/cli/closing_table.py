"""What a run came to, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from packline.cli.table import table
from packline.line.closing import Closing
from packline.records import RunRecord, ShotRecord
from packline.report import figures
from packline.scorecard import Verdict

_MOST_FLAGS = 50  # in a terminal; packline flags lists them all


def closing_tables(
    run: RunRecord,
    closing: Closing,
    flags: Sequence[ShotRecord],
    shots: Sequence[ShotRecord],
    whole: figures.Whole | None,
) -> Iterator[Table]:
    """Shots and candidates, what each check said, flags with their reasons, and where the time went.

    Parameters
    ----------
    shots, whole
        From `packline.line.closing.extract`.
    """
    yield _outcome(run, closing, whole.outcome if whole else figures.outcome(run, shots))
    tallies = whole.tallies if whole else figures.tally(shots)
    if tallies:
        yield _checks(tallies)
    if flags:
        some = [(shot.key, shot.reason, shot.sentence) for shot in flags[:_MOST_FLAGS]]
        of = closing.summary["flagged"]
        count = f"{of}" if of == len(some) else f"the first {len(some)} of {of:,}"
        yield flag_table(some, f"Flags ({count})")
    yield _stations(run)


def flag_table(flags: Sequence[tuple[str, str, str]], title: str) -> Table:
    """Flagged shots, each with its reason and its sentence."""
    rows = [(key, figures.plain_name(reason), sentence) for key, reason, sentence in flags]
    return table(title, ("shot", "reason", "what is wrong"), rows)


def _outcome(run: RunRecord, closing: Closing, result: figures.Outcome) -> Table:
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
    if closing.waiting:
        rows.append(("left to the next run", f"{closing.waiting}, for the run's budget is spent"))
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
