"""From the ledger's tables to plain records, a few set-based queries for a whole catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select

from packline.candidate import Candidate
from packline.ledger import schema as t
from packline.ledger.files import published_file, shown_files
from packline.records import (
    CandidateRecord,
    Judgement,
    Opinion,
    Published,
    RunRecord,
    ShotRecord,
    ShotState,
    StationTime,
)
from packline.scorecard import CheckResult, Scorecard
from packline.shots import place_of


def read_candidates(connection: Connection, *where: Any) -> dict[tuple[str, str], list[CandidateRecord]]:
    """Candidates with their latest scorecards, by (shot, fingerprint), in the order they were numbered."""
    query = (
        select(t.candidates, t.scorecards.c.results, t.scorecards.c.checks)
        .select_from(t.candidates.outerjoin(t.scorecards, t.scorecards.c.id == _latest_card()))
        .where(*where)
        .order_by(t.candidates.c.number, t.candidates.c.recorded)
    )
    found: dict[tuple[str, str], list[CandidateRecord]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.shot, row.fingerprint].append(_candidate(row))
    return found


def _latest_card() -> Any:
    """Id of a candidate's latest scorecard: one look into the index, however many others there are."""
    cards = t.scorecards.alias()
    own = select(func.max(cards.c.id)).where(cards.c.candidate == t.candidates.c.id)
    return own.correlate(t.candidates).scalar_subquery()


def _candidate(row: Row[Any]) -> CandidateRecord:
    candidate = Candidate.from_dict({**row._mapping})
    if row.results is None:
        return CandidateRecord(candidate, None)
    return CandidateRecord(
        candidate, Scorecard(tuple(CheckResult.from_dict(result) for result in row.results)), row.checks
    )


def read_judgements(connection: Connection, catalog: str, most: int) -> list[Judgement]:
    """A catalog's last candidates with their latest verdicts, in the order in which they were made.

    Only those that were judged by the checks that judged last: other checks have other rates.
    """
    cards, made, runs = t.scorecards.c, t.candidates.c, t.runs.c
    judged = select(cards.checks).join(t.runs, runs.id == cards.run).where(runs.catalog == catalog)
    last = connection.scalar(judged.order_by(cards.id.desc()).limit(1))
    if last is None:
        return []
    found: list[Judgement] = []
    # run by run, the newest first, so that a long history costs no more than a short one
    some = select(made.id).where(made.run == runs.id).exists()
    makers = (
        select(runs.id).where(runs.catalog == catalog, some).order_by(runs.started.desc(), runs.id.desc())
    )
    for maker in connection.scalars(makers).all():
        # sorted without their results, which are long
        newest = (
            select(cards.id.label("card"), made.recorded, made.id.label("candidate"))
            .select_from(t.candidates.join(t.scorecards, cards.id == _latest_card()))
            .where(made.run == maker, cards.checks == last)
            .order_by(made.recorded.desc(), made.id.desc())
            .limit(most - len(found))
            .subquery()
        )
        rows = connection.execute(
            select(cards.passed, cards.results)
            .join(newest, newest.c.card == cards.id)
            .order_by(newest.c.recorded.desc(), newest.c.candidate.desc())
        )
        found += [
            Judgement(maker, row.passed, {one["check"]: one["verdict"] for one in row.results})
            for row in rows
        ]
        if len(found) == most:
            break
    return found[::-1]


def read_opinions(connection: Connection, catalog: str) -> list[Opinion]:
    """What people decided on a catalog's candidates, each person's last word that was not taken back."""
    d, cards, later = t.decisions.c, t.scorecards.c, t.decisions.alias("later")
    taken_back = select(later.c.id).where(later.c.undoes == d.id).exists()
    rows = connection.execute(
        select(t.decisions)
        .join(t.candidates, t.candidates.c.id == d.candidate)
        .join(t.runs, t.runs.c.id == t.candidates.c.run)
        .where(t.runs.c.catalog == catalog, d.by != "checks", d.decision.in_(("approve", "reject")))
        .where(~taken_back)
        .order_by(d.id)
    ).all()
    found = {}
    for row in rows:
        # the scorecard that the person saw: the last one before the decision
        results = connection.scalar(
            select(cards.results)
            .where(cards.candidate == row.candidate, cards.recorded <= row.recorded)
            .order_by(cards.id.desc())
            .limit(1)
        )
        if results is not None:
            card = Scorecard(tuple(CheckResult.from_dict(one) for one in results))
            tags = tuple(row.tags or ())
            found[row.candidate, row.by] = Opinion(row.candidate, row.decision, row.by, row.words, card, tags)
    return list(found.values())


def present(catalog: str) -> ColumnElement[bool]:
    """Which of `shots` the catalog's latest plan found in it."""
    return and_(t.shots.c.catalog == catalog, t.shots.c.gone == "")


