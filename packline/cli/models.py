"""``packline models list``: what settings may name, what may be sold with it, what is on this machine."""

from __future__ import annotations

from packline.cli.table import console, table
from packline.editing.architectures import ARCHITECTURES, Architecture
from packline.editing.weights import where


def show_models() -> None:
    """Print the architectures; reads this machine's folders, downloads nothing."""
    out = console()
    known = ARCHITECTURES.values()
    columns = ("architecture", "sees", "tokens", "unless told otherwise", "LoRAs for", "licence")
    rows = [
        (
            one.name,
            _sees(one),
            str(one.longest_prompt),
            f"{one.size} px, {one.steps} steps, guidance {one.guidance:g}, {one.dtype}",
            one.lora or "none",
            one.licence if one.commercial else "NON-COMMERCIAL",
        )
        for one in known
    ]
    out.print(table("Models", columns, rows, right=(2,)))
    places = [(one.name, one.pipeline, _place(one)) for one in known]
    out.print(table("Their weights", ("architecture", "pipeline", "on this machine"), places))
    restricted = ", ".join(one.name for one in known if not one.commercial)
    out.print(
        f"NON-COMMERCIAL: pictures of {restricted} must not sell anything until a licence is bought.",
        highlight=False,
    )


def _place(one: Architecture) -> str:
    found = where(one)
    return str(found) if found else f"not here; hf download {one.source}"


def _sees(one: Architecture) -> str:
    if one.starts_from_render:
        return "the render in the photo"
    return f'{one.most_references} references, "{one.tag} N"'
