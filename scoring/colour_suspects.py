"""Who is suspected of a wrong colour: each swatch, each part, the whole product; and on what grounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packline.colour import ciede2000, from_lab, to_lab
from packline.errors import FixSettings
from scoring.colour_regions import DARK, Patches
from scoring.relight import FOLDER, Residual, Shift
from scoring.style import Style

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# standard deviations that are taken off a shift for its certain part: what light might just explain
_SIGMAS = 2.5

FACTS = (
    "sigmas", "hue sigmas", "delta e", "certain delta e", "hue delta e", "lightness", "lightness doubt",
    "hue doubt", "share", "patches", "whole", "part", "base lightness", "base red", "base yellow",
    "style strength", "style noise", "style known", "regions", "misfit", "all patches",
)  # fmt: skip


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
        What of it is left once the light has been given the benefit of the doubt.
    shift
        As measured.
    facts
        What the verdict rests on, float32 (F,): see `FACTS`.
    """

    words: str
    regions: tuple[int, ...]
    delta_e: float
    certain: float
    shift: Shift
    facts: Floats


def suspects(patches: Patches, residual: Residual, told: Sequence[int], style: Style) -> list[Suspect]:
    """Every colour, every part and the whole product.

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
        part = f"the {_spoken(patches.regions[ks[0]].part)}"
        names[tuple(ks)] = part
        if len(ks) > 1:
            for k in ks:
                names[(k,)] = f"the {colour_word(patches.regions[k].lab)} of {part}"
    names[tuple(told)] = "the product" if len(told) == 1 else "the whole product"
    return [_suspect(words, ks, patches, residual, style, len(told)) for ks, words in names.items()]


def _suspect(
    words: str,
    ks: tuple[int, ...],
    patches: Patches,
    residual: Residual,
    style: Style,
    told: int,
) -> Suspect:
    at = np.isin(patches.region, ks)
    shift = residual.shift(at)
    regions = [patches.regions[k] for k in ks]
    pixels = np.array([float(region.pixels) for region in regions])
    lab = np.array([region.lab for region in regions])

    def delta_e(logs: Doubles) -> float:
        return float(_difference(lab, logs) @ pixels / pixels.sum())

    kept = max(0.0, 1 - _SIGMAS / max(shift.sigmas, 1e-9))
    full, certain = delta_e(shift.logs), delta_e(shift.logs * kept)
    hue = delta_e(shift.only_hue)
    everything = sum(region.pixels for region in patches.regions)
    middle = (lab * pixels[:, None]).sum(0) / pixels.sum()
    doubt = np.sqrt(np.maximum(np.diag(shift.doubt), 0))
    facts = [
        np.log1p(shift.sigmas),
        np.log1p(shift.hue_sigmas),
        np.log1p(full),
        np.log1p(certain),
        np.log1p(hue),
        np.clip(shift.axes[0], -2, 2),
        np.log(doubt[0] + 1e-3),
        np.log(doubt[1:].mean() + 1e-3),
        np.log(pixels.sum() / everything + 1e-3),
        np.log(float(at.sum())),
        float(len(ks) == told),
        float(len(ks) > 1),
        *(middle / 50),
        style.strength,
        np.log(style.noise + 0.1),
        float(style.known),
        np.log(float(told)),
        np.log1p(residual.misfit),
        np.log(float(len(patches.region))),
    ]
    return Suspect(words, ks, full, certain, shift, np.asarray(facts, np.float32))


def _difference(lab: Doubles, logs: Doubles) -> Doubles:
    """CIEDE2000 of base colours to themselves under factors."""
    moved = (np.clip(from_lab(lab), 0, 1) + DARK) * np.exp(np.clip(logs, -3, 3)) - DARK
    return ciede2000(lab, to_lab(np.clip(moved, 0, 1.5)))


@dataclass(frozen=True)
class Verdicts:
    """A small network, learned from many shifted colours: how surely a suspect's colour is astray.

    Parameters
    ----------
    arrays
        "mean" and "scale" of the facts; "w1", "b1", "w2", "b2", "w3", "b3" of two hidden layers of tanh.
    """

    arrays: dict[str, Floats]

    def guilt(self, facts: Floats) -> Doubles:
        """Log odds, float64 (S,), from the facts of S suspects, (S, F)."""
        a = self.arrays
        x = np.clip((facts.astype(np.float64) - a["mean"]) / a["scale"], -5, 5)
        hidden = np.tanh(np.tanh(x @ a["w1"] + a["b1"]) @ a["w2"] + a["b2"])
        return np.asarray((hidden @ a["w3"] + a["b3"])[:, 0])


@lru_cache(maxsize=4)
def load_verdicts(folder: Path = FOLDER) -> Verdicts:
    """Read the learned network.

    Raises
    ------
    FixSettings
        Where the file is missing.
    """
    from safetensors.numpy import load_file

    file = folder / "verdicts.safetensors"
    if not file.is_file():
        raise FixSettings(f"The colour check's numbers {file} are missing; restore the file.")
    return Verdicts(dict(load_file(file)))


def _spoken(part: str) -> str:
    """A part's name as a person says it: without numbers and underscores."""
    words = [word for word in part.replace("_", " ").replace("-", " ").split() if not word.isdigit()]
    return " ".join(words) or "product"


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
    if 30 < hue < 85 and lightness < 48:
        return "brown"
    bounds = ((15, "pink"), (48, "red"), (72, "orange"), (105, "yellow"), (170, "green"), (220, "teal"))
    bounds = (*bounds, (292, "blue"), (335, "purple"), (361, "pink"))
    word = next(name for end, name in bounds if hue < end)
    return "red" if word == "pink" and (lightness < 45 or (chroma > 55 and hue < 15)) else word
