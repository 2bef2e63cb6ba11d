"""What people decide, as the ledger keeps it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from packline.candidate import Candidate, Recipe
from packline.fingerprint import digest
from packline.ledger import Ledger
from packline.ledger import schema as t
from packline.ledger.decided import Choice, NotNow
from packline.ledger.queue import Filters
from packline.ledger.waiting import DONE, TO_DO
from packline.records import ShotRecord, ShotState
from tests.parts import scorecard
from tests.review.house import CATALOG, CHECKS, plan


class Shelf:
    """A ledger with one run; shots are put on it one by one."""

    def __init__(self, url: str, folder: Path) -> None:
        self.ledger = Ledger(url)
        self.folder = folder
        self.run = self.ledger.begin_run(CATALOG, {})
        self._count = 0

    def flag(self, sku: str, *passes: bool, reason: str = "text", fingerprint: str = "f1") -> ShotRecord:
        """A flagged shot with a candidate for each of `passes`."""
        key = f"{sku}/table/hero"
        bare = ShotRecord(key, sku, f"red {sku}", "table", "hero", fingerprint, ShotState.FLAGGED)
        plan(self.ledger, self.run, bare, self._count)
        self._count += 1
        for number, good in enumerate(passes or (False,)):
            self.candidate(bare, number, good)
        self.ledger.flag(self.run, key, fingerprint, CHECKS, reason, "it reads upside down")
        return self.shot(bare)

    def candidate(self, shot: ShotRecord, number: int, passes: bool) -> str:
        made = self.unscored(shot, number)
        self.ledger.record_candidate(self.run, made)
        self.ledger.record_scorecard(self.run, made.id, CHECKS, scorecard(passes))
        return made.id

    def unscored(self, shot: ShotRecord, number: int) -> Candidate:
        """A candidate as the ledger knows it; nothing here looks at its files."""
        recipe = Recipe(
            shot.key, shot.fingerprint, 1, number, number, "put it there", (), {"name": "embedded"}
        )
        files = (self.folder / name for name in ("picture.png", "edit.png", "truth"))
        return Candidate(digest(recipe.__dict__), recipe, *files, 1.0)

    def shot(self, shot: ShotRecord) -> ShotRecord:
        found = self.ledger.shot_pages.shot(CATALOG, shot.key)
        assert found is not None
        return found

    def choice(self, shot: ShotRecord, kind: str, candidate: int | None = None, **more: Any) -> Choice:
        version = self.ledger.review.version(CATALOG, shot.key)
        chosen = "" if candidate is None else self.shot(shot).candidates[candidate].candidate.id
        return Choice(CATALOG, shot.key, version, kind, chosen, **more)

    def decide(self, shot: ShotRecord, kind: str, candidate: int | None = None, **more: Any) -> Any:
        return self.ledger.review.decide([self.choice(shot, kind, candidate, **more)], "Anna")[0]

    def waiting(self) -> list[str]:
        return [one.shot for one in self.ledger.queue.page(Filters())]

    def count(self, table: Any) -> int:
        with self.ledger._reader.connect() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger on SQLite, to be copied: laying one takes longer than most tests."""
    file = tmp_path_factory.mktemp("laid") / "ledger.db"
    Ledger(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def shelf(ledger_url: str, laid: Path, tmp_path: Path) -> Iterator[Shelf]:
    if ledger_url.startswith("sqlite"):
        shutil.copy(laid, tmp_path / "ledger.db")
    made = Shelf(ledger_url, tmp_path)
    yield made
    made.ledger.close()


def test_an_override_selects_what_failed_and_says_who_why_and_under_what(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    done = shelf.decide(shot, "approve", 0, words="The print is meant to be so.")
    now = shelf.shot(shot)
    assert (now.state, now.select, now.decided) == (ShotState.SELECTED, done.candidate, "Anna")
    assert (done.before, done.after, done.by, done.checks) == ("flagged", "selected", "Anna", CHECKS)
    assert done.scores["text"] == {"score": 0.2, "threshold": 0.6, "verdict": "fail", "version": "2"}
    assert done.words == "The print is meant to be so."
    assert shelf.waiting() == []
    assert shelf.ledger.queue.counts(Filters()) == {"to do": 0, "doing": 0, "done": 1}


def test_an_override_needs_words_and_what_passed_needs_none(shelf: Shelf) -> None:
    shot = shelf.flag("A", False, True)
    with pytest.raises(NotNow, match="say in a few words why"):
        shelf.decide(shot, "approve", 0)
    assert shelf.shot(shot).state == ShotState.FLAGGED
    assert shelf.decide(shot, "approve", 1).words == ""
    assert shelf.shot(shot).select == shelf.shot(shot).candidates[1].candidate.id


def test_what_was_never_scored_or_scored_by_other_checks_cannot_be_approved(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    unscored = shelf.unscored(shot, 5)
    shelf.ledger.record_candidate(shelf.run, unscored)
    with pytest.raises(NotNow, match="never scored"):
        shelf.decide(shot, "approve", 1, words="looks right")
    shelf.ledger.record_scorecard(shelf.run, unscored.id, "older checks", scorecard(True))
    with pytest.raises(NotNow, match="other checks"):
        shelf.decide(shot, "approve", 1, words="looks right")
    assert shelf.count(t.decisions) == 0


def test_a_rejection_joins_the_checks_names_and_leaves_the_shot_flagged_as_rejected(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    with pytest.raises(NotNow, match="Say what is wrong"):
        shelf.decide(shot, "reject", 0)
    done = shelf.decide(shot, "reject", 0, tags=("text", "artifacts"), words="smeared")
    now = shelf.shot(shot)
    assert (now.state, now.reason, now.select) == (ShotState.FLAGGED, "rejected", "")
    assert now.sentence == "Anna rejected it (text, artifacts): smeared."
    assert (done.tags, done.before, done.after) == (("text", "artifacts"), "flagged", "rejected")
    assert shelf.waiting() == []
    assert shelf.count(t.selects) == 0


def test_asking_again_sets_the_shot_to_do_and_leaves_instructions(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    asked = {"lora_strength": 0.6, "candidates": 4, "refine": "product", "note": "calmer light"}
    done = shelf.decide(shot, "again", asked=asked)
    now = shelf.shot(shot)
    assert (now.state, now.reason) == (ShotState.TODO, "again")
    assert now.sentence == "Anna asked for another try: calmer light."
    assert shelf.ledger.review.instructions(CATALOG, shot.key) == asked == done.asked
    assert shelf.ledger.review.skus_to_carry_out(CATALOG) == ["A"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"lora_strength": 2.5}, "between 0 and 2, not at 2.5"),
        ({"candidates": 99}, "not for 99"),
        ({"refine": "more"}, "product, labels, off"),
        ({"speed": 1}, "with speed"),
    ],
)
def test_another_try_that_cannot_be_made_is_refused(shelf: Shelf, asked: Any, sentence: str) -> None:
    shot = shelf.flag("A", False)
    with pytest.raises(NotNow, match=sentence):
        shelf.decide(shot, "again", asked=asked)
    assert shelf.ledger.review.instructions(CATALOG, shot.key) == {}


@pytest.mark.parametrize("kind", ["approve", "reject", "again"])
def test_undo_brings_back_what_was_and_the_record_keeps_both(shelf: Shelf, kind: str) -> None:
    shot = shelf.flag("A", True)
    before, item = shelf.shot(shot), shelf.ledger.queue.item(CATALOG, shot.key)
    more: dict[str, Any] = {"asked": {"candidates": 4}} if kind == "again" else {"tags": ("text",)}
    done = shelf.decide(shot, kind, None if kind == "again" else 0, **more)
    undone = shelf.ledger.review.undo(done.id, "Ben")
    assert shelf.shot(shot) == before
    assert shelf.ledger.queue.item(CATALOG, shot.key) == item
    assert shelf.ledger.review.instructions(CATALOG, shot.key) == {}
    assert (undone.undoes, undone.by, undone.before, undone.after) == (done.id, "Ben", done.after, "flagged")
    assert [one.undone for one in shelf.ledger.review.history(CATALOG, shot.key)] == [None, undone.id]
    with pytest.raises(NotNow, match="Ben took that back already"):
        shelf.ledger.review.undo(done.id, "Anna")


def test_undoing_a_second_decision_brings_back_the_first(shelf: Shelf) -> None:
    shot = shelf.flag("A", True, False)
    first = shelf.decide(shot, "approve", 0)
    second = shelf.decide(shot, "approve", 1, words="better light")
    with pytest.raises(NotNow, match="take back the later decision first"):
        shelf.ledger.review.undo(first.id, "Anna")
    shelf.ledger.review.undo(second.id, "Anna")
    assert shelf.shot(shot).select == first.candidate
    item = shelf.ledger.queue.item(CATALOG, shot.key)
    assert item is not None
    assert (item.status, item.decision) == (DONE, first.id)


def test_an_old_page_cannot_decide(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    seen = shelf.choice(shot, "reject", 0, tags=("text",))
    shelf.candidate(shot, 7, True)
    with pytest.raises(NotNow, match="Newer candidates"):
        shelf.ledger.review.decide([seen], "Anna")
    seen = shelf.choice(shot, "reject", 0, tags=("text",))
    shelf.ledger.record_scorecard(shelf.run, seen.candidate, CHECKS, scorecard(True))
    with pytest.raises(NotNow, match="scored again"):
        shelf.ledger.review.decide([seen], "Anna")
    seen = shelf.choice(shot, "reject", 0, tags=("text",))
    shelf.ledger.review.decide([shelf.choice(shot, "approve", 0)], "Ben")
    with pytest.raises(NotNow, match="Ben approved A/table/hero since you opened"):
        shelf.ledger.review.decide([seen], "Anna")
    seen = shelf.choice(shot, "reject", 0, tags=("text",))
    shelf.flag("A", False, fingerprint="f2")
    with pytest.raises(NotNow, match="planned anew"):
        shelf.ledger.review.decide([seen], "Anna")


def test_what_another_person_looks_at_cannot_be_decided_until_they_leave(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    shelf.ledger.queue.take(CATALOG, shot.key, "Ben", "page", 60)
    with pytest.raises(NotNow, match="Ben is looking at"):
        shelf.decide(shot, "reject", 0, tags=("text",))
    shelf.ledger.queue.let_go("Ben", "page")
    assert shelf.decide(shot, "reject", 0, tags=("text",)).by == "Anna"


def test_several_are_decided_together_or_not_at_all(shelf: Shelf) -> None:
    shots = [shelf.flag(sku, False) for sku in "ABC"]
    choices = [shelf.choice(shot, "reject", tags=("text",)) for shot in shots]
    shelf.candidate(shots[1], 9, False)
    with pytest.raises(NotNow, match="Newer candidates of B"):
        shelf.ledger.review.decide(choices, "Anna", batch="b1")
    assert len(shelf.waiting()) == 3
    choices[1] = shelf.choice(shots[1], "reject", tags=("text",))
    assert {one.batch for one in shelf.ledger.review.decide(choices, "Anna", batch="b1")} == {"b1"}
    assert shelf.waiting() == []
    # and taken back together, as far as they stand
    single = shelf.ledger.review.history(CATALOG, shots[0].key)[0]
    shelf.ledger.review.undo(single.id, "Anna")
    assert shelf.ledger.review.undo_batch("b1", "Anna") == 2
    assert shelf.waiting() == [shot.key for shot in shots]


def test_decisions_can_be_neither_changed_nor_deleted(shelf: Shelf) -> None:
    shelf.decide(shelf.flag("A", False), "reject", 0, tags=("text",))
    for statement in (t.decisions.update().values(by="Eve"), t.decisions.delete(), t.audit.delete()):
        with pytest.raises(Exception, match="append"), shelf.ledger._write() as connection:
            connection.execute(statement)


def test_the_audit_log_names_every_decision_and_its_undoing(shelf: Shelf) -> None:
    done = shelf.decide(shelf.flag("A", False), "reject", 0, tags=("text",))
    shelf.ledger.review.undo(done.id, "Ben", "10.0.0.7")
    found = [(one.name, one.event, one.address) for one in shelf.ledger.people.entries()]
    assert found == [("Ben", "took back", "10.0.0.7"), ("Anna", "rejected", "")]


def test_a_run_that_flags_anew_puts_the_shot_back_before_people(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    shelf.decide(shot, "again")
    assert shelf.waiting() == []
    shelf.ledger.end_run(shelf.run, "completed", {})
    later = shelf.ledger.begin_run(CATALOG, {})
    shelf.ledger.flag(later, shot.key, shot.fingerprint, CHECKS, "artifacts", "a blob")
    item = shelf.ledger.queue.item(CATALOG, shot.key)
    assert item is not None
    assert (item.status, item.reason, item.decision) == (TO_DO, "artifacts", None)


def test_what_the_checks_select_leaves_the_queue(shelf: Shelf) -> None:
    shot = shelf.flag("A", True)
    shelf.ledger.select(shelf.run, shot.key, shot.fingerprint, shot.candidates[0].candidate.id)
    assert shelf.ledger.queue.item(CATALOG, shot.key) is None


@pytest.mark.parametrize("kind", ["approve", "reject", "again"])
def test_a_run_that_began_before_a_decision_does_not_undo_it(shelf: Shelf, kind: str) -> None:
    shot = shelf.flag("A", True)
    shelf.decide(shot, kind, None if kind == "again" else 0, tags=("text",) if kind == "reject" else ())
    decided = shelf.shot(shot)
    shelf.ledger.flag(shelf.run, shot.key, shot.fingerprint, CHECKS, "artifacts", "a blob")
    shelf.ledger.select(shelf.run, shot.key, shot.fingerprint, shot.candidates[0].candidate.id)
    assert shelf.shot(shot) == decided


def test_candidates_that_a_person_did_not_want_are_set_aside_and_later_ones_are_not(shelf: Shelf) -> None:
    shot = shelf.flag("A", True)
    own = shot.candidates[0].candidate.id
    aside = shelf.ledger.review.set_aside
    assert aside(shot.key, shot.fingerprint) == (frozenset(), "")
    done = shelf.decide(shot, "reject", 0, words="wrong lid")
    shelf.candidate(shot, 7, True)
    assert aside(shot.key, shot.fingerprint) == (frozenset({own}), "Anna rejected it: wrong lid.")
    shelf.ledger.review.undo(done.id, "Anna")
    assert aside(shot.key, shot.fingerprint) == (frozenset(), "")


def test_the_next_shot_is_the_first_free_one_that_can_be_judged(shelf: Shelf) -> None:
    shelf.flag("ROW", False, reason="row")
    for sku in ("A", "B", "C", "D"):
        shelf.flag(sku, False)
    queue = shelf.ledger.queue
    queue.take(CATALOG, "A/table/hero", "Ben", "p1", 60)
    queue.assign([(CATALOG, "B/table/hero")], "Ben")

    def following(after: str = "", **filters: Any) -> str:
        behind = (CATALOG, f"{after}/table/hero") if after else None
        found = queue.take_next(Filters(**filters), "Anna", "p2", 60, behind)
        return found[1].split("/")[0] if found else ""

    assert following() == "C"
    assert following("C") == "D"
    assert following("D") == "C"
    assert following(reason="row") == "ROW"
    assert following(sku="b") == ""
    assert [one.shot[0] for one in queue.page(Filters(assignee="Ben"))] == ["B"]
    assert [(one.shot[0], one.holder) for one in queue.page(Filters(status="doing"))] == [
        ("A", "Ben"), ("C", "Anna"), ("D", "Anna"), ("R", "Anna"),
    ]  # fmt: skip
    queue.let_go("Ben", "another page")
    assert following(sku="a") == ""
    queue.let_go("Ben", "p1")
    assert following(sku="a") == "A"


def test_a_lease_runs_out_and_its_own_page_renews_it(shelf: Shelf) -> None:
    shot = shelf.flag("A", False)
    queue = shelf.ledger.queue
    assert queue.take(CATALOG, shot.key, "Anna", "p1", 0).holder == "Anna"
    assert queue.take(CATALOG, shot.key, "Ben", "p2", 60).holder == "Ben"
    assert queue.take(CATALOG, shot.key, "Anna", "p3", 60).holder == "Ben"
    assert not queue.renew(CATALOG, shot.key, "Anna", "p1", 60)
    assert queue.renew(CATALOG, shot.key, "Ben", "p2", 60)
    # the same person in another window: the older page has lost it
    assert queue.take(CATALOG, shot.key, "Ben", "p4", 60).page == "p4"
    assert not queue.renew(CATALOG, shot.key, "Ben", "p2", 60)


def test_pages_of_the_queue_join_without_gap_or_double_whatever_is_decided_between(shelf: Shelf) -> None:
    shots = [
        shelf.flag(f"S{number}", False, reason=("text", "row", "needs a person")[number % 3])
        for number in range(9)
    ]
    every = [one.shot for one in shelf.ledger.queue.page(Filters())]
    ranks = [
        {"text": 0, "needs a person": 1, "row": 2}[shelf.ledger.queue.item(CATALOG, key).reason]
        for key in every
    ]  # type: ignore[union-attr]
    assert ranks == sorted(ranks)
    assert sorted(every) == sorted(shot.key for shot in shots)
    first = shelf.ledger.queue.page(Filters(), most=4)
    last = first[-1]
    shelf.decide(shelf.shot(next(one for one in shots if one.key == last.shot)), "reject", 0, tags=("text",))
    rest = shelf.ledger.queue.page(Filters(), (last.catalog, last.shot), 9)
    assert [one.shot for one in (*first, *rest)] == every


def test_the_queue_that_is_kept_is_the_queue_that_would_be_built_anew(shelf: Shelf) -> None:
    shots = [shelf.flag(sku, True) for sku in "ABCDE"]
    shelf.decide(shots[0], "reject", 0, tags=("text",))
    shelf.decide(shots[1], "again")
    undone = shelf.decide(shots[2], "approve", 0)
    shelf.ledger.review.undo(undone.id, "Anna")
    shelf.ledger.select(shelf.run, shots[3].key, shots[3].fingerprint, shots[3].candidates[0].candidate.id)
    shelf.flag("E", False, fingerprint="f2")

    def rows() -> list[Any]:
        with shelf.ledger._reader.connect() as connection:
            return sorted(tuple(row) for row in connection.execute(t.review_queue.select()))

    kept = rows()
    assert {(row[1][0], row[3]) for row in kept} == {("A", DONE), ("B", DONE), ("C", TO_DO), ("E", TO_DO)}
    shelf.ledger.queue.rebuild()
    assert rows() == kept
    with shelf.ledger._write() as connection:
        connection.execute(t.review_queue.delete().where(t.review_queue.c.status == TO_DO))
    shelf.ledger.queue.rebuild()
    assert rows() == kept


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("tea", ["TEA-1", "TEA_2", "tea%3"]),
        ("TEA-", ["TEA-1"]),
        ("tea_", ["TEA_2"]),
        ("Tea%", ["tea%3"]),
        ("te", ["TEA-1", "TEA_2", "tea%3", "TE A"]),
        ("té", ["té-4"]),
        ("x", []),
    ],
)
def test_a_search_finds_skus_by_how_they_begin_in_any_case(
    shelf: Shelf, asked: str, found: list[str]
) -> None:
    for sku in ("TEA-1", "TEA_2", "tea%3", "té-4", "TE A", "A TEA"):
        shelf.flag(sku, False)
    assert {one.sku for one in shelf.ledger.queue.page(Filters(sku=asked))} == set(found)


def test_what_was_published_without_people_can_be_taken_down_and_brought_back(shelf: Shelf) -> None:
    shot = shelf.flag("A", True)
    own = shot.candidates[0].candidate.id
    shelf.ledger.select(shelf.run, shot.key, shot.fingerprint, own)
    assert shelf.ledger.queue.item(CATALOG, shot.key) is None
    done = shelf.decide(shot, "reject", 0, words="wrong lid")
    item = shelf.ledger.queue.item(CATALOG, shot.key)
    assert item is not None
    assert (item.status, item.decision) == (DONE, done.id)
    assert (done.before, done.after) == ("selected", "rejected")
    shelf.ledger.review.undo(done.id, "Anna")
    now = shelf.shot(shot)
    assert (now.state, now.select, now.decided) == (ShotState.SELECTED, own, "checks")
    assert shelf.ledger.queue.item(CATALOG, shot.key) is None
