"""Calls FLUX.2: klein from the embedded small weights to 9B, its variant with cached keys, and dev.

The pipelines themselves give the same references to all of a batch; here each row has its own. Prompt
embeddings and reference latents are computed once and kept over candidates and waves.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from diffusers import Flux2KleinKVPipeline, Flux2KleinPipeline, Flux2Pipeline
from diffusers.pipelines.flux2.pipeline_flux2 import format_input
from PIL import Image

from packline.editing.architectures import Architecture
from packline.editing.driver import PipelineDriver
from packline.editing.engine import EditRequest
from packline.editing.loading import generators
from packline.editing.loras import Lora, Presets, guidance_of, negative_of
from packline.editing.weights import Weights
from packline.settings import EngineSettings

# which of the text encoder's layers the transformer was trained on
_LAYERS = {"Flux2Pipeline": (10, 20, 30)}
_KLEIN_LAYERS = (9, 18, 27)


class Rows:
    """Mixed into a FLUX.2 pipeline: references for each row of the batch.

    Attributes
    ----------
    rows
        For each candidate its reference latents, each (1, channels, height, width); set before a call.
    """

    rows: Sequence[Sequence[torch.Tensor]] = ()

    def prepare_image_latents(
        self, images: Any, batch_size: int, generator: Any, device: Any, dtype: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pack `rows`; `images` only made the pipeline come here."""
        if len(self.rows) != batch_size:
            raise ValueError(f"{batch_size} candidates but references for {len(self.rows)}")
        pack = Flux2KleinPipeline._pack_latents
        ids = Flux2KleinPipeline._prepare_image_ids(list(self.rows[0]))
        packed = [torch.cat([pack(latent) for latent in row], dim=1) for row in self.rows]
        return torch.cat(packed).to(device), ids.repeat(batch_size, 1, 1).to(device)


class KleinRows(Rows, Flux2KleinPipeline):
    """klein."""


class KleinKVRows(Rows, Flux2KleinKVPipeline):
    """klein whose references are looked at in the first step only."""


class DevRows(Rows, Flux2Pipeline):
    """dev."""


class Flux2Driver(PipelineDriver):
    """See `packline.editing.driver.PipelineDriver`."""

    pipelines = {  # noqa: RUF012 (typed by the base)
        "Flux2KleinPipeline": KleinRows,
        "Flux2KleinKVPipeline": KleinKVRows,
        "Flux2Pipeline": DevRows,
    }

    def __init__(
        self, settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
    ) -> None:
        super().__init__(settings, architecture, weights, presets)
        layers = self.card.get("text_encoder_out_layers", _LAYERS.get(architecture.pipeline, _KLEIN_LAYERS))
        self._text = {
            "max_sequence_length": int(self.card.get("max_sequence_length", architecture.longest_prompt)),
            "text_encoder_out_layers": tuple(layers),
        }
        # what the pipeline is given to look at; the real references go through `rows`
        self._dummy = Image.new("RGB", (64, 64))

    @property
    def guided(self) -> bool:
        """Guidance acts on dev, and on klein's undistilled base models."""
        if isinstance(self.pipe, Flux2Pipeline):
            return True
        return not self.pipe.config.get("is_distilled", True)

    @property
    def negative_above(self) -> float | None:
        """Klein's undistilled base models take a negative prompt, and no others do."""
        return 1.0 if isinstance(self.pipe, Flux2KleinPipeline) and self.guided else None

    def count_tokens(self, prompt: str) -> int:
        """Tokens with the chat template around the prompt, as the text encoder gets them."""
        if isinstance(self.pipe, Flux2Pipeline):
            pipe: Any = self.pipe
            messages = format_input([prompt], system_message=pipe.system_message)
            asked = pipe.tokenizer.apply_chat_template(
                messages, add_generation_prompt=False, tokenize=True, return_dict=True
            )
            return len(asked["input_ids"][0])
        text = self.pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        return len(self.pipe.tokenizer(text)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """References of equal shapes stack."""
        return self.size_of(request), tuple(
            self.shape_of(request, number) for number in range(len(request.references))
        )

    def call(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> None:
        """One call of the pipeline."""
        guidance = guidance_of(stack, self.settings.guidance)
        height, width = self.size_of(requests[0])
        asked: dict[str, Any] = {}
        if isinstance(self.pipe, Flux2Pipeline):
            asked["guidance_scale"] = guidance
        elif isinstance(self.pipe, Flux2KleinPipeline):
            asked["guidance_scale"] = guidance
            if guidance > 1 and self.guided:
                negative = self._embed(negative_of(stack))
                asked["negative_prompt_embeds"] = negative.repeat(len(requests), 1, 1)
        self.pipe.rows = [
            [
                self.reference(picture, *self.shape_of(request, number))
                for number, picture in enumerate(request.references)
            ]
            for request in requests
        ]
        try:
            self.pipe(
                image=self._dummy,
                prompt_embeds=torch.cat([self._embed(request.prompt) for request in requests]),
                generator=generators(requests),
                height=height,
                width=width,
                num_inference_steps=self.settings.steps,
                output_type="pt",
                **asked,
                **self._text,
            )
        finally:
            self.pipe.rows = ()

    def _embed(self, prompt: str) -> torch.Tensor:
        known = self.prompts.get(prompt)
        if known is None:
            embedded, _ = self.pipe.encode_prompt([prompt], **self._text)
            known = self.prompts.put(prompt, embedded)
        return torch.as_tensor(known)


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> Flux2Driver:
    """Load the weights."""
    return Flux2Driver(settings, architecture, weights, presets)
