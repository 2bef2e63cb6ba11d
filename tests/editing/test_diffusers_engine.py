from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from packline.editing.engine import EditRequest, LoraChoice, Spoiled
from packline.errors import FixSettings, GiveUp, TryAgain

PROMPT = "put the red shoe into image 1 as image 2 shows it"


def difference(one, other):
    return int(np.abs(one.picture.astype(int) - other.picture).max())


@pytest.fixture
def request_for(pictures):
    def make(shot=0, seed=1, prompt=PROMPT, lora=None, count=4):
        return EditRequest(pictures(count, shot), prompt, seed, (lora,) if lora else ())

    return make


def test_candidates_of_different_shots_in_one_batch_equal_those_made_alone(engine, request_for):
    requests = [request_for(shot, seed=shot + 7, prompt=f"{PROMPT} {'bottle ' * shot}") for shot in range(3)]
    together = engine.edit(requests)
    alone = [engine.edit([request])[0] for request in requests]
    assert [edit.used["batch"] for edit in together] == [3, 3, 3]
    assert max(map(difference, together, alone)) <= 1
    assert difference(together[0], together[1]) > 30


def test_the_seed_alone_decides_the_pixels(engine, request_for):
    first, second, again = engine.edit([request_for(seed=1), request_for(seed=2), request_for(seed=1)])
    assert difference(first, again) == 0
    assert difference(first, second) > 30


def test_every_reference_and_the_prompt_matter(engine, pictures):
    references = pictures(4)
    plain = EditRequest(references, PROMPT, 1)
    others = [
        EditRequest((*references[:n], pictures(1, seed=9)[0], *references[n + 1 :]), PROMPT, 1)
        for n in range(4)
    ]
    first, *changed, words = engine.edit([plain, *others, EditRequest(references, "a blue can", 1)])
    assert min(difference(first, edit) for edit in [*changed, words]) >= 3


def test_shots_with_other_numbers_of_references_come_back_in_order(engine, request_for):
    requests = [request_for(count=count, seed=count) for count in (2, 4, 2, 3)]
    edits = engine.edit(requests)
    alone = [engine.edit([request])[0] for request in requests]
    assert max(map(difference, edits, alone)) <= 1
    assert [edit.used["batch"] for edit in edits] == [2, 1, 2, 1]


def test_the_picture_has_the_engines_size_whatever_the_references(engine, pictures):
    edit = engine.edit([EditRequest((*pictures(1, side=200), *pictures(2, side=80)), PROMPT, 1)])[0]
    assert edit.picture.shape == (64, 64, 3)
    assert edit.picture.dtype == np.uint8
    assert edit.picture.std() > 10


def test_an_edit_says_what_made_it(engine, request_for, presets):
    edit = engine.edit([request_for(lora=LoraChoice("warm", 0.5))])[0]
    assert edit.used.items() >= engine.describe().items()
    assert (edit.used["device"], edit.used["batch"]) == ("cpu", 1)
    assert edit.used["loras"] == [
        {"label": "warm", "sha256": presets.sha256("warm"), "strength": 0.5, "trigger": "in warm light"}
    ]
    assert edit.seconds > 0


def test_loras_change_the_picture_by_their_strength_and_leave_no_trace(make_engine, request_for):
    engine = make_engine(batch=1)
    before = engine.edit([request_for()])[0]
    asked = [None, ("warm", 1.0), ("cool", 0.8), ("warm", 0.0), ("warm", 0.5), ("warm", 1.0), None]
    edits = engine.edit([request_for(lora=LoraChoice(*choice) if choice else None) for choice in asked])
    plain, warm, cool, zero, half, again, last = edits
    # bit for bit, slot or no slot: strength 0 is none
    assert difference(before, plain) == difference(plain, zero) == difference(plain, last) == 0
    assert difference(warm, again) == 0
    assert min(difference(plain, warm), difference(plain, cool), difference(warm, cool)) > 30
    assert np.abs(half.picture - plain.picture.astype(float)).mean() > 0
    assert difference(half, warm) > 3
    assert zero.used["loras"][0]["strength"] == 0


