"""Readers that poll while releases, promotions and rollbacks go on, and while whoever moves is killed.

    python -m benchmarks.release_readers [--kills 20] [--readers 1] [--movers 2] [--out FILE]

Each reader is a process with nothing but the bucket: it reads an environment's pointer, the manifest that
this names, in both of its forms, and every object that the manifest names, and compares every hash. Movers
are processes that publish and release, promote and roll back at random; each is killed (SIGKILL) at random
instants and started again. Once on a folder, once on an S3 API over HTTP (moto), each with a ledger on
SQLite. Afterwards the ledger is compared with the pointers. A reader's poll is either one whole release that
was made, or a fault, which is named. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import multiprocessing
import os
import platform
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from packline.bucket import Bucket, open_bucket
from packline.errors import GiveUp, PacklineError
from packline.ledger import Ledger
from packline.releases.manifest import read_images
from packline.releases.moving import look, promote, rollback
from packline.settings import BucketSettings
from tests.releases.shop import Shop

ENVIRONMENTS = ("dev", "staging", "prod")
_SKUS = [f"P{number}" for number in range(6)]
_CONTEXT = multiprocessing.get_context("spawn")


@dataclass
class Reader:
    """A reader of one environment, that knows the bucket and nothing else.

    Attributes
    ----------
    seen
        How often it saw which release.
    faults
        What no reader must ever see.
    """

    bucket: Bucket
    root: str
    environment: str
    seen: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def poll(self) -> None:
        """Read what the environment shows, to the last byte."""
        key = f"{self.root}/environments/{self.environment}.json"
        try:
            pointer = json.loads(self.bucket.get(key))
        except KeyError:
            if self.seen:
                self.faults.append(f"{key} is gone")
            return
        except ValueError:
            self.faults.append(f"{key} is cut short")
            return
        try:
            self._read(pointer)
        except (KeyError, PacklineError) as error:
            self.faults.append(f"{pointer['release']}: {error!r}")
            return
        self.seen[pointer["release"]] += 1

    def _read(self, pointer: dict[str, Any]) -> None:
        with self.bucket.open(pointer["manifest"], pointer["sha256"]) as stream:
            images = list(read_images(stream))
        self.bucket.get(pointer["parquet"], pointer["parquet_sha256"])
        files = [file for image in images for file in image.files]
        if (len(images), len(files)) != (pointer["images"], pointer["files"]):
            raise GiveUp("the pointer counts other pictures than the manifest has")
        for file in files:
            data = self.bucket.get(file.key, file.sha256)
            if hashlib.sha256(data).hexdigest() != file.sha256 or len(data) != file.size:
                raise GiveUp(f"{file.key} holds other bytes than the manifest says")


def act(shop: Shop, dice: random.Random) -> str:
    """One thing that somebody does; what it was, or why it was refused."""
    what = dice.choice(("release", "promote", "promote", "promote", "rollback", "rollback"))
    environment = dice.choice(ENVIRONMENTS)
    try:
        if what == "release":
            begin(shop, dice)
        elif what == "promote":
            one = dice.choice(shop.ledger.releases.latest("demo", 8))
            promote(shop.site, "", environment, one.id, by="bench")
        else:
            rollback(shop.site, environment, by="bench")
    except PacklineError as error:
        return f"{what} refused: {type(error).__name__}"
    return what


def begin(shop: Shop, dice: random.Random) -> None:
    """Release a catalogue with a product less and another look of one."""
    looks = dict.fromkeys(dice.sample(_SKUS, 5), "red")
    shop.plan({**looks, dice.choice(list(looks)): dice.choice(("red", "blue", "green"))})
    shop.publish(shop.planned, uses="hero zoom")
    shop.release("dev")


def read_on(settings: BucketSettings, environment: str, begun: Event, stop: Event, told: Any) -> None:
    """A reader's process."""
    reader = Reader(open_bucket(settings), "acme/demo", environment)
    begun.set()
    while not stop.is_set():
        reader.poll()
    told.put((environment, dict(reader.seen), reader.faults))


def move_on(settings: BucketSettings, ledger: str, folder: Path, seed: int, acts: Any) -> None:
    """A mover's process, until it is killed."""
    shop, dice = Shop(folder, Ledger(ledger), open_bucket(settings)), random.Random(seed)
    while True:
        act(shop, dice)
        with acts:
            acts.value += 1


@dataclass(frozen=True)
class Finding:
    """What the readers of one kind of bucket saw."""

    name: str
    polls: int
    releases: int
    moves: Counter[str]
    kills: int
    faults: list[str]


