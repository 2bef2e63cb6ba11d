"""Parametric products with printed art and their text truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trimesh

from training.products import packs, vessels
from training.products.shoe import shoe
from training.products.spec import KINDS, ProductSpec, random_spec

_BUILDERS: dict[str, Callable[[ProductSpec], tuple[trimesh.Scene, list[dict[str, Any]]]]] = {
    "shoe": shoe,
    "bottle": vessels.bottle,
    "can": vessels.can,
    "mug": vessels.mug,
    "carton": packs.carton,
    "tube": packs.tube,
    "tote": packs.tote,
    "jar": vessels.jar,
    "tin": vessels.tin,
    "pouch": packs.pouch,
}
_WORDS = {
    "shoe": "low-top shoe",
    "bottle": "bottle",
    "can": "drinks can",
    "mug": "mug",
    "carton": "carton box",
    "tube": "cosmetic tube",
    "tote": "tote bag",
    "jar": "jar",
    "tin": "candle tin",
    "pouch": "stand-up pouch",
}


def build(kind: str, spec: ProductSpec) -> tuple[trimesh.Scene, dict[str, Any]]:
    """Build a product.

    Parameters
    ----------
    kind
        One of `KINDS`.
    spec
        Its strings, colours and proportions.

    Returns
    -------
    scene
        Metres, Y up, front to +Z, on y = 0, centred on the origin.
    truth
        The sidecar: "front" (degrees), "words", "labels" with quads in texture space (v down).
    """
    if kind not in _BUILDERS:
        raise ValueError(f"There is no product kind {kind}; choose one of {', '.join(KINDS)}.")
    made, labels = _BUILDERS[kind](spec)
    return made, {"front": 0, "words": _WORDS[kind], "labels": labels}


__all__ = ["KINDS", "ProductSpec", "build", "random_spec"]
