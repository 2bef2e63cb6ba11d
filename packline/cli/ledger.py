"""`packline ledger`: what the ledger is, and bringing it to the present schema in another's name."""

from __future__ import annotations

from packline.cli.table import console, table
from packline.ledger.status import Status, ledger_status, upgrade
from packline.line.order import Order


def show_status(order: Order) -> None:
    """Print schema and size, each catalogue's last run, and who is at work."""
    out = console()
    status = ledger_status(order.read_settings().ledger.url)
    out.print(f"Ledger {status.url}", style="bold", highlight=False, markup=False)
    out.print(
        f"{status.database}, {status.size / 1e6:.1f} MB, {_schema(status)}", highlight=False, markup=False
    )
    if status.catalogs:
        rows = [
            (one.catalog, str(one.runs), one.latest, one.state, f"{one.started:%Y-%m-%d %H:%M} UTC")
            for one in status.catalogs
        ]
        out.print(
            table("Catalogues", ("catalogue", "runs", "last run", "state", "started"), rows, right=(1,))
        )
    for lease in status.leases:
        out.print(
            f"At work on {lease.catalog}: run {lease.run} since {lease.taken:%Y-%m-%d %H:%M} UTC, process "
            f"{lease.pid} on {lease.host}; last sign of life {lease.seen:%H:%M:%S} UTC.",
            highlight=False,
            markup=False,
        )
    if status.catalogs and not status.leases:
        out.print("Nobody is at work.", highlight=False)


def upgrade_ledger(order: Order, url: str) -> None:
    """Bring the ledger to the present schema and say what was done."""
    before, after = upgrade(url or order.read_settings().ledger.url)
    if before == after:
        console().print(f"The ledger is at schema {after} already.", highlight=False)
    else:
        console().print(f"The ledger was brought from {_named(before)} to {after}.", highlight=False)


def _schema(status: Status) -> str:
    if status.schema == status.newest:
        return f"schema {status.schema}"
    return f"schema {_named(status.schema)}; whoever opens it next brings it to {status.newest}"


def _named(revision: str) -> str:
    return revision or "before the first revision"
