"""Keeping children together: what packline serve does with its server and worker."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from packline.cli import serve
from packline.errors import PacklineError


@pytest.fixture
def python_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children run Python code instead of Prefect's commands."""
    monkeypatch.setattr(serve, "_prefect", lambda arguments: [sys.executable, "-c", *arguments])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


SLEEP = "import time; time.sleep(600)"
# a worker with a run of its own, both deaf to SIGTERM's usual effect on the child
FAMILY = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "open('{file}', 'w').write(str(child.pid)); time.sleep(600)"
)


@pytest.mark.usefixtures("python_children")
def test_a_signal_stops_all_children_and_theirs(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with serve.Supervisor(tmp_path, os.environ) as children:
        children.start("server", [SLEEP])
        children.start("worker", [FAMILY.format(file=note)])
        while not note.is_file() or not note.read_text():
            time.sleep(0.02)
        pids = [child.pid for child in children._children.values()] + [int(note.read_text())]
        assert all(alive(pid) for pid in pids)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(serve.Stopped):
            children.watch()
    until = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


@pytest.mark.usefixtures("python_children")
def test_a_child_that_ends_by_itself_is_reported_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(PacklineError, match=r"The Prefect server ended with code 3; see .*server\.log"),
        serve.Supervisor(tmp_path, os.environ) as children,
    ):
        children.start("server", ["print('oh no'); raise SystemExit(3)"])
        children.watch()
    assert (tmp_path / "server.log").read_text() == "oh no\n"


@pytest.mark.usefixtures("python_children")
def test_a_step_that_fails_is_reported_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(PacklineError, match=r"failed; see .*deploy\.log"),
        serve.Supervisor(tmp_path, os.environ) as children,
    ):
        children.do("deploy", ["raise SystemExit(1)"])
