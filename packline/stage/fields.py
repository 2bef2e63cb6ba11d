"""Fields of a glTF's JSON, each of the type that the format says, or refused."""

from __future__ import annotations

import math
from typing import Any

Json = dict[str, Any]


class Malformed(ValueError):
    """The JSON is not what glTF says; the message names the field."""


def mapping(owner: Json, key: str) -> Json:
    """An object; empty where it is absent."""
    value = owner.get(key, {})
    if not isinstance(value, dict):
        raise Malformed(f"{key} is {_shown(value)}, not an object")
    return value


def extension(owner: Json, name: str) -> Json | None:
    """What an object says under an extension's name, or None."""
    extensions = mapping(owner, "extensions")
    return mapping(extensions, name) if name in extensions else None


def entries(owner: Json, key: str) -> list[Json]:
    """A list of objects; empty where it is absent."""
    value = owner.get(key, [])
    if not isinstance(value, list):
        raise Malformed(f"{key} is {_shown(value)}, not a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise Malformed(f"{key}[{index}] is {_shown(item)}, not an object")
    return value


def entry(owner: Json, key: str, index: int) -> Json:
    """One object of a list, without a look at the others: lists are long and asked often."""
    value = owner.get(key, [])
    if not isinstance(value, list):
        raise Malformed(f"{key} is {_shown(value)}, not a list of objects")
    if not 0 <= index < len(value):
        raise Malformed(f"{key}[{index}] does not exist")
    if not isinstance(value[index], dict):
        raise Malformed(f"{key}[{index}] is {_shown(value[index])}, not an object")
    found: Json = value[index]
    return found


def whole(owner: Json, key: str, default: int | None = None) -> int:
    """A whole number that is not negative."""
    value = owner.get(key, default)
    if isinstance(value, float) and value.is_integer():  # some writers have no whole numbers
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise Malformed(f"{key} is {_shown(value)}, not a whole number")
    return value


def wholes(owner: Json, key: str) -> list[int]:
    """A list of whole numbers; empty where it is absent."""
    value = owner.get(key, [])
    if not isinstance(value, list):
        raise Malformed(f"{key} is {_shown(value)}, not a list")
    return [whole({key: item}, key) for item in value]


def number(owner: Json, key: str, default: float) -> float:
    """A finite number."""
    value = owner.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e30:
        raise Malformed(f"{key} is {_shown(value)}, not a number")
    return float(value)


def numbers(owner: Json, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """As many finite numbers as `default` has."""
    value = owner.get(key, default)
    if not isinstance(value, list | tuple) or len(value) != len(default):
        raise Malformed(f"{key} is {_shown(value)}, not {len(default)} numbers")
    return tuple(number({key: item}, key, math.nan) for item in value)


def text(owner: Json, key: str, default: str = "") -> str:
    """A string."""
    value = owner.get(key, default)
    if not isinstance(value, str):
        raise Malformed(f"{key} is {_shown(value)}, not a string")
    return value


def flag(owner: Json, key: str, default: bool = False) -> bool:
    """True or false."""
    value = owner.get(key, default)
    if not isinstance(value, bool):
        raise Malformed(f"{key} is {_shown(value)}, neither true nor false")
    return value


def texts(owner: Json, key: str) -> list[str]:
    """A list of strings; empty where it is absent."""
    value = owner.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Malformed(f"{key} is {_shown(value)}, not a list of strings")
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
