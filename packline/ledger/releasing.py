"""The ledger's side of releases: what one would show, what each one shows, and whether one is due.

What a release shows is noted as what it changes: `release_items` has a row for each shot that a catalog's
release shows otherwise than the one made before it. A shot's row with the highest release up to N is what N
shows of it.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    func,
    insert,
    literal,
    or_,
    select,
)

from packline.errors import FixSettings
from packline.fingerprint import digest
from packline.ledger import leases
from packline.ledger import schema as t
from packline.ledger.database import upsert
from packline.ledger.files import shown_files
from packline.ledger.moving import standing_of
from packline.ledger.part import Part
from packline.ledger.reading import _utc, present
from packline.ledger.showing import bytewise, file_of, image_of, last_item, pictures_now, standing_now
from packline.releases.records import Changes, File, Image, Item, Release

_PAGE = 1000  # shots whose files are asked for together
_BATCH = 5000  # rows that are written together


class Releases(Part):
    """Releases of a ledger; every call is one transaction."""

    def due(self, catalog: str, environment: str) -> bool:
        """Whether a release made now would show something else than the last one made for an environment.

        An environment that a person rolled back is compared with what it was rolled back from.
        """
        with self._reader.connect() as connection:
            wanted = standing_of(connection, catalog, environment).wanted
            if not wanted:
                return bool(
                    connection.scalar(select(standing_now(connection, catalog).subquery().select().exists()))
                )
            release = connection.execute(
                select(t.releases).where(t.releases.c.catalog == catalog, t.releases.c.name == wanted)
            ).one()
            if _other_files(connection, catalog, environment, release.id):
                return True
            return bool(connection.scalar(_differs(connection, catalog, release.id, release.images)))

    def images(self, catalog: str) -> Iterator[Image]:
        """What a release made now would show, by shot in the order of the names' code points.

        It shows every present shot that is published. One that is not keeps what the last release showed of
        it, unless somebody judged that very picture anew: a picture that is being made again, or whose row is
        broken for now, leaves no hole in the shop. A shot that is no longer in the catalog is gone.

        Raises
        ------
        ValueError
            Where a picture has neither a passing scorecard nor a person's approval, or no file.
        """
        with self._reader.connect() as connection:
            rows = iter(
                connection.execution_options(yield_per=_PAGE).execute(pictures_now(connection, catalog))
            )
            while page := list(islice(rows, _PAGE)):
                files: dict[str, list[File]] = defaultdict(list)
                wanted = [row.candidate for row in page]
                for one in connection.execute(
                    shown_files(catalog, t.publications.c.candidate.in_(wanted)),
                    execution_options={"yield_per": None},
                ):
                    files[one.candidate].append(file_of(one))
                for row in page:
                    yield image_of(row, sorted(files[row.candidate], key=lambda file: file.use))

    def mark(self, catalog: str) -> dict[str, Any]:
        """Which files the ledger knows at this moment; for `confirm`, and to be read before `images`."""
        with self._reader.connect() as connection:
            return _mark(connection, catalog)

    def confirm(self, catalog: str, environment: str, release: str, mark: dict[str, Any]) -> None:
        """Note that an environment's last release shows all that the ledger had at a mark."""
        with self._write() as connection:
            number = _number(connection, catalog, release)
            row = {"catalog": catalog, "environment": environment, "release": number, **mark}
            upsert(connection, t.release_marks, [row], ("release", "publication", "deliveries"))

    def note(self, release: Release, items: Iterable[Item]) -> Release:
        """Note a release with what it shows; the same again changes nothing.

        Parameters
        ----------
        items
            All that it shows, by shot in the order of the names' code points.

        Returns
        -------
        Release
            As it was noted first.
        """
        noted = self.get(release.catalog, release.id)
        if noted is not None:
            return noted
        with tempfile.TemporaryFile("w+", encoding="utf-8", prefix="packline-") as spool:
            _write_items(spool, items)
            while not self._note(release, spool):
                pass
        found = self.get(release.catalog, release.id)
        assert found is not None
        return found

    def _note(self, release: Release, spool: IO[str]) -> bool:
        """Note it after the last one; False where another came between."""
        c = t.releases.c
        newest = select(func.max(c.id)).where(c.catalog == release.catalog)
        with tempfile.TemporaryFile("w+", encoding="utf-8", prefix="packline-") as changes:
            with self._reader.connect() as connection:
                last = connection.scalar(newest) or 0
                spool.seek(0)
                _write_changes(changes, _contents(connection, release.catalog, last), map(json.loads, spool))
            with self._write() as connection:
                if release.run:
                    leases.refuse_lost(connection, release.run)
                # whoever notes a release of this catalog waits here on PostgreSQL; SQLite has one writer
                # anyway
                connection.execute(
                    select(t.catalogs.c.name).where(t.catalogs.c.name == release.catalog).with_for_update()
                )
                if (connection.scalar(newest) or 0) != last:
                    return False
                number = connection.execute(
                    insert(t.releases).values(_release_row(release))
                ).inserted_primary_key
                assert number is not None
                changes.seek(0)
                lines = map(json.loads, changes)
                while batch := list(islice(lines, _BATCH)):
                    place = {"catalog": release.catalog, "release": number[0]}
                    connection.execute(insert(t.release_items), [{**one, **place} for one in batch])
        return True

    def changes(self, catalog: str, before: str, after: str) -> Changes:
        """How much a release shows otherwise than another; an empty id is a release of nothing."""
        with self._reader.connect() as connection:
            numbers = [_number(connection, catalog, name) if name else 0 for name in (before, after)]
            return _count_changes(connection, catalog, *numbers)

    def get(self, catalog: str, name: str) -> Release | None:
        """A release by its id."""
        c = t.releases.c
        with self._reader.connect() as connection:
            row = connection.execute(
                select(t.releases).where(c.catalog == catalog, c.name == name)
            ).one_or_none()
            return None if row is None else _release(row)

    def find(self, catalog: str, name: str) -> Release:
        """A release by the first digits of its id, as a person types it.

        Raises
        ------
        FixSettings
            Where there is none, or more than one.
        """
        c = t.releases.c
        query = select(t.releases).where(c.catalog == catalog, c.name.startswith(name, autoescape=True))
        with self._reader.connect() as connection:
            found = [_release(row) for row in connection.execute(query.limit(2))]
        if not name or not found:
            raise FixSettings(
                f"Catalogue {catalog} has no release {name or '(no id)'}; packline release list names them."
            )
        if len(found) > 1:
            raise FixSettings(f"More than one release of {catalog} begins with {name}; give more digits.")
        return found[0]

    def latest(self, catalog: str, most: int) -> list[Release]:
        """The last releases, newest first."""
        c = t.releases.c
        query = select(t.releases).where(c.catalog == catalog).order_by(c.id.desc()).limit(most)
        with self._reader.connect() as connection:
            return [_release(row) for row in connection.execute(query)]


