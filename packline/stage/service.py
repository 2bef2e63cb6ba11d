"""References for many products: cached ones at once, the others by processes that may die.

A model file is a stranger's data and a renderer is native code. So each product is drawn by a process of its
own, in a sandbox and with limits on memory and time (see `worker`); what kills it flags one product. What it
drew, it leaves in a folder of drafts; only this process puts it into the cache.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import shutil
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
from packline.stage import device
from packline.stage.cache import (
    AS_IT_IS,
    fingerprint,
    is_stored,
    keep,
    product_fingerprint,
    reference_folder,
    refuse,
    refused,
    stage_version,
)
from packline.stage.files import model_digest

logger = logging.getLogger(__name__)

#: Wall seconds that one product may take before its process is stopped.
SECONDS = 180.0
#: Address space of a product's process in bytes. llvmpipe maps much more than it touches.
MEMORY = 8 << 30
#: Starts a worker; its limits and a folder are added.
COMMAND = (sys.executable, "-m", "packline.stage.worker")

# so long may a worker take to start, or to clear up, on a busy machine
_GRACE = 120.0
# drafts that old were left by a process that was killed
_STALE = 24 * 3600.0
_said: set[str] = set()


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
    light
        How its light strays from the scene's: `Light.strayed`'s turn, height, size and exposure.
    """

    scene: Path
    side: str = "front"
    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    scale: float = 1.0
    light: tuple[float, float, float, float] = AS_IT_IS

    @property
    def name(self) -> str:
        """Unique within a job."""
        name = f"scene:{self.scene.stem}:{self.side}"
        if (self.shift, self.turn, self.scale) != ((0.0, 0.0), 0.0, 1.0):
            name += f":{self.shift[0]:+g}{self.shift[1]:+g}@{self.turn:+g}x{self.scale:g}"
        if self.light != AS_IT_IS:
            name += ":light{:+g}{:+g}x{:g}x{:g}".format(*self.light)
        return name


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
    truth
        A truth file that takes the place of the sidecar beside the model.
    """

    sku: str
    model: Path
    views: tuple[str | SceneView, ...]
    cache: Path
    declared: dict[str, str] = field(default_factory=dict)
    size: int = 1024
    variant: str = ""
    truth: Path | None = None


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
    passing
        Whether `error` says nothing of the product: its process was killed, and another try may go well.
    """

    sku: str
    references: dict[str, tuple[str, Path]]
    failed: dict[str, str]
    error: str
    notes: tuple[str, ...]
    cached: int
    seconds: float
    passing: bool = False


@dataclass(frozen=True)
class _Wanted:
    """A view that is not there yet."""

    name: str
    view: str
    key: str
    folder: Path
    placed: SceneView | None = None


def render_product(job: RenderJob, seconds: float = SECONDS) -> RenderResult:
    """References of one product; see `render_products`."""
    return next(iter(render_products([job], seconds)))


def render_products(
    jobs: Iterable[RenderJob], seconds: float = SECONDS, memory: int = MEMORY
) -> Iterator[RenderResult]:
    """Make the references of many products, one result a job, in order, as each is done.

    What lies in the cache costs no rendering and starts no process, and neither does what was refused before.
    Each other product is drawn by a process of its own.

    Parameters
    ----------
    seconds
        Wall time, and processor time for each processor, that one product may take.
    memory
        Address space in bytes that one product may take.

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

    def result(error: str = "", passing: bool = False) -> RenderResult:
        return RenderResult(
            job.sku,
            references,
            {name: f"{job.sku}: {sentence}" for name, sentence in failed.items()},
            f"{job.sku}: {error}" if error else "",
            tuple(dict.fromkeys(notes)),
            cached,
            time.monotonic() - started,
            passing,
        )

    cached = 0
    try:
        digest = model_digest(job.model, job.truth)
    except GiveUp as error:
        return result(str(error))
    missing: list[_Wanted] = []
    scenes: dict[Path, Scene] = {}
    for wanted in _wanted(job, digest, scenes, failed):
        if is_stored(wanted.folder):
            references[wanted.name] = (wanted.key, wanted.folder)
            notes += json.loads((wanted.folder / "truth.json").read_text())["notes"]
        elif sentence := refused(job.cache, wanted.key):
            failed[wanted.name] = sentence
        else:
            missing.append(wanted)
    cached = len(references)
    product = product_fingerprint(digest, job.declared, job.variant)
    if not missing:
        return result()
    if sentence := refused(job.cache, product):
        return result(sentence)

    with _drafts(job.cache) as drafts:
        reply = worker.ask(job, missing, scenes, drafts)
        for wanted in missing:
            if is_stored(drafts / wanted.key):
                keep(drafts / wanted.key, wanted.folder)
                references[wanted.name] = (wanted.key, wanted.folder)
    _report(reply.get("gaps", []))
    if reply.get("kind") == "FixSettings":
        raise FixSettings(reply["error"])
    if reply.get("error"):
        if reply.get("lasting"):
            refuse(job.cache, product, reply["error"])
        return result(reply["error"], bool(reply.get("passing")))
    notes += reply.get("notes", [])
    for wanted in missing:
        if wanted.name not in references:
            unwritten = ("its reference was not written; run again.", False)
            failed[wanted.name], lasting = reply["failed"].get(wanted.name, unwritten)
            if lasting:
                refuse(job.cache, wanted.key, failed[wanted.name])
    return result()


def _wanted(
    job: RenderJob, digest: str, scenes: dict[Path, Scene], failed: dict[str, str]
) -> Iterator[_Wanted]:
    """Each view with its fingerprint; `scenes` and `failed` are added to."""
    for view in job.views:
        if isinstance(view, str):
            key = fingerprint(digest, job.declared, view, job.size, variant=job.variant)
            yield _Wanted(view, view, key, reference_folder(job.cache, key))
            continue
        try:
            scene = scenes.get(view.scene) or load_scene(view.scene)
            scenes[view.scene] = scene
        except GiveUp as error:
            failed[view.name] = str(error)
            continue
        key = fingerprint(
            digest, job.declared, view.side, job.size, scene,
            variant=job.variant, shift=view.shift, turn=view.turn, scale=view.scale, light=view.light,
        )  # fmt: skip
        yield _Wanted(view.name, view.side, key, reference_folder(job.cache, key), view)


@contextlib.contextmanager
def _drafts(cache: Path) -> Iterator[Path]:
    """A folder beside the references that a product's process may write to."""
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(".drafts-*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _STALE:
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=".drafts-", dir=cache)).absolute()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _report(gaps: Iterable[str]) -> None:
    """Say once what this machine's sandbox lacks."""
    for sentence in gaps:
        if sentence not in _said:
            _said.add(sentence)
            logger.warning(sentence)


