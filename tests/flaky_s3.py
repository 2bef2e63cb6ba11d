"""An S3 API that fails: a proxy before a real server which spoils some of its requests by a seeded plan."""

from __future__ import annotations

import base64
import hashlib
import http.client
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FAULTS = (
    "500",
    "500 after",
    "503",
    "slow",
    "slow after",
    "cut before",
    "cut in the request",
    "cut after",
    "garbled request",
    "wrong checksum",
    "cut in the answer",
    "garbled answer",
)
"""What can happen to a request; "after": once the server has carried it out."""

_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "expect"}
_CHECKSUM = "x-amz-checksum-sha256"


class Flaky:
    """The proxy's plan and memory.

    Parameters
    ----------
    behind
        The real server's address.
    share
        How many of the requests fail.
    seed
        Of the plan: the n-th request to arrive always fares the same.
    silence
        Seconds that a slow request takes; longer than the client waits.
    faults
        Which of `FAULTS` happen.
    """

    def __init__(
        self, behind: str, share: float, seed: int, silence: float, faults: tuple[str, ...] = FAULTS
    ) -> None:
        self.behind, self.share, self.silence, self.faults = urlsplit(behind), share, silence, faults
        self.happened: Counter[str] = Counter()
        self.requests = 0
        self.only = ""
        self.stopped = threading.Event()
        self._random, self._lock = random.Random(seed), threading.Lock()

    def fault(self, method: str) -> str:
        """What happens to the next request; empty where nothing does."""
        with self._lock:
            self.requests += 1
            strikes, which = self._random.random() < self.share, self._random.choice(self.faults)
            if not strikes or (self.only and method != self.only):
                return ""
            self.happened[which] += 1
            return which


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    flaky: Flaky

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # the client has gone

    def _serve(self) -> None:
        flaky, fault = self.flaky, self.flaky.fault(self.command)
        length = int(self.headers.get("Content-Length", 0))
        if fault in ("cut before", "cut in the request"):
            self.rfile.read(length // 2 if fault == "cut in the request" else 0)
            self._cut()
            return
        body = self.rfile.read(length)
        if fault == "slow":
            flaky.stopped.wait(flaky.silence)
            self._cut()
        elif fault in ("500", "503"):
            self._error(int(fault), "SlowDown" if fault == "503" else "InternalError")
        elif fault == "garbled request" and body:
            # a server that verifies what it was sent refuses what arrived
            self._error(400, "XAmzContentSHA256Mismatch")
        else:
            status, headers, answer = self._ask(body)
            if fault == "slow after":
                flaky.stopped.wait(flaky.silence)
                self._cut()
            elif fault == "500 after":
                self._error(500, "InternalError")
            elif fault == "cut after":
                self._cut()
            elif fault == "cut in the answer" and (self.command == "HEAD" or not answer):
                self.wfile.write(f"HTTP/1.1 {status} OK\r\nServ".encode())
                self._cut()
            else:
                self._answer(status, headers, answer, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        behind = self.flaky.behind
        connection = http.client.HTTPConnection(behind.hostname or "", behind.port, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, fault: str) -> None:
        length = next((value for name, value in headers if name.lower() == "content-length"), "0")
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() in _HOP:
                continue
            if fault == "wrong checksum" and name.lower() == _CHECKSUM:
                value = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
            self.send_header(name, value)
        # the answer to HEAD tells the length of a body that it does not have
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if fault == "garbled answer" and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault == "cut in the answer" and body:
            self.wfile.write(body[: len(body) // 2])
            self._cut()
        else:
            self.wfile.write(body)

    def _error(self, status: int, code: str) -> None:
        said = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planned</Message></Error>".encode()
        body = b"" if self.command == "HEAD" else said
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news."""


@contextmanager
def before(flaky: Flaky) -> Iterator[str]:
    """Serve; the proxy's address."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"flaky": flaky}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        flaky.stopped.set()
        server.shutdown()
        server.server_close()
