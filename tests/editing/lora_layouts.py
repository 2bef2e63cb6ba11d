"""How real LoRA files of each trainer and model name their tensors, with real widths and rank 1.

The names are those that trainers write and that diffusers 0.42 converts from (its
``loaders/lora_conversion_utils.py``); one or two layers stand for all of their kind.
"""

from __future__ import annotations

import json
from pathlib import Path

KOHYA, PEFT, OLD = ("lora_down", "lora_up"), ("lora_A", "lora_B"), ("lora.down", "lora.up")


def pair(name, into, out, rank=1, kind=PEFT, adapter=""):
    dot = "_" if kind is OLD and name.endswith(("to_q", "to_k", "to_v", "to_out")) else "."
    down, up = (f"{name}{dot}{part}{adapter}.weight" for part in kind)
    found = {down: (rank, into), up: (out, rank)}
    return found | {f"{name}.alpha": ()} if kind is KOHYA else found


def layers(prefix, *named, **options):
    found = {}
    for name, into, out in named:
        found |= pair(prefix + name, into, out, **options)
    return found


def save_header(file: Path, shapes, metadata=None):
    """A file with these tensors, all zeros."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in shapes.items():
        count = 1
        for side in shape:
            count *= side
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + 2 * count]}
        end += 2 * count
    written = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(len(written).to_bytes(8, "little") + written)
        stream.truncate(8 + len(written) + end)


def _underscored(prefix, *named):
    return layers(prefix, *((name.replace(".", "_"), into, out) for name, into, out in named), kind=KOHYA)


_SD15 = (
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", 320, 320),
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", 768, 320),
    ("mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj", 1280, 10240),
)
_SDXL = (
    ("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", 640, 640),
    ("down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_v", 2048, 1280),
)
_SDXL_SGM = (
    ("input_blocks.4.1.transformer_blocks.0.attn2.to_k", 2048, 640),
    ("middle_block.1.transformer_blocks.9.attn1.to_out.0", 1280, 1280),
)
_CLIP = ("text_model.encoder.layers.0.self_attn.q_proj", 768, 768)
_BIG_CLIP = ("text_model.encoder.layers.31.mlp.fc1", 1280, 5120)
_FLUX1 = (
    ("transformer_blocks.18.attn.to_q", 3072, 3072),
    ("transformer_blocks.18.attn.add_k_proj", 3072, 3072),
    ("transformer_blocks.0.ff.net.0.proj", 3072, 12288),
    ("single_transformer_blocks.37.attn.to_k", 3072, 3072),
    ("single_transformer_blocks.37.proj_out", 15360, 3072),
)
_FLUX1_ORIGINAL = (
    ("double_blocks.18.img_attn.qkv", 3072, 9216),
    ("double_blocks.0.txt_mlp.2", 12288, 3072),
    ("single_blocks.37.linear1", 3072, 21504),
    ("single_blocks.37.linear2", 15360, 3072),
)


def _flux2(width, double, single):
    return (
        (f"transformer_blocks.{double - 1}.attn.to_q", width, width),
        (f"transformer_blocks.{double - 1}.attn.add_k_proj", width, width),
        ("transformer_blocks.0.ff.linear_in", width, 6 * width),
        ("transformer_blocks.0.ff_context.linear_out", 3 * width, width),
        (f"single_transformer_blocks.{single - 1}.attn.to_qkv_mlp_proj", width, 9 * width),
        (f"single_transformer_blocks.{single - 1}.attn.to_out", 4 * width, width),
    )


def _flux2_original(width, double, single):
    return (
        (f"double_blocks.{double - 1}.img_attn.qkv", width, 3 * width),
        (f"double_blocks.{double - 1}.txt_attn.proj", width, width),
        ("double_blocks.0.img_mlp.0", width, 6 * width),
        ("double_blocks.0.txt_mlp.2", 3 * width, width),
        (f"single_blocks.{single - 1}.linear1", width, 9 * width),
        (f"single_blocks.{single - 1}.linear2", 4 * width, width),
    )


_QWEN = (
    ("transformer_blocks.0.attn.to_q", 3072, 3072),
    ("transformer_blocks.59.attn.add_k_proj", 3072, 3072),
    ("transformer_blocks.59.attn.to_out.0", 3072, 3072),
)
_QWEN_ALL = (
    *_QWEN,
    ("transformer_blocks.0.img_mod.1", 3072, 18432),
    ("transformer_blocks.0.txt_mlp.net.2", 12288, 3072),
)
_ZIMAGE = (
    ("layers.29.attention.to_q", 3840, 3840),
    ("layers.0.feed_forward.w2", 10240, 3840),
    ("noise_refiner.0.attention.to_out.0", 3840, 3840),
)
_ZIMAGE_FUSED = (("layers.0.attention.qkv", 3840, 11520), ("layers.0.adaLN_modulation.0", 256, 15360))

KLEINS = {
    "flux2-klein-4b": (3072, 5, 20),
    "flux2-klein-9b": (4096, 8, 24),
    "flux2-dev": (6144, 8, 48),
    "flux2-klein-embedded": (192, 2, 4),
}

# layout, architecture, tensors
TABLE = [
    ("kohya", "sd15", _underscored("lora_unet_", *_SD15) | _underscored("lora_te_", _CLIP)),
    ("diffusers", "sd15", layers("unet.", *_SD15) | layers("text_encoder.", _CLIP)),
    ("diffusers before peft", "sd15", layers("unet.", *_SD15[:2], kind=OLD)),
    ("peft", "sd15", layers("base_model.model.", *_SD15)),
    (
        "kohya",
        "sdxl",
        _underscored("lora_unet_", *_SDXL)
        | _underscored("lora_te1_", _CLIP)
        | _underscored("lora_te2_", _BIG_CLIP),
    ),
    ("kohya sgm", "sdxl", _underscored("lora_unet_", *_SDXL_SGM)),
    ("kohya text only", "sdxl", _underscored("lora_te2_", _BIG_CLIP)),
    ("diffusers", "sdxl", layers("unet.", *_SDXL) | layers("text_encoder_2.", _BIG_CLIP)),
    ("peft", "sdxl", layers("base_model.model.", *_SDXL, adapter=".default")),
    ("kohya", "flux1", _underscored("lora_unet_", *_FLUX1_ORIGINAL) | _underscored("lora_te1_", _CLIP)),
    ("diffusers", "flux1", layers("transformer.", *_FLUX1)),
    ("peft", "flux1", layers("base_model.model.", *_FLUX1)),
    ("original", "flux1", layers("diffusion_model.", *_FLUX1_ORIGINAL)),
    ("original attention", "flux1", layers("diffusion_model.", _FLUX1_ORIGINAL[0])),
    ("diffusers attention", "flux1", layers("transformer.", *_FLUX1[3:4])),
    *(
        row
        for name, (width, double, single) in KLEINS.items()
        for row in (
            ("kohya", name, _underscored("lora_unet_", *_flux2_original(width, double, single))),
            ("diffusers", name, layers("transformer.", *_flux2(width, double, single))),
            ("peft", name, layers("base_model.model.", *_flux2_original(width, double, single))),
            ("original", name, layers("diffusion_model.", *_flux2_original(width, double, single))),
            ("diffusers singles", name, layers("transformer.", *_flux2(width, double, single)[-2:])),
        )
    ),
    ("words in", "flux2-klein-9b", layers("diffusion_model.", ("txt_in", 12288, 4096))),
    ("kohya", "qwen", _underscored("lora_unet_", *_QWEN_ALL)),
    ("diffusers", "qwen", layers("transformer.", *_QWEN)),
    ("peft", "qwen", layers("", *_QWEN, adapter=".default")),
    ("original", "qwen", layers("diffusion_model.", *_QWEN_ALL)),
    ("kohya", "zimage", _underscored("lora_unet_", *_ZIMAGE)),
    ("diffusers", "zimage", layers("transformer.", *_ZIMAGE)),
    ("peft", "zimage", layers("base_model.model.", *_ZIMAGE)),
    ("original", "zimage", layers("diffusion_model.", *_ZIMAGE, *_ZIMAGE_FUSED)),
    # known names, but of models that are none of ours
    (
        "stable diffusion 2",
        None,
        layers("unet.", ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", 1024, 320)),
    ),
    (
        "sdxl refiner",
        None,
        layers("unet.", ("down_blocks.1.attentions.0.transformer_blocks.3.attn2.to_k", 1280, 768)),
    ),
    (
        "stable diffusion 3",
        None,
        layers("transformer.", ("transformer_blocks.0.attn.add_k_proj", 1536, 1536)),
    ),
    ("lumina 2", None, layers("diffusion_model.", ("layers.0.attention.qkv", 2304, 3840))),
    ("a language model", None, layers("base_model.model.model.", ("encoder.layer.0.query", 768, 768))),
    ("two models mixed", None, layers("transformer.", _FLUX1[4], _flux2(3072, 5, 20)[2])),
]
