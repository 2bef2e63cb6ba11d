"""The engine that runs diffusers pipelines on this machine: from the embedded small weights to FLUX.2.

This file knows how to group, batch, retry and account; how each kind of pipeline is called is in its driver.
Importing it costs nothing: torch and diffusers come with `warm_up`.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from packline.editing.architectures import Architecture
from packline.editing.engine import Capabilities, Edit, EditRequest, LoraChoice, Picture
from packline.editing.loras import Lora, Presets, check_strength
from packline.editing.memory import BatchSize, Memory
from packline.editing.prompts import trim_prompt
from packline.editing.weights import Weights
from packline.errors import GiveUp, TryAgain
from packline.settings import EngineSettings

if TYPE_CHECKING:
    from packline.editing.driver import PipelineDriver

Value = TypeVar("Value")
logger = logging.getLogger(__name__)

_SMALLEST_REFERENCE = 64


@dataclass(frozen=True)
class Job:
    """A request as it will be drawn.

    Parameters
    ----------
    request
        Its prompt is one that the model reads whole.
    cut
        Words of the prompt that were left out for that.
    """

    request: EditRequest
    stack: tuple[Lora, ...]
    cut: str = ""


@dataclass(frozen=True)
class Batch:
    """Candidates whose latents are made.

    Parameters
    ----------
    pictures
        Gives the pictures, and the seconds that decoding took.
    peak
        Bytes.
    """

    indices: tuple[int, ...]
    pictures: Callable[[], tuple[NDArray[np.float32], float]]
    seconds: float
    peak: int


class DiffusersEngine:
    """See `packline.editing.engine.Engine`.

    Parameters
    ----------
    settings
        ``[engine]``.
    architecture, weights
        What to load, as `open_engine` found it.
    presets
        The LoRAs that requests may name.
    """

    def __init__(
        self, settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
    ) -> None:
        self._settings = settings
        self._architecture = architecture
        self._weights = weights
        self._presets = presets
        self._driver: PipelineDriver | None = None
        self._memory = Memory("cpu")
        self._batch = BatchSize(settings.batch)
        self._lock = threading.Lock()
        low, high = architecture.sizes
        if not low <= settings.size <= high:
            logger.warning(
                "Engine %s: engine.size %d is outside the %d to %d px that %s is good at",
                settings.name,
                settings.size,
                low,
                high,
                architecture.name,
            )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; known without loading weights."""
        known = self._architecture
        return Capabilities(
            architecture=known.name,
            most_references=int(self._weights.card.get("most_references", known.most_references)),
            lora=bool(known.lora),
            negative_prompt=known.negative_prompt,
            multiple_of=known.multiple_of,
            longest_prompt=int(self._weights.card.get("max_sequence_length", known.longest_prompt)),
            mask=known.starts_from_render,
            sizes=known.sizes,
            batch=self._batch.most,
        )

    def describe(self) -> dict[str, Any]:
        """Everything that determines pixels; reads weight files once, loads none."""
        settings = self._settings
        # what changes pixels but is off leaves no trace, so that older fingerprints stay what they were
        faster = {"precision": settings.precision, "compile": settings.compile}
        return {
            "name": settings.name,
            "architecture": settings.architecture,
            "weights_sha256": self._weights.sha256(),
            "dtype": settings.dtype,
            "size": settings.size,
            "steps": settings.steps,
            "guidance": settings.guidance,
            "diffusers": version("diffusers"),
            **{name: value for name, value in faster.items() if value not in ("full", "off")},
        }

    def warm_up(self) -> None:
        """Load the weights; does nothing when they are loaded.

        Raises
        ------
        FixSettings
            The weights cannot be loaded.
        """
        with self._lock:
            self._ready()

    def free(self) -> None:
        """Let go of the weights, for another engine to have the memory; they are loaded again when needed."""
        with self._lock:
            if self._driver is None:
                return
            self._driver = None
        # the pipeline's parts know each other
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def edit(self, requests: Sequence[EditRequest]) -> list[Edit]:
        """Make one picture a request, in order.

        Requests with the same LoRA and strength go together, so that LoRAs are swapped as seldom as can be.

        Raises
        ------
        GiveUp
            A request cannot be served as it is: too long a prompt, an unusable LoRA or reference.
        TryAgain
            Memory ran out with a single candidate, or the model produced no numbers.
        """
        with self._lock:
            driver = self._ready()
            jobs = [self._job(driver, request) for request in requests]
            # by LoRA first, so that each is loaded once; then what may share a call
            groups: dict[tuple[LoraChoice, ...], dict[Hashable, list[int]]] = {}
            for index, job in enumerate(jobs):
                group = groups.setdefault(job.request.loras, {})
                group.setdefault(driver.batch_key(job.request), []).append(index)
            edits: dict[int, Edit] = {}
            for group in groups.values():
                for indices in group.values():
                    driver.use_loras(jobs[indices[0]].stack)
                    edits.update(self._draw_all(driver, jobs, indices))
            return [edits[index] for index in range(len(requests))]

    def _draw_all(
        self, driver: PipelineDriver, jobs: Sequence[Job], indices: Sequence[int]
    ) -> dict[int, Edit]:
        """Candidates that may share calls; while one batch is denoised, the one before it may be decoded."""
        edits: dict[int, Edit] = {}
        waiting = list(indices)
        beside: list[Batch] = []
        asked = self._settings.overlap
        overlaps = asked == "on" or (asked == "auto" and driver.device == "cuda")
        with ThreadPoolExecutor(1) as thread:
            while waiting or beside:
                too_many = 0
                ready, beside = beside, []
                if now := waiting[: self._batch.now]:
                    last = len(now) == len(waiting)
                    batch = self._denoise(driver, jobs, now, None if last or not overlaps else thread)
                    if batch is None:
                        too_many = len(now)
                    else:
                        waiting = waiting[len(now) :]
                        (beside if overlaps and not last else ready).append(batch)
                while ready:
                    done = ready.pop(0)
                    made = _within_memory(done.pictures)
                    if made is not None:
                        edits.update(self._edits(driver, jobs, done, *made))
                        continue
                    waiting = [*done.indices, *waiting]
                    too_many = max(too_many, len(done.indices))
                    # nothing may be under way when memory is made
                    ready, beside = [*ready, *beside], []
                if too_many:
                    self._make_room(driver, too_many)
        return edits

    def _denoise(
        self, driver: PipelineDriver, jobs: Sequence[Job], indices: Sequence[int], thread: Executor | None
    ) -> Batch | None:
        requests, stack = [jobs[index].request for index in indices], jobs[indices[0]].stack
        held, free, start = self._memory.start(), self._memory.free(), time.perf_counter()
        latents = _within_memory(lambda: driver.denoise(requests, stack))
        if latents is None:
            return None
        seconds, peak = time.perf_counter() - start, self._memory.peak()
        self._batch.learn(len(indices), peak - held, free)

        def pictures() -> tuple[NDArray[np.float32], float]:
            begun = time.perf_counter()
            return driver.decode(latents), time.perf_counter() - begun

        later = pictures if thread is None else thread.submit(pictures).result
        return Batch(tuple(indices), later, seconds, peak)

    def _make_room(self, driver: PipelineDriver, count: int) -> None:
        """Give something up, as `count` candidates did not fit: the batch first, then quality, then speed."""
        name = self._settings.name
        driver.free_memory()
        if count > 1:
            self._batch.halve(count)
            logger.warning("Engine %s: out of memory, batch is now %d", name, self._batch.now)
            return
        step = driver.ease()
        if step is None:
            # none of it helped, and the next try may find a card that is free
            tried = ", ".join(driver.eased)
            driver.undo_easing()
            raise TryAgain(
                f"Engine {name}: memory ran out with a single candidate at {self._settings.size} px"
                f"{f' even with {tried}' if tried else ''}; free the card, or lower engine.size or "
                f"engine.dtype."
            )
        logger.warning("Engine %s: out of memory with a single candidate, going on with %s", name, step)

    def _edits(
        self,
        driver: PipelineDriver,
        jobs: Sequence[Job],
        batch: Batch,
        pictures: NDArray[np.float32],
        seconds: float,
    ) -> dict[int, Edit]:
        if not np.isfinite(pictures).all():
            raise TryAgain(
                f"Engine {self._settings.name} produced pixels that are not numbers with dtype "
                f"{self._settings.dtype}; if it happens again choose engine.dtype bfloat16 or float32."
            )
        count = len(batch.indices)
        each = (batch.seconds + seconds) / count
        peak = max(batch.peak, self._memory.peak())
        shared = {
            **self.describe(),
            "device": driver.device,
            "batch": count,
            "seconds": round(each, 4),
            "peak_memory": peak,
            "cost": self._settings.price,
        }
        edits = {}
        for index, picture in zip(batch.indices, pictures, strict=True):
            job = jobs[index]
            used = {**shared, **driver.acting(job.request, job.stack), "seed": job.request.seed}
            used["loras"] = self._loras(job.stack)
            told = {"ignored": driver.ignored(job.request, job.stack), "eased": list(driver.eased)}
            used |= {name: said for name, said in told.items() if said}
            if job.cut:
                used["cut"] = job.cut
            edits[index] = Edit(np.round(picture * 255).astype(np.uint8), each, used)
        return edits

    def _loras(self, stack: Sequence[Lora]) -> list[dict[str, Any]]:
        return [
            {
                "label": lora.preset.label,
                "sha256": self._presets.sha256(lora.preset.label),
                "strength": lora.strength,
                "trigger": lora.preset.trigger,
            }
            for lora in stack
        ]

    def _job(self, driver: PipelineDriver, request: EditRequest) -> Job:
        """Look a request over.

        Raises
        ------
        GiveUp
            Where it cannot be served as it is.
        """
        name, can = self._settings.name, self.capabilities
        if not 1 <= len(request.references) <= can.most_references:
            raise GiveUp(
                f"Engine {name} takes 1 to {can.most_references} references, not {len(request.references)}."
            )
        for number, picture in enumerate(request.references, start=1):
            _check_picture(picture, number)
        if request.loras and not can.lora:
            raise GiveUp(f"Engine {name} takes no LoRA; leave the column lora empty.")
        for lora in request.loras:
            check_strength(lora.label, lora.strength)
            self._presets.fit(lora.label, self._architecture.lora)
        stack = tuple(Lora(self._presets.get(lora.label), lora.strength) for lora in request.loras)
        prompt, cut = request.prompt, ""
        if (tokens := driver.count_tokens(prompt)) > can.longest_prompt:
            if self._settings.long_prompt == "trim":
                triggers = [lora.preset.trigger for lora in stack]
                prompt, cut = trim_prompt(prompt, triggers, driver.count_tokens, can.longest_prompt)
            if not cut:
                raise GiveUp(
                    f"The prompt has {tokens} tokens and engine {name} reads {can.longest_prompt}; shorten "
                    f"prompt.template or the title (the prompt starts {request.prompt[:60]!r})."
                )
            logger.warning("Engine %s: the prompt is too long, left out: %s", name, cut)
        return Job(replace(request, prompt=prompt), stack, cut)

    def _ready(self) -> PipelineDriver:
        if self._driver is None:
            # waiting threads that spin starve the renderers next door (twenty times slower on busy cores)
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            module = importlib.import_module(_DRIVERS[self._architecture.driver])
            self._driver = module.open_driver(
                self._settings, self._architecture, self._weights, self._presets
            )
            self._memory = Memory(self._driver.device)
        return self._driver


_DRIVERS = {
    "flux2": "packline.editing.flux2",
    "kontext": "packline.editing.kontext",
    "qwen": "packline.editing.qwen",
    "zimage": "packline.editing.zimage",
    "image-to-image": "packline.editing.image_to_image",
}


def _within_memory(work: Callable[[], Value]) -> Value | None:
    """What it gives; None when memory ran out: the error's frames must be gone before anything is freed."""
    import torch

    try:
        return work()
    except torch.OutOfMemoryError:
        return None


def _check_picture(picture: Picture, number: int) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise GiveUp(
            f"Reference {number} must be an 8-bit RGB picture, not {picture.dtype} of shape {picture.shape}."
        )
    if min(picture.shape[:2]) < _SMALLEST_REFERENCE:
        raise GiveUp(
            f"Reference {number} is {picture.shape[1]}x{picture.shape[0]} px; under {_SMALLEST_REFERENCE} px "
            f"a model sees nothing in it, render it larger."
        )