def watch(
    name: str, settings: BucketSettings, folder: Path, kills: int, readers: int, movers: int
) -> Finding:
    """Let readers and movers at one bucket until so many movers were killed."""
    url = f"sqlite:///{folder}/ledger.db"
    shop = Shop(folder, Ledger(url), open_bucket(settings))
    dice, stop, told = random.Random(1), _CONTEXT.Event(), _CONTEXT.Queue()
    while len(shop.ledger.releases.latest("demo", 4)) < 4:
        begin(shop, dice)
    polling = []
    for environment in ENVIRONMENTS * readers:
        begun = _CONTEXT.Event()
        polling.append(_CONTEXT.Process(target=read_on, args=(settings, environment, begun, stop, told)))
        polling[-1].start()
        begun.wait()
    moving: list[Any] = []
    for _ in range(kills):
        while len(moving) < movers:
            aside, acts = Path(tempfile.mkdtemp(dir=folder)), _CONTEXT.Value("i", 0)
            given = (settings, url, aside, dice.randrange(10**9), acts)
            moving.append((_CONTEXT.Process(target=move_on, args=given), acts))
            moving[-1][0].start()
        victim, acts = moving.pop(dice.randrange(len(moving)))
        many = acts.value + dice.randint(1, 5)
        while acts.value < many:
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.1))  # somewhere within the next one
        with suppress(ProcessLookupError):
            os.kill(victim.pid, signal.SIGKILL)
        victim.join()
    for one, _ in moving:
        one.kill()
        one.join()
    stop.set()
    answers = [told.get(timeout=60) for _ in polling]
    for reader in polling:
        reader.join()
    faults = [fault for _, _, found in answers for fault in found]
    for environment in ENVIRONMENTS:
        faults += _out_of_line(shop, environment)
    noted = Counter(move.kind for move in shop.ledger.moves.list("demo") if move.outcome == "moved")
    known = {one.id for one in shop.ledger.releases.latest("demo", 10**6)}
    seen = Counter[str]()
    for _, counts, _ in answers:
        seen.update(counts)
    faults += [f"release {one} was never made" for one in seen if one not in known]
    return Finding(name, seen.total(), len(seen), noted, kills, faults)


def _out_of_line(shop: Shop, environment: str) -> Iterator[str]:
    """What ledger and pointer say differently once they were brought in line."""
    seen = look(shop.site, environment)
    chain = [move for move in shop.ledger.moves.list("demo", environment)[::-1] if move.outcome == "moved"]
    if seen.standing.shown != seen.pointer.release or (chain and chain[-1].after != seen.pointer.release):
        yield f"{environment} shows {seen.pointer.release}, the ledger says {seen.standing.shown}"
    for before, after in pairwise(chain):
        if before.after != after.before:
            yield f"a move of {environment} from {before.after} to {after.before} is not in the ledger"


@contextmanager
def s3_server() -> Iterator[str]:
    """moto with conditional writes that are atomic, as Amazon's are."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    alone, put = threading.Lock(), S3Response.put_object

    def put_alone(self: S3Response) -> object:
        with alone:
            return put(self)

    S3Response.put_object = put_alone  # type: ignore[assignment, method-assign]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        moto.stop()
        S3Response.put_object = put  # type: ignore[method-assign]


def report(findings: list[Finding], readers: int, movers: int) -> str:
    """A table for people."""
    lines = [
        "# Readers under moving releases",
        "",
        f"Readers an environment: {readers}. Movers at a time: {movers}. {os.cpu_count()} cores, "
        f"Python {platform.python_version()}. A poll reads pointer, manifest (both forms) and every object.",
        "",
        "| bucket | polls | releases seen | releases | promotions | rollbacks | movers killed "
        "| mixed or missing |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in findings:
        counts = [
            one.polls,
            one.releases,
            *(one.moves[kind] for kind in ("release", "promotion", "rollback")),
        ]
        counts += [one.kills, len(one.faults)]
        lines.append(f"| {one.name} | {' | '.join(map(str, counts))} |")
    for one in findings:
        lines += [f"- {one.name}: {fault}" for fault in one.faults[:20]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--movers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "test"
    findings = []
    with tempfile.TemporaryDirectory() as folder, s3_server() as server:
        import boto3

        boto3.client("s3", endpoint_url=server, region_name="us-east-1").create_bucket(Bucket="shop")
        kinds = {
            "folder": BucketSettings(url=f"{folder}/bucket"),
            "S3 over HTTP": BucketSettings(url="s3://shop/x", endpoint=server, region="us-east-1"),
        }
        for name, settings in kinds.items():
            aside = Path(folder) / name.split()[0]
            aside.mkdir()
            findings.append(watch(name, settings, aside, given.kills, given.readers, given.movers))
    said = report(findings, given.readers, given.movers)
    sys.stdout.write(said)
    if given.out:
        given.out.write_text(said)


if __name__ == "__main__":
    main()
