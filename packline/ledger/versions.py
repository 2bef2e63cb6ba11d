"""What a shot is like just now, so that an old page cannot decide on it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from packline.ledger import schema as t
from packline.ledger.decided import AGAIN, APPROVE, REJECT, UNDO, Choice, NotNow


def version_of(connection: Connection, catalog: str, shot: str) -> str:
    """What a shot is like just now: fingerprint, candidates, last scorecard, last decision, last flag.

    Raises
    ------
    NotNow
        Where the catalog has no such shot.
    """
    found = versions_of(connection, [(catalog, shot)])
    if not found:
        raise NotNow(f"There is no shot {shot} in {catalog} any more; go back to the queue.")
    return found[catalog, shot]


def versions_of(connection: Connection, shots: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """`version_of` for some shots, by catalog and key; those that there are not are left out."""
    keys = sorted({key for _, key in shots})
    own, c, s, d, f = t.shots.c, t.candidates.c, t.scorecards.c, t.decisions.c, t.flags.c
    prints = {
        (row.catalog, row.key): row.fingerprint
        for row in connection.execute(
            select(own.catalog, own.key, own.fingerprint).where(
                own.catalog.in_({catalog for catalog, _ in shots}), own.key.in_(keys)
            )
        )
    }
    made = (
        select(c.shot, c.fingerprint, func.count(c.id.distinct()), func.max(s.id))
        .outerjoin(t.scorecards, s.candidate == c.id)
        .where(c.shot.in_(keys))
        .group_by(c.shot, c.fingerprint)
    )
    candidates = {(row[0], row[1]): (row[2], row[3] or 0) for row in connection.execute(made)}
    last = [
        {
            (row[0], row[1]): row[2]
            for row in connection.execute(
                select(q.shot, q.fingerprint, func.max(q.id))
                .where(q.shot.in_(keys))
                .group_by(q.shot, q.fingerprint)
            )
        }
        for q in (d, f)
    ]
    found = {}
    for catalog, key in shots:
        if (fingerprint := prints.get((catalog, key))) is not None:
            place = key, fingerprint
            numbers = (*candidates.get(place, (0, 0)), *(one.get(place, 0) for one in last))
            found[catalog, key] = ".".join([fingerprint, *(str(number) for number in numbers)])
    return found


def refuse_outdated(connection: Connection, choice: Choice, by: str) -> None:
    """Refuse a choice whose page shows what is no longer so, or whose shot another person has before them.

    Raises
    ------
    NotNow
        With a sentence on what happened.
    """
    present = version_of(connection, choice.catalog, choice.shot)
    if present != choice.version:
        raise NotNow(_what_changed(connection, choice, present))
    c = t.review_leases.c
    holder = connection.scalar(
        select(c.holder).where(
            c.catalog == choice.catalog, c.shot == choice.shot, c.expires > t.now(), c.holder != by
        )
    )
    if holder is not None:
        raise NotNow(
            f"{holder} is looking at {choice.shot} just now; leave it to them, or ask them to go on."
        )


def _what_changed(connection: Connection, choice: Choice, present: str) -> str:
    shot, then, now = choice.shot, choice.version.split("."), present.split(".")
    since = "since you opened this page; load it again"
    if len(then) != len(now) or then[0] != now[0]:
        return f"{shot} was planned anew {since} and look at what it shows now."
    if then[3] != now[3]:
        d = t.decisions.c
        last = connection.execute(select(d.by, d.decision).where(d.id == int(now[3]))).one()
        who = "The checks" if last.by == "checks" else last.by
        return f"{who} {_DID.get(last.decision, 'decided on')} {shot} {since}."
    if then[1] != now[1]:
        return f"Newer candidates of {shot} were made {since} and look at them first."
    if then[2] != now[2]:
        return f"{shot} was scored again {since} and look at its scores first."
    return f"{shot} was worked on {since}."


_DID = {
    APPROVE: "approved",
    REJECT: "rejected",
    AGAIN: "asked for another try of",
    UNDO: "took back a decision on",
}
