"""The bench's findings as the page `docs/bench.md`."""

from __future__ import annotations

from collections.abc import Iterator

from scoring.bench.products.spec import ONLY
from scoring.bench.table import Findings, interval


def headline(found: Findings) -> str:
    """The result in a few sentences."""
    plain = found.plain_escapes
    return (
        f"{plain.hits} of {plain.of} plain defects escaped ({plain.words()}). "
        f"Of {found.rejected.of} good pictures {found.rejected.words()} were rejected and "
        f"{found.unverifiable.words()} could not be judged. "
        f"All checks took {found.median_ms:.0f} ms a candidate at the median, {found.p95_ms:.0f} ms at the "
        "95th percentile."
    )


def markdown(found: Findings, about: str) -> str:
    """The page `docs/bench.md`.

    Parameters
    ----------
    about
        What was run, a sentence or two.
    """
    return "\n".join([*_page(found, about), ""])


def _page(found: Findings, about: str) -> Iterator[str]:
    yield "# The defect bench"
    yield ""
    yield "<!-- written by `packline bench checks --write-docs` -->"
    yield ""
    yield (
        "Pictures whose faults are known, made from the stage's own renders (`scoring/bench`): good ones "
        "with another light, a shift, a style or compression, and bad ones. A defect *escapes* when the "
        "whole scorecard passes. *Plain* are those that a person sees at arm's length: text of 20 px or more "
        "turned, mirrored, garbled beyond reading or missing; a multi-coloured product's colour off by a "
        "CIEDE2000 of 5 or more; a missing, added or melted part of 2 % of the product or more; and what is "
        "coarser. Intervals are Clopper and Pearson's at 95 %; specimens of one product are not "
        "independent, so the truth may lie a little outside."
    )
    yield ""
    yield about
    yield ""
    yield f"**{headline(found)}**"
    yield ""
    yield "![Escape rate by defect and strength](images/bench.svg)"
    yield ""
    yield from _groups(found)
    yield "## Good pictures, by check"
    yield ""
    yield "| check | version | rejected | cannot tell | ms, median | ms, 95 % |"
    yield "| --- | --- | --- | --- | ---: | ---: |"
    for row in found.checks:
        yield (
            f"| `{row.name}` | {row.version} | {row.rejected.words()} | {row.unverifiable.words()} | "
            f"{row.median_ms:.0f} | {row.p95_ms:.0f} |"
        )
    yield (
        f"| *whole scorecard* | | {found.rejected.words()} | {found.unverifiable.words()} | "
        f"{found.median_ms:.0f} | {found.p95_ms:.0f} |"
    )
    yield from _let_pass(found)
    yield ""
    yield "## Defects"
    yield ""
    yield "| defect | strength | of check | n | plain | escaped | only “cannot tell” | caught by |"
    yield "| --- | --- | --- | ---: | ---: | --- | ---: | --- |"
    for one in found.defects:
        caught = ", ".join(f"{name} {100 * share:.0f} %" for name, share in one.caught_by[:3])
        yield (
            f"| {one.kind} | {one.strength} | `{one.check}` | {one.escaped.of} | {one.plain} | "
            f"{one.escaped.words()} | {one.unverifiable} | {caught} |"
        )


def _let_pass(found: Findings) -> Iterator[str]:
    """Say where the run's settings let pass what a check could not tell: that is no knowledge."""
    let = [(row.name, row.let_pass, row.unverifiable.of) for row in found.checks if row.let_pass]
    if let:
        counted = ", ".join(f"`{name}` in {count} of {of} good ones" for name, count, of in let)
        yield ""
        yield (
            f"This run's settings let pass what cannot be told by {counted}: that is in the column, and "
            "holds no picture of the last line back. The embedded aligner knows no product of the bench; "
            "a real model does, and the default settings would ask a person."
        )


def _groups(found: Findings) -> Iterator[str]:
    yield "## Plain defects, by sort"
    yield ""
    yield "| | n | escaped |"
    yield "| --- | ---: | --- |"
    for group in found.groups:
        words = f"**{group.words}**" if group.named else group.words
        yield f"| {words} | {group.escaped.of} | {group.escaped.hits}: {group.escaped.words()} |"
    yield ""
    named = [group.escaped for group in found.groups if group.named]
    bold = interval(sum(one.hits for one in named), sum(one.of for one in named))
    yield (
        f"The bold ones are what Packline exists for; of them {bold.hits} of {bold.of} escaped "
        f"({bold.words()}). Each row counts what the whole scorecard passed."
    )
    escaped, rejected = found.new_kinds
    if escaped.of:
        yield ""
        yield (
            f"Of kinds of product that only the test split has ({', '.join(ONLY['test'])}), "
            f"{escaped.hits} of {escaped.of} plain defects escaped ({escaped.words()}) and of {rejected.of} "
            f"good pictures {rejected.words()} were rejected."
        )
    yield ""
