"""Every architecture, small and real: built of the same classes, saved, loaded, edited with."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packline.editing.architectures import ARCHITECTURES
from packline.editing.engine import EditRequest
from packline.editing.engines import open_engine
from packline.editing.loras import Lora, Presets, load_presets
from packline.errors import GiveUp
from packline.settings import EngineSettings


def difference(one, other):
    return int(np.abs(one.picture.astype(int) - other.picture).max())


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory, klein_folder):
    import tiny_models
    import tiny_more

    home = tmp_path_factory.mktemp("small")
    make = {
        "flux2-klein-4b": lambda folder: tiny_models.save_klein(folder, card=None) and named(folder, "4b"),
        "flux2-klein-9b": lambda folder: tiny_models.save_klein(folder, card=None) and named(folder, "9b"),
        "flux2-klein-9b-kv": lambda folder: tiny_more.save_kv(folder, klein_folder),
        "flux2-dev": lambda folder: tiny_more.save_dev(folder, klein_folder),
        "flux1-kontext": tiny_more.save_kontext,
        "qwen-image-edit-plus": tiny_models.save_qwen,
        "qwen-image-edit-2511": lambda folder: tiny_models.save_qwen(folder, zero_cond_t=True),
        "zimage-omni": tiny_more.save_zimage,
        "sdxl": tiny_models.save_sdxl,
        "sd15": tiny_more.save_sd15,
    }

    def named(folder, size):
        return tiny_more.card(folder, f"flux2-klein-{size}")

    made = {}

    def of(name):
        if name not in made:
            made[name] = make[name](home / name)
        return made[name]

    return of


@pytest.fixture(scope="module")
def open_small(folder_of):
    import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus as qwen

    # the pipeline enlarges every reference to a megapixel, which is all of this test's time
    patch = pytest.MonkeyPatch()
    patch.setattr(qwen, "VAE_IMAGE_SIZE", 64 * 64)
    patch.setattr(qwen, "CONDITION_IMAGE_SIZE", 56 * 56)
    known = {}

    def small(name, presets=None, **changes):
        key = (name, id(presets), *changes.items())
        if key not in known:
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
            settings = EngineSettings(architecture=name, model=str(folder_of(name)), **asked)
            known[key] = open_engine(settings, presets or Presets())
        return known[key]

    yield small
    patch.undo()


@pytest.fixture
def request_for(pictures):
    mask = np.zeros((96, 96), np.uint8)
    mask[24:72, 24:72] = 255

    def make(engine, shot=0, seed=1, prompt="put the red shoe into image 1"):
        can = engine.capabilities
        return EditRequest(
            pictures(min(can.most_references, 3), shot), prompt, seed, (), mask if can.mask else None
        )

    return make


def test_the_embedded_models_card_and_its_architecture_say_one_number_of_references():
    card = json.loads((Path(__file__).parents[2] / "assets/models/editor/packline.json").read_text())
    assert ARCHITECTURES["flux2-klein-embedded"].most_references == card["most_references"]


LARGE = [name for name in ARCHITECTURES if name != "flux2-klein-embedded"]


@pytest.mark.parametrize("name", LARGE)
def test_a_batch_gives_what_its_candidates_alone_give(open_small, request_for, name):
    engine = open_small(name)
    requests = [request_for(engine, shot, seed) for shot in (0, 1) for seed in (shot + 1, shot + 2)]
    together = engine.edit(requests)
    alone = [engine.edit([request])[0] for request in requests]
    assert [edit.used["batch"] for edit in together] == [4] * 4
    assert max(map(difference, together, alone)) <= 1
    # the seed and the pictures show; to random weights Qwen's references are faint
    assert difference(together[0], together[1]) > 3
    assert difference(together[0], together[2]) >= 1
    assert all(edit.picture.shape == (64, 64, 3) for edit in together)


@pytest.mark.parametrize("name", LARGE)
def test_the_prompt_and_its_length_are_read(open_small, request_for, name):
    engine = open_small(name)
    short, long = "a red shoe", "put the red shoe into image 1 as image 2 shows it"
    engine.warm_up()
    count = engine._driver.count_tokens
    assert 0 < count(short) < count(long) < engine.capabilities.longest_prompt
    one, other = engine.edit([request_for(engine, prompt=short), request_for(engine, prompt=long)])
    assert difference(one, other) >= 1
    words = "keep its text and logo as in image 2 " * 200
    with pytest.raises(GiveUp, match=rf"has {count(words)} tokens and engine embedded reads"):
        engine.edit([request_for(engine, prompt=words)])


@pytest.mark.parametrize(
    ("name", "lora", "part"),
    [
        ("flux2-klein-9b-kv", "flux2-klein-9b", "single_transformer_blocks"),
        ("flux2-dev", "flux2-dev", "single_transformer_blocks"),
        ("flux1-kontext", "flux1", "single_transformer_blocks"),
        ("qwen-image-edit-2511", "qwen", "attn.to_"),
        ("zimage-omni", "zimage", "attention.to_"),
    ],
)
def test_a_lora_goes_into_the_slot_and_leaves_no_trace(open_small, request_for, tmp_path, name, lora, part):
    from tiny_more import lora_for

    engine = open_small(name)
    engine.warm_up()
    driver = engine._driver
    lora_for(tmp_path / "style.safetensors", driver.pipe.transformer, part)
    entry = {"label": "style", "base_architecture": lora, "path": "style.safetensors"}
    (tmp_path / "presets.json").write_text(json.dumps({"loras": [entry]}))
    # the sizes of no released model: what the registry would refuse is asked of the driver itself
    presets = load_presets(tmp_path / "presets.json")
    driver.slot._presets = presets
    request = request_for(engine)
    plain = engine.edit([request])[0]
    driver.use_loras([Lora(presets.get("style"), 0.5)])
    styled = driver.decode(driver.denoise([request], []))[0]
    driver.use_loras([])
    assert np.abs(styled * 255 - plain.picture).max() > 3
    assert difference(plain, engine.edit([request])[0]) == 0


def test_kontext_sees_the_render_in_the_photo_and_nothing_else(open_small, request_for, pictures):
    engine = open_small("flux1-kontext")
    assert (engine.capabilities.mask, engine.capabilities.most_references) == (True, 2)
    request = request_for(engine)
    base, product = request.references
    outside = request.mask == 0
    covered = base.copy()
    covered[~outside] = 0
    # what the render covers of the photo is not seen
    same, other = engine.edit(
        [replace(request, references=(covered, product)), replace(request, references=(base, base))]
    )
    plain = engine.edit([request])[0]
    assert difference(plain, same) <= 1
    assert difference(plain, other) > difference(plain, same)
    with pytest.raises(GiveUp, match="needs the product in place as image 2, and its mask"):
        engine.edit([replace(request, mask=None)])


def test_guidance_acts_where_it_is_said_to_act(open_small, request_for):
    for name in ("flux2-dev", "flux1-kontext", "qwen-image-edit-2511", "zimage-omni", "sd15"):
        low, high = (open_small(name, guidance=scale) for scale in (2.0, 5.0))
        edits = [engine.edit([request_for(engine)])[0] for engine in (low, high)]
        assert difference(*edits) >= 1, name
        assert edits[1].used["guidance"] == 5.0
        assert "ignored" not in edits[1].used
    distilled = open_small("flux2-klein-9b-kv")
    used = distilled.edit([replace(request_for(distilled), denoise=0.4)])[0].used
    assert used["ignored"] == [
        "the guidance: this model is distilled and has its own",
        "denoise: this model does not start from a picture",
    ]


def test_a_negative_prompt_is_said_to_be_ignored_where_it_is(open_small, request_for, monkeypatch):
    from packline.editing.loras import Preset

    entry = {"label": "x", "base_architecture": "qwen", "path": "x", "negative_prompt": "snow"}
    stack = [Lora(Preset.model_validate(entry), 1.0)]

    def said(name, guidance):
        engine = open_small(name, guidance=guidance)
        engine.warm_up()
        driver = engine._driver
        return [one for one in driver.ignored(request_for(engine), stack) if "negative" in one]

    assert said("flux2-dev", 2.0) == ["the negative prompt: this model takes none"]
    for name in ("qwen-image-edit-2511", "sd15"):
        assert said(name, 2.0) == []
        assert said(name, 1.0) == ["the negative prompt: it acts where guidance is above 1"]
    # klein is distilled unless its weights say otherwise; then its pipeline takes one
    assert said("flux2-klein-4b", 2.0) == ["the negative prompt: this model takes none"]
    driver = open_small("flux2-klein-4b", guidance=2.0)._driver
    monkeypatch.setattr(type(driver), "guided", True)
    assert said("flux2-klein-4b", 2.0) == []
    asked, given = driver.pipe.__class__.__call__, []
    monkeypatch.setattr(
        driver.pipe.__class__, "__call__", lambda pipe, **how: (given.append(how), asked(pipe, **how))[1]
    )
    driver.denoise([request_for(open_small("flux2-klein-4b", guidance=2.0))], stack)
    assert "negative_prompt_embeds" in given[0]


def test_reference_latents_and_prompts_are_computed_once(open_small, request_for):
    for name in ("flux2-dev", "flux1-kontext", "qwen-image-edit-plus", "zimage-omni", "sdxl"):
        engine = open_small(name)
        request = request_for(engine, shot=5, prompt="put the blue can down")
        engine.edit([request])
        driver = engine._driver
        encode, encoded = driver.encode, []
        driver.encode = lambda pixels, encode=encode, encoded=encoded: (
            encoded.append(1),
            encode(pixels),
        )[1]
        hits = driver.prompts.hits
        engine.edit([replace(request, seed=seed) for seed in (8, 9)])
        del driver.encode
        assert (encoded, driver.prompts.hits > hits) == ([], True), name


def test_a_size_that_the_weights_were_not_made_for_is_warned_of(folder_of, caplog):
    settings = EngineSettings(architecture="sdxl", model=str(folder_of("sdxl")), size=2048)
    with caplog.at_level(logging.WARNING):
        open_engine(settings, Presets())
    assert "engine.size 2048 is outside the 768 to 1536 px that sdxl is good at" in caplog.text
