"""What the stage costs: CPU milliseconds a view and a delivered map, side by side with plain renderers.

    python -m benchmarks.stage_speed assets/3d/shoe-elove.glb WaterBottle.glb --rounds 5

Each contender draws five views at 1024 px in a process of its own, one round after the other in turn, so that
a busy machine slows all of them alike; the figures are medians over the rounds. CPU time is the process's,
all of its threads: on llvmpipe that is the whole cost. Reading the model and a first view, which compiles
shaders and uploads textures, are not in a view's figure; reading has a column of its own. Nothing is
asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VIEWS = ("front", "right", "back", "three-quarter", "top")
OURS, OURS_TO_DISK = "Packline, all passes", "Packline, all passes, to disk"


@dataclass(frozen=True)
class Round:
    """One process's figures; milliseconds a view but for `reading`, milliseconds a model."""

    cpu: float
    wall: float
    reading: float
    maps: int


@contextmanager
def draw_ours(path: Path, size: int, folder: Path | None) -> Iterator[tuple[Callable[[str], int], float]]:
    """A function that makes the reference of a view and says how many maps that was; CPU seconds to read."""
    from packline.stage.load import load_model
    from packline.stage.raster import Rasteriser
    from packline.stage.render import render_reference
    from packline.stage.views import canonical_camera

    started = time.process_time()
    model = load_model(path)
    reading = time.process_time() - started
    with Rasteriser(size).staged(model) as stage:

        def draw(view: str) -> int:
            reference = render_reference(stage, view, canonical_camera(model, view, size))
            if folder is not None:
                reference.save(folder)
            # the shadow is not counted: without a scene there is no ground
            maps = ("colour", "albedo", "depth", "normals", "mask", "uv", "parts", "label_map")
            return sum(getattr(reference, name).shape[:2] == (size, size) for name in maps)

        yield draw, reading


@contextmanager
def draw_theirs(name: str, path: Path, size: int) -> Iterator[tuple[Callable[[str], int], float]]:
    """The same of a rival."""
    from benchmarks.rivals import RIVALS
    from packline.stage.load import load_model
    from packline.stage.views import canonical_camera

    model = load_model(path)
    cameras = {view: canonical_camera(model, view, size) for view in VIEWS}
    del model
    started = time.process_time()
    renders = dict(RIVALS)[name](path, size)
    reading = time.process_time() - started
    yield lambda view: len(renders(cameras[view])), reading


def one_round(name: str, path: Path, size: int) -> Round:
    """Time one contender in this process."""
    with ExitStack() as open_until_timed:
        scratch = Path(open_until_timed.enter_context(tempfile.TemporaryDirectory()))
        if name in (OURS, OURS_TO_DISK):
            contender = draw_ours(path, size, scratch if name == OURS_TO_DISK else None)
        else:
            contender = draw_theirs(name, path, size)
        draw, reading = open_until_timed.enter_context(contender)
        draw(VIEWS[0])
        cpu, wall, maps = time.process_time(), time.perf_counter(), 0
        for view in VIEWS:
            maps += draw(view)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    views = len(VIEWS)
    return Round(cpu * 1000 / views, wall * 1000 / views, reading * 1000, maps // views)


def rounds(path: Path, size: int, count: int) -> dict[str, list[Round]]:
    """All contenders in turn, `count` times, each in a fresh process."""
    from benchmarks.rivals import RIVALS

    names = [OURS, OURS_TO_DISK, *(name for name, _ in RIVALS)]
    told: dict[str, list[Round]] = {name: [] for name in names}
    for _ in range(count):
        for name in names:
            command = [sys.executable, "-m", "benchmarks.stage_speed", "--one", name, str(path)]
            done = subprocess.run([*command, "--size", str(size)], capture_output=True, text=True)
            if done.returncode:
                print(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                continue
            told[name].append(Round(**json.loads(done.stdout.splitlines()[-1])))
    return told


def table(name: str, told: dict[str, list[Round]]) -> str:
    """One model's figures as Markdown, with each delivered map against pyrender's beauty pass."""
    plain = told.get("pyrender, beauty only") or []
    base = statistics.median(one.cpu for one in plain) if plain else None
    lines = [
        f"### {name}",
        "",
        "| contender | maps | CPU-ms a view | least to most | CPU-ms a map | of a pyrender beauty pass "
        "| wall ms a view | CPU-ms to read |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for contender, figures in told.items():
        if not figures:
            lines.append(f"| {contender} | could not draw it | | | | | | |")
            continue
        cpu = [one.cpu for one in figures]
        view = statistics.median(cpu)
        a_map = view / figures[0].maps
        lines.append(
            f"| {contender} | {figures[0].maps} | {view:.0f} | {min(cpu):.0f}–{max(cpu):.0f} | {a_map:.0f} | "
            f"{f'{a_map / base:.2f}x' if base else '–'} | "
            f"{statistics.median(one.wall for one in figures):.0f} | "
            f"{statistics.median(one.reading for one in figures):.0f} |"
        )
    return "\n".join(lines) + "\n"


def products_a_minute(paths: Sequence[Path], size: int, workers: int) -> Iterator[str]:
    """Five views of each product through the service, cold and then warm, as sentences.

    Parameters
    ----------
    workers
        How many services run side by side, each in its thread with processes of its own.
    """
    from packline.stage.service import RenderJob, render_products

    with tempfile.TemporaryDirectory() as cache:
        jobs = [RenderJob(path.stem, path, VIEWS, Path(cache), size=size) for path in paths]
        shares = [jobs[index::workers] for index in range(workers)]
        for state in ("cold", "warm"):
            started = time.perf_counter()
            with ThreadPoolExecutor(workers) as pool:
                done = pool.map(lambda share: list(render_products(share)), shares)
                results = [one for some in done for one in some]
            seconds = time.perf_counter() - started
            failed = [one.error for one in results if one.error]
            drawn = sum(len(one.references) - one.cached for one in results)
            yield (
                f"{state} cache, {workers} at a time: {len(jobs)} products in {seconds:.1f} s, "
                f"{60 * len(jobs) / seconds:.0f} products a minute ({drawn} references drawn"
                f"{', refused: ' + '; '.join(failed) if failed else ''})."
            )


def main() -> None:
    """Time the models that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--products", nargs="*", type=Path, default=[], help="models for products a minute")
    parser.add_argument("--out", type=Path, help="Markdown file; else standard output")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        figures: dict[str, Any] = vars(one_round(given.one, given.models[0], given.size))
        print(json.dumps(figures))
        return
    load = os.getloadavg()
    lines = [
        "# What the stage costs",
        "",
        f"{os.cpu_count()} cores, llvmpipe, {len(VIEWS)} views at {given.size} px, medians of {given.rounds} "
        f"rounds; the load average was {load[0]:.1f} at the start.",
        "",
    ]
    for path in given.models:
        lines.append(table(path.name, rounds(path, given.size, given.rounds)))
        print(lines[-1], file=sys.stderr, flush=True)
    if given.products:
        lines += ["### Products a minute", ""]
        for workers in (1, 2):
            lines += [f"- {sentence}" for sentence in products_a_minute(given.products, given.size, workers)]
    lines.append(f"\nLoad average at the end: {os.getloadavg()[0]:.1f}.")
    text = "\n".join(lines) + "\n"
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
