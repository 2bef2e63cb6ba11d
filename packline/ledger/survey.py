"""A catalog's rows beside what the ledger remembers of them: which differ, and which shots have work to do.

Set-based: the rows' digests go into a temporary table, and the database says which rows are new, changed,
moved or gone. Nothing here grows with the catalog but tables on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    union,
    update,
)
from sqlalchemy.schema import CreateTable, DropTable

from packline.assets import Asset, Place
from packline.ledger import leases
from packline.ledger import schema as t
from packline.ledger.database import insert_once, upsert
from packline.ledger.duties import forget_others
from packline.ledger.files import owes_files
from packline.ledger.planning import (
    are_there,
    flag_rows,
    product_row,
    remember,
    slices,
    store_plan,
    stored_files,
)
from packline.ledger.reading import present
from packline.ledger.rounds import first_numbers
from packline.ledger.waiting import refresh
from packline.ledger.work import PASSING, Choice, Duty, Remembered, decide
from packline.records import PlannedShot, RowError, ShotState, Work
from packline.shots import Product, Shot, place_of

PAGE = 500
_ASSET = tuple(column.name for column in t.assets.columns)

_here = MetaData()
# the file's rows; the SKU is absent where it is none, the digest where the row lacks something
_incoming = Table(
    "survey_incoming",
    _here,
    Column("number", Integer, primary_key=True),
    Column("sku", String(200)),
    Column("digest", BigInteger),
    prefixes=["TEMPORARY"],
)
# rows that have to be read in full, with the number of the first row that has their SKU
_differing = Table(
    "survey_differing",
    _here,
    Column("number", Integer, primary_key=True),
    Column("first", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
# SKUs whose shots are planned anew, or leave the catalog
_touched = Table(
    "survey_touched", _here, Column("sku", String(200), primary_key=True), prefixes=["TEMPORARY"]
)


@dataclass(frozen=True)
class Owed:
    """A shot and what a run owes it.

    Parameters
    ----------
    first
        Number of the first candidate that is to be made.
    """

    key: str
    sku: str
    row: int
    position: int
    duty: Duty
    first: int = 0


@dataclass(frozen=True)
class Batch:
    """Some rows that were read in full.

    Parameters
    ----------
    digests
        `Planner.row_digest` of the usable rows, by SKU.
    errors
        Of rows that are the first with their SKU, or have none.
    duplicates
        Errors of the others.
    """

    products: Sequence[Product]
    shots: Sequence[PlannedShot]
    digests: dict[str, int | None]
    errors: Sequence[RowError]
    duplicates: Sequence[RowError]


class Survey:
    """One reading of a catalog; lives as long as its connection.

    Parameters
    ----------
    connection
        Of the ledger's writer; nobody else uses it meanwhile.
    catalog, checks
        The catalog's name, and the digest of the present checks.
    choice
        What the run is asked for.
    writes
        Whether anything is noted; else it is only said what a run would do.

    Attributes
    ----------
    run
        The run that plans; must be set before rows are noted.
    """

    def __init__(
        self, connection: Connection, catalog: str, checks: str, choice: Choice, *, writes: bool
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._checks = checks
        self._choice = choice
        self._writes = writes
        self.run = ""
        self.close()
        with self._aside() as c:
            for table in _here.sorted_tables:
                c.execute(CreateTable(table))

    def close(self) -> None:
        """Drop the temporary tables."""
        with self._aside() as c:
            for table in _here.sorted_tables:
                c.execute(DropTable(table, if_exists=True))

    @contextmanager
    def _aside(self) -> Iterator[Connection]:
        """A transaction that changes nothing but temporary tables."""
        self._connection.execution_options(packline_write=False)
        with self._connection.begin():
            yield self._connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        self._connection.execution_options(packline_write=True)
        with self._connection.begin():
            if self.run:
                leases.refuse_lost(self._connection, self.run)
            yield self._connection

    # the file's rows

    def recall(self, places: Sequence[Place]) -> list[Asset]:
        """What the ledger remembers of some models' files."""
        c, wanted = t.assets.c, set(places)
        found = []
        with self._aside() as connection:
            for part in slices([path for path, _ in places]):
                for row in connection.execute(select(t.assets).where(c.path.in_(part))):
                    if (row.path, row.truth) in wanted:
                        files = tuple(map(tuple, row.files))
                        found.append(
                            Asset(row.path, row.truth, row.digest, files, tuple(row.names), row.checked)
                        )
        return found

    def note(self, assets: Sequence[Asset]) -> None:
        """Remember what was read of some models' files."""
        if assets and self._writes:
            with self._write() as connection:
                columns = ("digest", "files", "names", "checked")
                rows = [{name: getattr(asset, name) for name in _ASSET} for asset in assets]
                upsert(connection, t.assets, rows, columns)

    def add(self, rows: Sequence[tuple[int, str | None, int | None]]) -> None:
        """Note some rows of the file: number, SKU and digest."""
        with self._aside() as c:
            if c.dialect.name == "postgresql":
                driver: Any = c.connection.driver_connection
                with driver.cursor() as cursor, cursor.copy(f"COPY {_incoming.name} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                c.exec_driver_sql(f"INSERT INTO {_incoming.name} VALUES (?, ?, ?)", list(rows))

    def compare(self) -> int:
        """Find the rows that differ, once all were added; returns how many."""
        i, d, r = _incoming.c, _differing.c, t.catalog_rows.c
        own = and_(r.catalog == self._catalog, r.sku == i.sku)
        with self._aside() as c:
            c.exec_driver_sql(f"CREATE INDEX survey_by_sku ON {_incoming.name} (sku)")
            if c.dialect.name == "postgresql":
                c.exec_driver_sql(f"ANALYZE {_incoming.name}")
            several = (
                select(i.sku, func.min(i.number).label("first"))
                .where(i.sku.is_not(None))
                .group_by(i.sku)
                .having(func.count() > 1)
                .subquery()
            )
            later = select(i.number, several.c.first).join(several, several.c.sku == i.sku)
            self._fill(c, _differing, later.where(i.number > several.c.first))
            c.execute(delete(_incoming).where(i.number.in_(select(d.number))))
            changed = (
                select(i.number, i.number)
                .select_from(_incoming.outerjoin(t.catalog_rows, own))
                .where(or_(i.digest.is_(None), i.sku.is_(None), r.digest.is_(None), r.digest != i.digest))
            )
            self._fill(c, _differing, changed)
            told = select(i.number, i.number).where(
                i.sku.in_(self._instructed()), i.number.not_in(select(d.number))
            )
            self._fill(c, _differing, told)
            first = select(i.sku).join(_differing, d.number == i.number).where(i.sku.is_not(None))
            gone = (
                select(r.sku)
                .where(r.catalog == self._catalog)
                .where(~select(i.number).where(i.sku == r.sku).exists())
            )
            self._fill(c, _touched, union(first, gone))
            return c.scalar(select(func.count()).select_from(_differing)) or 0

    @staticmethod
    def _fill(connection: Connection, table: Table, query: Any) -> None:
        connection.execute(insert(table).from_select(list(table.c), query))

    def _instructed(self) -> Any:
        """SKUs of shots for which people ask other things than when they were planned."""
        s, i, o = t.shots.c, t.instructions.c, t.obeyed.c
        now = and_(i.catalog == s.catalog, i.shot == s.key)
        then = and_(o.catalog == s.catalog, o.shot == s.key)
        here = present(self._catalog)
        new = (
            select(s.sku)
            .select_from(t.instructions.join(t.shots, now).outerjoin(t.obeyed, then))
            .where(here, i.catalog == self._catalog)
            .where(or_(o.decision.is_(None), o.decision != i.decision))
        )
        old = (
            select(s.sku)
            .select_from(t.obeyed.join(t.shots, then).outerjoin(t.instructions, now))
            .where(here, o.catalog == self._catalog, i.decision.is_(None))
        )
        return union(new, old)

    def has(self, sku: str) -> bool:
        """Whether a row of the file has this SKU."""
        with self._aside() as c:
            query = select(_incoming.c.number).where(_incoming.c.sku == sku).limit(1)
            return c.scalar(query) is not None

    def differing(self, after: int = 0) -> list[tuple[int, int]]:
        """The next rows to be read in full: each one's number, and that of the first row with its SKU."""
        d = _differing.c
        with self._aside() as c:
            rows = c.execute(select(d.number, d.first).where(d.number > after).order_by(d.number).limit(PAGE))
            return [(row.number, row.first) for row in rows]

    def instructions(self, products: Sequence[Product]) -> dict[str, dict[str, Any]]:
        """What people ask of the shots of some products, by the shot's key."""
        c, s = t.instructions.c, [shot.key for product in products for shot in product.shots]
        found: dict[str, dict[str, Any]] = {}
        with self._aside() as connection:
            for part in slices(s):
                query = select(c.shot, c.data).where(c.catalog == self._catalog, c.shot.in_(part))
                found |= {row.shot: dict(row.data) for row in connection.execute(query)}
        return found

    # rows that differ

    def take(self, batch: Batch) -> list[Owed]:
        """Say what a run owes some rows' shots; where anything is noted, make them the catalog's present."""
        if not self._writes:
            with self._aside() as c:
                return self._owed(c, batch.shots)
        with self._write() as c:
            owed = self._owed(c, batch.shots)
            rows = [product_row(self._catalog, self.run, product) for product in batch.products]
            insert_once(c, t.products, rows)
            store_plan(c, self._catalog, self.run, batch.shots)
            self._obey(c, batch.shots)
            flag_rows(c, self.run, self._catalog, self._as_many_as_before(c, batch.errors), ())
            owners = [product.sku for product in batch.products]
            owners += [error.sku for error in batch.errors if error.sku]
            self._leave(c, owners)
            others = self._usable([key for error in batch.duplicates for key in error.shots])
            flag_rows(c, self.run, self._catalog, batch.duplicates, others)
            self._remember_rows(c, batch)
            self._note_work(c, [one for one in owed if self._is_asked(one)])
        return owed

    def _owed(self, c: Connection, shots: Sequence[PlannedShot]) -> list[Owed]:
        known = remember(c, self._catalog, shots)
        duties = [
            decide(shot.parts, self._checks, one, again=self._choice.again)
            for shot, one in zip(shots, known, strict=True)
        ]
        firsts = first_numbers(
            c,
            [
                (shot.shot.key, shot.fingerprint, one.state == ShotState.TODO)
                for shot, one, duty in zip(shots, known, duties, strict=True)
                if duty.further
            ],
            self._checks,
        )
        return [
            Owed(shot.key, shot.product.sku, shot.product.row, place, duty, firsts.get(shot.key, 0))
            for (place, shot), duty in zip(_places(shots), duties, strict=True)
        ]

    def _obey(self, c: Connection, shots: Sequence[PlannedShot]) -> None:
        o, i = t.obeyed.c, t.instructions.c
        for part in slices([shot.shot.key for shot in shots]):
            c.execute(delete(t.obeyed).where(o.catalog == self._catalog, o.shot.in_(part)))
            told = select(i.catalog, i.shot, i.decision, i.data).where(
                i.catalog == self._catalog, i.shot.in_(part)
            )
            c.execute(insert(t.obeyed).from_select([o.catalog, o.shot, o.decision, o.data], told))

    def _as_many_as_before(self, c: Connection, errors: Sequence[RowError]) -> list[RowError]:
        """Where a row does not say how many pictures it owes, flag all that it owed: a typo retires none."""
        s, found = t.shots.c, []
        for error in errors:
            if error.field == "pictures":
                further = [key for shot in error.shots for key in place_of(shot).siblings]
                query = select(s.key).where(present(self._catalog), s.key.in_(further)).order_by(s.key)
                error = replace(error, shots=(*error.shots, *c.scalars(query)))
            found.append(error)
        return found

    def _leave(self, c: Connection, skus: Sequence[str]) -> None:
        """Take shots out of the catalog's present that their rows no longer owe."""
        s = t.shots.c
        for part in slices(list(skus)):
            here = and_(present(self._catalog), s.sku.in_(part), s.run != self.run)
            c.execute(update(t.shots).where(here).values(gone=self.run))

    def _usable(self, keys: Sequence[str]) -> set[str]:
        """Which of these shots a row owes that goes on, or that is flagged itself."""
        s = t.shots.c
        found: set[str] = set()
        own = or_(s.product != "", s.run == self.run)
        for part in slices(list(keys)):
            query = select(s.key).where(present(self._catalog), own, s.key.in_(part))
            found |= set(self._connection.scalars(query))
        return found

    def _remember_rows(self, c: Connection, batch: Batch) -> None:
        known = [
            {"catalog": self._catalog, "sku": p.sku, "digest": batch.digests[p.sku], "row": p.row}
            for p in batch.products
            if batch.digests.get(p.sku) is not None
        ]
        upsert(c, t.catalog_rows, known, ("digest", "row"))
        r = t.catalog_rows.c
        forgotten = [error.sku for error in batch.errors]
        forgotten += [p.sku for p in batch.products if batch.digests.get(p.sku) is None]
        for part in slices(forgotten):
            c.execute(delete(t.catalog_rows).where(r.catalog == self._catalog, r.sku.in_(part)))

    def _is_asked(self, owed: Owed) -> bool:
        only = self._choice.only
        return owed.duty.work != Work.NOTHING and (not only or owed.sku in only)

    def _note_work(self, c: Connection, owed: Iterable[Owed]) -> None:
        rows = [
            {
                "run": self.run,
                "shot": one.key,
                "row": one.row,
                "position": one.position,
                "work": str(one.duty.work),
                "why": one.duty.why,
                "first": one.first,
                "wave": 1,
                "stage": "",
            }
            for one in owed
        ]
        if rows:
            c.execute(insert(t.work), rows)

    # rows that do not

    def settle(self, file: str, sha256: str) -> None:
        """Take up what has only moved, drop what is gone, and let the present checks count for all.

        Parameters
        ----------
        file, sha256
            The catalog that was read, for the run's record.
        """
        s, i, r = t.shots.c, _incoming.c, t.catalog_rows.c
        here = and_(present(self._catalog), s.product != "")
        with self._write() as c:
            moved = and_(r.catalog == self._catalog, r.sku == i.sku, r.row != i.number)
            if c.scalar(select(i.number).select_from(_incoming.join(t.catalog_rows, moved)).limit(1)):
                own = and_(here, s.sku == i.sku, s.row != i.number)
                c.execute(update(t.shots).where(own).values(row=i.number))
                c.execute(update(t.catalog_rows).where(moved).values(row=i.number))
            absent = ~select(i.number).where(i.sku == r.sku).exists()
            gone = select(r.sku).where(r.catalog == self._catalog, absent)
            out = and_(present(self._catalog), s.sku.in_(gone), s.run != self.run)
            c.execute(update(t.shots).where(out).values(gone=self.run))
            c.execute(delete(t.catalog_rows).where(r.catalog == self._catalog, absent))
            # rows that cannot be used are read anew by every run
            out = and_(present(self._catalog), s.product == "", s.run != self.run)
            c.execute(update(t.shots).where(out).values(gone=self.run))
            c.execute(update(t.shots).where(here, s.checks != self._checks).values(checks=self._checks))
            upsert(c, t.catalogs, [{"name": self._catalog, "run": self.run}], ("run",))
            read = {"catalog_file": file, "catalog_sha256": sha256}
            c.execute(update(t.runs).where(t.runs.c.id == self.run).values(read))
            forget_others(c, self._catalog, self.run)
            if c.scalar(select(_touched.c.sku).limit(1)) or c.scalar(select(_differing.c.number).limit(1)):
                refresh(c, self._catalog)

    def standing(self, *, every: bool = False) -> Iterator[list[Owed]]:
        """What a run owes the shots of rows that do not differ, a page at a time, in the catalog's order.

        Parameters
        ----------
        every
            Those with nothing to do as well.
        """
        s, st = t.shots.c, t.shot_states.c
        order = (s.row, s.position, s.key)
        query = (
            select(*order, s.sku, s.fingerprint, st.state, st.reason, st.checks, self._owes().label("owes"))
            .outerjoin(t.shot_states, _current())
            .where(self._untouched(), *self._asked(), *(() if every else (self._has_work(),)))
            .order_by(*order)
            .limit(PAGE)
        )
        after: tuple[int, int, str] | None = None
        while True:
            with self._aside() as c:
                here = query if after is None else query.where(tuple_(*order) > tuple_(*after))
                rows = c.execute(here).all()
                owed = self._standing(c, rows)
            if not rows:
                return
            after = (rows[-1].row, rows[-1].position, rows[-1].key)
            if self._writes:
                with self._write() as c:
                    self._note_work(c, (one for one in owed if one.duty.work != Work.NOTHING))
            yield owed

    def _standing(self, c: Connection, rows: Sequence[Any]) -> list[Owed]:
        files = stored_files(
            c,
            [
                (row.key, row.fingerprint)
                for row in rows
                # files are looked at only where the answer matters
                if row.owes
                or (row.state in (ShotState.PUBLISHED, ShotState.FLAGGED) and row.checks != self._checks)
            ],
        )
        found = []
        for row in rows:
            stored = files.get((row.key, row.fingerprint), [])
            known = Remembered(
                parts={},
                state=ShotState(row.state) if row.state else None,
                reason=row.reason or "",
                checks=row.checks or "",
                candidates=len(stored),
                complete=are_there(stored),
                owes=bool(row.owes),
            )
            found.append((row, known, decide({}, self._checks, known, again=self._choice.again)))
        further = [(row, known) for row, known, duty in found if duty.further]
        firsts = first_numbers(
            c,
            [(row.key, row.fingerprint, known.state == ShotState.TODO) for row, known in further],
            self._checks,
        )
        return [
            Owed(row.key, row.sku, row.row, row.position, duty, firsts.get(row.key, 0))
            for row, _, duty in found
        ]

    def counts(self) -> dict[tuple[str, bool], int]:
        """How many shots of rows that do not differ stand where, and whether a run has work for them."""
        st = t.shot_states.c
        work = self._has_work().label("work")
        query = (
            select(st.state, work, func.count().label("many"))
            .select_from(t.shots.outerjoin(t.shot_states, _current()))
            .where(self._untouched())
            .group_by(st.state, work)
        )
        with self._aside() as c:
            return {(row.state or "", bool(row.work)): row.many for row in c.execute(query)}

    def _untouched(self) -> ColumnElement[bool]:
        s = t.shots.c
        return and_(
            present(self._catalog),
            s.product != "",
            ~select(_touched.c.sku).where(_touched.c.sku == s.sku).exists(),
        )

    def _asked(self) -> tuple[ColumnElement[bool], ...]:
        return (t.shots.c.sku.in_(self._choice.only),) if self._choice.only else ()

    def _owes(self) -> ColumnElement[bool]:
        """Whether the shop lacks a file of a published select."""
        st = t.shot_states.c
        return and_(st.state == str(ShotState.PUBLISHED), owes_files(st.candidate, self._choice.deliveries))

    def _has_work(self) -> ColumnElement[bool]:
        """Whether `decide` would find any, as a condition on `shot_states`."""
        st = t.shot_states.c
        flagged = st.state == str(ShotState.FLAGGED)
        return or_(
            st.state.is_(None),
            st.state == str(ShotState.TODO),
            st.checks != self._checks,
            self._owes(),
            flagged if self._choice.again else and_(flagged, st.reason.in_(PASSING)),
        )


def _current() -> ColumnElement[bool]:
    return and_(t.shot_states.c.shot == t.shots.c.key, t.shot_states.c.fingerprint == t.shots.c.fingerprint)


def _places(shots: Sequence[PlannedShot]) -> Iterator[tuple[int, Shot]]:
    """Each shot with its place among those of its row."""
    for _, own in groupby((planned.shot for planned in shots), lambda shot: shot.product.sku):
        yield from enumerate(own)