# what a release shows


def _contents(connection: Connection, catalog: str, upto: int) -> Iterator[dict[str, Any]]:
    """What a release shows, as rows of `release_items`, by shot."""
    items = t.release_items
    c = items.c
    query = (
        select(c.shot, c.candidate, c.fingerprint, c.checks, c.decided, c.files, c.parts)
        .where(c.catalog == catalog, c.release == last_item(c.shot, catalog, upto), c.gone.is_(False))
        .order_by(bytewise(connection, c.shot))
    )
    for row in connection.execution_options(yield_per=_PAGE).execute(query):
        yield dict(row._mapping)


def _count_changes(connection: Connection, catalog: str, before: int, after: int) -> Changes:
    """Only shots of which a release between the two says something can be shown otherwise."""
    items, old, new = t.release_items, t.release_items.alias("old"), t.release_items.alias("new")
    between = (
        select(items.c.shot)
        .where(
            items.c.catalog == catalog,
            items.c.release > min(before, after),
            items.c.release <= max(before, after),
        )
        .distinct()
        .subquery()
    )

    def shown(one: Any, upto: int) -> ColumnElement[bool]:
        last = last_item(between.c.shot, catalog, upto)
        return and_(
            one.c.catalog == catalog,
            one.c.shot == between.c.shot,
            one.c.release == last,
            one.c.gone.is_(False),
        )

    other = or_(
        *(old.c[name] != new.c[name] for name in ("candidate", "fingerprint", "checks", "decided", "files"))
    )
    kinds = {
        "added": and_(old.c.shot.is_(None), new.c.shot.is_not(None)),
        "removed": and_(old.c.shot.is_not(None), new.c.shot.is_(None)),
        "changed": and_(old.c.shot.is_not(None), new.c.shot.is_not(None), other),
    }
    row = connection.execute(
        select(
            *(func.coalesce(func.sum(case((one, 1), else_=0)), 0).label(name) for name, one in kinds.items())
        )
        .select_from(between)
        .outerjoin(old, shown(old, before))
        .outerjoin(new, shown(new, after))
    ).one()
    return Changes(**{name: int(count) for name, count in row._mapping.items()})


