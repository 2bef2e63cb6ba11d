"""What releases are made of: plain records, no database types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packline.fingerprint import digest

KINDS = ("release", "promotion", "rollback", "found")
"""Ways in which an environment's pointer moves; "found" is a move that no ledger of ours knew of."""


@dataclass(frozen=True)
class File:
    """An object that the shop gets of a picture.

    Parameters
    ----------
    use, format
        What it is for ("hero", "thumbnail") and what it is ("png", "jpeg", "webp", "avif").
    width, height
        Pixels; 0 where the ledger of an older Packline did not note them.
    key, sha256, size
        Where it lies in the bucket, the hash of its bytes (64 hexadecimal digits) and their number.
    """

    use: str
    format: str
    width: int
    height: int
    key: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Image:
    """A picture of a release, with what a reader asks of it; the ledger has the rest of its lineage.

    Parameters
    ----------
    parts
        What the fingerprint covers, eight digits of each digest by name: enough to say what changed.
    engine
        ``{"name", "architecture", "weights_sha256"}``.
    loras
        ``({"label", "sha256", "strength"}, ...)``.
    checks
        Digest of the checks that the scorecard was made under.
    passed, score
        The scorecard's verdict and how far its weakest check lies from its threshold (0.5 is on it).
    overridden
        Whether a person approved the picture although it had not passed.
    decided
        Who chose it: "checks", or a person.
    files
        By use.
    """

    shot: str
    sku: str
    title: str
    scene: str
    view: str
    candidate: str
    fingerprint: str
    files: tuple[File, ...]
    seed: int = 0
    engine: Mapping[str, Any] = field(default_factory=dict)
    loras: tuple[Mapping[str, Any], ...] = ()
    checks: str = ""
    passed: bool = False
    overridden: bool = False
    score: float = 0.0
    decided: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, as the manifest has it."""
        # not asdict, which copies deeply: this is called a million times
        return {
            **self.__dict__,
            "engine": dict(self.engine),
            "loras": [dict(one) for one in self.loras],
            "parts": dict(self.parts),
            "files": [one.__dict__ for one in self.files],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Image:
        """Read what `to_dict` wrote."""
        files = tuple(File(**one) for one in data["files"])
        return Image(**{**data, "files": files, "loras": tuple(data["loras"])})


@dataclass(frozen=True)
class Release:
    """An immutable manifest.

    Parameters
    ----------
    id
        The first 16 digits of `sha256`: the same content has the same name.
    key, sha256, size
        The manifest's object (JSON), the hash of its bytes and their number.
    parquet, parquet_sha256, parquet_size
        The same content as Parquet; empty for releases that an older Packline made.
    images, files, total
        How many pictures and objects it lists, and those objects' bytes.
    run, made
        The run that made it first and when (UTC, ISO 8601); empty where this ledger only found it.
    """

    id: str
    catalog: str
    key: str
    sha256: str
    size: int
    parquet: str = ""
    parquet_sha256: str = ""
    parquet_size: int = 0
    images: int = 0
    files: int = 0
    total: int = 0
    run: str = ""
    made: str = ""


@dataclass(frozen=True)
class Item:
    """A shot in a release, as far as the ledger must know it to say what a later release changes."""

    shot: str
    candidate: str
    fingerprint: str
    checks: str
    decided: str
    files: str
    parts: Mapping[str, str]

    @staticmethod
    def of(image: Image) -> Item:
        """What the ledger keeps of a picture in a manifest."""
        files = digest([(file.use, file.key) for file in image.files])
        named = (image.shot, image.candidate, image.fingerprint, image.checks, image.decided)
        return Item(*named, files, image.parts)


@dataclass(frozen=True)
class Changes:
    """How many pictures one release shows otherwise than another; `removed` are retired."""

    added: int = 0
    removed: int = 0
    changed: int = 0

    def __str__(self) -> str:
        said = [f"{count} {word}" for word, count in self.__dict__.items() if count]
        return ", ".join(said) or "the same pictures"


@dataclass(frozen=True)
class Move:
    """One move of an environment's pointer.

    Parameters
    ----------
    kind
        One of `KINDS`.
    before, after
        Ids of the releases that it showed and shows; `before` is empty the first time.
    by, why
        Who moved it, and that person's words.
    run
        The catalogue run that it belongs to; empty for a person's move.
    moved
        When, UTC, ISO 8601.
    outcome
        "moved"; "held" where a run's release was made and a rolled back environment left alone.
    """

    number: int
    environment: str
    kind: str
    before: str
    after: str
    by: str
    why: str
    run: str
    moved: str
    outcome: str


@dataclass(frozen=True)
class Standing:
    """Where an environment stands, as the ledger has it.

    Parameters
    ----------
    shown
        Id of the release that readers see; empty where it shows nothing yet.
    wanted
        Id of the last release that was made for it or promoted to it; another one than `shown` after a
        rollback, until a person promotes again.
    trail
        Ids of the releases that a rollback would take away one by one, the shown one last.
    last
        The move that led here.
    """

    environment: str
    shown: str = ""
    wanted: str = ""
    trail: tuple[str, ...] = ()
    last: Move | None = None

    @property
    def held(self) -> bool:
        """Whether a person rolled it back: runs leave it alone until a person promotes."""
        return self.last is not None and self.last.kind == "rollback"

    @property
    def sentence(self) -> str:
        """Who holds it and why, for a person; empty where nobody does."""
        if self.last is None or not self.held:
            return ""
        why = f" ({self.last.why})" if self.last.why else ""
        who = self.last.by or "nobody known"
        return (
            f"Environment {self.environment} was rolled back to {self.shown} by {who}{why}; runs leave it "
            f"there until somebody promotes to it."
        )
