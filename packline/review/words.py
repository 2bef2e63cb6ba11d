"""Words for people: how the desk's templates say moments, checks and sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from packline.ledger import schema as t

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def ago(moment: datetime) -> str:
    """How long ago: "3 hours ago"."""
    seconds = (t.now() - moment).total_seconds()
    for unit, name in _UNITS:
        if seconds >= unit:
            count = int(seconds // unit)
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def check_words(name: str) -> str:
    """A check's name as people say it: "text_orientation" is "text orientation"."""
    return name.replace("_", " ").replace("-", " ")


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 shot", "1,200 shots"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def iso(moment: datetime) -> str:
    """For a <time>'s datetime attribute."""
    return moment.isoformat(timespec="seconds")


FILTERS: dict[str, Callable[..., Any]] = {"ago": ago, "check": check_words, "count": count, "iso": iso}
