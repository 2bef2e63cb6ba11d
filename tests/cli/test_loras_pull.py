"""`packline loras pull` against a CivitAI of our own: what it prints, its exit code, the presets after it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from packline.cli.main import app
from packline.editing.loras import load_presets
from packline.errors import GiveUp
from tests.editing.civitai_site import Site, lora, open_site
from tests.parts import make_folder

AIR = "urn:air:sd1:lora:civitai:7@1"
NOIR, KLEIN = lora(), lora("klein-9b")

# as a person writes it: an odd blank must still be there afterwards
LIST = """{
  "loras": [
    {
      "label": "noir",
      "theme":  "film",
      "base_architecture": "sd15",
      "air": "urn:air:sd1:lora:civitai:7@1",
      "prompt": "noir style"
    },
    {"label": "mine", "base_architecture": "sdxl", "path": "mine.safetensors"}
  ]
}
"""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("MODEL_BASE_PATH", raising=False)
    monkeypatch.delenv("CIVITAI_API_KEY", raising=False)
    with open_site() as site:
        monkeypatch.setenv("CIVITAI_BASE_URL", site.base)
        site.add(1, NOIR)
        yield site


@pytest.fixture
def presets(tmp_path: Path) -> Path:
    file = tmp_path / "presets.json"
    file.write_text(LIST)
    return file


def pull(presets: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["loras", "pull", *words, "--file", str(presets)])


def said(result: Result) -> tuple[int, str, str]:
    return result.exit_code, result.stdout, result.stderr


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_preset_gets_its_file_and_its_line_says_where(site: Site, presets: Path) -> None:
    sha256 = site.add(1, NOIR)
    file = presets.parent / "noir-1.safetensors"
    assert said(pull(presets)) == (0, f"LoRA 'noir' pulled to {file} (sd15)\n", "")
    assert file.read_bytes() == NOIR
    assert presets.read_text() == LIST.replace(
        'civitai:7@1",', f'civitai:7@1",\n      "path": "noir-1.safetensors",\n      "sha256": "{sha256}",'
    )
    assert load_presets(presets).fit("noir", "sd15").sha256 == sha256
    asked = len(site.asked)
    assert said(pull(presets)) == (0, f"Every LoRA of {presets} that has an AIR has its file.\n", "")
    assert said(pull(presets, "noir")) == (0, f"LoRA 'noir' is there already: {file} (sd15)\n", "")
    assert len(site.asked) == asked
    assert names(presets.parent) == ["noir-1.safetensors", "presets.json"]


def test_a_damaged_file_is_pulled_again(site: Site, presets: Path) -> None:
    pull(presets)
    file = presets.parent / "noir-1.safetensors"
    written = presets.read_text()
    file.write_bytes(NOIR[:-1])
    assert pull(presets).stdout.startswith("LoRA 'noir' pulled to ")
    assert (file.read_bytes(), presets.read_text()) == (NOIR, written)


def test_a_file_that_lies_there_already_is_only_noted(site: Site, presets: Path) -> None:
    presets.write_text(LIST.replace('"prompt"', '"path": "sub/n.safetensors", "prompt"'))
    file = presets.parent / "sub" / "n.safetensors"
    file.parent.mkdir()
    file.write_bytes(NOIR)
    assert said(pull(presets, "noir")) == (0, f"LoRA 'noir' is there already: {file} (sd15)\n", "")
    assert site.fetches() == []
    assert (
        load_presets(presets).get("noir").sha256 == site.versions[1]["files"][0]["hashes"]["SHA256"].lower()
    )


def test_files_go_where_model_base_path_says(
    site: Site, presets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_BASE_PATH", str(tmp_path / "weights"))
    assert pull(presets, "noir").exit_code == 0
    assert names(tmp_path / "weights") == ["noir-1.safetensors"]
    assert load_presets(presets).fit("noir", "sd15").path == "noir-1.safetensors"


def test_a_catalogue_says_which_presets_are_meant(site: Site, tmp_path: Path) -> None:
    make_folder(tmp_path)
    settings = tmp_path / "demo.toml"
    settings.write_text(settings.read_text().replace("loras = ", 'loras = "mine/presets.json" # '))
    presets = tmp_path / "mine" / "presets.json"
    presets.parent.mkdir()
    presets.write_text(LIST)
    done = CliRunner().invoke(app, ["loras", "pull", "noir", str(tmp_path / "demo.csv")])
    assert (done.exit_code, done.stderr) == (0, "")
    assert names(presets.parent) == ["noir-1.safetensors", "presets.json"]
    both = pull(presets, str(tmp_path / "demo.csv"))
    assert (both.exit_code, "Give one catalogue, or one list" in both.stderr) == (2, True)


def test_an_air_becomes_a_preset_with_its_trained_words(site: Site, presets: Path) -> None:
    sha256 = site.add(3, KLEIN, model=8, name="../../oh no+.safetensors", baseModel="Flux.2 Klein 9B")
    air = "urn:air:flux2:lora:civitai:8@3"
    file = presets.parent / "oh-no-3.safetensors"
    assert said(pull(presets, air)) == (
        0,
        f"LoRA 'Noir and Grain' pulled to {file} (flux2-klein-9b); new in {presets}\n",
        "",
    )
    assert presets.read_text().startswith(LIST.rstrip("\n }]"))
    made = list(load_presets(presets))[-1]
    assert made.model_dump(exclude_defaults=True) == {
        "label": "Noir and Grain",
        "notes": "v1.0, Flux.2 Klein 9B",
        "base_architecture": "flux2-klein-9b",
        "air": air,
        "path": "oh-no-3.safetensors",
        "sha256": sha256,
        "prompt": "noir style, film grain",
    }
    assert said(pull(presets, air.upper().replace("URN:AIR", "urn:air"))) == (
        0,
        f"LoRA 'Noir and Grain' is there already: {file} (flux2-klein-9b)\n",
        "",
    )
    # an AIR that a preset has is that preset; the same name again gets another label
    assert "LoRA 'noir' pulled to" in pull(presets, AIR).stdout
    site.add(4, lora("klein-9b", salt=4), model=8, baseModel="Flux.2 Klein 9B")
    assert "LoRA 'Noir and Grain v1.0' pulled" in pull(presets, "urn:air:flux2:lora:civitai:8@4").stdout
    assert len(load_presets(presets)) == 4


def test_an_ecosystem_is_no_proof_of_what_a_file_is_for(site: Site, presets: Path) -> None:
    """An AIR of flux2 may be for either klein; of sd1 it may not."""
    presets.write_text(LIST.replace("sd15", "flux2-klein-4b").replace("sd1:", "flux2:"))
    site.add(1, KLEIN)
    code, out, err = said(pull(presets, "noir"))
    assert (code, out) == (1, "")
    assert err.startswith("packline: LoRA 'noir': noir-1.safetensors was made for flux2-klein-9b, but ")
    assert err.endswith("says flux2-klein-4b; correct base_architecture and pull again (the file is kept).\n")
    assert load_presets(presets).get("noir").path == ""
    presets.write_text(presets.read_text().replace("flux2-klein-4b", "flux2-klein-9b"))
    assert pull(presets, "noir").stdout.startswith("LoRA 'noir' is there already")
    assert len(site.fetches()) == 1

    presets.write_text(LIST)
    (presets.parent / "noir-1.safetensors").unlink()
    code, out, err = said(pull(presets, "noir"))
    assert (code, out) == (1, "")
    assert "is of the ecosystem sd1, which can be sd15 and not flux2-klein-9b" in err
    assert names(presets.parent) == ["presets.json"]
    presets.write_text(LIST.replace("sd15", "sdxl"))
    asked = len(site.asked)
    assert "which can be sd15 and not sdxl; correct air or base_architecture" in pull(presets, "noir").stderr
    assert len(site.asked) == asked


@pytest.mark.parametrize("kind", ["sd2", "no lora"])
def test_a_file_that_fits_nothing_is_not_kept(site: Site, presets: Path, kind: str) -> None:
    empty = (2).to_bytes(8, "little") + b"{}"
    site.add(1, lora("sd2") if kind == "sd2" else empty)
    for word in ("noir", "urn:air:sd1:lora:civitai:7@1+10"):
        code, out, err = said(pull(presets, word))
        assert (code, out) == (1, "")
        assert ("fit no model" if kind == "sd2" else "noir.safetensors holds no LoRA tensors") in err
    assert names(presets.parent) == ["presets.json"]
    assert presets.read_text() == LIST


def test_every_lora_gets_its_sentence_and_the_others_go_on(site: Site, presets: Path) -> None:
    site.add(2, lora(salt=2), files=[])
    site.add(3, lora(salt=3), file={"pickleScanResult": "Danger"})
    words = ["urn:air:sd1:lora:civitai:7@2", "urn:air:sd1:lora:civitai:7@3", "urn:air:sd1:vae:civitai:7@4"]
    code, out, err = said(pull(presets, *words, "mine", "nobody", "noir"))
    assert code == 1
    assert out.startswith("LoRA 'noir' pulled to")
    lines = err.splitlines()
    assert [line.startswith("packline: ") for line in lines] == [True] * 5
    for line, sentence in zip(
        lines,
        (
            "lists no files for it; it is archived",
            "pickle scan (Danger)",
            "names a model of the type vae",
            "LoRA 'mine' has no air in",
            "LoRA 'nobody' is not in",
        ),
        strict=True,
    ):
        assert sentence in line


def test_without_a_key_the_sentence_names_the_variable(
    site: Site, presets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.key = "a-good-key"
    code, out, err = said(pull(presets))
    assert (code, out) == (1, "")
    assert err == (
        f"packline: LoRA 'noir': AIR {AIR}: CivitAI gives it to accounts only; set CIVITAI_API_KEY to a key "
        f"of yours.\n"
    )
    monkeypatch.setenv("CIVITAI_API_KEY", "a-bad-key")
    code, out, err = said(pull(presets))
    assert (code, "refuses the key in CIVITAI_API_KEY" in err, "a-bad-key" in out + err) == (1, True, False)
    assert presets.read_text() == LIST
    monkeypatch.setenv("CIVITAI_API_KEY", "a-good-key")
    done = pull(presets)
    assert (done.exit_code, "a-good-key" in done.output) == (0, False)
    assert all("a-good-key" not in one.path + one.query for one in site.asked)
    assert all("authorization" not in one.headers for one in site.fetches())
    assert presets.read_text().count("key") == 0


def test_a_service_that_asks_for_a_pause_is_left_alone(site: Site, presets: Path) -> None:
    site.api = lambda handler: handler.answer(429, Retry_After="600") is None
    code, _, err = said(pull(presets, "noir", "mine", "nobody"))
    assert code == 1
    assert "CivitAI cannot answer just now (too many calls)" in err
    assert err.endswith("packline: 2 more were not tried.\n")
    assert len(site.asked) == 1


def test_a_preset_that_was_renamed_during_the_download_is_a_sentence(site: Site, presets: Path) -> None:
    def edit(handler, data) -> bool:
        presets.write_text(LIST.replace('"noir"', '"noir 2"'))
        return False

    site.store = edit
    code, _, err = said(pull(presets, "noir"))
    assert (code, "LoRA 'noir' is not in" in err) == (1, True)
    assert presets.read_text() == LIST.replace('"noir"', '"noir 2"')


def test_a_run_only_says_what_to_pull(site: Site, presets: Path) -> None:
    mend = f"run `packline loras pull noir --file {presets}`"
    with pytest.raises(GiveUp) as told:
        load_presets(presets).fit("noir", "sd15")
    assert str(told.value) == f"LoRA 'noir' has no path in {presets} yet; {mend}."
    presets.write_text(LIST.replace('"prompt"', '"path": "n.safetensors", "prompt"'))
    with pytest.raises(GiveUp) as told:
        load_presets(presets).fit("noir", "sd15")
    assert str(told.value) == f"LoRA 'noir': its file {presets.parent / 'n.safetensors'} is missing; {mend}."
    assert site.asked == []


def test_two_pulls_at_once_download_once_and_both_say_so(site: Site, presets: Path) -> None:
    """The command itself, in two processes, for an AIR that neither has: one file, one new preset."""
    site.add(5, data := lora(salt=5), model=9)
    gate = threading.Event()
    reached = threading.Event()

    def slowly(handler, data: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:1000])
        reached.set()
        gate.wait(60)
        handler.wfile.write(data[1000:])
        return True

    site.store = slowly
    code = "from packline.cli.main import app; app()"
    words = ["loras", "pull", "urn:air:sd1:lora:civitai:9@5", "--file", str(presets)]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-uc", code, *words], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )

    first = start()
    assert reached.wait(60)
    second = start()
    assert second.stdout is not None
    assert second.stdout.readline() == "Another process is downloading it; waiting for that.\n"
    gate.set()
    one, two = first.communicate()[0], second.communicate()[0]
    file = presets.parent / "noir-5.safetensors"
    assert one.startswith(f"LoRA 'Noir and Grain' pulled to {file} (sd15)")
    assert two.startswith(f"LoRA 'Noir and Grain' is there already: {file} (sd15)")
    assert (one + two).count("; new in ") == 1
    assert (first.returncode, second.returncode, len(site.fetches())) == (0, 0, 1)
    assert file.read_bytes() == data
    assert [preset.label for preset in load_presets(presets)] == ["noir", "mine", "Noir and Grain"]
