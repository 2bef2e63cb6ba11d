"""Waves: which candidates each shot was promised, what a run has spent, and how often candidates pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from packline.ladder import learned_as
from packline.ledger import schema as t
from packline.ledger.database import insert_once
from packline.ledger.part import Part
from packline.ledger.planning import slices
from packline.ledger.work import BUDGET
from packline.pass_rates import MOST_SEEN, Group, PassRates, Seen, engine_key
from packline.records import ShotState, Wave
from packline.shots import STACKED, kind_of

Shot = tuple[str, str]
"""A shot's key and fingerprint."""

_WAVE = ("number", "first", "size", "rung")
# of `schema.pass_tallies`
_LONGEST_KIND = 200


class Waves(Part):
    """The tables `waves` and `pass_tallies`; every call is one short transaction."""

    def promised(self, shots: Collection[Shot]) -> dict[Shot, list[Wave]]:
        """Every wave that some shots were ever promised, in the order of their numbers."""
        with self._reader.connect() as connection:
            return read_waves(connection, shots)

    def promise(self, run: str, waves: Mapping[Shot, Wave]) -> None:
        """Write some shots' next waves down; a run's stations take them up from there."""
        w = t.work.c
        rows = [
            {
                "shot": key,
                "fingerprint": fingerprint,
                "first": wave.first,
                "size": wave.size,
                "number": wave.number,
                "rung": wave.rung,
            }
            for (key, fingerprint), wave in waves.items()
        ]
        with self._write() as connection:
            insert_once(connection, t.waves, rows)
            if rows:
                here = (w.run == run, w.shot == bindparam("of_shot"))
                next_: dict[str, Any] = {"wave": bindparam("to_number"), "first": bindparam("to_first")}
                next_ |= {"size": bindparam("to_size"), "rung": bindparam("to_rung")}
                moved = [
                    {"of_shot": row["shot"], **{f"to_{name}": row[name] for name in _WAVE}} for row in rows
                ]
                connection.execute(update(t.work).where(*here).values({**next_, "stage": ""}), moved)

    def made(self, shots: Collection[Shot]) -> dict[Shot, set[int]]:
        """Numbers of the candidates that some shots have."""
        c, wanted = t.candidates.c, set(shots)
        found: dict[Shot, set[int]] = defaultdict(set)
        with self._reader.connect() as connection:
            for part in slices([key for key, _ in shots]):
                query = select(c.shot, c.fingerprint, c.number).where(c.shot.in_(part))
                for row in connection.execute(query):
                    if (row.shot, row.fingerprint) in wanted:
                        found[row.shot, row.fingerprint].add(row.number)
        return found

    def spent(self, run: str) -> tuple[int, float]:
        """How many candidates a run has made, and what they cost in dollars."""
        c = t.candidates.c
        query = select(func.count().label("many"), func.sum(c.cost).label("cost")).where(c.run == run)
        with self._reader.connect() as connection:
            row = connection.execute(query).one()
        return row.many, float(row.cost or 0.0)

    def wait(self, run: str, shots: Collection[Shot], stage: str, sentence: str) -> None:
        """Leave some shots to do for the next run: this one's budget is spent."""
        w, st = t.work.c, t.shot_states.c
        with self._write() as connection:
            for part in slices([key for key, _ in shots]):
                connection.execute(update(t.work).where(w.run == run, w.shot.in_(part)).values(stage=stage))
            # that a person asked again is not forgotten over it
            here = (
                st.shot == bindparam("of_shot"),
                st.fingerprint == bindparam("of_fingerprint"),
                st.state == str(ShotState.TODO),
                or_(st.reason == "", st.reason == BUDGET),
            )
            told = update(t.shot_states).where(*here).values(reason=BUDGET, sentence=sentence)
            if shots:
                rows = [{"of_shot": key, "of_fingerprint": fingerprint} for key, fingerprint in shots]
                connection.execute(told, rows)

    def waiting(self, run: str, stage: str) -> int:
        """How many shots wait so."""
        w = t.work.c
        query = select(func.count()).select_from(t.work).where(w.run == run, w.stage == stage)
        with self._reader.connect() as connection:
            return connection.scalar(query) or 0

    def rates(self, catalog: str, checks: str, groups: Iterable[Group]) -> PassRates:
        """How often candidates of some groups pass these checks.

        Two queries over counts: however many candidates there were, they read a few rows.
        """
        p = t.pass_tallies.c
        here = and_(p.catalog == catalog, p.checks == checks)
        counts = func.sum(p.tried).label("tried"), func.sum(p.passed).label("passed")
        own: dict[Group, list[Seen]] = defaultdict(list)
        whole: dict[tuple[str, str], list[Seen]] = defaultdict(list)
        with self._reader.connect() as connection:
            places = (p.engine, p.rung, p.passes, p.fails)
            for row in connection.execute(select(*places, *counts).where(here).group_by(*places)):
                whole[row.engine, row.rung].append(Seen(row.passes, row.fails, row.tried, row.passed))
            wanted = sorted({_columns(group) for group in groups})
            for start in range(0, len(wanted), 100):
                any_ = or_(
                    *(
                        and_(p.engine == engine, p.rung == rung, p.kind == kind, p.style == style)
                        for engine, rung, kind, style in wanted[start : start + 100]
                    )
                )
                for row in connection.execute(select(t.pass_tallies).where(here, any_)):
                    group = Group(row.kind, row.style, row.engine, row.rung)
                    own[group].append(Seen(row.passes, row.fails, row.tried, row.passed))
        return PassRates(own, whole)


