"""Rows: planning (H2) fills this revision.

Nothing yet.
"""

from __future__ import annotations

revision = "0003_rows"
down_revision = "0002_leases"


def upgrade() -> None:
    """Nothing to change yet."""
