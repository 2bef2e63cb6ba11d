"""The command line: exit codes and sentences."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from tests.flows.house import build_house

SHELL = CliRunner()


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return build_house(tmp_path)


def test_help_imports_nothing_heavy() -> None:
    heavy = "('torch', 'prefect', 'pandas', 'diffusers', 'numpy', 'cv2', 'sqlalchemy', 'scipy')"
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom packline.cli.main import app\n"
        f"assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('tenant = "test"\n', "", "key run.tenant is absent; add it."),
        ("chunk = 2", "chunk = 2\nshunk = 3", "key run.shunk is unknown; remove it or mend its spelling."),
        ("chunk = 2", "chunk = 0", "key run.chunk is wrong: Input should be greater than or equal to 1."),
        ('"flux2-klein-embedded"', '"flux9"', "engine.architecture is wrong: 'flux9' is unknown; known are"),
        ('model = "no weights"', 'model = "none"', "engine.model"),
        ("[checks.scene_kept]", "[checks.scene_kapt]", "[checks.scene_kapt] names no check"),
        ('url = "ledger.db"', 'url = "small.csv/ledger.db"', "ledger.url"),
        ('scenes = "scenes"', 'scenes = "stages"', "paths.scenes"),
        ('loras = "presets.json"', 'loras = "no.json"', "paths.loras"),
    ],
)
def test_wrong_settings_end_a_run_with_code_2_and_the_key(
    catalog: Path, old: str, new: str, sentence: str
) -> None:
    file = catalog.with_suffix(".toml")
    assert file.read_text().count(old) == 1
    file.write_text(file.read_text().replace(old, new))
    result = SHELL.invoke(app, ["run", str(catalog)])
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert not list((catalog.parent).rglob("*.png.part"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.csv", None, "gone.toml is missing; every catalog needs one beside it."),
        ("small.csv", "", "is empty; its first line names the columns."),
        ("small.csv", "sku,title\nA,b\n", "has no column model, scenes"),
        ("small.csv", "sku,title,model,scenes\n", "has no rows; add a product."),
    ],
)
def test_a_catalogue_that_cannot_be_read_ends_a_run_with_code_2(
    catalog: Path, name: str, content: str | None, sentence: str
) -> None:
    file = catalog.with_name(name)
    if content is not None:
        file.write_text(content)
    result = SHELL.invoke(app, ["run", str(file)])
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_flags_of_a_catalogue_that_was_never_run_say_so(catalog: Path) -> None:
    result = SHELL.invoke(app, ["flags", str(catalog)])
    assert result.exit_code == 2
    assert f"Catalogue small was never run; call packline run {catalog} first." in result.stderr


def test_models_are_listed_with_their_licences() -> None:
    result = SHELL.invoke(app, ["models", "list"])
    assert result.exit_code == 0
    assert "flux2-klein-4b" in result.output
    assert "Apache-2.0" in result.output
    models, weights = result.output.split("Their weights")
    lines = {line.split()[0]: line for line in models.splitlines() if line.strip()}
    assert lines["flux2-dev"].rstrip().endswith("NON-COMMERCIAL")
    assert "NON-COMMERCIAL" not in lines["flux2-klein-4b"]
    assert "assets/models/editor" in weights
    assert "not here; hf download black-forest-labs/FLUX.2-dev" in weights
    assert (
        "NON-COMMERCIAL: pictures of flux2-klein-9b, flux2-klein-9b-kv, flux2-dev, flux1-kontext must"
        in weights
    )


def test_a_model_that_cannot_be_drawn_ends_render_with_a_sentence(tmp_path: Path) -> None:
    result = SHELL.invoke(app, ["render", str(tmp_path / "no.glb"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "no.glb" in result.stderr


def test_serving_on_a_port_in_use_says_so(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = SHELL.invoke(app, ["serve", "--port", str(port), "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert f"Port {port} on 127.0.0.1 is in use" in result.stderr
