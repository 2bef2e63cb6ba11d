"""A shop on either database, and buckets of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.release_readers import s3_server
from packline.bucket import Bucket, FolderBucket, open_bucket
from packline.ledger import Ledger
from packline.settings import BucketSettings
from tests.releases.shop import Shop
from tests.s3 import empty_bucket


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
    with s3_server() as address:
        yield address


@pytest.fixture(params=["folder", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of either kind."""
    if request.param == "folder":
        return open_bucket(BucketSettings(url=str(tmp_path / "bucket")))
    return open_bucket(empty_bucket(request.getfixturevalue("server"), tmp_path, monkeypatch))
