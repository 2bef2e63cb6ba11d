"""How honest light may change the colours of a product's patches together, and what it cannot explain.

Light that strays (another direction, a warmer sky, the rough light of an editor) changes all patches of a
product in a way that their normals, their place and their base colours govern. What was learned from many
relit products (`training/colour_null.py`) is the covariance of those changes; a colour that is astray is what
this covariance cannot explain. It is a Gaussian model: a small network gives each patch its loadings on
common factors and its own noise; a smooth field over the picture, a share of each region's own, and what the
scene leaves open about the style are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.errors import FixSettings
from scoring.colour_regions import AXES, DARK, Patches
from scoring.style import Style

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FOLDER = Path(__file__).parent.parent / "assets" / "models" / "checks" / "colour"
FACTORS = 10
FIELDS = 2


@dataclass(frozen=True)
class Shift:
    """A common shift of some patches that light does not explain.

    Parameters
    ----------
    axes
        On `scoring.colour_regions.AXES`, float64 (3,): lightness, red against green, blue against green.
    doubt
        Their covariance, float64 (3, 3).
    sigmas
        How many standard deviations it is away from none.
    hue_sigmas
        The same of red and blue against green alone, whatever the lightness: light that is blocked or comes
        from elsewhere changes lightness by much and colours by little.
    """

    axes: Doubles
    doubt: Doubles
    sigmas: float
    hue_sigmas: float

    @property
    def logs(self) -> Doubles:
        """Logarithms of the factors of red, green and blue, float64 (3,)."""
        return np.asarray(np.linalg.solve(AXES.astype(np.float64), self.axes))

    @property
    def only_hue(self) -> Doubles:
        """`logs` of a shift that leaves the lightness."""
        return np.asarray(np.linalg.solve(AXES.astype(np.float64), self.axes * (0, 1, 1)))


def inputs_of(patches: Patches, spread: Floats, open_share: Floats, style: Style) -> Floats:
    """What the network is asked about each patch, float32 (N, I)."""
    count = len(patches.region)
    whole = np.array([style.strength, np.log(style.noise + 0.1), float(style.known)], np.float32)
    return np.concatenate(
        [
            patches.features,
            np.log(spread + np.float32(0.003)),
            open_share[:, None],
            np.repeat(whole[None], count, 0),
        ],
        1,
    ).astype(np.float32)


def style_loadings(patches: Patches, style: Style) -> Floats:
    """How the patches' differences move with what the scene leaves open about the style, (N, 3, 33)."""
    x, y = patches.place[:, 0], patches.place[:, 1]
    doubts = style.doubts(patches.shown, x, y)
    level = np.clip(style.at(patches.shown, x, y), 1, 254) / np.float32(255)
    step = np.float32(1 / 255)
    slope = (to_linear(level + step / 2) - to_linear(level - step / 2)) / (
        to_linear(level) + np.float32(DARK)
    )
    moved = doubts * slope[..., None]
    whole = np.zeros((len(x), 3, 3, doubts.shape[-1]), np.float32)
    for channel in range(3):
        whole[:, :, channel] = AXES[:, channel][None, :, None] * moved[:, channel][:, None]
    return whole.reshape(len(x), 3, -1)


