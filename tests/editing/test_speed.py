"""What makes an engine faster or smaller, on a CPU: it works, and changes no pixel that it must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.memory import BatchSize, Memory
from packline.errors import FixSettings, TryAgain

PROMPT = "put the red shoe into image 1 as image 2 shows it"


def difference(one, other):
    return int(np.abs(one.picture.astype(int) - other.picture).max())


def mean_difference(one, other):
    return float(np.abs(one.picture.astype(float) - other.picture).mean())


@pytest.fixture
def requests(pictures):
    return [EditRequest(pictures(3, shot), PROMPT, seed) for shot, seed in enumerate(range(5))]


def test_decoding_beside_the_next_batch_changes_no_pixel(make_engine, requests):
    import threading

    beside, inline = make_engine(batch=2, overlap="on"), make_engine(batch=2, overlap="off")
    beside.warm_up()
    decode, threads = beside._driver.decode, []
    beside._driver.decode = lambda latents: (threads.append(threading.current_thread()), decode(latents))[1]
    edits = beside.edit(requests)
    assert [difference(*pair) for pair in zip(edits, inline.edit(requests), strict=True)] == [0] * 5
    # the last batch has nothing to wait for
    main = threading.main_thread()
    assert [thread is main for thread in threads] == [False, False, True]


def test_eight_bit_storage_keeps_the_picture_and_the_loras(make_engine, requests):
    full, small = make_engine(), make_engine(precision="fp8")
    styled = replace(requests[0], loras=(LoraChoice("warm", 1.0), LoraChoice("cool", 0.5)))
    asked = [requests[0], styled]
    expected, edits = full.edit(asked), small.edit(asked)
    kinds = {name: value.dtype for name, value in small._driver.denoiser.named_parameters()}
    eighth = {name for name, kind in kinds.items() if kind == torch.float8_e4m3fn}
    assert len(eighth) > 20
    assert not any("lora_" in name for name in eighth)
    assert all(0 < mean_difference(*pair) < 6 for pair in zip(edits, expected, strict=True))
    assert difference(*edits) > 30
    assert edits[0].used["precision"] == "fp8"
    assert "precision" not in expected[0].used


def test_swapping_loras_recompiles_nothing(make_engine, requests, monkeypatch):
    from diffusers import ModelMixin
    from torch._dynamo.utils import counters

    # the real compiler would take a minute here; what is traced, and when again, is the same
    compiled = ModelMixin.compile_repeated_blocks
    monkeypatch.setattr(ModelMixin, "compile_repeated_blocks", lambda model: compiled(model, backend="eager"))
    torch._dynamo.reset()
    counters.clear()
    engine, plain = make_engine(compile="regional", batch=1), make_engine(batch=1)
    stacks = [
        (),
        (LoraChoice("warm", 1.0),),
        (LoraChoice("cool", 0.4),),
        (LoraChoice("warm", 0.3), LoraChoice("cool", 1.2)),
        (),
    ]
    asked = [replace(requests[0], loras=stack) for stack in stacks]
    first = engine.edit(asked[:1])
    assert counters["stats"]["unique_graphs"] > 0
    counters.clear()
    edits = [*first, *engine.edit(asked[1:])]
    assert counters["stats"]["unique_graphs"] == 0
    assert [difference(*pair) for pair in zip(edits, plain.edit(asked), strict=True)] == [0] * 5
    assert edits[0].used["compile"] == "regional"


def out_of_memory_until(driver, fits):
    """A card that is full until `fits` says otherwise."""
    denoise, asked = driver.denoise, []

    def small_card(requests, stack):
        asked.append(len(requests))
        if not fits():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return denoise(requests, stack)

    driver.denoise = small_card
    return asked


def test_when_one_candidate_does_not_fit_quality_is_given_up_step_by_step(make_engine, requests):
    engine = make_engine(batch=2)
    engine.warm_up()
    driver = engine._driver
    asked = out_of_memory_until(driver, lambda: len(driver.eased) == 2)
    plain, eased = make_engine().edit(requests[:1])[0], engine.edit(requests[:2])
    assert asked == [2, 1, 1, 1, 1]
    assert eased[0].used["eased"] == ["VAE tiling", "references of 32 px"]
    assert driver.pipe.vae.use_tiling
    assert driver.shape_of(requests[0], 0) == (32, 32)
    assert eased[0].picture.shape == plain.picture.shape
    assert difference(eased[0], plain) > 0
    assert "eased" not in plain.used


def test_what_did_not_help_is_taken_back_before_the_shot_is_retried(make_engine, requests):
    engine = make_engine()
    engine.warm_up()
    driver = engine._driver
    full = [True]
    out_of_memory_until(driver, lambda: not full[0])
    with pytest.raises(TryAgain, match="single candidate at 64 px even with VAE tiling, references of 32 px"):
        engine.edit(requests[:1])
    assert not driver.pipe.vae.use_tiling
    full[0] = False
    edit = engine.edit(requests[:1])[0]
    assert "eased" not in edit.used
    assert difference(edit, make_engine().edit(requests[:1])[0]) == 0


def test_a_decode_that_does_not_fit_is_tried_again_in_smaller_batches(make_engine, requests):
    engine, plain = make_engine(batch=2, overlap="on"), make_engine(batch=2)
    engine.warm_up()
    decode, tried = engine._driver.decode, []

    def small_card(undecoded):
        tried.append(len(undecoded.latents))
        if tried[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(undecoded)

    engine._driver.decode = small_card
    edits = engine.edit(requests)
    assert tried.count(1) == 5
    assert max(difference(*pair) for pair in zip(edits, plain.edit(requests), strict=True)) <= 1


def test_a_batch_grows_with_memory_and_never_beyond_it():
    size = BatchSize(0)
    seen = []
    for _ in range(8):
        seen.append(size.now)
        size.learn(size.now, taken=size.now * 1000, free=12_500)
    # 85 % of what is free holds ten
    assert seen == [1, 2, 4, 8, 10, 10, 10, 10]
    size.halve(10)
    size.learn(5, taken=1, free=10**9)
    assert (size.now, size.most) == (5, 5)
    asked = BatchSize(4)
    asked.learn(4, taken=1, free=10**9)
    assert (asked.now, asked.most) == (4, 4)


def test_a_batch_of_0_is_found_by_memory(make_engine, pictures):
    engine = make_engine(batch=0)
    asked = [EditRequest(pictures(2), PROMPT, seed) for seed in range(7)]
    edits = engine.edit(asked)
    assert [edit.used["batch"] for edit in edits] == [1, 2, 2, 4, 4, 4, 4]
    assert max(difference(*pair) for pair in zip(edits, make_engine().edit(asked), strict=True)) <= 1
    assert engine.capabilities.batch == 64


def test_the_peak_of_memory_is_measured():
    memory = Memory("cpu")
    held = memory.start()
    block = np.ones(64 * 1024 * 1024, np.uint8)
    block[::4096] += 1
    peak = memory.peak()
    assert peak - held >= 60 * 1024 * 1024
    del block
    assert memory.free() > 0


def test_offload_needs_a_gpu(make_engine):
    with pytest.raises(FixSettings, match=r'engine\.offload is "model", but the engine runs on the CPU'):
        make_engine(offload="model").warm_up()


def test_an_edit_says_what_it_cost(make_engine, requests):
    edit = make_engine(price=0.02).edit(requests[:1])[0]
    assert edit.used["cost"] == 0.02
    assert edit.used["seed"] == requests[0].seed
    assert edit.used["seconds"] == pytest.approx(edit.seconds, abs=1e-4)
    assert edit.used["peak_memory"] > 50 * 1024 * 1024
