"""The queue: what waits for a person, failures first."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from packline.ledger.queue import Filters, QueueItem
from packline.ledger.waiting import DOING, DONE, TO_DO
from packline.review.decision_page import shot_address
from packline.review.guard import Desk, Viewer

router = APIRouter()

PAGE = 40


@router.get("/")
def queue(
    request: Request,
    desk: Desk,
    visitor: Viewer,
    status: str = "",
    catalog: str = "",
    reason: str = "",
    sku: str = "",
    lora: str = "",
    run: str = "",
    days: str = "",
    assignee: str = "",
    after_catalog: str = "",
    after: str = "",
    finished: str = "",
) -> Response:
    """The list, as the visitor filters it; without any parameter as they left it."""
    books = desk.ledger.queue
    remembered, last_catalog, last_shot = books.place(visitor.name)
    if set(request.query_params) <= {"finished"}:
        filters = remembered
    else:
        filters = Filters(
            status=status if status in (TO_DO, DOING, DONE) else TO_DO,
            catalog=catalog,
            reason=reason,
            sku=sku.strip(),
            lora=lora,
            run=run,
            days=int(days) if days.isdigit() and len(days) < 5 else 0,
            assignee=assignee,
        )
        if filters != remembered:
            books.remember(visitor.name, filters, last_catalog, last_shot)
    items = books.page(filters, (after_catalog, after) if after else None, PAGE + 1)
    shown = items[:PAGE]
    versions = desk.ledger.review.versions([(one.catalog, one.shot) for one in shown])
    decided = desk.ledger.review.decisions([one.decision for one in shown if one.decision])
    best = desk.ledger.shot_pages.best_candidates([(one.shot, one.fingerprint) for one in shown])
    return desk.page(
        request,
        visitor,
        "queue.html",
        filters=filters,
        items=[
            {
                "item": one,
                "picture": best.get((one.shot, one.fingerprint), ""),
                "address": shot_address(one.catalog, one.shot),
                "choice": json.dumps([one.catalog, one.shot, versions.get((one.catalog, one.shot), "")]),
                "decided": decided.get(one.decision or 0),
            }
            for one in shown
        ],
        older=_older(filters, shown[-1]) if len(items) > PAGE else "",
        counts=books.counts(replace(filters, status=TO_DO)),
        choices=desk.choices(filters.status),
        tabs=[
            (name, f"/?{urlencode(_query(replace(filters, status=name)))}") for name in (TO_DO, DOING, DONE)
        ],
        place=(last_shot, shot_address(last_catalog, last_shot)) if last_shot else None,
        finished=bool(finished),
        users=[user.name for user in desk.people.users() if not user.disabled and user.role != "viewer"],
        undo=next(iter(desk.ledger.review.last_of(visitor.name)), None),
        narrowed=_query(replace(filters, status=TO_DO)) != _query(Filters()),
        plain=f"/?status={filters.status.replace(' ', '+')}",
    )


def _query(filters: Filters) -> dict[str, Any]:
    plain = asdict(filters)
    return {name: value for name, value in plain.items() if value or name == "status"}


def _older(filters: Filters, last: QueueItem) -> str:
    after = {"after_catalog": last.catalog, "after": last.shot}
    return f"/?{urlencode({**_query(filters), **after})}"
