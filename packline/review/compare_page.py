"""Blind comparisons of two engines or LoRAs: beginning one, voting, and what the votes come to.

Who votes sees neither names nor scores: a comparison's address is a digest, and a picture's name says only
the pair and the side. Which picture stands on the left is drawn for each person and pair.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.exc import IntegrityError

from packline.agreement import LEAST, Preference, preference
from packline.ledger.comparing import FIRST, NEITHER, SECOND, Comparison, Pair, Vote
from packline.ledger.decided import NotNow
from packline.review.desk import Desk as _Desk
from packline.review.guard import Desk, Refused, Reviewer, Viewer, Visitor

router = APIRouter()

_SPAN = 3600  # seconds; a picture's name holds for one to two of them
_LOOK_AHEAD = 40
_SIDES = ("left", "right", "reference")
Field = Annotated[str, Form(max_length=2000)]


@dataclass(frozen=True)
class Group:
    """The votes on one scene's or one product's pairs."""

    name: str
    result: Preference


@router.get("/compare")
def comparisons(request: Request, desk: Desk, visitor: Viewer, catalog: str = "") -> Response:
    """What was compared, and what can be."""
    catalogs = desk.ledger.figures.catalogs()
    catalog = catalog if catalog in catalogs else (catalogs[0] if catalogs else "")
    if not request.query_params.get("catalog") and desk.settings.run.name in catalogs:
        catalog = desk.settings.run.name
    arms, offers = desk.ledger.comparisons.offers(catalog) if catalog else ({}, [])
    return desk.page(
        request,
        visitor,
        "compare.html",
        catalogs=catalogs,
        catalog=catalog,
        arms=sorted(arms.items(), key=lambda row: (-row[1], row[0].words)),
        offers=offers[:20],
        begun=[(one, pairs, votes) for one, pairs, votes in desk.ledger.comparisons.all()],
    )


@router.post("/compare")
def begin(desk: Desk, visitor: Reviewer, catalog: Field, first: Field = "", second: Field = "") -> Response:
    """Begin a comparison, or go on with the same one."""
    try:
        found = desk.ledger.comparisons.begin(catalog, [first, second], visitor.name, visitor.address)
    except NotNow as error:
        raise Refused(str(error), 409) from error
    return RedirectResponse(f"/compare/{found.id}", 303)


@router.get("/compare/picture/{name}")
def picture(desk: Desk, visitor: Viewer, name: str) -> Response:
    """A side of a pair, by its signed name; nothing in the answer says where the picture comes from."""
    try:
        identity, shot, who, side, until = _signer(desk).loads(name)
    except BadSignature:
        return Response("This picture's address is not valid.", 403, media_type="text/plain")
    if who != visitor.name or time.time() > until or side not in _SIDES:
        return Response("This picture's address has expired.", 403, media_type="text/plain")
    pair = desk.ledger.comparisons.pair(identity, shot)
    if pair is None:
        return Response("There is no such pair.", 404, media_type="text/plain")
    place = desk.ledger.shot_pages.candidate_place(_candidate(desk, identity, pair, who, side))
    try:
        if place is None:
            raise FileNotFoundError(shot)
        file = place.truth / "colour.png" if side == "reference" else place.picture
        data = file.read_bytes()
    except OSError:
        return Response("The picture is no longer in the work folder.", 404, media_type="text/plain")
    headers = {"Cache-Control": f"private, max-age={_SPAN}, immutable"}
    return Response(data, media_type="image/webp" if file.suffix == ".webp" else "image/png", headers=headers)


@router.get("/compare/{identity}")
def comparison(request: Request, desk: Desk, visitor: Viewer, identity: str) -> Response:
    """What the votes come to; who has pairs left sees it only when they ask."""
    found = _find(desk, identity)
    votes = desk.ledger.comparisons.votes(identity)
    done, of = desk.ledger.comparisons.progress(identity, visitor.name)
    return desk.page(
        request,
        visitor,
        "comparison.html",
        found=found,
        done=done,
        of=of,
        people=sorted({one.by for one in votes}),
        result=_result(votes),
        verdict=verdict(found, _result(votes)),
        groups={
            "scene": groups(votes, "scene"),
            "product": groups(votes, "sku"),
        },
        least=2 * LEAST,
    )


@router.get("/compare/{identity}/vote")
def voting(request: Request, desk: Desk, visitor: Reviewer, identity: str) -> Response:
    """The next pair; back to the comparison when there is none."""
    _find(desk, identity)
    pairs = desk.ledger.comparisons.next_pairs(identity, visitor.name, _LOOK_AHEAD)
    pair = next((one for one in pairs if _there(desk, one)), None)
    if pair is None:
        return RedirectResponse(f"/compare/{identity}", 303)
    done, of = desk.ledger.comparisons.progress(identity, visitor.name)
    return desk.page(
        request,
        visitor,
        "vote.html",
        identity=identity,
        pair=pair,
        token=_signer(desk).dumps([identity, pair.shot, visitor.name]),
        pictures={side: _picture_url(desk, identity, pair, visitor, side) for side in _SIDES},
        done=done,
        of=of,
    )


@router.post("/compare/{identity}/vote")
def vote(desk: Desk, visitor: Reviewer, identity: str, pair: Field, choice: Field) -> Response:
    """Record a vote: "1" is the left picture, "2" the right one, "0" neither."""
    try:
        named, shot, who = _signer(desk).loads(pair)
    except (BadSignature, ValueError) as error:
        raise Refused("This pair is not yours to vote on; go back to the comparison.", 400) from error
    if (named, who) != (identity, visitor.name) or choice not in ("0", "1", "2"):
        raise Refused("This pair is not yours to vote on; go back to the comparison.", 400)
    left = _left(desk, identity, shot, who)
    other = SECOND if left == FIRST else FIRST
    chosen = {"0": NEITHER, "1": left, "2": other}[choice]
    try:
        desk.ledger.comparisons.vote(identity, shot, visitor.name, chosen, left)
    except (NotNow, IntegrityError) as error:
        said = str(error) if isinstance(error, NotNow) else "You voted on this pair before; a vote stands."
        raise Refused(said, 409) from error
    return RedirectResponse(f"/compare/{identity}/vote", 303)


def verdict(found: Comparison, result: Preference) -> str:
    """What the votes say, in a sentence."""
    rate = result.first
    if not rate.of:
        return "Nobody has preferred either yet."
    if result.told:
        winner = found.first if rate.rate > 0.5 else found.second
        share = max(rate.rate, 1 - rate.rate)
        return f"People prefer {winner.words}: it won {share:.0%} of the {rate.of} pairs that went to either."
    return (
        f"Not told apart: of {rate.of} pairs that went to either, A won {rate.times}; without any preference "
        f"a division as uneven has a probability of {result.chance:.0%}."
    )


def groups(votes: Sequence[Vote], by: str) -> list[Group]:
    """What the votes come to by scene or product, the most pairs first.

    Parameters
    ----------
    by
        "scene" or "sku".
    """
    found: dict[str, list[Vote]] = defaultdict(list)
    for one in votes:
        found[getattr(one, by)].append(one)
    made = [Group(name, _result(some)) for name, some in found.items()]
    return sorted(made, key=lambda one: (-one.result.first.of, one.name))


def _result(votes: Sequence[Vote]) -> Preference:
    return preference((one.shot, one.choice, one.left) for one in votes)


def _find(desk: _Desk, identity: str) -> Comparison:
    found = desk.ledger.comparisons.find(identity)
    if found is None:
        raise Refused("There is no such comparison; choose one on the page Compare.", 404)
    return found


def _left(desk: _Desk, identity: str, shot: str, who: str) -> str:
    """Which of the two a person sees on the left: drawn for the pair and the person, the same each time."""
    return (FIRST, SECOND)[int(desk.sign("side", f"{identity}\0{shot}\0{who}")[0], 16) % 2]


def _candidate(desk: _Desk, identity: str, pair: Pair, who: str, side: str) -> str:
    left = _left(desk, identity, pair.shot, who)
    shown = left if side == "left" else SECOND if left == FIRST else FIRST
    # the reference is the first's whoever stands where
    return pair.second if side != "reference" and shown == SECOND else pair.first


def _there(desk: _Desk, pair: Pair) -> bool:
    places = [desk.ledger.shot_pages.candidate_place(one) for one in (pair.first, pair.second)]
    return all(place is not None and place.picture.is_file() for place in places)


def _signer(desk: _Desk) -> URLSafeSerializer:
    return URLSafeSerializer(desk.key, salt="comparison")


def _picture_url(desk: _Desk, identity: str, pair: Pair, visitor: Visitor, side: str) -> str:
    until = (int(time.time()) // _SPAN + 2) * _SPAN
    name = _signer(desk).dumps([identity, pair.shot, visitor.name, side, until])
    return f"/compare/picture/{name if isinstance(name, str) else name.decode()}"
