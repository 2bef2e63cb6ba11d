"""The page of one shot: what it shows, why it failed, what happens next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from packline.ledger.waiting import TO_DO
from packline.records import ShotRecord
from packline.review.desk import Desk as ReviewDesk
from packline.review.guard import Desk, Refused, Viewer
from packline.review.panel import next_filters, open_panel
from packline.review.shot_view import (
    CandidateCard,
    candidate_cards,
    candidate_data,
    reference_cards,
    shown_first,
)

router = APIRouter()

# how many of the queue are looked at for one that nobody else has
_AHEAD = 8


@router.get("/shot")
def shot(
    request: Request, desk: Desk, visitor: Viewer, catalog: str, key: str, candidate: str = ""
) -> Response:
    """A shot, with the candidate that was asked for, or else its select or nearest miss."""
    record = _record(desk, catalog, key)
    cards = candidate_cards(record)
    shown = shown_first(record, candidate)
    return desk.page(
        request,
        visitor,
        "shot.html",
        panel=open_panel(desk, visitor, catalog, record),
        shot=record,
        catalog=catalog,
        cards=cards,
        shown=shown,
        references=reference_cards(record),
        data=_viewer_data(desk, catalog, record, cards, shown) if shown else None,
    )


@router.get("/shot/layers")
def layers(desk: Desk, visitor: Viewer, catalog: str, key: str, candidate: str) -> dict[str, Any]:
    """The evidence of one candidate for the viewer."""
    record = _record(desk, catalog, key)
    found = next((one for one in record.candidates if one.candidate.id == candidate), None)
    if found is None:
        raise Refused(f"The shot {key} has no such candidate any more; load the page again.", 404)
    return candidate_data(found, desk.images.url)


@router.get("/shot/ahead")
def ahead(desk: Desk, visitor: Viewer, catalog: str, key: str) -> list[str]:
    """Addresses of what the next shot's page will show, so that the browser has it by then."""
    filters = replace(next_filters(desk, visitor), status=TO_DO)
    mine = ("", visitor.name)
    waiting = (
        item
        for item in desk.ledger.queue.page(filters, after=(catalog, key), most=_AHEAD)
        if item.holder in mine and item.assignee in mine
    )
    item = next(waiting, None)
    if item is None:
        return []
    record = desk.ledger.shot_pages.shot(item.catalog, item.shot)
    shown = shown_first(record) if record else ""
    if not shown:
        return []
    kinds = ("picture", "reference", "base")
    small = [desk.images.thumbnail_url(shown, kind) for kind in kinds]
    return small + [desk.images.url(shown, kind) for kind in kinds]


def _record(desk: ReviewDesk, catalog: str, key: str) -> ShotRecord:
    record = desk.ledger.shot_pages.shot(catalog, key)
    if record is None:
        raise Refused(f"The ledger has no shot {key} in {catalog}; go back to the list.", 404)
    return record


def _viewer_data(
    desk: ReviewDesk, catalog: str, record: ShotRecord, cards: tuple[CandidateCard, ...], shown: str
) -> dict[str, Any]:
    """What the viewer's script needs: addresses of all pictures, and the evidence of the first candidate."""

    def picture(candidate: str, kind: str) -> dict[str, str]:
        return {
            "full": desk.images.url(candidate, kind),
            "small": desk.images.thumbnail_url(candidate, kind),
        }

    first = next(one for one in record.candidates if one.candidate.id == shown)
    return {
        "catalog": catalog,
        "key": record.key,
        "shown": shown,
        # one address for all candidates, so that the browser fetches the photo once
        "base": picture(shown, "base"),
        "candidates": [
            {
                "id": card.id,
                "title": card.title,
                "words": card.words,
                "picture": picture(card.id, "picture"),
                "edit": picture(card.id, "edit"),
                "reference": picture(card.id, "reference"),
            }
            for card in cards
        ],
        "first": candidate_data(first, desk.images.url),
    }
