"""Moving pointers: promoted, rolled back, by two at once, past kills; nothing lost, nothing noted wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from packline.bucket import Bucket, FolderBucket
from packline.errors import FixSettings, GiveUp
from packline.ledger import Ledger
from packline.ledger.moving import Moves
from packline.ledger.releasing import Releases
from packline.releases import moving
from packline.releases.moving import look, promote, rollback
from packline.releases.records import Release
from packline.releases.site import read_pointer
from tests.postgres import rows
from tests.releases.shop import Shop


def releases(shop: Shop, count: int) -> list[Release]:
    """So many releases in dev, each with one picture more."""
    made = []
    shop.plan({f"P{number}": "red" for number in range(count)})
    for number in range(count):
        shop.publish([f"P{number}"])
        made.append(shop.released().release)
    return made


def shows(shop: Shop, environment: str) -> str:
    return read_pointer(shop.site, environment).release


def moves(shop: Shop, environment: str) -> list[tuple[str, str, str]]:
    """What moved, the first one first."""
    found = shop.ledger.moves.list("demo", environment)[::-1]
    return [(one.kind, one.before, one.after) for one in found if one.outcome == "moved"]


def test_promotion_copies_nothing_and_is_noted_once(shop: Shop) -> None:
    one, two = releases(shop, 2)
    before = set(shop.bucket.list())
    done = promote(shop.site, "dev", "staging", by="ada", why="looks good")
    assert (done.changed, done.release.id, done.before) == (True, two.id, "")
    assert done.sentence == f"Environment staging now shows {two.id}: 2 pictures."
    assert set(shop.bucket.list()) - before == {"acme/demo/environments/staging.json"}
    again = promote(shop.site, "dev", "staging", by="ada")
    assert (again.changed, again.sentence) == (
        False,
        f"Environment staging shows {two.id} already; nothing moved.",
    )
    back = promote(shop.site, "", "staging", one.id[:6], by="bob")
    assert back.sentence == f"Environment staging now shows {one.id}: 1 picture (was {two.id}: 1 removed)."
    latest, first = shop.ledger.moves.list("demo", "staging")
    assert (first.kind, first.by, first.why, first.run) == ("promotion", "ada", "looks good", "")
    assert (latest.before, latest.after, latest.by) == (two.id, one.id, "bob")
    said = json.loads(shop.bucket.get("acme/demo/environments/staging.json"))
    assert (said["release"], said["before"], said["by"], said["kind"]) == (one.id, two.id, "bob", "promotion")


def test_a_rollback_goes_back_and_further_back_and_not_to_and_fro(shop: Shop) -> None:
    one, two, three = releases(shop, 3)
    assert rollback(shop.site, "dev", by="ada").release == two
    assert rollback(shop.site, "dev", by="ada").release == one
    with pytest.raises(FixSettings, match=rf"shows {one.id} and has shown nothing before"):
        rollback(shop.site, "dev", by="ada")
    promote(shop.site, "", "dev", three.id, by="ada")
    assert rollback(shop.site, "dev", by="ada").release == one, "what was rolled back is not gone back to"
    assert rollback(shop.site, "dev", two.id, by="ada").release == two
    assert not rollback(shop.site, "dev", two.id, by="ada").changed
    assert shows(shop, "dev") == two.id


def test_runs_leave_an_environment_alone_that_a_person_rolled_back(shop: Shop) -> None:
    one, two = releases(shop, 2)
    rollback(shop.site, "dev", by="ada", why="too dark")
    assert not shop.ledger.release_due("demo", "dev"), "nothing changed since what was rolled back"
    same = shop.released()
    assert (same.held, same.changed, shows(shop, "dev")) == (True, False, one.id)
    assert len(shop.ledger.moves.list("demo")) == 3
    shop.plan({"P0": "red", "P1": "red", "P2": "red"})
    shop.publish(["P2"])
    assert shop.ledger.release_due("demo", "dev")
    held = shop.released()
    assert (held.held, shows(shop, "dev")) == (True, one.id)
    assert held.sentence == (
        f"Environment dev was rolled back to {one.id} by ada (too dark); runs leave it there until somebody "
        f"promotes to it. It would now show release {held.release.id}."
    )
    assert not shop.ledger.release_due("demo", "dev"), "it was made; the rest is a person's"
    promote(shop.site, "", "dev", held.release.id, by="ada")
    shop.publish(["P0"], number=1)
    assert shop.released().changed, "who promotes lets runs go on"
    assert rollback(shop.site, "dev", by="ada").release.id == held.release.id
    assert two.id not in [shows(shop, "dev")]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda site: promote(site, "dev", "dev", by="a"),
            "Environment dev shows that already; promote from",
        ),
        (lambda site: promote(site, "", "prod", by="a"), "There is nothing to promote; name an environment"),
        (
            lambda site: promote(site, "staging", "prod", by="a"),
            "Environment staging of demo shows nothing yet",
        ),
        (lambda site: promote(site, "", "prod", "77", by="a"), "Catalogue demo has no release 77; packline"),
        (lambda site: rollback(site, "prod", by="a"), "Environment prod of demo shows nothing yet; name a"),
    ],
)
def test_what_cannot_be_moved_gets_a_sentence(plain: Shop, ask: Callable[[Any], Any], sentence: str) -> None:
    releases(plain, 1)
    with pytest.raises(FixSettings, match=f"^{sentence}"):
        ask(plain.site)
    assert len(plain.ledger.moves.list("demo")) == 1


@pytest.mark.parametrize("what", ["picture", "manifest", "parquet"])
def test_nothing_is_shown_again_that_is_not_there_whole(plain: Shop, what: str) -> None:
    one, two = releases(plain, 2)
    key = {"manifest": one.key, "parquet": one.parquet}.get(what) or plain.bucket.list("acme/demo/images")[0]
    (plain.folder / "bucket" / key).unlink()
    for ask in (
        lambda: rollback(plain.site, "dev", by="ada"),
        lambda: promote(plain.site, "", "prod", one.id, by="ada"),
    ):
        with pytest.raises(GiveUp, match=rf"^(Object|Manifest) {key} .*is not in the bucket"):
            ask()
    assert (shows(plain, "dev"), shows(plain, "prod")) == (two.id, "")


def test_of_movers_that_saw_the_same_pointer_one_moves_it_and_the_others_are_told(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path, Ledger(f"sqlite:///{tmp_path}/l.db"), bucket)
    made = releases(shop, 5)
    together, check = Barrier(4), moving.check_release

    def wait(*given: Any) -> None:
        check(*given)
        together.wait(30)  # all have looked

    monkeypatch.setattr(moving, "check_release", wait)

    def ask(release: Release) -> str:
        try:
            return promote(shop.site, "", "prod", release.id, by=release.id).release.id
        except GiveUp as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(ask, made[:4]))
    (winner,) = [one for one in said if " " not in one]
    assert shows(shop, "prod") == winner
    assert moves(shop, "prod") == [("promotion", "", winner)]
    for words in said:
        if words != winner:
            assert words.startswith(f"Environment prod moved to {winner} meanwhile (promotion by {winner}, ")


def test_many_movers_lose_no_move(tmp_path: Path, bucket: Bucket) -> None:
    shop = Shop(tmp_path, Ledger(f"sqlite:///{tmp_path}/l.db"), bucket)
    made = releases(shop, 4)

    def ask(number: int) -> int:
        moved = 0
        for turn in range(4):
            try:
                if (number + turn) % 4 == 3:
                    moved += rollback(shop.site, "prod", by=str(number)).changed
                else:
                    moved += promote(
                        shop.site, "", "prod", made[(number + turn) % 4].id, by=str(number)
                    ).changed
            except (GiveUp, FixSettings):
                continue
        return moved

    with ThreadPoolExecutor(4) as pool:
        moved = sum(pool.map(ask, range(4)))
    chain = moves(shop, "prod")
    assert len(chain) == moved
    assert [before for _, before, _ in chain] == ["", *[after for _, _, after in chain[:-1]]]
    assert chain[-1][2] == shows(shop, "prod")


# kills


class Killed(BaseException):
    """The process is gone: nobody catches this."""


class Steps:
    """Lets a process die before or after its n-th step that others can see."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int) -> None:
        self.left = last
        for owner, name in (
            (FolderBucket, "put_file"),
            (FolderBucket, "replace"),
            (Releases, "_note"),
            (Releases, "confirm"),
            (Moves, "settle"),
            (Moves, "begin"),
            (Moves, "end"),
        ):
            patch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self._tick()
            found = step(*given, **named)
            self._tick()
            return found

        return counted

    def _tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


