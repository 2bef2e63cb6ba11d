"""Errors, typed by what the caller should do next.

Each carries one sentence that names the thing (SKU, field or file), what is wrong and how to mend it.
"""

from __future__ import annotations


class PacklineError(Exception):
    """Base of every error that Packline raises on purpose; ``str(error)`` is a sentence for a person."""


class TryAgain(PacklineError):
    """A passing fault (a timeout, a full card, a lost connection): the same call may succeed later.

    Parameters
    ----------
    message
        One sentence.
    retry_after
        Seconds to wait before the next try, where the other side said so.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GiveUp(PacklineError):
    """This product or shot cannot be made as asked: flag it and go on with the others."""


class FixSettings(PacklineError):
    """The configuration is wrong: no shot can succeed until a person mends it."""


class Occupied(FixSettings):
    """Another run is at work on the catalog, or took it over: this one must not go on."""
