"""The dashboard: how the line and its reviewers do over time, as plots."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response

from packline.agreement import Rate
from packline.ledger import schema as t
from packline.ledger.figures import RunFigures, Settled
from packline.report.figures import plain_name
from packline.review.charts import Plot, Span, Value, plot
from packline.review.guard import Desk, Viewer
from packline.scorecard import Verdict

router = APIRouter()

PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year", "all": "all time"}
WIDE, SMALL = 420.0, 330.0
"""Widths of plots in their own units; letters are as large in either where three or four stand in a row."""
_UNITS = {86400: "d", 3600: "h", 60: "min", 1: "s"}
_TELLING = (Verdict.PASS, Verdict.FAIL, Verdict.UNVERIFIABLE, Verdict.ERROR)


@dataclass(frozen=True)
class Bar:
    """A horizontal bar; `share` of the longest one, 0 to 1."""

    name: str
    count: int
    share: float


@router.get("/dashboard")
def dashboard(request: Request, desk: Desk, visitor: Viewer, days: str = "30", catalog: str = "") -> Response:
    """All plots for a period and a catalogue."""
    figures = desk.ledger.figures
    catalogs = figures.catalogs()
    catalog = catalog if catalog in catalogs else ""
    days = days if days in PERIODS else "30"
    now = t.now()
    # a period ends with today and holds whole days
    end = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    since = None if days == "all" else end - timedelta(days=int(days))
    runs = figures.runs(catalog, since)
    settled = figures.settled(catalog, since)
    firsts = [*(one.started for one in runs[:1]), *(one.at for one in settled[:1])]
    span = span_of(since or min(firsts, default=now), end)
    waiting, oldest = figures.waiting(catalog)
    published = sum(one.published for one in runs)
    cost = sum(one.cost for one in runs)
    hours = sum(one.hours or 0.0 for one in runs if one.published)
    waits = [(one.at - one.flagged).total_seconds() for one in settled if one.flagged is not None]
    return desk.page(
        request,
        visitor,
        "dashboard.html",
        periods=PERIODS,
        days=days,
        catalogs=catalogs,
        catalog=catalog,
        checks=check_plots(runs, span),
        reasons=reason_bars(runs),
        flagged=flag_plot(runs, span),
        spent=[cost_plot(runs, span), effort_plot(runs, span)],
        throughput=throughput_plot(runs, span),
        queue=[settled_plot(settled, span), wait_plot(settled, span)],
        runs=len(runs),
        published=published,
        cost=money(cost / published) if published else "",
        speed=f"{published / hours:,.0f}" if hours else "",
        waiting=waiting,
        oldest=oldest,
        settled=len(settled),
        wait=duration(statistics.median(waits)) if waits else "",
    )


def span_of(since: datetime, end: datetime) -> Span:
    """A span from the day of a moment on, in steps of whole days, of which there are 31 at most."""
    start = since.replace(hour=0, minute=0, second=0, microsecond=0)
    days = max(1, (end - start).days)
    each = -(-days // 31)
    steps = -(-days // each)
    return Span(end - timedelta(days=each * steps), end, steps)


def check_plots(runs: Sequence[RunFigures], span: Span) -> list[Plot]:
    """Each check's pass rate with its interval; the one that fails most over the last steps comes first."""
    found: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for run in runs:
        for name, verdicts in run.verdicts.items():
            for verdict in _TELLING:
                found[name][span.number(run.started)][verdict] += verdicts.get(verdict, 0)
    plots = []
    for name, steps in found.items():
        values = []
        for number, counts in sorted(steps.items()):
            rate = Rate(counts[Verdict.PASS], counts.total())
            if rate.of:
                words = f"{span.words(number)}: {rate.rate:.0%} of {rate.of:,} passed"
                values.append(Value(span.middle(number), rate.rate, words, rate.low, rate.high))
        if values:
            title = plain_name(name).capitalize()
            late = [counts for _, counts in sorted(steps.items())[-3:]]
            recent = sum(one[Verdict.PASS] for one in late) / max(1, sum(one.total() for one in late))
            plots.append((recent, title, plot(title, values, span, percent, top=1.0, width=SMALL)))
    return [one for _, _, one in sorted(plots, key=lambda row: row[:2])]


def reason_bars(runs: Iterable[RunFigures]) -> list[Bar]:
    """How many shots were put before people for what."""
    found: Counter[str] = Counter()
    for run in runs:
        found.update(run.flags)
    most = max(found.values(), default=1)
    return [Bar(plain_name(name).capitalize(), many, many / most) for name, many in found.most_common(12)]


def flag_plot(runs: Iterable[RunFigures], span: Span) -> Plot:
    """Shots put before people over time."""
    sums = _sums(((one.started, float(sum(one.flags.values()))) for one in runs), span)
    return _bars("Flags raised", sums, span, lambda many: f"{many:,.0f} flags", SMALL)


