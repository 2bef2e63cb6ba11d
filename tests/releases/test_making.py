"""A release: what it shows, once, and only what may be shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packline.bucket import FolderBucket
from packline.errors import GiveUp
from packline.fingerprint import digest
from packline.ledger import Ledger
from packline.releases.manifest import read_file
from packline.releases.records import Image, Release
from packline.releases.site import read_pointer
from tests.postgres import change, rows
from tests.releases.shop import CHECKS, Shop


def shown(shop: Shop, release: Release) -> dict[str, Image]:
    """A release's pictures by SKU, as its JSON has them; its Parquet has the same."""
    files = []
    for key, sha256, ending in (
        (release.key, release.sha256, "json"),
        (release.parquet, release.parquet_sha256, "parquet"),
    ):
        files.append(shop.folder / f"read.{ending}")
        shop.bucket.get_to_file(key, files[-1], sha256)
    images = list(read_file(files[0]))
    assert images == list(read_file(files[1]))
    assert json.loads(files[0].read_bytes())["counts"]["images"] == len(images) == release.images
    return {image.sku: image for image in images}


def test_a_manifest_says_of_every_picture_what_a_reader_asks(shop: Shop) -> None:
    shop.plan({"A": "red", "B": "blue"})
    shop.publish("AB", uses="hero zoom")
    made = shop.released()
    image = shown(shop, made.release)["A"]
    planned = shop.planned["A"]
    assert (image.shot, image.title, image.scene, image.view) == ("A/table/hero", "red shoe", "table", "hero")
    assert (image.candidate, image.fingerprint) == (shop.candidate("A").id, planned.fingerprint)
    assert image.parts == {name: digest[:8] for name, digest in planned.parts.items()}
    assert (image.seed, image.engine["weights_sha256"]) == (1000, "w" * 64)
    assert image.loras == ({"label": "warm", "sha256": "b" * 64, "strength": 0.8},)
    assert (image.checks, image.passed, image.overridden, image.decided) == (CHECKS, True, False, "checks")
    assert image.score == 0.875
    assert [(one.use, one.format, one.width, one.height) for one in image.files] == [
        ("hero", "png", 1024, 768),
        ("zoom", "png", 1024, 768),
    ]
    for one in image.files:
        assert len(shop.bucket.get(one.key, one.sha256)) == one.size
    pointer = read_pointer(shop.site, "dev")
    assert pointer.release == pointer.said["release"] == made.release.id == made.release.sha256[:16]
    assert (pointer.said["manifest"], pointer.said["parquet"]) == (made.release.key, made.release.parquet)
    assert (pointer.said["run"], pointer.said["images"], pointer.said["files"]) == (shop.run, 2, 4)


def test_the_same_content_is_the_same_manifest_and_moves_nothing(shop: Shop) -> None:
    shop.plan({"A": "red"})
    shop.publish("A")
    first = shop.released()
    before = {key: shop.bucket.get(key) for key in shop.bucket.list()}
    shop.plan({"A": "red"})
    assert not shop.ledger.release_due("demo", "dev")
    again = shop.released()
    assert (first.changed, again.changed, again.release) == (True, False, first.release)
    assert {key: shop.bucket.get(key) for key in shop.bucket.list()} == before
    assert again.sentence == f"Environment dev still shows 1 picture (release {first.release.id})."
    assert len(shop.ledger.moves.list("demo")) == 1


def test_two_shops_with_the_same_pictures_write_the_same_bytes(tmp_path: Path) -> None:
    manifests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shop = Shop(tmp_path, Ledger(f"sqlite:///{tmp_path}/{name}/l.db"), FolderBucket(tmp_path / name))
        shop.plan({"A": "red", "B": "blue"})
        shop.publish("AB")
        made = shop.released()
        manifests.append((made.release.sha256, made.release.parquet_sha256, made.release.key))
    assert manifests[0] == manifests[1]


def test_a_catalog_that_never_published_anything_gets_no_release(shop: Shop) -> None:
    shop.plan({"A": "red"})
    assert not shop.ledger.release_due("demo", "dev")
    assert shop.release() is None
    assert shop.bucket.list() == []


