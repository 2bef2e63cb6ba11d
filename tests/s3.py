"""A real S3 API over HTTP, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from packline.settings import BucketSettings


@contextmanager
def serving() -> Iterator[str]:
    """A server of its own; its address."""
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        moto.stop()


@cache
def client(server: str) -> Any:
    """boto3's own view of the server; opening one takes longer than most tests."""
    return boto3.client("s3", endpoint_url=server, region_name="us-east-1")


def empty_bucket(server: str, folder: Path, patch: pytest.MonkeyPatch) -> BucketSettings:
    """An empty bucket on the server, with made-up credentials; its name is drawn from the test's folder."""
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    name = f"pictures-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    client(server).create_bucket(Bucket=name)
    return BucketSettings(url=f"s3://{name}/shop", endpoint=server, region="us-east-1")
