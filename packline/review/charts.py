"""Plots as plain geometry, for the template that draws them as SVG: no library, script or inline style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LEFT, TOP, RIGHT, BOTTOM = 44.0, 10.0, 10.0, 22.0
"""Room around a plot for its axes' words."""


@dataclass(frozen=True)
class Tick:
    """A word at an axis; `place` along it in the plot's units."""

    place: float
    words: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Mark:
    """A point or a bar, with what it says to who stays on it.

    Parameters
    ----------
    x, y
        A point's place, or a bar's upper left corner.
    """

    x: float
    y: float
    words: str
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class Plot:
    """A plot over time.

    Parameters
    ----------
    title, words
        Its heading; what it shows, for who cannot see it.
    line, band
        SVG paths of the values and of their intervals; either may be empty.
    dots, bars
        One a value.
    latest
        The last value in words; empty where there is none.
    """

    title: str
    words: str
    width: float
    height: float
    line: str
    band: str
    dots: tuple[Mark, ...]
    bars: tuple[Mark, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    latest: str

    @property
    def left(self) -> float:
        """Where the plot's own area begins."""
        return LEFT

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.width - RIGHT

    @property
    def bottom(self) -> float:
        """The lower axis."""
        return self.height - BOTTOM


@dataclass(frozen=True)
class Value:
    """A value at a moment.

    Parameters
    ----------
    low, high
        Its interval, where it has one.
    words
        What it says: "3 Nov: 92% of 120".
    """

    at: datetime
    value: float
    words: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Span:
    """The time that plots are drawn over, UTC, divided into equal steps."""

    start: datetime
    end: datetime
    steps: int

    @property
    def step(self) -> timedelta:
        """The length of one."""
        return (self.end - self.start) / self.steps

    def number(self, at: datetime) -> int:
        """In which step a moment lies."""
        return min(self.steps - 1, max(0, int((at - self.start) / self.step)))

    def middle(self, number: int) -> datetime:
        """The middle of a step."""
        return self.start + (number + 0.5) * self.step

    def words(self, number: int) -> str:
        """A step in words: "3 Nov", "3 to 9 Nov"."""
        first = self.start + number * self.step
        last = max(first, first + self.step - timedelta(seconds=1))
        if self.step <= timedelta(days=1):
            return day(first)
        begin = str(first.day) if (first.month, first.year) == (last.month, last.year) else day(first)
        return f"{begin} to {day(last)}"


def day(at: datetime) -> str:
    """A day in words: "3 Nov"."""
    return f"{at.day} {at:%b}"


def plot(
    title: str,
    values: Sequence[Value],
    span: Span,
    say: Callable[[float], str],
    *,
    kind: str = "line",
    top: float | None = None,
    unit: float = 1.0,
    width: float = 420.0,
    height: float = 150.0,
) -> Plot:
    """Lay out values over time; the upright axis begins at nought.

    Parameters
    ----------
    say
        A value in words, for the axis: "50%".
    kind
        "line" (a line with a dot for each value) or "bars".
    top
        The axis's end; the first round number above all values where it is None.
    unit
        What the axis's words count in: 3600 for seconds that are told in hours.
    """
    ends = [max(one.value, one.high or 0.0) for one in values]
    steps = [0.0, 0.5, 1.0] if top == 1.0 else nice(top or max(ends, default=0.0), unit)
    most = steps[-1]
    inner = (width - LEFT - RIGHT, height - TOP - BOTTOM)

    def across(at: datetime) -> float:
        return round(LEFT + (at - span.start) / (span.end - span.start) * inner[0], 1)

    def up(value: float) -> float:
        return round(TOP + (1 - min(value / most, 1.0)) * inner[1], 1)

    line = band = ""
    dots: tuple[Mark, ...] = ()
    bars: tuple[Mark, ...] = ()
    if kind == "bars":
        wide = max(1.5, round(inner[0] / span.steps * 0.7, 1))
        bars = tuple(
            Mark(
                round(across(one.at) - wide / 2, 1),
                up(one.value),
                one.words,
                wide,
                round(TOP + inner[1] - up(one.value), 1),
            )
            for one in values
            if one.value > 0
        )
    else:
        places = [(across(one.at), up(one.value)) for one in values]
        dots = tuple(Mark(x, y, one.words) for (x, y), one in zip(places, values, strict=True))
        if len(values) > 1:
            line = "M" + "L".join(f"{x} {y}" for x, y in places)
            with_band = [one for one in values if one.low is not None and one.high is not None]
            if len(with_band) > 1:
                above = [f"{across(one.at)} {up(one.high or 0.0)}" for one in with_band]
                below = [f"{across(one.at)} {up(one.low or 0.0)}" for one in reversed(with_band)]
                band = "M" + "L".join([*above, *below]) + "Z"
    shown = [one.words for one in values]
    said = "; ".join(shown if len(shown) <= 12 else [*shown[:4], "and so on to", *shown[-4:]])
    return Plot(
        title=title,
        words=f"{said}." if said else "Nothing in this time.",
        width=width,
        height=height,
        line=line,
        band=band,
        dots=dots,
        bars=bars,
        across=_days(span, across),
        up=tuple(Tick(up(one), say(one)) for one in steps),
        latest=say(values[-1].value) if values else "",
    )


def nice(most: float, unit: float = 1.0) -> list[float]:
    """Three to six round numbers of units from nought to the first at or above `most`; to 1 where it is 0."""
    if most <= 0:
        return [0.0, unit]
    most /= unit
    step = 10 ** math.floor(math.log10(most))
    step = next(one for one in (step / 5, step / 2, step, step * 2) if most / one <= 5)
    count = math.ceil(most / step - 1e-9)
    return [round(one * step * unit, 10) for one in range(count + 1)]


def _days(span: Span, across: Callable[[datetime], float]) -> tuple[Tick, ...]:
    long = (span.end - span.start).days > 400
    middle, last = span.start + (span.end - span.start) / 2, span.end - timedelta(seconds=1)
    first, half, end = (f"{at:%b %Y}" if long else day(at) for at in (span.start, middle, last))
    if first == end:
        return (Tick(across(middle), first),)
    return (
        Tick(across(span.start), first, "start"),
        Tick(across(middle), half),
        Tick(across(span.end), end, "end"),
    )
