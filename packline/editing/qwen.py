"""Calls Qwen-Image-Edit-Plus, 2509 and 2511.

Its pipeline takes one prompt with one set of references at a time; candidates that share both go together.
What the language model makes of prompt and pictures, and the references' latents, are computed once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from diffusers import QwenImageEditPlusPipeline
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as sizes
from PIL import Image

from packline.editing.architectures import Architecture
from packline.editing.driver import PipelineDriver
from packline.editing.engine import EditRequest
from packline.editing.loading import generators, picture_key
from packline.editing.loras import Lora, Presets, guidance_of, negative_of
from packline.editing.weights import Weights
from packline.settings import EngineSettings

# true guidance needs a negative prompt, and a blank one is what the model card uses
_BLANK = " "


class HeldPipeline(QwenImageEditPlusPipeline):
    """QwenImageEditPlusPipeline that asks for the latents of its references.

    Attributes
    ----------
    latents_of
        Given a reference's number and its pixels, (1, 3, 1, height, width); set before a call.
    """

    latents_of: Callable[[int, torch.Tensor], torch.Tensor]

    def prepare_latents(self, images: Sequence[torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        """Latents in place of pixels are taken as they are."""
        held = [self.latents_of(number, image) for number, image in enumerate(images)]
        return super().prepare_latents(held, *args, **kwargs)  # type: ignore[misc]


class QwenDriver(PipelineDriver):
    """See `packline.editing.driver.PipelineDriver`."""

    pipelines = {"QwenImageEditPlusPipeline": HeldPipeline}  # noqa: RUF012 (typed by the base)
    # the pipeline sizes references itself: 384 px for its language model, 1 megapixel for its VAE
    resizes_references = False

    def count_tokens(self, prompt: str) -> int:
        """Tokens of the prompt alone; the pictures' do not count against the limit."""
        return len(self.pipe.tokenizer(prompt)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """Same words and same pictures."""
        return (request.prompt, *(picture_key(picture) for picture in request.references))

    def call(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> None:
        """One call of the pipeline."""
        guidance = guidance_of(stack, self.settings.guidance)
        first = requests[0]
        # without a size the output follows the last reference
        height, width = self.size_of(first)
        keys = [picture_key(picture) for picture in first.references]
        self.pipe.latents_of = lambda number, pixels: self._latents_of(keys[number], pixels)
        asked = self._embed(first, keys, first.prompt, "prompt")
        if guidance > 1:
            asked |= self._embed(first, keys, negative_of(stack) or _BLANK, "negative_prompt")
        self.pipe(
            image=[Image.fromarray(picture) for picture in first.references],
            true_cfg_scale=guidance,
            num_images_per_prompt=len(requests),
            generator=generators(requests),
            height=height,
            width=width,
            num_inference_steps=self.settings.steps,
            max_sequence_length=self.architecture.longest_prompt,
            output_type="pt",
            **asked,
        )

    def _embed(self, request: EditRequest, keys: Sequence[str], prompt: str, name: str) -> dict[str, Any]:
        key = (prompt, *keys)
        known = self.prompts.get(key)
        if known is None:
            pictures = []
            for picture in request.references:
                height, width = picture.shape[:2]
                side = sizes.CONDITION_IMAGE_SIZE
                wide, high = sizes.calculate_dimensions(side, width / height)  # type: ignore[no-untyped-call]
                pictures.append(self.pipe.image_processor.resize(Image.fromarray(picture), high, wide))
            known = self.prompts.put(key, self.pipe.encode_prompt(prompt=[prompt], image=pictures))
        embedded, mask = known
        return {f"{name}_embeds": embedded, f"{name}_embeds_mask": mask}

    def _latents_of(self, key: str, pixels: torch.Tensor) -> torch.Tensor:
        known = self.latents.get((key, pixels.shape))
        if known is None:
            image = pixels.to(self.pipe._execution_device, self.pipe.vae.dtype)
            with self._vae:
                known = self.latents.put((key, pixels.shape), self.encode(image))
        return torch.as_tensor(known)


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> QwenDriver:
    """Load the weights."""
    return QwenDriver(settings, architecture, weights, presets)
