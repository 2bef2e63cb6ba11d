"""What a shot's page shows beside its pictures: who has it, what may be decided, what was decided before."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from packline.ledger.decided import AGAIN, Decided, NotNow
from packline.ledger.deciding import MOST_CANDIDATES
from packline.ledger.queue import Filters, QueueItem
from packline.ledger.waiting import TO_DO
from packline.records import CandidateRecord, ShotRecord, ShotState
from packline.review.desk import Desk
from packline.review.guard import Visitor
from packline.scorecard import Verdict

_FINE = (Verdict.PASS, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True)
class Tag:
    """A check's name as a reason; `against` are the candidates that it failed."""

    check: str
    against: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """What may be done with a shot, for the templates ``shot_decisions.html`` and ``shot_history.html``.

    Parameters
    ----------
    why_not
        Why the visitor cannot decide on it; empty where they can.
    page
        This page's name for its lease.
    passed
        Ids of the candidates that passed the checks.
    undo
        The visitor's last decision, on whichever shot, where it was not taken back.
    wave
        Candidates in one where nobody asks for more; None: as many as it is worth.
    waiting
        How many shots of the visitor's filters are to do.
    carried
        What became of handing the last decision on this catalog to Prefect, in words; empty at first.
    """

    catalog: str
    key: str
    version: str
    why_not: str
    page: str
    lease_seconds: int
    passed: tuple[str, ...]
    tags: tuple[Tag, ...]
    lora: str
    strength: float
    wave: int | None
    most: int
    refine: str
    asked: dict[str, Any]
    item: QueueItem | None
    history: tuple[Decided, ...]
    undo: Decided | None
    waiting: int
    carried: str
    carried_well: bool


def open_panel(desk: Desk, visitor: Visitor, catalog: str, record: ShotRecord) -> Panel:
    """Everything that the page of a shot needs to decide on it; a reviewer who opens it takes its lease."""
    queue, review = desk.ledger.queue, desk.ledger.review
    filters, _, _ = queue.place(visitor.name)
    item = queue.item(catalog, record.key)
    page, holder = secrets.token_urlsafe(12), ""
    if visitor.may("reviewer"):
        if item is not None and item.status == TO_DO:
            lease = queue.take(catalog, record.key, visitor.name, page, desk.review.lease_seconds)
            holder = "" if lease.holder == visitor.name else lease.holder
        if not holder:
            queue.remember(visitor.name, filters, catalog, record.key)
    try:
        version = review.version(catalog, record.key)
    except NotNow:
        version = ""
    first = record.candidates[0].candidate.recipe if record.candidates else None
    stack = first.loras if first is not None else ()
    lora = stack[0] if stack else {}
    settings = desk.settings_of(catalog)
    carried = review.carry_out(catalog)
    last = review.last_of(visitor.name)
    return Panel(
        catalog=catalog,
        key=record.key,
        version=version,
        why_not=_why_not(visitor, record, holder),
        page=page,
        lease_seconds=desk.review.lease_seconds,
        passed=tuple(
            one.candidate.id
            for one in record.candidates
            if one.scorecard is not None and one.scorecard.passed
        ),
        tags=_tags(record.candidates),
        lora=str(lora.get("label", "")) + (" (the others in proportion)" if len(stack) > 1 else ""),
        strength=float(lora.get("strength", 1.0)),
        wave=settings.candidates.fixed,
        most=MOST_CANDIDATES,
        refine=first.refine if first is not None else settings.engine.refine,
        asked=review.instructions(catalog, record.key),
        item=item,
        history=tuple(review.history(catalog, record.key)),
        undo=last[0] if last else None,
        waiting=queue.counts(filters)[TO_DO],
        carried="" if carried is None else carried[1],
        carried_well=carried is None or carried[0],
    )


def next_filters(desk: Desk, visitor: Visitor) -> Filters:
    """What the visitor last looked at in the queue."""
    return desk.ledger.queue.place(visitor.name)[0]


def _why_not(visitor: Visitor, record: ShotRecord, holder: str) -> str:
    if not visitor.may("reviewer"):
        return "You may look; deciding needs the role reviewer."
    if holder:
        return f"{holder} is looking at this shot just now."
    if record.reason == "row":
        return "Its catalogue row cannot be used. Mend the row; the next run takes it up."
    if record.state == ShotState.TODO:
        waiting = (
            "It waits for its next candidates" if record.reason == AGAIN else "It waits for the next run"
        )
        return f"{waiting}; there is nothing to decide until then."
    return ""


def _tags(candidates: tuple[CandidateRecord, ...]) -> tuple[Tag, ...]:
    """Every check that judged one of the candidates, those that failed most of them first."""
    against: dict[str, list[str]] = {}
    for one in candidates:
        for result in one.scorecard.results if one.scorecard is not None else ():
            failed = against.setdefault(result.check, [])
            if result.verdict not in _FINE:
                failed.append(one.candidate.id)
    order = sorted(against, key=lambda check: (-len(against[check]), check))
    return tuple(Tag(check, tuple(against[check])) for check in order)
