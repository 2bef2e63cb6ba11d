"""Products, shots and the shot list: what the catalog owes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


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
    lora, lora_strength
        Preset label and strength; an empty label means none, strength None the preset's own.
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
    lora: str = ""
    lora_strength: float | None = None
    row: int = 0
    variant: str = ""
    truth: Path | None = None


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
