"""The catalog: a table of products in CSV, Parquet or JSON Lines, read with an error for each bad row."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from packline.editing.architectures import architecture_of
from packline.editing.loras import Presets, check_strength, load_presets
from packline.errors import FixSettings, GiveUp
from packline.fingerprint import file_digest
from packline.records import RowError
from packline.scenes import load_scene
from packline.settings import Settings
from packline.shots import Product, Shot
from packline.stage.files import sidecar_of

COLUMNS = ("sku", "title", "model", "scenes", "labels", "lora", "lora_strength", "variant", "truth")
NEEDED = COLUMNS[:4]
VIEWS = ("hero", "front", "left", "right", "back", "three-quarter")
DIRECTIONS = ("left to right", "top to bottom", "right to left", "bottom to top")
MODEL_SUFFIXES = (".glb", ".gltf", ".fbx", ".obj")
LONGEST_SKU = 128


@dataclass(frozen=True)
class Catalog:
    """What a catalog file says.

    Parameters
    ----------
    name
        The run's name, from the settings.
    file, sha256
        Where it was read, and the hash of its bytes.
    products
        The rows that can be used, in order.
    errors
        Why the others cannot; a row may have several.
    """

    name: str
    file: Path
    sha256: str
    products: tuple[Product, ...]
    errors: tuple[RowError, ...]

    @property
    def shots(self) -> tuple[Shot, ...]:
        """Every picture that the usable rows owe, in order."""
        return tuple(Shot(product, *place) for product in self.products for place in product.placements)


def settings_file(catalog: Path) -> Path:
    """The settings file that belongs to a catalog: the same name with ``.toml``."""
    return catalog.with_suffix(".toml")


def read_catalog(file: Path, settings: Settings) -> Catalog:
    """Read and validate a catalog.

    Parameters
    ----------
    file
        ``.csv`` (UTF-8, comma), ``.parquet`` or ``.jsonl``.
    settings
        Where models, scenes and LoRAs lie.

    Raises
    ------
    FixSettings
        Where the file as a whole cannot be used: missing, unreadable, empty, or without a needed column. A
        bad row is no such error; it is in `Catalog.errors`.
    """
    rows = _read_rows(file)
    reader = _RowReader(settings)
    seen: dict[str, int] = {}
    products, errors = [], []
    for number, row in enumerate(rows, start=1):
        product, faults = reader.read(number, row, seen)
        errors += faults
        if product is not None:
            products.append(product)
    return Catalog(settings.run.name, file.resolve(), file_digest(file), tuple(products), tuple(errors))


# the file as a table of strings

_EXTRA = tuple(f"\0extra{number}" for number in range(8))  # columns for what a row has too much of


def _read_rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise FixSettings(f"Catalog {file} is missing; name a file that exists.")
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".jsonl": _read_json_lines}
    read = readers.get(file.suffix.lower())
    if read is None:
        raise FixSettings(f"Catalog {file} is neither .csv, .parquet nor .jsonl; convert it.")
    try:
        table = read(file)
    except FixSettings:
        raise
    except UnicodeDecodeError as error:
        raise FixSettings(
            f"Catalog {file} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from error
    except Exception as error:  # pandas and pyarrow raise a dozen kinds for a file that is none
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FixSettings(f"Catalog {file} cannot be read as {file.suffix[1:]}: {said}.") from error
    columns = [str(name) for name in table.columns]
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise FixSettings(f"Catalog {file} has no column {', '.join(missing)}; add it (see docs/catalog.md).")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FixSettings(f"Catalog {file} has the column {twice[0]} twice; remove one.")
    if not len(table):
        raise FixSettings(f"Catalog {file} has no rows; add a product.")
    known = [name for name in columns if name in (*COLUMNS, *_EXTRA)]
    return [
        {name: _text(value) for name, value in zip(known, values, strict=True)}
        for values in table[known].itertuples(index=False, name=None)
    ]


def _read_csv(file: Path) -> Any:
    import pandas as pd  # costs half a second that other commands need not pay

    with file.open(encoding="utf-8-sig", newline="") as stream:
        header = [name.strip() for name in next(csv.reader(stream), [])]
        if not header:
            raise FixSettings(f"Catalog {file} is empty; its first line names the columns.")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise FixSettings(f"Catalog {file} has the column {twice[0]} twice; remove one.")
        # a row that is too long keeps its place and its surplus, to be reported with its number
        try:
            return pd.read_csv(
                stream,
                names=[*header, *_EXTRA],
                header=None,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                engine="python",
            )
        except pd.errors.EmptyDataError:
            raise FixSettings(f"Catalog {file} has no rows; add a product.") from None


def _read_parquet(file: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(file)


def _read_json_lines(file: Path) -> Any:
    import pandas as pd

    lines = file.read_text(encoding="utf-8-sig").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise FixSettings(f"Catalog {file}: line {number} is not JSON ({error}); mend it.") from error
        if not isinstance(row, dict):
            raise FixSettings(f'Catalog {file}: line {number} is not an object; write {{"sku": ...}}.')
        rows.append(row)
    # as objects: pandas would make numbers of SKUs
    return pd.DataFrame(rows, dtype=object)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return "" if text in ("<NA>", "NaT") else text


# one row


class _FieldError(Exception):
    """A field that cannot be used: its name and a sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class _RowReader:
    """Reads rows; remembers what it has looked up for the rows before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        folder = settings.paths.scenes
        if not folder.is_dir():
            raise FixSettings(f"Settings key paths.scenes: folder {folder} is missing; add it.")
        self._scenes = sorted(path.stem for path in folder.glob("*.json"))
        self._scene_faults: dict[str, str] = {}
        self._lora_faults: dict[str, str] = {}
        self._presets: Presets | None = None

    def read(
        self, number: int, row: Mapping[str, str], seen: dict[str, int]
    ) -> tuple[Product | None, list[RowError]]:
        """A product, or why there is none.

        Parameters
        ----------
        seen
            Row of each SKU so far; grows by this row's.
        """
        sku, title = row["sku"], row["title"]
        faults: list[_FieldError] = []

        def attempt(read: Any, *arguments: Any) -> Any:
            try:
                return read(*arguments)
            except _FieldError as fault:
                faults.append(fault)
                return None

        surplus = "; ".join(filter(None, (row.get(name) for name in _EXTRA)))
        if surplus:
            said = f'it has more fields than the header (the surplus is "{surplus}"); quote commas.'
            faults.append(_FieldError("row", said))
        attempt(_check_sku, sku, seen.setdefault(sku, number) if sku else number, number)
        if not title:
            faults.append(_FieldError("title", "title is empty; the prompt needs the product's words."))
        model = attempt(self._model, row["model"])
        placements = attempt(_placements, row["scenes"])
        if placements:
            attempt(self._check_scenes, placements)
        labels = attempt(_labels, row.get("labels", ""))
        known = len(faults)
        truth = attempt(self._truth, row.get("truth", ""))
        if model and labels and len(faults) == known:
            attempt(_check_labels, model, truth or sidecar_of(model), labels)
        strength = attempt(_strength, row.get("lora", ""), row.get("lora_strength", ""))
        attempt(self._check_lora, row.get("lora", ""))
        if not faults:
            lora, variant = row.get("lora", ""), row.get("variant", "")
            return Product(sku, title, model, placements, labels, lora, strength, number, variant, truth), []
        where = f"Row {number}, SKU {sku}" if sku else f"Row {number}"
        shots = tuple(f"{sku}/{scene}/{view}" for scene, view in placements or ()) if sku else ()
        return None, [RowError(number, sku, f.field, f"{where}: {f}", shots, title) for f in faults]

    def _model(self, text: str) -> Path:
        if not text:
            raise _FieldError("model", "model is empty; name the 3D model's file.")
        file = (self._settings.paths.models / text).resolve()
        if file.suffix.lower() not in MODEL_SUFFIXES:
            raise _FieldError(
                "model", f"model {text} is of a kind that is not read; use {', '.join(MODEL_SUFFIXES)}."
            )
        if not file.is_file():
            near = _near(text, [p.name for p in file.parent.glob("*") if p.suffix.lower() in MODEL_SUFFIXES])
            raise _FieldError(
                "model", f"model {text} is missing in {self._settings.paths.models}; add it{near}."
            )
        return file

    def _truth(self, text: str) -> Path | None:
        if not text:
            return None
        file = (self._settings.paths.models / text).resolve()
        if file.suffix.lower() != ".json":
            raise _FieldError("truth", f"truth {text} is no .json; name a file like shoe.truth.json.")
        if not file.is_file():
            near = _near(text, [p.name for p in file.parent.glob("*.json")])
            raise _FieldError(
                "truth", f"truth {text} is missing in {self._settings.paths.models}; add it{near}."
            )
        return file

    def _check_scenes(self, placements: tuple[tuple[str, str], ...]) -> None:
        for scene, view in placements:
            if scene not in self._scenes:
                near = _near(scene, self._scenes)
                folder = self._settings.paths.scenes
                raise _FieldError("scenes", f"scene {scene} is unknown in {folder}; add it{near}.")
            if view not in VIEWS:
                raise _FieldError(
                    "scenes", f"view {view} of scene {scene} is unknown; use one of {', '.join(VIEWS)}."
                )
            if scene not in self._scene_faults:
                try:
                    load_scene(self._settings.paths.scenes / f"{scene}.json")
                    self._scene_faults[scene] = ""
                except GiveUp as error:
                    self._scene_faults[scene] = str(error)
            if self._scene_faults[scene]:
                raise _FieldError("scenes", self._scene_faults[scene])

    def _check_lora(self, label: str) -> None:
        if not label:
            return
        if label not in self._lora_faults:
            if self._presets is None:
                self._presets = load_presets(self._settings.paths.loras)
            architecture = architecture_of(self._settings.engine.architecture)
            try:
                self._presets.fit(label, architecture.lora)
                self._lora_faults[label] = ""
            except GiveUp as error:
                near = _near(label, [preset.label for preset in self._presets])
                self._lora_faults[label] = f"{str(error).removesuffix('.')}{near}."
        if self._lora_faults[label]:
            raise _FieldError("lora", self._lora_faults[label])


def _check_sku(sku: str, first: int, number: int) -> None:
    if not sku:
        raise _FieldError("sku", "sku is empty; give the product one.")
    if len(sku) > LONGEST_SKU:
        raise _FieldError("sku", f"sku has {len(sku)} characters; use at most {LONGEST_SKU}.")
    if not sku.isprintable():
        raise _FieldError("sku", "sku holds control characters; remove them.")
    if first != number:
        raise _FieldError("sku", f"sku is already that of row {first}; give each product its own.")


def _placements(text: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        scene, _, view = (part.strip() for part in entry.partition(":"))
        if not scene:
            raise _FieldError("scenes", f'scenes entry "{entry}" names no scene; write scene or scene:view.')
        place = scene, view or VIEWS[0]
        if place in found:
            raise _FieldError("scenes", f"scenes names {scene}:{place[1]} twice; remove one.")
        found.append(place)
    if not found:
        raise _FieldError("scenes", "scenes is empty; name at least one scene.")
    return tuple(found)


def _labels(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        # the last equals sign: a label's text may hold one
        label, equals, direction = (part.strip() for part in entry.rpartition("="))
        if not equals or not label:
            raise _FieldError("labels", f'labels entry "{entry}" is malformed; write text = top to bottom.')
        direction = " ".join(direction.lower().split())
        if direction not in DIRECTIONS:
            raise _FieldError(
                "labels", f'direction "{direction}" of label {label} is unknown; use {", ".join(DIRECTIONS)}.'
            )
        if label in found:
            raise _FieldError("labels", f"labels names {label} twice; remove one.")
        found[label] = direction
    return found


def _check_labels(model: Path, sidecar: Path, labels: Mapping[str, str]) -> None:
    try:
        entries = json.loads(sidecar.read_text()).get("labels", [])
        known = [str(entry[name]) for entry in entries for name in ("id", "text")]
    except FileNotFoundError:
        known = []
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # the stage says what is wrong with a sidecar, in its own words
    for label in labels:
        if label not in known:
            says = f"its labels are {', '.join(known[1::2])}" if known else f"add it to {sidecar.name}"
            raise _FieldError("labels", f"label {label} is not annotated on model {model.name}; {says}.")


def _strength(lora: str, text: str) -> float | None:
    if not text:
        return None
    if not lora:
        raise _FieldError("lora_strength", "lora_strength is given without a lora; name one or empty it.")
    try:
        return check_strength(lora, float(text))
    except ValueError:
        raise _FieldError("lora_strength", f"lora_strength {text} is not a number; write 0 to 2.") from None
    except GiveUp as error:
        raise _FieldError("lora_strength", str(error)) from None


def _near(text: str, known: list[str]) -> str:
    near = get_close_matches(text, known, 1)
    return f", or did you mean {near[0]}" if near else ""
