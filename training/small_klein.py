"""The embedded editor's networks: the classes of FLUX.2 klein, small enough for a laptop's processor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

from training.codec import LATENT

VOCABULARY = 768
TEXT_WIDTH = 96
TEXT_LAYERS = 4
OUT_LAYERS = (1, 2, 3)  # hidden states that condition the transformer, as klein takes 9, 18 and 27
PROMPT_TOKENS = 136
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
# Qwen's pre-tokeniser: contractions, words with their space, digits one by one, signs, line ends
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# the prompt as it stands: a chat's scaffolding would be a fifth of so short a text
CHAT = "{% for m in messages %}{{ m['content'] }}{% endfor %}<|im_end|>"


def tokenizer(corpus: Iterable[str]) -> Qwen2Tokenizer:
    """A byte-level BPE of `VOCABULARY` tokens, learned from the prompts."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(corpus, trainer)
    learned = json.loads(bpe.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in learned["merges"]]
    made = Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=merges,
        model_max_length=4096,
        additional_special_tokens=list(SPECIAL[1:]),
        padding_side="right",
    )
    made.chat_template = CHAT
    return made


def text_encoder(vocabulary: int) -> Qwen3ForCausalLM:
    """Four layers of Qwen3."""
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocabulary,
            hidden_size=TEXT_WIDTH,
            intermediate_size=256,
            num_hidden_layers=TEXT_LAYERS,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=TEXT_WIDTH // 4,
            max_position_embeddings=512,
            tie_word_embeddings=True,
        )
    )


def transformer(heads: int = 6, double: int = 2, single: int = 4) -> Flux2Transformer2DModel:
    """4.6 million parameters at the defaults; the output starts at zero."""
    made = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=4 * LATENT,
        num_layers=double,
        num_single_layers=single,
        attention_head_dim=32,
        num_attention_heads=heads,
        joint_attention_dim=TEXT_WIDTH * len(OUT_LAYERS),
        timestep_guidance_channels=256,
        mlp_ratio=3.0,
        axes_dims_rope=(8, 8, 8, 8),
        rope_theta=2000,
        guidance_embeds=False,
    )
    torch.nn.init.zeros_(made.proj_out.weight)
    return made


def scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Klein's flow-matching schedule."""
    return FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1000,
        shift=3.0,
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        base_image_seq_len=256,
        max_image_seq_len=4096,
    )


def pipeline(
    vae: AutoencoderKLFlux2, text: Qwen3ForCausalLM, words: Qwen2Tokenizer, net: Flux2Transformer2DModel
) -> Flux2KleinPipeline:
    """All of it as the production pipeline's class."""
    return Flux2KleinPipeline(
        scheduler=scheduler(), vae=vae, text_encoder=text, tokenizer=words, transformer=net, is_distilled=True
    )


def save(pipe: Flux2KleinPipeline, folder: Path, facts: dict[str, object]) -> None:
    """Write the pipeline in half precision, with the call arguments that it was trained for."""
    half = {name: getattr(pipe, name) for name in ("vae", "text_encoder", "transformer")}
    kept = {name: {k: v.clone() for k, v in module.state_dict().items()} for name, module in half.items()}
    for module in half.values():
        module.half()
    pipe.save_pretrained(folder, safe_serialization=True)
    for name, module in half.items():
        module.float()
        module.load_state_dict(kept[name])
    (folder / "packline.json").write_text(json.dumps(facts, indent=2) + "\n")


def chat_ids(words: Qwen2Tokenizer, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask as the pipeline makes them, int64 (N, PROMPT_TOKENS)."""
    texts = [
        words.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        for prompt in prompts
    ]
    longest = max(len(ids) for ids in words(texts)["input_ids"])
    if longest > PROMPT_TOKENS:
        raise ValueError(f"a prompt of {longest} tokens does not fit {PROMPT_TOKENS}")
    made = words(texts, return_tensors="pt", padding="max_length", max_length=PROMPT_TOKENS)
    return made["input_ids"], made["attention_mask"]
