"""Serve: a Prefect server, a worker and the line's deployments on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from packline.cli import prefect_settings
from packline.errors import FixSettings, PacklineError

POOL = "packline"
_PATIENCE = 120  # seconds for the server to answer: the first time it lays its database
_GRACE = 20  # seconds for a child to stop by itself


def serve(host: str, port: int, home: Path, limit: int, say: Callable[[str], None]) -> None:
    """Run server and worker until a signal comes or one of them ends.

    Parameters
    ----------
    home
        Folder for the server's database and the children's logs.
    limit
        Runs at a time that the worker starts.
    say
        Where to write a line for the person who watches.

    Raises
    ------
    FixSettings
        Where the port is taken or prefect.yaml is missing.
    PacklineError
        Where a child ends or does not come up; the sentence names its log.
    """
    if not Path("prefect.yaml").is_file():
        raise FixSettings("There is no prefect.yaml here; run packline serve in Packline's own folder.")
    if _taken(host, port):
        raise FixSettings(f"Port {port} on {host} is in use; stop what listens there or choose --port.")
    address = f"http://{'localhost' if host == '127.0.0.1' else host}:{port}"
    settings = prefect_settings.for_server(home, f"http://{host}:{port}/api")
    with Supervisor(home / "logs", {**prefect_settings.without_profile(), **settings}) as children:
        try:
            say("starting the Prefect server")
            children.start("server", ["server", "start", "--host", host, "--port", str(port)])
            children.wait_for(f"http://{host}:{port}/api/health")
            say("deploying prefect.yaml")
            children.do("work-pool", ["work-pool", "create", POOL, "--type", "process", "--overwrite"])
            children.do("deploy", ["--no-prompt", "deploy", "--all"])
            say("starting the worker")
            children.start(
                "worker", ["worker", "start", "--pool", POOL, "--type", "process", "--limit", str(limit)]
            )
            say(f"{address} is ready: Deployments, by-hand, Run. Ctrl-C stops everything.")
            children.watch()
        except Stopped:
            say("stopping")


class Supervisor:
    """Starts children, watches them, and leaves none behind.

    Parameters
    ----------
    logs
        Folder for one log a child.
    environment
        Of every child, complete.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped_by: int | None = None
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Supervisor:
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        # the worker first, while it can still tell the server what became of its runs
        for name in reversed(self._children):
            self._stop(name)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start ``prefect <arguments>`` and keep it."""
        with self._log(name) as log:
            self._children[name] = subprocess.Popen(
                _prefect(arguments),
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the terminal's whole group; children of their own group stop in our order
                start_new_session=True,
            )

    def do(self, name: str, arguments: Sequence[str]) -> None:
        """Run ``prefect <arguments>`` to its end."""
        with self._log(name) as log:
            child = subprocess.Popen(
                _prefect(arguments),
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._children[name] = child
            while child.poll() is None:
                self._check({name})
                time.sleep(0.1)
        del self._children[name]
        if child.returncode:
            raise PacklineError(f"prefect {' '.join(arguments)} failed; see {self._logs / name}.log.")

    def wait_for(self, url: str) -> None:
        """Wait until `url` answers."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            self._check(set())
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise PacklineError(
            f"The Prefect server did not answer within {_PATIENCE} s; see {self._logs}/server.log."
        )

    def watch(self) -> None:
        """Stay until something ends.

        Raises
        ------
        Stopped
            When a signal came.
        PacklineError
            Where a child ended by itself.
        """
        while True:
            self._check(set())
            time.sleep(0.2)

    def _check(self, may_end: set[str]) -> None:
        if self._stopped_by is not None:
            raise Stopped
        for name, child in self._children.items():
            if name not in may_end and child.poll() is not None:
                raise PacklineError(
                    f"The Prefect {name} ended with code {child.returncode}; see {self._logs / name}.log."
                )

    def _stop(self, name: str) -> None:
        child = self._children[name]
        if child.poll() is None:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE)
        # a worker's runs are of its group: whatever is left of it goes with it
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def _note(self, number: int, _: FrameType | None) -> None:
        self._stopped_by = number

    @contextmanager
    def _log(self, name: str) -> Iterator[int]:
        file = os.open(self._logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            yield file
        finally:
            os.close(file)


class Stopped(PacklineError):
    """A person stopped it."""


def _prefect(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


def _taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
        return False
