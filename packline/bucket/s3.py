"""A bucket behind an S3 API."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import tempfile
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import urlsplit

from packline.bucket.download import SHA256, Nowhere, download, whole_sha256
from packline.bucket.errors import (
    ABSENT,
    TAKEN,
    Garbled,
    code,
    fact,
    is_broken,
    is_cut,
    is_of_transfer,
    sentence,
)
from packline.bucket.multipart import Multipart, composite_sha256
from packline.bucket.protocol import Entry, PutResult, Unfinished, same
from packline.bucket.sources import Source, source_of_bytes, source_of_file
from packline.bucket.transfer import again
from packline.errors import FixSettings, PacklineError
from packline.settings import BucketSettings

LARGE = 16 << 20
"""Bytes from which on an object is uploaded in parts."""
PART = 8 << 20
"""Bytes of a part, unless there would be more than 10,000 of them."""

_PROBE = ".packline-write-check"
_LONGEST_SIGNED = 7 * 24 * 3600  # seconds that Signature Version 4 allows


class S3Bucket:
    """A bucket behind an S3 API. Checksums travel with the bytes both ways, and are compared at both ends.

    Parameters
    ----------
    large, part
        From how many bytes on an object is uploaded in parts, and the bytes of a part.
    read_timeout
        Seconds that the server may be silent.
    """

    def __init__(
        self, settings: BucketSettings, *, large: int = LARGE, part: int = PART, read_timeout: float = 60
    ) -> None:
        import boto3  # costs a quarter of a second that folders need not pay
        from botocore.config import Config

        where = urlsplit(settings.url)
        self._bucket, self._url, self._endpoint = where.netloc, settings.url, settings.endpoint
        self._large, self._part, self._threads = large, part, settings.parallel
        prefix = where.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        if not self._bucket:
            raise FixSettings(
                f"Settings: bucket.url {settings.url} names no bucket; write s3://bucket/prefix."
            )
        # few servers but Amazon's have a name for each bucket
        style = (
            settings.addressing if settings.addressing != "auto" else "path" if settings.endpoint else "auto"
        )
        # "standard": up to five more tries with jitter on timeouts, throttling and 5xx
        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            connect_timeout=10,
            read_timeout=read_timeout,
            # an object in parts has as many threads again
            max_pool_connections=max(10, 2 * settings.parallel),
            signature_version="s3v4",
            s3={"addressing_style": style},
        )
        try:
            # a session of its own: the default one is not made for threads
            self._client: Any = boto3.session.Session().client(
                "s3",
                endpoint_url=settings.endpoint or None,
                region_name=settings.region or None,
                config=config,
            )
        except Exception as error:
            self._raise(error)

    def put(self, key: str, data: bytes, content_type: str, *, if_absent: bool = True) -> PutResult:
        """As `Bucket.put`, by a conditional write."""
        return self._put(key, source_of_bytes(data), content_type, if_absent)

    def put_file(self, key: str, file: Path, content_type: str, *, if_absent: bool = True) -> PutResult:
        """As `Bucket.put_file`; a large one is read twice: its hash is told before its bytes."""
        if file.stat().st_size < self._large:
            return self.put(key, file.read_bytes(), content_type, if_absent=if_absent)
        return self._put(key, source_of_file(file), content_type, if_absent)

    def _put(self, key: str, source: Source, content_type: str, if_absent: bool) -> PutResult:
        facts = {"ContentType": content_type, "Metadata": {SHA256: source.sha256}}
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        try:
            if source.size < self._large:
                again(lambda: self._put_whole(key, source, facts | condition), is_broken)
            else:
                # nobody wants to send a gigabyte to learn that it is there
                if if_absent and self.exists(key):
                    return self._existing(key, source)
                again(lambda: self._put_in_parts(key, source, facts, condition), is_broken)
        except Exception as error:
            if code(error) not in TAKEN:
                self._raise(error)
            # by somebody else, or by us: a try whose answer was lost
            return self._existing(key, source)
        return PutResult(key, source.sha256, False)

    def _put_whole(self, key: str, source: Source, facts: dict[str, Any]) -> None:
        data = source.read(0, source.size)
        answer = self._client.put_object(
            **self._at(key),
            Body=data,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=base64.b64encode(bytes.fromhex(source.sha256)).decode(),
            **facts,
        )
        if not _says_so(answer, source, data) and not self._holds(key, source):
            raise Garbled(f"object {key} arrived with other bytes")

    def _put_in_parts(
        self, key: str, source: Source, facts: dict[str, Any], condition: dict[str, str]
    ) -> None:
        multipart = Multipart(self._client, self._at(key), source, self._part, self._threads)
        multipart.upload(facts, condition, lambda: self._holds(key, source))

    def _holds(self, key: str, source: Source) -> bool:
        try:
            return self._held_sha256(key, source) == source.sha256
        except Exception as error:
            if code(error) in ABSENT:
                return False
            raise

    def _existing(self, key: str, source: Source) -> PutResult:
        try:
            held = again(lambda: self._held_sha256(key, source), is_cut)
            if held != source.sha256:
                # no shot is given up for a garbled answer
                held = download(self._client, self._at(key), key, Nowhere())
        except Exception as error:
            self._raise(error)
        return same(key, source.sha256, held)

    def _held_sha256(self, key: str, source: Source | None = None) -> str:
        """Hash of the bytes that the server holds, by its own word if it has one, else by reading them.

        An object that came in parts has a checksum of their checksums, which tells whether it is `source`.
        """
        head = self._client.head_object(**self._at(key), ChecksumMode="ENABLED")
        if whole := whole_sha256(head):
            return whole
        checksum = head.get("ChecksumSHA256", "").partition("-")[0]
        if checksum and source is not None and source.size == fact(head, "ContentLength"):
            ours = composite_sha256(source.digests(self._part))
            if ours == checksum:
                return source.sha256
        # no checksum, or parts of another size
        return download(self._client, self._at(key), key, Nowhere())

    def replace(self, key: str, data: bytes, content_type: str, before: bytes | None) -> bool:
        """As `Bucket.replace`, by a conditional write on the ETag of the bytes that were read."""
        source = source_of_bytes(data)
        facts = {"ContentType": content_type, "Metadata": {SHA256: source.sha256}}
        try:
            held, etag = again(lambda: self._tagged(key), is_cut)
            if held != before:
                return held == data
            condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
            again(lambda: self._put_whole(key, source, facts | condition), is_broken)
        except Exception as error:
            if code(error) not in (*TAKEN, *ABSENT):
                self._raise(error)
            # somebody else was quicker, or it was us: a try whose answer was lost
            return self._reads(key) == data
        return True

    def _reads(self, key: str) -> bytes | None:
        try:
            return self.get(key)
        except KeyError:
            return None

    def _tagged(self, key: str) -> tuple[bytes | None, str]:
        """A small object's bytes and ETag; None where there is none."""
        try:
            answer = self._client.get_object(**self._at(key), ChecksumMode="ENABLED")
            return bytes(answer["Body"].read()), answer["ETag"]
        except Exception as error:
            if code(error) == "NoSuchKey":
                return None, ""
            raise

    def get(self, key: str, sha256: str = "") -> bytes:
        """As `Bucket.get`."""
        with io.BytesIO() as stream:
            self._fetch(key, stream, sha256)
            return stream.getvalue()

    def get_to_file(self, key: str, file: Path, sha256: str = "") -> None:
        """As `Bucket.get_to_file`."""
        part = file.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with part.open("xb") as stream:
                self._fetch(key, stream, sha256)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def open(self, key: str, sha256: str = "") -> BinaryIO:
        """As `Bucket.open`; it is brought here first."""
        stream = tempfile.TemporaryFile(prefix="packline-")  # noqa: SIM115 - the caller closes it
        try:
            self._fetch(key, stream, sha256)
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return stream

    def _fetch(self, key: str, sink: Any, sha256: str) -> None:
        try:
            download(self._client, self._at(key), key, sink, sha256)
        except OSError as error:
            raise FixSettings(
                f"Object {key} cannot be put down here ({error.strerror}); free space or mend permissions."
            ) from error
        except Exception as error:
            if code(error) in ABSENT:
                raise KeyError(key) from None
            self._raise(error)

    def exists(self, key: str) -> bool:
        """As `Bucket.exists`."""
        try:
            self._client.head_object(**self._at(key))
        except Exception as error:
            if code(error) in ABSENT:
                return False
            self._raise(error)
        return True

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """As `Bucket.entries`."""
        for page in self._pages("list_objects_v2", prefix, {"ContinuationToken": "NextContinuationToken"}):
            for one in page.get("Contents", []):
                yield Entry(one["Key"].removeprefix(self._prefix), one["Size"], one["LastModified"])

    def list(self, prefix: str = "") -> list[str]:
        """As `Bucket.list`."""
        return [one.key for one in self.entries(prefix)]

    def delete(self, key: str) -> None:
        """As `Bucket.delete`."""
        try:
            again(lambda: self._client.delete_object(**self._at(key)), is_broken)
        except Exception as error:
            self._raise(error)

    def unfinished(self, prefix: str = "") -> Iterator[Unfinished]:
        """As `Bucket.unfinished`: uploads in parts; how much they hold is not told."""
        following = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        for page in self._pages("list_multipart_uploads", prefix, following):
            for one in page.get("Uploads", []):
                yield Unfinished(one["Key"].removeprefix(self._prefix), one["UploadId"], one["Initiated"], 0)

    def abandon(self, one: Unfinished) -> None:
        """As `Bucket.abandon`."""
        try:
            self._client.abort_multipart_upload(**self._at(one.key), UploadId=one.id)
        except Exception as error:
            if code(error) != "NoSuchUpload":
                self._raise(error)

    def check_writable(self) -> None:
        """As `Bucket.check_writable`; a writer that may not delete leaves one empty object."""
        self.put(_PROBE, b"", "application/octet-stream", if_absent=False)
        with contextlib.suppress(Exception):
            self._client.delete_object(**self._at(_PROBE))

    def address(self, key: str) -> str:
        """As `Bucket.address`."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def signed_url(self, key: str, seconds: int) -> str:
        """As `Bucket.signed_url`, presigned."""
        if not 0 < seconds <= _LONGEST_SIGNED:
            raise FixSettings(
                f"S3 signs addresses for 1 to {_LONGEST_SIGNED} seconds, not {seconds}; ask for less."
            )
        try:
            return str(
                self._client.generate_presigned_url("get_object", Params=self._at(key), ExpiresIn=seconds)
            )
        except Exception as error:
            self._raise(error)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _pages(self, operation: str, prefix: str, following: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Page after page of a listing; `following` says what of a page asks for the next one."""
        marker: dict[str, Any] = {}
        while True:
            facts = {"Bucket": self._bucket, "Prefix": self._prefix + prefix, **marker}
            try:
                page = again(partial(self._page, operation, facts), is_broken)
            except Exception as error:
                self._raise(error)
            yield page
            if not page["IsTruncated"]:
                return
            marker = {ask: page[told] for ask, told in following.items() if page.get(told)}

    def _page(self, operation: str, facts: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._client, operation)(**facts)
        fact(answer, "IsTruncated")
        return answer

    def _raise(self, error: Exception) -> NoReturn:
        if isinstance(error, PacklineError) or not is_of_transfer(error):
            raise error
        raise sentence(error, self._bucket, self._url, self._endpoint) from error


def _says_so(answer: dict[str, Any], source: Source, data: bytes) -> bool:
    """Whether the answer to a write names the bytes that were sent."""
    checksum = answer.get("ChecksumSHA256")
    if checksum is not None:
        return bool(base64.b64decode(checksum).hex() == source.sha256)
    # an API without checksums; its ETag is the MD5 of what it holds, unless it is encrypted
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return bool(answer.get("ETag", "").strip('"') == md5)
