"""`packline ledger`: status and upgrade."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from packline.ledger.migrations import revisions
from tests.flows.house import build_house
from tests.test_ledger_migrations import lay_old

SHELL = CliRunner()


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return build_house(tmp_path)


def said(*command: str | Path) -> str:
    result = SHELL.invoke(app, ["ledger", *map(str, command)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_old_ledger_is_looked_at_as_it_is_and_upgraded_by_command(catalog: Path) -> None:
    url = f"sqlite:///{catalog.parent}/ledger.db"
    lay_old(url, 2)
    newest = revisions()[-1]
    waits = f"schema before the first revision; whoever opens it next brings it to {newest}"
    assert waits in said("status", catalog)
    assert waits in said("status", catalog), "looking changed nothing"
    assert f"brought from before the first revision to {newest}" in said("upgrade", catalog, "--url", url)
    assert f"at schema {newest} already" in said("upgrade", catalog)
    status = said("status", catalog)
    assert f"schema {newest}" in status
    assert "completed with flags" in status
    assert "Nobody is at work." in status


def test_a_ledger_that_is_not_there_is_not_made_by_asking(catalog: Path) -> None:
    result = SHELL.invoke(app, ["ledger", "status", str(catalog)])
    assert result.exit_code == 2
    assert "does not exist yet; its first run lays it." in result.stderr
    assert not (catalog.parent / "ledger.db").exists()