def test_the_slot_gives_what_diffusers_own_loader_gives(make_engine, request_for, loras_folder):
    engine = make_engine()
    through_slot = engine.edit([request_for(lora=LoraChoice("cool", 0.7))])[0]
    other = make_engine()
    other.warm_up()
    pipe = other._driver.pipe
    pipe.load_lora_weights(
        str(loras_folder), weight_name="cool.safetensors", adapter_name="x", use_safetensors=True
    )
    pipe.set_adapters("x", 0.7)
    assert difference(through_slot, other.edit([request_for()])[0]) <= 1


def test_alpha_over_rank_of_the_files_metadata_is_honoured(make_engine, request_for, loras_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    from packline.editing.engines import open_engine
    from packline.editing.loras import load_presets

    tensors = load_file(str(loras_folder / "warm.safetensors"))
    config = {"transformer.r": 4, "transformer.lora_alpha": 2}
    metadata = {"lora_adapter_metadata": json.dumps(config)}
    save_file(tensors, str(tmp_path / "half.safetensors"), metadata)
    entry = {"label": "half", "base_architecture": "flux2-klein-embedded", "path": "half.safetensors"}
    (tmp_path / "presets.json").write_text(json.dumps({"loras": [entry]}))
    engine = make_engine()
    halved = open_engine(engine._settings, load_presets(tmp_path / "presets.json"))
    expected = engine.edit([request_for(lora=LoraChoice("warm", 0.5))])[0]
    assert difference(expected, halved.edit([request_for(lora=LoraChoice("half", 1.0))])[0]) == 0


def test_each_lora_is_loaded_once_however_requests_are_mixed(make_engine, request_for):
    engine = make_engine()
    engine.warm_up()
    swaps = []
    use = engine._driver.use_loras
    engine._driver.use_loras = lambda stack: (
        swaps.append([lora.preset.label for lora in stack]),
        use(stack),
    )
    choices = [None, "warm", None, "cool", "warm", "cool"]
    requests = [request_for(seed=n, lora=c and LoraChoice(c, 1.0)) for n, c in enumerate(choices)]
    mixed = engine.edit(requests)
    assert swaps == [[], ["warm"], ["cool"]]
    assert all(difference(edit, engine.edit([r])[0]) <= 1 for edit, r in zip(mixed, requests, strict=True))


def test_a_stack_of_loras_adds_what_diffusers_own_loader_adds(make_engine, request_for, loras_folder):
    engine, request = make_engine(), request_for()
    stack = replace(request, loras=(LoraChoice("warm", 0.7), LoraChoice("cool", 0.4)))
    one, both, again = engine.edit([replace(request, loras=stack.loras[:1]), stack, request])
    assert [lora["label"] for lora in both.used["loras"]] == ["warm", "cool"]
    assert difference(one, both) > 3
    assert difference(again, make_engine().edit([request])[0]) == 0

    pipe = engine._driver.pipe
    pipe.unload_lora_weights()
    for name in ("warm", "cool"):
        pipe.load_lora_weights(
            str(loras_folder), weight_name=f"{name}.safetensors", adapter_name=name, use_safetensors=True
        )
    pipe.set_adapters(["warm", "cool"], [0.7, 0.4])
    engine._driver.use_loras = lambda stack: None
    assert difference(both, engine.edit([request])[0]) <= 1


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("klein-4b", "made for flux2-klein-4b and cannot work on flux2-klein-embedded"),
        ("claims", "was made for flux2-klein-4b, but"),
        ("partly", "changes single_transformer_blocks.7"),
        ("narrow", "where this model is"),
        ("pickle", "is not a .safetensors file"),
        ("renamed", "is not a safetensors file or is cut short"),
        ("absent", "is missing"),
        ("changed", "has SHA-256"),
        ("unheard", "known: warm, cool"),
    ],
)
def test_a_lora_that_cannot_work_is_refused_with_a_sentence(engine, request_for, label, sentence):
    plain = engine.edit([request_for()])[0]
    with pytest.raises(GiveUp, match=sentence) as refusal:
        engine.edit([request_for(lora=LoraChoice(label, 0.8))])
    assert label in str(refusal.value)
    assert difference(plain, engine.edit([request_for()])[0]) == 0


