"""`packline review` and `packline users`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

users = typer.Typer(help="Who may come to the review desk.", no_args_is_help=True)

CatalogFile = Annotated[
    Path, typer.Argument(metavar="CATALOG", help="The catalogue; only the settings beside it are read.")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Settings; the .toml beside the catalogue otherwise.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="As it stands beside decisions.")]


def review(
    catalog: CatalogFile,
    settings: SettingsFile = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any.")] = 4300,
) -> None:
    """Serve the review desk, where people settle flagged shots; Ctrl-C stops it.

    Exit code 2: it may not listen there as it is set up; the sentence says what to do.
    """
    from packline.cli.main import _sentences

    with _sentences():
        from packline.line.order import Order
        from packline.review.serving import serve

        order = Order(catalog, settings)
        serve(order.read_settings(), host, port, lambda line: typer.echo(f"review: {line}"))


@users.command("list")
def list_users(catalog: CatalogFile, settings: SettingsFile = None) -> None:
    """List everybody with their role."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli import people
        from packline.line.order import Order

        people.list_users(Order(catalog, settings))


@users.command("add")
def add_user(
    catalog: CatalogFile,
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, reviewer or admin.")] = "reviewer",
    proxy: Annotated[
        bool, typer.Option("--proxy", help="Without a password: the sign-on proxy vouches for them.")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """Let somebody in. The password is asked for, or read from PACKLINE_PASSWORD or the standard input."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli import people
        from packline.line.order import Order

        people.add_user(Order(catalog, settings), name, role, by_proxy=proxy)


@users.command("change")
def change_user(
    catalog: CatalogFile,
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, reviewer or admin.")] = "",
    password: Annotated[bool, typer.Option("--password", help="Set a new password.")] = False,
    disable: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Keep them out, or let them in again.")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Change somebody's role or password, or keep them out; they are signed out everywhere."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli import people
        from packline.line.order import Order

        people.change_user(Order(catalog, settings), name, role, password=password, disabled=disable)


def register(app: typer.Typer) -> None:
    """Add these commands to `packline`."""
    app.command("review")(review)
    app.add_typer(users, name="users")
