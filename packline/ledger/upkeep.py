"""What the ledger still needs of the work folder and of the bucket, and holding runs off while others go."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, func, insert, select, update

from packline.ledger import leases
from packline.ledger import schema as t
from packline.records import ShotState

NOBODY = "(clean-up)"
"""The catalog that a clean-up's row in `runs` names: it is no run of any."""

_SLICE = 1000  # rows that are fetched at a time


class Upkeep:
    """The ledger as whoever cleans up sees it; no answer is ever held in memory as a whole."""

    def __init__(
        self,
        reader: Engine,
        write: Callable[[], AbstractContextManager[Connection]],
        heart: leases.Heart,
    ) -> None:
        self._reader, self._write, self._heart = reader, write, heart

    @contextmanager
    def hold(self, catalog: str, work: Path) -> Iterator[None]:
        """Keep runs off a work folder: those of a catalog, and of all others that work there too.

        Raises
        ------
        Occupied
            Where one is at work.
        """
        started = t.now()
        this = f"clean-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        row = {"id": this, "catalog": NOBODY, "state": leases.RUNNING, "started": started}
        with self._write() as connection:
            connection.execute(insert(t.runs), [{**row, "parameters": {}, "summary": {}}])
            for name in sorted({catalog, *_neighbours(connection, work)}):
                leases.take(connection, name, this)
        self._heart.beat_for(this)
        try:
            yield
        finally:
            self._heart.leave(this)
            with self._write() as connection:
                ended = {"state": "completed", "ended": t.now()}
                connection.execute(update(t.runs).where(t.runs.c.id == this).values(ended))
                leases.let_go(connection, this)

    def candidates(self, since: datetime) -> Iterator[tuple[str, str]]:
        """Id and truth folder of each candidate that is needed: more than once where for several reasons.

        They may be scored again, are shown to whoever decides on a flag, or are selected and wait to be
        published. Those that were made since then are needed whatever became of their shots.
        """
        made = t.candidates
        wanted = select(made.c.id, made.c.truth)
        states = t.shot_states.c
        for query in (
            # from the shots to their candidates: that way there is an index
            wanted.join(t.shots, _of_present_shots(made)).where(t.shots.c.gone == ""),
            wanted.join(t.shot_states, states.candidate == made.c.id).where(
                states.state == str(ShotState.SELECTED)
            ),
            wanted.where(made.c.recorded >= since),
        ):
            yield from ((row.id, row.truth) for row in self._rows(query))

    def references(self, since: datetime) -> Iterator[str]:
        """Folder of each reference of a shot that its catalog has now, and of those noted since then."""
        drawn = t.references
        wanted = select(drawn.c.folder)
        for query in (
            wanted.join(t.shots, _of_present_shots(drawn)).where(t.shots.c.gone == ""),
            wanted.where(drawn.c.recorded >= since),
        ):
            yield from (row.folder for row in self._rows(query))

    def latest_runs(self) -> set[str]:
        """The run of each catalog that started last."""
        last = select(t.runs.c.catalog, func.max(t.runs.c.started).label("started")).group_by(
            t.runs.c.catalog
        )
        latest = last.subquery()
        same = and_(t.runs.c.catalog == latest.c.catalog, t.runs.c.started == latest.c.started)
        return {row.id for row in self._rows(select(t.runs.c.id).join(latest, same))}

    def keys(self) -> Iterator[str]:
        """Key of each object that a shot was ever published as; releases name no others."""
        yield from (row.key for row in self._rows(select(t.publications.c.key)))

    def is_release(self, manifest: str) -> bool:
        """Whether the ledger knows a release whose manifest has this key."""
        query = select(t.releases.c.id).where(t.releases.c.manifest == manifest).limit(1)
        return any(True for _ in self._rows(query))

    def _rows(self, query: Select[Any]) -> Iterator[Any]:
        with self._reader.connect() as connection:
            yield from connection.execution_options(yield_per=_SLICE).execute(query)


def _of_present_shots(table: Any) -> Any:
    # by key and fingerprint alone: catalogs that share a shot share what was made for it
    return and_(table.c.shot == t.shots.c.key, table.c.fingerprint == t.shots.c.fingerprint)


def _neighbours(connection: Connection, work: Path) -> list[str]:
    """Catalogs whose candidates lie in a work folder, and those at work of which nobody knows yet where."""
    made = select(t.candidates.c.run).distinct()
    low = f"{work}/"
    here = made.where(t.candidates.c.picture >= low, t.candidates.c.picture < f"{work}0").subquery()
    anywhere = made.subquery()
    found = select(t.runs.c.catalog).distinct().join(here, here.c.run == t.runs.c.id)
    placed = select(t.runs.c.catalog).join(anywhere, anywhere.c.run == t.runs.c.id)
    new = select(t.leases.c.catalog).where(t.leases.c.catalog.not_in(placed))
    return [*connection.scalars(found), *connection.scalars(new)]
