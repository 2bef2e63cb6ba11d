"""One request in ten fails, in every way that a network and a server know: every select arrives, once."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import create_engine, select

from packline.bucket import PutResult, S3Bucket
from packline.catalog import Catalog
from packline.errors import TryAgain
from packline.ledger import Ledger
from packline.ledger import schema as t
from packline.line.chunks import work_carefully
from packline.line.line import Line
from packline.line.order import Order
from packline.line.publication import publish
from packline.plan import plan_shots
from packline.records import ShotState
from packline.settings import BucketSettings, Settings
from packline.shots import Product
from tests.flaky_s3 import FAULTS, Flaky, before
from tests.parts import make_candidate, make_folder, scorecard
from tests.s3 import client, empty_bucket, serving

CHECKS = "checks-1"
SELECTS = 100
MIB = 1 << 20
PATIENCE = 2.0  # seconds that a reader waits; a slow server takes longer


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BucketSettings:
    # the waits between tries are right for a network; here they would be the test
    sleep = time.sleep
    monkeypatch.setattr("time.sleep", lambda seconds: sleep(min(seconds, 0.02)))
    return empty_bucket(server, tmp_path, monkeypatch)


def failing(s3: BucketSettings, share: float, seed: int, faults: tuple[str, ...] = FAULTS) -> Flaky:
    return Flaky(s3.endpoint, share, seed, silence=PATIENCE + 1, faults=faults)


def through(s3: BucketSettings, address: str) -> S3Bucket:
    settings = s3.model_copy(update={"endpoint": address})
    return S3Bucket(settings, large=MIB, part=5 * MIB, read_timeout=PATIENCE)


def selects(folder: Path) -> tuple[Ledger, Settings, str]:
    """A ledger with a hundred shots that are selected and not yet published."""
    settings = make_folder(folder)
    ledger = Ledger(settings.ledger.url)
    model = folder / "3d" / "shoe.glb"
    products = [Product(f"S{n:03}", "red shoe", model, (("table", "hero"),), row=n) for n in range(SELECTS)]
    catalog = Catalog("demo", folder / "demo.csv", "c" * 64, tuple(products), ())
    run = ledger.begin_run("demo", {})
    ledger.record_catalog(run, catalog)
    for number, planned in enumerate(ledger.plan(run, plan_shots(catalog, settings, {}, CHECKS))):
        key, fingerprint = planned.shot.key, planned.fingerprint
        made = make_candidate(folder / "work", key, fingerprint, 0, colour=number)
        ledger.record_candidate(run, made)
        ledger.record_scorecard(run, made.id, CHECKS, scorecard())
        ledger.select(run, key, fingerprint, made.id)
    return ledger, settings, run


def test_every_select_arrives_once_though_one_request_in_ten_fails(
    s3: BucketSettings, tmp_path: Path
) -> None:
    ledger, settings, run = selects(tmp_path / "house")
    flaky = failing(s3, 0.1, seed=2)
    with before(flaky) as address:
        line = Line(Order(tmp_path / "house" / "demo.csv"), CHECKS)
        line.__dict__.update(settings=settings, ledger=ledger, bucket=through(s3, address))
        for last_try in (False, False, False, True):  # as Prefect tries again
            noted: set[str] = set()
            try:
                work_carefully(
                    line,
                    run,
                    ledger.publishable(run),
                    lambda shot: shot.key,
                    lambda some, noted=noted: publish(line, run, some, noted),
                    reason="publication",
                    last_try=last_try,
                )
            except TryAgain:
                continue
            break
        assert flaky.requests > SELECTS
        assert sum(flaky.happened.values()) > 5

    shots = ledger.shots("demo")
    assert Counter(shot.state for shot in shots) == {ShotState.PUBLISHED: SELECTS}
    with create_engine(ledger.url).connect() as connection:
        noted = connection.execute(select(t.publications)).all()
        flags = connection.execute(select(t.flags)).all()
    assert flags == []
    assert Counter(row.candidate for row in noted) == {shot.select: len(settings.formats) for shot in shots}
    honest = through(s3, s3.endpoint)
    assert honest.list() == sorted({row.key for row in noted}), "nothing else is there, not even a part"
    assert len({row.key for row in noted}) == len(noted)
    for row in noted:
        assert len(honest.get(row.key, row.sha256)) == row.size
    # and the pictures are the selects
    for shot in shots[::20]:
        (chosen,) = (one.candidate for one in shot.candidates if one.candidate.id == shot.select)
        with honest.open(shot.keys["hero"]) as stream:
            assert np.array_equal(np.asarray(Image.open(stream)), np.asarray(Image.open(chosen.picture)))


@pytest.mark.parametrize(
    ("share", "faults"),
    [
        (0.3, ("500", "500 after", "503")),
        (0.3, ("cut before", "cut in the request", "cut after", "cut in the answer")),
        (0.3, ("garbled request", "wrong checksum", "garbled answer")),
        (0.08, ("slow", "slow after")),
    ],
    ids=["errors", "cuts", "garbled", "slow"],
)
def test_each_kind_of_fault_is_got_over(
    s3: BucketSettings, server: str, tmp_path: Path, share: float, faults: tuple[str, ...]
) -> None:
    small = [np.random.default_rng(n).bytes(1000) for n in range(6)]
    large = np.random.default_rng(9).bytes(5 * MIB + 1)
    (tmp_path / "large").write_bytes(large)
    flaky = failing(s3, share, 10, faults)
    with before(flaky) as address:
        bucket = through(s3, address)
        bucket.put_file("large", tmp_path / "large", "image/png")
        bucket.get_to_file("large", tmp_path / "copy", hashlib.sha256(large).hexdigest())
        for n, data in enumerate(small):
            sha256 = hashlib.sha256(data).hexdigest()
            assert bucket.put(f"small/{n}", data, "image/png").sha256 == sha256
            assert bucket.put(f"small/{n}", data, "image/png") == PutResult(f"small/{n}", sha256, True)
            assert bucket.get(f"small/{n}") == data
        assert bucket.list() == ["large", *(f"small/{n}" for n in range(6))]
        assert bucket.exists("large")
        assert not bucket.exists("none")
        bucket.delete("small/0")
    assert set(flaky.happened) == set(faults)
    assert (tmp_path / "copy").read_bytes() == large
    honest, name = client(server), s3.url.split("/")[2]
    held = [one["Key"] for one in honest.list_objects_v2(Bucket=name)["Contents"]]
    assert held == ["shop/large", *(f"shop/small/{n}" for n in range(1, 6))]
    bodies = [honest.get_object(Bucket=name, Key=key)["Body"].read() for key in held]
    assert bodies == [large, *small[1:]]


def test_a_server_that_only_fails_is_given_up_with_a_sentence_and_nothing_is_left(
    s3: BucketSettings, tmp_path: Path
) -> None:
    flaky = failing(s3, 1.0, 1, ("500", "503", "cut before"))
    with before(flaky) as address:
        bucket = through(s3, address)
        for ask in (
            lambda: bucket.put("a", b"1", "image/png"),
            lambda: bucket.put("large", bytes(2 * MIB), "image/png"),
            lambda: bucket.get_to_file("a", tmp_path / "a"),
            bucket.list,
        ):
            with pytest.raises(TryAgain, match=rf"^Bucket pictures-\w+ at {address}"):
                ask()
    assert not (tmp_path / "a").exists()
    honest = through(s3, s3.endpoint)
    assert honest.list() == []


def test_an_upload_in_parts_that_is_given_up_leaves_no_part(s3: BucketSettings, server: str) -> None:
    flaky = failing(s3, 1.0, 1, ("500",))
    flaky.only = "PUT"  # parts fail; what begins, ends and gives up an upload does not
    with before(flaky) as address, pytest.raises(TryAgain, match="answered InternalError"):
        through(s3, address).put("large", bytes(6 * MIB), "image/png")
    assert flaky.happened["500"] > 5
    assert list(through(s3, s3.endpoint).unfinished()) == []
    found = client(server).list_objects_v2(Bucket=s3.url.split("/")[2])
    assert found["KeyCount"] == 0
