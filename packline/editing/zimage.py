"""Calls Z-Image Omni: a list of references, each seen by the VAE and by SigLIP.

The pipeline itself gives the same references to all of a batch; here each row has its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from diffusers import ZImageOmniPipeline
from PIL import Image

from packline.editing.architectures import Architecture
from packline.editing.driver import PipelineDriver
from packline.editing.engine import EditRequest, Picture
from packline.editing.loading import generators, picture_key, resize
from packline.editing.loras import Lora, Presets, guidance_of, negative_of
from packline.editing.weights import Weights
from packline.settings import EngineSettings


class OmniRows(ZImageOmniPipeline):
    """ZImageOmniPipeline with references for each row of the batch.

    Attributes
    ----------
    rows, seen
        For each candidate, and each of its references, the VAE's latents (channels, 1, height, width) and
        what SigLIP sees (height, width, channels); set before a call.
    """

    rows: Sequence[Sequence[torch.Tensor]] = ()
    seen: Sequence[Sequence[torch.Tensor]] = ()

    def prepare_image_latents(self, images: Any, batch_size: int, device: Any, dtype: Any) -> Any:
        """`rows`; `images` only made the pipeline come here."""
        return [[latent.to(device, dtype) for latent in row] for row in self.rows]

    def prepare_siglip_embeds(self, images: Any, batch_size: int, device: Any, dtype: Any) -> Any:
        """`seen`, likewise."""
        return [[view.to(device, dtype) for view in row] for row in self.seen]


class ZImageDriver(PipelineDriver):
    """See `packline.editing.driver.PipelineDriver`."""

    pipelines = {"ZImageOmniPipeline": OmniRows}  # noqa: RUF012 (typed by the base)

    @property
    def negative_above(self) -> float | None:
        """Its guidance counts from 0."""
        return 0.0

    def count_tokens(self, prompt: str) -> int:
        """Tokens of the stretch that holds the prompt: after the last picture, up to the answer."""
        text = f"<|vision_end|>{prompt}<|im_end|>\n<|im_start|>assistant\n<|vision_start|>"
        return len(self.pipe.tokenizer(text)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """References of equal shapes."""
        return self.size_of(request), tuple(
            self.shape_of(request, number) for number in range(len(request.references))
        )

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Without the batch, with a time."""
        config = self.pipe.vae.config
        latent = self.pipe.vae.encode(pixels).latent_dist.mode()[0]
        return torch.as_tensor(((latent - config.shift_factor) * config.scaling_factor).unsqueeze(1))

    def call(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> None:
        """One call of the pipeline."""
        guidance = guidance_of(stack, self.settings.guidance)
        height, width = self.size_of(requests[0])
        count = len(requests[0].references)
        shapes = [self.shape_of(requests[0], number) for number in range(count)]
        self.pipe.rows = [
            [self.reference(picture, *shape) for picture, shape in zip(one.references, shapes, strict=True)]
            for one in requests
        ]
        self.pipe.seen = [
            [self._look(picture, *shape) for picture, shape in zip(one.references, shapes, strict=True)]
            for one in requests
        ]
        asked: dict[str, Any] = {}
        if guidance > 0:
            asked["negative_prompt_embeds"] = [self._embed(negative_of(stack), count)] * len(requests)
        try:
            self.pipe(
                image=[Image.new("RGB", (64, 64))] * count,
                prompt_embeds=[self._embed(request.prompt, count) for request in requests],
                guidance_scale=guidance,
                generator=generators(requests),
                height=height,
                width=width,
                num_inference_steps=self.settings.steps,
                output_type="pt",
                **asked,
            )
        finally:
            self.pipe.rows = self.pipe.seen = ()

    def _look(self, picture: Picture, height: int, width: int) -> torch.Tensor:
        key = ("seen", picture_key(picture), height, width)
        known = self.latents.get(key)
        if known is None:
            image = Image.fromarray(resize(picture, height, width))
            device = self.pipe._execution_device
            seen = ZImageOmniPipeline.prepare_siglip_embeds(self.pipe, [image], 1, device, torch.float32)
            known = self.latents.put(key, seen[0][0])
        return torch.as_tensor(known)

    def _embed(self, prompt: str, count: int) -> list[torch.Tensor]:
        known = self.prompts.get((prompt, count))
        if known is None:
            embedded, _ = self.pipe.encode_prompt(
                prompt=[prompt],
                do_classifier_free_guidance=False,
                max_sequence_length=self.architecture.longest_prompt,
                num_condition_images=count,
            )
            known = self.prompts.put((prompt, count), embedded[0])
        return list(known)


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> ZImageDriver:
    """Load the weights."""
    return ZImageDriver(settings, architecture, weights, presets)
