"""Deciding on a shot: whether it may be decided so, the record, and what it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from packline.ledger import schema as t
from packline.ledger.decided import AGAIN, APPROVE, REJECT, Choice, NotNow, append, log
from packline.ledger.versions import refuse_outdated
from packline.ledger.waiting import DONE, REJECTED, enter_settled
from packline.records import ShotState

REFINES = ("product", "labels", "off")
MOST_CANDIDATES = 16
"""That a person may ask for in a wave, beyond those that the settings ask for."""

_AFTER = {APPROVE: str(ShotState.SELECTED), REJECT: REJECTED, AGAIN: str(ShotState.TODO)}
_EVENTS = {APPROVE: "approved", REJECT: "rejected", AGAIN: "asked again"}
# what an undo brings back
_KEPT = ("state", "candidate", "reason", "sentence", "decided", "checks")


def decide_one(connection: Connection, choice: Choice, by: str, address: str, batch: str) -> int:
    """Decide on one shot; the decision's number.

    Raises
    ------
    NotNow
        With a sentence, where it cannot be decided so.
    """
    shot = lock(connection, choice.catalog, choice.shot)
    refuse_outdated(connection, choice, by)
    state = state_of(connection, choice.shot, shot.fingerprint)
    before = word_of(state)
    card = _check(connection, choice, shot, before)
    kept = {name: state[name] for name in _KEPT}
    kept["instructions"] = instructions_of(connection, choice.catalog, choice.shot)
    number = append(
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
        after=_AFTER[choice.kind],
        tags=list(choice.tags),
        scorecard=None if card is None else card.id,
        scores={} if card is None else _scores(card.results),
        checks=shot.checks,
        asked=dict(choice.asked),
        kept=kept,
        batch=batch,
    )
    place = {"shot": choice.shot, "fingerprint": shot.fingerprint}
    if choice.kind == APPROVE:
        assert card is not None
        chosen = {**place, "run": state["run"], "candidate": choice.candidate}
        connection.execute(insert(t.selects).values(**chosen, scorecard=card.id, decision=number))
    elif choice.kind == AGAIN:
        instruct(connection, choice.catalog, choice.shot, dict(choice.asked), number)
    here = (t.shot_states.c[name] == value for name, value in place.items())
    connection.execute(update(t.shot_states).where(*here).values(_outcome(choice, by, card)))
    _settle(connection, choice, number)
    what = f"{choice.catalog} {choice.shot} {choice.candidate}".strip()
    log(connection, _EVENTS[choice.kind], by, address, what)
    return number


def _outcome(choice: Choice, by: str, card: Row[Any] | None) -> dict[str, str]:
    """What a choice makes of the shot's state."""
    if choice.kind == APPROVE:
        assert card is not None
        chosen = {"state": str(ShotState.SELECTED), "candidate": choice.candidate, "checks": card.checks}
        return {**chosen, "reason": "", "sentence": "", "decided": by}
    if choice.kind == REJECT:
        said = {"reason": REJECTED, "sentence": _rejected_words(by, choice), "decided": by}
        return {**said, "state": str(ShotState.FLAGGED), "candidate": ""}
    said = {"reason": AGAIN, "sentence": _asked_words(by, choice.asked), "decided": ""}
    return {**said, "state": str(ShotState.TODO), "candidate": ""}


def _settle(connection: Connection, choice: Choice, number: int) -> None:
    """The shot waits for nobody any more, and nobody needs to keep it from others."""
    q, leases = t.review_queue.c, t.review_leases.c
    waited = connection.execute(
        update(t.review_queue)
        .where(q.catalog == choice.catalog, q.shot == choice.shot)
        .values(status=DONE, decision=number, assignee="")
    )
    if not waited.rowcount:
        enter_settled(connection, choice.catalog, choice.shot, number)
    own = (leases.catalog == choice.catalog, leases.shot == choice.shot)
    connection.execute(delete(t.review_leases).where(*own))


def lock(connection: Connection, catalog: str, shot: str) -> Any:
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


