"""A fingerprint changes with everything that determines a picture, and with nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from packline.catalog import read_catalog
from packline.fingerprint import digest, file_digest
from packline.ledger import Ledger
from packline.plan import Planner, plan_shots
from packline.records import PlannedShot, Work
from packline.settings import Settings, load_settings
from packline.shots import key_of, number_of, place_of
from packline.stage.files import model_digest, model_files
from tests.parts import HEADER, make_folder, make_lora, make_scene, new_run

ROWS = "A1,red shoe,shoe.glb,table;shelf,E LOVE = top to bottom,warm,\nB1,plain bottle,bottle.glb,table,,,\n"
ENGINE = {"weights_sha256": "w" * 64, "steps": 4}

Change = Callable[[Path], None]


def plan(
    folder: Path, engine: dict[str, Any] | None = None, checks: str = "checks-1"
) -> dict[str, PlannedShot]:
    settings = load_settings(folder / "demo.toml")
    catalog = read_catalog(folder / "demo.csv", settings)
    assert catalog.errors == ()
    return {shot.shot.key: shot for shot in plan_shots(catalog, settings, engine or ENGINE, checks)}


def changed(before: dict[str, PlannedShot], after: dict[str, PlannedShot]) -> dict[str, list[str]]:
    """Names of the parts that changed, by the key of each shot whose fingerprint did."""
    return {
        key: sorted(
            name
            for name in {**shot.parts, **before[key].parts}
            if shot.parts.get(name) != before[key].parts.get(name)
        )
        for key, shot in after.items()
        if shot.fingerprint != before[key].fingerprint
    }


def in_rows(old: str, new: str) -> Change:
    return lambda folder: (folder / "demo.csv").write_text(f"{HEADER}\n{ROWS.replace(old, new)}") and None


def in_settings(old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / "demo.toml").read_text()
        assert old in text
        (folder / "demo.toml").write_text(text.replace(old, new))

    return change


def append_to(name: str, data: bytes = b"\n") -> Change:
    def change(folder: Path) -> None:
        with (folder / name).open("ab") as stream:
            stream.write(data)

    return change


def new_photo(folder: Path) -> None:
    (folder / "scenes" / "shelf.jpg").write_bytes((folder / "scenes" / "shelf.jpg").read_bytes() + b"\0")


def new_preset_strength(folder: Path) -> None:
    file = folder / "loras" / "presets.json"
    data = json.loads(file.read_text())
    data["loras"][0]["settings"] = {"strength": 0.4}
    file.write_text(json.dumps(data))


SHOE = ["A1/table/hero", "A1/shelf/hero"]
EVERY = [*SHOE, "B1/table/hero"]


@pytest.mark.parametrize(
    ("change", "shots", "part"),
    [
        (in_rows("red shoe", "blue shoe"), SHOE, "the title"),
        (in_rows("= top to bottom", "= left to right"), SHOE, "the declared label directions"),
        (append_to("3d/shoe.glb"), SHOE, "the 3D model"),
        (append_to("3d/shoe.truth.json"), SHOE, "the 3D model"),
        (append_to("scenes/shelf.json"), ["A1/shelf/hero"], "the scene"),
        (new_photo, ["A1/shelf/hero"], "the scene"),
        (lambda folder: make_lora(folder / "loras" / "warm.safetensors", 1.0), SHOE, "the LoRA"),
        (new_preset_strength, SHOE, "the LoRA's strength"),
        (in_rows("warm,", "warm,0.5"), SHOE, "the LoRA's strength"),
        (in_settings("put the {title}", "place the {title}"), EVERY, "the prompt"),
        (
            in_settings("[bucket]", '[prompts.shelf]\ntemplate = "{title}"\nscene = "shelf"\n[bucket]'),
            ["A1/shelf/hero"],
            "the prompt",
        ),
        (in_settings("size = 256", "size = 512"), EVERY, "the run's settings"),
        (in_settings('work = "work"', 'work = "work"\nseed = 9'), EVERY, "the run's settings"),
        (in_settings('model = "weights"', 'model = "weights"\nrefine = "off"'), EVERY, "the run's settings"),
        # how many candidates a shot may have changes none of them
        (in_settings("wave = 2", "wave = 3"), [], ""),
        (in_settings('tenant = "acme"', 'tenant = "other"'), EVERY, "the catalog's name"),
        (in_settings('name = "demo"', 'name = "other"'), EVERY, "the catalog's name"),
    ],
)
def test_a_change_reaches_the_shots_that_it_determines_and_no_other(
    tmp_path: Path, change: Change, shots: list[str], part: str
) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    assert sorted(before) == sorted(EVERY)
    change(tmp_path)
    assert changed(before, plan(tmp_path)) == {key: [part] for key in shots}


def wide(folder: Path, variant: str = "", truth: str = "") -> dict[str, PlannedShot]:
    """The plan of the same rows with the columns that few catalogs have."""
    first, second = ROWS.splitlines()
    (folder / "demo.csv").write_text(f"{HEADER},variant,truth\n{first},{variant},{truth}\n{second},,\n")
    return plan(folder)


def test_columns_that_are_empty_change_no_fingerprint(tmp_path: Path) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    assert changed(before, wide(tmp_path)) == {}


def test_another_material_variant_makes_its_products_shots_anew(tmp_path: Path) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    beach, street = wide(tmp_path, "Beach"), wide(tmp_path, "Street")
    expected = {key: ["the material variant"] for key in SHOE}
    assert changed(before, beach) == changed(beach, street) == changed(street, before) == expected


def test_a_truth_file_stands_in_for_the_sidecar_and_its_bytes_count(tmp_path: Path) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    (tmp_path / "3d" / "other.json").write_text((tmp_path / "3d" / "shoe.truth.json").read_text())
    first = wide(tmp_path, truth="other.json")
    expected = {key: ["the 3D model"] for key in SHOE}
    assert changed(before, first) == expected
    append_to("3d/shoe.truth.json")(tmp_path)
    assert changed(first, wide(tmp_path, truth="other.json")) == {}
    append_to("3d/other.json")(tmp_path)
    assert changed(first, wide(tmp_path, truth="other.json")) == expected


def test_a_lora_that_is_taken_away_is_a_change_too(tmp_path: Path) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    in_rows("warm,", ",")(tmp_path)
    assert changed(before, plan(tmp_path)) == {key: ["the LoRA", "the LoRA's strength"] for key in SHOE}


def test_further_pictures_have_fingerprints_of_their_own_and_the_first_keeps_its(tmp_path: Path) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    head, *rows = (tmp_path / "demo.csv").read_text().splitlines()
    for said in ("", "1", "3"):
        text = "\n".join([f"{head},pictures", *(f"{row},{said}" for row in rows)])
        (tmp_path / "demo.csv").write_text(f"{text}\n")
        after = plan(tmp_path)
        numbers = range(2, int(said or 1) + 1)
        assert list(after) == [
            one for key in before for one in (key, *(f"{key}~{number}" for number in numbers))
        ]
        assert {key: after[key].fingerprint for key in before} == {
            key: shot.fingerprint for key, shot in before.items()
        }
        assert len({shot.fingerprint for shot in after.values()}) == len(after)
    # of the fingerprint of a first picture nothing was changed: this is how it was before there were others
    shot = before["B1/table/hero"]
    assert shot.fingerprint == digest({**shot.parts, "shot": "B1/table/hero"})


@pytest.mark.parametrize("sku", ["A1", "A/1", "A~2", "A/b/hero~2"])
@pytest.mark.parametrize("scene", ["table", "ta~3ble~2"])
def test_a_key_says_which_picture_it_is_whatever_its_names_hold(sku: str, scene: str) -> None:
    keys = [key_of(sku, scene, "three-quarter", number) for number in range(1, 10)]
    assert keys[:2] == [f"{sku}/{scene}/three-quarter", f"{sku}/{scene}/three-quarter~2"]
    assert [place_of(key) for key in keys] == [
        (sku, scene, "three-quarter", number) for number in range(1, 10)
    ]
    assert {key.rsplit("/", 2)[0] for key in keys} == {sku}
    for number, key in enumerate(keys, 1):
        assert set(place_of(key).siblings) == {one for one in keys if one != key}
        assert number_of(key) == number
    # keys stand in addresses as they are
    assert quote(keys[1].rsplit("/")[-1], safe="") == "three-quarter~2"
    assert number_of(f"{sku}/row 3") == 1


def test_a_stack_has_its_own_fingerprint_and_one_lora_that_of_before_there_were_stacks(
    tmp_path: Path,
) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    make_lora(tmp_path / "loras" / "noir.safetensors", 1.0)
    file = tmp_path / "loras" / "presets.json"
    (warm,) = json.loads(file.read_text())["loras"]
    noir = {**warm, "label": "noir", "path": "noir.safetensors", "settings": {"strength": 0.6}}
    file.write_text(json.dumps({"loras": [warm, noir]}))
    assert changed(before, plan(tmp_path)) == {}, "another preset is nobody's business"
    sha = file_digest(tmp_path / "loras" / warm["path"])
    old = digest("warm", sha, warm.get("prompt", ""), warm.get("negative_prompt", ""))
    assert before[SHOE[0]].parts["the LoRA"] == old, "as it was before there were stacks"

    def stacked(lora: str, strength: str = "") -> dict[str, PlannedShot]:
        in_rows("warm,", f"{lora},{strength}")(tmp_path)
        return plan(tmp_path)

    both = stacked("warm + noir")
    named, strong = "the LoRA", "the LoRA's strength"
    assert changed(before, both) == {key: [named, strong] for key in SHOE}
    assert changed(both, stacked("noir + warm")) == {key: [named, strong] for key in SHOE}
    assert changed(both, stacked("warm + noir", "+ 0.6")) == {}, "the preset's own strength"
    assert changed(both, stacked("warm + noir", "+ 0.7")) == {key: [strong] for key in SHOE}


def test_a_rows_digest_follows_each_file_of_its_stack(tmp_path: Path) -> None:
    settings = make_folder(tmp_path, ROWS)
    file = tmp_path / "loras" / "presets.json"
    (warm,) = json.loads(file.read_text())["loras"]
    make_lora(tmp_path / "loras" / "noir.safetensors")
    file.write_text(json.dumps({"loras": [warm, {**warm, "label": "noir", "path": "noir.safetensors"}]}))
    fields = ("A1", "red shoe", "shoe.glb", "table", "", "warm + noir", "0.5", "", "", "")

    def row() -> int | None:
        return Planner(settings, ENGINE, "checks-1").row_digest(fields)

    before = row()
    assert before is not None and before == row()
    make_lora(tmp_path / "loras" / "noir.safetensors", 1.0)
    after = row()
    assert after is not None and after != before
    (tmp_path / "loras" / "noir.safetensors").unlink()
    assert row() is None, "such a row is read in full, which says what is missing"


@pytest.mark.parametrize(
    "change",
    [
        in_settings('work = "work"', 'work = "elsewhere"\nchunk = 3\nenvironment = "prod"'),
        in_settings('model = "weights"', 'model = "weights"\nbatch = 2\nprice = 0.5'),
        in_settings('url = "bucket"', 'url = "another"'),
        in_settings('url = "ledger.db"', 'url = "other.db"'),
        in_rows("B1,plain bottle,bottle.glb,table,,,\n", ""),
        lambda folder: make_scene(folder / "scenes" / "unused.json"),
        lambda folder: (folder / "3d" / "shoe.glb").touch(),
    ],
)
def test_what_determines_no_pixel_changes_no_fingerprint(tmp_path: Path, change: Change) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    change(tmp_path)
    assert changed(before, plan(tmp_path)) == {}


def test_a_row_that_moves_within_the_catalog_changes_no_fingerprint(tmp_path: Path) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    first, second = ROWS.splitlines()
    (tmp_path / "demo.csv").write_text(f"{HEADER}\n{second}\n{first}\n")
    assert changed(before, plan(tmp_path)) == {}


def test_a_folder_that_moves_changes_no_fingerprint(tmp_path: Path) -> None:
    make_folder(tmp_path / "here", ROWS)
    before = plan(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert changed(before, plan(tmp_path / "there")) == {}


def test_an_engines_facts_change_every_fingerprint_and_checks_change_none(tmp_path: Path) -> None:
    make_folder(tmp_path, ROWS)
    before = plan(tmp_path)
    assert changed(before, plan(tmp_path, {**ENGINE, "steps": 8})) == {key: ["the engine"] for key in EVERY}
    after = plan(tmp_path, checks="checks-2")
    assert changed(before, after) == {}
    assert {shot.checks for shot in after.values()} == {"checks-2"}


def test_no_two_shots_share_a_fingerprint(tmp_path: Path) -> None:
    make_folder(tmp_path, "A1,shoe,shoe.glb,table:left;table:right,,,\nA2,shoe,shoe.glb,table:left,,,\n")
    assert len({shot.fingerprint for shot in plan(tmp_path).values()}) == 3


def test_the_second_plan_owes_nothing_and_a_new_texture_is_named(tmp_path: Path) -> None:
    settings: Settings = make_folder(tmp_path, ROWS)
    ledger = Ledger(settings.ledger.url)
    run = new_run(ledger)
    for shot in ledger.plan(run, list(plan(tmp_path).values())):
        ledger.flag(run, shot.shot.key, shot.fingerprint, shot.checks, "text", "unreadable")
    again = ledger.plan(new_run(ledger), list(plan(tmp_path).values()))
    assert {shot.work for shot in again} == {Work.NOTHING}
    append_to("3d/bottle.glb")(tmp_path)
    after = ledger.plan(new_run(ledger), list(plan(tmp_path).values()))
    assert [(shot.shot.key, shot.why) for shot in after if shot.work == Work.MAKE] == [
        ("B1/table/hero", "the 3D model changed")
    ]


# a model's files


def test_an_obj_brings_its_materials_and_their_textures(tmp_path: Path) -> None:
    (tmp_path / "shoe.obj").write_text("mtllib my shoe.mtl\nv 0 0 0\n")
    (tmp_path / "my shoe.mtl").write_text("newmtl a\nmap_Kd -s 1 1 1 tex/red side.PNG\nmap_Bump gone.png\n")
    (tmp_path / "tex").mkdir()
    (tmp_path / "tex" / "red side.PNG").write_bytes(b"p")
    (tmp_path / "other.png").write_bytes(b"p")
    found = [file.relative_to(tmp_path).as_posix() for file in model_files(tmp_path / "shoe.obj")]
    assert sorted(found) == ["my shoe.mtl", "shoe.obj", "tex/red side.PNG"]


def test_a_gltf_brings_its_buffers_and_textures_with_escaped_names(tmp_path: Path) -> None:
    data: dict[str, Any] = {"asset": {"version": "2.0"}, "buffers": [{"uri": "shoe.bin"}]}
    data |= {"images": [{"uri": "a%20b.png"}, {"uri": "gone.jpg"}]}
    (tmp_path / "shoe.gltf").write_text(json.dumps(data))
    for name in ("shoe.bin", "a b.png", "shoe.truth.json"):
        (tmp_path / name).write_bytes(b"{}")
    found = [file.name for file in model_files(tmp_path / "shoe.gltf")]
    assert found == ["a b.png", "shoe.bin", "shoe.gltf", "shoe.truth.json"]


def test_a_binary_model_brings_what_it_names_by_another_machines_path(tmp_path: Path) -> None:
    named = (
        b"Kaydara FBX Binary\x00\x1a\x00\xff\xfe\x13S\x20\x00\x00\x00C:\\Users\\me\\my maps\\red.tga\x00\x01"
    )
    (tmp_path / "shoe.fbx").write_bytes(named + bytes(range(256)))
    (tmp_path / "red.tga").write_bytes(b"p")
    assert model_files(tmp_path / "shoe.fbx") == [tmp_path / "red.tga", tmp_path / "shoe.fbx"]


@pytest.mark.parametrize("place", ["maps", "shoe.fbm", "textures", "my maps"])
def test_a_binary_models_textures_are_found_in_the_folders_where_loaders_look(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "shoe.fbx").write_bytes(b"\0C:\\me\\my maps\\red.tga\0\0maps/blue.jpg\0")
    (tmp_path / place).mkdir()
    name = "blue.jpg" if place == "maps" else "red.tga"
    (tmp_path / place / name).write_bytes(b"p")
    assert set(model_files(tmp_path / "shoe.fbx")) == {tmp_path / "shoe.fbx", tmp_path / place / name}


def test_a_changed_texture_changes_its_models_digest_and_no_other(tmp_path: Path) -> None:
    for name in ("shoe", "hat"):
        data = {"asset": {"version": "2.0"}, "images": [{"uri": f"{name}.png"}]}
        (tmp_path / f"{name}.gltf").write_text(json.dumps(data))
        (tmp_path / f"{name}.png").write_bytes(b"old")
    before = model_digest(tmp_path / "shoe.gltf"), model_digest(tmp_path / "hat.gltf")
    (tmp_path / "shoe.png").write_bytes(b"newer")
    after = model_digest(tmp_path / "shoe.gltf"), model_digest(tmp_path / "hat.gltf")
    assert (before[0] != after[0], before[1] == after[1]) == (True, True)


def test_a_long_run_of_numbers_is_searched_for_names_in_no_time(tmp_path: Path) -> None:
    (tmp_path / "big.fbx").write_bytes(b"0.123,0.456," * 1_000_000)
    assert model_files(tmp_path / "big.fbx") == [tmp_path / "big.fbx"]
