"""What fails in a chunk is tried shot by shot, and only what fails alone is flagged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from packline.errors import FixSettings, GiveUp, TryAgain
from packline.line import chunks


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    monkeypatch.setattr(
        chunks, "flag", lambda line, run, key, reason, sentence: found.append((key, reason, sentence))
    )
    return found


def work(faults: dict[str, Exception], done: list[str]) -> Any:
    def on(some: Sequence[str]) -> None:
        for item in some:
            if item in faults:
                raise faults[item]
            done.append(item)

    return on


def carefully(items: list[str], on: Any, **options: Any) -> list[str]:
    line: Any = None
    return chunks.work_carefully(line, "run", items, lambda item: item, on, reason="engine", **options)


def test_a_shot_that_is_given_up_costs_its_neighbours_nothing(flags: list[Any]) -> None:
    done: list[str] = []
    well = carefully(["a", "b", "c"], work({"b": GiveUp("b has no model.")}, done))
    assert well == ["a", "c"]
    assert set(done) == {"a", "c"}
    assert flags == [("b", "engine", "b has no model.")]


def test_what_nobody_foresaw_is_flagged_as_an_error_with_its_first_line(flags: list[Any]) -> None:
    well = carefully(["a", "b"], work({"a": ValueError("odd\nand more")}, []))
    assert well == ["b"]
    assert flags == [("a", "error", "Shot a failed unexpectedly (ValueError: odd); see the run's log.")]


def test_a_passing_fault_is_raised_while_there_are_tries_left(flags: list[Any]) -> None:
    with pytest.raises(TryAgain):
        carefully(["a", "b"], work({"b": TryAgain("busy.")}, []), last_try=False)
    assert flags == []


def test_a_passing_fault_flags_its_shot_on_the_last_try(flags: list[Any]) -> None:
    well = carefully(["a", "b"], work({"b": TryAgain("The card is full.")}, []), last_try=True)
    assert well == ["a"]
    assert flags == [("b", "try again", "The card is full. The next run tries again.")]


def test_wrong_settings_stop_everything_and_flag_nothing(flags: list[Any]) -> None:
    with pytest.raises(FixSettings):
        carefully(["a", "b"], work({"a": FixSettings("no EGL.")}, []))
    assert flags == []
