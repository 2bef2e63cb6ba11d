"""Calls Qwen-Image-Edit-Plus.

Its pipeline takes one prompt with one set of references at a time; candidates that share both go together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from diffusers import QwenImageEditPlusPipeline
from numpy.typing import NDArray
from PIL import Image

from packline.editing.architectures import Architecture
from packline.editing.engine import EditRequest
from packline.editing.loading import fit, generators, load_pipeline, picture_key
from packline.editing.lora_slot import LoraSlot
from packline.editing.loras import Lora, Presets, guidance_of, negative_of
from packline.editing.weights import Weights
from packline.settings import EngineSettings

# true guidance needs a negative prompt, and a blank one is what the model card uses
_BLANK = " "


class QwenDriver:
    """See `packline.editing.diffusers_engine.Driver`."""

    def __init__(
        self, settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
    ) -> None:
        self.pipe = load_pipeline(QwenImageEditPlusPipeline, settings, architecture, weights)
        self._settings = settings
        self._architecture = architecture
        self._slot = LoraSlot(self.pipe, presets, architecture.lora)

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self.pipe.device.type)

    def count_tokens(self, prompt: str) -> int:
        """Tokens of the prompt alone; the pictures' do not count against the limit."""
        return len(self.pipe.tokenizer(prompt)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """Same words and same pictures."""
        return (request.prompt, *(picture_key(picture) for picture in request.references))

    def use_loras(self, stack: Sequence[Lora]) -> None:
        """Through the slot."""
        self._slot.use(stack)

    def draw(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> NDArray[np.float32]:
        """One call of the pipeline."""
        guidance = guidance_of(stack, self._settings.guidance)
        negative = negative_of(stack) or _BLANK
        first = requests[0]
        # without a size the output follows the last reference
        height, width = fit(first.references[0].shape, self._settings.size, self._architecture.multiple_of)
        result = self.pipe(
            # the pipeline sizes references itself: 384 px for its language model, 1 megapixel for its VAE
            image=[Image.fromarray(picture) for picture in first.references],
            prompt=first.prompt,
            negative_prompt=negative if guidance > 1 else None,
            true_cfg_scale=guidance,
            num_images_per_prompt=len(requests),
            generator=generators(list(requests)),
            height=height,
            width=width,
            num_inference_steps=self._settings.steps,
            max_sequence_length=self._architecture.longest_prompt,
            output_type="np",
        )
        return np.asarray(result.images, np.float32)

    def free_memory(self) -> None:
        """Nothing is kept but the card's own cache."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> QwenDriver:
    """Load the weights."""
    return QwenDriver(settings, architecture, weights, presets)
