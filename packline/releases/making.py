"""Making a release: the manifest, then the ledger, then the pointer; each once, whenever it is killed."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packline.errors import TryAgain
from packline.fingerprint import digest
from packline.ledger.moving import HELD
from packline.releases.manifest import Writer, Written, read_file
from packline.releases.moving import Look, look, swap
from packline.releases.presence import Needed, check_present
from packline.releases.records import Item, Release
from packline.releases.site import Site

_TURNS = 20
_FOLDER = "release-"


@dataclass(frozen=True)
class Made:
    """A run's release.

    Parameters
    ----------
    changed
        Whether the environment shows it since now.
    held
        Whether the environment was left alone because a person rolled it back.
    sentence
        For a person.
    """

    environment: str
    release: Release
    changed: bool
    held: bool
    sentence: str


def publish_release(site: Site, environment: str, run: str, folder: Path) -> Made | None:
    """Write an immutable manifest of what the catalog shows now, then let an environment point at it.

    The same pictures give the same manifest, so a run that changed nothing moves no pointer.

    Parameters
    ----------
    folder
        For the manifest's files while they are written.

    Returns
    -------
    Made or None
        None where there is nothing to show and the environment never showed anything.

    Raises
    ------
    ValueError
        Where a picture has neither a passing scorecard nor a person's approval.
    GiveUp
        Where an object is not in the bucket: a manifest names no picture that a reader could not get.
    """
    mark = site.ledger.releases.mark(site.catalog)
    folder.mkdir(parents=True, exist_ok=True)
    # catalogs may share a work folder, and each has one run at a time
    own = f"{_FOLDER}{digest(site.catalog)}-"
    for left in folder.glob(f"{own}*"):
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    with tempfile.TemporaryDirectory(prefix=own, dir=folder) as aside:
        written = _write(site, Path(aside))
        if not written.images and not look(site, environment).pointer.release:
            return None
        release = _store(site, written, run)
    made = _show(site, environment, release, run)
    site.ledger.releases.confirm(site.catalog, environment, release.id, mark)
    return made


def _write(site: Site, folder: Path) -> Written:
    """Write the manifest's files and make sure that all it names is there."""
    writer, needed = Writer(folder, site.tenant, site.catalog), Needed(folder)
    try:
        for image in site.ledger.releases.images(site.catalog):
            writer.add(image)
            needed.add(image)
        written = writer.close()
        if written.files:
            check_present(site.bucket, site.images, needed)
    finally:
        needed.close()
    return written


def _store(site: Site, written: Written, run: str) -> Release:
    key, parquet = site.manifest_keys(written.sha256, written.parquet_sha256)
    release = Release(
        id=written.sha256[:16],
        catalog=site.catalog,
        key=key,
        sha256=written.sha256,
        size=written.size,
        parquet=parquet,
        parquet_sha256=written.parquet_sha256,
        parquet_size=written.parquet_size,
        images=written.images,
        files=written.files,
        total=written.total,
        run=run,
    )
    site.bucket.put_file(key, written.json, "application/json")
    known = site.ledger.releases.get(site.catalog, release.id)
    if known is not None and known.parquet != parquet and site.bucket.exists(known.parquet):
        return known
    site.bucket.put_file(parquet, written.parquet, "application/vnd.apache.parquet")
    if known is not None:
        return known
    return site.ledger.releases.note(release, (Item.of(image) for image in read_file(written.json)))


def _show(site: Site, environment: str, release: Release, run: str) -> Made:
    pictures = f"{release.images} picture{'' if release.images == 1 else 's'}"
    for _ in range(_TURNS):
        seen = look(site, environment)
        before = seen.pointer.release
        if before == release.id:
            said = f"Environment {environment} still shows {pictures} (release {release.id})."
            return Made(environment, release, False, False, said)
        if seen.standing.held:
            return _hold(site, seen, release, run)
        if swap(site, seen, release, "release", by="run", run=run):
            said = f"Environment {environment} now shows {pictures} (release {release.id}"
            if before:
                said += f"; {site.ledger.releases.changes(site.catalog, before, release.id)}"
            return Made(environment, release, True, False, f"{said}).")
    raise TryAgain(f"Environment {environment} of {site.catalog} keeps moving; try again.", 5)


def _hold(site: Site, seen: Look, release: Release, run: str) -> Made:
    """A run does not undo what a person did: it offers its release and leaves the rest to people."""
    environment = seen.standing.environment
    if seen.standing.wanted != release.id:
        place = (seen.pointer.key, "", "")
        site.ledger.moves.begin(
            site.catalog,
            environment,
            "release",
            seen.pointer.release,
            release.id,
            place,
            by="run",
            run=run,
            outcome=HELD,
        )
    said = f"{seen.standing.sentence} It would now show release {release.id}."
    return Made(environment, release, False, True, said)
