"""The checks' settings: a table for each in the catalog's settings file, read by the check's own model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from packline.errors import FixSettings
from packline.settings import RuleSettings
from scoring import house_rules, registry
from scoring.check import Check, CheckSettings
from scoring.thresholds import Thresholds, read_thresholds, shipped_thresholds


@dataclass(frozen=True)
class ScoringSettings:
    """The enabled checks in the order of the scorecard, each with its settings."""

    checks: tuple[tuple[Check, CheckSettings], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data with versions, for fingerprints and the ledger."""
        return {check.name: {"version": check.version, **own.facts()} for check, own in self.checks}


def read_settings(
    tables: Mapping[str, Any], rules: Mapping[str, RuleSettings] | None = None
) -> ScoringSettings:
    """Read what ``[checks.<name>]`` and ``[rules]`` say.

    Where a check cannot tell, ``unverifiable`` in its table is the shot's policy: every check asks for a
    person unless its table says otherwise. `alignment` does so too where the embedded aligner was not taught
    the words; the demo's settings let that pass.

    Parameters
    ----------
    tables
        The settings file's ``checks`` table as plain data. A check without a table runs with its defaults, so
        that none is left out by accident; ``enabled = false`` leaves it out on purpose. A table that states
        no threshold takes the calibrated one, with the score from which the check is sure: from the file that
        ``checks.thresholds`` names (an absolute path), else from the one that is shipped, where it was found
        for the check's present version; else the check's own.
    rules
        The settings file's ``rules`` table.

    Raises
    ------
    FixSettings
        With a sentence, for an unknown check or key, a value out of range, a rule that cannot be used, or a
        file of thresholds that cannot be read.
    """
    known = registry.checks()
    tables = dict(tables)
    named = tables.pop("thresholds", "")
    if not isinstance(named, str):
        raise FixSettings(
            'Settings: checks.thresholds should be a file, such as thresholds = "thresholds.json".'
        )
    calibrated = read_thresholds(Path(named)) if named else shipped_thresholds()
    for name in tables:
        if name not in known:
            raise FixSettings(f"Settings: [checks.{name}] names no check; the checks are {', '.join(known)}.")
    chosen = []
    for name, check in known.items():
        table = tables.get(name, {key: value for key, value in check.defaults.items() if key != "threshold"})
        if not isinstance(table, Mapping):
            raise FixSettings(f"Settings: checks.{name} should be a table such as [checks.{name}].")
        table = {"threshold": calibrated.of(check), **_sure(calibrated, check, table), **table}
        if name == house_rules.NAME:
            if "rules" in table:
                raise FixSettings(
                    f"Settings: [checks.{name}] has no key rules; write house rules under [rules], such as "
                    'wide = { rule = "margin_left >= 0.05", say = "It stands too far left" }.'
                )
            house_rules.read_rules(rules or {}, list(known))
            table["rules"] = dict(rules or {})
        try:
            own = check.settings.model_validate(table)
        except ValidationError as error:
            raise FixSettings(_sentence(check, error)) from error
        if own.enabled:
            chosen.append((check, own))
    if not chosen:
        raise FixSettings(
            "Settings: every check is disabled; nothing may be published unscored, so enable one."
        )
    return ScoringSettings(tuple(chosen))


def _sure(calibrated: Thresholds, check: Check, table: Mapping[str, Any]) -> dict[str, Any]:
    """The calibrated score from which a check is sure; none for who states a lower threshold, or a higher one
    than that."""
    sure, stated = calibrated.sure_of(check), table.get("threshold", calibrated.of(check))
    if sure is None or not isinstance(stated, int | float) or not calibrated.of(check) <= stated < sure:
        return {}
    return {"sure": sure}


def default_settings() -> ScoringSettings:
    """Every check with its defaults."""
    return read_settings({})


def _sentence(check: Check, error: ValidationError) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return f"Settings: [checks.{check.name}]: {first['msg'].removeprefix('Value error, ')}."
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        example = check.defaults.get(key, "...")
        return f"Settings: [checks.{check.name}] lacks {key}; add it, such as {key} = {example}."
    if first["type"] == "extra_forbidden":
        keys = ", ".join(key for key in check.settings.model_fields if key != "rules")
        return f"Settings: [checks.{check.name}] has an unknown key {key}; its keys are {keys}."
    said = first["msg"].removeprefix("Value error, ").lower()
    return f"Settings: [checks.{check.name}] {key} = {first['input']!r}: {said}."