def _differs(connection: Connection, catalog: str, release: int, images: int) -> Select[Any]:
    """Whether what stands now is another set of pictures than a release shows."""
    one, items = standing_now(connection, catalog).subquery("one"), t.release_items.alias("shown")
    same = and_(
        items.c.catalog == catalog,
        items.c.shot == one.c.shot,
        items.c.release == last_item(one.c.shot, catalog, release),
        items.c.gone.is_(False),
        *(items.c[name] == one.c[name] for name in ("candidate", "fingerprint", "checks", "decided")),
    )
    joined = one.outerjoin(items, same)
    other = select(one.c.shot).select_from(joined).where(items.c.shot.is_(None)).exists()
    count = select(func.count()).select_from(one).scalar_subquery()
    return select(or_(other, count != literal(images)))


def _mark(connection: Connection, catalog: str) -> dict[str, Any]:
    c = t.deliveries.c
    asked = connection.execute(select(c.use, c.delivery).where(c.catalog == catalog).order_by(c.use)).all()
    newest = connection.scalar(select(func.max(t.publications.c.id))) or 0
    return {"publication": newest, "deliveries": digest([list(row) for row in asked])}


def _other_files(connection: Connection, catalog: str, environment: str, release: int) -> bool:
    """Whether a picture may have other files than when the environment's release was made."""
    c, p = t.release_marks.c, t.publications.c
    mark = connection.execute(
        select(t.release_marks).where(
            c.catalog == catalog, c.environment == environment, c.release == release
        )
    ).one_or_none()
    if mark is None:
        return True  # killed before it could be noted; making the same release again is cheap
    if mark.deliveries != _mark(connection, catalog)["deliveries"]:
        return True
    newer = (
        select(p.id)
        .join(t.shots, and_(t.shots.c.key == p.shot, t.shots.c.fingerprint == p.fingerprint))
        .where(p.id > mark.publication, present(catalog))
    )
    return connection.scalar(newer.limit(1)) is not None


def _write_items(spool: IO[str], items: Iterable[Item]) -> None:
    last = None
    for item in items:
        if last is not None and item.shot <= last:
            raise ValueError(f"shot {item.shot} comes after {last} in a release")
        last = item.shot
        spool.write(json.dumps({**item.__dict__, "parts": dict(item.parts)}) + "\n")


def _write_changes(
    changes: IO[str], before: Iterator[dict[str, Any]], after: Iterator[dict[str, Any]]
) -> None:
    """Merge two contents and write the rows that lead from the one to the other."""
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old["shot"] < new["shot"]):
            assert old is not None
            changes.write(json.dumps({**old, "gone": True}) + "\n")
            old = next(before, None)
        elif old is None or new["shot"] < old["shot"]:
            changes.write(json.dumps({**new, "gone": False}) + "\n")
            new = next(after, None)
        else:
            if old != new:
                changes.write(json.dumps({**new, "gone": False}) + "\n")
            old, new = next(before, None), next(after, None)


def _release_row(release: Release) -> dict[str, Any]:
    return {
        "catalog": release.catalog,
        "name": release.id,
        "manifest": release.key,
        "sha256": release.sha256,
        "size": release.size,
        "parquet": release.parquet,
        "parquet_sha256": release.parquet_sha256,
        "parquet_size": release.parquet_size,
        "images": release.images,
        "files": release.files,
        "total": release.total,
        "run": release.run or None,
    }


def _release(row: Row[Any]) -> Release:
    return Release(
        id=row.name,
        catalog=row.catalog,
        key=row.manifest,
        sha256=row.sha256,
        size=row.size,
        parquet=row.parquet,
        parquet_sha256=row.parquet_sha256,
        parquet_size=row.parquet_size,
        images=row.images,
        files=row.files,
        total=row.total,
        run=row.run or "",
        made=_utc(row.recorded).isoformat(timespec="seconds"),
    )


def _number(connection: Connection, catalog: str, name: str) -> int:
    c = t.releases.c
    found = connection.scalar(select(c.id).where(c.catalog == catalog, c.name == name))
    if found is None:
        raise ValueError(f"release {name} of {catalog} was never noted")
    return int(found)
