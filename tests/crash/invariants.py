"""What must be true of a ledger and a bucket at any instant, whoever was killed when.

Knows nothing of Packline's code: it reads the database with its own SQL and the bucket as files.

    python tests/crash/invariants.py --ledger work/ledger.db --bucket work/bucket [--settled]

Prints a sentence for each thing that is not as it must be; exit code 1 where there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATES = {"to do", "selected", "published", "flagged"}
HISTORY = {
    "scorecards": "id",
    "decisions": "id",
    "selects": "id",
    "flags": "id",
    "publications": "id",
    "releases": "id",
    "moves": "id",
    "stations": "id",
    "products": "digest",
}
Row = dict[str, Any]


@dataclass
class Memory:
    """What was there at earlier checks: history must still be there at later ones, unchanged."""

    rows: dict[str, dict[Any, str]] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Book:
    """A ledger's tables as they stand at one instant."""

    tables: dict[str, list[Row]]
    faults: list[str]

    def __getitem__(self, table: str) -> list[Row]:
        return self.tables.get(table, [])

    def by(self, table: str, column: str = "id") -> dict[Any, Row]:
        return {row[column]: row for row in self[table]}


def check(ledger: str, bucket: Path, memory: Memory | None = None, *, settled: bool = False) -> list[str]:
    """Everything that is wrong, a sentence each.

    Parameters
    ----------
    ledger
        A SQLite file, or a URL of PostgreSQL.
    memory
        What earlier checks saw; is brought up to date.
    settled
        Whether the last run went to its end, so that nothing may be left half done either.
    """
    book = read(ledger)
    if not book.tables:
        return [] if not any(bucket.rglob("*.*")) else ["there are objects, and no ledger"]
    objects = {
        path.relative_to(bucket).as_posix(): path
        for path in bucket.rglob("*")
        if path.is_file() and ".partial" not in path.parts and not path.name.startswith(".")
    }
    hashes = {key: sha256(path) for key, path in objects.items()}
    faults = list(book.faults)
    faults += of_candidates(book)
    faults += of_states(book, settled)
    faults += of_publications(book, hashes, objects)
    faults += of_lineage(book)
    faults += of_runs(book, settled)
    faults += of_objects(book, hashes, settled)
    faults += of_manifests(book, bucket, hashes, objects, settled)
    faults += of_memory(book, hashes, memory or Memory())
    return faults


# reading


def read(ledger: str) -> Book:
    """All tables, at one instant."""
    if ledger.startswith("postgres"):
        return _read_postgresql(ledger)
    file = Path(ledger.removeprefix("sqlite:///"))
    if not file.is_file():
        return Book({}, [])
    connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("begin")
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        tables = {
            name: [_plain(dict(row)) for row in connection.execute(f'select * from "{name}"')]
            for name in names
        }
        said = [row[0] for row in connection.execute("pragma integrity_check")]
        orphans = [tuple(row) for row in connection.execute("pragma foreign_key_check")]
    finally:
        connection.close()
    faults = [f"the file is damaged: {words}" for words in said if words != "ok"]
    return Book(tables, faults + [f"a row lacks its parent: {orphan}" for orphan in orphans])


