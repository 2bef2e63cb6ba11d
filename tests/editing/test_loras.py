from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from packline.editing.loras import Presets, load_presets, read_shapes, recognise
from packline.errors import FixSettings, GiveUp


def pair(name, into, out, rank=8, kohya=False):
    down, up = ("lora_down", "lora_up") if kohya else ("lora_A", "lora_B")
    return {f"{name}.{down}.weight": (rank, into), f"{name}.{up}.weight": (out, rank)}


SINGLE, DOUBLE = "single_transformer_blocks.0.attn", "transformer_blocks.0"
UNET = "down_blocks.1.attentions.0.transformer_blocks"
LAYOUTS = [
    (
        "sd15 kohya",
        "sd15",
        pair("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k", 768, 320, kohya=True),
    ),
    ("sd15 diffusers", "sd15", pair(f"unet.{UNET}.0.attn2.to_k", 768, 320)),
    (
        "sdxl kohya",
        "sdxl",
        pair("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_v", 2048, 640, kohya=True),
    ),
    ("sdxl peft", "sdxl", pair(f"base_model.model.{UNET}.0.attn2.to_v", 2048, 640)),
    ("sdxl without text", "sdxl", pair(f"unet.{UNET}.7.attn1.to_q", 1280, 1280)),
    (
        "flux1 diffusers",
        "flux1",
        {
            **pair(f"transformer.{SINGLE}.to_q", 3072, 3072),
            **pair(f"transformer.{DOUBLE}.attn.add_k_proj", 3072, 3072),
        },
    ),
    (
        "flux1 original",
        "flux1",
        {
            **pair("diffusion_model.double_blocks.0.img_mlp.0", 3072, 12288),
            **pair("diffusion_model.single_blocks.0.linear1", 3072, 21504),
        },
    ),
    ("flux1 kohya", "flux1", pair("lora_unet_double_blocks_0_img_mlp_0", 3072, 12288, kohya=True)),
    ("klein 4B diffusers", "flux2-klein-4b", pair(f"transformer.{SINGLE}.to_qkv_mlp_proj", 3072, 27648)),
    ("klein 4B original", "flux2-klein-4b", pair("diffusion_model.double_blocks.0.img_mlp.0", 3072, 18432)),
    ("klein 4B kohya", "flux2-klein-4b", pair("lora_unet_single_blocks_0_linear1", 3072, 27648, kohya=True)),
    ("klein 9B diffusers", "flux2-klein-9b", pair(f"transformer.{DOUBLE}.ff.linear_in", 4096, 24576)),
    ("dev diffusers", "flux2-dev", pair(f"transformer.{SINGLE}.to_qkv_mlp_proj", 6144, 55296)),
    ("embedded", "flux2-klein-embedded", pair(f"transformer.{SINGLE}.to_qkv_mlp_proj", 192, 1728)),
    ("embedded attention only", "flux2-klein-embedded", pair(f"transformer.{DOUBLE}.attn.to_q", 192, 192)),
    ("qwen diffusers", "qwen", pair(f"transformer.{DOUBLE}.attn.add_k_proj", 3072, 3072)),
    ("qwen original", "qwen", pair(f"diffusion_model.{DOUBLE}.img_mod.1", 3072, 18432)),
    ("z-image", "zimage", pair("diffusion_model.layers.3.attention.to_q", 3840, 3840)),
    ("stable diffusion 2", None, pair(f"unet.{UNET}.0.attn2.to_k", 1024, 320)),
    ("something else", None, pair("encoder.layer.0.query", 768, 768)),
    ("no lora", None, {"weight": (4, 4)}),
]


@pytest.mark.parametrize(
    ("expected", "shapes"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS]
)
def test_the_architecture_is_read_from_names_and_shapes(expected, shapes):
    assert recognise(shapes) == expected


@pytest.fixture
def write(tmp_path):
    def write(*entries, **files):
        for name, shapes in files.items():
            tensors = {key: np.zeros(shape, np.float16) for key, shape in shapes.items()}
            save_file(tensors, str(tmp_path / f"{name}.safetensors"))
        file = tmp_path / "presets.json"
        file.write_text(json.dumps({"loras": list(entries)}))
        return load_presets(file)

    return write


def preset(label, path="", architecture="flux2-klein-embedded", **others):
    return {
        "label": label,
        "path": path or f"{label}.safetensors",
        "base_architecture": architecture,
        **others,
    }


EMBEDDED = pair(f"transformer.{SINGLE}.to_qkv_mlp_proj", 192, 1728)


