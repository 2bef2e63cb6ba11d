"""Releases of ledgers from before moves were noted: nothing of them is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from packline.bucket import FolderBucket
from packline.ledger import Ledger
from packline.releases.moving import look
from packline.releases.site import Site
from tests.postgres import change, rows
from tests.test_ledger_migrations import lay_old

RUN = "(select max(id) from runs)"
LINEAGE = (
    '{"fingerprint": "f1", "checks": "x", "decided": "checks", "parts": {"the title": "0123456789abcdef"}}'
)


def add_release(url: str, number: int, environment: str, digit: str, *shots: str) -> None:
    """As the Packline before moves noted that an environment points at a manifest."""
    facts = f"'demo', '{environment}', 'm{digit}.json', '{environment}.json', '{digit * 64}'"
    statements = [
        "INSERT INTO releases (id, run, catalog, environment, manifest, pointer, sha256, recorded) VALUES "
        f"({number}, {RUN}, {facts}, '2026-11-2{number} 10:00:00+00:00')"
    ]
    statements += [
        f"INSERT INTO release_items VALUES ({number}, '{shot}', '{use}', 'S', 'title', 's', 'v', "
        f"'c-{digit}', 'k-{use}', 'aa', 5, '{LINEAGE}')"
        for shot in shots
        for use in ("hero", "zoom")
    ]
    change(url, *statements)


@pytest.mark.parametrize("schema", [2])
def test_old_releases_become_manifests_changes_and_moves(empty_url: str, schema: int, tmp_path: Path) -> None:
    lay_old(empty_url, schema)
    # beside the dump's release 1, prod, of one shot
    add_release(empty_url, 2, "dev", "2", "A", "B")
    add_release(empty_url, 3, "prod", "2", "A", "B")
    add_release(empty_url, 4, "dev", "3", "B")
    add_release(empty_url, 5, "dev", "2", "A", "B")
    old = rows(empty_url, "select id, run, environment, manifest, pointer, sha256 from releases order by id")
    ledger = Ledger(empty_url)

    told = rows(
        empty_url,
        "select m.id, m.run, m.environment, r.manifest, m.pointer, r.sha256 from moves m "
        "join releases r on r.id = m.to_release join move_ends e on e.move = m.id "
        "where e.outcome = 'moved' order by m.id",
    )
    assert told == old
    assert [(one.id, one.images, one.files, one.total) for one in ledger.releases.latest("demo", 9)] == [
        ("3" * 16, 1, 2, 10),
        ("2" * 16, 2, 4, 20),
        ("1" * 16, 1, 1, 9),
    ]
    assert [move.before[:1] for move in ledger.moves.list("demo")] == ["3", "2", "1", "", ""]
    assert [move.moved[:10] for move in ledger.moves.list("demo", "dev")] == [
        "2026-11-25",
        "2026-11-24",
        "2026-11-22",
    ]
    assert ledger.moves.standing("demo", "dev").trail == ("2" * 16, "3" * 16, "2" * 16)
    changes = rows(empty_url, 'select "release", shot, gone, candidate from release_items order by 1, 2')
    assert [(number, shot, bool(gone), candidate) for number, shot, gone, candidate in changes] == [
        (1, "A1/table/hero", False, "bdb04931c594467d"),
        (2, "A", False, "c-2"),
        (2, "A1/table/hero", True, "bdb04931c594467d"),
        (2, "B", False, "c-2"),
        (4, "A", True, "c-2"),
        (4, "B", False, "c-3"),
    ]
    kept = rows(
        empty_url, 'select fingerprint, checks, decided, parts from release_items where "release" = 4'
    )
    for fingerprint, checks, decided, parts in kept:
        assert (fingerprint, checks, decided, "01234567" in str(parts)) == ("f1", "x", "checks", True)
    # the next one comes after them
    bucket = FolderBucket(tmp_path / "bucket")
    assert look(Site(bucket, ledger, "acme", "demo"), "dev").standing.shown == ""
    ledger.moves.begin(
        "demo", "dev", "promotion", "2" * 16, "3" * 16, ("dev.json", "", "x"), by="ada", outcome="moved"
    )
    assert rows(empty_url, "select max(id) from moves") == [(6,)]
    ledger.close()


def test_a_pointer_of_the_old_form_is_taken_for_what_it_shows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    lay_old(url, 2)
    bucket = FolderBucket(tmp_path / "bucket")
    body = (
        b'{"format": 1, "manifest": "m1.json", "sha256": "' + b"1" * 64 + b'", "run": "r", "moved": "then"}'
    )
    bucket.put("acme/demo/environments/prod.json", body, "application/json")
    seen = look(Site(bucket, Ledger(url), "acme", "demo"), "prod")
    assert (seen.pointer.release, seen.standing.shown, seen.finished) == ("1" * 16, "1" * 16, ())
    assert rows(url, "select count(*) from moves") == [(1,)]
