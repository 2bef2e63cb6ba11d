"""What the page of one shot needs of the ledger: the shot, its candidates, their files; each by an index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, and_, func, select

from packline.ledger import schema as t
from packline.ledger.files import published_file, shown_files
from packline.ledger.part import ReadingPart
from packline.ledger.reading import _candidate, _shot
from packline.records import CandidateRecord, Published, ShotRecord


@dataclass(frozen=True)
class CandidatePlace:
    """Where a candidate's pictures lie, and what it belongs to.

    Parameters
    ----------
    truth
        Folder of the scene reference that it was asked to match.
    views
        Folders of the shot's further references by view name.
    """

    catalog: str
    shot: str
    scene: str
    picture: Path
    edit: Path
    truth: Path
    views: dict[str, Path]


class ShotPages(ReadingPart):
    """Reads of single shots, quick however many the ledger holds."""

    def shot(self, catalog: str, key: str) -> ShotRecord | None:
        """Where a shot of the catalog's plan stands, with its candidates; None where there is none."""
        with self._reader.connect() as connection:
            return read_shot(connection, catalog, key)

    def candidate_place(self, identity: str) -> CandidatePlace | None:
        """Where a candidate's pictures lie; None where the ledger does not know it."""
        c = t.candidates.c
        query = (
            select(c.shot, c.fingerprint, c.picture, c.edit, c.truth, t.runs.c.catalog, t.shots.c.scene)
            .join(t.runs, t.runs.c.id == c.run)
            .join(t.shots, and_(t.shots.c.catalog == t.runs.c.catalog, t.shots.c.key == c.shot))
            .where(c.id == identity)
        )
        r = t.references.c
        with self._reader.connect() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            views = {
                one.view: Path(one.folder)
                for one in connection.execute(
                    select(r.view, r.folder).where(r.shot == row.shot, r.fingerprint == row.fingerprint)
                )
            }
        files = Path(row.picture), Path(row.edit), Path(row.truth)
        return CandidatePlace(row.catalog, row.shot, row.scene, *files, views)

    def heat_map(self, identity: str, check: str, number: int) -> str:
        """A check's n-th heat map on a candidate, a grey PNG in base64, from the latest scorecard.

        Raises
        ------
        LookupError
            Where there is none.
        """
        c = t.scorecards.c
        query = select(c.results).where(c.candidate == identity).order_by(c.id.desc()).limit(1)
        with self._reader.connect() as connection:
            results = connection.scalar(query)
        result = next((one for one in results or () if one["check"] == check), None)
        if result is None:
            raise LookupError(check)
        maps = [one for one in result["evidence"] if one["kind"] == "heat"]
        return str(maps[number]["data"]["png"])

    def best_candidates(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """For each (shot, fingerprint) the candidate to show in a list: the one with the best scorecard."""
        c, s = t.candidates.c, t.scorecards.c
        query = (
            select(c.id, c.shot, c.fingerprint, s.passed, s.score)
            .outerjoin(t.scorecards, s.candidate == c.id)
            .where(c.shot.in_({shot for shot, _ in places}))
            # the latest scorecard of a candidate comes last
            .order_by(c.number.desc(), c.id, s.id)
        )
        with self._reader.connect() as connection:
            rows = connection.execute(query).all()
        latest = {row.id: (bool(row.passed), -1.0 if row.score is None else row.score) for row in rows}
        found: dict[tuple[str, str], str] = {}
        for row in rows:
            place = row.shot, row.fingerprint
            if place not in found or latest[row.id] >= latest[found[place]]:
                found[place] = row.id
        return {place: found[place] for place in places if place in found}


def read_shot(connection: Connection, catalog: str, key: str) -> ShotRecord | None:
    """A shot as the catalog's plan has it."""
    states = t.shot_states.c
    current = and_(states.shot == t.shots.c.key, states.fingerprint == t.shots.c.fingerprint)
    row = connection.execute(
        select(t.shots, states.state, states.candidate, states.reason, states.sentence, states.decided)
        .outerjoin(t.shot_states, current)
        .where(t.shots.c.catalog == catalog, t.shots.c.key == key)
    ).one_or_none()
    if row is None:
        return None
    place = row.key, row.fingerprint
    references = {
        one.view: Path(one.folder)
        for one in connection.execute(
            select(t.references).where(
                t.references.c.shot == place[0], t.references.c.fingerprint == place[1]
            )
        )
    }
    notes = connection.scalars(
        select(t.notes.c.sentence)
        .where(t.notes.c.shot == place[0], t.notes.c.fingerprint == place[1])
        .order_by(t.notes.c.position)
    ).all()
    published: dict[str, dict[str, Published]] = defaultdict(dict)
    for one in connection.execute(
        shown_files(catalog, t.publications.c.shot == place[0], t.publications.c.fingerprint == place[1])
    ):
        published[one.candidate][one.use] = published_file(one)
    return _shot(
        row,
        {place: candidates_of(connection, *place)},
        {place: references},
        {place: list(notes)},
        published[row.candidate or ""],
    )


def candidates_of(connection: Connection, shot: str, fingerprint: str) -> list[CandidateRecord]:
    """A shot's candidates with their latest scorecards, in the order they were numbered."""
    c, s = t.candidates.c, t.scorecards.c
    latest = select(func.max(s.id)).where(s.candidate == c.id).correlate(t.candidates).scalar_subquery()
    query = (
        select(t.candidates, s.results, s.checks)
        .outerjoin(t.scorecards, s.id == latest)
        .where(c.shot == shot, c.fingerprint == fingerprint)
        .order_by(c.number, c.recorded)
    )
    return [_candidate(row) for row in connection.execute(query)]
