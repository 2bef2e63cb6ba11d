"""Leases: one run at a time works on a catalog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_leases"
down_revision = "0001_baseline"


def upgrade() -> None:
    """Lay the table."""
    op.create_table(
        "leases",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("born", sa.String(40), nullable=False),
        sa.Column("taken", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("catalog"),
    )
    # a Packline from before revisions looks here, and is told that it is too old
    version = sa.table("schema_version", sa.column("version"))
    op.execute(version.delete())
    op.execute(version.insert().values(version=3))
