"""Reading a catalog beside the ledger: a first pass says which rows differ, a second reads those in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packline.catalog import ProductReader, is_sku
from packline.catalog.table import COLUMNS, Fields
from packline.errors import FixSettings, TryAgain
from packline.ledger.survey import Batch, Owed, Survey
from packline.line.line import Line
from packline.plan import Planner
from packline.records import PlannedShot, RowError
from packline.shots import Product

_TOGETHER = 500  # rows that are read in full at a time
MOST_ERRORS = 100
"""Sentences of row errors that are kept to be shown; the ledger has them all."""

_SKU, _TITLE = COLUMNS.index("sku"), COLUMNS.index("title")


@dataclass
class Reading:
    """What a reading of the catalog has come to so far.

    Parameters
    ----------
    shots
        Of rows that differ.
    errors
        The first few sentences on rows that cannot be used.
    wrong
        How many such rows there are.
    state
        Of the catalog's file when the reading began.
    """

    shots: int = 0
    errors: list[str] = field(default_factory=list)
    wrong: int = 0
    state: tuple[int, int] = (0, 0)

    def add(self, errors: list[RowError]) -> None:
        """Count a row's errors."""
        if errors:
            self.wrong += 1
            self.errors += [error.sentence for error in errors[: MOST_ERRORS - len(self.errors)]]


def compare(line: Line, desk: Survey, planner: Planner, reading: Reading) -> int:
    """Let the ledger compare every row's digest with what it remembers.

    Returns
    -------
    int
        How many rows have to be read in full.

    Raises
    ------
    FixSettings
        Where the file as a whole cannot be used, or lacks a SKU that the run is asked for.
    """
    reading.state = line.catalog.state()
    for batch in line.catalog.rows():
        planner.expect(fields for _, fields in batch)
        rows = []
        for number, fields in batch:
            sku = fields[_SKU] if is_sku(fields[_SKU]) else None
            usable = sku is not None and fields[_TITLE]
            rows.append((number, sku, planner.row_digest(fields) if usable else None))
        desk.add(rows)
        desk.note(planner.assets.news())
    for sku in line.order.only:
        if not desk.has(sku):
            raise FixSettings(f"SKU {sku} is not in {line.order.catalog}; correct it or leave it out.")
    return desk.compare()


def open_reader(line: Line) -> ProductReader:
    """What reads rows in full.

    Raises
    ------
    FixSettings
        Where the catalog, or a folder that the settings name, would make every row fail.
    """
    next(line.catalog.rows())
    return ProductReader(line.settings)


def read_differing(
    line: Line, desk: Survey, reader: ProductReader, planner: Planner, reading: Reading
) -> Iterator[list[Owed]]:
    """Read the rows that differ, note their shots, and say what a run owes these."""
    for rows in _batches(_differing(line, desk, reading)):
        planner.expect(fields for _, fields, _ in rows)
        batch, shots = _read(reader, planner, desk, rows, reading)
        desk.note(planner.assets.news())
        reading.shots += len(shots)
        yield desk.take(batch)


def _read(
    reader: ProductReader,
    planner: Planner,
    desk: Survey,
    rows: list[tuple[int, Fields, int]],
    reading: Reading,
) -> tuple[Batch, list[PlannedShot]]:
    found: list[tuple[Product, Fields]] = []
    errors: list[RowError] = []
    duplicates: list[RowError] = []
    for number, fields, first in rows:
        product, wrong = reader.read(number, fields, first)
        reading.add(wrong)
        if product is not None:
            found.append((product, fields))
        else:
            (errors if number == first else duplicates).extend(wrong)
    told = desk.instructions([product for product, _ in found])
    products: list[Product] = []
    shots: list[PlannedShot] = []
    digests: dict[str, int | None] = {}
    for product, fields in found:
        try:
            own = planner.shots(product, told)
        except OSError as error:
            wrong = [_unreadable(product, error)]
            reading.add(wrong)
            errors += wrong
            continue
        digests[product.sku] = planner.row_digest(fields)
        products.append(product)
        shots += own
    return Batch(products, shots, digests, errors, duplicates), shots


def _unreadable(product: Product, error: OSError) -> RowError:
    said = (
        f"Row {product.row}, SKU {product.sku}: a file of model {product.model.name} cannot be read "
        f"({Path(str(error.filename)).name}: {error.strerror}); mend its permissions."
    )
    keys = tuple(shot.key for shot in product.shots)
    return RowError(product.row, product.sku, "model", said, keys, product.title)


def _differing(line: Line, desk: Survey, reading: Reading) -> Iterator[tuple[int, Fields, int]]:
    """The rows that differ, with the number of the first row that has the same SKU."""
    wanted = _numbers(desk)
    next_ = next(wanted, None)
    if next_ is None:
        return
    for batch in line.catalog.rows():
        for number, fields in batch:
            if number == next_[0]:
                yield number, fields, next_[1]
                next_ = next(wanted, None)
                if next_ is None:
                    break
        if next_ is None:
            break
    if line.catalog.state() != reading.state or next_ is not None:
        raise TryAgain(f"Catalog {line.catalog.file} was changed while it was read; run it again.")


def _numbers(desk: Survey) -> Iterator[tuple[int, int]]:
    after = 0
    while page := desk.differing(after):
        yield from page
        after = page[-1][0]


def _batches(rows: Iterator[tuple[int, Fields, int]]) -> Iterator[list[tuple[int, Fields, int]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == _TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch
