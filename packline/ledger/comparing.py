"""Blind comparisons: which shots two ways of making pictures both made, and how people voted on them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, or_, select

from packline.fingerprint import digest
from packline.ledger import schema as t
from packline.ledger.database import insert_once
from packline.ledger.decided import NotNow, log
from packline.ledger.part import Part

FIRST, SECOND, NEITHER = "first", "second", "neither"
MOST_PAIRS = 2000
"""In one comparison; more say no more."""


@dataclass(frozen=True)
class Arm:
    """A way to make pictures: an engine with its steps, and the LoRAs with their strengths.

    Parameters
    ----------
    loras
        Label, strength and the first digits of the file's SHA-256 of each.
    """

    engine: str
    steps: int
    loras: tuple[tuple[str, float, str], ...] = ()

    @property
    def id(self) -> str:
        """A digest of all of it."""
        return digest(self.engine, self.steps, [list(one) for one in self.loras])

    @property
    def words(self) -> str:
        """For a person: "klein, 4 steps, LoRA oak (3f2a91) at 0.8"."""
        steps = f"{self.steps} step{'' if self.steps == 1 else 's'}"
        used = [f"LoRA {label} ({sha}) at {strength:g}" for label, strength, sha in self.loras]
        return ", ".join([self.engine, steps, *(used or ["no LoRA"])])

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Arm:
        """Read what `asdict` made."""
        loras = tuple((str(one[0]), float(one[1]), str(one[2])) for one in data["loras"])
        return Arm(str(data["engine"]), int(data["steps"]), loras)


@dataclass(frozen=True)
class Offer:
    """Two ways that can be compared.

    Parameters
    ----------
    shots
        How many shots both made.
    """

    first: Arm
    second: Arm
    shots: int


@dataclass(frozen=True)
class Comparison:
    """A comparison that somebody began."""

    id: str
    catalog: str
    first: Arm
    second: Arm
    by: str


@dataclass(frozen=True)
class Pair:
    """A shot with its picture from either way; `first` and `second` are candidates."""

    shot: str
    sku: str
    scene: str
    first: str
    second: str


@dataclass(frozen=True)
class Vote:
    """A person's word on a pair.

    Parameters
    ----------
    choice
        "first", "second" or "neither".
    left
        Which of the two stood on the left.
    """

    shot: str
    sku: str
    scene: str
    by: str
    choice: str
    left: str


class Comparisons(Part):
    """Comparisons of a ledger; every call is one transaction."""

    def offers(self, catalog: str) -> tuple[dict[Arm, int], list[Offer]]:
        """What a catalog's candidates were made with, and which two of those share shots.

        Returns
        -------
        arms, offers
            How many shots each made; the pairs that share a shot, the most shots first.
        """
        with self._reader.connect() as connection:
            # read once and joined to itself: of many candidates the reading is what takes long
            made = _shots_made(catalog).cte("made")
            other = made.alias("other")
            both = (
                select(made.c.kind, other.c.kind, func.count())
                .select_from(made.join(other, and_(made.c.shot == other.c.shot, made.c.kind <= other.c.kind)))
                .group_by(made.c.kind, other.c.kind)
            )
            rows = connection.execute(both).all()
            kinds = {kind: _arm(kind) for kind, same, _ in rows if kind == same}
            arms: Counter[Arm] = Counter()
            shared: Counter[tuple[Arm, Arm]] = Counter()
            for one, two, many in rows:
                if one == two:
                    arms[kinds[one]] += many
                elif kinds[one] != kinds[two]:
                    shared[_ordered(kinds[one], kinds[two])] += many
        offers = [Offer(*two, shots=many) for two, many in shared.items()]
        return dict(arms), sorted(offers, key=lambda offer: (-offer.shots, offer.first.id, offer.second.id))

    def begin(self, catalog: str, arms: Sequence[str], by: str, address: str = "") -> Comparison:
        """Begin a comparison, or take up what both made since into one that was begun before.

        Each shot is shown with the picture that the line would have chosen: the one that passed, with the
        best score.

        Parameters
        ----------
        arms
            Two ids.

        Raises
        ------
        NotNow
            Where a way is unknown, both are the same, or they share no shot.
        """
        # reading takes long where there are many candidates, and keeps nobody from writing
        with self._reader.connect() as connection:
            kinds = _kinds(connection, catalog)
            known = {arm.id: arm for arm in kinds.values()}
            if len(set(arms)) != 2:
                raise NotNow("A comparison needs two different ways to make pictures; choose A and B.")
            if not set(arms) <= set(known):
                raise NotNow(f"Catalogue {catalog} holds no pictures of one of these; load the page again.")
            first, second = _ordered(*(known[one] for one in arms))
            identity = digest(catalog, first.id, second.id)
            best = [_best(connection, catalog, [k for k, arm in kinds.items() if arm == one])
                    for one in (first, second)]  # fmt: skip
            shots = sorted(set(best[0]) & set(best[1]), key=lambda shot: _place(identity, shot))[:MOST_PAIRS]
            if not shots:
                raise NotNow(f"No shot was made by both {first.words} and {second.words}.")
        with self._write() as connection:
            new = connection.scalar(select(t.comparisons.c.id).where(t.comparisons.c.id == identity)) is None
            row = {"id": identity, "catalog": catalog, "first": asdict(first), "second": asdict(second)}
            insert_once(connection, t.comparisons, [{**row, "by": by}])
            insert_once(
                connection,
                t.comparison_pairs,
                [
                    {
                        "comparison": identity,
                        "shot": shot,
                        "sku": shot.rsplit("/", 2)[0],
                        "scene": shot.rsplit("/", 2)[1],
                        "first": best[0][shot],
                        "second": best[1][shot],
                        "place": _place(identity, shot),
                    }
                    for shot in shots
                ],
            )
            if new:
                log(connection, "compared", by, address, f"{catalog}: {first.words} / {second.words}")
            return Comparison(identity, catalog, first, second, by)

    def all(self) -> list[tuple[Comparison, int, int]]:
        """Every comparison with the numbers of its pairs and votes, the latest first."""
        c, pairs, votes = t.comparisons.c, t.comparison_pairs.c, t.comparison_votes.c
        of_pairs = select(func.count()).where(pairs.comparison == c.id).scalar_subquery()
        of_votes = select(func.count()).where(votes.comparison == c.id).scalar_subquery()
        with self._reader.connect() as connection:
            rows = connection.execute(
                select(t.comparisons, of_pairs.label("pairs"), of_votes.label("votes"))
                .order_by(c.recorded.desc(), c.id)
                .limit(200)
            )
            return [(_comparison(row), row.pairs, row.votes) for row in rows]

    def find(self, identity: str) -> Comparison | None:
        """A comparison by its id."""
        query = select(t.comparisons).where(t.comparisons.c.id == identity)
        with self._reader.connect() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else _comparison(row)

    def progress(self, identity: str, by: str) -> tuple[int, int]:
        """On how many pairs a person voted, and how many there are."""
        pairs, votes = t.comparison_pairs.c, t.comparison_votes.c
        done = select(func.count()).where(votes.comparison == identity, votes.by == by)
        with self._reader.connect() as connection:
            of = connection.scalar(select(func.count()).where(pairs.comparison == identity))
            return connection.scalar(done) or 0, of or 0

    def next_pairs(self, identity: str, by: str, most: int) -> list[Pair]:
        """The next pairs that a person has not voted on, each person beginning elsewhere."""
        pairs, votes = t.comparison_pairs.c, t.comparison_votes.c
        own = and_(votes.comparison == pairs.comparison, votes.shot == pairs.shot, votes.by == by)
        query = (
            select(t.comparison_pairs)
            .outerjoin(t.comparison_votes, own)
            .where(pairs.comparison == identity, votes.id.is_(None))
            .order_by(pairs.place, pairs.shot)
            .limit(most)
        )
        start = _place(identity, by)
        with self._reader.connect() as connection:
            rows = connection.execute(query.where(pairs.place >= start)).all()
            if len(rows) < most:
                rows = [*rows, *connection.execute(query.where(pairs.place < start).limit(most - len(rows)))]
        return [_pair(row) for row in rows]

    def pair(self, identity: str, shot: str) -> Pair | None:
        """A comparison's pair of a shot."""
        pairs = t.comparison_pairs.c
        query = select(t.comparison_pairs).where(pairs.comparison == identity, pairs.shot == shot)
        with self._reader.connect() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else _pair(row)

    def vote(self, identity: str, shot: str, by: str, choice: str, left: str) -> None:
        """Append a person's vote on a pair.

        Parameters
        ----------
        choice
            "first", "second" or "neither".
        left
            Which of the two stood on the left, "first" or "second".

        Raises
        ------
        NotNow
            Where there is no such pair, or the person has voted on it.
        """
        pairs, votes = t.comparison_pairs.c, t.comparison_votes
        if choice not in (FIRST, SECOND, NEITHER):
            raise NotNow("A vote is for the left picture, the right one, or neither.")
        with self._write() as connection:
            there = select(pairs.shot).where(pairs.comparison == identity, pairs.shot == shot)
            if connection.scalar(there) is None:
                raise NotNow("There is no such pair any more; go back to the comparison.")
            row = {"comparison": identity, "shot": shot, "by": by, "choice": choice, "left": left}
            before = connection.scalar(
                select(votes.c.id).where(
                    votes.c.comparison == identity, votes.c.shot == shot, votes.c.by == by
                )
            )
            # the constraint keeps what this look may miss: two of the person's windows at the same moment
            if before is not None:
                raise NotNow("You voted on this pair before; a vote stands.")
            connection.execute(insert(votes), [row])

    def votes(self, identity: str) -> list[Vote]:
        """All votes of a comparison in their order."""
        pairs, votes = t.comparison_pairs.c, t.comparison_votes.c
        query = (
            select(votes.shot, pairs.sku, pairs.scene, votes.by, votes.choice, votes.left)
            .join(t.comparison_pairs, and_(pairs.comparison == votes.comparison, pairs.shot == votes.shot))
            .where(votes.comparison == identity)
            .order_by(votes.id)
        )
        with self._reader.connect() as connection:
            return [Vote(*row) for row in connection.execute(query)]


