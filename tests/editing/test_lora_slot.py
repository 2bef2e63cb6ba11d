"""The slot: whole files or none, and stacks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.engines import open_engine
from packline.editing.loras import load_presets, triggers_of
from packline.errors import GiveUp
from packline.settings import EngineSettings

OWN = "flux2-klein-embedded"
# kohya's names for what warm.safetensors changes
KOHYA = {"attn.to_qkv_mlp_proj": "linear1", "attn.to_out": "linear2"}


def as_kohya(tensors):
    found = {}
    for key, value in tensors.items():
        block, _, rest = key.removeprefix("transformer.single_transformer_blocks.").partition(".")
        name, _, part = rest.partition(".lora_")
        stem = f"lora_unet_single_blocks_{block}_{KOHYA[name]}"
        found[f"{stem}.lora_{'down' if part.startswith('A') else 'up'}.weight"] = value.clone()
        found[f"{stem}.alpha"] = torch.tensor(float(tensors[key].shape[0 if part.startswith("A") else 1]))
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
    plain, own, kohya = (
        draw(engine, pictures, *([(name, 0.5)] if name else [])) for name in ("", "warm", "whole")
    )
    assert np.abs(own - plain).mean() > 1
    assert np.abs(own - kohya).max() <= 1


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
    pipe = engine._driver.pipe
    read = []
    plain = type(pipe).lora_state_dict

    def reading(*arguments, **options):
        read.extend(name for key, name in options.items() if key == "weight_name")
        return plain(*arguments, **options)

    monkeypatch.setattr(pipe, "lora_state_dict", reading, raising=False)
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