@dataclass(frozen=True)
class Relight:
    """The learned model; `load` reads it.

    Parameters
    ----------
    arrays
        By name: "mean" and "scale" of the inputs, weights "w1", "b1", "w2", "b2", "w3", "b3" of the network
        (inputs to two hidden layers of tanh to loadings, noise and mean), "wr", "br" of a region's own share,
        "style" (3,), "field width" and "field" (`FIELDS`, and by 3).
    """

    arrays: dict[str, Floats]

    def covariance(
        self, patches: Patches, inputs: Floats, loadings: Floats, style: Style
    ) -> tuple[Doubles, Doubles]:
        """Mean (3N,) and covariance (3N, 3N) of the patches' differences under honest light."""
        a = self.arrays
        count = len(inputs)
        hidden, out = self._network(inputs)
        k = 3 * FACTORS
        factors = out[:, :k].reshape(count * 3, FACTORS)
        total = factors @ factors.T
        size = np.logaddexp(0, a["style"] @ np.array([1.0, style.strength, style.noise]))
        rows = loadings.reshape(count * 3, -1).astype(np.float64) * size
        total += rows @ rows.T
        place = patches.features[:, 3:5].astype(np.float64)
        apart = np.square(place[:, None] - place[None]).sum(-1)
        own = np.zeros((count, 3))
        for one in range(len(patches.regions)):
            at = patches.region == one
            own[at] = np.exp(hidden[at].mean(0) @ a["wr"] + a["br"])
        same = patches.region[:, None] == patches.region[None]
        for axis in range(3):
            block = np.sqrt(own[:, None, axis] * own[None, :, axis]) * same
            for width, strength in zip(a["field width"], a["field"], strict=True):
                block = block + np.exp(strength[axis]) * np.exp(-apart * np.exp(-2 * width) / 2)
            total[axis::3, axis::3] += block
        total[np.diag_indices(3 * count)] += np.exp(out[:, k : k + 3]).ravel() + 1e-6
        return out[:, k + 3 : k + 6].ravel(), total

    def _network(self, inputs: Floats) -> tuple[Doubles, Doubles]:
        a = self.arrays
        x = np.clip((inputs.astype(np.float64) - a["mean"]) / a["scale"], -4, 4)
        hidden = np.tanh(np.tanh(x @ a["w1"] + a["b1"]) @ a["w2"] + a["b2"])
        return hidden, hidden @ a["w3"] + a["b3"]


@dataclass(frozen=True)
class Residual:
    """A candidate's differences beside what light explains; answers which sets of patches are astray.

    Parameters
    ----------
    whitened, precision
        Of the patches' differences, float64 (3N,) and (3N, 3N).
    misfit
        Mean square of all differences in standard deviations: about 1 where light explains everything.
    """

    whitened: Doubles
    precision: Doubles
    misfit: float

    @staticmethod
    def of(
        model: Relight, patches: Patches, style: Style, measured: tuple[Floats, Floats, Floats]
    ) -> Residual:
        """Weigh what `scoring.colour_regions.observed` measured."""
        difference, spread, open_share = measured
        inputs = inputs_of(patches, spread, open_share, style)
        mean, covariance = model.covariance(patches, inputs, style_loadings(patches, style), style)
        # what is clipped says nothing
        blind = np.repeat(open_share < 0.2, 3)
        covariance[blind, blind] += 1e3
        precision = np.linalg.inv(covariance)
        rest = difference.ravel().astype(np.float64) - mean
        whitened = precision @ rest
        return Residual(whitened, precision, float(rest @ whitened) / max(len(rest), 1))

    def shift(self, chosen: NDArray[np.bool_]) -> Shift:
        """The common shift of the chosen patches, bool (N,), that explains them best beside the light."""
        at = np.flatnonzero(chosen)
        gain, pull = np.empty((3, 3)), np.empty(3)
        for i in range(3):
            pull[i] = self.whitened[3 * at + i].sum()
            for j in range(3):
                gain[i, j] = self.precision[np.ix_(3 * at + i, 3 * at + j)].sum()
        doubt = np.linalg.inv(gain + np.eye(3) * 1e-3)
        best = doubt @ pull
        hue = best[1:] @ np.linalg.solve(doubt[1:, 1:], best[1:])
        return Shift(best, doubt, float(np.sqrt(max(pull @ best, 0.0))), float(np.sqrt(max(hue, 0.0))))


@lru_cache(maxsize=4)
def load(folder: Path = FOLDER) -> Relight:
    """Read the learned model.

    Raises
    ------
    FixSettings
        Where the file is missing.
    """
    from safetensors.numpy import load_file

    file = folder / "relight.safetensors"
    if not file.is_file():
        raise FixSettings(f"The colour check's numbers {file} are missing; restore the file.")
    return Relight(dict(load_file(file)))