def kill_at_every_step(shop: Shop, act: Callable[[], Any], check: Callable[[bool], None]) -> int:
    """Kill `act` at its first step, then at its second, ...; `check` is told whether it came to its end."""
    for last in range(1, 100):
        with pytest.MonkeyPatch.context() as patch:
            steps = Steps(patch, last)
            with suppress(Killed):
                act()
            done = steps.left > 0
        check(done)
        if done:
            return last - 1
    raise AssertionError("it never ends")


def assert_in_line(shop: Shop, environment: str) -> None:
    """Ledger and bucket say the same, moves are a chain, and nothing is open that could have been settled."""
    seen = look(shop.site, environment)
    chain = moves(shop, environment)
    assert seen.standing.shown == seen.pointer.release == chain[-1][2]
    assert [before for _, before, _ in chain] == ["", *[after for _, _, after in chain[:-1]]]
    open_ones = rows(
        shop.ledger.url,
        "select m.before from moves m left join move_ends e on e.move = m.id "
        f"where e.move is null and m.environment = '{environment}'",
    )
    assert {before for (before,) in open_ones} <= {seen.pointer.sha256}


def test_a_release_that_is_killed_at_any_step_is_made_whole_by_the_next_run(shop: Shop) -> None:
    shop.plan({f"P{number}": "red" for number in range(40)})
    shop.publish(["P0"])
    shop.released()
    number = 0

    def act() -> None:
        nonlocal number
        number += 1
        shop.publish([f"P{number}"])
        shop.release()

    def check(done: bool) -> None:
        shown = look(shop.site, "dev").pointer.release
        if not done and shop.ledger.releases.find("demo", shown).images != number + 1:
            assert shop.ledger.release_due("demo", "dev"), "the plan knows that a release is owed"
        made = shop.released()
        assert made.release.images == number + 1
        assert shows(shop, "dev") == made.release.id
        assert not shop.ledger.release_due("demo", "dev")
        assert_in_line(shop, "dev")

    assert kill_at_every_step(shop, act, check) >= 14


