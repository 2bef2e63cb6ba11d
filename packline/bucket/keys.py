"""Keys of objects: any name can be a part of one."""

from __future__ import annotations

from urllib.parse import quote

from packline.fingerprint import digest

_LONGEST_NAME = 200  # a file system's limit is 255 bytes


def escape(name: str) -> str:
    """One part of a key from any string: letters, digits and ``-_.~`` stay, the rest is percent-encoded.

    Different names give different parts; a long one is cut and keeps its hash.
    """
    part = quote(name, safe="")
    if not part.strip("."):
        part = part.replace(".", "%2E")  # "." and ".." would be folders
    return part if len(part) <= _LONGEST_NAME else f"{part[: _LONGEST_NAME - 20]}~{digest(name)}"
