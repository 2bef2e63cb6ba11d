"""The review's queue: its pages and counts, who looks at what just now, and where each person left off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from packline.ledger import schema as t
from packline.ledger.database import upsert
from packline.ledger.part import Part
from packline.ledger.reading import _utc
from packline.ledger.waiting import DOING, DONE, TO_DO, WITHOUT_PICTURE, refresh
from packline.shots import number_of


@dataclass(frozen=True)
class Filters:
    """What of the queue a person wants to see; empty means all.

    Parameters
    ----------
    status
        "to do", "doing" (somebody looks at it just now) or "done" (a person decided).
    reason
        The failing check, or why there is no picture.
    sku
        How the SKU begins, in any case.
    days
        Flagged at least so many days ago.
    assignee
        A person's name, or "nobody".
    """

    status: str = TO_DO
    catalog: str = ""
    reason: str = ""
    sku: str = ""
    lora: str = ""
    run: str = ""
    days: int = 0
    assignee: str = ""

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Filters:
        """Read plain data; what is unknown or of another kind is left out."""
        kinds = {one.name: type(one.default) for one in fields(Filters)}
        return Filters(**{name: data[name] for name, kind in kinds.items() if type(data.get(name)) is kind})

    def conditions(self) -> list[Any]:
        """On `review_queue`, the status left out."""
        q = t.review_queue.c
        named = [
            q[name] == getattr(self, name)
            for name in ("catalog", "reason", "lora", "run")
            if getattr(self, name)
        ]
        if self.assignee:
            named.append(q.assignee == ("" if self.assignee == "nobody" else self.assignee))
        if self.sku:
            # a range, because an index serves it; lowered by the database, which knows its own letters
            start = func.lower(self.sku)
            named += [q.sku_lower >= start, q.sku_lower < start.concat("\U0010ffff")]
        if self.days:
            named.append(q.flagged <= t.now() - timedelta(days=self.days))
        return named


@dataclass(frozen=True)
class QueueItem:
    """A shot in the queue.

    Parameters
    ----------
    flagged
        Since when it waits.
    holder
        Who looks at it just now; empty where nobody does.
    decision
        The person's decision that settled it, None where it waits.
    """

    catalog: str
    shot: str
    fingerprint: str
    status: str
    rank: int
    flagged: datetime
    sku: str
    title: str
    scene: str
    view: str
    lora: str
    run: str
    reason: str
    sentence: str
    assignee: str
    decision: int | None
    holder: str = ""

    @property
    def number(self) -> int:
        """Which picture of its placement it is; 1 is the first."""
        return number_of(self.shot)


@dataclass(frozen=True)
class Lease:
    """Who has a shot before them.

    Parameters
    ----------
    page
        The open page that renews it.
    """

    holder: str
    page: str
    expires: datetime


class Queue(Part):
    """The queue of a ledger; every call is one short transaction."""

    def rebuild(self) -> None:
        """Bring all of it up to date; for a ledger whose queue was never kept, and to be sure."""
        with self._write() as connection:
            refresh(connection)

    # reading

    def page(self, filters: Filters, after: tuple[str, str] | None = None, most: int = 50) -> list[QueueItem]:
        """Some of the queue: failures first and the oldest first among them; what is done, the latest first.

        Parameters
        ----------
        after
            Catalog and key of the shot that stood last on the page before.
        """
        with self._reader.connect() as connection:
            query = _listed(filters).where(*filters.conditions())
            if after is not None:
                query = _after(connection, query, filters.status, after)
            return [_item(row) for row in connection.execute(query.limit(most))]

    def counts(self, filters: Filters) -> dict[str, int]:
        """How many shots of these filters are to do, being looked at, and done."""
        q, held = t.review_queue.c, _held()
        waiting = select(q.status, func.count()).where(*filters.conditions()).group_by(q.status)
        doing = select(func.count()).select_from(t.review_queue.join(t.review_leases, held))
        with self._reader.connect() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(waiting)}
            looked_at = connection.scalar(doing.where(q.status == TO_DO, *filters.conditions())) or 0
        return {TO_DO: found.get(TO_DO, 0), DOING: looked_at, DONE: found.get(DONE, 0)}

    def choices(self, status: str) -> dict[str, list[tuple[str, int]]]:
        """What the filters may be set to: the values that occur and how often, the most frequent first."""
        q, found = t.review_queue.c, {}
        wanted = TO_DO if status == DOING else status
        with self._reader.connect() as connection:
            for name in ("catalog", "reason", "lora", "run", "assignee"):
                query = select(q[name], func.count()).where(q.status == wanted).group_by(q[name])
                rows = [(row[0], int(row[1])) for row in connection.execute(query) if row[0]]
                found[name] = sorted(rows, key=lambda row: (-row[1], row[0]))
        return found

    def item(self, catalog: str, shot: str) -> QueueItem | None:
        """A shot's place in the queue; None where it has none."""
        q = t.review_queue.c
        query = select(t.review_queue, t.review_leases.c.holder).outerjoin(t.review_leases, _held())
        with self._reader.connect() as connection:
            row = connection.execute(query.where(q.catalog == catalog, q.shot == shot)).one_or_none()
            return None if row is None else _item(row)

    # leases

    def take(self, catalog: str, shot: str, who: str, page: str, seconds: float) -> Lease:
        """Ask for a shot: the lease is the asker's where nobody else holds it, else the other's."""
        with self._write() as connection:
            return _take(connection, catalog, shot, who, page, seconds)

    def take_next(
        self,
        filters: Filters,
        who: str,
        page: str,
        seconds: float,
        after: tuple[str, str] | None = None,
    ) -> tuple[str, str] | None:
        """Take the first shot that waits, that nobody looks at, and that is assigned to nobody else.

        One without pictures is not offered unless the filters ask for its reason: there is nothing to judge.

        Parameters
        ----------
        after
            Begin behind this shot, and only then from the front.

        Returns
        -------
        catalog, shot
            None where there is none.
        """
        q = t.review_queue.c
        others = and_(_held(), t.review_leases.c.holder != who)
        free = ~exists(select(t.review_leases.c.shot).where(others).correlate(t.review_queue))
        waiting = Filters(**{**asdict(filters), "status": TO_DO})
        plain = select(q.catalog, q.shot).where(
            q.status == TO_DO, *waiting.conditions(), q.assignee.in_(("", who)), free
        )
        if not filters.reason:
            plain = plain.where(q.rank < WITHOUT_PICTURE)
        ordered = plain.order_by(*_ORDER).limit(1).with_for_update(skip_locked=True)
        with self._write() as connection:
            row = None
            if after is not None:
                query = _after(connection, ordered, TO_DO, after)
                row = connection.execute(query).one_or_none()
                ordered = ordered.where(~and_(q.catalog == after[0], q.shot == after[1]))
            if row is None:
                row = connection.execute(ordered).one_or_none()
            if row is None:
                return None
            _take(connection, row.catalog, row.shot, who, page, seconds)
            return row.catalog, row.shot

    def renew(self, catalog: str, shot: str, who: str, page: str, seconds: float) -> bool:
        """Keep a lease; False where it is another's by now."""
        with self._write() as connection:
            lease = _take(connection, catalog, shot, who, page, seconds, only_of_page=True)
            return (lease.holder, lease.page) == (who, page)

    def let_go(self, who: str, page: str) -> None:
        """Leave a page: its shot is free for others."""
        c = t.review_leases.c
        with self._write() as connection:
            connection.execute(delete(t.review_leases).where(c.holder == who, c.page == page))

    # people's places

    def assign(self, shots: Sequence[tuple[str, str]], to: str) -> int:
        """Give shots that wait to a person (empty: to nobody); how many were."""
        q = t.review_queue.c
        with self._write() as connection:
            return sum(
                connection.execute(
                    update(t.review_queue)
                    .where(q.catalog == catalog, q.shot == shot, q.status == TO_DO)
                    .values(assignee=to)
                ).rowcount
                for catalog, shot in shots
            )

    def remember(self, who: str, filters: Filters, catalog: str = "", shot: str = "") -> None:
        """Note where a person is, so that they can go on there."""
        row = {"name": who, "filters": asdict(filters), "catalog": catalog, "shot": shot}
        with self._write() as connection:
            upsert(connection, t.review_places, [row], ("filters", "catalog", "shot"))

    def place(self, who: str) -> tuple[Filters, str, str]:
        """Where a person left off: filters, and the shot that was open last where it still waits."""
        p, q = t.review_places.c, t.review_queue.c
        waits = and_(q.catalog == p.catalog, q.shot == p.shot, q.status == TO_DO)
        query = select(p.filters, q.catalog, q.shot).outerjoin(t.review_queue, waits).where(p.name == who)
        with self._reader.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return Filters(), "", ""
        return Filters.from_dict(row.filters), row.catalog or "", row.shot or ""