def test_a_promotion_that_is_killed_at_any_step_is_done_or_not_and_again_does_it(shop: Shop) -> None:
    one, two = releases(shop, 2)
    promote(shop.site, "", "prod", one.id, by="ada")

    def check(done: bool) -> None:
        assert shows(shop, "prod") in (one.id, two.id)
        promote(shop.site, "dev", "prod", by="ada")
        assert shows(shop, "prod") == two.id
        assert_in_line(shop, "prod")
        promote(shop.site, "", "prod", one.id, by="ada")
        assert_in_line(shop, "prod")

    assert kill_at_every_step(shop, lambda: promote(shop.site, "dev", "prod", by="bob"), check) >= 8


def test_a_rollback_that_is_killed_at_any_step_goes_one_step_back_when_asked_again(plain: Shop) -> None:
    _, two, three = releases(plain, 3)

    def check(done: bool) -> None:
        if ("rollback", three.id, two.id) != moves(plain, "dev")[-1]:
            rollback(plain.site, "dev", by="ada")
        assert shows(plain, "dev") == two.id, "not two steps, although it was asked for twice"
        assert_in_line(plain, "dev")
        promote(plain.site, "", "dev", three.id, by="ada")

    assert kill_at_every_step(plain, lambda: rollback(plain.site, "dev", by="bob"), check) >= 6


