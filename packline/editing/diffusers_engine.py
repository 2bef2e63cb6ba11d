"""The engine that runs diffusers pipelines on this machine: from the embedded small weights to FLUX.2.

This file knows how to group, batch, retry and account; how each kind of pipeline is called is in its driver.
Importing it costs nothing: torch and diffusers come with `warm_up`.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from collections.abc import Hashable, Sequence
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from packline.editing.architectures import Architecture
from packline.editing.engine import Capabilities, Edit, EditRequest, LoraChoice, Picture
from packline.editing.loras import Lora, Presets, check_strength
from packline.editing.weights import Weights
from packline.errors import GiveUp, TryAgain
from packline.settings import EngineSettings

logger = logging.getLogger(__name__)

_SMALLEST_REFERENCE = 64


class Driver(Protocol):
    """Calls one kind of pipeline."""

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a prompt as the text encoder gets it."""

    def batch_key(self, request: EditRequest) -> Hashable:
        """Requests with equal keys may share a call."""

    def use_loras(self, stack: Sequence[Lora]) -> None:
        """Load LoRAs, each at its strength; an empty stack is the plain model."""

    def draw(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> NDArray[np.float32]:
        """One call with what `use_loras` loaded: (n, height, width, 3), 0 to 1, sRGB."""

    def free_memory(self) -> None:
        """Let go of what can be computed again."""

    @property
    def device(self) -> str:
        """ "cuda" or "cpu"."""


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
        self._driver: Driver | None = None
        self._batch = settings.batch
        self._lock = threading.Lock()

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
        )

    def describe(self) -> dict[str, Any]:
        """Everything that determines pixels; reads weight files once, loads none."""
        settings = self._settings
        return {
            "name": settings.name,
            "architecture": settings.architecture,
            "weights_sha256": self._weights.sha256(),
            "dtype": settings.dtype,
            "size": settings.size,
            "steps": settings.steps,
            "guidance": settings.guidance,
            "diffusers": version("diffusers"),
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
            for request in requests:
                self._check(driver, request)
            # by LoRA first, so that each is loaded once; then what may share a call
            groups: dict[tuple[LoraChoice, ...], dict[Hashable, list[int]]] = {}
            for index, request in enumerate(requests):
                group = groups.setdefault(request.loras, {})
                group.setdefault(driver.batch_key(request), []).append(index)
            edits: dict[int, Edit] = {}
            for group in groups.values():
                for indices in group.values():
                    stack = self._stack(requests[indices[0]])
                    driver.use_loras(stack)
                    edits.update(self._draw_all(driver, requests, indices, stack))
            return [edits[index] for index in range(len(requests))]

    def _draw_all(
        self,
        driver: Driver,
        requests: Sequence[EditRequest],
        indices: Sequence[int],
        stack: Sequence[Lora],
    ) -> dict[int, Edit]:
        edits: dict[int, Edit] = {}
        waiting = list(indices)
        while waiting:
            now = waiting[: self._batch]
            start = time.perf_counter()
            pictures = _within_memory(driver, [requests[index] for index in now], stack)
            if pictures is None:
                driver.free_memory()
                if len(now) == 1:
                    raise TryAgain(
                        f"Engine {self._settings.name}: memory ran out with a single candidate at "
                        f"{self._settings.size} px; free the card, or lower engine.size or engine.dtype."
                    )
                self._batch = max(len(now) // 2, 1)
                logger.warning("Engine %s: out of memory, batch is now %d", self._settings.name, self._batch)
                continue
            if not np.isfinite(pictures).all():
                raise TryAgain(
                    f"Engine {self._settings.name} produced pixels that are not numbers with dtype "
                    f"{self._settings.dtype}; if it happens again choose engine.dtype bfloat16 or float32."
                )
            seconds = (time.perf_counter() - start) / len(now)
            used = self._used(driver, len(now), stack)
            for index, picture in zip(now, pictures, strict=True):
                edits[index] = Edit(np.round(picture * 255).astype(np.uint8), seconds, used)
            waiting = waiting[len(now) :]
        return edits

    def _used(self, driver: Driver, batch: int, stack: Sequence[Lora]) -> dict[str, Any]:
        loras = [
            {
                "label": lora.preset.label,
                "sha256": self._presets.sha256(lora.preset.label),
                "strength": lora.strength,
                "trigger": lora.preset.trigger,
            }
            for lora in stack
        ]
        return {**self.describe(), "device": driver.device, "batch": batch, "loras": loras}

    def _stack(self, request: EditRequest) -> list[Lora]:
        return [Lora(self._presets.get(lora.label), lora.strength) for lora in request.loras]

    def _check(self, driver: Driver, request: EditRequest) -> None:
        name, can = self._settings.name, self.capabilities
        tokens = driver.count_tokens(request.prompt)
        if tokens > can.longest_prompt:
            raise GiveUp(
                f"The prompt has {tokens} tokens and engine {name} reads {can.longest_prompt}; shorten "
                f"prompt.template or the title (the prompt starts {request.prompt[:60]!r})."
            )
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

    def _ready(self) -> Driver:
        if self._driver is None:
            # waiting threads that spin starve the renderers next door (twenty times slower on busy cores)
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            module = importlib.import_module(_DRIVERS[self._architecture.driver])
            self._driver = module.open_driver(
                self._settings, self._architecture, self._weights, self._presets
            )
        return self._driver


_DRIVERS = {
    "klein": "packline.editing.klein",
    "qwen": "packline.editing.qwen",
    "image-to-image": "packline.editing.image_to_image",
}


def _within_memory(
    driver: Driver, requests: Sequence[EditRequest], stack: Sequence[Lora]
) -> NDArray[np.float32] | None:
    """The pictures, or None when memory ran out: the error's frames must be gone before anything is freed."""
    import torch

    try:
        return driver.draw(requests, stack)
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
