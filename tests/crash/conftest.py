"""One process that runs the line for all tests here, and what the line does when nobody kills it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.course import Course, Server
from tests.crash.kills import PHASES, Unkilled, without_kills

# one product with two shots, and no change of rows: both databases are killed a dozen times each, and a run
# takes seconds; the command has it all
PRODUCTS = 1
SOME_PHASES = PHASES[:2]


@dataclass(frozen=True)
class Plain:
    """A course without kills.

    Parameters
    ----------
    settled
        A copy of its ledger and bucket after the first phase.
    references
        What it rendered.
    candidates
        How many it made.
    """

    unkilled: list[Unkilled]
    settled: Path
    references: Path
    candidates: int


@pytest.fixture(scope="session")
def line() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def plain(line: Server, tmp_path_factory: pytest.TempPathFactory) -> Plain:
    home = tmp_path_factory.mktemp("unkilled")
    folder, settled = home / "course", home / "settled"
    course = Course(folder, f"sqlite:///{folder}/ledger.db", line, PRODUCTS, None)
    unkilled = []
    for one in without_kills(course, SOME_PHASES):
        unkilled.append(one)
        if not settled.exists():
            shutil.copytree(folder / "bucket", settled / "bucket")
            source, copied = sqlite3.connect(folder / "ledger.db"), sqlite3.connect(settled / "ledger.db")
            source.backup(copied)
            source.close()
            copied.close()
    return Plain(unkilled, settled, folder / "work" / "references", len(course.recorded()))


@pytest.fixture(scope="session")
def settled(plain: Plain) -> Path:
    return plain.settled
