"""Presets come into the ledger with every run, with what their files are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packline.assets import Assets
from packline.editing.loras import load_presets
from packline.ledger import Ledger
from packline.line import Line, Order
from packline.line.plan import Forecast, begin_run
from packline.line.presets import import_presets
from tests.line.shop import ROWS, Weights
from tests.parts import HEADER, make_folder, make_lora


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("packline.line.line.open_engine", lambda settings, presets: Weights())
    make_folder(tmp_path, "\n".join(ROWS[:2]) + "\n")
    return tmp_path


def run(folder: Path) -> str:
    line = Line(Order(folder / "demo.csv"), "checks-1")
    plan = begin_run(line)
    line.ledger.end_run(plan.run, "completed", {})
    return plan.run


def ledger(folder: Path) -> Ledger:
    return Line(Order(folder / "demo.csv"), "checks-1").ledger


def add(folder: Path, **fields: object) -> None:
    file = folder / "loras" / "presets.json"
    held = json.loads(file.read_text())["loras"]
    file.write_text(json.dumps({"loras": [*held, {**held[0], **fields}]}))


def test_a_run_imports_the_list_and_says_what_it_found_in_the_files(folder: Path) -> None:
    make_lora(folder / "loras" / "noir.safetensors", 1.0)
    add(folder, label="noir", path="noir.safetensors", sha256="0" * 64)
    add(folder, label="gone", path="gone.safetensors")
    add(folder, label="claims", base_architecture="sdxl")
    first = run(folder)
    found = ledger(folder).presets.latest("demo")
    assert {one.by for one in found.values()} == {first}
    warm, noir, gone, claims = (found[label].facts for label in ("warm", "noir", "gone", "claims"))
    assert (warm.architecture, warm.sentence, len(warm.sha256)) == ("flux2-klein-embedded", "", 64)
    assert warm.content["label"] == "warm"
    assert "its preset says 000000" in noir.sentence
    assert noir.sha256 not in ("", "0" * 64), "what the file really has"
    assert (gone.sha256, gone.architecture) == ("", "")
    assert "gone.safetensors is missing" in gone.sentence
    assert (claims.architecture, "presets.json says sdxl" in claims.sentence) == (
        "flux2-klein-embedded",
        True,
    )
    run(folder)
    assert {one.by for one in ledger(folder).presets.latest("demo").values()} == {first}, "nothing is new"


def test_a_file_that_changes_is_another_version_and_a_plan_alone_writes_nothing(folder: Path) -> None:
    first = run(folder)
    make_lora(folder / "loras" / "warm.safetensors", 2.0)
    list(Forecast(Line(Order(folder / "demo.csv"), "checks-1")))
    presets = ledger(folder).presets
    assert [one.by for one in presets.versions("demo", "warm")] == [first]
    second = run(folder)
    versions = presets.versions("demo", "warm")
    assert [one.by for one in versions] == [first, second]
    assert versions[0].facts.sha256 != versions[1].facts.sha256


def test_what_a_persons_import_finds_no_more_is_marked_as_gone(folder: Path) -> None:
    run(folder)
    other = folder / "other.json"
    make_lora(folder / "cool.safetensors")
    entry = {"label": "cool", "base_architecture": "flux2-klein-embedded", "path": "cool.safetensors"}
    other.write_text(json.dumps({"loras": [entry]}))
    line = Line(Order(folder / "demo.csv"), "checks-1")
    done = import_presets(line, load_presets(other), Assets(), "ann")
    assert (done.new, done.gone) == (("cool",), ("warm",))
    found = line.ledger.presets.latest("demo")
    assert (found["cool"].file, found["cool"].by, found["warm"].gone) == (other, "ann", True)


def test_a_run_that_cannot_use_a_row_has_imported_its_preset_all_the_same(folder: Path) -> None:
    (folder / "loras" / "warm.safetensors").unlink()
    (folder / "demo.csv").write_text(f"{HEADER}\n{ROWS[0]}\n{ROWS[1]}\n")
    run(folder)
    assert "is missing" in ledger(folder).presets.latest("demo")["warm"].facts.sentence