def test_a_strength_outside_0_to_2_is_refused_and_an_unusual_one_warned_of(engine, request_for, caplog):
    with pytest.raises(GiveUp, match=r"strength 2\.5 is outside 0 to 2"):
        engine.edit([request_for(lora=LoraChoice("warm", 2.5))])
    with caplog.at_level(logging.WARNING):
        engine.edit([request_for(lora=LoraChoice("warm", 1.6))])
    assert "outside the usual 0.3 to 1.2" in caplog.text


def test_a_prompt_that_would_be_cut_is_refused(engine, request_for):
    with pytest.raises(GiveUp, match=r"The prompt has \d+ tokens and engine embedded reads 128"):
        engine.edit([request_for(prompt="image 2 is the side view. " * 60)])


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (np.zeros((32, 32, 3), np.uint8), "Reference 2 is 32x32 px"),
        (np.zeros((96, 96), np.uint8), "Reference 2 must be an 8-bit RGB picture"),
        (np.zeros((96, 96, 3), np.float32), "Reference 2 must be an 8-bit RGB picture"),
    ],
)
def test_a_reference_that_shows_nothing_is_refused(engine, pictures, picture, sentence):
    with pytest.raises(GiveUp, match=sentence):
        engine.edit([EditRequest((*pictures(1), picture), PROMPT, 1)])


def test_too_many_references_are_refused(engine, request_for):
    with pytest.raises(GiveUp, match="takes 1 to 4 references, not 5"):
        engine.edit([request_for(count=5)])


def test_out_of_memory_halves_the_batch_and_loses_no_candidate(make_engine, request_for):
    import torch

    engine = make_engine(batch=4)
    engine.warm_up()
    requests = [request_for(shot=n % 2, seed=n) for n in range(5)]
    expected = engine.edit(requests)
    denoise, tried = engine._driver.denoise, []

    def small_card(batch, preset):
        tried.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return denoise(batch, preset)

    engine._driver.denoise = small_card
    edits = engine.edit(requests)
    assert tried == [4, 2, 1, 1, 1, 1, 1]
    assert max(map(difference, edits, expected)) <= 1
    assert [edit.used["batch"] for edit in edits] == [1] * 5


def test_out_of_memory_with_one_candidate_asks_to_try_again(make_engine, request_for):
    import torch

    engine = make_engine()
    engine.warm_up()

    def no_card(batch, preset):
        raise torch.OutOfMemoryError("CUDA out of memory")

    engine._driver.denoise = no_card
    with pytest.raises(TryAgain, match="memory ran out with a single candidate at 64 px"):
        engine.edit([request_for()])


def test_one_picture_that_is_no_numbers_costs_none_of_its_neighbours(make_engine, request_for):
    engine = make_engine(batch=2)
    engine.warm_up()
    requests = [request_for(seed=seed) for seed in range(5)]
    expected = engine.edit(requests)
    decode, count = engine._driver.decode, []

    def one_bad(undecoded):
        pictures = decode(undecoded).copy()
        count.append(len(pictures))
        if len(count) == 2:
            pictures[1, 3, 5] = np.nan
        return pictures

    engine._driver.decode = one_bad
    made = {}
    with pytest.raises(
        Spoiled, match=r"not numbers with dtype float32 and seed 3; .*restore its weights"
    ) as error:
        engine.edit(requests, made.update)
    assert list(error.value.places) == [3]
    assert isinstance(error.value, GiveUp), "the same seed would do so again"
    assert sorted(made) == [0, 1, 2, 4]
    assert max(difference(made[place], expected[place]) for place in made) == 0


def test_a_batch_is_handed_over_as_soon_as_it_is_there(make_engine, request_for):
    engine = make_engine(batch=2)
    engine.warm_up()
    denoise, course = engine._driver.denoise, []
    engine._driver.denoise = lambda requests, stack: (course.append("draw"), denoise(requests, stack))[1]
    edits = engine.edit(
        [request_for(seed=seed) for seed in range(5)], lambda made: course.append(sorted(made))
    )
    assert course == ["draw", [0, 1], "draw", [2, 3], "draw", [4]]
    assert len(edits) == 5


