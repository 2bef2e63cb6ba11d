"""Hostile and mutated model files through the real service: each must be refused or drawn right, none fatal.

    python -m benchmarks.hostile [--part 1/4] [--only obj] [--fbx FOLDER] [--report out.md]

Every case says what is right: refused, drawn the same as the original, or either (a flipped byte may make
a valid file that says something else, which is drawn as it now reads, but never empty). "Silent" counts
pictures that were drawn though the file had to be refused, or that differ though they had to be the same.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from benchmarks.hostile_case import REFUSE, SAME, Case
from benchmarks.hostile_gltf import cases as gltf_cases
from benchmarks.hostile_text import fbx_cases, obj_cases
from packline.reference import Reference
from packline.stage.service import RenderJob, render_products

#: What a hostile product may take; a real one may take more.
SECONDS, MEMORY = 30.0, 6 << 30
SIZE = 128
VIEW = "three-quarter"
#: Mean difference of mask and albedo, of 255, up to which two pictures are the same.
TOLERANCE = 0.25

# what the service says of a process that it had to end, or that failed in a way nobody foresaw
_ENDED = re.compile(r"took longer than|took more than|needs more memory|renderer crashed|gave no answer")
_UNFORESEEN = re.compile(r"the renderer failed on")


@dataclass(frozen=True)
class Outcome:
    """What came of one case.

    Parameters
    ----------
    verdict
        "refused", "same", "drawn" (as it now reads), "ended" (by a limit, and flagged), or what must not be:
        "silent", "empty", "too strict", "unforeseen", "nameless".
    said
        The sentence, or the notes.
    """

    case: Case
    verdict: str
    said: str
    seconds: float
    megabytes: float


BAD = ("silent", "empty", "too strict", "unforeseen", "nameless")


def main() -> None:
    """Run a part of the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--part", default="1/1", help="for example 2/4: the second quarter of the cases")
    parser.add_argument("--only", default="", help="groups whose name contains this")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--fbx", type=Path, help="a folder of real FBX files to mutate too")
    parser.add_argument("--report", type=Path, help="write the table there too")
    arguments = parser.parse_args()
    part, parts = (int(number) for number in arguments.part.split("/"))
    all_cases = list(
        chain(gltf_cases(arguments.seed), obj_cases(arguments.seed), fbx_cases(arguments.seed, arguments.fbx))
    )
    chosen = [case for case in all_cases if arguments.only in case.group][part - 1 :: parts]
    originals = {case.group: case for case in all_cases if case.name == "as it is"}
    originals["gltf"] = originals["glb"]
    outcomes = []
    for outcome in run(chosen, originals):
        outcomes.append(outcome)
        if len(outcomes) % 50 == 0:
            print(f"{len(outcomes)} of {len(chosen)}", flush=True)
        if outcome.verdict in (*BAD, "ended"):
            print(
                f"{outcome.verdict}: {outcome.case.group}: {outcome.case.name}: {outcome.said[:300]}",
                flush=True,
            )
    text = table(outcomes)
    print(text)
    if arguments.report:
        arguments.report.write_text(text)
    sys.exit(any(outcome.verdict in BAD for outcome in outcomes))


def run(cases: list[Case], originals: dict[str, Case]) -> Iterator[Outcome]:
    """Draw the cases one after the other, as a catalogue is drawn; each lies in a folder of its own."""
    kinds = {case.group.split(":")[0] for case in cases if case.right == SAME}
    standing: dict[str, Reference] = {}
    for kind, (picture, said, _) in zip(kinds, _drawn([originals[kind] for kind in kinds]), strict=True):
        assert picture is not None, said
        standing[kind] = picture
    for case, (picture, said, seconds) in zip(cases, _drawn(cases), strict=True):
        verdict = judge(case, picture, said, standing.get(case.group.split(":")[0]))
        yield Outcome(case, verdict, said, seconds, _peak())


def _drawn(cases: list[Case]) -> Iterator[tuple[Reference | None, str, float]]:
    """For each case its picture or None; what was said; seconds."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        home, cache = Path(folder) / "home", Path(folder) / "cache"

        def jobs() -> Iterator[RenderJob]:
            for case in cases:
                for old in (home, cache):
                    shutil.rmtree(old, ignore_errors=True)
                home.mkdir()
                yield RenderJob("SKU-1", case.write(home), (VIEW,), cache, {}, SIZE)

        for result in render_products(jobs(), SECONDS, MEMORY):
            said = result.error or " ".join(result.failed.values())
            picture = None
            if VIEW in result.references:
                picture, said = Reference.load(result.references[VIEW][1]), "; ".join(result.notes)
            yield picture, said, result.seconds


def judge(case: Case, picture: Reference | None, said: str, original: Reference | None) -> str:
    """The verdict on what came of a case, see `Outcome`."""
    if picture is None:
        if _UNFORESEEN.search(said):
            return "unforeseen"
        if _ENDED.search(said):
            return "ended"
        if "box." not in said or "\n" in said:
            return "nameless"
        return "too strict" if case.right == SAME else "refused"
    if case.right == REFUSE:
        return "silent"
    if not (picture.mask > 127).any() or not np.isfinite(picture.depth).all():
        return "empty"
    if case.right != SAME:
        return "drawn"
    assert original is not None
    pairs = ((picture.mask, original.mask), (picture.albedo, original.albedo))
    off = max(float(np.abs(a.astype(int) - b).mean()) for a, b in pairs)
    return "same" if off <= TOLERANCE else "silent"


def _peak() -> float:
    """Largest resident memory of any process so far that this one started, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def table(outcomes: list[Outcome]) -> str:
    """Markdown, a row for each kind of tampering."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.case.group].append(outcome)
    columns = ("refused", "same", "drawn", "ended")
    lines = [
        "| tampering | files | refused | drawn the same | drawn as it now reads | ended by a limit, flagged "
        "| wrong | seconds, median | most |",
        "| --- " * 9 + "|",
    ]
    for name, rows in [*groups.items(), ("all", outcomes)]:
        counts = [sum(row.verdict == column for row in rows) for column in columns]
        wrong = sum(row.verdict in BAD for row in rows)
        seconds = [row.seconds for row in rows]
        cells = [name, len(rows), *counts, wrong, f"{np.median(seconds):.2f}", f"{max(seconds):.1f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    peak = max(outcome.megabytes for outcome in outcomes)
    return "\n".join(lines) + f"\n\nLargest process: {peak:.0f} MB.\n"


if __name__ == "__main__":
    main()
