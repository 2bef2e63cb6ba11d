"""What the checks cost: CPU milliseconds a candidate, together as the line runs them and each on its own.

    python -m benchmarks.check_speed [--size 1024] [--count 16] [--alone 4] [--out FILE]

Candidates are honest pictures of the demo's products with the most labels in view, in chunks of eight.
"Together" is `scoring.policy.score` on a chunk: pictures decoded once, registration and maps shared, models
run once a chunk. "On its own" decodes, resizes and registers anew for each check and candidate, as scripts
do that run one check after the other. CPU time of one thread, so other work on the machine hardly shows.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
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


Stand = tuple[Path, Path, Path, PromptWords]


def stands(size: int, count: int, folder: Path) -> list[Stand]:
    """Products with the most labels in scenes: candidate, base photo and reference on disk."""
    # triton and Mesa each bring an LLVM of their own: triton after Mesa crashes, Mesa after triton does not
    with suppress(ImportError):
        import triton  # type: ignore[import-untyped]  # noqa: F401

    rng = np.random.default_rng(5)
    rasteriser = Rasteriser(size)
    scenes = sorted((ASSETS / "scenes").glob("*.json"))
    models = sorted((ASSETS / "3d").glob("*.glb"), key=lambda file: (-_labels(file), file))[:2]
    found, seen = [], []
    for number in range(count):
        scene, model = load_scene(scenes[number % len(scenes)]), load_model(models[number % len(models)])
        with rasteriser.staged(model.transformed(scene_pose(model, scene, "front"))) as stage:
            truth = render_reference(stage, "scene", scene_camera(scene, size), scene)
        seen.append(sum(1 for label in truth.labels if label.visible > 0.6))
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
        found.append((home / "candidate.png", home / "base.png", home, words))
    print(f"labels in view: {seen}", file=sys.stderr, flush=True)
    return found


def _labels(model: Path) -> int:
    return len(json.loads(model.with_suffix(".truth.json").read_text())["labels"])


def given(stand: Stand) -> CheckInput:
    """A candidate read from disk beside its truth."""
    candidate, base, home, words = stand
    return CheckInput(read_candidate(candidate), read_candidate(base), Reference.load(home), words=words)


def together(rows: Sequence[Stand]) -> list[float]:
    """CPU milliseconds a candidate, reading its files included, of each chunk."""
    whole = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        begun = time.process_time()
        score([given(stand) for stand in chunk])
        whole += [1000 * (time.process_time() - begun) / len(chunk)] * len(chunk)
    return whole


def shares(rows: Sequence[Stand]) -> dict[str, float]:
    """CPU milliseconds a candidate by step: reading files, what checks share, each check after that."""
    spent: dict[str, float] = {}
    for start in range(0, len(rows), CHUNK):
        begun = time.process_time()
        chunk = [given(stand) for stand in rows[start : start + CHUNK]]
        begun = _clocked(spent, "reading files", begun)
        for one in chunk:
            _ = one.style, one.registration, one.aligned_grey, one.distance
        begun = _clocked(spent, "style and registration", begun)
        for check, own in default_settings().checks:
            score(chunk, ScoringSettings(((check, own),)))
            begun = _clocked(spent, f"`{check.name}`", begun)
    return {name: 1000 * seconds / len(rows) for name, seconds in spent.items()}


def _clocked(spent: dict[str, float], name: str, begun: float) -> float:
    now = time.process_time()
    spent[name] = spent.get(name, 0.0) + now - begun
    return now


def alone(rows: Sequence[Stand]) -> list[float]:
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
    parser.add_argument("--alone", type=int, default=4, help="candidates that each check starts anew for")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = stands(asked.size, asked.count, Path(folder))
        together(rows[:CHUNK])  # models loaded, caches of the process filled
        whole, parts = together(rows), shares(rows)
        print("each on its own", file=sys.stderr, flush=True)
        own = alone(rows[: asked.alone])
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
        "| step | ms | share |",
        "| --- | --- | --- |",
    ]
    total = sum(parts.values())
    for name, spent in sorted(parts.items(), key=lambda item: -item[1]):
        lines.append(f"| {name} | {spent:.0f} | {spent / total:.0%} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()