def test_what_another_catalog_is_writing_in_the_same_work_folder_stays(plain: Shop) -> None:
    ours, theirs = (
        plain.folder / "work" / f"release-{digest(name)}-x" for name in (plain.site.catalog, "other")
    )
    for left in (ours, theirs):
        left.mkdir(parents=True)
    plain.plan({"A": "red"})
    plain.publish("A")
    plain.released()
    assert theirs.is_dir() and not ours.exists()


def test_a_removed_row_retires_its_pictures_and_the_last_one_leaves_an_empty_release(shop: Shop) -> None:
    shop.plan({"A": "red", "B": "blue"})
    shop.publish("AB")
    first = shop.released()
    shop.plan({"B": "blue"})
    assert shop.ledger.release_due("demo", "dev")
    second = shop.released()
    assert set(shown(shop, second.release)) == {"B"}
    assert second.sentence == (
        f"Environment dev now shows 1 picture (release {second.release.id}; 1 removed)."
    )
    shop.plan({})
    assert shown(shop, shop.released().release) == {}
    shop.plan({"A": "red", "B": "blue"})
    assert shop.released().release == first.release, "a row that comes back shows what it showed, for nothing"


def test_a_picture_that_is_being_made_again_stays_until_its_successor_is_published(shop: Shop) -> None:
    shop.plan({"A": "red", "B": "blue"})
    shop.publish("AB")
    first = shop.released()
    shop.plan({"A": "red", "B": "pink"})
    assert not shop.ledger.release_due("demo", "dev"), "nothing new to show yet"
    shop.ledger.flag(
        shop.run, "B/table/hero", shop.planned["B"].fingerprint, CHECKS, "text", "reads upside down"
    )
    # its title is the row's, the picture is the one that there is
    kept = shown(shop, shop.released().release)["B"]
    assert (kept.title, kept.candidate) == ("pink shoe", shown(shop, first.release)["B"].candidate)
    assert not shop.ledger.release_due("demo", "dev")
    shop.publish("B")
    assert shop.ledger.release_due("demo", "dev")
    assert shown(shop, shop.released().release)["B"].candidate == shop.candidate("B").id


def test_a_picture_that_was_judged_anew_and_failed_is_withdrawn(shop: Shop) -> None:
    shop.plan({"A": "red", "B": "blue"})
    shop.publish("AB")
    shop.released()
    shop.ledger.flag(
        shop.run, "B/table/hero", shop.planned["B"].fingerprint, "checks-2", "text", "reads upside down"
    )
    assert shop.ledger.release_due("demo", "dev")
    assert set(shown(shop, shop.released().release)) == {"A"}


def test_changed_checks_that_pass_the_same_picture_are_a_release_of_their_own(shop: Shop) -> None:
    shop.plan({"A": "red"})
    shop.publish("A")
    first = shop.released()
    shop.plan({"A": "red"}, checks="checks-2")
    shop.publish("A")
    assert shop.ledger.release_due("demo", "dev")
    second = shop.released()
    images = [shown(shop, made.release)["A"] for made in (first, second)]
    assert [image.checks for image in images] == [CHECKS, "checks-2"]
    assert images[0].files == images[1].files


def test_files_that_the_settings_ask_for_since_make_a_release_due(shop: Shop) -> None:
    shop.plan({"A": "red"})
    shop.publish("A")
    shop.released()
    shop.publish("A", uses="hero thumbnail")
    assert shop.ledger.release_due("demo", "dev")
    shop.released()
    assert not shop.ledger.release_due("demo", "dev")


@pytest.mark.parametrize("fault", ["missing", "cut short"])
def test_no_manifest_names_an_object_that_is_not_there_whole(plain: Shop, fault: str) -> None:
    plain.plan({"A": "red"})
    plain.publish("A")
    (key,) = plain.bucket.list()
    object_file = plain.folder / "bucket" / key
    object_file.unlink() if fault == "missing" else object_file.write_bytes(b"cut")
    words = "is not in the bucket; publish it first" if fault == "missing" else "has 3 bytes in the bucket"
    with pytest.raises(GiveUp, match=rf"^Object {key} of A/table/hero {words}"):
        plain.release()
    assert plain.bucket.list("acme/demo/releases") == []
    assert rows(plain.ledger.url, "select count(*) from releases") == [(0,)]


