"""Calls SDXL and Stable Diffusion 1.5: the render placed into the base photo is the start, denoised anew.

These models take no references: the further angles have no way in. LoRAs may reach into the text encoders
here, so they are loaded by diffusers itself and not through a slot. Prompts of any length are read by compel.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline

from packline.editing.architectures import Architecture
from packline.editing.clip_words import ClipWords, Words
from packline.editing.driver import PipelineDriver
from packline.editing.engine import EditRequest
from packline.editing.loading import generators
from packline.editing.lora_files import module_count, read_shapes
from packline.editing.lora_tensors import read_tensors
from packline.editing.loras import Lora, Preset, Presets, guidance_of, negative_of
from packline.editing.memory import is_out_of_memory
from packline.editing.placing import place
from packline.editing.weights import Weights
from packline.errors import FixSettings, GiveUp
from packline.settings import EngineSettings


class ImageToImageDriver(PipelineDriver):
    """See `packline.editing.driver.PipelineDriver`."""

    pipelines = {  # noqa: RUF012 (typed by the base)
        "StableDiffusionXLImg2ImgPipeline": StableDiffusionXLImg2ImgPipeline,
        "StableDiffusionImg2ImgPipeline": StableDiffusionImg2ImgPipeline,
    }
    # the start is as large as the edit
    resizes_references = False

    def __init__(
        self, settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
    ) -> None:
        fewest = int(np.ceil(1 / architecture.denoise_with_lora))
        if settings.steps < fewest:
            raise FixSettings(
                f"Settings key engine.steps is {settings.steps}, but {architecture.name} denoises a share of "
                f"the steps only and needs {fewest} or more."
            )
        super().__init__(settings, architecture, weights, presets)
        vae = self.pipe.vae
        if vae.dtype == torch.float16 and vae.config.force_upcast:
            # it overflows in 16 bits; the pipeline would cast it to and fro while another thread decodes
            vae.to(torch.float32)
        self._words = ClipWords(self.pipe)

    def count_tokens(self, prompt: str) -> int:
        """Tokens with the start and end marks."""
        return len(self.pipe.tokenizer(prompt)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """Starts of equal shape stack, of which as much is to stay and whose words are as many stretches."""
        return self.size_of(request), request.denoise, self._words.stretches(request.prompt)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The likeliest latents, not drawn ones: the same for every candidate."""
        config = self.pipe.vae.config
        latent = self.pipe.vae.encode(pixels).latent_dist.mode()
        mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
        if mean is not None and deviation is not None:
            shape = (1, -1, 1, 1)
            latent = (latent - latent.new_tensor(mean).view(shape)) / latent.new_tensor(deviation).view(shape)
        return torch.as_tensor(latent * config.scaling_factor)

    # LoRAs

    def open_loras(self) -> None:
        """None is loaded yet."""
        self._loaded: set[str] = set()
        self._acting: tuple[tuple[str, float], ...] = ()

    def use_loras(self, stack: Sequence[Lora]) -> None:
        """Load each once, then only switch and set the strengths."""
        strengths: dict[str, float] = {}
        for lora in stack:
            if not lora.strength:
                continue
            # adapter names become module names, which must not hold a dot
            name = f"lora_{self.presets.sha256(lora.preset.label)[:16]}"
            if name not in self._loaded:
                self._load(lora.preset, name)
            strengths[name] = lora.strength
        if strengths:
            self.pipe.enable_lora()
            self.pipe.set_adapters(list(strengths), list(strengths.values()))
        elif self._loaded:
            self.pipe.disable_lora()
        self._acting = tuple(strengths.items())

    # pictures

    def call(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> None:
        """One call of the pipeline."""
        acting = self.acting(requests[0], stack)
        height, width = self.size_of(requests[0])
        skip = self._skips(stack)
        words = [self._embed(request.prompt, skip) for request in requests]
        negative = self._embed(negative_of(stack), skip)
        stretches = max(words[0][0].shape[1], negative[0].shape[1]) // self.pipe.tokenizer.model_max_length
        asked: dict[str, Any] = {
            "prompt_embeds": torch.cat([self._words.lengthen(one, stretches, skip) for one, _ in words]),
            "negative_prompt_embeds": self._words.lengthen(negative[0], stretches, skip).repeat(
                len(requests), 1, 1
            ),
        }
        if negative[1] is not None:
            asked["pooled_prompt_embeds"] = torch.cat([pooled for _, pooled in words if pooled is not None])
            asked["negative_pooled_prompt_embeds"] = negative[1].repeat(len(requests), 1)
        self.pipe(
            # latents are taken as they are
            image=torch.cat([self.reference(place(one, height, width), height, width) for one in requests]),
            strength=acting["denoise"],
            num_inference_steps=self.settings.steps,
            guidance_scale=acting["guidance"],
            generator=generators(requests),
            output_type="pt",
            **asked,
        )

    def acting(self, request: EditRequest, stack: Sequence[Lora]) -> dict[str, Any]:
        """Guidance and denoise."""
        denoise = request.denoise
        if denoise is None:
            known = self.architecture
            denoise = known.denoise_with_lora if any(lora.strength for lora in stack) else known.denoise
        return {"guidance": guidance_of(stack, self.settings.guidance), "denoise": denoise}

    def ignored(self, request: EditRequest, stack: Sequence[Lora]) -> list[str]:
        """A negative prompt without guidance, and a clip skip that is not the encoder's last layer."""
        found = self._ignored_negative(stack)
        asked = next(
            (lora.preset.settings.clip_skip for lora in stack if lora.preset.settings.clip_skip), None
        )
        if asked is not None and asked > 2:
            found.append(
                f"clip_skip {asked}: with compel the last layer can be left out, no more (clip_skip 2)"
            )
        if asked == 1 and self.architecture.name == "sdxl":
            found.append("clip_skip 1: SDXL was trained without the last layer")
        return found

    def _skips(self, stack: Sequence[Lora]) -> bool:
        asked = (lora.preset.settings.clip_skip for lora in stack if lora.strength)
        return next((skip for skip in asked if skip is not None), 1) == 2

    def _embed(self, prompt: str, skip: bool) -> Words:
        # LoRAs may reach into the text encoders
        key = (prompt, skip, self._acting)
        known = self.prompts.get(key)
        if known is None:
            known = self.prompts.put(key, self._words.read(prompt, skip))
        return known  # type: ignore[no-any-return]

    @contextmanager
    def _in_full(self) -> Iterator[None]:
        """Weights stored in 8 bits are as they are computed with; a LoRA takes on the dtype of its layer."""
        stored = [one for one in self.denoiser.parameters() if one.dtype == torch.float8_e4m3fn]
        full = self.denoiser.dtype
        try:
            for one in stored:
                one.data = one.data.to(full)
            yield
        finally:
            for one in stored:
                one.data = one.data.to(torch.float8_e4m3fn)

    def _load(self, preset: Preset, name: str) -> None:
        file = self.presets.file(preset.label)
        try:
            tensors, scaled = read_tensors(file)
            source: dict[str, Any] = {"pretrained_model_name_or_path_or_dict": tensors}
            if not scaled:
                # with what the file's metadata says of alphas
                source = {"pretrained_model_name_or_path_or_dict": str(file.parent), "weight_name": file.name}
            with self._in_full():
                self.pipe.load_lora_weights(
                    **source, adapter_name=name, use_safetensors=True, local_files_only=True
                )
        except Exception as error:  # each converter raises its own types
            if is_out_of_memory(error):
                # parts of it would be in the way of the next try
                self.pipe.delete_adapters(name)
                raise
            raise GiveUp(
                f"LoRA {preset.label!r}: {file.name} cannot be read ({error}); replace it."
            ) from error
        parts = [self.pipe.unet, self.pipe.text_encoder, getattr(self.pipe, "text_encoder_2", None)]
        found = sum(
            name in getattr(module, "lora_A", {})
            for part in parts
            if part is not None
            for module in part.modules()
        )
        wanted = module_count(read_shapes(file))
        if found < wanted:
            if found:
                self.pipe.delete_adapters(name)
            raise GiveUp(
                f"LoRA {preset.label!r}: only {found} of the {wanted} modules that {file.name} changes exist "
                f"in this model; it was made for another model."
            )
        self._loaded.add(name)


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> ImageToImageDriver:
    """Load the weights."""
    return ImageToImageDriver(settings, architecture, weights, presets)
