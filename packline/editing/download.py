"""Downloads of known files: a file is under its name whole and with the right hash, or not at all.

Bytes go into a hidden file beside the target, locked while somebody writes there. What a break leaves in it
is kept and continued by the next call, from whichever process; the hash over all of it decides.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from packline.editing.web import Web
from packline.errors import FixSettings, GiveUp, TryAgain
from packline.fingerprint import file_digest

logger = logging.getLogger(__name__)

MOST_BYTES = 4 * 2**30
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")
# a safetensors file: 8 bytes of length, little-endian, then JSON of that length
_HEAD, _LONGEST_HEADER = 9, 100_000_000


@dataclass(frozen=True)
class Wanted:
    """A file to be had.

    Parameters
    ----------
    what
        For sentences.
    address
        Where it is asked for; a fresh one on each call, because it leads to signed addresses that run out.
    sha256
        Of its bytes, 64 hexadecimal digits in lower case.
    """

    what: str
    address: str
    sha256: str


class Watcher(Protocol):
    """Who wants to know how far a download is."""

    def waits(self) -> None:
        """Another process is downloading the same file."""

    def advanced(self, done: int, total: int | None) -> None:
        """So many bytes are there, of so many where that is known."""


def download(
    web: Web,
    wanted: Wanted,
    target: Path,
    watcher: Watcher,
    accept: Callable[[Path], None] = lambda file: None,
    most: int = MOST_BYTES,
) -> bool:
    """Have a ``.safetensors`` file, downloading it unless it is there already.

    Parameters
    ----------
    accept
        Looks at the whole file before it gets its name, and raises where it should not.
    most
        Bytes after which a download is given up.

    Returns
    -------
    Whether this call downloaded it.

    Raises
    ------
    TryAgain
        The connection broke or the service cannot answer just now; what came is kept for the next call.
    GiveUp
        It is another file than was promised, too large or refused; nothing is kept.
    FixSettings
        The disk is full or not writable, or the service wants a key.
    """
    if target.suffix != ".safetensors":
        raise GiveUp(f"{wanted.what}: {target.name} is no .safetensors file; only those are pulled.")
    with _room(wanted.what, target.parent):
        if _is(target, wanted.sha256):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.parent / f".{target.name}.{wanted.sha256[:16]}.part"
        with _alone_with(partial, watcher) as part:
            if _is(target, wanted.sha256):
                # whoever had the lock before made it
                part.remove()
                return False
            try:
                web.patience.insist(lambda: _fill(web, wanted, part, watcher, most))
                accept(partial)
            except BaseException as error:
                if isinstance(error, (GiveUp, OSError)) or not part.size():
                    part.remove()
                raise
            part.become(target)
    return True


class _Part:
    """What has come of a file so far; locked for as long as this lives."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle
        self._tag = path.with_name(f"{path.name}.etag")

    @property
    def tag(self) -> str:
        """The strong ETag of the bytes so far; empty where there is none."""
        try:
            return self._tag.read_text().strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def size(self) -> int:
        return os.fstat(self.handle).st_size

    def hashed(self) -> Any:
        """SHA-256 of the bytes so far, to go on with."""
        found = hashlib.sha256()
        os.lseek(self.handle, 0, os.SEEK_SET)
        while block := os.read(self.handle, 2**20):
            found.update(block)
        return found

    def restart(self, tag: str = "") -> None:
        """Forget the bytes so far; those to come have this ETag."""
        os.ftruncate(self.handle, 0)
        os.lseek(self.handle, 0, os.SEEK_SET)
        if tag:
            self._tag.write_text(tag)
        else:
            self._tag.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Append."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.handle, rest) :]

    def remove(self) -> None:
        self._tag.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        """Give the file its name, so that a machine that stops now has it whole or not at all."""
        os.fsync(self.handle)
        self._tag.unlink(missing_ok=True)
        self.path.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _alone_with(path: Path, watcher: Watcher) -> Iterator[_Part]:
    """Have the partial file to oneself; the system lets go of it when a process dies."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                watcher.waits()
                fcntl.flock(handle, fcntl.LOCK_EX)
            # while one waited, the file may have been finished and renamed: then this is not the partial one
            if _same(handle, path):
                yield _Part(path, handle)
                return
        finally:
            os.close(handle)


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _fill(web: Web, wanted: Wanted, part: _Part, watcher: Watcher, most: int) -> None:
    """One connection's worth: go on where the bytes so far end, until the whole has the right hash."""
    have = part.size()
    hashed = part.hashed()
    if have and hashed.hexdigest() == wanted.sha256:
        return
    headers = {}
    if have:
        headers["Range"] = f"bytes={have}-"
        if part.tag:
            headers["If-Range"] = part.tag
    with web.get(wanted.address, wanted.what, headers, also=(416,) if have else ()) as answer:
        goes_on = have and _starts_at(answer) == have
        if have and not goes_on and answer.status_code != 200:
            # no such range, or another than was asked for: the bytes so far are of no use
            part.restart()
        else:
            if not goes_on:
                have, hashed = 0, hashlib.sha256()
                part.restart(_strong_tag(answer))
            _check_answer(web, wanted, answer, part.path.parent, have, most)
            _receive(web, wanted, answer, part, hashed, watcher, most)
            if hashed.hexdigest() == wanted.sha256:
                return
            if not goes_on:
                raise GiveUp(
                    f"{wanted.what}: what came ({part.size()} bytes) has SHA-256 {hashed.hexdigest()}, not "
                    f"{wanted.sha256}; nothing of it was kept. Try again, and if it stays, correct the hash."
                )
            logger.info("%s: the continued file is wrong as a whole; starting anew.", wanted.what)
            part.restart()
    _fill(web, wanted, part, watcher, most)


