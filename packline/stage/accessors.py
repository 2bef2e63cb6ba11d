"""Arrays of a glTF: every component type, interleaved, normalised, sparse; bounds are checked first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.stage.document import Document
from packline.stage.fields import Json, Malformed, flag, mapping, text, whole

_KINDS: dict[int, np.dtype[Any]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
#: No array may be longer: three corners for each triangle that a model may have.
MAX_COUNT = 15_000_000


def read_array(document: Document, index: int, types: tuple[str, ...], what: str) -> NDArray[np.float64]:
    """An accessor's values as numbers, normalised where it says so.

    Parameters
    ----------
    types
        Those of glTF that are allowed: "SCALAR", "VEC2", "VEC3", "VEC4", "MAT4".
    what
        What it is for, for the sentence.

    Returns
    -------
    float64 (count, items); a matrix has its 16 numbers column by column.

    Raises
    ------
    GiveUp, Malformed
        Where it is of another type, too long or reaches beyond its data.
    """
    entry = document.entry("accessors", index)
    if text(entry, "type") not in types:
        raise document.refuse(
            f"its {what} is {text(entry, 'type')!r}, not {' or '.join(types)}; export it again."
        )
    values = _read(document, entry, index)
    return normalised(values, values.dtype, flag(entry, "normalized"))


def normalised(values: NDArray[Any], kind: np.dtype[Any], asked: bool) -> NDArray[np.float64]:
    """Numbers of whole numbers that stand for -1 to 1 or 0 to 1, as glTF 2.0 section 3.11 says.

    Parameters
    ----------
    kind
        What the numbers are stored as.
    """
    if not asked or kind.kind == "f":
        return values.astype(np.float64)
    return np.asarray(np.maximum(values / np.float64(np.iinfo(kind).max), -1.0))


def read_whole(document: Document, index: int, kind: str, what: str) -> NDArray[np.int64]:
    """An accessor of whole numbers without sign (indices, joints), int64 (count, items)."""
    entry = document.entry("accessors", index)
    if text(entry, "type") != kind or whole(entry, "componentType") not in (5121, 5123, 5125):
        raise document.refuse(f"its {what} are not whole numbers of type {kind}; export it again.")
    return _read(document, entry, index).astype(np.int64)


def count_of(document: Document, index: int) -> int:
    """How many elements an accessor has; checked against the limit."""
    count = whole(document.entry("accessors", index), "count")
    if count > MAX_COUNT:
        raise document.refuse(f"it has an array of {count} values, more than {MAX_COUNT}; reduce it.")
    return count


def _read(document: Document, entry: Json, index: int) -> NDArray[Any]:
    kind, items = kind_of(entry), _WIDTHS[text(entry, "type")]
    count = count_of(document, index)
    document.claim(count * items * kind.itemsize)
    if "bufferView" in entry:
        values = _strided(document, entry, kind, items, count, f"array {index}")
    else:
        values = np.zeros((count, items), kind)
    if "sparse" in entry:
        values = _patched(document, mapping(entry, "sparse"), values, index)
    return values


def kind_of(entry: Json) -> np.dtype[Any]:
    """What an accessor stores its numbers as."""
    kind = whole(entry, "componentType")
    if kind not in _KINDS:
        raise Malformed(f"componentType is {kind}, which glTF does not know")
    return _KINDS[kind]


def _strided(
    document: Document, entry: Json, kind: np.dtype[Any], items: int, count: int, what: str
) -> NDArray[Any]:
    """Elements from a buffer view; a view of its bytes where they allow it."""
    view = document.view(whole(entry, "bufferView"))
    start, size = whole(entry, "byteOffset", 0), kind.itemsize * items
    stride = view.stride or size
    if stride < size:
        raise document.refuse(f"the elements of its {what} overlap; export it again.")
    if count and start + stride * (count - 1) + size > len(view.data):
        raise document.refuse(f"its {what} reaches beyond its data; export it again.")
    if not count:
        return np.zeros((0, items), kind)
    return np.ndarray((count, items), kind, view.data, start, (stride, kind.itemsize))


def _patched(document: Document, sparse: Json, base: NDArray[Any], index: int) -> NDArray[Any]:
    """The array with some elements replaced."""
    count = whole(sparse, "count")
    if count > len(base):
        raise document.refuse(f"its sparse array {index} replaces more than it has; export it again.")
    indices, values = mapping(sparse, "indices"), mapping(sparse, "values")
    if kind_of(indices).kind != "u":
        raise Malformed("the componentType of sparse indices is not without sign")
    where = _strided(document, indices, kind_of(indices), 1, count, f"sparse array {index}").reshape(-1)
    new = _strided(document, values, base.dtype, base.shape[1], count, f"sparse array {index}")
    if count and int(where.max()) >= len(base):
        raise document.refuse(f"its sparse array {index} replaces what is not there; export it again.")
    patched = base.copy()
    patched[where] = new
    return patched
