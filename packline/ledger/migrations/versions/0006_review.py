"""Review: what the review desk knows: its queue, leases, people, their sessions and decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_review"
down_revision = "0005_files"


def upgrade() -> None:
    """Lay the tables, and give a person's decision its columns."""
    op.add_column("decisions", sa.Column("catalog", sa.String(200), nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("before", sa.String(20), nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("after", sa.String(20), nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("tags", sa.JSON(), nullable=True))
    op.add_column("decisions", sa.Column("scorecard", sa.Integer(), nullable=True))
    op.add_column("decisions", sa.Column("scores", sa.JSON(), nullable=True))
    op.add_column("decisions", sa.Column("checks", sa.String(64), nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("asked", sa.JSON(), nullable=True))
    op.add_column("decisions", sa.Column("kept", sa.JSON(), nullable=True))
    op.add_column("decisions", sa.Column("undoes", sa.Integer(), nullable=True))
    op.add_column("decisions", sa.Column("batch", sa.String(32), nullable=False, server_default=""))
    op.create_index("ix_decisions_batch", "decisions", ["batch"])
    op.create_index("ix_decisions_by", "decisions", ["by", "id"])
    op.create_index("ix_decisions_undoes", "decisions", ["undoes"])
    op.create_table(
        "instructions",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("catalog", "shot"),
    )
    op.create_table(
        "review_queue",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("flagged", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sku", sa.String(200), nullable=False),
        sa.Column(
            "sku_lower",
            sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("scene", sa.String(200), nullable=False),
        sa.Column("view", sa.String(40), nullable=False),
        sa.Column("lora", sa.String(200), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("assignee", sa.String(200), nullable=False, server_default=""),
        sa.Column("decision", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("catalog", "shot"),
    )
    op.create_index(
        "ix_review_queue_assignee",
        "review_queue",
        ["status", "assignee", "rank", "flagged", "shot", "catalog"],
    )
    op.create_index(
        "ix_review_queue_catalog", "review_queue", ["status", "catalog", "rank", "flagged", "shot"]
    )
    op.create_index("ix_review_queue_decision", "review_queue", ["decision"])
    op.create_index(
        "ix_review_queue_lora", "review_queue", ["status", "lora", "rank", "flagged", "shot", "catalog"]
    )
    op.create_index("ix_review_queue_order", "review_queue", ["status", "rank", "flagged", "shot", "catalog"])
    op.create_index(
        "ix_review_queue_reason", "review_queue", ["status", "reason", "rank", "flagged", "shot", "catalog"]
    )
    op.create_index(
        "ix_review_queue_run", "review_queue", ["status", "run", "rank", "flagged", "shot", "catalog"]
    )
    op.create_index("ix_review_queue_sku", "review_queue", ["status", "sku_lower"])
    op.create_table(
        "review_leases",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("page", sa.String(40), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("catalog", "shot"),
    )
    op.create_index("ix_review_leases_expires", "review_leases", ["expires"])
    op.create_table(
        "review_places",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("catalog", sa.String(200), nullable=False, server_default=""),
        sa.Column("shot", sa.String(400), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "carry_outs",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False, server_default=""),
        sa.Column("reached", sa.Boolean(), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("catalog"),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("begun", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sessions_name", "sessions", ["name"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(100), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_address", "audit", ["event", "address", "recorded"])
    op.create_index("ix_audit_name", "audit", ["event", "name", "recorded"])
