"""Files: several of a select, each made in a known way, with the lineage that it names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_files"
down_revision = "0004_releases"


def upgrade() -> None:
    """Lay two tables; publications say how a file was made, and the same bytes may be made in two ways."""
    op.create_table(
        "deliveries",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("use", sa.String(40), nullable=False),
        sa.Column("delivery", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("catalog", "use"),
    )
    op.create_table(
        "lineages",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("candidate", sa.String(64), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_lineages_candidate", "lineages", ["candidate"])
    with op.batch_alter_table("publications") as table:
        table.add_column(sa.Column("delivery", sa.String(16), nullable=False, server_default=""))
        table.add_column(sa.Column("width", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("height", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("lineage", sa.String(64), nullable=False, server_default=""))
        table.drop_constraint("uq_publications", type_="unique")
        table.create_unique_constraint("uq_publications", ["candidate", "use", "delivery", "key"])
