"""A folder and a real S3 API over HTTP keep the same promises."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packline.bucket import Bucket, FolderBucket, PutResult, S3Bucket, escape, open_bucket
from packline.errors import FixSettings, GiveUp, TryAgain
from packline.settings import BucketSettings
from tests.s3 import client, empty_bucket, serving

PNG = "image/png"
MIB = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BucketSettings:
    return empty_bucket(server, tmp_path, monkeypatch)


@pytest.fixture(params=["folder", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param == "folder":
        return FolderBucket(tmp_path / "bucket")
    settings: BucketSettings = request.getfixturevalue("s3")
    return S3Bucket(settings, large=MIB, part=5 * MIB)  # no server takes smaller parts


def test_what_is_put_is_got_and_its_hash_is_told(bucket: Bucket) -> None:
    data = bytes(range(256)) * 100
    assert not bucket.exists("a/b/c.png")
    assert bucket.put("a/b/c.png", data, PNG) == PutResult(
        "a/b/c.png", hashlib.sha256(data).hexdigest(), False
    )
    assert bucket.exists("a/b/c.png")
    assert bucket.get("a/b/c.png") == data


def test_a_second_put_of_the_same_bytes_writes_nothing(bucket: Bucket) -> None:
    first = bucket.put("a.png", b"one", PNG)
    assert bucket.put("a.png", b"one", PNG) == PutResult("a.png", first.sha256, True)
    assert bucket.list() == ["a.png"]


def test_other_bytes_under_a_taken_key_are_refused_and_the_first_stay(bucket: Bucket) -> None:
    bucket.put("a.png", b"one", PNG)
    with pytest.raises(GiveUp, match=r"^Object a\.png is in the bucket with other bytes .* move it away\.$"):
        bucket.put("a.png", b"two", PNG)
    assert bucket.get("a.png") == b"one"


def test_an_unconditional_put_replaces(bucket: Bucket) -> None:
    bucket.put("pointer.json", b"one", "application/json", if_absent=False)
    assert not bucket.put("pointer.json", b"two", "application/json", if_absent=False).existed
    assert bucket.get("pointer.json") == b"two"


def test_an_absent_object_is_a_key_error(bucket: Bucket) -> None:
    with pytest.raises(KeyError, match=r"no/such\.png"):
        bucket.get("no/such.png")


@pytest.fixture(scope="module")
def large() -> bytes:
    """Three parts, the last one short."""
    return np.random.default_rng(0).bytes(11 * MIB + 7)


@pytest.mark.parametrize("way", ["bytes", "file"])
def test_a_large_object_arrives_whole(bucket: Bucket, tmp_path: Path, large: bytes, way: str) -> None:
    (tmp_path / "large").write_bytes(large)
    sha256 = hashlib.sha256(large).hexdigest()

    def put() -> PutResult:
        if way == "bytes":
            return bucket.put("a/large.bin", large, "application/octet-stream")
        return bucket.put_file("a/large.bin", tmp_path / "large", "application/octet-stream")

    assert put() == PutResult("a/large.bin", sha256, False)
    assert put() == PutResult("a/large.bin", sha256, True)
    bucket.get_to_file("a/large.bin", tmp_path / "copy", sha256)
    assert hashlib.sha256((tmp_path / "copy").read_bytes()).hexdigest() == sha256
    with bucket.open("a/large.bin", sha256) as stream:
        assert stream.read(1000) == large[:1000]
        stream.seek(-1000, 2)
        assert stream.read() == large[-1000:]
    assert list(bucket.unfinished()) == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "bucket") == ["copy", "large"]


def test_a_large_object_replaces_none_and_leaves_nothing_unfinished(bucket: Bucket, large: bytes) -> None:
    bucket.put("one.bin", b"small", PNG)
    with pytest.raises(GiveUp, match=r"^Object one\.bin is in the bucket with other bytes"):
        bucket.put("one.bin", large, PNG)
    assert bucket.get("one.bin") == b"small"
    assert not bucket.put("one.bin", large, PNG, if_absent=False).existed
    assert bucket.get("one.bin") == large
    assert list(bucket.unfinished()) == []


def test_a_small_file_is_put_like_bytes(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    nothing = hashlib.sha256(b"").hexdigest()
    assert bucket.put_file("empty", tmp_path / "empty", PNG) == PutResult("empty", nothing, False)
    assert bucket.put("empty", b"", PNG) == PutResult("empty", nothing, True)
    assert bucket.get("empty") == b""


@pytest.mark.parametrize("size", [3, 6 * MIB])
def test_an_object_with_other_bytes_than_promised_is_not_handed_out(
    bucket: Bucket, tmp_path: Path, size: int
) -> None:
    bucket.put("a.bin", b"x" * size, PNG)
    promised = hashlib.sha256(b"y" * size).hexdigest()
    for read in (
        lambda: bucket.get("a.bin", promised),
        lambda: bucket.get_to_file("a.bin", tmp_path / "copy", promised),
        lambda: bucket.open("a.bin", promised),
    ):
        with pytest.raises(GiveUp, match=r"^Object a\.bin holds other bytes than were promised"):
            read()
    assert not (tmp_path / "copy").exists()
    assert list(tmp_path.glob(".*")) == []


def test_absent_objects_are_key_errors_however_they_are_read(bucket: Bucket, tmp_path: Path) -> None:
    for read in (
        lambda: bucket.get("no.png"),
        lambda: bucket.get_to_file("no.png", tmp_path / "copy"),
        lambda: bucket.open("no.png"),
    ):
        with pytest.raises(KeyError, match=r"no\.png"):
            read()
    assert not (tmp_path / "copy").exists()


def test_a_listing_tells_sizes_and_times_in_the_order_of_the_keys(bucket: Bucket) -> None:
    before = datetime.now(UTC)
    keys = ["a/b.png", "a/b/c.png", "a/b-c.png", "a!.png", "z.png", "a/b/d/e.png"]
    for number, key in enumerate(keys):
        bucket.put(key, b"x" * number, PNG)
    found = list(bucket.entries())
    assert [one.key for one in found] == sorted(keys)
    assert {one.key: one.size for one in found} == {key: number for number, key in enumerate(keys)}
    slack = timedelta(seconds=2)  # S3 tells whole seconds
    assert all(before - slack < one.modified < datetime.now(UTC) + slack for one in found)
    assert [one.key for one in bucket.entries("a/b")] == ["a/b-c.png", "a/b.png", "a/b/c.png", "a/b/d/e.png"]


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_fault(bucket: Bucket) -> None:
    bucket.put("a/one.png", b"1", PNG)
    bucket.put("a/two.png", b"2", PNG)
    for _ in range(2):
        bucket.delete("a/one.png")
    assert bucket.list() == ["a/two.png"]
    assert not bucket.put("a/one.png", b"other", PNG).existed


def test_a_write_that_was_never_finished_can_be_found_and_abandoned(
    bucket: Bucket, s3: BucketSettings, server: str, tmp_path: Path
) -> None:
    if isinstance(bucket, FolderBucket):
        bucket.check_writable()
        (tmp_path / "bucket" / ".partial" / "deadbeef").write_bytes(b"half")
    else:
        where = {"Bucket": s3.url.split("/")[2], "Key": "shop/acme/one.bin"}
        begun = client(server).create_multipart_upload(**where)
        client(server).upload_part(**where, UploadId=begun["UploadId"], PartNumber=1, Body=b"half")
    (found,) = bucket.unfinished("acme/")
    assert found.begun < datetime.now(UTC)  # moto says 2010 of all
    assert bucket.list() == []
    for _ in range(2):
        bucket.abandon(found)
    assert list(bucket.unfinished()) == []


def test_eight_threads_that_put_one_key_leave_one_whole_object(bucket: Bucket) -> None:
    data = b"x" * 300_000
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: bucket.put("a/one.png", data, PNG), range(8)))
    assert {result.sha256 for result in results} == {hashlib.sha256(data).hexdigest()}
    assert bucket.list() == ["a/one.png"]
    assert bucket.get("a/one.png") == data


def test_of_eight_writers_into_a_folder_exactly_one_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, together, write = FolderBucket(tmp_path), Barrier(8), FolderBucket._write_aside

    def write_and_wait(self: FolderBucket, data: BinaryIO) -> tuple[Path, str]:
        aside = write(self, data)
        together.wait(30)  # all have seen that the place is free
        return aside

    monkeypatch.setattr(FolderBucket, "_write_aside", write_and_wait)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: bucket.put("one.png", b"x" * 300_000, PNG), range(8)))
    assert sorted(result.existed for result in results) == [False] + [True] * 7
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == []


def test_readers_of_a_replaced_object_see_the_old_or_the_new_one_whole(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.put("p.json", b"0" * 100_000, "application/json", if_absent=False)
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(
            lambda: [
                bucket.put("p.json", str(n % 10).encode() * 100_000, "application/json", if_absent=False)
                for n in range(30)
            ]
        )
        while not writer.done():
            data = bucket.get("p.json")
            seen.add((len(data), len(set(data))))
    assert seen == {(100_000, 1)}


def test_a_folder_and_s3_hold_the_same_keys(tmp_path: Path, s3: BucketSettings, server: str) -> None:
    keys = [
        "acme/demo/images/A%2F1/table-hero/0123.png",
        "acme/demo/images/A%2F1/table-left/4567.png",
        "acme/demo/images/%C3%BC%20b~c/shelf-hero/89ab.png",
        "acme/demo/environments/dev.json",
    ]
    folder, cloud = open_bucket(BucketSettings(url=str(tmp_path / "bucket"))), open_bucket(s3)
    for bucket in (folder, cloud):
        bucket.check_writable()
        for key in keys:
            bucket.put(key, key.encode(), PNG)
        assert bucket.list() == sorted(keys)
        assert bucket.list("acme/demo/images/A%2F1/table") == sorted(keys[:2])
        assert bucket.list("acme/none/") == []
    stored = client(server).list_objects_v2(Bucket=s3.url.split("/")[2])["Contents"]
    assert sorted(entry["Key"] for entry in stored) == sorted(f"shop/{key}" for key in keys)
    assert folder.address(keys[0]) == str(tmp_path / "bucket" / keys[0])
    assert cloud.address(keys[0]) == f"{s3.url}/{keys[0]}"


def test_the_server_keeps_the_content_type_and_the_checksum(s3: BucketSettings, server: str) -> None:
    open_bucket(s3).put("a.png", b"one", PNG)
    head = client(server).head_object(Bucket=s3.url.split("/")[2], Key="shop/a.png", ChecksumMode="ENABLED")
    assert head["ContentType"] == PNG
    assert head["ChecksumSHA256"]


def test_a_long_listing_is_read_to_its_end(s3: BucketSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")  # objects that a page of the server holds
    bucket = open_bucket(s3)
    for number in range(10):
        bucket.put(f"k/{number:04}", b"", PNG)
    assert bucket.list("k/") == [f"k/{number:04}" for number in range(10)]


def test_a_bucket_that_does_not_exist_gets_a_sentence(s3: BucketSettings) -> None:
    bucket = open_bucket(s3.model_copy(update={"url": "s3://no-such-bucket/shop"}))
    for ask in (bucket.check_writable, lambda: bucket.put("a", b"", PNG), bucket.list):
        with pytest.raises(FixSettings) as caught:
            ask()
        assert str(caught.value) == (
            f"Bucket no-such-bucket at {s3.endpoint} does not exist; create it or correct bucket.url."
        )


def test_a_server_that_does_not_answer_is_worth_another_try(
    s3: BucketSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    bucket = open_bucket(s3.model_copy(update={"endpoint": endpoint}))
    with pytest.raises(TryAgain, match=rf"^Bucket pictures-\w+ at {endpoint} cannot be reached \("):
        bucket.put("a", b"", PNG)
    assert len(waits) == 5, "it was tried five times more"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (
            "AccessDenied",
            FixSettings,
            "refuses these credentials (AccessDenied); give them s3:PutObject there.",
        ),
        ("InvalidAccessKeyId", FixSettings, "refuses these credentials (InvalidAccessKeyId)"),
        ("PermanentRedirect", FixSettings, "lies in another region; correct bucket.region."),
        ("NotImplemented", FixSettings, "knows no conditional writes (If-None-Match); use a newer server."),
        ("SlowDown", TryAgain, "answered SlowDown; try again."),
        ("InternalError", TryAgain, "answered InternalError; try again."),
    ],
)
def test_what_the_server_answers_becomes_what_to_do(
    s3: BucketSettings, monkeypatch: pytest.MonkeyPatch, code: str, kind: type[Exception], words: str
) -> None:
    from botocore.exceptions import ClientError

    bucket = S3Bucket(s3)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")

    monkeypatch.setattr(bucket._client, "put_object", refuse)
    with pytest.raises(kind) as caught:
        bucket.check_writable()
    assert words in str(caught.value)


def test_absent_credentials_get_a_sentence(s3: BucketSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(
        FixSettings, match=r"no AWS credentials were found; set AWS_ACCESS_KEY_ID and its secret\.$"
    ):
        open_bucket(s3).check_writable()


@pytest.mark.parametrize("place", ["{folder}/file/bucket", "/proc/bucket"])
def test_an_unwritable_folder_gets_a_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    root = place.format(folder=tmp_path)
    bucket = open_bucket(BucketSettings(url=root))
    for ask in (bucket.check_writable, lambda: bucket.put("a.png", b"", PNG)):
        with pytest.raises(FixSettings) as caught:
            ask()
        assert str(caught.value).startswith(f"Bucket folder {root} cannot be written (")
        assert str(caught.value).endswith("free space, mend its permissions or name another in bucket.url.")
    assert bucket.list() == []


def test_checking_a_folder_leaves_no_object(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.check_writable()
    assert bucket.list() == []


@pytest.mark.parametrize("key", ["", "../a", "a/../b", "a//b", "/a", "a/.", ".partial/x"])
def test_a_key_that_would_leave_the_folder_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        FolderBucket(tmp_path / "bucket").put(key, b"", PNG)
    assert not (tmp_path / "bucket").exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x", "is neither a folder nor s3://bucket/prefix; name one."),
        ("s3:///x", "names no bucket; write s3://bucket/prefix."),
    ],
)
def test_a_url_that_is_no_bucket_names_its_settings_key(url: str, words: str) -> None:
    with pytest.raises(FixSettings) as caught:
        open_bucket(BucketSettings(url=url))
    assert str(caught.value) == f"Settings: bucket.url {url} {words}"


@given(st.text(min_size=1, max_size=128), st.text(min_size=1, max_size=128))
def test_different_names_make_different_parts_of_a_key_that_any_folder_takes(one: str, other: str) -> None:
    try:
        parts = escape(one), escape(other)
    except UnicodeEncodeError:
        return  # half a surrogate is no text; the catalog cannot hold it
    assert (parts[0] == parts[1]) == (one == other)
    for part in parts:
        assert part.strip(".")
        assert "/" not in part
        assert len(part.encode()) <= 200
