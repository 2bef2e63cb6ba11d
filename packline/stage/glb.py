"""The container: GLB and glTF JSON, read within limits."""

from __future__ import annotations

import json
import struct
from typing import Any
from urllib.parse import unquote

from packline.errors import GiveUp

MAX_BYTES = 200 << 20
MAX_JSON = 32 << 20


def split_glb(data: bytes, name: str) -> tuple[dict[str, Any], bytes | None]:
    """JSON and binary chunk of a GLB."""

    def need(fine: bool, what: str) -> None:
        if not fine:
            raise GiveUp(f"Model {name}: not a whole GLB file ({what}); export it again.")

    need(len(data) >= 20, "its header is cut off")
    version, length = struct.unpack_from("<II", data, 4)
    need(version == 2, f"version {version}, not 2")
    need(length <= len(data), f"its header says {length} bytes, the file has {len(data)}")
    json_length, json_kind = struct.unpack_from("<II", data, 12)
    need(json_kind == 0x4E4F534A and 20 + json_length <= length, "its first chunk is not JSON")
    document = parse_json(data[20 : 20 + json_length], name)
    at = 20 + json_length
    if at + 8 > length:
        return document, None
    size, kind = struct.unpack_from("<II", data, at)
    need(kind == 0x004E4942 and at + 8 + size <= length, "its binary chunk is broken")
    return document, data[at + 8 : at + 8 + size]


def join_glb(document: dict[str, Any], binary: bytes) -> bytes:
    """The bytes of a GLB."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    out = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        out += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return b"glTF" + struct.pack("<II", 2, 12 + len(out)) + out


def parse_json(data: bytes, name: str) -> dict[str, Any]:
    """Parse a glTF document within limits."""
    if len(data) > MAX_JSON:
        raise GiveUp(
            f"Model {name}: its JSON has {len(data)} bytes, more than {MAX_JSON}; export it as .glb."
        )
    try:
        document = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise GiveUp(
            f"Model {name}: not a model: its JSON cannot be read ({error}); export it again."
        ) from error
    asset = document.get("asset") if isinstance(document, dict) else None
    version = str(asset.get("minVersion", asset.get("version"))) if isinstance(asset, dict) else ""
    if version != "2.0" and not (version.startswith("2.") and "minVersion" not in (asset or {})):
        raise GiveUp(f"Model {name}: not a glTF 2.0 file; export it as glTF 2.0.")
    return dict(document)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


def referred_names(data: bytes, name: str) -> list[str]:
    """What a glTF names as buffers and images, as paths from its folder; nothing where it cannot be read."""
    try:
        document = split_glb(data, name)[0] if data[:4] == b"glTF" else parse_json(data, name)
    except (GiveUp, struct.error):
        return []
    lists = [document.get(key) for key in ("buffers", "images")]
    entries = [entry for one in lists if isinstance(one, list) for entry in one if isinstance(entry, dict)]
    uris = [uri for entry in entries if isinstance(uri := entry.get("uri"), str)]
    names = {unquote(uri).replace("\\", "/") for uri in uris if uri[:5].lower() != "data:"}
    return sorted(name for name in names if name and "\0" not in name)
