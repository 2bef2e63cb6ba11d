"""Whatever goes wrong is a sentence, of the type that says what to do."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from packline.editing.engine import EditRequest, LoraChoice, Spoiled
from packline.errors import FixSettings, GiveUp, TryAgain

PROMPT = "put the red shoe into image 1"


def edit(engine, pictures, **changes):
    asked = {"references": pictures(3), "prompt": PROMPT, "seed": 1, **changes}
    return engine.edit([EditRequest(**asked)])


def not_numbers(make_engine, pictures, folder):
    engine = make_engine()
    engine.warm_up()
    with torch.no_grad():
        engine._driver.denoiser.proj_out.weight.fill_(float("nan"))
    edit(engine, pictures)


def full_card(make_engine, pictures, folder):
    engine = make_engine()
    engine.warm_up()

    def denoise(requests, stack):
        raise torch.OutOfMemoryError("CUDA out of memory")

    engine._driver.denoise = denoise
    edit(engine, pictures)


def full_card_at_loading(make_engine, pictures, folder):
    from packline.editing.flux2 import KleinRows

    def to(self, device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(KleinRows, "to", to)
        make_engine().warm_up()


def full_machine_at_loading(make_engine, pictures, folder):
    from packline.editing.flux2 import KleinRows

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        # what torch says on a CPU is a plain RuntimeError
        patched.setattr(KleinRows, "to", lambda self, device: torch.empty(1 << 60, dtype=torch.uint8))
        make_engine().warm_up()


def full_card_while_the_lora_slot_opens(make_engine, pictures, folder):
    from packline.editing.flux2 import KleinRows

    def load(self, *arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(KleinRows, "load_lora_weights", load)
        make_engine(compile="regional").warm_up()


def full_machine_while_a_lora_is_read(make_engine, pictures, folder):
    from packline.editing.flux2 import KleinRows

    def read(*arguments, **options):
        raise MemoryError

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(KleinRows, "lora_state_dict", read)
        edit(make_engine(), pictures, loras=(LoraChoice("warm", 0.8),))


def no_weights(make_engine, pictures, folder):
    make_engine(model="no/weights-here")


def half_the_weights(make_engine, pictures, folder):
    (folder / "transformer/diffusion_pytorch_model.safetensors").unlink()
    make_engine(model=str(folder)).warm_up()


def weights_cut_short(make_engine, pictures, folder):
    file = folder / "transformer/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    make_engine(model=str(folder)).warm_up()


def small_reference(make_engine, pictures, folder):
    edit(make_engine(), pictures, references=(*pictures(1), *pictures(1, side=32)))


def grey_reference(make_engine, pictures, folder):
    edit(make_engine(), pictures, references=(*pictures(1), np.zeros((96, 96), np.uint8)))


def long_prompt(make_engine, pictures, folder):
    edit(make_engine(), pictures, prompt="image 2 is the side view. " * 60)


def foreign_lora(make_engine, pictures, folder):
    edit(make_engine(), pictures, loras=(LoraChoice("klein-4b", 0.8),))


def absent_gpu(make_engine, pictures, folder):
    make_engine(device="cuda:7").warm_up()


@pytest.mark.parametrize(
    ("happens", "error", "sentence"),
    [
        (not_numbers, Spoiled, "not numbers with dtype float32 and seed 1; .* restore its weights"),
        (full_card, TryAgain, "memory ran out with a single candidate at 64 px .*; free memory"),
        (full_card_at_loading, TryAgain, "does not fit into the memory that is free; free some"),
        (full_machine_at_loading, TryAgain, "does not fit into the memory that is free; free some"),
        (full_card_while_the_lora_slot_opens, TryAgain, "with its LoRAs does not fit into the memory"),
        (full_machine_while_a_lora_is_read, TryAgain, "memory ran out with a single candidate"),
        (no_weights, FixSettings, "engine.model: no/weights-here is neither a folder nor downloaded; run"),
        (
            half_the_weights,
            FixSettings,
            r"engine\.model: .* cannot be loaded as Flux2KleinPipeline .*; restore",
        ),
        (
            weights_cut_short,
            FixSettings,
            r"engine\.model: .* cannot be loaded as Flux2KleinPipeline .*; restore",
        ),
        (small_reference, GiveUp, "Reference 2 is 32x32 px; .* render it larger"),
        (grey_reference, GiveUp, "Reference 2 must be an 8-bit RGB picture, not uint8 of shape"),
        (long_prompt, GiveUp, r"has \d+ tokens and engine embedded reads 128; shorten prompt.template"),
        (foreign_lora, GiveUp, "was made for flux2-klein-4b and cannot work on flux2-klein-embedded; name"),
        pytest.param(
            absent_gpu,
            FixSettings,
            "engine.device is cuda:7, but torch sees no GPU here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU"),
        ),
    ],
)
def test_what_goes_wrong_is_a_sentence(
    make_engine, pictures, klein_folder, tmp_path, happens, error, sentence
):
    folder = shutil.copytree(klein_folder, tmp_path / "copy")
    with pytest.raises(error, match=sentence) as raised:
        happens(make_engine, pictures, folder)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith(".")
