"""More small random pipelines of the real classes, beside tiny_models."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinKVPipeline,
    Flux2KleinPipeline,
    Flux2Pipeline,
    Flux2Transformer2DModel,
    FluxKontextPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    ZImageOmniPipeline,
    ZImageTransformer2DModel,
)
from safetensors.torch import save_file
from tiny_models import CHAT, WORDS, louder, qwen_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PixtralImageProcessor,
    PixtralProcessor,
    Qwen3Config,
    Qwen3Model,
    Siglip2ImageProcessor,
    Siglip2VisionConfig,
    Siglip2VisionModel,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

LISTS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
)


def card(folder: Path, architecture: str, longest: int = 128) -> Path:
    told = {
        "architecture": architecture,
        "max_sequence_length": longest,
        "text_encoder_out_layers": [1, 2, 3],
        "size": 64,
        "reference_sizes": [64, 64, 32, 32],
    }
    (folder / "packline.json").write_text(json.dumps(told))
    return folder


def save_kv(folder: Path, klein: Path) -> Path:
    """A Flux2KleinKVPipeline with the weights of a small klein."""
    parts = dict(Flux2KleinPipeline.from_pretrained(klein).components)
    Flux2KleinKVPipeline(**parts).save_pretrained(folder)
    return card(folder, "flux2-klein-9b-kv")


def save_dev(folder: Path, klein: Path) -> Path:
    """A Flux2Pipeline: a Mistral 3 reads the prompt, guidance is embedded."""
    torch.manual_seed(0)
    parts = Flux2KleinPipeline.from_pretrained(klein).components
    tokenizer = qwen_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["[IMG]", "[IMG_BREAK]", "[IMG_END]"]})
    tokenizer.chat_template = LISTS
    processor = PixtralProcessor(
        image_processor=PixtralImageProcessor(patch_size=14, size={"longest_edge": 56}),
        tokenizer=tokenizer,
        patch_size=14,
        chat_template=LISTS,
    )
    config = Mistral3Config(
        text_config={
            "model_type": "mistral",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "max_position_embeddings": 512,
        },
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
    )
    transformer = Flux2Transformer2DModel(**{**parts["transformer"].config, "guidance_embeds": True})
    louder(transformer)
    pipe = Flux2Pipeline(
        scheduler=parts["scheduler"],
        vae=parts["vae"],
        text_encoder=Mistral3ForConditionalGeneration(config).eval(),
        tokenizer=processor,
        transformer=transformer.eval(),
    )
    pipe.save_pretrained(folder)
    return card(folder, "flux2-dev", 256)


def clip_tokenizer() -> CLIPTokenizer:
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,()+-"]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    return CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=77)


def clip(tokenizer: CLIPTokenizer, layers: int = 3) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=layers,
        projection_dim=32,
        bos_token_id=0,
        eos_token_id=1,
    )
    return CLIPTextModel(config).eval()


def autoencoder(channels: int, **other: float) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=8,
        sample_size=64,
        **other,
    ).eval()


def save_kontext(folder: Path) -> Path:
    """A FluxKontextPipeline: T5 reads the words, CLIP sums them up."""
    torch.manual_seed(0)
    pieces = Tokenizer(models.Unigram())
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    pieces.train_from_iterator([*WORDS, "0123456789 abcdefghijklmnopqrstuvwxyz"] * 20, trainer)
    vocabulary = [tuple(pair) for pair in json.loads(pieces.to_str())["model"]["vocab"]]
    t5 = T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=512)
    tokenizer = clip_tokenizer()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    louder(transformer)
    pipe = FluxKontextPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=autoencoder(4, shift_factor=0.1, scaling_factor=0.4),
        text_encoder=clip(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(t5), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
        ).eval(),
        tokenizer_2=t5,
        transformer=transformer.eval(),
    )
    pipe.save_pretrained(folder)
    return folder


def save_zimage(folder: Path) -> Path:
    """A ZImageOmniPipeline: Qwen 3 reads the prompt, SigLIP 2 and the VAE look at references."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|vision_start|>", "<|vision_end|>"]})
    tokenizer.chat_template = CHAT
    text = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
    )
    sight = Siglip2VisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_patches=16,
        patch_size=16,
    )
    transformer = ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        siglip_feat_dim=16,
        axes_dims=[4, 4, 8],
        axes_lens=[1024, 64, 64],
    )
    with torch.no_grad():
        # these are left empty for a checkpoint to fill
        for name in ("x_pad_token", "cap_pad_token", "siglip_pad_token"):
            torch.nn.init.normal_(getattr(transformer, name), std=0.02)
    louder(transformer)
    pipe = ZImageOmniPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=autoencoder(4, shift_factor=0.1, scaling_factor=0.4),
        text_encoder=Qwen3Model(text).eval(),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
        siglip=Siglip2VisionModel(sight).eval(),
        siglip_processor=Siglip2ImageProcessor(patch_size=16, max_num_patches=16),
    )
    pipe.save_pretrained(folder)
    return folder


