"""What the checks cost: CPU milliseconds a candidate, together as the line runs them and each on its own.

    python -m benchmarks.check_speed [--size 1024] [--count 16] [--alone 4] [--out FILE]

Candidates are honest pictures of the demo's cartons with three readable labels in view at least. "In chunks"
is `scoring.policy.score` on eight candidates, as the line runs: pictures decoded once, a scene's base photo
once for all, registration and maps shared, models run once a chunk; a chunk has one time, so it tells the
mean. "One at a time" is the same call on a single candidate: its median and its 95th percentile are of
candidates. "On its own" decodes, resizes and registers anew for each check and candidate, as scripts do that
run one check after the other. CPU time of one thread, so other work on the machine hardly shows. Nothing is
asserted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from packline.reference import Picture, Reference
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
#: What stands in the pictures, and the side from which most of its labels are seen.
SHOWN = ("carton-granola.glb", "carton-norda.fbx")
SIDE = "three-quarter"
LABELS = 3
ASSETS = Path(__file__).parent.parent / "assets"


Stand = tuple[Path, Path, Path, PromptWords]


def stands(size: int, count: int, folder: Path) -> list[Stand]:
    """Products with three labels in view, in scenes: candidate, base photo and reference on disk.

    Raises
    ------
    SystemExit
        Where no scene shows that many at this size.
    """
    # triton and Mesa each bring an LLVM of their own: triton after Mesa crashes, Mesa after triton does not
    with suppress(ImportError):
        import triton  # type: ignore[import-untyped]  # noqa: F401

    rng = np.random.default_rng(5)
    rasteriser = Rasteriser(size)
    models = [load_model(ASSETS / "3d" / name) for name in SHOWN]
    truths = []
    for file in sorted((ASSETS / "scenes").glob("*.json")):
        for name, model in zip(SHOWN, models, strict=True):
            if len(truths) == count:
                break
            scene = load_scene(file)
            with rasteriser.staged(model.transformed(scene_pose(model, scene, SIDE))) as stage:
                truth = render_reference(stage, "scene", scene_camera(scene, size), scene)
            if sum(label.visible > 0.6 and label.height >= 14 for label in truth.labels) >= LABELS:
                truths.append((Path(name).stem, scene, truth))
    if not truths:
        raise SystemExit(f"No scene shows {LABELS} readable labels at {size} px; give a larger --size.")
    found = []
    for number in range(count):
        product, scene, truth = truths[number % len(truths)]
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
        words = PromptWords(product, scene.words)
        found.append((home / "candidate.png", home / "base.png", home, words))
    return found


Photos = dict[Path, Picture]


def given(stand: Stand, photos: Photos) -> CheckInput:
    """A candidate read from disk beside its truth; a base photo that was read before is in `photos`."""
    candidate, base, home, words = stand
    if base not in photos:
        photos[base] = read_candidate(base)
    return CheckInput(read_candidate(candidate), photos[base], Reference.load(home), words=words)


def in_chunks(rows: Sequence[Stand], photos: Photos) -> list[float]:
    """CPU milliseconds a candidate of each chunk, reading its files included."""
    whole = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        begun = time.process_time()
        score([given(stand, photos) for stand in chunk])
        whole.append(1000 * (time.process_time() - begun) / len(chunk))
    return whole


def one_at_a_time(rows: Sequence[Stand], photos: Photos) -> list[float]:
    """CPU milliseconds of each candidate by itself, all checks in one call, reading its files included."""
    spent = []
    for stand in rows:
        begun = time.process_time()
        score([given(stand, photos)])
        spent.append(1000 * (time.process_time() - begun))
    return spent


def shares(rows: Sequence[Stand], photos: Photos) -> dict[str, float]:
    """CPU milliseconds a candidate by step: reading files, what checks share, each check after that."""
    spent: dict[str, float] = {}
    for start in range(0, len(rows), CHUNK):
        begun = time.process_time()
        chunk = [given(stand, photos) for stand in rows[start : start + CHUNK]]
        begun = _clocked(spent, "reading files", begun)
        for one in chunk:
            _ = one.style, one.registration, one.aligned_grey, one.distance, one.ground
        begun = _clocked(spent, "style, registration and ground", begun)
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
            score([given(stand, {})], ScoringSettings((pair,)))
        spent.append(1000 * (time.process_time() - begun))
    return spent


def _row(name: str, spent: Sequence[float]) -> str:
    mean, median, most = np.mean(spent), np.median(spent), np.percentile(spent, 95)
    return f"| {name} | {mean:.0f} | {median:.0f} | {most:.0f} |"


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
        photos: Photos = {}  # a scene's base photo is decoded once, as `packline.line.Line.photo` does
        in_chunks(rows, photos)  # models loaded; what a process remembers of products is there for all alike
        whole, single, parts = in_chunks(rows, photos), one_at_a_time(rows, photos), shares(rows, photos)
        print("each on its own", file=sys.stderr, flush=True)
        own = alone(rows[: asked.alone])
    lines = [
        f"# What the checks cost at {asked.size} x {asked.size} px",
        "",
        f"{len(rows)} candidates with {LABELS} labels in view at least, reading their files included; "
        "CPU ms a candidate, one thread.",
        "",
        "| | mean | median | 95th percentile |",
        "| --- | --- | --- | --- |",
        f"| all checks together, in chunks of {CHUNK} | {np.mean(whole):.0f} | | |",
        _row("all checks together, one candidate at a time", single),
        _row(f"each check on its own ({len(own)} candidates)", own),
        f"| the last over the first | {np.mean(own) / np.mean(whole):.1f} | | |",
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
