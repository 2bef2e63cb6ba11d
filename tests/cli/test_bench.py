"""``packline bench checks`` from the outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from scoring import registry
from scoring.bench import runner


def test_a_small_run_prints_the_headline_and_writes_table_and_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner.run
    monkeypatch.setattr(runner, "run", lambda order, *rest: run(replace(order, good=1, bad=2), *rest))
    monkeypatch.setattr("scoring.bench.nuisances._through_vae", lambda picture: picture.astype("float32"))
    settings = tmp_path / "settings.toml"
    settings.write_text(
        "".join(
            f"[checks.{name}]\nthreshold = {check.defaults['threshold']}\n"
            f"enabled = {str(name == 'scene_kept').lower()}\n"
            for name, check in registry.checks().items()
        )
    )
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
