"""What the bench found: escapes by defect and strength, false rejects by check, who caught what, how fast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

#: Confidence of every interval.
CONFIDENCE = 0.95
_HELD = ("fail", "error", "unverifiable")


@dataclass(frozen=True)
class Rate:
    """A share with its interval.

    Parameters
    ----------
    hits, of
        Counts.
    low, high
        Bounds of Clopper and Pearson's exact interval at `CONFIDENCE`.
    """

    hits: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """0 where nothing was counted."""
        return self.hits / self.of if self.of else 0.0

    def words(self) -> str:
        """Such as "0.3 % (0.1–0.9 %)"."""
        if not self.of:
            return "–"
        return f"{_percent(self.share)} % ({_percent(self.low)}–{_percent(self.high)} %)"


@dataclass(frozen=True)
class DefectRow:
    """One defect at one strength.

    Parameters
    ----------
    plain
        How many of them a person sees at arm's length.
    escaped
        Scorecards that passed.
    unverifiable
        Held back by nothing but checks that could not tell.
    caught_by
        Share of all at which each check failed, largest first.
    """

    kind: str
    strength: str
    check: str
    plain: int
    escaped: Rate
    unverifiable: int
    caught_by: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class CheckRow:
    """One check on all good specimens, and its time on all.

    Parameters
    ----------
    rejected
        Good ones that it failed or could not run on.
    unverifiable
        Good ones where it could not tell.
    """

    name: str
    version: str
    rejected: Rate
    unverifiable: Rate
    median_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Findings:
    """All of it.

    Parameters
    ----------
    plain_escapes
        The headline.
    rejected
        Good ones whose scorecard a check failed.
    unverifiable
        Good ones held back by nothing but checks that could not tell.
    """

    plain_escapes: Rate
    all_escapes: Rate
    rejected: Rate
    unverifiable: Rate
    defects: tuple[DefectRow, ...]
    checks: tuple[CheckRow, ...]
    median_ms: float
    p95_ms: float


def read_scores(folder: Path) -> pd.DataFrame:
    """Read what a run of the bench wrote: a row for each specimen and check.

    Returns
    -------
    pandas.DataFrame
        Columns: ``specimen`` (id), ``product``, ``scene``, ``side``, ``shard``; of the defect ``kind``,
        ``strength``, ``defect_check`` (whose dimension it is), ``plain``, ``share`` (of the picture),
        all null for a good specimen; ``nuisance`` (JSON of `scoring.bench.nuisances.Nuisance`); ``passed``
        (the whole scorecard); of the check ``check``, ``version``, ``verdict``, ``score``, ``threshold``,
        ``milliseconds`` (its share of a chunk of 8), ``sentence``, ``measures`` (JSON: name to number).
        Specimens of one ``product`` are no independent draws.
    """
    files = sorted(folder.glob("scores-*.parquet"))
    if not files:
        return pd.DataFrame(columns=["specimen", "kind", "check", "verdict", "passed"])
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def interval(hits: int, of: int) -> Rate:
    """A rate with C. Clopper and E. Pearson's exact interval (Biometrika 26, 1934)."""
    from scipy.stats import beta

    if of == 0:
        return Rate(0, 0, 0.0, 1.0)
    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, of - hits)) if hits < of else 1.0
    return Rate(hits, of, low, high)


def find(scores: pd.DataFrame) -> Findings:
    """Count.

    Parameters
    ----------
    scores
        From `read_scores`.
    """
    each = scores.drop_duplicates("specimen").set_index("specimen")
    verdicts = scores.pivot(index="specimen", columns="check", values="verdict").loc[each.index]
    failed = verdicts.isin(["fail", "error"])
    held_only = verdicts.isin(["unverifiable"]).any(axis=1) & ~failed.any(axis=1)
    bad = each["kind"].notna()
    good = ~bad
    plain = bad & each["plain"].fillna(False).astype(bool)
    passed = each["passed"].astype(bool)
    times = scores.groupby("specimen")["milliseconds"].sum()
    return Findings(
        plain_escapes=_rate(passed[plain]),
        all_escapes=_rate(passed[bad]),
        rejected=_rate(failed.any(axis=1)[good]),
        unverifiable=_rate(held_only[good]),
        defects=tuple(_defect_rows(each[bad], passed, held_only, failed)),
        checks=tuple(_check_rows(scores, good)),
        median_ms=float(times.median()),
        p95_ms=float(times.quantile(0.95)),
    )


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


def measures(scores: pd.DataFrame, check: str) -> pd.DataFrame:
    """One check's measures as columns beside ``specimen``, ``kind``, ``plain`` and ``score``."""
    own = scores[scores["check"] == check].reset_index(drop=True)
    told = pd.DataFrame([json.loads(text) for text in own["measures"]])
    return pd.concat(
        [own[["specimen", "product", "kind", "strength", "plain", "verdict", "score"]], told], axis=1
    )


def order_of(strength: str) -> tuple[float, str]:
    """A key that sorts strengths as a person would: "<1 %" first, then by number, ">8 %" last."""
    words = strength.replace("stops", "stop").split(", ")[-1]
    degree = {"mild": 0.1, "moderate": 0.2, "strong": 0.3, "faint": 0.0, "clear": 0.2}
    first = degree.get(strength.split(", ")[0].split()[0], 0.0) if strength else 0.0
    digits = "".join(c if c.isdigit() or c == "." else " " for c in words).split()
    number = float(digits[0]) if digits else 0.0
    if words.startswith("q"):
        number = -number
    beyond = 0.5 if ">" in words else -0.5 if "<" in words else 0.0
    return first * 1000 + number + beyond, strength


def _defect_rows(
    bad: pd.DataFrame, passed: pd.Series[bool], held_only: pd.Series[bool], failed: pd.DataFrame
) -> Iterator[DefectRow]:
    order = {check: number for number, check in enumerate(pd.unique(bad["defect_check"]))}
    keys = bad[["defect_check", "kind", "strength"]].drop_duplicates().itertuples(index=False)
    for check, kind, strength in sorted(
        keys, key=lambda key: (order[str(key[0])], str(key[1]), order_of(str(key[2])))
    ):
        own = bad.index[
            (bad["kind"] == kind) & (bad["strength"] == strength) & (bad["defect_check"] == check)
        ]
        shares = failed.loc[own].mean().sort_values(ascending=False)
        yield DefectRow(
            str(kind),
            str(strength),
            str(check),
            int(bad.loc[own, "plain"].astype(bool).sum()),
            _rate(passed.loc[own]),
            int(held_only.loc[own].sum()),
            tuple((str(name), float(share)) for name, share in shares.items() if share > 0),
        )


def _check_rows(scores: pd.DataFrame, good: pd.Series[bool]) -> Iterator[CheckRow]:
    for name in pd.unique(scores["check"]):
        own = scores[scores["check"] == name].set_index("specimen")
        honest = own[good.loc[own.index]]
        yield CheckRow(
            str(name),
            str(own["version"].iloc[0]),
            _rate(honest["verdict"].isin(["fail", "error"])),
            _rate(honest["verdict"] == "unverifiable"),
            float(own["milliseconds"].median()),
            float(own["milliseconds"].quantile(0.95)),
        )


def _rate(hits: pd.Series[bool]) -> Rate:
    return interval(int(np.asarray(hits, bool).sum()), len(hits))


def _percent(share: float) -> str:
    percent = 100 * share
    return "0" if percent == 0 else f"{percent:.2f}" if percent < 1 else f"{percent:.1f}"
