"""Planning a run: what each shot needs, and what was promised before and not done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from packline.delivery import delivery_digests
from packline.errors import FixSettings
from packline.line.line import Line
from packline.publish import check_delivery
from packline.records import PlannedShot, ShotRecord, ShotState, Work

# flags that say nothing about the pictures: the next run may well succeed
PASSING = ("error", "try again")


@dataclass(frozen=True)
class Try:
    """A shot's turn in a wave.

    Parameters
    ----------
    key
        The shot's.
    first
        Number of its first candidate in this wave.
    """

    key: str
    first: int


@dataclass(frozen=True)
class Plan:
    """What a run has to do.

    Parameters
    ----------
    run
        Its id in the ledger.
    shots
        How many shots the catalog owes, rows with errors not counted.
    make, rescore
        Shots that need candidates, and shots whose stored candidates are to be scored again.
    why
        How many shots are worked on for which reason.
    row_errors
        Sentences of the rows that cannot be used.
    publish
        Shots that were selected before and are not published yet.
    release
        Whether the environment does not show what the catalog has published.
    """

    run: str
    shots: int
    make: tuple[Try, ...]
    rescore: tuple[str, ...]
    why: dict[str, int]
    row_errors: tuple[str, ...]
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
    _check_skus(line)
    catalog, ledger = line.catalog, line.ledger
    line.bucket.check_writable()
    check_delivery(line.settings)
    shots = list(line.shots.values())
    run = ledger.begin_run(catalog.name, line.order.to_dict())
    try:
        ledger.record_deliveries(catalog.name, delivery_digests(line.settings))
        ledger.record_catalog(run, catalog)
        planned = ledger.plan(run, shots)
        records = {record.key: record for record in ledger.shots(catalog.name)}
        planned = [_asked_again(line, one, records.get(one.shot.key)) for one in planned]
        asked = [one for one in planned if not line.order.only or one.shot.product.sku in line.order.only]
        wave = line.settings.candidates.wave * line.settings.candidates.waves
        make = []
        for one in asked:
            if one.work == Work.MAKE:
                record = records.get(one.shot.key)
                # a person who asks again wants other candidates; an interrupted shot takes up its own
                further = (
                    record is not None and record.state == ShotState.FLAGGED and record.reason not in PASSING
                )
                first = _round(record, wave) if further and record is not None else 0
                make.append(Try(one.shot.key, first))
        return Plan(
            run=run,
            shots=len(shots),
            make=tuple(make),
            rescore=tuple(one.shot.key for one in asked if one.work == Work.RESCORE),
            why=dict(Counter(one.why for one in asked if one.work != Work.NOTHING)),
            row_errors=tuple(error.sentence for error in catalog.errors),
            publish=len(ledger.publishable(run)),
            release=ledger.release_due(catalog.name, line.settings.run.environment),
        )
    except BaseException:
        ledger.end_run(run, "failed", {})
        raise


def foresee(line: Line) -> list[PlannedShot]:
    """What a run would do for each shot, with nothing written.

    Raises
    ------
    FixSettings
        Where the catalog, the settings or the ledger cannot be used.
    """
    _check_skus(line)
    shots = list(line.shots.values())
    records = {record.key: record for record in line.ledger.shots(line.catalog.name)}
    found = [
        _asked_again(line, planned, records.get(planned.shot.key))
        for planned in line.ledger.foresee(line.catalog.name, shots)
    ]
    return [one for one in found if not line.order.only or one.shot.product.sku in line.order.only]


def _check_skus(line: Line) -> None:
    known = {product.sku for product in line.catalog.products} | {error.sku for error in line.catalog.errors}
    for sku in line.order.only:
        if sku not in known:
            raise FixSettings(f"SKU {sku} is not in {line.order.catalog}; correct it or leave it out.")


def _asked_again(line: Line, planned: PlannedShot, record: ShotRecord | None) -> PlannedShot:
    if planned.work != Work.NOTHING or record is None or record.state != ShotState.FLAGGED:
        return planned
    if record.reason in PASSING:
        return replace(planned, work=Work.MAKE, why="the last run was kept from finishing it")
    if line.order.again:
        return replace(planned, work=Work.MAKE, why="flagged, and you asked for another try")
    return planned


def _waits(record: ShotRecord) -> bool:
    """Whether a shot waits for a person, not for better luck."""
    return record.state == ShotState.FLAGGED and record.reason not in PASSING


def _round(record: ShotRecord, size: int) -> int:
    """First number of the next whole round of candidates."""
    numbers = [entry.candidate.recipe.number for entry in record.candidates]
    return (max(numbers) // size + 1) * size if numbers else 0
