"""Thresholds with their evidence: what `packline calibrate` writes and every run reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from packline.errors import FixSettings
from scoring.check import Check

VERSION = 1
SHIPPED = Path(__file__).with_name("thresholds.json")


@dataclass(frozen=True)
class Evidence:
    """How often something happened, and how often it may happen at most.

    Parameters
    ----------
    of, times
        How many there were, and in how many of them it happened.
    rate
        Their ratio; 0 where there were none.
    bound
        Upper Clopper-Pearson limit of the rate at the file's confidence; 1 where there were none.
    """

    of: int
    times: int
    rate: float
    bound: float


@dataclass(frozen=True)
class Threshold:
    """One check's threshold and why it is that.

    Parameters
    ----------
    version
        The check's, for which it was found.
    met
        Whether the bound on the escapes is at most alpha, at no more false rejects than were allowed.
    sentence
        What was traded where it is not.
    escapes, false_rejects
        Of the check's own plain defects; of all good ones.
    published
        Of the check's own plain defects those that no other check catches either.
    kinds
        Escapes of the check by kind of defect: how many there were and how many escaped.
    """

    version: str
    threshold: float
    met: bool
    sentence: str
    escapes: Evidence
    false_rejects: Evidence
    published: Evidence
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Thresholds:
    """A file of thresholds.

    Parameters
    ----------
    alpha, confidence, max_false_rejects
        What was asked for: the escape rate of each check, the confidence in it, and the largest share of good
        ones that a check may reject.
    scores
        Digest of the scores that they were found on.
    made
        The day, ISO.
    escapes, false_rejects, unverifiable
        Of the whole scorecard: over all plain defects, and over all good ones.
    """

    alpha: float
    confidence: float
    max_false_rejects: float
    scores: str
    made: str
    checks: Mapping[str, Threshold]
    escapes: Evidence
    false_rejects: Evidence
    unverifiable: Evidence
    decisions: int = 0

    def of(self, check: Check) -> float:
        """The calibrated threshold for a check, or its own default where its version changed since."""
        found = self.checks.get(check.name)
        if found is None or found.version != check.version:
            return float(check.defaults["threshold"])
        return found.threshold

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for the file."""
        return {"version": VERSION, **asdict(self)}

    def write(self, file: Path) -> None:
        """Write the file; its folder is made."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.to_dict(), indent=2) + "\n")


def read_thresholds(file: Path) -> Thresholds:
    """Read what `Thresholds.write` wrote.

    Raises
    ------
    FixSettings
        Where it is missing or is no such file.
    """
    how = "write it with packline calibrate, or take checks.thresholds out of the settings"
    try:
        data = json.loads(file.read_text())
        if data.pop("version") != VERSION:
            raise FixSettings(f"Thresholds {file} are of another version of Packline; {how}.")
        checks = {name: _threshold(one) for name, one in data.pop("checks").items()}
        rates = {name: Evidence(**data.pop(name)) for name in ("escapes", "false_rejects", "unverifiable")}
        return Thresholds(
            alpha=float(data["alpha"]),
            confidence=float(data["confidence"]),
            max_false_rejects=float(data["max_false_rejects"]),
            scores=str(data["scores"]),
            made=str(data["made"]),
            checks=checks,
            decisions=int(data["decisions"]),
            **rates,
        )
    except FileNotFoundError as error:
        raise FixSettings(f"Thresholds {file} are missing; {how}.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FixSettings(f"Thresholds {file} cannot be read ({error}); {how}.") from error


def _threshold(data: dict[str, Any]) -> Threshold:
    value = float(data["threshold"])
    if not 0 <= value <= 1:
        raise ValueError(f"a threshold of {value}")
    rates = {name: Evidence(**data[name]) for name in ("escapes", "false_rejects", "published")}
    kinds = {kind: (int(of), int(times)) for kind, (of, times) in data["kinds"].items()}
    return Threshold(**{**data, **rates, "threshold": value, "kinds": kinds})


@lru_cache(maxsize=1)
def shipped_thresholds() -> Thresholds:
    """Those that were found on the bench and come with Packline; none before the first calibration."""
    if SHIPPED.is_file():
        return read_thresholds(SHIPPED)
    nothing = Evidence(0, 0, 0.0, 1.0)
    return Thresholds(0.0, 0.0, 0.0, "", "", {}, nothing, nothing, nothing)
