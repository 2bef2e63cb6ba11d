"""A glTF document and the bytes that it refers to, within limits and inside its folder."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from packline.errors import GiveUp
from packline.stage.compression import decode_meshopt
from packline.stage.fields import Json, entry, extension, text, whole
from packline.stage.glb import MAX_BYTES, parse_json, split_glb

#: All arrays of a model together, decompressed.
MAX_ARRAY_BYTES = 512 << 20
_MESHOPT = ("KHR_meshopt_compression", "EXT_meshopt_compression")


@dataclass(frozen=True)
class View:
    """The bytes of a buffer view; `stride` is 0 where its elements follow each other without a gap."""

    data: memoryview
    stride: int


class Document:
    """A `.glb` or `.gltf` file, its JSON parsed, its bytes at hand.

    Parameters
    ----------
    path
        The file. Other files are read only from its folder and below.

    Attributes
    ----------
    json
        The document.
    notes
        What is drawn otherwise than the file says, in sentences; whoever finds such a thing adds to it.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.folder = path.parent.resolve()
        self.notes: list[str] = []
        self._buffers: dict[int, memoryview] = {}
        self._views: dict[int, View] = {}
        self._read_bytes = 0
        self._array_bytes = 0
        data = path.read_bytes()
        self._chunk: bytes | None = None
        if data[:4] == b"glTF":
            self.json, self._chunk = split_glb(data, self.name)
        else:
            self.json = parse_json(data, self.name)

    def refuse(self, sentence: str) -> GiveUp:
        """An error that names the model."""
        return GiveUp(f"Model {self.name}: {sentence}")

    def entry(self, key: str, index: int) -> Json:
        """One object of a list at the document's top."""
        return entry(self.json, key, index)

    def claim(self, size: int) -> None:
        """Ask before `size` bytes of arrays are made.

        Raises
        ------
        GiveUp
            Where all together become too many.
        """
        self._array_bytes += size
        if self._array_bytes > MAX_ARRAY_BYTES:
            raise self.refuse(
                f"its arrays together have more than {MAX_ARRAY_BYTES >> 20} MB; reduce its mesh."
            )

    def view(self, index: int) -> View:
        """A buffer view, decompressed."""
        if index not in self._views:
            entry = self.entry("bufferViews", index)
            compressed = next((e for name in _MESHOPT if (e := extension(entry, name)) is not None), None)
            stride = whole(entry, "byteStride", 0)
            if compressed is None:
                self._views[index] = View(self._cut(entry, f"buffer view {index}"), stride)
            else:
                length = whole(entry, "byteLength")
                self._views[index] = View(self._decompressed(compressed, index)[:length], stride)
        return self._views[index]

    def _cut(self, entry: Json, what: str) -> memoryview:
        start, length = whole(entry, "byteOffset", 0), whole(entry, "byteLength")
        data = self._buffer(whole(entry, "buffer"))
        if start + length > len(data):
            raise self.refuse(f"its {what} reaches beyond its buffer; export it again.")
        return data[start : start + length]

    def _decompressed(self, entry: Json, index: int) -> memoryview:
        data = self._cut(entry, f"compressed view {index}")
        count, stride = whole(entry, "count"), whole(entry, "byteStride")
        self.claim(count * stride)
        try:
            plain = decode_meshopt(data, count, stride, text(entry, "mode"), text(entry, "filter", "NONE"))
        except (ValueError, RuntimeError) as error:
            raise self.refuse(
                f"its meshopt data in view {index} cannot be decoded ({error}); export it again."
            ) from error
        return memoryview(plain)

    def _buffer(self, index: int) -> memoryview:
        if index not in self._buffers:
            entry = self.entry("buffers", index)
            if "uri" in entry:
                data = self.bytes_of(text(entry, "uri"), "buffer")
            elif index == 0 and self._chunk is not None:
                data = self._chunk
            else:
                raise self.refuse(f"its buffer {index} has no data; export it again.")
            length = whole(entry, "byteLength")
            if len(data) < length:
                raise self.refuse(f"its buffer {index} is cut off; copy the file again.")
            self._buffers[index] = memoryview(data)[:length]
        return self._buffers[index]

    def bytes_of(self, uri: str, what: str) -> bytes:
        """What a URI refers to: embedded data or a file in the model's folder.

        Raises
        ------
        GiveUp
            Where it is broken, missing, too large, elsewhere or on the net.
        """
        data = self._embedded(uri, what) if uri[:5].lower() == "data:" else self._file(uri, what)
        self._read_bytes += len(data)
        if self._read_bytes > MAX_BYTES:
            raise self.refuse(f"its files together are larger than {MAX_BYTES >> 20} MB; reduce them.")
        return data

    def _embedded(self, uri: str, what: str) -> bytes:
        head, comma, body = uri.partition(",")
        if not comma:
            raise self.refuse(f"its embedded {what} is not a whole data URI; export it again.")
        if not head.lower().endswith(";base64"):
            return unquote_to_bytes(body)
        try:
            return base64.b64decode(unquote(body) if "%" in body else body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.refuse(f"its embedded {what} is not valid base64; export it again.") from error

    def _file(self, uri: str, what: str) -> bytes:
        relative = unquote(uri).replace("\\", "/")
        shown = repr(relative[:80])
        try:
            target = (self.folder / relative).resolve() if "\0" not in relative else self.folder
            if "://" in uri or not target.is_relative_to(self.folder) or target == self.folder:
                raise self.refuse(
                    f"its {what} {shown} lies outside the model's folder; put it beside the model."
                )
            if not target.is_file():
                raise self.refuse(f"its {what} {shown} is missing; put it beside the model or embed it.")
            if target.stat().st_size > MAX_BYTES:
                raise self.refuse(f"its {what} {shown} is larger than {MAX_BYTES >> 20} MB; reduce it.")
            return target.read_bytes()
        except (OSError, RuntimeError) as error:  # a name too long, links in a circle, no permission
            reason = getattr(error, "strerror", None) or "its links run in a circle"
            raise self.refuse(f"its {what} {shown} cannot be read ({reason}); put it beside it.") from error
