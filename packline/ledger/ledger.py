"""The ledger's own door: every write and every read that the line makes."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from packline.candidate import Candidate
from packline.errors import FixSettings
from packline.ledger import leases
from packline.ledger import schema as t
from packline.ledger.comparing import Comparisons
from packline.ledger.database import insert_once, open_database, upsert
from packline.ledger.decided import overruled
from packline.ledger.duties import Duties
from packline.ledger.faults import shown
from packline.ledger.figures import Figures, count_verdicts
from packline.ledger.files import publishable, store_deliveries, store_published
from packline.ledger.moving import Moves
from packline.ledger.origins import Origin, find_origin
from packline.ledger.people import People
from packline.ledger.planning import flag_rows, mark_gone, product_row, remember, store_plan
from packline.ledger.presets import PresetHistory, link_candidate
from packline.ledger.queue import Queue
from packline.ledger.reading import (
    read_candidates,
    read_judgements,
    read_opinions,
    read_run,
    read_shots,
    read_siblings,
)
from packline.ledger.releasing import Releases
from packline.ledger.review import Review
from packline.ledger.shot_pages import ShotPages
from packline.ledger.survey import Survey
from packline.ledger.tallies import Tallies
from packline.ledger.upkeep import Upkeep
from packline.ledger.waiting import refresh
from packline.ledger.waves import Waves, count_pass
from packline.ledger.work import Choice, decide
from packline.records import (
    CandidateRecord,
    Judgement,
    Opinion,
    PlannedShot,
    Published,
    RunRecord,
    ShotRecord,
    ShotState,
)
from packline.scorecard import Scorecard

if TYPE_CHECKING:
    from packline.catalog import Catalog


CHECKS = "checks"
"""Who decided where no person did."""


class Ledger:
    """The database of runs, shots, candidates, scorecards, selects, flags and releases.

    Safe to use from several threads and several processes at once: every call is one short transaction.

    Parameters
    ----------
    url
        A SQLAlchemy URL (``sqlite:////folder/ledger.db``).

    Raises
    ------
    FixSettings
        Where it cannot be opened or written, with a sentence.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._reader, self._writer = open_database(url)
        self._shown = shown(self._reader.url)
        self._heart = leases.Heart(self._writer.begin)
        # who forgets a ledger no longer works with it
        weakref.finalize(self, self._heart.stop)

    def close(self) -> None:
        """Let go of all connections; runs that are still open count as lost."""
        self._heart.stop()
        self._reader.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._writer.begin() as connection:
            yield connection

    @property
    def people(self) -> People:
        """Who may come to the review desk."""
        return People(self._reader, self._write)

    @property
    def queue(self) -> Queue:
        """What waits for a person."""
        return Queue(self._reader, self._write)

    @property
    def review(self) -> Review:
        """People's decisions."""
        return Review(self._reader, self._write)

    @property
    def comparisons(self) -> Comparisons:
        """People's blind votes on pairs of pictures."""
        return Comparisons(self._reader, self._write)

    @property
    def figures(self) -> Figures:
        """What became of the line over time, and what people said of its checks."""
        return Figures(self._reader)

    @property
    def upkeep(self) -> Upkeep:
        """What is still needed of the work folder and of the bucket."""
        return Upkeep(self._reader, self._write, self._heart)

    @property
    def shot_pages(self) -> ShotPages:
        """Single shots, for pages of the review desk."""
        return ShotPages(self._reader)

    # runs

    def begin_run(self, catalog: str, parameters: Mapping[str, Any]) -> str:
        """Open a run, take its catalog's lease and return the run's id, which begins with the moment in UTC.

        Runs of the catalog that were killed are closed as "lost".

        Raises
        ------
        Occupied
            Where another run is at work on the catalog; the sentence says which.
        """
        started = t.now()
        run = f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        row = {"id": run, "catalog": catalog, "state": leases.RUNNING, "started": started}
        with self._write() as connection:
            connection.execute(insert(t.runs), [{**row, "parameters": dict(parameters), "summary": {}}])
            leases.take(connection, catalog, run)
        self._heart.beat_for(run)
        return run

    def end_run(self, run: str, state: str, summary: Mapping[str, Any]) -> None:
        """Close a run with its end state: completed, completed with flags, failed or cancelled.

        Its catalog is free for the next. A run that was closed as lost stays so.
        """
        self._heart.leave(run)
        with self._write() as connection:
            connection.execute(
                update(t.runs)
                .where(t.runs.c.id == run, t.runs.c.state != leases.LOST)
                .values(state=state, ended=t.now(), summary=dict(summary))
            )
            leases.let_go(connection, run)

    def run(self, run: str) -> RunRecord:
        """A run and its outcome.

        Raises
        ------
        FixSettings
            Where the ledger has no such run.
        """
        with self._reader.connect() as connection:
            row = connection.execute(select(t.runs).where(t.runs.c.id == run)).one_or_none()
            if row is None:
                raise FixSettings(f"Ledger {self._shown} has no run {run}; name one that it has.")
            return read_run(connection, row)

    def latest_run(self, catalog: str) -> RunRecord | None:
        """The catalog's run that started last, or None before its first."""
        with self._reader.connect() as connection:
            query = select(t.runs).where(t.runs.c.catalog == catalog)
            row = connection.execute(
                query.order_by(t.runs.c.started.desc(), t.runs.c.id.desc()).limit(1)
            ).one_or_none()
            return None if row is None else read_run(connection, row)

    def run_before(self, run: RunRecord) -> RunRecord | None:
        """The finished run of the same catalog that started last before `run`."""
        with self._reader.connect() as connection:
            this = connection.execute(select(t.runs).where(t.runs.c.id == run.id)).one()
            query = select(t.runs).where(
                t.runs.c.catalog == run.catalog,
                t.runs.c.started < this.started,
                t.runs.c.state.not_in((leases.RUNNING, leases.LOST)),
            )
            row = connection.execute(query.order_by(t.runs.c.started.desc()).limit(1)).one_or_none()
            return None if row is None else read_run(connection, row)

    def lost_before(self, run: str) -> RunRecord | None:
        """The run that a run takes up from: the one before it, where that was killed."""
        c = t.runs.c
        with self._reader.connect() as connection:
            this = connection.execute(select(c.catalog, c.started).where(c.id == run)).one()
            before = c.catalog == this.catalog, c.started <= this.started, c.id != run
            row = connection.execute(
                select(t.runs).where(*before).order_by(c.started.desc(), c.id.desc()).limit(1)
            ).one_or_none()
            return None if row is None or row.state != leases.LOST else read_run(connection, row)

    def assert_not_lost(self, run: str) -> None:
        """Stop a run that was taken for dead, before it does what cannot be taken back.

        Raises
        ------
        Occupied
            Where another run took its catalog over.
        """
        with self._write() as connection:
            leases.refuse_lost(connection, run)

    def record_station(self, run: str, station: str, items: int, seconds: float) -> None:
        """Note what a chunk at a station took; `run` adds up the chunks."""
        row = {"run": run, "station": station, "items": items, "seconds": seconds}
        with self._write() as connection:
            connection.execute(insert(t.stations), [row])

    # the plan

    def record_catalog(self, run: str, catalog: Catalog) -> None:
        """Note the catalog's rows; the shots of rows that cannot be used become flags, reason "row"."""
        with self._write() as connection:
            leases.refuse_lost(connection, run)
            connection.execute(
                update(t.runs)
                .where(t.runs.c.id == run)
                .values(catalog_file=str(catalog.file), catalog_sha256=catalog.sha256)
            )
            insert_once(connection, t.products, [product_row(catalog.name, run, p) for p in catalog.products])
            self._make_present(connection, catalog.name, run)
            usable = {shot.key for shot in catalog.shots}
            flag_rows(connection, run, catalog.name, catalog.errors, usable)

    def _make_present(self, connection: Connection, catalog: str, run: str) -> None:
        upsert(connection, t.catalogs, [{"name": catalog, "run": run}], ("run",))

    def plan(self, run: str, shots: Sequence[PlannedShot]) -> list[PlannedShot]:
        """Say for each shot what the run owes it, and make these shots the catalog's present.

        A concluded shot keeps its state until the run concludes it anew, so a run that dies leaves what the
        one before it published.

        Returns
        -------
        list of PlannedShot
            The same shots in the same order with `work` and `why`.
        """
        with self._write() as connection:
            catalog = connection.scalar(select(t.runs.c.catalog).where(t.runs.c.id == run))
            if catalog is None:
                raise FixSettings(f"Ledger {self._shown} has no run {run}; begin one before planning.")
            leases.refuse_lost(connection, run)
            decided = _decide(connection, catalog, shots)
            store_plan(connection, catalog, run, decided)
            self._make_present(connection, catalog, run)
            mark_gone(connection, catalog, run)
            refresh(connection, catalog)
        return decided

    @contextmanager
    def survey(self, catalog: str, checks: str, choice: Choice, *, writes: bool) -> Iterator[Survey]:
        """Compare a catalog's rows with what is remembered of them."""
        with self._writer.connect() as connection:
            survey = Survey(connection, catalog, checks, choice, writes=writes)
            try:
                yield survey
            finally:
                survey.close()

    @property
    def presets(self) -> PresetHistory:
        """The LoRA presets, version by version."""
        return PresetHistory(self._reader, self._write)

    @property
    def tallies(self) -> Tallies:
        """Counts over a whole catalog."""
        return Tallies(self._reader)

    @property
    def duties(self) -> Duties:
        """What a run has to do, chunk by chunk."""
        return Duties(self._reader, self._write)

    @property
    def waves(self) -> Waves:
        """Which candidates each shot was promised, and how often candidates pass."""
        return Waves(self._reader, self._write)

    def foresee(self, catalog: str, shots: Sequence[PlannedShot]) -> list[PlannedShot]:
        """Say for each shot what a run would owe it, as `plan` does, and write nothing."""
        with self._reader.connect() as connection:
            return _decide(connection, catalog, shots)

    # the stations' results

    def record_references(
        self, shot_key: str, fingerprint: str, references: Mapping[str, Path], notes: Sequence[str] = ()
    ) -> None:
        """Note the folder of each rendered reference of a shot by view name, and what to know of them."""
        place = {"shot": shot_key, "fingerprint": fingerprint}
        rows = [{**place, "view": view, "folder": str(folder)} for view, folder in references.items()]
        with self._write() as connection:
            upsert(connection, t.references, rows, ("folder",))
            c = t.notes.c
            connection.execute(delete(t.notes).where(c.shot == shot_key, c.fingerprint == fingerprint))
            said = [{**place, "position": i, "sentence": words} for i, words in enumerate(notes)]
            insert_once(connection, t.notes, said)

    def record_candidate(self, run: str, candidate: Candidate) -> None:
        """Note a candidate; the same candidate again changes nothing but where its files lie."""
        plain, recipe = candidate.to_dict(), candidate.recipe
        row = {
            **plain,
            "run": run,
            "shot": recipe.shot,
            "fingerprint": recipe.fingerprint,
            "wave": recipe.wave,
            "number": recipe.number,
            "seed": recipe.seed,
            "prompt": recipe.prompt,
        }
        used = [
            {"label": one["label"], "sha256": one["sha256"], "trigger": one.get("trigger", "")}
            for one in recipe.loras
        ]
        with self._write() as connection:
            upsert(connection, t.candidates, [row], ("picture", "edit", "truth"))
            insert_once(connection, t.loras, used)
            link_candidate(connection, run, candidate.id, recipe.loras)

    def record_scorecard(self, run: str, candidate_id: str, checks: str, scorecard: Scorecard) -> None:
        """Append a scorecard to a candidate's; the latest counts."""
        row = {
            "run": run,
            "candidate": candidate_id,
            "checks": checks,
            "passed": scorecard.passed,
            "score": scorecard.score,
            "results": [result.to_dict() for result in scorecard.results],
        }
        with self._write() as connection:
            count_pass(connection, run, candidate_id, checks, scorecard.passed)
            connection.execute(insert(t.scorecards), [row])
            count_verdicts(connection, run, scorecard)

    def candidates(self, shot_key: str, fingerprint: str) -> list[CandidateRecord]:
        """All candidates stored for a shot at a fingerprint, with their latest scorecards."""
        c = t.candidates.c
        with self._reader.connect() as connection:
            found = read_candidates(connection, c.shot == shot_key, c.fingerprint == fingerprint)
        return found.get((shot_key, fingerprint), [])

    def siblings(self, catalog: str, shot_key: str) -> dict[str, Path]:
        """Pictures of the selects of the same placement's other shots, as they stand now, by their keys."""
        with self._reader.connect() as connection:
            return read_siblings(connection, catalog, shot_key)

    def judgements(self, catalog: str, most: int) -> list[Judgement]:
        """The last candidates of a catalog that the present checks judged, in the order they were made."""
        with self._reader.connect() as connection:
            return read_judgements(connection, catalog, most)

    def opinions(self, catalog: str) -> list[Opinion]:
        """What people decided on a catalog's candidates, with the scorecards that they saw."""
        with self._reader.connect() as connection:
            return read_opinions(connection, catalog)

    def references(self, shot_key: str, fingerprint: str) -> dict[str, Path]:
        """Folder of each reference stored for a shot at a fingerprint, by view name."""
        c = t.references.c
        query = select(c.view, c.folder).where(c.shot == shot_key, c.fingerprint == fingerprint)
        with self._reader.connect() as connection:
            return {row.view: Path(row.folder) for row in connection.execute(query)}

    # conclusions

    def select(
        self,
        run: str,
        shot_key: str,
        fingerprint: str,
        candidate_id: str,
        decided: str = CHECKS,
        words: str = "",
    ) -> None:
        """Choose a candidate for its shot; a flag on the shot is thereby cleared.

        What a person decided since the run began stands.

        Parameters
        ----------
        decided, words
            Who chooses; a person may choose what the checks failed, and says in words why.

        Raises
        ------
        ValueError
            Where it is not this shot's candidate, or its latest scorecard is missing or does not pass and no
            person said why it is right nevertheless.
        """
        c, s = t.candidates.c, t.scorecards.c
        with self._write() as connection:
            if decided == CHECKS:  # a person's word counts whatever became of the run
                leases.refuse_lost(connection, run)
                if overruled(connection, run, shot_key, fingerprint):
                    return
            own = connection.execute(select(c.shot, c.fingerprint).where(c.id == candidate_id)).one_or_none()
            if own is None or (own.shot, own.fingerprint) != (shot_key, fingerprint):
                raise ValueError(f"candidate {candidate_id} is none of {shot_key} at {fingerprint}")
            card = connection.execute(
                select(s.id, s.passed, s.checks)
                .where(s.candidate == candidate_id)
                .order_by(s.id.desc())
                .limit(1)
            ).one_or_none()
            overridden = decided != CHECKS and bool(words.strip())
            if card is None or not (card.passed or overridden):
                said = "has no scorecard" if card is None else "did not pass its latest scorecard"
                raise ValueError(f"candidate {candidate_id} of {shot_key} {said}; it cannot be selected")
            planned = connection.scalar(
                select(t.shots.c.checks).where(
                    t.shots.c.key == shot_key, t.shots.c.fingerprint == fingerprint
                )
            )
            if planned is not None and planned != card.checks:
                raise ValueError(
                    f"candidate {candidate_id} of {shot_key} passed other checks than the plan's"
                )
            place = {"run": run, "shot": shot_key, "fingerprint": fingerprint, "candidate": candidate_id}
            decision = connection.execute(
                insert(t.decisions).values(**place, decision="approve", by=decided, words=words)
            ).inserted_primary_key
            assert decision is not None
            connection.execute(insert(t.selects).values(**place, scorecard=card.id, decision=decision[0]))
            state = {**place, "checks": card.checks, "state": str(ShotState.SELECTED), "decided": decided}
            self._conclude(connection, {**state, "reason": "", "sentence": ""})

    def flag(
        self, run: str, shot_key: str, fingerprint: str, checks: str, reason: str, sentence: str
    ) -> None:
        """Put a shot before a person: it ran out of tries, or could not be made.

        What a person decided since the run began stands.

        Parameters
        ----------
        checks
            Digest of the checks that it was judged under.
        reason
            The failing check's name, or "model", "engine", ...
        sentence
            What a merchandiser reads.
        """
        row = {"run": run, "shot": shot_key, "fingerprint": fingerprint, "checks": checks}
        row |= {"reason": reason, "sentence": sentence}
        with self._write() as connection:
            leases.refuse_lost(connection, run)
            if overruled(connection, run, shot_key, fingerprint):
                return
            connection.execute(insert(t.flags), [row])
            self._conclude(
                connection, {**row, "state": str(ShotState.FLAGGED), "candidate": "", "decided": ""}
            )

    def _conclude(self, connection: Connection, row: dict[str, Any]) -> None:
        columns = ("checks", "state", "candidate", "reason", "sentence", "decided", "run")
        upsert(connection, t.shot_states, [row], columns)
        catalog = connection.scalar(select(t.runs.c.catalog).where(t.runs.c.id == row["run"]))
        refresh(connection, catalog or "", row["shot"])

    def record_deliveries(self, catalog: str, deliveries: Mapping[str, str]) -> None:
        """Note which files the settings ask of every select (`packline.delivery.delivery_digests`)."""
        with self._write() as connection:
            store_deliveries(connection, catalog, deliveries)

    def record_published(
        self,
        run: str,
        shot_key: str,
        fingerprint: str,
        candidate_id: str,
        files: Sequence[Published],
        lineage: Mapping[str, Any] | None = None,
    ) -> None:
        """Note the objects that show the shot's select, all at once; the same object again is noted once.

        Parameters
        ----------
        lineage
            `packline.lineage.lineage`, which the files name by its digest.

        Raises
        ------
        ValueError
            Where the candidate is not the shot's select, or there is no file.
        """
        place = {"run": run, "shot": shot_key, "fingerprint": fingerprint, "candidate": candidate_id}
        with self._write() as connection:
            leases.refuse_lost(connection, run)
            store_published(connection, place, files, lineage)

    def origin(self, sha256: str = "", lineage: str = "") -> Origin | None:
        """Where a delivered file came from, as `packline.ledger.origins.find_origin`."""
        return find_origin(self._reader, sha256, lineage)

    def publishable(self, run: str, keys: Sequence[str] | None = None) -> list[ShotRecord]:
        """Shots of the run's catalog whose select is not published yet, or lacks a file that is asked for.

        Parameters
        ----------
        keys
            Only those among these; a catalog may have more than fit into memory.
        """
        with self._reader.connect() as connection:
            catalog = connection.scalar(select(t.runs.c.catalog).where(t.runs.c.id == run)) or ""
            where = publishable(connection, catalog)
            if keys is not None:
                where = and_(where, t.shots.c.key.in_(keys))
            return read_shots(connection, catalog, where=where)

    def shots(self, catalog: str) -> list[ShotRecord]:
        """Where every shot of the catalog's latest plan stands, in its order, row errors included."""
        with self._reader.connect() as connection:
            return read_shots(connection, catalog)

    def flags(self, catalog: str) -> list[ShotRecord]:
        """The shots that wait for a person."""
        with self._reader.connect() as connection:
            return read_shots(connection, catalog, ShotState.FLAGGED)

    # releases

    def release_due(self, catalog: str, environment: str) -> bool:
        """Whether a release made now would show something else than the last one made for an environment."""
        return self.releases.due(catalog, environment)

    @property
    def releases(self) -> Releases:
        """Releases, and what each of them shows."""
        return Releases(self._reader, self._write)

    @property
    def moves(self) -> Moves:
        """Moves of the environments' pointers."""
        return Moves(self._reader, self._write)


def _decide(connection: Connection, catalog: str, shots: Sequence[PlannedShot]) -> list[PlannedShot]:
    decided = []
    for shot, known in zip(shots, remember(connection, catalog, shots), strict=True):
        duty = decide(shot.parts, shot.checks, known)
        decided.append(replace(shot, work=duty.work, why=duty.why))
    return decided
