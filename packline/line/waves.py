"""Waves: how many candidates a shot gets next, at which rung of the ladder, and what a run may spend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from packline.instructions import wave_of
from packline.ladder import engine_at, learned_as, rungs_of
from packline.ledger.duties import PLANNED, WAITS, Due, Stretch
from packline.line.line import Line
from packline.line.rungs import idle
from packline.pass_rates import Group, PassRates, engine_key, wave_size
from packline.records import CandidateRecord, PlannedShot, Wave, Work
from packline.shots import kind_of, stack_text

_TOGETHER = 500
# dollars: sums and multiples of prices are not exact
_NOTHING = 1e-9


@dataclass
class Opening:
    """What a wave was opened with.

    Parameters
    ----------
    shots, candidates
        That it has.
    waiting
        Shots that the run's budget does not cover.
    """

    shots: int = 0
    candidates: int = 0
    waiting: int = 0


@dataclass
class Budget:
    """What a run may still spend.

    Parameters
    ----------
    candidates, dollars
        None: there is no limit.
    """

    candidates: float | None
    dollars: float | None
    sentence: str = ""

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self.candidates is not None or self.dollars is not None

    def take(self, candidates: int, price: float) -> bool:
        """Set so much aside; False where that is more than is left."""
        cost = candidates * price
        if self.candidates is not None and candidates > self.candidates:
            return False
        if self.dollars is not None and cost > self.dollars + _NOTHING:
            return False
        if self.candidates is not None:
            self.candidates -= candidates
        if self.dollars is not None:
            self.dollars -= cost
        return True


def budget_of(line: Line, run: str) -> Budget:
    """What a run may still spend."""
    asked = line.settings.run.budget
    budget = Budget(asked.candidates, asked.dollars)
    if budget.limited:
        made, cost = line.ledger.waves.spent(run)
        budget.candidates = None if asked.candidates is None else asked.candidates - made
        budget.dollars = None if asked.dollars is None else asked.dollars - cost
    limits = [f"{asked.candidates:,} candidates"] if asked.candidates is not None else []
    limits += [f"${asked.dollars:,.2f}"] if asked.dollars is not None else []
    budget.sentence = f"The run's budget ({' and '.join(limits)}) is spent; the next run goes on."
    return budget


def most_of(line: Line, wave: Wave) -> float:
    """How many candidates a run that has spent nothing yet can make at a wave's rung.

    A larger wave would wait for ever: each next run's budget would be too small for it again.
    """
    budget = line.settings.run.budget
    price = line.engine_settings(engine_at(line.settings.candidates, wave)).price
    most = math.inf if budget.candidates is None else budget.candidates
    if budget.dollars is not None and price:
        most = min(most, math.floor((budget.dollars + _NOTHING) / price))
    return most


def open_wave(line: Line, run: str, number: int) -> Opening:
    """Say how many candidates each shot of a wave gets, before any of them is made.

    What was promised before stays so: a run that takes up from a killed one makes what that one would have
    made; only what was promised under a larger budget ends where a whole one does. What the run's budget does
    not cover is left to the next run.
    """
    opening, budget = Opening(), budget_of(line, run)
    for chunk in _chunks(line, Stretch(run, Work.MAKE, number, PLANNED)):
        line.shots.expect([due.key for due in chunk])
        shots = {due: line.shots[due.key] for due in chunk}
        waves = _decided(line, shots)
        made = (
            line.ledger.waves.made([(planned.shot.key, planned.fingerprint) for planned in shots.values()])
            if budget.limited
            else {}
        )
        promised, waiting = {}, []
        for due, planned in shots.items():
            place = due.key, planned.fingerprint
            there, wave = made.get(place, set()), waves[due]
            missing = [candidate for candidate in wave.numbers if candidate not in there]
            most = most_of(line, wave)
            if len(missing) > most:
                missing = missing[: int(most)]
                wave = replace(wave, size=missing[-1] + 1 - wave.first)
            price = line.engine_settings(engine_at(line.settings.candidates, wave)).price
            if budget.take(len(missing), price):
                promised[place] = wave
            else:
                waiting.append(place)
        line.ledger.waves.promise(run, promised)
        line.ledger.waves.wait(run, waiting, WAITS, budget.sentence)
        opening.shots += len(promised)
        opening.candidates += sum(wave.size for wave in promised.values())
        opening.waiting += len(waiting)
    return opening


def _chunks(line: Line, stretch: Stretch) -> Iterator[list[Due]]:
    after = None
    while chunk := line.ledger.duties.chunk(stretch, after, _TOGETHER):
        after = chunk[-1].place
        yield chunk


def _decided(line: Line, shots: dict[Due, PlannedShot]) -> dict[Due, Wave]:
    """Each shot's wave: as it was promised, or sized now."""
    open_ = {due: planned for due, planned in shots.items() if not due.wave.size}
    places = {due: (due.key, planned.fingerprint) for due, planned in open_.items()}
    promised = line.ledger.waves.promised(list(places.values()))
    new = {
        due: planned
        for due, planned in open_.items()
        if not any(one.first == due.first for one in promised.get(places[due], ()))
    }
    sizes = Sizes(line, list(new.values()))
    found = {}
    for due in shots:
        if due in new:
            found[due] = sizes.first(new[due], due.first)
        elif due in open_:
            found[due] = next(one for one in promised[places[due]] if one.first == due.first)
        else:
            found[due] = due.wave
    return found