def test_an_approved_failure_says_so_in_the_manifest(plain: Shop) -> None:
    """The ledger's rule for approving is its own; here is only what a release makes of it."""
    plain.plan({"A": "red"})
    plain.publish("A")
    shot, fingerprint = "A/table/hero", plain.planned["A"].fingerprint
    candidate = plain.candidate("A", 1)
    plain.ledger.record_candidate(plain.run, candidate)
    _approve(plain, candidate.id, shot, fingerprint, by="ada")
    file = plain.put("A", candidate.id)
    plain.ledger.record_published(plain.run, shot, fingerprint, candidate.id, [file])
    image = shown(plain, plain.released().release)["A"]
    assert (image.passed, image.overridden, image.decided) == (False, True, "ada")


def test_a_failure_that_nobody_approved_is_never_released(plain: Shop) -> None:
    plain.plan({"A": "red"})
    plain.publish("A")
    shot, fingerprint = "A/table/hero", plain.planned["A"].fingerprint
    candidate = plain.candidate("A", 1)
    plain.ledger.record_candidate(plain.run, candidate)
    _approve(plain, candidate.id, shot, fingerprint, by="checks")
    plain.ledger.record_published(plain.run, shot, fingerprint, candidate.id, [plain.put("A", candidate.id)])
    with pytest.raises(ValueError, match="neither a passing scorecard nor a person's approval"):
        plain.release()
    assert plain.bucket.list("acme/demo/releases") == []


def _approve(shop: Shop, candidate: str, shot: str, fingerprint: str, by: str) -> None:
    """Behind the ledger's back: a failed scorecard, and a select nevertheless."""
    from sqlalchemy import insert

    from packline.ledger import schema as t
    from packline.ledger.database import upsert

    place = {"run": shop.run, "shot": shot, "fingerprint": fingerprint, "candidate": candidate}
    with shop.ledger._write() as connection:

        def append(table: object, row: dict[str, object]) -> int:
            return connection.execute(insert(table).values(row)).inserted_primary_key[0]  # type: ignore[arg-type, index]

        facts = {"checks": CHECKS, "passed": False, "score": 0.3, "results": []}
        card = append(t.scorecards, {"run": shop.run, "candidate": candidate, **facts})
        decision = append(t.decisions, {**place, "decision": "approve", "by": by, "words": "good enough"})
        append(t.selects, {**place, "scorecard": card, "decision": decision})
        state = {**place, "checks": CHECKS, "state": "selected", "decided": by, "reason": "", "sentence": ""}
        upsert(connection, t.shot_states, [state], ("candidate", "state", "decided", "checks", "run"))


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
).filter(lambda name: name.strip() == name)


@settings(max_examples=3, deadline=None)
@given(skus=st.sets(NAMES, min_size=1, max_size=8), more=st.sets(NAMES, max_size=4))
def test_any_names_come_in_one_order_in_manifests_ledger_and_bucket(
    tmp_path_factory: pytest.TempPathFactory, skus: set[str], more: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(folder, Ledger(f"sqlite:///{folder}/l.db"), FolderBucket(folder / "bucket"))
    shop.plan(dict.fromkeys(sorted(skus), "red"))
    shop.publish(skus)
    assert set(shown(shop, shop.released().release)) == skus
    shop.plan(dict.fromkeys(sorted(more), "red"))
    shop.publish(more)
    assert set(shown(shop, shop.released().release)) == more
    assert not shop.ledger.release_due("demo", "dev")
    shop.ledger.close()


def test_postgresql_gives_names_in_the_manifests_order_whatever_its_locale(
    postgres_url: str, tmp_path: Path
) -> None:
    shop = Shop(tmp_path, Ledger(postgres_url), FolderBucket(tmp_path / "bucket"))
    for table, column in (("shots", "key"), ("release_items", "shot")):
        change(postgres_url, f'ALTER TABLE {table} ALTER {column} TYPE varchar(400) COLLATE "und-x-icu"')
    skus = ["a", "B", "ä", "Z", "a b", "a!", "a-b", "é", "鞋", "_", "10", "9"]
    shop.plan(dict.fromkeys(skus, "red"))
    shop.publish(skus)
    first = shop.released()
    assert list(shown(shop, first.release)) == sorted(skus, key=lambda sku: f"{sku}/table/hero")
    shop.plan(dict.fromkeys(skus[1:], "red"))
    assert "1 removed" in shop.released().sentence
    shop.ledger.close()
