"""What the fields of a catalog row may say, and the sentence where one says something else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from packline.editing.loras import check_strength
from packline.errors import GiveUp
from packline.shots import MOST_PICTURES, ProductLora

VIEWS = ("hero", "front", "left", "right", "back", "three-quarter")
DIRECTIONS = ("left to right", "top to bottom", "right to left", "bottom to top")
MODEL_SUFFIXES = (".glb", ".gltf", ".fbx", ".obj")
LONGEST_SKU = 128
# of a whole stack; the ledger has so much room
LONGEST_LORA = 200

_PLUS = re.compile(r"(?<=\s)\+(?=\s)")


class FieldError(Exception):
    """A field that cannot be used: its name and a sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def is_sku(text: str) -> bool:
    """Whether a text can name a product."""
    return bool(text) and len(text) <= LONGEST_SKU and text.isprintable()


def check_sku(sku: str, first: int, number: int) -> None:
    """Refuse a SKU that is none, or that an earlier row has.

    Parameters
    ----------
    first
        Number of the first row with this SKU.
    """
    if not sku:
        raise FieldError("sku", "sku is empty; give the product one.")
    if len(sku) > LONGEST_SKU:
        raise FieldError("sku", f"sku has {len(sku)} characters; use at most {LONGEST_SKU}.")
    if not is_sku(sku):
        raise FieldError("sku", "sku holds control characters; remove them.")
    if first != number:
        raise FieldError("sku", f"sku is already that of row {first}; give each product its own.")


def placements_of(text: str) -> tuple[tuple[str, str], ...]:
    """(scene, view) of each entry, in order."""
    found: list[tuple[str, str]] = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        scene, _, view = (part.strip() for part in entry.partition(":"))
        if not scene:
            raise FieldError("scenes", f'scenes entry "{entry}" names no scene; write scene or scene:view.')
        place = scene, view or VIEWS[0]
        if place in found:
            raise FieldError("scenes", f"scenes names {scene}:{place[1]} twice; remove one.")
        found.append(place)
    if not found:
        raise FieldError("scenes", "scenes is empty; name at least one scene.")
    return tuple(found)


def pictures_of(text: str) -> int:
    """How many pictures each placement is owed; one where nothing is said."""
    if not text:
        return 1
    if text not in map(str, range(1, MOST_PICTURES + 1)):
        raise FieldError(
            "pictures",
            f"pictures {text} is no whole number from 1 to {MOST_PICTURES}; write one, or empty it.",
        )
    return int(text)


def labels_of(text: str) -> dict[str, str]:
    """Declared reading direction by label."""
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        # the last equals sign: a label's text may hold one
        label, equals, direction = (part.strip() for part in entry.rpartition("="))
        if not equals or not label:
            raise FieldError("labels", f'labels entry "{entry}" is malformed; write text = top to bottom.')
        direction = " ".join(direction.lower().split())
        if direction not in DIRECTIONS:
            raise FieldError(
                "labels", f'direction "{direction}" of label {label} is unknown; use {", ".join(DIRECTIONS)}.'
            )
        if label in found:
            raise FieldError("labels", f"labels names {label} twice; remove one.")
        found[label] = direction
    return found


def check_labels(model: Path, sidecar: Path, labels: Mapping[str, str]) -> None:
    """Refuse labels that the model's sidecar does not know."""
    try:
        entries = json.loads(sidecar.read_text()).get("labels", [])
        known = [str(entry[name]) for entry in entries for name in ("id", "text")]
    except FileNotFoundError:
        known = []
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # the stage says what is wrong with a sidecar, in its own words
    for label in labels:
        if label not in known:
            says = f"its labels are {', '.join(known[1::2])}" if known else f"add it to {sidecar.name}"
            raise FieldError("labels", f"label {label} is not annotated on model {model.name}; {says}.")


def loras_of(text: str, strengths: str) -> tuple[ProductLora, ...]:
    """A stack of LoRAs; one whose strength is left out is taken at its preset's own.

    Parameters
    ----------
    text
        ``warm``, or ``warm + noir``: a plus between spaces separates, so that a label may hold one.
    strengths
        ``0.8``, or ``0.8 + 0.5``; fewer, or nothing before a plus, leaves the others to their presets.
    """
    if not text:
        if strengths:
            raise FieldError("lora_strength", "lora_strength is given without a lora; name one or empty it.")
        return ()
    if text.startswith("[") and _is_list(text):
        raise FieldError(
            "lora",
            f'lora {text} is malformed; write ["warm"] or [{{"label": "warm", "strength": 0.8}}], and the '
            f"strengths either there or in lora_strength.",
        )
    if len(text) > LONGEST_LORA:
        raise FieldError("lora", f"lora has {len(text)} characters; use at most {LONGEST_LORA}.")
    labels = between_pluses(text)
    if not all(labels):
        raise FieldError("lora", f'lora "{text}" has a plus with no LoRA beside it; write warm + noir.')
    for number, label in enumerate(labels):
        if label in labels[:number]:
            raise FieldError("lora", f"lora names {label} twice; remove one.")
    numbers = between_pluses(strengths) if strengths else []
    if len(numbers) > len(labels):
        raise FieldError(
            "lora_strength",
            f"lora_strength {strengths} has {len(numbers)} numbers for {len(labels)} "
            f"LoRA{'s' if len(labels) > 1 else ''}; remove what is too much.",
        )
    numbers += [""] * (len(labels) - len(numbers))
    return tuple(
        ProductLora(label, _strength(label, one)) for label, one in zip(labels, numbers, strict=True)
    )


def between_pluses(text: str) -> list[str]:
    """The parts of a text of a stack; empty ones included."""
    # padded: nothing may stand before the first plus or behind the last
    return [part.strip() for part in _PLUS.split(f" {text} ")]


def _strength(lora: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return check_strength(lora, float(text))
    except ValueError:
        raise FieldError("lora_strength", f"lora_strength {text} is not a number; write 0 to 2.") from None
    except GiveUp as error:
        raise FieldError("lora_strength", str(error)) from None


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def near(text: str, known: list[str]) -> str:
    """The end of a sentence that names what was perhaps meant."""
    found = get_close_matches(text, known, 1)
    return f", or did you mean {found[0]}" if found else ""
