"""People's decisions on shots: each an append-only record, with what it changes in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, delete, exists, func, insert, select, update

from packline.errors import PacklineError
from packline.ledger import schema as t
from packline.ledger.database import upsert
from packline.ledger.queue import DONE, REJECTED, refresh
from packline.ledger.reading import _utc
from packline.records import ShotState

APPROVE, REJECT, AGAIN, UNDO = "approve", "reject", "again", "undo"

REFINES = ("product", "labels", "off")
MOST_CANDIDATES = 16


class NotNow(PacklineError):
    """A decision that cannot stand: what the person saw is no longer so, or something is missing from it."""


@dataclass(frozen=True)
class Choice:
    """What a person decides on a shot.

    Parameters
    ----------
    version
        `version_of` the shot as the person saw it.
    kind
        "approve" takes `candidate` as the shot's select, "reject" settles that none of its pictures may be shown,
        "again" asks for further candidates.
    tags
        Names of checks: what is wrong with the picture.
    asked
        For "again", what the further candidates shall have otherwise: ``lora_strength`` (0 to 2), ``refine``
        ("product", "labels" or "off"), ``candidates`` (how many a wave), ``note`` (for people).
    """

    catalog: str
    shot: str
    version: str
    kind: str
    candidate: str = ""
    tags: tuple[str, ...] = ()
    words: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decided:
    """A person's decision as the ledger has it.

    Parameters
    ----------
    before, after
        The shot's state: "flagged", "selected", "published", "rejected", "to do".
    scores
        Every check's score, threshold and verdict on the candidate, as they were.
    checks
        Digest of the checks and settings that it was judged under.
    undoes, undone
        The decision that this one took back, and the one that took this one back; None where there is none.
    """

    id: int
    catalog: str
    shot: str
    fingerprint: str
    candidate: str
    kind: str
    by: str
    words: str
    recorded: datetime
    before: str
    after: str
    tags: tuple[str, ...]
    scorecard: int | None
    scores: dict[str, Any]
    checks: str
    asked: dict[str, Any]
    undoes: int | None
    undone: int | None
    batch: str = ""


class Review:
    """Decisions of a ledger; every call is one transaction.

    Parameters
    ----------
    reader, write
        The ledger's.
    """

    def __init__(self, reader: Engine, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reader = reader
        self._write = write

    def version(self, catalog: str, shot: str) -> str:
        """What a shot is like just now; a form carries it, so that an old page cannot decide."""
        with self._reader.connect() as connection:
            return version_of(connection, catalog, shot)

    def versions(self, shots: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The same of some shots, by catalog and key."""
        with self._reader.connect() as connection:
            return versions_of(connection, shots)

    def decisions(self, numbers: Sequence[int]) -> dict[int, Decided]:
        """Some decisions by their numbers."""
        with self._reader.connect() as connection:
            return {one.id: one for one in _read(connection, t.decisions.c.id.in_(numbers))}

    def decide(self, choices: Sequence[Choice], by: str, address: str = "", batch: str = "") -> list[Decided]:
        """Decide on some shots, all or none.

        Raises
        ------
        NotNow
            With a sentence, where one of them cannot be decided so.
        """
        with self._write() as connection:
            # the same order for everybody, so that two who decide on the same shots do not wait for each other
            numbers = [
                _decide(connection, choice, by, address, batch)
                for choice in sorted(choices, key=lambda choice: (choice.catalog, choice.shot))
            ]
            return _read(connection, t.decisions.c.id.in_(numbers))

    def undo(self, number: int, by: str, address: str = "") -> Decided:
        """Take a decision back: the shot waits again as it did before.

        Raises
        ------
        NotNow
            Where it was released or carried out by now, or is not the last one; the sentence says what to do.
        """
        with self._write() as connection:
            found = _read(connection, t.decisions.c.id == _undo(connection, number, by, address))
            return found[0]

    def decision(self, number: int) -> Decided | None:
        """A person's decision, or None."""
        with self._reader.connect() as connection:
            found = _read(connection, t.decisions.c.id == number, t.decisions.c.by != "checks")
            return found[0] if found else None

    def undo_batch(self, batch: str, by: str, address: str = "") -> int:
        """Take back all that was decided together and still stands, or nothing; how many they were.

        Raises
        ------
        NotNow
            As `undo`, of one of them.
        """
        d = t.decisions.c
        with self._write() as connection:
            standing = select(d.id).outerjoin(_LATER, _LATER.c.undoes == d.id)
            numbers = connection.scalars(
                standing.where(d.batch == batch, _LATER.c.id.is_(None)).order_by(d.catalog, d.shot)
            ).all()
            for number in numbers:
                _undo(connection, number, by, address)
            return len(numbers)

    def history(self, catalog: str, shot: str) -> list[Decided]:
        """What people decided on a shot, the latest first."""
        c = t.decisions.c
        with self._reader.connect() as connection:
            return _read(connection, c.shot == shot, c.catalog == catalog)

    def last_of(self, by: str, most: int = 1) -> list[Decided]:
        """What a person decided last and did not take back, the latest first; undoing is no decision."""
        c = t.decisions.c
        with self._reader.connect() as connection:
            return _read(connection, c.by == by, c.decision != UNDO, _LATER.c.id.is_(None), most=most)

    def instructions(self, catalog: str, shot: str) -> dict[str, Any]:
        """What is asked of a shot's candidates now; empty where nothing is."""
        c = t.instructions.c
        with self._reader.connect() as connection:
            return dict(connection.scalar(select(c.data).where(c.catalog == catalog, c.shot == shot)) or {})

    def set_aside(self, shot: str, fingerprint: str) -> tuple[frozenset[str], str]:
        """Candidates that the checks may not choose, for a person wanted none of them, and what that person said.

        Returns
        -------
        ids, sentence
            All that existed when a person rejected the shot or asked for other candidates, where that stands.
        """
        c, states = t.candidates.c, t.shot_states.c
        with self._reader.connect() as connection:
            last = _last_word(connection, shot, fingerprint)
            if last is None or last.decision not in (REJECT, AGAIN):
                return frozenset(), ""
            here = (states.shot == shot, states.fingerprint == fingerprint)
            older = select(c.id).where(
                c.shot == shot, c.fingerprint == fingerprint, c.recorded <= last.recorded
            )
            said = connection.scalar(select(states.sentence).where(*here))
            return frozenset(connection.scalars(older)), said or ""

    # what is to be carried out

    def waiting(self) -> dict[str, int]:
        """Catalogs with decisions that Prefect was not asked to carry out, and the last such decision's number."""
        d, asked = t.decisions.c, t.carry_outs.c
        last = select(d.catalog, func.max(d.id)).where(d.catalog != "").group_by(d.catalog)
        reached = select(asked.catalog, asked.decision).where(asked.reached)
        with self._reader.connect() as connection:
            done = {row[0]: int(row[1]) for row in connection.execute(reached)}
            found = {row[0]: int(row[1]) for row in connection.execute(last)}
        return {catalog: number for catalog, number in found.items() if number > done.get(catalog, 0)}

    def note_carry_out(self, catalog: str, decision: int, reached: bool, sentence: str) -> None:
        """Note that Prefect was asked to carry out all decisions up to one, or that it could not be."""
        row = {"catalog": catalog, "decision": decision, "reached": reached, "sentence": sentence}
        with self._write() as connection:
            upsert(
                connection,
                t.carry_outs,
                [{**row, "asked": t.now()}],
                ("decision", "reached", "sentence", "asked"),
            )

    def carry_out(self, catalog: str) -> tuple[bool, str, datetime] | None:
        """How asking Prefect went last: whether it was reached, a sentence, and when."""
        with self._reader.connect() as connection:
            row = connection.execute(
                select(t.carry_outs).where(t.carry_outs.c.catalog == catalog)
            ).one_or_none()
            return None if row is None else (row.reached, row.sentence, _utc(row.asked))

    def skus_to_carry_out(self, catalog: str) -> list[str]:
        """Products with a shot that a person approved and that is not published, asked for again, or took down."""
        shots, states = t.shots.c, t.shot_states.c
        asked = and_(states.state == str(ShotState.TODO), states.reason == AGAIN)
        chosen = and_(states.state == str(ShotState.SELECTED), states.decided.not_in(("", "checks")))
        shown = select(t.publications.c.id).where(
            t.publications.c.shot == shots.key, t.publications.c.fingerprint == shots.fingerprint
        )
        down = and_(states.state == str(ShotState.FLAGGED), states.reason == REJECTED, exists(shown))
        query = (
            select(shots.sku)
            .join(t.shot_states, and_(states.shot == shots.key, states.fingerprint == shots.fingerprint))
            .where(shots.catalog == catalog, shots.gone == "", asked | chosen | down)
            .distinct()
            .order_by(shots.sku)
        )
        with self._reader.connect() as connection:
            return list(connection.scalars(query))


