"""What the bench found: escapes by defect and strength, false rejects by check, who caught what, how fast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scoring.bench.products.spec import ONLY

#: Confidence of every interval.
CONFIDENCE = 0.95
_SCENE = "the scene changed, the product doubled or misplaced"
_PICTURE = "the picture blurred, burnt, noisy, black or flat"
_OF_SCENE = (
    "product duplicated",
    "object appears",
    "object in the shadow",
    "base shifted",
    "background replaced",
    "background recoloured",
    "halo",
    "product too large",
    "product too small",
    "product moved",
    "floating",
    "shadow missing",
)
# sorts of plain defects, and whether they are what a person at arm's length must never meet
_SORTS = {
    "text turned or mirrored": True,
    "text missing, garbled or misspelt": False,
    "text that should not be there": False,
    "colours off by more than dE 5": True,
    "colours off by dE 5": False,
    "a part missing, holed, melted or warped": True,
    "something added, painted or smeared on": False,
    "art turned, another side, another product or none": False,
    _SCENE: False,
    _PICTURE: False,
}


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
        Good ones where it could not tell, also where the settings let that pass.
    let_pass
        Of those, how many the settings let pass.
    """

    name: str
    version: str
    rejected: Rate
    unverifiable: Rate
    let_pass: int
    median_ms: float
    p95_ms: float


@dataclass(frozen=True)
class GroupRow:
    """Plain defects of one sort.

    Parameters
    ----------
    words
        What they are.
    named
        Whether a person at arm's length is promised not to meet them: the sorts that Packline exists for.
    escaped
        Scorecards that passed.
    """

    words: str
    named: bool
    escaped: Rate


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
    groups
        The plain ones by sort.
    new_kinds
        Plain escapes and rejected good ones of kinds of product that only the test split has.
    """

    plain_escapes: Rate
    all_escapes: Rate
    rejected: Rate
    unverifiable: Rate
    groups: tuple[GroupRow, ...]
    new_kinds: tuple[Rate, Rate]
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
        (the whole scorecard); of the check ``check``, ``version``, ``verdict``, ``let_pass`` (the settings
        let pass what it could not tell), ``unsure`` (it could not tell for its score alone), ``score``,
        ``threshold``, ``milliseconds`` (its share of a chunk of 8), ``sentence``, ``measures`` (JSON: name to
        number).
        Specimens of one ``product`` are no independent draws.
    """
    files = sorted(folder.glob("scores-*.parquet"))
    if not files:
        return pd.DataFrame(columns=["specimen", "kind", "check", "verdict", "passed"])
    scores = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    # runs of before those were noted
    return scores.assign(**{name: False for name in ("let_pass", "unsure") if name not in scores})


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
    new = each["product"].astype(str).str.endswith(tuple(f" {kind}" for kind in ONLY["test"]))
    times = scores.groupby("specimen")["milliseconds"].sum()
    return Findings(
        plain_escapes=_rate(passed[plain]),
        all_escapes=_rate(passed[bad]),
        rejected=_rate(failed.any(axis=1)[good]),
        unverifiable=_rate(held_only[good]),
        groups=tuple(_group_rows(each[plain], passed[plain])),
        new_kinds=(_rate(passed[plain & new]), _rate(failed.any(axis=1)[good & new])),
        defects=tuple(_defect_rows(each[bad], passed, held_only, failed)),
        checks=tuple(_check_rows(scores, good)),
        median_ms=float(times.median()),
        p95_ms=float(times.quantile(0.95)),
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


def _group_rows(plain: pd.DataFrame, passed: pd.Series[bool]) -> Iterator[GroupRow]:
    pairs = zip(plain["kind"], plain["strength"], strict=True)
    told = pd.Series([_sort_of(str(a), str(b)) for a, b in pairs], index=plain.index, dtype=object)
    for words, named in _SORTS.items():
        if (told == words).any():
            yield GroupRow(words, named, _rate(passed[told == words]))


def _sort_of(kind: str, strength: str) -> str:
    """The line of `_SORTS` to which a plain defect belongs."""
    if kind.startswith(("text turned", "text mirrored")):
        return "text turned or mirrored"
    if kind.startswith(("text", "letter")):
        return "text missing, garbled or misspelt"
    if kind.startswith("extra"):
        return "text that should not be there"
    if kind == "colours exchanged":
        return "colours off by more than dE 5"
    if kind.startswith("colour"):
        far = float(strength.split()[1]) > 5
        return "colours off by more than dE 5" if far else "colours off by dE 5"
    if kind in ("part missing", "part melted", "all melted", "bottom warped", "hole"):
        return "a part missing, holed, melted or warped"
    if kind in ("part added", "blob", "smear", "scribble", "wrong pattern"):
        return "something added, painted or smeared on"
    if kind.startswith(("art", "product turned", "wrong product", "product missing")):
        return "art turned, another side, another product or none"
    return _SCENE if kind in _OF_SCENE else _PICTURE


def _check_rows(scores: pd.DataFrame, good: pd.Series[bool]) -> Iterator[CheckRow]:
    for name in pd.unique(scores["check"]):
        own = scores[scores["check"] == name].set_index("specimen")
        honest = own[good.loc[own.index]]
        yield CheckRow(
            str(name),
            str(own["version"].iloc[0]),
            _rate(honest["verdict"].isin(["fail", "error"])),
            _rate((honest["verdict"] == "unverifiable") | honest["let_pass"]),
            int(honest["let_pass"].sum()),
            float(own["milliseconds"].median()),
            float(own["milliseconds"].quantile(0.95)),
        )


def _rate(hits: pd.Series[bool]) -> Rate:
    return interval(int(np.asarray(hits, bool).sum()), len(hits))


def _percent(share: float) -> str:
    percent = 100 * share
    return "0" if percent == 0 else f"{percent:.2f}" if percent < 1 else f"{percent:.1f}"
