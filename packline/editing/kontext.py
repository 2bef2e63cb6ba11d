"""Calls FLUX.1 Kontext, which is given one picture a candidate: the render placed into the base photo.

People hand Kontext several pictures stitched side by side, or as a chain of latents. Both leave it to the
model where the product goes and how large it is, and a stitched picture often comes back stitched. The render
in the scene's own camera says both to the pixel, so it is placed and the model is asked to make it belong;
further views have no way in.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from diffusers import FluxKontextPipeline

from packline.editing.architectures import Architecture
from packline.editing.driver import PipelineDriver
from packline.editing.engine import EditRequest
from packline.editing.loading import generators
from packline.editing.loras import Lora, Presets, guidance_of
from packline.editing.placing import place
from packline.editing.weights import Weights
from packline.settings import EngineSettings


class KontextDriver(PipelineDriver):
    """See `packline.editing.driver.PipelineDriver`."""

    pipelines = {"FluxKontextPipeline": FluxKontextPipeline}  # noqa: RUF012 (typed by the base)

    def count_tokens(self, prompt: str) -> int:
        """Tokens of T5, which reads the words; CLIP's summary of the first 77 only sets the mood."""
        return len(self.pipe.tokenizer_2(prompt)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """Pictures of equal shape stack."""
        return self.size_of(request), self.shape_of(request, 0)

    def call(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> None:
        """One call of the pipeline."""
        height, width = self.size_of(requests[0])
        shown = self.shape_of(requests[0], 0)
        embedded = [self._embed(request.prompt) for request in requests]
        self.pipe(
            # latents are taken as they are; a picture would be resized to one of the sizes it was trained on
            image=torch.cat([self.reference(place(request, *shown), *shown) for request in requests]),
            prompt_embeds=torch.cat([words for words, _ in embedded]),
            pooled_prompt_embeds=torch.cat([pooled for _, pooled in embedded]),
            guidance_scale=guidance_of(stack, self.settings.guidance),
            generator=generators(requests),
            height=height,
            width=width,
            max_area=height * width,
            num_inference_steps=self.settings.steps,
            max_sequence_length=self.architecture.longest_prompt,
            output_type="pt",
        )

    def _embed(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        known = self.prompts.get(prompt)
        if known is None:
            words, pooled, _ = self.pipe.encode_prompt(
                [prompt], max_sequence_length=self.architecture.longest_prompt
            )
            known = self.prompts.put(prompt, (words, pooled))
        return known  # type: ignore[no-any-return]


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> KontextDriver:
    """Load the weights."""
    return KontextDriver(settings, architecture, weights, presets)
