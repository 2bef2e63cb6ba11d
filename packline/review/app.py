"""The review desk as an application: its pages, and what holds for every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packline.errors import PacklineError
from packline.ledger import Ledger
from packline.review import (
    audit_page,
    compare_page,
    dashboard_page,
    decision_page,
    feedback_page,
    objects,
    queue_page,
    shot_page,
    sign_in_page,
)
from packline.review.desk import Desk
from packline.review.guard import NotSignedIn, Refused, guarded
from packline.settings import Settings

PAGES = (
    queue_page,
    shot_page,
    decision_page,
    dashboard_page,
    feedback_page,
    compare_page,
    audit_page,
)
"""Modules with a `router`; whoever asks for one of their pages is signed in."""

MOST_BYTES = 2_000_000
"""A request's body; a form that decides 1,000 shots is a tenth of it."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # "no-referrer" would hide the origin from our own forms as well
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def create_app(settings: Settings, ledger: Ledger | None = None) -> FastAPI:
    """The review desk of a catalog's settings.

    Parameters
    ----------
    ledger
        Another than the settings', for tests.

    Returns
    -------
    FastAPI
        ``app.state.desk`` is its `Desk`.
    """
    # no schema and no docs: they would list every address to whoever asks
    desk = Desk(settings, ledger)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(desk.open)
        yield
        await run_in_threadpool(desk.close)

    app = FastAPI(title="Packline review", openapi_url=None, docs_url=None, redoc_url=None, lifespan=life)
    app.state.desk = desk
    app.add_middleware(Shell, hosts=_hosts(desk), secure=desk.secure)
    app.include_router(sign_in_page.router)
    app.include_router(objects.router)
    for page in PAGES:
        app.include_router(page.router, dependencies=[Depends(guarded)])

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        return desk.static.answer(name) or Response("There is no such file.", 404, media_type="text/plain")

    @app.get("/image/{name}", dependencies=[Depends(guarded)])
    def image(name: str) -> Response:
        return desk.images.answer(name)

    @app.get("/healthy")
    def healthy() -> Response:
        return Response("yes", media_type="text/plain")

    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(PacklineError, _said)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)
    return app


def _hosts(desk: Desk) -> frozenset[str]:
    public = urlsplit(desk.review.url).hostname
    return frozenset({"localhost", "127.0.0.1", "[::1]", *([public] if public else [])})


class Shell:
    """Around every request: the host that it names, the size of its body, and the headers of its answer.

    Parameters
    ----------
    hosts
        Names under which browsers may ask. Another name is another site's that points here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], secure: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._headers = dict(_HEADERS)
        if secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                own = {**self._headers, "Cache-Control": "no-store"}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (n.lower().encode(), v.encode())
                        for n, v in own.items()
                        if n.lower().encode() not in present
                    ),
                ]
            await send(message)

        headers: dict[bytes, bytes] = dict(scope["headers"])
        if _bare_host(headers.get(b"host", b"").decode("latin-1")) not in self._hosts:
            words = "The review desk does not answer under this name; set url in [review] of the settings."
            await Response(words, 400, media_type="text/plain")(scope, receive, send_with_headers)
            return
        limited = _Limited(receive, headers.get(b"content-length", b""))
        if limited.too_much:
            await Response("That is too much.", 413, media_type="text/plain")(
                scope, receive, send_with_headers
            )
            return
        await self._app(scope, limited.receive, send_with_headers)


class _Limited:
    """A request's body, cut off where it grows beyond all forms of ours."""

    def __init__(self, receive: Receive, announced: bytes) -> None:
        self._receive = receive
        self._had = 0
        self.too_much = announced.isdigit() and int(announced) > MOST_BYTES

    async def receive(self) -> Message:
        message = await self._receive()
        self._had += len(message.get("body", b""))
        if self._had > MOST_BYTES:
            # who sends without announcing a length is no browser
            return {"type": "http.disconnect"}
        return message


def _bare_host(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _answer(request: Request, sentence: str, status: int) -> Response:
    """A sentence, as a page for a person and as plain data for a script."""
    if not _wants_page(request):
        return JSONResponse({"sentence": sentence}, status)
    desk: Desk = request.app.state.desk
    visitor = getattr(request.state, "visitor", None)
    page: HTMLResponse = desk.page(request, visitor, "sentence.html", status, sentence=sentence)
    return page


async def _not_signed_in(request: Request, _: Any) -> Response:
    if request.method == "GET" and _wants_page(request):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(asked, safe='')}", 303)
    return _answer(request, "You are not signed in any more; sign in and repeat what you did.", 401)


async def _refused(request: Request, error: Any) -> Response:
    return _answer(request, error.sentence, error.status)


async def _said(request: Request, error: Any) -> Response:
    return _answer(request, str(error), 503)


async def _http(request: Request, error: Any) -> Response:
    sentence = "There is no such page." if error.status_code == 404 else str(error.detail)
    return _answer(request, sentence, error.status_code)


async def _unforeseen(request: Request, _: Exception) -> Response:
    answer = _answer(request, "The review desk failed at this; nothing was decided. Its log says why.", 500)
    # this answer is made outside of the shell; the server logs the error itself
    answer.headers.update(_HEADERS)
    return answer
