"""Asking Prefect to carry decisions out: after they stand, in a thread, and never in a decision's way."""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from packline.errors import PacklineError
from packline.ledger import Ledger
from packline.records import RunRecord

logger = logging.getLogger(__name__)

DEPLOYMENT = "carry-out/decisions"
"""Flow and deployment that carry out what people decided (flows/decision.py, prefect.yaml)."""

NO_PREFECT = "No Prefect server is set up; the next run of the catalogue carries it out."
_PATIENCE = 3.0  # seconds for each answer of Prefect's
_AGAIN = 60.0  # seconds until Prefect is asked again where it was not reached


class CarryOut:
    """Watches for decisions and asks Prefect to carry them out, a catalog at a time.

    Decisions come in bursts, so it waits until nobody has decided for a while: one run carries out all of
    them, and whoever presses undo is in time.

    Parameters
    ----------
    ledger
        Opened by the first call.
    api
        Prefect's API; empty where there is none.
    settle
        Seconds of quiet before Prefect is asked.
    """

    def __init__(self, ledger: Callable[[], Ledger], api: str, settle: float) -> None:
        self._ledger = ledger
        self._api = api or os.environ.get("PREFECT_API_URL", "")
        self._settle = settle
        self._due: dict[str, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to watch; decisions that an earlier desk left are asked for at once."""
        self._thread = threading.Thread(target=self._watch, name="carry-out", daemon=True)
        self._thread.start()
        for catalog in self._ledger().review.waiting():
            self.poke(catalog, at_once=True)

    def stop(self) -> None:
        """Ask for what still waits, then end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2 * _PATIENCE + 2)

    def poke(self, catalog: str, *, at_once: bool = False) -> None:
        """Note that somebody decided on a shot of a catalog."""
        with self._changed:
            self._due[catalog] = time.monotonic() + (0 if at_once else self._settle)
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not (ready := self._ready()) and not self._stopping:
                    first = min(self._due.values(), default=None)
                    self._changed.wait(None if first is None else max(0.0, first - time.monotonic()))
                stopping = self._stopping
                for catalog in ready:
                    del self._due[catalog]
            for catalog in ready:
                reached = self._carry_out(catalog)
                if not reached and self._api and not stopping:
                    with self._changed:
                        self._due.setdefault(catalog, time.monotonic() + _AGAIN)
            if stopping:
                return

    def _ready(self) -> list[str]:
        now = time.monotonic()
        return [catalog for catalog, due in self._due.items() if due <= now or self._stopping]

    def _carry_out(self, catalog: str) -> bool:
        try:
            ledger = self._ledger()
            decision = ledger.review.waiting().get(catalog)
            if decision is None:
                return True
            run = ledger.latest_run(catalog)
            reached, sentence = (
                ask_prefect(self._api, run, f"{catalog}-{decision}") if run else (False, NO_PREFECT)
            )
            ledger.review.note_carry_out(catalog, decision, reached, sentence)
            return reached
        except PacklineError as error:
            # the decision stands in the ledger; nothing is lost but the hurry
            logger.warning("decisions on %s were not handed to Prefect: %s", catalog, error)
            return False
        except Exception:
            logger.exception("decisions on %s were not handed to Prefect", catalog)
            return False


def ask_prefect(api: str, run: RunRecord, key: str) -> tuple[bool, str]:
    """Ask Prefect for a run of `DEPLOYMENT`.

    Parameters
    ----------
    run
        The catalog's latest: its parameters say which file and settings it is.
    key
        The same key again starts no second run.

    Returns
    -------
    reached, sentence
        Whether Prefect took it, and what a person should know.
    """
    if not api:
        return False, NO_PREFECT
    parameters = {name: run.parameters.get(name) or "" for name in ("catalog", "settings", "environment")}
    try:
        deployment = _call(api, f"deployments/name/{quote(DEPLOYMENT)}")
        started = _call(
            api,
            f"deployments/{deployment['id']}/create_flow_run",
            {"parameters": parameters, "idempotency_key": f"packline-{key}"},
        )
        return True, f"Prefect carries it out (run {started['name']})."
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False, (
                f"Prefect has no deployment {DEPLOYMENT}; prefect deploy --all makes it. "
                "The next run of the catalogue carries it out."
            )
        return False, f"Prefect refused ({error.code}); the next run of the catalogue carries it out."
    except (OSError, ValueError, KeyError):
        return False, "Prefect cannot be reached just now; the next run of the catalogue carries it out."


def _call(api: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(f"{api.rstrip('/')}/{path}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if key := os.environ.get("PREFECT_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")
    elif words := os.environ.get("PREFECT_API_AUTH_STRING"):
        request.add_header("Authorization", f"Basic {base64.b64encode(words.encode()).decode()}")
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
