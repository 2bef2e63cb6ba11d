"""`packline loras list|import|check`."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from packline.cli.main import app
from packline.ledger import Ledger
from tests.editing.tiny_models import klein_lora, save_klein
from tests.flows.house import build_house

SHELL = CliRunner()
OWN = "flux2-klein-embedded"
ROWS = (
    "CAN,black aluminium can,can-volta.glb,shelf:front,,,",
    "MUG,beige mug,mug-sunday.glb,table:front,,loud,",
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real products, the klein classes at their smallest, and presets of every kind."""
    folder = tmp_path_factory.mktemp("shop")
    catalog = build_house(folder / "house", ROWS)
    klein = save_klein(folder / "klein")
    settings = catalog.with_suffix(".toml")
    text = settings.read_text().replace("no weights", str(klein))
    text = text.replace("batch = 2", 'batch = 2\nsize = 64\nsteps = 1\ndevice = "cpu"')
    text = (
        text[: text.index("template")] + 'template = "{title}. {trigger}"' + text[text.index("\n[bucket]") :]
    )
    settings.write_text(text)
    klein_lora(catalog.parent / "loud.safetensors", seed=1)
    silent = {name: value * 0 for name, value in load_file(str(catalog.parent / "loud.safetensors")).items()}
    save_file(silent, str(catalog.parent / "silent.safetensors"))
    klein_lora(catalog.parent / "big.safetensors", seed=2, hidden=3072, rank=1)
    presets = [
        {"label": "loud", "theme": "noise", "prompt": "very loud", "settings": {"strength": 0.7}},
        {"label": "silent", "theme": "calm", "settings": {"guidance_scale": 2.0}},
        {"label": "absent", "path": "absent.safetensors"},
        {"label": "wrong", "path": "loud.safetensors", "sha256": "0" * 64},
        {"label": "claims", "path": "big.safetensors"},
        {"label": "big", "base_architecture": "flux2-klein-4b"},
    ]
    filled = [{"base_architecture": OWN, "path": f"{one['label']}.safetensors", **one} for one in presets]
    (catalog.parent / "presets.json").write_text(json.dumps({"loras": filled}))
    return catalog


def call(*words: object) -> tuple[int, str]:
    result = SHELL.invoke(app, ["loras", *map(str, words)])
    return result.exit_code, result.output


def lines(output: str) -> dict[str, str]:
    return {line.split()[0]: line for line in output.splitlines() if line.strip()}


def test_the_presets_of_the_engines_model_are_listed_with_their_files_state(catalog: Path) -> None:
    code, output = call("list", catalog)
    found = lines(output)
    assert code == 0
    assert "big" not in found
    states = {"loud": "ok", "silent": "ok", "absent": "missing", "wrong": "wrong hash"}
    for label, state in {**states, "claims": "other architecture"}.items():
        assert state in found[label], found[label]
    for words in ("noise", "0.7", "very loud", OWN):
        assert words in found["loud"]
    assert "LoRA 'absent': its file" in output
    assert f"1 more for other models than {OWN}; --all lists them." in output


def test_the_list_may_be_narrowed_to_a_theme_or_widened_to_all(catalog: Path) -> None:
    _, calm = call("list", catalog, "--theme", "calm")
    assert [label for label in ("loud", "silent", "absent") if label in lines(calm)] == ["silent"]
    _, every = call("list", catalog, "--all")
    assert "flux2-klein-4b" in lines(every)["big"]
    assert "more for other models" not in every


def test_an_import_names_what_is_new_and_what_cannot_be_used(catalog: Path, tmp_path: Path) -> None:
    settings = tmp_path / "small.toml"
    own = catalog.with_suffix(".toml").read_text()
    for name in ("3d", "scenes", "presets.json"):
        own = own.replace(f'= "{name}"', f'= "{catalog.parent / name}"')
    settings.write_text(own)
    code, output = call("import", catalog, "--settings", settings)
    assert code == 1
    assert [line for line in output.splitlines() if line.startswith("new: ")] == [
        f"new: {label}" for label in ("loud", "silent", "absent", "wrong", "claims", "big")
    ]
    assert "LoRA 'claims': big.safetensors was made for flux2-klein-4b" in output
    code, output = call("import", catalog.parent / "presets.json", catalog, "--settings", settings)
    assert code == 1, "the settings' own list may be named"
    assert "6 were already" in " ".join(output.split())


