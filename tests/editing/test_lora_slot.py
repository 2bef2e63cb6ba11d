"""The slot: whole files or none, and stacks."""

from __future__ import annotations

import gc
import json
import weakref
from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.engines import open_engine
from packline.editing.lora_slot import LoraSlot
from packline.editing.lora_tensors import read_tensors
from packline.editing.loras import Preset, Presets, load_presets, triggers_of
from packline.errors import GiveUp
from packline.settings import EngineSettings

OWN = "flux2-klein-embedded"
# kohya's names for what warm.safetensors changes
KOHYA = {"attn.to_qkv_mlp_proj": "linear1", "attn.to_out": "linear2"}


def as_kohya(tensors):
    """At half strength: alpha is half the rank."""
    found = {}
    for key, value in tensors.items():
        block, _, rest = key.removeprefix("transformer.single_transformer_blocks.").partition(".")
        name, _, part = rest.partition(".lora_")
        stem = f"lora_unet_single_blocks_{block}_{KOHYA[name]}"
        found[f"{stem}.lora_{'down' if part.startswith('A') else 'up'}.weight"] = value.clone()
        found[f"{stem}.alpha"] = torch.tensor(tensors[key].shape[0 if part.startswith("A") else 1] / 2)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory, loras_folder, klein_folder):
    """An engine with LoRAs in kohya's names: whole, with a text encoder's keys, with an unknown layer."""
    folder = tmp_path_factory.mktemp("kohya")
    plain = load_file(str(loras_folder / "warm.safetensors"))
    whole = as_kohya(plain)
    text = {"lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.ones(1, 768)}
    text["lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"] = torch.ones(3072, 1)
    layer = {
        f"lora_unet_final_layer_adaLN_modulation_1.lora_{one}.weight": torch.ones(1, 1)
        for one in ("down", "up")
    }
    own_text = {f"text_encoder.layers.0.self_attn.q_proj.lora_{one}.weight": torch.ones(4, 4) for one in "AB"}
    files = {"warm": plain, "whole": whole, "text": {**whole, **text}, "layer": {**whole, **layer}}
    files |= {"own text": {**plain, **own_text}, "cool": load_file(str(loras_folder / "cool.safetensors"))}
    presets = []
    for label, tensors in files.items():
        save_file(tensors, str(folder / f"{label}.safetensors"))
        settings = {"strength": 0.5, **({"guidance_scale": 3.0} if label == "cool" else {})}
        presets.append(
            {"label": label, "base_architecture": OWN, "path": f"{label}.safetensors", "settings": settings,
             "prompt": f"in {label} light", "negative_prompt": f"no {label}"}
        )  # fmt: skip
    (folder / "presets.json").write_text(json.dumps({"loras": presets}))
    found = load_presets(folder / "presets.json")
    settings = EngineSettings(architecture=OWN, model=str(klein_folder), device="cpu", size=64, steps=1)
    return open_engine(settings, found), found


def draw(engine, pictures, *loras):
    choices = tuple(LoraChoice(label, strength) for label, strength in loras)
    return engine.edit([EditRequest(pictures(2), "a shoe", 1, choices)])[0].picture.astype(int)


def test_a_file_in_kohyas_names_does_what_it_does_in_diffusers_own(made, pictures):
    engine, _ = made
    plain, own, kohya = (draw(engine, pictures, *stack) for stack in ((), [("warm", 0.5)], [("whole", 1.0)]))
    assert np.abs(own - plain).mean() > 1
    assert np.abs(own - kohya).max() <= 1


PEFT, KOHYAS = ("lora_A", "lora_B"), ("lora_down", "lora_up")
PIPELINES = {
    "qwen": "QwenImageEditPlusPipeline",
    "zimage": "ZImageOmniPipeline",
    "flux1": "FluxKontextPipeline",
    "flux2-klein-4b": "Flux2KleinPipeline",
}
QUERY = "transformer_blocks.0.attn.to_q"
# the layer, how a file names it, and its two matrices
NAMED = [
    *(
        (architecture, layer, f"{prefix}{layer}", parts)
        for architecture, layer in (
            ("qwen", QUERY),
            ("zimage", "layers.0.attention.to_q"),
            ("flux1", QUERY),
            ("flux2-klein-4b", QUERY),
        )
        for prefix in ("", "transformer.")
        for parts in (PEFT, KOHYAS)
    ),
    *(
        (architecture, layer, f"{prefix}{layer}", PEFT)
        for architecture, layer in (("qwen", QUERY), ("zimage", "layers.0.attention.to_q"))
        for prefix in ("diffusion_model.", "base_model.model.")
    ),
    ("qwen", QUERY, f"lora_unet_{QUERY.replace('.', '_')}", KOHYAS),
    ("zimage", "layers.0.attention.to_q", "lora_unet_layers_0_attention_to_q", KOHYAS),
    ("flux1", "single_transformer_blocks.0.proj_out", "lora_unet_single_blocks_0_linear2", KOHYAS),
    ("flux1", QUERY, f"lora_transformer_{QUERY.replace('.', '_')}", KOHYAS),
    *(
        ("flux2-klein-4b", "single_transformer_blocks.0.attn.to_out", name, parts)
        for name, parts in (
            ("lora_unet_single_blocks_0_linear2", KOHYAS),
            ("diffusion_model.single_blocks.0.linear2", PEFT),
            ("diffusion_model.single_blocks.0.linear2", KOHYAS),
            ("base_model.model.single_blocks.0.linear2", PEFT),
        )
    ),
]


def slot_of(architecture, layer, folder):
    """A slot of a model that has one layer, 16 x 16."""
    transformer = torch.nn.Module()
    *path, last = layer.split(".")
    inner = transformer
    for part in path:
        inner.add_module(part, torch.nn.Module())
        inner = inner.get_submodule(part)
    inner.add_module(last, torch.nn.Linear(16, 16))
    pipeline = getattr(diffusers, PIPELINES[architecture])
    pipe = SimpleNamespace(lora_state_dict=pipeline.lora_state_dict, transformer=transformer)
    preset = Preset(label="style", base_architecture=architecture, path="style.safetensors")
    return LoraSlot(pipe, Presets((preset,), folder, folder / "presets.json"), architecture), preset


@pytest.mark.parametrize("metadata", [None, {"lora_adapter_metadata": '{"transformer.lora_alpha": 2}'}])
@pytest.mark.parametrize(
    ("architecture", "layer", "name", "parts"),
    NAMED,
    ids=[f"{row[0]} {row[2]} {row[3][0]}" for row in NAMED],
)
def test_alpha_over_rank_acts_once_however_a_file_names_its_tensors(
    tmp_path, architecture, layer, name, parts, metadata
):
    down, up = torch.randn(8, 16), torch.randn(16, 8)
    tensors = {f"{name}.{part}.weight": each for part, each in zip(parts, (down, up), strict=True)}
    slot, preset = slot_of(architecture, layer, tmp_path)
    for alpha, share in ((None, 0.25 if metadata else 1.0), (2.0, 0.25)):
        said = {} if alpha is None else {f"{name}.alpha": torch.tensor(alpha)}
        save_file({**tensors, **said}, str(tmp_path / "style.safetensors"), metadata)
        ((_, (found_down, found_up)),) = slot._read_file(preset).items()
        assert torch.allclose(found_up @ found_down, up @ down * share, atol=1e-5)


def test_opening_a_slot_holds_one_file_at_a_time(tmp_path, monkeypatch):
    slot, preset = slot_of("qwen", QUERY, tmp_path)
    alive: list[weakref.ref] = []

    def read(of):
        gc.collect()
        assert not any(ref() is not None for ref in alive), "those before it are gone"
        pair = torch.zeros(int(of.label), 16), torch.zeros(16, int(of.label))
        alive.extend(map(weakref.ref, pair))
        return {QUERY: pair}

    presets = [preset.model_copy(update={"label": str(rank)}) for rank in (2, 4, 8)]
    monkeypatch.setattr(slot, "_read", read)
    monkeypatch.setattr(slot, "_presets", SimpleNamespace(of=lambda _: presets, fit=lambda *_: None))
    assert list(slot._others()) == [{QUERY: (16, 16, rank)} for rank in (2, 4, 8)]


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (
            "text",
            r"text\.safetensors changes, some have no place .*such as lora_te1_text_model_encoder_layers_0",
        ),
        ("layer", r"layer\.safetensors changes, some have no place in this model"),
        ("own text", r"changes text_encoder\.layers\.0\.self_attn\.q_proj, which this model does not have"),
    ],
)
def test_what_a_loader_would_leave_out_is_refused(made, pictures, label, sentence):
    engine, _ = made
    with pytest.raises(GiveUp, match=rf"LoRA '{label}': .*{sentence}"):
        draw(engine, pictures, (label, 0.5))


