"""Publication: the object, then the manifest, then the pointer; each once, none unscored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from packline.bucket import Bucket, FolderBucket, PutResult, open_bucket
from packline.catalog import Catalog
from packline.errors import GiveUp, TryAgain
from packline.ledger import Ledger
from packline.plan import plan_shots
from packline.publish import image_key, publish_release, publish_shot, release_items
from packline.records import CandidateRecord, ShotRecord, ShotState
from packline.settings import BucketSettings, Settings
from packline.shots import Product
from tests.parts import make_candidate, make_folder, new_run, scorecard

CHECKS = "checks-1"


class Line:
    """A ledger and a bucket with one selected shot."""

    def __init__(self, folder: Path, sku: str = "A/1") -> None:
        self.folder = folder
        self.settings: Settings = make_folder(folder)
        self.bucket: Bucket = open_bucket(self.settings.bucket)
        self.ledger = Ledger(self.settings.ledger.url)
        product = Product(sku, "red shoe", folder / "3d" / "shoe.glb", (("table", "hero"),), row=1)
        catalog = Catalog("demo", folder / "demo.csv", "c" * 64, (product,), ())
        self.run = new_run(self.ledger)
        self.ledger.record_catalog(self.run, catalog)
        (self.planned,) = self.ledger.plan(self.run, plan_shots(catalog, self.settings, {"steps": 4}, CHECKS))
        place = self.planned.shot.key, self.planned.fingerprint
        self.ledger.record_references(*place, {"scene": folder / "scene"}, ["glass is plain"])
        self.select(0, 90)

    def select(self, number: int, colour: int) -> None:
        key, fingerprint = self.planned.shot.key, self.planned.fingerprint
        made = make_candidate(self.folder / "work", key, fingerprint, number, colour=colour)
        self.ledger.record_candidate(self.run, made)
        self.ledger.record_scorecard(self.run, made.id, CHECKS, scorecard())
        self.ledger.select(self.run, key, fingerprint, made.id)

    @property
    def shot(self) -> ShotRecord:
        (record,) = self.ledger.shots("demo")
        return record

    @property
    def candidate(self) -> CandidateRecord:
        return next(one for one in self.shot.candidates if one.candidate.id == self.shot.select)

    def publish(self) -> None:
        for shot in self.ledger.publishable(self.run):
            done = publish_shot(self.bucket, self.settings, shot, self.candidate)
            self.ledger.record_published(
                self.run, shot.key, shot.fingerprint, shot.select, done.files, done.lineage
            )
            done.tidy()


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_a_select_becomes_a_lossless_picture_under_the_hash_of_its_bytes(line: Line) -> None:
    (done,) = publish_shot(line.bucket, line.settings, line.shot, line.candidate).files
    data = line.bucket.get(done.key)
    assert hashlib.sha256(data).hexdigest() == done.sha256
    assert done.key == f"acme/demo/images/A%2F1/table-hero/hero-{done.sha256[:16]}.png"
    assert (done.use, done.size, done.existed) == ("hero", len(data), False)
    published = np.asarray(Image.open(line.folder / "bucket" / done.key))
    assert np.array_equal(published, np.asarray(Image.open(line.candidate.candidate.picture)))


def test_publishing_twice_gives_one_object_and_one_row(line: Line) -> None:
    line.publish()
    first = line.bucket.list()
    (again,) = publish_shot(line.bucket, line.settings, line.shot, line.candidate).files
    assert again.existed
    assert line.bucket.list() == first == [again.key]
    assert line.ledger.publishable(line.run) == []


def test_nothing_is_published_without_a_passing_scorecard_of_the_plans_checks(line: Line) -> None:
    shot, good = line.shot, line.candidate
    cases = [
        (shot, replace(good, scorecard=None), "has no scorecard"),
        (shot, replace(good, scorecard=scorecard(passes=False)), "has no passing scorecard"),
        (shot, replace(good, checks="old"), "was judged by other checks than the plan's"),
        (replace(shot, select="another"), good, "is not the select"),
        (replace(shot, state=ShotState.FLAGGED), good, "is not the select"),
        (replace(shot, state=ShotState.TODO), good, "is not the select"),
    ]
    for record, candidate, words in cases:
        with pytest.raises(ValueError, match=words):
            publish_shot(line.bucket, line.settings, record, candidate)
    assert line.bucket.list() == []


@pytest.mark.parametrize("fault", ["missing", "cut short", "too small"])
def test_a_picture_that_cannot_be_delivered_gets_a_sentence(line: Line, fault: str) -> None:
    picture = line.candidate.candidate.picture
    if fault == "missing":
        picture.unlink()
    elif fault == "cut short":
        picture.write_bytes(picture.read_bytes()[:5000])
    else:
        Image.new("RGB", (100, 80)).save(picture)
    with pytest.raises(GiveUp, match=r"^Shot A/1/table/hero: (its )?picture .*; make it again\.$"):
        publish_shot(line.bucket, line.settings, line.shot, line.candidate)
    assert line.bucket.list() == []


def test_a_release_answers_everything_about_every_picture(line: Line) -> None:
    line.publish()
    release = publish_release(line.bucket, line.settings, line.run, release_items([line.shot]))
    manifest = json.loads(line.bucket.get(release.key))
    assert (manifest["tenant"], manifest["catalog"]) == ("acme", "demo")
    (image,) = manifest["images"]
    assert line.bucket.exists(image["key"])
    assert hashlib.sha256(line.bucket.get(image["key"])).hexdigest() == image["sha256"]
    facts = image["lineage"]
    assert (facts["row"], facts["model"], facts["scene"], facts["view"]) == (1, "shoe.glb", "table", "hero")
    assert facts["parts"] == dict(line.planned.parts)
    assert facts["engine"]["weights_sha256"] == "w" * 64
    assert (facts["prompt"], facts["seed"]) == ("put the red shoe into image 1", 1000)
    assert facts["scores"]["text"] == {"score": 0.9, "threshold": 0.6, "verdict": "pass", "version": "2"}
    assert (facts["checks"], facts["decided"], facts["cost"]) == (CHECKS, "checks", 0.02)
    assert facts["notes"] == ["glass is plain"]
    pointer = json.loads(line.bucket.get("acme/demo/environments/dev.json"))
    assert (pointer["manifest"], pointer["sha256"], pointer["run"]) == (release.key, release.sha256, line.run)
    assert hashlib.sha256(line.bucket.get(release.key)).hexdigest() == release.sha256
    line.ledger.record_release(line.run, "dev", release.key, release.sha256, release.items, release.pointer)
    noted = line.ledger.release("dev", "demo")
    assert noted == replace(release, changed=False)


def test_the_same_release_again_writes_nothing_and_moves_no_pointer(line: Line) -> None:
    line.publish()
    first = publish_release(line.bucket, line.settings, line.run, release_items([line.shot]))
    before = {key: line.bucket.get(key) for key in line.bucket.list()}
    again = publish_release(line.bucket, line.settings, "another run", release_items([line.shot]))
    assert (first.changed, again.changed, again.key) == (True, False, first.key)
    assert {key: line.bucket.get(key) for key in line.bucket.list()} == before


def test_a_new_select_makes_a_new_manifest_and_leaves_the_old_one(line: Line) -> None:
    line.publish()
    first = publish_release(line.bucket, line.settings, line.run, release_items([line.shot]))
    line.select(1, 60)
    assert release_items([line.shot]) == [], "what is not yet published is in no release"
    line.publish()
    second = publish_release(line.bucket, line.settings, line.run, release_items([line.shot]))
    assert second.changed
    assert second.key != first.key
    assert line.bucket.exists(first.key)
    assert all(line.bucket.exists(item.key) for item in (*first.items, *second.items))
    assert json.loads(line.bucket.get(second.pointer))["manifest"] == second.key


class Failing:
    """A bucket that breaks down at keys with a word in them, and remembers what was written before."""

    def __init__(self, inner: Bucket, word: str) -> None:
        self.inner, self.word = inner, word
        self.written: list[str] = []

    def put(self, key: str, data: bytes, content_type: str, *, if_absent: bool = True) -> PutResult:
        if self.word in key:
            raise TryAgain("Bucket is down; try again.")
        self.written.append(key)
        return self.inner.put(key, data, content_type, if_absent=if_absent)

    def get(self, key: str) -> bytes:
        return self.inner.get(key)

    def exists(self, key: str) -> bool:
        return self.inner.exists(key)

    def list(self, prefix: str = "") -> list[str]:
        return self.inner.list(prefix)

    def check_writable(self) -> None:
        self.inner.check_writable()

    def address(self, key: str) -> str:
        return self.inner.address(key)


@pytest.mark.parametrize("broken", ["/releases/", "/environments/"])
def test_the_manifest_is_written_before_the_pointer_moves(line: Line, broken: str) -> None:
    line.publish()
    first = publish_release(line.bucket, line.settings, line.run, release_items([line.shot]))
    line.select(1, 60)
    line.publish()
    failing = Failing(line.bucket, broken)
    with pytest.raises(TryAgain):
        publish_release(failing, line.settings, line.run, release_items([line.shot]))
    assert json.loads(line.bucket.get(first.pointer))["manifest"] == first.key, "readers keep what they had"
    if broken == "/environments/":
        (manifest,) = failing.written
        assert line.bucket.exists(manifest)
    after = publish_release(line.bucket, line.settings, line.run, release_items([line.shot]))
    assert json.loads(line.bucket.get(first.pointer))["manifest"] == after.key != first.key


def test_no_manifest_names_an_object_that_is_not_there(line: Line) -> None:
    line.publish()
    items = release_items([line.shot])
    (line.folder / "bucket" / items[0].key).unlink()
    with pytest.raises(ValueError, match="is not in the bucket; publish it first"):
        publish_release(line.bucket, line.settings, line.run, items)
    assert line.bucket.list() == []


def test_no_manifest_names_a_picture_without_a_passing_scorecard(line: Line) -> None:
    line.publish()
    (item,) = release_items([line.shot])
    for facts in ({}, {**item.lineage, "passed": False}):
        with pytest.raises(ValueError, match="has no passing scorecard; it cannot be released"):
            publish_release(line.bucket, line.settings, line.run, [replace(item, lineage=facts)])
    assert line.bucket.list("acme/demo/releases/") == []


def test_a_catalog_with_nothing_published_has_an_empty_release(line: Line) -> None:
    release = publish_release(line.bucket, line.settings, line.run, release_items([line.shot]))
    assert json.loads(line.bucket.get(release.key))["images"] == []


@pytest.mark.parametrize("sku", ["..", ".", "a/../../b", "a b", "ü鞋", "鞋" * 128, "A%2F1"])
def test_any_sku_stays_within_its_tenants_keys(tmp_path: Path, sku: str) -> None:
    line = Line(tmp_path, sku)
    key = image_key(line.settings, line.shot, "hero", "0" * 64)
    assert key.startswith("acme/demo/images/")
    assert len(key.split("/")) == 6
    line.publish()
    assert [path.startswith("acme/demo/images/") for path in line.bucket.list()] == [True]


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="shop")
    yield open_bucket(BucketSettings(url="s3://shop", endpoint=endpoint, region="us-east-1"))
    moto.stop()


def test_a_release_on_s3_has_the_keys_and_bytes_that_a_folder_has(line: Line, s3: Bucket) -> None:
    folder = line.bucket
    assert isinstance(folder, FolderBucket)
    publish_shot(s3, line.settings, line.shot, line.candidate)
    line.publish()
    items = release_items([line.shot])
    publish_release(folder, line.settings, line.run, items)
    publish_release(s3, line.settings, line.run, items)
    assert s3.list() == folder.list()
    for key in folder.list():
        if "/environments/" not in key:  # the pointer tells when it was moved
            assert s3.get(key) == folder.get(key)
