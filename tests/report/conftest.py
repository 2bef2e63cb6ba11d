"""Fixtures of the report's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from packline.records import RowError, RunRecord
from tests.report.synthetic_run import Desk, run_record


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(name="run_record")
def make_run_record() -> Callable[..., RunRecord]:
    return run_record


@pytest.fixture
def row_error() -> RowError:
    return RowError(
        5,
        "LAMP-01",
        "model",
        "Product LAMP-01: its model lamp.glb is missing; add it to assets/3d.",
        ("LAMP-01/a/hero",),
    )
