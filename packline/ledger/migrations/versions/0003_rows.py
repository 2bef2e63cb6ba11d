"""Rows: what planning remembers of a catalog's rows and files, and what a run has to do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_rows"
down_revision = "0002_leases"


def upgrade() -> None:
    """Lay the tables; until now a shot was present where the catalog's last run had planned it."""
    op.add_column("shots", sa.Column("gone", sa.String(64), nullable=False, server_default=""))
    shots = sa.table("shots", *map(sa.column, ("catalog", "run", "gone")))
    catalogs = sa.table("catalogs", *map(sa.column, ("name", "run")))
    last = sa.select(catalogs.c.run).where(catalogs.c.name == shots.c.catalog).scalar_subquery()
    op.execute(shots.update().where(shots.c.run != last).values(gone=shots.c.run))
    op.create_index("ix_shots_order", "shots", ["catalog", "gone", "row", "position"])
    op.create_index("ix_shots_sku", "shots", ["catalog", "sku"])
    op.create_index("ix_candidates_run", "candidates", ["run", "recorded"])
    op.create_table(
        "work",
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("work", sa.String(20), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("run", "shot"),
    )
    op.create_index("ix_work_next", "work", ["run", "work", "wave", "stage", "row", "position"])
    op.create_table(
        "catalog_rows",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("sku", sa.String(200), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("catalog", "sku"),
    )
    op.create_table(
        "obeyed",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("catalog", "shot"),
    )
    op.create_table(
        "assets",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("truth", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path", "truth"),
    )
