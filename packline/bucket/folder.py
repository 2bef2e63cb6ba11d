"""A folder as a bucket."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from packline.bucket.protocol import Entry, PutResult, Unfinished, same
from packline.bucket.signing import secret_from_environment, signed_path
from packline.errors import FixSettings, GiveUp
from packline.locks import alone_in
from packline.settings import BucketSettings

_ASIDE = ".partial"
_PIECE = 1 << 20


class FolderBucket:
    """A folder. Objects appear whole: they are written aside, synced, then linked into place.

    Parameters
    ----------
    readers
        Address under which the folder's objects are handed out to whoever has a signed one.
    """

    def __init__(self, root: Path, readers: str = "") -> None:
        self._root, self._readers = root, readers.rstrip("/")

    @staticmethod
    def at(settings: BucketSettings) -> FolderBucket:
        """The folder that the settings name."""
        return FolderBucket(Path(settings.url), settings.readers)

    def put(self, key: str, data: bytes, content_type: str, *, if_absent: bool = True) -> PutResult:
        """As `Bucket.put`; a folder keeps no content type, the key's ending says it."""
        sha256 = hashlib.sha256(data).hexdigest()
        with io.BytesIO(data) as stream:
            return self._put(key, sha256, lambda: self._write_aside(stream), if_absent)

    def put_file(self, key: str, file: Path, content_type: str, *, if_absent: bool = True) -> PutResult:
        """As `Bucket.put_file`."""
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            return self._put(key, sha256, lambda: self._write_aside(stream), if_absent)

    def _put(
        self, key: str, sha256: str, write: Callable[[], tuple[Path, str]], if_absent: bool
    ) -> PutResult:
        place = self._place(key)
        with self._sentences():
            if if_absent and place.exists():
                return _existing(key, sha256, place)
            self._make(place.parent)
            aside, written = write()
            try:
                if written != sha256:
                    raise GiveUp(f"Object {key} changed while it was written; write it again.")
                if if_absent:
                    if not _link(aside, place):
                        return _existing(key, sha256, place)
                else:
                    aside.replace(place)
                _sync(place.parent)
            finally:
                aside.unlink(missing_ok=True)
        return PutResult(key, sha256, False)

    def replace(self, key: str, data: bytes, content_type: str, before: bytes | None) -> bool:
        """As `Bucket.replace`; of several processes one at a time compares and replaces in a folder."""
        place = self._place(key)
        with self._sentences():
            self._make(place.parent)
            with alone_in(place.parent), io.BytesIO(data) as stream:
                held = place.read_bytes() if place.exists() else None
                if held != before:
                    return held == data
                aside, _ = self._write_aside(stream)
                try:
                    aside.replace(place)
                    _sync(place.parent)
                finally:
                    aside.unlink(missing_ok=True)
        return True

    def get(self, key: str, sha256: str = "") -> bytes:
        """As `Bucket.get`."""
        with self.open(key) as stream:
            data = stream.read()
        if sha256 and hashlib.sha256(data).hexdigest() != sha256:
            raise _other(key)
        return data

    def get_to_file(self, key: str, file: Path, sha256: str = "") -> None:
        """As `Bucket.get_to_file`."""
        part = file.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with self.open(key, sha256) as stream, part.open("xb") as out:
                shutil.copyfileobj(stream, out, _PIECE)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def open(self, key: str, sha256: str = "") -> BinaryIO:
        """As `Bucket.open`."""
        try:
            stream = self._place(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyError(key) from None
        if sha256:
            if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                stream.close()
                raise _other(key)
            stream.seek(0)
        return stream

    def exists(self, key: str) -> bool:
        """As `Bucket.exists`."""
        return self._place(key).is_file()

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """As `Bucket.entries`."""
        return self._walk(self._root, "", prefix)

    def _walk(self, folder: Path, at: str, prefix: str) -> Iterator[Entry]:
        try:
            with os.scandir(folder) as found:
                # a folder's objects come where its name with a slash comes: keys in order, as S3 has them
                names = sorted(f"{one.name}/" if one.is_dir() else one.name for one in found)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            key = f"{at}{name}"
            if key.endswith("/"):
                if key != f"{_ASIDE}/" and (key.startswith(prefix) or prefix.startswith(key)):
                    yield from self._walk(folder / name[:-1], key, prefix)
            elif key.startswith(prefix):
                with contextlib.suppress(FileNotFoundError):  # deleted since
                    facts = (folder / name).stat()
                    yield Entry(key, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))

    def list(self, prefix: str = "") -> list[str]:
        """As `Bucket.list`."""
        return [one.key for one in self.entries(prefix)]

    def delete(self, key: str) -> None:
        """As `Bucket.delete`; its folder stays, for somebody may be writing into it."""
        with self._sentences():
            self._place(key).unlink(missing_ok=True)

    def unfinished(self, prefix: str = "") -> Iterator[Unfinished]:
        """As `Bucket.unfinished`; a folder does not know their keys and gives all."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._root / _ASIDE) as found:
            for one in found:
                facts = one.stat()
                begun = datetime.fromtimestamp(facts.st_mtime, UTC)
                yield Unfinished("", one.name, begun, facts.st_size)

    def abandon(self, one: Unfinished) -> None:
        """As `Bucket.abandon`."""
        with self._sentences():
            (self._root / _ASIDE / Path(one.id).name).unlink(missing_ok=True)

    def check_writable(self) -> None:
        """As `Bucket.check_writable`."""
        with self._sentences(), io.BytesIO() as nothing:
            self._write_aside(nothing)[0].unlink()

    def address(self, key: str) -> str:
        """As `Bucket.address`."""
        return str(self._place(key))

    def signed_url(self, key: str, seconds: int) -> str:
        """As `Bucket.signed_url`; the review desk reads it (`signing.verify`)."""
        if not urlsplit(self._readers).scheme:
            raise FixSettings(
                "Settings: bucket.readers is empty; name the address under which the review desk hands "
                "objects out, such as https://desk.example.com/objects."
            )
        self._place(key)
        return f"{self._readers}/{signed_path(key, seconds, secret_from_environment())}"

    def _place(self, key: str) -> Path:
        parts = key.split("/")
        if not all(part.strip(".") for part in parts) or parts[0] == _ASIDE or "\0" in key:
            raise ValueError(f"{key!r} is no key")
        return self._root.joinpath(*parts)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, each synced in its parent: a power cut loses no link to them."""
        if folder.is_dir():
            return
        if folder.parent != folder:
            self._make(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            _sync(folder.parent)

    def _write_aside(self, data: BinaryIO) -> tuple[Path, str]:
        """A new file with these bytes, and their hash as they were written."""
        folder = self._root / _ASIDE  # same file system, so that it can be linked
        folder.mkdir(parents=True, exist_ok=True)
        aside, hashed = folder / uuid.uuid4().hex, hashlib.sha256()
        try:
            with aside.open("xb") as stream:
                while piece := data.read(_PIECE):
                    stream.write(piece)
                    hashed.update(piece)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return aside, hashed.hexdigest()

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


def _existing(key: str, sha256: str, place: Path) -> PutResult:
    with place.open("rb") as stream:
        return same(key, sha256, hashlib.file_digest(stream, "sha256").hexdigest())


def _other(key: str) -> GiveUp:
    return GiveUp(f"Object {key} holds other bytes than were promised; move it away and publish it again.")
