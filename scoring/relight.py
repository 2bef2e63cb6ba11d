"""How honest light may change the colours of a product's patches together, and what it cannot explain.

Light that strays (another direction, a warmer sky, the rough light of an editor) changes all patches of a
product in a way that their normals, their place and their base colours govern. What was learned from many
relit products (`training/colour_null.py`) is the covariance of those changes; a colour that is astray is what
this covariance cannot explain. It is a Gaussian model of few numbers: light that varies with where a surface
faces and lies and with how light it is, a smooth field over the picture, noise of each patch and of each
region that grows where pictures are dark, uneven or restyled, and what the scene leaves open about the style.

Most pictures are not restyled, or only warmed: what a style does beyond a gain is believed as far as the
scene insists on it (`steadied`), or a codec's noise in a grey scene is taken for a curve of the product's
red.

There are two such models: of light as the stage draws it, and of light as another renderer does, which
mirrors another room and develops by another curve (`veils_of`). Which of them a picture is, it says itself
(`belief`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.errors import FixSettings
from scoring.colour_regions import AXES, DARK, FEATURES, LUMINANCE, OPEN, Patches
from scoring.style import Style

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FOLDER = Path(__file__).parent.parent / "assets" / "models" / "checks" / "colour"
FACTORS = 10
VEILS = 9
FIELDS = 2
# degrees of freedom of Student's t: how firmly the model's own idea of a picture's unevenness is held
PRIOR = 8.0
# patches of at most this share of their region that differ by more than this in hue show something else
FEW, STRAY = 0.3, 0.2
# so do patches whose own pixels differ by more than this in hue: registration missed them
MIXED = 0.3
SIZE = FEATURES.index("pixels")
# how strongly a style is drawn to a gain of each channel, as a share of the scene's pixels
STEADY = 0.029
# grey levels by which the scene may be explained worse for that; a real curve or a decoder costs it more
INSISTS = 0.25
_MIDDLE = 128.0
# before a picture is looked at: that the stage drew it, that another renderer did
_BEFORE = (0.75, 0.25)
# patches agree with their neighbours, so their evidence is worth less than as many independent ones'
_TEMPER = 8.0
# linear light that is added, of which `veils_of` has the shape
_VEIL = np.float32(0.03)


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
    """What a patch's noise depends on, float32 (N, I)."""
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


def steadied(style: Style) -> Style:
    """The style drawn to a gain of each channel, as far as the scene lets it, with what that leaves open.

    Its fit is drawn to no change so gently that what the scene hardly shows is anybody's guess; that suits a
    scene, which it explains, but not a product in colours that the scene lacks. All that the fit knew is in
    its normal equations, so that the pictures need not be looked at again.
    """
    roots = np.linalg.inv(style.freedom.astype(np.float64))
    told = roots.transpose(0, 2, 1) @ roots
    before = style.coefficients.astype(np.float64)[..., None]
    # the gain alone is left as it is, so all that the others are drawn to is nought
    pull = np.diag([0.0, *[STEADY] * (before.shape[1] - 1)])
    drawn = np.linalg.solve(told + pull, told @ before)
    worse = _MIDDLE * float(np.sqrt(np.square(roots @ (drawn - before)).sum((1, 2)).mean()))
    pull *= min(1.0, (INSISTS / max(worse, 1e-6)) ** 4)
    normal = told + pull
    freedom = np.linalg.inv(np.linalg.cholesky(normal)).transpose(0, 2, 1)
    rows = np.linalg.solve(normal, told @ before)[..., 0]
    return replace(style, coefficients=rows.astype(np.float32), freedom=freedom.astype(np.float32))


def style_inputs(style: Style) -> Doubles:
    """What the doubt about a steadied style depends on, (3,): how much it does beside gains, its noise."""
    bend = np.sqrt(np.square(style.coefficients[:, 1:].astype(np.float64)).sum(1).mean())
    return np.array([1.0, np.log(bend + 0.003), np.log(style.noise + 0.1)])


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


def basis_of(patches: Patches) -> Floats:
    """What light varies with, patch by patch, float32 (N, FACTORS)."""
    f = patches.features
    x, y, z, across, down, base, light = (f[:, k] for k in (0, 1, 2, 3, 4, 5, 8))
    base, light = np.clip(base / 2, -2.5, 1), np.clip(light, -2, 2)
    columns = [np.ones_like(x), x, y, z, light, base, across, down, light * base, light * light]
    return np.stack(columns, 1).astype(np.float32)


