"""A ledger of flagged shots with real pictures, a desk that serves them, and browsers that look at it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import insert

from packline.ledger import Ledger
from packline.ledger import schema as t
from packline.ledger.database import upsert
from packline.ledger.people import User
from packline.records import ShotRecord, ShotState
from packline.review.app import create_app
from packline.review.passwords import hash_password
from packline.settings import Settings
from tests.parts import make_folder, make_scene
from tests.report.synthetic_run import Desk as Studio

CATALOG = "demo"
CHECKS = "checks-1"
PASSWORD = "correct horse battery"
FAULTS = {
    "turned": ("text_orientation", "'BERRY TEA' reads right to left; should read left to right."),
    "blob": ("artifacts", "A blob that belongs to nothing."),
    "melted": ("shape", "A corner is melted; the carton is too dark."),
}
HOSTILE = "<script>window.hit=1</script>"


@dataclass
class House:
    """A catalog's settings and its ledger with what was put into it."""

    settings: Settings
    ledger: Ledger
    run: str
    shots: list[ShotRecord]


def build(
    folder: Path, url: str = "", skus: Sequence[str] = (), faults: Sequence[str] = (), size: int = 256
) -> House:
    """A house in which every SKU has one flagged shot; its candidates have real pictures and scorecards.

    Parameters
    ----------
    faults
        One of `FAULTS` for each SKU; each shot has besides a candidate that passes where the fault is written
        with a plus: "turned+".
    size
        Pixels on a side.
    """
    settings = make_folder(folder)
    settings = settings.model_copy(
        update={
            "run": settings.run.model_copy(update={"size": size}),
            "review": settings.review.model_copy(update={"settle_seconds": 0.0}),
        }
    )
    ledger = Ledger(url or settings.ledger.url)
    studio = Studio(folder / "studio", size)
    run = ledger.begin_run(CATALOG, {"catalog": str(folder / "demo.csv"), "settings": str(settings.file),
                                     "environment": "", "only": [], "again": False})  # fmt: skip
    shots = []
    for position, (sku, fault) in enumerate(zip(skus, faults, strict=True)):
        name = fault.removesuffix("+")
        made = studio.shot(
            sku,
            ("oak-table", "linen")[position % 2],
            title=f"red carton {sku}",
            faults=(name, name, *([""] if fault.endswith("+") else [])),
            state=ShotState.FLAGGED,
            reason=FAULTS[name][0],
            sentence=FAULTS[name][1],
            hue=17 * position,
        )
        made = replace(made, fingerprint=f"{position:016x}", row=position + 1)
        put(ledger, run, made, position)
        shots.append(made)
    for scene, picture in studio.scenes.items():
        file = settings.paths.scenes / f"{scene}.json"
        make_scene(file)
        file.write_text(file.read_text().replace(": 64", f": {studio.size}"))
        file.with_suffix(".jpg").write_bytes(picture.read_bytes())
    ledger.end_run(run, "completed with flags", {})
    return House(settings, ledger, run, shots)


def put(ledger: Ledger, run: str, shot: ShotRecord, position: int = 0) -> None:
    """Put a flagged shot into the ledger as a run would have."""
    plan(ledger, run, shot, position)
    place = {"shot": shot.key, "fingerprint": shot.fingerprint}
    ledger.record_references(shot.key, shot.fingerprint, shot.references, shot.notes)
    for record in shot.candidates:
        candidate = record.candidate
        recipe = replace(candidate.recipe, shot=shot.key, fingerprint=shot.fingerprint)
        ledger.record_candidate(run, replace(candidate, recipe=recipe))
        if record.scorecard is not None:
            ledger.record_scorecard(run, candidate.id, CHECKS, record.scorecard)
    ledger.flag(run, place["shot"], place["fingerprint"], CHECKS, shot.reason, shot.sentence)


def plan(ledger: Ledger, run: str, shot: ShotRecord, position: int = 0) -> None:
    """Make a shot part of the catalog's present."""
    row: dict[str, Any] = {
        "catalog": CATALOG, "key": shot.key, "sku": shot.sku, "title": shot.title, "scene": shot.scene,
        "view": shot.view, "row": position + 1, "position": position, "model": "shoe.glb", "product": "p",
        "fingerprint": shot.fingerprint, "checks": CHECKS, "parts": {}, "run": run, "gone": "",
    }  # fmt: skip
    state = {
        "shot": shot.key,
        "fingerprint": shot.fingerprint,
        "checks": CHECKS,
        "state": "to do",
        "run": run,
    }
    with ledger._write() as connection:
        upsert(connection, t.catalogs, [{"name": CATALOG, "run": run}], ("run",))
        upsert(connection, t.shots, [row], tuple(name for name in row if name not in ("catalog", "key")))
        if not connection.execute(
            t.shot_states.select().where(
                t.shot_states.c.shot == shot.key, t.shot_states.c.fingerprint == shot.fingerprint
            )
        ).first():
            connection.execute(insert(t.shot_states), [state])


def add_people(ledger: Ledger) -> None:
    """Anna and Ben review, Vic looks, Ada administrates; all have the same password."""
    password = hash_password(PASSWORD)
    for name, role in (("Anna", "reviewer"), ("Ben", "reviewer"), ("Vic", "viewer"), ("Ada", "admin")):
        ledger.people.add_user(User(name, role, password))


@contextmanager
def serving(settings: Settings, ledger: Ledger) -> Iterator[str]:
    """The review desk on a free port of localhost; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings, ledger), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended before it was up"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def sign_in(page: Any, address: str, name: str = "Anna", then: str = "/") -> None:
    """Sign in on a page of Playwright's."""
    page.goto(f"{address}/sign-in?next={then}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
