"""Text evidence: what a label should say and which way it should run, beside what was found."""

from __future__ import annotations

import math
from dataclasses import dataclass

from packline.scorecard import Evidence

# degrees by which a reading direction may be off and still be the same one
_SAME = 30


@dataclass(frozen=True)
class Reading:
    """What a check read of a label.

    Parameters
    ----------
    expected, read
        The string that should be there, and the one that was read; either may be empty.
    angle, should
        Reading direction in degrees in the picture as found and as it should be (0 left to right, 90 top to
        bottom); None where it is not known.
    """

    expected: str
    read: str
    angle: float | None
    should: float | None

    @property
    def turned(self) -> bool:
        """Whether it runs another way than it should."""
        if self.angle is None or self.should is None:
            return False
        return abs((self.angle - self.should + 180) % 360 - 180) > _SAME

    @property
    def misread(self) -> bool:
        """Whether other letters were read; spaces and case do not count."""
        return _letters(self.read) != _letters(self.expected)

    @property
    def wrong(self) -> bool:
        """Whether this label is what its check objects to."""
        return self.turned or self.misread or self.angle is None


def reading_of(evidence: Evidence) -> Reading:
    """Take text evidence apart; a check may be anybody's, so nothing in it is trusted."""
    return Reading(
        str(evidence.data.get("expected", "")),
        str(evidence.data.get("read", "")),
        _degrees(evidence, "angle"),
        _degrees(evidence, "expected_angle"),
    )


def _degrees(evidence: Evidence, name: str) -> float | None:
    value = evidence.data.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _letters(text: str) -> str:
    return "".join(text.split()).casefold()
