"""What one release shows otherwise than another: two manifests, read side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from packline.errors import FixSettings
from packline.releases.manifest import read_file
from packline.releases.records import File, Image
from packline.releases.site import Site, fetch_manifest, read_pointer


class Kind(StrEnum):
    """How a shot differs; judged anew is the same picture in the same files, by other checks or people."""

    ADDED = "added"
    RETIRED = "retired"
    CHANGED = "changed"
    JUDGED = "judged anew"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Difference:
    """A shot in two releases.

    Parameters
    ----------
    before, after
        None where that release does not show it.
    why
        What changed, in words: "the 3D model changed".
    """

    kind: Kind
    before: Image | None
    after: Image | None
    why: str = ""

    @property
    def image(self) -> Image:
        """What is shown now, or was shown last."""
        one = self.after or self.before
        assert one is not None
        return one

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        one = self.image
        return {
            "kind": str(self.kind),
            "shot": one.shot,
            "sku": one.sku,
            "title": one.title,
            "before": self.before.candidate if self.before else "",
            "after": self.after.candidate if self.after else "",
            "why": self.why,
        }


@dataclass(frozen=True)
class Side:
    """One of two releases that are compared.

    Parameters
    ----------
    name
        As a person gave it.
    id
        The release's; empty for a manifest's file.
    file
        Its manifest; None where it shows nothing.
    """

    name: str
    id: str
    file: Path | None

    def images(self) -> Iterator[Image]:
        """Its pictures by shot."""
        return iter(()) if self.file is None else read_file(self.file)


def find_side(site: Site, name: str, environments: Iterable[str], folder: Path) -> Side:
    """A release by an environment's name, by the first digits of its id, or by a manifest's file.

    Parameters
    ----------
    folder
        Where manifests from the bucket go.

    Raises
    ------
    FixSettings
        Where it is none of them.
    GiveUp
        Where its manifest cannot be read.
    """
    if name in environments:
        pointer = read_pointer(site, name)
        if pointer.body is None:
            return Side(name, "", None)
        said = pointer.said
        return Side(name, pointer.release, fetch_manifest(site, said["manifest"], said["sha256"], folder))
    if name.endswith((".json", ".parquet")):
        if not Path(name).is_file():
            raise FixSettings(f"There is no manifest {name}; name another file, a release or an environment.")
        return Side(name, "", Path(name))
    release = site.ledger.releases.find(site.catalog, name)
    return Side(name, release.id, fetch_manifest(site, release.key, release.sha256, folder))


def compare(before: Iterable[Image], after: Iterable[Image]) -> Iterator[Difference]:
    """Every shot of either release once, by shot, unchanged ones included; only two pictures are held."""
    olds, news = iter(before), iter(after)
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.shot < new.shot):
            yield Difference(Kind.RETIRED, old, None)
            old = next(olds, None)
        elif old is None or new.shot < old.shot:
            yield Difference(Kind.ADDED, None, new)
            new = next(news, None)
        else:
            yield _difference(old, new)
            old, new = next(olds, None), next(news, None)


def _difference(old: Image, new: Image) -> Difference:
    if old == new:
        return Difference(Kind.UNCHANGED, old, new)
    if old.fingerprint != new.fingerprint:
        return Difference(Kind.CHANGED, old, new, changed_parts(old, new))
    if old.candidate != new.candidate:
        who = "" if new.decided in ("", "checks") else f" by {new.decided}"
        return Difference(Kind.CHANGED, old, new, f"another candidate was chosen{who}")
    if files := _changed_files(old, new):
        return Difference(Kind.CHANGED, old, new, files)
    if old.decided != new.decided:
        return Difference(Kind.JUDGED, old, new, f"decided by {new.decided}, before by {old.decided}")
    if (old.checks, old.score, old.passed) != (new.checks, new.score, new.passed):
        return Difference(Kind.JUDGED, old, new, f"scores {new.score:.2f}, before {old.score:.2f}")
    return Difference(Kind.CHANGED, old, new, "its words changed")


def changed_parts(old: Image, new: Image) -> str:
    """Which part of the fingerprint changed, in words."""
    names = [name for name in new.parts if old.parts.get(name) != new.parts[name]]
    names += [name for name in old.parts if name not in new.parts]
    if not old.parts or not names:
        return "made anew"
    return f"{names[0] if len(names) == 1 else ', '.join(names[:-1]) + ' and ' + names[-1]} changed"


def _changed_files(old: Image, new: Image) -> str:
    def by_use(image: Image) -> dict[str, File]:
        return {f"{file.use} ({file.format})": file for file in image.files}

    olds, news = by_use(old), by_use(new)
    found = {
        "added": [name for name in news if name not in olds],
        "no longer": [name for name in olds if name not in news],
        "made anew": [name for name in news if name in olds and olds[name].key != news[name].key],
    }
    return "; ".join(f"files {what}: {', '.join(names)}" for what, names in found.items() if names)
