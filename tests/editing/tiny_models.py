"""Small random pipelines of the real classes, built from configurations: real code paths, no download."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
    StableDiffusionXLImg2ImgPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
)

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


def louder(transformer: torch.nn.Module) -> None:
    """Fresh weights say nearly nothing; louder ones let prompt, references and LoRA show in the pixels."""
    with torch.no_grad():
        for parameter in transformer.parameters():
            if parameter.ndim == 2:
                parameter.mul_(2)


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
    louder(transformer)
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


def save_sdxl(folder: Path) -> Path:
    """A StableDiffusionXLImg2ImgPipeline; the tokenizer knows letters only."""
    torch.manual_seed(0)
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,"]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    tokenizer = CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=77)
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "projection_dim": 32,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80,
        cross_attention_dim=64,
        norm_num_groups=8,
    )
    vae = AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
    )
    pipe = StableDiffusionXLImg2ImgPipeline(
        vae=vae.eval(),
        text_encoder=CLIPTextModel(CLIPTextConfig(**text)).eval(),
        text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**text)).eval(),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet.eval(),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
        requires_aesthetics_score=False,
    )
    pipe.save_pretrained(folder)
    return folder


def sdxl_lora(file: Path, folder: Path) -> Path:
    """A LoRA over all self-attentions of the small SDXL, in diffusers' own layout."""
    generator = torch.Generator().manual_seed(1)
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    tensors = {}
    for name, module in unet.named_modules():
        if isinstance(module, torch.nn.Linear) and ".attn1." in name:
            key = f"unet.{name}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(4, module.in_features, generator=generator)
            tensors[f"{key}.lora_B.weight"] = torch.randn(module.out_features, 4, generator=generator)
    save_file(tensors, str(file))
    return file


def save_qwen(folder: Path, zero_cond_t: bool = False) -> Path:
    """A QwenImageEditPlusPipeline."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    marks = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", *marks]})
    tokenizer.chat_template = CHAT
    start, end, image, video = tokenizer.convert_tokens_to_ids(marks)
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=28 * 28 * 16),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT,
    )
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "rope_theta": 1000000.0,
            "vocab_size": len(tokenizer),
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
        hidden_size=16,
        vocab_size=len(tokenizer),
        vision_start_token_id=start,
        vision_end_token_id=end,
        image_token_id=image,
        video_token_id=video,
    )
    vae = AutoencoderKLQwenImage(
        base_dim=24,
        z_dim=4,
        dim_mult=[1, 2, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=3,
        joint_attention_dim=16,
        guidance_embeds=False,
        axes_dims_rope=(8, 4, 4),
        zero_cond_t=zero_cond_t,
    )
    louder(transformer)
    pipe = QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae.eval(),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=tokenizer,
        processor=processor,
        transformer=transformer.eval(),
    )
    pipe.save_pretrained(folder)
    return folder
