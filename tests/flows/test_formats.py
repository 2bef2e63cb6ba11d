"""Other files for the shop come from the selects that are there; nothing is made or judged again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from packline.records import ShotState
from tests.flows.conftest import TruthEngine
from tests.flows.house import ROWS, write_rows
from tests.flows.test_catalog_run import ledger_of, run, shots_of

pytestmark = pytest.mark.usefixtures("prefect_server")

MORE = """
[formats.hero]
[formats.thumbnail]
format = "webp"
crop = "square"
longest = 96
"""


def shown(catalog: Path) -> dict[str, set[str]]:
    """Keys that the environment shows, by shot."""
    bucket = catalog.parent / "bucket"
    pointer = json.loads((bucket / "test/small/environments/dev.json").read_text())
    images: list[dict[str, Any]] = json.loads((bucket / pointer["manifest"]).read_text())["images"]
    return {image["shot"]: {file["key"] for file in image["files"]} for image in images}


def test_a_change_of_formats_publishes_and_releases_and_generates_nothing(
    catalog: Path, engine: TruthEngine
) -> None:
    write_rows(catalog, ROWS[:1])
    run(catalog)
    before, first = shots_of(catalog), shown(catalog)
    settings = catalog.with_suffix(".toml")
    plain = settings.read_text()
    settings.write_text(plain + MORE)

    assert run(catalog).name == "Completed"
    assert len(engine.made) == 1
    after = shots_of(catalog)
    latest = ledger_of(catalog).latest_run("small")
    assert latest is not None
    assert {one.station for one in latest.stations} == {"plan", "publication", "release", "report"}
    for key, shot in after.items():
        assert shot.state == ShotState.PUBLISHED
        assert shot.candidates == before[key].candidates
        assert shot.keys["hero"] == before[key].keys["hero"], "what stands stands"
        assert shown(catalog)[key] == set(shot.keys.values()) == first[key] | {shot.keys["thumbnail"]}
        assert (catalog.parent / "bucket" / shot.keys["thumbnail"]).is_file()

    settings.write_text(plain)
    run(catalog)
    assert shown(catalog) == first, "back again: the release drops what nobody asks for any more"
    assert len(engine.made) == 1
