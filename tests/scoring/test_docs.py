"""docs/checks.md names everything that a settings file may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring import registry
from scoring.check import CheckSettings
from scoring.expressions import BUILT_IN
from scoring.measures import FUNCTIONS, MEASURES

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()


@pytest.mark.parametrize("name", list(registry.checks()))
def test_every_check_is_there_with_its_keys(name: str) -> None:
    assert f"| `{name}` |" in PAGE
    own = set(registry.checks()[name].settings.model_fields) - set(CheckSettings.model_fields) - {"rules"}
    line = next((row for row in PAGE.splitlines() if row.startswith(f"| `[checks.{name}]`")), "")
    assert {key for key in own if f"`{key}`" not in line} == set()


def test_every_value_and_function_of_a_rule_is_there() -> None:
    rows = [f"| `{name}` | {measure.words} |" for name, measure in MEASURES.items()]
    assert [row for row in rows if row not in PAGE] == []
    assert [name for name in (*BUILT_IN, *FUNCTIONS) if f"`{name}" not in PAGE] == []
