"""Colour evidence as pairs of swatches: what a part should look like, and what it does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from packline.scorecard import Evidence


@dataclass(frozen=True)
class Swatches:
    """One part's two colours as CSS colours, and their difference in words."""

    part: str
    expected: str
    seen: str
    difference: str


def swatches(evidence: Iterable[Evidence]) -> list[Swatches]:
    """The pairs among a result's evidence; what holds no two colours is left out."""
    found = []
    for one in evidence:
        expected, seen = _css(one.data.get("expected")), _css(one.data.get("seen"))
        if one.kind == "colour" and expected and seen:
            apart = one.data.get("delta_e")
            difference = f"ΔE {apart:.1f}" if isinstance(apart, int | float) and math.isfinite(apart) else ""
            found.append(Swatches(str(one.data.get("part") or one.words), expected, seen, difference))
    return found


def _css(colour: object) -> str:
    """``rgb(...)`` of three bytes, and nothing else: a check may be anybody's."""
    if not isinstance(colour, list | tuple) or len(colour) != 3:
        return ""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in colour):
        return ""
    return f"rgb({', '.join(str(round(min(max(value, 0), 255))) for value in colour)})"