def test_a_list_that_no_run_reads_is_not_imported_and_nothing_is_gone_over_it(catalog: Path) -> None:
    call("import", catalog)
    other = catalog.parent / "short.json"
    entry = {"label": "new", "base_architecture": OWN, "path": "loud.safetensors"}
    other.write_text(json.dumps({"loras": [entry]}))
    code, output = call("import", other, catalog)
    assert code == 2
    for words in ("short.json is not the list", "presets.json; add its entries there", "(paths.loras)"):
        assert words in output
    known = Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}").presets.latest("small")
    assert "loud" in known and "new" not in known
    assert not any(one.gone for one in known.values())


def test_a_lora_that_does_something_is_told_from_one_that_does_nothing(catalog: Path) -> None:
    code, output = call("check", catalog, "loud", "silent")
    assert code == 1
    loud, silent = output.splitlines()[-2:]
    assert loud.startswith("LoRA 'loud' works: at strength 0.7 the picture of MUG/table/front changes by ")
    assert "without its trigger words by" in loud
    assert silent.startswith(
        "LoRA 'silent' DOES NOTHING (least: 0.5): at strength 0.8 the picture of CAN/shelf"
    )
    assert "changes by 0.00 (mean CIEDE2000), 0% of it visibly. " in silent, "its own guidance is no effect"
    seen = Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}").presets.effects("small")
    effect = seen["loud"].effect
    assert (effect.works, seen["silent"].effect.works, seen["silent"].effect.untriggered) == (
        True,
        False,
        None,
    )
    assert effect.difference > 0.5 and 0 < effect.changed <= 1
    assert effect.untriggered is not None and effect.words_alone is not None
    assert effect.prompt == "beige mug. very loud"
    folder = Path(effect.folder)
    off, on, pair = (cv2.imread(str(folder / f"{name}.png")) for name in ("off", "on", "pair"))
    assert off is not None and on is not None and pair is not None
    assert pair.shape[0] == 2 * off.shape[0] and pair.shape[1] == 2 * off.shape[1]
    assert (pair[: off.shape[0], off.shape[1] :] == on).all() and (off != on).any()
    assert json.loads((folder / "measures.json").read_text())["difference"] == effect.difference
    listed = lines(call("list", catalog)[1])
    assert f"{effect.difference:.2f}, 20" in listed["loud"]
    assert "none (0.00), 20" in listed["silent"]


def test_a_product_that_cannot_be_drawn_makes_way_for_the_next(catalog: Path) -> None:
    broken = catalog.parent / "3d" / "broken.glb"
    broken.write_bytes(b"glTF but not really")
    damaged = catalog.with_name("damaged.csv")
    head, *rows = catalog.read_text().splitlines()
    # the row reads, whether it is to get the LoRA or not
    bad = ("BAD,a broken box,broken.glb,table:front,,,", "BOX,another box,broken.glb,table:front,,loud,")
    settings = catalog.with_suffix(".toml")
    damaged.write_text("\n".join((head, *bad, *rows)) + "\n")
    code, output = call("check", "loud", "silent", damaged, "--settings", settings)
    assert "the picture of MUG/table/front changes by" in output
    assert "the picture of CAN/shelf/front changes by" in output
    assert code == 1, "silent does nothing"
    damaged.write_text("\n".join((head, *bad)) + "\n")
    code, output = call("check", "loud", damaged, "--settings", settings)
    assert code == 2
    assert "None of 2 products of" in output and "can be drawn. The last one: " in output


def test_a_preset_that_cannot_be_used_is_no_success(catalog: Path) -> None:
    code, output = call("check", "absent", catalog)
    assert code == 1
    assert "LoRA 'absent': its file" in output
    code, output = call("check", "nobody", catalog)
    assert code == 2
    assert "LoRA 'nobody' is not in" in output


def test_two_catalogs_are_one_too_many(catalog: Path) -> None:
    code, output = call("check", catalog, "other.csv")
    assert code == 2
    assert "Give one catalogue" in output
