"""Signing in and out; the one-time way in for the very first user."""

from __future__ import annotations

import hmac
import secrets
import threading
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from packline.errors import FixSettings
from packline.ledger.people import User
from packline.review.guard import (
    Desk,
    Refused,
    Visitor,
    address_of,
    check_origin,
    guarded,
)
from packline.review.passwords import hash_password, is_outdated, is_password
from packline.review.sessions import begin_session, end_session, find_session

router = APIRouter()

WINDOW = timedelta(minutes=15)
MOST_FOR_NAME = 5
MOST_FROM_ADDRESS = 20
# argon2 takes 64 MiB and a core for a while: a crowd of strangers waits in a line of its own
_AT_A_TIME = threading.BoundedSemaphore(2)
_FORM_COOKIE = "packline-form"


@router.get("/sign-in")
def sign_in_form(request: Request, desk: Desk, next: str = "/") -> Response:
    """The form."""
    _only_local(desk)
    if find_session(desk, request) is not None:
        return RedirectResponse(own_path(next), 303)
    return _form(request, desk, "sign_in.html", next=own_path(next), name="", sentence="")


@router.post("/sign-in")
def sign_in(
    request: Request,
    desk: Desk,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    form: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in, or say that it did not work, and no more."""
    _only_local(desk)
    _check_form(request, form)
    name, address = name.strip(), address_of(request, desk)
    for_name, from_address = desk.people.failures(name, address, WINDOW)
    if for_name >= MOST_FOR_NAME or from_address >= MOST_FROM_ADDRESS:
        desk.people.log("sign-in held off", name, address)
        words = f"Too many tries; wait {WINDOW.seconds // 60} minutes, or ask an administrator."
        return _form(request, desk, "sign_in.html", 429, next=own_path(next), name=name, sentence=words)
    user = desk.people.user(name)
    with _AT_A_TIME:
        right = is_password(user.password if user else "", password)
    if user is None or user.disabled or not right:
        desk.people.log("sign-in refused", name, address)
        words = "That name and password do not belong together."
        return _form(request, desk, "sign_in.html", 403, next=own_path(next), name=name, sentence=words)
    if is_outdated(user.password):
        desk.people.change_user(name, password=hash_password(password))
    response = RedirectResponse(own_path(next), 303)
    begin_session(desk, request, response, user.name)
    response.delete_cookie(_FORM_COOKIE, path="/")
    desk.people.log("signed in", user.name, address)
    return response


@router.post("/sign-out")
def sign_out(request: Request, desk: Desk, visitor: Annotated[Visitor, Depends(guarded)]) -> Response:
    """End the session and drop what it kept."""
    response = RedirectResponse("/sign-in", 303)
    end_session(desk, request, response)
    desk.people.log("signed out", visitor.name, visitor.address)
    return response


@router.get("/welcome/{invitation}")
def welcome_form(request: Request, desk: Desk, invitation: str) -> Response:
    """The form for the very first user, behind the link that the terminal printed."""
    _check_invitation(desk, invitation)
    return _form(request, desk, "welcome.html", invitation=invitation, name="", sentence="")


@router.post("/welcome/{invitation}")
def welcome(
    request: Request,
    desk: Desk,
    invitation: str,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    form: Annotated[str, Form()] = "",
) -> Response:
    """Let the first user in, as an administrator; the link is used up."""
    _check_form(request, form)
    _check_invitation(desk, invitation)
    name = name.strip()
    try:
        user = User(check_name(name), "admin", hash_password(password))
    except FixSettings as error:
        return _form(
            request, desk, "welcome.html", 400, invitation=invitation, name=name, sentence=str(error)
        )
    if not desk.people.add_first_user(user):
        desk.invitation = ""
        raise Refused("Somebody was added meanwhile; sign in, or ask that person.", 409)
    desk.invitation = ""
    response = RedirectResponse("/", 303)
    begin_session(desk, request, response, name)
    desk.people.log("first user", name, address_of(request, desk))
    return response


def check_name(name: str) -> str:
    """A user's name as it may be.

    Raises
    ------
    FixSettings
        Where it is empty, too long, one that the line signs with itself, or holds unprintable characters.
    """
    if not name or len(name) > 100 or not name.isprintable() or name == "checks":
        raise FixSettings(f"{name!r} cannot be a user's name; take 1 to 100 printable characters.")
    return name


def own_path(wanted: str) -> str:
    """A path of this desk to go on to; never another site's address."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if plain and "\\" not in wanted else "/"


def _only_local(desk: Desk) -> None:
    if desk.review.auth != "local":
        raise Refused("Signing in is the proxy's; open the review desk through it.", 404)


def _check_invitation(desk: Desk, given: str) -> None:
    if not desk.invitation or not hmac.compare_digest(given.encode(), desk.invitation.encode()):
        raise Refused("This link was used already, or is not ours; sign in instead.", 404)


def _form(request: Request, desk: Desk, template: str, status: int = 200, **context: object) -> Response:
    """A form that works before there is a session: its proof is a cookie that only our page can read back."""
    form = request.cookies.get(_FORM_COOKIE, "") or secrets.token_urlsafe(24)
    response = desk.page(request, None, template, status, form=form, **context)
    response.set_cookie(
        _FORM_COOKIE, form, max_age=3600, path="/", secure=desk.secure, httponly=True, samesite="strict"
    )
    return response


def _check_form(request: Request, form: str) -> None:
    check_origin(request)
    cookie = request.cookies.get(_FORM_COOKIE, "")
    if not cookie or not hmac.compare_digest(cookie.encode(), form.encode()):
        raise Refused("This form has expired; go back, load the page again and repeat what you did.")