def veils_of(patches: Patches) -> Floats:
    """What another renderer may do to all three channels together, patch by patch, float32 (N, 3, VEILS).

    Light that a surface mirrors is added to what it scatters: white or of any colour, and more where it faces
    a window. A curve with a toe takes such light away, one with more contrast or more colour stretches the
    channels. Each is a way in which logarithms of red, green and blue move, here on `AXES`.
    """
    c = to_linear(np.clip(patches.shown, 0, 255) / np.float32(255))
    added = np.log1p(_VEIL / (c + np.float32(DARK)))
    luminance = (c @ LUMINANCE)[:, None]
    facing = patches.features[:, :3]
    ways = [added]
    ways += [added * np.eye(3, dtype=np.float32)[k] for k in range(3)]
    ways += [added * facing[:, k : k + 1] for k in range(3)]
    ways += [np.log((c + np.float32(DARK)) / np.float32(0.18))]
    ways += [np.clip((c - luminance) / (c + np.float32(DARK)), -1.5, 1.5)]
    return np.asarray(np.einsum("ac,nck->nak", AXES, np.stack(ways, 2)), np.float32)


@dataclass(frozen=True)
class Relight:
    """The learned model; `load` reads it.

    Parameters
    ----------
    arrays
        By name: "mean" and "scale" of the inputs; "light" (FACTORS, 3), logarithms of how much light varies
        with each of `basis_of` on each axis; "noise" and "own" (1 + I, 3), logarithms of the variances of
        patches and of regions, linear in the inputs; "style" (2, 3), logarithms of how far styles err in each
        channel by itself and in all alike, linear in `style_inputs`; "veil" (VEILS,), logarithms of how
        much of each of `veils_of` there is; "field width" and "field" (FIELDS, and
        by 3), logarithms of the smooth field's widths and variances. A model without "veil" has none.
    """

    arrays: dict[str, Floats]

    def covariance(self, patches: Patches, inputs: Floats, loadings: Floats, style: Style) -> Doubles:
        """Covariance (3N, 3N) of the patches' differences under honest light."""
        a = self.arrays
        count = len(inputs)
        x = np.clip((inputs.astype(np.float64) - a["mean"]) / a["scale"], -3, 3)
        factors = basis_of(patches)[:, None, :] * np.exp(a["light"].T)[None]
        alone, alike = np.exp(a["style"] @ style_inputs(style))
        rows = loadings.reshape(count * 3, 3, -1).astype(np.float64)
        by_channel, together = rows.reshape(count * 3, -1) * alone, rows.sum(1) * alike
        total = by_channel @ by_channel.T + together @ together.T
        if "veil" in a:
            veils = veils_of(patches).reshape(count * 3, VEILS).astype(np.float64) * np.exp(a["veil"])
            total += veils @ veils.T
        place = patches.features[:, 3:5].astype(np.float64)
        apart = np.square(place[:, None] - place[None]).sum(-1)
        own = np.zeros((count, 3))
        for one in range(len(patches.regions)):
            at = patches.region == one
            own[at] = np.exp((x[at].mean(0) @ a["own"][1:] + a["own"][0]) / 2)
        same = patches.region[:, None] == patches.region[None]
        for axis in range(3):
            block = factors[:, axis] @ factors[:, axis].T + np.outer(own[:, axis], own[:, axis]) * same
            for width, strength in zip(a["field width"], a["field"], strict=True):
                block = block + np.exp(strength[axis]) * np.exp(-apart * np.exp(-2 * width) / 2)
            total[axis::3, axis::3] += block
        total[np.diag_indices(3 * count)] += np.exp(x @ a["noise"][1:] + a["noise"][0]).ravel() + 1e-6
        return np.asarray(total, np.float64)