@dataclass(frozen=True)
class Next:
    """A shot's next wave, or why there is none.

    Parameters
    ----------
    wave
        None where none is worth it.
    passed_over
        Rungs that were not climbed, each with the reason.
    """

    wave: Wave | None
    passed_over: tuple[tuple[str, str], ...] = field(default=())


class Sizes:
    """Sizes of waves by what the ledger knows now of how often candidates pass.

    Parameters
    ----------
    shots
        Whose waves will be asked for.
    """

    def __init__(self, line: Line, shots: Sequence[PlannedShot]) -> None:
        self._line = line
        self._settings = line.settings.candidates
        self._rungs = rungs_of(self._settings)
        self._engines: dict[int, str] = {}
        self._rates: PassRates | None = None
        if self._settings.fixed is None and shots:
            places = range(1, len(self._rungs) + 1)
            groups = {self._group(shot, number) for shot in shots for number in places}
            self._rates = line.ledger.waves.rates(line.catalog.name, line.checks, groups)

    def first(self, planned: PlannedShot, number: int) -> Wave:
        """A round's first wave, which begins with candidate `number`: it has one candidate at least."""
        size = max(
            self._size(planned, 1, self._settings.enough, (), self._settings.total, len(self._rungs)),
            1,
        )
        wave = Wave(1, number, wave_of(size, planned.instructions), self._rungs[0])
        return self._within_budget(wave)

    def next(self, planned: PlannedShot, records: Sequence[CandidateRecord], wave: Wave, begun: int) -> Next:
        """The wave after one that did not bring enough: the next rung that is worth it.

        Parameters
        ----------
        records
            The shot's candidates.
        begun
            Number of the round's first candidate.
        """
        passed_over = []
        first = wave.first + wave.size
        left = self._settings.total - (first - begun)
        cards = [one.scorecard for one in records if one.scorecard is not None]
        need = self._settings.enough - sum(card.passed for card in cards)
        higher = []
        for number, rung in enumerate(self._rungs[wave.number :], wave.number + 1):
            if why := idle(self._line, planned, Wave(number, rung=rung)):
                passed_over.append((rung, why))
            else:
                higher.append((number, rung))
        for place, (number, rung) in enumerate(higher):
            if left < 1:
                passed_over.append((rung, f"{self._settings.total} candidates are the most for a shot"))
                continue
            own, waves = self._seen(planned, records, number), len(higher) - place
            if size := self._size(planned, number, need, own, left, waves):
                size = min(wave_of(size, planned.instructions), max(left, size))
                return Next(self._within_budget(Wave(number, first, size, rung)), tuple(passed_over))
            worth = f"another select would take more than {self._settings.worth:g} candidates"
            passed_over.append((rung, worth))
        return Next(None, tuple(passed_over))

    def _within_budget(self, wave: Wave) -> Wave:
        return replace(wave, size=int(min(wave.size, most_of(self._line, wave))))

    def _size(
        self, planned: PlannedShot, number: int, need: int, own: Sequence[bool], left: int, waves: int
    ) -> int:
        settings = self._settings
        if self._rates is None:
            return min(settings.highest, left)
        rate = self._rates.of(self._group(planned, number), own)
        most = min(settings.largest, left)
        return wave_size(rate, need, sure=settings.sure, worth=settings.worth, most=most, waves=waves)

    def _group(self, planned: PlannedShot, number: int) -> Group:
        """Of a wave, by its number."""
        product, rung = planned.shot.product, self._rungs[number - 1]
        if number not in self._engines:
            engine = self._line.engine_called(engine_at(self._settings, Wave(number, rung=rung)))
            self._engines[number] = engine_key(engine.describe())
        kind, style = kind_of(product.sku, product.title), stack_text(product.loras)
        return Group(kind, style, self._engines[number], learned_as(rung))

    def _seen(self, planned: PlannedShot, records: Sequence[CandidateRecord], number: int) -> list[bool]:
        """Whether the shot's own candidates that were made as those of a wave passed."""
        group = self._group(planned, number)
        return [
            one.scorecard.passed
            for one in records
            if one.scorecard is not None
            and engine_key(one.candidate.recipe.engine) == group.engine
            and learned_as(one.candidate.recipe.rung) == group.rung
        ]
