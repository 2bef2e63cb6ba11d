"""The manifest of a release: the same content as JSON and as Parquet, written and read picture by picture.

The JSON is one document with one picture a line, by shot in the order of the names' code points. Nothing in
it says when or by whom it was made, so the same content has the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from packline.errors import FixSettings, GiveUp
from packline.releases.records import File, Image

FORMAT = 2
_BATCH = 4096  # pictures in a row group of the Parquet file
_LINE = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Written:
    """A manifest on disk, in both forms.

    Parameters
    ----------
    total
        Bytes of all objects that it lists.
    """

    json: Path
    sha256: str
    size: int
    parquet: Path
    parquet_sha256: str
    parquet_size: int
    images: int
    files: int
    total: int


class Writer:
    """Writes a manifest, one picture after the other; only a few thousand are held.

    Parameters
    ----------
    folder
        Where both files go.
    """

    def __init__(self, folder: Path, tenant: str, catalog: str) -> None:
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        head = {"format": FORMAT, "tenant": tenant, "catalog": catalog}
        self._json = folder / "manifest.json"
        self._parquet = folder / "manifest.parquet"
        self._stream = self._json.open("w", encoding="utf-8", newline="\n")
        self._stream.write(f'{json.dumps(head, ensure_ascii=False)[:-1]}, "images": [')
        schema = _schema().with_metadata({name: str(value) for name, value in head.items()})
        self._columns = pq.ParquetWriter(self._parquet, schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []
        self._last: str | None = None
        self._images = self._files = self._total = 0

    def add(self, image: Image) -> None:
        """Append a picture.

        Raises
        ------
        ValueError
            Where it does not come after the one before: readers merge manifests in order.
        """
        if self._last is not None and image.shot <= self._last:
            raise ValueError(f"shot {image.shot} comes after {self._last} in a manifest")
        plain = image.to_dict()
        said = _LINE.encode(plain)
        self._stream.write(f"{',' if self._images else ''}\n{said}")
        self._waiting.append(plain)
        if len(self._waiting) == _BATCH:
            self._flush()
        self._last = image.shot
        self._images += 1
        self._files += len(image.files)
        self._total += sum(one.size for one in image.files)

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._columns.write_table(pa.Table.from_pylist(self._waiting, _schema()))
            self._waiting.clear()

    def close(self) -> Written:
        """End both files and say what they are."""
        counts = {"images": self._images, "files": self._files, "bytes": self._total}
        self._stream.write(f'\n], "counts": {json.dumps(counts)}}}\n')
        self._stream.close()
        self._flush()
        self._columns.close()
        return Written(
            self._json,
            _hash(self._json),
            self._json.stat().st_size,
            self._parquet,
            _hash(self._parquet),
            self._parquet.stat().st_size,
            self._images,
            self._files,
            self._total,
        )


def read_images(stream: IO[bytes], name: str = "The manifest") -> Iterator[Image]:
    """The pictures of a manifest in JSON, one after the other; those of older Packlines too.

    Parameters
    ----------
    name
        For the sentence where it is none.

    Raises
    ------
    GiveUp
        Where it is no manifest, or one that a newer Packline wrote.
    """
    head = _head(stream, name)
    if head["format"] == 1:
        yield from _first_format(head["images"])
        return
    for line in stream:
        if line.startswith(b"]"):
            return
        yield Image.from_dict(_json(line.rstrip(b",\n"), name))
    raise GiveUp(f"{name} is cut short; fetch it again.")


def read_file(file: Path) -> Iterator[Image]:
    """The pictures of a manifest's file, JSON or Parquet.

    Raises
    ------
    FixSettings
        Where it cannot be opened.
    GiveUp
        As `read_images`.
    """
    try:
        if file.suffix == ".parquet":
            yield from _read_parquet(file)
            return
        with file.open("rb") as stream:
            yield from read_images(stream, str(file))
    except OSError as error:
        raise FixSettings(f"Manifest {file} cannot be read ({error.strerror}); name another.") from error


def _head(stream: IO[bytes], name: str) -> dict[str, Any]:
    first = stream.readline()
    if first.rstrip().endswith(b'"images": ['):
        head = _json(first.rstrip() + b"]}", name)
    else:
        # the first format was one indented document, of catalogs that were small
        head = _json(first + stream.read(), name)
    known = head.get("format")
    if not isinstance(known, int) or "images" not in head:
        raise GiveUp(f"{name} is no manifest of a release; name another.")
    if known > FORMAT:
        raise GiveUp(f"{name} was written by a newer Packline (format {known}); update this one.")
    return head


def _json(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise GiveUp(f"{name} is no manifest of a release ({error}); name another.") from error
    if not isinstance(found, dict):
        raise GiveUp(f"{name} is no manifest of a release; name another.")
    return found


def _first_format(images: list[dict[str, Any]]) -> Iterator[Image]:
    """One entry was a file, with all of its lineage."""
    shots: dict[str, list[dict[str, Any]]] = {}
    for one in images:
        shots.setdefault(one["shot"], []).append(one)
    for shot, entries in sorted(shots.items()):
        first = entries[0]
        facts: Mapping[str, Any] = first["lineage"]
        scores = facts.get("scores", {})
        yield Image(
            shot=shot,
            sku=first["sku"],
            title=first["title"],
            scene=first["scene"],
            view=first["view"],
            candidate=first["candidate"],
            fingerprint=facts.get("fingerprint", ""),
            files=tuple(
                File(one["use"], format_of(one["key"]), 0, 0, one["key"], one["sha256"], one["bytes"])
                for one in entries
            ),
            seed=facts.get("seed", 0),
            engine=short_engine(facts.get("engine", {})),
            loras=tuple(short_lora(one) for one in facts.get("loras", ())),
            checks=facts.get("checks", ""),
            passed=bool(facts.get("passed")),
            score=min((one["score"] for one in scores.values()), default=0.0),
            decided=facts.get("decided", ""),
            parts=short_parts(facts.get("parts", {})),
        )


_ENDINGS = {"jpg": "jpeg"}


def format_of(key: str) -> str:
    """A file's format by its key's ending."""
    ending = key.rpartition(".")[2].lower()
    return _ENDINGS.get(ending, ending)


def short_parts(parts: Mapping[str, str]) -> dict[str, str]:
    """Digests as the manifest has them: enough to see that one changed, for one shot."""
    return {name: digest[:8] for name, digest in sorted(parts.items())}


def short_engine(engine: Mapping[str, Any]) -> dict[str, str]:
    """Which engine and weights; the ledger has the rest."""
    return {name: str(engine.get(name, "")) for name in ("name", "architecture", "weights_sha256")}


def short_lora(lora: Mapping[str, Any]) -> dict[str, Any]:
    """Which LoRA, and how strong."""
    return {
        "label": str(lora.get("label", "")),
        "sha256": str(lora.get("sha256", "")),
        "strength": float(lora.get("strength", 0)),
    }


def _schema() -> Any:
    import pyarrow as pa

    text, whole = pa.string(), pa.int64()
    engine = [("name", text), ("architecture", text), ("weights_sha256", text)]
    file = [("use", text), ("format", text), ("width", whole), ("height", whole)]
    file += [("key", text), ("sha256", text), ("size", whole)]
    lora = [("label", text), ("sha256", text), ("strength", pa.float64())]
    return pa.schema(
        [
            *[(name, text) for name in ("shot", "sku", "title", "scene", "view", "candidate", "fingerprint")],
            ("files", pa.list_(pa.struct(file))),
            ("seed", whole),
            ("engine", pa.struct(engine)),
            ("loras", pa.list_(pa.struct(lora))),
            ("checks", text),
            ("passed", pa.bool_()),
            ("overridden", pa.bool_()),
            ("score", pa.float64()),
            ("decided", text),
            ("parts", pa.map_(text, text)),
        ]
    )


def _read_parquet(file: Path) -> Iterator[Image]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(file)
        known = int((opened.schema_arrow.metadata or {}).get(b"format", b"0"))
        if known != FORMAT:
            raise GiveUp(f"{file} is no manifest that this Packline reads (format {known}); name another.")
        for batch in opened.iter_batches(_BATCH):
            for row in batch.to_pylist():
                yield Image.from_dict({**row, "parts": dict(row["parts"])})
    except pa.ArrowException as error:
        raise GiveUp(f"{file} is no manifest of a release ({error}); name another.") from error


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
