"""Working in chunks: what fails in a chunk is tried shot by shot, and only what fails alone is flagged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from packline.errors import FixSettings, GiveUp, TryAgain
from packline.line.line import Line
from packline.line.selects import flag

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


def work_carefully(
    line: Line,
    run: str,
    items: Sequence[Item],
    key: Callable[[Item], str],
    work: Callable[[Sequence[Item]], None],
    *,
    reason: str,
    last_try: bool = True,
) -> list[Item]:
    """Do a chunk's work; where it fails, do it shot by shot and flag the shots that fail.

    Parameters
    ----------
    key
        The shot that an item belongs to.
    work
        The work for some items; must be safe to repeat.
    reason
        A flag's reason where a shot is given up ("model", "engine", ...).
    last_try
        Whether a passing fault flags the shot; else it is raised, for the caller to try again.

    Returns
    -------
    list
        The items that went well.

    Raises
    ------
    FixSettings
        No shot can succeed until a person mends the settings.
    TryAgain
        Where this is not the last try.
    """
    try:
        work(items)
        return list(items)
    except FixSettings:
        raise
    except TryAgain:
        if not last_try:
            raise
    except GiveUp:
        pass
    except Exception:
        logger.exception("%s: a chunk of %d shots failed; trying shot by shot", reason, len(items))
    return [item for item in items if _alone(line, run, item, key(item), work, reason, last_try)]


def _alone(
    line: Line,
    run: str,
    item: Item,
    shot: str,
    work: Callable[[Sequence[Item]], None],
    reason: str,
    last_try: bool,
) -> bool:
    try:
        work([item])
    except FixSettings:
        raise
    except TryAgain as error:
        if not last_try:
            raise
        flag(line, run, shot, "try again", f"{error} The next run tries again.")
        return False
    except GiveUp as error:
        flag(line, run, shot, reason, str(error))
        return False
    except Exception as error:
        logger.exception("%s: shot %s failed", reason, shot)
        said = str(error).strip().splitlines()
        words = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        flag(line, run, shot, "error", f"Shot {shot} failed unexpectedly ({words}); see the run's log.")
        return False
    return True
