"""The catalog's file as a stream of rows of text: CSV, Parquet or JSON Lines, never held whole."""

from __future__ import annotations

import codecs
import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from packline.errors import FixSettings
from packline.shots import STACKED

COLUMNS = (
    "sku", "title", "model", "scenes", "labels", "lora", "lora_strength", "variant", "truth", "pictures",
)  # fmt: skip
NEEDED = COLUMNS[:4]
_STACKS = ("lora", "lora_strength")
BATCH = 4096
"""Rows that are in memory at a time."""

Fields = tuple[str, ...]
"""A row's text in the order of `COLUMNS`, and last what it has too much of."""
Row = tuple[int, Fields]
"""A row with its number; 1 is the first product."""


def read_rows(file: Path) -> Iterator[list[Row]]:
    """Read a catalog's rows, a batch at a time.

    Parameters
    ----------
    file
        ``.csv`` (UTF-8, comma), ``.parquet`` or ``.jsonl``.

    Raises
    ------
    FixSettings
        Where the file as a whole cannot be used: missing, unreadable, empty, or without a needed column. In
        JSON Lines a column is missing where no row has it, which is known at the end only.
    """
    if not file.is_file():
        raise FixSettings(f"Catalog {file} is missing; name a file that exists.")
    readers = {".csv": _csv, ".parquet": _parquet, ".jsonl": _json_lines}
    read = readers.get(file.suffix.lower())
    if read is None:
        raise FixSettings(f"Catalog {file} is neither .csv, .parquet nor .jsonl; convert it.")
    numbered = enumerate(read(file), start=1)
    some = False
    while batch := _next_batch(file, numbered):
        some = True
        yield batch
    if not some:
        raise FixSettings(f"Catalog {file} has no rows; add a product.")


def _next_batch(file: Path, numbered: Iterator[Row]) -> list[Row]:
    try:
        return list(islice(numbered, BATCH))
    except FixSettings:
        raise
    except UnicodeDecodeError as error:
        at = _first_wrong_byte(file)
        raise FixSettings(
            f"Catalog {file} is not UTF-8 ({error.reason} at byte {at}); save it as UTF-8."
        ) from error
    except Exception as error:  # pyarrow raises a dozen kinds for a file that is none
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FixSettings(f"Catalog {file} cannot be read as {file.suffix[1:]}: {said}.") from error


def _first_wrong_byte(file: Path) -> int:
    # an error while streaming counts from the start of its own piece
    decoder, before = codecs.getincrementaldecoder("utf-8")(), 0
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                return before - held + error.start
            before += len(piece)
    return before - len(decoder.getstate()[0])


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FixSettings(f"Catalog {file} has the column {twice[0]} twice; remove one.")
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise FixSettings(f"Catalog {file} has no column {', '.join(missing)}; add it (see docs/catalog.md).")


def _csv(file: Path) -> Iterator[Fields]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        header = [name.strip() for name in next(reader, [])]
        if not header:
            raise FixSettings(f"Catalog {file} is empty; its first line names the columns.")
        rows = (values for values in reader if len(values) > 1 or (values and values[0].strip()))
        first = next(rows, None)
        if first is None:
            raise FixSettings(f"Catalog {file} has no rows; add a product.")
        _check_columns(file, header)
        pick = _picker(header)
        yield pick(first)
        yield from map(pick, rows)


def _picker(header: Sequence[str]) -> Callable[[list[str]], Fields]:
    """What takes the known columns out of a line's values, and puts its surplus last."""
    width = len(header)
    # one past the end is an empty text
    places = [header.index(name) if name in header else width for name in COLUMNS]

    def pick(values: list[str]) -> Fields:
        surplus = ""
        if len(values) > width:
            surplus = "; ".join(filter(None, map(_text, values[width:])))
            values = values[:width]
        values += [""] * (width + 1 - len(values))
        return (*[_text(values[place]) for place in places], surplus)

    return pick


