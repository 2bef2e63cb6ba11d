"""What waits for a person: keeps `review_queue`, which is drawn from shots, their states and flags.

`refresh` brings it up to date for one shot or one catalog; whatever concludes or plans shots calls it in its
own transaction.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, and_, case, delete, exists, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from packline.ledger import schema as t
from packline.records import ShotState

TO_DO, DOING, DONE = "to do", "doing", "done"
REJECTED = "rejected"
"""Reason of a flag that a person confirmed: none of these pictures may be shown."""

# packline.funnel's NEEDS_PERSON, NEEDS_CLOSE_UP and SAME_PICTURE, which need OpenCV to be imported
_DOUBTS = ("needs a person", "needs a close-up", "same picture")
_NO_PICTURE = ("row", "model", "engine", "publication", "reference")
_FOR_THE_RUN = ("error", "try again")
WITHOUT_PICTURE = 2


# in the order of `_rows`
_COLUMNS = (
    "catalog", "shot", "fingerprint", "status", "rank", "flagged", "sku", "sku_lower", "title", "scene",
    "view", "lora", "run", "reason", "sentence",
)  # fmt: skip


def refresh(connection: Connection, catalog: str = "", shot: str = "") -> None:
    """Bring the queue up to date with the shots' states.

    Parameters
    ----------
    catalog
        Only this one's shots; empty: those of all.
    shot
        Only the shots of this key.
    """
    q, shots, states = t.review_queue.c, t.shots.c, t.shot_states.c
    own = [q.catalog == catalog] if catalog else []
    own += [q.shot == shot] if shot else []
    theirs = [shots.catalog == catalog] if catalog else []
    theirs += [shots.key == shot] if shot else []
    present = (
        select(shots.key)
        .outerjoin(t.shot_states, _current())
        .where(
            shots.catalog == q.catalog,
            shots.key == q.shot,
            shots.gone == "",
            or_(states.state == str(ShotState.FLAGGED), q.status == DONE),
        )
        .correlate(t.review_queue)
    )
    connection.execute(delete(t.review_queue).where(*own, ~exists(present)))
    as_it_was = select(q.shot).where(
        q.catalog == shots.catalog,
        q.shot == shots.key,
        q.fingerprint == shots.fingerprint,
        q.status == TO_DO,
        q.run == states.run,
        q.sentence == states.sentence,
    )
    flagged = _rows(TO_DO).where(
        *theirs,
        shots.gone == "",
        states.state == str(ShotState.FLAGGED),
        # a rejected shot is settled; everything else that is flagged waits
        states.reason != REJECTED,
        ~exists(as_it_was),
    )
    _enter(connection, flagged, None)


def enter_settled(connection: Connection, catalog: str, shot: str, decision: int) -> None:
    """Let a shot that never waited stand in the queue as settled by a decision."""
    c = t.shots.c
    _enter(connection, _rows(DONE).where(c.catalog == catalog, c.key == shot), decision)


def _enter(connection: Connection, rows: Select[Any], decision: int | None) -> None:
    q = t.review_queue
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    entering = dialect.insert(q).from_select(
        [*_COLUMNS, "decision"],
        rows.add_columns(literal(decision, q.c.decision.type)),
        include_defaults=False,
    )
    change = {name: entering.excluded[name] for name in (*_COLUMNS[2:], "decision")}
    connection.execute(entering.on_conflict_do_update(index_elements=_COLUMNS[:2], set_=change))


def _rows(status: str) -> Select[Any]:
    """Shots as rows of the queue."""
    shots, states = t.shots.c, t.shot_states.c
    flagged = (
        select(func.max(t.flags.c.recorded))
        .where(t.flags.c.shot == shots.key, t.flags.c.fingerprint == shots.fingerprint)
        .correlate(t.shots)
        .scalar_subquery()
    )
    return (
        select(
            shots.catalog,
            shots.key,
            shots.fingerprint,
            literal(status),
            _rank(states.reason),
            func.coalesce(flagged, t.runs.c.started),
            shots.sku,
            func.lower(shots.sku),
            shots.title,
            shots.scene,
            shots.view,
            func.coalesce(t.products.c.lora, ""),
            states.run,
            states.reason,
            states.sentence,
        )
        .join(t.shot_states, _current())
        .join(t.runs, t.runs.c.id == states.run)
        .outerjoin(t.products, t.products.c.digest == shots.product)
    )


def _current() -> Any:
    return and_(t.shot_states.c.shot == t.shots.c.key, t.shot_states.c.fingerprint == t.shots.c.fingerprint)


def _rank(reason: Any) -> Any:
    """Failures first, then doubts, then what has no picture to look at, then what the next run may mend."""
    return case(
        (reason.in_(_DOUBTS), 1),
        (reason.in_(_NO_PICTURE), WITHOUT_PICTURE),
        (reason.in_(_FOR_THE_RUN), 3),
        else_=0,
    )
