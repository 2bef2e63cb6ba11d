"""The engine interface: what every editor, local or hosted, offers the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from packline.errors import GiveUp

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class LoraChoice:
    """A LoRA as a request asks for it."""

    label: str
    strength: float


@dataclass(frozen=True)
class EditRequest:
    """One candidate to make.

    Parameters
    ----------
    references
        Pictures in the order of their tags: image 1 is the base photo, image 2 the product in place, then
        further views. sRGB uint8 (H, W, 3), any size; the engine resizes as its architecture wants.
    prompt
        Names each reference by number and role, and what must not change; trigger words included.
    seed
        Same seed, same pixels, whatever the batch.
    loras
        A stack: their changes add up, each at its own strength.
    denoise
        Image-to-image engines only: how much of the start is given up, 0 to 1; None as the architecture says.
    mask
        Where the product is in image 2, uint8 (H, W), 0 to 255. Image-to-image engines need it to place the
        render into the base photo; the others do not look at it.
    """

    references: tuple[Picture, ...]
    prompt: str
    seed: int
    loras: tuple[LoraChoice, ...] = ()
    mask: Picture | None = None
    denoise: float | None = None


@dataclass(frozen=True)
class Edit:
    """What an engine made of a request.

    Parameters
    ----------
    picture
        sRGB uint8 (size, size, 3) at the engine's own size.
    used
        What made it: all that `Engine.describe` says, and ``seed``, ``device``, ``batch``, ``guidance`` and
        ``denoise`` as they acted, ``seconds`` (of the batch, over its candidates), ``peak_memory`` (bytes, of
        the batch), ``cost`` (dollars), ``loras`` (``[{"label", "sha256", "strength", "trigger"}]``),
        ``ignored`` (sentences: what was asked for and this model cannot do), ``eased`` (what was given up to
        fit into memory) and ``cut`` (words of the prompt that were left out).
    """

    picture: Picture
    seconds: float
    used: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do.

    Parameters
    ----------
    longest_prompt
        Tokens.
    mask
        Whether it needs `EditRequest.mask`.
    sizes
        The longer side that its weights are good at, smallest and largest, in pixels.
    batch
        Requests worth giving at once; more are served as well.
    reads_at
        Longer side in pixels at which it looks for print in image 2; 0: it cannot draw print anyway.
    """

    architecture: str
    most_references: int
    lora: bool
    negative_prompt: bool
    multiple_of: int
    longest_prompt: int
    mask: bool = False
    sizes: tuple[int, int] = (64, 4096)
    batch: int = 1
    reads_at: int = 0


Done = Callable[[Mapping[int, Edit]], None]
"""Called with what is made, by the request's place, batch by batch as it is made, in the caller's thread."""


class Spoiled(GiveUp):
    """Some requests of a call gave no picture and would give none if they were asked again; the others did.

    Parameters
    ----------
    message
        One sentence.
    places
        Of the requests that gave none, with a sentence for each.
    """

    def __init__(self, message: str, places: Mapping[int, str]) -> None:
        super().__init__(message)
        self.places = dict(places)


class Engine(Protocol):
    """An editor."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; known without loading weights."""

    def describe(self) -> dict[str, Any]:
        """Everything about the engine that determines pixels (weights hash, steps, size, dtype): part of
        the shot's fingerprint; must be cheap (no model in memory)."""

    def warm_up(self) -> None:
        """Load weights and be ready."""

    def free(self) -> None:
        """Let go of the weights, for another engine to have the memory; they are loaded again when needed."""

    def edit(self, requests: Sequence[EditRequest], done: Done | None = None) -> list[Edit]:
        """Make one picture a request, in order.

        Parameters
        ----------
        done
            What it was called with is made, whatever is raised thereafter.

        Raises
        ------
        Spoiled
            All is made but for some requests, each of which would fail again.
        TryAgain, GiveUp, FixSettings
            As the caller should act.
        """
