from __future__ import annotations

import json

import pytest
from lora_layouts import KOHYA, TABLE, layers, pair, save_header

from packline.editing.architectures import LORA_ARCHITECTURES
from packline.editing.lora_files import read_header, read_shapes, recognise, unusable
from packline.editing.loras import Presets, load_presets
from packline.errors import FixSettings, GiveUp

SINGLE = "single_transformer_blocks.0.attn"


@pytest.mark.parametrize(
    ("expected", "shapes"), [row[1:] for row in TABLE], ids=[f"{row[1]} {row[0]}" for row in TABLE]
)
def test_the_model_is_read_from_names_and_shapes(tmp_path, expected, shapes):
    file = tmp_path / "a.safetensors"
    save_header(file, shapes)
    assert recognise(*read_header(file)).architecture == expected
    assert unusable(read_shapes(file)) == "", "and it is a plain LoRA"


def test_every_model_is_in_the_table_in_three_layouts():
    for architecture in LORA_ARCHITECTURES:
        layouts = {row[0] for row in TABLE if row[1] == architecture}
        assert {"kohya", "diffusers", "peft"} <= layouts, architecture


# what two models have in common, each with what metadata makes of it
SHARED = [
    (
        layers("transformer.", ("transformer_blocks.0.attn.to_q", 3072, 3072)),
        {"flux1", "flux2-klein-4b", "qwen"},
    ),
    (layers("diffusion_model.", ("double_blocks.4.img_attn.qkv", 3072, 9216)), {"flux1", "flux2-klein-4b"}),
    (layers("lora_te_", ("text_model_encoder_layers_0_mlp_fc1", 768, 3072), kind=KOHYA), {"sd15", "sdxl"}),
]


@pytest.mark.parametrize(("shapes", "possible"), SHARED)
def test_tensors_that_several_models_have_leave_them_open(shapes, possible):
    found = recognise(shapes)
    assert (found.possible, found.architecture) == (possible, None)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"ss_base_model_version": "flux2_klein_4b"}, "flux2-klein-4b"),
        ({"ss_base_model_version": "flux1"}, "flux1"),
        ({"modelspec.architecture": "Flux.2-klein-base-4B/lora"}, "flux2-klein-4b"),
        ({"modelspec.architecture": "flux-1-dev/lora"}, "flux1"),
        ({"modelspec.architecture": "Qwen-Image-Edit/lora"}, "qwen"),
        ({"lora_adapter_metadata": '{"transformer.r": 4}'}, None),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, None),
        ({"format": "pt"}, None),
    ],
)
def test_metadata_settles_what_the_tensors_leave_open(metadata, expected):
    assert recognise(SHARED[0][0], metadata).architecture == expected


@pytest.mark.parametrize(
    ("metadata", "contradicts"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, True),
        ({"modelspec.architecture": "stable-diffusion-v1/lora"}, True),
        ({"ss_base_model_version": "sd_v2"}, True),
        ({"lora_adapter_metadata": '{"unet.r": 4}'}, True),
        ({"lora_adapter_metadata": '{"transformer.r": 4}'}, False),
        ({"modelspec.architecture": "flux-2-klein/lora"}, False),
        ({"lora_adapter_metadata": "["}, False),
        ({}, False),
    ],
)
def test_tensors_outrank_metadata_and_a_contradiction_is_remarked_on(metadata, contradicts):
    found = recognise(EMBEDDED, metadata)
    assert found.architecture == "flux2-klein-embedded"
    assert bool(found.remark) is contradicts
    if contradicts:
        assert f"its metadata ({next(iter(metadata))}" in found.remark


@pytest.fixture
def write(tmp_path):
    def write(*entries, **files):
        for name, shapes in files.items():
            save_header(tmp_path / f"{name}.safetensors", shapes)
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
        ({**EMBEDDED, f"transformer.{SINGLE}.to_out.diff_b": (192,)}, "to_out.diff_b, which is no part of"),
        (
            layers("diffusion_model.", ("double_blocks.0.img_attn.proj", 3072, 3072)),
            "fit flux1 and flux2-klein-4b alike",
        ),
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
