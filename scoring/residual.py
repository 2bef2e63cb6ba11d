"""What light does not explain: a registered candidate against its render, relit as the candidate is.

The render is lit by the scene's light; the candidate by one like it, and drawn by somebody with another idea
of contrast and of what dark surfaces mirror. How their logarithms differ is fitted by a smooth function of
where surfaces face and lie and of how light they are, robustly, so that a defect does not explain itself.
What is left is counted only where it leaves all that the relit render shows within a pixel: a product that is
registered half a pixel off, or drawn a little softer, is no defect.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

#: Grey levels that are added before a logarithm: darker differences are noise.
DARK = 8.0
_HUE_DARK = 16.0
# grey levels of `Residual.excess` at which hot pixels are counted as one place
LEVELS = (12.0, 20.0, 30.0, 45.0)
#: Pixels that count as the product where it has fewer: a thin one's share is soon large.
LEAST_AREA = 2000
# of a place, so that none at all has a logarithm
_LEAST = 0.003
# pixels of the fit, and its rounds
_FEW, _ROUNDS = 60, 4
# how strongly each coefficient is held to zero: level, where it faces (8), where it lies (2), its tone (2),
# what is added where it is dark (9), what it mirrors (9)
_HELD = np.diag([1e-3] + [0.02] * 8 + [0.05] * 2 + [0.02] * 2 + [0.005] * 18)
# from where a surface is looked at: cameras look down a little
_EYE = np.array([0.0, 0.25, 0.97], np.float32)
# times brighter the middle tone may be than what light is added to
_DARKEST = 4.0
# nobody's light differs by more, as a logarithm
_MOST = 1.5
_SMOOTH = 8.0
_LUMA = np.array([[0.25, 0.6, 0.15]], np.float32)


@dataclass(frozen=True)
class Residual:
    """What light does not explain, in the window's pixels.

    Parameters
    ----------
    relit
        What an honest picture would show under the candidate's light, sRGB 0 to 300, float32 (S, S, 3).
    brighter, darker
        Grey levels by which the candidate leaves the range of `relit` within a pixel, the worst channel;
        negative within it; float32 (S, S).
    hue
        The same of the logarithms of red to green and blue to green.
    """

    relit: Floats
    brighter: Floats
    darker: Floats
    hue: Floats

    @property
    def excess(self) -> Floats:
        """The larger of `brighter` and `darker`."""
        return np.maximum(self.brighter, self.darker)


def residual(seen: Floats, expected: Floats, base: Floats, cover: Floats, normals: Floats) -> Residual:
    """Compare a candidate with its render.

    Parameters
    ----------
    seen, expected, base
        Registered candidate, render lit by the scene's light, and base photo, sRGB 0 to 255, float32
        (S, S, 3).
    cover
        The render's coverage, 0 to 1, float32 (S, S).
    normals
        World normals, -1 to 1, float32 (S, S, 3).
    """
    fit = relighting(seen, expected, cover, normals)
    part = cover[..., None]
    relit = np.clip((expected + DARK) * cv2.exp(fit) - DARK, 0, 300) * part + base * (1 - part)
    relit = np.asarray(relit, np.float32)
    soft, wanted = _softened(seen, 0.8), _softened(relit, 0.8)
    above, below = _beyond(soft, wanted)
    hues = (_hue(_softened(one, 1.0)) for one in (seen, relit))
    more, less = _beyond(*hues)
    return Residual(relit, _most(above), _most(below), np.maximum(_most(more), _most(less)))


def relighting(seen: Floats, expected: Floats, cover: Floats, normals: Floats) -> Floats:
    """By how much the candidate's light differs from the render's, as a logarithm: float32 (S, S, 3).

    Spherical harmonics of the second order in the normal (Ramamoorthi and Hanrahan 2001), a slope across the
    picture and a parabola in the render's own tone; the same harmonics of light that is added rather than
    multiplied, which shows the more the darker a surface is; and powers of where a mirror there would look.
    Fitted to the logarithm of candidate over render by least squares reweighted as Geman and McClure do.
    """
    side = cover.shape[0]
    solid = cv2.erode(cover, np.ones((3, 3), np.uint8)) > 0.9
    solid[1::2], solid[:, 1::2] = False, False
    where = np.flatnonzero(solid)
    if len(where) < _FEW:
        where = np.flatnonzero(cover > 0.8)
    if len(where) < _FEW // 2:
        return np.zeros(seen.shape, np.float32)
    rows, columns = np.divmod(where, side)
    a, b = (cv2.log(one.reshape(-1, 3)[where] + np.float32(DARK)) for one in (seen, expected))
    tone = b @ _LUMA[0]
    middle = np.float32(np.median(tone))
    basis = _basis(normals.reshape(-1, 3)[where], columns, rows, side, tone - middle)
    apart = a - b
    weight = np.ones(len(where), np.float32)
    coefficients = np.zeros((basis.shape[1], 3))
    for _ in range(_ROUNDS):
        weighted = (basis * weight[:, None]).T
        coefficients = np.linalg.solve(weighted @ basis + _HELD * len(where), weighted @ apart)
        left = _most(np.abs(apart - basis @ coefficients))
        width = max(3 * float(np.median(left)), 0.06)
        weight = np.asarray(1 / (1 + (left / width) ** 2), np.float32)
    inside = np.flatnonzero(cover > 0)
    rows, columns = np.divmod(inside, side)
    fit = np.zeros((side * side, 3), np.float32)
    tone = cv2.log(expected.reshape(-1, 3)[inside] + np.float32(DARK)) @ _LUMA[0] - middle
    basis = _basis(normals.reshape(-1, 3)[inside], columns, rows, side, tone)
    fit[inside] = basis @ coefficients.astype(np.float32)
    return np.clip(fit, -_MOST, _MOST).reshape(seen.shape)


def _basis(
    normals: Floats, columns: NDArray[np.int64], rows: NDArray[np.int64], side: int, tone: Floats
) -> Floats:
    x, y, z = normals.T
    across, down = columns / np.float32(side) - 0.5, rows / np.float32(side) - 0.5
    faces = [np.ones(len(x)), x, y, z, x * x - 1 / 3, y * y - 1 / 3, x * y, x * z, y * z]
    dark = np.clip(np.exp(-tone), 0, _DARKEST) - 1
    added = [dark * one for one in faces]
    u, v, w = (2 * (normals @ _EYE)[:, None] * normals - _EYE).T
    mirrored = [u * u, v * v, u * v, u * w, v * w, u**3, v**3, u * u * v, u * v * v]
    terms = [*faces, across, down, tone, tone * tone, *added, *mirrored]
    return np.stack(terms, 1).astype(np.float32)


def _beyond(seen: Floats, wanted: Floats) -> tuple[Floats, Floats]:
    """How far `seen` lies above and below all that `wanted` has within a pixel."""
    kernel = np.ones((3, 3), np.uint8)
    above, below = seen - cv2.dilate(wanted, kernel), cv2.erode(wanted, kernel) - seen
    return np.asarray(above, np.float32), np.asarray(below, np.float32)


def _softened(picture: Floats, by: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), by), np.float32)


def _hue(picture: Floats) -> Floats:
    """Logarithms of red to green and blue to green, float32 (S, S, 2)."""
    logs = cv2.log(picture + np.float32(_HUE_DARK))
    return np.stack([logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], -1)


def _most(values: Floats) -> Floats:
    """The largest of the last axis; NumPy's own maximum over a short axis is slow."""
    return np.asarray(np.maximum.reduce([values[..., i] for i in range(values.shape[-1])]), np.float32)


