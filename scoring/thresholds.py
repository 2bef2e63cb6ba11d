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

VERSION = 3
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
class Rates:
    """What a whole scorecard does to pictures whose fault is known.

    Parameters
    ----------
    escapes
        Plain defects, of whatever check, that pass every check.
    false_rejects
        Good pictures of which some check says that something is wrong.
    unverifiable
        Good pictures against which nothing speaks but that some check cannot judge.
    products
        Products with a plain defect, and those of which one gets out: pictures of one product are not
        independent of each other, as the bounds of the other rates would have it.
    """

    escapes: Evidence
    false_rejects: Evidence
    unverifiable: Evidence
    products: Evidence


@dataclass(frozen=True)
class Bench:
    """Which pictures the thresholds were found on; parameters as in `scoring.bench.runner.Order`.

    Parameters
    ----------
    takes
        As many as were asked for; `products` are those that were done.
    good, bad
        Pictures without and with a defect.
    """

    split: str
    seed: int
    takes: int
    size: int
    products: int
    good: int
    bad: int


@dataclass(frozen=True)
class Decisions:
    """What people decided, counted apart: they see what the checks let them see.

    Parameters
    ----------
    taken
        Decisions that counted.
    rejected
        Pictures that a person rejected for a fault that its check had passed, once for each such check.
    still_pass
        Of those, by the thresholds that were found, again by that check.
    approved
        Pictures that a person approved.
    now_rejected
        Of those, by some check.
    """

    taken: int = 0
    rejected: int = 0
    still_pass: int = 0
    approved: int = 0
    now_rejected: int = 0


@dataclass(frozen=True)
class Threshold:
    """One check's threshold, and what it does at it.

    Parameters
    ----------
    version
        The check's, for which it was found.
    met
        Whether the check alone keeps to alpha: the bound on the escapes of its own plain defects.
    escapes, false_rejects
        Of the check's own plain defects; of all good ones that it judged. On the very pictures on which it
        was found.
    published
        Of the check's own plain defects those that no other check catches either.
    sure
        The score from which the check is sure; under it, from the threshold, it cannot tell.
    doubts
        Of all good ones that it judged, those in between.
    kinds
        Escapes of the check by kind of defect: how many there were and how many escaped.
    """

    version: str
    threshold: float
    met: bool
    escapes: Evidence
    false_rejects: Evidence
    published: Evidence
    sure: float
    doubts: Evidence
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Thresholds:
    """A file of thresholds.

    Parameters
    ----------
    alpha, confidence, max_rejects, max_unverifiable
        What was asked of the whole scorecard: the largest escape rate, the confidence in it, and the largest
        shares of good ones that it may reject and that it may not be able to judge.
    scores
        Digest of the scores and decisions that they were found on.
    made
        The day, ISO.
    bench
        The pictures.
    checks
        By name.
    found
        What the scorecard does to the pictures on which the thresholds were found: better than it will do.
    held_out
        What it does to pictures of other products than its thresholds were found on: found on half of the
        products and counted on the other half, and the other way round.
    met
        Whether `held_out` keeps to what was asked.
    sentences
        Where it does not; and what these numbers do not say.
    """

    alpha: float
    confidence: float
    max_rejects: float
    max_unverifiable: float
    scores: str
    made: str
    bench: Bench
    checks: Mapping[str, Threshold]
    found: Rates
    held_out: Rates
    met: bool
    sentences: tuple[str, ...] = ()
    decisions: Decisions = field(default_factory=Decisions)

    def of(self, check: Check) -> float:
        """The calibrated threshold for a check, or its own default where its version changed since."""
        found = self._found(check)
        return float(check.defaults["threshold"]) if found is None else found.threshold

    def sure_of(self, check: Check) -> float | None:
        """The score from which a check is sure; None: from its threshold."""
        found = self._found(check)
        return found.sure if found is not None and found.sure > found.threshold else None

    def _found(self, check: Check) -> Threshold | None:
        found = self.checks.get(check.name)
        return found if found is not None and found.version == check.version else None

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
    how = "write it anew with packline calibrate, or take checks.thresholds out of the settings"
    if file == SHIPPED:
        how = "write it anew with packline calibrate, or delete it: each check has a threshold of its own"
    try:
        data = json.loads(file.read_text())
        if (version := data.pop("version")) != VERSION:
            raise FixSettings(
                f"Thresholds {file} are of version {version} of such files, and this Packline reads version "
                f"{VERSION}; {how}."
            )
        return Thresholds(
            alpha=float(data["alpha"]),
            confidence=float(data["confidence"]),
            max_rejects=float(data["max_rejects"]),
            max_unverifiable=float(data["max_unverifiable"]),
            scores=str(data["scores"]),
            made=str(data["made"]),
            bench=Bench(**data["bench"]),
            checks={name: _threshold(one) for name, one in data["checks"].items()},
            found=_rates(data["found"]),
            held_out=_rates(data["held_out"]),
            met=bool(data["met"]),
            sentences=tuple(str(one) for one in data["sentences"]),
            decisions=Decisions(**data["decisions"]),
        )
    except FileNotFoundError as error:
        raise FixSettings(f"Thresholds {file} are missing; {how}.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FixSettings(f"Thresholds {file} cannot be read ({error}); {how}.") from error


def _rates(data: dict[str, Any]) -> Rates:
    return Rates(**{name: Evidence(**one) for name, one in data.items()})


def _threshold(data: dict[str, Any]) -> Threshold:
    value = float(data["threshold"])
    sure = float(data["sure"])
    if not 0 <= value <= sure <= 1:
        raise ValueError(f"a threshold of {value} and a sure of {sure}")
    rates = {name: Evidence(**data[name]) for name in ("escapes", "false_rejects", "published", "doubts")}
    kinds = {kind: (int(of), int(times)) for kind, (of, times) in data["kinds"].items()}
    return Threshold(**{**data, **rates, "threshold": value, "sure": sure, "kinds": kinds})


@lru_cache(maxsize=1)
def shipped_thresholds() -> Thresholds:
    """Those that were found on the bench and come with Packline; none before the first calibration."""
    if SHIPPED.is_file():
        return read_thresholds(SHIPPED)
    nothing = Evidence(0, 0, 0.0, 1.0)
    none = Rates(nothing, nothing, nothing, nothing)
    return Thresholds(0.0, 0.0, 0.0, 0.0, "", "", Bench("", 0, 0, 0, 0, 0, 0), {}, none, none, False)
