"""The flow of a catalogue run: from the catalogue's file to published pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from prefect import Task, flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from packline import progress
from packline.errors import FixSettings, Occupied
from packline.ledger.duties import DECIDED, EDITED, PLANNED, RENDERED, SCORED, Due, Stretch
from packline.line import Order
from packline.line.closing import CANCELLED, COMPLETED, FAILED, Closing
from packline.line.plan import Plan, Try
from packline.records import Work
from tasks import candidates, publication, references, scorecards
from tasks.candidates import edit_candidates, warm_up
from tasks.closing import close, write_report
from tasks.opening import line_of
from tasks.plan import foresee_run, plan_run
from tasks.publication import publish_selects
from tasks.references import render_references
from tasks.releases import release_published
from tasks.scorecards import score_candidates
from tasks.selects import decide, flag_chunk, open_wave

logger = logging.getLogger(__name__)

Item = TypeVar("Item", Try, str)

_DECIDED_TOGETHER = 500


def _run_name() -> str:
    given = flow_run.parameters
    where = given.get("environment") or "as set"
    return f"{Path(given['catalog']).stem}, {where}{', plan only' if given.get('plan_only') else ''}"


# the defaults are pydantic fields because Prefect's form takes its descriptions from there
@flow(name="catalog-run", flow_run_name=_run_name, validate_parameters=True)
def catalog_run(
    catalog: str = Field(
        description="The catalogue: a .csv, .parquet or .jsonl file that the worker can read."
    ),
    settings: str = Field("", description="The settings' file; empty: the .toml beside the catalogue."),
    environment: Literal["", "dev", "staging", "prod"] = Field(
        "", description="Where the release goes; empty: as the settings say."
    ),
    only: list[str] = Field([], description="SKUs to work on; none: all of them."),  # noqa: B008
    plan_only: bool = Field(False, description="Only say what there is to do; make nothing."),
    again: bool = Field(False, description="Give flagged shots another round of candidates."),
) -> State[Any]:
    """Render, edit, check and publish what has changed in a catalogue.

    The run ends as "Completed" where every shot is published, as "Completed with flags" where some wait for a
    merchandiser, as "Failed" where nothing can succeed until a person mends the settings, and as "Occupied"
    where another run is at work on the catalogue.
    """
    order = Order(Path(catalog), Path(settings) if settings else None, environment, tuple(only), again)
    try:
        if plan_only:
            return Completed(name="Planned", message=foresee_run(order))
        closing = run_stations(order, plan_run(order))
    except Occupied as error:
        logger.warning("%s", error)
        return Cancelled(name="Occupied", message=str(error))
    except FixSettings as error:
        logger.error("%s", error)
        return Failed(name="Fix settings", message=str(error))
    name = "Completed" if closing.state == COMPLETED else "Completed with flags"
    return Completed(name=name, message=closing.sentence, data=closing.run)


def run_stations(order: Order, plan: Plan) -> Closing:
    """All stations after the plan, in the order of the line."""
    try:
        run = Chunks(order, plan.run)
        waves = line_of(order).settings.candidates.waves

        if plan.rescore:
            run.each(score_candidates, run.stretch(Work.RESCORE), SCORED, scorecards.STATION, "again")
            run.decide(run.stretch(Work.RESCORE, stage=SCORED), last=True)

        for wave in range(1, waves + 1):
            words = f"wave {wave}"
            planned, rendered, edited, scored = (
                run.stretch(Work.MAKE, wave, stage) for stage in (PLANNED, RENDERED, EDITED, SCORED)
            )
            # a shot for which a wave would change nothing goes on to the next one
            if not run.open(planned):
                continue
            if wave == 1:
                warm_up(order)
            run.each(render_references, planned, RENDERED, references.STATION, words)
            run.each(edit_candidates, rendered, EDITED, candidates.STATION, words)
            run.each(score_candidates, edited, SCORED, scorecards.STATION, words)
            run.decide(scored, last=wave == waves)

        run.publish()
        release_published(order, plan.run)
        closing = close(order, plan.run)
        write_report(order, plan.run)
    except Exception:
        line_of(order).ledger.end_run(plan.run, FAILED, {})
        raise
    except BaseException:
        line_of(order).ledger.end_run(plan.run, CANCELLED, {})
        raise
    return closing


class Chunks:
    """Sends a run's shots through the stations, chunk by chunk; a lost chunk flags its own shots only.

    The ledger says which shots a station takes next, so that nobody holds all shots of a run.
    """

    def __init__(self, order: Order, run: str) -> None:
        line = line_of(order)
        self._order = order
        self._run = run
        self._catalog = line.catalog.name
        self._ledger = line.ledger
        self._duties = line.ledger.duties
        self._size = line.settings.run.chunk
        self._candidates = 0

    def stretch(self, work: Work, wave: int = 1, stage: str = PLANNED) -> Stretch:
        """The run's shots that are so far."""
        return Stretch(self._run, work, wave, stage)

    def count(self, stretch: Stretch) -> int:
        """How many they are."""
        return self._duties.count(stretch)

    def open(self, stretch: Stretch) -> int:
        """Size a wave; returns for how many shots there are candidates to be made."""
        total = self.count(stretch)
        if not total:
            return 0
        name = f"open {self._catalog} wave {stretch.wave} ({_shots(total)})"
        opening = open_wave.with_options(task_run_name=name)(self._order, self._run, stretch.wave)
        self._candidates = opening.candidates
        return opening.shots

    def each(
        self,
        task: Task[..., Any],
        stretch: Stretch,
        stage: str,
        station: str,
        words: str = "",
    ) -> None:
        """Call `task` on every chunk of a stretch; what goes well is at `stage` then.

        Parameters
        ----------
        words
            For the names of the task runs: "wave 1".
        """
        total = self.count(stretch)
        if not total:
            return
        counted = stretch.work == Work.MAKE and station != references.STATION
        progress.started(station, self._candidates if counted else total)
        for number, chunk in enumerate(self._chunks(stretch, self._size), 1):
            name = self._name(task, words, number, total, len(chunk))
            tries = [Try(due.key, due.wave) for due in chunk]
            named = task.with_options(task_run_name=name)
            if task is score_candidates:
                keys = self._attempt(named, [one.key for one in tries], name)
            else:
                keys = [one.key for one in self._attempt(named, tries, name)]
            self._duties.advance(self._run, keys, stage)
        progress.finished(station)

    def decide(self, stretch: Stretch, *, last: bool) -> None:
        """Decide on shots that have their scorecards; some wait for another wave thereafter."""
        total = self.count(stretch)
        for chunk in self._chunks(stretch, _DECIDED_TOGETHER):
            tries = [Try(due.key, due.wave) for due in chunk]
            name = f"decide {self._catalog} ({min(total, len(chunk))} shots)"
            further = decide.with_options(task_run_name=name)(self._order, self._run, tries, last)
            self._duties.advance(self._run, [one.key for one in tries if one.key not in further], DECIDED)

    def publish(self) -> None:
        """Publish every select that waits for it."""
        total = self._ledger.tallies.publishable(self._catalog)
        if not total:
            return
        progress.started(publication.STATION, total)
        after, number = None, 0
        while page := self._ledger.tallies.next_publishable(self._catalog, after, self._size):
            number, after = number + 1, page[-1]
            name = self._name(publish_selects, "", number, total, len(page))
            self._attempt(publish_selects.with_options(task_run_name=name), [key for _, _, key in page], name)
        progress.finished(publication.STATION)

    def _chunks(self, stretch: Stretch, size: int) -> Iterator[list[Due]]:
        after = None
        while chunk := self._duties.chunk(stretch, after, size):
            yield chunk
            after = chunk[-1].place

    def _name(self, task: Task[..., Any], words: str, number: int, total: int, size: int) -> str:
        where = f"{words} " if words else ""
        return f"{task.name} {self._catalog} {where}chunk {number}/{-(-total // self._size)} ({_shots(size)})"

    def _attempt(self, task: Task[..., Any], chunk: Sequence[Item], name: str) -> list[Item]:
        try:
            done: list[Item] | None = task(self._order, self._run, chunk)  # type: ignore[assignment]
            return done or []
        except FixSettings:
            raise
        except Exception as error:
            logger.exception("%s was lost", name)
            keys = [item.key if isinstance(item, Try) else item for item in chunk]
            flag_chunk(
                self._order, self._run, keys, f"{name} was lost ({type(error).__name__}); run it again."
            )
            return []


def _shots(count: int) -> str:
    return f"{count} shot{'' if count == 1 else 's'}"
