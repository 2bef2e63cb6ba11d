"""Training pairs for the embedded editor: base photo and references in, the true composite out.

A pair is a random product (`training.products`) rendered by the stage in the camera and light of a random
scene (`training.scenes`), and the picture that a perfect editor would make of it: the photo under the
product's true shadow with the product in it. Run ``python -m training.pairs`` to make them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
SIZE = 256  # pixels on a side that the embedded editor works at
SIDE = 96  # of the side and top views
GUIDE_GREY = 205.0  # background of references
PASSES = ("base", "out", "guide", "side", "top")


@dataclass(frozen=True)
class Pair:
    """One lesson.

    Parameters
    ----------
    base, out, guide
        The photo, the true composite and the product in place over grey, sRGB uint8 (SIZE, SIZE, 3).
    side, top
        Further views, sRGB uint8 (SIDE, SIDE, 3).
    meta
        "words", "scene_words", "light_words" for the prompt; "kind" and seeds for the record.
    """

    base: Picture
    out: Picture
    guide: Picture
    side: Picture
    top: Picture
    meta: dict[str, Any]


def save_pairs(pairs: Sequence[Pair], file: Path) -> None:
    """Write a shard; whole or not at all."""
    arrays = {name: np.stack([getattr(pair, name) for pair in pairs]) for name in PASSES}
    part = file.with_suffix(".part.npz")
    np.savez(part, **arrays, meta=np.array([json.dumps(pair.meta) for pair in pairs]))
    part.rename(file)


def load_pairs(file: Path) -> list[Pair]:
    """Read a shard."""
    data = np.load(file)
    arrays = {name: data[name] for name in PASSES}
    return [
        Pair(*(arrays[name][i] for name in PASSES), json.loads(str(meta)))
        for i, meta in enumerate(data["meta"])
    ]
