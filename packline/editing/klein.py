"""Calls FLUX.2 klein, from the embedded small weights to 9B: candidates of several shots in one batch.

The pipeline itself gives the same references to all of a batch; here each row has its own. Prompt embeddings
and reference latents are computed once and kept over candidates and waves.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import Flux2KleinPipeline
from numpy.typing import NDArray
from PIL import Image

from packline.editing.architectures import Architecture
from packline.editing.engine import EditRequest, Picture
from packline.editing.loading import Recent, fit, generators, load_pipeline, picture_key, resize
from packline.editing.lora_slot import LoraSlot
from packline.editing.loras import Lora, Presets, guidance_of, negative_of
from packline.editing.weights import Weights
from packline.settings import EngineSettings

# a 1024 px reference is 1 MiB of latents in 16 bits
_MOST_LATENTS = 256
_MOST_PROMPTS = 64


class RowsPipeline(Flux2KleinPipeline):
    """Flux2KleinPipeline with references for each row of the batch.

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


class KleinDriver:
    """See `packline.editing.diffusers_engine.Driver`."""

    def __init__(
        self, settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
    ) -> None:
        self.pipe = load_pipeline(RowsPipeline, settings, architecture, weights)
        self._settings = settings
        self._architecture = architecture
        card = weights.card
        self._text = {
            "max_sequence_length": int(card.get("max_sequence_length", architecture.longest_prompt)),
            "text_encoder_out_layers": tuple(card.get("text_encoder_out_layers", (9, 18, 27))),
        }
        size = float(card.get("size", 1))
        self._shares = tuple(side / size for side in card.get("reference_sizes", ())) or (
            architecture.reference_shares
        )
        self._slot = LoraSlot(self.pipe, presets, architecture.lora)
        self.latents: Recent[torch.Tensor] = Recent(_MOST_LATENTS)
        self.prompts: Recent[torch.Tensor] = Recent(_MOST_PROMPTS)
        # what the pipeline is given to look at; the real references go through `rows`
        self._dummy = Image.new("RGB", (64, 64))

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self.pipe.device.type)

    def count_tokens(self, prompt: str) -> int:
        """Tokens with the chat template around the prompt, as the text encoder gets them."""
        text = self.pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        return len(self.pipe.tokenizer(text)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """References of equal shapes stack."""
        return tuple(self._reference_shape(request, number) for number in range(len(request.references)))

    def use_loras(self, stack: Sequence[Lora]) -> None:
        """Through the slot."""
        self._slot.use(stack)

    def draw(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> NDArray[np.float32]:
        """One call of the pipeline."""
        guidance = guidance_of(stack, self._settings.guidance)
        prompts = torch.cat([self._embed(request.prompt) for request in requests])
        negative = None
        if guidance > 1 and not self.pipe.config.is_distilled:
            negative = self._embed(negative_of(stack)).repeat(len(requests), 1, 1)
        height, width = self._reference_shape(requests[0], 0)
        self.pipe.rows = [
            [
                self._encode(picture, *self._reference_shape(request, number))
                for number, picture in enumerate(request.references)
            ]
            for request in requests
        ]
        try:
            result = self.pipe(
                image=self._dummy,
                prompt_embeds=prompts,
                negative_prompt_embeds=negative,
                generator=generators(list(requests)),
                height=height,
                width=width,
                num_inference_steps=self._settings.steps,
                guidance_scale=guidance,
                output_type="np",
                **self._text,
            )
        finally:
            self.pipe.rows = ()
        return np.asarray(result.images, np.float32)

    def free_memory(self) -> None:
        """Forget latents and prompts."""
        self.latents.clear()
        self.prompts.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _reference_shape(self, request: EditRequest, number: int) -> tuple[int, int]:
        share = self._shares[min(number, len(self._shares) - 1)]
        longest = round(self._settings.size * share)
        return fit(request.references[number].shape, longest, self._architecture.multiple_of)

    @torch.no_grad()
    def _embed(self, prompt: str) -> torch.Tensor:
        known = self.prompts.get(prompt)
        if known is None:
            embedded, _ = self.pipe.encode_prompt([prompt], **self._text)
            known = self.prompts.put(prompt, embedded)
        return known

    @torch.no_grad()
    def _encode(self, picture: Picture, height: int, width: int) -> torch.Tensor:
        key = (picture_key(picture), height, width)
        known = self.latents.get(key)
        if known is None:
            pixels = torch.from_numpy(resize(picture, height, width)).permute(2, 0, 1)[None]
            image = (pixels.float() / 127.5 - 1).to(self.pipe.device, self.pipe.vae.dtype)
            known = self.latents.put(key, self.pipe._encode_vae_image(image=image, generator=None))
        return known


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> KleinDriver:
    """Load the weights."""
    return KleinDriver(settings, architecture, weights, presets)
