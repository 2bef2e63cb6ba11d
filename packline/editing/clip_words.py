"""Prompts for CLIP text encoders, of any length: compel reads them in stretches of 75 tokens.

Only its reading is used, not its language of weights: a title with brackets in it is a title.
"""

from __future__ import annotations

from typing import Any

import torch
from compel import ReturnedEmbeddingsType  # type: ignore[import-untyped]
from compel.embeddings_provider import EmbeddingsProvider  # type: ignore[import-untyped]

Words = tuple[torch.Tensor, torch.Tensor | None]
"""Embeddings (1, tokens, width), and the summary of SDXL's second encoder (1, width)."""


class ClipWords:
    """The text encoders of a pipeline.

    Parameters
    ----------
    pipe
        An SDXL or SD 1.5 pipeline.
    """

    def __init__(self, pipe: Any) -> None:
        kinds = ReturnedEmbeddingsType
        second = getattr(pipe, "text_encoder_2", None)
        if second is None:
            encoder = pipe.text_encoder
            kind = kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
            self._plain = [_reader(pipe.tokenizer, encoder, kinds.LAST_HIDDEN_STATES_NORMALIZED)]
            self._skipping = [_reader(pipe.tokenizer, encoder, kind)]
            # compel looks for it where transformers 5 has it no more
            self._norm = getattr(encoder, "text_model", encoder).final_layer_norm
        else:
            # SDXL was trained on the last layer but one, which is what Automatic1111 calls clip skip 2
            kind = kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
            self._plain = self._skipping = [
                _reader(pipe.tokenizer, pipe.text_encoder, kind),
                _reader(pipe.tokenizer_2, second, kind),
            ]
        self._summary = second is not None

    def stretches(self, prompt: str) -> int:
        """How many stretches of 75 tokens a prompt is read in."""
        reader = self._plain[0]
        tokens = reader.get_token_ids_and_expand_weights([prompt], [1.0], device="cpu")[0]
        return int(tokens.shape[0] // reader.max_token_count)

    @torch.no_grad()
    def read(self, prompt: str, skip: bool) -> Words:
        """Read a prompt; `skip` leaves SD 1.5's last layer out."""
        parts = [
            reader.get_embeddings_for_weighted_prompt_fragments([[prompt]], [[1.0]], device=reader.device)
            for reader in (self._skipping if skip else self._plain)
        ]
        if not self._summary:
            return (self._norm(parts[0]) if skip else parts[0]), None
        summary = self._plain[1].get_pooled_embeddings([prompt], device=self._plain[1].device)
        return torch.cat(parts, -1), summary

    def lengthen(self, words: torch.Tensor, stretches: int, skip: bool) -> torch.Tensor:
        """Fill up with stretches that say nothing."""
        # not compel's own: that keeps what the encoder said before its LoRA changed
        nothing, _ = self.read("", skip)
        missing = stretches - words.shape[1] // nothing.shape[1]
        return torch.cat([words, *[nothing] * missing], 1)


def _reader(tokenizer: Any, encoder: Any, kind: ReturnedEmbeddingsType) -> EmbeddingsProvider:
    return EmbeddingsProvider(
        tokenizer,
        encoder,
        truncate=False,
        returned_embeddings_type=kind,
        dtype_for_device_getter=lambda _: encoder.dtype,
    )
