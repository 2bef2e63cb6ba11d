"""Two runs of one catalogue at once do not harm each other: the second gets a sentence and ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from packline.ledger import Ledger
from packline.line.order import Order
from tasks.opening import line_of
from tests.flows.conftest import TruthEngine


@pytest.mark.usefixtures("prefect_server")
def test_a_second_run_in_prefect_ends_as_occupied(catalog: Path, engine: TruthEngine) -> None:
    from flows.catalog_run import catalog_run

    ledger = Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}")
    run = ledger.begin_run("small", {})
    state = catalog_run(catalog=str(catalog), return_state=True)
    assert (state.type.value, state.name) == ("CANCELLED", "Occupied")
    assert str(state.message).startswith(f"Catalog small: run {run} has been at work on it since ")
    assert engine.made == []
    assert [record.id for record in [ledger.latest_run("small")] if record] == [run]
    ledger.close()
    assert catalog_run(catalog=str(catalog), return_state=True).name == "Completed"


@pytest.mark.usefixtures("prefect_server")
def test_a_run_that_was_taken_over_stops_before_it_concludes_anything(
    catalog: Path, engine: TruthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.catalog_run import catalog_run

    ledger = Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}")
    edit = engine.edit

    def edit_while_the_machine_sleeps(requests: Any, done: Any) -> object:
        # the lease runs out meanwhile, and another machine takes the catalogue
        line_of(Order(catalog)).ledger._heart.stop()
        ledger.begin_run("small", {})
        return edit(requests, done)

    monkeypatch.setattr(engine, "edit", edit_while_the_machine_sleeps)
    state = catalog_run(catalog=str(catalog), return_state=True)
    assert (state.type.value, state.name) == ("CANCELLED", "Occupied")
    assert "another took its catalog over; it stops here" in str(state.message)
    assert [str(shot.state) for shot in ledger.shots("small")] == ["to do"] * 3
    assert len(engine.made) == 2, "the batch in flight is kept, and no more is paid for"
    assert sum(len(shot.candidates) for shot in ledger.shots("small")) == 2
    assert not list((catalog.parent / "bucket").rglob("*.json"))
    ledger.close()


@pytest.mark.usefixtures("engine")
def test_a_second_run_in_a_terminal_ends_with_code_4(catalog: Path) -> None:
    ledger = Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}")
    run = ledger.begin_run("small", {})
    result = CliRunner().invoke(app, ["run", str(catalog)])
    assert result.exit_code == 4
    assert f"packline: Catalog small: run {run} has been at work on it since " in result.stderr
    status = CliRunner().invoke(app, ["ledger", "status", str(catalog)])
    assert f"At work on small: run {run} since" in status.stdout
    ledger.close()
    status = CliRunner().invoke(app, ["ledger", "status", str(catalog)])
    assert "schema 0" in status.stdout
    assert "At work on small" in status.stdout, "a lease that nobody took over is still written down"
