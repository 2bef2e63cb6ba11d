"""Addresses that expire: an HMAC over key and time, for buckets that cannot sign their own.

S3 signs its own addresses. A folder's objects are handed out by whoever serves it (the review desk), who asks
`verify` whether an address was given out by us and still holds.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from urllib.parse import quote

from packline.errors import FixSettings

SECRET = "PACKLINE_REVIEW_KEY"
"""The environment's variable with the secret, 16 characters or more; the review desk signs with it too."""

_SHORTEST = 16


def secret_from_environment() -> bytes:
    """The secret that a folder's addresses are signed with.

    Raises
    ------
    FixSettings
        Where it is not set, or so short that it could be guessed.
    """
    secret = os.environ.get(SECRET, "")
    if len(secret) < _SHORTEST:
        said = "is too short" if secret else "is not set"
        raise FixSettings(
            f"Environment variable {SECRET} {said}; set it to {_SHORTEST} random characters or more, the "
            f"same wherever addresses are signed and read."
        )
    return secret.encode()


def sign(key: str, expires: int, secret: bytes) -> str:
    """The signature of a key that may be read until `expires` (seconds since 1970, UTC), 64 hex digits."""
    # half a surrogate is no text, but it may be asked for
    said = f"packline object\n{expires}\n{key}".encode(errors="surrogatepass")
    return hmac.new(secret, said, hashlib.sha256).hexdigest()


def verify(key: str, expires: int | str, signature: str, secret: bytes, *, now: float | None = None) -> bool:
    """Whether `sign` made this signature for this key and time, and the time has not come.

    Anything may be passed, as it came from outside; what is malformed is not verified.
    """
    try:
        until = int(expires)
    except ValueError:
        return False
    expected = sign(key, until, secret)
    # in bytes: compare_digest refuses letters beyond ASCII in text
    genuine = hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
    return genuine and (time.time() if now is None else now) < until


def signed_path(key: str, seconds: int, secret: bytes) -> str:
    """``key?expires=...&signature=...``, to be appended to where the objects are handed out."""
    until = int(time.time()) + seconds
    return f"{quote(key)}?expires={until}&signature={sign(key, until, secret)}"