def test_the_first_strength_of_a_stack_moves_the_others_in_proportion(made):
    from packline.shots import ProductLora

    _, presets = made
    row = (ProductLora("warm"), ProductLora("cool", 0.25))

    def strengths(first=None, of=row):
        return [lora.strength for lora in presets.stack(of, first)]

    assert strengths() == [0.5, 0.25], "the preset's own, and the row's"
    assert strengths(1.0) == [1.0, 0.5]
    assert strengths(0.0) == [0.0, 0.0]
    assert strengths(2.0, row[::-1]) == [2.0, 2.0], "none goes over what is allowed"
    assert strengths(0.7, (ProductLora("warm", 0.0), ProductLora("cool", 0.3))) == [0.7, 0.3]
    assert strengths(0.7, ()) == []


def test_a_stack_keeps_all_triggers_in_order_and_each_once(made):
    from packline.shots import ProductLora

    _, presets = made
    stack = presets.stack([ProductLora(label) for label in ("cool", "warm", "own text")])
    assert triggers_of(stack) == "in cool light, in warm light, in own text light"
    assert triggers_of((*stack, stack[1])) == "in cool light, in warm light, in own text light"
    assert triggers_of(()) == ""


def test_guidance_and_negative_prompts_of_a_stack(made):
    from packline.editing.loras import guidance_of, negative_of
    from packline.shots import ProductLora

    _, presets = made
    stack = presets.stack([ProductLora("warm"), ProductLora("cool")])
    assert guidance_of(stack, 1.0) == 3.0, "of the first that says one"
    assert negative_of(stack) == "no warm, no cool"
    silent = presets.stack([ProductLora("warm"), ProductLora("cool", 0.0)])
    assert (guidance_of(silent, 1.0), negative_of(silent)) == (1.0, "no warm"), "strength 0 says nothing"


def test_a_lora_that_comes_back_is_not_read_again_unless_its_file_has_changed(
    made, pictures, loras_folder, monkeypatch
):
    engine, presets = made
    draw(engine, pictures, ("warm", 0.5))
    read = []

    def reading(file):
        read.append(file.name)
        return read_tensors(file)

    monkeypatch.setattr("packline.editing.lora_slot.read_tensors", reading)
    first = draw(engine, pictures, ("cool", 0.25), ("warm", 0.5))
    for stack in ((), (("warm", 0.7),), (("cool", 0.25), ("warm", 0.5))):
        last = draw(engine, pictures, *stack)
    # (a slot that opens wider looks at those again that it refused)
    assert not {"warm.safetensors", "cool.safetensors"} & set(read), "both were read when the slot opened"
    assert (first == last).all()
    file = presets.file("cool")
    before = file.read_bytes()
    file.write_bytes((loras_folder / "warm.safetensors").read_bytes())
    try:
        swapped = draw(engine, pictures, ("cool", 0.25), ("warm", 0.5))
    finally:
        file.write_bytes(before)
    assert (swapped != last).any()
