"""The bucket: where published pictures and manifests lie, a folder or any S3 API, with the same keys."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import quote, urlsplit

from packline.errors import FixSettings, GiveUp, PacklineError, TryAgain
from packline.fingerprint import digest
from packline.settings import BucketSettings

_PROBE = ".packline-write-check"
_LONGEST_NAME = 200  # a file system's limit is 255 bytes


@dataclass(frozen=True)
class PutResult:
    """What became of an object.

    Parameters
    ----------
    sha256
        Hash of the object's bytes, 64 hexadecimal digits.
    existed
        True where the bucket held this very object already and nothing was written.
    """

    key: str
    sha256: str
    existed: bool


class Bucket(Protocol):
    """A place for objects. A reader sees a whole object or none."""

    def put(self, key: str, data: bytes, content_type: str, *, if_absent: bool = True) -> PutResult:
        """Store an object; with `if_absent` never replace one.

        Raises
        ------
        GiveUp
            Where the key holds other bytes and `if_absent` forbids replacing them.
        FixSettings, TryAgain
            Where the bucket cannot be written, now or ever.
        """

    def get(self, key: str) -> bytes:
        """An object's bytes.

        Raises
        ------
        KeyError
            There is none.
        """

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def list(self, prefix: str = "") -> list[str]:
        """All keys that begin with `prefix`, sorted."""

    def check_writable(self) -> None:
        """Try to write, before a run pays for pictures that it could not publish.

        Raises
        ------
        FixSettings
            With a sentence.
        """

    def address(self, key: str) -> str:
        """Where a person finds the object: a path, or an s3:// URL."""


def open_bucket(settings: BucketSettings) -> Bucket:
    """The bucket that the settings name; nothing is written yet.

    Raises
    ------
    FixSettings
        Where its URL names neither a folder nor an S3 bucket.
    """
    scheme = urlsplit(settings.url).scheme if "://" in settings.url else ""
    if scheme == "s3":
        return S3Bucket(settings)
    if scheme:
        raise FixSettings(
            f"Settings: bucket.url {settings.url} is neither a folder nor s3://bucket/prefix; name one."
        )
    return FolderBucket(Path(settings.url))


def escape(name: str) -> str:
    """One part of a key from any string: letters, digits and ``-_.~`` stay, the rest is percent-encoded.

    Different names give different parts; a long one is cut and keeps its hash.
    """
    part = quote(name, safe="")
    if not part.strip("."):
        part = part.replace(".", "%2E")  # "." and ".." would be folders
    return part if len(part) <= _LONGEST_NAME else f"{part[: _LONGEST_NAME - 20]}~{digest(name)}"


