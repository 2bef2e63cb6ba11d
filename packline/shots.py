"""Products, shots and the shot list: what the catalog owes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ProductLora:
    """A LoRA as a catalog row asks for it; without a strength it is the preset's own."""

    label: str
    strength: float | None = None


@dataclass(frozen=True)
class Product:
    """A valid catalog row.

    Parameters
    ----------
    sku
        Unique within the catalog.
    title
        The product's words for the prompt ("red low-top shoe E LOVE").
    model
        The 3D model's file.
    placements
        (scene name, view) pairs; the view says which side faces the camera.
    labels
        Declared reading directions by label id or text: ``{"E LOVE": "top to bottom"}``; may be empty.
    loras
        A stack: their changes add up, and their trigger words stand in this order.
    row
        Line in the catalog, 1 is the first product.
    variant
        The model's material variant; empty: its default.
    truth
        The sidecar with the model's front and labels; None: the one beside the model.
    """

    sku: str
    title: str
    model: Path
    placements: tuple[tuple[str, str], ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    loras: tuple[ProductLora, ...] = ()
    row: int = 0
    variant: str = ""
    truth: Path | None = None


STACKED = " + "
"""Between the labels of a stack in a text."""


def stack_text(loras: Sequence[ProductLora]) -> str:
    """A stack in one text: "warm evening light + cool studio"."""
    return STACKED.join(lora.label for lora in loras)


def kind_of(sku: str, title: str) -> str:
    """The type of a product, as far as its row tells: what kinds of products pass how often is learned by it.

    The SKU's part before its first separator where that is a word ("SHOE-NORTH"), else the title's last word
    ("white low-top shoe").
    """
    first = re.split(r"[-_./ ]", sku, maxsplit=1)[0]
    if first != sku and first.isalpha() and len(first) > 1:
        return first.lower()
    words = re.findall(r"[^\W\d_]+", title)
    return words[-1].lower() if words else ""


@dataclass(frozen=True)
class Shot:
    """One picture that the catalog owes: product × scene × view."""

    product: Product
    scene: str
    view: str

    @property
    def key(self) -> str:
        """Stable name, unique within a catalog."""
        return f"{self.product.sku}/{self.scene}/{self.view}"
