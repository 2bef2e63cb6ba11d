"""What refine is worth: the pass rate of a catalogue's own candidates under each of its modes.

    python -m benchmarks.refine_gain [CATALOG] [--shots 24] [--defaults] [--out FILE]

Takes the raw edits that a run of the catalogue left (`make demo` first), refines each anew in every mode and
scores the results as a run would. ``--defaults`` scores with every check at its default instead of as the
catalogue's settings say. Nothing is generated and the ledger is not written. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np

from packline.editing.refine import Mode, refine
from packline.line.line import Line
from packline.line.order import Order
from packline.records import CandidateRecord, ShotRecord
from packline.reference import Reference
from packline.scorecard import Verdict
from scoring.bench.table import interval
from scoring.policy import score
from scoring.settings import ScoringSettings, default_settings, read_settings
from tasks.scorecards import check_input


def measure(
    line: Line, shots: Sequence[tuple[ShotRecord, CandidateRecord]], settings: ScoringSettings
) -> dict[str, dict[str, Any]]:
    """Passes and what failed, by mode."""
    found: dict[str, dict[str, Any]] = {}
    for mode in get_args(Mode):
        against: Counter[str] = Counter()
        passed = 0
        for shot, record in shots:
            candidate = record.candidate
            assert candidate.edit is not None
            photo, truth = line.photo(shot.scene), Reference.load(candidate.truth)
            edit = np.asarray(cv2.cvtColor(cv2.imread(str(candidate.edit)), cv2.COLOR_BGR2RGB), np.uint8)
            styled = any(lora["strength"] for lora in candidate.recipe.loras)
            made = refine(edit, photo, truth, mode, styled=styled).picture
            file = line.work / "refine-gain.png"
            cv2.imwrite(str(file), cv2.cvtColor(made, cv2.COLOR_RGB2BGR))
            again = replace(record, candidate=replace(candidate, picture=file))
            card = score([check_input(line, line.shots[shot.key], again)], settings)[0]
            passed += card.passed
            wrong = (Verdict.FAIL, Verdict.ERROR)
            against.update(result.check for result in card.results if result.verdict in wrong)
            file.unlink()
        found[mode] = {
            "candidates": len(shots),
            "passed": passed,
            "failed checks": dict(against.most_common()),
        }
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("catalog", type=Path, nargs="?", default=Path("catalogs/demo.csv"))
    parser.add_argument("--shots", type=int, default=24, help="one candidate each, the first")
    parser.add_argument("--defaults", action="store_true", help="every check at its default")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    line = Line(Order(asked.catalog.resolve()), "")
    own = read_settings(line.settings.checks, line.settings.rules)
    shots = []
    for shot in line.ledger.shots(line.catalog.name):
        first = next((one for one in shot.candidates if one.candidate.edit), None)
        if first is not None and first.candidate.edit is not None and first.candidate.edit.is_file():
            shots.append((shot, first))
    if not shots:
        raise SystemExit(f"No candidates of {asked.catalog} are there; run `packline run` first.")
    figures = measure(line, shots[: asked.shots], default_settings() if asked.defaults else own)
    for mode, row in figures.items():
        rate = interval(row["passed"], row["candidates"])
        against = ", ".join(f"{name} {count}" for name, count in row["failed checks"].items())
        print(
            f"refine = {mode:8} {row['passed']:3} of {row['candidates']} pass "
            f"({rate.low:.0%} to {rate.high:.0%}); failed: {against}"
        )
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
