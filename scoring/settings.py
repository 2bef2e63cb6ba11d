"""The checks' settings: a table for each in the catalog's settings file, read by the check's own model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from packline.errors import FixSettings
from scoring import registry
from scoring.check import Check, CheckSettings


@dataclass(frozen=True)
class ScoringSettings:
    """The enabled checks in the order of the scorecard, each with its settings."""

    checks: tuple[tuple[Check, CheckSettings], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data with versions, for fingerprints and the ledger."""
        return {check.name: {"version": check.version, **own.facts()} for check, own in self.checks}


def read_settings(tables: Mapping[str, Any]) -> ScoringSettings:
    """Read what ``[checks.<name>]`` says.

    Parameters
    ----------
    tables
        The settings file's ``checks`` table as plain data. A check without a table runs with its defaults, so
        that none is left out by accident; ``enabled = false`` leaves it out on purpose.

    Raises
    ------
    FixSettings
        With a sentence, for an unknown check, an absent or unknown key, or a value out of range.
    """
    known = registry.checks()
    for name in tables:
        if name not in known:
            raise FixSettings(f"Settings: [checks.{name}] names no check; the checks are {', '.join(known)}.")
    chosen = []
    for name, check in known.items():
        table = tables.get(name, check.defaults)
        if not isinstance(table, Mapping):
            raise FixSettings(f"Settings: checks.{name} should be a table such as [checks.{name}].")
        try:
            own = check.settings.model_validate(dict(table))
        except ValidationError as error:
            raise FixSettings(_sentence(check, error)) from error
        if own.enabled:
            chosen.append((check, own))
    if not chosen:
        raise FixSettings(
            "Settings: every check is disabled; nothing may be published unscored, so enable one."
        )
    return ScoringSettings(tuple(chosen))


def default_settings() -> ScoringSettings:
    """Every check with its defaults."""
    return read_settings({})


def _sentence(check: Check, error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        example = check.defaults.get(key, "...")
        return f"Settings: [checks.{check.name}] lacks {key}; add it, such as {key} = {example}."
    if first["type"] == "extra_forbidden":
        keys = ", ".join(check.settings.model_fields)
        return f"Settings: [checks.{check.name}] has an unknown key {key}; its keys are {keys}."
    return f"Settings: [checks.{check.name}] {key} = {first['input']!r}: {first['msg'].lower()}."
