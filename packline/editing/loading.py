"""What the drivers share: loading a pipeline, sizing references, LoRA swaps. Imports torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import diffusers
import numpy as np
import torch
import transformers

from packline.editing.architectures import Architecture
from packline.editing.engine import EditRequest, Picture
from packline.editing.memory import is_out_of_memory
from packline.editing.weights import Weights
from packline.errors import FixSettings
from packline.settings import EngineSettings

Value = TypeVar("Value")


def pick_device(name: str) -> str:
    """ "auto" is the first GPU where there is one.

    Raises
    ------
    FixSettings
        The device is unknown or absent.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise FixSettings(
            f'Settings key engine.device: {name!r} is unknown; say "auto", "cpu" or "cuda:0".'
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise FixSettings(f'Settings key engine.device is {name}, but torch sees no GPU here; use "auto".')
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        raise FixSettings(
            f"Settings key engine.device is {name}, but torch sees {count} GPU{'s'[: count > 1]} here, the "
            f'last of them "cuda:{count - 1}"; name that or another, or use "auto".'
        )
    return name


def load_pipeline(
    pipeline: type[Any], settings: EngineSettings, architecture: Architecture, weights: Weights
) -> Any:
    """Load a pipeline's weights onto its device.

    Raises
    ------
    FixSettings
        A file is missing or damaged; the sentence names ``engine.model``.
    Exception
        Memory is short (`packline.editing.memory.is_out_of_memory`): whoever asked frees some first.
    """
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = pick_device(settings.device)
    if device == "cpu" and "PACKLINE_THREADS" in os.environ:
        torch.set_num_threads(max(int(os.environ["PACKLINE_THREADS"]), 1))
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[settings.dtype]
    if settings.offload == "model" and device == "cpu":
        raise FixSettings(
            'Settings key engine.offload is "model", but the engine runs on the CPU; say "off".'
        )
    with _sentences(weights, architecture):
        pipe = _loaded(pipeline, architecture, weights, dtype)
        pipe.set_progress_bar_config(disable=True)
        if settings.offload == "off":
            return pipe.to(device)
        pipe.enable_model_cpu_offload(device=device)
        return pipe


def _loaded(pipeline: type[Any], architecture: Architecture, weights: Weights, dtype: torch.dtype) -> Any:
    asked: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    if architecture.name == "sd15":
        # the safety checker takes pictures of products for others now and then and blackens them; our own
        # checks look at every picture
        asked |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if not weights.path.is_file():
        return pipeline.from_pretrained(str(weights.path), use_safetensors=True, **asked)
    rest = str(weights.rest)
    if architecture.driver == "image-to-image":
        # without a local folder of configurations diffusers downloads them whatever it is told
        return pipeline.from_single_file(str(weights.path), config=rest, **asked)
    name = json.loads((Path(rest) / "model_index.json").read_text())["transformer"][1]
    transformer = getattr(diffusers, name).from_single_file(
        str(weights.path), config=rest, subfolder="transformer", **asked
    )
    return pipeline.from_pretrained(rest, use_safetensors=True, transformer=transformer, **asked)


@contextmanager
def _sentences(weights: Weights, architecture: Architecture) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # diffusers, transformers, safetensors and the hub each raise their own types
        if is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise FixSettings(
            f"Settings key engine.model: {weights.path} cannot be loaded as {architecture.pipeline} "
            f"({first[0].rstrip('.')}); restore the folder or name another."
        ) from error


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Area average downwards, cubic upwards; the embedded weights were trained with the same."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height <= picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)


def fit(shape: tuple[int, ...], longest: int, multiple_of: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is to be `longest`, aspect kept, in allowed steps."""
    scale = longest / max(shape[:2])
    height, width = (max(round(side * scale / multiple_of), 1) * multiple_of for side in (shape[0], shape[1]))
    return height, width


def generators(requests: Sequence[EditRequest]) -> list[torch.Generator]:
    """One for each candidate, on the CPU: the noise depends on neither batch nor device."""
    return [torch.Generator("cpu").manual_seed(request.seed) for request in requests]


def picture_key(picture: Picture) -> str:
    """Content hash of a picture."""
    return hashlib.blake2b(picture.tobytes(), digest_size=16).hexdigest() + str(picture.shape)


class Recent(Generic[Value]):
    """A bounded cache that forgets what was longest unused."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[Hashable, Value] = OrderedDict()
        self.hits = 0

    def get(self, key: Hashable) -> Value | None:
        """The value, or None."""
        if key not in self._items:
            return None
        self.hits += 1
        self._items.move_to_end(key)
        return self._items[key]

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep a value and return it."""
        self._items[key] = value
        while len(self._items) > self._most:
            self._items.popitem(last=False)
        return value

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
