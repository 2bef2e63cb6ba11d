"""Which engines have failed lately: one that does is left alone for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

REST = 600.0
"""Seconds for which an engine that kept failing is not asked again where another can do its work."""


class Health:
    """What a line remembers of its engines' failures, in this process.

    Parameters
    ----------
    clock
        Seconds of a clock that only goes forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, float] = {}
        self._refused: dict[str, str] = {}

    def failed(self, engine: str) -> None:
        """Note that an engine failed although it was asked several times."""
        self._failed[engine] = self._clock()

    def refuse(self, engine: str, why: str) -> None:
        """Note that an engine cannot work until a person mends the settings."""
        self._refused[engine] = why.strip().rstrip(".")
        logger.warning("[engines.%s] is passed over: %s", engine, why)

    def refusal(self, engine: str) -> str:
        """Why an engine cannot work as the settings are; empty where nothing is known against it."""
        return self._refused.get(engine, "")

    def well(self, engine: str) -> bool:
        """Whether an engine is worth asking."""
        if engine in self._refused:
            return False
        return engine not in self._failed or self._clock() - self._failed[engine] >= REST
