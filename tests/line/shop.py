"""A small shop whose pictures are published without any being made: for tests of what a run would do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from packline.delivery import delivery_digests
from packline.ledger import Ledger
from packline.ledger.duties import PLANNED, Stretch
from packline.line import Line, Order
from packline.line.plan import Forecast, Plan, begin_run
from packline.records import Published, ShotRecord, Work
from tests.parts import HEADER, make_candidate, make_folder, scorecard

ROWS = (
    "A1,red shoe,shoe.glb,table;shelf,E LOVE = top to bottom,warm,",
    "B1,plain bottle,bottle.glb,table,,,",
    "C1,woollen hat,hat.gltf,shelf:left,,,",
)
A, B, C = ("A1/table/hero", "A1/shelf/hero"), ("B1/table/hero",), ("C1/shelf/left",)
EVERY = (*A, *B, *C)


class Weights:
    """An engine that is asked what it is, and nothing else."""

    def describe(self) -> dict[str, Any]:
        return {"weights_sha256": "w" * 64, "steps": 4}


class Task(NamedTuple):
    """What a run does for a shot, why, and the number of its first candidate."""

    work: Work
    why: str
    first: int


@dataclass
class Shop:
    """A catalog, its settings and its ledger.

    Parameters
    ----------
    checks
        Digest of the present checks.
    """

    folder: Path
    checks: str = "checks-1"
    # opened once: a test plans several times
    ledger: Ledger | None = None

    @property
    def catalog(self) -> Path:
        return self.folder / "demo.csv"

    def write(self, *rows: str) -> None:
        self.catalog.write_text("\n".join((HEADER, *rows)) + "\n")

    def line(self, **order: Any) -> Line:
        line = Line(Order(self.catalog, **order), self.checks)
        line.__dict__["engine"] = Weights()
        if self.ledger is None:
            self.ledger = line.ledger
        line.__dict__["ledger"] = self.ledger
        return line

    def plan(self, **order: Any) -> tuple[Plan, dict[str, Task]]:
        """Begin a run and leave it at that: what it has to do, by shot."""
        line = self.line(**order)
        plan = begin_run(line)
        duties = dict(work_of(line, plan))
        line.ledger.end_run(plan.run, "cancelled", {})
        return plan, duties

    def why(self, **order: Any) -> dict[str, str]:
        """Why a run would make candidates, by shot; fails where it would do anything else."""
        duties = self.plan(**order)[1]
        assert all(duty.work == Work.MAKE for duty in duties.values())
        return {key: duty.why for key, duty in duties.items()}

    def foresee(self, *, every: bool = False, **order: Any) -> tuple[Forecast, dict[str, tuple[Work, str]]]:
        forecast = Forecast(self.line(**order), every=every)
        return forecast, {owed.key: (owed.duty.work, owed.duty.why) for owed in forecast}

    def publish(self) -> None:
        """A run that makes and publishes all that it has to."""
        line = self.line()
        ledger, plan = line.ledger, begin_run(line)
        delivery = delivery_digests(line.settings)["hero"]
        for key, duty in dict(work_of(line, plan)).items():
            shot = line.shots[key]
            place = plan.run, key, shot.fingerprint
            if duty.work == Work.MAKE:
                made = make_candidate(self.folder / "work", key, shot.fingerprint)
                ledger.record_candidate(plan.run, made)
            else:
                made = ledger.candidates(key, shot.fingerprint)[0].candidate
            ledger.record_scorecard(plan.run, made.id, self.checks, scorecard())
            ledger.select(*place, made.id)
            file = Published("hero", f"{made.id}.png", "a" * 64, 9, delivery=delivery)
            ledger.record_published(*place, made.id, [file])
        ledger.end_run(plan.run, "completed", {})

    def flag(self, key: str, reason: str) -> None:
        line = self.line()
        shot = line.shots[key]
        run = line.ledger.begin_run("demo", {})
        line.ledger.flag(run, key, shot.fingerprint, self.checks, reason, f"{reason}: look.")
        line.ledger.end_run(run, "completed with flags", {})

    def shots(self) -> dict[str, ShotRecord]:
        return {shot.key: shot for shot in self.line().ledger.shots("demo")}


def work_of(line: Line, plan: Plan) -> Iterator[tuple[str, Task]]:
    """All that a run has to do, asked for as the stations do, two shots at a time."""
    for work in (Work.MAKE, Work.RESCORE):
        after = None
        while some := line.ledger.duties.chunk(Stretch(plan.run, work, 1, PLANNED), after, 2):
            for due in some:
                yield due.key, Task(work, due.why, due.first)
            after = some[-1].place


def build_shop(folder: Path, ledger_url: str) -> Shop:
    """Three products in two scenes: one with a LoRA and a label, one plain, one of three files."""
    make_folder(folder)
    settings = folder / "demo.toml"
    settings.write_text(settings.read_text().replace("ledger.db", ledger_url))
    hat = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": "hat.bin"}],
        "images": [{"uri": "textures/felt.png"}, {"uri": "ribbon.png"}],
    }
    (folder / "3d" / "textures").mkdir()
    (folder / "3d" / "hat.gltf").write_text(json.dumps(hat))
    (folder / "3d" / "hat.bin").write_bytes(b"numbers")
    (folder / "3d" / "textures" / "felt.png").write_bytes(b"felt")
    shop = Shop(folder)
    shop.write(*ROWS)
    return shop
