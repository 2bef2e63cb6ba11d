"""What the keys and buttons of the desk post: decisions, undoing, leases, the next shot."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from packline.ledger.decided import AGAIN, APPROVE, REJECT, Choice, NotNow
from packline.review.desk import Desk as _Desk
from packline.review.guard import Desk, Refused, Reviewer, Visitor

router = APIRouter()

MOST_TOGETHER = 500
"""Shots in one bulk decision."""

Field = Annotated[str, Form(max_length=4000)]
Fields = Annotated[list[str], Form()]


@router.post("/decide")
def decide(
    request: Request,
    desk: Desk,
    visitor: Reviewer,
    catalog: Field,
    key: Field,
    version: Field,
    kind: Field,
    candidate: Field = "",
    tags: Fields = [],  # noqa: B006
    words: Field = "",
    note: Field = "",
    candidates: Field = "",
    lora_strength: Field = "",
    refine: Field = "",
) -> Response:
    """Decide on one shot and go on to the next."""
    asked = _asked(note, candidates, lora_strength, refine) if kind == AGAIN else {}
    choice = Choice(
        catalog=catalog,
        shot=key,
        version=version,
        kind=kind,
        candidate=candidate if kind in (APPROVE, REJECT) else "",
        tags=tuple(tags) if kind == REJECT else (),
        words=words,
        asked=asked,
    )
    _decide(desk, visitor, [choice])
    return _go(request, _next(desk, visitor, (catalog, key)))


@router.post("/bulk")
def bulk(
    request: Request,
    desk: Desk,
    visitor: Reviewer,
    shots: Fields,
    kind: Field,
    count: Annotated[int, Form()],
    tags: Fields = [],  # noqa: B006
    own: Field = "",
    words: Field = "",
    note: Field = "",
) -> Response:
    """Reject several shots, or ask for further candidates of them: all or none, as many as confirmed."""
    if kind not in (REJECT, AGAIN):
        raise Refused("Several shots can be rejected or tried again together; approve them one by one.", 400)
    if count != len(set(shots)) or not 0 < count <= MOST_TOGETHER:
        raise Refused(
            f"You confirmed {count} shots and {len(set(shots))} are chosen; choose again and confirm.", 409
        )
    choices = []
    for catalog, key, version in _chosen(shots):
        more: dict[str, Any] = {"asked": _asked(note)}
        if kind == REJECT:
            item = desk.ledger.queue.item(catalog, key) if own else None
            flagged_for = [item.reason] if item is not None else []
            more = {"tags": tuple(dict.fromkeys([*flagged_for, *tags])), "words": words}
        choices.append(Choice(catalog, key, version, kind, **more))
    _decide(desk, visitor, choices, batch=secrets.token_hex(8))
    return _go(request, "/")


@router.post("/undo")
def undo(
    request: Request, desk: Desk, visitor: Reviewer, decision: Annotated[int, Form()], together: Field = ""
) -> Response:
    """Take a decision back, or with `together` all that were made with it, and go to its shot."""
    found = desk.ledger.review.decision(decision)
    if found is None:
        raise Refused("There is no such decision; load the page again.", 404)
    try:
        if together and found.batch:
            desk.ledger.review.undo_batch(found.batch, visitor.name, visitor.address)
        else:
            desk.ledger.review.undo(decision, visitor.name, visitor.address)
    except NotNow as error:
        raise Refused(str(error), 409) from error
    desk.carry_out.poke(found.catalog)
    return _go(request, "/" if together and found.batch else shot_address(found.catalog, found.shot))


@router.post("/next")
def next_shot(
    request: Request, desk: Desk, visitor: Reviewer, catalog: Field = "", key: Field = ""
) -> Response:
    """Go to the next shot that waits, behind the one that is named."""
    return _go(request, _next(desk, visitor, (catalog, key) if key else None))


@router.post("/lease/renew")
def renew(desk: Desk, visitor: Reviewer, catalog: Field, key: Field, page: Field) -> dict[str, bool]:
    """Keep a shot for the page that shows it."""
    seconds = desk.review.lease_seconds
    return {"yours": desk.ledger.queue.renew(catalog, key, visitor.name, page, seconds)}


@router.post("/lease/leave")
def leave(desk: Desk, visitor: Reviewer, page: Field) -> Response:
    """Let a shot go when its page is left."""
    desk.ledger.queue.let_go(visitor.name, page)
    return Response(status_code=204)


@router.post("/assign")
def assign(request: Request, desk: Desk, visitor: Reviewer, shots: Fields, to: Field = "") -> Response:
    """Give shots to a person, or to nobody."""
    name = visitor.name if to == "me" else to
    if name and name != visitor.name and desk.people.user(name) is None:
        raise Refused(f"There is no user {name}; choose one from the list.", 404)
    places = [(catalog, key) for catalog, key, _ in _chosen(shots)]
    desk.ledger.queue.assign(places, name)
    desk.people.log("assigned", visitor.name, visitor.address, f"{len(places)} shots to {name or 'nobody'}")
    return _go(request, "/")


def shot_address(catalog: str, key: str) -> str:
    """A shot's page; a key is a parameter, because paths are not safe from what a SKU may be called."""
    return f"/shot?{urlencode({'catalog': catalog, 'key': key})}"


def _decide(desk: _Desk, visitor: Visitor, choices: list[Choice], batch: str = "") -> None:
    try:
        desk.ledger.review.decide(choices, visitor.name, visitor.address, batch)
    except NotNow as error:
        raise Refused(str(error), 409) from error
    for catalog in {choice.catalog for choice in choices}:
        desk.carry_out.poke(catalog)


def _next(desk: _Desk, visitor: Visitor, after: tuple[str, str] | None) -> str:
    filters, _, _ = desk.ledger.queue.place(visitor.name)
    # the page that opens takes the lease anew under its own name
    found = desk.ledger.queue.take_next(
        filters, visitor.name, secrets.token_urlsafe(12), desk.review.lease_seconds, after
    )
    return shot_address(*found) if found else "/?finished=1"


def _asked(note: str = "", candidates: str = "", lora_strength: str = "", refine: str = "") -> dict[str, Any]:
    asked: dict[str, Any] = {}
    try:
        if candidates.strip():
            asked["candidates"] = int(candidates)
        if lora_strength.strip():
            asked["lora_strength"] = float(lora_strength)
    except ValueError as error:
        raise Refused("Candidates and the LoRA's strength are numbers; correct them.", 400) from error
    if refine:
        asked["refine"] = refine
    if note.strip():
        asked["note"] = note.strip()
    return asked


def _chosen(shots: list[str]) -> list[tuple[str, str, str]]:
    """Catalog, key and version of each shot that was chosen in the queue."""
    found = []
    for one in shots:
        try:
            catalog, key, version = json.loads(one)
        except ValueError as error:
            raise Refused("Load the queue again and choose the shots anew.", 400) from error
        found.append((str(catalog), str(key), str(version)))
    return found


def _go(request: Request, address: str) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(address, 303)
    return JSONResponse({"next": address})
