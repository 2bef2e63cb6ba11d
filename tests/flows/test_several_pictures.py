"""The whole line on a row that owes two pictures of its scene; only the model is a double."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from packline.candidate import read_picture
from packline.choice import SAME, descriptor
from packline.editing.variation import AS_ASKED
from packline.funnel import SAME_PICTURE
from packline.records import ShotRecord, ShotState
from tests.flows.conftest import TruthEngine
from tests.flows.house import HEADER
from tests.flows.test_catalog_run import run, shots_of

pytestmark = pytest.mark.usefixtures("prefect_server")

FIRST, SECOND = "MUG/table/front", "MUG/table/front~2"


def owe(catalog: Path, pictures: int) -> None:
    catalog.write_text(f"{HEADER},pictures\nMUG,beige ceramic mug,mug-sunday.glb,table:front,,,,{pictures}\n")


def released(catalog: Path) -> list[str]:
    bucket = catalog.parent / "bucket"
    pointer = json.loads((bucket / "test/small/environments/dev.json").read_text())
    return [image["shot"] for image in json.loads((bucket / pointer["manifest"]).read_text())["images"]]


def select_of(shot: ShotRecord) -> Path:
    return next(one.candidate.picture for one in shot.candidates if one.candidate.id == shot.select)


def test_two_pictures_of_one_scene_are_published_and_differ(catalog: Path, engine: TruthEngine) -> None:
    owe(catalog, 2)
    assert run(catalog).message == "2 of 2 shots published."

    shots = shots_of(catalog)
    assert list(shots) == [FIRST, SECOND]
    assert {shot.state for shot in shots.values()} == {ShotState.PUBLISHED}
    looks = [descriptor(read_picture(select_of(shot))) for shot in shots.values()]
    assert np.linalg.norm(looks[0] - looks[1]) > SAME
    # one candidate each: the second picture does not begin with what the first one shows
    assert len(engine.made) == len(set(engine.made)) == 2
    variations = [shots[key].candidates[0].candidate.recipe.variation for key in (FIRST, SECOND)]
    assert variations[0] == AS_ASKED != variations[1]
    files = {shot.keys["hero"]: shot.published[0].sha256 for shot in shots.values()}
    assert len(set(files.values())) == 2
    assert [key.split("/")[-2] for key in files] == ["table-front", "table-front-2"]
    assert released(catalog) == [FIRST, SECOND]
    assert "front, picture 2" in (catalog.parent / "work" / "report.html").read_text()

    owe(catalog, 1)
    run(catalog)
    assert released(catalog) == [FIRST]
    owe(catalog, 2)
    run(catalog)
    assert released(catalog) == [FIRST, SECOND]
    assert len(engine.made) == 2


def test_where_a_scene_allows_nothing_else_the_second_picture_is_flagged_in_words(
    catalog: Path, engine: TruthEngine
) -> None:
    scene = catalog.parent / "scenes" / "table.json"
    told = json.loads(scene.read_text())
    # what a model and a scene without any play would do: every candidate is the same picture
    names = ("shift", "turn", "scale", "light_turn", "light_height", "light_size", "exposure")
    told["place"] |= dict.fromkeys(names, 0)
    scene.write_text(json.dumps(told))
    owe(catalog, 2)
    run(catalog)

    shots = shots_of(catalog)
    assert shots[FIRST].state == ShotState.PUBLISHED
    assert (shots[SECOND].state, shots[SECOND].reason) == (ShotState.FLAGGED, SAME_PICTURE)
    assert len(shots[SECOND].candidates) == 2, "both waves were used"
    assert all(one.scorecard is not None and one.scorecard.passed for one in shots[SECOND].candidates)
    assert shots[SECOND].sentence.startswith(
        "It looks the same as picture 1 of this scene: candidate 1, the most different of 2 that passed, "
        "differs from it by 0.00 on average (CIELAB)"
    )
    assert released(catalog) == [FIRST]
