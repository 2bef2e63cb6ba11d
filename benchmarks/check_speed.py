"""What the checks cost: CPU milliseconds a candidate, together as the line runs them and each on its own.

    python -m benchmarks.check_speed [--size 1024] [--count 16] [--out benchmarks/results/check_speed.md]

Candidates are honest pictures of the demo's products with their labels in view, in chunks of eight.
"Together" is `scoring.policy.score` on a chunk: pictures decoded once, registration and maps shared, models
run once a chunk. "On its own" decodes, resizes and registers anew for each check and candidate, as scripts
do that run one check after the other. CPU time of one thread, so other work on the machine hardly shows.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from packline.reference import Reference
from packline.scenes import load_scene
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.render import render_reference, scene_camera
from packline.stage.views import scene_pose
from scoring.bench.nuisances import draw_nuisance, finish
from scoring.check import CheckInput, PromptWords, read_candidate
from scoring.policy import score
from scoring.settings import ScoringSettings, default_settings

CHUNK = 8
ASSETS = Path(__file__).parent.parent / "assets"


def stands(size: int, count: int, folder: Path) -> Iterator[tuple[Path, Path, Path, PromptWords]]:
    """Products in scenes with as many labels as they have: candidate, base photo and reference on disk."""

    rng = np.random.default_rng(5)
    rasteriser = Rasteriser(size)
    scenes = sorted((ASSETS / "scenes").glob("*.json"))
    models = sorted((ASSETS / "3d").glob("*.glb"))
    found: list[tuple[int, Path, Path, Path, PromptWords]] = []
    for number in range(3 * count):
        scene = load_scene(scenes[number % len(scenes)])
        model = load_model(models[number % len(models)])
        side = "front" if number % 2 else "three-quarter"
        with rasteriser.staged(model.transformed(scene_pose(model, scene, side))) as stage:
            truth = render_reference(stage, "scene", scene_camera(scene, size), scene)
        labels = sum(1 for label in truth.labels if label.visible > 0.6)
        home = folder / f"{number:03d}"
        truth.save(home)
        photo = cv2.resize(scene.photo(), (size, size), interpolation=cv2.INTER_AREA)
        shadow = (truth.shadow.astype(np.float32) / 255)[..., None]
        lit = np.round(photo * shadow).astype(np.uint8)
        cover = truth.mask[..., None].astype(np.float32) / 255
        picture = np.round(lit * (1 - cover) + truth.colour * cover).astype(np.uint8)
        picture = finish(picture, draw_nuisance(rng, size))
        cv2.imwrite(str(home / "candidate.png"), picture[..., ::-1])
        cv2.imwrite(str(home / "base.png"), photo[..., ::-1])
        words = PromptWords(models[number % len(models)].stem, scene.words)
        found.append((labels, home / "candidate.png", home / "base.png", home, words))
    found.sort(key=lambda one: -one[0])
    print(f"labels in view: {[one[0] for one in found[:count]]}", file=sys.stderr)
    yield from (one[1:] for one in found[:count])


def given(stand: tuple[Path, Path, Path, PromptWords]) -> CheckInput:
    """A candidate read from disk beside its truth."""
    candidate, base, home, words = stand
    return CheckInput(read_candidate(candidate), read_candidate(base), Reference.load(home), words=words)


def together(rows: list[tuple[Path, Path, Path, PromptWords]]) -> tuple[list[float], dict[str, list[float]]]:
    """CPU milliseconds a candidate of a chunk, whole (reading included) and by check (wall, of the chunk)."""
    whole, shares = [], {}
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        begun = time.process_time()
        cards = score([given(stand) for stand in chunk])
        whole += [1000 * (time.process_time() - begun) / len(chunk)] * len(chunk)
        for card in cards:
            for result in card.results:
                shares.setdefault(result.check, []).append(result.milliseconds)
    return whole, shares


def alone(rows: list[tuple[Path, Path, Path, PromptWords]]) -> list[float]:
    """CPU milliseconds a candidate when each check starts from the files."""
    spent = []
    for stand in rows:
        begun = time.process_time()
        for pair in default_settings().checks:
            score([given(stand)], ScoringSettings((pair,)))
        spent.append(1000 * (time.process_time() - begun))
    return spent


def main() -> None:
    """Measure and write a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(stands(asked.size, asked.count, Path(folder)))
        together(rows[:2])  # models loaded, caches of the process filled
        whole, shares = together(rows)
        own = alone(rows)
    lines = [
        f"# What the checks cost at {asked.size} x {asked.size} px",
        "",
        f"{len(rows)} candidates in chunks of {CHUNK}, reading their files included; CPU ms, one thread.",
        "",
        "| | median | 95th percentile |",
        "| --- | --- | --- |",
        f"| all checks together | {np.median(whole):.0f} | {np.percentile(whole, 95):.0f} |",
        f"| each on its own, one by one | {np.median(own):.0f} | {np.percentile(own, 95):.0f} |",
        f"| ratio | {np.median(own) / np.median(whole):.1f} | |",
        "",
        "| check (wall ms of its chunk) | median | share |",
        "| --- | --- | --- |",
    ]
    total = sum(float(np.median(values)) for values in shares.values())
    for name, values in sorted(shares.items(), key=lambda item: -float(np.median(item[1]))):
        lines.append(f"| {name} | {np.median(values):.0f} | {np.median(values) / total:.0%} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()
