"""Comparisons: blind votes on pairs of pictures, and what the review's statistics are read from."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0007_comparisons"
down_revision = "0006_review"


def upgrade() -> None:
    """Lay the tables and indexes, and count what the scorecards of earlier runs said."""
    op.create_table(
        "verdict_tallies",
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("run", "name", "verdict"),
    )
    op.create_table(
        "comparisons",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("first", sa.JSON(), nullable=False),
        sa.Column("second", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "comparison_pairs",
        sa.Column("comparison", sa.String(16), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("sku", sa.String(200), nullable=False),
        sa.Column("scene", sa.String(200), nullable=False),
        sa.Column("first", sa.String(64), nullable=False),
        sa.Column("second", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["comparison"], ["comparisons.id"]),
        sa.ForeignKeyConstraint(["first"], ["candidates.id"]),
        sa.ForeignKeyConstraint(["second"], ["candidates.id"]),
        sa.PrimaryKeyConstraint("comparison", "shot"),
    )
    op.create_index("ix_comparison_pairs_place", "comparison_pairs", ["comparison", "place", "shot"])
    op.create_table(
        "comparison_votes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("comparison", sa.String(16), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("choice", sa.String(10), nullable=False),
        sa.Column("left", sa.String(10), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["comparison"], ["comparisons.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("comparison", "by", "shot", name="uq_comparison_votes"),
    )
    op.create_index("ix_comparison_votes_shot", "comparison_votes", ["comparison", "shot"])
    op.create_index("ix_candidates_cost", "candidates", ["run", "cost", "seconds"])
    op.create_index("ix_decisions_catalog", "decisions", ["catalog", "recorded"])
    op.create_index("ix_flags_run", "flags", ["run", "reason"])
    op.create_index("ix_publications_run", "publications", ["run", "candidate"])
    _count(op.get_bind())


def _count(connection: sa.Connection) -> None:
    cards = sa.table("scorecards", sa.column("id"), sa.column("run"), sa.column("results", sa.JSON()))
    tallies = sa.table("verdict_tallies", *map(sa.column, ("run", "name", "verdict", "times")))
    found: Counter[tuple[str, str, str]] = Counter()
    after = 0
    # a few at a time: evidence may hold pictures
    while rows := connection.execute(
        sa.select(cards).where(cards.c.id > after).order_by(cards.c.id).limit(200)
    ).all():
        after = rows[-1].id
        found.update((row.run, one["check"], one["verdict"]) for row in rows for one in row.results)
    if found:
        counted = [
            {"run": run, "name": name, "verdict": verdict, "times": times}
            for (run, name, verdict), times in found.items()
        ]
        connection.execute(tallies.insert(), counted)
