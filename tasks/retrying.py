"""When Prefect tries a task again, and how a task's time is noted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from packline.errors import TryAgain
from packline.line import Line

RETRIES = 3


def may_succeed_later(task: Any, run: Any, state: Any) -> bool:
    """Only a passing fault is worth another try; everything else would fail in the same way."""
    try:
        state.result()
    except TryAgain:
        return True
    except BaseException:
        return False
    return False


# results stay in the ledger and on disk: Prefect keeps none and skips nothing by itself
OPTIONS: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay_seconds": [2, 10, 30],
    "retry_condition_fn": may_succeed_later,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


def last_try() -> bool:
    """Whether Prefect will not try the present task again."""
    return int(task_run.run_count or 0) > RETRIES


@contextmanager
def timed(line: Line, run: str, station: str, items: int) -> Iterator[None]:
    """Note in the ledger what the block took."""
    start = time.perf_counter()
    try:
        yield
    finally:
        line.ledger.record_station(run, station, items, time.perf_counter() - start)
