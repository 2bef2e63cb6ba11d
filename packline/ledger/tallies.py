"""Counts over a whole catalog, made by the database: nobody walks over a million shots to say how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, case, func, select

from packline.ledger import schema as t
from packline.ledger.files import publishable
from packline.ledger.planning import slices
from packline.ledger.reading import present, read_shots
from packline.records import RowError, ShotRecord, ShotState
from packline.scorecard import CheckResult, Scorecard

_RUNS = 20  # whose rates say how long the next one takes


@dataclass(frozen=True)
class Made:
    """The candidates of the shots that a run worked on.

    Parameters
    ----------
    scored, passed
        Those with a scorecard, and those whose latest scorecard passed.
    cost
        Dollars.
    """

    candidates: int = 0
    scored: int = 0
    passed: int = 0
    cost: float = 0.0


class Tallies:
    """Counts and extracts of a catalog's present; every call is one short transaction.

    Parameters
    ----------
    reader
        The ledger's.
    """

    def __init__(self, reader: Engine) -> None:
        self._reader = reader

    def states(self, catalog: str, only: Sequence[str] = ()) -> dict[ShotState, int]:
        """How many shots stand where, row errors included; of some SKUs where any are named."""
        s, state = t.shots.c, func.coalesce(t.shot_states.c.state, str(ShotState.TODO))
        many = func.count().label("many")
        query = select(state.label("state"), many).select_from(_shots()).where(present(catalog))
        if only:
            query = query.where(s.sku.in_(only))
        with self._reader.connect() as connection:
            rows = connection.execute(query.group_by(state)).all()
        return {ShotState(row.state): row.many for row in rows}

    def owed(self, catalog: str) -> int:
        """How many shots the catalog's usable rows owe."""
        query = select(func.count()).select_from(t.shots).where(present(catalog), t.shots.c.product != "")
        with self._reader.connect() as connection:
            return connection.scalar(query) or 0

    def made(self, catalog: str, run: str) -> Made:
        """What became of the candidates of the shots that a run worked on."""
        c = t.candidates.c
        passed = _latest(t.scorecards.c.passed)
        own = (
            select(c.cost, passed.label("passed"))
            .select_from(
                _worked(run).join(
                    t.candidates, and_(c.shot == t.shots.c.key, c.fingerprint == t.shots.c.fingerprint)
                )
            )
            .where(present(catalog), t.work.c.run == run)
            .subquery()
        )
        query = select(
            func.count().label("candidates"),
            func.count(own.c.passed).label("scored"),
            func.sum(case((own.c.passed.is_(True), 1), else_=0)).label("passed"),
            func.sum(own.c.cost).label("cost"),
        )
        with self._reader.connect() as connection:
            row = connection.execute(query).one()
        return Made(row.candidates, row.scored, row.passed or 0, row.cost or 0.0)

    def verdicts(self, catalog: str, run: str) -> Iterator[Scorecard]:
        """The latest scorecard of each candidate of the shots that a run worked on, one by one."""
        c = t.candidates.c
        here = and_(c.shot == t.shots.c.key, c.fingerprint == t.shots.c.fingerprint)
        query = (
            select(t.scorecards.c.results)
            .select_from(_worked(run).join(t.candidates, here))
            .join(t.scorecards, t.scorecards.c.id == _latest(t.scorecards.c.id))
            .where(present(catalog), t.work.c.run == run)
            .order_by(t.scorecards.c.id)
        )
        with self._reader.connect() as connection:
            for row in connection.execution_options(yield_per=200).execute(query):
                yield Scorecard(tuple(CheckResult.from_dict(one) for one in row.results))

    def shots(
        self,
        catalog: str,
        most: int,
        *,
        run: str = "",
        state: ShotState | None = None,
        only: Sequence[str] = (),
    ) -> list[ShotRecord]:
        """The first few shots of a catalog, in its order.

        Parameters
        ----------
        run
            Only what this run worked on.
        state, only
            Only those of a state, or of some SKUs.
        """
        where: list[ColumnElement[bool]] = []
        if run:
            where.append(t.shots.c.key.in_(select(t.work.c.shot).where(t.work.c.run == run)))
        if state is not None:
            where.append(t.shot_states.c.state == str(state))
        if only:
            where.append(t.shots.c.sku.in_(only))
        s = t.shots.c
        query = select(s.key).select_from(_shots()).where(present(catalog), *where)
        with self._reader.connect() as connection:
            keys = list(connection.scalars(query.order_by(s.row, s.position, s.key).limit(most)))
            return [
                shot
                for part in slices(keys)
                for shot in read_shots(connection, catalog, where=s.key.in_(part))
            ]

    def row_errors(self, catalog: str, most: int) -> list[RowError]:
        """The first few rows that the catalog's last plan could not use."""
        s = t.shots.c
        query = (
            select(s.key, s.sku, s.title, s.row, s.scene, t.shot_states.c.sentence)
            .select_from(_shots())
            .where(present(catalog), s.product == "")
            .order_by(s.row, s.position, s.key)
        )
        found: dict[int, RowError] = {}
        with self._reader.connect() as connection:
            for row in connection.execution_options(yield_per=200).execute(query):
                before = found.get(row.row)
                if before is None and len(found) >= most:
                    break
                shots = (*(before.shots if before else ()), *((row.key,) if row.scene else ()))
                found[row.row] = RowError(row.row, row.sku, "row", row.sentence, shots, row.title)
        return list(found.values())

    def publishable(self, catalog: str) -> int:
        """How many shots have something to publish."""
        with self._reader.connect() as connection:
            query = select(func.count()).select_from(_shots())
            return connection.scalar(query.where(present(catalog), publishable(connection, catalog))) or 0

    def next_publishable(self, catalog: str, after: tuple[int, int, str] | None, most: int) -> list[Any]:
        """The next shots that have something to publish, in the catalog's order: row, position, key."""
        from sqlalchemy import tuple_

        s = t.shots.c
        order = (s.row, s.position, s.key)
        with self._reader.connect() as connection:
            query = (
                select(*order).select_from(_shots()).where(present(catalog), publishable(connection, catalog))
            )
            if after is not None:
                query = query.where(tuple_(*order) > tuple_(*after))
            return list(connection.execute(query.order_by(*order).limit(most)).tuples())

    def rates(self, catalog: str) -> dict[str, float]:
        """Seconds that a station took for an item in the catalog's last runs, by the station's name."""
        c, r = t.stations.c, t.runs.c
        last = select(r.id).where(r.catalog == catalog).order_by(r.started.desc()).limit(_RUNS)
        query = (
            select(c.station, (func.sum(c.seconds) / func.sum(c["items"])).label("rate"))
            .where(c.run.in_(last.scalar_subquery()), c["items"] > 0)
            .group_by(c.station)
        )
        with self._reader.connect() as connection:
            return {row.station: float(row.rate) for row in connection.execute(query)}


def _shots() -> Any:
    current = and_(
        t.shot_states.c.shot == t.shots.c.key, t.shot_states.c.fingerprint == t.shots.c.fingerprint
    )
    return t.shots.outerjoin(t.shot_states, current)


def _worked(run: str) -> Any:
    return t.work.join(t.shots, t.shots.c.key == t.work.c.shot)


def _latest(column: Any) -> Any:
    """A column of a candidate's latest scorecard."""
    cards = t.scorecards.alias()
    last = select(func.max(cards.c.id)).where(cards.c.candidate == t.candidates.c.id).scalar_subquery()
    if column is t.scorecards.c.id:
        return last
    other = t.scorecards.alias()
    return select(other.c[column.name]).where(other.c.id == last).scalar_subquery()
