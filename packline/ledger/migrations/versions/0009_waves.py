"""Waves: how many candidates each wave of a shot has, and how often candidates pass."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_waves"
down_revision = "0008_presets"


def upgrade() -> None:
    """Lay the tables, and note the waves of the candidates that there are.

    How often those passed is learned anew: under other checks it would be another number anyway.
    """
    op.create_table(
        "waves",
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rung", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("shot", "fingerprint", "first"),
    )
    op.create_table(
        "pass_tallies",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("checks", sa.String(64), nullable=False),
        sa.Column("engine", sa.String(100), nullable=False),
        sa.Column("rung", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("passes", sa.Integer(), nullable=False),
        sa.Column("fails", sa.Integer(), nullable=False),
        sa.Column("tried", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("catalog", "checks", "engine", "rung", "kind", "style", "passes", "fails"),
    )
    op.add_column("work", sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("work", sa.Column("rung", sa.String(40), nullable=False, server_default=""))
    made = sa.table("candidates", *map(sa.column, ("shot", "fingerprint", "wave", "number")))
    first = sa.func.min(made.c.number)
    size = sa.func.max(made.c.number) - first + 1
    rung = sa.case((made.c.wave <= 1, "asked"), else_="seeds")
    there = sa.select(made.c.shot, made.c.fingerprint, first, size, made.c.wave, rung)
    waves = sa.table("waves", *map(sa.column, ("shot", "fingerprint", "first", "size", "number", "rung")))
    places = (made.c.shot, made.c.fingerprint, made.c.wave)
    op.execute(waves.insert().from_select(list(waves.c), there.group_by(*places)))
