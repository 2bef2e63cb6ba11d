"""People's decisions on shots: each an append-only record, with what it changes in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, select

from packline.ledger import schema as t
from packline.ledger.database import upsert
from packline.ledger.decided import (
    AGAIN,
    LATER,
    REJECT,
    UNDO,
    Choice,
    Decided,
    last_word,
    read_decisions,
)
from packline.ledger.deciding import decide_one
from packline.ledger.part import Part
from packline.ledger.reading import _utc
from packline.ledger.undoing import undo_one
from packline.ledger.versions import version_of, versions_of
from packline.ledger.waiting import REJECTED
from packline.records import ShotState


class Review(Part):
    """Decisions of a ledger; every call is one transaction."""

    def version(self, catalog: str, shot: str) -> str:
        """What a shot is like just now; a form carries it, so that an old page cannot decide."""
        with self._reader.connect() as connection:
            return version_of(connection, catalog, shot)

    def versions(self, shots: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The same of some shots, by catalog and key."""
        with self._reader.connect() as connection:
            return versions_of(connection, shots)

    def decisions(self, numbers: Sequence[int]) -> dict[int, Decided]:
        """Some decisions by their numbers."""
        with self._reader.connect() as connection:
            return {one.id: one for one in read_decisions(connection, t.decisions.c.id.in_(numbers))}

    def decide(self, choices: Sequence[Choice], by: str, address: str = "", batch: str = "") -> list[Decided]:
        """Decide on some shots, all or none.

        Raises
        ------
        NotNow
            With a sentence, where one of them cannot be decided so.
        """
        with self._write() as connection:
            # the same order for everybody, so that two who decide on the same shots wait for no third
            numbers = [
                decide_one(connection, choice, by, address, batch)
                for choice in sorted(choices, key=lambda choice: (choice.catalog, choice.shot))
            ]
            return read_decisions(connection, t.decisions.c.id.in_(numbers))

    def undo(self, number: int, by: str, address: str = "") -> Decided:
        """Take a decision back: the shot waits again as it did before.

        Raises
        ------
        NotNow
            Where it was released or carried out by now, or is not the last one; the sentence says what to do.
        """
        with self._write() as connection:
            found = read_decisions(connection, t.decisions.c.id == undo_one(connection, number, by, address))
            return found[0]

    def decision(self, number: int) -> Decided | None:
        """A person's decision, or None."""
        with self._reader.connect() as connection:
            found = read_decisions(connection, t.decisions.c.id == number, t.decisions.c.by != "checks")
            return found[0] if found else None

    def undo_batch(self, batch: str, by: str, address: str = "") -> int:
        """Take back all that was decided together and still stands, or nothing; how many they were.

        Raises
        ------
        NotNow
            As `undo`, of one of them.
        """
        d = t.decisions.c
        with self._write() as connection:
            standing = select(d.id).outerjoin(LATER, LATER.c.undoes == d.id)
            numbers = connection.scalars(
                standing.where(d.batch == batch, LATER.c.id.is_(None)).order_by(d.catalog, d.shot)
            ).all()
            for number in numbers:
                undo_one(connection, number, by, address)
            return len(numbers)

    def history(self, catalog: str, shot: str) -> list[Decided]:
        """What people decided on a shot, the latest first."""
        c = t.decisions.c
        with self._reader.connect() as connection:
            return read_decisions(connection, c.shot == shot, c.catalog == catalog)

    def last_of(self, by: str, most: int = 1) -> list[Decided]:
        """What a person decided last and did not take back, the latest first; undoing is no decision."""
        c = t.decisions.c
        with self._reader.connect() as connection:
            return read_decisions(connection, c.by == by, c.decision != UNDO, LATER.c.id.is_(None), most=most)

    def instructions(self, catalog: str, shot: str) -> dict[str, Any]:
        """What is asked of a shot's candidates now; empty where nothing is."""
        c = t.instructions.c
        with self._reader.connect() as connection:
            return dict(connection.scalar(select(c.data).where(c.catalog == catalog, c.shot == shot)) or {})

    def set_aside(self, shot: str, fingerprint: str) -> tuple[frozenset[str], str]:
        """Candidates that the checks may not choose, for a person wanted none of them, and what was said.

        Returns
        -------
        ids, sentence
            All that existed when a person rejected the shot or asked for other candidates, where that stands.
        """
        c, states = t.candidates.c, t.shot_states.c
        with self._reader.connect() as connection:
            last = last_word(connection, shot, fingerprint)
            if last is None or last.decision not in (REJECT, AGAIN):
                return frozenset(), ""
            here = (states.shot == shot, states.fingerprint == fingerprint)
            older = select(c.id).where(
                c.shot == shot, c.fingerprint == fingerprint, c.recorded <= last.recorded
            )
            said = connection.scalar(select(states.sentence).where(*here))
            return frozenset(connection.scalars(older)), said or ""

    # what is to be carried out

    def waiting(self) -> dict[str, int]:
        """Catalogs with decisions that Prefect was not asked to carry out, and the last one's number."""
        d, asked = t.decisions.c, t.carry_outs.c
        last = select(d.catalog, func.max(d.id)).where(d.catalog != "").group_by(d.catalog)
        reached = select(asked.catalog, asked.decision).where(asked.reached)
        with self._reader.connect() as connection:
            done = {row[0]: int(row[1]) for row in connection.execute(reached)}
            found = {row[0]: int(row[1]) for row in connection.execute(last)}
        return {catalog: number for catalog, number in found.items() if number > done.get(catalog, 0)}

    def note_carry_out(self, catalog: str, decision: int, reached: bool, sentence: str) -> None:
        """Note that Prefect was asked to carry out all decisions up to one, or that it could not be."""
        row = {"catalog": catalog, "decision": decision, "reached": reached, "sentence": sentence}
        with self._write() as connection:
            upsert(
                connection,
                t.carry_outs,
                [{**row, "asked": t.now()}],
                ("decision", "reached", "sentence", "asked"),
            )

    def carry_out(self, catalog: str) -> tuple[bool, str, datetime] | None:
        """How asking Prefect went last: whether it was reached, a sentence, and when."""
        with self._reader.connect() as connection:
            row = connection.execute(
                select(t.carry_outs).where(t.carry_outs.c.catalog == catalog)
            ).one_or_none()
            return None if row is None else (row.reached, row.sentence, _utc(row.asked))

    def skus_to_carry_out(self, catalog: str) -> list[str]:
        """Products with a shot that a person approved, asked for again or took down, as far as it is due."""
        shots, states = t.shots.c, t.shot_states.c
        asked = and_(states.state == str(ShotState.TODO), states.reason == AGAIN)
        chosen = and_(states.state == str(ShotState.SELECTED), states.decided.not_in(("", "checks")))
        shown = select(t.publications.c.id).where(
            t.publications.c.shot == shots.key, t.publications.c.fingerprint == shots.fingerprint
        )
        down = and_(states.state == str(ShotState.FLAGGED), states.reason == REJECTED, exists(shown))
        query = (
            select(shots.sku)
            .join(t.shot_states, and_(states.shot == shots.key, states.fingerprint == shots.fingerprint))
            .where(shots.catalog == catalog, shots.gone == "", asked | chosen | down)
            .distinct()
            .order_by(shots.sku)
        )
        with self._reader.connect() as connection:
            return list(connection.scalars(query))
