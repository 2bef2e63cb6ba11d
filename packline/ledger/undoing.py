"""Taking a decision back: until it was carried out, the shot waits again as it did before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from packline.ledger import schema as t
from packline.ledger.decided import AGAIN, APPROVE, LATER, REJECT, UNDO, NotNow, append, log
from packline.ledger.deciding import instruct, lock, state_of, word_of
from packline.ledger.waiting import DONE, REJECTED, refresh
from packline.records import ShotState


def undo_one(connection: Connection, number: int, by: str, address: str) -> int:
    """Take one decision back; the number of the record that says so.

    Raises
    ------
    NotNow
        With a sentence, where it cannot be taken back any more.
    """
    d = t.decisions.c
    said = connection.execute(select(t.decisions).where(d.id == number)).one_or_none()
    if said is None or not said.catalog or said.decision == UNDO:
        raise NotNow("There is no such decision; load the page again.")
    shot = lock(connection, said.catalog, said.shot)
    back = connection.execute(select(d.by, d.recorded).where(d.undoes == number)).one_or_none()
    if back is not None:
        raise NotNow(f"{back.by} took that back already.")
    if shot.fingerprint != said.fingerprint:
        raise NotNow(
            f"{said.shot} was planned anew since then, so that cannot be taken back; decide on what it shows."
        )
    newest = connection.scalar(
        select(func.max(d.id)).where(d.shot == said.shot, d.fingerprint == said.fingerprint)
    )
    if newest != number:
        raise NotNow(f"{said.shot} was decided on again since then; take back the later decision first.")
    state = state_of(connection, said.shot, said.fingerprint)
    _refuse_carried_out(connection, said, state)
    kept = dict(said.kept)
    instructions = kept.pop("instructions")
    undoing = append(
        connection,
        run=said.run,
        catalog=said.catalog,
        shot=said.shot,
        fingerprint=said.fingerprint,
        candidate=said.candidate,
        decision=UNDO,
        by=by,
        words="",
        before=word_of(state),
        after=said.before,
        tags=[],
        scorecard=said.scorecard,
        scores=said.scores,
        checks=said.checks,
        asked={},
        kept=None,
        undoes=number,
        batch="",
    )
    place = (t.shot_states.c.shot == said.shot, t.shot_states.c.fingerprint == said.fingerprint)
    connection.execute(update(t.shot_states).where(*place).values(**kept))
    if said.decision == AGAIN:
        instruct(connection, said.catalog, said.shot, instructions["data"], instructions["decision"])
    refresh(connection, said.catalog, said.shot)
    if kept["decided"]:
        # what stands again is an earlier decision of a person
        earlier = _standing(connection, said.shot, said.fingerprint)
        q = t.review_queue.c
        place = (q.catalog == said.catalog, q.shot == said.shot)
        if earlier is None:
            # the checks' own choice stands again, which was never in the queue
            connection.execute(delete(t.review_queue).where(*place))
        else:
            connection.execute(update(t.review_queue).where(*place).values(status=DONE, decision=earlier))
    log(connection, "took back", by, address, f"{said.catalog} {said.shot} decision {number}")
    return undoing


def _standing(connection: Connection, shot: str, fingerprint: str) -> int | None:
    """The last decision of a person's on a shot that nobody took back."""
    d = t.decisions.c
    found: int | None = connection.scalar(
        select(func.max(d.id)).where(
            d.shot == shot,
            d.fingerprint == fingerprint,
            d.by != "checks",
            d.decision != UNDO,
            ~select(LATER.c.id).where(LATER.c.undoes == d.id).exists(),
        )
    )
    return found


def _refuse_carried_out(connection: Connection, said: Row[Any], state: Mapping[str, Any]) -> None:
    if said.decision == AGAIN and (state["state"] != str(ShotState.TODO) or state["reason"] != AGAIN):
        raise NotNow(f"{said.shot} was made again since then; decide on what it shows now.")
    if said.decision == REJECT and state["reason"] != REJECTED:
        raise NotNow(f"{said.shot} was worked on since then; decide on what it shows now.")
    if said.decision != APPROVE:
        return
    if state["candidate"] != said.candidate:
        raise NotNow(f"{said.shot} was worked on since then; decide on what it shows now.")
    items, releases = t.release_items.c, t.releases.c
    shown = connection.scalar(
        select(releases.recorded)
        .join(t.release_items, items.release == releases.id)
        .where(
            items.catalog == said.catalog,
            items.shot == said.shot,
            items.candidate == said.candidate,
            releases.recorded >= said.recorded,
        )
        .limit(1)
    )
    if shown is not None:
        raise NotNow(
            f"{said.shot} was released with this picture; choose another candidate, ask for another try or "
            "reject it: the next release replaces or removes it. packline rollback brings the last one back."
        )
