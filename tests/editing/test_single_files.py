"""One .safetensors file in place of a folder: the original layout of SD 1.5, and a transformer alone."""

from __future__ import annotations

import numpy as np
import pytest

from packline.editing.engine import EditRequest
from packline.editing.engines import open_engine
from packline.editing.loras import Presets
from packline.errors import FixSettings
from packline.settings import EngineSettings


def edit(architecture, model, pictures, rest="", **changes):
    mask = np.zeros((96, 96), np.uint8)
    mask[24:72, 24:72] = 255
    asked = {"device": "cpu", "size": 64, "steps": 2, "guidance": 2.0, "dtype": "float32", **changes}
    settings = EngineSettings(architecture=architecture, model=str(model), rest=str(rest), **asked)
    engine = open_engine(settings, Presets())
    return engine.edit([EditRequest(pictures(2), "a red shoe", 1, (), mask)])[0]


def test_sd_15_in_one_file_gives_what_its_folder_gives(tmp_path, pictures):
    from tiny_more import as_one_file, save_sd15

    folder = save_sd15(tmp_path / "model")
    file = as_one_file(tmp_path / "model.safetensors", folder)
    # what is in the file must not be taken from the folder
    for weights in folder.rglob("*.safetensors"):
        weights.rename(tmp_path / f"{weights.parent.name}-moved")
    alone = edit("sd15", file, pictures, folder)
    for part in ("unet", "vae", "text_encoder"):
        name = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        (tmp_path / f"{part}-moved").rename(folder / part / f"{name}.safetensors")
    whole = edit("sd15", folder, pictures)
    assert np.array_equal(alone.picture, whole.picture)
    assert alone.used["weights_sha256"] != whole.used["weights_sha256"]


def test_a_transformer_alone_takes_everything_else_from_a_folder(klein_folder, tmp_path, pictures):
    from tiny_models import save_klein

    other = save_klein(tmp_path / "other", seed=3)
    file = klein_folder / "transformer/diffusion_pytorch_model.safetensors"
    name = "flux2-klein-embedded"
    whole, mixed = edit(name, klein_folder, pictures), edit(name, file, pictures, klein_folder)
    assert np.array_equal(whole.picture, mixed.picture)
    # the transformer is the file's: the other folder's own makes another picture
    assert np.abs(edit(name, file, pictures, other).picture - edit(name, other, pictures).picture).max() > 3


def test_what_a_file_lacks_must_be_on_this_machine(tmp_path, klein_folder, pictures):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(FixSettings, match=r"engine\.rest: stabilityai/.* is neither a folder nor downloaded"):
        edit("sdxl", file, pictures)
    with pytest.raises(FixSettings, match=r"engine\.rest: .* holds no model_index\.json"):
        edit("sdxl", file, pictures, tmp_path)
    with pytest.raises(FixSettings, match=r"holds a Flux2KleinPipeline; correct .* or engine\.rest"):
        edit("sdxl", file, pictures, klein_folder)
    with pytest.raises(FixSettings, match=r"engine\.rest is for a single file"):
        edit("flux2-klein-embedded", klein_folder, pictures, klein_folder)
