"""Handing decisions to Prefect: a decision never waits for it, and none is forgotten."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from packline.ledger.decided import Choice
from packline.review.carry_out import NO_PREFECT, CarryOut
from tests.review.house import CATALOG, House, build


class Prefect:
    """As much of Prefect's API as the desk speaks to, over HTTP.

    Attributes
    ----------
    runs
        Bodies of the runs that were asked for.
    deployed
        Whether the deployment is there.
    pause
        Seconds before each answer.
    """

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.deployed = True
        self.pause = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(outer.pause)
                assert self.path == "/api/deployments/name/carry-out/decisions"
                self._say(200 if outer.deployed else 404, {"id": "d1"})

            def do_POST(self) -> None:
                assert self.path == "/api/deployments/d1/create_flow_run"
                outer.runs.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self._say(201, {"id": "r1", "name": "brave-otter"})

            def _say(self, status: int, body: dict[str, str]) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.api = f"http://127.0.0.1:{self.server.server_port}/api"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Prefect]:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    made = Prefect()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = build(tmp_path, skus=("A", "B", "C"), faults=("turned", "blob", "melted"))
    yield made
    made.ledger.close()


def reject(house: House, number: int) -> int:
    shot = house.shots[number]
    version = house.ledger.review.version(CATALOG, shot.key)
    return house.ledger.review.decide([Choice(CATALOG, shot.key, version, "reject", words="no")], "Anna")[
        0
    ].id


def until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def test_a_burst_of_decisions_becomes_one_run_with_the_catalogs_own_parameters(
    house: House, prefect: Prefect
) -> None:
    desk = CarryOut(lambda: house.ledger, prefect.api, settle=0.3)
    desk.start()
    for number in range(3):
        last = reject(house, number)
        desk.poke(CATALOG)
    until(lambda: prefect.runs)
    desk.stop()
    files = {"catalog": str(house.settings.file.with_suffix(".csv")), "settings": str(house.settings.file)}
    assert prefect.runs == [
        {"parameters": {**files, "environment": ""}, "idempotency_key": f"packline-demo-{last}"}
    ]
    assert house.ledger.review.waiting() == {}
    said = house.ledger.review.carry_out(CATALOG)
    assert said is not None
    assert said[:2] == (True, "Prefect carries it out (run brave-otter).")


def test_what_is_decided_last_is_handed_over_when_the_desk_closes(house: House, prefect: Prefect) -> None:
    desk = CarryOut(lambda: house.ledger, prefect.api, settle=3600)
    desk.start()
    reject(house, 0)
    desk.poke(CATALOG)
    desk.stop()
    assert len(prefect.runs) == 1


def test_a_desk_takes_up_what_an_earlier_one_left(house: House, prefect: Prefect) -> None:
    reject(house, 0)
    desk = CarryOut(lambda: house.ledger, prefect.api, settle=3600)
    desk.start()
    until(lambda: prefect.runs)
    desk.stop()
    assert len(prefect.runs) == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("none", NO_PREFECT),
        ("gone", "Prefect cannot be reached just now; the next run of the catalogue carries it out."),
        ("undeployed", "Prefect has no deployment carry-out/decisions; prefect deploy --all makes it."),
    ],
)
def test_without_prefect_the_decision_stands_and_the_desk_says_so(
    house: House, prefect: Prefect, fault: str, sentence: str
) -> None:
    prefect.deployed = fault != "undeployed"
    api = {"none": "", "gone": "http://127.0.0.1:9/api"}.get(fault, prefect.api)
    desk = CarryOut(lambda: house.ledger, api, settle=0)
    desk.start()
    number = reject(house, 0)
    desk.poke(CATALOG)
    until(lambda: house.ledger.review.carry_out(CATALOG))
    desk.stop()
    said = house.ledger.review.carry_out(CATALOG)
    assert said is not None
    assert not said[0]
    assert said[1].startswith(sentence)
    assert prefect.runs == []
    # it is still to be handed over, and the ledger knows what a run has to do
    assert house.ledger.review.waiting() == {CATALOG: number}
    assert house.ledger.shot_pages.shot(CATALOG, house.shots[0].key).reason == "rejected"  # type: ignore[union-attr]


def test_nobody_who_decides_waits_for_a_slow_prefect(house: House, prefect: Prefect) -> None:
    prefect.pause = 1.0
    desk = CarryOut(lambda: house.ledger, prefect.api, settle=0)
    desk.start()
    reject(house, 0)
    desk.poke(CATALOG)
    time.sleep(0.1)
    # Prefect is being asked, and has not answered
    assert prefect.runs == []
    reject(house, 1)
    desk.poke(CATALOG)
    assert len(house.ledger.review.last_of("Anna", 5)) == 2
    until(lambda: house.ledger.review.waiting() == {})
    desk.stop()
