"""Scorecards: what every check said about one candidate."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a check concludes."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    UNVERIFIABLE = "unverifiable"
    ERROR = "error"


@dataclass(frozen=True)
class Evidence:
    """Something a person can see.

    Parameters
    ----------
    kind
        "box", "polygon", "text", "heat" or "colour".
    words
        A caption.
    points
        Pixel coordinates in the candidate: two corners of a box (of the map, for "heat"), or a polygon.
    data
        Whatever the kind needs besides. "text": ``{"expected", "read", "angle"}``. "heat": ``{"png"}``, a
        grey PNG in base64 that is stretched over the box, 255 is certainly wrong. "colour": ``{"part",
        "expected", "seen", "delta_e"}``, sRGB triples and CIEDE2000.
    """

    kind: str
    words: str
    points: tuple[tuple[float, float], ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """One check on one candidate.

    Parameters
    ----------
    check, version
        Which check said so; `version` changes whenever its results may.
    score
        0 (certainly wrong) to 1 (certainly right).
    threshold
        The score from which it passes.
    sentence
        For a merchandiser: "reads bottom to top; should read top to bottom".
    measures
        What was measured on the way, in plain numbers: ``{"delta_e": 4.2}``. House rules may ask for them and
        calibration reads them. A check that cannot tell because something stands too small gives
        ``{"enlarge": 1.6}``: how many times as large it would have to stand.
    needs
        What an unverifiable result asks of the shot: "person" or "close-up". Empty in all others.
    let_pass
        Whether it passes only because the settings let pass what the check cannot tell.
    sure
        The score from which the check would be sure, where it cannot tell for that alone; else None.
    """

    check: str
    version: str
    verdict: Verdict
    score: float
    threshold: float
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    milliseconds: float = 0.0
    measures: dict[str, float] = field(default_factory=dict)
    needs: str = ""
    let_pass: bool = False
    sure: float | None = None

    @property
    def unsure(self) -> bool:
        """Whether nothing is wrong by the threshold, but the score is lower than where the check is sure."""
        return self.sure is not None

    @property
    def needed(self) -> float:
        """The score that it would take to pass."""
        return self.threshold if self.sure is None else self.sure

    @property
    def margin(self) -> float:
        """How far the score lies over its threshold: 0 on it, 1 certainly right, -1 certainly wrong.

        Each side is stretched to its own length, so that margins of checks with different thresholds compare.
        What cannot be told lies on the threshold, what a check is only not sure of where it lies; an error is
        certainly wrong.
        """
        if self.verdict == Verdict.UNVERIFIABLE and not self.unsure:
            return 0.0
        if self.verdict == Verdict.ERROR:
            return -1.0
        over = self.score - self.threshold
        if self.verdict == Verdict.PASS:
            # the settings may let a check pass that could not tell
            over = max(over, 0.0)
        room = 1 - self.threshold if over >= 0 else self.threshold
        return over / room if room > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "verdict": str(self.verdict)}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> CheckResult:
        """Read what `to_dict` wrote."""
        evidence = tuple(
            Evidence(e["kind"], e["words"], tuple((p[0], p[1]) for p in e["points"]), e["data"])
            for e in data["evidence"]
        )
        return CheckResult(**{**data, "verdict": Verdict(data["verdict"]), "evidence": evidence})


@dataclass(frozen=True)
class Scorecard:
    """Every check's result for one candidate."""

    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """True when at least one check ran and none failed, erred or could not tell."""
        fine = (Verdict.PASS, Verdict.NOT_APPLICABLE)
        return any(r.verdict == Verdict.PASS for r in self.results) and all(
            r.verdict in fine for r in self.results
        )

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """What stands against the candidate, worst first."""
        fine = (Verdict.PASS, Verdict.NOT_APPLICABLE)
        return tuple(sorted((r for r in self.results if r.verdict not in fine), key=lambda r: r.margin))

    @property
    def undecided(self) -> tuple[CheckResult, ...]:
        """What could not be told where nothing else stands against the candidate; else empty."""
        against = self.failures
        return against if all(r.verdict == Verdict.UNVERIFIABLE for r in against) else ()

    @property
    def score(self) -> float:
        """The weakest check decides: its margin on a scale from 0 (certainly wrong) over 0.5 (at the
        threshold) to 1 (certainly right); 0 where no check ran."""
        margins = [r.margin for r in self.results if r.verdict != Verdict.NOT_APPLICABLE]
        return 0.5 + 0.5 * min(margins) if margins else 0.0
