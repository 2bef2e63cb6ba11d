"""`packline loras`: the LoRA presets of a catalogue, what they are, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from packline.cli import loras_pull

group = typer.Typer(help="The LoRA presets.", no_args_is_help=True)

_DEMO = Path("catalogs/demo.csv")
CATALOGS = loras_pull.CATALOGS

CatalogFile = Annotated[
    Path, typer.Argument(metavar="[CATALOG]", help="The catalogue whose presets, engine and ledger count.")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Settings; the .toml beside the catalogue otherwise.")
]


@group.command("list")
def list_loras(
    catalog: CatalogFile = _DEMO,
    theme: Annotated[str, typer.Option(help="Only these.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Also those for other models.")] = False,
    settings: SettingsFile = None,
) -> None:
    """List the LoRA presets that the catalogue's engine can use, with the state of their files."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli.lora_tables import show_loras
        from packline.line.order import Order

        show_loras(Order(catalog, settings), theme, every=every)


@group.command("import")
def import_loras(
    words: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE] [CATALOG]",
            help="The settings' own list of presets, which may be left out (another one is refused: runs "
            "would not read it); the catalogue.",
        ),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Note in the ledger what is new in the settings' list of presets, as every run does when it begins.

    Exit code 1: some presets cannot be used; each has a sentence.
    """
    from packline.cli.main import ALL_PUBLISHED, WITH_FLAGS, _sentences

    with _sentences():
        from packline.cli.lora_tables import import_presets_of
        from packline.errors import FixSettings
        from packline.line.order import Order

        lists = [word for word in words or () if word.suffix not in CATALOGS]
        catalogs = [word for word in words or () if word.suffix in CATALOGS]
        if len(lists) > 1 or len(catalogs) > 1:
            raise FixSettings("Give one list of presets and one catalogue at most.")
        order = Order(catalogs[0] if catalogs else _DEMO, settings)
        usable = import_presets_of(order, lists[0] if lists else None)
    raise typer.Exit(ALL_PUBLISHED if usable else WITH_FLAGS)


@group.command("check")
def check_loras(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LABEL]... [CATALOG]",
            help="Presets by their label, all that fit the engine otherwise; the catalogue.",
        ),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Edit a shot of the catalogue without each LoRA and with it, at one seed, and measure what it changes.

    The pictures are kept in the work folder, the figures in the ledger.

    Exit code 0: every LoRA has an effect; 1: some have none or cannot be used.
    """
    from packline.cli.main import ALL_PUBLISHED, WITH_FLAGS, _sentences

    with _sentences():
        from packline.cli.lora_tables import check_effects
        from packline.line.order import Order

        catalog, labels = _sorted_out(words or ())
        good = check_effects(Order(catalog, settings), labels)
    raise typer.Exit(ALL_PUBLISHED if good else WITH_FLAGS)


def _sorted_out(words: Sequence[str]) -> tuple[Path, list[str]]:
    from packline.errors import FixSettings

    catalogs = [word for word in words if Path(word).suffix in CATALOGS]
    if len(catalogs) > 1:
        raise FixSettings(f"Give one catalogue, not {' and '.join(catalogs)}.")
    return Path(catalogs[0]) if catalogs else _DEMO, [word for word in words if word not in catalogs]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    loras_pull.register(group)
    app.add_typer(group, name="loras")
