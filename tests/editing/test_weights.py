from __future__ import annotations

import json

import pytest

from packline.editing.architectures import ARCHITECTURES, LORA_ARCHITECTURES, architecture_of
from packline.editing.weights import find_weights
from packline.errors import FixSettings

EMBEDDED = ARCHITECTURES["flux2-klein-embedded"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    (folder / "vae").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "Flux2KleinPipeline"}))
    (folder / "vae" / "weights.safetensors").write_bytes(b"numbers")
    return folder


def test_the_hash_covers_weights_and_configuration_but_not_the_readme(folder):
    def found():
        return find_weights(str(folder), EMBEDDED).sha256()

    first = found()
    (folder / "README.md").write_text("about")
    assert found() == first
    (folder / "vae" / "config.json").write_text("{}")
    second = found()
    assert second != first
    (folder / "vae" / "weights.safetensors").write_bytes(b"others!")
    assert found() != second


def test_the_models_card_says_how_it_wants_to_be_called(folder):
    assert find_weights(str(folder), EMBEDDED).card == {}
    card = {"architecture": EMBEDDED.name, "max_sequence_length": 144}
    (folder / "packline.json").write_text(json.dumps(card))
    assert find_weights(str(folder), EMBEDDED).card == card


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (
            "model_index.json",
            '{"_class_name": "FluxPipeline"}',
            "holds a FluxPipeline; correct engine.architecture",
        ),
        ("model_index.json", "{", r"model_index\.json is malformed"),
        ("model_index.json", "{}", r"model_index\.json is malformed"),
        (
            "packline.json",
            '{"architecture": "sdxl"}',
            r"packline\.json says sdxl; correct engine.architecture",
        ),
        ("packline.json", "{}", r"packline\.json is malformed"),
    ],
)
def test_a_folder_of_something_else_is_refused(folder, file, text, sentence):
    (folder / file).write_text(text)
    with pytest.raises(FixSettings, match=sentence):
        find_weights(str(folder), EMBEDDED)


@pytest.mark.parametrize(
    ("model", "architecture", "sentence"),
    [
        ("/nowhere/model", "sdxl", "the folder /nowhere/model is missing"),
        ("assets/models/none", "sdxl", "the folder assets/models/none is missing"),
        ("/nowhere/sdxl.safetensors", "sdxl", "the file /nowhere/sdxl.safetensors is missing"),
        ("packline-test/never-downloaded", "sdxl", "run `hf download packline-test/never-downloaded` first"),
        ("packline-test/never@v2", "sdxl", "run `hf download packline-test/never --revision v2` first"),
    ],
)
def test_missing_weights_name_the_settings_key(model, architecture, sentence):
    with pytest.raises(FixSettings, match=sentence) as error:
        find_weights(model, ARCHITECTURES[architecture])
    assert "engine.model" in str(error.value)


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path):
    with pytest.raises(FixSettings, match=r"holds no model_index\.json"):
        find_weights(str(tmp_path), EMBEDDED)


def test_a_single_file_takes_the_rest_from_a_folder(folder, tmp_path):
    file = tmp_path / "all.safetensors"
    file.write_bytes(b"x")
    weights = find_weights(str(file), EMBEDDED, str(folder))
    assert (weights.path, weights.rest) == (file, folder)
    first = weights.sha256()
    (folder / "vae" / "config.json").write_text("{}")
    assert find_weights(str(file), EMBEDDED, str(folder)).sha256() != first
    with pytest.raises(
        FixSettings, match=r"engine\.rest: stabilityai/\S+ is neither a folder nor downloaded"
    ):
        find_weights(str(file), ARCHITECTURES["sdxl"])


def test_a_downloaded_model_is_found_by_its_hub_name_and_hashed_by_its_blobs(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--maker--model"
    snapshot = repository / "snapshots" / ("a" * 40)
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "blobs").mkdir()
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text(json.dumps({"_class_name": EMBEDDED.pipeline}))
    blob = repository / "blobs" / ("b" * 64)
    blob.write_bytes(b"many gigabytes")
    (snapshot / "weights.safetensors").symlink_to(blob)
    weights = find_weights("maker/model", ARCHITECTURES["flux2-klein-4b"])
    assert weights.path == snapshot
    before = weights.sha256()
    # the blob's name is its hash, so its bytes are not read
    blob.write_bytes(b"many others")
    assert weights.sha256() == before


def test_an_unknown_architecture_lists_the_known_ones():
    with pytest.raises(
        FixSettings,
        match=r"engine\.architecture names the unknown 'flux9'; known are flux1-kontext, flux2-dev",
    ):
        architecture_of("flux9")


def test_every_architecture_names_a_pipeline_that_diffusers_has():
    import diffusers

    for architecture in ARCHITECTURES.values():
        assert hasattr(diffusers, architecture.pipeline), architecture.name
        assert architecture.lora in LORA_ARCHITECTURES
        assert architecture.size % architecture.multiple_of == 0
