"""What `packline calibrate` learns from: the bench's scores and people's decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packline.errors import FixSettings
from packline.fingerprint import digest
from packline.records import Opinion
from packline.scorecard import Verdict
from scoring import registry
from scoring.score_table import Judged
from scoring.thresholds import Bench

SPLIT = "calibration"
_HOW = "run packline bench checks --split calibration first"


def find_run(scores: Path) -> Path:
    """The folder of a run of the bench on the split "calibration".

    Parameters
    ----------
    scores
        That folder, or the one that holds it.

    Raises
    ------
    FixSettings
        Where there is none, where there are several, or where the run is of another split.
    """
    if _has_scores(scores):
        split = _order(scores).get("split")
        if split != SPLIT:
            raise FixSettings(
                f"Folder {scores} holds scores of the split {split}, and thresholds that are set on it could "
                f"not be tested on it any more; {_HOW}."
            )
        return scores
    runs = [folder for folder in sorted(scores.glob("*")) if _has_scores(folder)]
    ours = [folder for folder in runs if _order(folder).get("split") == SPLIT]
    if len(ours) > 1:
        names = ", ".join(folder.name for folder in ours)
        raise FixSettings(
            f"Folder {scores} holds several runs on the split calibration ({names}); name one with --scores."
        )
    if not ours:
        held = "no scores of the split calibration" if runs else "no scores"
        raise FixSettings(f"Folder {scores} holds {held}; {_HOW}.")
    return ours[0]


def _has_scores(folder: Path) -> bool:
    return any(folder.glob("scores-*.parquet"))


def _order(folder: Path) -> dict[str, Any]:
    """What a run's folder says of itself."""
    file = folder / "order.json"
    try:
        told = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise FixSettings(
            f"{file} cannot be read ({error}), so nobody knows which pictures these scores are of; run "
            "packline bench checks anew."
        ) from error
    return told if isinstance(told, dict) else {}


def bench_rows(folder: Path) -> tuple[list[Judged], Bench]:
    """What the bench wrote, as `scoring.calibration` wants it.

    Parameters
    ----------
    folder
        From `find_run`.
    """
    from scoring.bench.table import read_scores

    frame, order = read_scores(folder), _order(folder)
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
        frame["product"],
        frame["let_pass"],
        frame["unsure"],
        strict=True,
    )
    rows = [
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
            str(product),
            let_pass=bool(how[0]),
            unsure=bool(how[1]),
        )
        for specimen, check, version, verdict, score, threshold, kind, dimension, plain, product, *how in told
    ]
    products = frame["product"].nunique()
    each = frame.drop_duplicates("specimen")["kind"]
    bench = Bench(
        split=str(order["split"]),
        seed=int(order.get("seed", 0)),
        # folders of before takes were noted say 0
        takes=int(order.get("takes", 0)) or int(products),
        size=int(order.get("size", 0)),
        products=int(products),
        good=int(each.isna().sum()),
        bad=int(each.notna().sum()),
    )
    return rows, bench


def opinion_rows(opinions: Sequence[Opinion]) -> list[Judged]:
    """What people decided, as pictures whose fault is known.

    An approved picture is a good one. A rejected one is a plain defect of each check that the person named by
    a tag, or else of the one that their words begin with ("colour: too dark"), where that check had let it
    pass or was only not sure: what it had failed already says nothing about what escapes it. Where they name
    none, nothing is known of whose fault it is, and it is left out. Scores of other versions of a check than
    the installed one are left out as well.
    """
    checks = registry.checks()
    rows = []
    for one in opinions:
        results = [
            result
            for result in one.scorecard.results
            if result.check in checks and checks[result.check].version == result.version
        ]
        dimensions, kind = [""], ""
        if one.decision == "reject":
            words = one.words.casefold().replace("_", " ")
            tagged = [name for name in one.tags if name in checks]
            named = tagged or [name for name in checks if words.startswith(name.replace("_", " "))][:1]
            passed = {
                result.check
                for result in results
                if result.unsure
                or (
                    result.verdict == Verdict.PASS
                    and result.score >= result.threshold
                    and not result.let_pass
                )
            }
            dimensions, kind = [name for name in named if name in passed], "rejected by a person"
        decision = f"decision on {one.candidate} by {one.by}"
        rows += [
            Judged(
                decision + (f" ({dimension})" if dimension else ""),
                result.check,
                result.version,
                result.verdict,
                result.score,
                result.threshold,
                kind,
                dimension,
                bool(dimension),
                decision,
                by_person=True,
                let_pass=result.let_pass,
                unsure=result.unsure,
            )
            for dimension in dimensions
            for result in results
        ]
    return rows


def digest_of(rows: Sequence[Judged]) -> str:
    """Which scores and decisions these are: a digest over all of them, in any order."""
    return digest(
        sorted(
            (row.specimen, row.check, row.version, row.verdict, row.score, row.dimension, row.plain)
            for row in rows
        )
    )