def save_sd15(folder: Path) -> Path:
    """A StableDiffusionPipeline, as SD 1.5 is published, in a layout that a single file can hold too."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=32,
        norm_num_groups=8,
    )
    StableDiffusionPipeline(
        vae=autoencoder(4),
        text_encoder=clip(tokenizer),
        tokenizer=tokenizer,
        unet=unet.eval(),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def lora_for(file: Path, transformer: torch.nn.Module, part: str, rank: int = 4) -> Path:
    """A LoRA in diffusers' own layout over the linears of a transformer whose name holds `part`."""
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name, module in transformer.named_modules():
        if isinstance(module, torch.nn.Linear) and part in name:
            key = f"transformer.{name}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(rank, module.in_features, generator=generator)
            tensors[f"{key}.lora_B.weight"] = torch.randn(module.out_features, rank, generator=generator)
    save_file(tensors, str(file))
    return file


def as_one_file(file: Path, folder: Path) -> Path:
    """The small SD 1.5 in the layout of the original release: one file with every part."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    tensors = {}
    for name, value in pipe.unet.state_dict().items():
        tensors[f"model.diffusion_model.{_unet_name(name)}"] = value
    for name, value in pipe.vae.state_dict().items():
        # attention was a convolution of one pixel
        linear = "attentions" in name and name.endswith("weight") and value.ndim == 2
        tensors[f"first_stage_model.{_vae_name(name)}"] = value[..., None, None] if linear else value
    for name, value in pipe.text_encoder.state_dict().items():
        plain = name.removeprefix("text_model.")
        tensors[f"cond_stage_model.transformer.text_model.{plain}"] = value
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, str(file))
    return file


def _rename(name: str, table: dict[str, str]) -> str:
    for mine, original in table.items():
        name = name.replace(mine, original)
    return name


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0",
    "down_blocks.1.attentions.0": "input_blocks.3.1",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "up_blocks.0.resnets.0": "output_blocks.0.0",
    "up_blocks.0.attentions.0": "output_blocks.0.1",
    "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.attentions.1": "output_blocks.1.1",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
    "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.resnets.1": "output_blocks.3.0",
}
_VAE = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0.group_norm": "mid.attn_1.norm",
    "mid_block.attentions.0.to_q": "mid.attn_1.q",
    "mid_block.attentions.0.to_k": "mid.attn_1.k",
    "mid_block.attentions.0.to_v": "mid.attn_1.v",
    "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
    "down_blocks.": "down.",
    "up_blocks.0.": "up.1_.",
    "up_blocks.1.": "up.0.",
    "up.1_.": "up.1.",
    "resnets.": "block.",
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
}


def _unet_name(name: str) -> str:
    if ".resnets." in name:
        name = _rename(name, _RESNET)
    return _rename(name, _UNET)


def _vae_name(name: str) -> str:
    return _rename(name, _VAE)
