"""The ledger's side of moving an environment's pointer: intents before, outcomes after, both append-only.

A move is noted before the pointer moves, with the hash of the pointer's bytes as they were and as they will
be. If whoever moves it is killed, the pointer in the bucket tells the next one what became of the move:
hashes never come back, for every pointer has a word in it that no other has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from packline.ledger import leases
from packline.ledger import schema as t
from packline.ledger.database import insert_once
from packline.ledger.part import Part
from packline.ledger.reading import _utc
from packline.releases.records import Move, Standing

MOVED, HELD, VOID = "moved", "held", "void"


class Moves(Part):
    """Moves of a ledger; every call is one short transaction."""

    def standing(self, catalog: str, environment: str) -> Standing:
        """Where an environment stands, as far as the ledger was told."""
        with self._reader.connect() as connection:
            return standing_of(connection, catalog, environment)

    def begin(
        self,
        catalog: str,
        environment: str,
        kind: str,
        before: str,
        after: str,
        pointer: tuple[str, str, str],
        *,
        by: str,
        why: str = "",
        run: str = "",
        outcome: str = "",
    ) -> int:
        """Note what is about to happen to an environment's pointer, or with an `outcome` what has happened.

        Parameters
        ----------
        before, after
            Ids of the releases; `before` may be empty.
        pointer
            The pointer's key, and SHA-256 of its bytes before (empty: there was none) and after.

        Returns
        -------
        int
            For `end`.
        """
        key, seen, written = pointer
        with self._write() as connection:
            if run:
                leases.refuse_lost(connection, run)
            number = connection.execute(
                insert(t.moves).values(
                    catalog=catalog,
                    environment=environment,
                    kind=kind,
                    from_release=_number(connection, catalog, before) if before else None,
                    to_release=_number(connection, catalog, after),
                    by=by,
                    why=why,
                    run=run or None,
                    pointer=key,
                    before=seen,
                    after=written,
                )
            ).inserted_primary_key
            assert number is not None
            if outcome:
                insert_once(connection, t.move_ends, [{"move": number[0], "outcome": outcome}])
        return int(number[0])

    def end(self, number: int, outcome: str) -> None:
        """Note what became of a move; the first word counts."""
        with self._write() as connection:
            insert_once(connection, t.move_ends, [{"move": number, "outcome": outcome}])

    def settle(self, catalog: str, environment: str, pointer_sha256: str) -> list[Move]:
        """Say of moves that were begun and not ended what became of them, by the pointer as it is now.

        A move happened if the pointer is what it wrote, or if a later one built on that. It can no longer
        happen once another move replaced what it saw. One that may still be under way stays: whoever read the
        pointer a moment ago knows nothing of those that saw a later one.

        Returns
        -------
        list of Move
            Those that happened and were not noted as such until now, the first one first.
        """
        c, ends = t.moves.c, t.move_ends.c
        here = (c.catalog == catalog, c.environment == environment)
        with self._write() as connection:
            rows = connection.execute(
                select(c.id, c.before, c.after, ends.outcome)
                .outerjoin(t.move_ends, ends.move == c.id)
                .where(*here)
                .order_by(c.id)
            ).all()
            happened = _happened(rows, pointer_sha256)
            replaced = {row.before for row in rows if row.outcome == MOVED or row.id in happened}
            replaced |= {row.after for row in rows if row.outcome == VOID}
            if pointer_sha256:
                replaced.add("")
            found = [{"move": number, "outcome": MOVED} for number in sorted(happened)]
            for row in rows:
                still = row.outcome is None and row.id not in happened
                if still and row.before != pointer_sha256 and row.before in replaced:
                    # what it saw is gone, and what it was to write will never be seen
                    replaced.add(row.after)
                    found.append({"move": row.id, "outcome": VOID})
            insert_once(connection, t.move_ends, found)
            return [move for move in _moves(connection, *here) if move.number in happened]

    def last_hash(self, catalog: str, environment: str) -> str:
        """SHA-256 of the pointer that the last move wrote; empty where the ledger does not know it."""
        c, ends = t.moves.c, t.move_ends.c
        query = (
            select(c.after)
            .join(t.move_ends, ends.move == c.id)
            .where(c.catalog == catalog, c.environment == environment, ends.outcome == MOVED)
            .order_by(c.id.desc())
        )
        with self._reader.connect() as connection:
            return connection.scalar(query.limit(1)) or ""

    def list(self, catalog: str, environment: str = "", most: int = 0) -> list[Move]:
        """What moved, newest first; of one environment where it is named."""
        c = t.moves.c
        here = [c.catalog == catalog] + ([c.environment == environment] if environment else [])
        with self._reader.connect() as connection:
            found = _moves(connection, *here)
        return found[::-1][: most or None]


def _happened(rows: Sequence[Any], pointer_sha256: str) -> set[int]:
    """Moves not ended that led to the pointer as it is."""
    by_after = {row.after: row for row in rows if row.after}
    found: set[int] = set()
    row = by_after.get(pointer_sha256)
    while row is not None and row.outcome is None:
        found.add(row.id)
        row = by_after.get(row.before)
    return found


def standing_of(connection: Connection, catalog: str, environment: str) -> Standing:
    """Where an environment stands after all moves that happened."""
    c = t.moves.c
    trail: list[str] = []
    wanted, last = "", None
    for move in _moves(connection, c.catalog == catalog, c.environment == environment):
        if move.kind != "rollback":
            wanted = move.after
        if move.outcome == HELD:
            continue
        last = move
        if move.kind == "rollback" and move.after in trail:
            # what was rolled back is not gone back to
            while trail[-1] != move.after:
                trail.pop()
        elif not trail or trail[-1] != move.after:
            trail.append(move.after)
    return Standing(environment, trail[-1] if trail else "", wanted, tuple(trail), last)


def _moves(connection: Connection, *where: Any) -> list[Move]:
    """Moves that happened, or were held, in the order they were begun."""
    c, before, after = t.moves.c, t.releases.alias(), t.releases.alias()
    query = (
        select(t.moves, t.move_ends.c.outcome, before.c.name.label("old"), after.c.name.label("new"))
        .join(t.move_ends, t.move_ends.c.move == c.id)
        .outerjoin(before, before.c.id == c.from_release)
        .join(after, after.c.id == c.to_release)
        .where(*where, t.move_ends.c.outcome != VOID)
        .order_by(c.id)
    )
    return [_move(row) for row in connection.execute(query)]


def _move(row: Row[Any]) -> Move:
    return Move(
        number=row.id,
        environment=row.environment,
        kind=row.kind,
        before=row.old or "",
        after=row.new,
        by=row.by,
        why=row.why,
        run=row.run or "",
        moved=_utc(row.recorded).isoformat(timespec="seconds"),
        outcome=row.outcome,
    )


def _number(connection: Connection, catalog: str, name: str) -> int:
    c = t.releases.c
    found = connection.scalar(select(c.id).where(c.catalog == catalog, c.name == name))
    if found is None:
        raise ValueError(f"release {name} of {catalog} was never noted")
    return int(found)
