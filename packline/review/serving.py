"""Serving the desk: where it may listen, and the first way in."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from packline.errors import FixSettings
from packline.review.app import create_app
from packline.review.desk import Desk
from packline.settings import ReviewSettings, Settings


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve the review desk until Ctrl-C.

    Parameters
    ----------
    say
        Where to write a line for the person who watches.

    Raises
    ------
    FixSettings
        Where it may not listen there, or the port is taken.
    """
    import uvicorn

    app = create_app(settings)
    desk: Desk = app.state.desk
    check_listening(settings.review, host, desk.people.any_users())
    listener = _listen(host, port)
    address = settings.review.url or f"http://{_in_url(host)}:{listener.getsockname()[1]}"
    if settings.review.auth == "local" and not desk.people.any_users():
        desk.invitation = secrets.token_urlsafe(24)
        say("nobody may sign in yet. Open this link, once, to become the first user:")
        say(f"  {address}/welcome/{desk.invitation}")
    say(f"{address} is ready. Ctrl-C stops it.")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, proxy_headers=False, server_header=False
    )
    uvicorn.Server(config).run(sockets=[listener])


def check_listening(review: ReviewSettings, host: str, any_users: bool) -> None:
    """Whether the desk may listen at an address: beyond this machine only where everybody has to sign in.

    Raises
    ------
    FixSettings
        With a sentence on what is missing.
    """
    for network in review.proxies:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise FixSettings(
                f"Settings: review.proxies names {network!r}, which is no address or network; correct it."
            ) from error
    if review.url and (
        urlsplit(review.url).scheme not in ("http", "https") or not urlsplit(review.url).hostname
    ):
        raise FixSettings(f"Settings: review.url {review.url!r} is no address of a site; correct it.")
    if review.auth == "header" and not review.proxies:
        raise FixSettings(
            'Settings: with auth = "header", review.proxies must name the sign-on proxy\'s address; add it.'
        )
    if is_local(host):
        return
    if review.auth == "local" and not any_users:
        raise FixSettings(
            f"The review desk has no users yet, so it does not listen on {host}; "
            "add one with packline users add first."
        )
    if not review.url.startswith("https://"):
        raise FixSettings(
            f"Listening on {host} would send passwords and sessions in the clear; put a proxy with TLS "
            "before the desk and set review.url to its https:// address."
        )


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # who follows the printed address at once waits instead of being refused
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise FixSettings(
            f"Port {port} on {host} cannot be had ({error.strerror}); choose --port."
        ) from error
    return listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
