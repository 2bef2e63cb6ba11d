"""A settings file is read whole or refused with a sentence for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from packline.editing.architectures import ARCHITECTURES
from packline.editing.prompts import recipe_for
from packline.errors import FixSettings
from packline.settings import load_settings
from tests.parts import SETTINGS, make_folder


def test_paths_become_absolute_from_the_settings_file_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path)
    (tmp_path / "weights").mkdir()
    text = SETTINGS.replace('"weights"', '"./weights"').replace('"work"', '"../work"')
    (tmp_path / "demo.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("demo.toml"))
    assert settings.run.work == tmp_path.parent / "work"
    assert settings.paths.models == tmp_path / "3d"
    assert settings.paths.scenes == tmp_path / "scenes"
    assert settings.paths.loras == tmp_path / "loras" / "presets.json"
    assert settings.engine.model == str(tmp_path / "weights")
    assert settings.bucket.url == str(tmp_path / "bucket")
    assert settings.ledger.url == f"sqlite:///{tmp_path}/ledger.db"
    assert settings.file == tmp_path / "demo.toml"


@pytest.mark.parametrize("written", ["weights", "weights/small", "../owner/name"])
def test_a_folder_of_weights_is_found_beside_the_settings_file_slash_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    home = tmp_path / "catalog"
    make_folder(home)
    (home / written).mkdir(parents=True, exist_ok=True)
    text = SETTINGS.replace('model = "weights"', f'model = "{written}"\nrest = "{written}"')
    (home / "demo.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    engine = load_settings(home / "demo.toml").engine
    assert (engine.model, engine.rest) == (str((home / written).resolve()),) * 2


@pytest.mark.parametrize("name", ["gpt2", "owner/name", "owner/name@main"])
def test_a_hub_name_stays_one_where_no_such_folder_lies_beside_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    home = tmp_path / "catalog"
    make_folder(home)
    (home / "demo.toml").write_text(SETTINGS.replace('"weights"', f'"{name}"'))
    # one in the folder that the command was given in does not count
    (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert load_settings(home / "demo.toml").engine.model == name


def test_urls_and_hub_names_stay_as_they_are(tmp_path: Path) -> None:
    text = SETTINGS.replace('"weights"', '"black-forest-labs/FLUX.2-klein-4B"')
    text = text.replace('"bucket"', '"s3://shop/x"').replace('"ledger.db"', '"postgresql://db/ledger"')
    (tmp_path / "demo.toml").write_text(text)
    settings = load_settings(tmp_path / "demo.toml")
    assert settings.engine.model == "black-forest-labs/FLUX.2-klein-4B"
    assert settings.bucket.url == "s3://shop/x"
    assert settings.ledger.url == "postgresql://db/ledger"


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    file = tmp_path / "demo.toml"
    file.write_text(SETTINGS.replace("size = 256\n", "").replace("[candidates]\nwave = 2\nwaves = 3\n", ""))
    settings = load_settings(file)
    assert (settings.run.size, settings.run.environment, settings.run.chunk) == (1024, "dev", 8)
    assert (settings.candidates.wave, settings.candidates.waves, settings.candidates.enough) == (
        "adaptive",
        4,
        1,
    )
    assert (settings.engine.refine, settings.engine.device, settings.checks) == ("product", "auto", {})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_two_lines_are_enough_for_another_model(tmp_path: Path, name: str) -> None:
    file = tmp_path / "demo.toml"
    known = ARCHITECTURES[name]
    spare = f'[engines.spare]\narchitecture = "{name}"\nmodel = "m"\n'
    file.write_text(
        SETTINGS.replace("flux2-klein-embedded", name).replace("[candidates]", f"{spare}[candidates]")
    )
    settings = load_settings(file)
    for engine in (settings.engine, settings.engines["spare"]):
        own = (engine.size, engine.steps, engine.guidance, engine.dtype)
        assert own == (known.size, known.steps, known.guidance, known.dtype)
        assert engine.name == (known.engine or name)
        low, high = known.sizes
        assert low <= engine.size <= high
    more = 'model = "weights"\nname = "mine"\nsize = 512\nsteps = 7\nguidance = 2.5\ndtype = "float16"'
    file.write_text(file.read_text().replace('model = "weights"', more))
    engine = load_settings(file).engine
    own = (engine.name, engine.size, engine.steps, engine.guidance, engine.dtype)
    assert own == ("mine", 512, 7, 2.5, "float16")


def test_the_demo_swaps_its_model_by_two_lines(tmp_path: Path) -> None:
    demo = Path(__file__).parents[1] / "catalogs" / "demo.toml"
    engine = load_settings(demo).engine
    assert (engine.name, engine.size, engine.steps, engine.guidance, engine.dtype) == (
        "embedded", 256, 2, 1.0, "float32",
    )  # fmt: skip
    text = demo.read_text()
    swaps = {'"flux2-klein-embedded"': '"sdxl"', '"../assets/models/editor"': '"maker/sdxl"'}
    for old, new in swaps.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "demo.toml").write_text(text)
    settings = load_settings(tmp_path / "demo.toml")
    engine = settings.engine
    assert (engine.name, engine.size, engine.steps, engine.guidance, engine.dtype) == (
        "sdxl", 1024, 30, 5.0, "bfloat16",
    )  # fmt: skip
    assert recipe_for(settings, "SHOE-1", "table").template == ARCHITECTURES["sdxl"].template


def test_settings_cannot_be_changed_once_read(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    with pytest.raises(ValidationError):
        settings.run.size = 512  # type: ignore[misc]


def said_of(file: Path) -> str:
    with pytest.raises(FixSettings) as caught:
        load_settings(file)
    return str(caught.value)


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "demo.toml"
    assert said_of(file) == f"Settings file {file} is missing; every catalog needs one beside it."


@pytest.mark.parametrize("data", [b"[run\n", b"\xff\xfe"])
def test_a_file_that_is_no_toml_gets_a_sentence(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "demo.toml"
    file.write_bytes(data)
    said = said_of(file)
    assert said.startswith(f"Settings file {file} is not valid TOML: ")
    assert said.count("\n") == 0


REQUIRED = [
    "run.name",
    "run.tenant",
    "run.work",
    "paths.models",
    "paths.scenes",
    "paths.loras",
    "engine.architecture",
    "engine.model",
    "bucket.url",
    "ledger.url",
]


@pytest.mark.parametrize("key", REQUIRED)
def test_an_absent_key_is_named(tmp_path: Path, key: str) -> None:
    table, name = key.split(".")
    head, section, rest = SETTINGS.partition(f"[{table}]\n")
    first = next(n for n, line in enumerate(rest.splitlines()) if line.startswith(f"{name} ="))
    lines = [line for n, line in enumerate(rest.splitlines()) if n != first]
    file = tmp_path / "demo.toml"
    file.write_text(head + section + "\n".join(lines))
    assert said_of(file) == f"Settings file {file}: key {key} is absent; add it."


@pytest.mark.parametrize("table", ["run", "paths", "engine", "bucket", "ledger"])
def test_an_absent_table_is_named(tmp_path: Path, table: str) -> None:
    file = tmp_path / "demo.toml"
    file.write_text(SETTINGS.replace(f"[{table}]\n", "[unknown]\n"))
    assert said_of(file) == (
        f"Settings file {file}: key {table} is absent; add it. "
        f"Settings file {file}: key unknown is unknown; remove it or mend its spelling."
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("size = 256", "sise = 256", "key run.sise is unknown; remove it or mend its spelling."),
        ("size = 256", "size = 8", "key run.size is wrong: Input should be greater than or equal to 256."),
        (
            "size = 256",
            'environment = "live"',
            "key run.environment is wrong: Input should be 'dev', 'staging' or 'prod'.",
        ),
        (
            '"acme"',
            '"Acme Inc"',
            "key run.tenant is wrong: String should match pattern '^[a-z0-9][a-z0-9-]*$'.",
        ),
        (
            "[bucket]",
            "[formats.zoom]\nquality = 9\n[bucket]",
            "key formats.zoom is wrong: a PNG is lossless; leave quality out.",
        ),
        (
            "[bucket]",
            "[formats.zoom]\nlongest = 90\nwidth = 80\n[bucket]",
            "key formats.zoom is wrong: give longest, or width and height.",
        ),
        (
            "[bucket]",
            '[formats.zoom]\ncrop = "fill"\nwidth = 80\n[bucket]',
            'key formats.zoom is wrong: crop = "fill" needs width and height.',
        ),
        (
            "[bucket]",
            '[formats.zoom]\ncrop = "square"\nwidth = 80\nheight = 90\n[bucket]',
            'key formats.zoom is wrong: crop = "square" needs a width that is the height.',
        ),
        (
            "[bucket]",
            "[formats.zoom]\nmargin = 0.2\n[bucket]",
            'key formats.zoom is wrong: margin is for crop = "product" and "square".',
        ),
        (
            "[bucket]",
            '[formats.zoom]\nbackground = "white"\n[bucket]',
            "key formats.zoom.background is wrong: String should match pattern '^#[0-9a-fA-F]{6}$'.",
        ),
        (
            "[bucket]",
            "[formats]\n[bucket]",
            "key formats is wrong: Dictionary should have at least 1 item after validation, not 0.",
        ),
        (
            "[bucket]",
            '[formats."Zoom 2"]\n[bucket]',
            "key formats.Zoom 2.[key] is wrong: String should match pattern '^[a-z0-9][a-z0-9-]*$'.",
        ),
        (
            "wave = 2",
            "wave = 0",
            'key candidates.wave is wrong: give "adaptive" or a whole number from 1 to 64.',
        ),
        (
            'model = "weights"',
            'model = "weights"\nsize = 250',
            "key engine.size is wrong: Input should be a multiple of 16.",
        ),
        (
            '"flux2-klein-embedded"',
            '"flux9"',
            "key engine.architecture is wrong: 'flux9' is unknown; known are "
            f"{', '.join(sorted(ARCHITECTURES))}.",
        ),
    ],
)
def test_a_wrong_key_is_named_with_what_is_right(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    file = tmp_path / "demo.toml"
    file.write_text(SETTINGS.replace(old, new, 1))
    assert said_of(file) == f"Settings file {file}: {sentence}"


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "demo.toml"
    file.write_text(SETTINGS.replace('name = "demo"\n', "").replace("wave = 2", "wafe = 2"))
    said = said_of(file)
    assert "key run.name is absent" in said
    assert "key candidates.wafe is unknown" in said
