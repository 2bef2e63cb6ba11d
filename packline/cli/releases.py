"""`packline promote`, `packline rollback` and `packline release`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(help="Releases: what each environment shows, and how they differ.", no_args_is_help=True)

CatalogFile = Annotated[
    Path, typer.Argument(metavar="CATALOG", help="The catalogue; only the settings beside it are read.")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Settings; the .toml beside the catalogue otherwise.")
]
By = Annotated[str, typer.Option(help="Who asks for it; you otherwise.")]
Why = Annotated[str, typer.Option(help="Why; kept with the move.")]
What = "an environment, the first digits of a release, or a manifest's file"


def promote(
    catalog: CatalogFile,
    to: Annotated[str, typer.Option("--to", help="The environment that shows it: dev, staging or prod.")],
    source: Annotated[str, typer.Option("--from", help="The environment whose release it is.")] = "",
    release: Annotated[str, typer.Option(help="A release by its first digits, in place of --from.")] = "",
    why: Why = "",
    by: By = "",
    settings: SettingsFile = None,
) -> None:
    """Let an environment show what another one shows, or a release. Nothing is copied; one pointer moves.

    Exit code 2: it was refused, and nothing moved; the sentence says why.
    """
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli.release_tables import promote_release
        from packline.line.order import Order

        promote_release(Order(catalog, settings), source, to, release, by, why)


def rollback(
    catalog: CatalogFile,
    environment: Annotated[str, typer.Option(help="The environment: dev, staging or prod.")],
    to: Annotated[
        str, typer.Option(help="A release by its first digits; what it showed before otherwise.")
    ] = "",
    why: Why = "",
    by: By = "",
    settings: SettingsFile = None,
) -> None:
    """Let an environment show what it showed before; once more goes further back.

    Runs then leave it alone until somebody promotes to it.

    Exit code 2: it was refused, and nothing moved; the sentence says why.
    """
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli.release_tables import roll_back
        from packline.line.order import Order

        roll_back(Order(catalog, settings), environment, to, by, why)


@group.command("list")
def list_releases(
    catalog: CatalogFile,
    environment: Annotated[str, typer.Option(help="Only this environment's moves.")] = "",
    most: Annotated[int, typer.Option(min=1, help="How many of each.")] = 20,
    settings: SettingsFile = None,
) -> None:
    """List the latest releases, which environment shows which, and the latest moves."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli import release_tables
        from packline.line.order import Order

        release_tables.list_releases(Order(catalog, settings), environment, most)


@group.command("show")
def show_release(
    catalog: CatalogFile,
    what: Annotated[str, typer.Argument(metavar="WHAT", help=f"What to show: {What}.")] = "prod",
    settings: SettingsFile = None,
) -> None:
    """Say what a release holds, by use and format, and where its manifest lies."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli import release_tables
        from packline.line.order import Order

        release_tables.show_release(Order(catalog, settings), what)


@group.command("diff")
def diff_releases(
    catalog: CatalogFile,
    before: Annotated[str, typer.Argument(metavar="A", help=f"From: {What}.")],
    after: Annotated[str, typer.Argument(metavar="B", help="To: likewise.")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines, with every difference.")] = False,
    settings: SettingsFile = None,
) -> None:
    """Say what B shows otherwise than A: added, retired, changed (and why), judged anew, unchanged."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli import release_tables
        from packline.line.order import Order

        release_tables.show_diff(Order(catalog, settings), before, after, as_json)


def register(app: typer.Typer) -> None:
    """Add the commands; moving a pointer is common enough to be short to type."""
    app.command()(promote)
    app.command()(rollback)
    app.add_typer(group, name="release")
