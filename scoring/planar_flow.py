"""The last pixels of a registration: the plane motion that explains a dense flow at a picture's edges.

Dense flow (Kroeger et al. 2016) is found between what a perfect picture would show and what the candidate
shows. Along an edge only the motion across it can be seen, so each edge pixel gives one equation for the
eight numbers of a plane's motion (Longuet-Higgins 1984); they are solved by reweighted least squares
(Cauchy), so that a melted or missing part does not drag the rest along. The product's outline against the
base photo takes part, which is all that a product without a print has.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

# pixels: flow beyond this is another thing, not this one moved
_FARTHEST = 9.0
# of a smoothed picture's slope, grey levels a pixel, from which an edge is one
_EDGE = 2.0
_FEWEST = 60


def refined(render: Floats, candidate: Floats, base: Floats, distance: Floats, start: Matrix) -> Matrix:
    """One step towards the transform from the render to the candidate.

    Parameters
    ----------
    render, candidate, base
        Luma of the lit render, of the picture and of the base photo, float32 (H, W), 0 to 255.
    distance
        Pixels to the product's outline, negative inside, float32 (H, W).
    start
        Homography from the render's pixels to the candidate's, near the truth, float64 (3, 3).

    Returns
    -------
    float64 (3, 3)
        `start` where there are too few edges.
    """
    size = (render.shape[1], render.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen, behind = (
        np.asarray(
            cv2.warpPerspective(p, start, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
        )
        for p in (candidate, base)
    )
    expected = over_scene(render, seen, behind, distance)
    flow = _flow().calc(*(np.clip(p, 0, 255).astype(np.uint8) for p in (expected, seen)), None)
    smooth = cv2.GaussianBlur(expected, (0, 0), 1.0)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    slope = cv2.magnitude(across, down)
    edge = (distance < 1.5) & (slope > _EDGE) & (np.abs(flow).max(-1) < _FARTHEST)
    if np.count_nonzero(edge) < _FEWEST:
        return start
    normal = np.stack([across[edge], down[edge]], 1) / slope[edge][:, None]
    ys, xs = np.nonzero(edge)
    half = np.array(size) / 2
    basis_x, basis_y = _motion((np.stack([xs, ys], 1) - half) / half)
    equations = normal[:, :1] * basis_x + normal[:, 1:] * basis_y
    numbers = _solved(equations, (normal * flow[edge]).sum(1), np.minimum(slope[edge], 20))
    corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], float)
    basis_x, basis_y = _motion((corners - half) / half)
    moved = corners + np.stack([basis_x @ numbers, basis_y @ numbers], 1)
    step = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    matrix = start @ np.asarray(step, np.float64)
    return np.asarray(matrix / matrix[2, 2], np.float64)


def over_scene(render: Floats, seen: Floats, behind: Floats, distance: Floats) -> Floats:
    """The render, as bright as the candidate is thereabouts, over the base photo."""
    inside = distance < -2
    broad = max(4.0, render.shape[0] / 16)
    light, own = (cv2.GaussianBlur(np.where(inside, p, 0), (0, 0), broad) for p in (seen, render))
    gain = np.clip(light / np.maximum(own, 1.0), 0.3, 3.0)
    cover = np.clip(0.5 - distance, 0, 1)
    return np.asarray(render * gain * cover + behind * (1 - cover), np.float32)


def _motion(at: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How the eight numbers of a plane's motion shift the places `at`, (N, 2): two matrices (N, 8)."""
    x, y = np.asarray(at, float).T
    one, none = np.ones_like(x), np.zeros_like(x)
    return (
        np.stack([one, x, y, none, none, none, x * x, x * y], 1),
        np.stack([none, none, none, one, x, y, x * y, y * y], 1),
    )


def _solved(equations: NDArray[Any], wanted: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    # a shift is free, a turn and a scale nearly, perspective needs good reasons
    reluctance = np.diag([0.1, 1, 1, 0.1, 1, 1, 4, 4]) * float(weight.sum()) * 2e-3
    now = weight
    numbers = np.zeros(8)
    for _ in range(6):
        weighted = equations * now[:, None]
        numbers = np.linalg.solve(weighted.T @ equations + reluctance, weighted.T @ wanted)
        rest = wanted - equations @ numbers
        spread = 1.4826 * float(np.median(np.abs(rest))) + 0.05
        now = weight / (1 + np.square(rest / (1.5 * spread)))
    return np.asarray(numbers, np.float64)


@lru_cache(maxsize=1)
def _flow() -> Any:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow.setFinestScale(0)
    flow.setVariationalRefinementIterations(3)
    return flow
