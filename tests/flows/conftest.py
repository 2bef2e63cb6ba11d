"""One Prefect server for all flow tests, and a house whose engine puts the render into the photo."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

from packline.editing.engine import Capabilities, Done, Edit, EditRequest, Spoiled
from tests.flows.house import build_house


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_HOME,
        PREFECT_LOGGING_LEVEL,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    quiet = {
        PREFECT_HOME: tmp_path_factory.mktemp("prefect"),
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOGGING_LEVEL: "CRITICAL",
    }
    with temporary_settings(quiet), prefect_test_harness(server_startup_timeout=120):
        yield


class TruthEngine:
    """A model that is always right: what it is shown in image 2, put into image 1.

    Attributes
    ----------
    made
        Seeds of all candidates that were made.
    faults
        What the next calls raise instead, in order.
    spoils
        Seeds that give no picture.
    """

    def __init__(self, name: str = "truth") -> None:
        self.name = name
        self.freed = 0
        self.made: list[int] = []
        self.faults: list[Exception] = []
        self.wrong: set[str] = set()
        self.spoils: set[int] = set()
        self.weights = "truth"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("flux2-klein-embedded", 4, True, False, 16, 500)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "weights_sha256": self.weights}

    def warm_up(self) -> None:
        pass

    def free(self) -> None:
        self.freed += 1

    def edit(self, requests: Sequence[EditRequest], done: Done | None = None) -> list[Edit]:
        if self.faults:
            raise self.faults.pop(0)
        edits: dict[int, Edit] = {}
        for start in range(0, len(requests), 2):
            batch = {
                place: self._one(request)
                for place, request in enumerate(requests[start : start + 2], start)
                if request.seed not in self.spoils
            }
            edits |= batch
            if done is not None:
                done(batch)
        spoiled = {place: one.seed for place, one in enumerate(requests) if place not in edits}
        if spoiled:
            said = {place: f"seed {seed} gives no numbers." for place, seed in spoiled.items()}
            raise Spoiled("No numbers.", said)
        return list(edits.values())

    def _one(self, request: EditRequest) -> Edit:
        self.made.append(request.seed)
        base, product = request.references[:2]
        assert request.mask is not None
        cover = request.mask[..., None] / 255
        picture = base * (1 - cover) + product * cover
        if any(words in request.prompt for words in self.wrong):
            picture = 255 - picture
        return Edit(np.round(picture).astype(np.uint8), 0.01, {"name": self.name, "batch": len(self.made)})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> TruthEngine:
    made = TruthEngine()
    monkeypatch.setattr("packline.line.line.open_engine", lambda settings, presets: made)
    return made


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References of all houses: the same models in the same scenes are rendered once a session."""
    return tmp_path_factory.mktemp("references")


@pytest.fixture
def catalog(tmp_path: Path, engine: TruthEngine, rendered: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "references").symlink_to(rendered)
    return build_house(tmp_path)