def test_what_was_made_before_a_fault_is_handed_over(make_engine, request_for):
    engine = make_engine(batch=2, overlap="on")
    engine.warm_up()
    denoise, made = engine._driver.denoise, {}

    def breaks(requests, stack):
        if requests[0].seed >= 4:
            raise RuntimeError("the driver has gone")
        return denoise(requests, stack)

    engine._driver.denoise = breaks
    with pytest.raises(RuntimeError, match="the driver has gone"):
        engine.edit([request_for(seed=seed) for seed in range(6)], made.update)
    assert sorted(made) == [0, 1, 2, 3], "the batch that was being decoded is among them"


def test_a_lora_that_cannot_be_used_keeps_nobody_else_waiting(make_engine, request_for):
    engine, made = make_engine(), {}
    choices = [LoraChoice("partly", 0.5), None, LoraChoice("warm", 0.5)]
    with pytest.raises(GiveUp, match=r"changes single_transformer_blocks\.7"):
        engine.edit([request_for(lora=choice) for choice in choices], made.update)
    assert sorted(made) == [1, 2]


def test_reference_latents_and_prompts_are_computed_once_for_a_shots_candidates(make_engine, request_for):
    engine = make_engine()
    engine.warm_up()
    encode, encoded = engine._driver.pipe._encode_vae_image, []
    engine._driver.pipe._encode_vae_image = lambda **call: (encoded.append(1), encode(**call))[1]
    engine.edit([request_for(seed=seed) for seed in range(4)])
    engine.edit([request_for(seed=seed) for seed in range(4, 6)])
    assert len(encoded) == 4
    assert engine._driver.prompts.hits == 5


def test_describe_changes_with_the_weights_and_with_what_decides_pixels(make_engine, klein_folder, tmp_path):
    plain = make_engine().describe()
    assert plain == make_engine(device="auto", batch=2).describe()
    assert plain != make_engine(steps=3).describe()
    # a shot that was flagged for its long prompt is made once it may be trimmed
    assert make_engine(long_prompt="trim").describe() == {**plain, "long_prompt": "trim"}
    copy = shutil.copytree(klein_folder, tmp_path / "copy")
    assert make_engine(model=str(copy)).describe() == plain
    weights = copy / "transformer/diffusion_pytorch_model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert make_engine(model=str(copy)).describe()["weights_sha256"] != plain["weights_sha256"]


def test_half_precision_stays_near_single_precision(make_engine, request_for):
    single, half = (make_engine(dtype=dtype).edit([request_for()])[0] for dtype in ("float32", "bfloat16"))
    assert half.used["dtype"] == "bfloat16"
    assert 0 < np.abs(single.picture - half.picture.astype(float)).mean() < 12


def test_damaged_weights_name_the_settings_key(make_engine, klein_folder, tmp_path):
    copy = shutil.copytree(klein_folder, tmp_path / "copy")
    (copy / "vae/diffusion_pytorch_model.safetensors").write_bytes(
        b"version https://git-lfs.github.com/spec/v1"
    )
    with pytest.raises(FixSettings, match=r"engine\.model: .* cannot be loaded as Flux2KleinPipeline"):
        make_engine(model=str(copy)).warm_up()


def test_a_gpu_that_is_not_there_names_the_settings_key(make_engine):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(FixSettings, match=r"engine\.device is cuda:0, but torch sees no GPU"):
        make_engine(device="cuda:0").warm_up()


def test_opening_an_engine_and_describing_it_imports_no_torch(klein_folder, loras_folder):
    code = f"""
import sys
from pathlib import Path
from packline.editing.engines import open_engine
from packline.editing.loras import load_presets
from packline.editing import prompts, references, variation, refine
from packline.settings import EngineSettings
presets = load_presets(Path({str(loras_folder / "presets.json")!r}))
presets.fit("warm", "flux2-klein-embedded")
settings = EngineSettings(architecture="flux2-klein-embedded", model={str(klein_folder)!r})
engine = open_engine(settings, presets)
engine.describe(), engine.capabilities
assert not {{"torch", "diffusers", "transformers"}} & set(sys.modules), "heavy imports"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
