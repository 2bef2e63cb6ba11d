"""`packline clean`: free what nobody needs any more."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from packline.line.order import Order


def clean_up(order: Order, dry_run: bool, keep: timedelta, *, with_objects: bool) -> None:
    """Clean, and print what was freed.

    Raises
    ------
    Occupied
        Where a run is at work in the folder.
    FixSettings, TryAgain
        Where ledger, work folder or bucket cannot be used.
    """
    from packline.bucket import escape, open_bucket
    from packline.clean import Sweep, clean_objects, clean_uploads, clean_work
    from packline.cli.table import console, table
    from packline.ledger import Ledger

    settings = order.read_settings()
    run, place = settings.run, open_bucket(settings.bucket)
    ledger = Ledger(settings.ledger.url)
    sweep = Sweep(datetime.now(UTC), dry_run)
    try:
        with nullcontext() if dry_run else ledger.upkeep.hold(run.name, run.work):
            clean_work(ledger, run.work, keep, sweep)
            clean_uploads(place, f"{run.tenant}/", sweep)
            if with_objects:
                clean_objects(place, ledger, f"{run.tenant}/{escape(run.name)}", keep, sweep)
    finally:
        ledger.close()
    out = console()
    verb = "would go" if dry_run else "gone"
    rows = [(one.what, f"{one.kept:,}", f"{one.removed:,}", size(one.freed)) for one in sweep.swept]
    out.print(table(f"Clean-up of {run.name}", ("", "kept", verb, "freed"), rows, right=(1, 2, 3)))
    freed = size(sum(one.freed for one in sweep.swept))
    out.print(f"{freed} {'would be freed' if dry_run else 'freed'}.", style="bold", highlight=False)


def size(count: int) -> str:
    """Bytes in words that a person reads."""
    if count < 1000:
        return f"{count} B"
    for unit in ("kB", "MB", "GB"):
        count_in = count / {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
        if count_in < 999.5:
            return f"{count_in:.3g} {unit}"
    return f"{count / 1e12:.3g} TB"
