"""Where the candidate put the product: a plane transform from the render to the candidate.

A candidate may place the product a little beside, larger or turned against its render. Shift and scale are
found by correlating the pictures' gradients (light hardly touches their direction), then refined to a
homography by the flow along edges and the outline (`scoring.planar_flow`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.planar_flow import over_scene, refined

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

# pictures are registered at this many pixels along the product's box
SIZE = 224
SCALES = (0.94, 0.97, 1.0, 1.03, 1.06)
# share of the product's box by which it may have moved
REACH = 0.22
# agreement of gradients from which nothing needs to be found
THERE = 0.9
# agreement under which the product may be farther away than a refinement reaches
LOST = 0.8
# steps of refinement, and how much agreement they may cost: the outline may know better than the inside
STEPS = 3
GIVE = 0.02
# pixels at `SIZE` under which a step is the last; share of the side that refinement may move a corner by
SETTLED = 0.2
FARTHEST = 0.08


@dataclass(frozen=True)
class Registration:
    """The transform found.

    Parameters
    ----------
    matrix
        Homography from the render's pixels to the candidate's, float64 (3, 3).
    agreement
        Normalised correlation of gradients under it, -1 to 1; None where the render has no structure.
    """

    matrix: NDArray[np.float64]
    agreement: float | None


def register(
    render: Floats,
    candidate: Floats,
    distance: Floats,
    box: tuple[int, int, int, int],
    base: Floats | None = None,
) -> Registration:
    """Find the product.

    Parameters
    ----------
    render, candidate
        Luma, float32 (H, W), 0 to 255.
    distance
        Pixels to the product's outline, negative inside, float32 (H, W).
    box
        Left, top, right, bottom of the product in the render.
    base
        Luma of the base photo; without it the product's outline takes no part.
    """
    left, top, right, bottom = box
    height, width = render.shape
    extent = max(right - left, bottom - top)
    identity = np.eye(3)
    if extent < 16:
        return Registration(identity, None)
    scale = min(1.0, SIZE / extent)
    pad = int(REACH * extent) + 4
    x0, y0 = max(0, left - pad), max(0, top - pad)
    cut = np.s_[y0 : min(height, bottom + pad), x0 : min(width, right + pad)]
    small = [shrunk(part[cut], scale) for part in (render, candidate, candidate if base is None else base)]
    away = shrunk(distance[cut], scale)
    inside = away < -3
    wanted, seen = gradients(small[0]), gradients(small[1])
    plain = inside.sum() < 100 or float(np.percentile(np.abs(wanted[inside]), 95)) < 3.0
    best = None if plain else agreement(wanted, seen, inside)
    if (best is None and base is None) or (best is not None and best > THERE):
        return Registration(identity, best)

    def closer(start: NDArray[np.float64], value: float | None) -> tuple[NDArray[np.float64], float | None]:
        """`start` refined, where that is no worse, and its agreement."""
        end = start
        for _ in range(STEPS):
            before, end = end, refined(small[0], small[1], small[2], away * scale, end)
            if _apart(before, end, inside.shape) < SETTLED:
                break
        if _apart(start, end, inside.shape) > FARTHEST * max(inside.shape):
            return start, value
        after = None if value is None else _under(wanted, small[1], inside, end)
        return (end, after) if value is None or after is None or after > value - GIVE else (start, value)

    found, best = closer(identity, best)
    outline = outlined(small, away * scale, found) if base is not None else None
    if best is not None and best < LOST and (outline is None or outline < LOST):
        # too far for a flow, or another product
        start = _shift_and_scale(wanted, seen, inside)
        matrix, value = closer(start, _under(wanted, small[1], inside, start))
        # a product without a print agrees inside with many a place: its outline must not fit worse there
        fits = outline is None or outlined(small, away * scale, matrix) > outline
        if value is not None and value > best and fits:
            found, best = matrix, value
    # from the small cut-out back to the picture
    to_small = np.array([[scale, 0, -x0 * scale], [0, scale, -y0 * scale], [0, 0, 1.0]])
    matrix = np.linalg.inv(to_small) @ found @ to_small
    return Registration(matrix / matrix[2, 2], best)


def shrunk(values: Floats, scale: float) -> Floats:
    """The map at `scale` of its size, averaged, float32."""
    return np.asarray(cv2.resize(values, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)


def gradients(grey: Floats) -> NDArray[np.complex64]:
    """Gradients of the logarithm as complex numbers: light multiplies, so it hardly shows in them."""
    logs = np.log(cv2.GaussianBlur(grey, (0, 0), 1.2) + 8.0) * 20
    across, down = cv2.Sobel(logs, cv2.CV_32F, 1, 0), cv2.Sobel(logs, cv2.CV_32F, 0, 1)
    return np.asarray(across + 1j * down, np.complex64)


def agreement(wanted: NDArray[np.complex64], seen: NDArray[np.complex64], where: Bools) -> float:
    """Normalised correlation of two gradient fields, -1 to 1."""
    a, b = wanted[where], seen[where]
    energy = np.sqrt(float(np.vdot(a, a).real) * float(np.vdot(b, b).real))
    return float(np.vdot(a, b).real / (energy + 1e-6))


def _under(
    wanted: NDArray[np.complex64], candidate: Floats, inside: Bools, matrix: NDArray[np.float64]
) -> float:
    size = (candidate.shape[1], candidate.shape[0])
    moved = cv2.warpPerspective(
        candidate,
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return agreement(wanted, gradients(np.asarray(moved, np.float32)), inside)


def outlined(small: Sequence[Floats], distance: Floats, matrix: NDArray[np.float64]) -> float:
    """Agreement of gradients, -1 to 1, of the candidate with the render over the base photo, outline and all.

    Parameters
    ----------
    small
        Luma of render, candidate and base photo.
    distance
        Pixels to the product's outline, negative inside.
    """
    size = (small[0].shape[1], small[0].shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen, behind = (
        np.asarray(
            cv2.warpPerspective(p, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
        )
        for p in small[1:]
    )
    expected = over_scene(small[0], seen, behind, distance)
    return agreement(gradients(expected), gradients(seen), distance < 3)


def _shift_and_scale(
    wanted: NDArray[np.complex64], seen: NDArray[np.complex64], inside: Bools
) -> NDArray[np.float64]:
    """The similarity (no turn) under which the gradients agree best, by FFT for each scale."""
    height, width = inside.shape
    middle = np.array([width / 2, height / 2])
    spectrum = np.fft.fft2(seen)
    # large gradients (a dark edge of the scene) must not outvote the product's many small ones
    energy = np.fft.fft2(np.square(np.abs(seen)))
    masked = np.where(inside, wanted, 0)
    reach_x, reach_y = int(REACH * width), int(REACH * height)
    best, found = -np.inf, np.eye(3)
    for scale in SCALES:
        matrix = np.array(
            [[scale, 0, middle[0] * (1 - scale)], [0, scale, middle[1] * (1 - scale)], [0, 0, 1.0]]
        )
        parts = [
            cv2.warpPerspective(np.ascontiguousarray(p), matrix, (width, height))
            for p in (masked.real, masked.imag)
        ]
        template = parts[0] + 1j * parts[1]
        area = cv2.warpPerspective(inside.astype(np.float32), matrix, (width, height))
        correlation = np.fft.ifft2(spectrum * np.conj(np.fft.fft2(template))).real
        under = np.fft.ifft2(energy * np.conj(np.fft.fft2(area))).real
        value = correlation / np.sqrt(
            np.maximum(under, 1e-3 * under.max()) * float(np.vdot(template, template).real) + 1e-9
        )
        value = np.roll(value, (reach_y, reach_x), (0, 1))[: 2 * reach_y + 1, : 2 * reach_x + 1]
        y, x = np.unravel_index(int(value.argmax()), value.shape)
        if value[y, x] > best:
            best = float(value[y, x])
            found = matrix.copy()
            found[0, 2] += int(x) - reach_x
            found[1, 2] += int(y) - reach_y
    return found


def _apart(one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """The largest distance between where two homographies put a picture's corners, pixels."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], float).T
    here, there = one @ corners, other @ corners
    return float(np.abs(here[:2] / here[2] - there[:2] / there[2]).max())
