"""Who may come to the review desk, from the terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from packline.errors import FixSettings
from packline.line.order import Order

if TYPE_CHECKING:
    from packline.ledger.people import People

PASSWORD = "PACKLINE_PASSWORD"
"""Environment variable that gives a new user's password where nobody types."""


def list_users(order: Order) -> None:
    """Print everybody with their role."""
    from packline.cli.table import console, table

    people = _people(order).users()
    if not people:
        typer.echo("There are no users yet; packline users add makes the first.")
        return
    rows = [[one.name, one.role, "disabled" if one.disabled else _way_in(one.password)] for one in people]
    console().print(table("Users", ("name", "role", "signs in"), rows))


def add_user(order: Order, name: str, role: str, *, by_proxy: bool) -> None:
    """Let somebody in."""
    from packline.ledger.people import User
    from packline.review.passwords import hash_password
    from packline.review.sign_in_page import check_name

    people = _people(order)
    if people.user(check_name(name)) is not None:
        raise FixSettings(f"There is a user {name} already; packline users change changes them.")
    password = "" if by_proxy else hash_password(_ask_password(name))
    people.add_user(User(name, role, password))
    people.log("user added", me(), "terminal", f"{name}, {role}")
    typer.echo(f"{name} may come to the review desk as {role}.")


def change_user(order: Order, name: str, role: str, *, password: bool, disabled: bool | None) -> None:
    """Change somebody's role, password or way in; their sessions end."""
    from packline.review.passwords import hash_password

    people = _people(order)
    if people.user(name) is None:
        raise FixSettings(f"There is no user {name}; packline users list names them.")
    columns: dict[str, object] = {}
    if role:
        columns["role"] = role
    if password:
        columns["password"] = hash_password(_ask_password(name))
    if disabled is not None:
        columns["disabled"] = disabled
    if not columns:
        raise FixSettings("Say what is to be changed: --role, --password, --disable or --enable.")
    people.change_user(name, **columns)
    people.log("user changed", me(), "terminal", f"{name}: {', '.join(columns)}")
    typer.echo(f"{name} is changed; whoever was signed in with that name has to sign in again.")


def _people(order: Order) -> People:
    from packline.ledger import Ledger

    return Ledger(order.read_settings().ledger.url).people


def _ask_password(name: str) -> str:
    if given := os.environ.get(PASSWORD):
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    answer: str = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    return answer


def _way_in(password: str) -> str:
    return "with a password" if password else "through the proxy"


def me() -> str:
    """Who is at the terminal."""
    import getpass

    try:
        return f"{getpass.getuser()} (terminal)"
    except (KeyError, OSError):
        return "somebody (terminal)"
