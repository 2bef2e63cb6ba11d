"""The whole line: real catalogue, stage, checks, ledger, bucket and Prefect; only the model is a double."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from packline.editing.variation import AS_ASKED
from packline.errors import FixSettings, GiveUp, TryAgain
from packline.funnel import candidate_seed
from packline.ledger import Ledger
from packline.records import ShotRecord, ShotState
from tests.flows.conftest import TruthEngine
from tests.flows.house import ROWS, write_rows

SPARE = """
[engines.spare]
name = "spare"
architecture = "flux2-klein-embedded"
model = "no weights"
refine = "off"
price = 0.25
"""

pytestmark = pytest.mark.usefixtures("prefect_server")


def run(catalog: Path, **choices: Any) -> Any:
    from flows.catalog_run import catalog_run

    return catalog_run(catalog=str(catalog), return_state=True, **choices)


def ledger_of(catalog: Path) -> Ledger:
    return Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}")


def shots_of(catalog: Path) -> dict[str, ShotRecord]:
    return {shot.key: shot for shot in ledger_of(catalog).shots("small")}


def edit_settings(catalog: Path, old: str, new: str) -> None:
    file = catalog.with_suffix(".toml")
    assert file.read_text().count(old) == 1
    file.write_text(file.read_text().replace(old, new))


def test_a_run_publishes_every_shot_with_a_passing_scorecard(catalog: Path, engine: TruthEngine) -> None:
    state = run(catalog)

    assert (state.type.value, state.name) == ("COMPLETED", "Completed")
    assert state.message == "3 of 3 shots published."
    shots = shots_of(catalog)
    assert set(shots) == {"MUG/table/front", "CAN/table/front", "CAN/shelf/front"}
    assert len(engine.made) == 3
    bucket = catalog.parent / "bucket"
    for shot in shots.values():
        assert shot.state == ShotState.PUBLISHED
        chosen = next(one for one in shot.candidates if one.candidate.id == shot.select)
        assert chosen.scorecard is not None and chosen.scorecard.passed
        assert (bucket / shot.keys["hero"]).is_file()
    pointer = json.loads((bucket / "test/small/environments/dev.json").read_text())
    manifest = json.loads((bucket / pointer["manifest"]).read_text())
    shown = {file["key"] for image in manifest["images"] for file in image["files"]}
    assert shown == {shot.keys["hero"] for shot in shots.values()}
    latest = ledger_of(catalog).latest_run("small")
    assert latest is not None and latest.state == "completed" and latest.summary["published"] == 3
    assert {station.station for station in latest.stations} == {
        "plan", "references", "candidates", "scorecards", "publication", "release", "report",
    }  # fmt: skip
    page = (catalog.parent / "work" / "report.html").read_text()
    assert "CAN" in page and "MUG" in page


def test_the_ui_shows_the_outcome_and_readable_task_names(catalog: Path, engine: TruthEngine) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        ArtifactFilter,
        ArtifactFilterFlowRunId,
        TaskRunFilter,
        TaskRunFilterFlowRunId,
    )

    engine.wrong = {"beige ceramic mug"}
    state = run(catalog)
    flow_run = state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        # the runs of the other tests left artifacts of the same names
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run]))
        artifacts = {one.key: one for one in client.read_artifacts(artifact_filter=mine)}
        ours = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[flow_run]))
        names = {one.name for one in client.read_task_runs(task_run_filter=ours)}

    assert "render small wave 1 chunk 1/2 (2 shots)" in names
    assert "edit small wave 1 chunk 2/2 (1 shot)" in names
    rows = {row["shot"]: row for row in json.loads(str(artifacts["small-outcome"].data))}
    assert rows["CAN/shelf/front"]["state"] == "published"
    assert rows["MUG/table/front"]["state"] == "flagged"
    words = str(artifacts["small-flags"].data)
    assert "2 of 3 shots published, 1 flagged." in words
    assert shots_of(catalog)["MUG/table/front"].sentence in words


def test_a_second_run_makes_and_scores_nothing(catalog: Path, engine: TruthEngine) -> None:
    run(catalog)
    before = shots_of(catalog)
    state = run(catalog)

    assert state.name == "Completed"
    assert len(engine.made) == 3
    assert shots_of(catalog) == before
    latest = ledger_of(catalog).latest_run("small")
    assert latest is not None
    assert not {"references", "candidates", "scorecards"} & {one.station for one in latest.stations}


def test_only_the_shots_of_a_changed_row_are_made_again(catalog: Path, engine: TruthEngine) -> None:
    run(catalog)
    before = shots_of(catalog)
    write_rows(catalog, (ROWS[0].replace("beige", "cream"), ROWS[1]))
    run(catalog)
    after = shots_of(catalog)

    assert len(engine.made) == 4
    changed = {key for key in after if after[key].fingerprint != before[key].fingerprint}
    assert changed == {"MUG/table/front"}
    assert all(shot.state == ShotState.PUBLISHED for shot in after.values())


def test_what_never_passes_is_flagged_in_words_and_not_published(catalog: Path, engine: TruthEngine) -> None:
    engine.wrong = {"black aluminium can"}
    state = run(catalog)

    assert (state.type.value, state.name) == ("COMPLETED", "Completed with flags")
    shots = shots_of(catalog)
    assert shots["MUG/table/front"].state == ShotState.PUBLISHED
    for key in ("CAN/table/front", "CAN/shelf/front"):
        assert (shots[key].state, shots[key].reason) == (ShotState.FLAGGED, "scene_kept")
        assert shots[key].sentence.startswith("None of 2 candidates passed. The best one: ")
        assert not shots[key].keys
        numbers = [one.candidate.recipe.number for one in shots[key].candidates]
        variations = [one.candidate.recipe.variation for one in shots[key].candidates]
        assert numbers == [0, 1]
        assert variations[0] == AS_ASKED != variations[1]
    published = list((catalog.parent / "bucket").rglob("*.png"))
    assert len(published) == 1


def test_a_shot_that_keeps_failing_climbs_the_ladder_to_another_engine(
    catalog: Path, engine: TruthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = TruthEngine("spare")
    both = {"embedded": engine, "spare": spare}
    monkeypatch.setattr("packline.line.line.open_engine", lambda settings, presets: both[settings.name])
    edit_settings(catalog, "waves = 2\n", 'waves = 4\nladder = ["seeds", "refine", "spare"]\n' + SPARE)
    engine.wrong = {"beige ceramic mug"}
    assert run(catalog).name == "Completed"

    mug = shots_of(catalog)["MUG/table/front"]
    recipes = [one.candidate.recipe for one in mug.candidates]
    assert [(one.number, one.wave, one.rung) for one in recipes] == [
        (0, 1, "asked"),
        (1, 2, "seeds"),
        (2, 3, "refine"),
        (3, 4, "spare"),
    ]
    assert [one.refine for one in recipes] == ["off", "off", "labels", "labels"]
    assert recipes[3].changed == {"engine": "spare", "refine": "labels"}
    assert (recipes[3].engine["name"], mug.candidates[3].candidate.cost) == ("spare", 0.25)
    assert mug.select == mug.candidates[3].candidate.id
    # the one made room for the other, and nothing was made by both
    assert (engine.freed, len(engine.made), len(spare.made)) == (1, 5, 1)
    page = (catalog.parent / "work" / "report.html").read_text()
    assert "engine spare" in page


def test_what_a_runs_budget_does_not_cover_waits_for_the_next_run(catalog: Path, engine: TruthEngine) -> None:
    edit_settings(catalog, "chunk = 2", "chunk = 2\nbudget = { candidates = 2 }")
    edit_settings(catalog, "wave = 1", 'wave = "adaptive"\nlargest = 1')
    state = run(catalog)
    assert (state.type.value, state.name) == ("COMPLETED", "Completed with flags")
    assert state.message == (
        "2 of 3 shots published, 1 unfinished "
        "(1 because the run's budget is spent; the next run goes on with them)."
    )
    (waiting,) = (shot for shot in shots_of(catalog).values() if shot.state == ShotState.TODO)
    assert (waiting.reason, len(engine.made)) == ("budget", 2)
    assert "is spent; the next run goes on" in waiting.sentence
    assert run(catalog).name == "Completed"
    assert len(engine.made) == len(set(engine.made)) == 3


def test_asking_again_makes_other_candidates_of_flagged_shots_only(
    catalog: Path, engine: TruthEngine
) -> None:
    engine.wrong = {"beige ceramic mug"}
    run(catalog)
    engine.wrong = set()
    made = len(engine.made)

    assert run(catalog).name == "Completed with flags"
    assert len(engine.made) == made
    assert run(catalog, again=True).name == "Completed"
    mug = shots_of(catalog)["MUG/table/front"]
    assert [one.candidate.recipe.number for one in mug.candidates] == [0, 1, 2]
    assert len(set(engine.made)) == len(engine.made) == made + 1


def test_each_bad_row_is_flagged_with_its_sentence_and_the_others_go_on(
    catalog: Path, engine: TruthEngine
) -> None:
    (catalog.parent / "3d" / "broken.glb").write_bytes(b"glTF and then nothing")
    write_rows(
        catalog,
        (
            ROWS[0],
            "MUG,another mug,mug-sunday.glb,table:front,,,",
            ",no SKU,mug-sunday.glb,table:front,,,",
            "GONE,lamp,lamp.glb,table:front,,,",
            "LOST,mug,mug-sunday.glb,attic:front,,,",
            "STYLE,mug,mug-sunday.glb,table:front,,sepia,",
            "BROKEN,mug,broken.glb,table:front,,,",
        ),
    )
    state = run(catalog)

    assert state.name == "Completed with flags"
    shots = shots_of(catalog)
    assert shots.pop("MUG/table/front").state == ShotState.PUBLISHED
    assert all(shot.state == ShotState.FLAGGED for shot in shots.values())
    said = {shot.sku + shot.reason: shot.sentence for shot in shots.values()}
    assert "row 1" in said["MUGrow"]
    assert "sku is empty" in said["row"]
    assert "lamp.glb is missing" in said["GONErow"]
    assert "attic" in said["LOSTrow"]
    assert "sepia" in said["STYLErow"]
    assert "broken.glb" in said["BROKENmodel"]
    assert len(engine.made) == 1


def test_an_unwritable_bucket_fails_the_run_before_anything_is_made(
    catalog: Path, engine: TruthEngine
) -> None:
    (catalog.parent / "in the way").write_text("a file")
    edit_settings(catalog, 'url = "bucket"', 'url = "in the way/bucket"')
    state = run(catalog)

    assert (state.type.value, state.name) == ("FAILED", "Fix settings")
    assert "in the way" in state.message and "bucket.url" in state.message
    assert engine.made == []


def test_an_absent_settings_key_fails_the_run_with_its_name(catalog: Path, engine: TruthEngine) -> None:
    edit_settings(catalog, 'tenant = "test"\n', "")
    state = run(catalog)

    assert state.type.value == "FAILED"
    assert "run.tenant is absent" in state.message


def test_a_passing_fault_is_tried_again(catalog: Path, engine: TruthEngine) -> None:
    engine.faults = [TryAgain("The card is full; wait.")]
    assert run(catalog).name == "Completed"
    assert len(engine.made) == 3


def test_an_unforeseen_failure_flags_its_own_shot_and_the_next_run_takes_it_up(
    catalog: Path, engine: TruthEngine
) -> None:
    # the first chunk fails as a whole, then its first shot alone
    engine.faults = [ZeroDivisionError("no luck"), ZeroDivisionError("no luck")]
    state = run(catalog)

    assert state.name == "Completed with flags"
    flagged = [shot for shot in shots_of(catalog).values() if shot.state == ShotState.FLAGGED]
    assert [shot.reason for shot in flagged] == ["error"]
    assert "ZeroDivisionError: no luck" in flagged[0].sentence
    assert len(engine.made) == 2
    assert run(catalog).name == "Completed"
    assert len(engine.made) == 3


def test_an_engine_that_gives_a_shot_up_flags_it_in_its_words(catalog: Path, engine: TruthEngine) -> None:
    engine.faults = [GiveUp("The prompt is too long."), GiveUp("The prompt is too long.")]
    run(catalog)
    flagged = [shot for shot in shots_of(catalog).values() if shot.state == ShotState.FLAGGED]
    assert [(shot.reason, shot.sentence) for shot in flagged] == [("engine", "The prompt is too long.")]


def test_weights_that_cannot_be_loaded_stop_a_run_before_anything_is_rendered(
    catalog: Path, engine: TruthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise FixSettings("Settings key engine.model: the folder cannot be loaded; restore it.")

    rendered: list[object] = []
    monkeypatch.setattr(engine, "warm_up", damaged)
    monkeypatch.setattr("tasks.references.render", lambda *asked: rendered.append(asked))
    state = run(catalog)
    assert (state.type.value, state.name) == ("FAILED", "Fix settings")
    assert state.message == "Settings key engine.model: the folder cannot be loaded; restore it."
    assert (rendered, engine.made) == ([], [])


def test_a_seed_that_gives_no_picture_is_asked_once_and_the_shots_next_seed_serves(
    catalog: Path, engine: TruthEngine
) -> None:
    engine.spoils = {candidate_seed(1, "CAN/table/front", 0)}
    assert run(catalog).name == "Completed"
    numbers = {
        key: [one.candidate.recipe.number for one in shot.candidates]
        for key, shot in shots_of(catalog).items()
    }
    assert numbers == {"MUG/table/front": [0], "CAN/table/front": [1], "CAN/shelf/front": [0]}
    assert len(engine.made) == 3


def test_a_killed_run_is_taken_up_and_nothing_is_made_twice(catalog: Path, engine: TruthEngine) -> None:
    class Killed(BaseException):
        pass

    edit_settings(catalog, "batch = 2", "batch = 1")
    once = engine.edit

    def die_at_the_third(requests: Any, done: Any) -> Any:
        if len(engine.made) == 2:
            raise Killed
        return once(requests, done)

    engine.edit = die_at_the_third  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run(catalog)
    latest = ledger_of(catalog).latest_run("small")
    assert latest is not None and latest.state == "cancelled"
    assert not list((catalog.parent / "bucket").rglob("*.png"))

    engine.edit = once  # type: ignore[method-assign]
    assert run(catalog).name == "Completed"
    assert len(engine.made) == len(set(engine.made)) == 3


def test_another_threshold_scores_again_and_makes_nothing(catalog: Path, engine: TruthEngine) -> None:
    run(catalog)
    edit_settings(catalog, "[checks.scene_kept]\nthreshold = 0.5", "[checks.scene_kept]\nthreshold = 0.4")
    assert run(catalog).name == "Completed"
    assert len(engine.made) == 3
    thresholds = {
        result.threshold
        for shot in shots_of(catalog).values()
        for one in shot.candidates
        if one.scorecard is not None
        for result in one.scorecard.results
    }
    assert thresholds == {0.4}


def test_only_the_named_products_are_worked_on(catalog: Path, engine: TruthEngine) -> None:
    assert run(catalog, only=["MUG"]).name == "Completed"
    states = {key: shot.state for key, shot in shots_of(catalog).items()}
    assert states == {
        "MUG/table/front": ShotState.PUBLISHED,
        "CAN/table/front": ShotState.TODO,
        "CAN/shelf/front": ShotState.TODO,
    }
    state = run(catalog, only=["HAT"])
    assert state.type.value == "FAILED" and "SKU HAT" in state.message


def test_a_plan_makes_nothing_and_says_what_there_is_to_do(catalog: Path, engine: TruthEngine) -> None:
    state = run(catalog, plan_only=True)
    assert (state.name, state.message) == ("Planned", "3 shots: 3 new.")
    assert engine.made == []
    assert ledger_of(catalog).latest_run("small") is None


def test_the_form_says_what_each_parameter_means() -> None:
    from flows.catalog_run import catalog_run

    fields = catalog_run.parameters.model_dump()["properties"]
    assert list(fields) == ["catalog", "settings", "environment", "only", "plan_only", "again"]
    assert all(field["description"] for field in fields.values())