def _read_postgresql(url: str) -> Book:
    import psycopg
    from psycopg.rows import dict_row

    where = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(where, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        found = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        names = [row["tablename"] for row in found]
        tables = {
            name: [_plain(row) for row in connection.execute(f'select * from "{name}"').fetchall()]  # type: ignore[call-overload]
            for name in names
        }
    return Book(tables, [])


_JSON = {"recipe", "results", "lineage", "parts", "summary", "parameters"}


def _plain(row: Row) -> Row:
    return {
        name: json.loads(value) if name in _JSON and isinstance(value, str) and value[:1] in "{[" else value
        for name, value in row.items()
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# what must be true


def of_candidates(book: Book) -> Iterator[str]:
    """No candidate twice, none paid for twice."""
    made = book["candidates"]
    yield from _twice(made, ("id",), "candidates have the id")
    yield from _twice(made, ("shot", "fingerprint", "number"), "candidates are number")
    yield from _twice(made, ("shot", "fingerprint", "seed"), "candidates have the seed")
    for row in made:
        recipe = row["recipe"]
        same = {name: recipe[name] for name in ("shot", "fingerprint", "number", "seed")}
        if same != {name: row[name] for name in same}:
            yield f"candidate {row['id']} is not what its recipe says"


def of_states(book: Book, settled: bool) -> Iterator[str]:
    """Every shot of the catalogue is in exactly one state, and the state is true."""
    yield from _twice(book["shot_states"], ("shot", "fingerprint"), "states has shot")
    states = {(row["shot"], row["fingerprint"]): row for row in book["shot_states"]}
    flagged = {(row["shot"], row["fingerprint"]) for row in book["flags"]}
    chosen = {(row["shot"], row["fingerprint"], row["candidate"]) for row in book["selects"]}
    shown = {(row["shot"], row["fingerprint"], row["candidate"]) for row in book["publications"]}
    for shot in present(book):
        place = shot["key"], shot["fingerprint"]
        row = states.get(place)
        if row is None:
            yield f"shot {place} is in no state"
            continue
        state, select = row["state"], (*place, row["candidate"])
        if state not in STATES:
            yield f"shot {place} is in the unknown state {state!r}"
        if state in ("selected", "published") and select not in chosen:
            yield f"shot {place} is {state} and its candidate {row['candidate']!r} was never selected"
        if state in ("to do", "flagged") and row["candidate"]:
            yield f"shot {place} is {state} and has a select"
        if state == "published" and select not in shown:
            yield f"shot {place} is published and has no object"
        if state == "flagged" and (place not in flagged or not row["sentence"]):
            yield f"shot {place} is flagged and nobody said why"
        if settled and state in ("to do", "selected"):
            yield f"shot {place} was left {state} by a run that went to its end"


def of_publications(book: Book, hashes: dict[str, str], objects: dict[str, Path]) -> Iterator[str]:
    """Each file of a select once, its object there, its candidate passed or approved by a person."""
    rows = book["publications"]
    yield from _twice(rows, ("candidate", "use", "delivery"), "publications show")
    yield from _twice(rows, ("key",), "publications have the key")
    accepted = set(_accepted(book))
    for row in rows:
        if hashes.get(row["key"]) != row["sha256"]:
            yield f"object {row['key']} is published and is not there as it was noted"
        elif objects[row["key"]].stat().st_size != row["size"]:
            yield f"object {row['key']} has another size than was noted"
        if row["candidate"] not in accepted:
            yield f"candidate {row['candidate']} is published and neither passed nor was approved by a person"


def _accepted(book: Book) -> Iterator[str]:
    """Candidates with a select whose own scorecard passes, or that a person approved."""
    cards, decisions = book.by("scorecards"), book.by("decisions")
    for select in book["selects"]:
        card, decision = cards.get(select["scorecard"]), decisions.get(select["decision"])
        if card is None or decision is None:
            continue
        mine = card["candidate"] == decision["candidate"] == select["candidate"]
        person = decision["by"] not in ("", "checks") and decision["decision"] == "approve"
        if mine and (card["passed"] or person):
            yield select["candidate"]


def of_lineage(book: Book) -> Iterator[str]:
    """Every published picture answers where it came from."""
    made, products = book.by("candidates"), book.by("products", "digest")
    runs, loras = book.by("runs"), {(row["label"], row["sha256"]) for row in book["loras"]}
    shots = {row["key"]: row for row in book["shots"]}
    cards: dict[str, list[Row]] = {}
    for card in book["scorecards"]:
        cards.setdefault(card["candidate"], []).append(card)
    for row in book["publications"]:
        name, candidate, shot = row["key"], made.get(row["candidate"]), shots.get(row["shot"])
        if candidate is None or shot is None or row["run"] not in runs or candidate["run"] not in runs:
            yield f"{name}: its candidate, shot or run is unknown"
            continue
        recipe = candidate["recipe"]
        missing = [part for part in ("prompt", "seed", "references", "engine") if not recipe.get(part)]
        if missing or not recipe["engine"].get("weights_sha256"):
            yield f"{name}: its recipe does not say {missing or ['weights']}"
        if any((one["label"], one["sha256"]) not in loras for one in recipe["loras"]):
            yield f"{name}: its LoRA is unknown"
        if candidate["cost"] is None or not candidate["seconds"] > 0:
            yield f"{name}: what it cost is unknown"
        if shot["fingerprint"] == row["fingerprint"] and shot["product"] not in products:
            yield f"{name}: its catalogue row is unknown"
        for card in cards.get(row["candidate"], []):
            if not card["results"] or any(
                "threshold" not in one or "score" not in one for one in card["results"]
            ):
                yield f"{name}: a scorecard lacks scores or thresholds"


def of_runs(book: Book, settled: bool) -> Iterator[str]:
    """One run at a time works on a catalogue, and it is the one that holds the lease."""
    running = Counter(row["catalog"] for row in book["runs"] if row["state"] == "running")
    yield from (f"{count} runs work on {catalog}" for catalog, count in running.items() if count > 1)
    runs = book.by("runs")
    for lease in book["leases"]:
        run = runs.get(lease["run"])
        if run is None or run["catalog"] != lease["catalog"] or run["state"] != "running":
            yield f"the lease of {lease['catalog']} is held by {lease['run']}, which does not run"
    if settled and (running or book["leases"]):
        yield "a run went to its end and still holds its lease"
    for run in book["runs"]:
        if (run["state"] == "running") != (run["ended"] is None):
            yield f"run {run['id']} is {run['state']} and ended {run['ended']}"


def of_objects(book: Book, hashes: dict[str, str], settled: bool) -> Iterator[str]:
    """Pictures are named by their bytes; nothing lies about that no select asked for."""
    known = {row["key"] for row in book["publications"]}
    selected = {row["shot"] for row in book["shot_states"] if row["state"] == "selected"}
    places = {"/".join(_place(shot)) for shot in book["shots"] if shot["key"] in selected}
    for key, found in hashes.items():
        if "/images/" not in key:
            continue
        if found[:16] not in key:
            yield f"object {key} has other bytes than its name says"
        waiting = any(f"/images/{place}/" in key for place in places)
        if key not in known and (settled or not waiting):
            yield f"object {key} is nobody's picture"


def _place(shot: Row) -> tuple[str, str]:
    return shot["sku"], f"{shot['scene']}-{shot['view']}"


def of_manifests(
    book: Book, bucket: Path, hashes: dict[str, str], objects: dict[str, Path], settled: bool
) -> Iterator[str]:
    """Every manifest names objects that are there; every pointer names a manifest that is there."""
    accepted = set(_accepted(book))
    published = {(row["shot"], row["candidate"]) for row in book["publications"]}
    for key in sorted(objects):
        if "/releases/" not in key or not key.endswith(".json"):
            continue
        manifest = json.loads(objects[key].read_text())
        images = manifest["images"]
        yield from _twice(images, ("shot",), f"images of {key} show")
        for image in images:
            if image["candidate"] not in accepted:
                yield f"{key} shows candidate {image['candidate']}, which neither passed nor was approved"
            if (image["shot"], image["candidate"]) not in published:
                yield f"{key} shows {image['shot']}, which the ledger does not know as published"
            for part in ("fingerprint", "parts", "engine", "seed", "checks", "files"):
                if not image.get(part):
                    yield f"{key} does not say the {part} of {image['shot']}"
            for file in image["files"]:
                if hashes.get(file["key"]) != file["sha256"]:
                    yield f"{key} names {file['key']}, which is not there as it says"
    moves = {row["after"] for row in book["moves"]}
    states = {(row["shot"], row["fingerprint"]): row for row in book["shot_states"]}
    for key in sorted(objects):
        if "/environments/" not in key:
            continue
        pointer = json.loads(objects[key].read_text())
        for name, digest in (("manifest", "sha256"), ("parquet", "parquet_sha256")):
            if hashes.get(pointer[name]) != pointer[digest]:
                yield f"{key} points at {name} {pointer[name]}, which is not there as it says"
        if hashes[key] not in moves:
            yield f"{key} was moved and the ledger does not know it"
        if settled and pointer["manifest"] in objects:
            images = json.loads(objects[pointer["manifest"]].read_text())["images"]
            showing = {(image["shot"], image["candidate"]) for image in images}
            due = set()
            for shot in present(book):
                state = states.get((shot["key"], shot["fingerprint"]))
                if state is not None and state["state"] == "published":
                    due.add((shot["key"], state["candidate"]))
            if showing != due:
                yield f"{key} shows {sorted(showing ^ due)} otherwise than the ledger"


def of_memory(book: Book, hashes: dict[str, str], memory: Memory) -> Iterator[str]:
    """What was history at an earlier check is history now; what was paid stays what was paid."""
    for table, identity in HISTORY.items():
        now = {row[identity]: repr(sorted(row.items(), key=lambda item: item[0])) for row in book[table]}
        for key, said in memory.rows.get(table, {}).items():
            if now.get(key) != said:
                yield f"{table} {key} was changed or is gone"
        memory.rows[table] = now
    costs = {row["id"]: row["cost"] for row in book["candidates"]}
    for key, cost in memory.costs.items():
        if costs.get(key) != cost:
            yield f"candidate {key}, which was paid for, is gone or has another price"
    memory.costs = costs
    pictures = {key: found for key, found in hashes.items() if "/environments/" not in key}
    for key, found in memory.objects.items():
        if pictures.get(key) != found:
            yield f"object {key} was there and is gone or another"
    memory.objects = pictures


def present(book: Book) -> list[Row]:
    """The shots that the catalogues owe now."""
    return [row for row in book["shots"] if not row.get("gone")]


def _twice(rows: Iterable[Row], columns: tuple[str, ...], what: str) -> Iterator[str]:
    counted = Counter(tuple(row[column] for column in columns) for row in rows)
    yield from (f"{count} {what} {key}" for key, count in counted.items() if count > 1)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", required=True, help="a SQLite file, or a URL of PostgreSQL")
    parser.add_argument("--bucket", required=True, type=Path)
    parser.add_argument("--settled", action="store_true", help="the last run went to its end")
    given = parser.parse_args()
    faults = check(given.ledger, given.bucket, settled=given.settled)
    print("\n".join(faults) or "everything is as it must be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
