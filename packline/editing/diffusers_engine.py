"""The engine that runs diffusers pipelines on this machine: from the embedded small weights to FLUX.2.

This file looks requests over and accounts for what was made; batches are drawn in `drawing`, and how each
kind of pipeline is called is in its driver. Importing it costs nothing: torch and diffusers come with
`warm_up`.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from packline.editing.architectures import Architecture
from packline.editing.drawing import Drawing, Drawn, Job
from packline.editing.engine import Capabilities, Done, Edit, EditRequest, Picture, Spoiled
from packline.editing.loras import Lora, Presets, check_strength
from packline.editing.memory import within_memory
from packline.editing.prompts import trim_prompt
from packline.editing.weights import Weights
from packline.errors import GiveUp, TryAgain
from packline.settings import EngineSettings

if TYPE_CHECKING:
    from packline.editing.driver import PipelineDriver

logger = logging.getLogger(__name__)

_SMALLEST_REFERENCE = 64


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
        self._drawing = Drawing(settings)
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
            batch=self._drawing.most,
            reads_at=known.side(self._settings.size, self._weights.shares) if known.reads else 0,
        )

    def describe(self) -> dict[str, Any]:
        """Everything that determines pixels; reads weight files once, loads none."""
        settings = self._settings
        # what changes pixels but is off leaves no trace, so that older fingerprints stay what they were
        asked = {name: getattr(settings, name) for name in ("precision", "compile", "long_prompt")}
        return {
            "name": settings.name,
            "architecture": settings.architecture,
            "weights_sha256": self._weights.sha256(),
            "dtype": settings.dtype,
            "size": settings.size,
            "steps": settings.steps,
            "guidance": settings.guidance,
            "diffusers": version("diffusers"),
            **{name: value for name, value in asked.items() if value not in ("full", "off", "refuse")},
        }

    def warm_up(self) -> None:
        """Load the weights; does nothing when they are loaded.

        Raises
        ------
        FixSettings
            The weights cannot be loaded.
        TryAgain
            Memory is short.
        """
        with self._lock:
            self._ready()

    def free(self) -> None:
        """Let go of the weights, for another engine to have the memory; they are loaded again when needed."""
        with self._lock:
            if self._driver is None:
                return
            self._driver = None
            _collect()

    def edit(self, requests: Sequence[EditRequest], done: Done | None = None) -> list[Edit]:
        """Make one picture a request, in order.

        Requests with the same LoRA and strength go together, so that LoRAs are swapped as seldom as can be.

        Raises
        ------
        GiveUp
            A request cannot be served as it is: too long a prompt, an unusable LoRA or reference.
        Spoiled
            The model produced no numbers for some; the same seeds would do so again.
        TryAgain
            Memory ran out with a single candidate.
        """
        with self._lock:
            driver = self._ready()
            jobs = [self._job(driver, place, request) for place, request in enumerate(requests)]
            edits: dict[int, Edit] = {}
            with closing(self._drawing.batches(driver, jobs)) as batches:
                for drawn in batches:
                    made = self._edits(driver, drawn)
                    edits |= made
                    if done is not None and made:
                        done(made)
        spoiled = {job.place: self._spoiled(job) for job in jobs if job.place not in edits}
        if spoiled:
            others = len(spoiled) - 1
            said = f" So it was with {others} more." if others else ""
            raise Spoiled(f"{next(iter(spoiled.values()))}{said}", spoiled)
        return [edits[place] for place in range(len(requests))]

    def _spoiled(self, job: Job) -> str:
        dtype = self._settings.dtype
        mend = "choose engine.dtype bfloat16 or float32, or restore" if dtype == "float16" else "restore"
        return (
            f"Engine {self._settings.name} produced pixels that are not numbers with dtype {dtype} and seed "
            f"{job.request.seed}; if it does so with other seeds, {mend} its weights and LoRAs."
        )

    def _edits(self, driver: PipelineDriver, drawn: Drawn) -> dict[int, Edit]:
        """By the request's place; what are no numbers is left out."""
        count = len(drawn.jobs)
        each = drawn.seconds / count
        shared = {
            **self.describe(),
            "device": driver.device,
            "batch": count,
            "seconds": round(each, 4),
            "peak_memory": drawn.peak,
            "cost": self._settings.price,
        }
        edits = {}
        for job, picture in zip(drawn.jobs, drawn.pictures, strict=True):
            if not np.isfinite(picture).all():
                logger.warning("%s", self._spoiled(job))
                continue
            used = {**shared, **driver.acting(job.request, job.stack), "seed": job.request.seed}
            used["loras"] = self._loras(job.stack)
            told = {"ignored": driver.ignored(job.request, job.stack), "eased": list(driver.eased)}
            used |= {name: said for name, said in told.items() if said}
            if job.cut:
                used["cut"] = job.cut
            edits[job.place] = Edit(np.round(picture * 255).astype(np.uint8), each, used)
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

    def _job(self, driver: PipelineDriver, place: int, request: EditRequest) -> Job:
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
        return Job(place, replace(request, prompt=prompt), stack, cut)

    def _ready(self) -> PipelineDriver:
        if self._driver is None:
            # waiting threads that spin starve the renderers next door (twenty times slower on busy cores)
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            module = importlib.import_module(_DRIVERS[self._architecture.driver])
            opened = within_memory(
                lambda: module.open_driver(self._settings, self._architecture, self._weights, self._presets)
            )
            if opened is None:
                # what was loaded of it may be lying about
                _collect()
                raise TryAgain(self._too_large())
            driver: PipelineDriver = opened[0]
            self._drawing.begin(driver.card_or_cpu)
            self._driver = driver
        return self._driver

    def _too_large(self) -> str:
        where = importlib.import_module("packline.editing.loading").pick_device(self._settings.device)
        mend = (
            'free some, or set engine.dtype to "bfloat16"'
            if where == "cpu"
            else 'free the card, or set engine.offload to "model" or engine.precision to "fp8"'
        )
        return (
            f"Settings key engine.model: {self._weights.path} with its LoRAs does not fit into the memory "
            f"that is free; {mend}."
        )


_DRIVERS = {
    "flux2": "packline.editing.flux2",
    "kontext": "packline.editing.kontext",
    "qwen": "packline.editing.qwen",
    "zimage": "packline.editing.zimage",
    "image-to-image": "packline.editing.image_to_image",
}


def _collect() -> None:
    """Give memory back at once: a pipeline's parts know each other, and nothing else would free them soon."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


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
