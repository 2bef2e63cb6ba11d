"""The flow of a rollback: an environment shows what it showed before."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from packline.errors import FixSettings, GiveUp
from packline.line import Order
from tasks.releases import choose_release, roll_back, show_differences

logger = logging.getLogger(__name__)


def _run_name() -> str:
    given = flow_run.parameters
    return f"{Path(given['catalog']).stem}, {given['environment']} to {given.get('release') or 'before'}"


@flow(name="rollback", flow_run_name=_run_name, validate_parameters=True)
def rollback(
    catalog: str = Field(description="The catalogue; only the settings beside it are read."),
    environment: Literal["dev", "staging", "prod"] = Field(description="The environment to roll back."),
    release: str = Field(
        "", description="A release by its first digits; empty: what the environment showed before."
    ),
    why: str = Field("", description="Why; kept with the move, and told to runs that leave it alone."),
    by: str = Field("", description="Who asks for it."),
    settings: str = Field("", description="The settings' file; empty: the .toml beside the catalogue."),
) -> State[Any]:
    """Let an environment show what it showed before; once more goes further back.

    Runs then leave the environment alone until somebody promotes to it. The run ends as "Completed" where the
    environment shows the release, and as "Failed" where that was refused, with the sentence.
    """
    order = Order(Path(catalog), Path(settings) if settings else None)
    try:
        target = choose_release(order, environment, release)
        if not target:
            return Completed(
                message=f"Environment {environment} was rolled back already, by a command that was cut short."
            )
        moved, sentence = roll_back(order, environment, target, by or "Prefect", why)
        if moved:
            show_differences(order, environment)
    except (FixSettings, GiveUp) as error:
        logger.error("%s", error)
        return Failed(name="Refused", message=str(error))
    return Completed(message=sentence)
