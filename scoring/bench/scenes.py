"""Scenes of the bench."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from packline.scenes import Scene, load_scene

_SHIPPED = Path(__file__).parents[2] / "assets" / "scenes"


@lru_cache(maxsize=2)
def scenes(split: str) -> tuple[Scene, ...]:
    """All scenes of a split, in a fixed order."""
    return tuple(load_scene(file) for file in sorted(_SHIPPED.glob("*.json")))
