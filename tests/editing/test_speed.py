"""What makes an engine faster or smaller, on a CPU: it works, and changes no pixel that it must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.memory import BatchSize, Memory, is_out_of_memory
from packline.errors import FixSettings, GiveUp, TryAgain

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
    assert size.now == 5, "not at once after memory ran out"
    asked = BatchSize(4)
    asked.learn(4, taken=1, free=10**9)
    assert (asked.now, asked.most) == (4, 4)


def good_batches_until(size, larger):
    """How many batches went well before the next was larger."""
    for count in range(1, 10_000):
        size.learn(size.now, taken=1, free=10**9)
        if size.now >= larger:
            return count
    raise AssertionError


def test_a_batch_that_was_halved_grows_back_and_is_tried_less_often_where_that_fails():
    size = BatchSize(8)
    for count in (8, 4, 2):
        size.halve(count)
    assert size.now == 1
    assert [good_batches_until(size, larger) for larger in (2, 4, 8)] == [8, 8, 8]
    size.learn(8, taken=1, free=10**9)
    assert (size.now, size.most) == (8, 8), "never beyond what was asked"
    size.halve(8)
    assert good_batches_until(size, 8) == 16
    size.halve(8)
    assert good_batches_until(size, 8) == 32


def test_what_was_eased_is_taken_back_once_batches_go_well(make_engine, pictures):
    engine = make_engine(batch=1)
    engine.warm_up()
    driver, full = engine._driver, [True]
    out_of_memory_until(driver, lambda: driver.eased or not full[0])
    asked = [EditRequest(pictures(2), PROMPT, seed) for seed in range(20)]
    assert all("eased" in edit.used for edit in engine.edit(asked[:10])), "tried after eight, and full still"
    full[0] = False
    # tried after twice as many the next time
    later = engine.edit(asked)
    assert ["eased" in edit.used for edit in later] == [True] * 14 + [False] * 6
    assert not driver.eased
    assert not driver.pipe.vae.use_tiling
    assert difference(later[-1], make_engine(batch=1).edit(asked[-1:])[0]) == 0


def test_where_memory_runs_out_at_taking_easing_back_the_sentence_is_told_all_the_same(make_engine, requests):
    engine = make_engine()
    engine.warm_up()
    driver = engine._driver
    out_of_memory_until(driver, lambda: False)

    def no_room():
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    driver._tile = lambda: no_room
    with pytest.raises(TryAgain, match="single candidate at 64 px even with VAE tiling, references of 32 px"):
        engine.edit(requests[:1])
    assert driver.eased == ["VAE tiling"], "what could not be taken back is still said of candidates"


@pytest.mark.parametrize(
    ("error", "ran_out"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("Error(s) in loading state_dict"), False),
        (OSError(2, "No such file"), False),
        (GiveUp("LoRA 'out of memory': its file is missing; put it there."), False),
    ],
)
def test_out_of_memory_is_told_from_other_faults(error, ran_out):
    assert is_out_of_memory(error) == ran_out
    try:
        raise ValueError("cannot be loaded") from error
    except ValueError as wrapped:
        assert is_out_of_memory(wrapped) == ran_out


def test_torchs_own_words_for_a_machine_without_memory_are_known():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


def test_references_are_encoded_while_a_batch_is_decoded(make_engine, requests):
    import time

    engine = make_engine(batch=2, overlap="on")
    engine.warm_up()
    driver, encoded = engine._driver, []
    decode, encode = driver._decode, driver.encode

    def waits(*arguments, **options):
        # three references of each of two candidates, and those of the next two
        until = time.monotonic() + 60
        while len(encoded) < 12 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(encoded) >= 12, "a lock that this VAE does not need is in the way"
        return decode(*arguments, **options)

    driver._decode = waits
    driver.encode = lambda pixels: (encoded.append(1), encode(pixels))[1]
    assert len(engine.edit(requests)) == 5


def test_a_stack_of_the_two_largest_ranks_fits_into_a_slot_that_is_opened_once(klein_folder, tmp_path):
    import json

    from safetensors.torch import load_file, save_file
    from tiny_models import klein_lora

    from packline.editing.engines import open_engine
    from packline.editing.loras import Lora, load_presets
    from packline.settings import EngineSettings

    for label, seed, rank, most in (("a", 1, 4, 9), ("b", 2, 4, 9), ("c", 3, 8, 2), ("d", 4, 8, 2)):
        tensors = load_file(str(klein_lora(tmp_path / f"{label}.safetensors", seed, rank)))
        # high ranks in one module only: small files
        save_file(dict(sorted(tensors.items())[:most]), str(tmp_path / f"{label}.safetensors"))
    entries = [
        {"label": label, "base_architecture": "flux2-klein-embedded", "path": f"{label}.safetensors"}
        for label in "abcd"
    ]
    (tmp_path / "presets.json").write_text(json.dumps({"loras": entries}))
    sizes = {label: (tmp_path / f"{label}.safetensors").stat().st_size for label in "abcd"}
    assert max(sizes["c"], sizes["d"]) < min(sizes["a"], sizes["b"])
    presets = load_presets(tmp_path / "presets.json")
    asked = {"architecture": "flux2-klein-embedded", "model": str(klein_folder), "device": "cpu"}
    engine = open_engine(EngineSettings(**asked, size=64, precision="fp8"), presets)
    engine.warm_up()
    slot, opened = engine._driver.slot, []
    opens = slot._open
    slot._open = lambda matrices: (opened.append(1), opens(matrices))
    for one, other in ("ab", "ac", "cd", "bd"):
        slot.use([Lora(presets.get(one), 0.5), Lora(presets.get(other), 0.5)])
    assert not opened


def test_a_swap_that_broke_off_is_not_taken_for_what_was_there_before(make_engine, presets):
    from packline.editing.loras import Lora

    engine = make_engine()
    engine.warm_up()
    slot = engine._driver.slot
    warm, cool = ([Lora(presets.get(label), 1.0)] for label in ("warm", "cool"))
    slot.use(warm)
    before = [up.clone() for _, up in slot._layers.values()]
    fill = slot._fill

    def breaks_off(matrices):
        fill({})
        raise torch.OutOfMemoryError("CUDA out of memory")

    slot._fill = breaks_off
    with pytest.raises(torch.OutOfMemoryError):
        slot.use(cool)
    slot._fill = fill
    slot.use(warm)
    assert before
    assert all((up == old).all() for (_, up), old in zip(slot._layers.values(), before, strict=True))


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
