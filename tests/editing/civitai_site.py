"""A CivitAI for tests: real servers and sockets, the API on one port and the store of its files on another.

It answers as CivitAI's documentation says: metadata as JSON, downloads by a redirect to a signed address.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from safetensors.numpy import save

SIGNATURE = "signed-for-one-reader"


def lora(kind: str = "sd15", salt: int = 0, weight: int = 0) -> bytes:
    """A tiny but true LoRA file; `weight` adds bytes that do not matter."""
    name, into, out = {
        "sd15": ("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k", 768, 320),
        "klein-4b": ("lora_unet_single_blocks_0_linear1", 3072, 27648),
        "klein-9b": ("lora_unet_double_blocks_0_img_mlp_0", 4096, 24576),
        "sd2": ("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k", 1024, 320),
    }[kind]
    noise = np.random.default_rng(salt)
    tensors = {
        f"{name}.lora_down.weight": noise.standard_normal((1, into)).astype(np.float16),
        f"{name}.lora_up.weight": np.zeros((out, 1), np.float16),
    }
    if weight:
        tensors["notes"] = noise.integers(0, 256, weight, np.uint8)
    return bytes(save(tensors))


@dataclass(frozen=True)
class Asked:
    """A request as a server saw it."""

    host: str
    path: str
    query: str
    headers: dict[str, str]


@dataclass
class Site:
    """What the servers know, and what they were asked.

    Parameters
    ----------
    key
        Without it in the header, downloads are refused; None: everybody may.
    store
        Answers in the store's place while it returns True: it gets the handler and the bytes asked for.
    api
        Likewise for the API.
    """

    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    key: str | None = None
    tag: str = '"first"'
    ranges: bool = True
    store: Callable[[BaseHTTPRequestHandler, bytes], bool] | None = None
    api: Callable[[BaseHTTPRequestHandler], bool] | None = None
    asked: list[Asked] = field(default_factory=list)
    base: str = ""
    store_base: str = ""

    def add(
        self, version: int, data: bytes, *, model: int = 7, name: str = "noir.safetensors", **said: Any
    ) -> str:
        """Offer a file as CivitAI would; returns its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[version] = data
        entry = {
            "id": version * 10,
            "name": name,
            "type": "Model",
            "sizeKB": len(data) / 1024,
            "primary": True,
            "metadata": {"format": "SafeTensor", "size": None, "fp": None},
            "pickleScanResult": "Success",
            "virusScanResult": "Success",
            "hashes": {"AutoV2": sha256[:10].upper(), "SHA256": sha256.upper()},
            "downloadUrl": f"{self.base}/api/download/models/{version}",
            **said.pop("file", {}),
        }
        self.versions[version] = {
            "id": version,
            "modelId": model,
            "name": "v1.0",
            "baseModel": "SD 1.5",
            "air": f"urn:air:sd1:lora:civitai:{model}@{version}",
            "trainedWords": ["noir style", " film grain, "],
            "model": {"name": "Noir + Grain", "type": "LORA", "nsfw": False, "poi": False},
            "files": [entry],
            "stats": {"downloadCount": 3},
            **said,
        }
        return sha256

    def fetches(self) -> list[Asked]:
        """What the store was asked."""
        return [one for one in self.asked if one.host == "store"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # clients hang up here on purpose
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host = ""
    site: Site

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        self.site.asked.append(
            Asked(
                self.host,
                where.path,
                where.query,
                {name.lower(): text for name, text in self.headers.items()},
            )
        )
        self.answered(where.path)

    def answered(self, path: str) -> None:
        raise NotImplementedError


class _Api(_Handler):
    host = "api"

    def answered(self, path: str) -> None:
        site, number = self.site, int(path.rsplit("/", 1)[1])
        if site.api is not None and site.api(self):
            return None
        if path.startswith("/api/v1/model-versions/"):
            if number not in site.versions:
                return self.answer(404, b'{"error": "Model not found"}')
            return self.answer(
                200, json.dumps(site.versions[number]).encode(), Content_Type="application/json"
            )
        if site.key is not None and self.headers.get("Authorization") != f"Bearer {site.key}":
            return self.answer(401, b'{"error": "Unauthorized"}', Content_Type="application/json")
        onward = f"{site.store_base}/{number}?X-Amz-Signature={SIGNATURE}"
        return self.answer(307, Location=onward)


class _Store(_Handler):
    host = "store"

    def answered(self, path: str) -> None:
        site, data = self.site, self.site.files[int(path[1:])]
        if site.store is not None and site.store(self, data):
            return None
        asked = self.headers.get("Range", "")
        if_range = self.headers.get("If-Range")
        if not site.ranges or not asked or if_range not in (None, site.tag):
            return self.answer(200, data, ETag=site.tag, Content_Type="application/octet-stream")
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(data):
            return self.answer(416, Content_Range=f"bytes */{len(data)}")
        said = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self.answer(206, data[start:], ETag=site.tag, Content_Range=said)


def cut_after(count: int, times: int = 1) -> Callable[[BaseHTTPRequestHandler, bytes], bool]:
    """The store promises everything that was asked for, sends `count` bytes and hangs up; so many times."""
    left = [times]

    def broken(handler: BaseHTTPRequestHandler, data: bytes) -> bool:
        if not left[0]:
            return False
        left[0] -= 1
        site: Site = handler.site  # type: ignore[attr-defined]
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", site.tag)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        handler.wfile.write(data[start : start + count])
        handler.close_connection = True
        return True

    return broken


@contextmanager
def open_site() -> Iterator[Site]:
    """Both servers, each in a thread of its own."""
    site = Site()
    servers = []
    for handler in (_Api, _Store):
        server = _Server(("127.0.0.1", 0), type(handler.__name__, (handler,), {"site": site}))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    site.base, site.store_base = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    try:
        yield site
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
