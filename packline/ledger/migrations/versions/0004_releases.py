"""Releases: releases (H5) fills this revision.

Nothing yet.
"""

from __future__ import annotations

revision = "0004_releases"
down_revision = "0003_rows"


def upgrade() -> None:
    """Nothing to change yet."""
