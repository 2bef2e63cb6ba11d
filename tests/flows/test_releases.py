"""Promoting and rolling back from Prefect: the flows' end states, artifacts and deployments."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from packline.bucket import FolderBucket
from packline.errors import TryAgain
from packline.releases.site import open_site, read_pointer
from packline.settings import load_settings
from tests.parts import make_folder
from tests.releases.shop import Shop

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path, prefect_server: None) -> Iterator[Shop]:
    """Two releases in dev: A, then A and B."""
    make_folder(tmp_path)
    site = open_site(load_settings(tmp_path / "demo.toml"))
    made = Shop(tmp_path, site.ledger, site.bucket)
    made.plan({"A": "red", "B": "blue"})
    for sku in "AB":
        made.publish(sku)
        made.released()
    yield made
    site.ledger.close()


def test_a_promotion_and_two_rollbacks_from_prefect(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.promote import promote
    from flows.rollback import rollback

    catalog = str(shop.folder / "demo.csv")
    two, one = (release.id for release in shop.ledger.releases.latest("demo", 2))
    done = promote(catalog=catalog, environment="prod", by="ada", why="season", return_state=True)
    assert (done.name, done.message) == ("Completed", f"Environment prod now shows {two}: 2 pictures.")
    assert read_pointer(shop.site, "prod").release == two

    # the pointer moved, the answer was lost: Prefect tries again, and goes back one step all the same
    replace, tries = FolderBucket.replace, []

    def lost(*given: Any) -> bool:
        moved = replace(*given)
        tries.append(moved)
        if len(tries) == 1:
            raise TryAgain("Bucket shop cannot be reached; try again.")
        return moved

    monkeypatch.setattr(FolderBucket, "replace", lost)
    back = rollback(catalog=catalog, environment="dev", by="ada", why="too dark", return_state=True)
    assert (back.name, tries) == ("Completed", [True])
    assert back.message == f"Environment dev shows {one} already; nothing moved."
    assert read_pointer(shop.site, "dev").release == one
    last = shop.ledger.moves.list("demo", "dev")[0]
    assert (last.kind, last.by, last.why) == ("rollback", "ada", "too dark")

    further = rollback(catalog=catalog, environment="dev", return_state=True)
    assert (further.type.value, further.name) == ("FAILED", "Refused")
    assert further.message.startswith(f"Environment dev of demo shows {one} and has shown nothing before")


def test_the_ui_names_what_readers_see_otherwise(shop: Shop) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    from flows.promote import promote

    one = shop.ledger.releases.latest("demo", 2)[1].id
    state = promote(
        catalog=str(shop.folder / "demo.csv"), environment="dev", release=one, by="ada", return_state=True
    )
    flow_run = state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run]))
        (artifact,) = client.read_artifacts(artifact_filter=mine)
        assert client.read_flow_run(flow_run).name == f"demo, {one} to dev"
    (row,) = json.loads(str(artifact.data))
    assert (row["kind"], row["shot"]) == ("retired", "B/table/hero")
    assert artifact.key == "demo-dev-differences"


def test_every_deployment_has_a_flow_with_a_form_that_explains_each_field() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    names = {one["name"] for one in deployments}
    assert {"promote", "rollback"} <= names
    for one in deployments:
        file, _, name = one["entrypoint"].partition(":")
        flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
        fields = inspect.signature(flow.fn).parameters
        assert set(one["parameters"]) <= set(fields)
        assert all(field.default.description for field in fields.values())
