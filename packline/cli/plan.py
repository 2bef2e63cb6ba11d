"""`packline plan`: what a run would do for each shot, and what that would cost, before it costs anything."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from packline.errors import FixSettings
from packline.line.order import Order
from packline.records import Work

if TYPE_CHECKING:
    from packline.ledger.survey import Owed
    from packline.line import Line
    from packline.line.plan import Forecast

FORMS = ("text", "json", "csv")
_COLUMNS = ("shot", "row", "work", "why", "first")


def show_plan(order: Order, form: str = "text", *, every: bool = False) -> None:
    """Print a line for each shot as it is found, then the sum.

    Parameters
    ----------
    form
        "text" for people; "json" (one object a line) and "csv" for machines, with the sum on the error
        output.
    every
        Shots with nothing to do as well.
    """
    if form not in FORMS:
        raise FixSettings(f"There is no form {form!r}; choose one of {', '.join(FORMS)}.")
    from packline.line.plan import Forecast
    from tasks.opening import open_line

    line = open_line(order)
    forecast = Forecast(line, every=every)
    write = {"text": _text, "json": _json, "csv": _csv}[form]()
    for owed in forecast:
        write(owed)
    aside = sys.stdout if form == "text" else sys.stderr
    for sentence in [*forecast.reading.errors, *_more_errors(forecast), *_sum(line, forecast)]:
        print(sentence, file=aside)


def _text() -> Callable[[Owed], None]:
    # the first lines say how wide the columns are: the others are not known yet
    wide = max(30, min(60, shutil.get_terminal_size().columns // 2))

    def write(owed: Owed) -> None:
        print(f"{owed.key:<{wide}}  {owed.duty.work!s:<8}  {owed.duty.why}")

    return write


def _json() -> Callable[[Owed], None]:
    return lambda owed: print(json.dumps(dict(zip(_COLUMNS, _values(owed), strict=True)), ensure_ascii=False))


def _csv() -> Callable[[Owed], None]:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    return lambda owed: writer.writerow(_values(owed)) and None


def _values(owed: Owed) -> tuple[object, ...]:
    return owed.key, owed.row, str(owed.duty.work), owed.duty.why, owed.first


def _more_errors(forecast: Forecast) -> list[str]:
    told, wrong = len(forecast.reading.errors), forecast.reading.wrong
    return [f"{wrong:,} rows cannot be used."] if wrong > told else []


def _sum(line: Line, forecast: Forecast) -> list[str]:
    reasons, total = forecast.reasons, forecast.reasons.total()
    works: Counter[Work] = Counter()
    for (work, _), count in reasons.items():
        works[work] += count
    busy = total - works[Work.NOTHING]
    wrong = (
        f", {_plural(forecast.reading.wrong, 'row')} that cannot be used" if forecast.reading.wrong else ""
    )
    found = ["", f"{line.catalog.name}: {busy:,} of {_plural(total, 'shot')} to do{wrong}."]
    for (work, why), count in sorted(reasons.items(), key=lambda one: (one[0][0] == Work.NOTHING, -one[1])):
        found.append(f"{count:>10,}  {work!s:<8}  {why}")
    if works[Work.MAKE] or works[Work.RESCORE]:
        found.append(_cost(line, works))
    return found


def _cost(line: Line, works: Counter[Work]) -> str:
    """What it would take: nobody knows how many waves a shot needs, so the least and the most."""
    from packline.report.figures import duration

    settings, rates = line.settings, line.ledger.tallies.rates(line.catalog.name)
    least = works[Work.MAKE] * (settings.candidates.fixed or 1)
    most = works[Work.MAKE] * settings.candidates.total
    price = settings.engine.price
    words = ""
    if least:
        words = f"{least:,} to {most:,} candidates" if most > least else f"{least:,} candidates"
        words += f", ${least * price:,.2f} to ${most * price:,.2f}" if price else ""
    if works[Work.RESCORE]:
        words += ", and " if words else ""
        words += f"the stored candidates of {_plural(works[Work.RESCORE], 'shot')} to be scored"
    for_shot = rates.get("references", 0.0)
    for_candidate = rates.get("candidates", 0.0) + rates.get("scorecards", 0.0)
    if "candidates" in rates and least:
        shortest = works[Work.MAKE] * for_shot + least * for_candidate
        longest = works[Work.MAKE] * for_shot * settings.candidates.waves + most * for_candidate
        words += f"; about {duration(shortest)} to {duration(longest)} as fast as the last runs were"
    return f"That is {words}."


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
