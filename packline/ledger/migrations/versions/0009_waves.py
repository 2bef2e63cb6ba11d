"""Waves: how many candidates each wave of a shot has, and how often candidates pass."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0009_waves"
down_revision = "0008_presets"


def upgrade() -> None:
    """Lay the tables, note the waves of the candidates that there are, and count which of them passed."""
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
    _count(op.get_bind())


def _count(connection: sa.Connection) -> None:
    """Candidates of each shot in their order, each by what the shot had seen before."""
    plain = ("id", "run", "shot", "fingerprint", "number")
    made = sa.table("candidates", *map(sa.column, plain), sa.column("recipe", sa.JSON()))
    runs = sa.table("runs", *map(sa.column, ("id", "catalog")))
    shots = sa.table("shots", *map(sa.column, ("catalog", "key", "sku", "title")))
    cards = sa.table("scorecards", *map(sa.column, ("id", "candidate", "checks", "passed")))
    all_ = cards.alias()
    last = sa.select(sa.func.max(all_.c.id)).where(all_.c.candidate == made.c.id)
    latest = last.correlate(made).scalar_subquery()
    query = (
        sa.select(
            made.c.shot, made.c.fingerprint, made.c.recipe, cards.c.checks, cards.c.passed,
            runs.c.catalog, shots.c.sku, shots.c.title,
        )
        .select_from(made)
        .join(cards, cards.c.id == latest)
        .join(runs, runs.c.id == made.c.run)
        .join(shots, sa.and_(shots.c.catalog == runs.c.catalog, shots.c.key == made.c.shot))
        .order_by(made.c.shot, made.c.fingerprint, made.c.number)
    )  # fmt: skip
    found: dict[tuple[object, ...], list[int]] = {}
    place: tuple[str, str] = ("", "")
    seen: dict[tuple[str, str], list[int]] = {}
    # on the query, not on the connection, which would stream all that comes after as well
    for row in connection.execute(query.execution_options(yield_per=500)):
        if (row.shot, row.fingerprint) != place:
            place, seen = (row.shot, row.fingerprint), {}
        told = row.recipe["engine"]
        engine = f"{str(told.get('name', ''))[:80]} {str(told.get('weights_sha256', ''))[:12]}".strip()
        before = seen.setdefault((engine, row.checks), [0, 0])
        style = " + ".join(one["label"] for one in row.recipe["loras"])
        group = (row.catalog, row.checks, engine, "", _kind(row.sku, row.title)[:200], style)
        counted = found.setdefault((*group, min(before[1], 12), min(before[0], 12)), [0, 0])
        counted[0] += 1
        counted[1] += bool(row.passed)
        before[bool(row.passed)] += 1
    names = ("catalog", "checks", "engine", "rung", "kind", "style", "passes", "fails", "tried", "passed")
    if found:
        tallies = sa.table("pass_tallies", *map(sa.column, names))
        rows = [dict(zip(names, (*key, *counted), strict=True)) for key, counted in found.items()]
        connection.execute(tallies.insert(), rows)


def _kind(sku: str, title: str) -> str:
    first = re.split(r"[-_./ ]", sku, maxsplit=1)[0]
    if first != sku and first.isalpha() and len(first) > 1:
        return first.lower()
    words = re.findall(r"[^\W\d_]+", title)
    return words[-1].lower() if words else ""
