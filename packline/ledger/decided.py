"""People's decisions as records: what they choose, what the ledger holds of it, and why it may not stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from packline.errors import PacklineError
from packline.ledger import schema as t
from packline.ledger.reading import _utc

APPROVE, REJECT, AGAIN, UNDO = "approve", "reject", "again", "undo"

LATER = t.decisions.alias("later")


class NotNow(PacklineError):
    """A decision that cannot stand: what the person saw is no longer so, or something is missing from it."""


@dataclass(frozen=True)
class Choice:
    """What a person decides on a shot.

    Parameters
    ----------
    version
        `version_of` the shot as the person saw it.
    kind
        "approve" takes `candidate` as the shot's select, "reject" settles that none of its pictures may be
        shown, "again" asks for further candidates.
    tags
        Names of checks: what is wrong with the picture.
    asked
        For "again", what the further candidates shall have otherwise: ``lora_strength`` (0 to 2), ``refine``
        ("product", "labels" or "off"), ``candidates`` (so many more in a wave), ``note`` (for people).
    """

    catalog: str
    shot: str
    version: str
    kind: str
    candidate: str = ""
    tags: tuple[str, ...] = ()
    words: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decided:
    """A person's decision as the ledger has it.

    Parameters
    ----------
    before, after
        The shot's state: "flagged", "selected", "published", "rejected", "to do".
    scores
        Every check's score, threshold and verdict on the candidate, as they were.
    checks
        Digest of the checks and settings that it was judged under.
    undoes, undone
        The decision that this one took back, and the one that took this one back; None where there is none.
    """

    id: int
    catalog: str
    shot: str
    fingerprint: str
    candidate: str
    kind: str
    by: str
    words: str
    recorded: datetime
    before: str
    after: str
    tags: tuple[str, ...]
    scorecard: int | None
    scores: dict[str, Any]
    checks: str
    asked: dict[str, Any]
    undoes: int | None
    undone: int | None
    batch: str = ""


def read_decisions(connection: Connection, *where: Any, most: int = 200) -> list[Decided]:
    """People's decisions, the latest first."""
    d = t.decisions.c
    query = (
        select(t.decisions, LATER.c.id.label("undone"))
        .outerjoin(LATER, LATER.c.undoes == d.id)
        .where(*where)
        .order_by(d.id.desc())
        .limit(most)
    )
    return [
        Decided(
            id=row.id,
            catalog=row.catalog,
            shot=row.shot,
            fingerprint=row.fingerprint,
            candidate=row.candidate,
            kind=row.decision,
            by=row.by,
            words=row.words,
            recorded=_utc(row.recorded),
            before=row.before,
            after=row.after,
            tags=tuple(row.tags or ()),
            scorecard=row.scorecard,
            scores=row.scores or {},
            checks=row.checks,
            asked=row.asked or {},
            undoes=row.undoes,
            undone=row.undone,
            batch=row.batch,
        )
        for row in connection.execute(query)
    ]


def last_word(connection: Connection, shot: str, fingerprint: str) -> Any:
    """What a person said last of a shot: decision, recorded, by."""
    d = t.decisions.c
    return connection.execute(
        select(d.decision, d.recorded, d.by)
        .where(d.shot == shot, d.fingerprint == fingerprint, d.by != "checks")
        .order_by(d.id.desc())
        .limit(1)
    ).one_or_none()


def overruled(connection: Connection, run: str, shot: str, fingerprint: str) -> bool:
    """Whether a person decided on a shot since a run began: the run's own conclusion comes too late."""
    last = last_word(connection, shot, fingerprint)
    if last is None or last.decision == UNDO:
        return False
    began = connection.scalar(select(t.runs.c.started).where(t.runs.c.id == run))
    return began is not None and _utc(last.recorded) > _utc(began)


def append(connection: Connection, **columns: Any) -> int:
    """Append a decision; its number."""
    number = connection.execute(insert(t.decisions).values(**columns)).inserted_primary_key
    assert number is not None
    return int(number[0])


def log(connection: Connection, event: str, name: str, address: str, subject: str) -> None:
    """Append to the audit log, in the transaction of what it speaks of."""
    row = {"event": event, "name": name, "address": address, "subject": subject}
    connection.execute(insert(t.audit), [row])
