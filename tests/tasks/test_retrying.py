"""Which failures Prefect tries again."""

from __future__ import annotations

import pytest
from prefect.states import exception_to_failed_state
from prefect.utilities.asyncutils import run_coro_as_sync

from packline.errors import FixSettings, GiveUp, TryAgain
from tasks.retrying import may_succeed_later


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
