"""Passwords: argon2 hashes, checked in the same time whether or not there is such a user."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from packline.errors import FixSettings

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 10  # characters; NIST SP 800-63B asks for length, not for kinds of characters
LONGEST = 200


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    # RFC 9106, section 4, second recommended option, is the library's default: 64 MiB, 3 passes
    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash("nobody has this password")


def hash_password(password: str) -> str:
    """An argon2id hash with its salt and parameters.

    Raises
    ------
    FixSettings
        Where it is too short or too long.
    """
    if len(password) < SHORTEST:
        raise FixSettings(f"The password has {len(password)} characters; take {SHORTEST} or more.")
    if len(password) > LONGEST:
        raise FixSettings(f"The password has more than {LONGEST} characters; take fewer.")
    return _hasher().hash(password)


def is_password(stored: str, given: str) -> bool:
    """Whether a password is the one of a hash; no hash takes as long as a wrong password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored or _nobody(), given[:LONGEST]) and bool(stored)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _hasher().check_needs_rehash(stored)
