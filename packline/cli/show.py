"""Commands that show what the ledger, the presets and the models say."""

from __future__ import annotations

from packline.cli.table import console
from packline.errors import FixSettings
from packline.ledger import Ledger
from packline.line.order import Order


def show_flags(order: Order) -> int:
    """Print the flags of a catalogue; returns how many there are."""
    from packline.cli.closing_table import flag_table

    out = console()
    settings = order.read_settings()
    ledger = Ledger(settings.ledger.url)
    if ledger.latest_run(settings.run.name) is None:
        raise _never_run(settings.run.name, order)
    found = 0
    # a page at a time: a night may flag more than fits into memory
    for page in ledger.tallies.flags(settings.run.name):
        out.print(flag_table(page, "" if found else "Flags"))
        found += len(page)
    if not found:
        out.print(f"{settings.run.name}: no flags.", highlight=False)
    return found


def _never_run(name: str, order: Order) -> FixSettings:
    return FixSettings(f"Catalogue {name} was never run; call packline run {order.catalog} first.")


def rewrite_report(order: Order) -> None:
    """Write the report of the latest run and print its path."""
    from packline.line.closing import report
    from tasks.opening import open_line

    line = open_line(order)
    latest = line.ledger.latest_run(line.catalog.name)
    if latest is None:
        raise _never_run(line.catalog.name, order)
    console().print(str(report(line, latest.id)), highlight=False, markup=False, soft_wrap=True)
