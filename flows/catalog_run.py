"""The flow of a catalogue run: from the catalogue's file to published pictures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from prefect import Task, flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from packline import progress
from packline.errors import FixSettings, Occupied
from packline.line import Order
from packline.line.closing import CANCELLED, COMPLETED, FAILED, Closing
from packline.line.plan import Plan, Try
from tasks import candidates, publication, references, scorecards
from tasks.candidates import edit_candidates
from tasks.closing import close, write_report
from tasks.opening import line_of
from tasks.plan import foresee_run, plan_run
from tasks.publication import publish_selects
from tasks.references import render_references
from tasks.releases import release_published
from tasks.scorecards import score_candidates
from tasks.selects import decide, flag_chunk

logger = logging.getLogger(__name__)

Item = TypeVar("Item", Try, str)


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
        settings = line_of(order).settings.candidates

        if plan.rescore:
            scored = run.each(score_candidates, plan.rescore, scorecards.STATION, "again", settings.wave)
            run.decide(scored, last=True)

        tries = list(plan.make)
        for wave in range(1, settings.waves + 1):
            if not tries:
                break
            words = f"wave {wave}"
            tries = run.each(render_references, tries, references.STATION, words)
            tries = run.each(edit_candidates, tries, candidates.STATION, words, settings.wave)
            scored = run.each(
                score_candidates, [one.key for one in tries], scorecards.STATION, words, settings.wave
            )
            further = run.decide(scored, last=wave == settings.waves)
            tries = [Try(one.key, one.first + settings.wave) for one in tries if one.key in further]

        ready = [shot.key for shot in line_of(order).ledger.publishable(plan.run)]
        run.each(publish_selects, ready, publication.STATION)
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
    """Sends a run's shots through a task, chunk by chunk; a chunk that is lost flags its own shots only."""

    def __init__(self, order: Order, run: str) -> None:
        self._order = order
        self._run = run
        self._catalog = line_of(order).catalog.name
        self._size = line_of(order).settings.run.chunk

    def each(
        self, task: Task[..., Any], items: Sequence[Item], station: str, words: str = "", weight: int = 1
    ) -> list[Item]:
        """Call `task` on every chunk.

        Parameters
        ----------
        words
            For the names of the task runs: "wave 1".
        weight
            Progress that one item is worth.

        Returns
        -------
        list
            The items that went well.
        """
        if not items:
            return []
        progress.started(station, len(items) * weight)
        chunks = [list(items[start : start + self._size]) for start in range(0, len(items), self._size)]
        well: list[Item] = []
        for number, chunk in enumerate(chunks, 1):
            shots = f"{len(chunk)} shot{'' if len(chunk) == 1 else 's'}"
            where = f"{words} " if words else ""
            name = f"{task.name} {self._catalog} {where}chunk {number}/{len(chunks)} ({shots})"
            well += self._attempt(task.with_options(task_run_name=name), chunk, name) or []
        progress.finished(station)
        return well

    def decide(self, keys: Sequence[str], *, last: bool) -> set[str]:
        """Decide on shots that have their scorecards; the keys of those that need another wave."""
        if not keys:
            return set()
        name = f"decide {self._catalog} ({len(keys)} shots)"
        return set(decide.with_options(task_run_name=name)(self._order, self._run, list(keys), last))

    def _attempt(self, task: Task[..., Any], chunk: list[Item], name: str) -> list[Item] | None:
        try:
            done: list[Item] | None = task(self._order, self._run, chunk)  # type: ignore[assignment]
            return done
        except FixSettings:
            raise
        except Exception as error:
            logger.exception("%s was lost", name)
            keys = [item.key if isinstance(item, Try) else item for item in chunk]
            flag_chunk(
                self._order, self._run, keys, f"{name} was lost ({type(error).__name__}); run it again."
            )
            return []
