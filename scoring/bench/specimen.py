"""Specimens: a candidate made for the bench, with what was done to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scoring.check import Bools, CheckInput


@dataclass(frozen=True)
class Defect:
    """What was done to a candidate on purpose.

    Parameters
    ----------
    kind
        "text mirrored", "colour shifted", "part missing", ...: a row of the bench's table.
    strength
        Its column: "dE 5", "4 %", "q20", ...
    check
        The check whose dimension it is.
    plain
        Whether a person sees it at arm's length: text of 20 px or more turned or mirrored, colour of a
        multi-coloured product beyond a CIEDE2000 of 5, a missing or melted part of 2 % of the product or
        more, and what is coarser than those. The escape rate over these is what the line is held to.
    where
        The place, bool (H, W) in the candidate; None where it is everywhere.
    """

    kind: str
    strength: str
    check: str
    plain: bool
    where: Bools | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Specimen:
    """One candidate with its truth.

    Parameters
    ----------
    id
        Unique within a corpus; the same seed gives the same id and the same pixels.
    product, scene, side
        What stands where, for grouping: intervals are taken over products where specimens share one.
    given
        What the checks get.
    defect
        None for a good one.
    nuisance
        What is harmless and was done as well: light, shift, style, compression, ... for the record.
    """

    id: str
    product: str
    scene: str
    side: str
    given: CheckInput = field(repr=False)
    defect: Defect | None = None
    nuisance: dict[str, Any] = field(default_factory=dict)
