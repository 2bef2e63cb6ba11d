"""What casts shadows: the product's surface, no finer than its soft shadows can show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from packline.stage.model import Floats, Part

#: A product with fewer triangles is drawn as it is.
FINE_ENOUGH = 6000
#: Cells along the longest side that vertices are gathered in: half a texel of the finest depth map.
CELLS = 360


def caster_mesh(parts: Sequence[Part]) -> tuple[Floats, NDArray[np.int64]]:
    """The surface of all parts together, with its vertices gathered in small cells where they are many.

    Every light draws it once a direction, so its triangles cost more than anything else of a shadow. A vertex
    moves by less than a cell; what becomes a line or lies twice is dropped.

    Parameters
    ----------
    parts
        At least one.

    Returns
    -------
    vertices, faces
        float32 (N, 3) and int64 (F, 3).
    """
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)])
    if len(faces) <= FINE_ENOUGH:
        return vertices, faces
    low, high = vertices.min(0).astype(np.float64), vertices.max(0).astype(np.float64)
    cell = float((high - low).max()) / CELLS
    if cell <= 0:
        return vertices, faces
    x, y, z = np.floor((vertices - low) / cell).astype(np.int64).T
    _, first, owner = np.unique((x * 1024 + y) * 1024 + z, return_index=True, return_inverse=True)
    gathered = owner.reshape(-1)[faces]
    a, b, c = gathered.T
    gathered = gathered[(a != b) & (b != c) & (c != a)]
    # the same three corners in whatever order hide the same light
    ordered = np.sort(gathered, 1)
    count = len(first)
    _, once = np.unique((ordered[:, 0] * count + ordered[:, 1]) * count + ordered[:, 2], return_index=True)
    if not once.size:
        return vertices, faces
    return vertices[first], gathered[np.sort(once)]
