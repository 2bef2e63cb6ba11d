"""How a material's textures lie: UV sets and KHR_texture_transform, brought to at most two UV sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packline.stage.fields import Json, extension, number, numbers, whole
from packline.stage.model import Placement

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Lie:
    """One texture's raw UV set and what is applied to it: offset, rotation and scale."""

    uv_set: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def plain(self) -> bool:
        return (self.offset, self.rotation, self.scale) == ((0.0, 0.0), 0.0, (1.0, 1.0))

    @property
    def matrix(self) -> Matrix:
        """Translation times rotation times scale on (u, v, 1), as KHR_texture_transform prints it."""
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        rotation = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        shift = np.array([[1, 0, self.offset[0]], [0, 1, self.offset[1]], [0, 0, 1]])
        return np.asarray(shift @ rotation @ np.diag([*self.scale, 1.0]))


@dataclass(frozen=True)
class Layout:
    """Where a part's UV sets come from.

    Parameters
    ----------
    base
        Gives `Part.uv`, its placement baked in.
    second
        The raw set that gives `Part.uv1`, or None.
    """

    base: Lie = Lie()
    second: int | None = None


def read_lie(info: Json) -> Lie:
    """How one texture of a material lies."""
    transform = extension(info, "KHR_texture_transform") or {}
    offset = numbers(transform, "offset", (0.0, 0.0))
    scale = numbers(transform, "scale", (1.0, 1.0))
    return Lie(
        whole(transform, "texCoord", whole(info, "texCoord", 0)),
        (offset[0], offset[1]),
        number(transform, "rotation", 0.0),
        (scale[0], scale[1]),
    )


def lay_out(base: Lie | None, others: list[Lie]) -> Layout:
    """Choose a material's layout.

    Parameters
    ----------
    base
        The base colour texture's, or None where there is none.
    others
        Those of all other textures.

    Raises
    ------
    ValueError
        Where they need more than two UV sets.
    """
    first = base if base is not None else Lie(others[0].uv_set if others else 0)
    seconds = sorted({lie.uv_set for lie in others if _needs_second(first, lie)})
    if len(seconds) > 1:
        raise ValueError(f"UV sets {', '.join(map(str, sorted({first.uv_set, *seconds})))}")
    return Layout(first, seconds[0] if seconds else None)


def place(layout: Layout, lie: Lie) -> tuple[int, Placement | None]:
    """`Texture.uv_set` and `Texture.placement` of a texture that is not the base colour's."""
    if _needs_second(layout.base, lie):
        return 1, None if lie.plain else _flat(lie.matrix)
    if lie == layout.base:
        return 0, None
    return 0, _flat(lie.matrix @ np.linalg.inv(layout.base.matrix))


def _needs_second(base: Lie, lie: Lie) -> bool:
    if lie == base:
        return False
    # from a placement that squeezes its texture to a line or a point there is no way back
    return lie.uv_set != base.uv_set or abs(base.scale[0] * base.scale[1]) < 1e-9


def _flat(matrix: Matrix) -> Placement:
    a, b, c, d, e, f, g, h, i = (float(value) for value in matrix.reshape(-1))
    return (a, b, c, d, e, f, g, h, i)
