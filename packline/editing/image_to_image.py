"""Calls SDXL and Stable Diffusion 1.5: the render placed into the base photo is the start, denoised anew.

These models take no references: the further angles have no way in. LoRAs may reach into the text encoders
here, so they are loaded by diffusers itself and not through a slot.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline
from numpy.typing import NDArray

from packline.editing.architectures import Architecture
from packline.editing.engine import EditRequest, Picture
from packline.editing.loading import fit, generators, load_pipeline, resize
from packline.editing.loras import (
    Lora,
    Preset,
    Presets,
    guidance_of,
    module_count,
    negative_of,
    read_shapes,
)
from packline.editing.weights import Weights
from packline.errors import FixSettings, GiveUp
from packline.settings import EngineSettings

_PIPELINES = {
    "StableDiffusionXLImg2ImgPipeline": StableDiffusionXLImg2ImgPipeline,
    "StableDiffusionImg2ImgPipeline": StableDiffusionImg2ImgPipeline,
}
# Automatic1111 counts from the last layer; diffusers counts skipped ones, and SDXL skips one by itself
_SKIPPED_ALREADY = {"sdxl": 2, "sd15": 1}


class ImageToImageDriver:
    """See `packline.editing.diffusers_engine.Driver`."""

    def __init__(
        self, settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
    ) -> None:
        fewest = int(np.ceil(1 / architecture.denoise_with_lora))
        if settings.steps < fewest:
            raise FixSettings(
                f"Settings key engine.steps is {settings.steps}, but {architecture.name} denoises a share of "
                f"the steps only and needs {fewest} or more."
            )
        self.pipe = load_pipeline(_PIPELINES[architecture.pipeline], settings, architecture, weights)
        self._settings = settings
        self._architecture = architecture
        self._presets = presets
        self._loaded: set[str] = set()

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self.pipe.device.type)

    def count_tokens(self, prompt: str) -> int:
        """Tokens with the start and end marks."""
        return len(self.pipe.tokenizer(prompt)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """Starts of equal shape stack, where as much of them is to stay."""
        return self._shape(request), request.denoise

    def use_loras(self, stack: Sequence[Lora]) -> None:
        """Load each once, then only switch and set the strengths."""
        strengths: dict[str, float] = {}
        for lora in stack:
            if not lora.strength:
                continue
            # adapter names become module names, which must not hold a dot
            name = f"lora_{self._presets.sha256(lora.preset.label)[:16]}"
            if name not in self._loaded:
                self._load(lora.preset, name)
            strengths[name] = lora.strength
        if strengths:
            self.pipe.enable_lora()
            self.pipe.set_adapters(list(strengths), list(strengths.values()))
        elif self._loaded:
            self.pipe.disable_lora()

    def draw(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> NDArray[np.float32]:
        """One call of the pipeline."""
        known = self._architecture
        guidance, negative = guidance_of(stack, self._settings.guidance), negative_of(stack)
        asked = (lora.preset.settings.clip_skip for lora in stack if lora.strength)
        clip_skip = next((skip for skip in asked if skip is not None), None)
        if clip_skip is not None:
            clip_skip = max(clip_skip - _SKIPPED_ALREADY[known.name], 0) or None
        denoise = requests[0].denoise
        if denoise is None:
            acts = any(lora.strength for lora in stack)
            denoise = known.denoise_with_lora if acts else known.denoise
        starts = np.stack([place(request, *self._shape(request)) for request in requests])
        result = self.pipe(
            prompt=[request.prompt for request in requests],
            negative_prompt=[negative] * len(requests),
            image=torch.from_numpy(starts).permute(0, 3, 1, 2).float() / 255,
            strength=denoise,
            num_inference_steps=self._settings.steps,
            guidance_scale=guidance,
            generator=generators(list(requests)),
            clip_skip=clip_skip,
            output_type="np",
        )
        return np.asarray(result.images, np.float32)

    def free_memory(self) -> None:
        """Nothing is kept but the card's own cache."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _shape(self, request: EditRequest) -> tuple[int, int]:
        return fit(request.references[0].shape, self._settings.size, self._architecture.multiple_of)

    def _load(self, preset: Preset, name: str) -> None:
        file = self._presets.file(preset.label)
        try:
            self.pipe.load_lora_weights(
                str(file.parent),
                weight_name=file.name,
                adapter_name=name,
                use_safetensors=True,
                local_files_only=True,
            )
        except Exception as error:  # each converter raises its own types
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


def place(request: EditRequest, height: int, width: int) -> Picture:
    """The render pasted into the base photo, at the engine's size.

    Raises
    ------
    GiveUp
        The request has no render or does not say where the product is in it.
    """
    if len(request.references) < 2 or request.mask is None:
        raise GiveUp("An image-to-image engine needs the product in place as image 2, and its mask.")
    base, product = (picture.astype(np.float32) for picture in request.references[:2])
    if base.shape != product.shape or request.mask.shape != base.shape[:2]:
        raise GiveUp(
            f"The base photo {base.shape[:2]}, the render {product.shape[:2]} and its mask "
            f"{request.mask.shape} must have one size."
        )
    cover = request.mask[..., None].astype(np.float32) / 255
    return resize(np.round(product * cover + base * (1 - cover)).astype(np.uint8), height, width)


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> ImageToImageDriver:
    """Load the weights."""
    return ImageToImageDriver(settings, architecture, weights, presets)
