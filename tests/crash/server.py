"""Runs the line again and again in forks of a process that has imported and loaded everything.

``python -m tests.crash.server`` reads the path of a catalogue from each line of standard input, runs the line
on it in a child that is the leader of its own session, and writes to standard output: ``pid N``, then
``event NAME`` before and after each thing that the run asks of the ledger or the bucket and at each station,
then ``ended CODE``.

It is the true line: the stations of ``flows.catalog_run`` in their order, the bodies of the tasks, the
renderer's process, the embedded weights. Only Prefect is left out, and the engine's calls are noted in
``engine.log``.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

RETRIES = 3
NOTHING, DONE, FLAGS, FAILED = 0, 10, 11, 1
# what a run imports only when it gets there, at seconds of processor time for each fork
_LATE = (
    "alembic.command",
    "c2pa",
    "cryptography.x509",
    "packline.releases.manifest",
    "packline.report.build",
    "pandas",
    "PIL.JpegImagePlugin",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pygments.formatters",
    "safetensors.numpy",
)


def main() -> None:
    """Serve."""
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no reply
    run = prepare(lambda name: os.write(say.fileno(), f"event {name}\n".encode()))
    say.write("ready\n")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()
            code = FAILED
            try:
                code = run(Path(line.strip()))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        say.write(f"pid {child}\n")
        _, status = os.waitpid(child, 0)
        say.write(f"ended {os.waitstatus_to_exitcode(status)}\n")


def prepare(tell: Callable[[str], object]) -> Callable[[Path], int]:
    """Import and load everything; returns what runs the line once on a catalogue."""
    import torch

    torch.set_num_threads(1)
    from flows import catalog_run as flow
    from packline.line import Order
    from packline.line import line as lines
    from packline.line.closing import COMPLETED, close_run
    from tasks.opening import line_of, plan_ahead

    for late in _LATE:
        importlib.import_module(late)
    _without_prefect(flow, tell)
    _watched(tell)
    engines: dict[str, Any] = {}
    open_engine = lines.open_engine

    def warm(settings: Any, presets: Any) -> Any:
        """The embedded editor, loaded once for all forks."""
        if "one" not in engines:
            engines["one"] = _Noted(open_engine(settings, presets))
        return engines["one"]

    lines.open_engine = warm
    _warm_up(Order, line_of)

    def run(catalog: Path) -> int:
        os.chdir(catalog.parent)
        order = Order(catalog)
        plan = plan_ahead(order)
        line = line_of(order)
        if plan.nothing:
            close_run(line, plan.run)
            return NOTHING
        closing = flow.run_stations(order, plan)
        return DONE if closing.state == COMPLETED else FLAGS

    return run


def _warm_up(order: Any, line_of: Any) -> None:
    import tempfile

    from tests.crash.house import build

    with tempfile.TemporaryDirectory() as folder:
        line = line_of(order(build(Path(folder) / "warm", "ledger.db", 1)))
        line.engine.describe()
        line.engine.warm_up()
    importlib.import_module("tasks.opening")._open.clear()


class _Noted:
    """The engine, which notes each batch before it makes it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._watched: Any = None

    @property
    def capabilities(self) -> Any:
        return self.inner.capabilities

    def describe(self) -> dict[str, Any]:
        return dict(self.inner.describe())

    def warm_up(self) -> None:
        self.inner.warm_up()
        if self._watched is not self.inner._driver:
            self._watched = self.inner._driver
            self._watch(self._watched)

    def _watch(self, driver: Any) -> None:
        denoise = driver.denoise

        def noted(requests: Sequence[Any], stack: Any) -> Any:
            with Path("engine.log").open("a") as log:
                log.write("".join(f"{request.seed} {request.prompt}\n" for request in requests))
            return denoise(requests, stack)

        driver.denoise = noted

    def edit(self, requests: Sequence[Any], done: Any = None) -> Any:
        return self.inner.edit(requests, done)


class _Plain:
    """A task without Prefect: called again where it asks for that."""

    def __init__(self, task: Any, tell: Callable[[str], object]) -> None:
        self.name = task.name
        self._work, self._tell = task.fn, tell

    def with_options(self, **_: Any) -> _Plain:
        return self

    def __call__(self, *given: Any) -> Any:
        from packline.errors import TryAgain
        from tasks import retrying

        self._tell(f"station.{self.name}")
        for count in range(1, RETRIES + 2):
            retrying.task_run = SimpleNamespace(run_count=count)  # type: ignore[assignment]
            try:
                return self._work(*given)
            except TryAgain:
                if count > RETRIES:
                    raise
        raise AssertionError


def _without_prefect(flow: Any, tell: Callable[[str], object]) -> None:
    from prefect import Task

    import tasks

    for name, value in list(vars(flow).items()):
        if isinstance(value, Task):
            setattr(flow, name, _Plain(value, tell))
    for found in pkgutil.iter_modules(tasks.__path__):
        module = importlib.import_module(f"tasks.{found.name}")
        for name in list(vars(module)):
            if name.startswith("create_") and name.endswith("_artifact"):
                setattr(module, name, lambda **_: None)


def _watched(tell: Callable[[str], object]) -> None:
    """Tell of each call to the ledger and to the bucket before it is made and after."""
    from packline.bucket.folder import FolderBucket
    from packline.ledger import Ledger

    for kind in (Ledger, FolderBucket):
        for name, value in list(vars(kind).items()):
            if (
                callable(value)
                and not name.startswith("_")
                and not isinstance(value, (staticmethod, classmethod))
            ):
                setattr(kind, name, _told(value, f"{kind.__name__}.{name}", tell))


def _told(work: Callable[..., Any], name: str, tell: Callable[[str], object]) -> Callable[..., Any]:
    def told(*given: Any, **named: Any) -> Any:
        tell(name)
        try:
            return work(*given, **named)
        finally:
            tell(f"{name} done")

    return told


if __name__ == "__main__":
    main()
