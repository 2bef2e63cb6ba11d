"""What a bucket can do, whatever is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from packline.errors import GiveUp


@dataclass(frozen=True)
class PutResult:
    """What became of an object.

    Parameters
    ----------
    sha256
        Hash of the object's bytes, 64 hexadecimal digits.
    existed
        True where the bucket held this very object already and nothing was written. An S3 server that carries
        out a write and loses its answer makes its second try find the first: that counts as existed too.
    """

    key: str
    sha256: str
    existed: bool


@dataclass(frozen=True)
class Entry:
    """An object in a listing.

    Parameters
    ----------
    size
        Bytes.
    modified
        When it was written, UTC.
    """

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Unfinished:
    """A write that was begun and neither finished nor given up: whoever did it was killed, or is at it.

    Parameters
    ----------
    id
        The bucket's own name for it.
    begun
        UTC.
    size
        Bytes that it holds, as far as the bucket says so.
    """

    key: str
    id: str
    begun: datetime
    size: int


class Bucket(Protocol):
    """A place for objects. A reader sees a whole object or none. Safe to use from several threads.

    Every call raises `FixSettings` or `TryAgain`, with a sentence, where the bucket cannot be used, ever or
    just now.
    """

    def put(self, key: str, data: bytes, content_type: str, *, if_absent: bool = True) -> PutResult:
        """Store an object; with `if_absent` never replace one.

        Raises
        ------
        GiveUp
            Where the key holds other bytes and `if_absent` forbids replacing them.
        """

    def put_file(self, key: str, file: Path, content_type: str, *, if_absent: bool = True) -> PutResult:
        """As `put`, from a file that need not fit into memory."""

    def replace(self, key: str, data: bytes, content_type: str, before: bytes | None) -> bool:
        """Store a small object in place of the one that was read, unless somebody else was quicker.

        Parameters
        ----------
        before
            The bytes that were read; None where there was no object.

        Returns
        -------
        bool
            Whether the bucket holds `data` now; False where it held other bytes than `before`, and kept them.
        """

    def get(self, key: str, sha256: str = "") -> bytes:
        """An object's bytes.

        Parameters
        ----------
        sha256
            What its bytes were promised to be. Without it they are compared with what the bucket says of them
            (S3), or with nothing (a folder).

        Raises
        ------
        KeyError
            There is none.
        GiveUp
            It holds other bytes than were promised.
        """

    def get_to_file(self, key: str, file: Path, sha256: str = "") -> None:
        """As `get`, into a file, which appears whole or not at all."""

    def open(self, key: str, sha256: str = "") -> BinaryIO:
        """As `get`, as a file to read from; its bytes were verified before the first is read."""

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """The objects whose keys begin with `prefix`, by their keys in order; never all in memory."""

    def list(self, prefix: str = "") -> list[str]:
        """The keys of `entries`, where they are few."""

    def delete(self, key: str) -> None:
        """Remove an object; where there is none, nothing happens."""

    def unfinished(self, prefix: str = "") -> Iterator[Unfinished]:
        """Writes that were begun and not finished, of keys with `prefix` as far as those are known."""

    def abandon(self, one: Unfinished) -> None:
        """Give up an unfinished write and free what it holds."""

    def check_writable(self) -> None:
        """Try to write, before a run pays for pictures that it could not publish.

        Raises
        ------
        FixSettings
            With a sentence.
        """

    def address(self, key: str) -> str:
        """Where a person finds the object: a path, or an s3:// URL."""

    def signed_url(self, key: str, seconds: int) -> str:
        """An address from which anybody can read the object for so long.

        Raises
        ------
        FixSettings
            Where a folder's addresses cannot be signed for want of a secret, or S3 allows no such time.
        """


def same(key: str, sha256: str, stored: str) -> PutResult:
    """What a put found: the object that it would have written.

    Raises
    ------
    GiveUp
        Where the bucket holds other bytes.
    """
    if stored != sha256:
        raise GiveUp(f"Object {key} is in the bucket with other bytes (SHA-256 {stored[:16]}); move it away.")
    return PutResult(key, sha256, True)