def _parquet(file: Path) -> Iterator[Fields]:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # a third of a second that other catalogs need not pay

    with pq.ParquetFile(file) as table:
        columns = list(table.schema_arrow.names)
        _check_columns(file, columns)
        known = [name for name in COLUMNS if name in columns]
        # a list of LoRAs may hold their strengths
        names = [*known, "lora_strength"] if "lora" in known and "lora_strength" not in known else known
        empty = ("",) * (len(COLUMNS) - len(names) + 1)
        # columns that a file may lack come last, so that no row has to be put in order
        order = [(*names, *(name for name in COLUMNS if name not in names)).index(name) for name in COLUMNS]
        for batch in table.iter_batches(batch_size=BATCH, columns=known):
            lists = {name: batch.column(name).to_pylist() for name in known}
            lists |= {name: [None] * batch.num_rows for name in names[len(known) :]}
            for values in zip(*_with_stacks(lists).values(), strict=True):
                found = (*map(_text, values), *empty)
                yield (*[found[place] for place in order], "")


def _json_lines(file: Path) -> Iterator[Fields]:
    seen: set[str] = set()
    some = False
    # a line ends with a line feed and with nothing else: JSON's strings may hold every other separator
    with file.open(encoding="utf-8-sig", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.rstrip("\r\n"))
            except ValueError as error:
                raise FixSettings(f"Catalog {file}: line {number} is not JSON ({error}); mend it.") from error
            if not isinstance(row, dict):
                raise FixSettings(f'Catalog {file}: line {number} is not an object; write {{"sku": ...}}.')
            if not seen.issuperset(NEEDED):
                seen.update(row)
            some = True
            row |= _stack(row.get("lora"), row.get("lora_strength"))
            yield (*[_text(row.get(name)) for name in COLUMNS], "")
    if some:
        _check_columns(file, sorted(seen))


def _with_stacks(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns with lists of LoRAs and of strengths as text; where there are no lists it costs nothing."""
    if not any(isinstance(value, list) for name in _STACKS for value in columns.get(name, ())):
        return columns
    none = [None] * len(columns["sku"])
    rows = zip(*(columns.get(name, none) for name in _STACKS), strict=True)
    said = [dict(zip(_STACKS, row, strict=True)) | _stack(*row) for row in rows]
    return columns | {name: [row[name] for row in said] for name in _STACKS if name in columns}


def _stack(entries: Any, strength: Any) -> dict[str, Any]:
    """Lists of LoRAs and of strengths as a row of text says them: "warm + noir", "0.8 + 0.5".

    One that cannot be said so stays JSON, which `fields.loras_of` refuses with a sentence.
    """
    if isinstance(strength, list):
        strength = STACKED.join(map(_text, strength)) if any(map(_text, strength)) else ""
    if not isinstance(entries, list):
        return {"lora_strength": strength}
    plain = [{"label": entry} if isinstance(entry, str) else entry for entry in entries]
    known = all(
        isinstance(entry, dict)
        and isinstance(entry.get("label"), str)
        and entry.keys() <= {"label", "strength"}
        for entry in plain
    )
    if not known or any(STACKED in f" {entry['label']} " for entry in plain):
        return {"lora": json.dumps(entries, ensure_ascii=False)}
    labels = STACKED.join(entry["label"].strip() for entry in plain)
    said = [_text(entry.get("strength")) for entry in plain]
    if not any(said):
        return {"lora": labels, "lora_strength": strength}
    if _text(strength):
        return {"lora": json.dumps(entries, ensure_ascii=False)}
    return {"lora": labels, "lora_strength": STACKED.join(said)}


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    if text in ("<NA>", "NaT"):
        return ""
    if not text.isascii() or "\0" in text:
        # half a character (JSON can say one) and NUL are nothing that a database keeps
        text = text.encode("utf-8", "replace").decode().replace("\0", "")
    return text
