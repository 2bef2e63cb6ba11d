"""References for many products: cached ones at once, the others by a worker process that may die.

A model file is a stranger's data and a renderer is native code. So drawing happens in a process with
limits on memory and time; what kills it flags one product, and the next one gets a new process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packline.errors import FixSettings, GiveUp
from packline.scenes import Scene, load_scene
from packline.stage.cache import fingerprint, is_stored, reference_folder
from packline.stage.files import model_digest

#: Wall seconds that one product may take before its worker is stopped.
SECONDS = 180.0
#: Address space of a worker in bytes. llvmpipe maps much more than it touches.
MEMORY = 8 << 30
#: Starts a worker; its limits are added.
COMMAND = (sys.executable, "-m", "packline.stage.worker")


@dataclass(frozen=True)
class SceneView:
    """A product standing in a scene, with one side towards the camera.

    Parameters
    ----------
    scene
        The scene's JSON file.
    side
        A name of `views.SIDES`.
    shift, turn, scale
        How the product strays from the scene's place: metres along the world's X and Z, degrees about Y,
        factor on the size; see `views.scene_pose`.
    """

    scene: Path
    side: str = "front"
    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Unique within a job."""
        name = f"scene:{self.scene.stem}:{self.side}"
        if (self.shift, self.turn, self.scale) == ((0.0, 0.0), 0.0, 1.0):
            return name
        return f"{name}:{self.shift[0]:+g}{self.shift[1]:+g}@{self.turn:+g}x{self.scale:g}"


@dataclass(frozen=True)
class RenderJob:
    """What is wanted of one product.

    Parameters
    ----------
    model
        The model file.
    views
        Canonical views by name ("front", "label:<id>", ...) and views in scenes.
    cache
        Folder for references.
    declared
        Label directions from the catalog, see `text_truth.apply_declared`.
    size
        Longer side of the pictures in pixels.
    variant
        The material variant to draw (KHR_materials_variants); empty: the file's default.
    """

    sku: str
    model: Path
    views: tuple[str | SceneView, ...]
    cache: Path
    declared: dict[str, str] = field(default_factory=dict)
    size: int = 1024
    variant: str = ""


@dataclass(frozen=True)
class RenderResult:
    """What came of a job.

    Parameters
    ----------
    references
        For each view that is there (`SceneView.name` or the canonical name) its fingerprint and folder, for
        `Reference.load`.
    failed
        For each view that could not be drawn a sentence.
    error
        A sentence, where the product as a whole could not be drawn; else empty.
    notes
        What was approximated.
    cached
        How many references lay there already.
    seconds
        Wall time.
    """

    sku: str
    references: dict[str, tuple[str, Path]]
    failed: dict[str, str]
    error: str
    notes: tuple[str, ...]
    cached: int
    seconds: float


@dataclass(frozen=True)
class _Wanted:
    view: str
    key: str
    folder: Path
    scene: Path | None
    name: str


def render_product(job: RenderJob, seconds: float = SECONDS) -> RenderResult:
    """References of one product; see `render_products`."""
    return next(iter(render_products([job], seconds)))


def render_products(
    jobs: Iterable[RenderJob], seconds: float = SECONDS, memory: int = MEMORY
) -> Iterator[RenderResult]:
    """Make the references of many products, one result a job, in order, as each is done.

    What lies in the cache costs no rendering and starts no process. The others share one worker process,
    which is started again after a crash.

    Parameters
    ----------
    seconds
        Wall and processor time that one product may take.
    memory
        Address space of the worker in bytes.

    Raises
    ------
    FixSettings
        Where the machine cannot render at all (no EGL, no assimp): no product could succeed.
    """
    worker = _Worker(seconds, memory)
    try:
        for job in jobs:
            yield _one(job, worker)
    finally:
        worker.stop()


