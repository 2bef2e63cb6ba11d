"""Words for people: how the desk's templates say moments, checks and sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from packline.ledger import schema as t
from packline.report.figures import plain_name, plain_view

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def ago(moment: datetime) -> str:
    """How long ago: "3 hours ago"."""
    seconds = (t.now() - moment).total_seconds()
    for unit, name in _UNITS:
        if seconds >= unit:
            count = int(seconds // unit)
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 shot", "1,200 shots"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def iso(moment: datetime) -> str:
    """For a <time>'s datetime attribute."""
    return moment.isoformat(timespec="seconds")


_DID = {
    "approve": "approved",
    "reject": "rejected",
    "again": "asked for another try of",
    "undo": "took that back",
}


def did(kind: str) -> str:
    """A decision's kind in the past: "approved"."""
    return _DID.get(kind, kind)


def percent(share: float) -> str:
    """A share in words: "92%"."""
    return f"{share:.0%}"


def sku_of(shot: str) -> str:
    """The product's part of a shot's key."""
    return shot.rsplit("/", 2)[0]


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "check": plain_name,
    "count": count,
    "did": did,
    "iso": iso,
    "percent": percent,
    "sku_of": sku_of,
    "view": plain_view,
}
