"""`packline loras pull`: LoRA files from CivitAI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

CATALOGS = (".csv", ".parquet", ".jsonl")


def pull(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LABEL|AIR|CATALOG",
            help="Presets by their label; an AIR (urn:air:...) that is to become one. A catalogue: its "
            "settings say which list of presets it is. Without a label: every preset that lacks its file.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="The presets, without a catalogue; assets/loras/presets.json otherwise."),
    ] = None,
) -> None:
    """Download LoRA files from CivitAI, check them, and note their paths and hashes in the presets.

    CIVITAI_API_KEY holds your key, for files that are given to accounts only.

    Exit code 0: every file is there; 1: some are not, each with a sentence; 2: the settings must be mended.
    """
    from packline.cli.main import ALL_PUBLISHED, WITH_FLAGS, _sentences

    with _sentences():
        from packline.cli.lora_downloads import pull_loras

        given = words or []
        catalogs = [word for word in given if Path(word).suffix in CATALOGS]
        missing = pull_loras(_list_file(catalogs, file), [word for word in given if word not in catalogs])
    raise typer.Exit(WITH_FLAGS if missing else ALL_PUBLISHED)


def _list_file(catalogs: Sequence[str], file: Path | None) -> Path:
    from packline.errors import FixSettings
    from packline.line.order import Order

    if len(catalogs) + (file is not None) > 1:
        raise FixSettings("Give one catalogue, or one list of presets with --file.")
    if catalogs:
        return Order(Path(catalogs[0])).read_settings().paths.loras
    return file or Path("assets/loras/presets.json")


def register(group: typer.Typer) -> None:
    """Add the command to `packline loras`."""
    group.command("pull")(pull)
