"""CivitAI's metadata from a real local server: which file is the LoRA, and which one is never pulled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from packline.editing.air import parse_air
from packline.editing.civitai import ModelVersion, choose_file, open_civitai, read_version
from packline.editing.web import Patience, Web
from packline.errors import FixSettings, GiveUp, TryAgain
from tests.editing.civitai_site import Site, lora, open_site

AIR = parse_air("urn:air:sd1:lora:civitai:7@1")
DATA = lora()


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as site:
        site.add(1, DATA)
        yield site


@pytest.fixture
def civitai(site: Site) -> Iterator[Web]:
    environment = {"CIVITAI_BASE_URL": f" {site.base}/ ", "CIVITAI_API_KEY": "secret-key\n"}
    with open_civitai(environment, Patience(sleep=lambda seconds: None)) as web:
        yield web


def other(site: Site, **changes) -> dict:
    """The site's file with changes, not yet offered."""
    return {**site.versions[1]["files"][0], "primary": False, **changes}


def test_the_documented_answer_is_read(site: Site, civitai: Web) -> None:
    version = read_version(civitai, AIR)
    assert (version.id, version.model_id, version.base_model) == (1, 7, "SD 1.5")
    assert version.trigger == "noir style, film grain"
    file = choose_file(version, AIR)
    assert (file.id, file.name, file.primary) == (10, "noir.safetensors", True)
    assert file.sha256 == file.hashes.sha256.lower() != file.hashes.sha256
    (asked,) = site.asked
    assert (asked.path, asked.query) == ("/api/v1/model-versions/1", "")
    assert asked.headers["authorization"] == "Bearer secret-key"


def test_without_a_key_none_is_sent_and_a_base_may_have_a_path(site: Site) -> None:
    with open_civitai({"CIVITAI_BASE_URL": f"{site.base}/mirror"}) as web, pytest.raises(GiveUp):
        site.api = lambda handler: handler.answer(404) is None
        read_version(web, AIR)
    assert "authorization" not in site.asked[0].headers
    assert site.asked[0].path == "/mirror/api/v1/model-versions/1"
    with open_civitai({}) as web:
        assert (str(web._base), web.has_key) == ("https://civitai.com", False)


def test_an_air_must_name_a_version(civitai: Web, site: Site) -> None:
    with pytest.raises(GiveUp, match=r"urn:air:sd1:lora:civitai:7 names no version.*add @"):
        read_version(civitai, parse_air("urn:air:sd1:lora:civitai:7"))
    assert site.asked == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"<html>", "answered no JSON, perhaps a page for browsers"),
        (b"\xff\xfe\x00", "answered no JSON"),
        (b"[]", "is not as documented: answer"),
        (b"{}", "is not as documented: id: Field required"),
        (b'{"id": 2}', "version 1 belongs to model None"),
        (b'{"id": 1, "modelId": 8}', "version 1 belongs to model 8 on CivitAI, not to 7; correct air"),
        (b'{"id": 1, "model": {"type": "Checkpoint"}}', "calls it a Checkpoint, which is no LoRA"),
        (b'{"id": 1, "files": [{"hashes": {"SHA256": "abc"}}]}', "files.0.hashes.SHA256"),
        (b"[" * 1_000_000, "answered no JSON"),
        (b" " * 9_000_000, "too long"),
    ],
)
def test_an_answer_that_is_not_as_documented_is_a_sentence(
    site: Site, civitai: Web, answer: bytes, sentence: str
) -> None:
    site.api = lambda handler: handler.answer(200, answer) is None
    with pytest.raises(GiveUp, match=f"^AIR urn:air:sd1:lora:civitai:7@1: .*{sentence}"):
        read_version(civitai, AIR)


def test_a_version_that_is_not_there_and_a_service_that_is_down(site: Site, civitai: Web) -> None:
    with pytest.raises(GiveUp, match=r"CivitAI knows nothing of that number \(status 404\)"):
        read_version(civitai, parse_air("urn:air:sd1:lora:civitai:7@99"))
    site.api = lambda handler: handler.answer(502) is None
    site.asked.clear()
    with pytest.raises(TryAgain, match="cannot answer just now"):
        read_version(civitai, AIR)
    assert len(site.asked) == 6


