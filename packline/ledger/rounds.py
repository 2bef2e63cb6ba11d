"""Rounds: where the numbers of a shot's further candidates begin. A round is all waves of a shot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from packline.ledger import schema as t
from packline.ledger.planning import slices
from packline.ledger.waves import read_waves

Asked = tuple[str, str, bool]
"""A shot's key and fingerprint, and whether it was to do already."""


def first_numbers(connection: Connection, asked: Sequence[Asked], checks: str) -> dict[str, int]:
    """Number of the first candidate of the next round, by shot.

    A shot that was to do already takes up a round of which something was promised and not scored yet.
    """
    places = [(key, fingerprint) for key, fingerprint, _ in asked]
    made, promised = _made(connection, places, checks), read_waves(connection, places)
    found = {}
    for key, fingerprint, to_do in asked:
        numbers, waves = made.get((key, fingerprint), {}), promised.get((key, fingerprint), [])
        after = 1 + max((*numbers, *(one.numbers[-1] for one in waves)), default=-1)
        begun = max((one.first for one in waves if one.number == 1), default=after)
        open_ = to_do and any(not numbers.get(number) for number in range(begun, after))
        found[key] = begun if open_ else after
    return found


def _made(
    connection: Connection, places: Sequence[tuple[str, str]], checks: str
) -> dict[tuple[str, str], dict[int, bool]]:
    """Whether each candidate of some shots was scored by these checks, by its number."""
    c, s, wanted = t.candidates.c, t.scorecards.c, set(places)
    scored = select(s.id).where(s.candidate == c.id, s.checks == checks).exists().label("scored")
    found: dict[tuple[str, str], dict[int, bool]] = defaultdict(dict)
    for part in slices([key for key, _ in places]):
        rows: Any = connection.execute(
            select(c.shot, c.fingerprint, c.number, scored).where(c.shot.in_(part))
        )
        for row in rows:
            if (row.shot, row.fingerprint) in wanted:
                found[row.shot, row.fingerprint][row.number] = bool(row.scored)
    return found
