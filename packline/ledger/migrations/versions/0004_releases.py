"""Releases: each manifest once, what it changes, and the moves of the environments' pointers.

Until now every move of a pointer was a row of `releases`, with everything that its manifest showed. The
manifests in the bucket keep the lineage that those rows repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004_releases"
down_revision = "0003_rows"

_BATCH = 1000


def upgrade() -> None:
    """Lay the new tables and fill them from the old ones."""
    op.execute("CREATE TEMPORARY TABLE old_releases AS SELECT * FROM releases")
    op.execute("CREATE TEMPORARY TABLE old_release_items AS SELECT * FROM release_items")
    op.drop_table("release_items")
    op.drop_table("releases")
    tables = _lay()
    connection = op.get_bind()
    for catalog in list(connection.scalars(sa.select(_old_releases.c.catalog).distinct())):
        _fill(connection, tables, catalog)
    if connection.dialect.name == "postgresql":
        for name in ("releases", "moves"):
            op.execute(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name})) "
                f"WHERE EXISTS (SELECT 1 FROM {name})"
            )
    op.execute("DROP TABLE old_release_items")
    op.execute("DROP TABLE old_releases")


def _lay() -> dict[str, sa.Table]:
    releases = op.create_table(
        "releases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("parquet", sa.Text(), nullable=False),
        sa.Column("parquet_sha256", sa.String(64), nullable=False),
        sa.Column("parquet_size", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.String(64)),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("catalog", "name", name="uq_releases"),
    )
    items = op.create_table(
        "release_items",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("shot", sa.String(400), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("candidate", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("checks", sa.String(64), nullable=False),
        sa.Column("decided", sa.String(200), nullable=False),
        sa.Column("files", sa.String(16), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.id"]),
        sa.PrimaryKeyConstraint("catalog", "shot", "release"),
    )
    moves = op.create_table(
        "moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("from_release", sa.Integer()),
        sa.Column("to_release", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("run", sa.String(64)),
        sa.Column("pointer", sa.Text(), nullable=False),
        sa.Column("before", sa.String(64), nullable=False),
        sa.Column("after", sa.String(64), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["from_release"], ["releases.id"]),
        sa.ForeignKeyConstraint(["to_release"], ["releases.id"]),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_moves_environment", "moves", ["catalog", "environment"])
    ends = op.create_table(
        "move_ends",
        sa.Column("move", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["move"], ["moves.id"]),
        sa.PrimaryKeyConstraint("move"),
    )
    op.create_table(
        "release_marks",
        sa.Column("catalog", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(40), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("publication", sa.Integer(), nullable=False),
        sa.Column("deliveries", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.id"]),
        sa.PrimaryKeyConstraint("catalog", "environment"),
    )
    return {"releases": releases, "items": items, "moves": moves, "ends": ends}


_old_releases = sa.table(
    "old_releases",
    *map(sa.column, ("id", "run", "catalog", "environment", "manifest", "pointer", "sha256")),
    sa.column("recorded", sa.DateTime(timezone=True)),
)
_old_items = sa.table(
    "old_release_items",
    *map(sa.column, ("release", "shot", "use", "candidate", "size")),
    sa.column("lineage", sa.JSON()),
)


def _fill(connection: sa.Connection, tables: dict[str, sa.Table], catalog: str) -> None:
    """A catalog's manifests in the order in which they were first shown, and every move."""
    c = _old_releases.c
    rows = connection.execute(sa.select(_old_releases).where(c.catalog == catalog).order_by(c.id)).all()
    numbers: dict[str, int] = {}
    shown: dict[str, dict[str, Any]] = {}
    now: dict[str, int] = {}
    for row in rows:
        if row.sha256 not in numbers:
            numbers[row.sha256] = row.id
            after = {one["shot"]: one for one in _items(connection, row.id)}
            connection.execute(tables["releases"].insert().values(_release(connection, row, len(after))))
            changes = [{**one, "gone": False} for shot, one in after.items() if shown.get(shot) != one]
            changes += [{**one, "gone": True} for shot, one in shown.items() if shot not in after]
            for start in range(0, len(changes), _BATCH):
                batch = changes[start : start + _BATCH]
                place = {"catalog": catalog, "release": row.id}
                connection.execute(tables["items"].insert(), [{**one, **place} for one in batch])
            shown = after
        move = {
            "id": row.id,
            "catalog": catalog,
            "environment": row.environment,
            "kind": "release",
            "from_release": now.get(row.environment),
            "to_release": numbers[row.sha256],
            "by": "run",
            "why": "",
            "run": row.run,
            "pointer": row.pointer,
            "before": "",
            "after": "",
            "recorded": row.recorded,
        }
        connection.execute(tables["moves"].insert().values(move))
        ended = {"move": row.id, "outcome": "moved", "recorded": row.recorded}
        connection.execute(tables["ends"].insert().values(ended))
        now[row.environment] = numbers[row.sha256]


def _release(connection: sa.Connection, row: Any, images: int) -> dict[str, Any]:
    c = _old_items.c
    files, total = connection.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(c.size), 0)).where(c.release == row.id)
    ).one()
    return {
        "id": row.id,
        "catalog": row.catalog,
        "name": row.sha256[:16],
        "manifest": row.manifest,
        "sha256": row.sha256,
        # nobody noted it
        "size": 0,
        "parquet": "",
        "parquet_sha256": "",
        "parquet_size": 0,
        "images": images,
        "files": files,
        "total": total,
        "run": row.run,
        "recorded": row.recorded,
    }


def _items(connection: sa.Connection, release: int) -> Iterator[dict[str, Any]]:
    """What a release shows, a row for each shot; until now there was one for each of its files."""
    c = _old_items.c
    rows = connection.execute(
        sa.select(c.shot, c.candidate, c.lineage).where(c.release == release).order_by(c.shot, c.use)
    )
    for shot, files in groupby(rows, lambda row: row.shot):
        row = next(files)
        facts = row.lineage or {}
        parts = facts.get("parts") or {}
        yield {
            "shot": shot,
            "candidate": row.candidate,
            "fingerprint": facts.get("fingerprint", ""),
            "checks": facts.get("checks", ""),
            "decided": facts.get("decided", ""),
            "files": "",
            "parts": {name: str(digest)[:8] for name, digest in sorted(parts.items())},
        }
