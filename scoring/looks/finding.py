"""What a look answers with."""

from __future__ import annotations

from dataclasses import dataclass

from packline.scorecard import Evidence


@dataclass(frozen=True)
class Finding:
    """One defect looked for.

    Parameters
    ----------
    name
        Of the look; with `value` it goes into the result's measures.
    score
        How good the picture is there, 0 to 1; 0.5 at the look's limit.
    sentence
        What to say where the score is too low.
    value
        What was measured, in the look's own unit.
    evidence
        Where it shows.
    """

    name: str
    score: float
    sentence: str
    value: float = 0.0
    evidence: tuple[Evidence, ...] = ()


def graded(value: float, limit: float, power: float = 3.0) -> float:
    """Score a value of which less is better: 1 at 0, 0.5 at `limit`, never quite 0.

    Parameters
    ----------
    power
        How steeply the score falls about the limit.
    """
    if value <= 0:
        return 1.0
    return float(1 / (1 + min(value / limit, 1e3) ** power))


def graded_up(value: float, limit: float, power: float = 3.0) -> float:
    """Score a value of which more is better: 0 at 0, 0.5 at `limit`, never quite 1."""
    return 1 - graded(value, limit, power)
