"""`packline calibrate`: thresholds from the bench's scores and from people's decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packline.cli.table import console, table
from packline.errors import FixSettings
from packline.fingerprint import digest
from packline.ledger import Ledger
from packline.line.order import Order
from packline.records import Opinion
from packline.scorecard import Verdict
from scoring import registry
from scoring.calibration import Judged, Outcome, Table, calibrate, outcome, relieved, table_of
from scoring.settings import default_settings
from scoring.thresholds import Evidence, Threshold, Thresholds


@dataclass(frozen=True)
class Goal:
    """What is asked of each check; see `scoring.calibration.calibrate`."""

    alpha: float
    confidence: float
    max_false_rejects: float


def calibrate_checks(scores: Path, catalog: Order | None, goal: Goal, out: Path) -> bool:
    """Set the thresholds, print them before and after, and write the file.

    Parameters
    ----------
    scores
        Folder that the bench wrote.
    catalog
        Whose ledger is asked for people's decisions; None asks none.
    out
        The file to write.

    Returns
    -------
    bool
        Whether every check keeps to the goal.

    Raises
    ------
    FixSettings
        Where the scores are missing, or are all of other versions of the checks than the installed ones. A
        single check whose version changed since is left out, and said to be.
    """
    rows = bench_rows(scores)
    people = _people_rows(catalog) if catalog else []
    found = table_of([*rows, *people])
    checks = registry.checks()
    stale = {
        name: one.version
        for name, one in found.columns.items()
        if name in checks and checks[name].version != one.version
    }
    if len(stale) == len(found.columns):
        raise FixSettings(
            f"Scores {scores} are of other versions of the checks than the installed ones; "
            "run packline bench checks anew."
        )
    for name, version in stale.items():
        console().print(
            f"{_plain(name)} is left out: its scores are of version {version}, and {checks[name].version} is "
            "installed.",
            highlight=False,
        )
    before = {
        check.name: own.threshold
        for check, own in default_settings().checks
        if check.name in found.columns and check.name not in stale
    }
    set_ = calibrate(found, goal.alpha, goal.confidence, goal.max_false_rejects, list(before))
    set_ = relieved(found, set_, before, goal.confidence)
    after = {name: set_[name].threshold if name in set_ else old for name, old in before.items()}
    was, now = (outcome(found, thresholds, goal.confidence) for thresholds in (before, after))
    _print(found, before, set_, was, now)
    file = Thresholds(
        goal.alpha,
        goal.confidence,
        goal.max_false_rejects,
        digest_of(rows),
        datetime.now(UTC).date().isoformat(),
        set_,
        now.escapes,
        now.false_rejects,
        now.unverifiable,
        # a picture with two faults is two specimens and one decision
        len({row.specimen.removesuffix(f" ({row.dimension})") for row in people}),
    )
    file.write(out)
    console().print(f"Thresholds: {out}", highlight=False, markup=False, soft_wrap=True)
    return all(one.met for one in set_.values())


def _print(
    found: Table, before: dict[str, float], after: dict[str, Threshold], was: Outcome, now: Outcome
) -> None:
    out = console()
    columns = ("check", "threshold", "escapes", "at most", "get out", "false rejects", "holds")
    rows = []
    for name, old in before.items():
        one = after.get(name)
        escaped, rejected = was.by_check[name]
        if one is None:
            rows.append((_plain(name), f"{old:.3f}", "", "", "", _share(rejected), "no defects of its own"))
            continue
        rows.append(
            (
                _plain(name),
                f"{old:.3f} → {one.threshold:.3f}",
                f"{_share(escaped)} → {_share(one.escapes)}",
                f"{one.escapes.bound:.2%}",
                str(one.published.times),
                f"{_share(rejected)} → {_share(one.false_rejects)}",
                "yes" if one.met else "no",
            )
        )
    rows.append(
        (
            "whole scorecard",
            "",
            f"{_share(was.escapes)} → {_share(now.escapes)}",
            f"{now.escapes.bound:.2%}",
            str(now.escapes.times),
            f"{_share(was.false_rejects)} → {_share(now.false_rejects)}",
            "",
        )
    )
    good = int(found.good.sum())
    title = f"Thresholds on {int(found.plain.sum())} plain defects and {good} good pictures"
    out.print(table(title, columns, rows, right=(1, 2, 3, 4, 5)))
    out.print(f"Cannot be told: {_share(now.unverifiable)} of the good ones.", highlight=False)
    for name, one in after.items():
        if one.sentence:
            worst = sorted(one.kinds.items(), key=lambda kind: -kind[1][1])
            kinds = ", ".join(f"{kind} {times} of {of}" for kind, (of, times) in worst[:4] if times)
            more = f" Escaping: {kinds}." if kinds else ""
            out.print(f"{_plain(name)}: {one.sentence}{more}", highlight=False, markup=False)


def _share(one: Evidence) -> str:
    return f"{one.times} of {one.of} ({one.rate:.2%})" if one.of else "none"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _people_rows(order: Order) -> list[Judged]:
    settings = order.read_settings()
    return opinion_rows(Ledger(settings.ledger.url).opinions(settings.run.name))


def opinion_rows(opinions: Sequence[Opinion]) -> list[Judged]:
    """What people decided, as pictures whose fault is known.

    An approved picture is a good one. A rejected one is a plain defect of each check that the person named by
    a tag, or else of the one that their words begin with ("colour: too dark"); where they name none, nothing
    is known of whose fault it is, and it is left out. Scores of other versions of a check than the installed
    one are left out as well.
    """
    checks = registry.checks()
    rows = []
    for one in opinions:
        dimensions, kind = [""], ""
        if one.decision == "reject":
            words = one.words.casefold().replace("_", " ")
            tagged = [name for name in one.tags if name in checks]
            dimensions = tagged or [name for name in checks if words.startswith(_plain(name))][:1]
            kind = "rejected by a person"
        rows += [
            Judged(
                f"decision on {one.candidate} by {one.by}" + (f" ({dimension})" if dimension else ""),
                result.check,
                result.version,
                result.verdict,
                result.score,
                result.threshold,
                kind,
                dimension,
                bool(dimension),
            )
            for dimension in dimensions
            for result in one.scorecard.results
            if result.check in checks and checks[result.check].version == result.version
        ]
    return rows


def bench_rows(scores: Path) -> list[Judged]:
    """What the bench wrote, as `scoring.calibration` wants it.

    Raises
    ------
    FixSettings
        Where there is nothing to read.
    """
    from scoring.bench.table import read_scores

    frame = read_scores(scores)
    if frame.empty:
        raise FixSettings(f"Folder {scores} holds no scores; run packline bench checks first.")
    bad = frame["kind"].notna()
    told = zip(
        frame["specimen"],
        frame["check"],
        frame["version"],
        frame["verdict"],
        frame["score"],
        frame["threshold"],
        frame["kind"].where(bad, ""),
        frame["defect_check"].where(bad, ""),
        bad & frame["plain"].fillna(False).astype(bool),
        strict=True,
    )
    return [
        Judged(
            str(specimen),
            str(check),
            str(version),
            Verdict(verdict),
            float(score),
            float(threshold),
            str(kind),
            str(dimension),
            bool(plain),
        )
        for specimen, check, version, verdict, score, threshold, kind, dimension, plain in told
    ]


def digest_of(rows: Sequence[Judged]) -> str:
    """Which scores these are: a digest over all of them, in any order."""
    return digest(sorted((row.specimen, row.check, row.version, row.verdict, row.score) for row in rows))
