"""Replacing a pointer: compare and swap, on a folder and over S3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from packline.bucket import Bucket, FolderBucket, S3Bucket
from packline.errors import FixSettings

JSON = "application/json"


def held(bucket: Bucket) -> bytes | None:
    try:
        return bucket.get("a/pointer.json")
    except KeyError:
        return None


def test_an_object_is_replaced_only_if_it_is_what_was_read(bucket: Bucket) -> None:
    def replace(data: bytes, before: bytes | None) -> bool:
        return bucket.replace("a/pointer.json", data, JSON, before)

    assert not replace(b"two", b"one")
    assert held(bucket) is None
    assert replace(b"one", None)
    assert not replace(b"two", None)
    assert not replace(b"two", b"zero")
    assert held(bucket) == b"one"
    assert replace(b"two", b"one")
    assert held(bucket) == b"two"
    assert replace(b"two", b"one"), "our own write, whose answer was lost"
    assert bucket.list() == ["a/pointer.json"]


def test_of_many_who_count_up_at_once_none_is_lost(bucket: Bucket) -> None:
    def count(who: int) -> None:
        for turn in range(5):
            while True:
                before = held(bucket)
                number = int(before.split()[0]) if before else 0
                data = f"{number + 1} by {who} in turn {turn}".encode()
                if bucket.replace("a/pointer.json", data, JSON, before):
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    last = held(bucket)
    assert last is not None
    assert int(last.split()[0]) == 20
    assert [one.id for one in bucket.unfinished()] == []


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
def test_a_write_whose_answer_is_lost_counts_as_ours_and_another_ones_does_not(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(bucket, S3Bucket)
    bucket.replace("a/pointer.json", b"one", JSON, None)
    put = bucket._client.put_object

    def lost(**given: Any) -> Any:
        answer = put(**given)
        monkeypatch.setattr(bucket._client, "put_object", put)
        put(**given)  # what the client does when it gets no answer: refused, for the object is another now
        return answer

    monkeypatch.setattr(bucket._client, "put_object", lost)
    assert bucket.replace("a/pointer.json", b"two", JSON, b"one")
    assert held(bucket) == b"two"

    def late(**given: Any) -> Any:
        monkeypatch.setattr(bucket._client, "put_object", put)
        bucket.put("a/pointer.json", b"three", JSON, if_absent=False)
        return put(**given)

    monkeypatch.setattr(bucket._client, "put_object", late)
    assert not bucket.replace("a/pointer.json", b"four", JSON, b"two")
    assert held(bucket) == b"three"


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("no folder")
    with pytest.raises(FixSettings, match=r"^Bucket folder .* cannot be written"):
        FolderBucket(tmp_path).replace("a/pointer.json", b"one", JSON, None)
