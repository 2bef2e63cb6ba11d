"""A hostile file: how it is written, and what is right to do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: It lies or is broken: a picture of it would be wrong.
REFUSE = "must be refused"
#: It says the same as the original in other words: another picture would be wrong.
SAME = "must be drawn the same"
#: It may be a valid file that says something else: refused, or drawn and not empty.
EITHER = "refused or drawn"


@dataclass(frozen=True)
class Case:
    """One file.

    Parameters
    ----------
    group, name
        What kind of tampering it is, and which.
    right
        REFUSE, SAME or EITHER.
    write
        Writes it and what it needs into an empty folder and returns the model's path.
    original
        Writes the file that SAME compares with; None: the group's first word names a standing one.
    """

    group: str
    name: str
    right: str
    write: Callable[[Path], Path]
    original: Callable[[Path], Path] | None = None


def one_file(name: str, data: bytes) -> Callable[[Path], Path]:
    """Writes `data` as `name`."""

    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write
