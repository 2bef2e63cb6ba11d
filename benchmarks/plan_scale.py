"""What planning costs as a catalog grows: a night in which nothing changed, one changed row, the plan alone.

    nice python -m benchmarks.plan_scale --skus 1000 10000 100000 1000000

Each catalog is made up (`plan_catalog`), with a ledger on SQLite in which every shot is published. Each
measurement is a process of its own, as a user starts it: wall and CPU seconds and the peak of resident memory
are the kernel's (`wait4`). Machines differ and are shared: read CPU seconds first. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.plan_catalog import change_row, publish_all, write_catalog
from benchmarks.plan_plot import growth_plot

AIMS = {100_000: (10.0, 500.0), 1_000_000: (120.0, 1024.0)}
"""Seconds and MiB that issue 4 asks for, by SKUs."""

COMMAND = str(Path(sys.executable).with_name("packline"))


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Parameters
    ----------
    wall, cpu
        Seconds.
    memory
        Peak of resident memory, MiB.
    said
        The last line of its output.
    """

    wall: float
    cpu: float
    memory: float
    said: str


@dataclass(frozen=True)
class Finding:
    """A catalog's measurements by name, and the sizes on disk in MiB."""

    skus: int
    catalog: float
    ledger: float
    costs: dict[str, Cost]


NOTHING, PLAN, CHANGED, BEGUN = (
    "nothing changed: packline run",
    "nothing changed: packline plan",
    "one row changed: packline plan",
    "one row changed: the run's plan, noted",
)


def measure(skus: int, folder: Path) -> Finding:
    """Make a catalog of so many SKUs below `folder` and measure all four."""
    from packline.line import Order
    from tasks.opening import open_line

    catalog = write_catalog(folder, skus)
    publish_all(catalog, open_line(Order(catalog)).checks)
    costs = {NOTHING: _process([COMMAND, "run", str(catalog)])}
    costs[NOTHING] = _process([COMMAND, "run", str(catalog)])  # the first one found cold files
    costs[PLAN] = _process([COMMAND, "plan", str(catalog)])
    change_row(catalog, skus // 2)
    costs[CHANGED] = _process([COMMAND, "plan", str(catalog)])
    costs[BEGUN] = _process([sys.executable, "-m", "benchmarks.plan_scale", "--begin", str(catalog)])
    sizes = [file.stat().st_size / 2**20 for file in (catalog, catalog.parent / "ledger.db")]
    return Finding(skus, sizes[0], sizes[1], costs)


def begin(catalog: Path) -> None:
    """Open a run, plan it, and end it there: what a run does before it makes pictures."""
    from packline.line import Order
    from tasks.opening import line_of, plan_ahead

    order = Order(catalog)
    plan = plan_ahead(order)
    line_of(order).ledger.end_run(plan.run, "cancelled", {})
    print(f"{plan.make} to make: {plan.why}")


def _kept(file: Path | None) -> list[Finding]:
    if file is None or not file.is_file():
        return []
    return [
        Finding(**{**one, "costs": {name: Cost(**cost) for name, cost in one["costs"].items()}})
        for one in json.loads(file.read_text())
    ]


def _process(command: Sequence[str]) -> Cost:
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        out.seek(0)
        lines = [line.strip() for line in out if line.strip()]
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}:\n" + "\n".join(lines[-20:]))
    said = next((line for line in reversed(lines) if not line.startswith("Report")), "")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def as_markdown(findings: Sequence[Finding]) -> str:
    """The table."""
    names = [NOTHING, PLAN, CHANGED, BEGUN]
    lines = [
        "| SKUs | " + " | ".join(names) + " | catalog, ledger |",
        "| ---: " * (len(names) + 1) + "| --- |",
    ]
    for one in findings:
        cells = [
            f"{cost.wall:.1f} s ({cost.cpu:.1f} s CPU), {cost.memory:.0f} MiB"
            for cost in (one.costs[name] for name in names)
        ]
        sizes = f"{one.catalog:.1f} MiB, {one.ledger:.0f} MiB"
        lines.append(f"| {one.skus:,} | {' | '.join(cells)} | {sizes} |")
    about = f"{os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()}"
    return "\n".join([*lines, "", f"SQLite; {about}.", ""])


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--skus", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where the catalogs are made; a temporary one otherwise")
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    parser.add_argument("--plot", type=Path, help="an SVG file for the growth")
    parser.add_argument("--keep", type=Path, help="a JSON file of findings: those that it has count as well")
    parser.add_argument("--begin", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.begin:
        begin(asked.begin)
        return
    findings = _kept(asked.keep)
    for skus in asked.skus:
        home = Path(tempfile.mkdtemp(prefix="packline-scale-", dir=asked.folder))
        try:
            findings.append(measure(skus, home / "catalog"))
        finally:
            shutil.rmtree(home)
        print(as_markdown(findings[-1:]), flush=True)
        for name, cost in findings[-1].costs.items():
            print(f"  {name}: {cost.said}", flush=True)
        if asked.keep:
            asked.keep.write_text(json.dumps([asdict(one) for one in findings], indent=1))
    findings.sort(key=lambda one: one.skus)
    if asked.out:
        asked.out.write_text(as_markdown(findings))
    if asked.plot:
        names = list(findings[0].costs)
        seconds = {name: [(one.skus, one.costs[name].cpu) for one in findings] for name in names}
        memory = {name: [(one.skus, one.costs[name].memory) for one in findings] for name in names}
        asked.plot.write_text(growth_plot(seconds, memory, AIMS))


if __name__ == "__main__":
    main()
