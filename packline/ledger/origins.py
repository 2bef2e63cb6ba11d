"""From a delivered file back to where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, select

from packline.ledger import schema as t
from packline.ledger.files import published_file
from packline.ledger.reading import _utc
from packline.lineage import lineage_digest
from packline.records import Published


@dataclass(frozen=True)
class Verdict:
    """A decision on a candidate, by the checks or by a person."""

    decision: str
    by: str
    words: str
    when: datetime


@dataclass(frozen=True)
class Origin:
    """What the ledger knows of a delivered file.

    Parameters
    ----------
    catalog, run, when
        In which catalog's run it was published.
    file
        The publication; None where the ledger knows the lineage and not these very bytes.
    lineage
        `packline.lineage.lineage` as it was then; empty for what was published before lineages were kept.
    whole
        Whether the lineage still has the digest under which it was written.
    decisions
        On its candidate, the first first.
    """

    catalog: str
    run: str
    when: datetime
    shot: str
    candidate: str
    file: Published | None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = True
    decisions: tuple[Verdict, ...] = ()


def find_origin(reader: Engine, sha256: str = "", lineage: str = "") -> Origin | None:
    """Where a delivered file came from; None where the ledger does not know it.

    Parameters
    ----------
    sha256
        Of the file's bytes.
    lineage
        The digest that the file names, for a file whose bytes are not ours any more.
    """
    p = t.publications.c
    with reader.connect() as connection:
        row = connection.execute(
            select(t.publications).where(p.sha256 == sha256).order_by(p.id).limit(1)
        ).one_or_none()
        if row is not None:
            found = _lineage(connection, row.lineage)
            facts = found.data if found else {}
            return _origin(connection, row, row.shot, published_file(row), facts, row.lineage)
        found = _lineage(connection, lineage)
        if found is None:
            return None
        return _origin(connection, found, str(found.data.get("shot", "")), None, found.data, lineage)


def _lineage(connection: Connection, digest: str) -> Any:
    return connection.execute(select(t.lineages).where(t.lineages.c.digest == digest)).one_or_none()


def _origin(
    connection: Connection, row: Any, shot: str, file: Published | None, facts: Mapping[str, Any], digest: str
) -> Origin:
    catalog = connection.scalar(select(t.runs.c.catalog).where(t.runs.c.id == row.run))
    d = t.decisions.c
    decisions = connection.execute(select(t.decisions).where(d.candidate == row.candidate).order_by(d.id))
    return Origin(
        catalog=catalog or "",
        run=row.run,
        when=_utc(row.recorded),
        shot=shot,
        candidate=row.candidate,
        file=file,
        lineage=facts,
        whole=not facts or lineage_digest(facts) == digest,
        decisions=tuple(Verdict(one.decision, one.by, one.words, _utc(one.recorded)) for one in decisions),
    )
