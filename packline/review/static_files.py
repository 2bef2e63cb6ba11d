"""Styles and scripts, read once: a request names one of them and can name nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import Response

_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class StaticFiles:
    """A folder's styles and scripts in memory.

    Parameters
    ----------
    folder
        Read when this is made; files that appear later are not served.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {
            file.name: (file.read_bytes(), _KINDS[file.suffix])
            for file in folder.iterdir()
            if file.suffix in _KINDS
        }
        self._versions = {
            name: hashlib.sha256(data).hexdigest()[:12] for name, (data, _) in self._files.items()
        }

    def url(self, name: str) -> str:
        """Address of a file, another whenever its content is another."""
        return f"/static/{name}?v={self._versions[name]}"

    def answer(self, name: str) -> Response | None:
        """The file, or None where there is none of that name."""
        if name not in self._files:
            return None
        data, kind = self._files[name]
        return Response(
            data, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"}
        )
