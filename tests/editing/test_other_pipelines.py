"""The pipelines beside klein, small and real."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from packline.colour import to_linear
from packline.editing.cutout import grounded
from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.engines import open_engine
from packline.editing.loras import Lora, Preset, Presets, load_presets
from packline.errors import FixSettings, GiveUp
from packline.settings import EngineSettings


def difference(one, other):
    return int(np.abs(one.picture.astype(int) - other.picture).max())


def open_small(architecture, model, presets=None, **changes):
    asked = {
        "name": "embedded",
        "device": "cpu",
        "dtype": "float32",
        "size": 64,
        "steps": 2,
        "batch": 4,
        "guidance": 2.0,
        **changes,
    }
    return open_engine(
        EngineSettings(architecture=architecture, model=str(model), **asked), presets or Presets()
    )


@pytest.fixture(scope="module")
def sdxl_folder(tmp_path_factory):
    from tiny_models import save_sdxl

    return save_sdxl(tmp_path_factory.mktemp("sdxl") / "model")


@pytest.fixture(scope="module")
def sdxl(sdxl_folder):
    return open_small("sdxl", sdxl_folder)


@pytest.fixture
def placed(pictures):
    mask = np.zeros((96, 96), np.uint8)
    mask[24:72, 24:72] = 255

    def make(shot=0, seed=1, lora=None):
        return EditRequest(pictures(2, shot), "a red shoe", seed, (lora,) if lora else (), mask)

    return make


def test_sdxl_candidates_in_a_batch_equal_those_made_alone(sdxl, placed):
    requests = [placed(shot, seed) for shot in range(2) for seed in range(2)]
    together = sdxl.edit(requests)
    assert [edit.used["batch"] for edit in together] == [4] * 4
    assert max(difference(edit, sdxl.edit([r])[0]) for edit, r in zip(together, requests, strict=True)) <= 1
    assert difference(together[0], together[1]) > 30
    assert difference(together[0], together[2]) > 30


def test_sdxl_starts_from_the_render_and_its_shadow_in_the_photo(sdxl_folder, placed, pictures):
    from packline.editing.placing import place

    base, product = pictures(2)
    mask = cv2.GaussianBlur(placed().mask, (0, 0), 1.5)
    cover = mask[..., None] / 255
    render = np.round(product * cover + 128 * (1 - cover)).astype(np.uint8)
    shadow = np.full(mask.shape, 255, np.uint8)
    shadow[60:, 60:] = 100
    request = EditRequest((base, grounded(render, mask, shadow)), "a red shoe", 1, mask=mask)
    start = place(request, 96, 96)
    inside, bare = mask == 255, mask == 0
    assert np.array_equal(start[inside], product[inside])
    lit, dark = bare & (shadow == 255), bare & (shadow == 100)
    assert np.array_equal(start[lit], base[lit])
    # the light that reaches the ground there, but for the byte that the render's backdrop was rounded to
    ratio = to_linear(start[dark]).sum() / to_linear(base[dark]).sum()
    assert ratio == pytest.approx(100 / 255, abs=0.02)
    # nothing of the backdrop along the edge
    edge = (cover[..., 0] > 0.2) & (cover[..., 0] < 0.8) & (shadow == 255)
    mixed = product * cover + base * (1 - cover)
    assert np.abs(start[edge] - mixed[edge]).mean() < 1.5
    with pytest.raises(GiveUp, match="needs the product in place as image 2, and its mask"):
        place(EditRequest(request.references, "x", 1), 96, 96)


def test_an_sdxl_lora_is_switched_on_and_off_without_a_trace(sdxl_folder, placed, tmp_path):
    from tiny_models import sdxl_lora

    sdxl_lora(tmp_path / "style.safetensors", sdxl_folder)
    entry = {"label": "style", "base_architecture": "sdxl", "path": "style.safetensors"}
    (tmp_path / "presets.json").write_text(json.dumps({"loras": [entry]}))
    engine = open_small("sdxl", sdxl_folder, load_presets(tmp_path / "presets.json"), batch=1)
    choices = [None, LoraChoice("style", 1.0), None, LoraChoice("style", 0.4)]
    plain, full, again, some = (engine.edit([placed(lora=choice)])[0] for choice in choices)
    assert difference(plain, again) == 0
    assert min(difference(plain, full), difference(full, some)) > 3
    assert full.used["loras"][0]["label"] == "style"


@pytest.mark.parametrize("names", ["kohya", "diffusers"])
def test_each_alpha_of_an_sdxl_lora_acts_once(sdxl_folder, placed, tmp_path, names):
    from tiny_models import sdxl_lora

    plain = load_file(str(sdxl_lora(tmp_path / "plain.safetensors", sdxl_folder)))
    halved, said = {}, {}
    for number, key in enumerate(sorted(key for key in plain if ".lora_A." in key)):
        module = key.removesuffix(".lora_A.weight")
        alpha = (1.0, 2.0)[number % 2]
        up = plain[f"{module}.lora_B.weight"]
        halved |= {key: plain[key], f"{module}.lora_B.weight": up * alpha / 4}
        stem, parts = module, ("lora_A", "lora_B")
        if names == "kohya":
            stem = "lora_unet_" + module.removeprefix("unet.").replace(".", "_")
            parts = ("lora_down", "lora_up")
        said |= {f"{stem}.{parts[0]}.weight": plain[key].clone(), f"{stem}.{parts[1]}.weight": up.clone()}
        said[f"{stem}.alpha"] = torch.tensor(alpha)
    save_file(halved, str(tmp_path / "halved.safetensors"))
    save_file(said, str(tmp_path / "said.safetensors"))
    entries = [
        {"label": label, "base_architecture": "sdxl", "path": f"{label}.safetensors"}
        for label in ("plain", "halved", "said")
    ]
    (tmp_path / "presets.json").write_text(json.dumps({"loras": entries}))
    engine = open_small("sdxl", sdxl_folder, load_presets(tmp_path / "presets.json"), batch=1)
    full, expected, edit = (
        engine.edit([placed(lora=LoraChoice(label, 1.0))])[0] for label in ("plain", "halved", "said")
    )
    assert difference(full, expected) > 3
    assert difference(edit, expected) <= 1


def test_an_sdxl_lora_stays_as_it_is_where_weights_are_stored_in_8_bits(sdxl_folder, placed, tmp_path):
    from tiny_models import sdxl_lora

    sdxl_lora(tmp_path / "style.safetensors", sdxl_folder)
    entry = {"label": "style", "base_architecture": "sdxl", "path": "style.safetensors"}
    (tmp_path / "presets.json").write_text(json.dumps({"loras": [entry]}))
    presets = load_presets(tmp_path / "presets.json")
    full, small = (
        open_small("sdxl", sdxl_folder, presets, batch=1, precision=how) for how in ("full", "fp8")
    )
    asked = [placed(), placed(lora=LoraChoice("style", 1.0))]
    full.edit(asked[1:])
    edits = small.edit(asked)
    stored = dict(small._driver.denoiser.named_parameters())
    assert {value.dtype for name, value in stored.items() if "lora_" in name} == {torch.float32}
    assert sum(value.dtype == torch.float8_e4m3fn for value in stored.values()) > 20
    # in 32 bits, with weights that were rounded to 8 and a LoRA that was not
    for name, value in full._driver.denoiser.named_parameters():
        if "lora_" not in name:
            value.data = stored[name].data.float()
    assert [difference(*pair) for pair in zip(edits, full.edit(asked), strict=True)] == [0, 0]
    assert difference(*edits) > 30


def test_memory_that_runs_out_while_an_sdxl_lora_is_read_does_not_blame_the_file(
    sdxl_folder, placed, tmp_path, monkeypatch
):
    from tiny_models import sdxl_lora

    sdxl_lora(tmp_path / "style.safetensors", sdxl_folder)
    entry = {"label": "style", "base_architecture": "sdxl", "path": "style.safetensors"}
    (tmp_path / "presets.json").write_text(json.dumps({"loras": [entry]}))
    engine = open_small("sdxl", sdxl_folder, load_presets(tmp_path / "presets.json"))
    engine.warm_up()
    pipe = engine._driver.pipe
    load, faults = pipe.load_lora_weights, [torch.OutOfMemoryError("CUDA out of memory")]

    def breaks_off(*arguments, **options):
        load(*arguments, **options)
        if faults:
            raise faults.pop()

    monkeypatch.setattr(pipe, "load_lora_weights", breaks_off, raising=False)
    styled = engine.edit([placed(lora=LoraChoice("style", 1.0))])[0]
    assert not faults
    assert difference(styled, engine.edit([placed()])[0]) > 3


def test_a_clip_prompt_may_be_longer_than_77_tokens_and_is_read_to_its_end(sdxl, placed):
    def asked(prompt, seed=1):
        return replace(placed(seed=seed), prompt=prompt)

    long = "a red shoe on an oak table in the morning, " * 5
    requests = [
        asked("a shoe"),
        asked(f"{long} in snow"),
        asked(f"{long} in fire"),
        asked(f"{long} in snow", 2),
    ]
    edits = sdxl.edit(requests)
    assert sdxl._driver.count_tokens(requests[1].prompt) > 2 * 77
    # prompts of as many stretches go together
    assert [edit.used["batch"] for edit in edits] == [1, 3, 3, 3]
    assert max(difference(edit, sdxl.edit([r])[0]) for edit, r in zip(edits, requests, strict=True)) <= 1
    assert difference(edits[1], edits[2]) >= 1
    with pytest.raises(GiveUp, match=r"has \d+ tokens and engine embedded reads 600"):
        sdxl.edit([asked(long * 5)])


def test_brackets_and_signs_of_a_title_are_words_and_short_prompts_are_read_as_diffusers_reads_them(sdxl):
    sdxl.warm_up()
    pipe, words = sdxl._driver.pipe, sdxl._driver._words
    for prompt in ("a red shoe", "shoe (2-pack)+, (red)-- .", ""):
        read, summary = words.read(prompt, skip=False)
        expected, _, pooled, _ = pipe.encode_prompt(prompt, do_classifier_free_guidance=False)
        assert (read - expected).abs().max() < 1e-5
        assert (summary - pooled).abs().max() < 1e-5


def test_clip_skip_2_leaves_out_the_last_layer_of_sd15_and_more_is_said_to_be_ignored(tmp_path, placed):
    from tiny_more import save_sd15

    folder = save_sd15(tmp_path / "model")
    engine = open_small("sd15", folder)
    engine.warm_up()
    driver = engine._driver
    encoder = driver.pipe.text_encoder
    # the last state comes before the last norm
    for skip, layer in ((False, 1), (True, 2)):
        read, _ = driver._words.read("a red shoe", skip)
        tokens = driver.pipe.tokenizer("a red shoe", padding="max_length", return_tensors="pt").input_ids
        with torch.no_grad():
            states = encoder(tokens, output_hidden_states=True).hidden_states
            expected = encoder.final_layer_norm(states[-layer])
        assert (read - expected).abs().max() < 1e-5

    def stack(skip, base):
        preset = {"label": "x", "base_architecture": base, "path": "x", "settings": {"clip_skip": skip}}
        return [Lora(Preset.model_validate(preset), 1.0)]

    assert driver._skips(stack(2, "sd15"))
    assert driver.ignored(placed(), stack(2, "sd15")) == []
    assert "clip_skip 3: with compel" in driver.ignored(placed(), stack(3, "sd15"))[0]


def test_a_prompt_is_trimmed_where_the_settings_say_so_and_the_cut_is_recorded(sdxl_folder, placed):
    engine = open_small("sdxl", sdxl_folder, long_prompt="trim")
    request = replace(placed(), prompt="a red shoe. " + "on an oak table in the morning. " * 40)
    edit = engine.edit([request])[0]
    assert edit.used["cut"].endswith("on an oak table in the morning.")
    kept = request.prompt.removesuffix(edit.used["cut"] + " ").strip()
    assert kept.startswith("a red shoe. on an oak")
    assert engine._driver.count_tokens(kept) <= 600
    assert difference(edit, engine.edit([replace(request, prompt=kept)])[0]) == 0


def test_too_few_steps_for_a_denoise_name_the_settings_key(sdxl_folder):
    with pytest.raises(FixSettings, match=r"engine\.steps is 1, but sdxl .* needs 2 or more"):
        open_small("sdxl", sdxl_folder, steps=1).warm_up()


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus as module
    from tiny_models import save_qwen

    # the pipeline enlarges every reference to a megapixel, which is all of this test's time
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "VAE_IMAGE_SIZE", 64 * 64)
    patch.setattr(module, "CONDITION_IMAGE_SIZE", 56 * 56)
    yield open_small("qwen-image-edit-plus", save_qwen(tmp_path_factory.mktemp("qwen") / "model"))
    patch.undo()


def test_qwen_candidates_with_the_same_words_go_together_and_equal_those_made_alone(qwen, pictures):
    requests = [
        EditRequest(pictures(2, shot), "put the red shoe", seed) for shot in (0, 1) for seed in (1, 2)
    ]
    edits = qwen.edit([requests[0], requests[2], requests[1], requests[3]])
    assert [edit.used["batch"] for edit in edits] == [4] * 4, "whatever their references"
    words = [requests[0], replace(requests[1], prompt="put the bottle into image 1")]
    assert [edit.used["batch"] for edit in qwen.edit(words)] == [1, 1]
    alone = [qwen.edit([requests[number]])[0] for number in (0, 2, 1, 3)]
    assert max(map(difference, edits, alone)) <= 1
    assert edits[0].picture.shape == (64, 64, 3)
    other_shot, other_seed = edits[1], edits[2]
    assert difference(edits[0], other_seed) > 3
    # random weights look at references faintly
    assert difference(edits[0], other_shot) >= 1
