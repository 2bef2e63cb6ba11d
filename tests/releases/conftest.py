"""A shop on either database, and buckets of both kinds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from packline.bucket import Bucket, FolderBucket, open_bucket
from packline.ledger import Ledger
from packline.settings import BucketSettings
from tests.releases.shop import Shop


@pytest.fixture
def shop(ledger_url: str, tmp_path: Path) -> Iterator[Shop]:
    """On SQLite and on PostgreSQL, with a folder for a bucket."""
    ledger = Ledger(ledger_url)
    yield Shop(tmp_path, ledger, FolderBucket(tmp_path / "bucket"))
    ledger.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Shop]:
    """On SQLite, for what has nothing to do with the database."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield Shop(tmp_path, ledger, FolderBucket(tmp_path / "bucket"))
    ledger.close()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """An S3 API over HTTP whose conditional writes are atomic, as Amazon's are."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    alone, put = threading.Lock(), S3Response.put_object

    # moto compares and then writes, with other requests between
    def put_alone(self: S3Response) -> object:
        with alone:
            return put(self)

    patch = pytest.MonkeyPatch()
    patch.setattr(S3Response, "put_object", put_alone)
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()
    patch.undo()


@pytest.fixture(params=["folder", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of either kind."""
    if request.param == "folder":
        return open_bucket(BucketSettings(url=str(tmp_path / "bucket")))
    import boto3

    server = request.getfixturevalue("server")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    name = f"shop-{abs(hash(str(tmp_path))):x}"
    boto3.client("s3", endpoint_url=server, region_name="us-east-1").create_bucket(Bucket=name)
    return open_bucket(BucketSettings(url=f"s3://{name}/pictures", endpoint=server, region="us-east-1"))
