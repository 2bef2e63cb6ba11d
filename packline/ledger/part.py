"""Parts of the ledger: classes that each know one subject and share the ledger's connections."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection, Engine


class ReadingPart:
    """A part that only reads.

    Parameters
    ----------
    reader
        The ledger's.
    """

    def __init__(self, reader: Engine) -> None:
        self._reader = reader


class Part(ReadingPart):
    """A part that reads and writes.

    Parameters
    ----------
    reader, write
        The ledger's.
    """

    def __init__(self, reader: Engine, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        super().__init__(reader)
        self._write = write