def test_a_mover_that_slept_through_another_move_moves_nothing(shop: Shop) -> None:
    one, two, _ = releases(shop, 3)
    slept = look(shop.site, "dev")
    promote(shop.site, "", "dev", one.id, by="ada")
    assert not moving.swap(shop.site, slept, two, "promotion", by="bob")
    assert shows(shop, "dev") == one.id
    assert_in_line(shop, "dev")


def test_who_read_the_pointer_a_moment_ago_settles_no_later_move_wrongly(shop: Shop) -> None:
    one, _, three = releases(shop, 3)
    ledger, first = shop.ledger.moves, look(shop.site, "dev").pointer.sha256

    def begin(seen: str, written: str) -> None:
        pointer = ("dev.json", seen, written)
        ledger.begin("demo", "dev", "promotion", three.id, one.id, pointer, by="ada")

    begin(first, "second")
    begin("second", "third")
    begin(first, "too late")
    begin("too late", "never")
    assert ledger.settle("demo", "dev", first) == [], "any of them may be under way"
    ended = [one.after for one in ledger.settle("demo", "dev", "third")]
    assert len(ended) == 2
    outcomes = rows(shop.ledger.url, "select outcome from move_ends order by move")
    assert [outcome for (outcome,) in outcomes[-4:]] == ["moved", "moved", "void", "void"]


def test_a_pointer_that_another_ledger_moved_is_found_and_noted(shop: Shop, tmp_path: Path) -> None:
    _, two = releases(shop, 2)
    other = Shop(tmp_path, Ledger(f"sqlite:///{tmp_path}/other.db"), shop.bucket)
    other.plan({"P0": "blue"})
    other.publish(["P0"])
    foreign = other.released()
    seen = look(shop.site, "dev")
    assert (seen.pointer.release, seen.standing.shown) == (foreign.release.id, foreign.release.id)
    assert moves(shop, "dev")[-1] == ("found", two.id, foreign.release.id)
    found = shop.ledger.releases.find("demo", foreign.release.id)
    assert (found.images, found.files, found.run) == (1, 1, "")
    assert rollback(shop.site, "dev", by="ada").release.id == two.id
    assert_in_line(shop, "dev")
    other.ledger.close()


def test_a_pointer_that_was_put_back_by_hand_is_what_counts(shop: Shop) -> None:
    (one,) = releases(shop, 1)
    key = "acme/demo/environments/dev.json"
    kept = shop.bucket.get(key)
    shop.plan({"P0": "red", "P1": "red"})
    shop.publish(["P1"])
    two = shop.released().release
    shop.bucket.put(key, kept, "application/json", if_absent=False)
    assert look(shop.site, "dev").standing.shown == one.id
    assert moves(shop, "dev")[-1] == ("found", two.id, one.id)
    assert shop.ledger.release_due("demo", "dev")
    assert shop.released().release == two
    assert_in_line(shop, "dev")


def test_a_broken_pointer_gets_a_sentence(plain: Shop) -> None:
    releases(plain, 1)
    for body, words in (
        (b"{", "names no manifest"),
        (b'{"format": 9, "manifest": "m", "sha256": "s"}', "newer"),
    ):
        plain.bucket.put("acme/demo/environments/dev.json", body, "application/json", if_absent=False)
        with pytest.raises(GiveUp, match=rf"^Pointer acme/demo/environments/dev.json .*{words}"):
            look(plain.site, "dev")


def test_history_of_moves_and_releases_cannot_be_changed(shop: Shop) -> None:
    from sqlalchemy.exc import IntegrityError

    from tests.postgres import change

    releases(shop, 1)
    for table in ("releases", "release_items", "moves", "move_ends"):
        with pytest.raises(IntegrityError, match=f"{table} is history"):
            change(shop.ledger.url, f"DELETE FROM {table}")
