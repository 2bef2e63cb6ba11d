"""Calls Qwen-Image-Edit-Plus, 2509 and 2511.

Its pipeline takes one prompt with one set of references at a time, and makes several pictures of it. Each of
these is given references and embeddings of its own here, so that candidates go together that share their
words (else their embeddings differ in length). What the language model makes of prompt and pictures, and the
references' latents, are computed once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from diffusers import QwenImageEditPlusPipeline
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as sizes
from PIL import Image

from packline.editing.architectures import Architecture
from packline.editing.driver import PipelineDriver
from packline.editing.engine import EditRequest, Picture
from packline.editing.loading import generators, picture_key
from packline.editing.loras import Lora, Presets, guidance_of, negative_of
from packline.editing.weights import Weights
from packline.settings import EngineSettings

# true guidance needs a negative prompt, and a blank one is what the model card uses
_BLANK = " "
# and their mask
Embedded = tuple[torch.Tensor, torch.Tensor | None]


class HeldPipeline(QwenImageEditPlusPipeline):
    """QwenImageEditPlusPipeline with references and embeddings for each row of the batch.

    Attributes
    ----------
    latents_of
        Given a reference's number and the pipeline's own pixels of it, (1, 3, 1, height, width): the rows'
        latents.
    embedded
        By what is passed as prompt: the rows' embeddings, and their mask. Both are set before a call.
    """

    latents_of: Callable[[int, torch.Tensor], torch.Tensor]
    embedded: Mapping[str, Embedded]

    def prepare_latents(self, images: Sequence[torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        """Latents in place of pixels are taken as they are."""
        held = [self.latents_of(number, image) for number, image in enumerate(images)]
        return super().prepare_latents(held, *args, **kwargs)  # type: ignore[misc]

    def encode_prompt(self, *, prompt: str, **_: Any) -> Embedded:
        """`embedded`; the pictures' were looked at with it."""
        return self.embedded[prompt]


class QwenDriver(PipelineDriver):
    """See `packline.editing.driver.PipelineDriver`."""

    pipelines = {"QwenImageEditPlusPipeline": HeldPipeline}  # noqa: RUF012 (typed by the base)
    # the pipeline sizes references itself: 384 px for its language model, 1 megapixel for its VAE
    resizes_references = False

    def count_tokens(self, prompt: str) -> int:
        """Tokens of the prompt alone; the pictures' do not count against the limit."""
        return len(self.pipe.tokenizer(prompt)["input_ids"])

    def batch_key(self, request: EditRequest) -> Hashable:
        """Same words, and references of the same shapes."""
        return (request.prompt, *(picture.shape for picture in request.references))

    def call(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> None:
        """One call of the pipeline."""
        guidance = guidance_of(stack, self.settings.guidance)
        first = requests[0]
        # without a size the output follows the last reference
        height, width = self.size_of(first)
        self.pipe.latents_of = lambda number, pixels: torch.cat(
            [self._latents_of(one.references[number], pixels.shape) for one in requests]
        )
        asked = {"prompt": first.prompt}
        if guidance > 1:
            asked["negative_prompt"] = negative_of(stack) or _BLANK
        self.pipe.embedded = {words: self._rows(requests, words) for words in asked.values()}
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

    def _rows(self, requests: Sequence[EditRequest], words: str) -> Embedded:
        rows = [self._embed(request.references, words) for request in requests]
        # all ones for a single prompt, which the pipeline says as None
        masks = [mask for _, mask in rows if mask is not None]
        return torch.cat([embedded for embedded, _ in rows]), torch.cat(masks) if masks else None

    def _embed(self, references: Sequence[Picture], prompt: str) -> Embedded:
        key = (prompt, *map(picture_key, references))
        known = self.prompts.get(key)
        if known is None:
            pictures = []
            for picture in references:
                height, width = picture.shape[:2]
                side = sizes.CONDITION_IMAGE_SIZE
                wide, high = sizes.calculate_dimensions(side, width / height)  # type: ignore[no-untyped-call]
                pictures.append(self.pipe.image_processor.resize(Image.fromarray(picture), high, wide))
            embedded = QwenImageEditPlusPipeline.encode_prompt(self.pipe, prompt=[prompt], image=pictures)
            known = self.prompts.put(key, embedded)
        embedded, mask = known
        return embedded, mask

    def _latents_of(self, picture: Picture, shape: torch.Size) -> torch.Tensor:
        key = (picture_key(picture), shape)
        known = self.latents.get(key)
        if known is None:
            *_, height, width = shape
            pixels = self.pipe.image_processor.preprocess(Image.fromarray(picture), height, width).unsqueeze(
                2
            )
            image = pixels.to(self.pipe._execution_device, self.pipe.vae.dtype)
            with self._vae:
                known = self.latents.put(key, self.encode(image))
        return torch.as_tensor(known)


def open_driver(
    settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
) -> QwenDriver:
    """Load the weights."""
    return QwenDriver(settings, architecture, weights, presets)
