"""``packline bench checks`` from the outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from tests.cli.small_bench import shrink


def test_a_small_run_prints_the_headline_and_writes_table_and_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.toml"
    shrink(monkeypatch, settings, ("scene_kept",))
    asked = ["bench", "checks", "--split", "calibration", "--takes", "1", "--size", "128", "--workers", "1"]
    result = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "out"), "--settings", str(settings)])
    assert result.exit_code == 0, result.output
    assert "plain defects escaped" in result.output
    folder = tmp_path / "out" / "calibration-128-0"
    assert "| `scene_kept` |" in (folder / "bench.md").read_text()
    assert (folder / "images" / "bench.svg").read_text().startswith("<svg")
    assert not list(tmp_path.glob("docs"))


def test_an_unknown_split_is_a_sentence() -> None:
    result = CliRunner().invoke(app, ["bench", "checks", "--split", "nowhere"])
    assert result.exit_code == 2
    assert "choose calibration or test" in result.output
