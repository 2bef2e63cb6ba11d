"""When Prefect tries a task again, and how a task's time is noted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from packline.errors import TryAgain
from packline.line import Line

RETRIES = 3
DELAYS = [2, 10, 30]
# seconds: who asks for more is asked again sooner
LONGEST = 600.0


def may_succeed_later(task: Any, run: Any, state: Any) -> bool:
    """Only a passing fault is worth another try; everything else would fail in the same way.

    Where the other side said how long to wait, the rest of that time passes here: Prefect's own delays know
    nothing of the error.
    """
    try:
        state.result()
    except TryAgain as error:
        time.sleep(rest(error.retry_after, int(getattr(run, "run_count", 0) or 0)))
        return True
    except BaseException:
        return False
    return False


def rest(retry_after: float | None, tries: int) -> float:
    """Seconds to wait besides Prefect's own delay after this many tries."""
    delay = DELAYS[min(max(tries, 1), len(DELAYS)) - 1]
    return min(max((retry_after or 0.0) - delay, 0.0), LONGEST)


# results stay in the ledger and on disk: Prefect keeps none and skips nothing by itself
OPTIONS: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay_seconds": DELAYS,
    "retry_condition_fn": may_succeed_later,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


def last_try() -> bool:
    """Whether Prefect will not try the present task again."""
    return int(task_run.run_count or 0) > RETRIES


@contextmanager
def timed(line: Line, run: str, station: str, items: int | Sized) -> Iterator[None]:
    """Note in the ledger what the block took for so many items, or for those counted by its end."""
    start = time.perf_counter()
    try:
        yield
    finally:
        count = items if isinstance(items, int) else len(items)
        line.ledger.record_station(run, station, count, time.perf_counter() - start)