def test_a_preset_carries_trigger_strength_and_overrides(write):
    settings = {"strength": 0.6, "guidance_scale": 3, "clip_skip": 2}
    presets = write(
        preset("noir", prompt=" noir style ", settings=settings, theme="film", negative_prompt="colour"),
        preset("plain"),
    )
    noir, plain = presets
    assert (noir.trigger, noir.theme, noir.negative_prompt) == ("noir style", "film", "colour")
    assert noir.settings.model_dump() == settings
    assert (plain.settings.strength, plain.trigger) == (0.8, "")
    assert ("noir" in presets, "other" in presets, len(presets)) == (True, False, 2)


def test_only_presets_of_the_engines_architecture_are_offered(write):
    presets = write(preset("one"), preset("two", architecture="sdxl"), preset("three"))
    assert [each.label for each in presets.of("flux2-klein-embedded")] == ["one", "three"]


def test_a_fitting_file_is_accepted_by_its_header_alone(write):
    assert write(preset("fine"), fine=EMBEDDED).fit("fine", "flux2-klein-embedded").label == "fine"


def test_the_models_folder_of_the_environment_is_where_paths_start(write, tmp_path, monkeypatch):
    elsewhere = tmp_path / "models"
    elsewhere.mkdir()
    monkeypatch.setenv("MODEL_BASE_PATH", str(elsewhere))
    presets = write(preset("fine"), fine=EMBEDDED)
    with pytest.raises(GiveUp, match=r"models/fine\.safetensors is missing"):
        presets.fit("fine", "flux2-klein-embedded")
    (tmp_path / "fine.safetensors").rename(elsewhere / "fine.safetensors")
    assert presets.fit("fine", "flux2-klein-embedded")


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({f"{SINGLE}.hada_w1_a": (4, 4)}, "LyCORIS"),
        ({f"{SINGLE}.lokr_w1": (4, 4)}, "LyCORIS"),
        ({**EMBEDDED, f"transformer.{SINGLE}.dora_scale": (4,)}, "DoRA"),
        ({"weight": (4, 4)}, "holds no LoRA tensors"),
        (dict(list(EMBEDDED.items())[:1]), "only one of its two matrices"),
        (pair("encoder.layer.0.query", 768, 768), "fit no model that Packline knows"),
    ],
)
def test_a_file_that_is_no_plain_lora_is_refused(write, shapes, sentence):
    presets = write(preset("odd"), odd=shapes)
    with pytest.raises(GiveUp, match=sentence):
        presets.fit("odd", "flux2-klein-embedded")


def test_a_file_that_is_cut_short_is_refused(write, tmp_path):
    presets = write(preset("fine"), fine=EMBEDDED)
    file = tmp_path / "fine.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(GiveUp, match="is cut short"):
        presets.fit("fine", "flux2-klein-embedded")


def test_a_header_longer_than_its_file_is_never_read(tmp_path):
    file = tmp_path / "bomb.safetensors"
    file.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(GiveUp, match="is not a safetensors file"):
        read_shapes(file)


def test_a_preset_that_was_not_downloaded_says_so(write):
    entry = {"label": "far", "air": "urn:air:flux2:lora:civitai:1@2", "base_architecture": "flux2-klein-4b"}
    with pytest.raises(GiveUp, match="LoRA 'far' has no path"):
        write(entry).fit("far", "flux2-klein-4b")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({**preset("x"), "strenght": 1}, "LoRA 'x': strenght is wrong"),
        (preset("x", settings={"strength": 2.5}), r"LoRA 'x': settings\.strength is wrong"),
        (preset("x", settings={"clip_skip": 13}), r"settings\.clip_skip is wrong"),
        (preset("x", sha256="abc"), "LoRA 'x': sha256 is wrong"),
        (preset("x", architecture="flux9"), "base_architecture 'flux9' is unknown; known are flux1"),
        ({"label": "x", "base_architecture": "sdxl"}, "neither path nor air"),
        ({"path": "x.safetensors", "base_architecture": "sdxl"}, "LoRA number 1: label is wrong"),
        ("x", "LoRA number 1"),
    ],
)
def test_a_wrong_entry_is_named_with_its_field(write, entry, sentence):
    with pytest.raises(FixSettings, match=sentence):
        write(entry)


def test_two_presets_of_one_label_are_refused(write):
    with pytest.raises(FixSettings, match="two LoRAs are labelled 'x'"):
        write(preset("x"), preset("x", path="other.safetensors"))


@pytest.mark.parametrize("text", ["", "[]", '{"loras": {}}', '{"other": []}', "{"])
def test_a_malformed_list_names_the_settings_key(tmp_path, text):
    file = tmp_path / "presets.json"
    file.write_text(text)
    with pytest.raises(FixSettings, match=r"paths\.loras"):
        load_presets(file)


def test_a_missing_list_names_the_settings_key(tmp_path):
    with pytest.raises(FixSettings, match=r"paths\.loras: .*none\.json is missing"):
        load_presets(tmp_path / "none.json")


def test_no_presets_know_no_label():
    with pytest.raises(GiveUp, match="known: none"):
        Presets().get("noir")
