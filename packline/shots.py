"""Products, shots and the shot list: what the catalog owes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


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
    pictures
        How many each placement is owed.
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
    pictures: int = 1

    @property
    def shots(self) -> tuple[Shot, ...]:
        """Every picture that the row owes, in order."""
        numbers = range(1, self.pictures + 1)
        return tuple(Shot(self, *place, number) for place in self.placements for number in numbers)


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
    """One picture that the catalog owes: product × scene × view.

    Parameters
    ----------
    number
        Which one where the placement is owed several; 1 is the first.
    """

    product: Product
    scene: str
    view: str
    number: int = 1

    @property
    def key(self) -> str:
        """Stable name, unique within a catalog."""
        return key_of(self.product.sku, self.scene, self.view, self.number)


MOST_PICTURES = 9
"""Pictures that a placement may be owed."""

# a view is one of a few words without this sign, and stands last: nothing else in a key can be taken for it
_NUMBERED = re.compile(rf"~([2-{MOST_PICTURES}])$")


class Place(NamedTuple):
    """What a shot's key says."""

    sku: str
    scene: str
    view: str
    number: int

    @property
    def siblings(self) -> tuple[str, ...]:
        """Keys that other pictures of the same placement have."""
        numbers = (number for number in range(1, MOST_PICTURES + 1) if number != self.number)
        return tuple(key_of(self.sku, self.scene, self.view, number) for number in numbers)


def key_of(sku: str, scene: str, view: str, number: int = 1) -> str:
    """A shot's key: ``sku/scene/view``, of the second picture ``sku/scene/view~2``."""
    return f"{sku}/{scene}/{view}{f'~{number}' if number > 1 else ''}"


def place_of(key: str) -> Place:
    """Read what `key_of` wrote; of its parts only the SKU may hold slashes."""
    sku, scene, view = key.rsplit("/", 2)
    return Place(sku, scene, _NUMBERED.sub("", view), number_of(key))


def number_of(key: str) -> int:
    """Which picture of its placement a shot is; 1 where its key names no place, as of some bad rows."""
    numbered = _NUMBERED.search(key)
    return int(numbered[1]) if numbered else 1
