"""Small random pipelines of the real classes, built from configurations: real code paths, no download."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

HIDDEN = 64
CARD = {
    "architecture": "flux2-klein-embedded",
    "max_sequence_length": 128,
    "text_encoder_out_layers": [1, 2, 3],
    "size": 64,
    "reference_sizes": [64, 64, 32, 32],
}
WORDS = [
    "image 1 is the base photo, a wooden table in a kitchen. image 2 is the product in place.",
    "image 3 is the side view. image 4 is the top view. image 5 is the label close up.",
    "put the red low top shoe bottle into image 1 as image 2 shows it, with soft daylight from the left.",
    "keep its text and logo as in image 2. do not change anything else. warm evening light cool studio",
]
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}"
)


def vocabulary(size: int = 512) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level BPE over the words that prompts use."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(WORDS * 20, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def qwen_tokenizer() -> Qwen2Tokenizer:
    vocab, merges = vocabulary()
    tokenizer = Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        model_max_length=4096,
        additional_special_tokens=["<|im_start|>", "<|im_end|>", "<think>", "</think>"],
        padding_side="right",
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def save_klein(folder: Path, seed: int = 0, card: dict | None = CARD) -> Path:
    """A Flux2KleinPipeline of 0.6 million random parameters."""
    torch.manual_seed(seed)
    tokenizer = qwen_tokenizer()
    text_encoder = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=512,
            tie_word_embeddings=True,
        )
    )
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
    )
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=32,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=HIDDEN // 16,
        joint_attention_dim=96,
        timestep_guidance_channels=64,
        mlp_ratio=2.0,
        axes_dims_rope=(4,) * 4,
        rope_theta=2000,
        guidance_embeds=False,
    )
    with torch.no_grad():
        # fresh weights say nearly nothing; louder ones let prompt, references and LoRA show in the pixels
        for parameter in transformer.parameters():
            if parameter.ndim == 2:
                parameter.mul_(2)
    scheduler = FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15
    )
    pipe = Flux2KleinPipeline(
        scheduler=scheduler,
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
        is_distilled=True,
    )
    pipe.save_pretrained(folder)
    if card:
        (folder / "packline.json").write_text(json.dumps(card))
    return folder


def klein_lora(file: Path, seed: int, rank: int = 4, hidden: int = HIDDEN, loud: float = 0.3) -> Path:
    """A LoRA in diffusers' own layout over the single blocks and one attention of the double block."""
    generator = torch.Generator().manual_seed(seed)
    out = {"attn.to_qkv_mlp_proj": hidden * 7, "attn.to_out": hidden}
    into = {"attn.to_qkv_mlp_proj": hidden, "attn.to_out": hidden * 3}
    tensors = {}
    for block in range(2):
        for name in out:
            key = f"transformer.single_transformer_blocks.{block}.{name}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(rank, into[name], generator=generator) * loud
            tensors[f"{key}.lora_B.weight"] = torch.randn(out[name], rank, generator=generator) * loud
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(file))
    return file
