"""Who reads an environment sees one whole release at any instant, whatever moves it and whoever is killed."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from benchmarks.release_readers import ENVIRONMENTS, Reader, act
from packline.bucket import Bucket, FolderBucket
from packline.ledger import Ledger
from packline.releases.moving import look
from tests.releases.shop import Shop
from tests.releases.test_moving import Killed, Steps


def test_a_polling_reader_never_sees_a_mixed_or_missing_release(tmp_path: Path, bucket: Bucket) -> None:
    shop = Shop(tmp_path, Ledger(f"sqlite:///{tmp_path}/l.db"), bucket)
    shop.plan({"P0": "red"})
    shop.publish(["P0"])
    shop.release()
    stop = Event()
    readers = [Reader(bucket, "acme/demo", environment) for environment in ENVIRONMENTS]

    def read_on(reader: Reader) -> None:
        while not stop.is_set():
            reader.poll()

    threads = [Thread(target=read_on, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    dice, done = random.Random(4), list[str]()
    while len(done) < 15 or min(len(reader.seen) for reader in readers) < 2:
        done.append(act(shop, dice))
    stop.set()
    for thread in threads:
        thread.join()
    assert {"release", "promote", "rollback"} <= set(done)
    assert [reader.faults for reader in readers] == [[], [], []]
    made = {one.id for one in shop.ledger.releases.latest("demo", 1000)}
    assert {release for reader in readers for release in reader.seen} <= made
    for environment in ENVIRONMENTS:
        seen = look(shop.site, environment)
        assert seen.standing.shown == seen.pointer.release


def test_a_reader_sees_a_whole_release_after_a_kill_at_any_step(plain: Shop) -> None:
    plain.plan({f"P{number}": "red" for number in range(30)})
    plain.publish(["P0"])
    plain.release()
    reader = Reader(plain.bucket, "acme/demo", "dev")
    for last in range(1, 30):
        with pytest.MonkeyPatch.context() as patch:
            steps = Steps(patch, last)
            with suppress(Killed):
                plain.publish([f"P{last}"])
                plain.release()
        # nobody mends anything before the reader comes
        reader.poll()
        if steps.left > 0:
            break
    assert reader.faults == []
    assert last >= 14
    assert len(reader.seen) >= 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder, keys: (folder / keys["images"]).unlink(),
        lambda folder, keys: (folder / keys["images"]).write_bytes(b"other"),
        lambda folder, keys: (folder / keys["releases"]).unlink(),
        lambda folder, keys: (folder / keys["releases"]).write_bytes(b"{}"),
        lambda folder, keys: (folder / keys["environments"]).write_bytes(b"{"),
        lambda folder, keys: (folder / keys["environments"]).unlink(),
    ],
)
def test_the_reader_of_these_tests_sees_every_fault(plain: Shop, spoil: object) -> None:
    plain.plan({"P0": "red"})
    plain.publish(["P0"])
    plain.release()
    reader = Reader(plain.bucket, "acme/demo", "dev")
    reader.poll()
    assert (reader.seen.total(), reader.faults) == (1, [])
    keys = {key.split("/")[2]: key for key in FolderBucket(plain.folder / "bucket").list()}
    spoil(plain.folder / "bucket", keys)  # type: ignore[operator]
    reader.poll()
    assert (reader.seen.total(), len(reader.faults)) == (1, 1)