_LATER = t.decisions.alias("later")


def version_of(connection: Connection, catalog: str, shot: str) -> str:
    """What a shot is like just now: fingerprint, candidates, last scorecard, last decision, last flag.

    Raises
    ------
    NotNow
        Where the catalog has no such shot.
    """
    found = versions_of(connection, [(catalog, shot)])
    if not found:
        raise NotNow(f"There is no shot {shot} in {catalog} any more; go back to the queue.")
    return found[catalog, shot]


def versions_of(connection: Connection, shots: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """`version_of` for some shots, by catalog and key; those that there are not are left out."""
    keys = sorted({key for _, key in shots})
    own, c, s, d, f = t.shots.c, t.candidates.c, t.scorecards.c, t.decisions.c, t.flags.c
    prints = {
        (row.catalog, row.key): row.fingerprint
        for row in connection.execute(
            select(own.catalog, own.key, own.fingerprint).where(
                own.catalog.in_({catalog for catalog, _ in shots}), own.key.in_(keys)
            )
        )
    }
    made = (
        select(c.shot, c.fingerprint, func.count(c.id.distinct()), func.max(s.id))
        .outerjoin(t.scorecards, s.candidate == c.id)
        .where(c.shot.in_(keys))
        .group_by(c.shot, c.fingerprint)
    )
    candidates = {(row[0], row[1]): (row[2], row[3] or 0) for row in connection.execute(made)}
    last = [
        {
            (row[0], row[1]): row[2]
            for row in connection.execute(
                select(q.shot, q.fingerprint, func.max(q.id))
                .where(q.shot.in_(keys))
                .group_by(q.shot, q.fingerprint)
            )
        }
        for q in (d, f)
    ]
    found = {}
    for catalog, key in shots:
        if (fingerprint := prints.get((catalog, key))) is not None:
            place = key, fingerprint
            numbers = (*candidates.get(place, (0, 0)), *(one.get(place, 0) for one in last))
            found[catalog, key] = ".".join([fingerprint, *(str(number) for number in numbers)])
    return found


def overruled(connection: Connection, run: str, shot: str, fingerprint: str) -> bool:
    """Whether a person decided on a shot since a run began: the run's own conclusion comes too late."""
    last = _last_word(connection, shot, fingerprint)
    if last is None or last.decision == UNDO:
        return False
    began = connection.scalar(select(t.runs.c.started).where(t.runs.c.id == run))
    return began is not None and _utc(last.recorded) > _utc(began)


def _last_word(connection: Connection, shot: str, fingerprint: str) -> Row[Any] | None:
    d = t.decisions.c
    return connection.execute(
        select(d.decision, d.recorded, d.by)
        .where(d.shot == shot, d.fingerprint == fingerprint, d.by != "checks")
        .order_by(d.id.desc())
        .limit(1)
    ).one_or_none()


def _decide(connection: Connection, choice: Choice, by: str, address: str, batch: str) -> int:
    shot = _lock(connection, choice.catalog, choice.shot)
    _refuse_outdated(connection, choice, by)
    state = _state(connection, choice.shot, shot.fingerprint)
    before = _word(state)
    card = _check(connection, choice, shot, before)
    kept = {name: state[name] for name in _KEPT}
    kept["instructions"] = _instructions(connection, choice.catalog, choice.shot)
    after = {APPROVE: str(ShotState.SELECTED), REJECT: REJECTED, AGAIN: str(ShotState.TODO)}[choice.kind]
    number = _append(
        connection,
        run=state["run"],
        catalog=choice.catalog,
        shot=choice.shot,
        fingerprint=shot.fingerprint,
        candidate=choice.candidate,
        decision=choice.kind,
        by=by,
        words=choice.words.strip(),
        before=before,
        after=after,
        tags=list(choice.tags),
        scorecard=None if card is None else card.id,
        scores={} if card is None else _scores(card.results),
        checks=shot.checks,
        asked=dict(choice.asked),
        kept=kept,
        batch=batch,
    )
    place = (t.shot_states.c.shot == choice.shot, t.shot_states.c.fingerprint == shot.fingerprint)
    if choice.kind == APPROVE:
        assert card is not None
        connection.execute(
            insert(t.selects).values(
                run=state["run"],
                shot=choice.shot,
                fingerprint=shot.fingerprint,
                candidate=choice.candidate,
                scorecard=card.id,
                decision=number,
            )
        )
        new = {
            "state": after,
            "candidate": choice.candidate,
            "reason": "",
            "sentence": "",
            "checks": card.checks,
        }
    elif choice.kind == REJECT:
        said = ", ".join(tag.replace("_", " ") for tag in choice.tags)
        words = f": {choice.words.strip()}" if choice.words.strip() else ""
        sentence = f"{by} rejected it{f' ({said})' if said else ''}{words}"
        sentence = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
        flagged = str(ShotState.FLAGGED)
        new = {"state": flagged, "candidate": "", "reason": REJECTED, "sentence": sentence}
    else:
        new = {"state": after, "candidate": "", "reason": AGAIN, "sentence": _asked_words(by, choice.asked)}
        _instruct(connection, choice.catalog, choice.shot, dict(choice.asked), number)
    decided = "" if choice.kind == AGAIN else by
    connection.execute(update(t.shot_states).where(*place).values(**new, decided=decided))
    q = t.review_queue.c
    connection.execute(
        update(t.review_queue)
        .where(q.catalog == choice.catalog, q.shot == choice.shot)
        .values(status=DONE, decision=number, assignee="")
    )
    leases = t.review_leases.c
    connection.execute(
        delete(t.review_leases).where(leases.catalog == choice.catalog, leases.shot == choice.shot)
    )
    _log(connection, {APPROVE: "approved", REJECT: "rejected", AGAIN: "asked again"}[choice.kind], by, address,
         f"{choice.catalog} {choice.shot} {choice.candidate}".strip())  # fmt: skip
    return number


def _undo(connection: Connection, number: int, by: str, address: str) -> int:
    d = t.decisions.c
    said = connection.execute(select(t.decisions).where(d.id == number)).one_or_none()
    if said is None or not said.catalog or said.decision == UNDO:
        raise NotNow("There is no such decision; load the page again.")
    shot = _lock(connection, said.catalog, said.shot)
    back = connection.execute(select(d.by, d.recorded).where(d.undoes == number)).one_or_none()
    if back is not None:
        raise NotNow(f"{back.by} took that back already.")
    if shot.fingerprint != said.fingerprint:
        raise NotNow(
            f"{said.shot} was planned anew since then, so that cannot be taken back; decide on what it shows now."
        )
    newest = connection.scalar(
        select(func.max(d.id)).where(d.shot == said.shot, d.fingerprint == said.fingerprint)
    )
    if newest != number:
        raise NotNow(f"{said.shot} was decided on again since then; take back the later decision first.")
    state = _state(connection, said.shot, said.fingerprint)
    _refuse_carried_out(connection, said, state)
    kept = dict(said.kept)
    instructions = kept.pop("instructions")
    undoing = _append(
        connection,
        run=said.run,
        catalog=said.catalog,
        shot=said.shot,
        fingerprint=said.fingerprint,
        candidate=said.candidate,
        decision=UNDO,
        by=by,
        words="",
        before=_word(state),
        after=said.before,
        tags=[],
        scorecard=said.scorecard,
        scores=said.scores,
        checks=said.checks,
        asked={},
        kept=None,
        undoes=number,
        batch="",
    )
    place = (t.shot_states.c.shot == said.shot, t.shot_states.c.fingerprint == said.fingerprint)
    connection.execute(update(t.shot_states).where(*place).values(**kept))
    if said.decision == AGAIN:
        _instruct(connection, said.catalog, said.shot, instructions["data"], instructions["decision"])
    refresh(connection, said.catalog, said.shot)
    if kept["decided"]:
        # what stands again is an earlier decision of a person
        earlier = _standing(connection, said.shot, said.fingerprint)
        q = t.review_queue.c
        place = (q.catalog == said.catalog, q.shot == said.shot)
        if earlier is None:
            # the checks' own choice stands again, which was never in the queue
            connection.execute(delete(t.review_queue).where(*place))
        else:
            connection.execute(update(t.review_queue).where(*place).values(status=DONE, decision=earlier))
    _log(connection, "took back", by, address, f"{said.catalog} {said.shot} decision {number}")
    return undoing


_KEPT = ("state", "candidate", "reason", "sentence", "decided", "checks")


def _standing(connection: Connection, shot: str, fingerprint: str) -> int | None:
    """The last decision of a person's on a shot that nobody took back."""
    d = t.decisions.c
    return connection.scalar(
        select(func.max(d.id)).where(
            d.shot == shot,
            d.fingerprint == fingerprint,
            d.by != "checks",
            d.decision != UNDO,
            ~exists().where(_LATER.c.undoes == d.id),
        )
    )


def _refuse_carried_out(connection: Connection, said: Row[Any], state: Mapping[str, Any]) -> None:
    if said.decision == AGAIN and (state["state"] != str(ShotState.TODO) or state["reason"] != AGAIN):
        raise NotNow(f"{said.shot} was made again since then; decide on what it shows now.")
    if said.decision == REJECT and state["reason"] != REJECTED:
        raise NotNow(f"{said.shot} was worked on since then; decide on what it shows now.")
    if said.decision != APPROVE:
        return
    if state["candidate"] != said.candidate:
        raise NotNow(f"{said.shot} was worked on since then; decide on what it shows now.")
    items, releases = t.release_items.c, t.releases.c
    shown = connection.scalar(
        select(releases.recorded)
        .join(t.release_items, items.release == releases.id)
        .where(
            items.catalog == said.catalog,
            items.shot == said.shot,
            items.candidate == said.candidate,
            releases.recorded >= said.recorded,
        )
        .limit(1)
    )
    if shown is not None:
        raise NotNow(
            f"{said.shot} was released with this picture; choose another candidate, ask for another try or reject "
            "it, and the next release replaces or removes it (packline release rollback brings the one before back)."
        )


def _lock(connection: Connection, catalog: str, shot: str) -> Row[Any]:
    """The shot's row, and nobody else decides on it meanwhile."""
    c = t.shots.c
    row = connection.execute(
        select(c.fingerprint, c.checks, c.gone, c.product)
        .where(c.catalog == catalog, c.key == shot)
        .with_for_update()
    ).one_or_none()
    if row is None or row.gone:
        raise NotNow(f"{shot} is not in {catalog} any more; go back to the queue.")
    return row


def _state(connection: Connection, shot: str, fingerprint: str) -> dict[str, Any]:
    c = t.shot_states.c
    row = connection.execute(
        select(t.shot_states).where(c.shot == shot, c.fingerprint == fingerprint).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotNow(f"{shot} was planned anew just now and has nothing to decide on yet.")
    return dict(row._mapping)


def _word(state: Mapping[str, Any]) -> str:
    return REJECTED if state["reason"] == REJECTED else str(state["state"])


def _refuse_outdated(connection: Connection, choice: Choice, by: str) -> None:
    present = version_of(connection, choice.catalog, choice.shot)
    if present != choice.version:
        raise NotNow(_what_changed(connection, choice, present))
    c = t.review_leases.c
    holder = connection.scalar(
        select(c.holder).where(
            c.catalog == choice.catalog, c.shot == choice.shot, c.expires > t.now(), c.holder != by
        )
    )
    if holder is not None:
        raise NotNow(
            f"{holder} is looking at {choice.shot} just now; leave it to them, or ask them to go on."
        )


def _what_changed(connection: Connection, choice: Choice, present: str) -> str:
    shot, then, now = choice.shot, choice.version.split("."), present.split(".")
    if len(then) != len(now) or then[0] != now[0]:
        return f"{shot} was planned anew since you opened this page; load it again and look at what it shows now."
    if then[3] != now[3]:
        d = t.decisions.c
        last = connection.execute(select(d.by, d.decision).where(d.id == int(now[3]))).one()
        who = "The checks" if last.by == "checks" else last.by
        did = {
            APPROVE: "approved",
            REJECT: "rejected",
            AGAIN: "asked for another try of",
            UNDO: "took back a decision on",
        }
        return (
            f"{who} {did.get(last.decision, 'decided on')} {shot} since you opened this page; load it again."
        )
    if then[1] != now[1]:
        return f"Newer candidates of {shot} were made since you opened this page; load it again and look at them first."
    if then[2] != now[2]:
        return (
            f"{shot} was scored again since you opened this page; load it again and look at its scores first."
        )
    return f"{shot} was worked on since you opened this page; load it again."


def _check(connection: Connection, choice: Choice, shot: Row[Any], before: str) -> Row[Any] | None:
    """Whether a choice is complete and possible; the scorecard of its candidate."""
    if choice.kind not in (APPROVE, REJECT, AGAIN):
        raise NotNow("Choose what is to be done: approve, reject or try again.")
    if before == str(ShotState.TODO):
        raise NotNow(
            f"{choice.shot} is waiting for its next candidates; take that back first, or wait for them."
        )
    if not shot.product:
        raise NotNow(f"{choice.shot} has no picture, because its catalogue row cannot be used; mend the row.")
    card = None
    if choice.candidate:
        card = _card(connection, choice, shot)
    if choice.kind == APPROVE:
        if not choice.candidate:
            raise NotNow(f"Choose the candidate of {choice.shot} that is to be published.")
        if card is None:
            raise NotNow(
                "That candidate was never scored; nothing is published unscored. Run the catalogue first."
            )
        if card.checks != shot.checks:
            raise NotNow(
                "That candidate was scored by other checks than today's; run the catalogue, then decide."
            )
        if not card.passed and not choice.words.strip():
            raise NotNow("The checks failed that candidate; say in a few words why it is right nevertheless.")
    if choice.kind == REJECT and not choice.tags and not choice.words.strip():
        raise NotNow("Say what is wrong: choose one of the checks' names, or write a few words.")
    if choice.kind == AGAIN:
        check_asked(choice.asked)
    return card


def check_asked(asked: Mapping[str, Any]) -> None:
    """Whether another try can be made so.

    Raises
    ------
    NotNow
        With a sentence on the value that is wrong.
    """
    strength, more = asked.get("lora_strength"), asked.get("candidates")
    if strength is not None and not 0 <= strength <= 2:
        raise NotNow(f"A LoRA's strength lies between 0 and 2, not at {strength:g}.")
    if more is not None and not 1 <= more <= MOST_CANDIDATES:
        raise NotNow(f"Ask for 1 to {MOST_CANDIDATES} candidates in a wave, not for {more}.")
    if asked.get("refine") not in (None, *REFINES):
        raise NotNow(f"Adherence to the 3D model is one of {', '.join(REFINES)}.")
    if len(str(asked.get("note", ""))) > 2000:
        raise NotNow("That note is too long; 2,000 characters are enough.")
    unknown = set(asked) - {"lora_strength", "candidates", "refine", "note"}
    if unknown:
        raise NotNow(f"Another try cannot be asked for with {', '.join(sorted(unknown))}.")


def _card(connection: Connection, choice: Choice, shot: Row[Any]) -> Row[Any] | None:
    c, s = t.candidates.c, t.scorecards.c
    own = connection.execute(select(c.shot, c.fingerprint).where(c.id == choice.candidate)).one_or_none()
    if own is None or (own.shot, own.fingerprint) != (choice.shot, shot.fingerprint):
        raise NotNow(f"That candidate is none of {choice.shot}; load the page again.")
    query = select(s.id, s.passed, s.checks, s.results).where(s.candidate == choice.candidate)
    return connection.execute(query.order_by(s.id.desc()).limit(1)).one_or_none()


def _scores(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = ("score", "threshold", "verdict", "version")
    return {one["check"]: {name: one[name] for name in names} for one in results}


def _asked_words(by: str, asked: Mapping[str, Any]) -> str:
    note = str(asked.get("note", "")).strip()
    return f"{by} asked for another try{f': {note}' if note else ''}{'' if note.endswith('.') else '.'}"


def _instructions(connection: Connection, catalog: str, shot: str) -> dict[str, Any]:
    c = t.instructions.c
    row = connection.execute(
        select(c.data, c.decision).where(c.catalog == catalog, c.shot == shot)
    ).one_or_none()
    return {"data": {}, "decision": 0} if row is None else {"data": row.data, "decision": row.decision}


def _instruct(connection: Connection, catalog: str, shot: str, data: dict[str, Any], decision: int) -> None:
    c = t.instructions.c
    connection.execute(delete(t.instructions).where(c.catalog == catalog, c.shot == shot))
    if data:
        row = {"catalog": catalog, "shot": shot, "data": data, "decision": decision}
        connection.execute(insert(t.instructions), [row])


def _append(connection: Connection, **columns: Any) -> int:
    number = connection.execute(insert(t.decisions).values(**columns)).inserted_primary_key
    assert number is not None
    return int(number[0])


def _log(connection: Connection, event: str, name: str, address: str, subject: str) -> None:
    row = {"event": event, "name": name, "address": address, "subject": subject}
    connection.execute(insert(t.audit), [row])


def _read(connection: Connection, *where: Any, most: int = 200) -> list[Decided]:
    d = t.decisions.c
    query = (
        select(t.decisions, _LATER.c.id.label("undone"))
        .outerjoin(_LATER, _LATER.c.undoes == d.id)
        .where(*where)
        .order_by(d.id.desc())
        .limit(most)
    )
    return [
        Decided(
            id=row.id,
            catalog=row.catalog,
            shot=row.shot,
            fingerprint=row.fingerprint,
            candidate=row.candidate,
            kind=row.decision,
            by=row.by,
            words=row.words,
            recorded=_utc(row.recorded),
            before=row.before,
            after=row.after,
            tags=tuple(row.tags or ()),
            scorecard=row.scorecard,
            scores=row.scores or {},
            checks=row.checks,
            asked=row.asked or {},
            undoes=row.undoes,
            undone=row.undone,
            batch=row.batch,
        )
        for row in connection.execute(query)
    ]
