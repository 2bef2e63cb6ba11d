"""Bringing an object here: gone on with where it was cut, and its bytes compared with what they should be."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Protocol

from packline.bucket.errors import TAKEN, Garbled, code, fact, is_cut, is_garbled
from packline.bucket.transfer import TRIES, wait
from packline.errors import GiveUp

SHA256 = "sha256"
"""The metadata of an object that tells the hash of its bytes as a whole."""

_PIECE = 1 << 20
_BEYOND = ("InvalidRange", "416")


class Sink(Protocol):
    """Where the bytes go: an open file."""

    def write(self, piece: bytes, /) -> Any:
        """Take some."""

    def seek(self, position: int, /) -> Any:
        """Go back."""

    def truncate(self) -> Any:
        """Forget what comes after."""


class Nowhere:
    """A file that forgets what is written."""

    def write(self, piece: bytes, /) -> None:
        """Forget it."""

    def seek(self, position: int, /) -> None:
        """There is nothing to go back to."""

    def truncate(self) -> None:
        """There is nothing to cut."""


def download(client: Any, at: dict[str, str], name: str, sink: Sink, promised: str = "") -> str:
    """Bring an object's bytes here and return their SHA-256.

    Parameters
    ----------
    client
        boto3's.
    at
        Bucket and Key.
    name
        What the object is called in sentences.
    promised
        What the hash must be; else what its writer or the server says of it.

    Raises
    ------
    GiveUp
        Where the object as it was written is not what was promised.
    Exception
        As boto3 raises them.
    """
    hashed, position, etag, told, turn = hashlib.sha256(), 0, "", "", 0
    while True:
        before = position
        rest = {"Range": f"bytes={position}-", "IfMatch": etag} if position else {"ChecksumMode": "ENABLED"}
        try:
            answer = client.get_object(**at, **rest)
            tag = fact(answer, "ETag")
            if not position:
                etag, told = tag, _told_sha256(answer)
            for piece in answer["Body"].iter_chunks(_PIECE):
                sink.write(piece)
                hashed.update(piece)
                position += len(piece)
            return _as_promised(name, hashed.hexdigest(), promised, told)
        except Exception as error:
            # other bytes than they should be, or those of an object that took the place of this one
            afresh = is_garbled(error) or (position > 0 and code(error) in (*TAKEN, *_BEYOND))
            if not afresh and not is_cut(error):
                raise
            turn = turn + 1 if afresh or position == before else 1
            if turn == TRIES:
                raise
            if afresh:
                hashed, position = hashlib.sha256(), 0
                sink.seek(0)
                sink.truncate()
            wait(turn)


def whole_sha256(answer: dict[str, Any]) -> str:
    """What the server says of an object's bytes; empty where it says nothing, or of its parts only."""
    checksum = str(answer.get("ChecksumSHA256", ""))
    in_parts = "-" in checksum or "-" in answer.get("ETag", "") or answer.get("ChecksumType") == "COMPOSITE"
    return "" if in_parts else base64.b64decode(checksum).hex()


def _told_sha256(answer: dict[str, Any]) -> str:
    """What an object's bytes are, by its writer's word or the server's; empty where neither says so."""
    return str(answer.get("Metadata", {}).get(SHA256, "")) or whole_sha256(answer)


def _as_promised(key: str, found: str, promised: str, told: str) -> str:
    if found == (promised or told or found):
        return found
    if found != told:
        raise Garbled(f"object {key} was read with other bytes than were written")
    raise GiveUp(
        f"Object {key} holds other bytes than were promised (SHA-256 {found[:16]}); move it away and publish "
        f"it again."
    )
