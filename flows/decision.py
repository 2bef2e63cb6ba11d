"""The flow that carries out what people decided: it publishes, takes down and makes again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from flows.catalog_run import catalog_run
from packline.line import Order
from tasks.decisions import read_decisions

# a catalogue's run may take the night; the decisions wait for it
_TRIES, _PAUSE = 24 * 60, 60.0


def _run_name() -> str:
    return f"decisions on {Path(flow_run.parameters['catalog']).stem}"


@flow(name="carry-out", flow_run_name=_run_name, validate_parameters=True)
def carry_out(
    catalog: str = Field(description="The catalogue that was decided on."),
    settings: str = Field("", description="The settings' file; empty: the .toml beside the catalogue."),
    environment: Literal["", "dev", "staging", "prod"] = Field(
        "", description="Where the release goes; empty: as the settings say."
    ),
) -> State[Any]:
    """Run the catalogue for the products that people decided on, once no other run is at work on it.

    The decisions stand in the ledger before this begins, so it may be started twice, late or never: any run
    of the catalogue carries them out.
    """
    order = Order(Path(catalog), Path(settings) if settings else None, environment)
    for _ in range(_TRIES):
        skus = read_decisions(order)
        if not skus:
            return Completed(name="Nothing to carry out", message="No decision waits to be carried out.")
        state: State[Any] = catalog_run(catalog, settings, environment, only=skus, return_state=True)
        if state.name != "Occupied":
            break
        time.sleep(_PAUSE)
    # the run's own state belongs to the run; handed on as it is, Prefect would make a nameless one of it
    return State(type=state.type, name=state.name, message=state.message)
