"""What is uploaded: bytes or a file, of which any part can be read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packline.errors import GiveUp

_PIECE = 1 << 20


@dataclass(frozen=True)
class Source:
    """An object's bytes before it is one.

    Parameters
    ----------
    sha256
        Of all of them, 64 hexadecimal digits.
    read
        Some of them: from where, how many. Safe from several threads.
    """

    size: int
    sha256: str
    read: Callable[[int, int], bytes]

    def parts(self, size: int) -> Iterator[tuple[int, int]]:
        """Where each part begins and how many bytes it has; 10,000 parts at most, as S3 allows."""
        size = max(size, -(-self.size // 10_000))
        return ((start, min(size, self.size - start)) for start in range(0, self.size, size))

    def digests(self, size: int) -> Iterator[bytes]:
        """SHA-256 of each part."""
        return (hashlib.sha256(self.read(*part)).digest() for part in self.parts(size))


def source_of_bytes(data: bytes) -> Source:
    """Bytes in memory."""
    return Source(len(data), hashlib.sha256(data).hexdigest(), lambda start, size: data[start : start + size])


def source_of_file(file: Path) -> Source:
    """A file, which must stay as it is until it is uploaded."""
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        before = os.fstat(stream.fileno())

    def read(start: int, size: int) -> bytes:
        handle = os.open(file, os.O_RDONLY)
        try:
            if (now := os.fstat(handle)).st_mtime_ns != before.st_mtime_ns or now.st_size != before.st_size:
                raise GiveUp(f"File {file} changed while it was uploaded; publish again.")
            found = bytearray()
            while len(found) < size and (piece := os.pread(handle, size - len(found), start + len(found))):
                found += piece
        finally:
            os.close(handle)
        return bytes(found)

    return Source(before.st_size, sha256, read)
