"""Publication: the object, then the manifest, then the pointer; each once, none unscored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from packline.bucket import Bucket, open_bucket
from packline.catalog import Catalog
from packline.errors import GiveUp
from packline.ledger import Ledger
from packline.plan import plan_shots
from packline.publish import image_key, publish_shot
from packline.records import CandidateRecord, ShotRecord, ShotState
from packline.settings import Settings
from packline.shots import Product
from scoring.check import read_candidate
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


@pytest.mark.parametrize("fault", ["missing", "cut short", "a broken chunk", "too small"])
def test_a_picture_that_cannot_be_delivered_gets_a_sentence(line: Line, fault: str) -> None:
    picture = line.candidate.candidate.picture
    if fault == "missing":
        picture.unlink()
    elif fault == "cut short":
        picture.write_bytes(picture.read_bytes()[:5000])
    elif fault == "a broken chunk":
        # where pixels should go on Pillow calls a chunk whose name is no name a SyntaxError
        noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
        Image.fromarray(noise).save(picture)
        data = picture.read_bytes()
        picture.write_bytes(data.replace(b"IDAT", b"_}\xee\x88").replace(b"_}\xee\x88", b"IDAT", 1))
        assert read_candidate(picture).shape == (0, 0, 3)
    else:
        Image.new("RGB", (100, 80)).save(picture)
    with pytest.raises(GiveUp, match=r"^Shot A/1/table/hero: (its )?picture .*; make it again\.$"):
        publish_shot(line.bucket, line.settings, line.shot, line.candidate)
    assert line.bucket.list() == []


def _sixteen_bits(file: Path, grey: bool) -> None:
    wide = np.full((256, 256) if grey else (256, 256, 3), 10_280, np.uint16)
    cv2.imwrite(str(file), wide)


def _turned(file: Path) -> None:
    tag = Image.Exif()
    tag[0x0112] = 6
    Image.new("RGB", (256, 256), (10, 20, 30)).save(file, exif=tag)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: _sixteen_bits(file, grey=True), "has 16 bits a channel"),
        (lambda file: _sixteen_bits(file, grey=False), "has 16 bits a channel"),
        (_turned, r"has an orientation tag \(6\)"),
        (lambda file: Image.new("P", (256, 256)).save(file), "has a palette"),
        (lambda file: Image.new("RGB", (256, 256)).save(file, "JPEG"), "is no PNG but JPEG"),
    ],
)
def test_a_picture_of_which_the_checks_may_have_seen_other_pixels_is_not_published(
    line: Line, spoil: Callable[[Path], None], words: str
) -> None:
    picture = line.candidate.candidate.picture
    spoil(picture)
    with pytest.raises(GiveUp) as raised:
        publish_shot(line.bucket, line.settings, line.shot, line.candidate)
    sentence = rf"Shot A/1/table/hero: picture {picture} {words}, so that its checks .*; make it again as an "
    assert re.match(sentence + "8-bit RGB PNG without an orientation tag.$", str(raised.value))
    assert line.bucket.list() == []


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_what_is_published_are_the_pixels_that_the_checks_see(line: Line, mode: str) -> None:
    picture = line.candidate.candidate.picture
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, len(mode)), np.uint8)
    Image.fromarray(noise.squeeze(), mode).save(picture)
    (done,) = publish_shot(line.bucket, line.settings, line.shot, line.candidate).files
    published = np.asarray(Image.open(line.folder / "bucket" / done.key))
    assert np.array_equal(published, read_candidate(picture))


@pytest.mark.parametrize("sku", ["..", ".", "a/../../b", "a b", "ü鞋", "鞋" * 128, "A%2F1"])
def test_any_sku_stays_within_its_tenants_keys(tmp_path: Path, sku: str) -> None:
    line = Line(tmp_path, sku)
    key = image_key(line.settings, line.shot, "hero", "0" * 64)
    assert key.startswith("acme/demo/images/")
    assert len(key.split("/")) == 6
    line.publish()
    assert [path.startswith("acme/demo/images/") for path in line.bucket.list()] == [True]
