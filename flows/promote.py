"""The flow of a promotion: an environment shows what another one shows."""

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
from tasks.releases import promote_release, show_differences

logger = logging.getLogger(__name__)


def _run_name() -> str:
    given = flow_run.parameters
    what = given.get("release") or given.get("source") or "dev"
    return f"{Path(given['catalog']).stem}, {what} to {given['environment']}"


@flow(name="promote", flow_run_name=_run_name, validate_parameters=True)
def promote(
    catalog: str = Field(description="The catalogue; only the settings beside it are read."),
    environment: Literal["dev", "staging", "prod"] = Field(
        description="The environment that is to show the release."
    ),
    source: Literal["dev", "staging", "prod"] = Field(
        "dev", description="The environment whose release it is."
    ),
    release: str = Field("", description="A release by its first digits, in place of what that one shows."),
    why: str = Field("", description="Why; kept with the move."),
    by: str = Field("", description="Who asks for it."),
    settings: str = Field("", description="The settings' file; empty: the .toml beside the catalogue."),
) -> State[Any]:
    """Let an environment show what another one shows. Nothing is copied; one pointer moves, or none.

    The run ends as "Completed" where the environment shows the release, and as "Failed" where that was
    refused, with the sentence.
    """
    order = Order(Path(catalog), Path(settings) if settings else None)
    try:
        moved, sentence = promote_release(
            order, "" if release else source, environment, release, by or "Prefect", why
        )
        if moved:
            show_differences(order, environment)
    except (FixSettings, GiveUp) as error:
        logger.error("%s", error)
        return Failed(name="Refused", message=str(error))
    return Completed(message=sentence)
