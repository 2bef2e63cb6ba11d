"""Whether every object that a manifest names is in the bucket: two sorted lists, read side by side."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from packline.bucket import Bucket
from packline.errors import GiveUp
from packline.releases.records import Image

_HELD = 100_000  # lines in memory before they are put aside, sorted


class Needed:
    """The objects that a manifest names, sorted by key; most of them on disk where they are many.

    Parameters
    ----------
    folder
        For what does not stay in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: list[str] = []
        self._aside: list[IO[str]] = []

    def add(self, image: Image) -> None:
        """Note a picture's objects.

        Raises
        ------
        ValueError
            Where a key does not carry the hash of its object's bytes: then a listing could not vouch for
            them.
        """
        for file in image.files:
            if file.sha256[:16] not in file.key:
                raise ValueError(f"object {file.key} of {image.shot} is not named by its hash {file.sha256}")
            # a tab sorts before whatever a key may go on with
            self._lines.append(f"{file.key}\t{file.size}\t{' '.join(image.shot.split())}\n")
        if len(self._lines) >= _HELD:
            self._put_aside()

    def _put_aside(self) -> None:
        self._lines.sort()
        stream = tempfile.TemporaryFile(  # noqa: SIM115 - `close` does
            "w+", encoding="utf-8", newline="\n", dir=self._folder
        )
        stream.writelines(self._lines)
        stream.seek(0)
        self._aside.append(stream)
        self._lines = []

    def __iter__(self) -> Iterator[tuple[str, int, str]]:
        self._lines.sort()
        for stream in self._aside:
            stream.seek(0)
        for line in heapq.merge(*self._aside, self._lines):
            key, size, shot = line.rstrip("\n").split("\t", 2)
            yield key, int(size), shot

    def close(self) -> None:
        """Let go of what lies on disk."""
        for stream in self._aside:
            stream.close()


def check_present(bucket: Bucket, prefix: str, needed: Needed) -> None:
    """Compare what a manifest names with the bucket's listing: one request for a thousand objects, no more.

    An object's key carries the hash of its bytes, its bytes were verified when it was written, and it is
    never replaced; so key and size say that it is the right one.

    Raises
    ------
    GiveUp
        Where an object is missing or has another size.
    """
    entries = iter(bucket.entries(prefix))
    entry = next(entries, None)
    for key, size, shot in needed:
        while entry is not None and entry.key < key:
            entry = next(entries, None)
        if entry is None or entry.key != key:
            raise GiveUp(f"Object {key} of {shot} is not in the bucket; publish it first.")
        if entry.size != size:
            raise GiveUp(
                f"Object {key} of {shot} has {entry.size} bytes in the bucket and should have {size}; move "
                f"it away and publish it again."
            )