def read_waves(connection: Connection, shots: Collection[Shot]) -> dict[Shot, list[Wave]]:
    """As `Waves.promised`."""
    w, wanted = t.waves.c, set(shots)
    found: dict[Shot, list[Wave]] = defaultdict(list)
    for part in slices([key for key, _ in shots]):
        for row in connection.execute(select(t.waves).where(w.shot.in_(part)).order_by(w.shot, w.first)):
            if (row.shot, row.fingerprint) in wanted:
                found[row.shot, row.fingerprint].append(Wave(row.number, row.first, row.size, row.rung))
    return found


def count_pass(connection: Connection, run: str, candidate: str, checks: str, passed: bool) -> None:
    """Count a candidate's first verdict under some checks; its scorecard is not there yet."""
    c, s, r, cards = t.candidates.c, t.shots.c, t.runs.c, t.scorecards.c
    one = connection.execute(
        select(c.shot, c.fingerprint, c.recipe, r.catalog, s.sku, s.title)
        .select_from(t.candidates)
        .join(t.runs, r.id == run)
        .join(t.shots, and_(s.catalog == r.catalog, s.key == c.shot))
        .where(c.id == candidate)
    ).one_or_none()
    if one is None:
        return
    before = connection.execute(
        select(c.id, c.recipe, cards.passed)
        .join(t.scorecards, cards.candidate == c.id)
        .where(c.shot == one.shot, c.fingerprint == one.fingerprint, cards.checks == checks)
        .order_by(cards.id)
    ).all()
    verdicts = {row.id: row.passed for row in before if _process(row.recipe) == _process(one.recipe)}
    if candidate in verdicts:
        return
    passes = sum(verdicts.values())
    engine, rung = _process(one.recipe)
    style = STACKED.join(lora["label"] for lora in one.recipe["loras"])
    row = {
        "catalog": one.catalog,
        "checks": checks,
        "engine": engine,
        "rung": rung,
        "kind": kind_of(one.sku, one.title)[:_LONGEST_KIND],
        "style": style,
        "passes": min(passes, MOST_SEEN),
        "fails": min(len(verdicts) - passes, MOST_SEEN),
        "tried": 1,
        "passed": int(passed),
    }
    table = t.pass_tallies
    adding = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    more: dict[str, Any] = {name: table.c[name] + adding.excluded[name] for name in ("tried", "passed")}
    keys = [column.name for column in table.primary_key]
    connection.execute(adding.on_conflict_do_update(index_elements=keys, set_=more), [row])


def _process(recipe: Mapping[str, Any]) -> tuple[str, str]:
    """Engine and rung of a recipe, as its passes are counted."""
    return engine_key(recipe["engine"]), learned_as(recipe.get("rung", ""))


def _columns(group: Group) -> tuple[str, str, str, str]:
    return group.engine, group.rung, group.kind, group.style
