"""What a release made now would show: every picture that stands, with what a manifest says of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, or_, select

from packline.ledger import schema as t
from packline.ledger.reading import present
from packline.records import ShotState
from packline.releases.manifest import format_of, short_engine, short_lora, short_parts
from packline.releases.records import File, Image


def standing_now(connection: Connection, catalog: str) -> Select[Any]:
    """Each present shot's picture: shot, fingerprint, candidate, checks, decided, parts, kept, old_parts."""
    shots, now, before = t.shots, t.shot_states.alias("now"), t.shot_states.alias("before")
    kept = t.release_items.alias("kept")
    ready = now.c.state == str(ShotState.PUBLISHED)
    last = last_item(shots.c.key, catalog)
    joined = (
        shots.outerjoin(now, and_(now.c.shot == shots.c.key, now.c.fingerprint == shots.c.fingerprint))
        # what the last release showed of a shot that is not published as it is planned now
        .outerjoin(
            kept,
            and_(
                kept.c.catalog == catalog,
                kept.c.shot == shots.c.key,
                kept.c.release == last,
                kept.c.gone.is_(False),
                # a picture of this very plan was judged: whoever took it back meant it
                kept.c.fingerprint != shots.c.fingerprint,
                or_(now.c.state.is_(None), now.c.state != str(ShotState.PUBLISHED)),
            ),
        )
        .outerjoin(
            before,
            and_(
                before.c.shot == kept.c.shot,
                before.c.fingerprint == kept.c.fingerprint,
                before.c.candidate == kept.c.candidate,
                before.c.state == str(ShotState.PUBLISHED),
            ),
        )
    )

    def either(name: str) -> ColumnElement[Any]:
        return case((ready, now.c[name]), else_=before.c[name])

    return (
        select(
            shots.c.key.label("shot"),
            shots.c.sku,
            shots.c.title,
            shots.c.scene,
            shots.c.view,
            either("fingerprint").label("fingerprint"),
            either("candidate").label("candidate"),
            either("checks").label("checks"),
            either("decided").label("decided"),
            shots.c.parts,
            kept.c.parts.label("kept_parts"),
        )
        .select_from(joined)
        .where(present(catalog), or_(ready, before.c.candidate.is_not(None)))
    )


def pictures_now(connection: Connection, catalog: str) -> Select[Any]:
    """`standing_now` with what the manifest says of each picture, in the manifest's order."""
    one = standing_now(connection, catalog).subquery("one")
    chosen, cards, made, said = t.selects, t.scorecards, t.candidates, t.decisions
    last = (
        select(func.max(chosen.c.id))
        .where(
            chosen.c.shot == one.c.shot,
            chosen.c.fingerprint == one.c.fingerprint,
            chosen.c.candidate == one.c.candidate,
        )
        .correlate(one)
        .scalar_subquery()
    )
    return (
        select(
            one,
            made.c.recipe,
            cards.c.passed,
            cards.c.score,
            said.c.decision,
            said.c.by,
            said.c.candidate.label("approved"),
        )
        .select_from(one)
        .join(made, made.c.id == one.c.candidate)
        .outerjoin(chosen, chosen.c.id == last)
        .outerjoin(cards, cards.c.id == chosen.c.scorecard)
        .outerjoin(said, said.c.id == chosen.c.decision)
        .order_by(bytewise(connection, one.c.shot))
    )


def image_of(row: Row[Any], files: list[File]) -> Image:
    """A row of `pictures_now` with its files, as the manifest has it.

    Raises
    ------
    ValueError
        Where it has neither a passing scorecard nor a person's approval, or no file.
    """
    overridden = (
        row.passed is False
        and row.decision == "approve"
        and row.by != "checks"
        and row.approved == row.candidate
    )
    if not row.passed and not overridden:
        raise ValueError(
            f"candidate {row.candidate} of {row.shot} has neither a passing scorecard nor a person's "
            f"approval; it cannot be released"
        )
    if not files:
        raise ValueError(f"candidate {row.candidate} of {row.shot} has no published file; publish it first")
    recipe = row.recipe
    return Image(
        shot=row.shot,
        sku=row.sku,
        title=row.title,
        scene=row.scene,
        view=row.view,
        candidate=row.candidate,
        fingerprint=row.fingerprint,
        files=tuple(files),
        seed=recipe["seed"],
        engine=short_engine(recipe["engine"]),
        loras=tuple(short_lora(one) for one in recipe["loras"]),
        checks=row.checks,
        passed=bool(row.passed),
        overridden=overridden,
        # six digits are what a person compares, and the same on every machine
        score=round(row.score, 6),
        decided=row.decided,
        parts=short_parts(row.kept_parts or row.parts),
    )


def file_of(row: Row[Any]) -> File:
    """A row of `publications` as the manifest has it."""
    return File(row.use, format_of(row.key), row.width, row.height, row.key, row.sha256, row.size)


def last_item(shot: ColumnElement[str], catalog: str, upto: int | None = None) -> ColumnElement[int]:
    """The release that changed a shot last, of those up to `upto`."""
    items = t.release_items.alias()
    query = select(func.max(items.c.release)).where(items.c.catalog == catalog, items.c.shot == shot)
    if upto is not None:
        query = query.where(items.c.release <= upto)
    return query.correlate_except(items).scalar_subquery()


def bytewise(connection: Connection, column: ColumnElement[str]) -> ColumnElement[Any]:
    """A column to order by, in the order of code points."""
    # PostgreSQL sorts as its locale does; SQLite by bytes, which is the order of code points
    return column.collate("C") if connection.dialect.name == "postgresql" else column