def state_of(connection: Connection, shot: str, fingerprint: str) -> dict[str, Any]:
    """A shot's state, and no run changes it meanwhile."""
    c = t.shot_states.c
    row = connection.execute(
        select(t.shot_states).where(c.shot == shot, c.fingerprint == fingerprint).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotNow(f"{shot} was planned anew just now and has nothing to decide on yet.")
    return dict(row._mapping)


def word_of(state: Mapping[str, Any]) -> str:
    """A state in the words of decisions: a flag that a person confirmed is "rejected"."""
    return REJECTED if state["reason"] == REJECTED else str(state["state"])


def _check(connection: Connection, choice: Choice, shot: Row[Any], before: str) -> Any:
    """Whether a choice is complete and possible; the scorecard of its candidate."""
    if choice.kind not in (APPROVE, REJECT, AGAIN):
        raise NotNow("Choose what is to be done: approve, reject or try again.")
    if before == str(ShotState.TODO):
        raise NotNow(
            f"{choice.shot} is waiting for its next candidates; take that back first, or wait for them."
        )
    if not shot.product:
        raise NotNow(f"{choice.shot} has no picture: its catalogue row cannot be used; mend the row.")
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
            raise NotNow(
                "The checks did not pass that candidate; say in a few words why it is right nevertheless."
            )
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
        raise NotNow(f"Ask for 1 to {MOST_CANDIDATES} more candidates in a wave, not for {more}.")
    if asked.get("refine") not in (None, *REFINES):
        raise NotNow(f"Adherence to the 3D model is one of {', '.join(REFINES)}.")
    if len(str(asked.get("note", ""))) > 2000:
        raise NotNow("That note is too long; 2,000 characters are enough.")
    unknown = set(asked) - {"lora_strength", "candidates", "refine", "note"}
    if unknown:
        raise NotNow(f"Another try cannot be asked for with {', '.join(sorted(unknown))}.")


def _card(connection: Connection, choice: Choice, shot: Row[Any]) -> Any:
    c, s = t.candidates.c, t.scorecards.c
    own = connection.execute(select(c.shot, c.fingerprint).where(c.id == choice.candidate)).one_or_none()
    if own is None or (own.shot, own.fingerprint) != (choice.shot, shot.fingerprint):
        raise NotNow(f"That candidate is none of {choice.shot}; load the page again.")
    query = select(s.id, s.passed, s.checks, s.results).where(s.candidate == choice.candidate)
    return connection.execute(query.order_by(s.id.desc()).limit(1)).one_or_none()


def _scores(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = ("score", "threshold", "verdict", "version")
    return {one["check"]: {name: one[name] for name in names} for one in results}


def _rejected_words(by: str, choice: Choice) -> str:
    said = ", ".join(tag.replace("_", " ") for tag in choice.tags)
    words = f"{by} rejected it{f' ({said})' if said else ''}"
    words += f": {choice.words.strip()}" if choice.words.strip() else ""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _asked_words(by: str, asked: Mapping[str, Any]) -> str:
    note = str(asked.get("note", "")).strip()
    return f"{by} asked for another try{f': {note}' if note else ''}{'' if note.endswith('.') else '.'}"


def instructions_of(connection: Connection, catalog: str, shot: str) -> dict[str, Any]:
    """What is asked of a shot's candidates now, and by which decision; 0 where nothing is."""
    c = t.instructions.c
    row = connection.execute(
        select(c.data, c.decision).where(c.catalog == catalog, c.shot == shot)
    ).one_or_none()
    return {"data": {}, "decision": 0} if row is None else {"data": row.data, "decision": row.decision}


def instruct(connection: Connection, catalog: str, shot: str, data: dict[str, Any], decision: int) -> None:
    """Let these be what is asked of a shot's candidates; nothing where there are none."""
    c = t.instructions.c
    connection.execute(delete(t.instructions).where(c.catalog == catalog, c.shot == shot))
    if data:
        row = {"catalog": catalog, "shot": shot, "data": data, "decision": decision}
        connection.execute(insert(t.instructions), [row])
