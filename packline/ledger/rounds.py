"""Rounds: where the numbers of a shot's further candidates begin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from packline.instructions import Instructions, wave_of
from packline.ledger import schema as t
from packline.ledger.planning import slices
from packline.ledger.work import Choice

Asked = tuple[str, str, bool, Instructions]
"""A shot's key and fingerprint, whether it was to do already, and what people ask of it."""


def first_numbers(
    connection: Connection, asked: Sequence[Asked], checks: str, choice: Choice
) -> dict[str, int]:
    """Number of the first candidate of the next round, by shot: one round is all waves of a shot.

    A shot that was to do already takes up a round of which something was not scored yet: it is paid for.
    """
    made = _made(connection, [(key, fingerprint) for key, fingerprint, _, _ in asked], checks)
    found = {}
    for key, fingerprint, to_do, instructions in asked:
        numbers = made.get((key, fingerprint), {})
        size = wave_of(choice.wave, instructions) * choice.waves
        last = max(numbers, default=-1) // size * size
        open_ = to_do and any(number >= last and not scored for number, scored in numbers.items())
        found[key] = max(last if open_ else last + size, 0)
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