def test_a_lycoris_by_the_name_of_its_kind_is_an_adapter(site: Site, civitai: Web) -> None:
    site.versions[1]["model"]["type"] = "LoCon"
    assert read_version(civitai, AIR).model.type == "LoCon"


@pytest.mark.parametrize("files", [[], None])
def test_an_archived_version_has_no_files(site: Site, civitai: Web, files) -> None:
    site.versions[1]["files"] = files
    with pytest.raises(GiveUp, match="lists no files for it; it is archived"):
        choose_file(read_version(civitai, AIR), AIR)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pickleScanResult": "Danger"}, r"noir\.safetensors did not pass CivitAI's pickle scan \(Danger\)"),
        ({"pickleScanResult": "Pending"}, "pickle scan"),
        ({"pickleScanResult": None}, r"pickle scan \(not scanned yet\)"),
        ({"virusScanResult": "Error"}, r"virus scan \(Error\); it is not pulled"),
        ({"name": "noir.ckpt"}, "only .safetensors is ever opened"),
        ({"name": "noir.pt", "metadata": {"format": "PickleTensor"}}, "is a PickleTensor"),
        ({"metadata": {"format": "PickleTensor"}}, "is a PickleTensor"),
        ({"type": "Training Data"}, "is its Training Data, not the LoRA"),
        ({"hashes": {}}, "has no SHA-256 on CivitAI"),
        ({"downloadUrl": ""}, "cannot be downloaded from CivitAI"),
    ],
)
def test_an_unsafe_file_is_refused(site: Site, civitai: Web, changes: dict, sentence: str) -> None:
    site.versions[1]["files"][0].update(changes)
    with pytest.raises(GiveUp, match=sentence):
        choose_file(read_version(civitai, AIR), AIR)


def test_the_file_is_the_one_named_else_the_one_with_the_hash_else_the_primary_one(
    site: Site, civitai: Web
) -> None:
    files = site.versions[1]["files"]
    files.insert(0, other(site, id=11, hashes={"SHA256": "1" * 64}))
    files.insert(0, other(site, id=12, name="noir.ckpt", hashes={"SHA256": "2" * 64}, primary=True))
    version = read_version(civitai, AIR)

    def chosen(air: str, sha256: str = "") -> int:
        return choose_file(version, parse_air(air), sha256).id

    plain = "urn:air:sd1:lora:civitai:7@1"
    assert chosen(plain) == 10
    assert chosen(plain, "1" * 64) == 11
    assert chosen(f"{plain}+11") == 11
    with pytest.raises(GiveUp, match=r"the preset says SHA-256 2+, but CivitAI has noir\.safetensors"):
        chosen(plain, "2" * 64)
    with pytest.raises(GiveUp, match=r"noir\.ckpt is a SafeTensor|only \.safetensors"):
        chosen(f"{plain}+12")
    with pytest.raises(GiveUp, match=r"the version has no file 13; it has 12 \(noir\.ckpt\), 11"):
        chosen(f"{plain}+13")


def test_trained_words_may_be_missing() -> None:
    assert ModelVersion.model_validate({"id": 1, "trainedWords": None}).trigger == ""
    said = ModelVersion.model_validate({"id": 1, "trainedWords": ["a,", "a", " ", "b\nc"]})
    assert said.trigger == "a, b c"


def test_names_that_would_steer_a_terminal_are_defused(site: Site, civitai: Web) -> None:
    site.versions[1]["files"][0]["name"] = "\x1b[2J\x00evil\n.ckpt"
    with pytest.raises(GiveUp) as told:
        choose_file(read_version(civitai, AIR), AIR)
    assert "evil .ckpt" in str(told.value)
    assert str(told.value).isprintable()


def test_a_key_that_no_header_can_carry_is_refused_unquoted() -> None:
    with pytest.raises(FixSettings) as told:
        open_civitai({"CIVITAI_API_KEY": "half\nkey"})
    assert "half" not in str(told.value)
