"""A run's outcome in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from packline.records import RunRecord, ShotRecord, ShotState, StationTime
from packline.scorecard import Scorecard, Verdict

_NAMES = {
    "text_orientation": "text orientation",
    "scene_kept": "scene kept",
    "extra_text": "extra text",
    "house_rules": "house rules",
    "row": "catalog row",
    "model": "3D model",
}


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Parameters
    ----------
    scored, passed
        Candidates with a scorecard, and those whose scorecard passed.
    cost
        Dollars.
    """

    shots: int
    published: int
    selected: int
    flagged: int
    waiting: int
    candidates: int
    scored: int
    passed: int
    seconds: float
    cost: float

    @property
    def pass_rate(self) -> float | None:
        """Share of scored candidates that passed; None where none was scored."""
        return self.passed / self.scored if self.scored else None


@dataclass(frozen=True)
class CheckTally:
    """How one check judged all candidates."""

    name: str
    counts: dict[Verdict, int]
    milliseconds: float

    @property
    def ran(self) -> int:
        """Candidates to which the check applied."""
        return sum(n for verdict, n in self.counts.items() if verdict != Verdict.NOT_APPLICABLE)


@dataclass(frozen=True)
class Whole:
    """The figures of a catalog of which a report shows only some shots.

    Parameters
    ----------
    outcome, tallies
        Shots are all of the catalog's; candidates and verdicts are of those that the run worked on.
    """

    outcome: Outcome
    tallies: list[CheckTally]


@dataclass(frozen=True)
class StationShare:
    """A station's part of the run; `before` are the previous run's seconds."""

    name: str
    items: int
    seconds: float
    share: float
    before: float | None


def outcome(run: RunRecord, shots: Sequence[ShotRecord]) -> Outcome:
    """Count a run's shots and candidates."""
    states = [shot.state for shot in shots]
    records = [record for shot in shots for record in shot.candidates]
    cards = [record.scorecard for record in records if record.scorecard is not None]
    return Outcome(
        shots=len(shots),
        published=states.count(ShotState.PUBLISHED),
        selected=states.count(ShotState.SELECTED),
        flagged=states.count(ShotState.FLAGGED),
        waiting=states.count(ShotState.TODO),
        candidates=len(records),
        scored=len(cards),
        passed=sum(card.passed for card in cards),
        seconds=run.seconds,
        cost=sum(record.candidate.cost for record in records),
    )


def headline(run: RunRecord, result: Outcome) -> str:
    """Say the outcome in a sentence or two."""
    if run.state == "failed":
        start = "The run failed before its end. "
    elif run.state == "cancelled":
        start = "The run was cancelled. "
    else:
        start = ""
    if not result.shots:
        return start + "The catalog owes no shot that could be made."
    if result.published == result.shots:
        every = f"All {result.shots} shots are" if result.shots > 1 else "The only shot is"
        return f"{start}{every} published."
    parts = [f"{result.published} of {plural(result.shots, 'shot')} published"]
    if result.flagged:
        parts.append(f"{result.flagged} flagged for a person")
    if result.selected:
        parts.append(f"{result.selected} selected and not yet published")
    if result.waiting:
        parts.append(f"{result.waiting} still to do")
    return start + ", ".join(parts) + "."


def tally(shots: Sequence[ShotRecord]) -> list[CheckTally]:
    """Count verdicts by check, over every candidate's latest scorecard, in the scorecards' order."""
    return tally_cards(
        record.scorecard for shot in shots for record in shot.candidates if record.scorecard is not None
    )


def tally_cards(cards: Iterable[Scorecard]) -> list[CheckTally]:
    """Count verdicts by check, in the scorecards' order."""
    counts: dict[str, dict[Verdict, int]] = {}
    took: dict[str, float] = {}
    for card in cards:
        for result in card.results:
            own = counts.setdefault(result.check, dict.fromkeys(Verdict, 0))
            own[result.verdict] += 1
            took[result.check] = took.get(result.check, 0.0) + result.milliseconds
    return [CheckTally(name, own, took[name] / sum(own.values())) for name, own in counts.items()]


def stations(run: RunRecord, previous: RunRecord | None = None) -> list[StationShare]:
    """Each station's share of the stations' seconds; stations named twice are added up."""
    now, before = _added(run.stations), _added(previous.stations) if previous else {}
    total = sum(one.seconds for one in now.values()) or 1.0
    return [
        StationShare(
            one.station,
            one.items,
            one.seconds,
            one.seconds / total,
            before[one.station].seconds if one.station in before else None,
        )
        for one in now.values()
    ]


def plain_name(name: str) -> str:
    """A check's, a flag reason's or a view's name as a person says it."""
    return _NAMES.get(name, name.replace("_", " ").replace("-", " "))


def plain_view(view: str, number: int) -> str:
    """A view's name and, where its placement is owed several pictures, which one it is: "hero, picture 2"."""
    return plain_name(view) + (f", picture {number}" if number > 1 else "")


def duration(seconds: float) -> str:
    """Seconds as a person says them: "0.4 s", "12 s", "3 min 20 s", "2 h 05 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def plural(count: int, word: str) -> str:
    """ "1 shot", "2 shots"."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def when(started: str) -> str:
    """An ISO time as a person writes it; other strings as they are."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return started
    zone = " UTC" if moment.utcoffset() is not None and not moment.utcoffset() else ""
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"


def _added(times: Sequence[StationTime]) -> dict[str, StationTime]:
    added: dict[str, StationTime] = {}
    for one in times:
        old = added.get(one.station, StationTime(one.station, 0, 0.0))
        added[one.station] = StationTime(one.station, old.items + one.items, old.seconds + one.seconds)
    return added
