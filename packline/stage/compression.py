"""Geometry compressed with meshopt or Draco, decoded by their own libraries within limits."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: What one compressed mesh may hold, checked before it is decoded.
MAX_POINTS = 15_000_000
MAX_FACES = 5_000_000


def decode_meshopt(data: memoryview, count: int, stride: int, mode: str, filter_name: str) -> bytes:
    """Decode one buffer view of EXT_meshopt_compression or KHR_meshopt_compression.

    Parameters
    ----------
    data
        Compressed.
    count, stride
        Of the elements that come out; their product is the result's length in bytes.
    mode
        "ATTRIBUTES", "TRIANGLES" or "INDICES".
    filter_name
        "NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL" or "COLOR".

    Raises
    ------
    ValueError, RuntimeError
        Where it says something impossible or is broken.
    """
    import meshoptimizer  # type: ignore[import-untyped]

    # the library checks its input with assertions that a release build lacks
    if mode == "ATTRIBUTES":
        if stride % 4 or not 4 <= stride <= 256 or count > MAX_POINTS:
            raise ValueError(f"{count} elements of {stride} bytes")
        _check_filter(filter_name, stride)
        element = np.dtype((np.void, stride))
        vertices = meshoptimizer.decode_vertex_buffer(count, stride, bytes(data), dtype=element)
        return _unfiltered(np.frombuffer(vertices.tobytes(), np.uint8), count, stride, filter_name)
    if filter_name != "NONE":
        raise ValueError(f"a filter {filter_name!r} on indices")
    if stride not in (2, 4) or count > 3 * MAX_FACES:
        raise ValueError(f"{count} indices of {stride} bytes")
    if mode == "TRIANGLES":
        if count % 3:
            raise ValueError(f"{count} indices make no whole triangles")
        plain = meshoptimizer.decode_index_buffer(count, stride, bytes(data))
    elif mode == "INDICES":
        plain = meshoptimizer.decode_index_sequence(count, stride, bytes(data))
    else:
        raise ValueError(f"unknown mode {mode!r}")
    # whatever the width, the library's array has room for four bytes each
    return bytes(plain.tobytes()[: count * stride])


def _check_filter(name: str, stride: int) -> None:
    strides = {
        "NONE": range(4, 257, 4),
        "OCTAHEDRAL": (4, 8),
        "QUATERNION": (8,),
        "EXPONENTIAL": range(4, 257, 4),
        "COLOR": (4, 8),
    }
    if name not in strides:
        raise ValueError(f"unknown filter {name!r}")
    if stride not in strides[name]:
        raise ValueError(f"filter {name} on elements of {stride} bytes")


def _unfiltered(plain: Array, count: int, stride: int, name: str) -> bytes:
    import meshoptimizer

    if name == "COLOR":
        coded = plain.view(np.uint8 if stride == 4 else np.uint16)
        return _unfiltered_colours(coded.reshape(-1, 4)).tobytes()
    decode = {
        "OCTAHEDRAL": meshoptimizer.decode_filter_oct,
        "QUATERNION": meshoptimizer.decode_filter_quat,
        "EXPONENTIAL": meshoptimizer.decode_filter_exp,
    }.get(name)
    return plain.tobytes() if decode is None else bytes(decode(plain, count, stride).tobytes())


def _unfiltered_colours(coded: Array) -> Array:
    """KHR_meshopt_compression's filter COLOR, which the library's Python package lacks.

    YCoCg in as many bits as the highest set bit of the fourth channel says; alpha has one bit less.
    """
    kind, most = coded.dtype, np.iinfo(coded.dtype).max
    y = coded[:, 0].astype(np.int32)
    signed = coded.view(np.int8 if kind == np.uint8 else np.int16)
    orange, green = signed[:, 1].astype(np.int32), signed[:, 2].astype(np.int32)
    alpha = coded[:, 3].astype(np.int32)
    full = alpha.copy()
    for shift in (1, 2, 4, 8):
        full |= full >> shift
    if (full == 0).any():
        raise ValueError("a colour without a scale")
    alpha = ((alpha << 1) & full) | (alpha & 1)
    rgba = np.stack([y + orange - green, y + green, y - orange - green, alpha], -1)
    return np.clip(np.floor(rgba * (most / full[:, None]) + 0.5), 0, most).astype(kind)


@dataclass(frozen=True)
class DracoMesh:
    """Faces, int64 (F, 3), and attributes by their unique id, each (N, items) in its own type."""

    faces: NDArray[np.int64]
    attributes: dict[int, Array]


def decode_draco(data: memoryview) -> DracoMesh:
    """Decode a mesh of KHR_draco_mesh_compression.

    Raises
    ------
    ValueError
        Where it is not one, is too large or broken.
    """
    import DracoPy  # type: ignore[import-not-found]

    faces, points = draco_counts(bytes(data))
    if faces > MAX_FACES or points > MAX_POINTS:
        raise ValueError(f"{faces} triangles over {points} points")
    try:
        mesh = DracoPy.decode(bytes(data))
        indices = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
        attributes = {int(one["unique_id"]): np.asarray(one["data"]) for one in mesh.attributes}
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return DracoMesh(indices, attributes)


def draco_counts(data: bytes) -> tuple[int, int]:
    """How many triangles and points a Draco mesh says that it has, before anything is decoded.

    Its layout is in the Draco bitstream specification, version 2.2: "Header", "Metadata", "Connectivity".
    """
    if len(data) < 11 or data[:5] != b"DRACO":
        raise ValueError("no Draco dataer")
    major, minor, kind, method, flags = struct.unpack_from("<BBBBH", data, 5)
    if (major, minor) != (2, 2) or kind != 1 or method > 1:
        raise ValueError(f"Draco version {major}.{minor}, kind {kind}, method {method}")
    at = 11
    if flags & 0x8000:
        attributes, at = _varint(data, at)
        for _ in range(attributes):
            _, at = _varint(data, at)
            at = _after_metadata(data, at)
        at = _after_metadata(data, at)
    if method == 1:
        at += 1  # how the edge breaker walked
        points, at = _varint(data, at)
        faces, _ = _varint(data, at)
    else:
        faces, at = _varint(data, at)
        points, _ = _varint(data, at)
    return faces, points


def _after_metadata(data: bytes, at: int, depth: int = 0) -> int:
    """Where one block of metadata ends: entries of name and value, then blocks inside it."""
    if depth > 8:
        raise ValueError("its metadata is too deep")
    entries, at = _varint(data, at)
    for _ in range(entries):
        at = _after_name(data, at)
        size, at = _varint(data, at)
        at += size
    blocks, at = _varint(data, at)
    for _ in range(blocks):
        at = _after_metadata(data, _after_name(data, at), depth + 1)
    return at


def _after_name(data: bytes, at: int) -> int:
    if at >= len(data):
        raise ValueError("its header is cut off")
    return at + 1 + data[at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise ValueError("its header is cut off")