_ORDER = (t.review_queue.c.rank, t.review_queue.c.flagged, t.review_queue.c.shot, t.review_queue.c.catalog)


def _held() -> Any:
    c, q = t.review_leases.c, t.review_queue.c
    return and_(c.catalog == q.catalog, c.shot == q.shot, c.expires > t.now())


def _listed(filters: Filters) -> Select[Any]:
    q = t.review_queue.c
    joined = select(t.review_queue, t.review_leases.c.holder)
    if filters.status == DOING:
        return joined.join(t.review_leases, _held()).where(q.status == TO_DO).order_by(*_ORDER)
    joined = joined.outerjoin(t.review_leases, _held()).where(q.status == filters.status)
    return joined.order_by(q.decision.desc()) if filters.status == DONE else joined.order_by(*_ORDER)


def _after(connection: Connection, query: Select[Any], status: str, last: tuple[str, str]) -> Select[Any]:
    q = t.review_queue.c
    row = connection.execute(
        select(q.rank, q.flagged, q.shot, q.catalog, q.decision).where(
            q.catalog == last[0], q.shot == last[1]
        )
    ).one_or_none()
    if row is None:
        return query
    if status == DONE:
        return query.where(q.decision < row.decision)
    return query.where(tuple_(*_ORDER) > tuple_(row.rank, row.flagged, row.shot, row.catalog))


def _take(
    connection: Connection,
    catalog: str,
    shot: str,
    who: str,
    page: str,
    seconds: float,
    only_of_page: bool = False,
) -> Lease:
    c, now = t.review_leases.c, t.now()
    row = {
        "catalog": catalog,
        "shot": shot,
        "holder": who,
        "page": page,
        "expires": now + timedelta(seconds=seconds),
    }
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    asking = dialect.insert(t.review_leases).values(row)
    own = and_(c.holder == who, c.page == page) if only_of_page else c.holder == who
    # whoever is second finds the first one's row, on either database
    connection.execute(
        asking.on_conflict_do_update(
            index_elements=["catalog", "shot"],
            set_={name: asking.excluded[name] for name in ("holder", "page", "expires")},
            where=or_(own, c.expires <= now),
        )
    )
    held = connection.execute(select(t.review_leases).where(c.catalog == catalog, c.shot == shot)).one()
    return Lease(held.holder, held.page, _utc(held.expires))


def _item(row: Any) -> QueueItem:
    found = {one.name: row._mapping[one.name] for one in fields(QueueItem)}
    return QueueItem(**{**found, "flagged": _utc(row.flagged), "holder": row.holder or ""})
