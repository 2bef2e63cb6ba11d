"""What `packline calibrate` prints."""

from __future__ import annotations

from collections.abc import Mapping

from packline.cli.table import console, table
from scoring.calibration import Calibration, Goal
from scoring.score_table import Table
from scoring.thresholds import Evidence, Rates


def print_checks(
    found: Table,
    before: Mapping[str, float],
    sure: Mapping[str, float],
    after: Mapping[str, float],
    made: Calibration,
) -> None:
    """Each check before and after, on the pictures on which its threshold was found.

    Parameters
    ----------
    before, sure
        The thresholds in force, and the scores from which checks are sure.
    """
    rows = []
    for name, level in after.items():
        one = made.checks.get(name)
        old = before.get(name, level)
        if one is None:
            rows.append((_plain(name), f"{level:.3f}", "", "", "", "", "", "scored no good picture"))
            continue
        column, own = found.columns[name], found.own(name) & found.columns[name].judged
        escaped = int((own & column.passes(sure.get(name, old))).sum())
        rejected = int((found.good & column.judged & column.rejects(old)).sum())
        rows.append(
            (
                _plain(name),
                f"{old:.3f} → {one.threshold:.3f}",
                f"{escaped} → {one.escapes.times} of {one.escapes.of}"
                if one.escapes.of
                else "none of its own",
                f"{one.escapes.bound:.2%}" if one.escapes.of else "",
                str(one.published.times) if one.escapes.of else "",
                f"{rejected} → {one.false_rejects.times} of {one.false_rejects.of}",
                f"{one.sure:.3f} ({one.doubts.times} good wait)" if one.sure > one.threshold else "",
                "yes" if one.met else "no",
            )
        )
    title = f"Thresholds on {int(found.bad.sum())} plain defects and {int(found.good.sum())} good pictures"
    columns = [
        *("check", "threshold", "plain escapes", "at most", "get out", "false rejects"),
        *("unsure below", "alone holds"),
    ]
    console().print(table(title, columns, rows, right=(1, 2, 3, 4, 5, 6)))
    for name, check in made.checks.items():
        worst = sorted(check.kinds.items(), key=lambda kind: -kind[1][1])
        kinds = ", ".join(f"{kind} {times} of {of}" for kind, (of, times) in worst[:4] if times)
        if kinds:
            console().print(f"{_plain(name)} lets pass: {kinds}.", highlight=False, markup=False)


def print_whole(before: Rates, made: Calibration, goal: Goal) -> None:
    """The whole scorecard: what was asked, what the thresholds do where they were found and elsewhere."""
    found, held = made.found, made.held_out
    lines = (
        ("plain escapes", before.escapes, found.escapes, held.escapes, goal.alpha, held.escapes.bound),
        (
            "false rejects",
            before.false_rejects,
            found.false_rejects,
            held.false_rejects,
            goal.max_rejects,
            held.false_rejects.rate,
        ),
        (
            "cannot be told",
            before.unverifiable,
            found.unverifiable,
            held.unverifiable,
            goal.max_unverifiable,
            held.unverifiable.rate,
        ),
    )
    rows = [
        (
            name,
            _share(was),
            _share(now),
            _share(other),
            f"{other.bound:.2%}",
            f"{asked:.2%}",
            "yes" if other.of and measured <= asked else "no",
        )
        for name, was, now, other, asked, measured in lines
    ]
    products = (before.products, found.products, held.products)
    was, now, other = (_share(one) for one in products)
    rows.append(("products with an escape", was, now, other, f"{held.products.bound:.2%}", "", ""))
    columns = ("whole scorecard", "before", "found on", "held out", "at most", "asked", "holds")
    console().print(
        table("Held out: other products than the thresholds were found on", columns, rows, (1, 2, 3, 4, 5))
    )
    taken = made.decisions
    if taken.taken:
        console().print(
            f"People's decisions: {taken.taken}. Of {taken.rejected} faults that a check had let pass it now "
            f"lets {taken.still_pass} pass; of {taken.approved} approved pictures {taken.now_rejected} are "
            "rejected.",
            highlight=False,
            soft_wrap=True,
        )
    for sentence in made.sentences:
        console().print(sentence, highlight=False, markup=False, soft_wrap=True)


def _share(one: Evidence) -> str:
    return f"{one.times} of {one.of} ({one.rate:.2%})" if one.of else "none"


def _plain(name: str) -> str:
    return name.replace("_", " ")
