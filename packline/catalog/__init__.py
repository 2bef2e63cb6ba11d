"""The catalog: a table of products in CSV, Parquet or JSON Lines, read with an error for each bad row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packline.catalog.fields import is_sku
from packline.catalog.products import ProductReader
from packline.catalog.table import read_rows
from packline.fingerprint import file_digest
from packline.records import RowError
from packline.settings import Settings
from packline.shots import Product, Shot

__all__ = ["Catalog", "ProductReader", "is_sku", "read_catalog", "read_rows", "settings_file"]


@dataclass(frozen=True)
class Catalog:
    """What a catalog file says, or a part of it.

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
        return tuple(shot for product in self.products for shot in product.shots)


def settings_file(catalog: Path) -> Path:
    """The settings file that belongs to a catalog: the same name with ``.toml``."""
    return catalog.with_suffix(".toml")


def read_catalog(file: Path, settings: Settings) -> Catalog:
    """Read and validate a small catalog as a whole; a run streams its rows instead (`packline.line.survey`).

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
    rows = read_rows(file)
    reader = None
    first: dict[str, int] = {}
    products, errors = [], []
    for batch in rows:
        # what is wrong with the file itself is said before what is wrong with the settings
        reader = reader or ProductReader(settings)
        for number, fields in batch:
            sku = fields[0]
            product, faults = reader.read(number, fields, first.setdefault(sku, number) if sku else number)
            errors += faults
            if product is not None:
                products.append(product)
    return Catalog(settings.run.name, file.resolve(), file_digest(file), tuple(products), tuple(errors))
