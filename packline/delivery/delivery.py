"""How each file of a select is made, as a digest: a change asks for a file, never for another picture."""

from __future__ import annotations

from packline.fingerprint import digest
from packline.settings import Settings

DELIVERY_VERSION = "1"
"""Changes whenever the same select and settings may give another file."""


def delivery_digests(settings: Settings) -> dict[str, str]:
    """A digest by use of everything in the settings that determines a select's file.

    Who signs it is left out: a renewed certificate sends no picture to the shop again.
    """
    embed = settings.provenance.embed
    # what a later Packline may add to the settings changes nothing for who leaves it alone
    return {
        use: digest(DELIVERY_VERSION, asked.model_dump(exclude_defaults=True), embed)
        for use, asked in settings.formats.items()
    }
