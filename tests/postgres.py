"""A PostgreSQL server of the tests' own, and the ledger's address on either database.

Debian's package brings the server; ours runs from a folder in /tmp on a Unix socket, without a port, for as
long as the tests run. Nothing of the machine's own clusters is touched.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from packline.ledger import Ledger

_SETTINGS = {
    "listen_addresses": "",
    # the tests kill the line, never the machine
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "log_statement": "none",
}
_TEMPLATE = "laid"  # a ledger with nothing in it


class Server:
    """A running server; `start` it first."""

    def __init__(self) -> None:
        # a socket's path may have 107 characters, which pytest's own folders exceed
        self.folder = Path(tempfile.mkdtemp(prefix="packline-postgres-", dir="/tmp"))
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Lay a cluster and serve it."""
        tools = _tools()
        # the server refuses to be root
        as_whom: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            as_whom = ["--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"]
        data = self.folder / "data"
        laying = [tools / "initdb", "-D", data, "-U", "packline", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            ["setpriv", *as_whom, *laying, "--no-sync"], check=True, capture_output=True, cwd=self.folder
        )
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        serving = [tools / "postgres", "-D", data, "-k", self.folder]
        with (self.folder / "log").open("wb") as log:
            # the server goes with us, even if we are killed
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "INT", *as_whom, *serving, *settings],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        until = time.monotonic() + 60
        while True:
            try:
                self._run("SELECT 1")
                break
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)
        self._run("CREATE DATABASE {}", _TEMPLATE)
        Ledger(self.url(_TEMPLATE)).close()

    def stop(self) -> None:
        """End it and leave nothing behind."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """A database's address for `ledger.url`."""
        return f"postgresql://packline@/{database}?host={self.folder}"

    def create(self, *, empty: bool = False) -> str:
        """A database that nobody has used: an empty ledger, or nothing at all."""
        self._count += 1
        name = f"t{self._count}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, "template1" if empty else _TEMPLATE)
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        where = f"host={self.folder} user=packline dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _tools() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: int(one.parts[-3]))
    on_path = shutil.which("postgres")
    if not found and not on_path:
        raise RuntimeError("PostgreSQL is not installed; run `.ci/setup test`.")
    return found[-1].parent if found else Path(str(on_path)).parent


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server, started when the first test asks for it."""
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """An empty ledger on PostgreSQL."""
    name = postgres.create()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be, on each of the two databases: a test that takes it runs twice."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same with nothing laid, on PostgreSQL neither."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.create(empty=True)
    yield server.url(name)
    server.drop(name)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """Ask a ledger's database behind the ledger's back."""
    from packline.ledger.database import connect

    reader, _ = connect(url)
    with reader.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    reader.dispose()
    return found


def change(url: str, *statements: str) -> None:
    """Change a ledger's database behind the ledger's back."""
    from packline.ledger.database import connect

    _, writer = connect(url)
    try:
        with writer.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        writer.dispose()
