"""``presets.json`` edited in place: people keep the file, so all they wrote stays as it was, to the blank."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packline.locks import alone_in

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class _Member:
    """A value within an object or a list: where it lies in the text, and the blanks before it."""

    key: str
    blank: str
    start: int
    end: int


def edit_presets(file: Path, edit: Callable[[str], str]) -> None:
    """Change a presets file by a function from text to text, alone and all at once.

    The function gets what the file holds by then, so that two processes do not undo each other's edits.
    """
    file = file.resolve()
    with alone_in(file.parent):
        with file.open(encoding="utf-8", newline="") as stream:
            before = stream.read()
        after = edit(before)
        if after == before:
            return
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                os.fchmod(stream.fileno(), file.stat().st_mode & 0o7777)
                stream.write(after)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def with_fields(text: str, label: str, fields: Mapping[str, str]) -> str:
    """The text with these fields of a preset; new ones stand behind the field before them.

    Parameters
    ----------
    text
        Of a valid presets file that holds the label.
    fields
        In the order in which new ones are to stand.
    """
    for key, value in fields.items():
        entry = next(item for item in _entries(text)[1] if _value(text, item).get("label") == label)
        members = _members(text, entry.start, "{")
        # of a key that is given twice, the last one counts
        old = next((member for member in reversed(members) if member.key == key), None)
        written = _json(value)
        if old is not None:
            text = text[: old.start] + written + text[old.end :]
            continue
        names = list(fields)
        leaders = [*names[: names.index(key)][::-1], "air", "base_architecture", members[-1].key]
        before = next(member for name in leaders for member in members if member.key == name)
        text = f"{text[: before.end]},{before.blank or ' '}{_json(key)}: {written}{text[before.end :]}"
    return text


def with_preset(text: str, preset: Mapping[str, Any]) -> str:
    """The text with one more preset at the end of its list, written as the one before it is."""
    start, entries = _entries(text)
    if not entries:
        newline = "\r\n" if "\r\n" in text else "\n"
        written = _laid_out(preset, f"{newline}    ", "  ")
        rest = text[start + 1 :].lstrip()
        return f"{text[: start + 1]}{newline}    {written}{newline}  {rest}"
    last = entries[-1]
    held = _members(text, last.start, "{")
    unit = ""
    if held and "\n" in held[0].blank and "\n" in last.blank:
        unit = held[0].blank.rpartition("\n")[2].removeprefix(last.blank.rpartition("\n")[2])
    written = _laid_out(preset, last.blank, unit) if unit else _json(dict(preset))
    return f"{text[: last.end]},{last.blank or ' '}{written}{text[last.end :]}"


def _laid_out(preset: Mapping[str, Any], line: str, unit: str) -> str:
    before, newline, indent = line.rpartition("\n")
    newline = "\r\n" if before.endswith("\r") else newline
    return json.dumps(preset, indent=unit, ensure_ascii=False).replace("\n", newline + indent)


def _entries(text: str) -> tuple[int, list[_Member]]:
    """Where the list of presets begins, and its items."""
    top = _members(text, _skip(text, 0), "{")
    loras = next(member for member in reversed(top) if member.key == "loras")
    return loras.start, _members(text, loras.start, "[")


def _members(text: str, start: int, opening: str) -> list[_Member]:
    """The members of the object or list that begins at `start`."""
    assert text[start] == opening
    found: list[_Member] = []
    at = start + 1
    while True:
        before, at = at, _skip(text, at)
        if text[at] in "]}":
            return found
        blank, key = text[before:at], ""
        if opening == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, at)
        found.append(_Member(key, blank, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at += 1


def _value(text: str, member: _Member) -> Any:
    return json.loads(text[member.start : member.end])


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