def cost_plot(runs: Sequence[RunFigures], span: Span) -> Plot:
    """Dollars for a published picture, failed candidates included."""
    ratios = _ratios(runs, span, lambda one: one.cost)
    values = [
        Value(span.middle(number), cost, f"{span.words(number)}: {money(cost)} for each of {many:,}")
        for number, (cost, many) in ratios.items()
    ]
    return replace(plot("Cost of a published image", values, span, _money_tick), latest=_last(values, money))


def effort_plot(runs: Sequence[RunFigures], span: Span) -> Plot:
    """The engine's seconds for a published picture, failed candidates included."""
    ratios = _ratios(runs, span, lambda one: one.seconds)
    values = [
        Value(span.middle(number), spent, f"{span.words(number)}: {duration(spent)} for each of {many:,}")
        for number, (spent, many) in ratios.items()
    ]
    return _durations("Engine time for a published image", values, span)


def throughput_plot(runs: Sequence[RunFigures], span: Span) -> Plot:
    """Published pictures an hour, over runs that published any and have ended."""
    done = [one for one in runs if one.hours and one.published]
    hours = _sums(((one.started, one.hours or 0.0) for one in done), span)
    shown = _sums(((one.started, float(one.published)) for one in done), span)
    rates = {number: shown[number] / hours[number] for number in hours}
    return _bars("Images published an hour", rates, span, lambda rate: f"{rate:,.0f} an hour", WIDE)


def settled_plot(settled: Iterable[Settled], span: Span) -> Plot:
    """Flags that people settled, a day."""
    days = span.step / timedelta(days=1)
    sums = _sums(((one.at, 1.0) for one in settled), span)
    rates = {number: many / days for number, many in sums.items()}
    return _bars("Flags settled a day", rates, span, lambda rate: f"{rate:,.3g} a day", SMALL)


def wait_plot(settled: Iterable[Settled], span: Span) -> Plot:
    """Half of the flags were settled sooner than this."""
    waits: dict[int, list[float]] = defaultdict(list)
    for one in settled:
        if one.flagged is not None:
            waits[span.number(one.at)].append((one.at - one.flagged).total_seconds())
    values = []
    for number, seconds in sorted(waits.items()):
        middle = statistics.median(seconds)
        words = f"{span.words(number)}: {duration(middle)}, the median of {len(seconds):,}"
        values.append(Value(span.middle(number), middle, words))
    return _durations("Median time to settle", values, span, width=SMALL)


def percent(share: float) -> str:
    """A share in words: "50%"."""
    return f"{share:.0%}"


def money(dollars: float) -> str:
    """A sum in words: "$0.042"."""
    if dollars == 0:
        return "$0"
    if dollars < 0.0995:
        return f"${dollars:.2g}"
    return f"${dollars:,.2f}"


def duration(seconds: float) -> str:
    """A time in words, with the unit that suits: "40 s", "1.5 h"."""
    unit = unit_of(seconds)
    return (
        f"{seconds / unit:.2g} {_UNITS[unit]}"
        if seconds < 10 * unit
        else f"{seconds / unit:,.0f} {_UNITS[unit]}"
    )


def unit_of(seconds: float) -> int:
    """The unit that suits a time, in seconds."""
    return next((unit for unit in _UNITS if seconds >= unit), 1)


def _durations(title: str, values: Sequence[Value], span: Span, width: float = WIDE) -> Plot:
    unit = unit_of(max((one.value for one in values), default=1.0))
    made = plot(title, values, span, lambda at: f"{at / unit:g} {_UNITS[unit]}", unit=unit, width=width)
    return replace(made, latest=_last(values, duration))


def _last(values: Sequence[Value], say: Callable[[float], str]) -> str:
    return say(values[-1].value) if values else ""


def _money_tick(dollars: float) -> str:
    return f"${dollars:,.2f}" if 0 < dollars == round(dollars, 2) else f"${dollars:g}"


def _whole(number: float) -> str:
    return f"{number:,.3g}" if number < 1000 else f"{number:,.0f}"


def _sums(amounts: Iterable[tuple[datetime, float]], span: Span) -> dict[int, float]:
    found: dict[int, float] = defaultdict(float)
    for at, amount in amounts:
        found[span.number(at)] += amount
    return dict(sorted(found.items()))


def _ratios(
    runs: Sequence[RunFigures], span: Span, amount: Callable[[RunFigures], float]
) -> dict[int, tuple[float, int]]:
    """An amount for each published picture, and how many of those, by step.

    Steps that published none are left out; what they spent counts to the next that did.
    """
    amounts = _sums(((one.started, amount(one)) for one in runs), span)
    shown = _sums(((one.started, float(one.published)) for one in runs), span)
    found, carried = {}, 0.0
    for number, spent in amounts.items():
        carried += spent
        if shown[number]:
            found[number] = (carried / shown[number], int(shown[number]))
            carried = 0.0
    return found


def _bars(
    title: str,
    amounts: dict[int, float],
    span: Span,
    words: Callable[[float], str],
    width: float,
) -> Plot:
    values = [
        Value(span.middle(number), amount, f"{span.words(number)}: {words(amount)}")
        for number, amount in amounts.items()
        if amount
    ]
    return plot(title, values, span, _whole, kind="bars", width=width)
