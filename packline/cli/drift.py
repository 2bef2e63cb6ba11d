"""`packline drift`: whether candidates still pass as often as they used to."""

from __future__ import annotations

from packline.cli.table import console, table
from packline.drift import BASELINE, WINDOW, Watch, drift_sentence, watch
from packline.errors import FixSettings
from packline.ledger import Ledger
from packline.line.order import Order
from packline.report.figures import plain_name


def show_drift(order: Order) -> bool:
    """Print the pass rates of a catalogue's candidates and what changed; returns whether something did."""
    out = console()
    settings = order.read_settings()
    ledger = Ledger(settings.ledger.url)
    name = settings.run.name
    if ledger.latest_run(name) is None:
        raise FixSettings(f"Catalogue {name} was never run; call packline run {order.catalog} first.")
    watches = watch(ledger.judgements(name, WINDOW))
    columns = ("rate", "candidates", "usual", "now", "fall", "rise", "limit", "says")
    out.print(
        table(f"Pass rates of {name}", columns, [_row(one) for one in watches], right=(1, 2, 3, 4, 5, 6))
    )
    sentence = drift_sentence(watches)
    if sentence:
        out.print(sentence, style="yellow", highlight=False, markup=False)
    elif not watches[0].known:
        out.print(
            f"{watches[0].of} candidates were judged by the present checks; drift can be told from "
            f"{BASELINE + 1} on.",
            highlight=False,
        )
    else:
        out.print("No pass rate has changed.", highlight=False)
    return bool(sentence)


def _row(one: Watch) -> tuple[str, ...]:
    says = one.change or ("steady" if one.known else "too few candidates")
    fell, rose = (sums[-1] if sums else 0.0 for sums in (one.fell, one.rose))
    return (
        plain_name(one.name) if one.name else "whole scorecard",
        str(one.of),
        f"{one.usual:.0%}",
        f"{one.recent:.0%}",
        f"{fell:.1f}",
        f"{rose:.1f}",
        f"{one.limit:g}",
        says,
    )
