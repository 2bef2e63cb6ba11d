"""Counts over a whole catalog, made by the database: nobody walks over a million shots to say how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select, tuple_

from packline.ledger import schema as t
from packline.ledger.files import publishable
from packline.ledger.part import ReadingPart
from packline.ledger.planning import slices
from packline.ledger.reading import present, read_shots
from packline.records import RowError, ShotRecord, ShotState
from packline.scorecard import CheckResult, Scorecard

_PAGE = 500
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


class Tallies(ReadingPart):
    """Counts and extracts of a catalog's present; every call is one short transaction."""

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
        passed = _latest("passed")
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
            .join(t.scorecards, t.scorecards.c.id == _latest("id"))
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

    def flags(self, catalog: str) -> Iterator[list[tuple[str, str, str]]]:
        """Key, reason and sentence of every shot that waits for a person, a page at a time."""
        s, st = t.shots.c, t.shot_states.c
        order = (s.row, s.position, s.key)
        query = (
            select(*order, st.reason, st.sentence)
            .select_from(_shots())
            .where(present(catalog), st.state == str(ShotState.FLAGGED))
            .order_by(*order)
            .limit(_PAGE)
        )
        after = None
        while True:
            here = query if after is None else query.where(tuple_(*order) > tuple_(*after))
            with self._reader.connect() as connection:
                rows = connection.execute(here).all()
            if not rows:
                return
            after = (rows[-1].row, rows[-1].position, rows[-1].key)
            yield [(row.key, row.reason, row.sentence) for row in rows]

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

    def words(self, catalog: str, most: int) -> tuple[list[str], list[str]]:
        """The first few titles and scenes that the catalog's usable rows name, by code points."""
        s = t.shots.c
        here = and_(present(catalog), s.product != "")
        with self._reader.connect() as connection:
            found = []
            for column in (s.title, s.scene):
                # elsewhere databases sort as people of some country do
                bytewise = column.collate("C") if connection.dialect.name == "postgresql" else column
                query = select(column).where(here).group_by(column).order_by(bytewise).limit(most)
                found.append(list(connection.scalars(query)))
        return found[0], found[1]

    def publishable(self, catalog: str) -> int:
        """How many shots have something to publish."""
        with self._reader.connect() as connection:
            query = select(func.count()).select_from(_shots())
            return connection.scalar(query.where(present(catalog), publishable(connection, catalog))) or 0

    def next_publishable(
        self, catalog: str, after: tuple[int, int, str] | None, most: int
    ) -> list[tuple[int, int, str]]:
        """The next shots that have something to publish, in the catalog's order: row, position, key."""
        s = t.shots.c
        order = (s.row, s.position, s.key)
        with self._reader.connect() as connection:
            query = (
                select(*order).select_from(_shots()).where(present(catalog), publishable(connection, catalog))
            )
            if after is not None:
                query = query.where(tuple_(*order) > tuple_(*after))
            rows = connection.execute(query.order_by(*order).limit(most))
            return [(row.row, row.position, row.key) for row in rows]

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


def _latest(column: str) -> Any:
    """A column of a candidate's latest scorecard."""
    cards = t.scorecards.alias()
    own = select(cards.c[column]).where(cards.c.candidate == t.candidates.c.id)
    return own.order_by(cards.c.id.desc()).limit(1).correlate(t.candidates).scalar_subquery()