def _one(job: RenderJob, worker: _Worker) -> RenderResult:
    started = time.monotonic()
    references: dict[str, tuple[str, Path]] = {}
    failed: dict[str, str] = {}
    notes: list[str] = []
    missing: list[_Wanted] = []

    def result(error: str = "") -> RenderResult:
        cached = len(references) - drawn
        return RenderResult(
            job.sku,
            references,
            failed,
            error,
            tuple(dict.fromkeys(notes)),
            cached,
            time.monotonic() - started,
        )

    drawn = 0
    try:
        digest = model_digest(job.model)
    except GiveUp as error:
        return result(f"{job.sku}: {error}")
    scenes: dict[Path, Scene] = {}
    for view in job.views:
        name = view.name if isinstance(view, SceneView) else view
        scene = None
        if isinstance(view, SceneView):
            try:
                scene = scenes.setdefault(view.scene, load_scene(view.scene))
            except GiveUp as error:
                failed[name] = f"{job.sku}: {error}"
                continue
        side = view.side if isinstance(view, SceneView) else view
        key = fingerprint(digest, job.declared, side, job.size, scene)
        folder = reference_folder(job.cache, key)
        if is_stored(folder):
            references[name] = (key, folder)
            notes += json.loads((folder / "truth.json").read_text())["notes"]
        else:
            missing.append(
                _Wanted(side, key, folder, view.scene if isinstance(view, SceneView) else None, name)
            )
    if not missing:
        return result()
    reply = worker.ask(job, missing)
    if reply.get("kind") == "FixSettings":
        raise FixSettings(reply["error"])
    notes += reply.get("notes", [])
    for wanted in missing:
        if is_stored(wanted.folder):
            references[wanted.name] = (wanted.key, wanted.folder)
            drawn += 1
        elif not reply.get("error"):
            failed[wanted.name] = (
                f"{job.sku}: {reply['failed'].get(wanted.name, 'its reference was not written')}"
            )
    return result(f"{job.sku}: {reply['error']}" if reply.get("error") else "")


class _Worker:
    """One `python -m packline.stage.worker`: a line of JSON in, a line of JSON out."""

    def __init__(self, seconds: float, memory: int) -> None:
        self.seconds, self.memory = seconds, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: Any = None

    def ask(self, job: RenderJob, wanted: list[_Wanted]) -> dict[str, Any]:
        """Draw one product; a dead or late worker comes back as an error sentence."""
        process = self._process or self._start()
        request = {
            "model": str(job.model),
            "declared": job.declared,
            "size": job.size,
            "views": [
                {
                    "name": w.name,
                    "view": w.view,
                    "folder": str(w.folder),
                    "scene": str(w.scene) if w.scene else None,
                }
                for w in wanted
            ],
        }
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return {"error": self._obituary(job)}
        line = self._read_line(process.stdout.fileno())
        if line is None:
            self.stop()
            return {
                "error": f"drawing {job.model.name} took longer than {self.seconds:g} s and was stopped; "
                "simplify the model."
            }
        try:
            reply: dict[str, Any] = json.loads(line)
        except ValueError:
            return {"error": self._obituary(job)}
        return reply

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            self._errors.close()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed in stop()
        # the renderer gets what it needs to run and none of this process's secrets
        kept = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH")
        prefixes = ("LC_", "EGL_", "LP_", "OMP_", "MESA_", "PYTHON", "__EGL")
        environment = {k: v for k, v in os.environ.items() if k in kept or k.startswith(prefixes)}
        self._process = subprocess.Popen(
            [*COMMAND, str(self.memory), str(max(int(self.seconds), 1))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )
        return self._process

    def _read_line(self, descriptor: int) -> bytes | None:
        """A line; an empty or partial one where the process ended; None where time ran out."""
        deadline = time.monotonic() + self.seconds
        data = b""
        while not data.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                return None
            piece = os.read(descriptor, 65536)
            if not piece:
                break
            data += piece
        return data

    def _obituary(self, job: RenderJob) -> str:
        """Why the worker died, in a sentence."""
        assert self._process is not None
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        self.stop()
        if code == -signal.SIGXCPU:
            limit = f"{self.seconds:g} s of processor time"
            return f"drawing {job.model.name} took more than {limit}; simplify the model."
        reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = f": {said[-1][:160]}" if said else ""
        return (
            f"the renderer crashed on {job.model.name} ({reason}{last}); check the model and export it again."
        )
