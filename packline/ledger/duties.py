"""A run's work, chunk by chunk: which shots a station takes next, and how far each one is.

Nobody holds all shots of a run: a station asks for the next chunk of those that the station before has done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, tuple_, update

from packline.ledger import schema as t
from packline.ledger.part import Part
from packline.ledger.planning import slices
from packline.ledger.reading import present
from packline.records import PlannedShot, Wave, Work
from packline.shots import STACKED, Product, ProductLora, Shot, number_of

Place = tuple[int, int, str]
"""Where a shot stands in the catalog: its row, its place among the row's shots, its key."""

PLANNED, RENDERED, EDITED, SCORED, DECIDED = "", "rendered", "edited", "scored", "decided"
"""How far a shot is in its wave."""
WAITS = "waits"
"""The run's budget is spent: the shot is left to the next run."""


@dataclass(frozen=True)
class Stretch:
    """Shots of a run that a station may take up.

    Parameters
    ----------
    stage
        How far they are.
    """

    run: str
    work: Work
    wave: int
    stage: str

    def condition(self) -> ColumnElement[bool]:
        """As a condition on `work`."""
        w = t.work.c
        return and_(w.run == self.run, w.work == str(self.work), w.wave == self.wave, w.stage == self.stage)


@dataclass(frozen=True)
class Due:
    """A shot that is due.

    Parameters
    ----------
    why
        For a person.
    wave
        Its candidates; of size 0 where that was not decided yet.
    """

    key: str
    why: str
    place: Place
    wave: Wave

    @property
    def first(self) -> int:
        """Number of its first candidate in this wave."""
        return self.wave.first


class Duties(Part):
    """The table `work`, for the stations; every call is one short transaction."""

    def count(self, stretch: Stretch) -> int:
        """How many shots there are."""
        query = select(func.count()).select_from(t.work).where(stretch.condition())
        with self._reader.connect() as connection:
            return connection.scalar(query) or 0

    def chunk(self, stretch: Stretch, after: Place | None, size: int) -> list[Due]:
        """The next shots after a place, in the catalog's order."""
        w = t.work.c
        order = (w.row, w.position, w.shot)
        present = (w.wave, w.first, w.size, w.rung)
        query = select(w.shot, w.why, w.row, w.position, *present).where(stretch.condition())
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*after))
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(*order).limit(size)).all()
        return [
            Due(
                row.shot,
                row.why,
                (row.row, row.position, row.shot),
                Wave(row.wave, row.first, row.size, row.rung),
            )
            for row in rows
        ]

    def advance(self, run: str, shots: Sequence[str], stage: str) -> None:
        """Note how far some shots are."""
        w = t.work.c
        with self._write() as connection:
            for part in slices(list(shots)):
                here = (w.run == run, w.shot.in_(part))
                connection.execute(update(t.work).where(*here).values(stage=stage))

    def reasons(self, run: str) -> dict[tuple[Work, str], int]:
        """How many shots a run works on, by what is done and why; the most frequent first."""
        w = t.work.c
        many = func.count().label("many")
        query = select(w.work, w.why, many).where(w.run == run).group_by(w.work, w.why)
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(many.desc(), w.why)).all()
        return {(Work(row.work), row.why): row.many for row in rows}

    def shots(self, catalog: str, keys: Sequence[str]) -> dict[str, PlannedShot]:
        """Some shots as they were planned last, by key."""
        with self._reader.connect() as connection:
            return _planned_shots(connection, catalog, keys)


def forget_others(connection: Connection, catalog: str, run: str) -> None:
    """Drop what earlier runs of a catalog had to do: the next plan says what is left of it."""
    w, r = t.work.c, t.runs.c
    earlier = select(r.id).where(r.catalog == catalog, r.id != run)
    connection.execute(delete(t.work).where(w.run.in_(earlier)))


def _planned_shots(connection: Connection, catalog: str, keys: Sequence[str]) -> dict[str, PlannedShot]:
    """Some shots as they were planned last, by key."""
    s, o = t.shots.c, t.obeyed.c
    query = (
        select(
            *(s[name] for name in ("key", "scene", "view", "row", "fingerprint", "checks", "parts")),
            *(t.products.c[name].label(f"product_{name}") for name in _PRODUCT),
            o.data.label("instructions"),
        )
        .join(t.products, t.products.c.digest == s.product)
        .outerjoin(t.obeyed, and_(o.catalog == s.catalog, o.shot == s.key))
    )
    found = {}
    for part in slices(list(keys)):
        for row in connection.execute(query.where(present(catalog), s.key.in_(part))):
            shot = Shot(_product(row), row.scene, row.view, number_of(row.key))
            found[row.key] = PlannedShot(
                shot, row.fingerprint, row.checks, parts=row.parts, instructions=row.instructions or {}
            )
    return found


_PRODUCT = ("sku", "title", "model", "placements", "labels", "lora", "strengths", "variant", "truth")


def _product(row: Any) -> Product:
    return Product(
        sku=row.product_sku,
        title=row.product_title,
        model=Path(row.product_model),
        placements=tuple((scene, view) for scene, view in row.product_placements),
        labels=dict(row.product_labels),
        loras=_stack(row.product_lora, row.product_strengths or ()),
        # a row may have moved since its content was first seen
        row=row.row,
        variant=row.product_variant,
        truth=Path(row.product_truth) if row.product_truth else None,
    )


def _stack(lora: str, strengths: Sequence[float | None]) -> tuple[ProductLora, ...]:
    labels = lora.split(STACKED) if lora else []
    # a strength that was left to the preset before there were stacks is absent
    return tuple(ProductLora(*one) for one in zip_longest(labels, strengths))
