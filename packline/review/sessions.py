"""Sessions: kept by the server, known to the browser by a random cookie, new at every sign-in."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import Request, Response

from packline.ledger import schema as t
from packline.ledger.people import Session

if TYPE_CHECKING:
    from packline.review.desk import Desk

# a session's last use is written down no oftener than this
_STEP = timedelta(seconds=60)


def cookie_name(desk: Desk) -> str:
    """With TLS a name that browsers guard: no other host and no plain page can set it."""
    return "__Host-packline" if desk.secure else "packline"


def begin_session(desk: Desk, request: Request, response: Response, name: str) -> Session:
    """Sign somebody in: a new session instead of the one that the browser had."""
    now = t.now()
    desk.people.end_old_sessions(*_limits(desk))
    token = secrets.token_urlsafe(32)
    session = Session(_hash(token), name, secrets.token_urlsafe(32), now, now)
    old = request.cookies.get(cookie_name(desk), "")
    desk.people.begin_session(session, instead_of=_hash(old) if old else "")
    response.set_cookie(
        cookie_name(desk),
        token,
        max_age=desk.review.session_hours * 3600,
        path="/",
        secure=desk.secure,
        httponly=True,
        samesite="lax",
    )
    return session


def end_session(desk: Desk, request: Request, response: Response) -> None:
    """Sign out, here and in the ledger."""
    token = request.cookies.get(cookie_name(desk), "")
    if token:
        desk.people.end_session(_hash(token))
    response.delete_cookie(cookie_name(desk), path="/", secure=desk.secure, httponly=True, samesite="lax")


def find_session(desk: Desk, request: Request) -> tuple[Session, str] | None:
    """The browser's session and its user's role; None where there is none or it has run out."""
    token = request.cookies.get(cookie_name(desk), "")
    found = desk.people.session(_hash(token)) if token else None
    if found is None:
        return None
    session, user = found
    begun_before, seen_before = _limits(desk)
    if user is None or user.disabled or session.begun < begun_before or session.seen < seen_before:
        return None
    if t.now() - session.seen > _STEP:
        desk.people.touch_session(session.id, t.now())
    return session, user.role


def session_of_header(desk: Desk, request: Request, name: str, address: str) -> tuple[Session, str] | None:
    """The session of somebody for whom the proxy vouches; None where that person may not come in.

    The proxy signs people in and out, so this session carries nothing but what its forms prove.
    """
    user = desk.people.user(name)
    role = desk.review.role if user is None else ("" if user.disabled else user.role)
    if not role:
        return None
    identity = desk.sign("session", name)
    now = t.now()
    session = Session(identity, name, desk.sign("form", f"{name} {now:%Y-%m-%d}"), now, now)
    if desk.seen_today(name, f"{now:%Y-%m-%d}"):
        desk.people.log("signed in", name, address, "by the sign-on proxy")
    return session, role


def _limits(desk: Desk) -> tuple[datetime, datetime]:
    now = t.now()
    return now - timedelta(hours=desk.review.session_hours), now - timedelta(minutes=desk.review.idle_minutes)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
