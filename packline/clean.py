"""Clean-up: what nobody needs any more goes from the work folder and from the bucket, and nothing else.

The ledger says what is needed. Whatever it does not name must besides be older than the time it is kept for,
for a run writes a file first and notes it afterwards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from packline.bucket import Bucket
from packline.errors import FixSettings
from packline.ledger import Ledger

HALF_WRITTEN = timedelta(hours=1)
"""How old a half-written file is that nobody writes any more."""
ABANDONED = timedelta(days=1)
"""Likewise for folders of drafts and for uploads in the bucket."""

_CANDIDATE = re.compile(r"([0-9a-f]{16})[-.]")
_REFERENCE = re.compile(r"[0-9a-f]{32}")
_ASIDE = (".drafts-", ".damaged-", ".cleaned-")


@dataclass(frozen=True)
class Swept:
    """What became of one kind of thing.

    Parameters
    ----------
    kept, removed
        How many.
    freed
        Bytes of those that were removed.
    """

    what: str
    kept: int
    removed: int
    freed: int


class Sweep:
    """Counts, and removes unless it is to look only.

    Parameters
    ----------
    now
        What ages are counted from, UTC.
    dry_run
        Remove nothing.
    """

    def __init__(self, now: datetime, dry_run: bool) -> None:
        self.now, self._dry_run = now, dry_run
        self._counts: dict[str, list[int]] = {}

    @property
    def swept(self) -> list[Swept]:
        """Each kind in the order in which it was first met."""
        return [Swept(what, *counts) for what, counts in self._counts.items()]

    def keep(self, what: str) -> None:
        """Count something that stays."""
        self._count(what)[0] += 1

    def remove(self, what: str, size: int) -> bool:
        """Count something that goes; whether it is to be removed indeed."""
        counts = self._count(what)
        counts[1] += 1
        counts[2] += size
        return not self._dry_run

    def file(self, what: str, file: Path, older: timedelta) -> None:
        """Remove a file that is older than that."""
        try:
            facts = file.lstat()
            if facts.st_mtime >= (self.now - older).timestamp():
                self.keep(what)
            elif self.remove(what, facts.st_size):
                file.unlink()
        except FileNotFoundError:
            pass  # somebody was faster

    def folder(self, what: str, folder: Path, older: timedelta) -> None:
        """Remove a folder that is older than that; readers see it whole or not at all."""
        try:
            if folder.stat().st_mtime >= (self.now - older).timestamp():
                self.keep(what)
                return
            size = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
            if self.remove(what, size):
                aside = folder.with_name(f".cleaned-{uuid.uuid4().hex}")
                folder.replace(aside)
                shutil.rmtree(aside, ignore_errors=True)
        except FileNotFoundError:
            pass

    def _count(self, what: str) -> list[int]:
        return self._counts.setdefault(what, [0, 0, 0])


def clean_work(ledger: Ledger, work: Path, keep: timedelta, sweep: Sweep) -> None:
    """Remove from a work folder what the ledger does not need and what is older than `keep`.

    Candidates and references of the shots that a catalog has now stay, whatever their age, and so do selects
    that wait to be published and the truth of every candidate that stays. Hold runs off while this works
    (`Upkeep.hold`).

    Raises
    ------
    FixSettings
        Where something cannot be removed.
    """
    upkeep, since = ledger.upkeep, sweep.now - keep
    try:
        with _Names() as needed:
            needed.add(
                name
                for candidate, truth in upkeep.candidates(since)
                for name in (candidate, Path(truth).name)
            )
            needed.add(Path(folder).name for folder in upkeep.references(since))
            _clean_candidates(work / "candidates", needed, keep, sweep)
            _clean_references(work / "references", needed, keep, sweep)
        latest = upkeep.latest_runs()
        for log in _paths(work / "logs"):
            if log.stem in latest:
                sweep.keep("logs")
            else:
                sweep.file("logs", log, keep)
        for folder in _paths(work / "review" / "thumbnails"):
            for file in _paths(folder):
                part = file.suffix == ".part"
                sweep.file(
                    "half-written files" if part else "thumbnails", file, HALF_WRITTEN if part else keep
                )
        for folder in _paths(work):
            if folder.name.startswith("release-") and folder.is_dir():
                sweep.folder("folders of drafts", folder, ABANDONED)
    except OSError as error:
        raise FixSettings(
            f"Work folder {work} cannot be cleaned: {error.filename}: {error.strerror}; mend its permissions."
        ) from error


def _clean_candidates(folder: Path, needed: _Names, keep: timedelta, sweep: Sweep) -> None:
    for part in _paths(folder):
        for file in _paths(part):
            if file.suffix in (".part", ".partial"):
                sweep.file("half-written files", file, HALF_WRITTEN)
            elif (named := _CANDIDATE.match(file.name)) is None:
                continue  # not ours
            elif named[1] in needed:
                sweep.keep("candidates' files")
            else:
                sweep.file("candidates' files", file, keep)


def _clean_references(folder: Path, needed: _Names, keep: timedelta, sweep: Sweep) -> None:
    for part in _paths(folder):
        if part.name.startswith(_ASIDE):
            sweep.folder("folders of drafts", part, ABANDONED)
            continue
        for one in _paths(part):
            if one.name.startswith("."):
                if one.is_dir():
                    sweep.folder("folders of drafts", one, ABANDONED)
            elif _REFERENCE.fullmatch(one.name) is None:
                continue  # what could not be drawn, and why
            elif one.name in needed:
                sweep.keep("references")
            else:
                sweep.folder("references", one, keep)


def clean_uploads(bucket: Bucket, prefix: str, sweep: Sweep) -> None:
    """Give up the writes into the bucket that were begun more than a day ago and never finished."""
    for one in bucket.unfinished(prefix):
        if one.begun >= sweep.now - ABANDONED:
            sweep.keep("unfinished uploads")
        elif sweep.remove("unfinished uploads", one.size):
            bucket.abandon(one)


def clean_objects(bucket: Bucket, ledger: Ledger, root: str, keep: timedelta, sweep: Sweep) -> None:
    """Remove a catalog's pictures from the bucket that the ledger never noted, where older than `keep`.

    They are left by runs that were killed between upload and note. What was ever published stays, for old
    releases name it.

    Parameters
    ----------
    root
        What all of the catalog's keys begin with.

    Raises
    ------
    FixSettings
        Where an environment shows a release that this ledger does not know: the pictures are another's too.
    """
    for one in bucket.entries(f"{root}/environments/"):
        manifest = json.loads(bucket.get(one.key)).get("manifest", "")
        if not ledger.upkeep.is_release(manifest):
            raise FixSettings(
                f"Bucket: {one.key} shows a release that ledger {ledger.url} does not know, so its pictures "
                f"are another ledger's too; clean the bucket with that one."
            )
    with _Names() as needed:
        needed.add(ledger.upkeep.keys())
        for one in bucket.entries(f"{root}/images/"):
            if one.key in needed or one.modified >= sweep.now - keep:
                sweep.keep("objects")
            elif sweep.remove("objects", one.size):
                bucket.delete(one.key)


class _Names:
    """A set of names that is as large as it must be and in no memory: a database that lives as long as it."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> _Names:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, names: Iterable[str]) -> None:
        """Add names; those that are there already change nothing."""
        self._database.executemany("INSERT OR IGNORE INTO names VALUES (?)", ((name,) for name in names))

    def __contains__(self, name: str) -> bool:
        return self._database.execute("SELECT 1 FROM names WHERE name = ?", (name,)).fetchone() is not None


def _paths(folder: Path) -> Iterator[Path]:
    """What is in a folder; nothing where it is none."""
    try:
        with os.scandir(folder) as found:
            yield from (Path(one.path) for one in found)
    except (FileNotFoundError, NotADirectoryError):
        return
