"""Where a catalog's releases lie: manifests and pointers in the bucket, their history in the ledger."""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packline.bucket import Bucket, escape, open_bucket
from packline.errors import GiveUp
from packline.releases.manifest import read_file
from packline.releases.presence import Needed, check_present
from packline.releases.records import Item, Release
from packline.settings import Settings

if TYPE_CHECKING:
    from packline.ledger import Ledger

FORMAT = 2
"""Of the pointer; readers refuse another."""


@dataclass(frozen=True)
class Site:
    """A catalog's releases.

    Parameters
    ----------
    tenant, catalog
        As in the settings.
    """

    bucket: Bucket
    ledger: Ledger
    tenant: str
    catalog: str

    @property
    def root(self) -> str:
        """What all of the catalog's keys begin with."""
        return f"{self.tenant}/{escape(self.catalog)}"

    @property
    def images(self) -> str:
        """What the keys of all its pictures begin with."""
        return f"{self.root}/images/"

    def pointer_key(self, environment: str) -> str:
        """Where an environment's pointer lies."""
        return f"{self.root}/environments/{environment}.json"

    def manifest_keys(self, sha256: str, parquet_sha256: str) -> tuple[str, str]:
        """Where a manifest lies as JSON and as Parquet."""
        # another version of the Parquet library writes the same content with other bytes
        stem = f"{self.root}/releases/{sha256[:16]}"
        return f"{stem}.json", f"{stem}-{parquet_sha256[:8]}.parquet"


@dataclass(frozen=True)
class Pointer:
    """An environment's pointer as it was read.

    Parameters
    ----------
    body
        Its bytes; None where there is none.
    said
        What it says.
    """

    key: str
    body: bytes | None
    said: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Hash of its bytes; empty where there is none."""
        return "" if self.body is None else hashlib.sha256(self.body).hexdigest()

    @property
    def release(self) -> str:
        """Id of the release that readers see; empty where they see none."""
        return str(self.said.get("sha256", ""))[:16]


def read_pointer(site: Site, environment: str) -> Pointer:
    """What an environment shows, for a reader.

    Raises
    ------
    GiveUp
        Where its pointer is no pointer, or was written by a newer Packline.
    """
    key = site.pointer_key(environment)
    try:
        body = site.bucket.get(key)
    except KeyError:
        return Pointer(key, None, {})
    try:
        said = json.loads(body)
        known = said["format"]
        if not said["manifest"] or not said["sha256"]:
            raise KeyError
    except (ValueError, KeyError, TypeError) as error:
        raise GiveUp(f"Pointer {key} names no manifest; move it away and promote a release anew.") from error
    if known > FORMAT:
        raise GiveUp(f"Pointer {key} was written by a newer Packline (format {known}); update this one.")
    return Pointer(key, body, said)


def pointer_body(release: Release, kind: str, before: str, by: str, run: str) -> bytes:
    """A pointer's bytes, which no other pointer will ever have."""
    said = {
        "format": FORMAT,
        "release": release.id,
        "manifest": release.key,
        "sha256": release.sha256,
        "parquet": release.parquet,
        "parquet_sha256": release.parquet_sha256,
        "images": release.images,
        "files": release.files,
        "bytes": release.total,
        "kind": kind,
        "before": before,
        "by": by,
        "run": run,
        "moved": datetime.now(UTC).isoformat(timespec="seconds"),
        "move": secrets.token_hex(8),
    }
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()


def fetch_manifest(site: Site, key: str, sha256: str, folder: Path) -> Path:
    """Bring a manifest here and return its file.

    Raises
    ------
    GiveUp
        Where it is not in the bucket, or has other bytes than it should.
    """
    file = folder / f"{sha256[:16]}.json"
    try:
        site.bucket.get_to_file(key, file, sha256)
    except KeyError:
        raise GiveUp(f"Manifest {key} is not in the bucket; release what it showed anew.") from None
    return file


def check_release(site: Site, release: Release) -> None:
    """Make sure that a reader gets all of a release: its manifest and every object that it names.

    Raises
    ------
    GiveUp
        Where something is missing or is not what the manifest says.
    """
    with tempfile.TemporaryDirectory(prefix="packline-") as folder:
        needed = Needed(Path(folder))
        try:
            for image in read_file(fetch_manifest(site, release.key, release.sha256, Path(folder))):
                needed.add(image)
            if release.parquet and not site.bucket.exists(release.parquet):
                raise GiveUp(f"Manifest {release.parquet} is not in the bucket; release what it showed anew.")
            check_present(site.bucket, site.images, needed)
        finally:
            needed.close()


def adopt(site: Site, pointer: Pointer) -> Release:
    """Note in the ledger the release that a pointer of somebody else's shows.

    Raises
    ------
    GiveUp
        As `fetch_manifest`.
    """
    said = pointer.said
    with tempfile.TemporaryDirectory(prefix="packline-") as folder:
        file = fetch_manifest(site, said["manifest"], said["sha256"], Path(folder))
        images = files = total = 0
        for image in read_file(file):
            images += 1
            files += len(image.files)
            total += sum(one.size for one in image.files)
        release = Release(
            id=pointer.release,
            catalog=site.catalog,
            key=said["manifest"],
            sha256=said["sha256"],
            size=file.stat().st_size,
            parquet=said.get("parquet", ""),
            parquet_sha256=said.get("parquet_sha256", ""),
            images=images,
            files=files,
            total=total,
        )
        return site.ledger.releases.note(release, (Item.of(image) for image in read_file(file)))


def open_site(settings: Settings) -> Site:
    """A catalog's releases, by its settings.

    Raises
    ------
    FixSettings
        Where the ledger or the bucket cannot be opened.
    """
    from packline.ledger import Ledger

    return Site(
        open_bucket(settings.bucket), Ledger(settings.ledger.url), settings.run.tenant, settings.run.name
    )
