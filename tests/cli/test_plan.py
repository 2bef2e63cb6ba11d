"""`packline plan`: for each shot what and why, and what it would cost; nothing is written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from packline.ledger import Ledger
from tests.flows.conftest import TruthEngine
from tests.flows.house import ROWS, build_house, write_rows

SHELL = CliRunner()
KEYS = ["MUG/table/front", "CAN/table/front", "CAN/shelf/front"]


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("packline.line.line.open_engine", lambda settings, presets: TruthEngine())
    catalog = build_house(tmp_path)
    settings = catalog.with_suffix(".toml")
    settings.write_text(settings.read_text().replace("batch = 2", "batch = 2\nprice = 0.25"))
    return catalog


def plan(catalog: Path, *options: str) -> tuple[str, str]:
    result = SHELL.invoke(app, ["plan", str(catalog), *options])
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_each_shot_is_named_with_what_and_why_and_then_the_sum_and_its_cost(catalog: Path) -> None:
    write_rows(catalog, (*ROWS, "HAT,,can-volta.glb,table,,,"))
    text, _ = plan(catalog)
    lines = text.splitlines()
    assert [line.split() for line in lines[:3]] == [[key, "make", "new"] for key in KEYS]
    assert "Row 3, SKU HAT: title is empty; the prompt needs the product's words." in lines
    assert "small: 3 of 3 shots to do, 1 row that cannot be used." in lines
    assert lines[-1] == "That is 3 to 6 candidates, $0.75 to $1.50."
    assert Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}").latest_run("small") is None


def test_machines_get_json_lines_or_csv_and_people_the_sum_beside_it(catalog: Path) -> None:
    lines, aside = plan(catalog, "--form", "json")
    found = [json.loads(line) for line in lines.splitlines()]
    assert found[0] == {"shot": KEYS[0], "row": 1, "work": "make", "why": "new", "first": 0}
    assert [one["shot"] for one in found] == KEYS
    assert "3 of 3 shots to do" in aside
    table, _ = plan(catalog, "--form", "csv")
    assert [row["shot"] for row in csv.DictReader(io.StringIO(table))] == KEYS


def test_only_some_products_may_be_asked_for(catalog: Path) -> None:
    lines, _ = plan(catalog, "--form", "json", "--only", "CAN")
    assert [json.loads(line)["shot"] for line in lines.splitlines()] == KEYS[1:]


def test_an_unknown_form_is_refused_with_those_that_there_are(catalog: Path) -> None:
    result = SHELL.invoke(app, ["plan", str(catalog), "--form", "xml"])
    assert result.exit_code == 2
    assert "choose one of text, json, csv" in result.stderr
