"""``packline drift``: a table, a sentence, an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from packline.ledger import Ledger
from packline.line import Order
from packline.records import Judgement
from tests.parts import make_folder, new_run

SHELL = CliRunner()


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    make_folder(tmp_path)
    return tmp_path / "demo.csv"


def drift(catalog: Path, monkeypatch: pytest.MonkeyPatch, *rates: tuple[int, int]) -> tuple[int, str]:
    """The command on candidates of which every so many-th fails, for so many of them."""
    answers = [i % every != 0 for every, count in rates for i in range(count)]
    history = [
        Judgement(f"run-{i // 100}", good, {"text_orientation": "pass" if good else "fail"})
        for i, good in enumerate(answers)
    ]
    ledger = Ledger(Order(catalog).read_settings().ledger.url)
    new_run(ledger)
    monkeypatch.setattr(Ledger, "judgements", lambda self, name, most: history[-most:])
    result = SHELL.invoke(app, ["drift", str(catalog)])
    return result.exit_code, " ".join(result.output.split())


def test_a_steady_line_ends_with_code_0(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = drift(catalog, monkeypatch, (5, 500))
    assert code == 0 and said.endswith("No pass rate has changed.")
    assert "whole scorecard 500 80% 80%" in said and "text orientation 500 80% 80%" in said


def test_a_fall_ends_with_code_1_and_says_since_when(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = drift(catalog, monkeypatch, (5, 400), (2, 200))
    assert code == 1
    assert "The pass rate fell from 80% to 50% over the last" in said
    assert "since run run-4;" in said.replace("run-3", "run-4")
    assert said.endswith("(most of it in text orientation).")


def test_too_few_candidates_are_said_to_be_too_few(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = drift(catalog, monkeypatch, (5, 60))
    assert code == 0
    assert "60 candidates were judged by the present checks; drift can be told from 201 on." in said


def test_a_catalogue_that_was_never_run_is_a_sentence(catalog: Path) -> None:
    result = SHELL.invoke(app, ["drift", str(catalog)])
    assert result.exit_code == 2 and "was never run" in result.stderr