@dataclass(frozen=True)
class Residual:
    """A candidate's differences beside what light explains; answers which sets of patches are astray.

    Parameters
    ----------
    whitened, precision
        Of the patches' differences, float64 (3N,) and (3N, 3N).
    misfit
        Mean square, in standard deviations, of how the patches of one region differ among themselves: about
        1 where the picture is as the model expects, more where a decoder or a codec bent its colours. All
        doubts grow with it, as in Student's t: what is uneven everywhere accuses nobody.
    raw
        The differences themselves, float32 (N, 3); NaN where a patch says nothing.
    evidence
        How well the model foretold the differences, as a log likelihood (Student's t).
    """

    whitened: Doubles
    precision: Doubles
    misfit: float = 1.0
    raw: Floats | None = None
    evidence: float = 0.0

    @staticmethod
    def of(
        model: Relight, patches: Patches, style: Style, measured: tuple[Floats, Floats, Floats]
    ) -> Residual:
        """Weigh what `scoring.colour_regions.observed` measured."""
        difference, spread, open_share = measured
        inputs = inputs_of(patches, spread, open_share, style)
        covariance = model.covariance(patches, inputs, style_loadings(patches, style), style)
        # what is clipped says nothing, and what shows something else says nothing of its colour
        dull = (open_share < OPEN) | (spread[:, 1:].max(1) > MIXED)
        blind = np.repeat(dull | _strays(patches, difference, ~dull), 3)
        rest = difference.ravel().astype(np.float64)
        evidence = _likelihood(covariance[np.ix_(~blind, ~blind)], rest[~blind])
        covariance[blind, blind] += 1e3
        precision = np.asarray(np.linalg.inv(covariance), np.float64)
        whitened = precision @ rest
        misfit = _unevenness(patches, rest, whitened, precision, blind)
        raw = np.where(blind.reshape(-1, 3), np.float32(np.nan), difference)
        return Residual(whitened, precision, misfit, np.asarray(raw, np.float32), evidence)

    def shows(self, chosen: NDArray[np.bool_], shift: Shift) -> float:
        """How much of a shift the chosen patches show before the light is set aside, 1 is all of it.

        A shift that is only there because the light was guessed to hide it is a poor accusation.
        """
        if self.raw is None:
            return 1.0
        own = self.raw[chosen]
        own = own[np.isfinite(own).all(1)]
        length = float(shift.axes @ shift.axes)
        return float(np.median(own @ shift.axes)) / length if len(own) and length > 0 else 0.0

    def shift(self, chosen: NDArray[np.bool_]) -> Shift:
        """The common shift of the chosen patches, bool (N,), that explains them best beside the light."""
        at = np.flatnonzero(chosen)
        gain, pull = np.empty((3, 3)), np.empty(3)
        for i in range(3):
            pull[i] = self.whitened[3 * at + i].sum()
            for j in range(3):
                gain[i, j] = self.precision[np.ix_(3 * at + i, 3 * at + j)].sum()
        doubt = np.asarray(np.linalg.inv(gain + np.eye(3) * 1e-3), np.float64)
        best = doubt @ pull
        hue = float(best[1:] @ np.linalg.solve(doubt[1:, 1:], best[1:]))
        sigmas, hue_sigmas = (max(one / self.misfit, 0.0) ** 0.5 for one in (float(pull @ best), hue))
        return Shift(best, doubt * self.misfit, sigmas, hue_sigmas)


def belief(residuals: Sequence[Residual]) -> Doubles:
    """How far each of the models that `load` gives is to be believed, float64 (2,), sum 1.

    Parameters
    ----------
    residuals
        The same picture under each of them, in their order.
    """
    told = np.array([one.evidence for one in residuals]) / _TEMPER + np.log(_BEFORE)
    odds = np.exp(told - told.max())
    return np.asarray(odds / odds.sum(), np.float64)


def _likelihood(covariance: Doubles, rest: Doubles) -> float:
    """The logarithm of Student's t, but for what all models share."""
    factor = np.linalg.cholesky(covariance)
    white = np.linalg.solve(factor, rest)
    tail = (PRIOR + len(rest)) / 2 * np.log1p(white @ white / PRIOR)
    return float(-np.log(np.diag(factor)).sum() - tail)


def _strays(patches: Patches, difference: Floats, told: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Few patches of a region whose hue is far from its others': an edge, a neighbour, a reflection there."""
    out = np.zeros(len(told), bool)
    sizes = np.exp(patches.features[:, SIZE].astype(np.float64))
    for one in range(len(patches.regions)):
        at = np.flatnonzero((patches.region == one) & told)
        if len(at) < 3:
            continue
        # the median over pixels, each with its patch's value
        order = np.argsort(difference[at, 1:], 0)
        reached = np.cumsum(sizes[at][order], 0)
        middle = (reached < reached[-1] / 2).sum(0)
        usual = difference[at, 1:][order[middle, (0, 1)], (0, 1)]
        apart = np.abs(difference[at, 1:] - usual).max(1)
        far = apart > max(STRAY, 5 * float(np.median(apart)))
        if sizes[at][far].sum() <= FEW * sizes[at].sum():
            out[at[far]] = True
    return out


def _unevenness(
    patches: Patches, rest: Doubles, whitened: Doubles, precision: Doubles, blind: NDArray[np.bool_]
) -> float:
    """`Residual.misfit`: what is left once each region has its own shift on each axis."""
    count = len(patches.regions)
    member = (patches.region[:, None] == np.arange(count)).astype(np.float64)
    shifts = np.kron(member, np.eye(3))
    gain = shifts.T @ precision @ shifts + np.eye(3 * count) * 1e-3
    pull = shifts.T @ whitened
    left = float(rest @ whitened - pull @ np.linalg.solve(gain, pull))
    freedom = max(0, len(rest) - int(blind.sum()) - 3 * count)
    return max(1.0, (PRIOR + left) / (PRIOR + freedom))


@lru_cache(maxsize=4)
def load(folder: Path = FOLDER) -> tuple[Relight, Relight]:
    """Read the learned models: of the stage's own light, and of another renderer's.

    Raises
    ------
    FixSettings
        Where the file is missing.
    """
    from safetensors.numpy import load_file

    files = [folder / f"{name}.safetensors" for name in ("relight", "another")]
    for file in files:
        if not file.is_file():
            raise FixSettings(f"The colour check's numbers {file} are missing; restore the file.")
    own, another = (Relight(dict(load_file(file))) for file in files)
    return own, another
