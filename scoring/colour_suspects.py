"""Who is suspected of a wrong colour: each swatch, each part, the whole product; and on what grounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packline.colour import ciede2000, from_lab, to_lab
from scoring.colour_regions import DARK, Patches
from scoring.part_names import named
from scoring.relight import Residual, Shift

Doubles = NDArray[np.float64]

# standard deviations at which half of a shift counts: honest light has rarer and larger surprises than the
# Gaussian model says (a shadow moves, a style bends what the scene does not show)
_SIGMAS = 8.5
# the same of the whole product: over all its patches such surprises are rarer than over one part's
_WHOLE_SIGMAS = 6.5
# of a shift, what a part's own pixels must show of it to be named first, and for all of it to count
_SHOWN = 0.4
# how much counts of a strip's shift: its pixels show what lies beside it as well
_STRIP = 0.25
# and the CIEDE2000 that must be certain of it
_ENOUGH = 0.5


@dataclass(frozen=True)
class Suspect:
    """A colour that may be astray.

    Parameters
    ----------
    words
        What it is the colour of: "the cap", "the red of the label", "the whole product".
    regions
        Which of the patches' regions.
    delta_e
        The best estimate of its drift, CIEDE2000 of the base colour.
    certain
        What of it is left once the light has been given the benefit of the doubt: little of a drift that is
        as large as light makes by chance, nearly all of one that is far larger.
    shift
        As measured.
    shown
        Share of the shift that its pixels show before light is set aside.
    """

    words: str
    regions: tuple[int, ...]
    delta_e: float
    certain: float
    shift: Shift
    shown: float = 1.0


@dataclass(frozen=True)
class Accusation:
    """What the models of light say together.

    Parameters
    ----------
    suspects
        As the model says that accuses most, for as much as it is believed; the one to name first.
    certain
        The largest CIEDE2000 that each model is certain of, weighed by how far it is believed.
    """

    suspects: tuple[Suspect, ...]
    certain: float


def accused(
    patches: Patches, residuals: Sequence[Residual], told: Sequence[int], believed: Doubles
) -> Accusation:
    """Weigh what each model accuses of: another renderer's light may acquit, but it accuses nobody alone.

    Parameters
    ----------
    residuals
        The picture under the models of `scoring.relight.load`.
    told
        The regions that something is known of.
    believed
        How far each of them is (`scoring.relight.belief`).
    """
    said = [suspects(patches, residual, told) for residual in residuals]
    own, another = (max(one.certain for one in found) for found in said)
    # named is whom the model accuses that has more of a part in it
    parts = believed * (own, min(own, another))
    return Accusation(tuple(said[int(np.argmax(parts))]), float(parts.sum()))


def suspects(patches: Patches, residual: Residual, told: Sequence[int]) -> list[Suspect]:
    """Every colour, every part and the whole product; the one to name first.

    Parameters
    ----------
    told
        The regions that something is known of.
    """
    names: dict[tuple[int, ...], str] = {}
    by_part: dict[int, list[int]] = {}
    for k in told:
        by_part.setdefault(patches.regions[k].index, []).append(k)
    for ks in by_part.values():
        part = spoken(patches.regions[ks[0]].part)
        names[tuple(ks)] = part
        if len(ks) > 1:
            for k in ks:
                names[(k,)] = f"the {colour_word(patches.regions[k].lab)} of {part}"
    everything = tuple(sorted(told))
    if everything not in names:
        names[everything] = "the whole product"
    found = [_suspect(words, ks, patches, residual, ks == everything) for ks, words in names.items()]
    # of those that accuse each other, the one whose own pixels show it is named: what only shows because the
    # light was guessed to hide it is a poor accusation; then that of which more is known
    shown = [one for one in found if one.shown >= _SHOWN and one.certain >= _ENOUGH] or found
    most = max(one.certain for one in shown)
    return sorted(found, key=lambda one: (one not in shown, one.certain < 0.4 * most, -one.shift.sigmas))


def _suspect(words: str, ks: tuple[int, ...], patches: Patches, residual: Residual, whole: bool) -> Suspect:
    chosen = np.isin(patches.region, ks)
    shift = residual.shift(chosen)
    chance = _WHOLE_SIGMAS if whole else _SIGMAS
    regions = [patches.regions[k] for k in ks]
    pixels = np.array([float(region.pixels) for region in regions])
    lab = np.array([region.lab for region in regions])

    def delta_e(logs: Doubles) -> float:
        return float(_difference(lab, logs) @ pixels / pixels.sum())

    of_all = delta_e(shift.logs * _sure(shift.sigmas, chance))
    of_hue = delta_e(shift.only_hue * _sure(shift.hue_sigmas, chance))
    shown, certain = residual.shows(chosen, shift), max(of_all, of_hue)
    if not whole:
        certain *= min(max(shown / _SHOWN, 0.0), 1.0)
    if all(region.strip for region in regions):
        certain *= _STRIP
    return Suspect(words, ks, delta_e(shift.logs), certain, shift, shown)


def _sure(sigmas: float, chance: float) -> float:
    """Which share of a shift counts: half of one that lies `chance` standard deviations from none."""
    return float(sigmas**6 / (sigmas**6 + chance**6))


def _difference(lab: Doubles, logs: Doubles) -> Doubles:
    """CIEDE2000 of base colours to themselves under factors."""
    moved = (np.clip(from_lab(lab), 0, 1) + DARK) * np.exp(np.clip(logs, -3, 3)) - DARK
    return ciede2000(lab, to_lab(np.clip(moved, 0, 1.5)))


def spoken(part: str) -> str:
    """What a sentence calls a part: "the cap", or "a part (outlined)" where only a tool has named it."""
    words = " ".join(word for word in part.replace("_", " ").replace("-", " ").split() if not word.isdigit())
    return f"the {words}" if named(words) else "a part (outlined)"


def colour_word(lab: tuple[float, float, float]) -> str:
    """What a person calls a colour.

    Parameters
    ----------
    lab
        CIELAB.
    """
    lightness, a, b = lab
    chroma, hue = float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)) % 360)
    if lightness < 18 and chroma < 12:
        return "black"
    if chroma < 8:
        return "white" if lightness > 88 else "grey"
    if chroma < 25 and 45 < hue < 110 and lightness > 65:
        return "beige"
    if 30 < hue < 85 and lightness < 48 and chroma < 50:
        return "brown"
    bounds = ((15, "pink"), (48, "red"), (72, "orange"), (105, "yellow"), (170, "green"), (220, "teal"),
              (304, "blue"), (335, "purple"), (361, "pink"))  # fmt: skip
    word = next(name for end, name in bounds if hue < end)
    return "red" if word == "pink" and (lightness < 45 or (chroma > 55 and hue < 15)) else word