class _Worker:
    """One `python -m packline.stage.worker`: a line of JSON in, a line of JSON out."""

    def __init__(self, seconds: float, memory: int) -> None:
        self.seconds, self.memory = seconds, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._open = contextlib.ExitStack()
        self._errors: Any = None

    def ask(
        self, job: RenderJob, wanted: list[_Wanted], scenes: dict[Path, Scene], drafts: Path
    ) -> dict[str, Any]:
        """Draw one product into `drafts`; a dead or late worker comes back as an error sentence."""
        process = self._process or self._start()
        model = job.model.absolute()
        placed = {view.placed.scene for view in wanted if view.placed}
        # the model's folder, and the model itself where it is a link out of it; its truth, scenes and photos
        reads = {model.parent, model.resolve(), *placed, *(scenes[file].image for file in placed)}
        reads |= {job.truth} if job.truth else set()
        request = {
            "model": str(model),
            "declared": job.declared,
            "variant": job.variant,
            "truth": str(job.truth.absolute()) if job.truth else None,
            "size": job.size,
            "drafts": str(drafts),
            "shaders": str(_shaders()),
            "reads": sorted(str(path.absolute()) for path in reads),
            "views": [
                {
                    "name": view.name,
                    "view": view.view,
                    "key": view.key,
                    "scene": str(view.placed.scene.absolute()) if view.placed else None,
                    "shift": view.placed.shift if view.placed else (0.0, 0.0),
                    "turn": view.placed.turn if view.placed else 0.0,
                    "scale": view.placed.scale if view.placed else 1.0,
                    "light": view.placed.light if view.placed else AS_IT_IS,
                }
                for view in wanted
            ],
        }
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        line = self._read_line(process.stdout.fileno())
        if line is None or not line.endswith(b"\n"):
            return {"error": self._obituary(late=line is None), "passing": True}
        reply: dict[str, Any] = json.loads(line)
        return reply

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            # it ends its children before itself
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._open.close()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._errors = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        folder = self._open.enter_context(
            tempfile.TemporaryDirectory(prefix="packline-stage-", ignore_cleanup_errors=True)
        )
        self._process = subprocess.Popen(
            [*COMMAND, str(self.memory), str(self.seconds), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            start_new_session=True,  # who interrupts the line at its terminal stops it in order
        )
        return self._process

    def _read_line(self, descriptor: int) -> bytes | None:
        """A line; an empty or partial one where the process ended; None where time ran out."""
        deadline = time.monotonic() + self.seconds + _GRACE
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

    def _obituary(self, late: bool) -> str:
        """Why the worker itself, not a product's process, gave no answer."""
        assert self._process is not None
        if late:
            self._process.kill()
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        self.stop()
        last = f": {said[-1][:160]}" if said else ""
        if late:
            return f"the renderer did not answer in time{last}; the machine is too busy, run again."
        return f"the renderer stopped (exit code {code}{last}); run again, and see that memory suffices."


def _shaders() -> Path:
    """Where this machine's compiled shaders lie: they depend on its driver and processor."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "packline" / "shaders" / stage_version()


def _environment() -> dict[str, str]:
    """What the renderer needs to run, and none of this process's secrets."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH", device.SETTING)
    prefixes = ("LC_", "EGL_", "LP_", "MESA_", "PYTHON", "__EGL")
    own = {name: value for name, value in os.environ.items() if name in kept or name.startswith(prefixes)}
    return {
        # on a large machine, llvmpipe would start a thread for each processor and product
        "LP_NUM_THREADS": str(min(os.cpu_count() or 1, 4)),
        **own,
        # it forks, and a fork takes no thread along
        **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
        # a GPU's CUDA ordinal then counts by PCI address, as `device` does
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
