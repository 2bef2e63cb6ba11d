"""LoRA presets as the ledger knows them: every version of each, what each was seen to do, and who used it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from packline.fingerprint import digest
from packline.ledger import schema as t
from packline.ledger.database import insert_once
from packline.ledger.part import Part


@dataclass(frozen=True)
class PresetFacts:
    """A preset as the list and its file have it.

    Parameters
    ----------
    content
        The list's entry.
    sha256, architecture
        Of its file, and the model that its tensors fit; empty where it cannot be read.
    sentence
        What keeps it from use; empty where nothing does.
    """

    label: str
    content: Mapping[str, Any]
    sha256: str
    architecture: str
    sentence: str

    @property
    def digest(self) -> str:
        """Of everything but the label."""
        return digest(dict(self.content), self.sha256, self.architecture, self.sentence)


@dataclass(frozen=True)
class PresetVersion:
    """A version of a preset, or the note that it is no longer in the list.

    Parameters
    ----------
    file
        The list that it was read from.
    by
        The run or the person that imported it.
    """

    id: int
    file: Path
    facts: PresetFacts
    gone: bool
    by: str
    when: datetime


@dataclass(frozen=True)
class Imported:
    """What an import came to: labels."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effect:
    """What a preset was seen to do, at one seed.

    Parameters
    ----------
    engine
        ``Engine.describe()``.
    difference, changed
        Mean CIEDE2000 between the pictures with it and without, and share of the pixels that differ.
    untriggered, untriggered_changed
        The same with its trigger words left out of the prompt; None where it has none.
    words_alone
        Mean CIEDE2000 that the trigger words make without the LoRA.
    least
        The difference that was asked for.
    folder
        Where the pictures lie.
    """

    engine: Mapping[str, Any]
    shot: str
    prompt: str
    seed: int
    strength: float
    difference: float
    changed: float
    untriggered: float | None
    untriggered_changed: float | None
    words_alone: float | None
    least: float
    works: bool
    folder: str


@dataclass(frozen=True)
class SeenEffect:
    """An effect in the ledger.

    Parameters
    ----------
    present
        Whether the preset is still what it was then.
    """

    effect: Effect
    by: str
    when: datetime
    present: bool


class PresetHistory(Part):
    """The tables `presets`, `preset_effects` and `candidate_loras`."""

    def import_(self, catalog: str, file: Path, found: Sequence[PresetFacts], by: str) -> Imported:
        """Note what is new in a catalog's list; a preset that it no longer has is marked, never deleted.

        Parameters
        ----------
        found
            All presets of the list.
        by
            A run, or a person.
        """
        new: list[str] = []
        changed: list[str] = []
        same: list[str] = []
        with self._write() as connection:
            known = _latest(connection, catalog)
            rows = []
            for one in found:
                before = known.pop(one.label, None)
                if before is not None and not before.gone and before.facts.digest == one.digest:
                    same.append(one.label)
                    continue
                (changed if before is not None and not before.gone else new).append(one.label)
                rows.append(_row(catalog, file, one, by, gone=False))
            gone = [before for before in known.values() if not before.gone]
            rows += [_row(catalog, file, one.facts, by, gone=True) for one in gone]
            if rows:
                connection.execute(insert(t.presets), rows)
        return Imported(tuple(new), tuple(changed), tuple(one.facts.label for one in gone), tuple(same))

    def latest(self, catalog: str) -> dict[str, PresetVersion]:
        """The last version of every preset that a catalog ever had, by label."""
        with self._reader.connect() as connection:
            return _latest(connection, catalog)

    def versions(self, catalog: str, label: str) -> list[PresetVersion]:
        """All versions of a preset, the first first."""
        c = t.presets.c
        query = select(t.presets).where(c.catalog == catalog, c.label == label).order_by(c.id)
        with self._reader.connect() as connection:
            return [_version(row) for row in connection.execute(query)]

    def of_candidate(self, candidate: str) -> list[PresetVersion]:
        """The versions that a candidate was made with, in the order of its stack."""
        u = t.candidate_loras.c
        query = select(t.presets).join(t.candidate_loras).where(u.candidate == candidate).order_by(u.position)
        with self._reader.connect() as connection:
            return [_version(row) for row in connection.execute(query)]

    def record_effect(self, catalog: str, label: str, effect: Effect, by: str) -> None:
        """Append what the present version of a preset was seen to do."""
        with self._write() as connection:
            preset = _latest(connection, catalog)[label].id
            connection.execute(insert(t.preset_effects), [{**asdict(effect), "preset": preset, "by": by}])

    def effects(self, catalog: str) -> dict[str, SeenEffect]:
        """What each preset was last seen to do, by label."""
        e, p = t.preset_effects.c, t.presets.c
        last = select(func.max(e.id)).join(t.presets).where(p.catalog == catalog).group_by(p.label)
        query = select(t.preset_effects, p.label).join(t.presets).where(e.id.in_(last))
        with self._reader.connect() as connection:
            present = {label: version.id for label, version in _latest(connection, catalog).items()}
            return {
                row.label: SeenEffect(
                    Effect(**{name: row._mapping[name] for name in Effect.__dataclass_fields__}),
                    row.by,
                    row.recorded,
                    present[row.label] == row.preset,
                )
                for row in connection.execute(query)
            }


def link_candidate(
    connection: Connection, run: str, candidate: str, loras: Sequence[Mapping[str, Any]]
) -> None:
    """Note which versions of its presets a candidate was made with.

    Parameters
    ----------
    loras
        ``Recipe.loras``.
    """
    if not loras:
        return
    p = t.presets.c
    catalog = select(t.runs.c.catalog).where(t.runs.c.id == run).scalar_subquery()
    query = (
        select(p.label, p.sha256, func.max(p.id))
        .where(p.catalog == catalog, p.label.in_([one["label"] for one in loras]), ~p.gone)
        .group_by(p.label, p.sha256)
    )
    found = {(row[0], row[1]): row[2] for row in connection.execute(query)}
    rows = [
        {"candidate": candidate, "position": position, "preset": found[one["label"], one["sha256"]]}
        for position, one in enumerate(loras)
        # a ledger of another line may never have seen the list
        if (one["label"], one["sha256"]) in found
    ]
    insert_once(connection, t.candidate_loras, rows)


def _row(catalog: str, file: Path, facts: PresetFacts, by: str, *, gone: bool) -> dict[str, Any]:
    plain = {**vars(facts), "content": dict(facts.content), "digest": facts.digest}
    return {**plain, "catalog": catalog, "file": str(file), "gone": gone, "by": by}


def _latest(connection: Connection, catalog: str) -> dict[str, PresetVersion]:
    c = t.presets.c
    last = select(func.max(c.id)).where(c.catalog == catalog).group_by(c.label)
    query: Select[Any] = select(t.presets).where(c.id.in_(last)).order_by(c.id)
    return {row.label: _version(row) for row in connection.execute(query)}


def _version(row: Any) -> PresetVersion:
    facts = PresetFacts(row.label, row.content, row.sha256, row.architecture, row.sentence)
    return PresetVersion(row.id, Path(row.file), facts, row.gone, row.by, row.recorded)
