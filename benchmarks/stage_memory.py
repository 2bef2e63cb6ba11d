"""Whether a long run's memory stays bounded: many products, each drawn anew, through the stage's service.

    nice python -m benchmarks.stage_memory assets/3d/*.glb assets/3d/*.fbx --products 1000

The models are drawn round after round, each round into a fresh cache and at another size, so that nothing is
found. Memory is the proportional set size (PSS) of this process, which holds the line's side of the service,
and of the worker that forks a process for each product. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packline.stage.service import RenderJob, render_products

VIEWS = ("front", "left", "back", "three-quarter", "top")


@dataclass(frozen=True)
class Reading:
    """The state after so many products.

    Parameters
    ----------
    line, worker
        PSS in MB of this process and of the worker.
    files
        Open descriptors of both together.
    rate
        Products a minute since the reading before.
    """

    products: int
    line: float
    worker: float
    files: int
    rate: float


def measure(
    models: list[Path], products: int, size: int, views: tuple[str, ...], every: int
) -> tuple[list[Reading], list[str]]:
    """Draw the products; readings, and the sentences of those that could not be drawn."""
    readings, refused = [], []
    with tempfile.TemporaryDirectory(prefix="packline-memory-") as folder:
        since = time.monotonic()
        results = render_products(_jobs(models, products, size, views, Path(folder)))
        for number, result in enumerate(results, 1):
            if result.error or result.failed or result.cached:
                refused.append(result.error or f"{result.sku}: {result.failed or 'found in the cache'}")
            if number % every == 0 or number == 1:
                (worker,) = _children()
                done = 1 if number == 1 else every - (number == every)
                readings.append(
                    Reading(
                        number,
                        _pss("self"),
                        _pss(worker),
                        sum(1 for one in ("self", worker) for _ in Path(f"/proc/{one}/fd").iterdir()),
                        60 * done / (time.monotonic() - since),
                    )
                )
                print(readings[-1], flush=True)
                since = time.monotonic()
    return readings, refused


def _jobs(
    models: list[Path], products: int, size: int, views: tuple[str, ...], folder: Path
) -> Iterator[RenderJob]:
    for number in range(products):
        round_ = number // len(models)
        if round_ and number % len(models) == 0:
            shutil.rmtree(folder / str(round_ - 1), ignore_errors=True)
        model = models[number % len(models)]
        # a size of its own for each of ten rounds: buffers, tiles and caches of many sizes
        yield RenderJob(
            f"{model.stem}-{number}", model, views, folder / str(round_), size=size - 8 * (round_ % 10)
        )


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _pss(process: str) -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {process} has no PSS")


def table(readings: list[Reading]) -> str:
    """Markdown."""
    rows = ["| products | line MB | worker MB | open files | products a minute |", "| --- " * 5 + "|"]
    rows += [
        f"| {one.products} | {one.line:.1f} | {one.worker:.1f} | {one.files} | {one.rate:.1f} |"
        for one in readings
    ]
    return "\n".join(rows)


def main() -> None:
    """Measure with the models that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--views", nargs="+", default=VIEWS)
    parser.add_argument("--every", type=int, default=50)
    given = parser.parse_args()
    readings, refused = measure(given.models, given.products, given.size, tuple(given.views), given.every)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(table(readings))
    settled = [one for one in readings if one.products >= given.every]
    for name in ("line", "worker"):
        values = [getattr(one, name) for one in settled]
        print(f"{name}: {values[0]:.1f} MB after {settled[0].products}, {values[-1]:.1f} MB at the end")
    print(f"largest product process: {used.ru_maxrss / 1024:.0f} MB resident")
    print(f"processor: {(used.ru_utime + used.ru_stime) / given.products:.2f} s a product, all in")
    print(f"not drawn: {len(refused)}", *refused[:10], sep="\n  ")


if __name__ == "__main__":
    main()
