"""The checks on data that nobody tuned on and that is made by other means.

    python -m benchmarks.held_back MODEL.glb MODEL.glb ... [--stands 3] [--out FOLDER]

Real models by people unknown to us, photographed by three.js (its reader, shading and shadows), with words
in fonts that are nowhere else in the project, damaged in their files and by Pillow. Nothing here shares code
with the defect bench or with training. The models are each other's wrong products and wrong words, so give
two at least. Needs npm, Debian's chromium and the fonts named in `prints.DEBIAN`.
Writes one row a specimen and check (scores.parquet), the pictures that the verdicts are wrong about, and a
table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

# triton and Mesa each bring an LLVM of their own: triton after Mesa crashes, Mesa after triton does not
with suppress(ImportError):
    import triton  # type: ignore[import-untyped]  # noqa: F401

import cv2
import numpy as np
import pandas as pd

from benchmarks.held_back.corpus import Studio, specimens
from benchmarks.three_js import browser
from packline.errors import PacklineError
from packline.scenes import load_scene
from packline.scorecard import Scorecard, Verdict
from scoring.bench.runner import chunks, rows_of
from scoring.bench.specimen import Specimen
from scoring.bench.table import interval
from scoring.policy import score
from scoring.settings import read_settings

SCENES = Path(__file__).parents[2] / "assets" / "scenes"


def run(models: list[Path], stands: int, size: int, out: Path, seed: int) -> pd.DataFrame:
    """Make and score specimens; a part is kept for each stand, so a broken run goes on where it stopped."""
    out.mkdir(parents=True, exist_ok=True)
    scenes = sorted(SCENES.glob("*.json"))
    words = [load_scene(scene).words for scene in scenes]
    # the embedded aligner knows the scenes and few of these products; as in the demo, that holds none back
    settings = read_settings({"alignment": {"unverifiable": "pass"}})
    with tempfile.TemporaryDirectory() as folder, browser("shoot.html") as page:
        studio = Studio(page, Path(folder), size)
        for number, model in enumerate(model for _ in range(stands) for model in models):
            part = out / f"{number:03d}.parquet"
            if part.exists():
                continue
            rng = np.random.default_rng([seed, number])
            strangers = [other for other in models if other.stem != model.stem]
            begun = time.monotonic()
            try:
                stand = studio.stand(model, scenes[int(rng.integers(len(scenes)))], rng)
                found = []
                for chunk in chunks(specimens(studio, stand, rng, strangers, words)):
                    cards = score([specimen.given for specimen in chunk], settings)
                    for specimen, card in zip(chunk, cards, strict=True):
                        found += rows_of(specimen, card, number)
                        if card.passed == (specimen.defect is not None):
                            _keep(out / "wrong", specimen, card)
            except PacklineError as error:
                print(f"{model.name}: {error}", file=sys.stderr)
                continue
            pd.DataFrame(found).to_parquet(part)
            count = len({row["specimen"] for row in found})
            print(
                f"{stand.name} in {stand.scene.name}: {count}, {time.monotonic() - begun:.0f} s", flush=True
            )
    return pd.concat([pd.read_parquet(part) for part in sorted(out.glob("[0-9]*.parquet"))])


def _keep(folder: Path, specimen: Specimen, card: Scorecard) -> None:
    folder.mkdir(exist_ok=True)
    name = specimen.id.replace("/", "_")
    what = f"{specimen.defect.kind} {specimen.defect.strength}" if specimen.defect else "good"
    picture = np.hstack([specimen.given.scene.colour, specimen.given.candidate])
    cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])
    said = " ".join(f"{r.check} {r.score:.2f}: {r.sentence}" for r in card.failures)
    with (folder / "index.txt").open("a") as file:
        file.write(f"{name}\t{what}\t{said}\n")


def table(scores: pd.DataFrame) -> str:
    """Escapes by defect and strength, and false rejects by check."""
    one = scores.groupby("specimen").agg(
        {"kind": "first", "strength": "first", "plain": "first", "passed": "first"}
    )
    unsure = scores[scores.verdict == str(Verdict.UNVERIFIABLE)].specimen.unique()
    failed = scores[scores.verdict.isin([str(Verdict.FAIL), str(Verdict.ERROR)])].specimen.unique()
    one["failed"], one["unsure"] = one.index.isin(failed), one.index.isin(unsure)
    good, bad = one[one.kind.isna()], one[one.kind.notna()]
    lines = ["| defect | strength | n | escaped | 95 % interval |", "| --- | --- | --- | --- | --- |"]
    for (kind, strength), some in bad.groupby(["kind", "strength"]):
        rate = interval(int(some.passed.sum()), len(some))
        name = f"{kind} *" if some.plain.all() else kind
        share = some.passed.mean()
        lines.append(
            f"| {name} | {strength} | {len(some)} | {share:.1%} | {rate.low:.1%} to {rate.high:.1%} |"
        )
    plain = bad[bad.plain.astype(bool)]
    rate = interval(int(plain.passed.sum()), len(plain))
    lines += [
        "",
        f"Plain defects (*): {int(plain.passed.sum())} of {len(plain)} escaped "
        f"({rate.low:.2%} to {rate.high:.2%}).",
        f"Good ones: {int(good.failed.sum())} of {len(good)} rejected ({good.failed.mean():.1%}), "
        f"{(good.unsure & ~good.failed).mean():.1%} unverifiable.",
        "",
        "| check | rejects of good ones | catches of bad ones |",
        "| --- | --- | --- |",
    ]
    for check, some in scores.groupby("check"):
        wrong = some[some.verdict.isin([str(Verdict.FAIL), str(Verdict.ERROR)])]
        lines.append(
            f"| {check} | {wrong.kind.isna().sum() / max(1, len(good)):.1%} "
            f"| {wrong.kind.notna().sum() / max(1, len(bad)):.1%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--stands", type=int, default=3, help="stands of each model")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--out", type=Path, default=Path("work/held-back"))
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    scores = run(asked.models, asked.stands, asked.size, asked.out, asked.seed)
    scores.to_parquet(asked.out / "scores.parquet")
    text = f"# The held-back bench\n\n{table(scores)}"
    (asked.out / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
