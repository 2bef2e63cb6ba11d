"""Presets: every version of every LoRA preset, what each was seen to do, and stacks of LoRAs in a row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_presets"
down_revision = "0007_comparisons"


def upgrade() -> None:
    """Lay the tables; a row had one strength, and may have one for each LoRA of a stack now."""
    op.create_table(
        "presets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("architecture", sa.String(40), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_presets_label", "presets", ["catalog", "label", "id"])
    op.create_table(
        "candidate_loras",
        sa.Column("candidate", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("preset", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"]),
        sa.ForeignKeyConstraint(["preset"], ["presets.id"]),
        sa.PrimaryKeyConstraint("candidate", "position"),
    )
    op.create_index("ix_candidate_loras_preset", "candidate_loras", ["preset"])
    op.create_table(
        "preset_effects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("preset", sa.Integer(), nullable=False),
        sa.Column("engine", sa.JSON(), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("difference", sa.Float(), nullable=False),
        sa.Column("changed", sa.Float(), nullable=False),
        sa.Column("untriggered", sa.Float()),
        sa.Column("untriggered_changed", sa.Float()),
        sa.Column("words_alone", sa.Float()),
        sa.Column("least", sa.Float(), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["preset"], ["presets.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_preset_effects_preset", "preset_effects", ["preset", "id"])
    op.add_column("products", sa.Column("strengths", sa.JSON()))
    # the text of a list with one number in it, as either database writes numbers
    op.execute(
        "UPDATE products SET strengths = "
        + ("CAST('[' || lora_strength || ']' AS JSON)" if _postgresql() else "'[' || lora_strength || ']'")
        + " WHERE lora_strength IS NOT NULL"
    )
    op.drop_column("products", "lora_strength")


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