def read_shots(
    connection: Connection,
    catalog: str,
    state: ShotState | None = None,
    where: ColumnElement[bool] | None = None,
) -> list[ShotRecord]:
    """The catalog's shots as its latest plan has them, in the catalog's order.

    Parameters
    ----------
    state, where
        Only those of a state, and those that meet a condition on `shots` and `shot_states`.
    """
    here = present(catalog)
    current = and_(
        t.shot_states.c.shot == t.shots.c.key, t.shot_states.c.fingerprint == t.shots.c.fingerprint
    )
    query = (
        select(
            t.shots,
            t.shot_states.c.state,
            t.shot_states.c.candidate,
            t.shot_states.c.reason,
            t.shot_states.c.sentence,
            t.shot_states.c.decided,
        )
        .outerjoin(t.shot_states, current)
        .where(here)
        .order_by(t.shots.c.row, t.shots.c.position, t.shots.c.key)
    )
    if state is not None:
        where = and_(t.shot_states.c.state == str(state), *(() if where is None else (where,)))
    if where is not None:
        here = and_(here, where)
        query = query.where(where)
    wanted = tuple(
        select(t.shots.c.key, t.shots.c.fingerprint)
        .outerjoin(t.shot_states, current)
        .where(here)
        .subquery()
        .c
    )
    candidates = read_candidates(
        connection, t.candidates.c.shot == wanted[0], t.candidates.c.fingerprint == wanted[1]
    )
    references: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    for row in connection.execute(
        select(t.references).where(t.references.c.shot == wanted[0], t.references.c.fingerprint == wanted[1])
    ):
        references[row.shot, row.fingerprint][row.view] = Path(row.folder)
    notes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in connection.execute(
        select(t.notes)
        .where(t.notes.c.shot == wanted[0], t.notes.c.fingerprint == wanted[1])
        .order_by(t.notes.c.position)
    ):
        notes[row.shot, row.fingerprint].append(row.sentence)
    published: dict[tuple[str, str], dict[str, Published]] = defaultdict(dict)
    for row in connection.execute(
        shown_files(catalog, t.publications.c.shot == wanted[0], t.publications.c.fingerprint == wanted[1])
    ):
        published[row.shot, row.candidate][row.use] = published_file(row)
    return [
        _shot(row, candidates, references, notes, published[row.key, row.candidate or ""])
        for row in connection.execute(query)
    ]


def _shot(
    row: Row[Any],
    candidates: Mapping[tuple[str, str], list[CandidateRecord]],
    references: Mapping[tuple[str, str], dict[str, Path]],
    notes: Mapping[tuple[str, str], list[str]],
    published: Mapping[str, Published],
) -> ShotRecord:
    place = row.key, row.fingerprint
    return ShotRecord(
        key=row.key,
        sku=row.sku,
        title=row.title,
        scene=row.scene,
        view=row.view,
        fingerprint=row.fingerprint,
        state=ShotState(row.state or ShotState.TODO),
        references=references.get(place, {}),
        notes=tuple(notes.get(place, ())),
        candidates=tuple(candidates.get(place, ())),
        select=row.candidate or "",
        reason=row.reason or "",
        sentence=row.sentence or "",
        keys={use: item.key for use, item in published.items()},
        published=tuple(published.values()),
        checks=row.checks,
        parts=row.parts,
        row=row.row,
        model=row.model,
        decided=row.decided or "",
        product=row.product,
    )


def read_siblings(connection: Connection, catalog: str, key: str) -> dict[str, Path]:
    """The picture that each sibling of a shot has as its select, by the sibling's key."""
    s, st, c = t.shots.c, t.shot_states.c, t.candidates.c
    query = (
        select(s.key, c.picture)
        .join(t.shot_states, and_(st.shot == s.key, st.fingerprint == s.fingerprint))
        .join(t.candidates, c.id == st.candidate)
        .where(present(catalog), s.key.in_(place_of(key).siblings))
        .where(st.state.in_((str(ShotState.SELECTED), str(ShotState.PUBLISHED))))
        .order_by(s.key)
    )
    return {row.key: Path(row.picture) for row in connection.execute(query)}


def read_run(connection: Connection, row: Row[Any]) -> RunRecord:
    """A run with its stations' times; a run that has not ended counts its seconds until now."""
    seconds = (_utc(row.ended or t.now()) - _utc(row.started)).total_seconds()
    return RunRecord(
        id=row.id,
        catalog=row.catalog,
        state=row.state,
        started=_utc(row.started).isoformat(timespec="seconds"),
        seconds=seconds,
        parameters=row.parameters,
        summary=row.summary,
        stations=tuple(_stations(connection, row.id)),
    )


def _stations(connection: Connection, run: str) -> Iterable[StationTime]:
    c = t.stations.c
    totals = (
        select(c.station, func.sum(c["items"]).label("total"), func.sum(c.seconds).label("seconds"))
        .where(c.run == run)
        .group_by(c.station)
        .order_by(func.min(c.id))
    )
    for row in connection.execute(totals):
        yield StationTime(row.station, int(row.total), float(row.seconds))


def _utc(moment: datetime) -> datetime:
    # SQLite forgets the zone; the ledger writes nothing but UTC
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