def _ordered(one: Arm, other: Arm) -> tuple[Arm, Arm]:
    """The same order whichever a person names first: their names', so that A stays A."""
    key = (one.words, one.id), (other.words, other.id)
    return (one, other) if key[0] <= key[1] else (other, one)


def _place(identity: str, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{identity}\0{name}".encode()).digest()[:4]) >> 2


def _recipe() -> tuple[Any, Any, Any]:
    """Engine, steps and LoRAs of a candidate, as text on every database."""
    recipe = t.candidates.c.recipe
    return (
        recipe["engine", "name"].as_string(),
        recipe["engine", "steps"].as_string(),
        recipe["loras"].as_string(),
    )


def _kind() -> Any:
    name, steps, loras = _recipe()
    return func.coalesce(name, "") + "\n" + func.coalesce(steps, "0") + "\n" + func.coalesce(loras, "[]")


def _shots_made(catalog: str) -> Select[Any]:
    c = t.candidates.c
    own = t.candidates.join(t.runs, t.runs.c.id == c.run)
    query = select(_kind().label("kind"), c.shot).select_from(own)
    return query.where(t.runs.c.catalog == catalog).distinct()


def _kinds(connection: Connection, catalog: str) -> dict[str, Arm]:
    made = _shots_made(catalog).subquery()
    return {kind: _arm(kind) for kind in connection.scalars(select(made.c.kind).distinct())}


def _arm(kind: str) -> Arm:
    name, steps, loras = kind.split("\n", 2)
    used = ((str(one["label"]), float(one["strength"]), str(one["sha256"])[:6]) for one in json.loads(loras))
    return Arm(name, int(float(steps)), tuple(used))


def _best(connection: Connection, catalog: str, kinds: Iterable[str]) -> dict[str, str]:
    """Of each shot the candidate that the line would have chosen."""
    c, cards = t.candidates.c, t.scorecards.c
    others = t.scorecards.alias()
    latest = select(func.max(others.c.id)).where(others.c.candidate == c.id).correlate(t.candidates)
    query = (
        select(c.shot, c.id)
        .join(t.runs, t.runs.c.id == c.run)
        .outerjoin(t.scorecards, cards.id == latest.scalar_subquery())
        .where(t.runs.c.catalog == catalog, or_(*(_kind() == kind for kind in kinds)))
        # the best comes last and stays
        .order_by(func.coalesce(cards.passed, False), func.coalesce(cards.score, -1.0), c.recorded, c.id)
    )
    return {row.shot: row.id for row in connection.execute(query)}


def _comparison(row: Any) -> Comparison:
    return Comparison(row.id, row.catalog, Arm.from_dict(row.first), Arm.from_dict(row.second), row.by)


def _pair(row: Any) -> Pair:
    return Pair(row.shot, row.sku, row.scene, row.first, row.second)
