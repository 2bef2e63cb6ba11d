"""Uploading a large object in parts: several at a time, each with its checksum, all of it or nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from packline.bucket.errors import Garbled, code, fact, is_broken
from packline.bucket.sources import Source
from packline.bucket.transfer import again, in_parallel


@dataclass(frozen=True)
class Multipart:
    """An object that goes up in parts.

    Parameters
    ----------
    client
        boto3's.
    at
        Bucket and Key.
    part
        Bytes of a part.
    threads
        Parts that are on their way at a time; so many are in memory.
    """

    client: Any
    at: dict[str, str]
    source: Source
    part: int
    threads: int

    def upload(self, facts: dict[str, Any], condition: dict[str, str], is_held: Callable[[], bool]) -> None:
        """Upload all parts and make them one object; on any fault nothing of them stays.

        Parameters
        ----------
        facts
            Content type and metadata.
        condition
            Under which the parts may become an object.
        is_held
            Asks the bucket whether it holds the object, where the answer to the last request does not tell.

        Raises
        ------
        Exception
            As boto3 raises them; "PreconditionFailed" where the condition does not hold.
        """
        create = self.client.create_multipart_upload
        name = again(
            lambda: fact(create(**self.at, ChecksumAlgorithm="SHA256", **facts), "UploadId"), is_broken
        )
        this = {**self.at, "UploadId": name}
        try:
            parts, digests = [], []
            places = enumerate(self.source.parts(self.part), 1)
            # closed, so that no part is on its way any more when the upload is given up
            with contextlib.closing(
                in_parallel(lambda place: self._upload_part(this, *place), places, self.threads)
            ) as outcomes:
                for done in outcomes:
                    told, digest = done.value()
                    parts.append(told)
                    digests.append(digest)
            self._complete(this, parts, composite_sha256(digests), condition, is_held)
        except BaseException:
            # what cannot be given up now, `packline clean` gives up later
            with contextlib.suppress(Exception):
                self.client.abort_multipart_upload(**this)
            raise

    def _upload_part(
        self, this: dict[str, str], number: int, place: tuple[int, int]
    ) -> tuple[dict[str, Any], bytes]:
        """What the last request says of the part, and the hash of its bytes."""
        data = self.source.read(*place)
        digest = hashlib.sha256(data).digest()
        checksum = base64.b64encode(digest).decode()

        def put() -> str:
            answer = self.client.upload_part(
                **this, PartNumber=number, Body=data, ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum
            )
            if answer.get("ChecksumSHA256", checksum) != checksum:
                raise Garbled(f"part {number} of {this['Key']} arrived with other bytes")
            return str(fact(answer, "ETag"))

        return {"PartNumber": number, "ETag": again(put, is_broken), "ChecksumSHA256": checksum}, digest

    def _complete(
        self,
        this: dict[str, str],
        parts: list[dict[str, Any]],
        composite: str,
        condition: dict[str, str],
        is_held: Callable[[], bool],
    ) -> None:
        try:
            answer = self.client.complete_multipart_upload(
                **this, MultipartUpload={"Parts": parts}, **condition
            )
        except Exception as error:
            if code(error) != "NoSuchUpload" and not is_broken(error):
                raise
            # an earlier try of ours may have arrived, with its answer lost
            if not is_held():
                raise
            return
        if answer.get("ChecksumSHA256", "").partition("-")[0] != composite and not is_held():
            raise Garbled(f"object {this['Key']} is not held as it was sent")


def composite_sha256(digests: Iterable[bytes]) -> str:
    """The checksum that S3 keeps of an object in parts: the hash of their hashes, in base64."""
    return base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
