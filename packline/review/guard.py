"""Who is asking: sessions, roles, and the proof that a form was ours. Every page goes through here."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from packline.ledger.people import ROLES
from packline.review.desk import Desk as _Desk
from packline.review.sessions import find_session, session_of_header

_SAFE = ("GET", "HEAD", "OPTIONS")


class NotSignedIn(Exception):
    """Nobody knows who asks."""


class Refused(Exception):
    """We know who asks, and the answer is no.

    Parameters
    ----------
    sentence
        For the person: what is wrong and what to do.
    status
        HTTP's number for it.
    """

    def __init__(self, sentence: str, status: int = 403) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


@dataclass(frozen=True)
class Visitor:
    """Who is asking.

    Parameters
    ----------
    csrf
        What the session's forms carry.
    session
        The session's id (a hash; not the cookie).
    """

    name: str
    role: str
    csrf: str
    session: str
    address: str

    def may(self, role: str) -> bool:
        """Whether this person may do what `role` may."""
        return ROLES.index(self.role) >= ROLES.index(role)


def the_desk(request: Request) -> _Desk:
    """The desk that this application serves."""
    desk: _Desk = request.app.state.desk
    return desk


Desk = Annotated[_Desk, Depends(the_desk)]


def address_of(request: Request, desk: _Desk) -> str:
    """The browser's address: the peer's, or where the peer is our proxy, the one that the proxy saw."""
    peer = request.client.host if request.client else ""
    if desk.review.auth == "header" and trusted(peer, desk.review.proxies):
        # the proxy appends the address that it saw; what stands before that, anybody may have written
        seen = request.headers.get("x-forwarded-for", "").rsplit(",", 1)[-1].strip()
        return seen or peer
    return peer


def trusted(peer: str, proxies: tuple[str, ...]) -> bool:
    """Whether a header of this peer is believed."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network, strict=False) for network in proxies)


def signed_in(request: Request, desk: Desk) -> Visitor:
    """Who is asking.

    Raises
    ------
    NotSignedIn
        Where there is no session, or it has run out.
    Refused
        Where the proxy names somebody who may not come in.
    """
    address = address_of(request, desk)
    if desk.review.auth == "header":
        peer = request.client.host if request.client else ""
        if not trusted(peer, desk.review.proxies):
            raise Refused("The review desk is reached through its sign-on proxy only; use its address.")
        names = request.headers.getlist(desk.review.header)
        name = names[0].strip() if names else ""
        if len(names) > 1:
            raise Refused("The sign-on proxy lets a visitor's own header pass; it must overwrite it.", 401)
        if not name:
            raise Refused("The sign-on proxy named nobody; sign in there first.", 401)
        found = session_of_header(desk, request, name, address)
        if found is None:
            raise Refused(f"{name} may not use the review desk; an administrator can add you.")
    else:
        found = find_session(desk, request)
        if found is None:
            raise NotSignedIn
    session, role = found
    visitor = Visitor(session.name, role, session.csrf, session.id, address)
    request.state.visitor = visitor
    return visitor


async def guarded(request: Request, visitor: Annotated[Visitor, Depends(signed_in)]) -> Visitor:
    """Who is asking, once the request proved to come from one of our own pages.

    Raises
    ------
    Refused
        Where a request that changes something carries no proof.
    """
    if request.method in _SAFE:
        return visitor
    check_origin(request)
    given: Any = request.headers.get("x-csrf-token")
    if given is None:
        given = (await request.form()).get("csrf")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
        raise Refused("This form has expired; go back, load the page again and repeat what you did.")
    return visitor


def check_origin(request: Request) -> None:
    """Refuse what another site's page sent."""
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise Refused("That came from another site's page; open the review desk itself.")
    origin = request.headers.get("origin")
    # the scheme may differ behind a proxy that ends TLS; the host may not
    if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
        raise Refused("That came from another site's page; open the review desk itself.")


def _needs(role: str) -> Any:
    def guard(visitor: Annotated[Visitor, Depends(guarded)]) -> Visitor:
        if not visitor.may(role):
            raise Refused(f"That needs the role {role}; you have {visitor.role}. An administrator can help.")
        return visitor

    return Depends(guard)


Viewer = Annotated[Visitor, _needs("viewer")]
Reviewer = Annotated[Visitor, _needs("reviewer")]
Admin = Annotated[Visitor, _needs("admin")]
