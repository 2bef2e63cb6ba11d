"""Instructions: what a person may ask of a shot's next candidates at the review desk.

Plain data by name, of which all is optional: ``lora_strength`` (0 to 2), ``refine`` ("off", "labels" or
"product"), ``candidates`` (so many more in a wave) and ``note`` (words for people, which change no picture).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Instructions = Mapping[str, Any]


def determining(instructions: Instructions) -> dict[str, Any]:
    """What of them changes what is made."""
    return {name: value for name, value in instructions.items() if name != "note"}


def wave_of(wave: int, instructions: Instructions) -> int:
    """How many candidates a shot's wave has.

    Parameters
    ----------
    wave
        Of a shot for which nobody asked anything.
    """
    return wave + int(instructions.get("candidates", 0))
