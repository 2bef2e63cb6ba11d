"""Which failures Prefect tries again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from prefect.states import exception_to_failed_state
from prefect.utilities.asyncutils import run_coro_as_sync

from packline.errors import FixSettings, GiveUp, TryAgain
from tasks.retrying import LONGEST, may_succeed_later, rest


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TryAgain("busy."), True),
        (GiveUp("no."), False),
        (FixSettings("mend."), False),
        (KeyError("x"), False),
    ],
)
def test_only_a_passing_fault_is_tried_again(error: Exception, again: bool) -> None:
    state = run_coro_as_sync(exception_to_failed_state(error))
    assert may_succeed_later(None, None, state) is again


@pytest.mark.parametrize(
    ("asked", "tries", "seconds"),
    [
        (None, 1, 0),
        (0.5, 1, 0),
        (2, 1, 0),
        (12, 1, 10),
        (12, 2, 2),
        (12, 3, 0),
        (90, 9, 60),
        (9999, 1, LONGEST),
    ],
)
def test_the_wait_that_the_other_side_asks_for_is_kept_besides_prefects_own(
    asked: float | None, tries: int, seconds: float
) -> None:
    assert rest(asked, tries) == seconds


def test_a_wait_that_is_asked_for_passes_before_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tasks.retrying.time.sleep", waited.append)
    state = run_coro_as_sync(exception_to_failed_state(TryAgain("busy.", 20)))
    assert may_succeed_later(None, SimpleNamespace(run_count=1), state)
    assert waited == [18]
