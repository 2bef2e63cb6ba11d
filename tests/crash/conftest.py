"""One process that runs the line for all tests here, and what the line does when nobody kills it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.course import Course, Server
from tests.crash.kills import Unkilled, without_kills

# two products with three shots: both databases are killed a dozen times each, and a run takes seconds
PRODUCTS = 2


@pytest.fixture(scope="session")
def line() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def plain(line: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, list[Unkilled]]:
    """A course without kills: where it lies, and what each phase came to."""
    folder = tmp_path_factory.mktemp("unkilled") / "course"
    course = Course(folder, f"sqlite:///{folder}/ledger.db", line, PRODUCTS, None)
    return course, list(without_kills(course))


@pytest.fixture(scope="session")
def rendered(plain: tuple[Course, list[Unkilled]]) -> Path:
    """The references that were rendered on the way."""
    return plain[0].folder / "work" / "references"
