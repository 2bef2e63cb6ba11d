"""The line over time and people against its checks: what the review desk's statistics are drawn from.

Every query goes over an index and counts in the database; `verdict_tallies` is kept up as scorecards come in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, distinct, func, select
from sqlalchemy.dialects import postgresql, sqlite

from packline.agreement import Said
from packline.ledger import schema as t
from packline.ledger.decided import AGAIN, APPROVE, LATER, REJECT
from packline.ledger.part import ReadingPart
from packline.ledger.reading import _utc
from packline.ledger.waiting import TO_DO
from packline.scorecard import Scorecard

MOST_SAID = 5000
"""Decisions that feedback is drawn from, the latest."""


@dataclass(frozen=True)
class RunFigures:
    """What a run came to.

    Parameters
    ----------
    hours
        From start to end; None while it runs.
    made, cost, seconds
        Candidates that it made, what they cost in dollars, and the engine's seconds.
    published
        Pictures that it published.
    verdicts
        How often each check said what: ``{"shape": {"pass": 12, "fail": 3}}``.
    flags
        Shots that it put before people, by reason.
    """

    id: str
    catalog: str
    started: datetime
    hours: float | None
    made: int
    cost: float
    seconds: float
    published: int
    verdicts: Mapping[str, Mapping[str, int]]
    flags: Mapping[str, int]


@dataclass(frozen=True)
class Settled:
    """When a person decided on a shot, and since when it had waited."""

    at: datetime
    flagged: datetime | None


class Figures(ReadingPart):
    """Figures of a ledger; every call is one short transaction."""

    def catalogs(self) -> list[str]:
        """Every catalog that was ever run."""
        with self._reader.connect() as connection:
            return list(connection.scalars(select(t.runs.c.catalog).distinct().order_by(t.runs.c.catalog)))

    def runs(self, catalog: str = "", since: datetime | None = None) -> list[RunFigures]:
        """Runs with what they came to, in their order.

        Parameters
        ----------
        catalog
            Only this one's; empty: those of all.
        since
            Only those that began since then, UTC.
        """
        r = t.runs.c
        where = [r.catalog == catalog] if catalog else []
        where += [r.started >= since] if since is not None else []
        made, shown = t.candidates.c, t.publications.c
        with self._reader.connect() as connection:
            rows = connection.execute(
                select(r.id, r.catalog, r.started, r.ended).where(*where).order_by(r.started, r.id)
            ).all()
            own = select(r.id).where(*where)
            counts = {
                row.run: row
                for row in connection.execute(
                    select(
                        made.run,
                        func.count().label("made"),
                        func.sum(made.cost).label("cost"),
                        func.sum(made.seconds).label("seconds"),
                    )
                    .where(made.run.in_(own))
                    .group_by(made.run)
                )
            }
            published = {
                row.run: row.many
                for row in connection.execute(
                    select(shown.run, func.count(distinct(shown.candidate)).label("many"))
                    .where(shown.run.in_(own))
                    .group_by(shown.run)
                )
            }
            verdicts: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
            v = t.verdict_tallies.c
            for row in connection.execute(select(t.verdict_tallies).where(v.run.in_(own))):
                verdicts[row.run][row.name][row.verdict] = row.times
            flags: dict[str, dict[str, int]] = defaultdict(dict)
            f = t.flags.c
            reasons = select(f.run, f.reason, func.count().label("many")).where(f.run.in_(own))
            for row in connection.execute(reasons.group_by(f.run, f.reason)):
                flags[row.run][row.reason] = row.many
        return [
            RunFigures(
                id=row.id,
                catalog=row.catalog,
                started=_utc(row.started),
                hours=_hours(row.started, row.ended),
                made=counts[row.id].made if row.id in counts else 0,
                cost=float(counts[row.id].cost) if row.id in counts else 0.0,
                seconds=float(counts[row.id].seconds) if row.id in counts else 0.0,
                published=published.get(row.id, 0),
                verdicts={name: dict(said) for name, said in verdicts.get(row.id, {}).items()},
                flags=flags.get(row.id, {}),
            )
            for row in rows
        ]

    def waiting(self, catalog: str = "") -> tuple[int, datetime | None]:
        """How many shots wait for a person now, and since when the oldest does."""
        q = t.review_queue.c
        query = select(func.count().label("many"), func.min(q.flagged).label("oldest")).where(
            q.status == TO_DO, *([q.catalog == catalog] if catalog else [])
        )
        with self._reader.connect() as connection:
            row = connection.execute(query).one()
        return row.many, None if row.oldest is None else _utc(row.oldest)

    def settled(self, catalog: str = "", since: datetime | None = None) -> list[Settled]:
        """People's decisions that stand, in their order."""
        d, f = t.decisions.c, t.flags.c
        flagged = (
            select(func.max(f.recorded))
            .where(f.shot == d.shot, f.fingerprint == d.fingerprint, f.recorded <= d.recorded)
            .correlate(t.decisions)
            .scalar_subquery()
        )
        with self._reader.connect() as connection:
            query = (
                select(d.recorded, flagged.label("flagged"))
                .outerjoin(LATER, LATER.c.undoes == d.id)
                .where(
                    d.catalog.in_([catalog] if catalog else _with_decisions(connection)),
                    d.decision.in_((APPROVE, REJECT, AGAIN)),
                    LATER.c.id.is_(None),
                    *([d.recorded >= since] if since is not None else []),
                )
                .order_by(d.recorded)
            )
            return [
                Settled(_utc(row.recorded), None if row.flagged is None else _utc(row.flagged))
                for row in connection.execute(query)
            ]

    def said(self, catalog: str = "", most: int = MOST_SAID) -> list[Said]:
        """Each person's last word on a candidate, as far as it stands, the latest first."""
        d = t.decisions.c
        with self._reader.connect() as connection:
            query = (
                select(t.decisions)
                .outerjoin(LATER, LATER.c.undoes == d.id)
                .where(
                    d.catalog.in_([catalog] if catalog else _with_decisions(connection)),
                    d.decision.in_((APPROVE, REJECT)),
                    d.candidate != "",
                    LATER.c.id.is_(None),
                )
                .order_by(d.recorded.desc(), d.id.desc())
                .limit(most)
            )
            found: dict[tuple[str, str], Said] = {}
            for row in connection.execute(query):
                one = Said(
                    id=row.id,
                    catalog=row.catalog,
                    shot=row.shot,
                    candidate=row.candidate,
                    decision=row.decision,
                    by=row.by,
                    words=row.words,
                    recorded=_utc(row.recorded),
                    tags=tuple(row.tags or ()),
                    scores=row.scores or {},
                )
                found.setdefault((one.candidate, one.by), one)
        return list(found.values())


def count_verdicts(connection: Connection, run: str, scorecard: Scorecard) -> None:
    """Count a scorecard that is being recorded."""
    table = t.verdict_tallies
    said = Counter((result.check, str(result.verdict)) for result in scorecard.results)
    if not said:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    adding = dialect.insert(table)
    # in one order, so that two who record at the same time wait for each other and not in a circle
    rows = [{"run": run, "name": name, "verdict": verdict, "times": times}
            for (name, verdict), times in sorted(said.items())]  # fmt: skip
    keys = [column.name for column in table.primary_key]
    more: dict[str, Any] = {"times": table.c.times + adding.excluded.times}
    connection.execute(adding.on_conflict_do_update(index_elements=keys, set_=more), rows)


def _with_decisions(connection: Connection) -> list[str]:
    """Catalogs of the ledger; decisions of the checks belong to none."""
    return list(connection.scalars(select(t.runs.c.catalog).distinct().where(t.runs.c.catalog != "")))


def _hours(started: datetime, ended: datetime | None) -> float | None:
    return None if ended is None else (_utc(ended) - _utc(started)).total_seconds() / 3600
