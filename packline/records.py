"""What the ledger tells its readers: plain records, no database types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from packline.candidate import Candidate
from packline.scorecard import Scorecard
from packline.shots import Shot, number_of


@dataclass(frozen=True)
class RowError:
    """Why a catalog row cannot be used.

    Parameters
    ----------
    row
        1 is the first product.
    sku
        As written; may be empty.
    field
        The column at fault.
    sentence
        What is wrong and how to mend it.
    shots
        Keys of the shots that the row owed, as far as they can be read.
    title
        As written; may be empty.
    """

    row: int
    sku: str
    field: str
    sentence: str
    shots: tuple[str, ...] = ()
    title: str = ""


class Work(StrEnum):
    """What a run has to do for a shot."""

    MAKE = "make"
    RESCORE = "rescore"
    PUBLISH = "publish"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Wave:
    """Some candidates of a shot that are made together; written down before any of them is made.

    Parameters
    ----------
    number
        Of the wave in its round; 1 is the first.
    first, size
        Number of its first candidate, and how many there are.
    rung
        Of the ladder (`packline.ladder`).
    """

    number: int = 1
    first: int = 0
    size: int = 1
    rung: str = "asked"

    @property
    def numbers(self) -> range:
        """Numbers of its candidates."""
        return range(self.first, self.first + self.size)


@dataclass(frozen=True)
class PlannedShot:
    """A shot with its fingerprints.

    Parameters
    ----------
    fingerprint
        Over everything that determines the candidates' pixels.
    checks
        Over the checks' versions, settings and thresholds; a change rescores and generates nothing.
    work, why
        What is to be done, and why, in words; filled by `Ledger.plan`.
    parts
        What the fingerprint covers: a digest by name ("the 3D model", "the scene", ...), so that the ledger
        can say what changed.
    instructions
        What a person asked of its candidates at the review desk; empty where nobody did.
    """

    shot: Shot
    fingerprint: str
    checks: str
    work: Work = Work.MAKE
    why: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    instructions: Mapping[str, Any] = field(default_factory=dict)


class ShotState(StrEnum):
    """Where a shot stands."""

    TODO = "to do"
    SELECTED = "selected"
    PUBLISHED = "published"
    FLAGGED = "flagged"


@dataclass(frozen=True)
class CandidateRecord:
    """A candidate with its latest scorecard.

    Parameters
    ----------
    checks
        Digest of the checks that the scorecard was made under; empty where there is none.
    """

    candidate: Candidate
    scorecard: Scorecard | None
    checks: str = ""


@dataclass(frozen=True)
class Judgement:
    """What became of a candidate, for statistics.

    Parameters
    ----------
    run
        The run that made it.
    verdicts
        Each check's, by name.
    """

    run: str
    passed: bool
    verdicts: Mapping[str, str]


@dataclass(frozen=True)
class Opinion:
    """A person's decision on a candidate, beside what the checks had said of it.

    Parameters
    ----------
    decision
        "approve" or "reject".
    words
        The person's own.
    tags
        Checks whose business the fault is, where the person said so.
    """

    candidate: str
    decision: str
    by: str
    words: str
    scorecard: Scorecard
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    """An object in the bucket that shows a select.

    Parameters
    ----------
    use
        What the shop shows it as ("hero").
    key, sha256, size
        Where it lies in the bucket, the hash of its bytes (64 hexadecimal digits) and their number.
    existed
        Whether the bucket held it before this call.
    delivery
        Digest of how it was made from the select (`packline.delivery.delivery_digests`).
    width, height
        Pixels.
    lineage
        Digest of where it came from; `Ledger.lineage` has the whole.
    """

    use: str
    key: str
    sha256: str
    size: int
    existed: bool = False
    delivery: str = ""
    width: int = 0
    height: int = 0
    lineage: str = ""


@dataclass(frozen=True)
class ShotRecord:
    """Everything the ledger knows of a shot at its current fingerprint.

    Parameters
    ----------
    references
        Folder of each reference by view name ("scene", "left", "top", "label:side", ...).
    notes
        Sentences on those references: what was approximated, which text is too small to read.
    select
        Id of the chosen candidate, empty where there is none.
    reason, sentence
        For a flag: the failing check's name (or "row", "model", "engine", ...) and the words for a person.
    keys
        Published object keys by format or use ("hero").
    published
        The same objects with their hashes and sizes.
    checks
        Digest of the checks that the present plan asks for.
    parts
        What the fingerprint covers, a digest by name.
    row, model
        The catalog row (1 is the first product) and the 3D model's file.
    decided
        Who chose the select: "checks", or a person.
    product
        Digest of the catalog row's content.
    """

    key: str
    sku: str
    title: str
    scene: str
    view: str
    fingerprint: str
    state: ShotState
    references: dict[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    candidates: tuple[CandidateRecord, ...] = ()
    select: str = ""
    reason: str = ""
    sentence: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    checks: str = ""
    parts: dict[str, str] = field(default_factory=dict)
    row: int = 0
    model: str = ""
    decided: str = ""
    product: str = ""

    @property
    def number(self) -> int:
        """Which picture of its placement it is; 1 is the first."""
        return number_of(self.key)


@dataclass(frozen=True)
class StationTime:
    """What a station took in a run."""

    station: str
    items: int
    seconds: float


@dataclass(frozen=True)
class RunRecord:
    """A run and its outcome."""

    id: str
    catalog: str
    state: str
    started: str
    seconds: float
    parameters: dict[str, Any]
    summary: dict[str, Any]
    stations: tuple[StationTime, ...]
