"""Fingerprints: a hash of everything that determines a result; equal fingerprint, no work."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_JSON = json.JSONEncoder(sort_keys=True, default=str, separators=(",", ":"))


def digest(*parts: Any, length: int = 16) -> str:
    """Hash plain data.

    Parameters
    ----------
    parts
        Anything that JSON can write; paths become strings, mappings are sorted by key.
    length
        Hexadecimal digits to keep of the SHA-256; 16 (64 bits) is ample for a catalog's results.
    """
    return hashlib.sha256(_JSON.encode(parts).encode()).hexdigest()[:length]


def file_digest(file: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: Path, pattern: str = "**/*") -> str:
    """SHA-256 over the names and bytes of all files below a folder, 64 hexadecimal digits."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return digest([(str(path.relative_to(folder)), file_digest(path)) for path in files], length=64)
