"""Planning a run: what each shot needs, and what was promised before and not done."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packline.assets import Assets
from packline.delivery import delivery_digests
from packline.fingerprint import file_digest
from packline.ledger.survey import Owed, Survey
from packline.ledger.work import CHOSEN, PUBLISHED, WAITS, Choice
from packline.line.line import Line
from packline.line.presets import import_presets
from packline.line.survey import Reading, compare, open_reader, read_differing
from packline.publish import check_delivery
from packline.records import ShotState, Wave, Work

_SETTLED = {ShotState.PUBLISHED: PUBLISHED, ShotState.FLAGGED: WAITS, ShotState.SELECTED: CHOSEN}


@dataclass(frozen=True)
class Try:
    """A shot's turn in a wave.

    Parameters
    ----------
    key
        The shot's.
    wave
        Which candidates it gets.
    """

    key: str
    wave: Wave = field(default_factory=Wave)


@dataclass(frozen=True)
class Plan:
    """What a run has to do; which shots, the ledger says chunk by chunk (`Ledger.duties`).

    Parameters
    ----------
    run
        Its id in the ledger.
    shots
        How many shots the catalog owes, rows with errors not counted.
    make, rescore
        How many shots need candidates, and of how many the stored candidates are to be scored again.
    why
        How many shots are worked on for which reason.
    row_errors
        The first sentences of the rows that cannot be used.
    wrong_rows
        How many there are.
    publish
        Shots of which something is to be published already.
    release
        Whether the environment does not show what the catalog has published.
    """

    run: str
    shots: int
    make: int
    rescore: int
    why: dict[str, int]
    row_errors: tuple[str, ...]
    wrong_rows: int
    publish: int
    release: bool

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.make or self.rescore or self.publish or self.release)


def begin_run(line: Line) -> Plan:
    """Open a run in the ledger and plan it.

    Raises
    ------
    FixSettings
        Where the catalog, the settings, the ledger or the bucket would make every shot fail.
    """
    ledger, name = line.ledger, line.catalog.name
    line.bucket.check_writable()
    line.check_engines()
    check_delivery(line.settings)
    reader, reading = open_reader(line), Reading()
    with ledger.survey(name, line.checks, _choice(line), writes=True) as desk:
        planner = line.planner(Assets(desk.recall))
        compare(line, desk, planner, reading)
        run = ledger.begin_run(name, line.order.to_dict())
        desk.run = run
        try:
            ledger.record_deliveries(name, delivery_digests(line.settings))
            import_presets(line, line.presets, planner.assets, run)
            desk.note(planner.assets.news())
            for _ in read_differing(line, desk, reader, planner, reading):
                pass
            desk.settle(str(line.catalog.file.resolve()), file_digest(line.catalog.file))
            standing = desk.counts()
            if any(work for _, work in standing):
                for _ in desk.standing():
                    pass
            reasons = ledger.duties.reasons(run)
            return Plan(
                run=run,
                shots=reading.shots + sum(standing.values()),
                make=sum(count for (work, _), count in reasons.items() if work == Work.MAKE),
                rescore=sum(count for (work, _), count in reasons.items() if work == Work.RESCORE),
                why=_by_reason(reasons),
                row_errors=tuple(reading.errors),
                wrong_rows=reading.wrong,
                publish=ledger.tallies.publishable(name),
                release=ledger.release_due(name, line.settings.run.environment),
            )
        except BaseException:
            ledger.end_run(run, "failed", {})
            raise


class Forecast:
    """What a run would do for each shot, with nothing written.

    Iterating gives the shots in the catalog's order, one by one; the other facts are there after it.

    Parameters
    ----------
    every
        Shots with nothing to do as well.

    Attributes
    ----------
    reasons
        How many shots there are by what is done and why, those with nothing to do included.
    reading
        Which rows cannot be used.

    Raises
    ------
    FixSettings
        Where the catalog, the settings or the ledger cannot be used.
    """

    def __init__(self, line: Line, *, every: bool = False) -> None:
        self._line = line
        self._every = every
        self.reasons: Counter[tuple[Work, str]] = Counter()
        self.reading = Reading()

    def __iter__(self) -> Iterator[Owed]:
        line = self._line
        reader = open_reader(line)
        with line.ledger.survey(line.catalog.name, line.checks, _choice(line), writes=False) as desk:
            planner = line.planner(Assets(desk.recall))
            compare(line, desk, planner, self.reading)
            changed = _flat(read_differing(line, desk, reader, planner, self.reading))
            only = line.order.only
            for owed in heapq.merge(changed, self._standing(desk), key=lambda one: (one.row, one.position)):
                if only and owed.sku not in only:
                    continue
                self.reasons[owed.duty.work, owed.duty.why] += 1
                if self._every or owed.duty.work != Work.NOTHING:
                    yield owed

    def _standing(self, desk: Survey) -> Iterator[Owed]:
        counts = desk.counts()
        if not self._every and not self._line.order.only:
            # the database counts those with nothing to do
            for state, why in _SETTLED.items():
                if still := counts.get((str(state), False)):
                    self.reasons[Work.NOTHING, why] += still
        if self._every or self._line.order.only:
            yield from _flat(desk.standing(every=True))
        elif any(work for _, work in counts):
            yield from _flat(desk.standing())


def _choice(line: Line) -> Choice:
    return Choice(line.order.only, line.order.again, delivery_digests(line.settings))


def _flat(pages: Iterable[list[Owed]]) -> Iterator[Owed]:
    for page in pages:
        yield from page


def _by_reason(reasons: dict[tuple[Work, str], int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (_, why), count in reasons.items():
        found[why] += count
    return dict(found)
