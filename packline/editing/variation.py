"""How candidates of a shot differ on purpose.

With an aligned render as a reference, seeds alone change almost nothing (0.9 of 255, measured), so the best
of several would be all the same. Each candidate asks for a slightly different picture instead: the product
stands elsewhere, is turned, is larger, and its light falls otherwise, all within what the scene allows; and
some have their LoRAs a little weaker or stronger.

A LoRA's strength strays in few steps, which all shots take together: candidates are made in batches, and
those of a batch share their LoRAs' strength.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from packline.scenes import Place

LORA_STEPS = (1.0, 0.9, 1.1)
"""Factors of a LoRA's strength, in turn."""

TOGETHER = 4
"""Candidates of a shot, by number, that share a factor: a wave's, as waves and batches are by default."""

_STRONGEST = 2.0

# Richtmyer's sequence, multiples of the roots of primes, spreads few points evenly along every axis; the
# powers of one number (Roberts' recurrence) do not in so many dimensions
_STEPS = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0])

AS_ASKED: dict[str, Any] = {
    "shift": [0.0, 0.0],
    "turn": 0.0,
    "scale": 1.0,
    "light_turn": 0.0,
    "light_height": 0.0,
    "light_size": 1.0,
    "exposure": 1.0,
    "lora": 1.0,
}
"""How a shot's first candidate strays: not at all."""


def vary(place: Place, seed: int, number: int, *, further: bool = False) -> dict[str, Any]:
    """How candidate `number` of a shot strays from what was asked.

    Parameters
    ----------
    place
        With its tolerances (`packline.scenes.Place`).
    seed
        The shot's seed; equal seeds stray equally. The LoRAs' factor depends on the number alone.
    number
        Counts the shot's candidates over all waves; 0 is exactly as asked.
    further
        Whether the shot is not the first picture of its placement: what is exactly as asked is that one, so
        number 0 strays as well.

    Returns
    -------
    dict
        ``shift`` [x, z] in metres, ``turn`` in degrees, ``scale`` a factor; of the light ``light_turn`` and
        ``light_height`` in degrees, ``light_size`` and ``exposure`` factors; ``lora`` a factor on strengths.
    """
    if number == 0 and not further:
        return {**AS_ASKED, "shift": [0.0, 0.0]}
    start = np.random.default_rng(seed).random(len(_STEPS))
    strays = (((start + number * _STEPS) % 1.0) * 2 - 1).tolist()
    x, z, turn, scale, light_turn, light_height, light_size, exposure = strays
    return {
        "shift": [round(x * place.shift, 5), round(z * place.shift, 5)],
        "turn": round(turn * place.turn, 3),
        "scale": round(1 + scale * place.scale, 5),
        "light_turn": round(light_turn * place.light_turn, 3),
        "light_height": round(light_height * place.light_height, 3),
        "light_size": round(1 + light_size * place.light_size, 4),
        "exposure": round(1 + exposure * place.exposure, 4),
        "lora": LORA_STEPS[number // TOGETHER % len(LORA_STEPS)],
    }


def strayed_strength(strength: float, variation: dict[str, Any]) -> float:
    """A LoRA's strength for a candidate that strays so, 0 to 2; a LoRA that is off stays off."""
    return round(min(strength * float(variation.get("lora", 1.0)), max(_STRONGEST, strength)), 4)