def contrast(picture: Floats) -> Floats:
    """Luminance's logarithm less its local mean, in its local spread: dark parts show as bright ones do.

    Parameters
    ----------
    picture
        sRGB 0 to 255, float32 (S, S, 3).
    """
    light = cv2.log(cv2.transform(picture, _LUMA) + np.float32(4))
    mean = cv2.GaussianBlur(light, (0, 0), _SMOOTH)
    spread = cv2.GaussianBlur(light * light, (0, 0), _SMOOTH) - mean * mean
    return np.asarray((light - mean) / np.sqrt(np.maximum(spread, 0) + 0.01), np.float32)


def largest(excess: Floats, cover: Floats) -> float:
    """How large the largest place is that light does not explain: the mean of logarithms over `LEVELS`.

    Parameters
    ----------
    excess
        `Residual.excess`.
    cover
        The render's coverage, 0 to 1; a rim of a pixel is left out.
    """
    core = cv2.erode(cover, np.ones((3, 3), np.uint8)) > 0.9
    area = max(int((cover > 0.5).sum()), LEAST_AREA)
    logs = []
    for level in LEVELS:
        stats = cv2.connectedComponentsWithStats(((excess > level) & core).astype(np.uint8))[2]
        logs.append(np.log(float(stats[1:, cv2.CC_STAT_AREA].max(initial=0)) / area + _LEAST))
    return float(np.mean(logs))
