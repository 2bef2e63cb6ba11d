"""The ledger's side of delivery: which file of a select stands, and which are owed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    false,
    func,
    or_,
    select,
    update,
)

from packline.ledger import schema as t
from packline.ledger.database import insert_once, upsert
from packline.lineage import lineage_digest
from packline.records import Published, ShotState


def store_deliveries(connection: Connection, catalog: str, deliveries: Mapping[str, str]) -> None:
    """Note what the settings ask of every select of a catalog.

    Parameters
    ----------
    deliveries
        `packline.delivery.delivery_digests`.
    """
    c = t.deliveries.c
    connection.execute(delete(t.deliveries).where(c.catalog == catalog, c.use.not_in(list(deliveries))))
    rows = [{"catalog": catalog, "use": use, "delivery": made} for use, made in deliveries.items()]
    upsert(connection, t.deliveries, rows, ("delivery",))


def owes_files(candidate: ColumnElement[str], deliveries: Mapping[str, str]) -> ColumnElement[bool]:
    """Whether a published select lacks a file that the settings ask for, as a condition of a query.

    Parameters
    ----------
    candidate
        The column that holds the select, `shot_states.c.candidate` of a shot that is published.
    deliveries
        `packline.delivery.delivery_digests`, of the settings at hand; nothing need be stored.
    """
    c = t.publications.c
    return or_(
        false(),
        *(
            ~select(c.id).where(c.candidate == candidate, c.use == use, c.delivery == made).exists()
            for use, made in deliveries.items()
        ),
    )


def publishable(connection: Connection, catalog: str) -> ColumnElement[bool]:
    """Which shots have something to publish, as a condition on `shot_states`.

    Those whose select waits for it, and those whose published select lacks a file that the catalog's settings
    asked for when `store_deliveries` last noted them.
    """
    c, asked = t.shot_states.c, t.deliveries.c
    rows = connection.execute(select(asked.use, asked.delivery).where(asked.catalog == catalog))
    owed = owes_files(c.candidate, {row.use: row.delivery for row in rows})
    return or_(c.state == str(ShotState.SELECTED), and_(c.state == str(ShotState.PUBLISHED), owed))


def shown_files(catalog: str, *where: Any) -> Select[Any]:
    """The rows of `publications` that stand: of each candidate one for each use, the first noted first.

    It is the one that was made as the settings ask now; where that is still owed, the one before it. A use
    that the settings no longer name has none.

    Parameters
    ----------
    where
        Conditions on `publications`.
    """
    c, asked = t.publications.c, t.deliveries.c
    first = case((asked.delivery == c.delivery, 0), else_=1)
    place = func.row_number().over(partition_by=(c.candidate, c.use), order_by=(first, c.id.desc()))
    # a catalog from before formats asks for nothing by name
    unasked = ~select(asked.use).where(asked.catalog == catalog).correlate(None).exists()
    ranked = (
        select(t.publications, place.label("place"))
        .outerjoin(t.deliveries, and_(asked.catalog == catalog, asked.use == c.use))
        .where(*where, or_(asked.use.is_not(None), unasked))
        .subquery()
    )
    return select(ranked).where(ranked.c.place == 1).order_by(ranked.c.id)


def published_file(row: Row[Any]) -> Published:
    """A row of `publications` as a record."""
    return Published(
        row.use, row.key, row.sha256, row.size, True, row.delivery, row.width, row.height, row.lineage
    )


def store_published(
    connection: Connection,
    place: Mapping[str, str],
    files: Sequence[Published],
    lineage: Mapping[str, Any] | None,
) -> None:
    """Note the files that show a select, all at once, and that its shot is thereby published.

    Parameters
    ----------
    place
        ``run``, ``shot``, ``fingerprint`` and ``candidate``.
    lineage
        `packline.lineage.lineage`; kept where a file names it, for what stood before names that of then.

    Raises
    ------
    ValueError
        Where the candidate is not the shot's select, or there is no file.
    """
    if not files:
        raise ValueError(f"{place['shot']} has no file that could be noted")
    c = t.shot_states.c
    here = (c.shot == place["shot"], c.fingerprint == place["fingerprint"])
    if connection.scalar(select(c.candidate).where(*here)) != place["candidate"]:
        raise ValueError(
            f"candidate {place['candidate']} is not the select of {place['shot']} at {place['fingerprint']}"
        )
    named = "" if lineage is None else lineage_digest(lineage)
    if lineage is not None and any(file.lineage == named for file in files):
        row = {"digest": named, "data": dict(lineage), "run": place["run"], "candidate": place["candidate"]}
        insert_once(connection, t.lineages, [row])
    rows = [
        {
            **place,
            "use": file.use,
            "key": file.key,
            "sha256": file.sha256,
            "size": file.size,
            "delivery": file.delivery,
            "width": file.width,
            "height": file.height,
            "lineage": file.lineage,
        }
        for file in files
    ]
    insert_once(connection, t.publications, rows)
    connection.execute(
        update(t.shot_states).where(*here).values(state=str(ShotState.PUBLISHED), run=place["run"])
    )
