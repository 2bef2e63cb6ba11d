"""`packline loras`: the LoRA presets of a catalogue's engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packline.cli import loras_pull

group = typer.Typer(help="The LoRA presets.", no_args_is_help=True)

PresetsFile = Annotated[Path, typer.Option(help="The presets.")]
_PRESETS = Path("assets/loras/presets.json")


@group.command("list")
def list_loras(file: PresetsFile = _PRESETS) -> None:
    """List the LoRA presets with their files and the models they are for."""
    from packline.cli.main import _sentences

    with _sentences():
        from packline.cli.show import show_loras

        show_loras(file)


@group.command("check")
def check_loras(file: PresetsFile = _PRESETS) -> None:
    """Open every LoRA file, and say what would keep it from being used."""
    from packline.cli.main import FIX_SETTINGS, _sentences

    with _sentences():
        from packline.cli.show import check_loras as check

        faults = check(file)
    raise typer.Exit(FIX_SETTINGS if faults else 0)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    loras_pull.register(group)
    app.add_typer(group, name="loras")
