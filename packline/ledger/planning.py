"""The plan's side of the ledger: catalog rows, row errors, and what is remembered of each shot."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from packline.fingerprint import digest
from packline.ledger import schema as t
from packline.ledger.database import insert_once, upsert
from packline.ledger.work import Remembered
from packline.records import PlannedShot, RowError, ShotState
from packline.shots import Product, place_of, stack_text

_SHOT_COLUMNS = tuple(c.name for c in t.shots.columns if not c.primary_key)


def product_row(catalog: str, run: str, product: Product) -> dict[str, Any]:
    """A catalog row for `products`, keyed by its content."""
    # not `asdict`, which copies deeply and is called a million times
    plain = {
        **vars(product),
        "model": str(product.model),
        "labels": dict(product.labels),
        "truth": str(product.truth or ""),
    }
    # how many pictures it owes changes none of them, and `shots` has a row for each
    del plain["loras"], plain["pictures"]
    lora, strengths = stack_text(product.loras), [one.strength for one in product.loras]
    found = _product_digest(catalog, plain, lora, strengths)
    return {**plain, "lora": lora, "strengths": strengths, "digest": found, "catalog": catalog, "run": run}


def _product_digest(catalog: str, plain: dict[str, Any], lora: str, strengths: Sequence[float | None]) -> str:
    # one LoRA or none is told as it was before there were stacks
    told = strengths[0] if len(strengths) == 1 else list(strengths) or None
    plain = {**plain, "lora": lora, "lora_strength": told}
    # a row that only moved within the file is the same row, and so is one from before a column was known
    later = {name for name in ("variant", "truth") if not plain[name]}
    return digest(catalog, {**{name: plain[name] for name in plain if name not in later}, "row": 0})


def flag_rows(
    connection: Connection, run: str, catalog: str, errors: Sequence[RowError], usable: Container[str]
) -> None:
    """Make flags of the shots of rows that cannot be used, each once for as long as its sentence stays.

    Parameters
    ----------
    usable
        Keys of shots that other rows owe: a duplicate row owes the same as the first row with its SKU, which
        goes on, and is flagged under a name of its own.
    """
    sentences: dict[str, list[str]] = {}
    owners: dict[str, RowError] = {}
    for error in errors:
        keys = [key for key in error.shots if key not in usable]
        for key in keys or [f"{error.sku or '(no SKU)'}/row {error.row}"]:
            sentences.setdefault(key, []).append(error.sentence)
            owners.setdefault(key, error)
    shots, states, flags = [], [], []
    for position, (key, error) in enumerate(owners.items()):
        sentence = " ".join(sentences[key])
        # no row, no fingerprint; this one is the error's own
        fingerprint = digest("row error", catalog, key, sentence)
        scene, view = place_of(key)[1:3] if key in error.shots else ("", "")
        shots.append(
            {
                "catalog": catalog,
                "key": key,
                "sku": error.sku,
                "title": error.title,
                "scene": scene,
                "view": view,
                "row": error.row,
                "position": position,
                "model": "",
                "product": "",
                "fingerprint": fingerprint,
                "checks": "",
                "parts": {},
                "run": run,
                "gone": "",
            }
        )
        place = {
            "shot": key,
            "fingerprint": fingerprint,
            "checks": "",
            "reason": "row",
            "sentence": sentence,
            "run": run,
        }
        states.append({**place, "state": str(ShotState.FLAGGED)})
        flags.append(place)
    known = set()
    for part in slices([row["fingerprint"] for row in states]):
        known |= set(connection.scalars(select(t.flags.c.fingerprint).where(t.flags.c.fingerprint.in_(part))))
    upsert(connection, t.shots, shots, _SHOT_COLUMNS)
    insert_once(connection, t.shot_states, states)
    new = [flag for flag in flags if flag["fingerprint"] not in known]
    if new:
        connection.execute(insert(t.flags), new)


def remember(connection: Connection, catalog: str, shots: Sequence[PlannedShot]) -> list[Remembered]:
    """Look up what the ledger holds of each planned shot, in a few set-based queries."""
    before: dict[str, Any] = {}
    c = t.shots.c
    for part in slices([planned.shot.key for planned in shots]):
        query = select(c.key, c.parts, c.product).where(c.catalog == catalog, c.key.in_(part))
        before |= {row.key: row for row in connection.execute(query)}
    states: dict[tuple[str, str], Any] = {}
    for part in slices([planned.fingerprint for planned in shots]):
        for row in connection.execute(select(t.shot_states).where(t.shot_states.c.fingerprint.in_(part))):
            states[row.shot, row.fingerprint] = row
    files = stored_files(connection, [(planned.shot.key, planned.fingerprint) for planned in shots])
    found = []
    for planned in shots:
        place = planned.shot.key, planned.fingerprint
        old, state, stored = before.get(planned.shot.key), states.get(place), files.get(place, [])
        # files are looked at only where the answer matters
        rescorable = state is not None and state.checks != planned.checks
        found.append(
            Remembered(
                parts=None if old is None else old.parts,
                row_error=old is not None and not old.product,
                state=None if state is None else ShotState(state.state),
                reason="" if state is None else state.reason,
                checks="" if state is None else state.checks,
                candidates=len(stored),
                complete=rescorable and are_there(stored),
            )
        )
    return found


def stored_files(
    connection: Connection, places: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[tuple[Path, Path]]]:
    """Picture and truth of each candidate of some shots, by (shot, fingerprint)."""
    c, wanted = t.candidates.c, set(places)
    found: dict[tuple[str, str], list[tuple[Path, Path]]] = {}
    for part in slices([shot for shot, _ in places]):
        query = select(c.shot, c.fingerprint, c.picture, c.truth).where(c.shot.in_(part))
        for row in connection.execute(query):
            if (row.shot, row.fingerprint) in wanted:
                found.setdefault((row.shot, row.fingerprint), []).append((Path(row.picture), Path(row.truth)))
    return found


def are_there(files: Sequence[tuple[Path, Path]]) -> bool:
    """Whether every picture and every truth is still on disk."""
    return all(picture.is_file() and truth.is_dir() for picture, truth in files)


def store_plan(connection: Connection, catalog: str, run: str, shots: Sequence[PlannedShot]) -> None:
    """Make these shots part of the catalog's present; those that are new at their fingerprint are to do."""
    rows: list[dict[str, Any]] = []
    for _, some in groupby(shots, lambda planned: planned.shot.product.sku):
        own = list(some)
        product = product_row(catalog, run, own[0].shot.product)["digest"]
        rows += [shot_row(catalog, run, place, planned, product) for place, planned in enumerate(own)]
    upsert(connection, t.shots, rows, _SHOT_COLUMNS)
    fresh = {"checks": "", "state": str(ShotState.TODO), "run": run}
    states = [{"shot": p.shot.key, "fingerprint": p.fingerprint, **fresh} for p in shots]
    insert_once(connection, t.shot_states, states)


def mark_gone(connection: Connection, catalog: str, run: str) -> None:
    """Take those shots out of the catalog's present that the run did not plan."""
    c = t.shots.c
    connection.execute(
        update(t.shots).where(c.catalog == catalog, c.gone == "", c.run != run).values(gone=run)
    )


def shot_row(
    catalog: str, run: str, position: int, planned: PlannedShot, product_digest: str
) -> dict[str, Any]:
    """A planned shot for `shots`."""
    shot, product = planned.shot, planned.shot.product
    return {
        "catalog": catalog,
        "key": shot.key,
        "sku": product.sku,
        "title": product.title,
        "scene": shot.scene,
        "view": shot.view,
        "row": product.row,
        "position": position,
        "model": str(product.model),
        "product": product_digest,
        "fingerprint": planned.fingerprint,
        "checks": planned.checks,
        "parts": dict(planned.parts),
        "run": run,
        "gone": "",
    }


def slices(values: list[str], size: int = 500) -> Iterator[list[str]]:
    """Lists of a fair length: databases limit how many values a statement may carry."""
    return (values[start : start + size] for start in range(0, len(values), size))