def _receive(
    web: Web, wanted: Wanted, answer: httpx.Response, part: _Part, hashed: Any, watcher: Watcher, most: int
) -> None:
    done, total = part.size(), _total(answer)
    os.lseek(part.handle, done, os.SEEK_SET)
    looked = done >= _HEAD
    since, then = time.monotonic(), done
    watcher.advanced(done, total)
    for data in answer.iter_raw():
        part.write(data)
        hashed.update(data)
        done += len(data)
        if done > most:
            raise _too_large(wanted, most)
        if not looked and done >= _HEAD:
            _check_head(web, wanted, part)
            looked = True
        watcher.advanced(done, total)
        now = time.monotonic()
        if now - since > web.patience.stall:
            if done - then < web.patience.slowest:
                raise TryAgain(f"{wanted.what}: hardly a byte comes any more; try again.")
            since, then = now, done


def _check_answer(
    web: Web, wanted: Wanted, answer: httpx.Response, folder: Path, have: int, most: int
) -> None:
    """Before a byte of the body is read."""
    if answer.headers.get("Content-Type", "").split(";")[0].strip().lower() in ("text/html", "text/xml"):
        raise _a_page(web, wanted)
    total = _total(answer)
    if total is None:
        return
    if total > most:
        raise _too_large(wanted, most)
    free = shutil.disk_usage(folder).free
    if total - have > free:
        raise FixSettings(
            f"{wanted.what}: {folder} has room for {_megabytes(free)} and {_megabytes(total - have)} are "
            f"still to come; make room there or set MODEL_BASE_PATH to another disk."
        )


def _check_head(web: Web, wanted: Wanted, part: _Part) -> None:
    """As soon as the file's first bytes are there; nothing is kept of what cannot become it."""
    head = os.pread(part.handle, _HEAD, 0)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LONGEST_HEADER:
        return
    part.restart()
    if head.lstrip()[:1] == b"<":
        raise _a_page(web, wanted)
    raise GiveUp(f"{wanted.what}: what comes is no safetensors file; nothing of it was kept.")


def _a_page(web: Web, wanted: Wanted) -> GiveUp | FixSettings:
    # what a browser gets that nobody is logged in to
    if not web.has_key:
        return web.wants_key(wanted.what)
    return GiveUp(
        f"{wanted.what}: {web.name} sent a page for browsers in place of the file; open its page there to "
        f"see what it wants."
    )


def _too_large(wanted: Wanted, most: int) -> GiveUp:
    return GiveUp(f"{wanted.what}: it is larger than {_megabytes(most)}, which no LoRA is; it is not pulled.")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _starts_at(answer: httpx.Response) -> int | None:
    said = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(said[1]) if said and answer.status_code == 206 else None


def _total(answer: httpx.Response) -> int | None:
    said = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if said and answer.status_code == 206:
        return None if said[2] == "*" else int(said[2])
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _strong_tag(answer: httpx.Response) -> str:
    """The ETag, where it promises equal bytes; a weak one does not."""
    tag = str(answer.headers.get("ETag", ""))
    return tag if tag.startswith('"') and tag.isascii() else ""


def _is(file: Path, sha256: str) -> bool:
    return file.is_file() and file_digest(file) == sha256


@contextlib.contextmanager
def _room(what: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise FixSettings(
                f"{what}: the disk of {folder} is full; make room, or set MODEL_BASE_PATH to another disk. "
                f"Nothing of it was kept."
            ) from error
        raise FixSettings(f"{what}: {folder} cannot be written to ({error.strerror}); mend that.") from error