class FolderBucket:
    """A folder. Objects appear whole: they are written aside, synced, then linked into place."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes, content_type: str, *, if_absent: bool = True) -> PutResult:
        """As `Bucket.put`; a folder keeps no content type, the key's ending says it."""
        place, sha256 = self._place(key), hashlib.sha256(data).hexdigest()
        with self._sentences():
            if if_absent and place.exists():
                return _existing(key, sha256, place.read_bytes())
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = self._write_aside(data)
            try:
                if if_absent:
                    if not _link(aside, place):
                        return _existing(key, sha256, place.read_bytes())
                else:
                    aside.replace(place)
                _sync(place.parent)
            finally:
                aside.unlink(missing_ok=True)
        return PutResult(key, sha256, False)

    def get(self, key: str) -> bytes:
        """As `Bucket.get`."""
        try:
            return self._place(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyError(key) from None

    def exists(self, key: str) -> bool:
        """As `Bucket.exists`."""
        return self._place(key).is_file()

    def list(self, prefix: str = "") -> list[str]:
        """As `Bucket.list`."""
        # the longest whole folder of the prefix spares the walk through the others
        start = self._root / prefix.rpartition("/")[0]
        keys = (path.relative_to(self._root).as_posix() for path in start.rglob("*") if path.is_file())
        return sorted(key for key in keys if key.startswith(prefix) and not key.startswith(".partial/"))

    def check_writable(self) -> None:
        """As `Bucket.check_writable`."""
        with self._sentences():
            self._write_aside(b"").unlink()

    def address(self, key: str) -> str:
        """As `Bucket.address`."""
        return str(self._place(key))

    def _place(self, key: str) -> Path:
        parts = key.split("/")
        if not all(part.strip(".") for part in parts) or parts[0] == ".partial" or "\0" in key:
            raise ValueError(f"{key!r} is no key")
        return self._root.joinpath(*parts)

    def _write_aside(self, data: bytes) -> Path:
        folder = self._root / ".partial"  # same file system, so that it can be linked
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / uuid.uuid4().hex
        try:
            with aside.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return aside

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FixSettings(
                f"Bucket folder {self._root} cannot be written ({error.strerror}); free space, mend its "
                f"permissions or name another in bucket.url."
            ) from error


def _link(aside: Path, place: Path) -> bool:
    """Give a file its place unless that is taken; False where it is."""
    try:
        os.link(aside, place)
    except FileExistsError:
        return False
    except OSError:
        # no hard links here; two writers of one content-hashed key bring the same bytes
        if place.exists():
            return False
        aside.replace(place)
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _existing(key: str, sha256: str, stored: bytes) -> PutResult:
    return _same(key, sha256, hashlib.sha256(stored).hexdigest())


def _same(key: str, sha256: str, stored: str) -> PutResult:
    if stored != sha256:
        raise GiveUp(f"Object {key} is in the bucket with other bytes (SHA-256 {stored[:16]}); move it away.")
    return PutResult(key, sha256, True)


class S3Bucket:
    """A bucket behind an S3 API. Checksums travel with the bytes; the server refuses what arrives broken."""

    def __init__(self, settings: BucketSettings) -> None:
        import boto3  # costs a quarter of a second that folders need not pay
        from botocore.config import Config

        where = urlsplit(settings.url)
        self._bucket, self._url, self._endpoint = where.netloc, settings.url, settings.endpoint
        prefix = where.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        if not self._bucket:
            raise FixSettings(
                f"Settings: bucket.url {settings.url} names no bucket; write s3://bucket/prefix."
            )
        # "standard": up to five more tries with jitter on timeouts, throttling and 5xx
        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
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
        hashed = hashlib.sha256(data)
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=data,
                ContentType=content_type,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(hashed.digest()).decode(),
                **condition,
            )
        except Exception as error:
            if _code(error) not in ("PreconditionFailed", "412"):
                self._raise(error)
            return _same(key, hashed.hexdigest(), self._stored_sha256(key))
        return PutResult(key, hashed.hexdigest(), False)

    def _stored_sha256(self, key: str) -> str:
        try:
            head = self._client.head_object(
                Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED"
            )
        except Exception as error:
            self._raise(error)
        checksum = head.get("ChecksumSHA256", "")
        # a multipart object's checksum is one of checksums ("...-3"); an old one has none
        if checksum and "-" not in checksum:
            return base64.b64decode(checksum).hex()
        return hashlib.sha256(self.get(key)).hexdigest()

    def get(self, key: str) -> bytes:
        """As `Bucket.get`; the checksum is verified."""
        try:
            found = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED"
            )
            return bytes(found["Body"].read())
        except Exception as error:
            if _code(error) in ("NoSuchKey", "404"):
                raise KeyError(key) from None
            self._raise(error)

    def exists(self, key: str) -> bool:
        """As `Bucket.exists`."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except Exception as error:
            if _code(error) in ("NoSuchKey", "404"):
                return False
            self._raise(error)
        return True

    def list(self, prefix: str = "") -> list[str]:
        """As `Bucket.list`."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            keys = [
                entry["Key"].removeprefix(self._prefix)
                for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
                for entry in page.get("Contents", [])
            ]
        except Exception as error:
            self._raise(error)
        return sorted(keys)

    def check_writable(self) -> None:
        """As `Bucket.check_writable`; a writer that may not delete leaves one empty object."""
        self.put(_PROBE, b"", "application/octet-stream", if_absent=False)
        with contextlib.suppress(Exception):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + _PROBE)

    def address(self, key: str) -> str:
        """As `Bucket.address`."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _raise(self, error: Exception) -> NoReturn:
        if isinstance(error, PacklineError):
            raise error
        raise _s3_error(error, self._bucket, self._url, self._endpoint) from error


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


_REFUSED = (
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
)


def _s3_error(error: Exception, bucket: str, url: str, endpoint: str) -> PacklineError:
    """The sentence for what boto3 says, typed by what to do about it."""
    code, name = _code(error), type(error).__name__
    at = f" at {endpoint}" if endpoint else ""
    if code in ("NoSuchBucket", "404"):
        return FixSettings(f"Bucket {bucket}{at} does not exist; create it or correct bucket.url.")
    if code in _REFUSED:
        return FixSettings(
            f"Bucket {bucket}{at} refuses these credentials ({code}); give them s3:PutObject there."
        )
    if name in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"):
        return FixSettings(
            f"Bucket {bucket}{at}: no AWS credentials were found; set AWS_ACCESS_KEY_ID and its secret."
        )
    if name in ("NoRegionError", "InvalidRegionError", "ParamValidationError", "ValueError"):
        return FixSettings(f"Bucket {url}{at} cannot be used ({error}); correct [bucket].")
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return FixSettings(f"Bucket {bucket}{at} lies in another region; correct bucket.region.")
    if code in ("NotImplemented", "501"):
        return FixSettings(
            f"Bucket {bucket}{at} knows no conditional writes (If-None-Match); use a newer server."
        )
    if code:
        return TryAgain(f"Bucket {bucket}{at} answered {code}; try again.", 5)
    return TryAgain(
        f"Bucket {bucket}{at} cannot be reached ({error}); try again or correct bucket.endpoint.", 5
    )
